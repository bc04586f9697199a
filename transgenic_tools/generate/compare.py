"""What changes between two conditions: `tg-generate --condition A --against B`.

In: gene rows, a reader, a model's layer of conditions. Out: lines of a table, one an intron whose usage differs.
A surprise: a window is read once; conditions and members of the layer differ in the graph alone. The deviation is the
spread of the members, which saw bootstrap samples of the training genes: it says how firmly the layer is known, not how
right the model is.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from transgenic_tools.genome.interval import Interval
from transgenic_tools.io.rows import GeneRow
from transgenic_tools.lattice.condition import Condition
from transgenic_tools.lattice.usage import Difference, Usage, differences, intron_usage
from transgenic_tools.lattice.window import WindowInput
from transgenic_tools.model.condition import ConditionModel
from transgenic_tools.model.head import BaseScores
from transgenic_tools.provenance import write_aside
from transgenic_tools.search.reader import Reader

Inputs = npt.NDArray[np.float32]
COLUMNS = (
    "gene", "event", "seqid", "start", "end", "strand", "condition", "against", "usage", "usage_against", "delta",
    "deviation",
)  # fmt: skip
#: Smaller differences are no lines.
LEAST = 0.01


@dataclass(frozen=True, kw_only=True)
class Pair:
    """Two conditions, by the mean of the layer and by each of its members."""

    name: str
    against: str
    mean: tuple[Condition, Condition]
    members: tuple[tuple[Condition, Condition], ...]


def pair_of(
    model: ConditionModel, names: tuple[str, str], values: tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]
) -> Pair:
    """Two samples with their inputs (K,)."""
    layer = model.layer

    def both(member: int | None) -> tuple[Condition, Condition]:
        first, second = (
            Condition(name=name, shift=layer.at(own) if member is None else layer.member_at(own, member))
            for name, own in zip(names, values, strict=True)
        )
        return first, second

    members = tuple(both(member) for member in range(layer.members)) if layer.members > 1 else ()
    return Pair(name=names[0], against=names[1], mean=both(None), members=members)


def usage_in(reader: Reader, codes: WindowInput, scores: BaseScores, condition: Condition | None) -> Usage:
    """Usage of the introns of a window that was read already, in a condition."""
    window = WindowInput(codes=codes.codes, evidence=codes.evidence, condition=condition)
    graph, _ = reader.graph_of(window, scores, 0)
    return {} if graph is None else intron_usage(graph.graph, least=1e-6)


def compare(rows: Iterable[GeneRow], reader: Reader, pair: Pair) -> Iterator[tuple[GeneRow, list[Difference]]]:
    """The differences of each gene that is read whole."""
    for row in rows:
        if row.kept is not None:
            continue
        window = WindowInput.of(row.sequence)
        (scores,) = reader.score_windows([window])
        mean, *members = (
            (usage_in(reader, window, scores, one), usage_in(reader, window, scores, other))
            for one, other in (pair.mean, *pair.members)
        )
        yield row, differences(*mean, members, least=LEAST)


def _line(row: GeneRow, difference: Difference, pair: Pair) -> dict[str, object]:
    intron = row.window.to_genome(Interval(difference.donor, difference.acceptor + 1))
    return {
        "gene": row.gene_id,
        "event": difference.event,
        "seqid": row.seqid,
        "start": intron.start,
        "end": intron.end,
        "strand": row.strand,
        "condition": pair.name,
        "against": pair.against,
        "usage": f"{difference.usage:.4f}",
        "usage_against": f"{difference.against:.4f}",
        "delta": f"{difference.delta:+.4f}",
        "deviation": "" if difference.deviation is None else f"{difference.deviation:.4f}",
    }


def write_differences(path: Path, found: Iterable[tuple[GeneRow, list[Difference]]], pair: Pair) -> int:
    """Write the table; returns its lines."""
    number = 0
    with write_aside(path) as aside, aside.open("w", encoding="utf-8", newline="") as handle:
        table = csv.DictWriter(handle, COLUMNS, delimiter="\t", lineterminator="\n")
        table.writeheader()
        for row, lines in found:
            for difference in lines:
                table.writerow(_line(row, difference, pair))
                number += 1
    return number
