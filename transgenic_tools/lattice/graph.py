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

import numpy as np
import numpy.typing as npt

from transgenic_tools.kernels import kernel
from transgenic_tools.lattice.candidates import Candidates
from transgenic_tools.lattice.config import GrammarConfig, ScoringConfig
from transgenic_tools.lattice.grammar import SITE_OF_KIND
from transgenic_tools.lattice.transitions import lay_out, next_stops, score_edges, walk
from transgenic_tools.lattice.vocabulary import Content, dinucleotides, stop_codons

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Singles = npt.NDArray[np.float32]
#: Numbers of an edge that the decoder sees, see `describe_edge`.
EDGE_FEATURES = 6
_SITE = np.array(SITE_OF_KIND)
_OUTSIDE, _FIVE, _CODING, _INTRON, _THREE = (
    int(c) for c in (Content.OUTSIDE, Content.FIVE_PRIME_UTR, Content.CODING_1, Content.INTRON, Content.THREE_PRIME_UTR)
)


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
    target: npt.NDArray[np.int32]
    score: Floats
    content: Singles
    length: npt.NDArray[np.int32]
    beta: Floats

    @property
    def n_states(self) -> int:
        return len(self.kind)

    @property
    def n_edges(self) -> int:
        return len(self.target)

    def log_probability(self, states: Sequence[int], edges: Sequence[int]) -> Floats:
        """Conditional log-probability of edges, each given the state that it leaves."""
        left_by = list(edges)
        return self.score[left_by] + self.beta[self.target[left_by]] - self.beta[list(states)]

    def describe(self, state: int) -> tuple[Singles, Singles]:
        """Log-probability (E,) and features (E, EDGE_FEATURES) of the edges that leave a state."""
        count = int(self.first[state + 1] - self.first[state])
        base, features = np.zeros(count, dtype=np.float32), np.zeros((count, EDGE_FEATURES), dtype=np.float32)
        arrays = (self.target, self.score, self.content, self.length, self.logit, self.beta)
        _describe_edges(state, self.first[state], *arrays, base, features)
        return base, features


@kernel
def describe_edge(source, edge, target, score, content, length, logit, beta, out):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Log-probability of an edge given its source; what the decoder sees of the edge goes into `out`."""
    to = target[edge]
    base = score[edge] + beta[to] - beta[source]
    out[0] = max(base, -20.0) / 5.0
    out[1] = min(max(score[edge], -30.0), 30.0) / 10.0
    out[2] = content[edge] / max(length[edge], 1)
    out[3] = math.log1p(length[edge]) / 5.0
    out[4] = min(max(logit[to], -15.0), 15.0) / 5.0
    out[5] = min(max(logit[source], -15.0), 15.0) / 5.0
    return base


@kernel
def _describe_edges(source, low, target, score, content, length, logit, beta, base, features):  # type: ignore[no-untyped-def]  # pragma: no cover
    for i in range(len(base)):
        base[i] = describe_edge(source, low + i, target, score, content, length, logit, beta, features[i])


@kernel
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


@kernel
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


@kernel
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


@kernel
def _cumulative(contents):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Sums of log-probabilities from the left, (L + 1,) each, as `transitions.score_edges` reads them.

    That of coding bases is (3, L + 1): row f sums the codon position that a base has when a codon starts at f.
    """
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
    return outside, five, coding, intron, three


@kernel
def _entry_scores(kind, position, sites, scale, bias):  # type: ignore[no-untyped-def]  # pragma: no cover
    """(site logit, `scale * logit + bias`) of every state."""
    logit, entry = np.zeros(len(kind)), np.zeros(len(kind))
    for state in range(len(kind)):
        site = _SITE[kind[state]]
        if site >= 0:
            logit[state] = sites[site, position[state]]
            entry[state] = scale[site] * logit[state] + bias[site]
    return logit, entry


@kernel
def _keep_edges(keep, number, first, target, score, content, length, new_first):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Move the edges between kept states to the front of their arrays; returns how many there are."""
    edges, state = 0, 0
    for old in range(len(keep)):
        if not keep[old]:
            continue
        new_first[state] = edges
        state += 1
        for edge in range(first[old], first[old + 1]):
            to = target[edge]
            if keep[to]:
                target[edges], score[edges] = number[to], score[edge]
                content[edges], length[edges] = content[edge], length[edge]
                edges += 1
    new_first[state] = edges
    return edges


@kernel
def _assemble(layout, sites, contents, scale, bias, extra):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Arrays of a `Graph`: only states that lie on some whole path, and the edges between them."""
    weight, no_five, no_three = extra
    first = np.zeros(len(layout.kind) + 1, dtype=np.int64)
    target = walk(layout, first)
    edges = len(target)
    logit, entry = _entry_scores(layout.kind, layout.position, sites, scale, bias)
    content, score = np.zeros(edges, dtype=np.float32), np.zeros(edges)
    length = np.zeros(edges, dtype=np.int32)
    score_edges(
        layout.kind, layout.position, first, target, entry, weight, no_five, no_three, _cumulative(contents), content,
        length, score,
    )  # fmt: skip
    beta = backward(first, target, score)
    keep = _reachable(first, target, beta)
    number = np.cumsum(keep) - 1
    new_first = np.zeros(keep.sum() + 1, dtype=np.int64)
    edges = _keep_edges(keep, number, first, target, score, content, length, new_first)
    return (
        layout.kind[keep], layout.position[keep], logit[keep], new_first, target[:edges], score[:edges],
        content[:edges], length[:edges], beta[keep],
    )  # fmt: skip


@kernel
def _build(codes, sites, contents, candidates, pairs, stops, limits, scale, bias, extra):  # type: ignore[no-untyped-def]  # pragma: no cover
    """All of it in one call, because handing arrays over takes as long as computing them."""
    layout = lay_out(codes, candidates, pairs[0], pairs[1], next_stops(stops), limits)
    return _assemble(layout, sites, contents, scale, bias, extra)


def build_graph(
    codes: npt.NDArray[np.uint8],
    sites: npt.NDArray[np.float32],
    contents: npt.NDArray[np.float32],
    *,
    grammar: GrammarConfig,
    scoring: ScoringConfig,
    candidates: Candidates,
    near: int = 64,
) -> Graph | None:
    """The graph of a window, or None where not even one valid transcript exists.

    Args:
        codes: (L,) base codes.
        sites: (N_SITES, L) logits.
        contents: (N_CONTENTS, L) log-probabilities.
        near: So many nearest candidates of a type are looked at behind a state, and as many strong ones beyond them
            (bounds time in very long windows).
    """
    arrays = _build(
        codes,
        np.ascontiguousarray(sites),
        np.ascontiguousarray(contents),
        candidates,
        dinucleotides(codes),
        stop_codons(codes),
        (grammar.min_intron, grammar.max_intron, grammar.min_exon, grammar.max_utr_exon, near),
        np.array(scoring.site_scale),
        np.array(scoring.site_bias),
        (scoring.content_weight, scoring.no_five_prime_utr, scoring.no_three_prime_utr),
    )
    return Graph(*arrays) if len(arrays[0]) else None
