"""States and edges of the graph of valid transcripts, compiled.

In: base codes, `Candidates` and a genetic code. Out: states in topological order and the edges between them.
A surprise: which stop codon ends a coding exon, and which donors lie before it, follows from the frame alone; so no
edge ever crosses an in-frame stop, also where an intron splits the codon.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from transgenic_tools.genome.code import Signals
from transgenic_tools.genome.sequence import UNKNOWN_CODE, encode
from transgenic_tools.kernels import kernel
from transgenic_tools.lattice.grammar import Kind

Ints = npt.NDArray[np.int64]

_NEVER = np.int64(1) << np.int64(60)
_BEGIN, _TSS, _D5, _A5, _START = (int(k) for k in (Kind.BEGIN, Kind.TSS, Kind.D5, Kind.A5, Kind.START))
_D0, _D1, _D2, _DS1, _DS2 = (int(k) for k in (Kind.D0, Kind.D1, Kind.D2, Kind.DS1, Kind.DS2))
_A0, _A1, _A1T, _A2, _A2TA, _A2TG = (int(k) for k in (Kind.A0, Kind.A1, Kind.A1T, Kind.A2, Kind.A2TA, Kind.A2TG))
_A, _G, _T = (int(code) for code in encode("AGT"))
_STOP, _D3, _A3, _TTS, _END = (int(k) for k in (Kind.STOP, Kind.D3, Kind.A3, Kind.TTS, Kind.END))


@kernel
def _is_codon(table, first, second, third):  # type: ignore[no-untyped-def]  # pragma: no cover (compiled)
    """True where three base codes are a codon of a table (64,); none with an unknown base is."""
    known = first < UNKNOWN_CODE and second < UNKNOWN_CODE and third < UNKNOWN_CODE
    return known and table[16 * first + 4 * second + third]


@kernel
def _next_stops(codes, stop):  # type: ignore[no-untyped-def]  # pragma: no cover (compiled)
    """For every base the first base of the next stop codon in its frame, at or after it."""
    length = len(codes)
    following = np.full(length + 3, _NEVER, dtype=np.int64)
    for i in range(length - 3, -1, -1):
        following[i] = i if _is_codon(stop, codes[i], codes[i + 1], codes[i + 2]) else following[i + 3]
    return following


@kernel
def _coding_stop(codes, stop, following, start, carried, kind):  # type: ignore[no-untyped-def]  # pragma: no cover
    """(last base of the only reachable stop, True where it is a split codon) of a coding exon from `start`."""
    length = len(codes)
    if kind == _A1T and start + 1 < length and _is_codon(stop, _T, codes[start], codes[start + 1]):
        return start + 1, True
    if kind == _A2TA and start < length and _is_codon(stop, _T, _A, codes[start]):
        return start, True
    if kind == _A2TG and start < length and _is_codon(stop, _T, _G, codes[start]):
        return start, True
    codon = start + (3 - carried) % 3
    if codon >= length:
        return _NEVER, False
    first = following[codon]
    return (first + 2 if first < _NEVER else _NEVER), False


@kernel
def carried_bases(kind):  # type: ignore[no-untyped-def]  # pragma: no cover
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
    if kind == _D1 and codes[donor - 1] == _T:
        return _A1T - _A0 + 1
    if kind == _D2 and codes[donor - 2] == _T and codes[donor - 1] == _A:
        return _A2TA - _A0 + 1
    if kind == _D2 and codes[donor - 2] == _T and codes[donor - 1] == _G:
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


class Limits(NamedTuple):
    """Lengths that edges keep to, see `GrammarConfig`.

    Attributes:
        near: So many nearest candidates of a type are looked at behind a state, and as many strong ones beyond them.
    """

    min_intron: int
    max_intron: int
    min_exon: int
    max_utr_exon: int
    near: int


class Layout(NamedTuple):
    """What the edges of a window follow from.

    Attributes:
        codes: (L,) base codes.
        signals: Of the genetic code.
        following: (L + 3,) first base of the next stop codon in frame.
        donor_pair, acceptor_pair: (L,) dinucleotides that begin and end at a base.
        kind, position: (N,) of the states.
        split: (N,) bases of a split start codon before its intron, else 0.
        stop_state: (L + 1,) state of the stop codon that ends at a base, -1 for none.
        limits: Lengths that edges keep to.
    """

    codes: npt.NDArray[np.uint8]
    signals: Signals
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
    limits: Limits


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
    carried = carried_bases(kind)
    stop, is_split = _coding_stop(layout.codes, layout.signals.stop, layout.following, after, carried, kind)
    if not is_split:
        donors, states = layout.donor.position, layout.donor.state
        i = np.searchsorted(donors, after + (3 if kind == _START else layout.limits.min_exon))
        while i < len(donors) and donors[i] <= stop:
            target[edges] = states[i] + 1 + (donors[i] - after + carried) % 3
            edges += 1
            i += 1
    if stop < _NEVER:
        target[edges] = layout.stop_state[stop]
        edges += 1
    return edges


@kernel
def _completes_start(layout, kind, donor, acceptor):  # type: ignore[no-untyped-def]  # pragma: no cover
    """True where the bases before a donor inside a split start codon and those behind an acceptor make one."""
    codes, start, after = layout.codes, layout.signals.start, acceptor + 1
    if kind == _DS1:
        return after + 1 < len(codes) and _is_codon(start, codes[donor - 1], codes[after], codes[after + 1])
    return after < len(codes) and _is_codon(start, codes[donor - 2], codes[donor - 1], codes[after])


@kernel(inline="always")
def _emit_introns(target, edges, layout, acceptor_bits, kind, donor):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Edges from a donor to the acceptors that may end its intron."""
    sites = layout.acceptor
    position, states, following = sites.position, sites.state, sites.next_strong
    count, high = len(position), donor + layout.limits.max_intron
    in_start = kind in (_DS1, _DS2)
    ends = layout.signals.ends[layout.donor_pair[donor]]
    shift = _landing(layout.codes, kind, donor)
    i = np.searchsorted(position, donor + layout.limits.min_intron - 1)
    close = far = layout.limits.near
    while i < count and far > 0:
        if close == 0:
            i = following[i]
        if i >= count or position[i] >= high:
            break
        if acceptor_bits[i] & ends and (not in_start or _completes_start(layout, kind, donor, position[i])):
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
    acceptor_bits = layout.signals.acceptor_bit[layout.acceptor_pair[layout.acceptor.position]]
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
            gap = layout.limits.min_exon if k == _A5 else 1
            high = after + layout.limits.max_utr_exon
            edges = _emit(target, edges, layout.donor, 0, after + gap, high, layout.limits.near)
            # a start at the TSS itself is the transcript without a 5' UTR, which BEGIN reaches
            edges = _emit(target, edges, layout.start, 0, p + 1, high, layout.limits.near)
        elif k == _START and layout.split[state] > 0:
            place = p + layout.split[state]
            edges = _emit(target, edges, layout.donor, 3 + layout.split[state], place, place + 1, 1)
        elif k == _START or _A0 <= k <= _A2TG:
            edges = _emit_coding(target, edges, layout, k, p)
        elif k in (_STOP, _A3):
            gap = 0 if k == _STOP else layout.limits.min_exon
            high = p + 1 + layout.limits.max_utr_exon
            edges = _emit(target, edges, layout.donor, 6, p + 1 + gap, high, layout.limits.near)
            edges = _emit(target, edges, layout.tts, 0, p + 1, high, layout.limits.near)
        elif k not in (_TTS, _END):
            edges = _emit_introns(target, edges, layout, acceptor_bits, k, p)
        if k in (_STOP, _TTS):
            target[edges] = len(kind) - 1
            edges += 1
        for edge in range(first[state], edges):
            reached[target[edge]] = True
    first[len(kind)] = edges
    return target[:edges]


