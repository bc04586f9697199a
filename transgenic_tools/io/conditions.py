"""A table of named numbers by sample (genes x samples in TPM, doses, temperatures), and what a model takes of it.

In: a TSV or CSV whose header names the samples and whose first column names the numbers. Out: `ConditionTable`, and
rows of it normalised as the model's inputs.
A surprise: an input that a table lacks counts as the mean of training, which shifts nothing; how many do is said.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from transgenic_tools.choices import Scale
from transgenic_tools.errors import BadInputError
from transgenic_tools.io.files import text_lines

#: First cells of a header that name no sample.
_CORNERS = frozenset({"", "gene", "gene_id", "geneid", "id", "name", "input", "target_id"})
_HINT = "the first line names the samples, the first column the genes or numbers; docs/conditions.md shows a table"
_SHOWN = 8


@dataclass(frozen=True, kw_only=True)
class ConditionTable:
    """Numbers by sample; K names, S samples.

    Attributes:
        values: (K, S) float64.
    """

    path: Path
    names: tuple[str, ...]
    samples: tuple[str, ...]
    values: npt.NDArray[np.float64]

    def column(self, sample: str) -> npt.NDArray[np.float64]:
        """(K,) numbers of one sample.

        Raises:
            BadInputError: the table has no such sample; both sides are listed.
        """
        (index,) = match_samples([sample], self.samples, path=self.path, sides=("asked for", "the table"))
        return self.values[:, index]


@dataclass(frozen=True, kw_only=True)
class InputScaling:
    """The inputs of a model and how they are normalised; K inputs.

    Attributes:
        mean, deviation: (K,) over the training samples, after `scale`.
    """

    names: tuple[str, ...]
    scale: Scale
    mean: npt.NDArray[np.float64]
    deviation: npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Cut:
    """A table cut to a model's inputs.

    Attributes:
        values: (K, S) normalised; 0 where the table lacks the input.
        missing: Inputs that the table lacks.
    """

    values: npt.NDArray[np.float32]
    missing: tuple[str, ...]


def listed(names: Iterable[str]) -> str:
    """Some names for a message."""
    all_of_them = list(names)
    shown = ", ".join(repr(name) for name in all_of_them[:_SHOWN])
    more = f" and {len(all_of_them) - _SHOWN:,} more" if len(all_of_them) > _SHOWN else ""
    return (shown or "none") + more


def differing_case(left: Iterable[str], right: Iterable[str]) -> str:
    """A sentence on names that are equal but for upper and lower case; empty where there are none."""
    folded = {name.casefold(): name for name in right}
    pairs = [f"{name!r} and {folded[name.casefold()]!r}" for name in left if name.casefold() in folded]
    return f"; equal but for upper and lower case: {', '.join(pairs[:3])}" if pairs else ""


def match_samples(
    wanted: Sequence[str], samples: Sequence[str], *, path: Path, sides: tuple[str, str], hint: str | None = None
) -> list[int]:
    """Index in `samples` of each wanted name.

    Args:
        sides: What the two lists are called in the message.

    Raises:
        BadInputError: one is not there; lists both sides.
    """
    index = {name: number for number, name in enumerate(samples)}
    lost = [name for name in wanted if name not in index]
    if lost:
        raise BadInputError(
            f"{len(lost)} of {len(wanted)} samples of {sides[0]} ({listed(lost)}) are not in {sides[1]} "
            f"({listed(samples)}){differing_case(lost, samples)}",
            path=path,
            hint=hint or "write the names alike, letter by letter",
        )
    return [index[name] for name in wanted]


def samples_of(inputs: Sequence[tuple[str, str | None]], wanted: Sequence[str]) -> tuple[list[str], list[int]]:
    """Which sample each input of the evidence belongs to: its name, else its condition.

    Args:
        inputs: Name and condition of each.
        wanted: Samples of the table.

    Returns:
        Samples in the order of `wanted`, and for each input the index of its sample, -1 for none.
    """
    by_name = {name for name, _ in inputs} & set(wanted)
    labels = [name if by_name else (condition or name) for name, condition in inputs]
    samples = [name for name in wanted if name in set(labels)]
    index = {name: number for number, name in enumerate(samples)}
    return samples, [index.get(label, -1) for label in labels]


def _header(cells: Sequence[str], width: int | None, path: Path) -> tuple[str, ...]:
    """Samples of the header, which may leave out the cell above the names (as R writes tables)."""
    cells = [cell.strip().strip('"') for cell in cells]
    first = cells[0].lower()
    samples = cells if width is not None and len(cells) == width - 1 and first not in _CORNERS else cells[1:]
    if not samples:
        raise BadInputError("the header names no sample", path=path, line=1, hint=_HINT)
    for number, name in enumerate(samples):
        if not name or name in samples[:number]:
            fault = "stands twice" if name else "is empty"
            raise BadInputError(f"sample name {name!r} {fault} in the header", path=path, line=1, hint=_HINT)
    return tuple(samples)


def _number(text: str, name: str, sample: str, path: Path, line: int) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise BadInputError(
            f"{text!r} of sample {sample!r} is no number", path=path, line=line, feature=name, hint=_HINT
        )
    return value


def read_conditions(path: Path) -> ConditionTable:
    """Read a table, plain or gzip, tabs or commas between cells.

    Raises:
        MissingInputError: no such file.
        BadInputError: no table, a name twice, something that is no number, a sample of zeros alone.
    """
    lines = [(number, line) for number, line in text_lines(path) if line.strip() and not line.startswith("##")]
    if len(lines) < 2:
        raise BadInputError("no table: a header and at least one row are wanted", path=path, hint=_HINT)
    separator = "\t" if "\t" in lines[0][1] or "\t" in lines[1][1] else ","
    rows = list(csv.reader((line for _, line in lines), delimiter=separator))
    samples = _header([cell.lstrip("#") for cell in rows[0]], len(rows[1]), path)
    line_of: dict[str, int] = {}
    values = np.zeros((len(rows) - 1, len(samples)))
    for (number, _), cells, row in zip(lines[1:], rows[1:], values, strict=True):
        name = cells[0].strip()
        if len(cells) != len(samples) + 1:
            raise BadInputError(
                f"{len(cells) - 1} numbers for {len(samples)} samples", path=path, line=number, feature=name, hint=_HINT
            )
        if not name or name in line_of:
            fault = f"stands in line {line_of[name]} already" if name else "is empty"
            raise BadInputError(f"the name {name!r} {fault}", path=path, line=number, hint="names must be unique")
        line_of[name] = number
        row[:] = [_number(cell, name, sample, path, number) for cell, sample in zip(cells[1:], samples, strict=True)]
    empty = [sample for sample, column in zip(samples, values.T, strict=True) if not column.any()]
    if empty:
        raise BadInputError(
            f"{len(empty)} of {len(samples)} samples hold zeros alone: {listed(empty)}",
            path=path,
            hint="leave these columns out, or quantify these samples again",
        )
    return ConditionTable(path=path, names=tuple(line_of), samples=samples, values=values)


def _scaled(
    values: npt.NDArray[np.float64], names: Sequence[str], samples: Sequence[str], scale: Scale, path: Path
) -> npt.NDArray[np.float64]:
    if scale == "plain":
        return values
    rows, columns = np.nonzero(values < 0)
    if len(rows):
        raise BadInputError(
            f"{len(rows)} of {values.size:,} numbers are negative, and no TPM is; the first is "
            f"{values[rows[0], columns[0]]:g} of sample {samples[int(columns[0])]!r}",
            path=path,
            feature=names[int(rows[0])],
            hint="give tg-train --condition-scale plain where the numbers are no TPM or counts (logs, degrees, doses)",
        )
    return np.log2(1.0 + values)


def fit_scaling(
    table: ConditionTable, samples: Sequence[str], *, scale: Scale, chosen: Sequence[str] | None, most: int
) -> tuple[InputScaling, Mapping[str, int]]:
    """Inputs of a model to be trained, normalised over its samples.

    Args:
        chosen: Names of the inputs; None for those that vary most among the samples.
        most: So many of these at most.

    Returns:
        The scaling, and how many rows of the table were left out, by reason.

    Raises:
        BadInputError: no row varies, or a chosen name is not in the table.
    """
    columns = match_samples(samples, table.samples, path=table.path, sides=("the usage", "the table"))
    values = _scaled(table.values[:, columns], table.names, samples, scale, table.path)
    kept = np.arange(len(table.names))
    if chosen is not None:
        kept = np.array(match_samples(chosen, table.names, path=table.path, sides=("the list of inputs", "the table")))
    left_out = {"not_listed": len(table.names) - len(kept)}
    deviation = values.std(axis=1)
    varying = kept[deviation[kept] > 1e-9]
    left_out["same_in_all_samples"] = len(kept) - len(varying)
    if not len(varying):
        raise BadInputError("no number of the table differs between the samples", path=table.path, hint=_HINT)
    if chosen is None and len(varying) > most:
        left_out["varies_less"] = len(varying) - most
        varying = np.sort(varying[np.argsort(-deviation[varying], kind="stable")[:most]])
    scaling = InputScaling(
        names=tuple(table.names[i] for i in varying.tolist()),
        scale=scale,
        mean=values[varying].mean(axis=1),
        deviation=deviation[varying],
    )
    return scaling, {reason: number for reason, number in left_out.items() if number}


def cut_table(table: ConditionTable, samples: Sequence[str], scaling: InputScaling) -> Cut:
    """Some samples as a model takes them.

    Raises:
        BadInputError: an unknown sample; negative TPM; not one input of the model is in the table.
    """
    columns = match_samples(samples, table.samples, path=table.path, sides=("asked for", "the table"))
    row_of = {name: number for number, name in enumerate(table.names)}
    known = [number for number, name in enumerate(scaling.names) if name in row_of]
    missing = tuple(name for name in scaling.names if name not in row_of)
    if not known:
        raise BadInputError(
            f"none of the model's {len(scaling.names)} inputs ({listed(scaling.names)}) is in the table "
            f"({listed(table.names)}){differing_case(scaling.names, table.names)}",
            path=table.path,
            hint="name the rows as in the table that the model was trained with; its condition.json lists them",
        )
    rows = [row_of[scaling.names[number]] for number in known]
    values = np.zeros((len(scaling.names), len(samples)), dtype=np.float32)
    own = table.values[np.ix_(rows, columns)]
    scaled = _scaled(own, [table.names[i] for i in rows], samples, scaling.scale, table.path)
    values[known] = (scaled - scaling.mean[known, None]) / scaling.deviation[known, None]
    return Cut(values=values, missing=missing)


def without_inputs(table: ConditionTable, samples: Sequence[str], names: Iterable[str]) -> list[str]:
    """Samples of a table in which all of some numbers are zero: these were not measured there, or under other names."""
    rows = np.isin(table.names, list(names))
    return [name for name in samples if not table.values[rows, table.samples.index(name)].any()]


def confounded(values: npt.NDArray[np.floating], names: Sequence[str], *, least: float = 0.95) -> dict[str, list[str]]:
    """Inputs that go together over the samples: name -> others with an absolute correlation of at least `least`."""
    standard = values - values.mean(axis=1, keepdims=True)
    standard /= np.maximum(np.linalg.norm(standard, axis=1, keepdims=True), 1e-12)
    together = np.abs(standard @ standard.T) >= least
    np.fill_diagonal(together, False)
    return {names[i]: [names[j] for j in np.flatnonzero(row).tolist()] for i, row in enumerate(together) if row.any()}
