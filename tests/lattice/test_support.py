"""What reads say about edges, against a slow reading of the same definitions; a window without reads stays as it is."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from tests.lattice.test_graph import GRAMMAR, random_window
from transgenic_tools.genome.interval import Interval
from transgenic_tools.lattice.candidates import choose_candidates
from transgenic_tools.lattice.config import ScoringConfig
from transgenic_tools.lattice.evidence import WindowEvidence
from transgenic_tools.lattice.grammar import ACCEPTOR_KINDS, DONOR_KINDS, IS_DONOR, Kind
from transgenic_tools.lattice.graph import Graph, backward, best_path, build_graph
from transgenic_tools.lattice.support import (
    EVIDENCE_FEATURES,
    N_EVIDENCE,
    NEARBY,
    edge_evidence,
    elsewhere,
    ends_of,
    junctions_of_best,
    uneven,
    with_evidence,
)
from transgenic_tools.lattice.vocabulary import Site
from transgenic_tools.lattice.window import WindowInput

WEIGHTS = (0.5, 0.7, 0.3, 0.6, 0.2, -0.6, -0.4, -0.3, 0.5, 0.4, 0.8, 0.3)


def evidence_of(
    junctions: list[tuple[int, int, float, int]],
    exons: list[tuple[int, int, float]] | None = None,
    unspliced: dict[int, float] | None = None,
) -> WindowEvidence:
    """Junctions as (start, end, reads, inputs), exons of chains as (start, end, chains), unspliced reads by place."""
    junctions, exons = sorted(junctions), sorted(exons or [])
    columns = list(zip(*junctions, strict=True)) or [(), (), (), ()]
    parts = list(zip(*exons, strict=True)) or [(), (), ()]
    return WindowEvidence(
        start=np.array(columns[0], dtype=np.int64),
        end=np.array(columns[1], dtype=np.int64),
        reads=np.array(columns[2], dtype=np.float64),
        inputs=np.array(columns[3], dtype=np.int64),
        exon_start=np.array(parts[0], dtype=np.int64),
        exon_end=np.array(parts[1], dtype=np.int64),
        exon_chains=np.array(parts[2], dtype=np.float64),
        unspliced=None
        if unspliced is None
        else np.array([[unspliced.get(end, 0.0) for end in column] for column in columns[:2]]),
    )


def graph_of(seed: int, evidence: WindowEvidence) -> Graph | None:
    sequence, sites, contents = random_window(seed, length=80)
    window = WindowInput.of(sequence, evidence=evidence)
    candidates = choose_candidates(window, sites, GRAMMAR, forced=evidence.sites())
    return build_graph(window, sites, contents, grammar=GRAMMAR, scoring=ScoringConfig(), candidates=candidates)


def segment(graph: Graph, state: int, target: int) -> tuple[int, int]:
    """Bases between two states, by the vocabulary's conventions."""
    behind = {Kind.STOP, *ACCEPTOR_KINDS}
    start = int(graph.position[state]) + (Kind(graph.kind[state]) in behind)
    return start, int(graph.position[target]) + (Kind(graph.kind[target]) in behind | {Kind.TTS})


