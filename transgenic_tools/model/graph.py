"""The graph of all valid transcripts over the candidate sites of one window.

In: base codes, site logits, content log-probabilities. Out: `Graph`: states, edges with scores, and for every state the
log-sum of all ways to END (`beta`), so that `edge_score + beta[dst] - beta[src]` is the exact conditional probability
of an edge under the semi-Markov model (Sarawagi and Cohen 2004) whose path score is the sum of its edge scores.

A surprise: a state without a way to END is cut here, so a search can never run into a dead end.

Site score: `scale * logit + bias` of the state entered; segment score: `weight * sum(log p(content))`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numba
import numpy as np
import numpy.typing as npt

from transgenic_tools.model.config import GrammarConfig, ScoringConfig
from transgenic_tools.model.grammar import SITE_OF_KIND, Kind
from transgenic_tools.model.vocabulary import AC, AG, AT, GC, GT, Content, Site, dinucleotides, stop_codons

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

_NEVER = np.int64(1) << np.int64(60)
_BEGIN, _TSS, _D5, _A5, _START = (int(k) for k in (Kind.BEGIN, Kind.TSS, Kind.D5, Kind.A5, Kind.START))
_D0, _D1, _D2, _DS1, _DS2 = (int(k) for k in (Kind.D0, Kind.D1, Kind.D2, Kind.DS1, Kind.DS2))
_A0, _A1, _A1T, _A2, _A2TA, _A2TG = (int(k) for k in (Kind.A0, Kind.A1, Kind.A1T, Kind.A2, Kind.A2TA, Kind.A2TG))
_STOP, _D3, _A3, _TTS, _END = (int(k) for k in (Kind.STOP, Kind.D3, Kind.A3, Kind.TTS, Kind.END))


@dataclass(frozen=True)
class Candidates:
    """Candidate sites of a window, sorted; stops are found by the graph.

    Attributes:
        split: For each start, 0 for ATG, 1 for `A|TG` and 2 for `AT|G` before an intron.
    """

    tss: Ints
    start: Ints
    split: Ints
    donor: Ints
    acceptor: Ints
    tts: Ints


@dataclass(frozen=True)
class Graph:
    """States in topological order; state 0 is BEGIN and the last is END.

    Attributes:
        kind, position: (N,), position is the site's index in the window.
        logit: (N,) site logit of the state, 0 for BEGIN and END.
        first: (N + 1,), edges of state i are `first[i]:first[i + 1]`.
        target: (M,) state that an edge enters.
        score: (M,) edge score.
        content: (M,) sum of content log-probabilities along the segment.
        length: (M,) bases of the segment.
        beta: (N,) log-sum of scores of all paths to END; `-inf` never occurs.
    """

    kind: Ints
    position: Ints
    logit: Floats
    first: Ints
    target: Ints
    score: Floats
    content: Floats
    length: Ints
    beta: Floats

    @property
    def n_states(self) -> int:
        return len(self.kind)

    def log_probability(self) -> Floats:
        """Conditional log-probability of every edge given its source state. Shape (M,)."""
        source = np.repeat(np.arange(self.n_states), np.diff(self.first))
        return self.score + self.beta[self.target] - self.beta[source]


def _best(indices: Ints, scores: npt.NDArray[np.float32], most: int) -> Ints:
    """The `most` best of `indices`, in order of position; ties go to the left one."""
    if len(indices) <= most:
        return indices
    order = np.lexsort((indices, -scores[indices]))[:most]
    return np.sort(indices[order])


@numba.njit(cache=True, nogil=True)
def _local_maxima(values, reach):  # type: ignore[no-untyped-def]  # pragma: no cover (compiled)
    """Indices whose value is not below any other within `reach`."""
    found = np.empty(len(values), dtype=np.int64)
    count = 0
    for i in range(len(values)):
        highest = True
        for j in range(max(0, i - reach), min(len(values), i + reach + 1)):
            if values[j] > values[i]:
                highest = False
                break
        if highest:
            found[count] = i
            count += 1
    return found[:count]


def _peaks(logits: npt.NDArray[np.float32], *, reach: int, most: int) -> Ints:
    """Local maxima within `reach` bases, the best `most`."""
    return _best(_local_maxima(logits, reach), logits, most)


def _logit(probability: float) -> float:
    return math.log(probability / (1.0 - probability))


def choose_candidates(
    codes: npt.NDArray[np.uint8],
    sites: npt.NDArray[np.float32],
    config: GrammarConfig,
    *,
    forced: Sequence[tuple[Site, int]] = (),
    every_start: bool = False,
) -> Candidates:
    """Candidate sites of a window.

    Args:
        codes: (L,).
        sites: (N_SITES, L) logits.
        forced: Sites to keep whatever their score (of a prompt or of a training label).
        every_start: Keep every ATG: the fallback where the usual candidates leave no path.
    """
    length = len(codes)
    begins, ends = dinucleotides(codes)
    floor, strong = _logit(config.min_probability), _logit(config.noncanonical_probability)
    most = max(16, int(config.candidates_per_kb * length / 1000))
    donors = ((begins == GT) | (begins == GC)) & (sites[Site.DONOR] >= floor)
    donors |= (begins == AT) & (sites[Site.DONOR] >= strong)
    acceptors = (ends == AG) & (sites[Site.ACCEPTOR] >= floor)
    acceptors |= (ends == AC) & (sites[Site.ACCEPTOR] >= strong)
    atg = np.zeros(length, dtype=bool)
    atg[: max(0, length - 2)] = (codes[:-2] == 0) & (codes[1:-1] == 3) & (codes[2:] == 2)
    all_atg = np.flatnonzero(atg)
    likely = all_atg[sites[Site.START, all_atg] >= floor]
    starts = (
        all_atg
        if every_start
        else np.union1d(_best(likely, sites[Site.START], most), _best(all_atg, sites[Site.START], 8))
    )
    kept: dict[Site, Ints] = {
        Site.TSS: _peaks(sites[Site.TSS], reach=10, most=8 + 2 * length // 1000),
        Site.START: starts,
        Site.DONOR: _best(np.flatnonzero(donors), sites[Site.DONOR], most),
        Site.ACCEPTOR: _best(np.flatnonzero(acceptors), sites[Site.ACCEPTOR], most),
        Site.TTS: _peaks(sites[Site.TTS], reach=10, most=8 + 2 * length // 1000),
    }
    for site in kept:
        extra = [position for kind, position in forced if kind == site]
        kept[site] = np.union1d(kept[site], np.array(extra, dtype=np.int64)).astype(np.int64)
    split = np.zeros(len(kept[Site.START]), dtype=np.int64)
    splits = _split_starts(codes, sites, kept, strong, {p for kind, p in forced if kind == Site.START})
    for index, position in enumerate(kept[Site.START]):
        if not atg[position]:  # AT|GT reads as ATG in the genome, so such a place can be both and stays in `splits`
            split[index] = splits.pop(int(position), 0)
    extra_starts = np.array(sorted(splits), dtype=np.int64)
    start = np.concatenate([kept[Site.START], extra_starts])
    split = np.concatenate([split, np.array([splits[int(p)] for p in extra_starts], dtype=np.int64)])
    order = np.argsort(start, kind="stable")
    return Candidates(kept[Site.TSS], start[order], split[order], kept[Site.DONOR], kept[Site.ACCEPTOR], kept[Site.TTS])


def _split_starts(
    codes: npt.NDArray[np.uint8],
    sites: npt.NDArray[np.float32],
    kept: dict[Site, Ints],
    strong: float,
    forced: set[int],
) -> dict[int, int]:
    """Starts of `A|` or `AT|` right before a strong donor (or forced ones): position -> bases before the intron."""
    found: dict[int, int] = {}
    for donor in kept[Site.DONOR].tolist():
        for size in (1, 2):
            position = donor - size
            if position < 0 or codes[position] != 0 or (size == 2 and codes[position + 1] != 3):
                continue
            if position in forced or (sites[Site.DONOR, donor] >= strong and sites[Site.START, position] >= strong):
                found[position] = size
    return found


@numba.njit(cache=True, nogil=True)
def _next_stops(stops: npt.NDArray[np.bool_]) -> Ints:  # pragma: no cover (compiled)
    """For every base the first base of the next stop codon in its frame, at or after it."""
    length = len(stops)
    following = np.full(length + 3, _NEVER, dtype=np.int64)
    for i in range(length - 1, -1, -1):
        following[i] = i if stops[i] else following[i + 3]
    return following


@numba.njit(cache=True, nogil=True)
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


@numba.njit(cache=True, nogil=True)
def _carried(kind):  # type: ignore[no-untyped-def]  # pragma: no cover
    if kind in (_A1, _A1T):
        return 1
    if kind in (_A2, _A2TA, _A2TG):
        return 2
    return 0


@numba.njit(cache=True, nogil=True)
def _acceptor_kind(codes, donor_kind, donor, after):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Kind of the acceptor that a coding donor leads to, or -1 where a split start codon would be wrong."""
    length = len(codes)
    if donor_kind == _D0:
        return _A0
    if donor_kind == _D1:
        return _A1T if codes[donor - 1] == 3 else _A1
    if donor_kind == _D2:
        if codes[donor - 2] == 3 and codes[donor - 1] == 0:
            return _A2TA
        if codes[donor - 2] == 3 and codes[donor - 1] == 2:
            return _A2TG
        return _A2
    if donor_kind == _DS1:
        return _A1 if after + 1 < length and codes[after] == 3 and codes[after + 1] == 2 else -1
    return _A2 if after < length and codes[after] == 2 else -1


