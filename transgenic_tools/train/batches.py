"""Batches by bases: which crops of which genes are computed together.

In: examples and a seed. Out: for every epoch a plan (list of micro-batches), and tensors of one micro-batch.
A surprise: the plan depends on (seed, epoch) alone, so a resumed or distributed run sees the same batches.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

from transgenic_tools.genome.hashing import stable_rng
from transgenic_tools.genome.interval import Interval
from transgenic_tools.lattice.vocabulary import IGNORE, N_SITES, allowed_sites
from transgenic_tools.lattice.window import pad_codes
from transgenic_tools.train.examples import Example, Examples, Outline, crop_labels, draw_crop, label_window
from transgenic_tools.train.stream import StreamedExamples

T = TypeVar("T")


@dataclass(frozen=True)
class Item:
    """One crop of one example."""

    index: int
    crop: Interval


@dataclass(frozen=True)
class TrunkBatch:
    """Tensors of one micro-batch (B windows, L bases).

    Attributes:
        codes: (B, L) int64, PAD_CODE at the right.
        sites: (B, N_SITES, L) float targets.
        weight: (B, N_SITES, L) float, 1 where the sequence allows the site and the annotation speaks, else 0.
        contents: (B, L) int64, IGNORE where unknown or padded.
    """

    codes: Tensor
    sites: Tensor
    weight: Tensor
    contents: Tensor

    def to(self, device: torch.device) -> TrunkBatch:
        return TrunkBatch(
            *(t.to(device, non_blocking=True) for t in (self.codes, self.sites, self.weight, self.contents))
        )


def pack(items: Sequence[Item], batch_bases: int) -> list[list[Item]]:
    """Neighbours of similar length share a micro-batch of at most `batch_bases` bases, padding included."""
    batches: list[list[Item]] = []
    longest = 0
    for item in items:
        longest_with = max(longest, len(item.crop))
        if batches and longest_with * (len(batches[-1]) + 1) <= batch_bases:
            batches[-1].append(item)
            longest = longest_with
        else:
            batches.append([item])
            longest = len(item.crop)
    return batches


def plan_epoch(
    examples: Examples,
    *,
    epoch: int,
    seed: int,
    flank_min: int,
    flank_max: int,
    max_bases: int,
    batch_bases: int,
    indices: Sequence[int] | None = None,
    pool: int = 512,
) -> list[list[Item]]:
    """Micro-batches of one epoch: genes shuffled, sorted by length within pools of `pool`, packed, shuffled again.

    Streamed examples are shuffled within their blocks, and the micro-batches of their lanes take turns. Of examples in
    memory `indices` names those of this epoch, None for all.
    """
    rng = stable_rng("plan", seed, epoch)
    lanes = []
    for blocks in shuffled(examples, rng, indices):
        lane: list[list[Item]] = []
        for block in blocks:
            items = []
            for index in block:
                gene = outline(examples, index)
                own = stable_rng("crop", seed, epoch, gene.gene_id)
                crop = draw_crop(gene, flank_min=flank_min, flank_max=flank_max, max_bases=max_bases, rng=own)
                items.append(Item(index, crop))
            batches: list[list[Item]] = []
            for start in range(0, len(items), pool):
                batches += pack(sorted(items[start : start + pool], key=lambda item: len(item.crop)), batch_bases)
            lane += [batches[i] for i in rng.permutation(len(batches)).tolist()]
        lanes.append(lane)
    return take_turns(lanes)


def shuffled(
    examples: Examples, rng: np.random.Generator, indices: Sequence[int] | None = None
) -> list[list[list[int]]]:
    """Lanes of blocks of genes; one of one where they lie in memory."""
    if isinstance(examples, StreamedExamples):
        return examples.order(rng)
    return [[rng.permutation(len(examples) if indices is None else np.asarray(indices)).tolist()]]


def outline(examples: Examples, index: int) -> Example | Outline:
    """What a plan needs of a gene; nothing is read for it."""
    return examples.outline(index) if isinstance(examples, StreamedExamples) else examples[index]


def take_turns(lanes: Sequence[list[T]]) -> list[T]:
    """The first of every lane, the second of every lane, and so on."""
    return [one for turn in itertools.zip_longest(*lanes) for one in turn if one is not None]


def collate_trunk(examples: Examples, items: Sequence[Item], *, epoch: int, seed: int) -> TrunkBatch:
    """Tensors of one micro-batch; the content label's transcript is drawn by (seed, epoch, gene)."""
    windows = [examples[item.index].window.crop(item.crop) for item in items]
    codes = pad_codes(windows)
    batch, longest = codes.shape
    sites = np.zeros((batch, N_SITES, longest), dtype=np.float32)
    weight = np.zeros((batch, N_SITES, longest), dtype=np.float32)
    contents = np.full((batch, longest), IGNORE, dtype=np.int64)
    for row, (item, window) in enumerate(zip(items, windows, strict=True)):
        example = examples[item.index]
        rng = stable_rng("content", seed, epoch, example.gene_id)
        labels = crop_labels(label_window(example, rng=rng), item.crop)
        size = len(item.crop)
        sites[row, :, :size] = labels.sites
        weight[row, :, :size] = labels.known & (allowed_sites(window.codes) | (labels.sites >= 1.0))
        contents[row, :size] = labels.contents
    return TrunkBatch(*(torch.from_numpy(a) for a in (codes, sites, weight, contents)))
