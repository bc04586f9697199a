"""Sensitivity and precision at six levels, as gffcompare defines them under `--strict-match -e 0`.

In: the distinct structures of reference and prediction. Out: one `Score` a level.
A surprise: at locus level the numbers of matched reference loci and matched predicted loci differ, so a `Score` keeps
both. Where gffcompare's own counts depend on the order of its input (intron chains shared by several transcripts),
distinct chains are counted here instead; docs/stages/6_evaluate.md lists each choice.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

from transgenic_tools.evaluate.structures import Structure, cluster_loci, merged_parts, shared_bases
from transgenic_tools.genome.interval import total_length

LEVELS = ("base", "exon", "intron", "intron_chain", "transcript", "locus")


def ratio(part: float, whole: float) -> float:
    """`part / whole`, 0 where there is nothing to divide by (as gffcompare prints it)."""
    return part / whole if whole else 0.0


@dataclass(frozen=True)
class Score:
    """Counts of one level.

    Attributes:
        reference, prediction: Items (bases, exons, ...) of each side.
        reference_matched, prediction_matched: Those of each side that the other side holds.
    """

    reference: int
    reference_matched: int
    prediction: int
    prediction_matched: int

    @property
    def sensitivity(self) -> float:
        return ratio(self.reference_matched, self.reference)

    @property
    def precision(self) -> float:
        return ratio(self.prediction_matched, self.prediction)

    @property
    def f1(self) -> float:
        return ratio(2 * self.sensitivity * self.precision, self.sensitivity + self.precision)

    def to_json(self) -> dict[str, float | int]:
        return {
            "sensitivity": round(self.sensitivity, 6),
            "precision": round(self.precision, 6),
            "f1": round(self.f1, 6),
            "reference": self.reference,
            "reference_matched": self.reference_matched,
            "prediction": self.prediction,
            "prediction_matched": self.prediction_matched,
        }


def score_sets(reference: set[Hashable], prediction: set[Hashable]) -> Score:
    """Two sets of comparable items."""
    shared = len(reference & prediction)
    return Score(len(reference), shared, len(prediction), shared)


def _bases(reference: Sequence[Structure], prediction: Sequence[Structure]) -> Score:
    left, right = merged_parts(reference), merged_parts(prediction)
    shared = sum(shared_bases(left[key], right[key]) for key in left.keys() & right.keys())
    return Score(
        sum(total_length(parts) for parts in left.values()),
        shared,
        sum(total_length(parts) for parts in right.values()),
        shared,
    )


def _exons(structures: Sequence[Structure]) -> set[Hashable]:
    return {(s.seqid, s.strand, p.start, p.end) for s in structures for p in s.parts}


def _introns(structures: Sequence[Structure]) -> set[Hashable]:
    return {(s.seqid, s.strand, p.start, p.end) for s in structures for p in s.introns}


def _chains(structures: Sequence[Structure]) -> set[Hashable]:
    return {(s.seqid, s.strand, s.introns) for s in structures if len(s.parts) > 1}


def _loci(reference: Sequence[Structure], prediction: Sequence[Structure]) -> Score:
    shared = set(reference) & set(prediction)
    left, right = cluster_loci(reference), cluster_loci(prediction)
    return Score(
        len(left),
        sum(any(s in shared for s in locus) for locus in left),
        len(right),
        sum(any(s in shared for s in locus) for locus in right),
    )


def score_levels(reference: Sequence[Structure], prediction: Sequence[Structure]) -> dict[str, Score]:
    """Level name -> score. Both sides must be distinct structures of the same view."""
    return {
        "base": _bases(reference, prediction),
        "exon": score_sets(_exons(reference), _exons(prediction)),
        "intron": score_sets(_introns(reference), _introns(prediction)),
        "intron_chain": score_sets(_chains(reference), _chains(prediction)),
        "transcript": score_sets(set(reference), set(prediction)),
        "locus": _loci(reference, prediction),
    }
