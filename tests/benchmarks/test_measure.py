"""Costs are those of the command and not of the benchmark."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks.measure import Cost, Limits, run_measured
from transgenic_tools.errors import TransgenicError


def measured(tmp_path: Path, code: str) -> Cost:
    return run_measured([sys.executable, "-S", "-c", code], stdout=tmp_path / "out", stderr=tmp_path / "err")


def test_memory_is_the_command_s_own(tmp_path: Path) -> None:
    ballast = np.ones(20_000_000)
    small = measured(tmp_path, "print('hello')")
    large = measured(tmp_path, "x = bytearray(120_000_000)")
    assert ballast.nbytes > 150e6
    assert small.peak_rss_mb < 60
    assert 110 < large.peak_rss_mb - small.peak_rss_mb < 160
    assert (tmp_path / "out").read_text() == ""


def test_cpu_time_counts_work_and_not_sleep(tmp_path: Path) -> None:
    asleep = measured(tmp_path, "import time; time.sleep(0.5)")
    awake = measured(tmp_path, "import time\nwhile time.process_time() < 0.5: pass")
    assert asleep.wall_seconds > 0.5
    assert asleep.cpu_seconds < 0.4
    assert awake.cpu_seconds >= 0.5


def test_one_core_is_asked_for(tmp_path: Path) -> None:
    measured(tmp_path, "import os; print(os.environ['OMP_NUM_THREADS'])")
    assert (tmp_path / "out").read_text() == "1\n"


def test_a_failing_command_says_why(tmp_path: Path) -> None:
    with pytest.raises(TransgenicError, match=r"code 3: no luck"):
        measured(tmp_path, "import sys; sys.stderr.write('no luck'); sys.exit(3)")


def test_costs_add() -> None:
    assert Cost(1, 2, 30).plus(Cost(10, 20, 3)) == Cost(11, 22, 30)


def test_limits_stop_a_command(tmp_path: Path) -> None:
    files = {"stdout": tmp_path / "out", "stderr": tmp_path / "err"}
    endless = [sys.executable, "-S", "-c", "while True: pass"]
    with pytest.raises(TransgenicError, match=r"stopped after 1 s CPU, "):
        run_measured(endless, **files, limits=Limits(cpu_seconds=1))
    asleep = [sys.executable, "-S", "-c", "import time; time.sleep(30)"]
    with pytest.raises(TransgenicError, match=r"stopped after 0 s CPU, 1 s"):
        run_measured(asleep, **files, limits=Limits(wall_seconds=1))
    greedy = [sys.executable, "-S", "-c", "x = bytearray(300_000_000)"]
    with pytest.raises(TransgenicError, match="MemoryError"):
        run_measured(greedy, **files, limits=Limits(data_mb=100))
