"""Known transcripts as paths through a graph: for training labels and for prompts.

In: a graph and transcripts in window coordinates. Out: `Path`s (states and edges), or None where a transcript does not
follow the grammar.
A surprise: TSS and TTS are fuzzy. A path takes the nearest candidate, so a path read back may begin some bases off.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from transgenic_tools.genome.gene import Transcript
from transgenic_tools.lattice.grammar import SITE_OF_KIND, Kind, transcript_to_path
from transgenic_tools.lattice.graph import Graph, best_path
from transgenic_tools.lattice.vocabulary import Site

Ints = npt.NDArray[np.int64]
_SITE = np.array(SITE_OF_KIND)
_TSS, _TTS = int(Kind.TSS), int(Kind.TTS)


@dataclass(frozen=True)
class Path:
    """One transcript in a graph.

    Attributes:
        states: From BEGIN to END.
        edges: Index of the edge between neighbours in `states`.
    """

    states: tuple[int, ...]
    edges: tuple[int, ...]

    def core(self, graph: Graph) -> tuple[int, ...]:
        """States without TSS and TTS: what makes two transcripts different."""
        states = np.array(self.states)
        kinds = graph.kind[states]
        return tuple(states[(kinds != _TSS) & (kinds != _TTS)].tolist())


def best(graph: Graph) -> Path:
    """The path of the highest score."""
    states = best_path(graph.first, graph.target, graph.score).tolist()
    edges = []
    for state, following in itertools.pairwise(states):
        leaving = range(graph.first[state], graph.first[state + 1])
        edges.append(next(e for e in leaving if graph.target[e] == following))
    return Path(tuple(states), tuple(edges))


def exact_sites(transcripts: Sequence[Transcript]) -> list[tuple[Site, int]]:
    """Starts, donors and acceptors of some transcripts, to be forced into the candidates."""
    exact = (Site.START, Site.DONOR, Site.ACCEPTOR)
    return sorted({step for t in transcripts for step in transcript_to_path(t) if step[0] in exact})


def _edges_to(graph: Graph, state: int, site: Site, position: int) -> list[int]:
    """Edges from a state to a site; two where a start codon may also be a split one."""
    edges = np.arange(graph.first[state], graph.first[state + 1])
    targets = graph.target[edges]
    return edges[(_SITE[graph.kind[targets]] == site) & (graph.position[targets] == position)].tolist()


def rivals(graph: Graph, state: int, edge: int, *, utrs: bool) -> Ints:
    """Edges that leave the state of one that is taken, in their order.

    Args:
        utrs: False: where the edge passes a UTR over, only those that do.
    """
    edges = np.arange(graph.first[state], graph.first[state + 1])
    passed_over = {int(Kind.BEGIN): int(Kind.START), int(Kind.STOP): int(Kind.END)}.get(int(graph.kind[state]))
    if utrs or passed_over is None or graph.kind[graph.target[edge]] != passed_over:
        return edges
    return edges[graph.kind[graph.target[edges]] == passed_over]


def _nearest_tss(graph: Graph, near: int, before: int) -> int | None:
    positions = graph.position[graph.kind == Kind.TSS]
    positions = positions[positions <= before]
    return int(positions[np.argmin(np.abs(positions - near))]) if len(positions) else None


def _nearest_tts(graph: Graph, near: int, after: int) -> int | None:
    positions = graph.position[graph.kind == Kind.TTS]
    positions = positions[positions > after]
    return int(positions[np.argmin(np.abs(positions - near))]) if len(positions) else None


def _snap_ends(graph: Graph, steps: list[tuple[Site, int]]) -> list[tuple[Site, int]]:
    """TSS and TTS moved to the nearest candidates, or left out where none fits."""
    if steps[0][0] == Site.TSS:
        tss = _nearest_tss(graph, steps[0][1], steps[1][1] - (1 if steps[1][0] == Site.DONOR else 0))
        steps = ([] if tss is None else [(Site.TSS, tss)]) + steps[1:]
    if steps[-1][0] == Site.TTS:
        tts = _nearest_tts(graph, steps[-1][1], steps[-2][1])
        steps = steps[:-1] + ([] if tts is None else [(Site.TTS, tts)])
    return steps


def find_path(graph: Graph, transcript: Transcript) -> Path | None:
    """The path of a coding transcript in window coordinates, or None."""
    steps = _snap_ends(graph, transcript_to_path(transcript))
    last = graph.n_states - 1
    stack: list[tuple[tuple[int, ...], tuple[int, ...]]] = [((0,), ())]
    while stack:
        states, edges = stack.pop()
        if states[-1] == last:
            return Path(states, edges)
        if len(edges) < len(steps):
            following = _edges_to(graph, states[-1], *steps[len(edges)])
        else:
            following = [
                e for e in range(graph.first[states[-1]], graph.first[states[-1] + 1]) if graph.target[e] == last
            ]
        stack += [((*states, int(graph.target[edge])), (*edges, edge)) for edge in reversed(following)]
    return None


def find_paths(graph: Graph, transcripts: Sequence[Transcript]) -> list[Path]:
    """Paths of distinct transcripts in their order; those outside the grammar are left out."""
    paths: list[Path] = []
    seen: set[tuple[int, ...]] = set()
    for transcript in transcripts:
        path = find_path(graph, transcript)
        if path is not None and path.core(graph) not in seen:
            seen.add(path.core(graph))
            paths.append(path)
    return paths
