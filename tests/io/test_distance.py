"""Distance from home: identity at home, no trace of order or strands, an interval, and files that cannot be used."""

from __future__ import annotations

import json
import math
import random
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.io.test_shards import prediction
from transgenic_tools.errors import BadInputError
from transgenic_tools.genome.odds import logistic, logit
from transgenic_tools.io.distance import (
    FEWEST,
    FILE,
    Confidences,
    DistanceScoring,
    distance_of,
    load_distance_scoring,
    recalibrated,
    write_distance_scoring,
)
from transgenic_tools.io.rows import UNKNOWN_STRAND, PredictionRow
from transgenic_tools.provenance import Provenance

SCORING = DistanceScoring(home=logit(0.8), slope=0.2, shift=1.0, spread=0.3, limit=0.6)
PROBABILITIES = st.floats(0.0001, 0.9999)


def row(number: int, *scores: float, **changes: object) -> PredictionRow:
    base = replace(prediction(0), gene_id=f"g{number}", start=number, end=number + 1, scores=scores, flags=())
    return replace(base, confidence=max(scores, default=None), **changes)  # type: ignore[arg-type]


@given(st.lists(st.floats(0.81, 0.9999), min_size=FEWEST, max_size=80))
def test_at_home_nothing_changes(confidences: list[float]) -> None:
    found = distance_of(SCORING, confidences)
    assert found is not None
    assert (found.value, found.far) == (0.0, False)
    assert found.expected == pytest.approx(sum(confidences) / len(confidences))
    one = row(1, 0.9, 0.41)
    assert recalibrated(one, SCORING, found) is one


@given(st.lists(PROBABILITIES, min_size=FEWEST, max_size=80), st.randoms())
def test_order_leaves_no_trace(confidences: list[float], rng: random.Random) -> None:
    assert distance_of(SCORING, rng.sample(confidences, len(confidences))) == distance_of(SCORING, confidences)


@given(PROBABILITIES, PROBABILITIES, st.floats(0.0, 30.0))
@example(0.2, 0.8, 30.0)  # a slope that would turn the order round
def test_the_likelier_stays_the_likelier(one: float, other: float, distance: float) -> None:
    low, high = sorted((one, other))
    assert SCORING.at(distance, low) <= SCORING.at(distance, high)


def test_far_from_home_less_is_expected_and_confidences_say_so() -> None:
    near, far = (distance_of(SCORING, [mean] * 100) for mean in (0.7, 0.5))
    assert near is not None
    assert far is not None
    assert 0 < near.value < 0.6 < far.value == pytest.approx(logit(0.8))
    assert (near.far, far.far) == (False, True)
    assert far.low < far.expected < far.high
    assert far.expected < near.expected < 0.7
    assert far.expected == pytest.approx(logistic(-logit(0.8)))
    changed = recalibrated(row(1, 0.9, 0.41, exon_scores=((0.9,), (0.9,))), SCORING, far)
    assert changed.scores == tuple(round(SCORING.at(far.value, p), 4) for p in (0.9, 0.41))
    assert changed.confidence == changed.scores[0]
    assert changed.exon_scores == ((0.9,), (0.9,))


def test_few_genes_tell_nothing() -> None:
    assert distance_of(SCORING, [0.2] * (FEWEST - 1)) is None


def test_a_locus_of_both_strands_counts_once_and_reads_do_not_count() -> None:
    seen = Confidences()
    for number in range(FEWEST):
        seen.see(row(number, 0.7, 0.4, gene_id=f"g{number}_plus", flags=(UNKNOWN_STRAND,)))
        seen.see(row(number, 0.1, gene_id=f"g{number}_minus", strand="-", flags=(UNKNOWN_STRAND,)))
    seen.see(row(999))  # nothing was written
    found = seen.distance(SCORING)
    assert found is not None
    assert (found.genes, found.value) == (FEWEST, pytest.approx(logit(0.8) - logit(0.7)))
    shown = Confidences()
    for number in range(FEWEST):
        shown.see(row(number, 0.99, dna_scores=(0.7,)))
    assert shown.distance(SCORING) == found
    assert recalibrated(row(1, 0.9, dna_scores=(0.7,)), SCORING, found).scores == (0.9,)
    assert recalibrated(row(1, 0.9, dna_scores=()), SCORING, found).scores != (0.9,)


def test_the_file_of_a_model(tmp_path: Path) -> None:
    assert load_distance_scoring(tmp_path) is None
    write_distance_scoring(tmp_path / FILE, SCORING, provenance=Provenance("test", {"sets": []}))
    assert load_distance_scoring(tmp_path) == SCORING
    saved = json.loads((tmp_path / FILE).read_text())
    for damaged in (
        {**saved, "format_version": "9"},
        {**saved, "scoring": {**asdict(SCORING), "slope": "x"}},
        {**saved, "scoring": {**asdict(SCORING), "more": 1.0}},
        {**saved, "scoring": [1]},
        {**saved, "scoring": {**asdict(SCORING), "home": True}},
    ):
        (tmp_path / FILE).write_text(json.dumps(damaged))
        with pytest.raises(BadInputError, match="no distances of a model"):
            load_distance_scoring(tmp_path)


def test_log_odds_are_finite() -> None:
    assert math.isfinite(logit(0.0))
    assert logistic(logit(0.3)) == pytest.approx(0.3)
