"""Fine-tuning: settings by the number of genes, early stop with the best weights, what is frozen, before and after."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from typer.testing import CliRunner

from tests.model.tiny import DECODERS, ENCODERS, OWN
from tests.train.builders import rows, shards
from tests.train.test_run import TINY, assert_equal_weights, config, records, weights_of
from transgenic_tools.cli.train import app
from transgenic_tools.errors import UsageError
from transgenic_tools.genome.interval import Interval
from transgenic_tools.lattice.config import ScoringConfig
from transgenic_tools.lattice.vocabulary import IGNORE
from transgenic_tools.model.files import load_model, model_hash
from transgenic_tools.model.presets import load_preset
from transgenic_tools.train import judged
from transgenic_tools.train.config import Config, work_dir
from transgenic_tools.train.finetune import Amount, amount_of, fitted, warn_of_few
from transgenic_tools.train.losses import content_loss
from transgenic_tools.train.patience import Patience
from transgenic_tools.train.recipe import recipe_from_preset, run_recipe
from transgenic_tools.train.run import run
from transgenic_tools.train.start import build_model, load_examples


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ...]:
    return shards(tmp_path_factory.mktemp("shards"))


@pytest.fixture(scope="module")
def initial(data: tuple[Path, ...], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny model of all stages."""
    outdir = tmp_path_factory.mktemp("models") / "initial"
    settings = {"batch_bases": 1400, "flank_max": 60, "device": "cpu", "threads": 1, "genes_per_batch": 4}
    run_recipe(
        recipe_from_preset(TINY, shards=data, outdir=outdir, overrides=settings, stage_steps={"trunk": 8, "decoder": 4})
    )
    return outdir


def plan(genes: int, **changes: Any) -> dict[str, dict[str, Any]]:
    return fitted(load_preset("finetune"), Amount(genes, genes * 5000), Config(shards=(), outdir=Path("m"), **changes))[
        "training"
    ]


def test_what_is_learned_follows_the_number_of_genes() -> None:
    few, some, many, all_genes = (plan(genes) for genes in (100, 300, 1000, 30_000))
    assert few["trunk"]["freeze"] == "lower"
    assert {p["trunk"]["freeze"] for p in (some, many, all_genes)} == {"none"}
    steps = [p["trunk"]["steps"] for p in (few, some, many, all_genes)]
    assert steps == sorted(steps)
    assert steps[-1] == 8000, "30,000 genes are limited"
    for one in (few, some, many, all_genes):
        for stage in ("trunk", "decoder"):
            Config(shards=(), outdir=Path("m"), **one[stage])  # each is a setting
            assert one[stage]["patience"] == 2


def test_one_gene_is_learned_a_few_steps() -> None:
    assert plan(1)["trunk"]["steps"] == plan(1)["decoder"]["steps"] == 12


@pytest.mark.parametrize("part", [{}, {"rows": []}, {"rows": [{"genes": 1}]}, {"rows": [{"genes": 1, "freeze": "x"}]}])
def test_a_preset_that_says_too_little_is_refused(part: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="finetune"):
        fitted({"finetune": part}, Amount(1, 1), Config(shards=(), outdir=Path("m")))
    with pytest.raises(UsageError, match="encoder"):
        fitted({**load_preset("finetune"), "encoder": {}}, Amount(1, 1), Config(shards=(), outdir=Path("m")))


def test_bases_are_counted_as_crops(data: tuple[Path, ...], tmp_path: Path) -> None:
    c = Config(shards=data, outdir=tmp_path, flank_min=0, flank_max=20)
    train, _ = load_examples(c)
    expected = sum(row.end - row.start + 20 for row in rows() if row.split == "train")
    assert amount_of(train, c) == Amount(12, expected)


@pytest.mark.parametrize("encoder", OWN)
def test_lower_parts_are_kept_and_the_last_block_learns(data: tuple[Path, ...], tmp_path: Path, encoder: str) -> None:
    parts = {"encoder": ENCODERS[encoder], "decoder": DECODERS["pointer"]}
    c = config(data, tmp_path / "m", freeze="lower", steps=3, model_overrides=parts)
    torch.manual_seed(c.seed)
    run(c)
    model = build_model(c)
    frozen = {name for name, p in model.named_parameters() if not p.requires_grad}
    assert any(name.startswith("encoder.blocks.0.") for name in frozen)
    assert any(name.startswith("encoder.stem_in") for name in frozen)
    assert not any(name.startswith(("encoder.blocks.1.", "encoder.expand", "head.")) for name in frozen)
    again = tmp_path / "again"
    run(replace(c, outdir=again, init=tmp_path / "m", model_overrides={}))
    before, after = weights_of(tmp_path / "m"), weights_of(again)
    moved = {name for name in before if not torch.equal(before[name], after[name])}
    assert moved
    assert not moved & frozen


