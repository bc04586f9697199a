"""Which genes go on: sequence names matched, non-coding genes and filtered ones set aside.

In: an annotation, the FASTA's names, the filters. Out: genes to prepare, and a finding for every other.
A surprise: where not one name matches, this is an error that lists both sides, not a long list of rejects.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from transgenic_tools.errors import BadInputError
from transgenic_tools.genome.checks import Finding
from transgenic_tools.genome.gene import Gene
from transgenic_tools.io.gff3.table import Entry
from transgenic_tools.prep.config import FilterConfig

Locus = TypeVar("Locus", Gene, Entry, Gene | Entry)


def rename_seqids(genes: Iterable[Gene], aliases: Mapping[str, str]) -> list[Gene]:
    """Genes with the FASTA's sequence names."""
    renamed = []
    for gene in genes:
        new = aliases.get(gene.seqid)
        if new is not None:
            transcripts = tuple(replace(t, seqid=new) for t in gene.transcripts)
            gene = replace(gene, seqid=new, transcripts=transcripts)
        renamed.append(gene)
    return renamed


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(repr(n) for n in names[:5])
    return f"{shown} and {len(names) - 5} more" if len(names) > 5 else shown


def check_places(genes: Sequence[Gene | Entry], lengths: Mapping[str, int], *, source: Path) -> list[Finding]:
    """Findings for genes on sequences that the FASTA lacks, or past a sequence's end.

    Args:
        lengths: Bases of each sequence of the FASTA.

    Raises:
        BadInputError: not one sequence name is shared.
    """
    used = list(dict.fromkeys(gene.seqid for gene in genes))
    if used and not any(name in lengths for name in used):
        raise BadInputError(
            f"no sequence name of the annotation ({_listed(used)}) is in the FASTA ({_listed(list(lengths))})",
            path=source,
            hint="give --aliases FILE, a table with the names of one sequence on each line, tab between them",
        )
    findings = []
    for gene in genes:
        length = lengths.get(gene.seqid)
        if length is None:
            findings.append(Finding("unknown_seqid", gene.id, gene.seqid))
        elif (end := gene.end if isinstance(gene, Entry) else gene.interval.end) > length:
            detail = f"the gene ends at {end}, {gene.seqid} at {length}"
            findings.append(Finding("past_contig_end", gene.id, detail))
    return findings


def _reason(gene: Gene | Entry, filters: FilterConfig, rejected: set[str]) -> Finding | None:
    biotype = gene.biotype or ""
    if not (gene.coding if isinstance(gene, Entry) else gene.coding_transcripts):
        code = "all_transcripts_rejected" if gene.id in rejected and not gene.transcripts else "no_cds"
        return Finding(code, gene.id, biotype or "no biotype")
    if filters.biotypes and biotype not in filters.biotypes:
        return Finding("biotype", gene.id, biotype or "no biotype")
    if "pseudogene" in biotype and not filters.biotypes:
        return Finding("pseudogene", gene.id, biotype)
    length = len(gene.interval)
    if length < filters.min_length or (filters.max_length is not None and length > filters.max_length):
        return Finding("length", gene.id, f"{length} bases")
    if isinstance(gene, Entry) or (filters.min_isoforms <= 0 and filters.max_isoforms is None):
        return None
    isoforms = len({(t.exons, t.cds) for t in gene.coding_transcripts})
    if isoforms < filters.min_isoforms or (filters.max_isoforms is not None and isoforms > filters.max_isoforms):
        return Finding("isoforms", gene.id, f"{isoforms} distinct coding transcripts")
    return None


def choose(
    genes: Iterable[Locus], filters: FilterConfig, findings: Iterable[Finding]
) -> tuple[list[Locus], list[Finding]]:
    """Coding genes that pass the filters (of a table: those by biotype and length), and a finding for each other gene.

    Args:
        findings: Of the reader; a gene all of whose transcripts were rejected there counts as rejected.
    """
    rejected = {f.gene for f in findings if f.action == "transcript_rejected"}
    kept: list[Locus] = []
    dropped: list[Finding] = []
    unfiltered = filters == FilterConfig()
    for gene in genes:
        if unfiltered and isinstance(gene, Entry) and gene.coding and gene.surely_no_pseudogene:
            kept.append(gene)
            continue
        reason = _reason(gene, filters, rejected)
        if reason is None:
            kept.append(gene)
        else:
            dropped.append(reason)
    return kept, dropped
