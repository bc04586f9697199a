"""Where genes lie on one strand: a small model of segments, base by base.

In: site logits and content log-probabilities of a stretch, 5' to 3' on the strand. Out: the best path of states, and
the log-sum of all paths.
Dims: L bases, T transitions, W weights.
A surprise: it knows the reading frame of contiguous codons but neither lengths nor codons that an intron splits: it
says where a gene is, the lattice says what it is. A stretch may begin and end in any state, since contigs do.

States: outside; exon and intron of each UTR; coding bases by codon position; introns by the position before them.
The path score is linear in `ScoringConfig`, whose site and UTR weights mean what they mean in the lattice (a linear
chain of conditional random fields, Lafferty et al. 2001).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
import numpy.typing as npt

from transgenic_tools.genome.code import STANDARD, GeneticCode
from transgenic_tools.kernels import kernel
from transgenic_tools.lattice.config import ScoringConfig
from transgenic_tools.lattice.scoring import CONTENT, N_WEIGHTS, NO_FIVE, NO_THREE, pack_weights
from transgenic_tools.lattice.vocabulary import N_SITES, Content, Site, allowed_sites

Floats = npt.NDArray[np.float64]
States = npt.NDArray[np.uint8]


class State(IntEnum):
    """What a base is on one strand."""

    OUTSIDE = 0
    FIVE = 1
    FIVE_INTRON = 2
    CODING_1 = 3
    CODING_2 = 4
    CODING_3 = 5
    INTRON_1 = 6
    INTRON_2 = 7
    INTRON_3 = 8
    THREE = 9
    THREE_INTRON = 10


N_STATES = len(State)
#: What the network calls a base of each state.
CONTENT_OF_STATE = np.array(
    [
        Content.OUTSIDE,
        Content.FIVE_PRIME_UTR,
        Content.INTRON,
        Content.CODING_1,
        Content.CODING_2,
        Content.CODING_3,
        Content.INTRON,
        Content.INTRON,
        Content.INTRON,
        Content.THREE_PRIME_UTR,
        Content.INTRON,
    ]
)
#: Bits of what the sequence allows between a base and the one before it.
_ATG, _DONOR, _ACCEPTOR, _STOP, _NO_STOP, _ALWAYS = 1, 2, 4, 8, 16, 0
_NONE = -1


@dataclass(frozen=True, slots=True)
class _Transition:
    """From one state to another at a base; `behind` sites end at the base before it."""

    source: State
    target: State
    gate: int = _ALWAYS
    site: int = _NONE
    behind: bool = False
    utr: int = _NONE


def _introns(exon: State, intron: State, following: State, gate: int = 0) -> tuple[_Transition, ...]:
    return (
        _Transition(exon, intron, _DONOR | gate, Site.DONOR),
        _Transition(intron, intron),
        _Transition(intron, following, _ACCEPTOR, Site.ACCEPTOR, behind=True),
    )


TRANSITIONS = (
    _Transition(State.OUTSIDE, State.OUTSIDE),
    _Transition(State.OUTSIDE, State.FIVE, site=Site.TSS),
    _Transition(State.FIVE, State.FIVE),
    *_introns(State.FIVE, State.FIVE_INTRON, State.FIVE),
    _Transition(State.FIVE, State.CODING_1, _ATG, Site.START),
    _Transition(State.OUTSIDE, State.CODING_1, _ATG, Site.START, utr=NO_FIVE),
    _Transition(State.CODING_1, State.CODING_2),
    _Transition(State.CODING_2, State.CODING_3),
    _Transition(State.CODING_3, State.CODING_1, _NO_STOP),
    *_introns(State.CODING_1, State.INTRON_1, State.CODING_2),
    *_introns(State.CODING_2, State.INTRON_2, State.CODING_3),
    *_introns(State.CODING_3, State.INTRON_3, State.CODING_1, _NO_STOP),
    _Transition(State.CODING_3, State.THREE, _STOP, Site.STOP, behind=True),
    _Transition(State.CODING_3, State.OUTSIDE, _STOP, Site.STOP, behind=True, utr=NO_THREE),
    _Transition(State.THREE, State.THREE),
    *_introns(State.THREE, State.THREE_INTRON, State.THREE),
    _Transition(State.THREE, State.OUTSIDE, site=Site.TTS, behind=True),
)
_SOURCE, _TARGET, _SITE, _BEHIND, _UTR = (
    np.array([int(getattr(t, name)) for t in TRANSITIONS]) for name in ("source", "target", "site", "behind", "utr")
)
#: Transitions that the sequence allows, for each combination of its bits, and how many they are.
_OPEN = np.zeros((32, len(TRANSITIONS)), dtype=np.int64)
_N_OPEN = np.zeros(32, dtype=np.int64)
for _bits in range(32):
    _allowed = [number for number, t in enumerate(TRANSITIONS) if _bits & t.gate == t.gate]
    _OPEN[_bits, : len(_allowed)], _N_OPEN[_bits] = _allowed, len(_allowed)
#: Log-probabilities below it add nothing.
_NEGLIGIBLE = -30.0
#: Score of beginning or ending inside a gene: such genes are cut by the end of a contig.
CUT = -4.0


@dataclass(frozen=True, kw_only=True)
class Stretch:
    """One strand of a stretch of sequence, 5' to 3'.

    Attributes:
        sites: (N_SITES, L) float32 logits.
        contents: (N_CONTENTS, L) float32 log-probabilities.
        gates: (L,) uint8, what the sequence allows before each base.
        closed: (L,) bool, True where no gene may lie (long runs of unknown bases).
    """

    sites: npt.NDArray[np.float32]
    contents: npt.NDArray[np.float32]
    gates: npt.NDArray[np.uint8]
    closed: npt.NDArray[np.bool_]

    def part(self, bases: slice) -> Stretch:
        """Some bases of it, as views."""
        return Stretch(
            sites=self.sites[:, bases], contents=self.contents[:, bases], gates=self.gates[bases],
            closed=self.closed[bases],
        )  # fmt: skip


def gene_runs(path: States) -> list[tuple[int, int]]:
    """Maximal runs `[start, end)` of a path (L,) that lie inside a gene."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], path != State.OUTSIDE, [False]]).astype(np.int8)))
    return [(start, end) for start, end in edges.reshape(-1, 2).tolist()]


