"""Progress: a bar on a terminal, a plain line every few seconds elsewhere; the same words in every tool.

In: how much is done. Out: lines of a log, with speed and time left.
A surprise: where all bases are known beforehand the time left follows from them, else from the number of genes, which
is less even.
"""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TypeVar

Item = TypeVar("Item")

SECONDS_BETWEEN_LINES = 10.0
_lines_alone: ContextVar[bool] = ContextVar("_lines_alone", default=False)


@contextmanager
def lines_alone() -> Iterator[None]:
    """Within it no bar is drawn: somebody else holds the terminal and shows the lines."""
    before = _lines_alone.set(True)
    try:
        yield
    finally:
        _lines_alone.reset(before)


class Progress:
    """Counts genes and bases, and says so every few seconds.

    Args:
        unit: What is counted.
        last: Say so at the end, however short the work was.

    Attributes:
        number, bases: Done so far.
        began: On the clock of `time.perf_counter`.
    """

    def __init__(
        self,
        log: logging.Logger,
        *,
        total: int,
        all_bases: int | None = None,
        last: bool = True,
        unit: str = "genes",
    ) -> None:
        self._log, self._total, self._all_bases, self._says_last, self._unit = log, total, all_bases, last, unit
        self.number = self.bases = 0
        self.began = self._last = time.perf_counter()

    def add(self, number: int, bases: int) -> None:
        """So many genes more."""
        self.number += number
        self.bases += bases
        now = time.perf_counter()
        if now - self._last >= SECONDS_BETWEEN_LINES or (self._says_last and self.number == self._total):
            self._last = now
            spent = max(now - self.began, 1e-9)
            if self._all_bases is None:
                left = spent / max(self.number, 1) * (self._total - self.number)
            else:
                left = spent / max(self.bases, 1) * (self._all_bases - self.bases)
            speed = self.bases / spent / 1e3
            self._log.info("%d of %d %s, %.0f kb/s, %.0f s left", self.number, self._total, self._unit, speed, left)

    def skip(self, number: int, bases: int) -> None:
        """So many genes are no work to come."""
        self._total -= number
        if self._all_bases is not None:
            self._all_bases -= bases


def track(
    items: Iterable[Item],
    log: logging.Logger,
    *,
    total: int,
    size: Callable[[Item], int],
    bases: Callable[[Item], int],
) -> Iterator[Item]:
    """Pass items through and show how far they are.

    Args:
        size: How much of `total` an item is.
        bases: Bases of an item.
    """
    if _lines_alone.get() or not (sys.stderr.isatty() and log.isEnabledFor(logging.INFO)):
        progress = Progress(log, total=total, last=False)
        for item in items:
            yield item
            progress.add(size(item), bases(item))
        return
    from rich.console import Console
    from rich.progress import Progress as Bar

    with Bar(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("genes", total=total)
        for item in items:
            yield item
            bar.advance(task, size(item))
