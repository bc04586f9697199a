"""Distance from home: identity at home, no trace of order or strands, an interval, and files that cannot be used."""

from __future__ import annotations

import json
import math
import random
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.genome.test_profile import gene
from tests.io.test_shards import prediction
from transgenic_tools.errors import BadInputError
from transgenic_tools.genome.odds import logistic, logit
from transgenic_tools.genome.profile import Profile
from transgenic_tools.gsf import write
from transgenic_tools.io import distance
from transgenic_tools.io.distance import (
    FEWEST,
    FILE,
    SHRINK,
    Confidences,
    DistanceScoring,
    Looks,
    distance_of,
    load_distance_scoring,
    profile_of,
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
    assert 0 < near.value < 0.6 < far.value == pytest.approx(logit(0.8) * 100 / (100 + SHRINK))
    assert (near.far, far.far) == (False, True)
    assert far.low < far.expected < far.high
    assert far.expected < near.expected < 0.7
    assert far.expected == pytest.approx(logistic(-far.value))
    changed = recalibrated(row(1, 0.9, 0.41, exon_scores=((0.9,), (0.9,))), SCORING, far)
    assert changed.scores == tuple(round(SCORING.at(far.value, p), 4) for p in (0.9, 0.41))
    assert changed.confidence == changed.scores[0]
    assert changed.exon_scores == ((0.9,), (0.9,))


def looked_at(seed: int, *, gc: float) -> tuple[PredictionRow, str]:
    """A gene with one intron, and its window."""
    codes, transcript = gene(seed, gc=gc)
    sentence = write([transcript], strand="+")
    return row(seed, 0.85, gsf=sentence, window_start=0, window_end=len(codes)), "".join("ACGT"[c] for c in codes)


def seen(gc: float, *, first: int = 0) -> Confidences:
    genome = Confidences()
    for seed in range(first, first + 40):
        predicted, bases = looked_at(seed, gc=gc)
        genome.see(predicted, lambda bases=bases: bases)  # type: ignore[misc]
    return genome


def home() -> DistanceScoring:
    known = Profile.total(Profile.of(*gene(seed, gc=0.4)) for seed in range(500, 700))
    other = Profile.total(Profile.of(*gene(seed, gc=0.25)) for seed in range(500, 700))
    return replace(SCORING, looks=Looks(learned={"other": other, "home": known}, tolerance=0.02, weight=10.0))


def test_strange_composition_is_far_from_home_however_sure_the_model_is() -> None:
    near, far = (seen(gc).distance(home()) for gc in (0.4, 0.7))
    assert near is not None
    assert far is not None
    assert near.look is not None
    assert far.look is not None
    assert (near.value, near.look.nearest, far.look.nearest) == (0.0, "home", "home")
    assert 1 < far.value == pytest.approx(10 * far.look.strangeness)
    assert (near.far, far.far) == (False, True)
    assert far.expected < 0.7 < near.expected
    assert far.to_json()["look"]["composition"] == pytest.approx(far.look.aspects["composition"], abs=1e-4)
    assert "most like home" in far.look.sentence()
    # Without bases, or for a model without looks, confidences alone tell.
    assert seen(0.7).distance(SCORING) == Confidences.distance(seen(0.4), SCORING)


def test_what_genes_look_like_leaves_no_trace_of_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(distance, "_LOOKED_AT", 15)
    genes = [looked_at(seed, gc=0.5) for seed in range(40)]
    found = []
    for order in (genes, genes[::-1]):
        genome = Confidences()
        for predicted, bases in order:
            genome.see(predicted, lambda bases=bases: bases)  # type: ignore[misc]
        found.append(genome.distance(home()))
    assert found[0] == found[1] is not None


def test_genes_that_do_not_fit_their_window_are_not_looked_at() -> None:
    predicted, bases = looked_at(1, gc=0.4)
    assert profile_of(predicted, bases) is not None
    assert profile_of(predicted, bases[:200]) is None
    assert profile_of(replace(predicted, gsf="nonsense"), bases) is None
    assert profile_of(replace(predicted, gsf=None), bases) is None


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
    expected = (logit(0.8) - logit(0.7)) * FEWEST / (FEWEST + SHRINK)
    assert (found.genes, found.value) == (FEWEST, pytest.approx(expected))
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
    write_distance_scoring(tmp_path / FILE, home(), provenance=Provenance("test", {"sets": []}))
    again = load_distance_scoring(tmp_path)
    assert again is not None
    assert again.to_json() == home().to_json()
    saved = json.loads((tmp_path / FILE).read_text())
    looks = saved["scoring"]["looks"]
    for damaged in (
        {**saved, "scoring": {**saved["scoring"], "looks": {**looks, "learned": {}}}},
        {**saved, "scoring": {**saved["scoring"], "looks": {**looks, "weight": None}}},
        {**saved, "scoring": {**saved["scoring"], "looks": {**looks, "learned": {"a": 1}}}},
        {**saved, "scoring": {**saved["scoring"], "looks": []}},
        {**saved, "format_version": "9"},
        {**saved, "scoring": {**SCORING.to_json(), "slope": "x"}},
        {**saved, "scoring": {**SCORING.to_json(), "more": 1.0}},
        {**saved, "scoring": [1]},
        {**saved, "scoring": {**SCORING.to_json(), "home": True}},
    ):
        (tmp_path / FILE).write_text(json.dumps(damaged))
        with pytest.raises(BadInputError, match="no distances of a model"):
            load_distance_scoring(tmp_path)


def test_log_odds_are_finite() -> None:
    assert math.isfinite(logit(0.0))
    assert logistic(logit(0.3)) == pytest.approx(0.3)
