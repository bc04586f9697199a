"""Train the trunk of both strands on many species: one thread, killed and resumed at will.

In: a sheet of genomes and a plan (YAML). Out: `outdir/trunk.safetensors` (averaged weights), `config.json`,
`metrics.jsonl`, and checkpoints of tensors and JSON alone.
Usage: python -m transgenic_tools.train.trunk PLAN.yaml --sheet genomes.yaml --outdir DIR [--steps N]
A surprise: the learning rate is constant before its last fall, so the number of steps may be changed while it runs:
write {"steps": N} to `outdir/plan.json`, and the fall is moved, as if it had been planned so.
"""

from __future__ import annotations

import argparse
import functools
import json
import logging
import math
import multiprocessing
import os
import shutil
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
import yaml
from safetensors.torch import save_file
from torch import Tensor

from transgenic_tools.errors import UsageError
from transgenic_tools.lattice.vocabulary import IGNORE, N_SITES, PAD_CODE, Site
from transgenic_tools.model.config import StrandEncoderConfig, build_part
from transgenic_tools.model.files import load_network
from transgenic_tools.model.head import BaseScores
from transgenic_tools.model.strand_trunk import StrandTrunk, trunk_of
from transgenic_tools.provenance import write_aside
from transgenic_tools.train.checkpoint import load_progress, load_tree, save_progress, save_tree
from transgenic_tools.train.config import Config
from transgenic_tools.train.genomes import read_sheet, read_source
from transgenic_tools.train.mixture import Drawer, Mixture, StrandBatch, load_step
from transgenic_tools.train.optimizers import build_optimizers
from transgenic_tools.train.schedule import AveragedWeights
from transgenic_tools.train.teacher import Taught, Teacher

logger = logging.getLogger(__name__)

#: TSS and TTS are annotated loosely, so they weigh less.
_TYPE_WEIGHT = {Site.TSS: 0.1, Site.TTS: 0.1}
#: Positives a kilobase below which a batch counts as if it had them; fuzzy sites have 14 positives each.
_LEAST_POSITIVES = {
    Site.TSS: 1.75,
    Site.START: 0.125,
    Site.DONOR: 0.5,
    Site.ACCEPTOR: 0.5,
    Site.STOP: 0.125,
    Site.TTS: 1.75,
}


@dataclass(frozen=True, kw_only=True)
class Plan:
    """One training.

    Attributes:
        encoder: Sizes of the network.
        mixture: How windows are drawn.
        steps: Optimiser steps; the rate falls linearly over the last `decay` of them.
        warmup: Steps in which the rate rises.
        ema: Decay of the averaged weights.
        save_seconds: Seconds between checkpoints.
        device: `cpu` or `cuda`.
        workers: Processes that lay out micro-batches; one is enough for one CPU thread.
        teacher: A model directory whose network says half of what is to be learned; None for labels alone.
        init: A model directory whose trunk training begins with; None for random numbers.
    """

    encoder: StrandEncoderConfig = field(default_factory=StrandEncoderConfig)
    mixture: Mixture = field(default_factory=Mixture)
    seed: int = 1
    steps: int = 6000
    warmup: int = 100
    decay: float = 0.33
    learning_rate: float = 2e-3
    weight_decay: float = 0.05
    clip: float = 1.0
    ema: float = 0.999
    precision: str = "fp32"
    save_seconds: float = 300.0
    device: str = "cpu"
    workers: int = 1
    log_every: int = 25
    teacher: Path | None = None
    init: Path | None = None


def read_plan(path: Path) -> Plan:
    """Raises UsageError where the file has an unknown setting."""
    given = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    known = {f.name for f in fields(Plan)}
    if unknown := set(given) - known:
        raise UsageError(f"{path}: unknown settings {sorted(unknown)}", hint=f"a plan has {', '.join(sorted(known))}")
    mixture = {k: tuple(v) if isinstance(v, list) else v for k, v in given.pop("mixture", {}).items()}
    encoder = build_part("encoder", {"name": "strands", **given.pop("encoder", {})})
    places = {name: path.parent / given.pop(name) for name in ("teacher", "init") if given.get(name) is not None}
    return Plan(encoder=encoder, mixture=Mixture(**{"seed": given.get("seed", 1), **mixture}), **places, **given)


# -- loss --------------------------------------------------------------------------------------------------------------


