"""What changes between two conditions: `tg-generate --condition A --against B`.

In: gene rows, a reader, a model's layer of conditions. Out: rows of a table, one an intron whose usage differs.
A surprise: a window is read once; conditions and members of the layer differ in the graph alone. The deviation is the
spread of the members, which saw bootstrap samples of the training genes: it says how firmly the layer is known, not how
right the model is.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from transgenic_tools.genome.interval import Interval
from transgenic_tools.io.conditions import listed, match_samples, samples_of
from transgenic_tools.io.differences import DifferenceRow
from transgenic_tools.io.junctions import EvidenceFile
from transgenic_tools.io.rows import GeneRow
from transgenic_tools.lattice.condition import Condition
from transgenic_tools.lattice.graph import Graph
from transgenic_tools.lattice.usage import Difference, Usage, differences, intron_usage
from transgenic_tools.lattice.window import WindowInput
from transgenic_tools.model.condition import ConditionModel
from transgenic_tools.model.head import BaseScores
from transgenic_tools.search.reader import Reader

logger = logging.getLogger(__name__)
Inputs = npt.NDArray[np.float32]
#: Smaller differences are no lines.
LEAST = 0.01


def _inputs(evidence: EvidenceFile) -> list[tuple[str, str | None]]:
    """Name and condition of each."""
    return [(source.name, source.condition) for source in evidence.inputs]


def lacking(evidence: EvidenceFile, names: tuple[str, str]) -> list[str]:
    """Which of the two samples have no reads of their own in a file of evidence."""
    found, _ = samples_of(_inputs(evidence), list(dict.fromkeys(names)))
    return [name for name in dict.fromkeys(names) if name not in found]


class PairReads:
    """Reads across introns in the two samples of a pair."""

    def __init__(self, evidence: EvidenceFile, names: tuple[str, str]) -> None:
        """Sum the inputs of each sample, known by their names, else by their conditions.

        Raises:
            BadInputError: a sample has no input; both sides are listed.
        """
        inputs = _inputs(evidence)
        wanted = list(dict.fromkeys(names))
        found, of_input = samples_of(inputs, wanted)
        known = [name if condition is None else f"{name} ({condition})" for name, condition in inputs]
        match_samples(wanted, found, path=evidence.path, sides=("the comparison", f"the counts of {listed(known)}"))
        self._asked: dict[str, None] = {}
        self._introns, self._met = 0, 0
        self._path = evidence.path
        columns = [np.array([sample == found.index(name) for sample in of_input]) for name in names]
        self._reads: dict[tuple[str, str, int, int], tuple[int, int]] = {}
        for (seqid, strand), junctions in evidence.junctions().items():
            first, second = (junctions.reads[:, column].sum(1).astype(int).tolist() for column in columns)
            for start, end, *reads in zip(junctions.start.tolist(), junctions.end.tolist(), first, second, strict=True):
                self._reads[seqid, strand, start, end] = (reads[0], reads[1])

    def of(self, row: GeneRow, intron: Interval) -> tuple[int, int]:
        """Reads in the one and in the other."""
        reads = self._reads.get((row.seqid, row.strand, intron.start, intron.end), (0, 0))
        self._asked.setdefault(row.seqid)
        self._introns, self._met = self._introns + 1, self._met + any(reads)
        return reads

    def warn_of_strangers(self) -> None:
        """Say it where no intron that was asked for has a read: so it is with counts of another assembly."""
        if self._introns and not self._met:
            logger.warning(
                "%s: none of the %d introns that change has a read in either sample; the counts lie on %s, the genes "
                "on %s: are they of one assembly?",
                self._path, self._introns, listed(dict.fromkeys(key[0] for key in self._reads)), listed(self._asked),
            )  # fmt: skip


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


def graph_in(reader: Reader, window: WindowInput, scores: BaseScores, condition: Condition | None) -> Graph | None:
    """The graph of a window that was read already, in a condition."""
    graph, _ = reader.graph_of(replace(window, condition=condition), scores, 0)
    return None if graph is None else graph.graph


def usage_in(reader: Reader, window: WindowInput, scores: BaseScores, condition: Condition | None) -> Usage:
    """Usage of its introns."""
    graph = graph_in(reader, window, scores, condition)
    return {} if graph is None else intron_usage(graph, least=1e-6)


def compare(
    rows: Iterable[GeneRow], reader: Reader, pair: Pair, support: PairReads | None = None
) -> Iterator[DifferenceRow]:
    """The differences of all genes that are read whole, gene by gene."""
    for row in rows:
        if row.kept is not None:
            continue
        window = WindowInput.of(row.sequence)
        (scores,) = reader.score_windows([window])
        mean, *members = (
            (usage_in(reader, window, scores, one), usage_in(reader, window, scores, other))
            for one, other in (pair.mean, *pair.members)
        )
        for difference in differences(*mean, members, least=LEAST):
            yield _row(row, difference, pair, support)


def _row(row: GeneRow, difference: Difference, pair: Pair, support: PairReads | None) -> DifferenceRow:
    intron = row.window.to_genome(Interval(difference.donor, difference.acceptor + 1))
    reads, reads_against = (None, None) if support is None else support.of(row, intron)
    return DifferenceRow(
        gene=row.gene_id,
        event=difference.event,
        seqid=row.seqid,
        start=intron.start,
        end=intron.end,
        strand=row.strand,
        condition=pair.name,
        against=pair.against,
        usage=difference.usage,
        usage_against=difference.against,
        deviation=difference.deviation,
        reads=reads,
        reads_against=reads_against,
    )