@numba.njit(cache=True, nogil=True)
def _emit(target, edges, fill, states, shift, sites, low, high, most):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Edges to `states[i] + shift` for the first `most` sites in [low, high); returns the new number of edges."""
    i = np.searchsorted(sites, low)
    while i < len(sites) and sites[i] < high and most > 0:
        if fill:
            target[edges] = states[i] + shift
        edges += 1
        most -= 1
        i += 1
    return edges


@numba.njit(cache=True, nogil=True)
def _emit_coding(  # type: ignore[no-untyped-def]  # pragma: no cover
    target, edges, fill, codes, following, kind, position, donors, donor_first, stop_state, min_exon
):
    """Edges of a coding exon: to donors before its only reachable stop, by frame, and to that stop."""
    after = position if kind == _START else position + 1
    carried = _carried(kind)
    stop, is_split = _coding_stop(codes, following, after, carried, kind)
    if not is_split:
        i = np.searchsorted(donors, after + (3 if kind == _START else min_exon))
        while i < len(donors) and donors[i] <= stop:
            if fill:
                target[edges] = donor_first[i] + 1 + (donors[i] - after + carried) % 3
            edges += 1
            i += 1
    if stop < _NEVER:
        if fill:
            target[edges] = stop_state[stop]
        edges += 1
    return edges


@numba.njit(cache=True, nogil=True)
def _landing(codes, kind, donor, after):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Which of the acceptor's states (in the order of _ACCEPTOR_STATES) a donor leads to, -1 for none."""
    if kind == _D5:
        return 0
    if kind == _D3:
        return 7
    coding = _acceptor_kind(codes, kind, donor, after)
    return coding - _A0 + 1 if coding >= 0 else -1


