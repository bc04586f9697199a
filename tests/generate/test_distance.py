"""tg-generate tells early how far a genome seems to be from home, and hands on what was fitted for its model."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import pytest

from tests.generate.test_identity import shard
from transgenic_tools.generate.config import Config
from transgenic_tools.generate.run import run
from transgenic_tools.io import distance
from transgenic_tools.io.distance import FILE, DistanceScoring, write_distance_scoring
from transgenic_tools.io.shards import prediction_provenance, read_predictions
from transgenic_tools.model.files import default_model_dir, model_hash
from transgenic_tools.provenance import Provenance
from transgenic_tools.search.config import DecodingConfig

SCORING = DistanceScoring(home=9.0, slope=0.1, shift=0.1, spread=0.3, limit=0.5)


@pytest.fixture
def model(model_copy: Path) -> Path:
    """The embedded model, with a file of distances of its own."""
    write_distance_scoring(model_copy / FILE, SCORING, provenance=Provenance("test"))
    return model_copy


def test_a_genome_far_from_home_is_told_of_once_and_only_the_header_differs(
    model: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(distance, "FEWEST", 2)
    caplog.set_level(logging.INFO)
    genes = shard(tmp_path / "genes-00000.parquet", 0), shard(tmp_path / "genes-00001.parquet", 50)
    told = run(Config(shards=genes, model=model, outdir=tmp_path / "told"))
    assert caplog.text.count("distance from the species learned") == 1
    assert caplog.text.count(distance.WARNING) == 1
    parameters = json.loads(prediction_provenance(told.predictions[0]))["parameters"]
    assert parameters["distance"] == SCORING.to_json()
    assert parameters["model"] == model_hash(model) == model_hash(default_model_dir())
    (model / FILE).unlink()
    plain = run(Config(shards=genes, model=model, outdir=tmp_path / "plain"))
    assert "distance" not in json.loads(prediction_provenance(plain.predictions[0]))["parameters"]
    assert list(read_predictions(plain.predictions)) == list(read_predictions(told.predictions))


def test_completion_tells_nothing_of_a_genome(model: Path, tmp_path: Path) -> None:
    genes = shard(tmp_path / "genes-00000.parquet", 0)
    done = run(Config(shards=(genes,), model=model, outdir=tmp_path / "more", complete=True))
    assert "distance" not in json.loads(prediction_provenance(done.predictions[0]))["parameters"]


def test_completion_that_adds_nothing_says_why(model: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    genes = shard(tmp_path / "genes-00000.parquet", 0)
    strict = DecodingConfig(min_confidence=1.0)
    done = run(Config(shards=(genes,), model=model, outdir=tmp_path / "none", complete=True, decoding=strict))
    assert done.without_transcript == done.genes > 0
    assert f"nothing new for {done.genes} of {done.genes} genes" in caplog.text
    assert "--min-confidence" in caplog.text
