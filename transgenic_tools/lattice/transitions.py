"""States and edges of the graph of valid transcripts, compiled.

In: base codes and `Candidates`. Out: `States` in topological order, the edges between them, the content along an edge.
A surprise: which stop codon ends a coding exon, and which donors lie before it, follows from the frame alone; so no
edge ever crosses an in-frame stop, also where an intron splits the codon.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from transgenic_tools.kernels import kernel
from transgenic_tools.lattice.grammar import Kind
from transgenic_tools.lattice.vocabulary import AC, AT

Ints = npt.NDArray[np.int64]

_NEVER = np.int64(1) << np.int64(60)
_BEGIN, _TSS, _D5, _A5, _START = (int(k) for k in (Kind.BEGIN, Kind.TSS, Kind.D5, Kind.A5, Kind.START))
_D0, _D1, _D2, _DS1, _DS2 = (int(k) for k in (Kind.D0, Kind.D1, Kind.D2, Kind.DS1, Kind.DS2))
_A0, _A1, _A1T, _A2, _A2TA, _A2TG = (int(k) for k in (Kind.A0, Kind.A1, Kind.A1T, Kind.A2, Kind.A2TA, Kind.A2TG))
_STOP, _D3, _A3, _TTS, _END = (int(k) for k in (Kind.STOP, Kind.D3, Kind.A3, Kind.TTS, Kind.END))


@kernel
def next_stops(stops):  # type: ignore[no-untyped-def]  # pragma: no cover (compiled)
    """For every base the first base of the next stop codon in its frame, at or after it."""
    length = len(stops)
    following = np.full(length + 3, _NEVER, dtype=np.int64)
    for i in range(length - 1, -1, -1):
        following[i] = i if stops[i] else following[i + 3]
    return following


@kernel
def _coding_stop(codes, following, start, carried, kind):  # type: ignore[no-untyped-def]  # pragma: no cover
    """(last base of the only reachable stop, True where it is a split codon) of a coding exon from `start`."""
    length = len(codes)
    if kind == _A1T and start + 1 < length:
        a, b = codes[start], codes[start + 1]
        if (a == 0 and (b == 0 or b == 2)) or (a == 2 and b == 0):
            return start + 1, True
    if kind == _A2TA and start < length and (codes[start] == 0 or codes[start] == 2):
        return start, True
    if kind == _A2TG and start < length and codes[start] == 0:
        return start, True
    codon = start + (3 - carried) % 3
    if codon >= length:
        return _NEVER, False
    stop = following[codon]
    return (stop + 2 if stop < _NEVER else _NEVER), False


@kernel
def _carried(kind):  # type: ignore[no-untyped-def]  # pragma: no cover
    if kind in (_A1, _A1T):
        return 1
    if kind in (_A2, _A2TA, _A2TG):
        return 2
    return 0


@kernel
def _landing(codes, kind, donor):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Which of the acceptor's states (in the order of _ACCEPTOR_STATES) a donor leads to."""
    if kind == _D5:
        return 0
    if kind == _D3:
        return 7
    if kind == _D0:
        return _A0 - _A0 + 1
    if kind == _D1 and codes[donor - 1] == 3:
        return _A1T - _A0 + 1
    if kind == _D2 and codes[donor - 2] == 3 and codes[donor - 1] == 0:
        return _A2TA - _A0 + 1
    if kind == _D2 and codes[donor - 2] == 3 and codes[donor - 1] == 2:
        return _A2TG - _A0 + 1
    return (_A1 if kind in (_D1, _DS1) else _A2) - _A0 + 1


class SiteList(NamedTuple):
    """Candidates of one type (S of them).

    Attributes:
        position: (S,) sorted.
        state: (S,) the first state of each.
        next_strong: (S + 1,) index of the next strong candidate at or after each; S where there is none.
    """

    position: Ints
    state: Ints
    next_strong: Ints


