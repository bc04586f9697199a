"""Which reference gene a predicted transcript belongs to.

In: the genes of both sides. Out: reference gene ID -> predicted transcripts.
A surprise: where a prediction says `source_gene=` (on the mRNA line, or on its gene line) that word is taken, even if
the transcript overlaps another gene more; overlap of coding bases on the same strand decides only where it is silent.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from transgenic_tools.evaluate.structures import shared_bases
from transgenic_tools.genome.gene import Gene, Transcript
from transgenic_tools.genome.interval import Intervals, Strand, merge

SOURCE_GENE = "source_gene"


@dataclass(frozen=True)
class Pairing:
    """Result of `pair`.

    Attributes:
        by_gene: Reference gene ID -> predicted transcripts, in the order of the file.
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

    def best(self, transcript: Transcript) -> str | None:
        key = (transcript.seqid, transcript.strand)
        if key not in self._rows:
            return None
        parts = merge(_coding(transcript))
        first = bisect_left(self._starts[key], parts[0].start - self._longest[key])
        last = bisect_left(self._starts[key], parts[-1].end)
        best, best_shared = None, 0
        for _, end, gene_id, other in self._rows[key][first:last]:
            if end <= parts[0].start:
                continue
            shared = shared_bases(parts, other)
            if shared > best_shared:
                best, best_shared = gene_id, shared
        return best


def pair(reference: Sequence[Gene], prediction: Sequence[Gene]) -> Pairing:
    """Assign every predicted transcript to at most one reference gene."""
    known = {gene.id for gene in reference}
    index = _OverlapIndex(reference)
    by_gene: dict[str, list[Transcript]] = defaultdict(list)
    unpaired: list[Transcript] = []
    for gene in prediction:
        for transcript in gene.transcripts:
            named = source_gene(gene, transcript)
            target = named if named in known else index.best(transcript)
            if target is None:
                unpaired.append(transcript)
            else:
                by_gene[target].append(transcript)
    return Pairing({gene: tuple(rows) for gene, rows in by_gene.items()}, tuple(unpaired))
