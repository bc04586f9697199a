"""Further transcripts for the sake of junctions that reads show and that nothing written so far has.

In: a gene whose search is over, with evidence in its graph. Out: more of its `Found`, one for each such junction that a
valid transcript can use; and what became of the others.
Dims: N states, M edges.
A surprise: the decoder is not asked. The graph's best path is written first, where the decoder has not written it, and
then the best one through each junction; to count edges of written transcripts more changed nothing for the better.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from transgenic_tools.kernels import kernel
from transgenic_tools.lattice.graph import Graph
from transgenic_tools.lattice.paths import Path
from transgenic_tools.lattice.support import Support
from transgenic_tools.search.beam import path_hash
from transgenic_tools.search.search import Found, GeneSearch

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
#: A junction is worth a transcript of its own from so many reads, and from this share of the strongest junction's.
MIN_READS, MIN_LEVEL = 2.0, 0.01
#: Reasons of junctions that no transcript has: no valid transcript uses it, the gene has all that it may have, or what
#: was written with it is not probable enough.
NO_FRAME, NO_ROOM, IMPROBABLE = "no_frame", "max_isoforms", "improbable"


@dataclass(frozen=True, slots=True, kw_only=True)
class Unused:
    """A junction worth a transcript that none has.

    Attributes:
        start, end: In the coordinates of what is read.
        reads: Weighted.
    """

    start: int
    end: int
    reads: float
    reason: str


@kernel
def _best_both_ways(first, target, score):  # type: ignore[no-untyped-def]  # pragma: no cover (compiled)
    """Of the best ways from BEGIN and to END: their scores (N,), (N,), and the edge by which each state is taken."""
    n = len(first) - 1
    before, after = np.full(n, -np.inf), np.full(n, -np.inf)
    into, out, source = np.full(n, -1, np.int64), np.full(n, -1, np.int64), np.full(len(target), -1, np.int64)
    before[0] = after[n - 1] = 0.0
    for state in range(n):
        for edge in range(first[state], first[state + 1]):
            source[edge] = state
            value = before[state] + score[edge]
            if value > before[target[edge]]:
                before[target[edge]], into[target[edge]] = value, edge
    for state in range(n - 2, -1, -1):
        for edge in range(first[state], first[state + 1]):
            value = score[edge] + after[target[edge]]
            if value > after[state]:
                after[state], out[state] = value, edge
    return before, after, into, out, source


class BestPaths:
    """The best paths of a graph through given edges; ties go to the first."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._before, self._after, self._into, self._out, self._source = _best_both_ways(
            graph.first, graph.target, graph.score
        )

    def through(self, edges: Ints) -> Path:
        """The path of the highest score among those that take one of some edges, of which there is at least one."""
        graph, source = self._graph, self._source
        total = self._before[source[edges]] + graph.score[edges] + self._after[graph.target[edges]]
        edge = int(edges[np.argmax(total)])
        taken = [*self._before_edge(edge), edge, *self._behind_edge(edge)]
        return Path((0, *graph.target[taken].tolist()), tuple(taken))

    def _before_edge(self, edge: int) -> list[int]:
        """Edges of the best way from BEGIN to where an edge leaves."""
        taken: list[int] = []
        while (state := self._source[edge]) > 0:
            edge = int(self._into[state])
            taken.insert(0, edge)
        return taken

    def _behind_edge(self, edge: int) -> list[int]:
        """Edges of the best way to END from where an edge leads."""
        taken: list[int] = []
        while (state := self._graph.target[edge]) < self._graph.n_states - 1:
            edge = int(self._out[state])
            taken.append(edge)
        return taken

    def way_to(self, edges: Ints) -> list[int]:
        """Edges of the best way from BEGIN that ends with one of some edges, of which there is at least one."""
        edge = int(edges[np.argmax(self._before[self._source[edges]] + self._graph.score[edges])])
        return [*self._before_edge(edge), edge]

    def way_from(self, edges: Ints) -> list[int]:
        """Edges of the best way to END that begins with one of some edges, of which there is at least one."""
        edge = int(edges[np.argmax(self._graph.score[edges] + self._after[self._graph.target[edges]])])
        return [edge, *self._behind_edge(edge)]

    def best(self) -> Path:
        """The path of the highest score of all."""
        return self.through(np.arange(self._graph.first[0], self._graph.first[1]))

    def others(self, known: Iterable[Path], *, within: float) -> Iterator[tuple[float, Path]]:
        """Scores and paths, best first: each the best one through some edge that no path before it takes.

        Args:
            known: Paths whose edges count as taken.
            within: Paths that score this much less than the best of all are not given.
        """
        graph = self._graph
        total = self._before[self._source] + graph.score + self._after[graph.target]
        taken = np.zeros(len(total), dtype=np.bool_)
        for path in known:
            taken[list(path.edges)] = True
        near = np.flatnonzero(total >= total.max() - within)
        for edge in near[np.argsort(-total[near], kind="stable")].tolist():
            if not taken[edge]:
                path = self.through(np.array([edge]))
                taken[list(path.edges)] = True
                yield float(total[edge]), path


def _worth(support: Support) -> list[int]:
    """Junctions worth a transcript, the strongest first."""
    reads = support.evidence.reads
    floor = max(MIN_READS, MIN_LEVEL * float(reads.max(initial=0.0)))
    return [index for index in np.argsort(-reads, kind="stable").tolist() if reads[index] >= floor]


def _junctions_of(gene: GeneSearch, support: Support) -> set[int]:
    """Junctions of all transcripts that are written."""
    return {number for found in gene.found for number in support.junction[list(found.path.edges)].tolist()}


def write_supported(gene: GeneSearch, *, most: int) -> dict[int, str]:
    """Write on, while a junction is left that a valid transcript can use.

    Args:
        most: Transcripts of a gene, the prompt not counted.

    Returns:
        Junctions that are left (their index in the evidence), and why.
    """
    support, graph = gene.sites.support, gene.sites.graph
    left: dict[int, str] = {}
    if support is None:
        return left
    paths = BestPaths(graph)
    if gene.written < most:
        _write(gene, paths.best())
    used = _junctions_of(gene, support)
    for junction in _worth(support):
        if junction in used:
            continue
        edges = np.flatnonzero(support.junction == junction)
        if not len(edges):
            left[junction] = NO_FRAME
            continue
        if gene.written >= most:
            left[junction] = NO_ROOM
            continue
        _write(gene, paths.through(edges))
        used |= _junctions_of(gene, support)
    return left


def _write(gene: GeneSearch, path: Path) -> None:
    """Write a path that is new."""
    graph = gene.sites.graph
    if path_hash(path.core(graph)) not in gene.known:
        steps = tuple(graph.log_probability(path.states[:-1], path.edges).tolist())
        gene.write(Found(path=path, log_probability=sum(steps), step_log_probability=steps, more=gene.more, shown=True))


def unused_junctions(gene: GeneSearch, kept: list[Found], left: dict[int, str]) -> list[Unused]:
    """Junctions worth a transcript that none of those kept has, by position.

    Args:
        kept: Transcripts that are given out; the prompt is among them.
        left: What `write_supported` returned.
    """
    support = gene.sites.support
    if support is None:
        return []
    used = {number for found in kept for number in support.junction[list(found.path.edges)].tolist()}
    return [
        Unused(
            start=int(support.evidence.start[index]),
            end=int(support.evidence.end[index]),
            reads=float(support.evidence.reads[index]),
            reason=left.get(index, IMPROBABLE),
        )
        for index in sorted(_worth(support))
        if index not in used
    ]