def slowly(graph: Graph, evidence: WindowEvidence) -> np.ndarray:
    """`edge_evidence`, one edge after another, by its words."""
    junctions = list(zip(evidence.start.tolist(), evidence.end.tolist(), evidence.reads.tolist(), strict=True))
    inputs = dict(zip(zip(evidence.start.tolist(), evidence.end.tolist(), strict=True), evidence.inputs, strict=True))
    chains = {
        (start, end): n
        for start, end, n in zip(
            evidence.exon_start.tolist(), evidence.exon_end.tolist(), evidence.exon_chains, strict=True
        )
    }
    spliced = {
        place: sum(reads for a, b, reads in junctions if place in (a, b)) for a, b, _ in junctions for place in (a, b)
    }
    through: dict[int, float] = {}
    if evidence.unspliced is not None:
        for side, ends in zip(evidence.unspliced.tolist(), (evidence.start, evidence.end), strict=True):
            through.update(zip(ends.tolist(), side, strict=True))
    out = np.zeros((graph.n_edges, N_EVIDENCE))
    named = [dict.fromkeys(EVIDENCE_FEATURES, 0.0) for _ in range(graph.n_edges)]
    for state in range(graph.n_states - 1):
        for edge in range(graph.first[state], graph.first[state + 1]):
            target, row = int(graph.target[edge]), named[edge]
            start, end = segment(graph, state, target)
            rivals = [reads for a, b, reads in junctions if a == start or b == end]
            if Kind(graph.kind[state]) in DONOR_KINDS:
                equal = [reads for a, b, reads in junctions if (a, b) == (start, end)]
                near = [reads for a, b, reads in junctions if a >= start - NEARBY and b <= end + NEARBY]
                if equal:
                    row["intron_shown"] = 1.0
                    row["intron_reads"] = math.log1p(equal[0])
                    row["intron_share"] = math.log((equal[0] + 1) / (max(rivals) + 1))
                    row["intron_level"] = math.log((equal[0] + 1) / (max(reads for *_, reads in junctions) + 1))
                    row["intron_inputs"] = math.log1p(inputs[start, end])
                    most = max(through.get(start, 0.0), through.get(end, 0.0))
                    row["intron_spliced_share"] = math.log((equal[0] + 1) / (equal[0] + most + 1))
                elif rivals:
                    row["rival_reads"] = math.log1p(max(rivals))
                elif near:
                    row["nearby_reads"] = math.log1p(max(near))
            elif graph.kind[state] != Kind.BEGIN and target != graph.n_states - 1:
                inside = [reads for a, b, reads in junctions if a >= start and b <= end]
                row["exon_over_intron"] = math.log1p(max(inside, default=0.0))
                row["exon_of_chain"] = math.log1p(chains.get((start, end), 0.0))
                first = start + (8 if Kind(graph.kind[state]) in ACCEPTOR_KINDS else 1)
                last = end - (8 if Kind(graph.kind[target]) in DONOR_KINDS else 1)
                shares = [
                    (math.log((n + 1) / (n + spliced[place] + 1)), place, n)
                    for place, n in through.items()
                    if first <= place <= last
                ]
                if shares and min(shares)[0] < 0:
                    row["exon_unspliced_share"] = min(shares)[0]
                    row["exon_unspliced_reads"] = math.log1p(min(shares)[2])
    for edge, row in enumerate(named):
        out[edge] = [row[name] for name in EVIDENCE_FEATURES]
    return out


def some_evidence(seed: int, *, counted: bool = False) -> WindowEvidence:
    """Junctions with motifs and without, some sharing an end, and exons between them."""
    sequence, _, _ = random_window(seed, length=80)
    donors = [i for i in range(len(sequence) - 1) if sequence[i : i + 2] == "GT"]
    acceptors = [i + 2 for i in range(len(sequence) - 1) if sequence[i : i + 2] == "AG"]
    rng = np.random.default_rng(seed)
    pairs = [(d, a) for d in donors for a in acceptors if a - d >= GRAMMAR.min_intron]
    chosen = [pairs[i] for i in rng.permutation(len(pairs))[:6].tolist()]
    junctions = [(d, a, float(rng.integers(1, 200)), int(rng.integers(1, 5))) for d, a in chosen]
    exons = [(a, d, 3.0) for _, a in chosen for d, _ in chosen if d - a >= 3]
    ends = {end: float(rng.integers(0, 50)) for d, a in chosen for end in (d, a)} if counted else None
    return evidence_of(junctions, sorted(set(exons)), ends)


@pytest.mark.parametrize("counted", [False, True], ids=["no_unspliced", "unspliced"])
@pytest.mark.parametrize("seed", range(12))
def test_numbers_of_edges_are_those_of_their_words(seed: int, counted: bool) -> None:
    evidence = some_evidence(seed, counted=counted)
    graph = graph_of(seed, evidence)
    if graph is None:
        pytest.skip("no valid transcript in this random window")
    numbers, junction, through = edge_evidence(graph, evidence, ends_of(evidence))
    assert np.allclose(numbers, slowly(graph, evidence))
    assert counted or (not numbers[:, -3:].any() and (through[:, 0] == through[:, 1]).all())
    assert ((junction >= 0) == (numbers[:, EVIDENCE_FEATURES.index("intron_shown")] == 1)).all()
    for edge in np.flatnonzero(junction >= 0).tolist():
        state = int(np.searchsorted(graph.first, edge, side="right")) - 1
        at = junction[edge]
        assert segment(graph, state, int(graph.target[edge])) == (evidence.start[at], evidence.end[at])


