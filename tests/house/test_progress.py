"""Waiting for programs: a slow one may take as long as it gets on, a hanging one is ended."""

from __future__ import annotations

import subprocess
import sys
import time

import psutil
import pytest

from tests import progress

BUSY = "import time\nend = time.process_time() + {s}\nwhile time.process_time() < end: pass\nprint('done')"


def start(code: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", code],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip


def test_a_program_that_gets_on_may_take_longer_than_the_limit() -> None:
    began = time.monotonic()
    out, _ = progress.finish(start(BUSY.format(s=2)), quiet_s=0.5, look_every=0.2)
    assert out == "done\n"
    assert time.monotonic() - began > 1.5


def test_so_may_one_whose_children_do() -> None:
    code = f"import subprocess, sys\nsubprocess.run([sys.executable, '-c', {BUSY.format(s=2)!r}])"
    assert progress.finish(start(code), quiet_s=1.0, look_every=0.2)[0] == "done\n"


def test_a_program_that_hangs_is_ended_and_what_it_said_is_kept() -> None:
    hanging = start("import time\nprint('before', flush=True)\ntime.sleep(600)")
    with pytest.raises(AssertionError, match="before"):
        progress.finish(hanging, quiet_s=1.0, look_every=0.2)
    assert hanging.poll() is not None
    assert not psutil.pid_exists(hanging.pid)