@numba.njit(cache=True, nogil=True)
def _emit_introns(  # type: ignore[no-untyped-def]  # pragma: no cover
    target,
    edges,
    fill,
    codes,
    donor_pair,
    acceptor_pair,
    kind,
    donor,
    acceptors,
    acceptor_first,
    shortest,
    longest,
    most,
):
    """Edges from a donor to the acceptors that end its intron; GT and GC go with AG, AT with AC."""
    i = np.searchsorted(acceptors, donor + shortest - 1)
    while i < len(acceptors) and most > 0 and acceptors[i] + 1 - donor <= longest:
        if (donor_pair[donor] == AT) == (acceptor_pair[acceptors[i]] == AC):
            to = _landing(codes, kind, donor, acceptors[i] + 1)
            if to >= 0:
                if fill:
                    target[edges] = acceptor_first[i] + to
                edges += 1
                most -= 1
        i += 1
    return edges


@numba.njit(cache=True, nogil=True)
def _walk(  # type: ignore[no-untyped-def]  # pragma: no cover
    codes,
    following,
    donor_pair,
    acceptor_pair,
    kind,
    position,
    split,
    donors,
    donor_first,
    acceptors,
    acceptor_first,
    starts,
    start_first,
    stop_state,
    tss,
    tss_states,
    tts,
    tts_states,
    end_state,
    min_intron,
    max_intron,
    min_exon,
    reach,
    first,
    target,
    fill,
):
    """Enumerate the edges of all states in order; counts into `first`, and fills `target` when `fill` is set.

    `donor_first[i]` is the first state of donors[i] in the order of _DONOR_STATES, likewise `acceptor_first`.
    """
    edges = 0
    for state in range(len(kind)):
        first[state] = edges
        k = kind[state]
        p = position[state]
        if k == _BEGIN:
            edges = _emit(target, edges, fill, tss_states, 0, tss, 0, _NEVER, _NEVER)
            edges = _emit(target, edges, fill, start_first, 0, starts, 0, _NEVER, _NEVER)
        elif k in (_TSS, _A5):
            after = p + 1 if k == _A5 else p
            gap = min_exon if k == _A5 else 1
            edges = _emit(target, edges, fill, donor_first, 0, donors, after + gap, _NEVER, reach)
            # a start at the TSS itself is the transcript without a 5' UTR, which BEGIN reaches
            edges = _emit(target, edges, fill, start_first, 0, starts, p + 1, _NEVER, reach)
        elif k == _START and split[state] > 0:
            place = p + split[state]
            edges = _emit(target, edges, fill, donor_first, 3 + split[state], donors, place, place + 1, 1)
        elif k == _START or _A0 <= k <= _A2TG:
            edges = _emit_coding(target, edges, fill, codes, following, k, p, donors, donor_first, stop_state, min_exon)
        elif k in (_STOP, _A3):
            gap = 0 if k == _STOP else min_exon
            edges = _emit(target, edges, fill, donor_first, 6, donors, p + 1 + gap, _NEVER, reach)
            edges = _emit(target, edges, fill, tts_states, 0, tts, p + 1, _NEVER, _NEVER)
        elif k not in (_TTS, _END):
            edges = _emit_introns(
                target,
                edges,
                fill,
                codes,
                donor_pair,
                acceptor_pair,
                k,
                p,
                acceptors,
                acceptor_first,
                min_intron,
                max_intron,
                reach,
            )
        if k in (_STOP, _TTS):
            if fill:
                target[edges] = end_state
            edges += 1
    first[len(kind)] = edges
    return edges


