"""The class of a predicted transcript against the reference.

In: one predicted structure and the reference structures on its strand. Out: one of `CLASSES` and the reference that
it was held against.
A surprise: classes are tried in a fixed order (`equal`, `novel`, `fused`, `split`, then the differences), so each
transcript has exactly one; `several` means that more than one kind of difference was found.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from transgenic_tools.evaluate.structures import Structure, shared_bases
from transgenic_tools.genome.interval import Interval, Strand, clip
from transgenic_tools.genome.splicing import splice_differences

CLASSES = (
    "equal",
    "contained",
    "extended",
    "alternative_5ss",
    "alternative_3ss",
    "exon_skipping",
    "exon_inclusion",
    "intron_retention",
    "intron_gain",
    "several",
    "fused",
    "split",
    "novel",
)


@dataclass(frozen=True)
class Classified:
    """Class of one predicted structure; `reference_gene` is None for `novel`."""

    structure: Structure
    kind: str
    reference_gene: str | None
    shared: int


@dataclass(frozen=True, slots=True)
class _Entry:
    structure: Structure
    gene_id: str


class ReferenceIndex:
    """Reference structures per seqid and strand, sorted by start."""

    def __init__(self, entries: Sequence[tuple[Structure, str]]) -> None:
        rows: dict[tuple[str, Strand], list[_Entry]] = defaultdict(list)
        for structure, gene_id in entries:
            rows[structure.seqid, structure.strand].append(_Entry(structure, gene_id))
        self._rows = {k: sorted(v, key=lambda e: (e.structure.span.start, e.gene_id)) for k, v in rows.items()}
        self._starts = {k: [e.structure.span.start for e in v] for k, v in self._rows.items()}
        self._longest = {k: max(len(e.structure.span) for e in v) for k, v in self._rows.items()}

    def overlapping(self, structure: Structure) -> list[tuple[_Entry, int]]:
        """References on the same strand that share bases, with their number."""
        key = (structure.seqid, structure.strand)
        if key not in self._rows:
            return []
        first = bisect_left(self._starts[key], structure.span.start - self._longest[key])
        last = bisect_left(self._starts[key], structure.span.end)
        near = (e for e in self._rows[key][first:last] if e.structure.span.end > structure.span.start)
        rows = ((e, shared_bases(e.structure.parts, structure.parts)) for e in near)
        return [(e, shared) for e, shared in rows if shared]


def _is_fused(hits: Sequence[tuple[_Entry, int]]) -> bool:
    """True where the hits hold two genes that do not overlap each other at all."""
    spans: dict[str, Interval] = {}
    for entry, _ in hits:
        old, new = spans.get(entry.gene_id), entry.structure.span
        spans[entry.gene_id] = new if old is None else Interval(min(old.start, new.start), max(old.end, new.end))
    ordered = sorted(spans.values(), key=lambda i: i.start)
    reach = None
    for interval in ordered:
        if reach is not None and interval.start >= reach:
            return True
        reach = interval.end if reach is None else min(reach, interval.end)
    return False


def _same_inside(predicted: Structure, reference: Structure) -> bool:
    both = predicted.span.intersect(reference.span)
    return both is not None and clip(predicted.parts, both) == clip(reference.parts, both)


def _against(predicted: Structure, reference: Structure) -> str:
    if _same_inside(predicted, reference):
        return "contained" if reference.span.contains(predicted.span) else "extended"
    kinds = {d.kind for d in splice_differences(predicted.parts, reference.parts, predicted.strand)}
    kind = kinds.pop() if len(kinds) == 1 else "several"
    return kind if kind in CLASSES else "several"


def _closest(predicted: Structure, hits: Sequence[tuple[_Entry, int]]) -> _Entry:
    """Most shared introns, then agreement inside the shared span, then most shared bases, then leftmost."""
    introns = set(predicted.introns)

    def rank(hit: tuple[_Entry, int]) -> tuple[int, bool, int]:
        structure = hit[0].structure
        return (len(introns & set(structure.introns)), _same_inside(predicted, structure), hit[1])

    return max(hits, key=rank)[0]


def classify(predicted: Sequence[Structure], reference: Sequence[tuple[Structure, str]]) -> dict[Structure, Classified]:
    """Class of every predicted structure against (reference structure, gene ID) pairs."""
    index = ReferenceIndex(reference)
    hits = {s: index.overlapping(s) for s in predicted}
    on_gene: dict[str, list[Structure]] = defaultdict(list)
    for structure, found in hits.items():
        for gene_id in {entry.gene_id for entry, _ in found}:
            on_gene[gene_id].append(structure)
    return {s: _classify_one(s, found, on_gene) for s, found in hits.items()}


def _classify_one(
    structure: Structure, hits: Sequence[tuple[_Entry, int]], on_gene: Mapping[str, Sequence[Structure]]
) -> Classified:
    if not hits:
        return Classified(structure, "novel", None, 0)
    for entry, shared in hits:
        if entry.structure == structure:
            return Classified(structure, "equal", entry.gene_id, shared)
    closest = _closest(structure, hits)
    shared = max(n for e, n in hits if e is closest)
    if _is_fused(hits):
        kind = "fused"
    elif any(not other.span.overlaps(structure.span) for other in on_gene[closest.gene_id]):
        kind = "split"
    else:
        kind = _against(structure, closest.structure)
    return Classified(structure, kind, closest.gene_id, shared)