@pytest.mark.parametrize("seed", range(4))
def test_scores_get_the_weighted_sum_and_probabilities_follow(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    evidence = some_evidence(seed)
    graph = graph_of(seed, evidence)
    assert graph is not None
    monkeypatch.setattr("transgenic_tools.lattice.support.UNEVEN", 1e9)  # these counts are drawn at random
    changed = with_evidence(graph, evidence, WEIGHTS)
    assert changed is not None
    guided, support = changed
    assert support.plain is graph
    assert np.allclose(guided.score, graph.score + slowly(graph, evidence) @ np.array(WEIGHTS))
    assert np.allclose(guided.beta, backward(graph.first, graph.target, guided.score))


def test_ends_of_junctions_are_candidates_whatever_the_network_says() -> None:
    evidence = evidence_of([(10, 40, 5.0, 1)])
    assert evidence.sites() == [(Site.DONOR, 10), (Site.ACCEPTOR, 39)]


def test_a_part_of_a_window_has_the_junctions_that_lie_inside_it_whole() -> None:
    unspliced = {30: 4.0, 50: 5.0, 60: 7.0, 10: 9.0}
    evidence = evidence_of([(10, 40, 5.0, 1), (30, 60, 2.0, 1), (50, 70, 3.0, 2)], [(40, 50, 1.0)], unspliced)
    cropped = WindowInput.of("A" * 100, evidence=evidence).crop(Interval(25, 75)).evidence
    assert cropped is not None
    assert (cropped.start.tolist(), cropped.end.tolist(), cropped.reads.tolist()) == ([5, 25], [35, 45], [2.0, 3.0])
    assert (cropped.exon_start.tolist(), cropped.exon_end.tolist()) == ([15], [25])
    assert cropped.unspliced is not None
    assert cropped.unspliced.tolist() == [[4.0, 5.0], [7.0, 0.0]]
    assert WindowInput.of("A" * 100, evidence=evidence).crop(Interval(80, 100)).evidence is None


def test_ends_of_junctions_are_counted_once_and_not_where_nobody_counts() -> None:
    junctions = [(10, 40, 5.0, 1), (10, 60, 2.0, 1)]
    ends = ends_of(evidence_of(junctions, unspliced={10: 6.0, 60: 1.0}))
    assert (ends.place.tolist(), ends.spliced.tolist()) == ([10, 40, 60], [7.0, 5.0, 2.0])
    assert ends.unspliced.tolist() == [6.0, 0.0, 1.0]
    assert np.allclose(np.exp(ends.unspliced_share), [7 / 14, 1 / 6, 2 / 4])
    assert not len(ends_of(evidence_of(junctions)).place)


def test_what_contradicts_the_best_path_from_dna_alone() -> None:
    """Two junctions along it with 9 reads each, one of 99 beside it: ten times as strong, with one read more each."""
    reads = np.array([9.0, 99.0, 9.0, 2.0])
    assert elsewhere(reads, [0, 2]) == pytest.approx(np.log(100.0 / 10.0))
    assert elsewhere(reads, []) == pytest.approx(np.log(100.0))
    assert elsewhere(reads[[0, 2]], [0, 1]) == pytest.approx(np.log(1.0 / 10.0))
    assert uneven([9.0, 9.0]) == 0.0
    assert uneven([3.0]) == uneven([1.0, 5.0]) == 0.0  # too few to tell
    assert uneven([1.0, 39.0]) == pytest.approx(722.0 / 400.0 - 1.0 / 20.0)


@pytest.mark.parametrize("seed", range(6))
def test_junctions_of_the_best_path_are_those_of_its_introns(seed: int) -> None:
    evidence = some_evidence(seed)
    graph = graph_of(seed, evidence)
    assert graph is not None
    _, junction, _ = edge_evidence(graph, evidence, ends_of(evidence))
    states = best_path(graph.first, graph.target, graph.score).tolist()
    introns = [segment(graph, a, b) for a, b in itertools.pairwise(states) if IS_DONOR[graph.kind[a]]]
    shown = list(zip(evidence.start.tolist(), evidence.end.tolist(), strict=True))
    assert [shown[j] for j in junctions_of_best(graph, junction)] == [i for i in introns if i in shown]
