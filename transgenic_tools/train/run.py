"""Train the model from gene shards.

In: a `Config`. Out: a model directory (config.json, model.safetensors), `metrics.jsonl` and checkpoints.
A surprise: batches, crops and labels are functions of (seed, epoch), never of the process, so a killed run continues
to the same weights and two processes learn what one would.
"""

from __future__ import annotations

import logging
import math
import os
import shutil
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from accelerate.utils import set_seed

from transgenic_tools.errors import UsageError
from transgenic_tools.model.adapters import merged, save_adapters
from transgenic_tools.model.files import check_finite
from transgenic_tools.model.transgenic import TransgenicModel
from transgenic_tools.train.checkpoint import (
    load_progress,
    load_tree,
    random_state,
    save_progress,
    save_tree,
    set_random_state,
)
from transgenic_tools.train.config import Config
from transgenic_tools.train.feed import Share, feed
from transgenic_tools.train.identity import made_from, set_aside_stale
from transgenic_tools.train.logs import Means, MetricsLog
from transgenic_tools.train.optimizers import build_optimizers
from transgenic_tools.train.patience import Patience
from transgenic_tools.train.processes import (
    give_dimensions,
    is_sharded,
    make_accelerator,
    prepare,
    set_training_state,
    summed,
    training_state,
    whole_state,
)
from transgenic_tools.train.schedule import AveragedWeights, rate_factor
from transgenic_tools.train.start import build_model, load_augmentation, load_examples
from transgenic_tools.train.stream import StreamedExamples
from transgenic_tools.train.tasks import DecoderTask, StreamedDecoderTask, Task, TrunkTask

logger = logging.getLogger(__name__)
#: A flank and a crop that hold any window.
_WHOLE = 1 << 40


@dataclass(frozen=True)
class Result:
    """What a training run left behind."""

    outdir: Path
    steps: int
    metrics: dict[str, float]
    n_train: int
    n_validation: int


