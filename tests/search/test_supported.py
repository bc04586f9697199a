"""The best path through an edge, against all paths of small graphs."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from tests.lattice.test_graph import random_graph
from transgenic_tools.lattice.graph import Graph, best_path
from transgenic_tools.search.supported import BestPaths


def all_paths(graph: Graph, state: int = 0) -> Iterator[tuple[int, ...]]:
    """Edges of every path from a state to END."""
    if state == graph.n_states - 1:
        yield ()
        return
    for edge in range(graph.first[state], graph.first[state + 1]):
        for rest in all_paths(graph, int(graph.target[edge])):
            yield (edge, *rest)


@pytest.mark.parametrize("seed", range(30))
def test_the_best_path_through_an_edge(seed: int) -> None:
    graph = random_graph(seed)
    if graph is None:
        return  # most random windows hold a transcript, see below
    paths = BestPaths(graph)
    every = [(graph.score[list(path)].sum(), path) for path in all_paths(graph)]
    assert paths.best().states == tuple(best_path(graph.first, graph.target, graph.score).tolist())
    for edge in range(graph.n_edges):
        found = paths.through(np.array([edge]))
        assert edge in found.edges
        assert found.states == (0, *graph.target[list(found.edges)].tolist())
        assert graph.score[list(found.edges)].sum() == pytest.approx(max(s for s, path in every if edge in path))


@pytest.mark.parametrize("seed", range(30))
def test_other_paths_by_falling_score_each_with_an_edge_of_its_own(seed: int) -> None:
    graph = random_graph(seed)
    if graph is None:
        return
    paths, within = BestPaths(graph), 6.0
    every = {path: float(graph.score[list(path)].sum()) for path in all_paths(graph)}
    known = paths.best()
    others = list(paths.others([known], within=within))
    taken, scores = set(known.edges), [score for score, _ in others]
    assert scores == sorted(scores, reverse=True)
    for score, path in others:
        assert score == pytest.approx(every[path.edges])
        assert set(path.edges) - taken
        taken |= set(path.edges)
    # an edge is left out only where no path through it is good enough
    top = max(every.values())
    best_through = {edge: max(s for path, s in every.items() if edge in path) for edge in range(graph.n_edges)}
    assert taken >= {edge for edge, score in best_through.items() if score > top - within + 1e-9}
    assert all(score >= top - within - 1e-9 for score in scores)


@pytest.mark.parametrize("seed", range(30))
def test_the_best_path_through_one_of_some_edges_and_then_of_others(seed: int) -> None:
    graph = random_graph(seed)
    if graph is None:
        return
    paths, rng = BestPaths(graph), np.random.default_rng(seed)
    every = [(graph.score[list(path)].sum(), path) for path in all_paths(graph)]
    for _ in range(20):
        first, then = (rng.choice(graph.n_edges, size=min(3, graph.n_edges), replace=False) for _ in range(2))
        together = [
            score for score, path in every
            if any(a in first and b in then for n, a in enumerate(path) for b in path[n + 1 :])
        ]  # fmt: skip
        found = paths.through_both(paths.behind(first), then)
        if not together:
            assert found is None
            continue
        assert found is not None
        path, score = found
        assert score == pytest.approx(max(together))
        assert graph.score[list(path.edges)].sum() == pytest.approx(score)
        assert path.states == (0, *graph.target[list(path.edges)].tolist())


def test_most_random_windows_hold_a_transcript() -> None:
    assert sum(random_graph(seed) is not None for seed in range(30)) > 8
