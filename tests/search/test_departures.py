"""Compiled candidates against the slow twin: whole, and on transcripts that differ in every way."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.lattice.test_graph import random_graph, random_window
from tests.search import plain
from tests.strategies import transcripts
from transgenic_tools.genome.gene import Transcript
from transgenic_tools.genome.interval import Interval, clip
from transgenic_tools.genome.sequence import encode
from transgenic_tools.lattice.grammar import Kind, transcript_to_path
from transgenic_tools.lattice.graph import Graph, backward
from transgenic_tools.lattice.paths import Path
from transgenic_tools.lattice.site_graph import site_graph
from transgenic_tools.lattice.vocabulary import Site
from transgenic_tools.search.alternatives import find_candidates
from transgenic_tools.search.departures import AT, EVENTS, FEATURES
from transgenic_tools.search.search import Found, GeneSearch, start_search
from transgenic_tools.search.supported import BestPaths

_KIND = {
    Site.TSS: Kind.TSS, Site.START: Kind.START, Site.DONOR: Kind.D0, Site.ACCEPTOR: Kind.A0, Site.STOP: Kind.STOP,
    Site.TTS: Kind.TTS,
}  # fmt: skip
LENGTH = 1_000


def gene_of(graph: Graph, paths: Sequence[Path], prompts: int, rng: np.random.Generator) -> GeneSearch:
    """A gene that has written these paths, so many of which were given."""
    sites = site_graph(graph, lambda positions: np.zeros((len(positions), 1), dtype=np.float32))
    gene = start_search("gene", sites, paths[:prompts])
    for path in paths[prompts:]:
        gene.write(replace(Found.of(graph, path, more=float(rng.random())), log_probability=-float(rng.random())))
    return gene


def assert_as_twin(gene: GeneSearch, codes: np.ndarray) -> np.ndarray:
    """The same candidates with the same numbers, to the bit; returns these."""
    expected, found = plain.find_candidates(gene, codes), find_candidates(gene, codes)
    assert [c.path for c in found] == [c.path for c in expected]
    assert [c.ordinal for c in found] == [c.ordinal for c in expected]
    assert [c.transcript for c in found] == [c.transcript for c in expected]
    for one, other in zip(found, expected, strict=True):
        assert dict(zip(FEATURES, one.features.tolist(), strict=True)) == dict(
            zip(FEATURES, other.features.tolist(), strict=True)
        )
    return np.array([c.features for c in found]).reshape(-1, len(FEATURES))


@pytest.mark.parametrize("seed", [seed for seed in range(60) if random_graph(seed) is not None])
def test_candidates_of_random_windows_are_those_of_the_twin(seed: int) -> None:
    graph, codes, rng = random_graph(seed), encode(random_window(seed)[0]), np.random.default_rng(seed)
    assert graph is not None
    best = BestPaths(graph)
    every = [best.best(), *(path for _, path in best.others([best.best()], within=50.0))]
    numbers = []
    for prompts, written in ((0, 1), (1, 0), (0, 4), (1, 3), (3, 2), (2, 9)):
        paths = [every[i] for i in rng.permutation(len(every))[: prompts + written]]
        numbers.append(assert_as_twin(gene_of(graph, paths, min(prompts, len(paths)), rng), codes))
    assert len(every) < 12 or any(len(some) for some in numbers)


def graph_of(several: Sequence[Transcript], rng: np.random.Generator) -> tuple[Graph, list[Path]]:
    """A graph in which each transcript is a path of its own, and these paths; scores are drawn."""
    kinds, positions, first, targets, paths = [0], [0], [0, len(several)], [], []
    for transcript in several:  # edges from BEGIN come first
        targets.append(len(kinds))
        steps = transcript_to_path(transcript)
        kinds += [_KIND[site] for site, _ in steps]
        positions += [position for _, position in steps]
    last, begins = len(kinds), [*targets, len(kinds)]
    for number, (begin, end) in enumerate(itertools.pairwise(begins)):
        edges = range(len(targets), len(targets) + end - begin)
        targets += [*range(begin + 1, end), last]
        first += [edge + 1 for edge in edges]
        paths.append(Path((0, *range(begin, end), last), (number, *edges)))
    n, m = last + 1, len(targets)
    first_edge, target, score = np.array([*first, m]), np.array(targets, dtype=np.int32), rng.normal(size=m)
    graph = Graph(
        kind=np.array([*kinds, Kind.END]), position=np.array([*positions, LENGTH]), logit=rng.normal(size=n),
        first=first_edge, target=target, score=score, content=rng.normal(size=m).astype(np.float32),
        length=np.ones(m, dtype=np.int32), beta=backward(first_edge, target, score),
    )  # fmt: skip
    return graph, paths


@st.composite
def variants(draw: st.DrawFn, known: Transcript) -> Transcript:
    """A transcript with an exon or an intron more or less, another site, or another CDS."""
    exons = list(known.exons)
    for _ in range(draw(st.integers(1, 3))):
        change, i = draw(st.integers(0, 5)), draw(st.integers(0, len(exons) - 1))
        exon = exons[i]
        if change == 0 and len(exons) > 1:
            exons.pop(i)
        elif change == 1 and i + 1 < len(exons):
            exons[i : i + 2] = [Interval(exon.start, exons[i + 1].end)]
        elif change == 2 and len(exon) > 8:
            exons[i : i + 1] = [Interval(exon.start, exon.start + 2), Interval(exon.end - 2, exon.end)]
        elif change == 3 and len(exon) > 5:
            by = draw(st.integers(1, 4))
            exons[i] = draw(st.sampled_from([Interval(exon.start + by, exon.end), Interval(exon.start, exon.end - by)]))
        elif change == 4 and i + 1 < len(exons) and exons[i + 1].start - exon.end > 8:
            exons.insert(i + 1, Interval(exon.end + 3, exon.end + 5))
        elif change == 5 and i + 1 < len(exons) and min(len(exon), len(exons[i + 1])) > 1:
            exons[i : i + 2] = [Interval(exon.start, exon.end - 1), Interval(exons[i + 1].start + 1, exons[i + 1].end)]
    bases = [p for e in exons for p in range(e.start, e.end)]
    first, last = known.cds[0].start, known.cds[-1].end - 1
    if draw(st.booleans()) or first not in bases or last not in bases:
        first, last = sorted(draw(st.tuples(st.sampled_from(bases), st.sampled_from(bases))))
    cds = clip(exons, Interval(first, last + 1))
    return replace(known, exons=tuple(exons), cds=cds, first_phase=0)


SEEN: set[str] = set()


@settings(max_examples=500)
@given(data=st.data(), seed=st.integers(0, 2**16))
def _numbers_are_those_of_the_twin(data: st.DataObject, seed: int) -> None:
    known = replace(data.draw(transcripts(strand="+")), first_phase=0)
    several = [known, *(data.draw(variants(known)) for _ in range(data.draw(st.integers(1, 6))))]
    rng = np.random.default_rng(seed)
    graph, paths = graph_of(several, rng)
    prompts = data.draw(st.integers(0, 2))
    gene = gene_of(graph, paths[: max(1, prompts)], prompts, rng)
    numbers = assert_as_twin(gene, rng.integers(0, 5, LENGTH).astype(np.uint8))
    SEEN.update(name for name in FEATURES if (numbers[:, FEATURES.index(name)] != 0.0).any())


def test_numbers_of_transcripts_that_differ_in_every_way_are_those_of_the_twin() -> None:
    SEEN.clear()
    _numbers_are_those_of_the_twin()
    assert {*EVENTS, "before_cds", "after_cds", "start_alone", "decay", "keeps_frame", "by_three"} <= SEEN


def test_names_and_places_of_numbers() -> None:
    assert [getattr(AT, name) for name in FEATURES] == list(range(len(FEATURES)))
