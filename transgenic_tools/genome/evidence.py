"""Evidence of splicing: introns that reads, transcripts or proteins show, counted input by input.

In: intervals along a seqid. Out: `JunctionCounts`, arrays of equal length with one entry a distinct intron, and
`Chain`, the introns of one transcript or read.
A surprise: a strand may be unknown (0) here, and here alone; the evidence stage settles it by the splice motif before
anything is written.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from transgenic_tools.genome.interval import Interval, Intervals, Strand

PLUS, MINUS, UNKNOWN_STRAND = 1, -1, 0
SIGN_OF: Mapping[str, int] = {"+": PLUS, "-": MINUS, ".": UNKNOWN_STRAND}
STRAND_OF: Mapping[int, Strand] = {PLUS: "+", MINUS: "-"}


class JunctionKey(NamedTuple):
    """One intron: 0-based half-open, strand as `PLUS`, `MINUS` or `UNKNOWN_STRAND`."""

    seqid: str
    start: int
    end: int
    sign: int


@dataclass(frozen=True, kw_only=True)
class JunctionCounts:
    """Distinct introns of one input with their reads; J junctions, sorted by seqid, start, end, sign.

    Attributes:
        seqids: Names that `seqid` points into, in sorted order.
        seqid: (J,) int32.
        start, end: (J,) int64, the intron, 0-based half-open.
        sign: (J,) int8.
        count: (J,) int64, reads (or transcripts) that show the intron.
    """

    seqids: tuple[str, ...]
    seqid: npt.NDArray[np.int32]
    start: npt.NDArray[np.int64]
    end: npt.NDArray[np.int64]
    sign: npt.NDArray[np.int8]
    count: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.start)

    def take(self, chosen: npt.NDArray[np.bool_] | npt.NDArray[np.intp]) -> JunctionCounts:
        """The chosen entries, by mask or index."""
        return JunctionCounts(
            seqids=self.seqids,
            seqid=self.seqid[chosen],
            start=self.start[chosen],
            end=self.end[chosen],
            sign=self.sign[chosen],
            count=self.count[chosen],
        )


def junction_counts(counts: Mapping[JunctionKey, int]) -> JunctionCounts:
    """Arrays of a tally."""
    keys = sorted(counts)
    seqids = tuple(dict.fromkeys(key.seqid for key in keys))
    number = {name: index for index, name in enumerate(seqids)}
    return JunctionCounts(
        seqids=seqids,
        seqid=np.array([number[key.seqid] for key in keys], dtype=np.int32),
        start=np.array([key.start for key in keys], dtype=np.int64),
        end=np.array([key.end for key in keys], dtype=np.int64),
        sign=np.array([key.sign for key in keys], dtype=np.int8),
        count=np.array([counts[key] for key in keys], dtype=np.int64),
    )


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Chain:
    """Introns of one spliced transcript, read or protein alignment, left to right.

    Attributes:
        span: From the first to the last aligned base; of reads that agree, the widest.
        introns: At least one, disjoint.
        sign: `PLUS`, `MINUS` or `UNKNOWN_STRAND`.
        count: Reads or transcripts that agree in all introns.
    """

    seqid: str
    span: Interval
    introns: Intervals
    sign: int
    count: int


def tally_chains(chains: Iterable[Chain]) -> dict[JunctionKey, int]:
    """Reads a junction of chains."""
    counts: dict[JunctionKey, int] = {}
    for chain in chains:
        for intron in chain.introns:
            key = JunctionKey(chain.seqid, intron.start, intron.end, chain.sign)
            counts[key] = counts.get(key, 0) + chain.count
    return counts


def join_chains(chains: Iterable[Chain]) -> tuple[Chain, ...]:
    """Chains of equal introns joined: counts added, spans united; sorted."""
    spans: dict[tuple[str, Intervals, int], tuple[int, int, int]] = {}
    for chain in chains:
        key = (chain.seqid, chain.introns, chain.sign)
        start, end, count = spans.get(key, (chain.span.start, chain.span.end, 0))
        spans[key] = (min(start, chain.span.start), max(end, chain.span.end), count + chain.count)
    return tuple(
        sorted(
            Chain(seqid=seqid, span=Interval(start, end), introns=introns, sign=sign, count=count)
            for (seqid, introns, sign), (start, end, count) in spans.items()
        )
    )


def aligned_introns(start: int, cigar: Sequence[tuple[int, int]], *, min_anchor: int = 0) -> Intervals:
    """Introns (N) of an alignment whose aligned stretches on both sides are long enough.

    Args:
        start: 0-based place of the first aligned base.
        cigar: (operation, length) pairs with the numbers of the SAM specification.
        min_anchor: Matched bases (M, =, X) up to the neighbouring intron or the end that each side must have.
    """
    introns: list[Interval] = []
    anchors = [0]
    position = start
    for operation, length in cigar:
        if operation == _INTRON:
            introns.append(Interval(position, position + length))
            anchors.append(0)
        elif operation in _MATCHED:
            anchors[-1] += length
        if operation in _ON_REFERENCE:
            position += length
    return tuple(
        intron
        for intron, left, right in zip(introns, anchors, anchors[1:], strict=False)
        if left >= min_anchor and right >= min_anchor
    )


def aligned_blocks(start: int, cigar: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Stretches `[start, end)` of an alignment between its introns (N); deletions are part of them."""
    blocks = []
    position = begin = start
    for operation, length in cigar:
        if operation == _INTRON:
            blocks.append((begin, position))
            begin = position + length
        if operation in _ON_REFERENCE:
            position += length
    return [*blocks, (begin, position)]


class ThroughCounts:
    """Stretches that go through given places unspliced, `anchor` bases or more on both sides.

    A stretch goes through all places from `start + anchor` to `end - anchor`: its count is added where these begin and
    taken off behind them, and sums over places tell the rest. So the cost is linear, and memory that of the places.

    Args:
        places: (P,) sorted, distinct; a place is the boundary before the base of that number.
        anchor: At least 1.
    """

    def __init__(self, places: npt.NDArray[np.int64], anchor: int) -> None:
        self._places, self._anchor = places, anchor
        self._steps = np.zeros(len(places) + 1, dtype=np.int64)

    def add(
        self, starts: npt.NDArray[np.int64], ends: npt.NDArray[np.int64], counts: npt.NDArray[np.int64] | None = None
    ) -> None:
        """Stretches `[start, end)`, each as often as `counts` says, once without."""
        long = ends - starts >= 2 * self._anchor
        first = np.searchsorted(self._places, starts[long] + self._anchor, side="left")
        behind = np.searchsorted(self._places, ends[long] - self._anchor, side="right")
        weights = np.ones(len(starts), dtype=np.int64) if counts is None else counts
        np.add.at(self._steps, first, weights[long])
        np.subtract.at(self._steps, behind, weights[long])

    def counts(self) -> npt.NDArray[np.int64]:
        """(P,) stretches through each place."""
        return np.cumsum(self._steps[:-1])


#: CIGAR operations: matched are M, =, X; M, D, N, = and X consume reference bases; N is the intron.
_MATCHED, _ON_REFERENCE, _INTRON = frozenset((0, 7, 8)), frozenset((0, 2, 3, 7, 8)), 3
