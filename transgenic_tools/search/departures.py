"""Ways through a graph that leave given ones, and what is said of each: compiled.

In: a graph, the first way through it, others that are known or written, the bases. Out: which ways there are beside the
first one, and their numbers (`FEATURES`) but for what the decoder and sums of contents say.
Dims: N states, M edges, W ways, C of them that are candidates, E exons of the longest way, F numbers.
A surprise: no transcript is made here. Ways are read as exons and a CDS in plain arrays, because several are looked at
for each that counts, and one of a hundred is ever written. The slow twin, which makes transcripts, is in the tests.
"""

from __future__ import annotations

import math
from collections import namedtuple
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from transgenic_tools.kernels import kernel
from transgenic_tools.lattice.grammar import ACCEPTOR_KINDS, IS_DONOR, SITE_OF_KIND, Kind
from transgenic_tools.lattice.vocabulary import Site
from transgenic_tools.search.supported import Ways, best_both_ways, best_ways

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
#: Kinds of difference (`genome.splicing`) that a candidate may show.
EVENTS = (
    "alternative_5ss", "alternative_3ss", "exon_skipping", "exon_inclusion", "intron_retention", "intron_gain",
    "other_intron",
)  # fmt: skip
#: Order of a candidate's numbers.
FEATURES = (
    # of the graph: how much less than the first transcript, log-probability, contents against the first's
    "drop", "log_probability", "content",
    # of the exact sites that it has and the first has not (the least, the mean, how many), and the other way round
    "new_least", "new_mean", "new_sites", "lost_least", "lost_most", "lost_sites",
    # of the differences
    *EVENTS, "differences", "same_cds", "before_cds", "after_cds", "other_start", "later_start", "other_stop",
    "earlier_stop", "start_alone", "length_ratio", "keeps_frame", "decay", "site_distance", "by_three", "by_four",
    "intron_length", "intron_in_frame", "exon_length", "exon_in_frame", "gc", "place",
    # of the gene
    "introns", "cds_length", "first_log_probability", "first_written", "rank", "rivals", "known",
    # of the decoder, where it wrote the candidate
    "written", "written_log_probability", "written_more", "written_ordinal",
)  # fmt: skip
#: Place of each number by its name, which compiled functions can look up, too.
AT: Any = namedtuple("AT", FEATURES)(*range(len(FEATURES)))
_5SS, _3SS, _SKIPPING, _INCLUSION, _RETENTION, _GAIN, _OTHER = range(len(EVENTS))
_TSS, _START, _STOP, _TTS, _END = (int(k) for k in (Kind.TSS, Kind.START, Kind.STOP, Kind.TTS, Kind.END))
_IS_ACCEPTOR = np.array([kind in ACCEPTOR_KINDS for kind in Kind])
#: Bit of the exact site that a state of each kind stands for; none of ends, and of stops, which follow from the frame.
_EXACT = np.array([1 << s if s in (Site.START, Site.DONOR, Site.ACCEPTOR) else 0 for s in SITE_OF_KIND], dtype=np.uint8)
#: What the numbers of sites are where there are none: a sure site's logit.
_NO_SITE = 3.0
#: Bases of spliced RNA between a stop codon and a last junction behind it, from which on it is taken for early.
_EARLY_STOP = 50
_EVERYWHERE = 2**62
#: How much less than the first's a candidate's score may be to count as a rival.
_RIVAL = 3.0


class States(NamedTuple):
    """Of a graph's states (N,); see `lattice.graph.Graph`."""

    kind: Ints
    position: Ints
    logit: Floats


class Shapes(NamedTuple):
    """What ways read as.

    Attributes:
        start, end: (W, E) of exons.
        exons: (W,) how many.
        cds: (W, 2) begin and end of the CDS.
    """

    start: Ints
    end: Ints
    exons: Ints
    cds: Ints


class Differences(NamedTuple):
    """Differences (`genome.splicing`) of one way from the first: their places, and kinds by `EVENTS`."""

    start: Ints
    end: Ints
    kind: Ints


class Departures(NamedTuple):
    """What `find_departures` returns.

    Attributes:
        given: (C,) number of the given way that a candidate is; -1 for one of the graph.
        ways: Their edges.
        features: (C, F).
    """

    given: Ints
    ways: Ways
    features: Floats


@kernel
def _skip_ends(way, at, kind, target):  # type: ignore[no-untyped-def]  # pragma: no cover
    """The next step of a way that does not lead to a TSS or TTS."""
    while at < len(way) and (kind[target[way[at]]] == _TSS or kind[target[way[at]]] == _TTS):
        at += 1
    return at


