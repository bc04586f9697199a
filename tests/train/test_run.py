"""Training: it learns, resumes to the same weights, does not depend on the number of processes, adapts, folds."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from safetensors.torch import load_file
from typer.testing import CliRunner

from tests import progress
from tests.model.tiny import DECODERS, ENCODERS
from tests.train.builders import shards
from transgenic_tools.cli.train import app
from transgenic_tools.errors import BadInputError, MissingInputError, OutOfMemoryError, UsageError
from transgenic_tools.model.presets import load_preset
from transgenic_tools.model.transgenic import TransgenicModel
from transgenic_tools.train.config import Config
from transgenic_tools.train.logs import Means
from transgenic_tools.train.pipeline import preflight
from transgenic_tools.train.processes import make_accelerator
from transgenic_tools.train.recipe import recipe_from_preset
from transgenic_tools.train.run import Trainer, run
from transgenic_tools.train.start import build_model, load_examples

TINY = {"encoder": ENCODERS["embedded"], "decoder": DECODERS["pointer"]}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ...]:
    return shards(tmp_path_factory.mktemp("shards"))


def config(data: tuple[Path, ...], outdir: Path, **changes: Any) -> Config:
    values: dict[str, Any] = {
        "steps": 6, "batch_bases": 700, "accumulate": 2, "flank_max": 60, "eval_every": 100, "save_every": 100,
        "log_every": 2, "device": "cpu", "threads": 1, "model_overrides": TINY, "learning_rate": 5e-3,
    }  # fmt: skip
    return Config(shards=data, outdir=outdir, **{**values, **changes})


def weights_of(directory: Path) -> dict[str, torch.Tensor]:
    return load_file(directory / "model.safetensors")


def assert_equal_weights(one: Path, other: Path, *, atol: float = 0.0) -> None:
    a, b = weights_of(one), weights_of(other)
    assert a.keys() == b.keys()
    for name, tensor in a.items():
        torch.testing.assert_close(tensor, b[name], atol=atol, rtol=0, msg=name)


def records(directory: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (directory / "metrics.jsonl").read_text().splitlines()]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("learning_rate", float("nan")), ("learning_rate", float("inf")), ("learning_rate", -1.0), ("ema", 1.0),
        ("ema", float("nan")), ("seed", -1), ("seed", 1 << 32), ("clip", 0.0), ("warmup", 1.5), ("fold", 0),
    ],
)  # fmt: skip
def test_settings_out_of_range_are_wrong_usage(name: str, value: float, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=name):
        config((), tmp_path, **{name: value})


def test_training_that_diverges_stops_and_leaves_no_model(data: tuple[Path, ...], tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="diverged"):
        run(config(data, tmp_path / "m", learning_rate=1e30, clip=1e30, save_every=1))
    assert not (tmp_path / "m" / "model.safetensors").exists() or all(
        torch.isfinite(tensor).all() for tensor in weights_of(tmp_path / "m").values()
    )


def test_a_model_to_start_from_that_is_not_there(data: tuple[Path, ...], tmp_path: Path) -> None:
    """Not asked for on a network."""
    with pytest.raises(MissingInputError, match="none: there is no such model directory"):
        build_model(config(data, tmp_path, init=tmp_path / "none"))


def test_a_pretrained_encoder_without_its_weights_is_said(
    data: tuple[Path, ...], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    parts = {"mapping": {"channels": 6, "width": 6}, "decoder": DECODERS["pointer"]}
    for name, said in (("esm", True), ("embedded", False)):
        caplog.clear()
        build_model(config(data, tmp_path, model_overrides=parts | {"encoder": ENCODERS[name]}))
        assert ("begins with random numbers" in caplog.text) is said


def test_loss_falls_and_perplexity_is_logged_per_epoch(data: tuple[Path, ...], tmp_path: Path) -> None:
    result = run(config(data, tmp_path, steps=60, ema=0.8, log_every=10))
    log = records(tmp_path)
    steps = [r["loss"] for r in log if r["split"] == "train" and r.get("kind") != "epoch"]
    assert steps[-1] < 0.7 * steps[0]
    for split in ("train", "validation"):
        epochs = [r for r in log if r["split"] == split and r.get("kind") == "epoch"]
        assert [r["epoch"] for r in epochs] == list(range(len(epochs)))
        assert len(epochs) > 2
        assert all(r["content_perplexity"] > 1 for r in epochs)
        assert epochs[-1]["content_perplexity"] < epochs[0]["content_perplexity"]
    assert list((tmp_path / "tensorboard").iterdir())
    assert result.metrics["loss"] > 0


@pytest.mark.parametrize(("stage", "unit"), [("trunk", "bases"), ("decoder", "steps")])
def test_time_left_is_that_of_the_steps_to_come(
    data: tuple[Path, ...], tmp_path: Path, caplog: pytest.LogCaptureFixture, stage: str, unit: str
) -> None:
    """Three minutes for two steps, four to go: six minutes."""
    trainer = Trainer(config(data, tmp_path, stage=stage, genes_per_batch=3, accumulate=1))
    trainer.step = 2
    recent = Means(trainer.task.losses)
    recent.add(dict.fromkeys(trainer.task.losses, 1.0), 36_000)
    with caplog.at_level(logging.INFO):
        trainer._log_train(0, recent, 180.0)
    assert f"200 {unit} a second, 6 min left" in caplog.text
    assert records(tmp_path)[-1][f"{unit}_per_second"] == 200


def test_a_killed_run_resumes_to_the_same_weights(data: tuple[Path, ...], tmp_path: Path) -> None:
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    run(config(data, whole, save_every=3))

    class Killed(RuntimeError):
        pass

    trainer = Trainer(config(data, broken, save_every=3))
    set_rate = trainer._set_rate

    def die_at_step_five() -> None:
        if trainer.step == 4:
            raise Killed
        set_rate()

    trainer._set_rate = die_at_step_five  # type: ignore[method-assign]
    with pytest.raises(Killed):
        trainer.run()
    resumed = Trainer(config(data, broken, save_every=3))
    assert resumed.step == 3
    resumed.run()
    assert_equal_weights(whole, broken)
    rate = {"bases_per_second"}
    lines = [[{k: v for k, v in r.items() if k not in rate} for r in records(one)] for one in (whole, broken)]
    assert lines[0] == lines[1]  # the epochs' means too, though the run was cut within one


def launch(directory: Path, code: str, *, processes: int) -> subprocess.CompletedProcess[str]:
    """A script under torchrun, on this machine alone."""
    script = directory / f"launch{processes}.py"
    script.write_text(code)
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc_per_node={processes}", script]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "ACCELERATE_USE_CPU": "true", "PYTHONPATH": os.getcwd()}
    return progress.run(command, env=environment)


SCRIPT = """
from pathlib import Path
from tests.train.test_run import STAGES, config
from transgenic_tools.train.run import run
for stage, changes in STAGES.items():
    run(config(tuple(map(Path, {data!r})), Path({outdir!r}) / stage, **changes))