class Layout(NamedTuple):
    """What the edges of a window follow from.

    Attributes:
        codes: (L,) base codes.
        following: (L + 3,) first base of the next stop codon in frame.
        donor_pair, acceptor_pair: (L,) dinucleotides that begin and end at a base.
        kind, position: (N,) of the states.
        split: (N,) bases of a split start codon before its intron, else 0.
        stop_state: (L + 1,) state of the stop codon that ends at a base, -1 for none.
        near: So many nearest candidates of a type are looked at behind a state, and as many strong ones beyond them.
    """

    codes: npt.NDArray[np.uint8]
    following: Ints
    donor_pair: npt.NDArray[np.int32]
    acceptor_pair: npt.NDArray[np.int32]
    kind: Ints
    position: Ints
    split: Ints
    stop_state: Ints
    tss: SiteList
    start: SiteList
    donor: SiteList
    acceptor: SiteList
    tts: SiteList
    min_intron: int
    max_intron: int
    min_exon: int
    max_utr_exon: int
    near: int


@kernel(inline="always")
def _emit(target, edges, sites, shift, low, high, near):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Edges to `state + shift` of sites in [low, high): the `near` nearest, then as many strong ones."""
    position, states, following = sites.position, sites.state, sites.next_strong  # looked up once: it costs an edge
    count = len(position)
    i = np.searchsorted(position, low)
    close, far = near, near
    while i < count and position[i] < high:
        if close == 0:
            i = following[i]
            if far == 0 or i >= count or position[i] >= high:
                break
            far -= 1
        else:
            close -= 1
        target[edges] = states[i] + shift
        edges += 1
        i += 1
    return edges


@kernel(inline="always")
def _emit_coding(target, edges, layout, kind, position):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Edges of a coding exon: to donors before its only reachable stop, by frame, and to that stop."""
    after = position if kind == _START else position + 1
    carried = _carried(kind)
    stop, is_split = _coding_stop(layout.codes, layout.following, after, carried, kind)
    if not is_split:
        donors, states = layout.donor.position, layout.donor.state
        i = np.searchsorted(donors, after + (3 if kind == _START else layout.min_exon))
        while i < len(donors) and donors[i] <= stop:
            target[edges] = states[i] + 1 + (donors[i] - after + carried) % 3
            edges += 1
            i += 1
    if stop < _NEVER:
        target[edges] = layout.stop_state[stop]
        edges += 1
    return edges


@kernel
def _classes(codes, acceptor_pair, acceptors):  # type: ignore[no-untyped-def]  # pragma: no cover
    """What a donor asks of each acceptor, as bits: 1 ends in AC, 2 TG follows, 4 G follows."""
    length = len(codes)
    found = np.zeros(len(acceptors), dtype=np.uint8)
    for i in range(len(acceptors)):
        after = acceptors[i] + 1
        if acceptor_pair[acceptors[i]] == AC:
            found[i] |= 1
        if after + 1 < length and codes[after] == 3 and codes[after + 1] == 2:
            found[i] |= 2
        if after < length and codes[after] == 2:
            found[i] |= 4
    return found


