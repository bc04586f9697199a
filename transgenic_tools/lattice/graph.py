"""The graph of all valid transcripts over the candidate sites of one window.

In: a window, its site logits and content log-probabilities. Out: `Graph`: states, edges with scores, and for every
state the log-sum of all ways to END (`beta`), so that `edge_score + beta[dst] - beta[src]` is the exact conditional
probability of an edge under the semi-Markov model (Sarawagi and Cohen 2004) whose path score is the sum of its edge
scores.

A surprise: a state without a way to END is cut here, so a search can never run into a dead end. How an edge is scored
stands in `scoring`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from transgenic_tools.errors import UsageError
from transgenic_tools.genome.code import STANDARD, GeneticCode
from transgenic_tools.kernels import kernel
from transgenic_tools.lattice.candidates import Candidates, pairs_at
from transgenic_tools.lattice.config import GrammarConfig, ScoringConfig
from transgenic_tools.lattice.scoring import (
    EdgeArrays,
    Seen,
    Sums,
    pack_weights,
    score_edges,
    score_features,
    site_logits,
    sum_contents,
)
from transgenic_tools.lattice.transitions import Limits, lay_out, walk
from transgenic_tools.lattice.window import WindowInput

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Singles = npt.NDArray[np.float32]


class _Arrays(NamedTuple):
    """The arrays of a `Graph`, as a compiled function returns them."""

    kind: Ints
    position: Ints
    logit: Floats
    first: Ints
    target: npt.NDArray[np.int32]
    score: Floats
    content: Singles
    length: npt.NDArray[np.int32]
    beta: Floats


@dataclass(frozen=True, kw_only=True)
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

    @property
    def edges(self) -> EdgeArrays:
        """The edges as compiled functions take them."""
        return EdgeArrays(
            first=self.first, target=self.target, score=self.score, content=self.content, length=self.length
        )

    @property
    def seen(self) -> Seen:
        """What the decoder sees, as compiled functions take it."""
        return Seen(
            target=self.target, score=self.score, content=self.content, length=self.length, logit=self.logit,
            beta=self.beta,
        )  # fmt: skip

    def score_features(self) -> Floats:
        """(M, N_WEIGHTS) features whose weighted sum is the edge score."""
        return score_features(self.kind, self.logit, self.edges)


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
def edge_shares(first, target, score, beta):  # type: ignore[no-untyped-def]  # pragma: no cover
    """(M,) probability that a path drawn by its score has each edge."""
    shares = np.zeros(len(target))
    mass = np.zeros(len(first) - 1)
    mass[0] = 1.0
    for state in range(len(first) - 1):
        if mass[state] < 1e-15:
            continue
        for edge in range(first[state], first[state + 1]):
            shares[edge] = mass[state] * np.exp(score[edge] + beta[target[edge]] - beta[state])
            mass[target[edge]] += shares[edge]
    return shares


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
def forward(first, target, score):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Log-sum of scores of all paths from the first state."""
    n = len(first) - 1
    peak, total, alpha = np.full(n, -np.inf), np.zeros(n), np.full(n, -np.inf)
    alpha[0] = 0.0
    for state in range(n):
        if state > 0:
            if peak[state] == -np.inf:
                continue
            alpha[state] = peak[state] + np.log(total[state])
        for edge in range(first[state], first[state + 1]):
            to, value = target[edge], alpha[state] + score[edge]
            if value > peak[to]:
                total[to] = total[to] * np.exp(peak[to] - value) + 1.0
                peak[to] = value
            else:
                total[to] += np.exp(value - peak[to])
    return alpha


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
def _keep_edges(keep, number, edges, kept_first):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Move the edges between kept states to the front of their arrays; returns how many there are."""
    first, target, score, content, length = edges.first, edges.target, edges.score, edges.content, edges.length
    count, state = 0, 0
    for old in range(len(keep)):
        if not keep[old]:
            continue
        kept_first[state] = count
        state += 1
        for edge in range(first[old], first[old + 1]):
            to = target[edge]
            if keep[to]:
                target[count], score[count] = number[to], score[edge]
                content[count], length[count] = content[edge], length[edge]
                count += 1
    kept_first[state] = count
    return count


@kernel
def _assemble(layout, sites, sums, weights, floor):  # type: ignore[no-untyped-def]  # pragma: no cover
    """The arrays of a graph: only states that lie on some whole path, and the edges between them."""
    first = np.zeros(len(layout.kind) + 1, dtype=np.int64)
    target = walk(layout, first)
    count = len(target)
    edges = EdgeArrays(
        first=first,
        target=target,
        score=np.zeros(count),
        content=np.zeros(count, dtype=np.float32),
        length=np.zeros(count, dtype=np.int32),
    )
    logit = site_logits(layout.kind, layout.position, sites)
    score_edges(layout.kind, layout.position, logit, edges, sums, weights)
    beta = backward(first, target, edges.score)
    keep = _reachable(first, target, beta)
    if not keep[0]:  # no path
        return _Arrays(
            kind=layout.kind[:0], position=layout.position[:0], logit=logit[:0], first=first[:1], target=target[:0],
            score=edges.score[:0], content=edges.content[:0], length=edges.length[:0], beta=beta[:0],
        )  # fmt: skip
    if floor < np.inf:
        keep &= forward(first, target, edges.score) + beta >= beta[0] - floor
        keep[best_path(first, target, edges.score)] = True
    number = np.cumsum(keep) - 1
    kept_first = np.zeros(keep.sum() + 1, dtype=np.int64)
    count = _keep_edges(keep, number, edges, kept_first)
    kept = _Arrays(
        kind=layout.kind[keep],
        position=layout.position[keep],
        logit=logit[keep],
        first=kept_first,
        target=target[:count],
        score=edges.score[:count],
        content=edges.content[:count],
        length=edges.length[:count],
        beta=beta[keep],
    )
    return _without_dead_ends(kept) if floor < np.inf else kept


@kernel
def _without_dead_ends(arrays):  # type: ignore[no-untyped-def]  # pragma: no cover
    """The same without states that no whole path leads through any more; `beta` is that of the paths left."""
    edges = EdgeArrays(
        first=arrays.first, target=arrays.target, score=arrays.score, content=arrays.content, length=arrays.length
    )
    keep = _reachable(arrays.first, arrays.target, backward(arrays.first, arrays.target, arrays.score))
    number = np.cumsum(keep) - 1
    first = np.zeros(keep.sum() + 1, dtype=np.int64)
    count = _keep_edges(keep, number, edges, first)
    target, score = arrays.target[:count], arrays.score[:count]
    return _Arrays(
        kind=arrays.kind[keep],
        position=arrays.position[keep],
        logit=arrays.logit[keep],
        first=first,
        target=target,
        score=score,
        content=arrays.content[:count],
        length=arrays.length[:count],
        beta=backward(first, target, score),
    )


@kernel
def _build(codes, sites, sums, candidates, signals, limits, weights, floor):  # type: ignore[no-untyped-def]  # pragma: no cover
    """All of it in one call, because handing arrays over takes as long as computing them."""
    donor_pair = pairs_at(codes)
    acceptor_pair = np.full_like(donor_pair, -1)
    acceptor_pair[1:] = donor_pair[:-1]
    layout = lay_out(codes, candidates, donor_pair, acceptor_pair, signals, limits)
    return _assemble(layout, sites, sums, weights, floor)


def build_graph(
    window: WindowInput,
    sites: npt.NDArray[np.float32],
    contents: npt.NDArray[np.float32],
    *,
    grammar: GrammarConfig,
    scoring: ScoringConfig,
    candidates: Candidates,
    genetic_code: GeneticCode = STANDARD,
    near: int = 64,
    floor: float = math.inf,
) -> Graph | None:
    """The graph of a window, or None where not even one valid transcript exists.

    Args:
        sites: (N_SITES, L) logits.
        contents: (N_CONTENTS, L) log-probabilities.
        genetic_code: What codons and introns are.
        near: So many nearest candidates of a type are looked at behind a state, and as many strong ones beyond them
            (bounds time in very long windows).
        floor: States less probable than e to the power of minus this are left out, but for those of the best path.

    Raises:
        UsageError: a genetic code with stop codons that the grammar cannot follow through an intron.
    """
    sums = sum_contents(np.ascontiguousarray(contents))
    return build_graph_from_sums(
        window, sites, sums, grammar=grammar, scoring=scoring, candidates=candidates, genetic_code=genetic_code,
        near=near, floor=floor,
    )  # fmt: skip


def build_graph_from_sums(
    window: WindowInput,
    sites: npt.NDArray[np.float32],
    sums: Sums,
    *,
    grammar: GrammarConfig,
    scoring: ScoringConfig,
    candidates: Candidates,
    genetic_code: GeneticCode = STANDARD,
    near: int = 64,
    floor: float = math.inf,
) -> Graph | None:
    """`build_graph` where the contents are summed already; sums need to be right where segments begin and end."""
    if strange := [codon for codon in genetic_code.stop_codons if codon[:2] not in ("TA", "TG")]:
        raise UsageError(
            f"the grammar follows stop codons that begin with TA or TG through introns, not {', '.join(strange)}",
            hint="choose another genetic code",
        )
    arrays = _build(
        window.codes,
        np.ascontiguousarray(sites),
        sums,
        candidates,
        genetic_code.signals,
        Limits(
            min_intron=grammar.min_intron,
            max_intron=grammar.max_intron,
            min_exon=grammar.min_exon,
            max_utr_exon=grammar.max_utr_exon,
            near=near,
        ),
        pack_weights(scoring),
        float(floor),
    )
    return Graph(**arrays._asdict()) if len(arrays.kind) else None
