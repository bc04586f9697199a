"""`tg-train --conditions TABLE --usage JUNCTIONS`: fit the layer of conditions on junction counts by sample.

In: gene shards, a model, a table of numbers by sample, the evidence file of the same samples. Out: the model directory
with its layer (`condition.json`, `condition.safetensors`); the model's own files are copied as they are, but where the
trunk learns along (`condition_trunk`), which makes another model of it.
A surprise: the layer that is kept is that of the epoch with the lowest loss on validation genes, and the epoch before
the first counts too: where nothing can be learned, the layer stays zero, and a warning says so.
"""

from __future__ import annotations

import logging
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from transgenic_tools.errors import UsageError
from transgenic_tools.io.distance import FILE as DISTANCE_FILE
from transgenic_tools.io.junctions import EvidenceFile
from transgenic_tools.io.loci_curve import FILE as LOCI_FILE
from transgenic_tools.model.alternatives import FILE as ALTERNATIVES_FILE
from transgenic_tools.model.condition import ConditionModel, save_conditions
from transgenic_tools.model.evidence import FILE as SCORING_FILE
from transgenic_tools.model.files import load_network, model_dir, model_hash
from transgenic_tools.model.network import Network, pick_device
from transgenic_tools.provenance import file_sha256, write_aside
from transgenic_tools.search.reader import Reader
from transgenic_tools.train.checkpoint import load_progress, load_tree, save_progress, save_tree
from transgenic_tools.train.condition_genes import ConditionConfig, GeneReader, gather_samples, read_genes
from transgenic_tools.train.condition_layer import Batch, GeneUsage, LearnedLayer, pack
from transgenic_tools.train.condition_trunk import MovingTrunk
from transgenic_tools.train.config import work_dir
from transgenic_tools.train.identity import set_aside_stale, shard_digests
from transgenic_tools.train.logs import MetricsLog

logger = logging.getLogger(__name__)
#: Genes of one step of the fit: a 16th of all within these limits, so that few genes still make steps enough.
_FEWEST, _MOST = 16, 64
#: What belongs to a model: weights, settings, and what was fitted for evidence, distance and alternatives.
_MODEL_FILES = ("model.safetensors", "config.json", SCORING_FILE, DISTANCE_FILE, ALTERNATIVES_FILE, LOCI_FILE)
#: Of the layer's rate, where the trunk begins to move.
_LATE_RATE = 0.25
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