def strand_loss(
    scores: tuple[BaseScores, ...], batch: StrandBatch, taught: Taught | None = None
) -> tuple[Tensor, dict[str, Tensor]]:
    """Sum of the losses of sites and contents over the strands of a batch, and both alone.

    With `taught`, targets are halfway between the labels and what a teacher says, wherever there are labels. A site
    type is normalised by its positives, at least by half of those that genes usually have in as many bases, so that the
    negatives of a stretch without genes weigh no more than those of others.
    """
    sites, contents = (torch.stack([getattr(s, name) for s in scores]) for name in ("sites", "contents"))
    targets = batch.sites if taught is None else (batch.sites + taught.sites) / 2
    each = F.binary_cross_entropy_with_logits(sites, targets, reduction="none") * batch.weight
    total, positives = each.sum((0, 1, 3)), (batch.sites * batch.weight).sum((0, 1, 3))
    known = int((batch.contents != IGNORE).sum())
    kilobases = known / 1000
    device = sites.device
    least = torch.tensor([_LEAST_POSITIVES[Site(i)] * kilobases for i in range(N_SITES)], device=device)
    weights = torch.tensor([_TYPE_WEIGHT.get(Site(i), 1.0) for i in range(N_SITES)], device=device)
    site = (weights * total / positives.maximum(least).clamp(min=1.0)).sum() / weights.sum()
    labels = batch.contents.flatten(0, 1)
    content = F.cross_entropy(contents.flatten(0, 1), labels, ignore_index=IGNORE, reduction="sum") / max(known, 1)
    if taught is not None:
        each = -(taught.contents * contents.log_softmax(2)).sum(2)
        content = (content + (each * (batch.contents != IGNORE)).sum() / max(known, 1)) / 2
    return site + content, {"site": site.detach(), "content": content.detach()}


# -- windows, made in a second process ---------------------------------------------------------------------------------


@functools.cache
def make_drawer(sheet: Path, mixture: Mixture) -> Drawer:
    """The genomes of a sheet that have a share of the mixture, read."""
    entries = [entry for entry in read_sheet(sheet) if entry.gene_share or entry.tile_share]
    return Drawer([read_source(entry) for entry in entries], mixture)


def _start_worker() -> None:
    """One thread; and an end with the training, which cannot say good-bye where it is killed."""
    torch.set_num_threads(1)
    parent = multiprocessing.parent_process()

    def follow() -> None:
        if parent is not None:
            parent.join()
            os._exit(1)

    threading.Thread(target=follow, daemon=True).start()


@functools.cache
def _find_teacher(directory: Path) -> Teacher:
    return Teacher(directory)


#: A micro-batch, and what the teacher says of it, where there is one.
Lesson = tuple[StrandBatch, Taught | None]


def _arrays_of_step(plan: Plan, sheet: Path, step: int) -> Any:
    """Micro-batches as arrays, which are sent between processes without shared memory; genomes are read once."""
    found: list[Any] = []
    for kind, batch in zip(("gene", "tile"), load_step(make_drawer(sheet, plan.mixture), step), strict=True):
        if batch is None:
            found.append(None)
            continue
        taught = plan.teacher and _find_teacher(plan.teacher).say(batch.codes, one_gene=kind == "gene")
        found.append(([t.numpy() for t in vars(batch).values()], taught and [t.numpy() for t in taught]))
    return found


def _lesson(arrays: Any) -> Lesson:
    batch, taught = arrays
    return StrandBatch(*map(torch.from_numpy, batch)), taught and Taught(*map(torch.from_numpy, taught))


def ahead(plan: Plan, sheet: Path, first: int) -> Iterator[list[Lesson | None]]:
    """Micro-batches of the steps from `first` on, made and taught in other processes a few steps ahead."""
    workers = plan.workers
    context, waiting = multiprocessing.get_context("spawn"), 4 * workers
    with ProcessPoolExecutor(workers, mp_context=context, initializer=_start_worker) as pool:
        pending = [pool.submit(_arrays_of_step, plan, sheet, first + i) for i in range(waiting)]
        step = first + waiting
        while True:
            loaded = pending.pop(0).result()
            pending.append(pool.submit(_arrays_of_step, plan, sheet, step))
            step += 1
            yield [None if arrays is None else _lesson(arrays) for arrays in loaded]


# -- the loop ----------------------------------------------------------------------------------------------------------


