"""Loci of both strands of a piece of sequence, with the probability of each.

In: scores of both strands. Out: `Locus` records.
A surprise: each strand is solved on its own, so a gene may lie inside an intron of one on the other strand; how
probable a locus is follows from all paths, not from the best one alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from transgenic_tools.genome.interval import Interval, Strand
from transgenic_tools.lattice.config import ScoringConfig
from transgenic_tools.lattice.segments import Posterior, State, Stretch, best_path, closed_runs, gates_of
from transgenic_tools.search.tiles import BothStrands

_CODING = (State.CODING_1, State.CODING_2, State.CODING_3)


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Locus:
    """Where a gene may lie.

    Attributes:
        interval: From TSS to TTS, in coordinates of the sequence.
        coding: From the first coding base to the last.
        coding_bases: Of the best path.
        score: Probability that the coding part does not lie outside of genes of this strand, whole.
        cut: It reaches the end of the sequence, so the gene may go on beyond.
    """

    interval: Interval
    strand: Strand
    coding: Interval
    coding_bases: int
    score: float
    cut: bool = False


def strand_stretch(codes: npt.NDArray[np.uint8], scores: BothStrands, strand: Strand, *, longest_gap: int) -> Stretch:
    """One strand of a piece, 5' to 3'. `codes` and `scores` are in the order of the sequence."""
    if strand == "+":
        sites, contents = scores.sites[0], scores.contents[0]
    else:
        sites, contents = scores.sites[1][:, ::-1], scores.contents[1][:, ::-1]
        codes = np.where(codes < 4, 3 - codes, codes)[::-1].astype(np.uint8)
    return Stretch(
        sites=np.ascontiguousarray(sites),
        contents=np.ascontiguousarray(contents),
        gates=gates_of(np.ascontiguousarray(codes)),
        closed=closed_runs(codes, longest_gap),
    )


def _runs(genic: npt.NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Maximal runs of True."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], genic, [False]]).astype(np.int8)))
    return [(start, end) for start, end in edges.reshape(-1, 2).tolist()]


def loci_of_strand(
    stretch: Stretch, scoring: ScoringConfig, strand: Strand, *, offset: int, at_ends: tuple[bool, bool]
) -> list[Locus]:
    """Loci of one strand, in coordinates of the sequence.

    Args:
        offset: Where the piece begins in the sequence.
        at_ends: Whether the piece's left and right ends are those of the sequence.
    """
    path = best_path(stretch, scoring)
    length = len(path)
    coding = np.isin(path, _CODING)
    posterior = Posterior(stretch, scoring)
    loci = []
    for start, end in _runs(path != State.OUTSIDE):
        places = np.flatnonzero(coding[start:end])
        if not len(places):
            continue
        first, last = start + int(places[0]), start + int(places[-1]) + 1
        score = 1.0 - posterior.no_gene(first, last)
        interval, part = Interval(start, end), Interval(first, last)
        if strand == "-":
            interval, part = Interval(length - end, length - start), Interval(length - last, length - first)
        cut = (at_ends[0] and interval.start == 0) or (at_ends[1] and interval.end == length)
        loci.append(
            Locus(
                interval=interval.shift(offset),
                strand=strand,
                coding=part.shift(offset),
                coding_bases=len(places),
                score=score,
                cut=cut,
            )
        )
    return loci


def loci_of_piece(
    codes: npt.NDArray[np.uint8],
    scores: BothStrands,
    scoring: ScoringConfig,
    *,
    offset: int,
    at_ends: tuple[bool, bool],
    longest_gap: int,
) -> list[Locus]:
    """Loci of both strands, sorted by place."""
    found: list[Locus] = []
    strands: tuple[Strand, Strand] = ("+", "-")
    for strand in strands:
        stretch = strand_stretch(codes, scores, strand, longest_gap=longest_gap)
        found += loci_of_strand(stretch, scoring, strand, offset=offset, at_ends=at_ends)
    return sorted(found)