@numba.njit(cache=True, nogil=True)
def _segment(kind, p, to_kind, q, length, outside, five, coding, intron, three):  # type: ignore[no-untyped-def]  # pragma: no cover
    """(sum of content log-probabilities, bases) of the segment between two states. Arrays are cumulative, (L + 1,)."""
    if kind == _BEGIN:
        return outside[q] - outside[0], q
    if to_kind == _END:
        return outside[length] - outside[p + 1], length - p - 1
    end = q + 1 if (to_kind in (_STOP, _TTS, _A5, _A3) or _A0 <= to_kind <= _A2TG) else q
    if kind == _TSS:
        return five[end] - five[p], end - p
    if kind == _A5:
        return five[end] - five[p + 1], end - p - 1
    if kind == _START:
        frame = p % 3
        return coding[frame, end] - coding[frame, p], end - p
    if _A0 <= kind <= _A2TG:
        frame = (p + 1 - _carried(kind)) % 3
        return coding[frame, end] - coding[frame, p + 1], end - p - 1
    if kind in (_STOP, _A3):
        return three[end] - three[p + 1], end - p - 1
    return intron[end] - intron[p], end - p


@numba.njit(cache=True, nogil=True)
def _score_edges(  # type: ignore[no-untyped-def]  # pragma: no cover
    kind,
    position,
    first,
    target,
    entry,
    weight,
    no_five,
    no_three,
    length,
    outside,
    five,
    coding,
    intron,
    three,
    content,
    bases,
    score,
):
    for state in range(len(kind)):
        for edge in range(first[state], first[state + 1]):
            to = target[edge]
            sums, size = _segment(
                kind[state], position[state], kind[to], position[to], length, outside, five, coding, intron, three
            )
            content[edge], bases[edge] = sums, size
            extra = 0.0
            if kind[state] == _BEGIN and kind[to] == _START:
                extra = no_five
            if kind[state] == _STOP and kind[to] == _END:
                extra = no_three
            score[edge] = weight * sums + entry[to] + extra


