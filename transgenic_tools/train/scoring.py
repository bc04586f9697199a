"""Fit the few weights of the graph's scores: how much a site logit and a base's content count.

In: graphs of validation genes and the path of each gene's first transcript. Out: a `ScoringConfig`.
A surprise: site logits and content are trained base by base and are over-confident as sums; these weights (a scale and
a bias for each site type, one weight for content, two for missing UTRs) are fitted so that whole known paths become
likely. The gradient of a path's log-probability is its features minus their expectation (forward-backward).
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from transgenic_tools.kernels import kernel
from transgenic_tools.lattice.config import ScoringConfig
from transgenic_tools.lattice.grammar import Kind
from transgenic_tools.lattice.graph import Graph, backward
from transgenic_tools.lattice.paths import Path
from transgenic_tools.lattice.scoring import CONTENT, pack_weights, unpack_weights

logger = logging.getLogger(__name__)
Floats = npt.NDArray[np.float64]

#: Score of an edge that no path takes.
_NEVER = -1e9
#: Content sums are divided by this, so that all weights move alike.
_CONTENT_UNIT = 20.0


@dataclass(frozen=True, kw_only=True)
class GoldGraph:
    """One graph whose weights are fitted: W features of each of its M edges, and its K known paths.

    Attributes:
        score: (M,) of every edge, what no weight changes.
        features: (M, W).
        paths, path_scores: (K, W) and (K,), the sums of both along each known path.
    """

    first: npt.NDArray[np.int64]
    target: npt.NDArray[np.int32]
    score: Floats
    features: Floats
    paths: Floats
    path_scores: Floats


def gold_graph(graph: Graph, path: Path, *, utrs: bool = True) -> GoldGraph:
    """The graph as the fit of its own scores sees it.

    Args:
        utrs: False: the path's source holds none, so where it passes one over, only paths that do count against it.
    """
    features = graph.score_features()
    features[:, CONTENT] = graph.content / _CONTENT_UNIT
    score = np.zeros(graph.n_edges)
    if not utrs:
        score[_with_other_utrs(graph, path)] = _NEVER
    return known_paths(graph, score, features, [path])


def _with_other_utrs(graph: Graph, path: Path) -> npt.NDArray[np.bool_]:
    """(M,) edges into UTRs, at each end where the path has none."""
    begins = np.repeat(graph.kind, np.diff(graph.first))
    ends = graph.kind[graph.target]
    kinds = graph.kind[list(path.states)]
    shut = np.zeros(graph.n_edges, dtype=bool)
    if kinds[1] == Kind.START:
        shut |= (begins == Kind.BEGIN) & (ends != Kind.START)
    if kinds[-2] == Kind.STOP:
        shut |= (begins == Kind.STOP) & (ends != Kind.END)
    return shut


def known_paths(graph: Graph, score: Floats, features: Floats, paths: Sequence[Path]) -> GoldGraph:
    """A graph with fixed scores (M,), features (M, W), and paths known to be right."""
    along = [list(path.edges) for path in paths]
    return GoldGraph(
        first=graph.first,
        target=graph.target,
        score=score,
        features=features,
        paths=np.array([features[edges].sum(0) for edges in along]),
        path_scores=np.array([score[edges].sum() for edges in along]),
    )


@kernel
def expected_features(first, target, score, beta, features):  # type: ignore[no-untyped-def]  # pragma: no cover (compiled)
    """Expected features of a path: forward pass over conditional edge probabilities."""
    n = len(first) - 1
    mass = np.zeros(n)
    mass[0] = 1.0
    total = np.zeros(features.shape[1])
    for state in range(n):
        if mass[state] < 1e-12:
            continue
        for edge in range(first[state], first[state + 1]):
            flow = mass[state] * np.exp(score[edge] + beta[target[edge]] - beta[state])
            mass[target[edge]] += flow
            for k in range(features.shape[1]):
                total[k] += flow * features[edge, k]
    return total


def _pack(scoring: ScoringConfig) -> Floats:
    weights = pack_weights(scoring)
    weights[CONTENT] *= _CONTENT_UNIT
    return weights


def _for_file(weights: Floats) -> ScoringConfig:
    """Fitted weights, rounded, the content's in its own unit again."""
    weights = np.array([round(float(weight), 5) for weight in weights])
    weights[CONTENT] = round(float(weights[CONTENT]) / _CONTENT_UNIT, 6)
    return unpack_weights(weights)


def mean_loss(graphs: Sequence[GoldGraph], weights: Floats) -> tuple[float, Floats]:
    """Mean negative log-probability of any of the known paths, and its gradient (W,)."""
    loss, gradient = 0.0, np.zeros(len(weights))
    for graph in graphs:
        score = graph.score + graph.features @ weights
        beta = backward(graph.first, graph.target, score)
        totals = graph.path_scores + np.array([path @ weights for path in graph.paths])
        share = np.exp(totals - totals.max())
        loss += beta[0] - totals.max() - np.log(share.sum())
        known = (share / share.sum()) @ graph.paths
        gradient += expected_features(graph.first, graph.target, score, beta, graph.features) - known
    return loss / max(len(graphs), 1), gradient / max(len(graphs), 1)


def descend(
    loss_of: Callable[[Floats], tuple[float, Floats]], start: Floats, *, iterations: int, rate: Floats | float
) -> tuple[Floats, float, float]:
    """Adam (Kingma and Ba 2015) with a rate that falls to 0.

    Args:
        loss_of: From weights to the loss and its gradient.
        rate: Of all weights, or of each.

    Returns:
        The best weights that were met, and the loss before and after.
    """
    weights = best = start
    mean, square = np.zeros(len(start)), np.zeros(len(start))
    best_loss, first_loss = np.inf, np.inf
    for step in range(1, iterations + 1):
        loss, gradient = loss_of(weights)
        first_loss = loss if step == 1 else first_loss
        if loss < best_loss:
            best, best_loss = weights.copy(), loss
        mean = 0.9 * mean + 0.1 * gradient
        square = 0.99 * square + 0.01 * gradient**2
        fall = 1.0 - step / (iterations + 1)
        weights = weights - rate * fall * (mean / (1 - 0.9**step)) / (np.sqrt(square / (1 - 0.99**step)) + 1e-9)
    return best, float(first_loss), float(best_loss)


def fit_scoring(
    graphs: Sequence[GoldGraph], start: ScoringConfig, *, iterations: int = 200, rate: float = 0.05, ridge: float = 0.0
) -> tuple[ScoringConfig, float, float]:
    """Fitted from `start`. Returns the best weights, and the loss before and after.

    Args:
        ridge: So many genes speak for `start`: half its squared distance, times this over the number of genes, is
            added to the loss.
    """
    origin = _pack(start)
    hold = ridge / max(1, len(graphs))

    def loss_of(weights: Floats) -> tuple[float, Floats]:
        loss, gradient = mean_loss(graphs, weights)
        away = weights - origin
        return loss + hold / 2 * float(away @ away), gradient + hold * away

    best, before, after = descend(loss_of, origin, iterations=iterations, rate=rate)
    logger.info("scoring fitted: %.4f -> %.4f nats a gene", before, after)
    return _for_file(best), before, after
