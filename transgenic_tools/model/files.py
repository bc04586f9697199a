"""Model directories: where they are, and what lies in them as a network.

In: a path, or nothing for the embedded model. Out: a `Network`, or a `TransgenicModel` where transformers is wanted.
A surprise: both loaders read the same two files (config.json, model.safetensors); nothing is ever downloaded.
"""

from __future__ import annotations

import json
import os
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING

from safetensors import SafetensorError
from safetensors.torch import load_file

from transgenic_tools.errors import BadInputError, MissingInputError
from transgenic_tools.lattice.vocabulary import VOCABULARY_VERSION
from transgenic_tools.model.config import (
    EmbeddedEncoderConfig,
    ModelConfig,
    PointerDecoderConfig,
    StrandEncoderConfig,
)
from transgenic_tools.model.network import Network

if TYPE_CHECKING:
    from transgenic_tools.model.transgenic import TransgenicModel


def default_model_dir() -> Path:
    """The embedded model: $TRANSGENIC_MODEL, else the one inside the package."""
    named = os.environ.get("TRANSGENIC_MODEL")
    return Path(named) if named else Path(__file__).resolve().parents[1] / "assets" / "model"


def model_dir(path: str | Path | None) -> Path:
    """A directory that holds a model, the embedded one by default.

    Raises:
        MissingInputError: it holds no model.
    """
    directory = Path(path) if path is not None else default_model_dir()
    for name in ("config.json", "model.safetensors"):
        if not (directory / name).is_file():
            raise MissingInputError(
                f"no {name} in the model directory", path=directory, hint="give a directory made by tg-train to --model"
            )
    return directory


def check_vocabulary(version: int, directory: Path) -> None:
    """Raises BadInputError where the model was made with another vocabulary."""
    if version != VOCABULARY_VERSION:
        raise BadInputError(
            f"vocabulary version {version}, this program has {VOCABULARY_VERSION}",
            path=directory,
            hint="use the version of transgenic_tools that made the model",
        )


def _cannot_load(error: Exception, directory: Path) -> BadInputError:
    return BadInputError(f"cannot load the model: {error}", path=directory, hint="train or copy it again")


def load_network(path: str | Path | None = None) -> tuple[Network, Path]:
    """Load a model directory for reading, the embedded one by default.

    Raises:
        MissingInputError: the directory holds no model.
        BadInputError: it was made with another vocabulary, or cannot be read.
    """
    directory = model_dir(path)
    try:
        saved = json.loads((directory / "config.json").read_text())
        check_vocabulary(saved["vocabulary_version"], directory)
        settings = ModelConfig.from_dict({part.name: saved[part.name] for part in fields(ModelConfig)})
        if not (
            isinstance(settings.encoder, EmbeddedEncoderConfig | StrandEncoderConfig)
            and isinstance(settings.decoder, PointerDecoderConfig)
        ):
            return load_model(directory)  # its parts come with transformers anyway
        network = Network(settings)
        network.load_state_dict(load_file(directory / "model.safetensors"), assign=True)
    except (ValueError, KeyError, TypeError, RuntimeError, SafetensorError) as error:
        raise _cannot_load(error, directory) from error
    return network, directory


def load_model(path: str | Path | None = None) -> tuple[TransgenicModel, Path]:
    """Load a model directory for training or other programs, the embedded one by default.

    Raises:
        MissingInputError: the directory holds no model.
        BadInputError: it was made with another vocabulary, or cannot be read.
    """
    from transformers.utils.logging import disable_progress_bar

    from transgenic_tools.model.transgenic import TransgenicModel

    directory = model_dir(path)
    disable_progress_bar()
    try:
        model = TransgenicModel.from_pretrained(directory, local_files_only=True)
    except (ValueError, KeyError, RuntimeError, json.JSONDecodeError) as error:
        raise _cannot_load(error, directory) from error
    check_vocabulary(model.settings.vocabulary_version, directory)
    return model, directory
