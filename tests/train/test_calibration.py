"""Fits of probabilities: with few genes a fine-tuned model keeps what it knew."""

from __future__ import annotations

import logging

import numpy as np
import pytest

from transgenic_tools.train.calibration import FEWEST, NAMES, Samples, fit, logistic_regression

PRIOR = {"first": [2.0, -0.5], "later": [1.0, -2.0], "exon": [1.0, 0.0], "site": [1.0, 0.0]}


def samples(n: int, *, name: str = "first", seed: int = 1) -> Samples:
    """Outcomes that follow the regression with weight 3 and bias -1."""
    rng = np.random.default_rng(seed)
    made = Samples()
    for number in range(n):
        x = float(rng.normal())
        made.add(name, f"g{number}", [x], bool(rng.random() < 1 / (1 + np.exp(1 - 3 * x))))
    return made


def test_without_samples_the_initial_calibration_is_kept_and_it_is_said(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        weights, errors = fit(samples(FEWEST - 1), PRIOR)
    assert weights == PRIOR
    assert errors == {}
    for name in NAMES:
        assert f"'{name}'" in caplog.text
    assert "initial model is kept" in caplog.text


def test_a_new_model_with_few_genes_says_that_its_probabilities_are_raw(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        assert fit(samples(10), {}) == ({}, {})
    assert "stay raw" in caplog.text


def test_more_samples_lead_further_from_the_initial_weights() -> None:
    truth, prior = np.array([3.0, -1.0]), PRIOR["first"]
    away = []
    for n in (FEWEST, 500, 50_000):
        weights, errors = fit(samples(n), PRIOR)
        assert set(errors) == {"calibration_error_first"}
        assert weights["later"] == PRIOR["later"]
        away.append(float(np.abs(np.array(weights["first"]) - truth).sum()))
    assert away[0] < float(np.abs(np.array(prior) - truth).sum())
    assert away[2] < 0.2
    assert away[2] < away[1]


def test_without_a_prior_nothing_has_changed() -> None:
    """The bias alone is free: outcomes of a feature that says nothing get their share."""
    rng = np.random.default_rng(3)
    outcomes = rng.random(400) < 0.9
    weights = logistic_regression(np.zeros((400, 1)), outcomes)
    assert weights[0] == 0
    assert 1 / (1 + np.exp(-weights[1])) == pytest.approx(outcomes.mean(), abs=1e-4)