class TrunkTrainer:
    """The loop; see the module docstring."""

    def __init__(self, plan: Plan, sheet: Path, outdir: Path) -> None:
        self.plan, self.sheet, self.outdir = plan, sheet, outdir
        outdir.mkdir(parents=True, exist_ok=True)
        torch.manual_seed(plan.seed)
        self.device = torch.device(plan.device)
        self.model = StrandTrunk(plan.encoder)
        if plan.init is not None:
            self.model.load_state_dict(trunk_of(load_network(plan.init)[0]).state_dict())
        self.model.to(self.device)
        config = Config(
            shards=(), outdir=outdir, optimizer="muon", learning_rate=plan.learning_rate, weight_decay=plan.weight_decay
        )
        self.optimizers = build_optimizers(self.model, config)
        self.average = AveragedWeights(self.model, plan.ema)
        self.step = 0
        self.bases = 0
        self._resume()
        self._planned()

    @property
    def checkpoint_dir(self) -> Path:
        return self.outdir / "checkpoint"

    def _resume(self) -> None:
        places = [self.checkpoint_dir.with_name(name) for name in ("checkpoint", "checkpoint.next", "checkpoint.old")]
        place = next((place for place in places if load_progress(place) is not None), None)
        if place is None:  # a run that was killed while it renamed has one of the others
            return
        progress, state = load_progress(place) or {}, load_tree(place, "state")
        self.model.load_state_dict(state["model"])
        self.average.load_state_dict({name: value.to(self.device) for name, value in state["average"].items()})
        for optimizer, saved in zip(self.optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(saved)
        self.step, self.bases = progress["step"], progress["bases"]
        logger.info("resumed at step %d", self.step)

    def save(self) -> None:
        """A checkpoint, written aside and then renamed, and the averaged weights by themselves."""
        aside, old = self.checkpoint_dir.with_name("checkpoint.next"), self.checkpoint_dir.with_name("checkpoint.old")
        optimizers = [optimizer.state_dict() for optimizer in self.optimizers]
        state = {"model": self.model.state_dict(), "average": self.average.state_dict(), "optimizers": optimizers}
        save_tree(state, aside, "state")
        save_progress(aside, self.step, bases=self.bases)
        shutil.rmtree(old, ignore_errors=True)
        if self.checkpoint_dir.exists():
            os.replace(self.checkpoint_dir, old)
        os.replace(aside, self.checkpoint_dir)
        shutil.rmtree(old, ignore_errors=True)
        with write_aside(self.outdir / "trunk.safetensors") as path:
            save_file({name: value.contiguous() for name, value in self.average.shadow.items()}, path)
        with write_aside(self.outdir / "config.json") as path:
            path.write_text(json.dumps({"encoder": asdict(self.plan.encoder), "step": self.step}, indent=1))

    def _planned(self) -> None:
        """Take another number of steps from plan.json, where there is one."""
        path = self.outdir / "plan.json"
        if path.exists():
            steps = int(json.loads(path.read_text())["steps"])
            if steps != self.plan.steps:
                logger.info("step %d: planned for %d steps instead of %d", self.step, steps, self.plan.steps)
                self.plan = replace(self.plan, steps=steps)

    def _rate(self) -> float:
        plan = self.plan
        fall = max(1.0, plan.decay * plan.steps)
        return max(0.0, min(1.0, (self.step + 1) / max(1, plan.warmup), (plan.steps - self.step) / fall))

    def _learn(self, lessons: list[Lesson | None]) -> dict[str, float]:
        """One optimiser step; the losses of gene windows and of tiles."""
        numbers: dict[str, float] = {}
        self.model.train()
        for name, lesson in zip(("gene", "tile"), lessons, strict=True):
            if lesson is None:
                continue
            batch, taught = lesson[0].to(self.device), lesson[1] and Taught(*(t.to(self.device) for t in lesson[1]))
            with torch.autocast(self.device.type, torch.bfloat16, enabled=self.plan.precision == "bf16"):
                scores = (self.model(batch.codes),) if name == "gene" else self.model.scan(batch.codes)
            loss, parts = strand_loss(scores, batch, taught)
            loss.backward()
            numbers |= {f"{name}_{key}": float(value) for key, value in parts.items()}
            self.bases += int((batch.codes != PAD_CODE).sum())
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.plan.clip)
        for optimizer in self.optimizers:
            for group in optimizer.param_groups:
                group["lr"] = self.plan.learning_rate * self._rate()
            optimizer.step()
            optimizer.zero_grad()
        self.average.update(self.model, self.step)
        self.step += 1
        return numbers

    def run(self) -> None:
        """Train to the last planned step."""
        stream = ahead(self.plan, self.sheet, self.step)
        sums: dict[str, list[float]] = {}
        waited, began, saved, bases = 0.0, time.perf_counter(), time.perf_counter(), self.bases
        while self.step < self.plan.steps:
            asked = time.perf_counter()
            lessons = next(stream)
            waited += time.perf_counter() - asked
            for key, value in self._learn(lessons).items():
                sums.setdefault(key, []).append(value)
            if self.step % self.plan.log_every == 0:
                seconds = time.perf_counter() - began
                means = {key: math.fsum(values) / len(values) for key, values in sums.items()}
                line = {
                    "step": self.step, "bases": self.bases, "rate": self._rate(), "waited": round(waited / seconds, 4),
                    "bases_per_second": round((self.bases - bases) / seconds), "clock": round(time.time()), **means,
                }  # fmt: skip
                with (self.outdir / "metrics.jsonl").open("a") as log:
                    log.write(json.dumps(line) + "\n")
                logger.info(" ".join(f"{k} {v:.4g}" if isinstance(v, float) else f"{k} {v}" for k, v in line.items()))
                sums, waited, began, bases = {}, 0.0, time.perf_counter(), self.bases
                self._planned()
            if time.perf_counter() - saved > self.plan.save_seconds:
                self.save()
                saved = time.perf_counter()
        self.save()
        stream.close()  # type: ignore[attr-defined]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m transgenic_tools.train.trunk", description=__doc__)
    parser.add_argument("plan", type=Path)
    parser.add_argument("--sheet", type=Path, required=True, help="genomes to learn from")
    parser.add_argument("--outdir", type=Path, required=True)
    parser.add_argument("--steps", type=int, help="instead of the plan's")
    given = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    torch.set_num_threads(1)
    plan = read_plan(given.plan)
    if given.steps:
        plan = replace(plan, steps=given.steps)
    TrunkTrainer(plan, given.sheet, given.outdir).run()


if __name__ == "__main__":
    main()
