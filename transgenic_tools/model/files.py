"""Model directories: where they are, and what lies in them as a network.

In: a path, or nothing for the embedded model. Out: a `Network`, or a `TransgenicModel` where transformers is wanted.
A surprise: both loaders read the same two files (config.json, model.safetensors); nothing is ever downloaded.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from dataclasses import asdict, fields
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from transgenic_tools.errors import BadInputError, MissingInputError, UsageError
from transgenic_tools.io.json_text import read_object
from transgenic_tools.lattice.vocabulary import VOCABULARY_VERSION
from transgenic_tools.model.config import (
    EmbeddedEncoderConfig,
    ModelConfig,
    PointerDecoderConfig,
    StrandEncoderConfig,
)
from transgenic_tools.model.network import Network
from transgenic_tools.model.presets import preset_names
from transgenic_tools.provenance import file_sha256

if TYPE_CHECKING:
    from transgenic_tools.model.transgenic import TransgenicModel


#: The model inside the package.
EMBEDDED = Path(__file__).resolve().parents[1] / "assets" / "model"


def default_model_dir() -> Path:
    """The embedded model: $TRANSGENIC_MODEL, else the one inside the package."""
    named = os.environ.get("TRANSGENIC_MODEL")
    return Path(named) if named else EMBEDDED


def default_scan_dir() -> Path:
    """The model of scans: $TRANSGENIC_SCAN_MODEL, else the one inside the package, which scans and writes genes."""
    named = os.environ.get("TRANSGENIC_SCAN_MODEL")
    return Path(named) if named else EMBEDDED


def model_dir(path: str | Path | None) -> Path:
    """A directory that holds a model, the embedded one by default.

    Raises:
        MissingInputError: it holds no model.
    """
    directory = Path(path) if path is not None else default_model_dir()
    if not directory.is_dir():
        name = str(directory)
        raise MissingInputError(
            "there is no such model directory", path=directory,
            hint=f"this is a preset, of which tg-train --preset {name} --outdir DIR makes a model"
            if name in preset_names() else "give a directory that tg-train made",
        )  # fmt: skip
    for name in ("config.json", "model.safetensors"):
        if not (directory / name).is_file():
            raise MissingInputError(
                f"no {name} in the model directory", path=directory, hint="give a directory that tg-train made"
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


_AGAIN = "train or copy it again"
#: What broken files make of building and filling a network.
_BROKEN = (ValueError, KeyError, TypeError, RuntimeError, AttributeError, IndexError, ArithmeticError, AssertionError)
#: Settings that are dimensions of weights, and such as count layers.
_WIDTHS = frozenset({"dim", "stem", "channels", "intermediate", "filter_width"})
_DEPTHS = frozenset({"blocks", "layers", "node_layers", "filter_inner"})


def _cannot_load(error: Exception, directory: Path) -> BadInputError:
    message = error.message if isinstance(error, UsageError) else f"{type(error).__name__}: {error}"
    return BadInputError(f"cannot load the model ({message[:300]})", path=directory, hint=_AGAIN)


def model_hash(directory: Path) -> str:
    """16 hex digits of the weights and the config together: what a model's results are known by."""
    parts = [file_sha256(directory / name) for name in ("config.json", "model.safetensors")]
    return hashlib.sha256("".join(parts).encode()).hexdigest()[:16]


def _read_config(directory: Path) -> ModelConfig:
    """The checked config."""
    path = directory / "config.json"

    saved = read_object(path, hint=_AGAIN)
    missing = [part.name for part in fields(ModelConfig) if part.name != "scan" and saved.get(part.name) is None]
    if missing:
        raise BadInputError(f"no configuration of a model: no {', '.join(missing)}", path=path, hint=_AGAIN)
    check_vocabulary(saved["vocabulary_version"], directory)
    try:
        return ModelConfig.from_dict({part.name: saved.get(part.name) for part in fields(ModelConfig)})
    except (UsageError, *_BROKEN) as error:
        raise _cannot_load(error, path) from error


def _read_weights(directory: Path) -> dict[str, Tensor]:
    """All weights; every one of them is a number."""
    path = directory / "model.safetensors"
    try:
        weights = load_file(path)
    except (SafetensorError, *_BROKEN) as error:
        raise BadInputError(f"no weights of a model: {error}", path=path, hint=_AGAIN) from error
    check_finite(weights.items(), path)
    return weights


def check_finite(weights: Iterable[tuple[str, Tensor]], path: Path) -> None:
    """Raises BadInputError where a weight is NaN or infinite: such a network writes nothing, without an error."""
    for name, tensor in weights:
        if tensor.is_floating_point() and not torch.isfinite(tensor.sum(dtype=torch.float64)):
            count = int((~torch.isfinite(tensor)).sum())
            raise BadInputError(
                f"{name} holds {count} weights that are NaN or infinite",
                path=path,
                hint="train or copy it again",
            )


def _check_sizes(config: ModelConfig, weights: dict[str, Tensor], directory: Path) -> None:
    """Sizes that no weight has are refused before a network of these sizes takes the memory."""
    largest = max((size for tensor in weights.values() for size in tensor.shape), default=0)
    for part in ("encoder", "decoder"):
        for name, value in asdict(getattr(config, part)).items():
            most = largest if name in _WIDTHS else len(weights) if name in _DEPTHS else None
            if most is not None and value > most:
                raise BadInputError(
                    f"{part}.{name} is {value}; the weights in model.safetensors are of a smaller network",
                    path=directory / "config.json",
                    hint=_AGAIN,
                )


def load_network(path: str | Path | None = None) -> tuple[Network, Path]:
    """Load a model directory for reading, the embedded one by default.

    Raises:
        MissingInputError: the directory holds no model.
        BadInputError: it was made with another vocabulary, or cannot be read.
    """
    directory = model_dir(path)
    settings = _read_config(directory)
    if not (
        isinstance(settings.encoder, EmbeddedEncoderConfig | StrandEncoderConfig)
        and isinstance(settings.decoder, PointerDecoderConfig)
    ):
        return load_model(directory)  # its parts come with transformers anyway
    weights = _read_weights(directory)
    _check_sizes(settings, weights, directory)
    try:
        network = Network(settings)
        network.load_state_dict(weights, assign=True)
    except _BROKEN as error:
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
    settings = _read_config(directory)
    _check_sizes(settings, _read_weights(directory), directory)
    try:
        model = TransgenicModel.from_pretrained(directory, local_files_only=True)
    except (UsageError, OSError, SafetensorError, *_BROKEN) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise _cannot_load(error, directory) from error
    return model, directory
