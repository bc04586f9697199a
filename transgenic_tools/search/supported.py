"""Further transcripts for the sake of junctions that reads show and that nothing written so far has.

In: a gene whose search is over, with evidence in its graph. Out: more of its `Found`, one for each such junction that a
valid transcript can use; and what became of the others.
Dims: N states, M edges.
A surprise: the decoder is not asked. The graph's best path is written first, where the decoder has not written it, and
then the best one through each junction; to count edges of written transcripts more changed nothing for the better.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from transgenic_tools.kernels import kernel
from transgenic_tools.lattice.grammar import ACCEPTOR_KINDS, Kind
from transgenic_tools.lattice.graph import Graph
from transgenic_tools.lattice.paths import Path
from transgenic_tools.lattice.support import Support
from transgenic_tools.search.beam import path_hash
from transgenic_tools.search.search import Found, GeneSearch

Ints = npt.NDArray[np.int64]
#: Donors, and acceptors by kind, of introns between two coding bases.
_CODING_DONORS = frozenset((Kind.D0, Kind.D1, Kind.D2, Kind.DS1, Kind.DS2))
_IS_CODING = np.array([kind in ACCEPTOR_KINDS and kind not in (Kind.A5, Kind.A3) for kind in Kind])
Floats = npt.NDArray[np.float64]
#: A junction is worth a transcript of its own from so many reads, and from this share of the strongest junction's.
MIN_READS, MIN_LEVEL = 2.0, 0.01
#: Reads that go on unspliced through a junction's end are worth one from this share of all reads there; molecules not
#: spliced yet give 2 % or so.
MIN_UNSPLICED = 0.05
#: Things that some transcripts have and others lack that are tried two by two, and nats below the best path at most.
MOST_ALTERNATIVES, MOST_BELOW = 10, 25.0
#: Transcripts that are written for being near the best, and nats that they are below it at most.
MOST_NEAR, NEAR = 2, 5.0
#: Transcripts whose introns are tried with a stop codon inside.
MOST_BASES = 2
#: Transcripts that are written for a gene, from which confidence chooses; more where more may stay.
CANDIDATES = 16
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
def best_both_ways(first, target, score):  # type: ignore[no-untyped-def]  # pragma: no cover (compiled)
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


@kernel
def _best_behind(first, target, score, edges, values):  # type: ignore[no-untyped-def]  # pragma: no cover (compiled)
    """Of the best ways through one of some edges, (N,) each: the score at each state behind it, the edge by which the
    state is taken, and whether that is one of them."""
    n = len(first) - 1
    reached, into, entered = np.full(n, -np.inf), np.full(n, -1, np.int64), np.zeros(n, np.bool_)
    for at in range(len(edges)):
        state = target[edges[at]]
        if values[at] > reached[state]:
            reached[state], into[state], entered[state] = values[at], edges[at], True
    for state in range(n):
        if reached[state] == -np.inf:
            continue
        for edge in range(first[state], first[state + 1]):
            value = reached[state] + score[edge]
            if value > reached[target[edge]]:
                reached[target[edge]], into[target[edge]], entered[target[edge]] = value, edge, False
    return reached, into, entered


class Ways(NamedTuple):
    """Edges of ways from BEGIN to END, one behind the other; those of way w are `edges[bounds[w]:bounds[w + 1]]`."""

    edges: Ints
    bounds: Ints


@kernel
def best_ways(target, score, both, taken, within, most):  # type: ignore[no-untyped-def]  # pragma: no cover (compiled)
    """Ways by falling score and their scores, each the best through some edge that none before it takes.

    Args:
        both: Of `best_both_ways`.
        taken: (M,) edges that count as taken; those of the ways are added.
        within: Ways that score this much less than the best of all do not count.
        most: So many ways.
    """
    before, after, into, out, source = both
    last = len(before) - 1
    total = np.empty(len(target))
    for edge in range(len(target)):
        total[edge] = before[source[edge]] + score[edge] + after[target[edge]]
    near = np.flatnonzero(total >= total.max() - within)
    steps, bounds, scores = np.empty(256, dtype=np.int64), np.zeros(most + 1, dtype=np.int64), np.empty(most)
    count = 0
    for edge in near[np.argsort(-total[near], kind="mergesort")]:
        if count == most:
            break
        if taken[edge]:
            continue
        begin, at = bounds[count], edge
        length = 1
        while source[at] > 0:
            at = into[source[at]]
            length += 1
        middle, at = begin + length - 1, edge
        while target[at] < last:
            at = out[target[at]]
            length += 1
        while begin + length > len(steps):
            steps = np.concatenate((steps, np.empty_like(steps)))
        steps[middle] = edge
        for step in range(middle - 1, begin - 1, -1):
            steps[step] = into[source[steps[step + 1]]]
        for step in range(middle + 1, begin + length):
            steps[step] = out[target[steps[step - 1]]]
        taken[steps[begin : begin + length]] = True
        scores[count] = total[edge]
        bounds[count + 1] = begin + length
        count += 1
    return Ways(edges=steps[: bounds[count]], bounds=bounds[: count + 1]), scores[:count]


class _Behind(NamedTuple):
    """What `_best_behind` returns."""

    reached: Floats
    into: Ints
    entered: npt.NDArray[np.bool_]


class BestPaths:
    """The best paths of a graph through given edges; ties go to the first."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._both = best_both_ways(graph.first, graph.target, graph.score)
        self._before, self._after, self._into, self._out, self._source = self._both

    @property
    def score_of_best(self) -> float:
        return float(self._after[0])

    def through(self, edges: Ints) -> Path:
        """The path of the highest score among those that take one of some edges, of which there is at least one."""
        graph, source = self._graph, self._source
        total = self._before[source[edges]] + graph.score[edges] + self._after[graph.target[edges]]
        return self.completed([int(edges[np.argmax(total)])])

    def completed(self, edges: Sequence[int]) -> Path:
        """Neighbouring edges with the best way to them and from them."""
        taken = [*self._before_edge(edges[0]), *edges, *self._behind_edge(edges[-1])]
        return Path((0, *self._graph.target[taken].tolist()), tuple(taken))

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

    def behind(self, edges: Ints) -> _Behind:
        """The best ways through one of some edges, as far as each state behind them."""
        graph = self._graph
        values = self._before[self._source[edges]] + graph.score[edges]
        return _Behind(*_best_behind(graph.first, graph.target, graph.score, edges, values))

    def through_both(self, behind: _Behind, edges: Ints) -> tuple[Path, float] | None:
        """The best of these ways that goes on through one of some other edges, and its score; None where none does."""
        graph, source = self._graph, self._source
        total = behind.reached[source[edges]] + graph.score[edges] + self._after[graph.target[edges]]
        at = int(np.argmax(total))
        if not np.isfinite(total[at]):
            return None
        taken = [int(edges[at])]
        entered = False
        while not entered:
            state = source[taken[0]]
            taken.insert(0, int(behind.into[state]))
            entered = bool(behind.entered[state])
        return self.completed(taken), float(total[at])

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
        taken = np.zeros(graph.n_edges, dtype=np.bool_)
        for path in known:
            taken[list(path.edges)] = True
        ways, scores = best_ways(graph.target, graph.score, self._both, taken, within, graph.n_edges)
        for score, begin, end in zip(scores.tolist(), ways.bounds[:-1].tolist(), ways.bounds[1:].tolist(), strict=True):
            edges = ways.edges[begin:end]
            yield score, Path((0, *graph.target[edges].tolist()), tuple(edges.tolist()))


