"""What an edge of a graph is worth, and what the decoder sees of it: each once, for the graph, the search and the fit.

In: states, edges and contents of a window. Out: content, length and score of every edge; the features whose weighted
sum is that score; the numbers that the decoder looks at.
Dims: N states, M edges, E edges that leave a state, L bases.

    score = scale[site] * logit + bias[site] + content_weight * sum(log p(content)) + (no_five or no_three)

where site and logit are those of the state that the edge enters, the sum runs over the bases of its segment, and the
last term counts where a UTR is left out.
A surprise: the decoder also sees what was written before, so an edge looks different in each transcript of a gene.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from transgenic_tools.kernels import kernel
from transgenic_tools.lattice.config import ScoringConfig
from transgenic_tools.lattice.grammar import SITE_OF_KIND, Kind
from transgenic_tools.lattice.transitions import carried_bases
from transgenic_tools.lattice.vocabulary import N_SITES, Content

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Singles = npt.NDArray[np.float32]

#: Columns of the weights and features of the score: scale and bias of each site type, content, two for missing UTRs.
CONTENT, NO_FIVE, NO_THREE = 2 * N_SITES, 2 * N_SITES + 1, 2 * N_SITES + 2
N_WEIGHTS = 2 * N_SITES + 3
#: Numbers that the decoder sees of an edge itself, and of what was written before; see `describe_edge`.
EDGE_FEATURES, HISTORY_FEATURES = 6, 5
PAIR_FEATURES = EDGE_FEATURES + HISTORY_FEATURES

_SITE = np.array(SITE_OF_KIND)
_BEGIN, _TSS, _A5, _START, _A0, _A2TG, _STOP, _A3, _TTS = (
    int(kind)
    for kind in (
        Kind.BEGIN, Kind.TSS, Kind.A5, Kind.START, Kind.A0, Kind.A2TG, Kind.STOP, Kind.A3, Kind.TTS,
    )
)  # fmt: skip
_OUTSIDE, _FIVE, _CODING, _INTRON, _THREE = (
    int(c) for c in (Content.OUTSIDE, Content.FIVE_PRIME_UTR, Content.CODING_1, Content.INTRON, Content.THREE_PRIME_UTR)
)


def pack_weights(scoring: ScoringConfig) -> Floats:
    """(N_WEIGHTS,) weights of the features of an edge."""
    last = (scoring.content_weight, scoring.no_five_prime_utr, scoring.no_three_prime_utr)
    return np.array([*scoring.site_scale, *scoring.site_bias, *last])


def unpack_weights(weights: Floats) -> ScoringConfig:
    """Inverse of `pack_weights`, to the last digit; whoever writes a file rounds before."""
    values = weights.tolist()
    return ScoringConfig(
        site_scale=tuple(values[:N_SITES]),
        site_bias=tuple(values[N_SITES:CONTENT]),
        content_weight=values[CONTENT],
        no_five_prime_utr=values[NO_FIVE],
        no_three_prime_utr=values[NO_THREE],
    )


class Sums(NamedTuple):
    """Sums of content log-probabilities from the left, (L + 1,) each.

    Attributes:
        coding: (3, L + 1), row f sums the codon position that a base has when a codon starts at f.
    """

    outside: Floats
    five: Floats
    coding: Floats
    intron: Floats
    three: Floats


class EdgeArrays(NamedTuple):
    """Edges of a graph; those of state i are `first[i]:first[i + 1]`. See `graph.Graph`."""

    first: Ints
    target: npt.NDArray[np.int32]
    score: Floats
    content: Singles
    length: npt.NDArray[np.int32]


class Seen(NamedTuple):
    """What `describe_edge` reads: of edges (M,) and, the last two, of states (N,). See `graph.Graph`."""

    target: npt.NDArray[np.int32]
    score: Floats
    content: Singles
    length: npt.NDArray[np.int32]
    logit: Floats
    beta: Floats


class Used(NamedTuple):
    """What the transcripts written so far have used, see `site_graph.History`: (M,), (M,), (N,)."""

    edge_last: Singles
    edge_count: Singles
    state_count: Singles


@kernel
def sum_contents(contents):  # type: ignore[no-untyped-def]  # pragma: no cover (compiled)
    """`Sums` of contents (N_CONTENTS, L)."""
    length = contents.shape[1]
    outside, five, intron, three = (
        np.zeros(length + 1), np.zeros(length + 1), np.zeros(length + 1), np.zeros(length + 1)
    )  # fmt: skip
    coding = np.zeros((3, length + 1))
    for i in range(length):
        outside[i + 1] = outside[i] + contents[_OUTSIDE, i]
        five[i + 1] = five[i] + contents[_FIVE, i]
        intron[i + 1] = intron[i] + contents[_INTRON, i]
        three[i + 1] = three[i] + contents[_THREE, i]
        for frame in range(3):
            coding[frame, i + 1] = coding[frame, i] + contents[_CODING + (i + 3 - frame) % 3, i]
    return Sums(outside=outside, five=five, coding=coding, intron=intron, three=three)


@kernel
def _segment(kind, position, sums):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Cumulative content of the segments that begin at a state, and their first base."""
    if kind == _BEGIN:
        return sums.outside, 0
    if kind == _TSS:
        return sums.five, position
    if kind == _A5:
        return sums.five, position + 1
    if kind == _START:
        return sums.coding[position % 3], position
    if _A0 <= kind <= _A2TG:
        return sums.coding[(position + 1 - carried_bases(kind)) % 3], position + 1
    if kind in (_STOP, _A3):
        return sums.three, position + 1
    return sums.intron, position


