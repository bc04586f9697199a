"""From settings as a user gives them to finished stages: trunk, then decoder.

In: shards, a preset, and what the user changed. Out: one model directory.
A surprise: settings come from three places, each overruling the one before: the defaults of `Config`, the preset's
`train` section for the stage, the user.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, Literal

import torch
import yaml

from transgenic_tools.errors import UsageError
from transgenic_tools.model.preflight import check, estimate, expected_seconds, operations_per_second
from transgenic_tools.model.presets import load_preset
from transgenic_tools.model.transgenic import TransgenicModel, pick_device
from transgenic_tools.train.config import Config
from transgenic_tools.train.run import Result, run
from transgenic_tools.train.start import build_model

logger = logging.getLogger(__name__)
Stages = Literal["all", "trunk", "decoder"]


@dataclass(frozen=True, kw_only=True)
class Request:
    """What a user asks of `tg-train`.

    Attributes:
        preset: Name of a preset or a YAML file; None where `init` gives the model.
        overrides: `part.setting=value` changes of the preset.
        changed: Fields of `Config` that the user set.
        check_memory: Stop where the run cannot fit.
    """

    shards: tuple[Path, ...]
    outdir: Path
    preset: str | None = None
    overrides: tuple[str, ...] = ()
    stage: Stages = "all"
    changed: Mapping[str, Any]
    check_memory: bool = True


def settings(request: Request, stage: str, *, init: Path | None) -> Config:
    """The configuration of one stage.

    Raises:
        UsageError: the preset's `train` section has a setting that does not exist.
    """
    parts = load_preset(request.preset, request.overrides) if request.preset else {}
    section = dict(parts.pop("train", {}))
    own = {key: value for key, value in section.items() if not isinstance(value, dict)} | section.get(stage, {})
    values = {**own, **{key: value for key, value in request.changed.items() if value is not None}}
    unknown = set(values) - {f.name for f in fields(Config)}
    if unknown:
        raise UsageError(f"no training setting {sorted(unknown)}", hint="see docs/stages/3_train.md")
    init = init or values.pop("init", None)
    values.pop("init", None)
    return Config(
        **values,
        shards=request.shards,
        outdir=request.outdir,
        stage=stage,  # type: ignore[arg-type]
        init=init,
        model_overrides={} if init is not None else parts,
    )


def preflight(config: Config, *, stop: bool) -> str:
    """Say what the run needs; stop one that cannot fit where `stop` is set."""
    model = build_model(replace(config, weights=None))
    learned = sum(p.numel() for p in model.parameters() if p.requires_grad)
    device = pick_device(config.device)
    half = config.precision == "bf16" and device.type == "cuda"
    memory = estimate(
        model.config,  # type: ignore[arg-type]
        bases=config.batch_bases,
        train=True,
        learned=learned / max(1, model.n_parameters),
        half=half,
        average=config.ema > 0,
    )
    total = config.steps * config.accumulate * config.batch_bases
    speed = operations_per_second(device, half=half)
    seconds = expected_seconds(model.config, total_bases=total, train=True, speed=speed)  # type: ignore[arg-type]
    return check(memory, device, half=half, seconds=seconds, free=None if stop else 1 << 62)


def train(request: Request) -> Result:
    """All stages that were asked for; the model directory holds the last one's weights, checkpoints lie beside them."""
    if request.preset is None and request.changed.get("init") is None:
        raise UsageError("which model?", hint="give --preset NAME, or --init with a model directory")
    stages = ("trunk", "decoder") if request.stage == "all" else (request.stage,)
    init: Path | None = None
    result: Result | None = None
    for stage in stages:
        config = settings(request, stage, init=init)
        if len(stages) > 1:
            config = replace(config, outdir=request.outdir / "stages" / stage)
            if stage == "decoder":  # the trunk that was just learned is kept as it is, adapters merged
                config = replace(config, peft="none", freeze="none", weights=None)
        logger.info("%s: %s", stage, preflight(config, stop=request.check_memory))
        result = run(config)
        init = config.outdir
    assert result is not None, "a stage has run"
    if len(stages) > 1 and int(torch.distributed.get_rank() if torch.distributed.is_initialized() else 0) == 0:
        TransgenicModel.from_pretrained(result.outdir, local_files_only=True).save_pretrained(request.outdir)
        (request.outdir / "train.yaml").write_text(yaml.safe_dump(_summary(request, result)))
    return replace(result, outdir=request.outdir)


def _summary(request: Request, result: Result) -> dict[str, Any]:
    return {
        "preset": request.preset,
        "overrides": list(request.overrides),
        "metrics": result.metrics,
        "genes": {"train": result.n_train, "validation": result.n_validation},
    }
