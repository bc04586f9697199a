"""Wait for a program as long as it gets on.

In: a started process. Out: what it wrote. A limit in seconds fails on a busy machine; a program hangs when neither it
nor what it started does anything.
A surprise: a waiting JVM uses about one per cent of a core, so less than `_LEAST_SHARE` counts as nothing.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import psutil

_LEAST_SHARE = 0.02
_LOOK_EVERY = 15.0


def cpu_seconds(pid: int) -> float:
    """Of a process and all its living descendants."""
    with contextlib.suppress(psutil.NoSuchProcess):
        parent = psutil.Process(pid)
        total = 0.0
        for process in (parent, *parent.children(recursive=True)):
            with contextlib.suppress(psutil.NoSuchProcess):
                times = process.cpu_times()
                total += times.user + times.system + times.children_user + times.children_system
        return total
    return 0.0


def finish(
    process: subprocess.Popen[str], *, quiet_s: float = 240.0, look_every: float = _LOOK_EVERY
) -> tuple[str, str]:
    """`communicate` without a clock: stdout and stderr of a process that ended by itself.

    Raises:
        AssertionError: it did nothing for `quiet_s` seconds; it is ended, with its group where it leads one.
    """
    spent, since = cpu_seconds(process.pid), time.monotonic()
    while True:
        try:
            out, err = process.communicate(timeout=look_every)
            return out or "", err or ""
        except subprocess.TimeoutExpired:
            now, moment = cpu_seconds(process.pid), time.monotonic()
            if abs(now - spent) >= _LEAST_SHARE * (moment - since):
                spent, since = now, moment
            elif moment - since > quiet_s:
                raise AssertionError(f"nothing happened for {quiet_s:.0f} s:\n{_end(process)}") from None


def _end(process: subprocess.Popen[str]) -> str:
    with contextlib.suppress(ProcessLookupError):
        if os.getpgid(process.pid) == process.pid:
            os.killpg(process.pid, signal.SIGTERM)
        else:
            process.terminate()
    try:
        out, err = process.communicate(timeout=60)
    except subprocess.TimeoutExpired:
        process.kill()
        out, err = process.communicate()
    return (out or "") + (err or "")


def run(
    command: Sequence[str | Path],
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    quiet_s: float = 240.0,
) -> subprocess.CompletedProcess[str]:
    """`subprocess.run` of a command that may take as long as it gets on."""
    words = [str(word) for word in command]
    process = subprocess.Popen(
        words, cwd=cwd, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    out, err = finish(process, quiet_s=quiet_s)
    return subprocess.CompletedProcess(words, process.returncode, out, err)
