"""Confidences of a whole genome, by its distance from home: the same for any shards, in header, GFF3 and log."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from tests.backmap.builders import make_gene, row_of
from transgenic_tools.backmap.config import Config
from transgenic_tools.backmap.run import Result, run
from transgenic_tools.errors import BadInputError
from transgenic_tools.genome.odds import logit
from transgenic_tools.io.distance import FEWEST, DistanceScoring, distance_of
from transgenic_tools.io.gff3 import read_annotation
from transgenic_tools.io.rows import PredictionRow
from transgenic_tools.io.shards import write_prediction_shard
from transgenic_tools.provenance import Provenance
from transgenic_tools.report.sources import read_provenance

SCORING = DistanceScoring(home=logit(0.8), slope=0.2, shift=1.0, spread=0.3, limit=0.3)
N = FEWEST + 10


def rows(confidence: float) -> list[PredictionRow]:
    genes = [make_gene(f"g{i}", [(1_000 * i + 100, 1_000 * i + 190)]) for i in range(N)]
    levels = [round(1024 * confidence + 2 * i - N) / 1024 for i in range(N)]  # shards hold 32 bits
    return [row_of(g, scores=(level,), confidence=level) for g, level in zip(genes, levels, strict=True)]


def go(predicted: list[PredictionRow], directory: Path, *, count: int = 1, scoring: object = SCORING) -> Result:
    (directory / "shards").mkdir(parents=True)
    parameters = {} if scoring is None else {"distance": SCORING.to_json() if scoring is SCORING else scoring}
    for number in range(count):
        write_prediction_shard(
            predicted[number::count], directory / "shards" / f"{number}.parquet",
            provenance=Provenance("tg-generate", parameters),
        )  # fmt: skip
    return run(Config(predictions=(directory / "shards",), out=directory / "out.gff3"))


def test_far_from_home_confidences_fall_and_the_user_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    result = go(rows(0.6), tmp_path)
    expected = distance_of(SCORING, [row.confidence or 0.0 for row in rows(0.6)])
    assert result.distance == expected
    assert expected is not None
    assert expected.far
    assert "far from the species" in caplog.text
    assert result.summary()["distance"]["genes"] == N
    assert read_provenance(result.out)["parameters"]["distance"] == expected.to_json()
    written = [gene.score for gene in read_annotation(result.out).genes]
    assert written == [pytest.approx(SCORING.at(expected.value, row.confidence or 0.0), abs=1e-4) for row in rows(0.6)]


@pytest.mark.parametrize("confidence", [0.6, 0.9])
def test_shards_leave_no_trace(confidence: float, tmp_path: Path) -> None:
    whole = go(rows(confidence), tmp_path / "whole")
    parts = go(rows(confidence)[::-1], tmp_path / "parts", count=5)
    assert parts.out.read_bytes() == whole.out.read_bytes()


def test_at_home_only_the_header_tells_of_it(tmp_path: Path) -> None:
    """As it does without what was fitted, and where there are too few genes."""

    def features(result: Result) -> list[str]:
        return [line for line in result.out.read_text().splitlines() if not line.startswith("#")]

    plain = go(rows(0.9), tmp_path / "plain", scoring=None)
    assert plain.distance is None
    assert "distance" not in read_provenance(plain.out)["parameters"]
    assert "distance" not in plain.summary()
    home = go(rows(0.9), tmp_path / "home")
    assert home.distance is not None
    assert home.distance.value == 0.0
    assert features(home) == features(plain)
    few = go(rows(0.6)[: FEWEST - 1], tmp_path / "few")
    assert few.distance is None
    assert features(few) == features(go(rows(0.6)[: FEWEST - 1], tmp_path / "few_plain", scoring=None))


def test_a_damaged_header_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match="distances of a model") as told:
        go(rows(0.6), tmp_path, scoring={"home": 1.0})
    assert "0.parquet" in str(told.value.path)
