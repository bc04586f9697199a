"""Run Nextflow from a test.

In: arguments of `nextflow run`. Out: a frozen record of what it said and wrote.
A surprise: the launch directory is the test's own, so -resume, the log and work/ never meet those of another test.
"""

from __future__ import annotations

import csv
import os
import re
import subprocess
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests import progress

ROOT = Path(__file__).resolve().parents[2]
NEXTFLOW = ROOT / "bin" / "nextflow"
_SECRETS = ("TOWER_ACCESS_TOKEN", "TOWER_WORKSPACE_ID", "TOWER_API_ENDPOINT")


def missing() -> str | None:
    """Why Nextflow cannot run here, or None."""
    if (ROOT / ".cache" / "nextflow" / "command").exists():
        return None
    return "Nextflow is not set up: run bin/bootstrap"


def environment(extra: Mapping[str, str | None] | None = None) -> dict[str, str]:
    """The environment without Tower's variables, which alone would make Nextflow fetch a plugin; None takes one out."""
    kept = {name: value for name, value in os.environ.items() if name not in _SECRETS}
    given = {**kept, "NXF_ANSI_LOG": "false", "NXF_OPTS": "-Xmx1g", **(extra or {})}
    return {name: value for name, value in given.items() if value is not None}


@dataclass(frozen=True)
class Task:
    """One line of the trace: `process` is the last part of its full name."""

    process: str
    tag: str
    status: str
    exit: str
    attempt: int
    native_id: str
    workdir_hash: str


@dataclass(frozen=True)
class Run:
    """A finished `nextflow run`."""

    code: int
    text: str
    outdir: Path
    launch_dir: Path

    @property
    def tasks(self) -> tuple[Task, ...]:
        """Of the newest trace."""
        trace = max((self.outdir / "pipeline_info").glob("execution_trace_*.txt"))
        with trace.open() as handle:
            return tuple(
                Task(
                    process=row["process"].rsplit(":", 1)[-1],
                    tag=row["tag"],
                    status=row["status"],
                    exit=row["exit"],
                    attempt=int(row["attempt"]),
                    native_id=row["native_id"],
                    workdir_hash=row["hash"],
                )
                for row in csv.DictReader(handle, delimiter="\t")
            )

    def count(self, status: str = "COMPLETED") -> Counter[str]:
        """Tasks of a status by process."""
        return Counter(task.process for task in self.tasks if task.status == status)

    def file(self, name: str) -> Path:
        return self.outdir / name


def command(*arguments: str, outdir: Path) -> list[str]:
    return [str(NEXTFLOW), "run", str(ROOT), "-ansi-log", "false", "--outdir", str(outdir), *arguments]


def start(
    *arguments: str, launch_dir: Path, outdir: Path, env: Mapping[str, str | None] | None = None
) -> subprocess.Popen[str]:
    """A run in a process group of its own, so that a test can end all of it."""
    return subprocess.Popen(
        command(*arguments, outdir=outdir),
        cwd=launch_dir,
        env=environment(env),
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )


def run(
    *arguments: str,
    launch_dir: Path,
    outdir: Path | None = None,
    env: Mapping[str, str | None] | None = None,
    quiet_s: float = 240,
) -> Run:
    """`nextflow run <root> --outdir <outdir> <arguments>`, to its end; see `tests.progress` for `quiet_s`."""
    where = outdir or launch_dir / "results"
    process = start(*arguments, launch_dir=launch_dir, outdir=where, env=env)
    text, _ = progress.finish(process, quiet_s=quiet_s)
    return Run(process.returncode, text, where, launch_dir)


def flat_config(*profiles: str, launch_dir: Path) -> str:
    """`nextflow config -flat`, with this machine's paths and the time stamp taken out."""
    process = subprocess.Popen(
        [str(NEXTFLOW), "config", "-flat", "-profile", ",".join(profiles), str(ROOT)],
        cwd=launch_dir,
        env=environment(),
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    out, err = progress.finish(process)
    assert process.returncode == 0, err
    text = out.replace(str(ROOT), "<root>").replace(str(launch_dir), "<launch>")
    text = re.sub(r"\d{4}-\d\d-\d\d_\d\d-\d\d-\d\d", "<time>", text)
    return re.sub(r"(_nf_config|Script)\w*\$\w+(@\w+)?", "<closure>", text)
