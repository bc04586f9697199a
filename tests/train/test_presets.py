"""Every preset in small: its parts and its training, with sizes that a CPU trains in seconds.

Held for each: the loss falls, all stages run, genes are generated, a saved model is the loaded one, adapters learn,
and a run that was cut short ends with the weights of one that was not.
"""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from tests.model.tiny import DECODERS, ENCODERS, random_text, windows
from tests.train.builders import shards
from tests.train.test_run import assert_equal_weights, records
from transgenic_tools.generate.config import Config as GenerateConfig
from transgenic_tools.generate.run import run as generate
from transgenic_tools.gsf import parse
from transgenic_tools.io.shards import read_predictions
from transgenic_tools.model.presets import load_preset, model_preset_names
from transgenic_tools.model.transgenic import TransgenicModel
from transgenic_tools.train.config import work_dir
from transgenic_tools.train.recipe import Recipe, recipe_from_preset, run_recipe
from transgenic_tools.train.run import run

STEPS = 24


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ...]:
    return shards(tmp_path_factory.mktemp("shards"))


def small(name: str, shards: tuple[Path, ...], outdir: Path, **changes: Any) -> Recipe:
    """The preset with all that it says but for sizes, precision and the number of genes at once."""
    preset = load_preset(name)
    preset["encoder"] |= ENCODERS[preset["encoder"]["name"]]
    preset["mapping"] = {**preset.get("mapping", {}), "channels": 6, "width": 6}
    preset["decoder"] |= DECODERS[preset["decoder"]["name"]]
    settings = {
        "batch_bases": 900, "max_bases": 900, "accumulate": 2, "learning_rate": 1e-2, "precision": "fp32",
        "device": "cpu", "threads": 1, "flank_max": 60, "genes_per_batch": 4, "log_every": 4, "eval_every": 100,
        "save_every": 100, "ema": 0.8, **changes,
    }  # fmt: skip
    steps = {"trunk": STEPS, "decoder": STEPS // 2}
    return recipe_from_preset(preset, shards=shards, outdir=outdir, overrides=settings, stage_steps=steps)


@pytest.fixture(scope="module", params=model_preset_names())
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def trained(name: str, data: tuple[Path, ...], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model directory of all four stages."""
    outdir = tmp_path_factory.mktemp(name)
    run_recipe(small(name, data, outdir))
    return outdir


def test_parts_are_those_that_the_model_preset_names(name: str, trained: Path) -> None:
    model, preset = TransgenicModel.from_pretrained(trained, local_files_only=True), load_preset(name)
    for part in ("encoder", "mapping", "decoder"):
        wanted = preset.get(part, {})
        assert getattr(model.config, part)["name"] == wanted.get("name", "linear")
    for setting in ("checkpointing", "global_attention"):
        for part in ("encoder", "decoder"):
            if setting in preset[part]:
                assert getattr(model.config, part)[setting] == preset[part][setting]


def test_the_loss_of_both_stages_falls(trained: Path) -> None:
    steps = [r for r in records(trained) if r["split"] == "train" and r.get("kind") != "epoch"]
    for stage, key, share in (("trunk", "loss", 0.9), ("decoder", "step_loss", 0.97)):
        losses = [r[key] for r in steps if r["stage"] == stage]
        assert losses[-1] < share * losses[0], (stage, losses)


def test_genes_are_generated(data: tuple[Path, ...], trained: Path, tmp_path: Path) -> None:
    result = generate(GenerateConfig(shards=data, model=trained, outdir=tmp_path, device="cpu", precision="fp32"))
    rows = list(read_predictions(result.predictions))
    assert len(rows) == 16
    sentences = [row.gsf for row in rows if row.gsf]
    assert len(sentences) == 16, "every window holds a reading frame"
    for sentence in sentences:
        for transcript in parse(sentence).transcripts:
            assert sum(len(part) for part in transcript.cds) % 3 == 0


def test_the_summary_names_the_sizes_of_the_network_that_was_trained(trained: Path) -> None:
    stamp = json.loads((trained / "training.json").read_text())["provenance"]["parameters"]
    model = TransgenicModel.from_pretrained(trained, local_files_only=True)
    assert stamp["parameters"] == model.n_parameters
    for part in ("encoder", "decoder"):
        assert stamp["model"][part] == json.loads(json.dumps(getattr(model.config, part)))


def test_a_saved_model_is_the_loaded_one(trained: Path, tmp_path: Path) -> None:
    model = TransgenicModel.from_pretrained(trained, local_files_only=True).eval()
    model.save_pretrained(tmp_path)
    again = TransgenicModel.from_pretrained(tmp_path, local_files_only=True).eval()
    codes = windows(random_text(150))
    with torch.no_grad():
        torch.testing.assert_close(again.score_bases(codes).sites, model.score_bases(codes).sites, atol=0, rtol=0)
    assert_equal_weights(trained, tmp_path)
    assert again.config.calibration == model.config.calibration


@pytest.mark.parametrize("method", ["lora", "ia3"])
def test_adapters_learn(name: str, data: tuple[Path, ...], tmp_path: Path, method: str) -> None:
    if name == "strands":
        pytest.skip("its layers are tied between the strands and take no adapter (tests/model/test_adapters.py)")
    recipe = small(name, data, tmp_path, peft=method, rank=2, optimizer="adamw")
    run(replace(recipe.trunk, steps=2, outdir=tmp_path, model_overrides=dict(recipe.model)))
    adapters = load_file(tmp_path / "adapter.safetensors")
    assert adapters
    if method == "lora":  # its second factor begins at zero
        assert any(tensor.abs().sum() > 0 for key, tensor in adapters.items() if "lora_B" in key)
    size, whole = ((tmp_path / file).stat().st_size for file in ("adapter.safetensors", "model.safetensors"))
    assert size < whole


def test_a_run_that_was_cut_short_goes_on(name: str, data: tuple[Path, ...], tmp_path: Path) -> None:
    recipe = small(name, data, tmp_path, warmup=0.0, decay=0.0)
    for stage in (recipe.trunk, recipe.decoder):
        begun = replace(stage, model_overrides=dict(recipe.model))
        whole, cut = tmp_path / f"{stage.stage}.whole", tmp_path / f"{stage.stage}.cut"
        run(replace(begun, steps=4, outdir=whole))
        run(replace(begun, steps=2, outdir=cut))
        assert os.path.exists(work_dir(cut) / "checkpoints" / "last" / "progress.json")
        assert run(replace(begun, steps=4, outdir=cut)).steps == 4
        assert_equal_weights(whole, cut)
