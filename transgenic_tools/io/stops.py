"""GTF whose CDS ends before a stop codon that no line names: find it in the genome and join it, or read it both ways.

In: genes of a GTF, the transcripts whose stop codon has a line, and the FASTA where there is one. Out: genes with the
stop codon in the CDS.
A surprise: where a transcript has no 3' UTR its last exon grows by these three bases, and the gene with it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import replace

from transgenic_tools.genome.checks import Finding
from transgenic_tools.genome.code import STANDARD
from transgenic_tools.genome.gene import Gene, Transcript
from transgenic_tools.genome.interval import Interval, Intervals, merge, span, subtract
from transgenic_tools.genome.sequence import reverse_complement
from transgenic_tools.io.fasta import Fasta

#: seqid and transcript ID.
Key = tuple[str, str]
_NO_END = frozenset({"cds_end_NF", "mRNA_end_NF"})


def _taken(parts: Iterable[Interval], count: int, *, from_left: bool) -> Intervals | None:
    """The first `count` bases of parts given in walking order; None where there are fewer."""
    taken: list[Interval] = []
    for part in parts:
        size = min(count, len(part))
        taken.append(Interval(part.start, part.start + size) if from_left else Interval(part.end - size, part.end))
        count -= size
        if not count:
            return tuple(sorted(taken))
    return None


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
    return _taken(after if plus else reversed(after), count, from_left=plus)


def _spliced(parts: Intervals, transcript: Transcript, fasta: Fasta) -> str:
    joined = "".join(fasta.fetch(transcript.seqid, p.start, p.end) for p in parts)
    return joined if transcript.strand == "+" else reverse_complement(joined)


def _has_whole_codons(transcript: Transcript) -> bool:
    return bool(transcript.cds) and (transcript.cds_length - transcript.first_phase) % 3 == 0


def _extended(transcript: Transcript, stop: Intervals) -> Transcript:
    return replace(transcript, exons=merge((*transcript.exons, *stop)), cds=merge((*transcript.cds, *stop)))


def with_stop(transcript: Transcript, fasta: Fasta) -> Transcript | None:
    """The transcript with the stop codon that follows its CDS; None where it has one already or none follows, or where
    the file itself says that its CDS has no end (Ensembl, GENCODE).
    """
    if not _has_whole_codons(transcript) or not _NO_END.isdisjoint(transcript.attributes.get("tag", ())):
        return None
    plus = transcript.strand == "+"
    last = _taken(reversed(transcript.cds) if plus else transcript.cds, 3, from_left=not plus)
    stop = _bases_after(transcript, 3)
    if last is None or stop is None or _spliced(last, transcript, fasta) in STANDARD.stop_codons:
        return None
    return _extended(transcript, stop) if _spliced(stop, transcript, fasta) in STANDARD.stop_codons else None


def with_three_more(transcript: Transcript) -> Transcript | None:
    """The transcript with the three bases after its CDS, whatever they are; None where there are none."""
    stop = _bases_after(transcript, 3) if _has_whole_codons(transcript) else None
    return None if stop is None else _extended(transcript, stop)


def join_stops(genes: Iterable[Gene], fasta: Fasta, *, stop_lines: Collection[Key]) -> tuple[list[Gene], list[Finding]]:
    """Every gene, mended where a stop codon follows; and one finding a mended transcript.

    Args:
        stop_lines: Transcripts that are left as they are, because a stop_codon line names them.
    """

    def mended(transcript: Transcript, gene: Gene) -> Transcript | None:
        known = gene.seqid in fasta and gene.interval.end <= fasta.lengths[gene.seqid]
        return with_stop(transcript, fasta) if known else None

    return _mended(genes, mended, stop_lines)


def lengthen(genes: Iterable[Gene], *, stop_lines: Collection[Key]) -> tuple[list[Gene], list[Finding]]:
    """As `join_stops` if every CDS without a stop_codon line were followed by a stop codon: no genome is looked at."""
    return _mended(genes, lambda transcript, _: with_three_more(transcript), stop_lines)


def _mended(
    genes: Iterable[Gene], mend: Callable[[Transcript, Gene], Transcript | None], stop_lines: Collection[Key]
) -> tuple[list[Gene], list[Finding]]:
    mended: list[Gene] = []
    findings: list[Finding] = []
    for gene in genes:
        new = [None if (t.seqid, t.id) in stop_lines else mend(t, gene) for t in gene.transcripts]
        if any(new):
            transcripts = tuple(n or t for n, t in zip(new, gene.transcripts, strict=True))
            findings += [Finding("stop_added", gene.id, n.id) for n in new if n]
            interval = span([gene.interval, *(t.interval for t in transcripts)])
            gene = replace(gene, transcripts=transcripts, interval=interval)
        mended.append(gene)
    return mended, findings