def coding_places(path: States) -> npt.NDArray[np.int64]:
    """Where the states of a path (L,) are coding ones."""
    return np.flatnonzero((path >= State.CODING_1) & (path <= State.CODING_3))


def gates_of(codes: npt.NDArray[np.uint8], genetic_code: GeneticCode = STANDARD) -> npt.NDArray[np.uint8]:
    """Bits of what may happen between each base and the one before it. Shape (L,)."""
    allowed = allowed_sites(codes, genetic_code)
    acceptor, stop = np.zeros((2, len(codes)), dtype=bool)
    acceptor[1:], stop[1:] = allowed[Site.ACCEPTOR][:-1], allowed[Site.STOP][:-1]
    gates = np.zeros(len(codes), dtype=np.uint8)
    for bit, where in (
        (_DONOR, allowed[Site.DONOR]), (_ACCEPTOR, acceptor), (_ATG, allowed[Site.START]), (_STOP, stop),
        (_NO_STOP, ~stop),
    ):  # fmt: skip
        gates[where] |= bit
    return gates


def closed_runs(codes: npt.NDArray[np.uint8], longest: int) -> npt.NDArray[np.bool_]:
    """True inside runs of at least `longest` unknown bases. Shape (L,)."""
    unknown = np.concatenate([[False], codes >= 4, [False]])
    edges = np.flatnonzero(unknown[1:] != unknown[:-1])
    closed = np.zeros(len(codes), dtype=np.bool_)
    for start, end in edges.reshape(-1, 2):
        if end - start >= longest:
            closed[start:end] = True
    return closed


@kernel
def _beside_sites(weights):  # type: ignore[no-untyped-def]  # pragma: no cover (compiled)
    """(T,) what each transition scores beside the logit of its site: the same at every base."""
    beside = np.zeros(len(_SITE))
    for t in range(len(_SITE)):
        if _SITE[t] >= 0:
            beside[t] = weights[N_SITES + _SITE[t]] + (weights[_UTR[t]] if _UTR[t] >= 0 else 0.0)
    return beside


