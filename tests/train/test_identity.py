"""No checkpoint and no stage outlives what it was made from."""

from __future__ import annotations

import json
import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.train.builders import planted_row
from tests.train.test_run import config
from transgenic_tools.io.shards import write_gene_shards
from transgenic_tools.provenance import Provenance
from transgenic_tools.train import recipe
from transgenic_tools.train.config import Config
from transgenic_tools.train.identity import made_from, set_aside_stale
from transgenic_tools.train.run import Trainer
from transgenic_tools.train.run import run as train


def shards(directory: Path, first: int = 0) -> tuple[Path, ...]:
    rows = [planted_row(first + i, split="train" if i < 4 else "validation") for i in range(5)]
    return write_gene_shards(rows, directory, provenance=Provenance("test"))


def test_a_checkpoint_of_other_genes_is_no_start(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    settings = config(shards(tmp_path / "s"), tmp_path / "model", steps=2)
    train(settings)
    assert Trainer(replace(settings, steps=4, log_every=1)).step == 2  # longer: the same training
    shards(tmp_path / "s", first=50)
    with caplog.at_level(logging.WARNING):
        assert Trainer(settings).step == 0
    assert "made from other shards" in caplog.text
    assert (settings.checkpoint_dir.with_name("checkpoints.stale") / "last").is_dir()
    assert Trainer(settings).step == 0


@pytest.mark.parametrize("changes", [{"seed": 2}, {"learning_rate": 1e-3}, {"batch_bases": 900}, {"flank_max": 10}])
def test_other_settings_are_another_training(tmp_path: Path, changes: dict[str, Any]) -> None:
    settings = config(shards(tmp_path / "s"), tmp_path / "model")
    set_aside_stale(settings.checkpoint_dir, made_from(settings))
    (settings.checkpoint_dir / "last").mkdir()
    set_aside_stale(settings.checkpoint_dir, made_from(replace(settings, steps=99, log_every=3)))
    assert (settings.checkpoint_dir / "last").is_dir()
    set_aside_stale(settings.checkpoint_dir, made_from(replace(settings, **changes)))
    assert not (settings.checkpoint_dir / "last").exists()


def test_with_patience_the_measurements_are_part_of_what_is_learned(tmp_path: Path) -> None:
    settings = config(shards(tmp_path / "s"), tmp_path / "model", patience=2)
    assert made_from(settings) != made_from(replace(settings, eval_every=7))
    plain = replace(settings, patience=None)
    assert made_from(plain) == made_from(replace(plain, eval_every=7))


def test_checkpoints_of_unknown_origin_are_no_start(tmp_path: Path) -> None:
    settings = config(shards(tmp_path / "s"), tmp_path / "model")
    (settings.checkpoint_dir / "last").mkdir(parents=True)
    set_aside_stale(settings.checkpoint_dir, made_from(settings))
    assert not (settings.checkpoint_dir / "last").exists()


def test_a_stage_that_is_done_is_done_for_its_genes_and_steps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[Config] = []

    def count(settings: Config) -> Any:
        ran.append(settings)
        settings.outdir.mkdir(parents=True, exist_ok=True)
        return recipe.Result(settings.outdir, 0, 0, {"loss": float(len(ran))})

    monkeypatch.setattr(recipe, "run", count)
    settings = config(shards(tmp_path / "s"), tmp_path / "stage")
    assert recipe._stage(settings, None, {}) == recipe._stage(settings, None, {}) == {"loss": 1.0}
    assert recipe._stage(replace(settings, steps=9), None, {}) == {"loss": 2.0}
    shards(tmp_path / "s", first=50)
    assert recipe._stage(replace(settings, steps=9), None, {}) == {"loss": 3.0}
    (settings.outdir / "done.json").write_text(json.dumps({"loss": 9.0}))  # of an earlier release
    assert recipe._stage(replace(settings, steps=9), None, {}) == {"loss": 4.0}
