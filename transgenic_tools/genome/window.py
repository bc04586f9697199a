"""Window: the stretch of DNA given to the model, 5' to 3' on the gene's strand.

In: genome intervals. Out: the same intervals relative to the window's 5' end, and back.
A surprise: a window may reach past a contig's end; those bases are N, and `start` may then be below 0.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from transgenic_tools.genome.gene import Gene, Transcript
from transgenic_tools.genome.interval import Interval, Intervals, Strand
from transgenic_tools.genome.sequence import reverse_complement


@dataclass(frozen=True, slots=True)
class Window:
    """A stretch of a seqid read on one strand.

    Attributes:
        start, end: Genome coordinates, 0-based half-open; `start` below 0 or `end` past the contig means N padding.
    """

    seqid: str
    start: int
    end: int
    strand: Strand

    def __len__(self) -> int:
        return self.end - self.start

    def to_window(self, interval: Interval) -> Interval:
        """Genome -> window coordinates. Raises ValueError where the interval leaves the window."""
        if interval.start < self.start or interval.end > self.end:
            raise ValueError(f"[{interval.start}, {interval.end}) leaves the window [{self.start}, {self.end})")
        if self.strand == "+":
            return Interval(interval.start - self.start, interval.end - self.start)
        return Interval(self.end - interval.end, self.end - interval.start)

    def to_genome(self, interval: Interval) -> Interval:
        """Window -> genome coordinates. Raises ValueError where the interval leaves the window."""
        if interval.end > len(self):
            raise ValueError(f"[{interval.start}, {interval.end}) leaves a window of {len(self)} bases")
        if self.strand == "+":
            return interval.shift(self.start)
        return Interval(self.end - interval.end, self.end - interval.start)

    def _ordered_to_window(self, intervals: Intervals) -> Intervals:
        """Disjoint intervals that are sorted already, sorted by window position, whatever the strand."""
        if not intervals:
            return ()
        self.to_window(intervals[0])
        self.to_window(intervals[-1])
        if self.strand == "+":
            left = self.start
            return tuple([Interval(i.start - left, i.end - left) for i in intervals])
        right = self.end
        return tuple([Interval(right - i.end, right - i.start) for i in reversed(intervals)])

    def all_to_genome(self, intervals: Iterable[Interval]) -> Intervals:
        """Sorted by genome position, whatever the strand."""
        return tuple(sorted(self.to_genome(i) for i in intervals))

    def transcript_to_window(self, transcript: Transcript) -> Transcript:
        """The transcript in window coordinates, always strand `+` there."""
        return Transcript(
            id=transcript.id,
            seqid=transcript.seqid,
            strand="+",
            exons=self._ordered_to_window(transcript.exons),
            cds=self._ordered_to_window(transcript.cds),
            first_phase=transcript.first_phase,
            type=transcript.type,
            score=transcript.score,
            attributes=transcript.attributes,
        )

    def transcript_to_genome(self, transcript: Transcript) -> Transcript:
        """Inverse of `transcript_to_window`."""
        return Transcript(
            id=transcript.id,
            seqid=self.seqid,
            strand=self.strand,
            exons=self.all_to_genome(transcript.exons),
            cds=self.all_to_genome(transcript.cds),
            first_phase=transcript.first_phase,
            type=transcript.type,
            score=transcript.score,
            attributes=transcript.attributes,
        )

    def sequence(self, contig: str) -> str:
        """Upper-case window sequence 5' to 3' from the whole plus-strand contig, N where it leaves the contig."""
        inner = contig[max(self.start, 0) : max(min(self.end, len(contig)), 0)].upper()
        padded = "N" * max(0, -self.start) + inner + "N" * max(0, self.end - max(len(contig), self.start))
        return padded if self.strand == "+" else reverse_complement(padded)


def window_around(gene: Gene, *, upstream: int, downstream: int) -> Window:
    """The gene's locus with flanks in bases, along the transcript; never clipped here."""
    left, right = (upstream, downstream) if gene.strand == "+" else (downstream, upstream)
    return Window(gene.seqid, gene.interval.start - left, gene.interval.end + right, gene.strand)