"""
STAGES: dict[str, dict[str, Any]] = {
    "trunk": {"steps": 4},
    # each process draws its own dropout, so equality is asked for without
    "decoder": {
        "steps": 4,
        "stage": "decoder",
        "genes_per_batch": 3,
        "model_overrides": {**TINY, "decoder": {**TINY["decoder"], "dropout": 0.0}},
    },
}


@pytest.mark.slow
def test_two_processes_learn_what_one_does(data: tuple[Path, ...], tmp_path: Path) -> None:
    done = launch(tmp_path, SCRIPT.format(data=tuple(map(str, data)), outdir=str(tmp_path / "two")), processes=2)
    assert done.returncode == 0, done.stderr[-3000:]
    for stage, changes in STAGES.items():
        one, two = tmp_path / "one" / stage, tmp_path / "two" / stage
        run(config(data, one, **changes))
        assert_equal_weights(one, two, atol=1e-4)
        key = "loss" if stage == "trunk" else "step_loss"
        losses = [[r[key] for r in records(d) if r["split"] == "validation"] for d in (one, two)]
        assert losses[0]
        assert losses[1] == pytest.approx(losses[0], abs=1e-4)


def test_micro_batches_must_be_shared_out_evenly(
    data: tuple[Path, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(UsageError, match="3 micro-batches"):
        make_accelerator(config(data, tmp_path, accumulate=3))


@pytest.mark.parametrize("method", ["lora", "ia3"])
def test_adapters_are_learned_saved_alone_and_merged(data: tuple[Path, ...], tmp_path: Path, method: str) -> None:
    parts = {"encoder": ENCODERS["esm"], "mapping": {"channels": 6, "width": 6}, "decoder": DECODERS["pointer"]}
    c = config(data, tmp_path, peft=method, rank=2, steps=3, model_overrides=parts)
    torch.manual_seed(c.seed)
    begun = build_model(replace(c, peft="none"))
    run(c)
    adapters = load_file(tmp_path / "adapter.safetensors")
    assert adapters
    assert all("lora_" in name or "ia3_" in name for name in adapters)
    learned = TransgenicModel.from_pretrained(tmp_path, local_files_only=True)
    before, after = begun.state_dict(), learned.state_dict()
    assert before.keys() == after.keys()
    moved = {name for name in before if not torch.equal(before[name], after[name])}
    assert any("attention.self.query" in n or "attention.self.key" in n for n in moved)
    assert not any("word_embeddings" in n for n in moved)
    assert run(replace(c, steps=4)).steps == 4  # goes on from the checkpoint with the adapters


def test_a_frozen_encoder_stays_and_the_mapping_learns(data: tuple[Path, ...], tmp_path: Path) -> None:
    parts = {"encoder": ENCODERS["hyenadna"], "mapping": {"channels": 6, "width": 6}, "decoder": DECODERS["pointer"]}
    c = config(data, tmp_path, freeze="encoder", steps=2, model_overrides=parts)
    torch.manual_seed(c.seed)
    run(c)
    model = TransgenicModel.from_pretrained(tmp_path, local_files_only=True)
    torch.manual_seed(c.seed)
    again = build_model(c)
    for name, tensor in again.state_dict().items():
        if name.startswith("encoder.backbone.") and "filter_fn.bias" not in name and "weight" not in name:
            torch.testing.assert_close(model.state_dict()[name], tensor, msg=name)
    trained = {n for n, p in again.named_parameters() if p.requires_grad}
    assert not any(n.startswith("encoder.backbone.") for n in trained)
    assert any(n.startswith("encoder.mapping.") for n in trained)


@pytest.mark.parametrize("name", ["led", "t5", "longt5"])
def test_seq2seq_decoders_learn_on_a_frozen_trunk(data: tuple[Path, ...], tmp_path: Path, name: str) -> None:
    parts = {**TINY, "decoder": DECODERS[name]}
    c = config(data, tmp_path, stage="decoder", steps=25, accumulate=1, genes_per_batch=4, model_overrides=parts, ema=0)
    run(replace(c, learning_rate=1e-2))
    losses = [r["step_loss"] for r in records(tmp_path) if r["split"] == "train" and r.get("kind") != "epoch"]
    assert losses[-1] < 0.8 * losses[0]
    assert [r for r in records(tmp_path) if r["split"] == "validation"][-1]["step_perplexity"] >= 1


def test_all_stages_by_command_line_in_one_and_resumed(data: tuple[Path, ...], tmp_path: Path) -> None:
    """A tiny preset through trunk, scoring, decoder and calibration; again, nothing is learned anew."""
    preset = tmp_path / "tiny.yaml"
    preset.write_text(yaml.safe_dump({**TINY, "training": {"trunk": {"batch_bases": 700}}}))
    command = [*map(str, data), "--preset", str(preset), "--outdir", str(tmp_path / "model"), "--steps", "3", "--json",
               "--device", "cpu", "--threads", "1", "--decoder-steps", "2", "--set", "decoder.dropout=0.0"]  # fmt: skip
    first = CliRunner().invoke(app, command)
    assert first.exit_code == 0, first.output
    summary = json.loads(first.stdout.splitlines()[-1])
    assert (summary["train_genes"], summary["validation_genes"]) == (12, 4)
    model = TransgenicModel.from_pretrained(tmp_path / "model", local_files_only=True)
    assert summary["metrics"]["scoring_loss_after"] <= summary["metrics"]["scoring_loss_before"]
    assert model.config.decoder["dropout"] == 0.0
    before = weights_of(tmp_path / "model")
    again = CliRunner().invoke(app, command)
    assert again.exit_code == 0, again.output
    assert all(torch.equal(before[k], v) for k, v in weights_of(tmp_path / "model").items())


def test_a_preset_with_a_part_that_no_model_has(tmp_path: Path) -> None:
    """A typing error would train another network in silence."""
    with pytest.raises(UsageError, match=r"no part \['decodr'\]"):
        recipe_from_preset({"decodr": {}}, shards=(), outdir=tmp_path, overrides={}, stage_steps={})


def test_a_preset_that_is_too_deep(tmp_path: Path) -> None:
    (tmp_path / "p.yaml").write_text("[" * 5000 + "]" * 5000)
    with pytest.raises(BadInputError, match=r"p\.yaml"):
        load_preset(str(tmp_path / "p.yaml"))


def test_a_model_must_be_named(data: tuple[Path, ...], tmp_path: Path) -> None:
    result = CliRunner().invoke(app, [*map(str, data), "--outdir", str(tmp_path)])
    assert isinstance(result.exception, UsageError)


def test_folds_come_from_the_shards(tmp_path: Path) -> None:
    files = shards(tmp_path, n_train=8, n_validation=4, folds=3)
    seen = []
    for fold in range(3):
        train, held_out = load_examples(config(files, tmp_path, folds=3, fold=fold))
        assert len(train) + len(held_out) == 12
        assert not {e.gene_id for e in train} & {e.gene_id for e in held_out}
        seen += [e.gene_id for e in held_out]
    assert len(set(seen)) == 12
    with pytest.raises(BadInputError, match="folds"):
        load_examples(config(files, tmp_path, folds=5, fold=0))


def test_preflight_says_what_a_run_needs_and_stops_what_cannot_fit(data: tuple[Path, ...], tmp_path: Path) -> None:
    line = preflight(config(data, tmp_path), stop=True)
    assert "GB free" in line
    assert "min" in line
    with pytest.raises(OutOfMemoryError, match="cannot fit"):
        preflight(config(data, tmp_path, batch_bases=2_000_000_000), stop=True)
