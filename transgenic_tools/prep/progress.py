"""Progress: a bar on a terminal, a plain line every few seconds elsewhere.

In: an iterator and its length. Out: the same items.
A surprise: nothing is shown for work that takes less than a few seconds.
"""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

Item = TypeVar("Item")

log = logging.getLogger("tg-prep")
SECONDS_BETWEEN_LINES = 5.0


def _lines(
    items: Iterable[Item], total: int, label: str, size: Callable[[Item], int], bases: Callable[[Item], int]
) -> Iterator[Item]:
    began = last = time.monotonic()
    number = read = 0
    for item in items:
        yield item
        number += size(item)
        read += bases(item)
        now = time.monotonic()
        if now - last >= SECONDS_BETWEEN_LINES:
            last = now
            spent = now - began
            left = (total - number) * spent / max(number, 1)
            log.info("%s: %d of %d, %.0f kb/s, %.0f s left", label, number, total, read / spent / 1e3, left)


def track(
    items: Iterable[Item], *, total: int, label: str, size: Callable[[Item], int], bases: Callable[[Item], int]
) -> Iterator[Item]:
    """Pass items through and show how far they are.

    Args:
        size: How much of `total` an item is.
        bases: Bases of an item.
    """
    if not (sys.stderr.isatty() and log.isEnabledFor(logging.INFO)):
        yield from _lines(items, total, label, size, bases)
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(label, total=total)
        for item in items:
            yield item
            bar.advance(task, size(item))
