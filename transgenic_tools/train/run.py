"""Train the model from gene shards.

In: a `Config`. Out: a model directory (config.json, model.safetensors), `metrics.jsonl` and checkpoints.
A surprise: batches, crops and labels are functions of (seed, epoch), never of the process, so a killed run continues
to the same weights and two processes learn what one would.
"""

from __future__ import annotations

import json
import logging
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from accelerate.utils import set_seed

from transgenic_tools.errors import UsageError
from transgenic_tools.model.adapters import merged, save_adapters
from transgenic_tools.model.transgenic import TransgenicModel
from transgenic_tools.train.config import Config
from transgenic_tools.train.logs import Means, MetricsLog
from transgenic_tools.train.optimizers import build_optimizers
from transgenic_tools.train.schedule import AveragedWeights, rate_factor
from transgenic_tools.train.start import build_model, load_examples
from transgenic_tools.train.tasks import DecoderTask, Task, TrunkTask

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


def micro_batches(task: Task) -> Iterator[tuple[int, Any]]:
    """(epoch, micro-batch) without end."""
    epoch = 0
    while True:
        for planned in task.plan(epoch):
            yield epoch, planned
        epoch += 1


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
        self.scalars = {name for name, p in model.named_parameters() if p.ndim == 0}
        if config.deepspeed is not None:
            for parameter in model.parameters():  # DeepSpeed cannot send numbers without a dimension
                parameter.data = parameter.data.view(1) if parameter.ndim == 0 else parameter.data
        self.model, *self.optimizers = self.accelerator.prepare(model, *build_optimizers(model, config))
        self.base_rates = [[group["lr"] for group in optimizer.param_groups] for optimizer in self.optimizers]
        self.average = AveragedWeights(self.plain_model if config.ema > 0 else torch.nn.Module(), config.ema)
        self.accelerator.register_for_checkpointing(self.average)
        self.step = self._resume()
        self.log = MetricsLog(config.outdir / "metrics.jsonl", resume_step=self.step)

    @property
    def plain_model(self) -> TransgenicModel:
        return self.accelerator.unwrap_model(self.model)

    @property
    def checkpoint_dir(self) -> Path:
        return self.config.outdir / "checkpoints" / "last"

    def _resume(self) -> int:
        progress = self.checkpoint_dir / "progress.json"
        if not (self.config.resume and progress.exists()):
            return 0
        self.accelerator.load_state(str(self.checkpoint_dir))
        step = int(json.loads(progress.read_text())["step"])
        logger.info("resumed at step %d from %s", step, self.checkpoint_dir)
        return step

    def save_checkpoint(self) -> None:
        """Written aside, then renamed, so that a killed run finds a whole one."""
        aside = self.checkpoint_dir.with_name("next")
        self.accelerator.save_state(str(aside))
        self.accelerator.wait_for_everyone()  # every process has written its part
        if self.accelerator.is_main_process:
            (aside / "progress.json").write_text(json.dumps({"step": self.step}))
            old = self.checkpoint_dir.with_name("old")
            if self.checkpoint_dir.exists():
                os.replace(self.checkpoint_dir, old)
            os.replace(aside, self.checkpoint_dir)
            _remove_tree(old)
        self.accelerator.wait_for_everyone()

    def save_model(self) -> None:
        """The averaged weights as a model directory."""
        self.average.swap(self.plain_model)
        # ZeRO 3 spreads the weights over the processes; all of them take part in gathering
        state = self.accelerator.get_state_dict(self.model) if self.config.deepspeed is not None else None
        if state is not None:
            state = {name: tensor.view(()) if name in self.scalars else tensor for name, tensor in state.items()}
        if self.accelerator.is_main_process:
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
            return TrunkTask(self.config, self.train, self.validation)
        model.to(self.accelerator.device)
        model.encoder.requires_grad_(False)
        model.head.requires_grad_(False)
        return DecoderTask(self.config, model, self.train, self.validation)

    def run(self) -> Result:
        """Train to the last step, measuring and saving on the way."""
        config, world = self.config, self.accelerator.num_processes
        rank = self.accelerator.process_index
        stream = micro_batches(self.task)
        for _ in range(self.step * config.accumulate):
            next(stream)
        began, recent, whole = time.perf_counter(), Means(), Means()
        metrics: dict[str, float] = {}
        current = -1
        while self.step < config.steps:
            self._set_rate()
            epoch = current
            for micro in range(config.accumulate):
                epoch, planned = next(stream)
                if epoch != current:
                    self._log_epoch(current, whole)
                    current, whole = epoch, Means()
                if micro % world != rank:
                    continue
                self.model.train()
                with self.accelerator.autocast():
                    loss, parts, size = self.task.loss(self.model, planned, epoch, self.accelerator.device)
                self.accelerator.backward(loss * self._loss_scale())
                numbers = {"loss": loss.item(), **{key: value.item() for key, value in parts.items()}}
                recent.add(numbers, size)
                whole.add(numbers, size)
            self.accelerator.clip_grad_norm_(self.model.parameters(), config.clip)
            for optimizer in self.optimizers:
                optimizer.step()
                optimizer.zero_grad()
            self.average.update(self.plain_model, self.step)
            self.step += 1
            if self.step % config.log_every == 0:
                self._log_train(epoch, recent.means(), recent.size / (time.perf_counter() - began))
                recent, began = Means(), time.perf_counter()
            if self.step % config.eval_every == 0 or self.step == config.steps:
                metrics = self._evaluate()
            if self.step % config.save_every == 0 or self.step == config.steps:
                self.save_checkpoint()
                self.save_model()
        self._log_epoch(current, whole)
        self.save_model()
        return Result(config.outdir, self.step, metrics, len(self.train), len(self.validation))

    def _loss_scale(self) -> float:
        """What makes the sum over micro-batches and the mean over processes the mean over the global batch."""
        if self.config.deepspeed is not None:
            return 1.0  # DeepSpeed divides by its own accumulation steps
        return self.accelerator.num_processes / self.config.accumulate

    def _log_epoch(self, epoch: int, means: Means) -> None:
        """Means over (the part computed since a resume of) one epoch, and the validation split after it."""
        if means.count:
            if self.accelerator.is_main_process:
                self.log.write(split="train", kind="epoch", step=self.step, epoch=epoch, **means.means())
            self._evaluate(kind="epoch", epoch=epoch)

    def _log_train(self, epoch: int, means: dict[str, float], rate: float) -> None:
        if self.accelerator.is_main_process:
            self.log.write(split="train", step=self.step, epoch=epoch, bases_per_second=rate, **means)
            left = (self.config.steps - self.step) * self.config.batch_bases * self.config.accumulate / rate / 60
            values = " ".join(f"{key} {value:.4f}" for key, value in means.items())
            logger.info(
                "step %d/%d epoch %d %s %.0f kb/s, %.0f min left",
                self.step,
                self.config.steps,
                epoch,
                values,
                rate / 1000,
                left,
            )

    def _evaluate(self, **labels: Any) -> dict[str, float]:
        self.average.swap(self.plain_model)
        self.plain_model.eval()
        metrics = self.task.measure(self.plain_model)
        self.average.swap(self.plain_model)
        if self.accelerator.is_main_process:
            self.log.write(split="validation", step=self.step, **labels, **metrics)
            logger.info("validation %s", " ".join(f"{key} {value:.4f}" for key, value in metrics.items()))
        return metrics