def test_training_that_only_harms_leaves_the_initial_weights(
    data: tuple[Path, ...], initial: Path, tmp_path: Path
) -> None:
    """A rate that wrecks the network: the held-out genes are best served by what was there."""
    c = config(data, tmp_path / "m", learning_rate=3.0, steps=40, eval_every=2, patience=2, init=initial, warmup=0.0)
    result = run(replace(c, model_overrides={}))
    assert result.steps == 4, "two measurements without a gain"
    assert_equal_weights(initial, tmp_path / "m")
    start = next(r for r in records(tmp_path / "m") if r.get("kind") == "start")
    assert result.metrics["loss"] == start["loss"]


def test_the_best_weights_are_kept_not_the_last(data: tuple[Path, ...], tmp_path: Path) -> None:
    c = config(data, tmp_path / "m", steps=12, eval_every=3, patience=1, learning_rate=1e-2, ema=0.5)
    result = run(c)
    measured = [r["loss"] for r in records(tmp_path / "m") if r["split"] == "validation"]
    assert result.metrics["loss"] == min(measured)


@pytest.mark.parametrize("patience", [1, 3])
def test_a_killed_run_with_patience_ends_the_same(data: tuple[Path, ...], tmp_path: Path, patience: int) -> None:
    c = config(
        data, tmp_path / "whole", steps=9, eval_every=1, save_every=1, patience=patience, learning_rate=0.3,
        warmup=0.0, decay=0.0,
    )  # fmt: skip
    whole = run(c)
    cut = replace(c, outdir=tmp_path / "cut")
    run(replace(cut, steps=2))
    assert run(cut).steps == whole.steps
    assert_equal_weights(tmp_path / "whole", tmp_path / "cut")


def test_patience_without_held_out_genes_keeps_the_last_weights() -> None:
    patience, weight = Patience(1), torch.zeros(1)
    for step in range(3):
        patience.take(step, "loss", {}, {"w": weight + step})
    assert not patience.is_over
    assert patience.weights["w"] == 2