@kernel(inline="always")
def _between(t, i, sites, weights, beside):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Score of a transition into base i; `beside` is `_beside_sites`, which makes the best path 3 times as fast."""
    return weights[_SITE[t]] * sites[_SITE[t], i - _BEHIND[t]] + beside[t] if _SITE[t] >= 0 else 0.0


@kernel
def _emission(state, i, contents, closed, weights):  # type: ignore[no-untyped-def]  # pragma: no cover
    if closed[i] and state > 0:
        return -np.inf
    return weights[CONTENT] * contents[CONTENT_OF_STATE[state], i]


@kernel
def _best_path(sites, contents, gates, closed, weights):  # type: ignore[no-untyped-def]  # pragma: no cover
    """States (L,) of the best path (Viterbi 1967); ties go to the transition listed first."""
    length, beside = contents.shape[1], _beside_sites(weights)
    best, following = np.empty(N_STATES), np.empty(N_STATES)
    choice = np.zeros((length, N_STATES), dtype=np.uint8)
    for s in range(N_STATES):
        best[s] = (CUT if s else 0.0) + _emission(s, 0, contents, closed, weights)
    for i in range(1, length):
        following[:] = -np.inf
        for t in _OPEN[gates[i], : _N_OPEN[gates[i]]]:
            value = best[_SOURCE[t]] + _between(t, i, sites, weights, beside)
            if value > following[_TARGET[t]]:
                following[_TARGET[t]] = value
                choice[i, _TARGET[t]] = _SOURCE[t]
        for s in range(N_STATES):
            best[s] = following[s] + _emission(s, i, contents, closed, weights)
    path = np.empty(length, dtype=np.uint8)
    for s in range(1, N_STATES):
        best[s] += CUT
    path[length - 1] = np.argmax(best)
    for i in range(length - 1, 0, -1):
        path[i - 1] = choice[i, path[i]]
    return path


@kernel(inline="always")
def _add(value, state, top, total):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Add exp(value - top) to a state's sum; mostly one way alone leads to a state, which needs no exponential."""
    if value == top[state]:
        if value > -np.inf:
            total[state] += 1.0
    elif value > top[state] - 40.0:
        total[state] += np.exp(value - top[state])


@kernel(inline="always")
def _log_of(top, total):  # type: ignore[no-untyped-def]  # pragma: no cover
    return top if total == 1.0 or top == -np.inf else top + np.log(total)


@kernel
def _forward(sites, contents, gates, closed, weights):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Log-sums (L, N_STATES) of all ways to be in a state at a base, that base included; and of all whole paths."""
    length, beside = contents.shape[1], _beside_sites(weights)
    alpha = np.empty((length, N_STATES))
    top, total = np.empty(N_STATES), np.empty(N_STATES)
    values = np.empty(len(_SOURCE))
    for s in range(N_STATES):
        alpha[0, s] = (CUT if s else 0.0) + _emission(s, 0, contents, closed, weights)
    for i in range(1, length):
        top[:] = -np.inf
        total[:] = 0.0
        allowed = _OPEN[gates[i], : _N_OPEN[gates[i]]]
        for t in allowed:
            values[t] = alpha[i - 1, _SOURCE[t]] + _between(t, i, sites, weights, beside)
            top[_TARGET[t]] = max(top[_TARGET[t]], values[t])
        for t in allowed:
            _add(values[t], _TARGET[t], top, total)
        for s in range(N_STATES):
            alpha[i, s] = _log_of(top[s], total[s]) + _emission(s, i, contents, closed, weights)
    highest = alpha[length - 1, 0]
    for s in range(1, N_STATES):
        highest = max(highest, alpha[length - 1, s] + CUT)
    whole = np.exp(alpha[length - 1, 0] - highest)
    for s in range(1, N_STATES):
        whole += np.exp(alpha[length - 1, s] + CUT - highest)
    return alpha, highest + np.log(whole)


@kernel
def _backward(sites, contents, gates, closed, weights):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Log-sums (L, N_STATES) of all ways on from a state at a base, that base left out."""
    length, beside = contents.shape[1], _beside_sites(weights)
    beta = np.empty((length, N_STATES))
    top, total = np.empty(N_STATES), np.empty(N_STATES)
    values, ahead = np.empty(len(_SOURCE)), np.empty(N_STATES)
    for s in range(N_STATES):
        beta[length - 1, s] = CUT if s else 0.0
    for i in range(length - 1, 0, -1):
        top[:] = -np.inf
        total[:] = 0.0
        for s in range(N_STATES):
            ahead[s] = beta[i, s] + _emission(s, i, contents, closed, weights)
        allowed = _OPEN[gates[i], : _N_OPEN[gates[i]]]
        for t in allowed:
            values[t] = ahead[_TARGET[t]] + _between(t, i, sites, weights, beside)
            top[_SOURCE[t]] = max(top[_SOURCE[t]], values[t])
        for t in allowed:
            _add(values[t], _SOURCE[t], top, total)
        for s in range(N_STATES):
            beta[i - 1, s] = _log_of(top[s], total[s])
    return beta


