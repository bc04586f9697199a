"""Counts and distributions of one sample.

In: loci. Out: a `SampleNumbers`.
A surprise: reference figures count the transcripts of the loci shown, so that both sides speak of the same places.
"""

from __future__ import annotations

import bisect
import itertools
import statistics
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from transgenic_tools.genome.gene import Transcript
from transgenic_tools.genome.interval import total_length
from transgenic_tools.report.compare import Match, match_of
from transgenic_tools.report.loci import Locus, Status


@dataclass(frozen=True)
class Distribution:
    """Shares of predicted and reference values in the same bins.

    Attributes:
        labels: One a bin.
        predicted, reference: Share of all values in each bin; `reference` is empty without one.
        medians: Of the predicted and of the reference values, None where there are none.
    """

    title: str
    unit: str
    labels: tuple[str, ...]
    predicted: tuple[float, ...]
    reference: tuple[float, ...]
    medians: tuple[float | None, float | None]


@dataclass(frozen=True)
class SampleNumbers:
    """What the summary of a sample shows."""

    sample: str
    loci: int
    genes: int
    transcripts: int
    reference_genes: int
    reference_transcripts: int
    statuses: Mapping[Status, int]
    matches: Mapping[Match, int]
    distributions: tuple[Distribution, ...]
    mean_confidence: float | None

    @property
    def isoforms_per_gene(self) -> float:
        return self.transcripts / self.genes if self.genes else 0.0

    @property
    def reference_isoforms_per_gene(self) -> float:
        return self.reference_transcripts / self.reference_genes if self.reference_genes else 0.0


_SMALL = (1, 2, 3, 4, 5, 6)
_EXONS = (1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 16, 24)
_SHORT = (25, 50, 75, 100, 150, 200, 300, 500, 1000, 2000, 5000)
_LONG = (250, 500, 750, 1000, 1500, 2000, 3000, 5000, 10_000, 20_000)
_UTR = (1, 50, 100, 150, 200, 300, 400, 600, 1000, 2000)

Values = Callable[[Sequence[Transcript]], Iterable[int]]

#: Title, unit, lowest value of each bin, values of a gene's transcripts.
_MEASURES: tuple[tuple[str, str, tuple[int, ...], Values], ...] = (
    ("Transcripts a gene", "transcripts", _SMALL, lambda ts: [len(ts)]),
    ("Exons a transcript", "exons", _EXONS, lambda ts: [len(t.exons) for t in ts]),
    ("CDS length", "bases", (0, *_LONG), lambda ts: [t.cds_length for t in ts if t.cds]),
    ("Transcript length, spliced", "bases", (0, *_LONG), lambda ts: [total_length(t.exons) for t in ts]),
    ("Exon length", "bases", (0, *_SHORT), lambda ts: {e: len(e) for t in ts for e in t.exons}.values()),
    ("Intron length", "bases", (0, *_SHORT), lambda ts: {i: len(i) for t in ts for i in t.introns}.values()),
    ("5′ UTR length", "bases", (0, *_UTR), lambda ts: [total_length(t.five_prime_utr) for t in ts if t.cds]),
    ("3′ UTR length", "bases", (0, *_UTR), lambda ts: [total_length(t.three_prime_utr) for t in ts if t.cds]),
)


def bin_labels(edges: Sequence[int]) -> tuple[str, ...]:
    """`3`, `4–9`, `10+` for edges 3, 4, 10."""
    labels = []
    for low, high in itertools.pairwise(edges):
        labels.append(f"{low:,}" if high == low + 1 else f"{low:,}–{high - 1:,}")
    return (*labels, f"{edges[-1]:,}+")


def shares(values: Sequence[int], edges: Sequence[int]) -> tuple[float, ...]:
    """Share of values in each bin; values below the first edge count in the first bin."""
    counts = Counter(max(0, bisect.bisect_right(edges, value) - 1) for value in values)
    return tuple(counts[i] / len(values) for i in range(len(edges))) if values else ()


def _distributions(loci: Sequence[Locus]) -> tuple[Distribution, ...]:
    found = []
    for title, unit, edges, values in _MEASURES:
        written = [v for locus in loci if locus.predicted for v in values(locus.predicted)]
        known = [v for locus in loci if locus.reference for v in values(locus.reference)]
        if not written:
            continue
        medians = (statistics.median(written), statistics.median(known) if known else None)
        found.append(
            Distribution(title, unit, bin_labels(edges), shares(written, edges), shares(known, edges), medians)
        )
    return tuple(found)


def _best_match(predicted: Transcript, references: Sequence[Transcript]) -> Match:
    return min((match_of(predicted, reference) for reference in references), default=Match.ALONE)


def sample_numbers(sample: str, loci: Sequence[Locus]) -> SampleNumbers:
    """Counts over the loci of one sample."""
    confidences = [locus.confidence for locus in loci if locus.confidence is not None]
    matches = Counter(_best_match(t, locus.reference) for locus in loci for t in locus.predicted)
    statuses = Counter(locus.status for locus in loci)
    return SampleNumbers(
        sample=sample,
        loci=len(loci),
        genes=sum(bool(locus.predicted) for locus in loci),
        transcripts=sum(len(locus.predicted) for locus in loci),
        reference_genes=sum(bool(locus.reference) for locus in loci),
        reference_transcripts=sum(len(locus.reference) for locus in loci),
        statuses={status: statuses[status] for status in Status},
        matches={match: matches[match] for match in Match},
        distributions=_distributions(loci),
        mean_confidence=statistics.fmean(confidences) if confidences else None,
    )