class Trainer:
    """The loop, with checkpoints; see the module docstring."""

    def __init__(self, config: Config) -> None:
        if config.encodings is not None:
            config = replace(config, flank_min=_WHOLE, flank_max=_WHOLE, max_bases=_WHOLE)
        self.config = config
        self.accelerator = make_accelerator(config)
        if config.threads:
            torch.set_num_threads(config.threads)
        set_seed(config.seed)
        config.outdir.mkdir(parents=True, exist_ok=True)
        self.train, self.validation = load_examples(config)
        model = build_model(config)
        self.task = self._build_task(model)
        self.sharded = is_sharded(self.accelerator)
        self.scalars = give_dimensions(model) if self.sharded else set()
        self.model, *self.optimizers = prepare(self.accelerator, model, build_optimizers(model, config))
        self.base_rates = [[group["lr"] for group in optimizer.param_groups] for optimizer in self.optimizers]
        self.average = AveragedWeights(self.plain_model if config.ema > 0 else torch.nn.Module(), config.ema)
        self.best = Patience(config.patience)
        self.recent, self.by_epoch = Means(self.task.losses), dict[int, Means]()
        if self._leads:
            set_aside_stale(config.checkpoint_dir, made_from(config))
        self.accelerator.wait_for_everyone()
        self.step = self._resume()
        self.log = MetricsLog(config.outdir / "metrics.jsonl", resume_step=self.step) if self._leads else None

    @property
    def plain_model(self) -> TransgenicModel:
        return self.accelerator.unwrap_model(self.model)

    @property
    def _leads(self) -> bool:
        return bool(self.accelerator.is_main_process)

    @property
    def checkpoint_dir(self) -> Path:
        return self.config.checkpoint_dir / "last"

    def _resume(self) -> int:
        progress = load_progress(self.checkpoint_dir) if self.config.resume else None
        if progress is None:
            return 0
        state = load_tree(self.checkpoint_dir, "state")
        set_training_state(self.accelerator, self.model, self.optimizers, state)
        device = self.accelerator.device
        self.average.load_state_dict({name: tensor.to(device) for name, tensor in state["average"].items()})
        self.best.restore(state)
        rank, world = self.accelerator.process_index, self.accelerator.num_processes
        for number in range(rank, int(progress["processes"]), world):
            part = load_tree(self.checkpoint_dir, f"process-{number}")
            if number == rank:
                set_random_state(part["random"])
            self.recent.add_all(part["recent"])
            for epoch, sums in part["epochs"].items():
                self.by_epoch.setdefault(epoch, Means(self.task.losses)).add_all(sums)
        step = int(progress["step"])
        logger.info("resumed at step %d from %s", step, self.checkpoint_dir)
        return step

    def save_checkpoint(self) -> None:
        """Written aside, then renamed, so that a killed run finds a whole one."""
        aside = self.checkpoint_dir.with_name("next")
        accelerator = self.accelerator
        state = training_state(accelerator, self.model, self.optimizers)
        if self._leads:
            shutil.rmtree(aside, ignore_errors=True)
            save_tree({**state, "average": self.average.state_dict(), **self.best.state()}, aside, "state")
        accelerator.wait_for_everyone()
        part = {
            "random": random_state(),
            "recent": vars(self.recent),
            "epochs": {epoch: vars(means) for epoch, means in self.by_epoch.items()},
        }
        save_tree(part, aside, f"process-{accelerator.process_index}")
        accelerator.wait_for_everyone()  # every process has written its part
        if self._leads:
            save_progress(aside, self.step, processes=accelerator.num_processes)
            old = self.checkpoint_dir.with_name("old")
            if self.checkpoint_dir.exists():
                os.replace(self.checkpoint_dir, old)
            os.replace(aside, self.checkpoint_dir)
            shutil.rmtree(old, ignore_errors=True)
        self.accelerator.wait_for_everyone()

    def save_model(self) -> None:
        """The averaged weights as a model directory."""
        self.average.swap(self.plain_model)
        state = whole_state(self.accelerator, self.model, self.scalars)
        if self._leads:
            check_finite((self.plain_model.state_dict() if state is None else state).items(), self.config.outdir)
            adapted = self.config.peft != "none" and self.config.stage == "trunk"
            if adapted:
                save_adapters(self.plain_model, self.config.outdir)
            model = merged(self.plain_model) if adapted else self.plain_model
            model.save_pretrained(self.config.outdir, state_dict=state)
        self.average.swap(self.plain_model)

    def _set_rate(self) -> None:
        c = self.config
        factor = rate_factor(self.step, steps=c.steps, warmup=c.warmup, decay=c.decay)
        for optimizer, rates in zip(self.optimizers, self.base_rates, strict=True):
            for group, rate in zip(optimizer.param_groups, rates, strict=True):
                group["lr"] = rate * factor

    def _build_task(self, model: TransgenicModel) -> Task:
        """The stage's task; parameters that it does not learn are frozen."""
        if self.config.stage == "trunk":
            model.decoder.requires_grad_(False)
            return TrunkTask(self.config, self.train, self.validation, load_augmentation(self.config))
        model.to(self.accelerator.device)
        model.encoder.requires_grad_(False)
        model.head.requires_grad_(False)
        if isinstance(self.train, StreamedExamples):
            return StreamedDecoderTask(self.config, model, self.train, self.validation)
        return DecoderTask(self.config, model, self.train, self.validation)

    def _learn(self, loaded: Any, means: tuple[Means, Means]) -> None:
        """One micro-batch; the last one of a step exchanges gradients."""
        self.model.train()
        with self.accelerator.accumulate(self.model):
            with self.accelerator.autocast():
                loss, parts, size = self.task.loss(self.model, loaded, self.accelerator.device)
            self.accelerator.backward(loss)
        numbers = {"loss": loss.item(), **{key: value.item() for key, value in parts.items()}}
        if not math.isfinite(numbers["loss"]):
            raise UsageError(
                f"the loss of step {self.step + 1} is {numbers['loss']}: training has diverged",
                hint="give a lower --learning-rate, and --no-resume where a checkpoint holds such weights already",
            )
        for one in means:
            one.add(numbers, size)

    def run(self) -> Result:
        """Train to the last step, measuring and saving on the way."""
        config = self.config
        share = Share(self.step * config.accumulate, self.accelerator.process_index, self.accelerator.num_processes)
        stream = feed(self.task, share, workers=config.workers if self.task.loads else 0)
        names = self.task.losses
        began = time.perf_counter()
        by_epoch = self.by_epoch
        metrics: dict[str, float] = self.best.metrics
        if config.patience is not None and self.step == 0:
            metrics = self._judge(kind="start")
        while self.step < config.steps and not self.best.is_over:
            self._set_rate()
            epoch = 0
            for _ in range(config.accumulate):
                epoch, loaded = next(stream)
                whole = by_epoch.setdefault(epoch, Means(names))
                if loaded is not None:
                    self._learn(loaded, (self.recent, whole))
            self.accelerator.clip_grad_norm_(self.model.parameters(), config.clip)
            for optimizer in self.optimizers:
                optimizer.step()
                optimizer.zero_grad()
            self.average.update(self.plain_model, self.step)
            self.step += 1
            if self.step % config.log_every == 0:
                self._log_train(epoch, self.recent, time.perf_counter() - began)
                self.recent, began = Means(names), time.perf_counter()
            for past in [one for one in by_epoch if one < epoch]:  # between steps, so that all processes come together
                self._log_epoch(past, by_epoch.pop(past))
            if self.step % config.eval_every == 0 or self.step == config.steps:
                metrics = self._judge()
            if self.step % config.save_every == 0 or self.step == config.steps or self.best.is_over:
                self.save_checkpoint()
                self.save_model()
        for last, whole in by_epoch.items():
            self._log_epoch(last, whole)
        if self.best.weights:
            if self.best.metrics:
                logger.info("kept the weights of step %d, the best of those measured", self.best.step)
            self.average.load_state_dict(self.best.weights)
            metrics = self.best.metrics
        self.save_model()
        return Result(config.outdir, self.step, metrics, len(self.train), len(self.validation))

    def _log_epoch(self, epoch: int, means: Means) -> None:
        """Means over one epoch, and the validation split after it."""
        means = means.joined(lambda values: summed(self.accelerator, values))
        if means.count:
            if self.log is not None:
                self.log.write(split="train", kind="epoch", step=self.step, epoch=epoch, **means.means())
            if self.config.patience is None:
                self._evaluate(kind="epoch", epoch=epoch)

    def _judge(self, **labels: Any) -> dict[str, float]:
        """Measure; the best weights are remembered where the stage may end early."""
        metrics = self._evaluate(**labels)
        self.best.take(self.step, self.task.judged, metrics, self.average.state_dict())
        return metrics

    def _log_train(self, epoch: int, recent: Means, seconds: float) -> None:
        """Means since the last line; the time left is that of as many steps as this line took."""
        recent = recent.joined(lambda values: summed(self.accelerator, values))
        if self.log is not None:
            means, rate = recent.means(), recent.size / seconds
            self.log.write(
                split="train", step=self.step, epoch=epoch, **{f"{self.task.unit}_per_second": rate}, **means
            )
            left = (self.config.steps - self.step) * seconds / self.config.log_every / 60
            values = " ".join(f"{key} {value:.4f}" for key, value in means.items())
            logger.info(
                "step %d/%d epoch %d %s, %.0f %s a second, %.0f min left",
                *(self.step, self.config.steps, epoch, values, rate, self.task.unit, left),
            )

    def _evaluate(self, **labels: Any) -> dict[str, float]:
        self.average.swap(self.plain_model)
        self.plain_model.eval()
        if self.sharded:  # the wrapper gathers what lies on other processes, so it must see the call
            with torch.no_grad():
                metrics = self.model(None, self.task.measure)
        else:
            metrics = self.task.measure(self.plain_model)
        self.average.swap(self.plain_model)
        if self.log is not None:
            self.log.write(split="validation", step=self.step, **labels, **metrics)
        if self.log is not None and metrics:
            logger.info("validation %s", " ".join(f"{key} {value:.4f}" for key, value in metrics.items()))
        return metrics


def run(config: Config) -> Result:
    """Train; see `Trainer`."""
    return Trainer(config).run()