def _floor(support: Support) -> float:
    return max(MIN_READS, MIN_LEVEL * float(support.evidence.reads.max(initial=0.0)))


def _worth(support: Support) -> list[int]:
    """Junctions worth a transcript, the strongest first."""
    reads, floor = support.evidence.reads, _floor(support)
    return [index for index in np.argsort(-reads, kind="stable").tolist() if reads[index] >= floor]


def _worth_unspliced(support: Support) -> list[int]:
    """Ends of junctions that are worth a transcript whose exon goes on through them, the strongest first."""
    ends = support.ends
    worth = (ends.unspliced >= 1.0) & (ends.unspliced_share >= math.log(MIN_UNSPLICED))
    return [index for index in np.argsort(-ends.unspliced, kind="stable").tolist() if worth[index]]


def ends_gone_through(path: Path, support: Support) -> set[int]:
    """Ends of junctions (their index) through which an exon of the path goes on."""
    spans = support.through[list(path.edges)].tolist()
    return {end for first, behind in spans for end in range(first, behind)}


def _junctions_of(transcripts: Sequence[Found], support: Support) -> set[int]:
    """Junctions of some transcripts."""
    return {number for found in transcripts for number in support.junction[list(found.path.edges)].tolist()}


def write_supported(gene: GeneSearch, *, most: int) -> dict[int, str]:
    """Write on, while a junction is left that a valid transcript can use.

    Args:
        most: Transcripts that a gene may have in the end, the prompt not counted. More are written, up to `CANDIDATES`,
            from which confidence chooses.

    Returns:
        Junctions that are left (their index in the evidence), and why.
    """
    support, graph = gene.sites.support, gene.sites.graph
    left: dict[int, str] = {}
    if support is None:
        return left
    most = max(most, CANDIDATES)
    paths = BestPaths(graph)
    if gene.written < most:
        _write(gene, paths.best())
    _write_unspliced(gene, support, paths, most=most)
    used = _junctions_of(gene.found, support)
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
        used |= _junctions_of(gene.found[-1:], support)
    _write_coding(gene, support, paths, most=most)
    _write_stopped(gene, support, paths, most=most)
    _write_combined(gene, support, paths, most=most)
    _write_near(gene, paths, most=most)
    return left


