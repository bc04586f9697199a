"""What tg-generate says before it begins: device, memory needed against memory free, expected time.

In: a loaded model and shards. Out: one log line, and the lengths above which windows are read alone or not at all.
A surprise: a window that does not fit costs its gene, which then has a reason, and never the run; only where none
fits is the run stopped, with advice.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from transgenic_tools.generate.config import Config
from transgenic_tools.io.shards import read_lengths
from transgenic_tools.model.network import Network
from transgenic_tools.model.preflight import generation_line, longest_that_fits

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Lengths of windows in bases.

    Attributes:
        longest: Longer ones are not read.
        together: Longer ones are read one at a time, whatever the number of threads.
    """

    longest: int
    together: int


def window_lengths(shards: Sequence[Path], split: str | None) -> list[int]:
    """Bases that are read of each gene."""
    return [bases for path in shards for bases in read_lengths(path, split=split)]


def announce(
    model: Network, device: torch.device, shards: Sequence[Path], config: Config, *, half: bool = False
) -> Limits:
    """Log the preflight line; `half` where it computes in bf16.

    Raises:
        OutOfMemoryError: not even the shortest window fits.
    """
    lengths = window_lengths(shards, config.split)
    allowed = [bases for bases in lengths if config.max_length is None or bases <= config.max_length]
    longest = longest_that_fits(model.settings, device, allowed) or min(allowed, default=0)
    threads = config.threads if device.type == "cpu" else 1
    together = longest_that_fits(model.settings, device, allowed, times=threads)
    read = [bases for bases in allowed if bases <= longest]
    at_once = max(longest, together * threads if device.type == "cpu" else min(config.batch_bases, sum(read)))
    line = generation_line(model.settings, device, at_once=at_once, total_bases=sum(read), half=half)
    logger.info("%d bases, longest window %d: %s", sum(read), longest, line)
    if left := len(lengths) - len(read):
        logger.warning(
            "%d windows are longer than %d bases and are not read: %s", left, longest,
            "they do not fit into the free memory" if config.max_length is None or longest < max(allowed, default=0)
            else "--max-length",
        )  # fmt: skip
    return Limits(longest=longest, together=together)
