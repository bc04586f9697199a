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


def test_most_random_windows_hold_a_transcript() -> None:
    assert sum(random_graph(seed) is not None for seed in range(30)) > 8
