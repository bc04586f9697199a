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
from transgenic_tools.lattice.grammar import SITE_OF_KIND, Kind
from transgenic_tools.lattice.graph import Graph, backward
from transgenic_tools.lattice.paths import Path
from transgenic_tools.lattice.vocabulary import N_SITES

logger = logging.getLogger(__name__)
Floats = npt.NDArray[np.float64]

N_WEIGHTS = 2 * N_SITES + 3
_CONTENT, _NO_FIVE, _NO_THREE = 2 * N_SITES, 2 * N_SITES + 1, 2 * N_SITES + 2
#: Content sums are divided by this, so that all weights move alike.
_CONTENT_UNIT = 20.0


@dataclass(frozen=True)
class GoldGraph:
    """One graph with its edge features (M, N_WEIGHTS) and the gold path's feature sum."""

    first: npt.NDArray[np.int64]
    target: npt.NDArray[np.int32]
    features: Floats
    gold: Floats


def edge_features(graph: Graph) -> Floats:
    """Features whose weighted sum is the edge score."""
    site = np.array(SITE_OF_KIND)[graph.kind[graph.target]]
    rows = np.arange(len(graph.target))
    features = np.zeros((len(rows), N_WEIGHTS))
    inner = site >= 0
    features[rows[inner], site[inner]] = graph.logit[graph.target[inner]]
    features[rows[inner], N_SITES + site[inner]] = 1.0
    features[:, _CONTENT] = graph.content / _CONTENT_UNIT
    source = np.repeat(graph.kind, np.diff(graph.first))
    features[:, _NO_FIVE] = (source == Kind.BEGIN) & (graph.kind[graph.target] == Kind.START)
    features[:, _NO_THREE] = (source == Kind.STOP) & (graph.kind[graph.target] == Kind.END)
    return features


def gold_graph(graph: Graph, path: Path) -> GoldGraph:
    features = edge_features(graph)
    return GoldGraph(graph.first, graph.target, features, features[list(path.edges)].sum(0))


@kernel
def _expected(first, target, score, beta, features):  # type: ignore[no-untyped-def]  # pragma: no cover (compiled)
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
    return np.array(
        [
            *scoring.site_scale,
            *scoring.site_bias,
            scoring.content_weight * _CONTENT_UNIT,
            scoring.no_five_prime_utr,
            scoring.no_three_prime_utr,
        ]
    )


def _unpack(weights: Floats) -> ScoringConfig:
    values = [round(float(w), 5) for w in weights]
    return ScoringConfig(
        site_scale=tuple(values[:N_SITES]),
        site_bias=tuple(values[N_SITES:_CONTENT]),
        content_weight=round(values[_CONTENT] / _CONTENT_UNIT, 6),
        no_five_prime_utr=values[_NO_FIVE],
        no_three_prime_utr=values[_NO_THREE],
    )


def mean_loss(graphs: Sequence[GoldGraph], weights: Floats) -> tuple[float, Floats]:
    """Mean negative log-probability of the gold paths, and its gradient (N_WEIGHTS,)."""
    loss, gradient = 0.0, np.zeros(N_WEIGHTS)
    for one in graphs:
        score = one.features @ weights
        beta = backward(one.first, one.target, score)
        loss += beta[0] - one.gold @ weights
        gradient += _expected(one.first, one.target, score, beta, one.features) - one.gold
    return loss / len(graphs), gradient / len(graphs)


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
    return _unpack(best), before, after