@kernel
def _expected(alpha, beta, whole, sites, contents, gates, closed, weights):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Expected features (W,) of a path: the gradient of the log-sum of all paths."""
    length, beside = contents.shape[1], _beside_sites(weights)
    out = np.zeros(N_WEIGHTS)
    for i in range(length):
        for s in range(N_STATES):
            share = alpha[i, s] + beta[i, s] - whole
            if share > _NEGLIGIBLE:
                out[CONTENT] += np.exp(share) * contents[CONTENT_OF_STATE[s], i]
        if i == 0:
            continue
        for t in _OPEN[gates[i], : _N_OPEN[gates[i]]]:
            if _SITE[t] < 0:
                continue
            step = _between(t, i, sites, weights, beside) + _emission(_TARGET[t], i, contents, closed, weights)
            share = alpha[i - 1, _SOURCE[t]] + step + beta[i, _TARGET[t]] - whole
            if share > _NEGLIGIBLE:
                share = np.exp(share)
                out[_SITE[t]] += share * sites[_SITE[t], i - _BEHIND[t]]
                out[N_SITES + _SITE[t]] += share
                if _UTR[t] >= 0:
                    out[_UTR[t]] += share
    return out


def best_path(stretch: Stretch, scoring: ScoringConfig) -> States:
    """States (L,) of the best path."""
    return _best_path(stretch.sites, stretch.contents, stretch.gates, stretch.closed, pack_weights(scoring))


#: Number of the transition between two states, `_NONE` where there is none, and what each asks of the sequence.
_BETWEEN_STATES = np.full((N_STATES, N_STATES), _NONE)
_BETWEEN_STATES[_SOURCE, _TARGET] = np.arange(len(TRANSITIONS))
_GATE = np.array([t.gate for t in TRANSITIONS], dtype=np.uint8)


def path_features(path: States, stretch: Stretch) -> Floats:
    """Features (W,) of a path (L,), whose weighted sum is its score but for `CUT`.

    Raises:
        ValueError: a step that the grammar or the sequence forbids, with the base.
    """
    features = np.zeros(N_WEIGHTS)
    features[CONTENT] = stretch.contents[CONTENT_OF_STATE[path], np.arange(len(path))].sum(dtype=np.float64)
    codons = (path[1:] == State.CODING_1) & (path[:-1] == State.CODING_3)  # which must not follow a stop codon
    into = np.flatnonzero((path[1:] != path[:-1]) | codons) + 1
    steps = _BETWEEN_STATES[path[into - 1], path[into]]
    forbidden = (steps == _NONE) | ((stretch.gates[into] & _GATE[steps]) != _GATE[steps])
    if forbidden.any():
        i = int(into[np.argmax(forbidden)])
        raise ValueError(f"no way from {State(path[i - 1]).name} to {State(path[i]).name} at base {i}")
    into, steps = into[_SITE[steps] >= 0], steps[_SITE[steps] >= 0]
    sites = _SITE[steps]
    np.add.at(features, sites, stretch.sites[sites, into - _BEHIND[steps]])
    np.add.at(features, N_SITES + sites, 1.0)
    np.add.at(features, _UTR[steps][_UTR[steps] >= 0], 1.0)
    return features


class Posterior:
    """Sums over all paths of one stretch.

    Attributes:
        log_sum: Of all paths.
    """

    def __init__(self, stretch: Stretch, scoring: ScoringConfig) -> None:
        self.stretch, self.weights = stretch, pack_weights(scoring)
        arrays = (stretch.sites, stretch.contents, stretch.gates, stretch.closed, self.weights)
        self._arrays = arrays
        self.alpha, self.log_sum = _forward(*arrays)
        self.beta = _backward(*arrays)

    def state_probability(self, states: tuple[State, ...]) -> Floats:
        """Probability (L,) that a base is in one of the states."""
        chosen = list(states)
        return np.exp(self.alpha[:, chosen] + self.beta[:, chosen] - self.log_sum).sum(1)

    def expected(self) -> Floats:
        """Expected features (W,)."""
        return _expected(self.alpha, self.beta, self.log_sum, *self._arrays)
