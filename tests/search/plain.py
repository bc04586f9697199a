"""The slow, obvious twin of candidates: transcripts as records, numbers by name.

In: a gene whose search is over, its bases. Out: what `search.alternatives.find_candidates` finds, and says of each.
"""

from __future__ import annotations

import heapq
import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from transgenic_tools.genome.gene import Transcript
from transgenic_tools.genome.interval import Intervals
from transgenic_tools.genome.splicing import Difference, splice_differences
from transgenic_tools.lattice.grammar import SITE_OF_KIND, Kind, path_to_transcript
from transgenic_tools.lattice.graph import Graph
from transgenic_tools.lattice.paths import Path
from transgenic_tools.lattice.vocabulary import Site
from transgenic_tools.search.alternatives import MOST, MOST_PATHS, WITHIN, first_of
from transgenic_tools.search.departures import EVENTS, FEATURES
from transgenic_tools.search.search import Found, GeneSearch
from transgenic_tools.search.supported import BestPaths, best_both_ways

Floats = npt.NDArray[np.float64]
_SITE = np.array(SITE_OF_KIND)
_INEXACT = (Kind.BEGIN, Kind.TSS, Kind.TTS, Kind.END)
_NO_SITE = 3.0
_EARLY_STOP = 50


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """As `search.alternatives.Candidate`."""

    path: Path
    transcript: Transcript
    features: Floats
    ordinal: int | None = None


@dataclass(frozen=True, kw_only=True)
class _Way:
    """A path and its score by the graph; `ordinal` as of a candidate."""

    score: float
    path: Path
    ordinal: int | None


def _transcript(graph: Graph, path: Path) -> Transcript:
    states = list(path.states)
    return path_to_transcript(graph.kind[states].tolist(), graph.position[states].tolist(), transcript_id="")


def find_candidates(gene: GeneSearch, codes: npt.NDArray[np.uint8]) -> list[Candidate]:
    """As `search.alternatives.find_candidates`."""
    graph, first = gene.sites.graph, first_of(gene)
    main = _transcript(graph, first.path)
    seen = {_named(_transcript(graph, found.path), main) for found in gene.found if found.prompt or found is first}
    kept: list[tuple[_Way, Transcript]] = []

    def take(way: _Way) -> None:
        transcript = _transcript(graph, way.path)
        name = _named(transcript, main)
        if name not in seen:
            seen.add(name)
            kept.append((way, transcript))

    written = _written(gene, first)
    for way in heapq.merge(written, _departures(gene, first, written), key=lambda way: -way.score):
        if len(kept) == MOST:
            break
        take(way)
    for way in written:  # those that the graph holds for less probable count, too
        take(way)
    describe = _Describer(gene, first, main, [way for way, _ in kept], codes)
    return [
        Candidate(path=way.path, transcript=transcript, ordinal=way.ordinal, features=describe(rank, way, transcript))
        for rank, (way, transcript) in enumerate(kept)
    ]


def _named(transcript: Transcript, main: Transcript) -> tuple[Intervals, Intervals]:
    """What tells candidates apart: the CDS, and where that is the first transcript's, the introns."""
    return transcript.cds, transcript.introns if transcript.cds == main.cds else ()


def _written(gene: GeneSearch, first: Found) -> list[_Way]:
    """What the decoder wrote beside the first transcript, the best of the graph first."""
    graph = gene.sites.graph
    ways = [
        _Way(score=float(graph.score[list(found.path.edges)].sum()), path=found.path, ordinal=ordinal)
        for ordinal, found in enumerate(gene.found)
        if not found.prompt and found is not first
    ]
    return sorted(ways, key=lambda way: -way.score)


def _departures(gene: GeneSearch, first: Found, written: Sequence[_Way]) -> Iterator[_Way]:
    """Ways to leave the first transcript by the graph that nobody wrote, best first."""
    graph = gene.sites.graph
    cores = {way.path.core(graph) for way in written}
    for score, path in itertools.islice(_others(graph, first.path), MOST_PATHS):
        if path.core(graph) not in cores:
            yield _Way(score=score, path=path, ordinal=None)


def _others(graph: Graph, known: Path) -> Iterator[tuple[float, Path]]:
    """Scores and paths, best first: each the best one through some edge that no path before it takes."""
    paths = BestPaths(graph)
    before, after, _, _, source = best_both_ways(graph.first, graph.target, graph.score)
    total = before[source] + graph.score + after[graph.target]
    taken = set(known.edges)
    near = np.flatnonzero(total >= total.max() - WITHIN)
    for edge in near[np.argsort(-total[near], kind="stable")].tolist():
        if edge not in taken:
            path = paths.through(np.array([edge]))
            taken.update(path.edges)
            yield float(total[edge]), path


