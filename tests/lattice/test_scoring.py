"""The score of an edge against a slow sum over bases, its features, and what the decoder sees of it."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from tests.lattice.test_graph import GRAMMAR, few_candidates, paths_of, random_window, read
from transgenic_tools.genome.gene import Transcript
from transgenic_tools.lattice.config import ScoringConfig
from transgenic_tools.lattice.grammar import Kind, transcript_to_path
from transgenic_tools.lattice.graph import Graph, build_graph
from transgenic_tools.lattice.scoring import PAIR_FEATURES, pack_weights, unpack_weights
from transgenic_tools.lattice.site_graph import History
from transgenic_tools.lattice.vocabulary import Content
from transgenic_tools.lattice.window import WindowInput

SCORING = ScoringConfig(
    site_scale=(0.5, 1.5, 0.75, 1.25, 2.0, 0.25),
    site_bias=(-1.0, 0.5, -0.25, 0.125, 1.0, -2.0),
    content_weight=0.3,
    no_five_prime_utr=-1.5,
    no_three_prime_utr=-2.5,
)


def graphs() -> list[tuple[Graph, np.ndarray, np.ndarray]]:
    """(graph, site logits, contents) of some windows."""
    some = []
    for seed in range(20):
        sequence, sites, contents = random_window(seed)
        candidates = few_candidates(sequence, sites)
        graph = build_graph(
            WindowInput.of(sequence), sites, contents, grammar=GRAMMAR, scoring=SCORING, candidates=candidates
        )
        if graph is not None:
            some.append((graph, sites, contents))
    assert len(some) > 10
    return some


def score_of(transcript: Transcript, sites: np.ndarray, contents: np.ndarray) -> float:
    """Base by base and site by site, from the formula in the docstring of `lattice.scoring`."""
    length = contents.shape[1]
    labels = [Content.OUTSIDE] * length
    for base in range(transcript.interval.start, transcript.interval.end):
        labels[base] = Content.INTRON
    for part in transcript.five_prime_utr:
        labels[part.start : part.end] = [Content.FIVE_PRIME_UTR] * len(part)
    for part in transcript.three_prime_utr:
        labels[part.start : part.end] = [Content.THREE_PRIME_UTR] * len(part)
    coding = [base for part in transcript.cds for base in range(part.start, part.end)]
    for number, base in enumerate(coding):
        labels[base] = Content(Content.CODING_1 + number % 3)
    total = SCORING.content_weight * sum(float(contents[label, base]) for base, label in enumerate(labels))
    for site, position in transcript_to_path(transcript):
        total += SCORING.site_scale[site] * float(sites[site, position]) + SCORING.site_bias[site]
    total += 0.0 if transcript.five_prime_utr else SCORING.no_five_prime_utr
    total += 0.0 if transcript.three_prime_utr else SCORING.no_three_prime_utr
    return total


def test_the_score_of_a_path_is_the_sum_over_its_bases_and_sites() -> None:
    compared = 0
    for graph, sites, contents in graphs():
        for path, score in paths_of(graph):
            assert score == pytest.approx(score_of(read(graph, path), sites, contents), abs=1e-4)
            compared += 1
    assert compared > 100


def test_the_weighted_features_of_an_edge_are_its_score() -> None:
    for graph, _, _ in graphs():
        np.testing.assert_allclose(graph.score_features() @ pack_weights(SCORING), graph.score, atol=1e-6)
    assert unpack_weights(pack_weights(SCORING)) == SCORING


def test_what_the_decoder_sees_of_an_edge() -> None:
    """Against numpy, edge by edge, before and after two transcripts were written."""
    for graph, _, _ in graphs()[:5]:
        paths = [path for path, _ in paths_of(graph)][:2]
        history = History.of(graph)
        edge_sets = []
        for written in range(len(paths) + 1):
            for state in range(graph.n_states - 1):
                base, features = history.describe(graph, state)
                assert features.shape == (graph.first[state + 1] - graph.first[state], PAIR_FEATURES)
                for row, edge in enumerate(range(graph.first[state], graph.first[state + 1])):
                    to = graph.target[edge]
                    log = graph.score[edge] + graph.beta[to] - graph.beta[state]
                    counted = sum(edge in edges for edges in edge_sets)
                    expected = [
                        max(log, -20) / 5, np.clip(graph.score[edge], -30, 30) / 10,
                        graph.content[edge] / max(graph.length[edge], 1), math.log1p(graph.length[edge]) / 5,
                        np.clip(graph.logit[to], -15, 15) / 5, np.clip(graph.logit[state], -15, 15) / 5,
                        bool(edge_sets) and edge in edge_sets[-1], counted / max(written, 1), counted > 0,
                        any(to in path for path in paths[:written]), written / 4,
                    ]  # fmt: skip
                    np.testing.assert_allclose(features[row], np.array(expected, dtype=np.float32), atol=1e-5)
                    assert base[row] == pytest.approx(log, abs=1e-5)
            if written < len(paths):
                path = paths[written]
                edges = [
                    next(e for e in range(graph.first[a], graph.first[a + 1]) if graph.target[e] == b)
                    for a, b in itertools.pairwise(path)
                ]
                edge_sets.append(edges)
                history.add(edges, path)
        assert graph.kind[0] == Kind.BEGIN
