"""The state of a training run on disk: tensors in safetensors, everything else in JSON.

In: nested dicts and lists of tensors and plain values. Out: `<name>.safetensors` with the tensors and `<name>.json`
with the rest; and back.
A surprise: nothing here can hold code. Pickles of older versions, or of whoever sends a folder, are never opened; a
folder without this format's number is refused.
"""

from __future__ import annotations

import json
import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from transgenic_tools.errors import BadInputError
from transgenic_tools.provenance import ordinary_permissions

#: Of checkpoints; another number is refused.
CHECKPOINT_VERSION = 2
_PROGRESS = "progress.json"
_HINT = "train anew with --no-resume, or with the version of transgenic_tools that wrote it"


def _apart(tree: Any, name: str, tensors: dict[str, Tensor]) -> Any:
    """The tree with each tensor replaced by its name in `tensors`."""
    if isinstance(tree, Tensor):
        tensors[name] = tree.detach().to("cpu", copy=True).contiguous()
        return {"tensor": name}
    if isinstance(tree, Mapping):  # pairs, because JSON would make texts of numbers
        return {"pairs": [[key, _apart(value, f"{name}.{key}", tensors)] for key, value in tree.items()]}
    if isinstance(tree, list | tuple):
        return {"list": [_apart(value, f"{name}.{number}", tensors) for number, value in enumerate(tree)]}
    if tree is None or isinstance(tree, bool | int | float | str):
        return {"value": tree}
    raise TypeError(f"{name} is a {type(tree).__name__}; a checkpoint holds tensors and plain values")


def _together(node: Any, tensors: Mapping[str, Tensor]) -> Any:
    [(kind, content)] = node.items()
    if kind == "tensor":
        return tensors[content]
    if kind == "pairs":
        return {key: _together(value, tensors) for key, value in content}
    if kind == "list":
        return [_together(value, tensors) for value in content]
    return content


def save_tree(tree: Any, directory: Path, name: str) -> None:
    """Write one part of a checkpoint."""
    tensors: dict[str, Tensor] = {}
    rest = _apart(tree, name, tensors)
    directory.mkdir(parents=True, exist_ok=True)
    save_file(tensors, directory / f"{name}.safetensors")
    (directory / f"{name}.safetensors").chmod(ordinary_permissions())
    (directory / f"{name}.json").write_text(json.dumps(rest), encoding="utf-8")


def load_tree(directory: Path, name: str) -> Any:
    """What `save_tree` wrote.

    Raises:
        BadInputError: the files are missing or damaged.
    """
    try:
        rest = json.loads((directory / f"{name}.json").read_text("utf-8"))
        return _together(rest, load_file(directory / f"{name}.safetensors"))
    except (FileNotFoundError, ValueError, KeyError, AttributeError, SafetensorError) as error:
        raise BadInputError(f"the checkpoint's {name} cannot be read: {error}", path=directory, hint=_HINT) from error


def save_progress(directory: Path, step: int, **more: Any) -> None:
    """Written last: a checkpoint without it is none."""
    values = {"format_version": CHECKPOINT_VERSION, "step": step, **more}
    (directory / _PROGRESS).write_text(json.dumps(values, sort_keys=True), encoding="utf-8")


def load_progress(directory: Path) -> dict[str, Any] | None:
    """None where there is no checkpoint.

    Raises:
        BadInputError: it is of another version, or no JSON.
    """
    path = directory / _PROGRESS
    if not path.exists():
        return None
    try:
        values: dict[str, Any] = json.loads(path.read_text("utf-8"))
        version = values.get("format_version")
    except (ValueError, AttributeError) as error:
        raise BadInputError(f"no checkpoint of tg-train: {error}", path=path, hint=_HINT) from error
    if version != CHECKPOINT_VERSION:
        raise BadInputError(
            f"a checkpoint of version {version}, this program reads {CHECKPOINT_VERSION}", path=path, hint=_HINT
        )
    return values


def random_state() -> dict[str, Any]:
    """Of every generator that a process draws from; what batches need is drawn by (seed, epoch) instead."""
    version, numbers, gauss = random.getstate()
    kind, keys, position, has_gauss, cached = np.random.get_state(legacy=True)
    return {
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
        "python": [version, list(numbers), gauss],
        "numpy": [kind, torch.from_numpy(np.asarray(keys).astype(np.int64)), position, has_gauss, cached],
    }


def set_random_state(state: Mapping[str, Any]) -> None:
    """Undo what was drawn since `random_state`."""
    torch.set_rng_state(state["torch"])
    if state["cuda"] and len(state["cuda"]) == torch.cuda.device_count():
        torch.cuda.set_rng_state_all(state["cuda"])
    version, numbers, gauss = state["python"]
    random.setstate((version, tuple(numbers), gauss))
    kind, keys, position, has_gauss, cached = state["numpy"]
    np.random.set_state((kind, keys.numpy().astype(np.uint32), position, has_gauss, cached))
