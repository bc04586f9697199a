"""Reads that go on unspliced through the ends of junctions: what speaks for an intron that stays in.

In: junctions of all inputs, and one input's alignments or chains. Out: reads of that input through each end.
A surprise: alignments are read a second time, because which ends to look at is known only when all inputs are read; an
intron that one tissue splices may be left in by another. A pipe, which cannot be read twice, tells nothing here.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

import numpy as np

from transgenic_tools.evidence.alignments import Places
from transgenic_tools.genome.evidence import Chain, JunctionKey, ThroughCounts


def ends_of(junctions: Iterable[JunctionKey]) -> Places:
    """Starts and ends of junctions on settled strands, sorted, by sequence and sign."""
    ends: dict[tuple[str, int], set[int]] = defaultdict(set)
    for key in junctions:
        ends[key.seqid, key.sign].update((key.start, key.end))
    return {key: np.array(sorted(places), dtype=np.int64) for key, places in sorted(ends.items())}


def through_of_chains(chains: Sequence[Chain], places: Places, anchor: int) -> Places:
    """Exons of chains that go through each place.

    An exon between two introns counts as often as its chain; of the first and the last only one is known to reach as
    far as the chain's span does.
    """
    exons: dict[tuple[str, int], list[tuple[int, int, int]]] = defaultdict(list)
    for chain in chains:
        bounds = [chain.span.start, *(place for i in chain.introns for place in (i.start, i.end)), chain.span.end]
        last = len(chain.introns)
        for number, (start, end) in enumerate(zip(bounds[::2], bounds[1::2], strict=True)):
            exons[chain.seqid, chain.sign].append((start, end, 1 if number in (0, last) else chain.count))
    counted = {}
    for key, ends in places.items():
        through = ThroughCounts(ends, anchor)
        if key in exons:
            through.add(*np.array(exons[key], dtype=np.int64).T)
        counted[key] = through.counts()
    return counted
