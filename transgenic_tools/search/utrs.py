"""UTRs of a transcript that is known by its coding sequence alone.

In: a graph, and a known transcript that begins with its start codon, ends with its stop codon, or both. Out: the
transcript with the most probable UTRs by the graph, and how probable their introns are, given that coding sequence.
Dims: N states, M edges.
A surprise: the ends themselves are fuzzy, so the probability is that of the introns: it sums over all places where
transcription may begin and end.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from transgenic_tools.genome.gene import Transcript
from transgenic_tools.genome.interval import Interval
from transgenic_tools.genome.splicing import without_shorter
from transgenic_tools.lattice.grammar import Kind, path_to_transcript
from transgenic_tools.lattice.graph import Graph, forward
from transgenic_tools.lattice.paths import Path, find_path
from transgenic_tools.search.supported import BestPaths

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Extended:
    """A known transcript with UTRs.

    Attributes:
        path: Through the graph.
        transcript: The known one with new exons, in window coordinates; a UTR that is known stays as it is.
        probability: Of the introns of the new UTRs, given the coding sequence and that it has UTRs.
    """

    path: Path
    transcript: Transcript
    probability: float


def _log_sum(values: Floats) -> float:
    peak = float(values.max(initial=-math.inf))
    return peak + math.log(float(np.exp(values - peak).sum())) if math.isfinite(peak) else -math.inf


class _Ends:
    """Ways from BEGIN to a start codon and from a stop codon to END."""

    def __init__(self, graph: Graph) -> None:
        self._graph, self._best = graph, BestPaths(graph)
        self._source = np.repeat(np.arange(graph.n_states), np.diff(graph.first))
        self._alpha: Floats = forward(graph.first, graph.target, graph.score)

    def before(self, start: int) -> tuple[list[int], float]:
        """Edges of the best way to a start codon through a UTR, and the probability of its introns; [] without one."""
        graph, source = self._graph, self._source
        into = np.flatnonzero((graph.target == start) & (source != 0))
        if not len(into):
            return [], 1.0
        all_ways = _log_sum(self._alpha[source[into]] + graph.score[into])
        way = self._best.way_to(into)
        inner = int(graph.target[way[1]])  # the first state behind the TSS
        begun = np.flatnonzero((graph.target == inner) & (graph.kind[source] == Kind.TSS))
        these = _log_sum(self._alpha[source[begun]] + graph.score[begun]) + float(graph.score[way[2:]].sum())
        return way, math.exp(min(0.0, these - all_ways))

    def behind(self, stop: int) -> tuple[list[int], float]:
        """The same from a stop codon on."""
        graph, last = self._graph, self._graph.n_states - 1
        out = np.arange(graph.first[stop], graph.first[stop + 1])
        out = out[graph.target[out] != last]
        if not len(out):
            return [], 1.0
        all_ways = _log_sum(graph.score[out] + graph.beta[graph.target[out]])
        way = self._best.way_from(out)
        inner = int(self._source[way[-2]])  # the last state before the TTS
        ended = np.arange(graph.first[inner], graph.first[inner + 1])
        ended = ended[graph.kind[graph.target[ended]] == Kind.TTS]
        these = _log_sum(graph.score[ended] + graph.beta[graph.target[ended]]) + float(graph.score[way[:-2]].sum())
        return way, math.exp(min(0.0, these - all_ways))


def extend(graph: Graph, known: Sequence[Transcript]) -> list[Extended]:
    """Those known transcripts that lack a UTR and are paths of the graph, with the UTRs that it holds for likeliest.

    Of those that differ in the length of their UTRs alone the longest.
    """
    wanted = [t for t in without_shorter(known) if any(t.lacks_utrs)]
    ends, found = _Ends(graph) if wanted else None, list[Extended]()
    for transcript in wanted:
        path = find_path(graph, transcript)
        if path is not None and ends is not None:
            extended = _extended(graph, ends, transcript, path)
            found += [] if extended is None else [extended]
    return found


def _extended(graph: Graph, ends: _Ends, known: Transcript, path: Path) -> Extended | None:
    kinds = graph.kind[list(path.states)].tolist()
    start, stop = kinds.index(Kind.START), kinds.index(Kind.STOP)
    before, behind = list(path.edges[:start]), list(path.edges[stop:])
    lacks_before, lacks_behind = known.lacks_utrs
    probability, new = 1.0, False
    if lacks_before:
        way, share = ends.before(path.states[start])
        before, probability, new = way or before, probability * share, bool(way)
    if lacks_behind:
        way, share = ends.behind(path.states[stop])
        behind, probability, new = way or behind, probability * share, new or bool(way)
    if not new:
        return None
    edges = (*before, *path.edges[start:stop], *behind)
    states = [0, *graph.target[list(edges)].tolist()]
    read = path_to_transcript(graph.kind[states].tolist(), graph.position[states].tolist(), transcript_id="")
    return Extended(
        path=Path(tuple(states), edges),
        transcript=_with_known_ends(read, known, (lacks_before, lacks_behind)),
        probability=probability,
    )


def _with_known_ends(read: Transcript, known: Transcript, lacks: tuple[bool, bool]) -> Transcript:
    """The candidates of ends that a path takes are only near those of a UTR that is known."""
    exons = list(read.exons)
    if not lacks[0]:
        exons[0] = Interval(known.exons[0].start, exons[0].end)
    if not lacks[1]:
        exons[-1] = Interval(exons[-1].start, known.exons[-1].end)
    return replace(read, exons=tuple(exons))
