"""Candidates beside a gene's first transcript: what they are, what is said of them, which are written."""

from __future__ import annotations

import numpy as np
import pytest

from tests.lattice.test_graph import random_graph, random_window
from transgenic_tools.genome.gene import Transcript
from transgenic_tools.genome.interval import Interval
from transgenic_tools.genome.sequence import encode
from transgenic_tools.lattice.graph import Graph
from transgenic_tools.lattice.paths import Path
from transgenic_tools.lattice.site_graph import site_graph
from transgenic_tools.model.alternatives import AlternativeScoring, Trees
from transgenic_tools.search.alternatives import MOST, find_candidates, first_of
from transgenic_tools.search.confidence import found_transcript
from transgenic_tools.search.config import DecodingConfig
from transgenic_tools.search.departures import FEATURES
from transgenic_tools.search.further import with_ends_of, write_further
from transgenic_tools.search.search import GeneSearch, start_search, viterbi

SEEDS = [seed for seed in range(60) if random_graph(seed) is not None]


def searched(seed: int, *, known: bool = False) -> tuple[GeneSearch, np.ndarray]:
    """A gene whose first transcript is the graph's best, or is known to be that."""
    graph = random_graph(seed)
    assert graph is not None
    sites = site_graph(graph, lambda positions: np.zeros((len(positions), 1), dtype=np.float32))
    empty = start_search("gene", sites)
    best = viterbi(empty)
    gene = start_search("gene", sites, [best.path]) if known else empty
    if not known:
        gene.write(best)
    return gene, encode(random_window(seed)[0])


def stump(name: str, threshold: float, low: float, high: float) -> Trees:
    """Log-odds `low` up to a threshold of one number, `high` beyond it."""
    return Trees(
        bias=0.0, feature=np.array([[FEATURES.index(name), -1, -1]]), threshold=np.array([[threshold, 0.0, 0.0]]),
        left=np.array([[1, 1, 2]]), right=np.array([[2, 1, 2]]), value=np.array([[0.0, low, high]]),
    )  # fmt: skip


def scoring(**thresholds: float) -> AlternativeScoring:
    """What scores within 3 nats of the first is right with 0.73, a further isoform with 0.5, of a known gene 0.82."""
    return AlternativeScoring(
        right=stump("drop", 3.0, 1.0, -4.0), further=stump("drop", 3.0, 0.0, -6.0), added=stump("drop", 3.0, 1.5, -4.0),
        **{"min_further": 0.4, "min_right": 0.9, "min_beside": 0.9, "min_added": 0.6, **thresholds},
    )  # fmt: skip


@pytest.mark.parametrize("seed", SEEDS)
def test_candidates_are_paths_that_differ_from_the_first_and_from_each_other(seed: int) -> None:
    gene, codes = searched(seed)
    graph = gene.sites.graph
    candidates = find_candidates(gene, codes)
    assert len(candidates) <= MOST
    names = [(c.transcript.cds, c.transcript.introns) for c in candidates]
    assert len(set(names)) == len(names)
    first = gene.found[0].path
    assert first.core(graph) not in {c.path.core(graph) for c in candidates}
    for candidate in candidates:
        assert candidate.features.shape == (len(FEATURES),)
        assert np.isfinite(candidate.features).all()
        steps = zip(candidate.path.states[:-1], candidate.path.edges, candidate.path.states[1:], strict=True)
        for a, edge, b in steps:
            assert graph.first[a] <= edge < graph.first[a + 1]
            assert graph.target[edge] == b


def test_some_windows_have_candidates() -> None:
    assert sum(bool(find_candidates(*searched(seed))) for seed in SEEDS) > len(SEEDS) // 2


def say(graph: Graph, gene: GeneSearch, path: Path, codes: np.ndarray) -> dict[str, float]:
    """Numbers of the candidate with a path."""
    (found,) = [c for c in find_candidates(gene, codes) if c.path.core(graph) == path.core(graph)]
    return dict(zip(FEATURES, found.features.tolist(), strict=True))


