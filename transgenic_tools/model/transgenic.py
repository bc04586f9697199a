"""The model as a `PreTrainedModel` of transformers.

In: a `TransgenicConfig`. Out: the `Network` with `save_pretrained` and `from_pretrained`.
A surprise: `tg-generate` loads the same weights without transformers (`network.load_network`).
"""

from __future__ import annotations

import json
from pathlib import Path

from torch import nn
from transformers import PreTrainedModel
from transformers.utils.logging import disable_progress_bar

from transgenic_tools.errors import BadInputError
from transgenic_tools.model.config import TransgenicConfig
from transgenic_tools.model.network import Network, check_vocabulary, model_dir


class TransgenicModel(Network, PreTrainedModel):
    """Sequence to gene structure; `save_pretrained` writes safetensors only."""

    config_class = TransgenicConfig
    base_model_prefix = "transgenic"
    main_input_name = "codes"

    def __init__(self, config: TransgenicConfig) -> None:
        PreTrainedModel.__init__(self, config)
        self._make_parts(config)
        self.post_init()

    def _init_weights(self, module: nn.Module) -> None:
        """Weights are initialised by the parts themselves."""


def load_model(path: str | Path | None = None) -> tuple[TransgenicModel, Path]:
    """Load a model directory, the embedded one by default; nothing is ever downloaded.

    Raises:
        MissingInputError: the directory holds no model.
        BadInputError: it was made with another vocabulary.
    """
    directory = model_dir(path)
    disable_progress_bar()
    try:
        model = TransgenicModel.from_pretrained(directory, local_files_only=True)
    except (ValueError, KeyError, RuntimeError, json.JSONDecodeError) as error:
        raise BadInputError(f"cannot load the model: {error}", path=directory, hint="train or copy it again") from error
    check_vocabulary(model.config.vocabulary_version, directory)
    return model, directory
