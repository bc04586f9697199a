"""Long reads (IsoSeq, cDNA, direct RNA) aligned in this process.

In: reads (FASTA or FASTQ, gzipped or not) and the genome. Out: their intron chains.
A surprise: minimap2's transcript strand is relative to the read, so the strand on the genome is the product of the
alignment's strand and the transcript's.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from transgenic_tools.errors import BadInputError, MissingInputError
from transgenic_tools.genome.evidence import aligned_introns
from transgenic_tools.genome.interval import Interval, Intervals, Strand

#: An alignment must hold this share of the read, or the read counts as unaligned.
MIN_ALIGNED = 0.8


@dataclass(frozen=True)
class ReadChain:
    """Reads that agree in their introns: `count` of them, from the leftmost to the rightmost base of any.

    `strand` is None for unspliced reads, whose strand the alignment cannot tell.
    """

    seqid: str
    strand: Strand | None
    span: Interval
    introns: Intervals
    count: int


@dataclass(frozen=True)
class ReadAlignments:
    """All chains of a read set, and how many reads were read and aligned."""

    reads: int
    aligned: int
    chains: tuple[ReadChain, ...]


def align_reads(reads: Path, fasta: Path) -> ReadAlignments:
    """Align with minimap2's `splice` preset, in this process; primary alignments of mapping quality above 0 count.

    Raises:
        MissingInputError: a file is not there.
        BadInputError: the genome cannot be indexed, or the read file holds no reads.
    """
    import mappy

    for path in (reads, fasta):
        if not path.exists():
            raise MissingInputError("no such file", path=path)
    aligner = mappy.Aligner(str(fasta), preset="splice")
    if not aligner:
        raise BadInputError("minimap2 could not index this file", path=fasta, hint="give a FASTA, plain or gzipped")
    grouped: dict[tuple[str, Strand | None, Intervals], list[int]] = {}
    total = aligned = 0
    for _, sequence, _ in mappy.fastx_read(str(reads)):
        total += 1
        best = next((hit for hit in aligner.map(sequence) if hit.is_primary), None)
        if best is None or best.mapq == 0 or best.q_en - best.q_st < MIN_ALIGNED * len(sequence):
            continue
        aligned += 1
        introns = aligned_introns(best.r_st, [(operation, length) for length, operation in best.cigar])
        sign = best.strand * best.trans_strand
        strand: Strand | None = None if not introns or sign == 0 else "+" if sign > 0 else "-"
        row = grouped.setdefault((best.ctg, strand, introns), [best.r_st, best.r_en, 0])
        row[0], row[1], row[2] = min(row[0], best.r_st), max(row[1], best.r_en), row[2] + 1
    if not total:
        raise BadInputError("the file holds no reads", path=reads, hint="give FASTA or FASTQ")
    chains = (ReadChain(q, s, Interval(start, end), i, n) for (q, s, i), (start, end, n) in grouped.items())
    return ReadAlignments(total, aligned, tuple(sorted(chains, key=lambda c: (c.seqid, c.span, c.strand or "."))))