@numba.njit(cache=True, nogil=True)
def backward(first, target, score):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Log-sum of path scores to the last state."""
    n = len(first) - 1
    beta = np.full(n, -np.inf)
    beta[n - 1] = 0.0
    for state in range(n - 2, -1, -1):
        best = -np.inf
        for edge in range(first[state], first[state + 1]):
            best = max(best, score[edge] + beta[target[edge]])
        if best == -np.inf:
            continue
        total = 0.0
        for edge in range(first[state], first[state + 1]):
            total += np.exp(score[edge] + beta[target[edge]] - best)
        beta[state] = best + np.log(total)
    return beta


@numba.njit(cache=True, nogil=True)
def _reachable(first, target, beta):  # type: ignore[no-untyped-def]  # pragma: no cover
    """States with a way from BEGIN and to END."""
    n = len(first) - 1
    seen = np.zeros(n, dtype=np.bool_)
    seen[0] = beta[0] > -np.inf
    for state in range(n):
        if seen[state]:
            for edge in range(first[state], first[state + 1]):
                if beta[target[edge]] > -np.inf:
                    seen[target[edge]] = True
    return seen


@numba.njit(cache=True, nogil=True)
def best_path(first, target, score):  # type: ignore[no-untyped-def]  # pragma: no cover
    """States of the path with the highest score (Viterbi 1967); ties go to the first edge."""
    n = len(first) - 1
    best = np.full(n, -np.inf)
    choice = np.full(n, -1, dtype=np.int64)
    best[n - 1] = 0.0
    for state in range(n - 2, -1, -1):
        for edge in range(first[state], first[state + 1]):
            value = score[edge] + best[target[edge]]
            if value > best[state]:
                best[state], choice[state] = value, target[edge]
    path = [0]
    while path[-1] != n - 1:
        path.append(choice[path[-1]])
    return np.array(path)


def _cumulative(values: npt.NDArray[np.float32]) -> Floats:
    return np.concatenate([[0.0], np.cumsum(values, dtype=np.float64)])


def _cumulative_coding(contents: npt.NDArray[np.float32]) -> Floats:
    """(3, L + 1): row f sums the log-probability of the codon position that base i has when a codon starts at f."""
    length = contents.shape[1]
    index = np.arange(length)
    rows = [contents[Content.CODING_1 + (index - frame) % 3, index] for frame in range(3)]
    return np.stack([_cumulative(row) for row in rows])


_DONOR_STATES = np.array([_D5, _D0, _D1, _D2, _DS1, _DS2, _D3])
_ACCEPTOR_STATES = np.array([_A5, _A0, _A1, _A1T, _A2, _A2TA, _A2TG, _A3])


@dataclass(frozen=True)
class _States:
    kind: Ints
    position: Ints
    split: Ints
    donor_first: Ints
    acceptor_first: Ints
    start_first: Ints
    stop_state: Ints
    tss: Ints
    tts: Ints


@numba.njit(cache=True, nogil=True)
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


def _stop_positions(codes: npt.NDArray[np.uint8], following: Ints, candidates: Candidates) -> Ints:
    """Last base of every stop codon that some coding exon leads to."""
    marked = np.zeros(len(codes) + 3, dtype=np.bool_)
    _mark_stops(codes, following, candidates.start[candidates.split == 0], candidates.acceptor, marked)
    return np.flatnonzero(marked)


def _number_states(candidates: Candidates, stops: Ints, length: int) -> _States:
    """Number states by (position, kind); all kinds of one donor or acceptor get neighbouring numbers."""
    blocks = [
        (candidates.tss, np.array([_TSS])),
        (candidates.start, np.array([_START])),
        (candidates.donor, _DONOR_STATES),
        (candidates.acceptor, _ACCEPTOR_STATES),
        (stops, np.array([_STOP])),
        (candidates.tts, np.array([_TTS])),
    ]
    position = np.concatenate([np.repeat(sites, len(kinds)) for sites, kinds in blocks])
    kind = np.concatenate([np.tile(kinds, len(sites)) for sites, kinds in blocks])
    rank = np.concatenate([np.full(len(sites) * len(kinds), i) for i, (sites, kinds) in enumerate(blocks)])
    order = np.lexsort((kind, rank, position))
    number = np.empty(len(order), dtype=np.int64)
    number[order] = np.arange(len(order)) + 1
    starts = np.cumsum([0] + [len(sites) * len(kinds) for sites, kinds in blocks])
    parts = [number[starts[i] : starts[i + 1]] for i in range(len(blocks))]
    n = len(order) + 2
    all_kind = np.empty(n, dtype=np.int64)
    all_position = np.empty(n, dtype=np.int64)
    all_kind[0], all_kind[-1], all_position[0], all_position[-1] = _BEGIN, _END, 0, length
    all_kind[1:-1], all_position[1:-1] = kind[order], position[order]
    split = np.zeros(n, dtype=np.int64)
    split[parts[1]] = candidates.split
    stop_state = np.full(length + 1, -1, dtype=np.int64)
    stop_state[stops] = parts[4]
    return _States(
        all_kind,
        all_position,
        split,
        parts[2][:: len(_DONOR_STATES)],
        parts[3][:: len(_ACCEPTOR_STATES)],
        parts[1],
        stop_state,
        parts[0],
        parts[5],
    )


def _entry_scores(states: _States, sites: npt.NDArray[np.float32], scoring: ScoringConfig) -> tuple[Floats, Floats]:
    """(site logit, `scale * logit + bias`) of every state."""
    site = np.array(SITE_OF_KIND)[states.kind]
    inner = site >= 0
    logit = np.zeros(len(site))
    logit[inner] = sites[site[inner], states.position[inner]]
    scale, bias = np.array(scoring.site_scale), np.array(scoring.site_bias)
    entry = np.zeros(len(site))
    entry[inner] = scale[site[inner]] * logit[inner] + bias[site[inner]]
    return logit, entry


def build_graph(
    codes: npt.NDArray[np.uint8],
    sites: npt.NDArray[np.float32],
    contents: npt.NDArray[np.float32],
    *,
    grammar: GrammarConfig,
    scoring: ScoringConfig,
    candidates: Candidates,
    reach: int = 256,
) -> Graph | None:
    """The graph of a window, or None where not even one valid transcript exists.

    Args:
        codes: (L,) base codes.
        sites: (N_SITES, L) logits.
        contents: (N_CONTENTS, L) log-probabilities.
        reach: Most sites of one type looked at behind a state (bounds time in very long windows).
    """
    length = len(codes)
    begins, ends = dinucleotides(codes)
    following = _next_stops(stop_codons(codes))
    states = _number_states(candidates, _stop_positions(codes, following, candidates), length)
    n = len(states.kind)
    arguments = (
        codes,
        following,
        begins,
        ends,
        states.kind,
        states.position,
        states.split,
        candidates.donor,
        states.donor_first,
        candidates.acceptor,
        states.acceptor_first,
        candidates.start,
        states.start_first,
        states.stop_state,
        candidates.tss,
        states.tss,
        candidates.tts,
        states.tts,
        n - 1,
        grammar.min_intron,
        grammar.max_intron,
        grammar.min_exon,
        reach,
    )
    first = np.zeros(n + 1, dtype=np.int64)
    edges = _walk(*arguments, first, np.zeros(0, dtype=np.int64), False)
    target = np.zeros(edges, dtype=np.int64)
    _walk(*arguments, first, target, True)
    logit, entry = _entry_scores(states, sites, scoring)
    content, score = np.zeros(edges), np.zeros(edges)
    bases = np.zeros(edges, dtype=np.int64)
    _score_edges(
        states.kind,
        states.position,
        first,
        target,
        entry,
        scoring.content_weight,
        scoring.no_five_prime_utr,
        scoring.no_three_prime_utr,
        length,
        _cumulative(contents[Content.OUTSIDE]),
        _cumulative(contents[Content.FIVE_PRIME_UTR]),
        _cumulative_coding(contents),
        _cumulative(contents[Content.INTRON]),
        _cumulative(contents[Content.THREE_PRIME_UTR]),
        content,
        bases,
        score,
    )
    beta = backward(first, target, score)
    if beta[0] == -np.inf:
        return None
    return _prune(Graph(states.kind, states.position, logit, first, target, score, content, bases, beta))


def _prune(graph: Graph) -> Graph:
    """Only states that lie on some whole path, and the edges between them."""
    keep = _reachable(graph.first, graph.target, graph.beta)
    source = np.repeat(np.arange(graph.n_states), np.diff(graph.first))
    kept = keep[source] & keep[graph.target]
    renumber = np.cumsum(keep) - 1
    counts = np.bincount(renumber[source[kept]], minlength=int(keep.sum()))
    return Graph(
        graph.kind[keep],
        graph.position[keep],
        graph.logit[keep],
        np.concatenate([[0], np.cumsum(counts)]),
        renumber[graph.target[kept]],
        graph.score[kept],
        graph.content[kept],
        graph.length[kept],
        graph.beta[keep],
    )
