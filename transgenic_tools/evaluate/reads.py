"""Predicted transcripts against long reads (IsoSeq, cDNA, direct RNA).

In: chains of aligned reads, predicted structures. Out: for each prediction whether its intron chain is supported in
full, in part or contradicted, and the supported chains that no prediction has.
A surprise: reads may be cut short, so a chain counts as found where a prediction holds it as an unbroken stretch.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from transgenic_tools.evaluate.metrics import ratio
from transgenic_tools.evaluate.structures import Structure
from transgenic_tools.genome.interval import Interval, Intervals, Strand
from transgenic_tools.io.long_reads import ReadAlignments, ReadChain

SUPPORT = ("full", "part", "contradicted", "no_reads", "single_exon")


@dataclass(frozen=True)
class Support:
    """One prediction: class of `SUPPORT`, and its introns by what reads say."""

    kind: str
    introns: int
    supported: int
    contradicted: int
    reads: int


@dataclass(frozen=True)
class ReadComparison:
    """All predictions, and the chains of `min_reads` reads or more that are missing from them."""

    alignments: ReadAlignments
    support: dict[Structure, Support]
    chains: int
    missing: tuple[ReadChain, ...]

    def to_json(self) -> dict[str, object]:
        kinds = Counter(s.kind for s in self.support.values())
        judged = kinds["full"] + kinds["part"] + kinds["contradicted"]
        return {
            "reads": self.alignments.reads,
            "aligned": self.alignments.aligned,
            "transcripts": {kind: kinds[kind] for kind in SUPPORT},
            "fully_supported": round(ratio(kinds["full"], judged), 6),
            "chains": self.chains,
            "missing_chains": len(self.missing),
            "chains_found": round(ratio(self.chains - len(self.missing), self.chains), 6),
        }


def _holds_chain(container: Intervals, chain: Intervals) -> int | None:
    """Index of `chain` as an unbroken stretch of `container`, else None."""
    first = bisect_left(container, chain[0])
    return first if container[first : first + len(chain)] == chain else None


class _ReadIndex:
    """Read chains by intron, and by position."""

    def __init__(self, chains: Sequence[ReadChain]) -> None:
        self.by_intron: dict[tuple[str, Strand, Interval], list[ReadChain]] = defaultdict(list)
        rows: dict[str, list[ReadChain]] = defaultdict(list)
        for chain in chains:
            rows[chain.seqid].append(chain)
            for intron in chain.introns if chain.strand else ():
                self.by_intron[chain.seqid, chain.strand, intron].append(chain)  # type: ignore[index]
        self._rows = {seqid: sorted(group, key=lambda c: c.span.start) for seqid, group in rows.items()}
        self._starts = {seqid: [c.span.start for c in group] for seqid, group in self._rows.items()}
        self._longest = {seqid: max(len(c.span) for c in group) for seqid, group in self._rows.items()}

    def over(self, seqid: str, strand: Strand, interval: Interval) -> list[ReadChain]:
        """Chains that overlap, of this strand or of unknown strand."""
        if seqid not in self._rows:
            return []
        first = bisect_left(self._starts[seqid], interval.start - self._longest[seqid])
        last = bisect_left(self._starts[seqid], interval.end)
        group = self._rows[seqid][first:last]
        return [c for c in group if c.span.end > interval.start and c.strand in (strand, None)]


def _support_of(structure: Structure, index: _ReadIndex) -> Support:
    seqid, strand, introns = structure.seqid, structure.strand, structure.introns
    if not introns:
        return Support("single_exon", 0, 0, 0, 0)
    over = index.over(seqid, strand, structure.span)
    full = 0
    for chain in index.by_intron.get((seqid, strand, introns[0]), ()):
        at = _holds_chain(chain.introns, introns)
        if at is None:
            continue
        outside = chain.introns[:at] + chain.introns[at + len(introns) :]
        if not any(intron.overlaps(structure.span) for intron in outside):
            full += chain.count
    supported = [i for i in introns if (seqid, strand, i) in index.by_intron]
    contradicted = [
        i
        for i in introns
        if (seqid, strand, i) not in index.by_intron
        and any(c.span.start < i.start and i.end < c.span.end for c in over)
    ]
    kind = "full" if full else "contradicted" if contradicted else "part" if supported else "no_reads"
    return Support(kind, len(introns), len(supported), len(contradicted), full or sum(c.count for c in over))


def compare_with_reads(
    predicted: Sequence[Structure], alignments: ReadAlignments, *, min_reads: int = 1
) -> ReadComparison:
    """Support of every prediction, and what is missing.

    A prediction is supported in full by a read whose introns inside the prediction's span are its introns, all of
    them; contradicted where an intron is never seen although a read runs across it; supported in part where some of
    its introns are seen and none is contradicted. A read chain is missing where no prediction holds it as an unbroken
    stretch of its own chain (reads may be cut short).
    """
    index = _ReadIndex(alignments.chains)
    support = {s: _support_of(s, index) for s in predicted}
    holders: dict[tuple[str, Strand, Interval], list[Intervals]] = defaultdict(list)
    for s in predicted:
        chain = s.introns
        for intron in chain:
            holders[s.seqid, s.strand, intron].append(chain)
    counted = [c for c in alignments.chains if c.strand and c.introns and c.count >= min_reads]
    missing = tuple(
        c
        for c in counted
        if not any(
            _holds_chain(chain, c.introns) is not None
            for chain in holders.get((c.seqid, c.strand, c.introns[0]), ())  # type: ignore[arg-type]
        )
    )
    return ReadComparison(alignments, support, len(counted), missing)