@kernel
def _same_core(one, other, kind, target):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Whether two ways (their edges) lead through the same states, TSS and TTS not counted."""
    i, j = _skip_ends(one, 0, kind, target), _skip_ends(other, 0, kind, target)
    while i < len(one) and j < len(other) and target[one[i]] == target[other[j]]:
        i, j = _skip_ends(one, i + 1, kind, target), _skip_ends(other, j + 1, kind, target)
    return i == len(one) and j == len(other)


@kernel
def _join(given, n_known, found, found_score, score, kind, target):  # type: ignore[no-untyped-def]  # pragma: no cover
    """The given ways and those found that are none of the written ones; and their scores."""
    n_given = len(score)
    edges = np.concatenate((given.edges, found.edges))
    bounds = np.empty(n_given + len(found_score) + 1, dtype=np.int64)
    bounds[: n_given + 1] = given.bounds
    scores = np.concatenate((score, found_score))
    count, at = n_given, given.bounds[n_given]
    for way in range(len(found_score)):
        steps = found.edges[found.bounds[way] : found.bounds[way + 1]]
        written = False
        for other in range(n_known, n_given):
            written |= _same_core(steps, given.edges[given.bounds[other] : given.bounds[other + 1]], kind, target)
        if not written:
            edges[at : at + len(steps)] = steps
            scores[count] = found_score[way]
            count, at = count + 1, at + len(steps)
            bounds[count] = at
    return Ways(edges=edges[:at], bounds=bounds[: count + 1]), scores[:count]


@kernel
def _read_way(way, steps, states, target, shapes):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Write exons and CDS of a way; see `lattice.grammar.path_to_transcript`."""
    begin, last, count = -1, 0, 0
    for edge in steps:
        kind, position = states.kind[target[edge]], states.position[target[edge]]
        if kind == _END:
            break
        if kind == _TSS:
            begin = position
        elif kind == _START:
            shapes.cds[way, 0] = position
            begin = position if begin < 0 else begin
        elif kind == _STOP:
            shapes.cds[way, 1] = position + 1
        elif IS_DONOR[kind] and begin >= 0:
            shapes.start[way, count], shapes.end[way, count] = begin, position
            begin, count = -1, count + 1
        elif _IS_ACCEPTOR[kind]:
            begin = position + 1
        last = position
    shapes.start[way, count], shapes.end[way, count] = begin, last + 1
    shapes.exons[way] = count + 1


@kernel
def _read_ways(ways, states, target):  # type: ignore[no-untyped-def]  # pragma: no cover
    """`Shapes` of ways."""
    count = len(ways.bounds) - 1
    most = np.max(ways.bounds[1:] - ways.bounds[:-1]) // 2 + 1  # an exon has two steps or more
    shapes = Shapes(
        start=np.zeros((count, most), dtype=np.int64),
        end=np.zeros((count, most), dtype=np.int64),
        exons=np.zeros(count, dtype=np.int64),
        cds=np.zeros((count, 2), dtype=np.int64),
    )
    for way in range(count):
        _read_way(way, ways.edges[ways.bounds[way] : ways.bounds[way + 1]], states, target, shapes)
    return shapes


@kernel
def _same_introns(one, other, shapes, low, high):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Whether two ways have the same introns in [low, high)."""
    i = j = 0
    n, m = shapes.exons[one] - 1, shapes.exons[other] - 1
    while i < n and shapes.end[one, i] < low:
        i += 1
    while j < m and shapes.end[other, j] < low:
        j += 1
    while i < n and j < m and shapes.end[one, i] < high and shapes.end[other, j] < high:
        if shapes.end[one, i] != shapes.end[other, j] or shapes.start[one, i + 1] != shapes.start[other, j + 1]:
            return False
        i, j = i + 1, j + 1
    return (i == n or shapes.end[one, i] >= high) and (j == m or shapes.end[other, j] >= high)


@kernel
def _same_cds(one, other, shapes):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Whether two ways have the same CDS; where it begins and ends, no intron does."""
    begin, end = shapes.cds[one, 0], shapes.cds[one, 1]
    if shapes.cds[other, 0] != begin or shapes.cds[other, 1] != end:
        return False
    return _same_introns(one, other, shapes, begin, end)


@kernel
def _same(one, other, shapes):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Whether two ways are one candidate: by their CDS, and where that is the first way's, by their introns."""
    if not _same_cds(one, other, shapes):
        return False
    return not _same_cds(one, 0, shapes) or _same_introns(one, other, shapes, 0, _EVERYWHERE)