@kernel(inline="always")
def _emit_introns(target, edges, layout, classes, kind, donor):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Edges from a donor to the acceptors that end its intron; GT and GC go with AG, AT with AC."""
    sites = layout.acceptor
    position, states, following = sites.position, sites.state, sites.next_strong
    count, high = len(position), donor + layout.max_intron
    need = 2 if kind == _DS1 else 4 if kind == _DS2 else 0  # the rest of a split ATG
    mask = need | 1
    value = need | (1 if layout.donor_pair[donor] == AT else 0)
    shift = _landing(layout.codes, kind, donor)
    i = np.searchsorted(position, donor + layout.min_intron - 1)
    close = far = layout.near
    while i < count and far > 0:
        if close == 0:
            i = following[i]
        if i >= count or position[i] >= high:
            break
        if classes[i] & mask == value:
            target[edges] = states[i] + shift
            edges += 1
            if close > 0:
                close -= 1
            else:
                far -= 1
        i += 1
    return edges


@kernel
def walk(layout, first):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Targets (M,) of the edges of all states in order; `first` (N + 1,) gets where each state's edges begin.

    States that no way from BEGIN leads to have none.
    """
    most = 3 + len(layout.tss.state) + len(layout.start.state) + len(layout.donor.state)
    most += len(layout.acceptor.state) + len(layout.tts.state)  # no state has more edges
    target = np.empty(most + 64 * len(layout.kind), dtype=np.int32)
    classes = _classes(layout.codes, layout.acceptor_pair, layout.acceptor.position)
    kind, position = layout.kind, layout.position
    reached = np.zeros(len(kind), dtype=np.bool_)
    reached[0] = True
    edges = 0
    for state in range(len(kind)):
        first[state] = edges
        if not reached[state]:
            continue
        if edges + most > len(target):
            longer = np.empty(2 * len(target) + most, dtype=np.int32)
            for i in range(edges):
                longer[i] = target[i]
            target = longer
        k, p = kind[state], position[state]
        if k == _BEGIN:
            edges = _emit(target, edges, layout.tss, 0, 0, _NEVER, _NEVER)
            edges = _emit(target, edges, layout.start, 0, 0, _NEVER, _NEVER)
        elif k in (_TSS, _A5):
            after = p + 1 if k == _A5 else p
            gap = layout.min_exon if k == _A5 else 1
            high = after + layout.max_utr_exon
            edges = _emit(target, edges, layout.donor, 0, after + gap, high, layout.near)
            # a start at the TSS itself is the transcript without a 5' UTR, which BEGIN reaches
            edges = _emit(target, edges, layout.start, 0, p + 1, high, layout.near)
        elif k == _START and layout.split[state] > 0:
            place = p + layout.split[state]
            edges = _emit(target, edges, layout.donor, 3 + layout.split[state], place, place + 1, 1)
        elif k == _START or _A0 <= k <= _A2TG:
            edges = _emit_coding(target, edges, layout, k, p)
        elif k in (_STOP, _A3):
            gap = 0 if k == _STOP else layout.min_exon
            high = p + 1 + layout.max_utr_exon
            edges = _emit(target, edges, layout.donor, 6, p + 1 + gap, high, layout.near)
            edges = _emit(target, edges, layout.tts, 0, p + 1, high, layout.near)
        elif k not in (_TTS, _END):
            edges = _emit_introns(target, edges, layout, classes, k, p)
        if k in (_STOP, _TTS):
            target[edges] = len(kind) - 1
            edges += 1
        for edge in range(first[state], edges):
            reached[target[edge]] = True
    first[len(kind)] = edges
    return target[:edges]


@kernel
def _way_out(kind, p, sums):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Cumulative content of the segments that begin at a state, and their first base."""
    outside, five, coding, intron, three = sums
    if kind == _BEGIN:
        return outside, 0
    if kind == _TSS:
        return five, p
    if kind == _A5:
        return five, p + 1
    if kind == _START:
        return coding[p % 3], p
    if _A0 <= kind <= _A2TG:
        return coding[(p + 1 - _carried(kind)) % 3], p + 1
    if kind in (_STOP, _A3):
        return three, p + 1
    return intron, p


@kernel
def score_edges(  # type: ignore[no-untyped-def]  # pragma: no cover
    kind,
    position,
    first,
    target,
    entry,
    weight,
    no_five,
    no_three,
    sums_of,
    content,
    bases,
    score,
):
    """Content, bases and score of every edge. `sums_of` are the cumulative contents that `_way_out` picks from."""
    last = len(kind) - 1
    end = position.copy()  # of a segment that goes to a state
    for state in range(last):
        k = kind[state]
        if k in (_STOP, _TTS, _A5, _A3) or _A0 <= k <= _A2TG:
            end[state] += 1
    outside = sums_of[0]
    for state in range(last):
        k = kind[state]
        sums, begin = _way_out(k, position[state], sums_of)
        before = sums[begin]
        for edge in range(first[state], first[state + 1]):
            to = target[edge]
            if to == last:
                begin = position[state] + 1
                total = outside[end[to]] - outside[begin]
            else:
                total = sums[end[to]] - before
            content[edge], bases[edge] = total, end[to] - begin
            extra = 0.0
            if k == _BEGIN and kind[to] == _START:
                extra = no_five
            if k == _STOP and to == last:
                extra = no_three
            score[edge] = weight * total + entry[to] + extra


_DONOR_STATES = np.array([_D5, _D0, _D1, _D2, _DS1, _DS2, _D3])
_ACCEPTOR_STATES = np.array([_A5, _A0, _A1, _A1T, _A2, _A2TA, _A2TG, _A3])
_ONLY_TSS, _ONLY_START, _ONLY_STOP, _ONLY_TTS = (np.array([k]) for k in (_TSS, _START, _STOP, _TTS))


@kernel
def _mark_stops(codes, following, starts, acceptors, marked):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Mark the last base of every stop codon that some coding exon leads to."""
    for start in starts:
        stop, _ = _coding_stop(codes, following, start, 0, _START)
        if stop < _NEVER:
            marked[stop] = True
    for acceptor in acceptors:
        for kind in range(_A0, _A2TG + 1):
            stop, _ = _coding_stop(codes, following, acceptor + 1, _carried(kind), kind)
            if stop < _NEVER:
                marked[stop] = True


