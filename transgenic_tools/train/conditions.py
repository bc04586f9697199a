"""`tg-train --conditions TABLE --usage JUNCTIONS`: fit the layer of conditions on junction counts by sample.

In: gene shards, a model, a table of numbers by sample, the evidence file of the same samples. Out: the model directory
with its layer (`condition.json`, `condition.safetensors`); the model's own files are copied as they are.
A surprise: the layer that is kept is that of the epoch with the lowest loss on validation genes, and the epoch before
the first counts too: where nothing can be learned, the layer stays zero, and a warning says so.
"""

from __future__ import annotations

import logging
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from transgenic_tools.errors import UsageError
from transgenic_tools.io.junctions import EvidenceFile
from transgenic_tools.model.condition import ConditionModel, save_conditions
from transgenic_tools.model.files import load_network, model_dir, model_hash
from transgenic_tools.model.network import pick_device
from transgenic_tools.provenance import file_sha256, write_aside
from transgenic_tools.search.reader import Reader
from transgenic_tools.train.checkpoint import load_progress, load_tree, save_progress, save_tree
from transgenic_tools.train.condition_genes import ConditionConfig, GeneReader, gather_samples, read_genes
from transgenic_tools.train.condition_layer import Batch, GeneUsage, LearnedLayer, pack
from transgenic_tools.train.config import work_dir
from transgenic_tools.train.identity import set_aside_stale, shard_digests
from transgenic_tools.train.logs import MetricsLog

logger = logging.getLogger(__name__)
#: Genes of one step of the fit: a 16th of all within these limits, so that few genes still make steps enough.
_FEWEST, _MOST = 16, 64
#: Steps over all genes that the spread between samples is fitted in before the layer.
_CONCENTRATION_STEPS = 30


@dataclass(frozen=True)
class Result:
    """What a fit left behind.

    Attributes:
        metrics: Losses on validation genes, with the layer and without.
    """

    outdir: Path
    n_train: int
    n_validation: int
    metrics: dict[str, float]


def _batches(genes: Sequence[GeneUsage], size: int) -> list[Batch]:
    return [pack(genes[i : i + size]) for i in range(0, len(genes), size)]


