"""GTF whose CDS ends before a stop codon that no line names: find it in the genome and join it.

In: genes of a GTF without a single stop_codon line, and their FASTA. Out: genes with the stop codon in the CDS.
A surprise: where a transcript has no 3' UTR its last exon grows by these three bases, and the gene with it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from transgenic_tools.genome.checks import Finding
from transgenic_tools.genome.gene import Gene, Transcript
from transgenic_tools.genome.interval import Interval, Intervals, merge, span, subtract
from transgenic_tools.genome.sequence import STOP_CODONS, reverse_complement
from transgenic_tools.io.fasta import Fasta


def _bases_after(transcript: Transcript, count: int) -> Intervals | None:
    """The `count` transcript bases after the CDS, or beyond the transcript where it ends with the CDS."""
    coding = span(transcript.cds)
    outside = subtract(transcript.exons, (coding,))
    plus = transcript.strand == "+"
    after = [p for p in outside if (p.start >= coding.end) == plus]
    if not after:
        if not plus and coding.start < count:
            return None
        end = coding.end + count if plus else coding.start
        return (Interval(end - count, end),)
    taken: list[Interval] = []
    for part in after if plus else reversed(after):
        size = min(count, len(part))
        taken.append(Interval(part.start, part.start + size) if plus else Interval(part.end - size, part.end))
        count -= size
        if not count:
            return tuple(sorted(taken))
    return None


def _spliced(parts: Intervals, transcript: Transcript, fasta: Fasta) -> str:
    joined = "".join(fasta.fetch(transcript.seqid, p.start, p.end) for p in parts)
    return joined if transcript.strand == "+" else reverse_complement(joined)


def with_stop(transcript: Transcript, fasta: Fasta) -> Transcript | None:
    """The transcript with the stop codon that follows its CDS; None where it has one already or none follows."""
    if not transcript.cds or (transcript.cds_length - transcript.first_phase) % 3:
        return None
    coding = _spliced(transcript.cds, transcript, fasta)
    stop = _bases_after(transcript, 3)
    if coding[-3:] in STOP_CODONS or stop is None or _spliced(stop, transcript, fasta) not in STOP_CODONS:
        return None
    return replace(transcript, exons=merge((*transcript.exons, *stop)), cds=merge((*transcript.cds, *stop)))


def join_stops(genes: Iterable[Gene], fasta: Fasta) -> tuple[list[Gene], list[Finding]]:
    """Every gene, mended where a stop codon follows; and one finding a mended transcript."""
    mended: list[Gene] = []
    findings: list[Finding] = []
    for gene in genes:
        if gene.seqid in fasta and gene.interval.end <= fasta.lengths[gene.seqid]:
            new = [with_stop(t, fasta) for t in gene.transcripts]
            if any(new):
                transcripts = tuple(n or t for n, t in zip(new, gene.transcripts, strict=True))
                findings += [Finding("stop_added", gene.id, n.id) for n in new if n]
                interval = span([gene.interval, *(t.interval for t in transcripts)])
                gene = replace(gene, transcripts=transcripts, interval=interval)
        mended.append(gene)
    return mended, findings
