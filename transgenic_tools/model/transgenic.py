"""The model as transformers holds it: `TransgenicConfig` adapts a `ModelConfig`, `TransgenicModel` a `Network`.

In: keyword arguments or a saved config.json. Out: the `Network` with `save_pretrained` and `from_pretrained`.
A surprise: `tg-generate` loads the same weights without transformers (`files.load_network`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import nn
from transformers import AutoConfig, AutoModel, PretrainedConfig, PreTrainedModel

from transgenic_tools.lattice.config import ScoringConfig
from transgenic_tools.model.config import ModelConfig
from transgenic_tools.model.network import Network
from transgenic_tools.provenance import ordinary_permissions

_PARTS = tuple(ModelConfig.__dataclass_fields__)


class TransgenicConfig(PretrainedConfig):
    """A `ModelConfig` as transformers saves it: every part is a dict with a `name`."""

    model_type = "transgenic"

    def __init__(
        self,
        encoder: dict[str, Any] | None = None,
        mapping: dict[str, Any] | None = None,
        decoder: dict[str, Any] | None = None,
        grammar: dict[str, Any] | None = None,
        scoring: dict[str, Any] | None = None,
        scan: dict[str, Any] | None = None,
        calibration: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        parts = {
            "encoder": encoder, "mapping": mapping, "decoder": decoder, "grammar": grammar, "scoring": scoring,
            "scan": scan, "calibration": calibration,
        }  # fmt: skip
        self.take(ModelConfig.from_dict(parts))
        super().__init__(**kwargs)

    def take(self, settings: ModelConfig) -> None:
        """Hold these settings."""
        for name, value in settings.to_dict().items():
            setattr(self, name, value)

    @property
    def settings(self) -> ModelConfig:
        """The same as a frozen record."""
        return ModelConfig.from_dict({name: getattr(self, name) for name in _PARTS})


class TransgenicModel(Network, PreTrainedModel):
    """Sequence to gene structure; `save_pretrained` writes safetensors only."""

    config: TransgenicConfig
    config_class = TransgenicConfig
    base_model_prefix = "transgenic"
    main_input_name = "codes"

    def __init__(self, config: TransgenicConfig) -> None:
        PreTrainedModel.__init__(self, config)
        self._make_parts(config.settings)
        self.post_init()

    def refit(
        self,
        *,
        scoring: ScoringConfig | None = None,
        scan: ScoringConfig | None = None,
        calibration: Mapping[str, Sequence[float]] | None = None,
    ) -> None:
        """See `Network.refit`; the fitted numbers are saved with the model."""
        super().refit(scoring=scoring, scan=scan, calibration=calibration)
        self.config.take(self.settings)

    def save_pretrained(self, save_directory: str | Path, **kwargs: Any) -> None:  # type: ignore[override]
        """As transformers does it; readable as the umask says, for safetensors writes for its owner alone."""
        super().save_pretrained(save_directory, **kwargs)
        for name in ("config.json", "model.safetensors"):
            path = Path(save_directory) / name
            if path.exists():
                path.chmod(ordinary_permissions())

    def _init_weights(self, module: nn.Module) -> None:
        """Weights are initialised by the parts themselves."""


AutoConfig.register(TransgenicConfig.model_type, TransgenicConfig, exist_ok=True)
AutoModel.register(TransgenicConfig, TransgenicModel, exist_ok=True)
