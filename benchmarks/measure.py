"""Run a command on one core and measure it.

In: argv. Out: CPU seconds (user + system), wall seconds and peak resident memory of the process and its children.
A surprise: a forked child starts with its parent's memory peak, so the command is started by a bare interpreter of a
few MB and not by the benchmark itself. The peak is `ru_maxrss`: the largest process, not the sum of a tree.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from transgenic_tools.errors import TransgenicError

ONE_CORE: Mapping[str, str] = {
    name: "1" for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS")
}
#: What makes a processor look as if it had AVX2 and nothing newer: the Makefile's AVX2, which a test holds it against.
AVX2: Mapping[str, str] = {
    "ONEDNN_MAX_CPU_ISA": "AVX2",
    "MKL_ENABLE_INSTRUCTIONS": "AVX2",
    "ATEN_CPU_CAPABILITY": "avx2",
    "NUMBA_CPU_NAME": "haswell",
    "NUMBA_CPU_FEATURES": "+avx,+avx2,+fma,+f16c,+bmi,+bmi2,+lzcnt,+popcnt,+movbe,+sse4.2",
}
_LAUNCHER = """
import json, os, resource, signal, sys, time
began = time.perf_counter()
child = os.fork()
if child == 0:
    try:
        signal.alarm(int(sys.argv[4]))
        for kind, value in ((resource.RLIMIT_CPU, int(sys.argv[2])), (resource.RLIMIT_DATA, int(sys.argv[3]) << 20)):
            if value:
                resource.setrlimit(kind, (value, value))
        os.execvp(sys.argv[5], sys.argv[5:])
    finally:
        os._exit(127)
_, status, usage = os.wait4(child, 0)
with open(sys.argv[1], "w") as report:
    json.dump({"cpu_seconds": usage.ru_utime + usage.ru_stime, "wall_seconds": time.perf_counter() - began,
               "peak_rss_mb": usage.ru_maxrss / 1024, "code": os.waitstatus_to_exitcode(status)}, report)
"""


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

    def rounded(self) -> dict[str, float]:
        return {name: round(value, 3) for name, value in asdict(self).items()}


@dataclass(frozen=True)
class Limits:
    """Where a command is stopped, so that one that grows without bounds cannot take the machine; 0 is no limit."""

    cpu_seconds: int = 0
    data_mb: int = 0
    wall_seconds: int = 0


NO_LIMITS = Limits()


def run_measured(
    argv: Sequence[str | Path],
    *,
    stdout: Path,
    stderr: Path,
    limits: Limits = NO_LIMITS,
    switches: Mapping[str, str] | None = None,
) -> Cost:
    """Run to the end, with some variables of the environment set.

    Raises:
        TransgenicError: the command fails or is stopped, with the last lines of stderr.
    """
    command = [str(part) for part in argv]
    with tempfile.TemporaryDirectory() as directory, stdout.open("wb") as out, stderr.open("wb") as err:
        report = Path(directory) / "cost.json"
        limited = (limits.cpu_seconds, limits.data_mb, limits.wall_seconds)
        start = [sys.executable, "-S", "-E", "-c", _LAUNCHER, report, *limited]
        environment = {**os.environ, **ONE_CORE, **(switches or {})}
        subprocess.run([*map(str, start), *command], stdout=out, stderr=err, check=True, env=environment)
        found = json.loads(report.read_text())
    if found["code"] != 0:
        stopped = found["code"] in (-signal.SIGXCPU, -signal.SIGKILL, -signal.SIGALRM)
        why = (
            (
                f" (stopped after {found['cpu_seconds']:.0f} s CPU, {found['wall_seconds']:.0f} s, "
                f"{found['peak_rss_mb']:.0f} MB)"
            )
            if stopped
            else ""
        )
        tail = stderr.read_text(errors="replace").strip().splitlines()[-5:]
        raise TransgenicError(
            f"{Path(command[0]).name} ended with code {found['code']}{why}: {' / '.join(tail)}",
            hint=f"run it by hand: {' '.join(command)}",
        )
    return Cost(found["cpu_seconds"], found["wall_seconds"], found["peak_rss_mb"])
