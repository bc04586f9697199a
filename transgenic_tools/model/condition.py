"""The learned layer of conditions beside a model: which inputs it takes, which samples it has seen, its weights.

In: `condition.json` and `condition.safetensors` of a model directory. Out: `ConditionModel`, and `Condition`s by name.
A surprise: the model's own two files do not change with it, so that without a condition it predicts what it did before,
to the byte; the layer names the weights that it was fitted on and is refused beside others.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from transgenic_tools.choices import Scale
from transgenic_tools.errors import BadInputError, MissingInputError, UsageError
from transgenic_tools.io.conditions import (
    ConditionTable,
    InputScaling,
    cut_table,
    differing_case,
    listed,
    read_conditions,
    without_inputs,
)
from transgenic_tools.lattice.condition import BINS, N_SIDES, ConditionLayer
from transgenic_tools.model.files import model_hash
from transgenic_tools.provenance import write_aside

logger = logging.getLogger(__name__)
DESCRIPTION, WEIGHTS = "condition.json", "condition.safetensors"
CONDITION_VERSION = 1
_AGAIN = "train it again with tg-train --conditions, or copy the whole model directory"


@dataclass(frozen=True, kw_only=True, eq=False)
class ConditionModel:
    """A layer with the inputs that it knows.

    Attributes:
        samples: Inputs (K,) of each sample that it was fitted on, normalised.
        trunk: `model_hash` of the model that it belongs to.
        notes: What the fit says of itself: losses, confounded inputs, what was left out.
    """

    scaling: InputScaling
    layer: ConditionLayer
    samples: Mapping[str, npt.NDArray[np.float32]]
    trunk: str
    notes: Mapping[str, Any] = field(default_factory=dict)


def has_conditions(directory: Path) -> bool:
    """Whether a model directory has a layer of conditions."""
    return (directory / DESCRIPTION).is_file()


def save_conditions(model: ConditionModel, directory: Path) -> None:
    """Write the layer into a model directory; the description last, so that a killed run leaves none."""
    layer, scaling = model.layer, model.scaling
    tensors = {name: np.ascontiguousarray(getattr(layer, name)) for name in ("kmers", "trunk", "bias", "inputs")}
    with write_aside(directory / WEIGHTS) as aside:
        save_file(tensors, aside)
    described = {
        "format_version": CONDITION_VERSION,
        "model": model.trunk,
        "bins": [list(edges) for edges in BINS],
        "scale": scaling.scale,
        "inputs": [
            {"name": name, "mean": float(mean), "deviation": float(deviation)}
            for name, mean, deviation in zip(scaling.names, scaling.mean, scaling.deviation, strict=True)
        ],
        "samples": {name: [round(float(v), 6) for v in values] for name, values in model.samples.items()},
        "notes": dict(model.notes),
    }
    with write_aside(directory / DESCRIPTION) as aside:
        aside.write_text(json.dumps(described, indent=1) + "\n", encoding="utf-8")


def _layer(directory: Path, inputs: int) -> ConditionLayer:
    path = directory / WEIGHTS
    try:
        layer = ConditionLayer(**{name: value.astype(np.float32) for name, value in load_file(path).items()})
    except (OSError, SafetensorError, TypeError) as error:
        raise BadInputError(f"no weights of conditions: {error}", path=path, hint=_AGAIN) from error
    members, rank = layer.inputs.shape[:2]
    sizes = (members, rank, N_SIDES)
    if (
        layer.inputs.shape[2] != inputs
        or layer.kmers.shape != (*sizes, len(BINS), 4**layer.k)
        or layer.trunk.shape[:3] != sizes
        or layer.bias.shape != sizes
        or not all(np.isfinite(part).all() for part in vars(layer).values())
    ):
        raise BadInputError("the weights of conditions do not fit their description", path=path, hint=_AGAIN)
    return layer


def load_conditions(directory: Path) -> ConditionModel:
    """The layer of a model directory.

    Raises:
        MissingInputError: the model has none.
        BadInputError: it is damaged, of another version, or was fitted on other weights.
    """
    path = directory / DESCRIPTION
    if not path.is_file():
        raise MissingInputError(
            "this model has learned no conditions",
            path=directory,
            hint="leave tg-generate --condition out, or train it with tg-train --conditions TABLE --usage JUNCTIONS",
        )
    try:
        described = json.loads(path.read_text("utf-8"))
        version = described["format_version"]
        if version != CONDITION_VERSION or [tuple(edges) for edges in described["bins"]] != list(BINS):
            raise BadInputError(f"a layer of conditions of version {version!r}", path=path, hint=_AGAIN)
        inputs = described["inputs"]
        scale: Scale = "plain" if described["scale"] == "plain" else "log"
        scaling = InputScaling(
            names=tuple(str(one["name"]) for one in inputs),
            scale=scale,
            mean=np.array([one["mean"] for one in inputs], dtype=np.float64),
            deviation=np.array([one["deviation"] for one in inputs], dtype=np.float64),
        )
        samples = {name: np.array(values, dtype=np.float32) for name, values in described["samples"].items()}
        trunk, notes = described["model"], described["notes"]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise BadInputError(f"no description of conditions: {error}", path=path, hint=_AGAIN) from error
    if trunk != model_hash(directory):
        raise BadInputError(
            "the layer of conditions was fitted on other weights than those beside it", path=path, hint=_AGAIN
        )
    layer = _layer(directory, len(scaling.names))
    return ConditionModel(scaling=scaling, layer=layer, samples=samples, trunk=trunk, notes=notes)


def find_values(model: ConditionModel, name: str, table: Path | None) -> npt.NDArray[np.float32]:
    """Inputs (K,) of a sample by name: of the table where there is one, else one that the model was fitted on.

    Raises:
        BadInputError, UsageError: nobody knows the name; both sides are listed.
    """
    if table is not None:
        return _from_table(model, name, read_conditions(table))
    if name not in model.samples:
        raise UsageError(
            f"the model knows no condition {name!r}, only {listed(model.samples)}"
            f"{differing_case([name], model.samples)}",
            hint="choose one of these, or give --conditions TABLE with a column of that name",
        )
    return model.samples[name]


def _from_table(model: ConditionModel, name: str, table: ConditionTable) -> npt.NDArray[np.float32]:
    if name not in table.samples:
        raise BadInputError(
            f"the table has no sample {name!r}; its samples are {listed(table.samples)}, and the model was trained on "
            f"{listed(model.samples)}{differing_case([name], table.samples)}",
            path=table.path,
            hint="name a column of the table, letter by letter",
        )
    cut = cut_table(table, [name], model.scaling)
    if cut.missing:
        logger.warning(
            "%d of the model's %d inputs are not in %s and count as the mean of training: %s%s",
            *(len(cut.missing), len(model.scaling.names), table.path, listed(cut.missing)),
            differing_case(cut.missing, table.names),
        )
    if model.scaling.scale == "log" and without_inputs(table, [name], model.scaling.names):
        logger.warning("all of the model's inputs that %s has are zero in sample %r", table.path, name)
    values = cut.values[:, 0]
    if name not in model.samples:
        far = [i for i in np.argsort(-np.abs(values), kind="stable").tolist() if abs(values[i]) > 4.0]
        logger.warning(
            "condition %r was not among the %d training samples; nothing measured says how right its shifts are%s",
            name,
            len(model.samples),
            f"; far beyond the training samples are {listed(model.scaling.names[i] for i in far)}" if far else "",
        )
    return values