@kernel
def _is_new(way, n_known, kept, shapes):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Whether a way is none of the known ones and none of those kept."""
    for other in range(n_known):
        if _same(way, other, shapes):
            return False
    for other in kept:  # noqa: SIM110 (numba has no generators here)
        if _same(way, other, shapes):
            return False
    return True


@kernel
def _choose(n_known, n_given, score, shapes, most):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Ways that are candidates, the best first: `most`, and what is written beyond them."""
    kept, count = np.empty(most + n_given, dtype=np.int64), 0
    written, found = n_known, n_given
    while count < most and (written < n_given or found < len(score)):
        if found == len(score) or (written < n_given and score[written] >= score[found]):
            way, written = written, written + 1
        else:
            way, found = found, found + 1
        if _is_new(way, n_known, kept[:count], shapes):
            kept[count] = way
            count += 1
    for way in range(written, n_given):
        if _is_new(way, n_known, kept[:count], shapes):
            kept[count] = way
            count += 1
    return kept[:count]


@kernel
def _mark_sites(steps, states, target, sites):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Add the exact sites of a way to the bits of each base."""
    for edge in steps:
        state = target[edge]
        sites[states.position[state]] |= _EXACT[states.kind[state]]


@kernel
def _sites_beside(steps, states, target, sites):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Of the exact sites of a way that are not marked: least, greatest and sum of their logits, and how many."""
    least, greatest, total, count = np.inf, -np.inf, 0.0, 0
    for edge in steps:
        state = target[edge]
        bit = _EXACT[states.kind[state]]
        if bit and not sites[states.position[state]] & bit:
            logit = states.logit[state]
            least, greatest = min(least, logit), max(greatest, logit)
            total, count = total + logit, count + 1
    return least, greatest, total, count


@kernel
def _describe_sites(steps, first, states, target, first_sites, out):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Numbers of the sites that a way has and the first way has not, and the other way round."""
    least, greatest, total, count = _sites_beside(steps, states, target, first_sites)
    out[AT.new_least] = least if count else _NO_SITE
    out[AT.new_mean] = total / count if count else _NO_SITE
    out[AT.new_sites] = count
    sites = np.zeros_like(first_sites)
    _mark_sites(steps, states, target, sites)
    least, greatest, total, count = _sites_beside(first, states, target, sites)
    out[AT.lost_least] = least if count else _NO_SITE
    out[AT.lost_most] = greatest if count else _NO_SITE
    out[AT.lost_sites] = count


@kernel
def _introns(way, shapes, low, high):  # type: ignore[no-untyped-def]  # pragma: no cover
    """(I, 2) introns of a way that overlap [low, high)."""
    introns, count = np.empty((shapes.exons[way], 2), dtype=np.int64), 0
    for i in range(shapes.exons[way] - 1):
        begin, end = shapes.end[way, i], shapes.start[way, i + 1]
        if begin < high and low < end:
            introns[count, 0], introns[count, 1] = begin, end
            count += 1
    return introns[:count]


@kernel
def _in_exon(begin, end, way, shapes):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Whether an exon of a way holds all of [begin, end)."""
    starts, ends = shapes.start[way, : shapes.exons[way]], shapes.end[way, : shapes.exons[way]]
    return np.any((starts <= begin) & (end <= ends))


@kernel
def _find(value, values):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Index of a value; -1 where there is none."""
    for i in range(len(values)):
        if values[i] == value:
            return i
    return -1


@kernel
def _of_intron(begin, end, ours, theirs, shapes):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Place and kind of what an intron of ours does that none of theirs does; see `genome.splicing`."""
    same_begin, same_end = _find(begin, theirs[:, 0]), _find(end, theirs[:, 1])
    if same_begin >= 0 and same_end >= 0:
        return theirs[same_begin, 1], theirs[same_end, 0], _SKIPPING
    around = -1
    if same_begin >= 0 and _find(theirs[same_begin, 1], ours[:, 1]) >= 0:
        around = same_begin
    if same_end >= 0 and _find(theirs[same_end, 0], ours[:, 0]) >= 0:
        around = same_end
    if around >= 0:
        inside = (ours[:, 0] >= theirs[around, 0]) & (ours[:, 1] <= theirs[around, 1])
        inner = ours[inside]
        return inner[0, 1], inner[-1, 0], _INCLUSION
    if same_begin >= 0:
        other = theirs[same_begin, 1]
        return min(end, other), max(end, other), _3SS
    if same_end >= 0:
        other = theirs[same_end, 0]
        return min(begin, other), max(begin, other), _5SS
    return begin, end, _GAIN if _in_exon(begin, end, 0, shapes) else _OTHER


