"""Gene and Transcript: what an annotation says about one locus.

In: intervals in genome coordinates, 0-based half-open. Out: frozen records; introns, UTRs and phases are computed.
A surprise: exons and CDS are stored left to right along the seqid on both strands; use `in_transcription_order`
to walk 5' to 3'.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from transgenic_tools.genome.interval import STRANDS, Interval, Intervals, Strand, gaps, total_length
from transgenic_tools.genome.phase import segment_phases
from transgenic_tools.genome.sequence import reverse_complement


def in_transcription_order(intervals: Sequence[Interval], strand: Strand) -> Intervals:
    """Intervals 5' to 3', given left to right."""
    return tuple(intervals) if strand == "+" else tuple(reversed(intervals))


@dataclass(frozen=True)
class Transcript:
    """One spliced transcript.

    Attributes:
        id: ID as in the annotation, without the parent's.
        seqid: GFF3 column 1.
        strand: `+` or `-`.
        exons: Left to right, disjoint, touching exons allowed only where the source has them.
        cds: Left to right, inside exons; includes the stop codon; empty for a non-coding transcript.
        first_phase: Phase of the 5'-most CDS segment; 0 unless the CDS lacks its start.
        score: Probability in [0, 1] where predicted, else None.
        exon_scores: One probability an exon, in the order of `exons`; empty where unknown.
        attributes: Further GFF3 attributes, values in order.
        cds_attributes: The same of its CDS lines, where there are any.

    Raises:
        ValueError: strand unknown, no exons, exons or CDS unsorted or overlapping.
    """

    id: str
    seqid: str
    strand: Strand
    exons: Intervals
    cds: Intervals = ()
    first_phase: int = 0
    type: str = "mRNA"
    score: float | None = None
    attributes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    exon_scores: tuple[float, ...] = ()
    cds_attributes: Mapping[str, tuple[str, ...]] | None = None

    def __post_init__(self) -> None:
        if self.strand not in STRANDS:
            raise ValueError(f"transcript {self.id}: strand {self.strand!r} is not + or -")
        if not self.exons:
            raise ValueError(f"transcript {self.id} has no exons")
        for name, parts in (("exons", self.exons), ("CDS", self.cds)):
            for left, right in itertools.pairwise(parts):
                if right.start < left.end:
                    raise ValueError(f"transcript {self.id}: {name} are unsorted or overlap at {right.start}")

    @property
    def interval(self) -> Interval:
        """From the first exon's start to the last exon's end."""
        return Interval(self.exons[0].start, self.exons[-1].end)

    @property
    def lacks_utrs(self) -> tuple[bool, bool]:
        """Whether it begins, and ends, with its CDS, left to right; neither where there is no CDS."""
        whole, cds = self.interval, self.cds
        return (False, False) if not cds else (whole.start == cds[0].start, whole.end == cds[-1].end)

    @cached_property
    def introns(self) -> Intervals:
        """Left to right, UTR introns included."""
        return gaps(self.exons)

    @cached_property
    def cds_phases(self) -> tuple[int, ...]:
        """GFF3 phase of each CDS segment, in the order of `cds` (left to right)."""
        ordered = in_transcription_order(self.cds, self.strand)
        phases = segment_phases([len(part) for part in ordered], first=self.first_phase)
        return phases if self.strand == "+" else tuple(reversed(phases))

    def _utr(self, *, left: bool) -> Intervals:
        if not self.cds:
            return ()
        if left:
            stop = self.cds[0].start
            return tuple(e if e.end <= stop else Interval(e.start, stop) for e in self.exons if e.start < stop)
        begin = self.cds[-1].end
        return tuple(e if e.start >= begin else Interval(begin, e.end) for e in self.exons if e.end > begin)

    @cached_property
    def five_prime_utr(self) -> Intervals:
        """Exonic bases upstream of the CDS, left to right."""
        return self._utr(left=self.strand == "+")

    @cached_property
    def three_prime_utr(self) -> Intervals:
        """Exonic bases downstream of the CDS, left to right."""
        return self._utr(left=self.strand == "-")

    @property
    def cds_length(self) -> int:
        return total_length(self.cds)

    @property
    def size(self) -> tuple[int, int]:
        """Bases of the CDS, and of the exons: a gene's primary transcript has the largest, of equal ones the first."""
        return self.cds_length, total_length(self.exons)

    def spliced(self, sequence: str, *, offset: int = 0, coding: bool = False) -> str:
        """Spliced sequence 5' to 3'.

        Args:
            sequence: Plus-strand sequence of the seqid, or a part of it.
            offset: Genome position of `sequence[0]`.
            coding: The CDS instead of the whole transcript.
        """
        parts = self.cds if coding else self.exons
        joined = "".join(sequence[p.start - offset : p.end - offset] for p in parts).upper()
        return joined if self.strand == "+" else reverse_complement(joined)

    def structure(self) -> tuple[str, Strand, Intervals, Intervals]:
        """What makes two transcripts the same: seqid, strand, exons, CDS."""
        return (self.seqid, self.strand, self.exons, self.cds)

    def renamed(self, new_id: str) -> Transcript:
        return replace(self, id=new_id)


@dataclass(frozen=True)
class Gene:
    """A locus with all of its transcripts.

    Attributes:
        id: ID as in the annotation.
        transcripts: In the order of the source; may be empty for a bare locus.
        interval: Span of the gene line (or of the BED record, or of its transcripts).
        score: Probability that the best transcript's CDS is exact, where predicted, else None.

    Raises:
        ValueError: a transcript lies on another seqid or strand.
    """

    id: str
    seqid: str
    strand: Strand
    interval: Interval
    transcripts: tuple[Transcript, ...] = ()
    biotype: str | None = None
    attributes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    score: float | None = None

    def __post_init__(self) -> None:
        for transcript in self.transcripts:
            if (transcript.seqid, transcript.strand) != (self.seqid, self.strand):
                raise ValueError(f"gene {self.id}: transcript {transcript.id} lies on another seqid or strand")

    @property
    def coding_transcripts(self) -> tuple[Transcript, ...]:
        return tuple(t for t in self.transcripts if t.cds)

    @cached_property
    def cds_structures(self) -> tuple[Intervals, ...]:
        """Distinct CDS structures, longest CDS first."""
        return tuple(sorted({t.cds for t in self.coding_transcripts}, key=lambda c: (-total_length(c), c)))

    @property
    def primary_transcript(self) -> Transcript | None:
        """Longest CDS, then longest exons, then first in the source; None for a bare locus."""
        if not self.transcripts:
            return None
        return max(self.transcripts, key=lambda t: (t.cds_length, total_length(t.exons)))
