"""Runs of the pipeline with every tool played by fake-tool: scripts, shells and files are real, the work is not.

In: a samplesheet. Out: the run, and the words that each tool was called with.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

TOOLS = ("prep", "encode", "train", "generate", "evidence", "backmap", "evaluate", "report")


@dataclass(frozen=True)
class Fakes:
    """A folder of tools, and what they were told."""

    folder: Path

    @property
    def log(self) -> Path:
        return self.folder / "calls"

    @property
    def go(self) -> Path:
        """Tools that stop wait for this file."""
        return self.folder / "go"

    def arguments(self, *more: str) -> list[str]:
        """Of `nextflow run`: tasks find the fakes first."""
        return ["-c", str(self.folder / "fakes.config"), *more]

    def calls(self, tool: str) -> list[list[str]]:
        """The words of each call of `tg-<tool>`."""
        files = sorted(path for path in self.log.glob(f"tg-{tool}.*") if path.suffix != ".waits")
        return [path.read_bytes().decode().split("\0")[:-1] for path in files]

    def waits(self, tool: str) -> bool:
        return (self.log / f"tg-{tool}.waits").exists()


def fakes(folder: Path, *, stop: str = "", when: str = "half") -> Fakes:
    """Tools in `folder`; `tg-<stop>` halts with half of its files, or with all of them and before its end."""
    tools = Fakes(folder)
    tools.log.mkdir(parents=True, exist_ok=True)
    for name in TOOLS:
        (folder / f"tg-{name}").unlink(missing_ok=True)
        (folder / f"tg-{name}").symlink_to(Path(__file__).parent / "fake-tool")
    (folder / "fakes.config").write_text(
        f"env.PATH = '{folder}:/usr/local/bin:/usr/bin:/bin'\n"
        f"env.FAKE_LOG = '{tools.log}'\nenv.FAKE_GO = '{tools.go}'\n"
        f"env.FAKE_STOP = '{f'tg-{stop}' if stop else ''}'\nenv.FAKE_STOP_WHEN = '{when}'\n"
        "process.resourceLimits = [cpus: 1, memory: '1.GB']\nexecutor.pollInterval = '1 sec'\n"
    )
    return tools