_DONOR_STATES = np.array([_D5, _D0, _D1, _D2, _DS1, _DS2, _D3])
_ACCEPTOR_STATES = np.array([_A5, _A0, _A1, _A1T, _A2, _A2TA, _A2TG, _A3])
_ONLY_TSS, _ONLY_START, _ONLY_STOP, _ONLY_TTS = (np.array([k]) for k in (_TSS, _START, _STOP, _TTS))


@kernel
def _mark_stops(codes, stop_codons, following, starts, acceptors, marked):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Mark the last base of every stop codon that some coding exon leads to."""
    for start in starts:
        stop, _ = _coding_stop(codes, stop_codons, following, start, 0, _START)
        if stop < _NEVER:
            marked[stop] = True
    for acceptor in acceptors:
        for kind in range(_A0, _A2TG + 1):
            stop, _ = _coding_stop(codes, stop_codons, following, acceptor + 1, carried_bases(kind), kind)
            if stop < _NEVER:
                marked[stop] = True


@kernel
def _stop_positions(codes, stop_codons, following, candidates):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Last base of every stop codon that some coding exon leads to."""
    marked = np.zeros(len(codes) + 3, dtype=np.bool_)
    _mark_stops(codes, stop_codons, following, candidates.start[candidates.split == 0], candidates.acceptor, marked)
    return np.flatnonzero(marked)


@kernel
def stop_places(codes, stop_codons, candidates):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Last base of every stop codon that the graph has: those that some coding exon leads to."""
    return _stop_positions(codes, stop_codons, _next_stops(codes, stop_codons), candidates)


@kernel
def _site_list(sites, state, strong):  # type: ignore[no-untyped-def]  # pragma: no cover
    count = len(sites)
    following = np.full(count + 1, count, dtype=np.int64)
    for i in range(count - 1, -1, -1):
        following[i] = i if strong[sites[i]] else following[i + 1]
    return SiteList(position=sites, state=state, next_strong=following)


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
def lay_out(codes, candidates, donor_pair, acceptor_pair, signals, limits):  # type: ignore[no-untyped-def]  # pragma: no cover
    """The `Layout`: states numbered by (position, kind); all kinds of one donor or acceptor are neighbours."""
    length = len(codes)
    following = _next_stops(codes, signals.stop)
    stops = _stop_positions(codes, signals.stop, following, candidates)
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
    return Layout(
        codes=codes,
        signals=signals,
        following=following,
        donor_pair=donor_pair,
        acceptor_pair=acceptor_pair,
        kind=kind,
        position=position,
        split=split,
        stop_state=stop_state,
        tss=_site_list(candidates.tss, tss, strong),
        start=_site_list(candidates.start, start, strong),
        donor=_site_list(candidates.donor, donor, strong),
        acceptor=_site_list(candidates.acceptor, acceptor, strong),
        tts=_site_list(candidates.tts, tts, strong),
        limits=limits,
    )
