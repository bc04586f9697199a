"""A head that is killed with SIGKILL in the midst of a run: -resume ends at the files of an undisturbed run.

The tools are fakes that stop where the test wants them to, so that every moment can be met; their scripts, Nextflow's
shell with its noclobber, and the work directories that are used a second time are real.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.pipeline import nextflow
from tests.pipeline.conftest import write_tiny_sheet
from tests.pipeline.fakes import fakes

pytestmark = [pytest.mark.usefixtures("needs_nextflow"), pytest.mark.slow]
MOMENTS = (
    ("prep", "half"), ("generate", "half"), ("generate", "done"), ("backmap", "half"), ("evaluate", "done"),
    ("report", "half"),
)  # fmt: skip
PUBLISHED = ("annotation", "evaluation", "report", "prep")


def wait_for(condition: Callable[[], object], process_ended: Callable[[], object]) -> None:
    """No clock but pytest's own: until it is so, or the process that should make it so has ended."""
    while not condition():
        assert process_ended() is None, "the run ended before"
        time.sleep(0.2)


def published(folder: Path) -> dict[str, bytes]:
    files = [path for name in PUBLISHED for path in (folder / name).rglob("*") if path.is_file()]
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def test_a_killed_head_is_resumed_from_every_moment(tmp_path: Path) -> None:
    """Six kills of one run, each in a later task: every resumed head meets work directories that are in use."""
    sheet = write_tiny_sheet(tmp_path, samples=("one",))
    whole = nextflow.run(*fakes(tmp_path / "whole").arguments("--input", str(sheet)), launch_dir=tmp_path / "whole")
    assert whole.code == 0, whole.text

    stopped = tmp_path / "stopped"
    for tool, when in MOMENTS:
        tools = fakes(stopped, stop=tool, when=when)
        (tools.log / f"tg-{tool}.waits").unlink(missing_ok=True)
        process = nextflow.start(
            *tools.arguments("--input", str(sheet), "-resume"), launch_dir=stopped, outdir=stopped / "results"
        )
        try:
            wait_for(lambda tools=tools, tool=tool: tools.waits(tool), process.poll)
        finally:
            os.kill(process.pid, signal.SIGKILL)  # the head alone: its task lives on, as it does on a cluster
            process.wait(60)
    tools.go.touch()  # what still waits goes on, beside the run that takes over
    done = nextflow.run(*fakes(stopped).arguments("--input", str(sheet), "-resume"), launch_dir=stopped)
    assert done.code == 0, done.text
    assert published(done.outdir) == published(whole.outdir)
    # a task whose first process still writes beside the last head may be found finished, or be run once more
    ended = done.count("CACHED") + done.count("COMPLETED")
    assert ended == whole.count("COMPLETED")
    assert len(done.tasks) == ended.total()