def _copied(module: nn.Module) -> dict[str, Tensor]:
    """Its state, apart from it."""
    return {name: tensor.clone() for name, tensor in module.state_dict().items()}


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
        trunk: MovingTrunk | None = None,
    ) -> None:
        """Begin anew, or where a checkpoint stands.

        Args:
            values: (K, S) inputs of the samples.
            checkpoints: Directory; None to keep none.
            trunk: Moves in the last epochs; None stays.
        """
        torch.set_num_threads(max(1, config.threads))
        self.config, self.checkpoints, self.trunk = config, checkpoints, trunk
        self.epochs = config.epochs + (0 if trunk is None else config.trunk_epochs)
        self.values = torch.from_numpy(values)
        size = min(max(len(train) // 16, _FEWEST), _MOST)
        self.train, self.validation = _batches(train, size), _batches(validation, _MOST)
        self.genes, self.validation_genes = [train[i : i + size] for i in range(0, len(train), size)], validation
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
        self.best, self.best_trunk = _copied(layer), {} if trunk is None else _copied(trunk.network.encoder)
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
        if self.trunk is not None:
            self.trunk.network.encoder.load_state_dict(state["trunk"])
            self.trunk.optimizer.load_state_dict(state["trunk_optimizer"])
            self.best_trunk = state["best_trunk"]
            self._read_validation()
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
        if self.trunk is not None:
            state["trunk"] = self.trunk.network.encoder.state_dict()
            state["trunk_optimizer"] = self.trunk.optimizer.state_dict()
            state["best_trunk"] = self.best_trunk
        save_tree(state, aside, "state")
        save_progress(aside, self.epoch)
        shutil.rmtree(last, ignore_errors=True)
        aside.rename(last)

    @property
    def moved(self) -> bool:
        """What is kept has another trunk than the model that the fit began with."""
        return self.best_epoch > self.config.epochs

    def _read_validation(self) -> None:
        """Validation genes with the features of the trunk as it is now."""
        assert self.trunk is not None
        self.validation = _batches([self.trunk.refreshed(gene) for gene in self.validation_genes], _MOST)

    def _step(self, number: int, rate: float, trunk_share: float) -> float:
        """One batch; the trunk moves by a share of its rate."""
        batch, weights = self.train[number], self.weights[number]
        moving = self.trunk if trunk_share else None
        if moving is not None:
            batch = replace(batch, features=moving.features(self.genes[number]).requires_grad_())
        losses = self.layer.losses(batch, self.layer.shifts(batch, self.values))
        loss = (losses * weights[batch.gene]).mean(1).sum()
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        self.layer.shrink(rate * self.config.shrink)
        if moving is not None and batch.features.grad is not None:
            moving.step(self.genes[number], batch.features.grad, share=trunk_share)
        return float(loss.detach())

    def _rates(self) -> tuple[float, float]:
        """Of the layer in this epoch, and the share of the trunk's own rate."""
        config = self.config
        if self.epoch < config.epochs:
            return config.rate * min(1.0, 2.0 * (1.0 - self.epoch / config.epochs)), 0.0
        left = (self.epochs - self.epoch) / config.trunk_epochs
        return _LATE_RATE * config.rate * left, left

    def run(self, log: MetricsLog | None = None) -> None:
        """Go to the last epoch; `best` is then what to keep."""
        choices = sum(len(batch.kind) for batch in self.train)
        while self.epoch < self.epochs:
            rate, trunk_share = self._rates()
            self.optimizer.param_groups[0]["lr"] = rate
            order = np.random.default_rng((self.config.seed, self.epoch)).permutation(len(self.train))
            loss = sum(self._step(i, rate, trunk_share) for i in order.tolist()) / choices
            self.epoch += 1
            if trunk_share:
                self._read_validation()
            measured = self._loss()
            if measured < self.best_loss:
                self.best_loss, self.best_epoch = measured, self.epoch
                self.best = _copied(self.layer)
                if self.trunk is not None:
                    self.best_trunk = _copied(self.trunk.network.encoder)
            logger.info(
                "epoch %d/%d loss %.4f, validation %.4f (without conditions %.4f)",
                *(self.epoch, self.epochs, loss, measured, self.without),
            )
            if log is not None:
                log.write(
                    split="validation", step=self.epoch, loss=measured, loss_without=self.without, train_loss=loss
                )
            self._save()
        self.layer.load_state_dict(self.best)
        if self.trunk is not None:
            self.trunk.network.encoder.load_state_dict(self.best_trunk)
            self._read_validation()
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
    """Fit and write the model directory.

    Raises:
        MissingInputError, BadInputError: of the inputs.
        UsageError: the model would be written over.
    """
    evidence = EvidenceFile(config.usage)
    samples = gather_samples(config, evidence)
    source = model_dir(config.init)
    if config.trunk_rate and source.resolve() == config.outdir.resolve():
        raise UsageError(
            f"--trunk-rate would write over the model that is learned from, {config.outdir}",
            hint="give another --outdir",
        )
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
    trunk = MovingTrunk(network, rate=config.trunk_rate) if config.trunk_rate else None
    fit = Fit(config, train, validation, samples.cut.values, checkpoints, trunk)
    config.outdir.mkdir(parents=True, exist_ok=True)
    fit.run(MetricsLog(config.outdir / "condition_metrics.jsonl", resume_step=fit.epoch))
    metrics = {"loss": fit.best_loss, "loss_without": fit.without, "epoch": float(fit.best_epoch)}
    _write_model(source, config.outdir, network if fit.moved else None)
    notes = {
        **samples.notes,
        "validation": metrics,
        "training_genes": len(train),
        "validation_genes": len(validation),
        "training_choices": choices,
        "trunk": {"rate": config.trunk_rate, "moved": fit.moved},
        "genes_left_out": dict(sorted(genes.counted.items())),
        "effects": dict(zip(samples.scaling.names, effects(fit), strict=True)),
    }
    columns = {name: samples.cut.values[:, number] for number, name in enumerate(samples.names)}
    save_conditions(
        ConditionModel(
            scaling=samples.scaling,
            layer=fit.layer.as_layer(),
            samples=columns,
            trunk=model_hash(config.outdir),
            notes=notes,
        ),
        config.outdir,
    )
    return Result(config.outdir, len(train), len(validation), metrics)


def _write_model(source: Path, outdir: Path, moved: Network | None) -> None:
    """The model's own files, with the weights of a network whose trunk has moved."""
    if moved is not None:
        weights, own = load_file(source / "model.safetensors"), moved.state_dict()
        kept = {name: own[name].to("cpu", tensor.dtype).contiguous() if name in own else tensor
                for name, tensor in weights.items()}  # fmt: skip
        with write_aside(outdir / "model.safetensors") as aside:
            save_file(kept, aside, metadata={"format": "pt"})
    copied = [name for name in _MODEL_FILES if (source / name).is_file() and (moved is None or name != _MODEL_FILES[0])]
    for name in copied if source.resolve() != outdir.resolve() else ():
        with write_aside(outdir / name) as aside:
            shutil.copyfile(source / name, aside)


def _made_from(config: ConditionConfig, source: Path) -> dict[str, Any]:
    """Equal for fits that learn the same."""
    free = ("outdir", "threads", "device", "resume", "init", "shards", "conditions", "usage", "inputs")
    values = {name: value for name, value in asdict(config).items() if name not in free}
    values |= {"shards": shard_digests(config.shards), "model": model_hash(source)}
    for name in ("conditions", "usage", "inputs"):
        path = getattr(config, name)
        values[name] = None if path is None else file_sha256(path)[:16]
    return values
