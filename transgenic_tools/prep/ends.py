"""Genes at the ends of sequences, and regions that look like no locus.

In: genes and lengths of sequences. Out: genes that end with their sequence, and findings.
A surprise: only bases without meaning are cut, of a bare locus or of UTRs; a gene whose CDS passes the end stays as it
is, and is rejected by `choose.check_places`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from transgenic_tools.genome.checks import Finding
from transgenic_tools.genome.gene import Gene
from transgenic_tools.genome.interval import Interval, clip
from transgenic_tools.io.gff3.table import Entry, GeneTable

#: A longer region is flagged; the longest gene of A. thaliana chromosome 1 has 27 kb.
LONG_REGION = 100_000


def clip_genes(
    genes: Sequence[Gene | Entry], lengths: Mapping[str, int], table: GeneTable | None
) -> tuple[list[Gene | Entry], list[Finding]]:
    """Genes without what lies past the end of their sequence, where that is neither the whole gene nor coding."""
    kept: list[Gene | Entry] = []
    findings: list[Finding] = []
    for entry in genes:
        end = entry.end if isinstance(entry, Entry) else entry.interval.end
        length = lengths.get(entry.seqid)
        if not length or end <= length:  # unknown, or without a base: nothing can be cut off there
            kept.append(entry)
            continue
        gene = entry if isinstance(entry, Gene) else table.gene(entry)  # type: ignore[union-attr]
        cut = _clipped(gene, length)
        if cut is None:
            kept.append(entry)
            continue
        findings.append(Finding("clipped_at_contig_end", gene.id, f"{end - length} bases past {gene.seqid}"))
        kept.append(cut if isinstance(entry, Gene) else entry._replace(end=length, plain=-1, gene=cut))
    return kept, findings


def _clipped(gene: Gene, length: int) -> Gene | None:
    inside = Interval(0, length)
    if gene.interval.start >= length:
        return None
    if any(not inside.contains(part) for t in gene.transcripts for part in t.cds):
        return None
    if any(t.interval.start >= length for t in gene.transcripts):
        return None
    transcripts = tuple(replace(t, exons=clip(t.exons, inside), exon_scores=()) for t in gene.transcripts)
    return replace(gene, interval=Interval(gene.interval.start, length), transcripts=transcripts)


def odd_regions(genes: Sequence[Gene | Entry], lengths: Mapping[str, int]) -> list[Finding]:
    """Regions that hold more than one gene in all likelihood: the model writes one for each all the same."""
    findings = []
    for gene in genes:
        bases, whole = len(gene.interval), lengths.get(gene.seqid)
        if bases > LONG_REGION or (bases == whole and bases > LONG_REGION // 10):
            findings.append(Finding("odd_region", gene.id, f"{bases} bases of {whole}"))
    return findings
