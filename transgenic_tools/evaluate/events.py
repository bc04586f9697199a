"""Alternative splicing events: SE, A5SS, A3SS, RI.

In: distinct structures of one side. Out: one set of events a type, each named by its splice sites alone, so that the
sets of reference and prediction can be compared.
A surprise: an event needs two transcripts of the same locus; flanking exon ends beyond the named sites are ignored.
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Hashable, Sequence

from transgenic_tools.evaluate.metrics import Score, score_sets
from transgenic_tools.evaluate.structures import Structure, cluster_loci
from transgenic_tools.genome.interval import Interval

EVENTS = ("SE", "A5SS", "A3SS", "RI")


def _skipped_exons(locus: Sequence[Structure], introns: set[tuple[int, int]]) -> set[tuple[int, ...]]:
    """(left intron, right intron) around an exon, and the intron over both, all seen in the locus."""
    found: set[tuple[int, ...]] = set()
    for s in locus:
        chain = s.introns
        for left, right in itertools.pairwise(chain):
            if (left.start, right.end) in introns:
                found.add((left.start, left.end, right.start, right.end))
    return found


def _alternative_ends(locus: Sequence[Structure], *, shared_right: bool) -> set[tuple[int, ...]]:
    """Pairs of introns that share one edge and whose exons at the other edge share bases."""
    by_edge: dict[int, dict[int, list[Interval]]] = defaultdict(lambda: defaultdict(list))
    for s in locus:
        for i, intron in enumerate(s.introns):
            if shared_right:
                by_edge[intron.end][intron.start].append(s.parts[i])
            else:
                by_edge[intron.start][intron.end].append(s.parts[i + 1])
    found: set[tuple[int, ...]] = set()
    for edge, sites in by_edge.items():
        ordered = sorted(sites)
        for n, a in enumerate(ordered):
            for b in ordered[n + 1 :]:
                if any(p.overlaps(q) for p in sites[a] for q in sites[b]):
                    found.add((edge, a, b))
    return found


def _retained(locus: Sequence[Structure], introns: set[tuple[int, int]]) -> set[tuple[int, ...]]:
    """Introns that lie strictly inside an exon of another transcript of the locus."""
    exons = {(p.start, p.end) for s in locus for p in s.parts}
    return {(a, b) for a, b in introns if any(start < a and b < end for start, end in exons)}


def find_events(structures: Sequence[Structure]) -> dict[str, set[Hashable]]:
    """Event type -> events, each `(seqid, strand, *sites)`."""
    found: dict[str, set[Hashable]] = {name: set() for name in EVENTS}
    for locus in cluster_loci(structures):
        if len(locus) < 2:
            continue
        introns = {(i.start, i.end) for s in locus for i in s.introns}
        right, left = ("A5SS", "A3SS") if locus[0].strand == "+" else ("A3SS", "A5SS")
        events = {
            "SE": _skipped_exons(locus, introns),
            right: _alternative_ends(locus, shared_right=True),
            left: _alternative_ends(locus, shared_right=False),
            "RI": _retained(locus, introns),
        }
        for name, sites in events.items():
            found[name] |= {(locus[0].seqid, locus[0].strand, *site) for site in sites}
    return found


def score_events(reference: Sequence[Structure], prediction: Sequence[Structure]) -> dict[str, Score]:
    """Event type -> score."""
    left, right = find_events(reference), find_events(prediction)
    return {name: score_sets(left[name], right[name]) for name in EVENTS}
