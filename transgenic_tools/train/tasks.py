"""What a training stage learns: the trunk's losses, or the decoder's.

In: examples and a `Config`. Out: a `Task`: micro-batches of each epoch, their loss, and measurements.
A surprise: the decoder's examples are prepared once for a few random crops of every gene; the trunk stays as it is.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Iterable, Sequence
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from transgenic_tools.genome.hashing import stable_rng
from transgenic_tools.genome.interval import Interval
from transgenic_tools.model.transgenic import TransgenicModel
from transgenic_tools.search.reader import Reader
from transgenic_tools.train.batches import Item, TrunkBatch, collate_trunk, outline, plan_epoch, shuffled, take_turns
from transgenic_tools.train.config import Config
from transgenic_tools.train.decoding import DecoderExample, decoder_loss, prepare
from transgenic_tools.train.examples import Example, Examples, Outline, draw_crop
from transgenic_tools.train.losses import trunk_loss
from transgenic_tools.train.metrics import jittered_items, measure_trunk

logger = logging.getLogger(__name__)


class Task(Protocol):
    """One stage of training.

    Attributes:
        unit: What a micro-batch's size counts.
        losses: Names of the loss and its parts.
        judged: The measure that tells which weights are best; less is better.
        loads: There is something to read ahead.
    """

    unit: str
    losses: tuple[str, ...]
    judged: str
    loads: bool

    def plan(self, epoch: int) -> list[Any]:
        """Micro-batches of one epoch; a function of (seed, epoch)."""

    def load(self, planned: Any, epoch: int) -> Any:
        """One micro-batch as `loss` takes it; may run in another process, so it knows no model."""

    def loss(self, model: nn.Module, loaded: Any, device: torch.device) -> tuple[Tensor, dict[str, Tensor], int]:
        """Loss of one micro-batch, its parts, and its size."""

    def measure(self, model: TransgenicModel) -> dict[str, float]:
        """Metrics on the validation split."""


class TrunkTask:
    """Sites and contents at every base."""

    unit, judged, loads = "bases", "loss", True
    losses: tuple[str, ...] = ("loss", "site_loss", "content_loss")

    def __init__(
        self, config: Config, train: Examples, validation: Sequence[Example], augmentation: Sequence[Example] = ()
    ) -> None:
        self.config, self.own, self.validation = config, len(train), validation
        self.train = [*(train[i] for i in range(len(train))), *augmentation] if augmentation else train

    def _indices(self, epoch: int) -> list[int] | None:
        """All training genes and some of the augmentation, drawn by (seed, epoch); None where there is none."""
        c, spare = self.config, len(self.train) - self.own
        if not spare:
            return None
        wanted = min(spare, round(c.augment_share * self.own))
        if c.augment_epochs is not None and epoch >= c.augment_epochs:
            wanted = 0
        rng = stable_rng("augment", c.seed, epoch)
        return [*range(self.own), *(self.own + rng.permutation(spare)[:wanted]).tolist()]

    def plan(self, epoch: int) -> list[list[Item]]:
        c = self.config
        return plan_epoch(
            self.train,
            indices=self._indices(epoch),
            epoch=epoch,
            seed=c.seed,
            flank_min=c.flank_min,
            flank_max=c.flank_max,
            max_bases=c.max_bases,
            batch_bases=c.batch_bases,
        )

    def load(self, planned: list[Item], epoch: int) -> TrunkBatch:
        return collate_trunk(self.train, planned, epoch=epoch, seed=self.config.seed)

    def loss(self, model: nn.Module, loaded: TrunkBatch, device: torch.device) -> tuple[Tensor, dict[str, Tensor], int]:
        c = self.config
        batch = loaded.to(device)
        scores = model(batch.codes)
        loss, parts = trunk_loss(scores, batch, site_weight=c.site_weight, content_weight=c.content_weight)
        return loss, parts, batch.codes.numel()

    def measure(self, model: TransgenicModel) -> dict[str, float]:
        if not self.validation:
            return {}
        return measure_trunk(model, self.validation, batch_bases=self.config.batch_bases, seed=self.config.seed)


class _DecoderMeasures:
    """Validation of the decoder on gold paths that are prepared once."""

    unit, judged = "steps", "step_loss"
    losses: tuple[str, ...] = ("loss", "step_loss", "more_loss", "graph_step_loss")
    config: Config
    validation: list[DecoderExample]

    def _crop(self, gene: Example | Outline, version: int) -> Interval:
        c = self.config
        rng = stable_rng("crop", c.seed, version, gene.gene_id)
        return draw_crop(gene, flank_min=c.flank_min, flank_max=c.flank_max, max_bases=c.max_bases, rng=rng)

    @torch.no_grad()
    def measure(self, model: TransgenicModel) -> dict[str, float]:
        sums: dict[str, float] = {}
        total = 0
        for start in range(0, len(self.validation), self.config.genes_per_batch):
            group = self.validation[start : start + self.config.genes_per_batch]
            _, parts = decoder_loss(model.decoder, group, model.decoder.base_scale.device)
            steps = sum(len(e.gold) for e in group)
            total += steps
            for key, value in parts.items():
                sums[key] = sums.get(key, 0.0) + float(value) * steps
        means = {key: value / max(total, 1) for key, value in sums.items()}
        return means | ({"step_perplexity": math.exp(means["step_loss"])} if means else {})


def _prepared(
    reader: Reader, examples: Iterable[Example], crops: Iterable[Interval], most: int
) -> list[DecoderExample]:
    found = (prepare(reader, e, crop, most=most) for e, crop in zip(examples, crops, strict=True))
    return [one for one in found if one is not None]


class DecoderTask(_DecoderMeasures):
    """Gold paths through the graphs of a trunk that is kept as it is, prepared once for all genes."""

    loads = False

    def __init__(
        self, config: Config, model: TransgenicModel, train: Sequence[Example], validation: Sequence[Example]
    ) -> None:
        self.config = config
        reader = Reader(model.eval())
        most = model.decoder.config.max_transcripts
        began = time.perf_counter()
        self.versions = [
            _prepared(reader, train, [self._crop(e, version) for e in train], most) for version in range(config.crops)
        ]
        items = jittered_items(validation)
        self.validation = _prepared(reader, validation, [item.crop for item in items], most)
        logger.info(
            "prepared %d + %d genes for the decoder in %.0f s",
            sum(map(len, self.versions)),
            len(self.validation),
            time.perf_counter() - began,
        )

    def plan(self, epoch: int) -> list[tuple[int, list[int]]]:
        version = epoch % len(self.versions)
        genes = self.versions[version]
        rng = stable_rng("plan", self.config.seed, epoch)
        size = self.config.genes_per_batch
        order = sorted(rng.permutation(len(genes)).tolist()[: len(genes)], key=lambda i: len(genes[i].token_site) // 16)
        groups = [order[i : i + size] for i in range(0, len(order), size)]
        return [(version, groups[i]) for i in rng.permutation(len(groups)).tolist()]

    def load(self, planned: tuple[int, list[int]], epoch: int) -> list[DecoderExample]:
        version, indices = planned
        return [self.versions[version][i] for i in indices]

    def loss(
        self, model: nn.Module, loaded: list[DecoderExample], device: torch.device
    ) -> tuple[Tensor, dict[str, Tensor], int]:
        loss, parts = model(None, lambda own: decoder_loss(own.decoder, loaded, device))
        return loss, parts, sum(len(e.token_site) for e in loaded)


class StreamedDecoderTask(_DecoderMeasures):
    """The same for streamed genes: prepared when their turn comes, in a new crop each epoch, and not kept."""

    loads = True

    def __init__(self, config: Config, model: TransgenicModel, train: Examples, validation: Sequence[Example]) -> None:
        self.config, self.train = config, train
        self.reader = Reader(model.eval())
        self.most = model.decoder.config.max_transcripts
        items = jittered_items(validation)
        self.validation = _prepared(self.reader, validation, [item.crop for item in items], self.most)

    def plan(self, epoch: int) -> list[list[Item]]:
        """Genes of similar window length together; their steps are not known yet."""
        rng = stable_rng("plan", self.config.seed, epoch)
        size = self.config.genes_per_batch
        lanes = []
        for blocks in shuffled(self.train, rng):
            lane: list[list[Item]] = []
            for block in blocks:
                items = [Item(index, self._crop(outline(self.train, index), epoch)) for index in block]
                items.sort(key=lambda item: len(item.crop) // 256)
                groups = [items[i : i + size] for i in range(0, len(items), size)]
                lane += [groups[i] for i in rng.permutation(len(groups)).tolist()]
            lanes.append(lane)
        return take_turns(lanes)

    def load(self, planned: list[Item], epoch: int) -> list[tuple[Example, Interval]]:
        return [(self.train[item.index], item.crop) for item in planned]

    def loss(
        self, model: nn.Module, loaded: list[tuple[Example, Interval]], device: torch.device
    ) -> tuple[Tensor, dict[str, Tensor], int]:
        size = 0

        def compute(own: TransgenicModel) -> tuple[Tensor, dict[str, Tensor]]:
            nonlocal size
            own.encoder.eval()
            own.head.eval()
            group = _prepared(self.reader, [e for e, _ in loaded], [crop for _, crop in loaded], self.most)
            size = sum(len(e.token_site) for e in group)
            if not group:  # no gene follows the grammar: nothing to learn, but every process takes this step
                nothing = sum(p.sum() for p in own.decoder.parameters() if p.requires_grad) * 0.0
                return nothing, dict.fromkeys(self.losses[1:], nothing.detach())  # type: ignore[union-attr,return-value]
            return decoder_loss(own.decoder, group, device)

        loss, parts = model(None, compute)
        return loss, parts, size
