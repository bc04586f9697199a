"""Every command in README.md and docs/usage.md: run here, or checked against the tools' flags and the schema.

A fenced block says how in its info string: `run` (executed), `pipeline` (its parameters and profiles are checked; the
runs themselves stand in test_stub.py and test_demo.py), `setup` (make targets that exist), `cluster` (checked like
`pipeline`, needs a cluster to run).
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.pipeline.nextflow import ROOT
from tests.pipeline.test_schema import options_of, schema_params

PAGES = ("README.md", "docs/usage.md")
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
    command = words[1] if tool == "prep" else None
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
        done = subprocess.run(
            shlex.split(command), cwd=tmp_path, env=env, capture_output=True, text=True, timeout=600, check=False
        )
        assert done.returncode == 0, f"{command}\n{done.stderr}"
