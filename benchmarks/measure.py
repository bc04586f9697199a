"""Run a command on one core and measure it.

In: argv. Out: CPU seconds (user + system), wall seconds and peak resident memory of the process and its children.
A surprise: the memory is `ru_maxrss` from wait4, the largest single process, not the sum of a process tree.
"""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from transgenic_tools.errors import TransgenicError

ONE_CORE: Mapping[str, str] = {
    name: "1" for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS")
}


@dataclass(frozen=True)
class Cost:
    """What a command used. `cpu_seconds` is user + system time of the process and the children that it waited for."""

    cpu_seconds: float
    wall_seconds: float
    peak_rss_mb: float

    def plus(self, other: Cost) -> Cost:
        """One command after another: times add up, memory is the larger."""
        return Cost(
            self.cpu_seconds + other.cpu_seconds,
            self.wall_seconds + other.wall_seconds,
            max(self.peak_rss_mb, other.peak_rss_mb),
        )


def run_measured(argv: Sequence[str | Path], *, stdout: Path, stderr: Path) -> Cost:
    """Run to the end; raises TransgenicError with the last lines of stderr where the command fails."""
    command = [str(part) for part in argv]
    began = time.perf_counter()
    with stdout.open("wb") as out, stderr.open("wb") as err:
        process = subprocess.Popen(command, stdout=out, stderr=err, env={**os.environ, **ONE_CORE})
        _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    wall = time.perf_counter() - began
    if process.returncode != 0:
        tail = stderr.read_text(errors="replace").strip().splitlines()[-5:]
        raise TransgenicError(
            f"{command[0]} ended with code {process.returncode}: {' / '.join(tail)}",
            hint=f"run it by hand: {' '.join(command)}",
        )
    return Cost(usage.ru_utime + usage.ru_stime, wall, usage.ru_maxrss / 1024)
