"""Configuration of the model as transformers saves it.

In: keyword arguments or a saved config.json. Out: `TransgenicConfig`, a transformers `PretrainedConfig`.
A surprise: parts are plain dicts in the JSON and frozen dataclasses in the code (`config_parts`).
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from transformers import PretrainedConfig

from transgenic_tools.lattice.vocabulary import VOCABULARY_VERSION
from transgenic_tools.model.config_parts import build_part


class TransgenicConfig(PretrainedConfig):
    """Configuration of `TransgenicModel`; every part is a dict with a `name`."""

    model_type = "transgenic"

    def __init__(
        self,
        encoder: dict[str, Any] | None = None,
        mapping: dict[str, Any] | None = None,
        decoder: dict[str, Any] | None = None,
        grammar: dict[str, Any] | None = None,
        scoring: dict[str, Any] | None = None,
        calibration: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        self.encoder = asdict(build_part("encoder", encoder))
        self.mapping = asdict(build_part("mapping", mapping))
        self.decoder = asdict(build_part("decoder", decoder))
        self.grammar = asdict(build_part("grammar", grammar))
        self.scoring = asdict(build_part("scoring", scoring))
        self.calibration = dict(calibration or {})
        self.vocabulary_version = VOCABULARY_VERSION
        super().__init__(**kwargs)
