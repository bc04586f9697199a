"""What a training stage learns: the trunk's losses, or the decoder's.

In: examples and a `Config`. Out: a `Task`: micro-batches of each epoch, their loss, and measurements.
A surprise: the decoder's examples are prepared once for a few random crops of every gene; the trunk stays as it is.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Sequence
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from transgenic_tools.genome.hashing import stable_rng
from transgenic_tools.model.transgenic import TransgenicModel
from transgenic_tools.train.batches import Item, collate_trunk, plan_epoch
from transgenic_tools.train.config import Config
from transgenic_tools.train.decoding import DecoderExample, decoder_loss, prepare
from transgenic_tools.train.examples import Example, draw_crop
from transgenic_tools.train.losses import trunk_loss
from transgenic_tools.train.metrics import jittered_items, measure_trunk

logger = logging.getLogger(__name__)


class Task(Protocol):
    """One stage of training."""

    def plan(self, epoch: int) -> list[Any]:
        """Micro-batches of one epoch; a function of (seed, epoch)."""

    def loss(
        self, model: nn.Module, planned: Any, epoch: int, device: torch.device
    ) -> tuple[Tensor, dict[str, Tensor], int]:
        """Loss of one micro-batch, its parts, and the bases (or steps) computed."""

    def measure(self, model: TransgenicModel) -> dict[str, float]:
        """Metrics on the validation split."""


class TrunkTask:
    """Sites and contents at every base."""

    def __init__(self, config: Config, train: Sequence[Example], validation: Sequence[Example]) -> None:
        self.config, self.train, self.validation = config, train, validation

    def plan(self, epoch: int) -> list[list[Item]]:
        c = self.config
        return plan_epoch(
            self.train,
            epoch=epoch,
            seed=c.seed,
            flank_min=c.flank_min,
            flank_max=c.flank_max,
            max_bases=c.max_bases,
            batch_bases=c.batch_bases,
        )

    def loss(
        self, model: nn.Module, planned: list[Item], epoch: int, device: torch.device
    ) -> tuple[Tensor, dict[str, Tensor], int]:
        c = self.config
        batch = collate_trunk(self.train, planned, epoch=epoch, seed=c.seed).to(device)
        scores = model(batch.codes)
        loss, parts = trunk_loss(scores, batch, site_weight=c.site_weight, content_weight=c.content_weight)
        return loss, parts, batch.codes.numel()

    def measure(self, model: TransgenicModel) -> dict[str, float]:
        if not self.validation:
            return {}
        return measure_trunk(model, self.validation, batch_bases=self.config.batch_bases, seed=self.config.seed)


class DecoderTask:
    """Gold paths through the graphs of a trunk that is kept as it is."""

    def __init__(
        self, config: Config, model: TransgenicModel, train: Sequence[Example], validation: Sequence[Example]
    ) -> None:
        self.config = config
        model.eval()
        most = model.decoder.config.max_transcripts
        began = time.perf_counter()
        self.versions = [
            self._prepare(model, train, [self._crop(e, version) for e in train], most)
            for version in range(config.crops)
        ]
        items = jittered_items(validation)
        self.validation = self._prepare(model, validation, [item.crop for item in items], most)
        logger.info(
            "prepared %d + %d genes for the decoder in %.0f s",
            sum(map(len, self.versions)),
            len(self.validation),
            time.perf_counter() - began,
        )

    def _crop(self, example: Example, version: int) -> Any:
        c = self.config
        rng = stable_rng("crop", c.seed, version, example.gene_id)
        return draw_crop(example, flank_min=c.flank_min, flank_max=c.flank_max, max_bases=c.max_bases, rng=rng)

    @staticmethod
    def _prepare(
        model: TransgenicModel, examples: Sequence[Example], crops: Sequence[Any], most: int
    ) -> list[DecoderExample]:
        prepared = (prepare(model, e, crop, most=most) for e, crop in zip(examples, crops, strict=True))
        return [one for one in prepared if one is not None]

    def plan(self, epoch: int) -> list[tuple[int, list[int]]]:
        version = epoch % len(self.versions)
        genes = self.versions[version]
        rng = stable_rng("plan", self.config.seed, epoch)
        size = self.config.genes_per_batch
        order = sorted(rng.permutation(len(genes)).tolist()[: len(genes)], key=lambda i: len(genes[i].token_site) // 16)
        groups = [order[i : i + size] for i in range(0, len(order), size)]
        return [(version, groups[i]) for i in rng.permutation(len(groups)).tolist()]

    def loss(
        self, model: nn.Module, planned: tuple[int, list[int]], epoch: int, device: torch.device
    ) -> tuple[Tensor, dict[str, Tensor], int]:
        version, indices = planned
        group = [self.versions[version][i] for i in indices]
        loss, parts = model(None, lambda own: decoder_loss(own.decoder, group, device))
        return loss, parts, sum(len(e.token_site) for e in group)

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