class _Describer:
    """Numbers of the candidates of one gene."""

    def __init__(
        self, gene: GeneSearch, first: Found, main: Transcript, ways: Sequence[_Way], codes: npt.NDArray[np.uint8]
    ) -> None:
        self._gene, self._graph, self._first, self._main, self._codes = gene, gene.sites.graph, first, main, codes
        self._score = float(self._graph.score[list(first.path.edges)].sum())
        self._content = float(self._graph.content[list(first.path.edges)].sum())
        self._sites = _exact_sites(self._graph, first.path)
        self._rivals = sum(way.score > self._score - 3.0 for way in ways)
        self._decay = _early_stop(main)
        known = first.prompt
        self._of_gene = {
            "introns": math.log1p(len(main.introns)),
            "cds_length": math.log(max(main.cds_length, 3) / 1000),
            "first_log_probability": max(self._score - float(self._graph.beta[0]), -15.0),
            "first_written": 0.0 if known else max(first.log_probability, -15.0),
            "rivals": math.log1p(self._rivals),
            "known": float(known),
        }

    def __call__(self, rank: int, way: _Way, transcript: Transcript) -> Floats:
        found = splice_differences(transcript.exons, self._main.exons, "+")
        numbers = {
            **self._of_gene,
            "rank": math.log1p(rank),
            **self._of_graph(way),
            **self._of_events(transcript, found),
            **self._of_places(transcript, found),
            **self._of_decoder(way.ordinal),
        }
        return np.array([numbers[name] for name in FEATURES])

    def _of_graph(self, way: _Way) -> dict[str, float]:
        graph = self._graph
        sites = _exact_sites(graph, way.path)
        new = [logit for site, logit in sites.items() if site not in self._sites]
        lost = [logit for site, logit in self._sites.items() if site not in sites]
        content = float(graph.content[list(way.path.edges)].sum()) - self._content
        return {
            "drop": float(np.clip(self._score - way.score, -18.0, 18.0)),
            "log_probability": max(way.score - float(graph.beta[0]), -25.0),
            "content": float(np.clip(content, -100.0, 100.0)) / 20.0,
            "new_least": min(new, default=_NO_SITE),
            "new_mean": sum(new) / len(new) if new else _NO_SITE,
            "new_sites": float(len(new)),
            "lost_least": min(lost, default=_NO_SITE),
            "lost_most": max(lost, default=_NO_SITE),
            "lost_sites": float(len(lost)),
        }

    def _of_events(self, transcript: Transcript, found: Sequence[Difference]) -> dict[str, float]:
        main, cds = self._main, transcript.cds
        kinds = {difference.kind for difference in found}
        same = cds == main.cds
        before = same and all(difference.place.end <= main.cds[0].start for difference in found)
        start, stop = cds[0].start - main.cds[0].start, cds[-1].end - main.cds[-1].end
        return {
            **{name: float(name in kinds) for name in EVENTS},
            "differences": float(min(len(found), 5)),
            "same_cds": float(same),
            "before_cds": float(before),
            "after_cds": float(same and not before),
            "other_start": float(start != 0),
            "later_start": float(start > 0),
            "other_stop": float(stop != 0),
            "earlier_stop": float(stop < 0),
            "start_alone": float(start != 0 and not kinds),
            "length_ratio": max(math.log(transcript.cds_length / main.cds_length), -3.0),
            "keeps_frame": float(start == stop == 0 and (transcript.cds_length - main.cds_length) % 3 == 0),
            "decay": float(_early_stop(transcript)) - float(self._decay),
        }

    def _of_places(self, transcript: Transcript, found: Sequence[Difference]) -> dict[str, float]:
        def longest(*kinds: str) -> int:
            return max((len(difference.place) for difference in found if difference.kind in kinds), default=0)

        between = longest("alternative_5ss", "alternative_3ss")
        intron, exon = longest("intron_retention", "intron_gain"), longest("exon_skipping", "exon_inclusion")
        place = max((difference.place for difference in found), key=len, default=None)
        whole = self._main.interval
        bases = self._codes[place.start : place.end] if place is not None else self._codes[:0]
        return {
            "site_distance": math.log1p(between),
            "by_three": float(between == 3),
            "by_four": float(between == 4),
            "intron_length": math.log(max(intron, 1) / 100) if intron else 0.0,
            "intron_in_frame": float(intron > 0 and intron % 3 == 0),
            "exon_length": math.log(max(exon, 1) / 100) if exon else 0.0,
            "exon_in_frame": float(exon > 0 and exon % 3 == 0),
            "gc": float(((bases == 1) | (bases == 2)).mean()) if len(bases) else 0.37,
            "place": (place.start - whole.start) / len(whole) if place is not None else 0.5,
        }

    def _of_decoder(self, ordinal: int | None) -> dict[str, float]:
        if ordinal is None:
            return {
                "written": 0.0, "written_log_probability": -10.0, "written_more": -5.0, "written_ordinal": 0.0,
            }  # fmt: skip
        found = self._gene.found[ordinal]
        against = 0.0 if self._first.prompt else self._first.log_probability
        new = ordinal - sum(other.prompt for other in self._gene.found)
        return {
            "written": 1.0,
            "written_log_probability": max(found.log_probability - against, -10.0),
            "written_more": max(math.log(max(found.more, 1e-9)), -5.0),
            "written_ordinal": float(min(new + self._first.prompt, 4)),
        }


def _exact_sites(graph: Graph, path: Path) -> dict[tuple[int, int], float]:
    """Logit by (type, position) of a path's starts, donors and acceptors."""
    states = np.array(path.states)
    kinds = graph.kind[states]
    states = states[~np.isin(kinds, _INEXACT) & (_SITE[kinds] != Site.STOP)]
    names = zip(_SITE[graph.kind[states]].tolist(), graph.position[states].tolist(), strict=True)
    return dict(zip(names, graph.logit[states].tolist(), strict=True))


def _early_stop(transcript: Transcript) -> bool:
    """True where the stop codon lies so far before the last junction that the RNA may be taken apart for it."""
    stop = transcript.cds[-1].end
    behind = sum(max(0, exon.end - max(exon.start, stop)) for exon in transcript.exons[:-1])
    return behind > _EARLY_STOP