class Fit:
    """The loop over epochs, with checkpoints."""

    def __init__(
        self,
        config: ConditionConfig,
        train: Sequence[GeneUsage],
        validation: Sequence[GeneUsage],
        values: npt.NDArray[np.float32],
        checkpoints: Path | None = None,
    ) -> None:
        """Begin anew, or where a checkpoint stands.

        Args:
            values: (K, S) inputs of the samples.
            checkpoints: Directory; None to keep none.
        """
        torch.set_num_threads(max(1, config.threads))
        self.config, self.checkpoints = config, checkpoints
        self.values = torch.from_numpy(values)
        size = min(max(len(train) // 16, _FEWEST), _MOST)
        self.train, self.validation = _batches(train, size), _batches(validation, _MOST)
        channels = train[0].features.shape[1]
        self.layer = LearnedLayer(
            members=config.members,
            rank=config.rank,
            k=config.k,
            inputs=len(values),
            channels=channels,
            seed=config.seed,
        )
        features = np.concatenate([gene.features for gene in train])
        self.layer.center += torch.from_numpy(features.mean(0))
        self.layer.spread *= torch.from_numpy(features.std(0)).clamp_min(1e-3)
        layer = self.layer
        self.optimizer = torch.optim.Adam(
            [
                {"params": [layer.kmers, layer.trunk, layer.bias], "lr": config.rate},
                {"params": [layer.inputs, layer.concentration], "lr": 0.02},
            ],
            betas=(0.9, 0.99),
        )
        rng = np.random.default_rng(config.seed)
        self.weights = [
            torch.from_numpy(
                rng.poisson(1.0, (size, config.members)) if config.members > 1
                else np.ones((size, 1))
            ).float()
            for _ in self.train
        ]  # fmt: skip
        self._fit_concentration()
        self.without = self._loss(shifted=False)
        self.best_loss, self.best_epoch, self.epoch = self.without, 0, 0
        self.best = {name: tensor.clone() for name, tensor in layer.state_dict().items()}
        self._resume()

    def _fit_concentration(self) -> None:
        """How far samples differ without any condition: fitted first, so that no shift is learned in its place."""
        optimizer = torch.optim.Adam([self.layer.concentration], lr=0.3)
        for step in range(_CONCENTRATION_STEPS):
            optimizer.param_groups[0]["lr"] = 0.3 * (1.0 - step / _CONCENTRATION_STEPS)
            optimizer.zero_grad()
            for batch in self.train:
                nothing = torch.zeros(len(batch.side), 1, self.values.shape[1])
                self.layer.losses(batch, nothing).sum().backward()
            optimizer.step()

    def _loss(self, *, shifted: bool = True) -> float:
        """Mean negative log-probability of a choice of the validation genes, by the members' mean shift."""
        total, number = 0.0, 0
        with torch.no_grad():
            for batch in self.validation:
                shifts = self.layer.shifts(batch, self.values).mean(1, keepdim=True)
                losses = self.layer.losses(batch, shifts if shifted else torch.zeros_like(shifts))
                total, number = total + float(losses.sum()), number + len(losses)
        return total / number

    def _resume(self) -> None:
        progress = load_progress(self.checkpoints / "last") if self.checkpoints and self.config.resume else None
        if progress is None or self.checkpoints is None:
            return
        state = load_tree(self.checkpoints / "last", "state")
        self.layer.load_state_dict(state["layer"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.best, self.best_loss, self.best_epoch = state["best"], state["best_loss"], int(state["best_epoch"])
        self.epoch = int(progress["step"])
        logger.info("resumed at epoch %d from %s", self.epoch, self.checkpoints / "last")

    def _save(self) -> None:
        if self.checkpoints is None:
            return
        aside, last = self.checkpoints / "next", self.checkpoints / "last"
        shutil.rmtree(aside, ignore_errors=True)
        state = {
            "layer": self.layer.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "best": self.best,
            "best_loss": self.best_loss,
            "best_epoch": self.best_epoch,
        }
        save_tree(state, aside, "state")
        save_progress(aside, self.epoch)
        shutil.rmtree(last, ignore_errors=True)
        aside.rename(last)

    def _step(self, batch: Batch, weights: Tensor, rate: float) -> float:
        losses = self.layer.losses(batch, self.layer.shifts(batch, self.values))
        loss = (losses * weights[batch.gene]).mean(1).sum()
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        self.layer.shrink(rate * self.config.shrink)
        return float(loss.detach())

    def run(self, log: MetricsLog | None = None) -> None:
        """Go to the last epoch; `best` is then what to keep."""
        choices = sum(len(batch.kind) for batch in self.train)
        while self.epoch < self.config.epochs:
            rate = self.config.rate * min(1.0, 2.0 * (1.0 - self.epoch / self.config.epochs))
            self.optimizer.param_groups[0]["lr"] = rate
            order = np.random.default_rng((self.config.seed, self.epoch)).permutation(len(self.train))
            loss = sum(self._step(self.train[i], self.weights[i], rate) for i in order.tolist()) / choices
            self.epoch += 1
            measured = self._loss()
            if measured < self.best_loss:
                self.best_loss, self.best_epoch = measured, self.epoch
                self.best = {name: tensor.clone() for name, tensor in self.layer.state_dict().items()}
            logger.info(
                "epoch %d/%d loss %.4f, validation %.4f (without conditions %.4f)",
                *(self.epoch, self.config.epochs, loss, measured, self.without),
            )
            if log is not None:
                log.write(
                    split="validation", step=self.epoch, loss=measured, loss_without=self.without, train_loss=loss
                )
            self._save()
        self.layer.load_state_dict(self.best)
        if self.best_epoch == 0:
            with torch.no_grad():
                for weights in (self.layer.kmers, self.layer.trunk, self.layer.bias):
                    weights.zero_()
            logger.warning(
                "no epoch explains the validation genes better than no condition at all: the layer stays zero, and a "
                "condition will change nothing"
            )


def effects(fit: Fit) -> list[float]:
    """Of each input: root mean square of the shift of validation sites that one deviation of it makes."""
    inputs = len(fit.values)
    squares, number = torch.zeros(inputs), 0
    with torch.no_grad():
        for batch in fit.validation:
            shifts = fit.layer.shifts(batch, torch.eye(inputs)).mean(1)
            squares, number = squares + shifts.square().sum(0), number + len(shifts)
    return [round(float(value), 5) for value in (squares / max(number, 1)).sqrt()]


def asked(*, conditions: Path | None, usage: Path | None, preset: str | None, **settings: Any) -> ConditionConfig:
    """Settings of a fit from a user's flags; those that are None have their defaults.

    Raises:
        UsageError: one of the two inputs is missing, or a preset is given.
    """
    if conditions is None or usage is None:
        given, other = (
            ("--usage", "--conditions TABLE") if conditions is None else ("--conditions", "--usage JUNCTIONS")
        )
        raise UsageError(f"{given} is given without {other}", hint="both are wanted to learn what a condition does")
    if preset is not None:
        raise UsageError(
            "--preset trains a whole model, --conditions shifts the scores of one that is trained",
            hint="train the model first, then give it as --init MODEL (without, the embedded one is taken)",
        )
    chosen = {name: value for name, value in settings.items() if value is not None}
    return ConditionConfig(conditions=conditions, usage=usage, **chosen)


def run(config: ConditionConfig) -> Result:
    """Fit and write the model directory."""
    evidence = EvidenceFile(config.usage)
    samples = gather_samples(config, evidence)
    source = model_dir(config.init)
    network, _ = load_network(source)
    network = network.eval().to(pick_device(config.device))
    genes = GeneReader(config, evidence, samples, Reader(network, precision=config.precision))
    train, validation = read_genes(config, genes)
    choices = sum(len(gene.choices) for gene in train)
    logger.info(
        "%d samples, %d inputs; %d training genes with %d choices, %d validation genes; genes without: %s",
        *(len(samples.names), len(samples.scaling.names), len(train), choices, len(validation), dict(genes.counted)),
    )
    checkpoints = work_dir(config.outdir) / "conditions"
    if not config.resume:
        shutil.rmtree(checkpoints, ignore_errors=True)
    set_aside_stale(checkpoints, _made_from(config, source))
    fit = Fit(config, train, validation, samples.cut.values, checkpoints)
    config.outdir.mkdir(parents=True, exist_ok=True)
    fit.run(MetricsLog(config.outdir / "condition_metrics.jsonl", resume_step=fit.epoch))
    metrics = {"loss": fit.best_loss, "loss_without": fit.without, "epoch": float(fit.best_epoch)}
    for name in ("config.json", "model.safetensors"):
        if source.resolve() != config.outdir.resolve():
            with write_aside(config.outdir / name) as aside:
                shutil.copyfile(source / name, aside)
    notes = {
        **samples.notes,
        "validation": metrics,
        "training_genes": len(train),
        "validation_genes": len(validation),
        "training_choices": choices,
        "genes_left_out": dict(sorted(genes.counted.items())),
        "effects": dict(zip(samples.scaling.names, effects(fit), strict=True)),
    }
    columns = {name: samples.cut.values[:, number] for number, name in enumerate(samples.names)}
    save_conditions(
        ConditionModel(
            scaling=samples.scaling, layer=fit.layer.as_layer(), samples=columns, trunk=model_hash(source), notes=notes
        ),
        config.outdir,
    )
    return Result(config.outdir, len(train), len(validation), metrics)


def _made_from(config: ConditionConfig, source: Path) -> dict[str, Any]:
    """Equal for fits that learn the same."""
    free = ("outdir", "threads", "device", "resume", "init", "shards", "conditions", "usage", "inputs")
    values = {name: value for name, value in asdict(config).items() if name not in free}
    values |= {"shards": shard_digests(config.shards), "model": model_hash(source)}
    for name in ("conditions", "usage", "inputs"):
        path = getattr(config, name)
        values[name] = None if path is None else file_sha256(path)[:16]
    return values