@kernel
def _has_intron(begin, end, introns):  # type: ignore[no-untyped-def]  # pragma: no cover
    at = _find(begin, introns[:, 0])
    return at >= 0 and introns[at, 1] == end


@kernel
def _differences(way, shapes):  # type: ignore[no-untyped-def]  # pragma: no cover
    """`genome.splicing.splice_differences` of a way from the first, in any order."""
    low = max(shapes.start[way, 0], shapes.start[0, 0])
    high = min(shapes.end[way, shapes.exons[way] - 1], shapes.end[0, shapes.exons[0] - 1])
    most = shapes.exons[way] + shapes.exons[0]
    found = Differences(
        start=np.empty(most, dtype=np.int64), end=np.empty(most, dtype=np.int64), kind=np.empty(most, dtype=np.int64)
    )
    count = 0
    ours, theirs = _introns(way, shapes, low, high), _introns(0, shapes, low, high)
    for i in range(len(ours) + len(theirs)):
        if i < len(ours):
            begin, end = ours[i, 0], ours[i, 1]
            if _has_intron(begin, end, theirs):
                continue
            begin, end, kind = _of_intron(begin, end, ours, theirs, shapes)
        else:
            begin, end = theirs[i - len(ours), 0], theirs[i - len(ours), 1]
            if _has_intron(begin, end, ours):
                continue
            if _in_exon(begin, end, way, shapes):
                kind = _RETENTION
            elif np.any((ours[:, 0] < end) & (begin < ours[:, 1])):
                continue
            else:
                kind = _OTHER
        told = False
        for j in range(count):  # both introns beside an exon that is there tell of it
            told |= found.start[j] == begin and found.end[j] == end and found.kind[j] == kind
        if not told:
            found.start[count], found.end[count], found.kind[count] = begin, end, kind
            count += 1
    return Differences(start=found.start[:count], end=found.end[:count], kind=found.kind[:count])


@kernel
def _coding_bases(way, shapes):  # type: ignore[no-untyped-def]  # pragma: no cover
    total, begin, end = 0, shapes.cds[way, 0], shapes.cds[way, 1]
    for i in range(shapes.exons[way]):
        total += max(0, min(end, shapes.end[way, i]) - max(begin, shapes.start[way, i]))
    return total


@kernel
def _stops_early(way, shapes):  # type: ignore[no-untyped-def]  # pragma: no cover
    """1 where the stop codon lies so far before the last junction that the RNA may be taken apart for it."""
    behind = 0
    for i in range(shapes.exons[way] - 1):
        behind += max(0, shapes.end[way, i] - max(shapes.start[way, i], shapes.cds[way, 1]))
    return 1.0 if behind > _EARLY_STOP else 0.0


@kernel
def _describe_events(way, shapes, found, out):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Numbers of the kinds of difference from the first way, and of the CDS."""
    same = _same_cds(way, 0, shapes)
    before = same
    for i in range(len(found.kind)):
        out[AT.alternative_5ss + found.kind[i]] = 1.0
        before &= found.end[i] <= shapes.cds[0, 0]
    start, stop = shapes.cds[way, 0] - shapes.cds[0, 0], shapes.cds[way, 1] - shapes.cds[0, 1]
    bases, first_bases = _coding_bases(way, shapes), _coding_bases(0, shapes)
    out[AT.differences] = min(len(found.kind), 5)
    out[AT.same_cds], out[AT.before_cds], out[AT.after_cds] = same, before, same and not before
    out[AT.other_start], out[AT.later_start] = start != 0, start > 0
    out[AT.other_stop], out[AT.earlier_stop] = stop != 0, stop < 0
    out[AT.start_alone] = start != 0 and len(found.kind) == 0
    out[AT.length_ratio] = max(math.log(bases / first_bases), -3.0)
    out[AT.keeps_frame] = start == 0 and stop == 0 and (bases - first_bases) % 3 == 0
    out[AT.decay] = _stops_early(way, shapes) - _stops_early(0, shapes)


@kernel
def _longest(found, one, other):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Most bases of a difference of one of two kinds; 0 where there is none."""
    most = 0
    for i in range(len(found.kind)):
        if found.kind[i] == one or found.kind[i] == other:
            most = max(most, found.end[i] - found.start[i])
    return most