def make_accelerator(config: Config) -> Accelerator:
    """Device, precision, processes and DeepSpeed of a run.

    Raises:
        UsageError: the micro-batches of a step cannot be shared out evenly.
    """
    cpu, precision = config.device == "cpu", "bf16" if config.precision == "bf16" else "no"
    world = int(os.environ.get("WORLD_SIZE", "1"))
    if config.accumulate % world:
        raise UsageError(
            f"{config.accumulate} micro-batches a step for {world} processes",
            hint=f"--accumulate {world} or a multiple",
        )
    if config.deepspeed is None:
        return Accelerator(cpu=cpu, mixed_precision=precision)
    from accelerate import DeepSpeedPlugin

    settings = json.loads(config.deepspeed.read_text())
    settings |= {
        "gradient_accumulation_steps": config.accumulate // world,
        "train_micro_batch_size_per_gpu": 1,
        "gradient_clipping": config.clip,
    }
    if cpu:  # accelerate's own cpu=True would leave DeepSpeed out without a word
        os.environ.setdefault("DS_ACCELERATOR", "cpu")
    plugin = DeepSpeedPlugin(hf_ds_config=settings)
    return Accelerator(mixed_precision=precision, deepspeed_plugin=plugin)


def _remove_tree(path: Path) -> None:
    import shutil

    if path.exists():
        shutil.rmtree(path)


def run(config: Config) -> Result:
    """Train; see `Trainer`."""
    return Trainer(config).run()