@kernel
def _stop_positions(codes, following, candidates):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Last base of every stop codon that some coding exon leads to."""
    marked = np.zeros(len(codes) + 3, dtype=np.bool_)
    _mark_stops(codes, following, candidates.start[candidates.split == 0], candidates.acceptor, marked)
    return np.flatnonzero(marked)


@kernel
def _site_list(sites, state, strong):  # type: ignore[no-untyped-def]  # pragma: no cover
    count = len(sites)
    following = np.full(count + 1, count, dtype=np.int64)
    for i in range(count - 1, -1, -1):
        following[i] = i if strong[sites[i]] else following[i + 1]
    return SiteList(sites, state, following)


@kernel
def _number(blocks, kinds, kind, position):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Fill kind and position of the states between BEGIN and END; gives the first state of every site of a block."""
    firsts = [np.empty(len(sites), dtype=np.int64) for sites in blocks]
    done = np.zeros(len(blocks), dtype=np.int64)
    state = 1
    while True:
        place = _NEVER
        for b in range(len(blocks)):
            if done[b] < len(blocks[b]):
                place = min(place, blocks[b][done[b]])
        if place == _NEVER:
            return firsts
        for b in range(len(blocks)):
            while done[b] < len(blocks[b]) and blocks[b][done[b]] == place:
                firsts[b][done[b]] = state
                done[b] += 1
                for k in kinds[b]:
                    kind[state], position[state] = k, place
                    state += 1


@kernel
def lay_out(codes, candidates, donor_pair, acceptor_pair, following, limits):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Number the states by (position, kind); all kinds of one donor or acceptor get neighbouring numbers.

    Args:
        codes: (L,).
        donor_pair, acceptor_pair, following: See `Layout`.
        limits: Its last five numbers.
    """
    length = len(codes)
    stops = _stop_positions(codes, following, candidates)
    blocks = (candidates.tss, candidates.start, candidates.donor, candidates.acceptor, stops, candidates.tts)
    kinds = (_ONLY_TSS, _ONLY_START, _DONOR_STATES, _ACCEPTOR_STATES, _ONLY_STOP, _ONLY_TTS)
    n = 2
    for b in range(len(blocks)):
        n += len(blocks[b]) * len(kinds[b])
    kind, position = np.empty(n, dtype=np.int64), np.empty(n, dtype=np.int64)
    kind[0], kind[-1], position[0], position[-1] = _BEGIN, _END, 0, length
    tss, start, donor, acceptor, stop, tts = _number(blocks, kinds, kind, position)
    split = np.zeros(n, dtype=np.int64)
    split[start] = candidates.split
    stop_state = np.full(length + 1, -1, dtype=np.int64)
    stop_state[stops] = stop
    strong = candidates.strong
    min_intron, max_intron, min_exon, max_utr_exon, near = limits
    return Layout(
        codes, following, donor_pair, acceptor_pair, kind, position, split, stop_state,
        _site_list(candidates.tss, tss, strong),
        _site_list(candidates.start, start, strong),
        _site_list(candidates.donor, donor, strong),
        _site_list(candidates.acceptor, acceptor, strong),
        _site_list(candidates.tts, tts, strong),
        min_intron, max_intron, min_exon, max_utr_exon, near,
    )  # fmt: skip
