"""UTRs of coding sequences: the best ways and their probability, against all paths of small graphs."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from tests.lattice.test_graph import paths_of, random_graph, read
from transgenic_tools.genome.gene import Transcript
from transgenic_tools.lattice.grammar import Kind
from transgenic_tools.lattice.graph import Graph
from transgenic_tools.search.utrs import extend

SEEDS = [seed for seed in range(60) if random_graph(seed) is not None]


def bare(transcript: Transcript) -> Transcript:
    return replace(transcript, exons=transcript.cds)


def all_of(graph: Graph) -> list[tuple[Transcript, float]]:
    """Every path as a transcript, with its score."""
    return [(read(graph, path), score) for path, score in paths_of(graph)]


def log_sum(scores: list[float]) -> float:
    return math.log(sum(math.exp(score) for score in scores))


@pytest.mark.parametrize("seed", SEEDS)
def test_the_best_utrs_and_the_probability_of_their_introns(seed: int) -> None:
    graph = random_graph(seed)
    assert graph is not None
    paths = all_of(graph)
    for cds in list(dict.fromkeys(t.cds for t, _ in paths))[:12]:
        same = [(t, score) for t, score in paths if t.cds == cds]
        whole = [(t, score) for t, score in same if t.lacks_utrs == (False, False)]
        direct = [t for t, _ in same if t.lacks_utrs == (True, True)]
        if not whole or not direct:
            continue
        (extended,) = extend(graph, [bare(same[0][0])])
        best, score = max(whole, key=lambda pair: pair[1])
        assert extended.transcript.exons == best.exons
        assert float(graph.score[list(extended.path.edges)].sum()) == pytest.approx(score)
        these = [score for t, score in whole if t.introns == best.introns]
        assert extended.probability == pytest.approx(math.exp(log_sum(these) - log_sum([s for _, s in whole])))


def test_small_graphs_have_utrs_with_introns() -> None:
    """Else what comes before would say little."""

    def introns(seed: int) -> bool:
        graph = random_graph(seed)
        assert graph is not None
        known = {t.cds: bare(t) for t, _ in all_of(graph)}
        return any(
            one.transcript.introns != known[one.transcript.cds].introns for one in extend(graph, [*known.values()])
        )

    assert any(introns(seed) for seed in SEEDS)


@pytest.mark.parametrize("seed", SEEDS[:12])
def test_a_side_that_is_known_keeps_its_end(seed: int) -> None:
    graph = random_graph(seed)
    assert graph is not None
    for path, _ in paths_of(graph):
        whole = read(graph, path)
        if whole.lacks_utrs != (False, False) or whole.introns:
            continue
        half = replace(whole, exons=(replace(whole.exons[0], end=whole.cds[-1].end),))
        for extended in extend(graph, [half]):
            assert extended.transcript.exons[0].start == half.exons[0].start
            assert extended.transcript.exons[-1].end > half.exons[-1].end


def test_what_has_utrs_or_is_no_path_gets_none() -> None:
    graph = random_graph(SEEDS[0])
    assert graph is not None
    whole = next(read(graph, p) for p, _ in paths_of(graph) if read(graph, p).lacks_utrs == (False, False))
    assert extend(graph, [whole]) == []
    elsewhere = replace(bare(whole), cds=(replace(whole.cds[0], start=whole.cds[0].start + 1), *whole.cds[1:]))
    assert extend(graph, [replace(elsewhere, exons=elsewhere.cds)]) == []
    assert int(graph.kind[0]) == Kind.BEGIN
