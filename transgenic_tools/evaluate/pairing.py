"""Which reference gene a predicted transcript belongs to.

In: the genes of both sides. Out: reference gene ID -> predicted transcripts.
A surprise: where a prediction says `source_gene=` (on the mRNA line, or on its gene line) that word is taken, even if
the transcript overlaps another gene more. Where it is silent, a transcript belongs to every gene that has its very CDS
(genes may share one), else to the gene with most of its coding bases on the same strand.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from transgenic_tools.evaluate.structures import Structure, shared_bases, structure_of
from transgenic_tools.genome.gene import Gene, Transcript
from transgenic_tools.genome.interval import Intervals, Strand, merge

SOURCE_GENE = "source_gene"


@dataclass(frozen=True)
class Pairing:
    """Result of `pair`.

    Attributes:
        by_gene: Reference gene ID -> predicted transcripts, in the order of the file; one may stand with several genes.
        unpaired: Predicted transcripts without a reference gene.
    """

    by_gene: Mapping[str, tuple[Transcript, ...]]
    unpaired: tuple[Transcript, ...]


def source_gene(gene: Gene, transcript: Transcript) -> str | None:
    """The reference gene that the prediction names for itself."""
    for attributes in (transcript.attributes, gene.attributes):
        values = attributes.get(SOURCE_GENE)
        if values:
            return values[0]
    return None


def _coding(transcript: Transcript) -> Intervals:
    return transcript.cds or transcript.exons


def _structure(transcript: Transcript) -> Structure | None:
    return structure_of(transcript, "cds") or structure_of(transcript, "transcript")


def _genes_of_structures(reference: Sequence[Gene]) -> dict[Structure | None, list[str]]:
    """Structure (of the CDS, or of the exons where there is none) -> the genes that have it, in order, each once."""
    genes: dict[Structure | None, dict[str, None]] = defaultdict(dict)
    for gene in reference:
        for transcript in gene.transcripts:
            genes[_structure(transcript)][gene.id] = None
    return {structure: list(ids) for structure, ids in genes.items()}


class _OverlapIndex:
    """Reference genes per seqid and strand, sorted by start, with the union of their coding bases."""

    def __init__(self, reference: Sequence[Gene]) -> None:
        rows: dict[tuple[str, Strand], list[tuple[int, int, str, Intervals]]] = defaultdict(list)
        for gene in reference:
            parts = merge(p for t in gene.transcripts for p in _coding(t))
            if parts:
                rows[gene.seqid, gene.strand].append((parts[0].start, parts[-1].end, gene.id, parts))
        self._rows = {key: sorted(group, key=lambda row: row[:3]) for key, group in rows.items()}
        self._starts = {key: [row[0] for row in group] for key, group in self._rows.items()}
        self._longest = {key: max(row[1] - row[0] for row in group) for key, group in self._rows.items()}

    def best(self, transcript: Transcript) -> list[str]:
        """The gene that shares most bases; none, or one."""
        key = (transcript.seqid, transcript.strand)
        if key not in self._rows:
            return []
        parts = merge(_coding(transcript))
        first = bisect_left(self._starts[key], parts[0].start - self._longest[key])
        last = bisect_left(self._starts[key], parts[-1].end)
        best: list[str] = []
        best_shared = 0
        for _, end, gene_id, other in self._rows[key][first:last]:
            if end <= parts[0].start:
                continue
            shared = shared_bases(parts, other)
            if shared > best_shared:
                best, best_shared = [gene_id], shared
        return best


def pair(reference: Sequence[Gene], prediction: Sequence[Gene]) -> Pairing:
    """Assign every predicted transcript to its reference gene, or to all that have its CDS."""
    known = {gene.id for gene in reference}
    index, equal = _OverlapIndex(reference), _genes_of_structures(reference)
    by_gene: dict[str, list[Transcript]] = defaultdict(list)
    unpaired: list[Transcript] = []
    for gene in prediction:
        for transcript in gene.transcripts:
            named = source_gene(gene, transcript)
            targets = [named] if named in known else equal.get(_structure(transcript)) or index.best(transcript)
            if not targets:
                unpaired.append(transcript)
            for target in targets:
                by_gene[target].append(transcript)
    return Pairing({gene: tuple(rows) for gene, rows in by_gene.items()}, tuple(unpaired))
