"""Labels of crops, the scoring fit and the calibration."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from tests.lattice.test_graph import few_candidates, paths_of, random_window
from transgenic_tools.genome.gene import Transcript
from transgenic_tools.genome.interval import Interval
from transgenic_tools.lattice.config import GrammarConfig, ScoringConfig
from transgenic_tools.lattice.graph import build_graph
from transgenic_tools.lattice.paths import Path
from transgenic_tools.lattice.scoring import N_WEIGHTS
from transgenic_tools.lattice.vocabulary import IGNORE, Content, Site
from transgenic_tools.lattice.window import WindowInput
from transgenic_tools.train.calibration import expected_calibration_error, logistic_regression
from transgenic_tools.train.examples import Example, crop_labels, label_window
from transgenic_tools.train.scoring import fit_scoring, gold_graph, mean_loss


def transcript(exons: list[tuple[int, int]], coding: tuple[int, int]) -> Transcript:
    intervals = tuple(Interval(*e) for e in exons)
    span = Interval(*coding)
    return Transcript("t", "window", "+", intervals, tuple(c for c in (e.intersect(span) for e in intervals) if c))


def example(*transcripts: Transcript, length: int = 60) -> Example:
    return Example("g", WindowInput.of("A" * length), Interval(0, length), transcripts)


def test_labels_of_a_transcript_with_both_utrs() -> None:
    labels = label_window(example(transcript([(5, 20), (30, 50)], (10, 41))), rng=np.random.default_rng(0))
    for site, position in ((Site.TSS, 5), (Site.START, 10), (Site.DONOR, 20), (Site.ACCEPTOR, 29), (Site.STOP, 40)):
        assert labels.sites[site].argmax() == position
    assert labels.sites[Site.TTS].argmax() == 49
    assert labels.known.all()
    contents = labels.contents
    assert (contents[:5] == Content.OUTSIDE).all()
    assert (contents[5:10] == Content.FIVE_PRIME_UTR).all()
    assert contents[10:20].tolist() == [2, 3, 4] * 3 + [2]
    assert (contents[20:30] == Content.INTRON).all()
    assert contents[30:41].tolist() == [3, 4, *[2, 3, 4] * 3]
    assert (contents[41:50] == Content.THREE_PRIME_UTR).all()
    assert (contents[50:] == Content.OUTSIDE).all()
    part = crop_labels(labels, Interval(15, 35))
    assert part.contents.tolist() == contents[15:35].tolist()


def test_what_the_annotation_does_not_say_is_no_negative() -> None:
    labels = label_window(example(transcript([(10, 20), (30, 41)], (10, 41))), rng=np.random.default_rng(0))
    assert not labels.known[Site.TSS].any()
    assert not labels.known[Site.TTS].any()
    assert not labels.known[Site.DONOR, :10].any()
    assert labels.known[Site.DONOR, 10:41].all()
    assert (labels.contents[:10] == IGNORE).all()
    assert (labels.contents[41:] == IGNORE).all()
    assert labels.known[Site.START].all()


def test_isoforms_share_one_label_set() -> None:
    one, two = transcript([(5, 20), (30, 50)], (10, 41)), transcript([(5, 17), (30, 50)], (10, 38))
    labels = label_window(example(one, two), rng=np.random.default_rng(0))
    assert set(np.flatnonzero(labels.sites[Site.DONOR])) == {17, 20}
    assert set(np.flatnonzero(labels.sites[Site.STOP])) == {37, 40}


def test_sites_of_one_drawn_isoform_go_with_its_content() -> None:
    one, two = transcript([(5, 20), (30, 50)], (10, 41)), transcript([(5, 17), (30, 50)], (10, 38))
    seen = set()
    for seed in range(20):
        labels = label_window(example(one, two), rng=np.random.default_rng(seed), isoforms="drawn")
        (donor,) = np.flatnonzero(labels.sites[Site.DONOR]).tolist()
        assert labels.contents[donor - 1] != Content.INTRON
        assert labels.contents[donor] == Content.INTRON
        seen.add(donor)
    assert seen == {17, 20}


def test_the_scoring_gradient_is_the_derivative_and_the_fit_helps() -> None:
    graphs = []
    for seed in range(12):
        sequence, sites, contents = random_window(seed)
        graph = build_graph(
            WindowInput.of(sequence), sites, contents, grammar=GrammarConfig(min_intron=6), scoring=ScoringConfig(),
            candidates=few_candidates(sequence, sites),
        )  # fmt: skip
        if graph is None:
            continue
        states = min((path for path, _ in paths_of(graph)), key=len)
        edges = [
            next(e for e in range(graph.first[a], graph.first[a + 1]) if graph.target[e] == b)
            for a, b in itertools.pairwise(states)
        ]
        graphs.append(gold_graph(graph, Path(tuple(states), tuple(edges))))
    assert len(graphs) >= 5
    at = np.linspace(-0.5, 0.5, N_WEIGHTS)
    loss, gradient = mean_loss(graphs, at)
    for k in range(N_WEIGHTS):
        step = np.zeros(N_WEIGHTS)
        step[k] = 1e-5
        numeric = (mean_loss(graphs, at + step)[0] - mean_loss(graphs, at - step)[0]) / 2e-5
        assert gradient[k] == pytest.approx(numeric, abs=1e-5)
    _, before, after = fit_scoring(graphs, ScoringConfig(), iterations=60)
    assert after < before
    assert loss > 0


def test_logistic_regression_finds_known_weights_and_is_calibrated() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(20_000, 2))
    p = 1 / (1 + np.exp(-(1.5 * x[:, 0] - 0.7 * x[:, 1] + 0.3)))
    y = rng.random(20_000) < p
    weights = logistic_regression(x, y)
    assert weights == pytest.approx([1.5, -0.7, 0.3], abs=0.08)
    assert expected_calibration_error(p, y) < 0.02
    assert expected_calibration_error(np.full(100, 0.9), np.zeros(100, dtype=bool)) == pytest.approx(0.9)
