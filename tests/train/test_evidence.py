"""Weights of evidence: drawn counts look like counts, the gradient is the loss's, the fit finds what reads show; the
trees learn of more genes than the regressions."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tests.generate.conftest import shard_dir  # noqa: F401
from transgenic_tools.genome.gene import Transcript
from transgenic_tools.genome.interval import Interval
from transgenic_tools.genome.reading import ReadInterval
from transgenic_tools.io.shards import read_shard
from transgenic_tools.lattice.support import N_EVIDENCE
from transgenic_tools.lattice.window import WindowInput
from transgenic_tools.model.alternatives import Trees
from transgenic_tools.model.evidence import load_evidence_scoring
from transgenic_tools.model.files import default_model_dir, load_network
from transgenic_tools.search.confidence import FURTHER_FEATURES
from transgenic_tools.train import evidence
from transgenic_tools.train.alternatives import grow
from transgenic_tools.train.evidence import fit_confidence, fit_weights
from transgenic_tools.train.examples import Example
from transgenic_tools.train.scoring import GoldGraph, mean_loss
from transgenic_tools.train.simulated_evidence import exchanged, simulate_evidence, thin


def gene(*, seed: int = 1) -> Example:
    """A gene of four exons in random bases."""
    rng = np.random.default_rng(seed)
    bases = "".join(rng.choice(list("ACGT"), 2_000))
    exons = tuple(Interval(start, start + 150) for start in (300, 600, 900, 1_200))
    transcript = Transcript("t", "w", "+", exons, exons)
    return Example("g", WindowInput.of(bases), ReadInterval(Interval(300, 1_350)), (transcript,))


def test_drawn_counts_follow_the_depth_and_are_mostly_of_known_introns() -> None:
    example = gene()
    known = {(i.start, i.end) for i in example.transcripts[0].introns}
    means = []
    for millions in (1.0, 30.0):
        drawn = [simulate_evidence(example, rng=np.random.default_rng(s), millions=millions) for s in range(300)]
        shown = [e for e in drawn if e is not None]
        pairs = [list(zip(e.start.tolist(), e.end.tolist(), strict=True)) for e in shown]
        assert all(ps == sorted(ps) for ps in pairs)
        assert all((e.inputs >= 1).all() and (e.inputs <= e.reads).all() for e in shown)
        of_known = sum(
            reads
            for e, ps in zip(shown, pairs, strict=True)
            for p, reads in zip(ps, e.reads, strict=True)
            if p in known
        )
        total = sum(e.reads.sum() for e in shown)
        assert 0.9 < of_known / total < 1.0
        means.append(total / 300)
    assert 10 < means[1] / means[0] < 90  # thirty times as deep; expression is drawn anew


def retaining(example: Example) -> Example:
    """The gene with an isoform that retains its second intron."""
    first, second, third, fourth = example.transcripts[0].exons
    exons = (first, Interval(second.start, third.end), fourth)
    return replace(example, transcripts=(*example.transcripts, Transcript("r", "w", "+", exons, exons)))


def test_unspliced_reads_are_drawn_where_isoforms_retain_introns_and_few_where_chance_does() -> None:
    """Of the reads at an intron's ends 2 % or so go on where no isoform retains it, and many more where one does."""
    plain, both = gene(), retaining(gene())
    shares = []
    for example in (plain, both):
        totals = np.zeros(2)
        for seed in range(300):
            drawn = simulate_evidence(example, rng=np.random.default_rng(seed), millions=30.0)
            if drawn is None or drawn.unspliced is None:
                continue
            at = np.flatnonzero((drawn.start == 750) & (drawn.end == 900))
            totals += [drawn.unspliced[:, at].mean(axis=0).sum(), drawn.reads[at].sum()]
        shares.append(totals[0] / totals.sum())
    assert 0.01 < shares[0] < 0.06
    assert 0.3 < shares[1] < 0.7


