"""What is compared: transcripts as bare exon chains, duplicates collapsed, clustered into loci.

In: genes of the domain model. Out: `Structure` records for one of two views: `cds` (each transcript is its CDS) or
`transcript` (each transcript is its exons).
A surprise: touching parts are joined first, since one exon split at a phase or a stop codon is still one exon.
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, get_args

from transgenic_tools.genome.gene import Gene, Transcript
from transgenic_tools.genome.interval import Interval, Intervals, Strand, gaps, merge

View = Literal["cds", "transcript"]
VIEWS: tuple[View, ...] = get_args(View)


@dataclass(frozen=True)
class Structure:
    """One spliced structure: disjoint, non-touching parts, left to right."""

    seqid: str
    strand: Strand
    parts: Intervals

    @cached_property
    def introns(self) -> Intervals:
        return gaps(self.parts)

    @cached_property
    def span(self) -> Interval:
        return Interval(self.parts[0].start, self.parts[-1].end)

    @cached_property
    def _hash(self) -> int:
        return hash((self.seqid, self.strand, tuple((p.start, p.end) for p in self.parts)))

    def __hash__(self) -> int:
        return self._hash

    @property
    def sort_key(self) -> tuple[str, Strand, int, int, Intervals]:
        """Place in a list: seqid, strand, span, then the parts."""
        return (self.seqid, self.strand, self.span.start, self.span.end, self.parts)


def _joined(parts: Intervals) -> Intervals:
    """`merge(parts)`, without new objects in the usual case that no two parts touch."""
    apart = all(left.end < right.start for left, right in itertools.pairwise(parts))
    return parts if apart else merge(parts)


def structure_of(transcript: Transcript, view: View) -> Structure | None:
    """The transcript in one view; None where it has no CDS and the view is `cds`."""
    parts = transcript.cds if view == "cds" else transcript.exons
    return Structure(transcript.seqid, transcript.strand, _joined(parts)) if parts else None


def distinct_structures(genes: Iterable[Gene], view: View) -> tuple[Structure, ...]:
    """Sorted, each once, whatever the number of transcripts and genes that hold it."""
    found = {structure_of(t, view) for gene in genes for t in gene.transcripts}
    return tuple(sorted((s for s in found if s is not None), key=lambda s: s.sort_key))


def cluster_loci(structures: Sequence[Structure]) -> tuple[tuple[Structure, ...], ...]:
    """Loci: structures linked by parts that share at least one base on the same strand, transitively."""
    parent = list(range(len(structures)))

    def root(i: int) -> int:
        while parent[i] != i:
            parent[i] = parent[parent[i]]
            i = parent[i]
        return i

    parts: dict[tuple[str, Strand], list[tuple[int, int, int]]] = defaultdict(list)
    for i, s in enumerate(structures):
        parts[s.seqid, s.strand].extend((p.start, p.end, i) for p in s.parts)
    for rows in parts.values():
        rows.sort()
        reach, owner = -1, -1
        for start, end, i in rows:
            if start < reach:
                parent[root(i)] = root(owner)
            if end > reach or start >= reach:
                reach, owner = max(reach, end), i
    loci: dict[int, list[Structure]] = defaultdict(list)
    for i, s in enumerate(structures):
        loci[root(i)].append(s)
    return tuple(tuple(members) for members in loci.values())


def merged_parts(structures: Iterable[Structure]) -> dict[tuple[str, Strand], Intervals]:
    """Union of all parts per seqid and strand."""
    parts: dict[tuple[str, Strand], list[Interval]] = defaultdict(list)
    for s in structures:
        parts[s.seqid, s.strand].extend(s.parts)
    return {key: merge(rows) for key, rows in parts.items()}


def shared_bases(left: Sequence[Interval], right: Sequence[Interval]) -> int:
    """Bases in both of two sorted, disjoint lists."""
    i = j = shared = 0
    while i < len(left) and j < len(right):
        a, b = left[i], right[j]
        shared += max(0, min(a.end, b.end) - max(a.start, b.start))
        if a.end < b.end:
            i += 1
        else:
            j += 1
    return shared