@kernel
def _describe_places(shapes, found, codes, out):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Numbers of where the differences lie, and how long they are."""
    between = _longest(found, _5SS, _3SS)
    intron, exon = _longest(found, _RETENTION, _GAIN), _longest(found, _SKIPPING, _INCLUSION)
    out[AT.site_distance], out[AT.by_three], out[AT.by_four] = math.log1p(between), between == 3, between == 4
    out[AT.intron_length] = math.log(intron / 100) if intron else 0.0
    out[AT.intron_in_frame] = intron > 0 and intron % 3 == 0
    out[AT.exon_length] = math.log(exon / 100) if exon else 0.0
    out[AT.exon_in_frame] = exon > 0 and exon % 3 == 0
    out[AT.gc], out[AT.place] = 0.37, 0.5
    begin, end = 0, 0
    for i in range(len(found.kind)):  # the longest, of several the first
        longer = found.end[i] - found.start[i] - (end - begin)
        if longer > 0 or (longer == 0 and found.start[i] < begin):
            begin, end = found.start[i], found.end[i]
    if end > begin:
        strong = 0
        for i in range(begin, end):
            strong += codes[i] == 1 or codes[i] == 2
        out[AT.gc] = strong / (end - begin)
        whole = shapes.end[0, shapes.exons[0] - 1] - shapes.start[0, 0]
        out[AT.place] = (begin - shapes.start[0, 0]) / whole


@kernel
def find_departures(states, edges, given, n_known, score, total, codes, blank, within, most, most_found):  # type: ignore[no-untyped-def]  # pragma: no cover
    """What a gene may do beside its first way: ways that are written and the graph's, the most probable first.

    Of ways with one CDS that is not the first's only the best counts: they differ in their UTRs alone.

    Args:
        states: `States`; edges: `EdgeArrays` of a graph.
        given: `Ways`: the first, others that are known, and those that are written by falling score.
        n_known: How many of these are no candidates, the first among them.
        score: (W,) of the given ways; of those known only the first's counts.
        total: Log-sum of the scores of all ways.
        codes: (L,) bases of the window.
        blank: (F,) what is the same for all candidates.
        within: Ways of the graph that score this much less than its best are not looked at.
        most, most_found: So many candidates, and ways of the graph that are looked at.

    Returns:
        `Departures`; those written count in any case.
    """
    n_given, target = len(score), edges.target
    taken = np.zeros(len(target), dtype=np.bool_)
    taken[given.edges[: given.bounds[1]]] = True
    both = best_both_ways(edges.first, target, edges.score)
    found, found_score = best_ways(target, edges.score, both, taken, within, most_found)
    ways, scores = _join(given, n_known, found, found_score, score, states.kind, target)
    shapes = _read_ways(ways, states, target)
    kept = _choose(n_known, n_given, scores, shapes, most)
    first = ways.edges[: ways.bounds[1]]
    first_sites = np.zeros(len(codes), dtype=np.uint8)
    _mark_sites(first, states, target, first_sites)
    features = np.empty((len(kept), len(blank)))
    rivals = 0
    for rank in range(len(kept)):
        way, out = kept[rank], features[rank]
        out[:] = blank
        steps, differences = ways.edges[ways.bounds[way] : ways.bounds[way + 1]], _differences(way, shapes)
        out[AT.drop] = min(max(scores[0] - scores[way], -18.0), 18.0)
        out[AT.log_probability] = max(scores[way] - total, -25.0)
        out[AT.introns] = math.log1p(shapes.exons[0] - 1)
        out[AT.cds_length] = math.log(max(_coding_bases(0, shapes), 3) / 1000)
        out[AT.rank] = math.log1p(rank)
        _describe_sites(steps, first, states, target, first_sites, out)
        _describe_events(way, shapes, differences, out)
        _describe_places(shapes, differences, codes, out)
        rivals += scores[way] > scores[0] - _RIVAL
    features[:, AT.rivals] = math.log1p(rivals)
    bounds = np.zeros(len(kept) + 1, dtype=np.int64)
    bounds[1:] = np.cumsum(ways.bounds[kept + 1] - ways.bounds[kept])
    steps = np.empty(bounds[-1], dtype=np.int64)
    for rank in range(len(kept)):
        steps[bounds[rank] : bounds[rank + 1]] = ways.edges[ways.bounds[kept[rank]] : ways.bounds[kept[rank] + 1]]
    return Departures(
        given=np.where(kept < n_given, kept, -1), ways=Ways(edges=steps, bounds=bounds), features=features
    )  # fmt: skip