def test_unspliced_reads_are_left_out_of_some_windows_and_of_those_with_exchanged_counts() -> None:
    drawn = [simulate_evidence(gene(), rng=np.random.default_rng(s), millions=30.0) for s in range(200)]
    shown = [e for e in drawn if e is not None]
    without = sum(e.unspliced is None for e in shown)
    assert 0.1 < without / len(shown) < 0.4
    counted = next(e for e in shown if e.unspliced is not None and len(e) > 2)
    assert counted.unspliced is not None
    assert counted.unspliced.shape == (2, len(counted))
    mistaken = exchanged(counted, np.array([7.0, 9.0]), np.random.default_rng(1))
    assert (mistaken.start.tolist(), mistaken.end.tolist()) == (counted.start.tolist(), counted.end.tolist())
    assert set(mistaken.reads.tolist()) <= {7.0, 9.0}
    assert mistaken.unspliced is None
    thinned = thin(counted, rng=np.random.default_rng(1), share=0.5, drop=0.0)
    assert thinned is not None
    assert thinned.unspliced is not None
    assert 0.3 < thinned.unspliced.sum() / counted.unspliced.sum() < 0.7


def test_the_same_seed_draws_the_same_counts() -> None:
    first, second = (simulate_evidence(gene(), rng=np.random.default_rng(3), millions=20.0) for _ in range(2))
    assert first is not None
    assert second is not None
    assert first.reads.tolist() == second.reads.tolist()


def test_thinned_counts_are_fewer() -> None:
    full = simulate_evidence(gene(), rng=np.random.default_rng(3), millions=2_000.0)
    assert full is not None
    thinned = thin(full, rng=np.random.default_rng(1), share=0.1, drop=0.0)
    assert thinned is not None
    assert 0.05 < thinned.reads.sum() / full.reads.sum() < 0.2
    assert thin(full, rng=np.random.default_rng(1), share=0.1, drop=1.0) is None
    whole = thin(full, rng=np.random.default_rng(1), share=1.0, drop=0.0)
    assert whole is not None
    assert whole.reads.tolist() == full.reads.tolist()


def two_ways(seed: int) -> GoldGraph:
    """A graph of two paths that DNA cannot tell apart; reads (feature 1) show the known one, noise in the others."""
    rng = np.random.default_rng(seed)
    numbers = rng.normal(0, 0.1, (4, N_EVIDENCE))
    known = int(rng.integers(2))
    numbers[known, 1] += 2.0
    path = [known, 2 + known]
    score = rng.normal(0, 1, 4)
    return GoldGraph(
        first=np.array([0, 2, 3, 4, 4]),
        target=np.array([1, 2, 3, 3], dtype=np.int32),
        score=score,
        features=numbers,
        paths=numbers[path].sum(0)[None],
        path_scores=np.array([score[path].sum()]),
    )


def test_the_gradient_is_that_of_the_loss() -> None:
    graphs = [two_ways(seed) for seed in range(5)]
    weights = np.random.default_rng(0).normal(0, 0.5, N_EVIDENCE)
    _, gradient = mean_loss(graphs, weights)
    for index in range(N_EVIDENCE):
        step = np.zeros(N_EVIDENCE)
        step[index] = 1e-5
        slope = (mean_loss(graphs, weights + step)[0] - mean_loss(graphs, weights - step)[0]) / 2e-5
        assert gradient[index] == pytest.approx(slope, abs=1e-6)


def test_the_fit_finds_what_reads_are_worth() -> None:
    weights, before, after = fit_weights([two_ways(seed) for seed in range(60)])
    assert after < 0.5 * before
    assert weights[1] > 1.0
    assert weights[1] > 2 * np.abs(np.delete(weights, 1)).max()


def test_trees_learn_of_more_genes_and_the_regressions_do_not(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = sorted(read_shard(request.getfixturevalue("shard_dir")), key=lambda row: (row.bases, row.gene_id))[4:18]
    grown_on: list[int] = []

    def counted(features: np.ndarray, outcomes: np.ndarray, **how: Any) -> Trees:
        assert features.shape == (len(outcomes), len(FURTHER_FEATURES))
        grown_on.append(len(outcomes))
        return grow(features, outcomes, **how)

    monkeypatch.setattr(evidence, "grow", counted)
    monkeypatch.setattr(evidence, "ROUNDS", 40)
    network = load_network()[0].eval()
    weights = load_evidence_scoring(default_model_dir(), features=FURTHER_FEATURES)[0].weights
    alone, more = (
        fit_confidence(network, weights, rows[:6], grow_on=grow_on, windows=1)[0] for grow_on in ((), rows[6:])
    )
    assert 0 < grown_on[0] < grown_on[1]
    assert {"exon", "site"} <= set(alone.calibration)
    assert alone.calibration == more.calibration
    assert alone.further.to_json() != more.further.to_json()