@kernel
def site_logits(kind, position, sites):  # type: ignore[no-untyped-def]  # pragma: no cover
    """(N,) logit of each state's site, 0 for BEGIN and END."""
    logit = np.zeros(len(kind))
    for state in range(len(kind)):
        if _SITE[kind[state]] >= 0:
            logit[state] = sites[_SITE[kind[state]], position[state]]
    return logit


@kernel
def _missing_utr(source, target, last_kind):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Column of the UTR that an edge between two kinds leaves out, -1 for none."""
    if source == _BEGIN and target == _START:
        return NO_FIVE
    if source == _STOP and target == last_kind:
        return NO_THREE
    return -1


@kernel
def score_edges(kind, position, logit, edges, sums, weights):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Fill content, length and score of every edge."""
    last = len(kind) - 1
    entry = np.zeros(len(kind))  # what entering a state is worth
    end = position.copy()  # of a segment that goes to a state
    for state in range(last):
        k, site = kind[state], _SITE[kind[state]]
        if site >= 0:
            entry[state] = weights[site] * logit[state] + weights[N_SITES + site]
        if k in (_STOP, _TTS, _A5, _A3) or _A0 <= k <= _A2TG:
            end[state] += 1
    first, target, score, content, length = edges.first, edges.target, edges.score, edges.content, edges.length
    for state in range(last):
        source, (cumulative, begin) = kind[state], _segment(kind[state], position[state], sums)
        before = cumulative[begin]
        for edge in range(first[state], first[state + 1]):
            to = target[edge]
            if to == last:
                begin = position[state] + 1
                total = sums.outside[end[to]] - sums.outside[begin]
            else:
                total = cumulative[end[to]] - before
            content[edge], length[edge] = total, end[to] - begin
            missing = _missing_utr(source, kind[to], kind[last])
            score[edge] = weights[CONTENT] * total + entry[to] + (weights[missing] if missing >= 0 else 0.0)


@kernel
def score_features(kind, logit, edges):  # type: ignore[no-untyped-def]  # pragma: no cover
    """(M, N_WEIGHTS) features of every edge; their sum weighted by `pack_weights` is its score."""
    features = np.zeros((len(edges.target), N_WEIGHTS))
    last = len(kind) - 1
    for state in range(last):
        for edge in range(edges.first[state], edges.first[state + 1]):
            to = edges.target[edge]
            site = _SITE[kind[to]]
            if site >= 0:
                features[edge, site], features[edge, N_SITES + site] = logit[to], 1.0
            features[edge, CONTENT] = edges.content[edge]
            missing = _missing_utr(kind[state], kind[to], kind[last])
            if missing >= 0:
                features[edge, missing] = 1.0
    return features


@kernel
def describe_edge(source, edge, seen, used, written, out):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Log-probability of an edge given its source; what the decoder sees goes into `out` (PAIR_FEATURES,).

    Args:
        written: Transcripts that were written before.
    """
    to = seen.target[edge]
    base = seen.score[edge] + seen.beta[to] - seen.beta[source]
    out[0] = max(base, -20.0) / 5.0
    out[1] = min(max(seen.score[edge], -30.0), 30.0) / 10.0
    out[2] = seen.content[edge] / max(seen.length[edge], 1)
    out[3] = math.log1p(seen.length[edge]) / 5.0
    out[4] = min(max(seen.logit[to], -15.0), 15.0) / 5.0
    out[5] = min(max(seen.logit[source], -15.0), 15.0) / 5.0
    out[6] = used.edge_last[edge]
    out[7] = used.edge_count[edge] / np.float32(max(written, 1))
    out[8] = 1.0 if used.edge_count[edge] > 0 else 0.0
    out[9] = 1.0 if used.state_count[to] > 0 else 0.0
    out[10] = min(written, 4) / 4.0
    return base


@kernel
def describe_edges(source, low, seen, used, written, base, features):  # type: ignore[no-untyped-def]  # pragma: no cover
    """`describe_edge` of the edges from `low` on: log-probabilities into `base` (E,), the rest into `features`."""
    for i in range(len(base)):
        base[i] = describe_edge(source, low + i, seen, used, written, features[i])