def _write_near(gene: GeneSearch, paths: BestPaths, *, most: int) -> None:
    """What is nearly as good as the best: other starts, stops and sites some bases away leave few reads, or none."""
    near, before = paths.others([found.path for found in gene.found], within=NEAR), gene.written
    for _, path in near:
        if gene.written >= min(most, before + MOST_NEAR):
            return
        _write(gene, path)


def _write_coding(gene: GeneSearch, support: Support, paths: BestPaths, *, most: int) -> None:
    """The best transcripts through junctions that are an intron of untranslated regions in all that have them."""
    graph = gene.sites.graph
    coding = _IS_CODING[graph.kind[graph.target]]
    used = {j for f in gene.found for j in support.junction[[e for e in f.path.edges if coding[e]]].tolist()}
    for junction in _worth(support):
        edges = np.flatnonzero((support.junction == junction) & coding)
        if gene.written < most and junction not in used and len(edges):
            path = paths.through(edges)
            if graph.score[list(path.edges)].sum() >= paths.score_of_best - MOST_BELOW:
                _write(gene, path)
                used.update(support.junction[[e for e in path.edges if coding[e]]].tolist())


def _write_stopped(gene: GeneSearch, support: Support, paths: BestPaths, *, most: int) -> None:
    """Transcripts that go on into an intron of the first ones, as reads do, and meet a stop codon there.

    The start is that of the others: the best path of all that go on would often take another one, to get around the
    stop codon, but cells do not choose where they translate by what follows.
    """
    graph, ends = gene.sites.graph, support.ends
    worth = {int(ends.place[end]): float(ends.unspliced[end]) for end in _worth_unspliced(support)}
    stopped: list[tuple[float, list[int]]] = []
    for found in gene.found[:MOST_BASES]:
        states, edges = found.path.states, found.path.edges
        for at, (state, following) in enumerate(itertools.pairwise(states)):
            if graph.kind[following] not in _CODING_DONORS or int(graph.position[following]) not in worth:
                continue
            leaving = np.arange(graph.first[state], graph.first[state + 1])
            to_stop = leaving[graph.kind[graph.target[leaving]] == Kind.STOP]
            to_stop = to_stop[graph.position[graph.target[to_stop]] > graph.position[following]]
            stopped += [(worth[int(graph.position[following])], [*edges[:at], int(edge)]) for edge in to_stop]
    stopped.sort(key=lambda one: -one[0])
    for _, taken in stopped:
        if gene.written < most:
            _write(gene, paths.completed(taken))


