"""Scores that travel with a window give the graph that all scores give, and damaged ones are refused."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.lattice.test_graph import GRAMMAR, random_window
from transgenic_tools.lattice.candidates import choose_candidates
from transgenic_tools.lattice.carried import CarriedScores
from transgenic_tools.lattice.carrying import DenseScores, candidates_of, carry
from transgenic_tools.lattice.config import ScoringConfig
from transgenic_tools.lattice.graph import build_graph, build_graph_from_sums
from transgenic_tools.lattice.site_graph import site_graph
from transgenic_tools.lattice.window import WindowInput

MADE_BY = "0123456789abcdef"


def carried_window(seed: int, length: int) -> tuple[WindowInput, DenseScores, CarriedScores]:
    sequence, sites, contents = random_window(seed, length)
    features = np.random.default_rng(seed).normal(size=(length, 5)).astype(np.float16)
    scores = DenseScores(sites=sites, contents=contents, features=features)
    window = WindowInput.of(sequence)
    return window, scores, CarriedScores.from_bytes(carry(window, scores, GRAMMAR, made_by=MADE_BY).to_bytes())


@given(seed=st.integers(0, 10_000), length=st.integers(40, 900))
def test_the_graph_is_that_of_all_scores(seed: int, length: int) -> None:
    window, scores, carried = carried_window(seed, length)
    scoring = ScoringConfig(content_weight=0.3)
    candidates = choose_candidates(window, scores.sites, GRAMMAR)
    for there, here in zip(candidates, candidates_of(carried), strict=True):
        if there is not candidates.strong:
            assert np.array_equal(there, here)
    whole = build_graph(
        window, scores.sites, scores.contents, grammar=GRAMMAR, scoring=scoring, candidates=candidates
    )  # fmt: skip
    graph = build_graph_from_sums(
        window, carried.site_logits(), carried.content_sums(), grammar=GRAMMAR, scoring=scoring,
        candidates=candidates_of(carried),
    )  # fmt: skip
    assert (graph is None) == (whole is None)
    if graph is None or whole is None:
        return
    for name in ("kind", "position", "first", "target", "length", "logit"):
        assert np.array_equal(getattr(graph, name), getattr(whole, name))
    assert np.allclose(graph.score, whole.score, rtol=1e-5, atol=1e-4)
    joined = site_graph(graph, carried.features_at)
    assert np.array_equal(joined.features, scores.features[joined.site_position].astype(np.float32))


def test_bytes_that_are_something_else_or_damaged_are_refused() -> None:
    _, _, carried = carried_window(3, 300)
    data = carried.to_bytes()
    assert CarriedScores.from_bytes(data).to_bytes() == data
    assert (carried.made_by, carried.length) == (MADE_BY, 300)
    order = bytearray(data)
    order[36:40], order[40:44] = order[40:44], order[36:40]  # the first two places
    nan = bytearray(data)
    nan[-4:] = np.float32("nan").tobytes()
    for wrong in (b"", b"tgc0" + data[4:], data[:-1], data + b"0", bytes(order), bytes(nan)):
        with pytest.raises(ValueError, match=r"scores|score"):
            CarriedScores.from_bytes(wrong)
