"""Micro-batches of this process, read ahead where worker processes are asked for.

In: a `Task`, the first micro-batch of the run that is still to do, and the share of this process. Out: (epoch,
loaded) for each micro-batch of the whole run; `loaded` is None for those of other processes.
A surprise: the order is the same for any number of workers; each takes every n-th micro-batch of its process.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from torch.utils.data import DataLoader, IterableDataset, get_worker_info

from transgenic_tools.train.tasks import Task


def micro_batches(task: Task) -> Iterator[tuple[int, Any]]:
    """(epoch, micro-batch) without end."""
    for epoch in itertools.count():
        for planned in task.plan(epoch):
            yield epoch, planned


@dataclass(frozen=True)
class Share:
    """Which micro-batches are computed here: those with `number % world == rank`, from `first` on."""

    first: int
    rank: int
    world: int

    def owns(self, number: int) -> bool:
        return number % self.world == self.rank


class _Loaded(IterableDataset[Any]):
    """Own micro-batches, ready to be computed; in a worker, its part of them."""

    def __init__(self, task: Task, share: Share) -> None:
        self.task, self.share = task, share

    def __iter__(self) -> Iterator[Any]:
        worker = get_worker_info()
        turn, workers = (0, 1) if worker is None else (worker.id, worker.num_workers)
        own = 0
        for number, (epoch, planned) in enumerate(micro_batches(self.task)):
            if number < self.share.first or not self.share.owns(number):
                continue
            if own % workers == turn:
                yield self.task.load(planned, epoch)
            own += 1


def feed(task: Task, share: Share, *, workers: int) -> Iterator[tuple[int, Any]]:
    """(epoch, loaded or None) of every micro-batch from `share.first` on."""
    dataset = _Loaded(task, share)
    loaded = iter(DataLoader(dataset, batch_size=None, num_workers=workers, multiprocessing_context="fork")
                  if workers else dataset)  # fmt: skip
    for number, (epoch, _) in enumerate(micro_batches(task)):
        if number >= share.first:
            yield epoch, next(loaded) if share.owns(number) else None