def test_a_run_without_held_out_genes_speaks_of_no_measurement(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    run(config(shards(tmp_path / "shards", n_validation=0), tmp_path / "m", patience=1, eval_every=1, steps=2))
    said = [record.message.strip() for record in caplog.records]
    assert "validation" not in said
    assert not [one for one in said if "the best of those measured" in one]


@pytest.mark.parametrize(
    ("train", "held_out", "words"),
    [
        (400, 50, []),
        (99, 60, ["99 training genes"]),
        (100, 0, ["no gene of split 'validation'"]),
        (2, 4, ["2 tr", "0.25"]),
    ],
)
def test_too_few_genes_are_warned_of_before_they_are_learned(
    train: int, held_out: int, words: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    warn_of_few(train, held_out)
    assert len(caplog.records) == len(words)
    assert all(word in record.getMessage() for word, record in zip(words, caplog.records, strict=True))


def test_patience_wants_averaged_weights(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="ema"):
        config((), tmp_path, patience=2, ema=0.0)


def test_one_command_tunes_and_compares(data: tuple[Path, ...], initial: Path, tmp_path: Path) -> None:
    outdir = tmp_path / "tuned"
    arguments = [*map(str, data), "--init", str(initial), "--preset", "finetune", "--outdir", str(outdir)]
    result = CliRunner().invoke(app, [*arguments, "--threads", "1", "--device", "cpu", "--precision", "fp32"])
    assert result.exit_code == 0, result.output
    assert "4 held-out genes" in result.stdout
    assert "gene_exact" in result.stdout
    saved = json.loads((outdir / "finetune.json").read_text())
    assert saved["before"]["genes"] == saved["after"]["genes"] == 4
    assert set(saved["provenance"]["parameters"]["settings"]) == {"trunk", "decoder"}
    lines = (outdir / "finetune.tsv").read_text().splitlines()
    assert lines[0] == "figure\tbefore\tafter"
    assert lines[1] == f"gene_exact\t{saved['before']['gene_exact']:.4f}\t{saved['after']['gene_exact']:.4f}"
    card = (outdir / "README.md").read_text()
    for words in (f"on 12 genes of s, from the model {model_hash(initial)}, which has no card", "| 4 held-out genes |"):
        assert words in card
    assert f"| gene_exact | {saved['before']['gene_exact']:.3f} | {saved['after']['gene_exact']:.3f} |" in card
    for stage in ("trunk", "decoder"):
        losses = [r for r in records(outdir) if r["stage"] == stage and r["split"] == "validation"]
        assert losses[0]["kind"] == "start"


def test_a_trunk_of_both_strands_is_tuned_alike(data: tuple[Path, ...], tmp_path: Path) -> None:
    """With what was fitted for its scans, and its part that only windows of one gene have."""
    parts = {"encoder": ENCODERS["strands"], "decoder": DECODERS["pointer"]}
    settings = {"batch_bases": 1400, "flank_max": 60, "device": "cpu", "threads": 1, "genes_per_batch": 4}
    initial, outdir = tmp_path / "initial", tmp_path / "tuned"
    recipe = recipe_from_preset(
        parts, shards=data, outdir=initial, overrides=settings, stage_steps={"trunk": 2, "decoder": 2}
    )
    run_recipe(recipe)
    model, _ = load_model(initial)
    model.refit(scan=ScoringConfig(content_weight=0.25))
    model.save_pretrained(initial)
    arguments = [*map(str, data), "--init", str(initial), "--preset", "finetune", "--outdir", str(outdir)]
    done = CliRunner().invoke(app, [*arguments, "--threads", "1", "--device", "cpu", "--precision", "fp32"])
    assert done.exit_code == 0, done.output
    settings_of = load_model(outdir)[0].settings
    assert settings_of.encoder == model.settings.encoder
    assert settings_of.scan == model.settings.scan
    before, after = weights_of(initial), weights_of(outdir)
    assert not torch.equal(before["head.project.weight"], after["head.project.weight"])
    assert torch.equal(before["encoder.one_gene"], after["encoder.one_gene"]), "16 genes: the lower part is kept"


def test_the_rest_follows_a_trunk_that_is_there(data: tuple[Path, ...], initial: Path, tmp_path: Path) -> None:
    """Its trunk stays, the decoder is the preset's, scores and calibration begin anew."""
    preset = tmp_path / "p.yaml"
    preset.write_text(yaml.safe_dump({**TINY, "decoder": {**TINY["decoder"], "dim": 24}}))
    arguments = [
        *map(str, data), "--init", str(initial), "--stage", "rest", "--steps", "2", "--threads", "1", "--device", "cpu",
    ]  # fmt: skip
    outdir = tmp_path / "m"
    done = CliRunner().invoke(app, [*arguments, "--preset", str(preset), "--outdir", str(outdir)])
    assert done.exit_code == 0, done.output
    before, after = weights_of(initial), weights_of(outdir)
    for name in before:
        if not name.startswith("decoder."):
            assert torch.equal(before[name], after[name]), name
    model = build_model(Config(shards=data, outdir=tmp_path, init=outdir))
    assert model.settings.decoder.dim == 24
    assert {r["stage"] for r in records(outdir)} == {"trunk", "decoder"}, "the trunk's own log comes first"
    assert not (work_dir(outdir) / "trunk").exists()
    refused = CliRunner().invoke(app, [*arguments, "--preset", "finetune", "--outdir", str(tmp_path / "n")])
    assert isinstance(refused.exception, UsageError)


def test_a_batch_in_which_no_content_is_known_teaches_none() -> None:
    logits = torch.randn(2, 7, 5, requires_grad=True)
    loss = content_loss(logits, torch.full((2, 5), IGNORE))
    loss.backward()
    assert loss.item() == 0.0
    assert logits.grad is not None
    assert not logits.grad.any()


def test_figures_are_those_that_a_hand_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    a, b, c = (Interval(0, 9), Interval(20, 29)), (Interval(0, 9), Interval(22, 29)), (Interval(3, 9),)
    genes = [({a, b}, [(a, 0.9), (c, 0.4)]), ({c}, [(b, 0.8)]), ({c}, [])]
    monkeypatch.setattr(judged, "_written", lambda *_: iter(genes))
    figures = judged.judge_genes(None, [None] * 3).figures()  # type: ignore[arg-type, list-item]
    assert figures["genes"] == 3
    assert figures["gene_exact"] == pytest.approx(1 / 3)
    assert figures["transcript_sensitivity"] == pytest.approx(1 / 4)
    assert figures["transcript_precision"] == pytest.approx(1 / 3)
    right, known, written = 2, 3 + 1 + 1, 3 + 2  # exons, each once a gene
    assert figures["exon_f1"] == pytest.approx(
        2 * (right / known) * (right / written) / (right / known + right / written)
    )
    assert figures["confidence_error"] == pytest.approx((abs(0.9 - 1) + 0.4 + 0.8) / 3)
