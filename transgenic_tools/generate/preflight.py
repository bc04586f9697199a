"""What tg-generate says before it begins: device, memory needed against memory free, expected time.

In: a loaded model and shards. Out: one log line; a run that cannot fit is stopped with advice.
A surprise: only the shards' window columns are read.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

import torch

from transgenic_tools.generate.config import Config
from transgenic_tools.io.shards import read_lengths
from transgenic_tools.model.network import Network
from transgenic_tools.model.preflight import generation_line

logger = logging.getLogger(__name__)


def window_sizes(shards: Sequence[Path], split: str | None) -> tuple[int, int]:
    """(bases of the longest window, of all of them)."""
    lengths = [bases for path in shards for bases in read_lengths(path, split=split)]
    return max(lengths, default=0), sum(lengths)


def announce(model: Network, device: torch.device, shards: Sequence[Path], config: Config) -> None:
    """Log the preflight line.

    Raises:
        OutOfMemoryError: the longest window cannot fit.
    """
    longest, total = window_sizes(shards, config.split)
    at_once = longest * config.threads if device.type == "cpu" else max(longest, config.batch_bases)
    line = generation_line(model.settings, device, at_once=at_once, total_bases=total)
    logger.info("%d bases, longest window %d: %s", total, longest, line)