def _write_unspliced(gene: GeneSearch, support: Support, paths: BestPaths, *, most: int) -> None:
    """Transcripts that go on where reads do and no other does: through both ends of an intron, then through one."""
    ends, evidence = support.ends, support.evidence
    worth = _worth_unspliced(support)
    if not worth:
        return
    number = {int(place): index for index, place in enumerate(ends.place.tolist())}
    pairs = [(number[s], number[e]) for s, e in zip(evidence.start.tolist(), evidence.end.tolist(), strict=True)]
    whole = [(a, b) for a, b in pairs if a in worth and b in worth]
    whole.sort(key=lambda pair: -min(ends.unspliced[pair[0]], ends.unspliced[pair[1]]))
    gone = set().union(*(ends_gone_through(found.path, support) for found in gene.found))
    kept = {pair for found in gene.found for pair in whole if set(pair) <= ends_gone_through(found.path, support)}
    first, behind = support.through.T
    for a, b in [*whole, *((end, end) for end in worth)]:
        if gene.written >= most:
            return
        if (a == b and a in gone) or (a, b) in kept:
            continue
        edges = np.flatnonzero((first <= a) & (b < behind))
        if len(edges):
            path = paths.through(edges)
            _write(gene, path)
            through = ends_gone_through(path, support)
            gone |= through
            kept |= {pair for pair in whole if set(pair) <= through}


def _write(gene: GeneSearch, path: Path) -> None:
    """Write a path that is new."""
    graph = gene.sites.graph
    if path_hash(path.core(graph)) not in gene.known:
        gene.write(Found.of(graph, path, more=gene.more, shown=True))


def _alternatives(gene: GeneSearch, support: Support) -> list[tuple[Ints, set[int]]]:
    """What some transcripts have and others lack, of what is worth one: its edges, and the transcripts that have it."""
    paths = [found.path for found in gene.found]
    junctions = [set(support.junction[list(path.edges)].tolist()) for path in paths]
    ends = [ends_gone_through(path, support) for path in paths]
    first, behind = support.through.T
    listed = [
        (
            support.evidence.reads[j],
            np.flatnonzero(support.junction == j),
            {n for n, has in enumerate(junctions) if j in has},
        )
        for j in _worth(support)
    ] + [
        (
            support.ends.unspliced[e],
            np.flatnonzero((first <= e) & (e < behind)),
            {n for n, has in enumerate(ends) if e in has},
        )
        for e in _worth_unspliced(support)
    ]
    listed = [one for one in listed if len(one[1]) and 0 < len(one[2]) < len(paths)]
    listed.sort(key=lambda one: -one[0])
    return [(edges, users) for _, edges, users in listed[:MOST_ALTERNATIVES]]


def _write_combined(gene: GeneSearch, support: Support, paths: BestPaths, *, most: int) -> None:
    """Transcripts with two things that reads show and that none written so far has together."""
    alternatives = _alternatives(gene, support)
    combined = []
    for edges, users in alternatives:
        behind = paths.behind(edges)
        together = [paths.through_both(behind, others) for others, theirs in alternatives if not users & theirs]
        combined += [found for found in together if found is not None]
    combined.sort(key=lambda found: -found[1])
    for path, score in combined:
        if gene.written < most and score >= paths.score_of_best - MOST_BELOW:
            _write(gene, path)


def unused_junctions(
    gene: GeneSearch, kept: Sequence[Found], left: Mapping[int, str], *, cut: Sequence[Found] = ()
) -> list[Unused]:
    """Junctions worth a transcript that none of those kept has, by position.

    Args:
        kept: Transcripts that are given out; the prompt is among them.
        left: What `write_supported` returned.
        cut: Transcripts that are probable enough and more than the gene may have.
    """
    support = gene.sites.support
    if support is None:
        return []
    used, lost = _junctions_of(kept, support), _junctions_of(cut, support)
    return [
        Unused(
            start=int(support.evidence.start[index]),
            end=int(support.evidence.end[index]),
            reads=float(support.evidence.reads[index]),
            reason=NO_ROOM if index in lost else left.get(index, IMPROBABLE),
        )
        for index in sorted(_worth(support))
        if index not in used
    ]
