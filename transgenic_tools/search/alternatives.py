"""Alternatives as decisions of their own: what else a gene may do than its first transcript does.

In: a gene whose search is over. Out: `Candidate`s, the best ways through the graph that leave the first transcript,
with the numbers by which boosted trees say how probable each is (`model.alternatives`).
A surprise: there is no list of kinds of event. Every edge that the first transcript does not take is a departure from
it (an intron kept, an exon passed over, another site, another start), and the best path through it is the rest.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from transgenic_tools.genome.gene import Transcript
from transgenic_tools.lattice.grammar import path_to_transcript
from transgenic_tools.lattice.graph import Graph
from transgenic_tools.lattice.paths import Path
from transgenic_tools.search.departures import AT, FEATURES, States, find_departures
from transgenic_tools.search.search import Found, GeneSearch
from transgenic_tools.search.supported import Ways

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
#: Candidates of a gene, and how much less than the graph's best path one may score, in nats.
MOST, WITHIN = 16, 8.0
#: Paths that are looked at until there are so many candidates: several have one CDS.
MOST_PATHS = 3 * MOST


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A transcript that a gene may have beside its first one.

    Attributes:
        graph: Of the gene.
        edges: Of the path through it.
        features: (F,) in the order of `FEATURES`.
        ordinal: Its place in the gene's `found` where the decoder wrote it; None where it did not.
    """

    graph: Graph
    edges: Ints
    features: Floats
    ordinal: int | None = None

    @cached_property
    def path(self) -> Path:
        return Path((0, *self.graph.target[self.edges].tolist()), tuple(self.edges.tolist()))

    @cached_property
    def transcript(self) -> Transcript:
        """What it reads as, in window coordinates."""
        return _transcript(self.graph, self.path)


def _transcript(graph: Graph, path: Path) -> Transcript:
    states = list(path.states)
    return path_to_transcript(graph.kind[states].tolist(), graph.position[states].tolist(), transcript_id="")


def first_of(gene: GeneSearch) -> Found:
    """What others are held against: what the decoder wrote first, or of a prompt the longest CDS."""
    prompt = [found for found in gene.found if found.prompt]
    if not prompt:
        return gene.found[0]
    return max(prompt, key=lambda found: _transcript(gene.sites.graph, found.path).cds_length)


def find_candidates(gene: GeneSearch, codes: npt.NDArray[np.uint8]) -> list[Candidate]:
    """What a gene may do beside its first transcript (and its prompt), the most probable by the graph first.

    Of candidates with one CDS that is not the first's only the best is kept: they differ in their UTRs alone.

    Args:
        codes: (L,) bases of the window.
    """
    graph, first = gene.sites.graph, first_of(gene)
    known = [n for n, found in enumerate(gene.found) if found.prompt and found is not first]
    written = [n for n, found in enumerate(gene.found) if not found.prompt and found is not first]
    scores = {n: float(graph.score[list(gene.found[n].path.edges)].sum()) for n in written}
    written.sort(key=lambda n: -scores[n])
    edges = np.array(first.path.edges)
    score, content = float(graph.score[edges].sum()), float(graph.content[edges].sum())
    departures = find_departures(
        States(kind=graph.kind, position=graph.position, logit=graph.logit),
        graph.edges,
        _ways([first.path, *(gene.found[n].path for n in (*known, *written))]),
        1 + len(known),
        np.array([score, *(0.0 for _ in known), *(scores[n] for n in written)]),
        float(graph.beta[0]),
        codes,
        _blank(first, score - float(graph.beta[0])),
        WITHIN,
        MOST,
        MOST_PATHS,
    )
    bounds, candidates = departures.ways.bounds.tolist(), []
    for rank, given in enumerate(departures.given.tolist()):
        taken, features = departures.ways.edges[bounds[rank] : bounds[rank + 1]], departures.features[rank]
        more = float(graph.content[taken].sum()) - content  # in the order of numpy's sums of fp32
        features[AT.content] = min(max(more, -100.0), 100.0) / 20.0
        ordinal = None if given < 0 else written[given - 1 - len(known)]
        if ordinal is not None:
            _describe_written(gene, first, ordinal, features)
        candidates.append(Candidate(graph=graph, edges=taken, features=features, ordinal=ordinal))
    return candidates


def _ways(paths: Sequence[Path]) -> Ways:
    bounds = np.cumsum([0, *(len(path.edges) for path in paths)])
    return Ways(edges=np.array([edge for path in paths for edge in path.edges]), bounds=bounds)


def _blank(first: Found, log_probability: float) -> Floats:
    """(F,) numbers of a candidate that the decoder did not write, as far as they say the same of all.

    Args:
        log_probability: Of the first transcript, by the graph.
    """
    numbers = np.zeros(len(FEATURES))
    numbers[AT.first_log_probability] = max(log_probability, -15.0)
    numbers[AT.first_written] = 0.0 if first.prompt else max(first.log_probability, -15.0)
    numbers[AT.known] = float(first.prompt)
    numbers[AT.written_log_probability], numbers[AT.written_more] = -10.0, -5.0
    return numbers


def _describe_written(gene: GeneSearch, first: Found, ordinal: int, numbers: Floats) -> None:
    """What the decoder says of a candidate that it wrote."""
    found = gene.found[ordinal]
    against = 0.0 if first.prompt else first.log_probability
    new = ordinal - sum(other.prompt for other in gene.found)
    numbers[AT.written] = 1.0
    numbers[AT.written_log_probability] = max(found.log_probability - against, -10.0)
    numbers[AT.written_more] = max(math.log(max(found.more, 1e-9)), -5.0)
    numbers[AT.written_ordinal] = float(min(new + first.prompt, 4))
