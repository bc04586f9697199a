"""Freed memory: kept for the next window, given back where a run has grown large."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from transgenic_tools.generate.memory import keep_freed_memory, resident_bytes, return_freed_memory

MEGABYTE = 1 << 20
pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the allocator of glibc")


def _use_and_free(megabytes: int) -> None:
    blocks = [np.ones(MEGABYTE, dtype=np.uint8) for _ in range(megabytes)]
    assert all(block[-1] == 1 for block in blocks)


def test_freed_memory_is_kept_until_a_run_is_large() -> None:
    keep_freed_memory()
    before = resident_bytes()
    _use_and_free(200)
    kept = resident_bytes()
    assert kept - before > 150 * MEGABYTE
    return_freed_memory(above=kept + 100 * MEGABYTE)
    assert resident_bytes() > kept - 20 * MEGABYTE
    return_freed_memory(above=before)
    assert resident_bytes() < kept - 150 * MEGABYTE
