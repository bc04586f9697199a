"""Settings of one training run.

In: flags of `tg-train` or a preset. Out: the frozen `Config` that `run` takes.
A surprise: lengths are counted in optimiser steps, not epochs, so a run has the same schedule on any machine.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from transgenic_tools.choices import Device, TrainingPrecision
from transgenic_tools.errors import UsageError

Stage = Literal["trunk", "decoder"]
#: `all` is trunk, scoring, decoder, calibration; `rest` is all but the trunk, which is that of the initial model.
Stages = Literal["all", "trunk", "decoder", "rest"]
Optimizer = Literal["adamw", "muon"]
Peft = Literal["none", "lora", "ia3"]
Freeze = Literal["none", "encoder", "lower"]


@dataclass(frozen=True, kw_only=True)
class Config:
    """One training run.

    Attributes:
        shards: Gene shards with known gene sentences; rows of split `train` are learned, `validation` is measured.
        outdir: Model directory; it holds the model alone, see `work_dir`.
        init: Model directory to start from.
        stage: `trunk` learns sites and contents, `decoder` the pointing decoder on a frozen trunk.
        crops: Random crops of every gene that the decoder's examples are prepared from.
        genes_per_batch: Genes of one micro-batch of the decoder.
        encodings: Directory of `tg-encode`. Whole windows are learned then (their encodings cannot be cropped), and the
            encoder stays as it is.
        stream: Leave the training sequences in their shards and read them section by section.
        stream_genes: Genes of one section, wherever files and row groups end.
        stream_sections: Sections of one block of shuffling.
        workers: Processes that read and lay out micro-batches ahead; 0 for none.
        augment: Shards of `tg-prep lift` that the trunk learns beside the others, but for genes flagged `partial`.
        augment_share: How many of them are drawn anew each epoch, as a share of the training genes.
        augment_epochs: The first epochs, which have them; None for all.
        folds, fold: Cross-validation: rows of `fold` are measured, all other train and validation rows are learned.
        batch_bases: Bases of one micro-batch, padding included.
        accumulate: Micro-batches of one optimiser step over all processes.
        warmup, decay: Shares of `steps` in which the learning rate rises and falls; between them it is constant.
        flank_min, flank_max: Random flank on each side in bases, drawn anew each epoch.
        ema: Decay of the averaged weights that are saved and measured.
        eval_every: Steps between measurements on the validation split.
        weights, revision: Published weights of the encoder (a directory or a hub name), and their commit.
        allow_download: Ask the network for them; `trust_remote_code`: run code that lies beside them.
        peft, rank: Adapters in the encoder instead of all its weights.
        freeze: Keep the encoder's pretrained part as it is; or, `lower`, all of a trunk of this project but its last
            block and what makes base scores of patches.
        patience: Measurements in a row that may be no better than the best one before the stage ends; the weights of
            the best one are kept, and those that it began with are measured first. None: all steps, the last weights.
        deepspeed: A DeepSpeed configuration (JSON). FSDP is switched on by `accelerate launch` and its configuration.
    """

    shards: tuple[Path, ...]
    outdir: Path
    init: Path | None = None
    stage: Stage = "trunk"
    steps: int = 2000
    batch_bases: int = 14_000
    accumulate: int = 1
    learning_rate: float = 2e-3
    warmup: float = 0.03
    decay: float = 0.3
    weight_decay: float = 0.05
    clip: float = 1.0
    flank_min: int = 0
    flank_max: int = 1000
    max_bases: int = 16_000
    crops: int = 2
    genes_per_batch: int = 16
    stream: bool = False
    stream_genes: int = 128
    stream_sections: int = 16
    workers: int = 0
    folds: int | None = None
    fold: int | None = None
    seed: int = 1
    precision: TrainingPrecision = "fp32"
    ema: float = 0.999
    eval_every: int = 500
    save_every: int = 500
    log_every: int = 50
    resume: bool = True
    threads: int = 0
    device: Device = "auto"
    optimizer: Optimizer = "adamw"
    site_weight: float = 1.0
    content_weight: float = 1.0
    weights: str | None = None
    revision: str | None = None
    allow_download: bool = False
    trust_remote_code: bool = False
    peft: Peft = "none"
    rank: int = 8
    freeze: Freeze = "none"
    patience: int | None = None
    deepspeed: Path | None = None
    encodings: Path | None = None
    augment: tuple[Path, ...] = ()
    augment_share: float = 1.0
    augment_epochs: int | None = None
    model_overrides: dict[str, dict[str, object]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        checks = (
            (0 < self.learning_rate < math.inf, "learning_rate", "a number above 0"),
            (0 <= self.weight_decay < math.inf, "weight_decay", "a number from 0"),
            (0 < self.clip < math.inf, "clip", "a number above 0"),
            (0 <= self.ema < 1, "ema", "a number from 0, below 1"),
            (0 <= self.warmup <= 1, "warmup", "a share from 0 to 1"),
            (0 <= self.decay <= 1, "decay", "a share from 0 to 1"),
            (0 <= self.augment_share < math.inf, "augment_share", "a number from 0"),
            (0 <= self.seed < 1 << 32, "seed", "a whole number from 0, below 2^32"),
            (self.steps >= 1, "steps", "a whole number from 1"),
            (self.patience is None or self.patience >= 1, "patience", "a whole number from 1, or none"),
            (self.patience is None or self.ema > 0, "ema", "a number above 0: with patience averaged weights are kept"),
        )
        for fine, name, allowed in checks:
            if not fine:
                raise UsageError(f"the setting {name} is {getattr(self, name)}", hint=f"give {allowed}")
        if self.fold is not None and not self.folds:
            raise UsageError(f"--fold {self.fold} without --folds", hint="give the number of folds in the shards, too")

    @property
    def checkpoint_dir(self) -> Path:
        return work_dir(self.outdir) / "checkpoints"


def work_dir(outdir: Path) -> Path:
    """What a training needs on its way, beside its model directory: stages and checkpoints."""
    return outdir.with_name(f"{outdir.name}.training")
