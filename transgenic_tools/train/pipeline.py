"""What `tg-train` does with a user's request: a preset, changes to it, and which stages.

In: shards, a preset or a model directory, and what the user changed. Out: one model directory.
A surprise: settings come from three places, each overruling the one before: the defaults of `Config`, the preset's
`training` section for the stage, the user.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from transgenic_tools.errors import UsageError
from transgenic_tools.model.files import model_dir
from transgenic_tools.model.network import pick_device
from transgenic_tools.model.preflight import check, estimate, expected_seconds, operations_per_second, shared
from transgenic_tools.model.presets import load_preset
from transgenic_tools.train.card import Making, write_making
from transgenic_tools.train.config import Config, Stages
from transgenic_tools.train.finetune import PART, amount_of, compare, fitted, warn_of_few, write_comparison
from transgenic_tools.train.processes import is_leader, is_set, leave, read_zero, world_size, zero_stage
from transgenic_tools.train.recipe import Recipe, Result, recipe_from_preset, run_recipe
from transgenic_tools.train.run import run
from transgenic_tools.train.start import build_model, held_by, load_examples, samples_of

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Request:
    """What a user asks of `tg-train`.

    Attributes:
        preset: Name of a preset or a YAML file; None where `init` gives the model.
        overrides: `part.setting=value` changes of the preset.
        stage: `all` is trunk, scoring, decoder, calibration; or one learned stage alone; or what follows the trunk.
        changed: Fields of `Config` that the user set.
        steps: Of each stage, where the user set them.
        check_memory: Stop where the run cannot fit.
        fits: See `Recipe`; a model whose genes are no judges of it is not compared with the initial one either.
    """

    shards: tuple[Path, ...]
    outdir: Path
    preset: str | None = None
    init: Path | None = None
    overrides: tuple[str, ...] = ()
    stage: Stages = "all"
    changed: Mapping[str, Any]
    steps: Mapping[str, int | None]
    check_memory: bool = True
    fits: bool = True


def preflight(config: Config, *, stop: bool) -> str:
    """Say what the run needs; stop one that cannot fit where `stop` is set."""
    model = build_model(replace(config, weights=None))
    learned = sum(p.numel() for p in model.parameters() if p.requires_grad)
    device = pick_device(config.device)
    half = config.precision == "bf16" and device.type == "cuda"
    memory = estimate(
        model.settings,
        bases=config.batch_bases,
        train=True,
        learned=learned / max(1, model.n_parameters),
        half=half,
        average=config.ema > 0,
    )
    if config.deepspeed is not None:
        stage = zero_stage(read_zero(config.deepspeed))
        memory = shared(memory, zero=stage, processes=world_size())
    elif is_set("ACCELERATE_USE_FSDP"):
        memory = shared(memory, zero=3, processes=world_size())
    total = config.steps * config.accumulate * config.batch_bases
    speed = operations_per_second(device, half=half)
    seconds = expected_seconds(model.settings, total_bases=total, train=True, speed=speed)
    return check(memory, device, half=half, seconds=seconds, free=None if stop else 1 << 62)


def train(request: Request) -> Result:
    """All stages that were asked for; with the preset `finetune` from the embedded model, where none is named."""
    if request.preset is None and request.init is None:
        raise UsageError("which model?", hint="give --preset NAME, or --init with a model directory")
    if request.stage == "rest" and (request.preset is None or request.init is None):
        raise UsageError(
            "--stage rest puts a new decoder on a trunk", hint="give --init with the trunk's model and --preset"
        )
    _tell_what_is_not_learned(request.shards)
    preset = load_preset(request.preset, request.overrides) if request.preset else {}
    tunes = PART in preset
    if tunes and request.stage == "rest":
        raise UsageError("--stage rest with --preset finetune", hint="a preset that names a decoder is wanted")
    if tunes:
        request = replace(request, init=model_dir(request.init))
    overrides = {key: value for key, value in request.changed.items() if value is not None}
    if tunes:
        probe = _stage_config(preset, request, overrides)
        train_genes, held_out = load_examples(probe)
        if request.fits:
            warn_of_few(len(train_genes), len(held_out))
        preset = fitted(preset, amount_of(train_genes, probe), probe)
    recipe = recipe_from_preset(
        preset,
        shards=request.shards,
        outdir=request.outdir,
        overrides=overrides,
        stage_steps=request.steps,
        init=request.init,
    )
    first = recipe.trunk if request.stage in ("all", "trunk") else recipe.decoder
    first = replace(first, init=request.init, model_overrides={} if request.init else dict(recipe.model))
    logger.info("%s: %s", first.stage, preflight(first, stop=request.check_memory))
    if request.stage in ("all", "rest"):
        whole = run_recipe(replace(recipe, fits=request.fits, learns_trunk=request.stage == "all"))
        leave()
        return _compared(whole, recipe, preset) if tunes and request.fits and is_leader() else whole
    result = run(replace(first, outdir=request.outdir))
    leave()
    return Result(request.outdir, result.n_train, result.n_validation, result.metrics)


def _tell_what_is_not_learned(shards: tuple[Path, ...]) -> None:
    for sample, holds in held_by(shards).items():
        for name, there in (("UTRs", holds.utrs), ("isoforms", holds.isoforms)):
            if not there:
                logger.info("the annotation of %s has hardly any %s: nothing is learned of them", sample, name)


def _stage_config(preset: Mapping[str, dict[str, Any]], request: Request, overrides: Mapping[str, Any]) -> Config:
    """The trunk's settings before anything follows the number of genes."""
    training = {"training": preset.get("training", {})}
    return recipe_from_preset(
        training, shards=request.shards, outdir=request.outdir, overrides=overrides, stage_steps={}
    ).trunk


def _compared(result: Result, recipe: Recipe, preset: Mapping[str, Any]) -> Result:
    """Both models on the held-out genes, written beside the tuned one, and its card."""
    _, validation = load_examples(recipe.trunk)
    assert recipe.init is not None
    comparison = None
    if validation:
        comparison = compare(recipe.init, recipe.outdir, validation, device=recipe.trunk.device)
        write_comparison(comparison, recipe.outdir, initial=recipe.init, regime=preset["training"])
        result = replace(result, table=comparison.text())
    making = Making(
        way="`tg-train --preset finetune`", genes=result.n_train, samples=samples_of(recipe.shards),
        judges=f"{len(validation):,} held-out genes", figures=comparison.rows() if comparison else (),
        caution="These genes stopped the training and carry scores and calibration, so the figures flatter.",
    )  # fmt: skip
    write_making(recipe.outdir, recipe.init, making)
    return result
