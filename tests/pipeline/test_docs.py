"""Every command in README.md and docs/usage.md: run here, or checked against the tools' flags and the schema.

A fenced block says how in its info string: `run` (executed), `pipeline` (executed with stubs in place of the tools;
test_demo.py and test_modes.py run each mode for real), `setup` (make targets that exist), `cluster` (parameters and
profiles are checked; needs a cluster to run). Names in running text are checked on further pages too.
"""

from __future__ import annotations

import os
import re
import shlex
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests import progress
from tests.pipeline import nextflow
from tests.pipeline.conftest import write_tiny_sheet
from tests.pipeline.nextflow import ROOT
from tests.pipeline.test_schema import options_of, schema_params

PAGES = ("README.md", "docs/usage.md")
#: Their commands stand in running text.
TEXT_PAGES = (*PAGES, "docs/output.md", "docs/troubleshooting.md")
TOOLS = ("annotate", "prep", "encode", "train", "generate", "backmap", "evaluate", "report")
#: Flags of Nextflow, of SLURM and of container engines.
ELSEWHERE = {"--help", "--version", "--gpus", "--constraint", "--gres", "--me", "--nv", "--device"}
KINDS = {"run", "pipeline", "setup", "cluster"}


@dataclass(frozen=True)
class Block:
    page: str
    kind: str
    commands: tuple[str, ...]


def blocks() -> list[Block]:
    found = []
    for page in PAGES:
        for info, body in re.findall(r"^```bash ?(\w*)\n(.*?)^```", (ROOT / page).read_text(), flags=re.M | re.S):
            lines = body.replace("\\\n", " ").splitlines()
            commands = [re.sub(r"\s+#.*$", "", line).strip() for line in lines]
            found.append(Block(page, info, tuple(command for command in commands if command)))
    return found


def test_every_block_says_how_it_is_checked() -> None:
    assert len(blocks()) >= 8
    for block in blocks():
        assert block.kind in KINDS, f"{block.page}: a block without a kind: {block.commands}"


def profiles() -> set[str]:
    config = (ROOT / "nextflow.config").read_text().split("\nprofiles {\n", 1)[1].split("\n}\n", 1)[0]
    return set(re.findall(r"^    (\w+) \{", config, flags=re.MULTILINE))


def check_nextflow(words: list[str]) -> None:
    for position, word in enumerate(words):
        if word.startswith("--"):
            assert word[2:] in schema_params(), f"{word} is no parameter"
        if word == "-profile":
            assert set(words[position + 1].split(",")) <= profiles()


def check_tool(words: list[str]) -> None:
    tool = words[0].removeprefix("tg-")
    command = words[1] if tool == "prep" or words[1] in ("gene", "folds", "jbrowse") else None
    flags = {word for word in words if word.startswith("--")}
    assert flags <= options_of(tool, command)


@pytest.mark.parametrize("block", blocks(), ids=lambda block: f"{block.page}:{block.commands[0][:40]}")
def test_names_in_commands_exist(block: Block) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE))
    for command in block.commands:
        words = shlex.split(command)
        if words[0] == "sbatch":
            words = shlex.split(words[words.index("--wrap") + 1])
        if words[0] == "make":
            assert words[1] in targets
        elif words[0].endswith("nextflow"):
            check_nextflow(words)
        elif words[0] == "pip":
            assert words == ["pip", "install", "."]  # tests/house/test_wheel.py does so
        elif words[0].startswith("tg-"):
            check_tool(words)
        else:
            pytest.fail(f"{block.page}: nothing checks this command: {command}")


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES)
def test_commands_marked_run_do_run(page: str, tmp_path: Path) -> None:
    (tmp_path / "assets").symlink_to(ROOT / "assets")
    env = {**os.environ, "PATH": f"{ROOT / '.venv' / 'bin'}:{os.environ['PATH']}"}
    commands = [
        command for block in blocks() if block.page == page and block.kind == "run" for command in block.commands
    ]
    assert commands
    for command in commands:
        done = progress.run(shlex.split(command), cwd=tmp_path, env=env)
        assert done.returncode == 0, f"{command}\n{done.stderr}"


@pytest.mark.slow
@pytest.mark.usefixtures("needs_nextflow")
@pytest.mark.parametrize("page", PAGES)
def test_commands_marked_pipeline_do_run(page: str, tmp_path: Path) -> None:
    """One after another in one folder, as a reader would; tools are stubs, parameters, profiles and paths are not."""
    (tmp_path / "assets").symlink_to(ROOT / "assets")
    write_tiny_sheet(tmp_path, samples=("one",))
    commands = [c for block in blocks() if block.page == page and block.kind == "pipeline" for c in block.commands]
    for command in commands:
        words = shlex.split(command)
        assert words[:3] in (["nextflow", "run", "."], ["bin/nextflow", "run", "."]), command
        done = progress.run(
            [nextflow.NEXTFLOW, "run", ROOT, "-ansi-log", "false", "-stub-run", *words[3:]],
            cwd=tmp_path, env=nextflow.environment(),
        )  # fmt: skip
        assert done.returncode == 0, f"{command}\n{done.stdout}"


@pytest.mark.parametrize("page", TEXT_PAGES)
def test_flags_targets_and_parts_in_running_text_exist(page: str) -> None:
    text = re.sub(r"^```.*?^```", "", (ROOT / page).read_text(), flags=re.M | re.S)
    known = {f"--{name}" for name in schema_params()} | ELSEWHERE
    for tool in TOOLS:
        for command in ("genes", "samplesheet", "lift") if tool == "prep" else (None,):
            known |= options_of(tool, command)
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE))
    parts = set(re.findall(r"^    ([a-z| ]+)\) ", (ROOT / "bin" / "bootstrap").read_text(), flags=re.MULTILINE))
    parts = {part.strip() for group in parts for part in group.split("|")}
    spans = re.findall(r"`([^`]+)`", text)
    assert spans
    for span in spans:
        script = re.match(r"bin/[\w-]+", span)  # of this repository: it holds its own flags
        here = (ROOT / script.group()).read_text() if script else known
        for flag in re.findall(r"(?<![\w-])--[a-z][\w-]*", span):
            assert flag in here, f"{page}: {flag} is nowhere"
        for target in re.findall(r"\bmake ([a-z][a-z-]+)", span):
            assert target in targets, f"{page}: make {target}"
        if called := re.fullmatch(r"bin/bootstrap ([a-z ]+)", span):
            assert set(called.group(1).split()) <= parts, f"{page}: {span}"