def test_numbers_say_what_a_candidate_does() -> None:
    seen: set[str] = set()
    for seed in SEEDS:
        gene, codes = searched(seed)
        graph = gene.sites.graph
        main = gene.found[0].path
        for candidate in find_candidates(gene, codes):
            said = say(graph, gene, candidate.path, codes)
            scores = [float(graph.score[list(path.edges)].sum()) for path in (main, candidate.path)]
            assert said["drop"] == pytest.approx(min(scores[0] - scores[1], 18.0))
            assert said["log_probability"] == pytest.approx(max(scores[1] - float(graph.beta[0]), -25.0))
            assert said["known"] == said["written"] == 0.0
            if said["intron_retention"] and not said["differences"] > 1 and not said["other_start"]:
                assert said["lost_sites"] == 2
                assert said["new_sites"] == 0
            if said["alternative_3ss"] and not said["differences"] > 1 and not said["other_start"]:
                assert said["lost_sites"] == said["new_sites"] == 1
            assert not (said["before_cds"] and said["after_cds"])
            assert said["same_cds"] == (said["before_cds"] or said["after_cds"])
            seen |= {name for name, value in said.items() if value}
    assert {"intron_retention", "intron_gain", "same_cds", "other_start", "length_ratio"} <= seen


def find_main(gene: GeneSearch) -> Transcript:
    return found_transcript(first_of(gene), gene, "main")


@pytest.mark.parametrize("known", [False, True])
def test_what_is_probable_enough_is_written_and_nothing_else(known: bool) -> None:
    added = 0
    for seed in SEEDS:
        gene, codes = searched(seed, known=known)
        first, likely = first_of(gene), [c for c in find_candidates(gene, codes) if c.features[0] <= 3.0]
        if not known:  # what differs in its UTRs alone has to be surer, see `scoring`
            likely = [c for c in likely if c.transcript.cds != find_main(gene).cds]
        write_further([(gene, codes)], scoring(), DecodingConfig())
        assert gene.found[0] is first
        further = gene.found[1:]
        room = DecodingConfig().max_isoforms - (0 if known else 1)
        assert len(further) == min(len(likely), room)
        assert all(found.probability == pytest.approx(0.818 if known else 0.731, abs=1e-3) for found in further)
        added += len(further)
    assert added > 10


def test_thresholds_of_the_file_and_of_the_user() -> None:
    def number(given: AlternativeScoring, **search: float) -> int:
        total = 0
        for seed in SEEDS:
            gene, codes = searched(seed)
            write_further([(gene, codes)], given, DecodingConfig(**search))  # type: ignore[arg-type]
            total += len(gene.found) - 1
        return total

    usual = number(scoring())
    assert usual > 0
    assert number(scoring(min_further=0.6)) == 0
    assert number(scoring(min_further=0.6, min_right=0.7)) == usual  # sure enough, whatever else
    more = number(scoring(min_beside=0.8))
    assert more > usual  # those that differ in UTR introns alone, too
    assert number(scoring(min_added=0.0)) == usual  # nothing is known
    assert number(scoring(), min_confidence=0.83) == 0  # a threshold of the user's is about being right
    assert number(scoring(min_further=1.0), min_confidence=0.7) == more
    assert number(scoring(), max_isoforms=1) == 0
    assert number(scoring(), min_confidence=0.0) > usual


def transcript(*exons: tuple[int, int], cds: tuple[int, int]) -> Transcript:
    parts = tuple(Interval(*exon) for exon in exons)
    coding = Interval(*cds)
    return Transcript("t", "w", "+", parts, tuple(p for e in parts if (p := e.intersect(coding)) is not None))


def test_ends_are_those_of_a_known_transcript_whose_terminal_exon_overlaps() -> None:
    known = transcript((100, 200), (300, 400), (500, 700), cds=(150, 600))
    skipped = transcript((120, 200), (500, 690), cds=(150, 600))
    assert with_ends_of(skipped, [known]).exons == (Interval(100, 200), Interval(500, 700))
    other_first = transcript((210, 250), (300, 400), (500, 690), cds=(320, 600))
    assert with_ends_of(other_first, [known]).exons == (Interval(210, 250), Interval(300, 400), Interval(500, 700))
    longer = transcript((80, 200), (500, 690), cds=(85, 600))  # its CDS begins before the known end
    assert with_ends_of(longer, [known]).exons == (Interval(80, 200), Interval(500, 700))
    assert with_ends_of(skipped, []) == skipped
    other_site = transcript((120, 220), (490, 690), cds=(150, 600))
    assert with_ends_of(other_site, [known]).exons == (Interval(100, 220), Interval(490, 700))
    retained = transcript((120, 690), cds=(150, 600))
    assert with_ends_of(retained, [known]).exons == (Interval(100, 700),)
    same_site = transcript((90, 220), (490, 710), cds=(150, 600))
    assert with_ends_of(other_site, [known, same_site]).exons == (Interval(90, 220), Interval(490, 710))
    inside = transcript((160, 200), (500, 700), cds=(165, 600))  # its end would cut the CDS
    assert with_ends_of(other_site, [inside]).exons == (Interval(120, 220), Interval(490, 700))
