"""One meaning of `--json`, one place of each default, no flag in a message that its tool lacks."""

from __future__ import annotations

import ast
import dataclasses
import importlib
import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import typer.main
from typer.testing import CliRunner

from transgenic_tools.choices import SHARD_BASES
from transgenic_tools.cli._options import _with_any_file, _with_files

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "transgenic_tools"
TOOLS = sorted(
    path.stem for path in (PACKAGE / "cli").glob("[a-z]*.py") if path.stem != "entry" and "_" not in path.stem
)
#: Commands of a tool stand in files `prep_lift.py`; everything else a tool says comes from what it imports.


def commands_of(tool: str) -> dict[str, Any]:
    """Commands by name; a tool without any has one of its own name."""
    command = typer.main.get_command(importlib.import_module(f"transgenic_tools.cli.{tool}").app)
    return {**getattr(command, "commands", {}), "": command}


def parameters(tool: str) -> Iterator[tuple[str, Any]]:
    for name, command in commands_of(tool).items():
        for parameter in command.params:
            yield name, parameter


# -- --json ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "plain"),
    [
        (["--json"], ["--json=-"]),
        (["--json-summary", "x"], ["--json=-", "x"]),
        (["--json", "shards", "-o", "out"], ["--json=-", "shards", "-o", "out"]),
        (["--json", "-q"], ["--json=-", "-q"]),
        (["--json", "a.json", "shards"], ["--json", "a.json", "shards"]),
        (["--json", "-", "shards"], ["--json", "-", "shards"]),
        (["--json=a.txt"], ["--json=a.txt"]),
        (["--", "--json"], ["--", "--json"]),
    ],
)
def test_json_may_stand_alone(given: list[str], plain: list[str]) -> None:
    assert _with_files(given) == plain


@pytest.mark.parametrize("flags", [["--json"], ["--json-summary"], ["--json", "-"], ["--json", "{tmp}/a.json"]])
def test_json_is_the_result_in_every_spelling(flags: list[str], tmp_path: Path) -> None:
    from transgenic_tools.cli.prep import app

    (tmp_path / "g.fa").write_text(">a\nACGT\n")
    (tmp_path / "a.gff3").write_text("##gff-version 3\n")
    sheet = tmp_path / "s.csv"
    sheet.write_text("sample,fasta,annotation\none,g.fa,a.gff3\n")
    words = [word.format(tmp=tmp_path) for word in flags]
    done = CliRunner().invoke(app, ["samplesheet", str(sheet), *words, "-q"])
    assert done.exit_code == 0, done.output
    said = (tmp_path / "a.json").read_text() if "{tmp}" in flags[-1] else done.stdout
    assert json.loads(said)["samples"][0]["sample"] == "one"


@pytest.mark.parametrize(
    ("given", "plain"),
    [
        (["--json"], ["--json=-"]),
        (["--json", "-q"], ["--json=-", "-q"]),
        (["--json", "a.txt", "-q"], ["--json", "a.txt", "-q"]),
        (["--json", "-"], ["--json", "-"]),
        (["--json-summary", "--json", "--", "--json"], ["--json-summary", "--json=-", "--", "--json"]),
        (["-r", "a", "--json=b"], ["-r", "a", "--json=b"]),
    ],
)
def test_of_the_evaluation_it_may_stand_alone_too(given: list[str], plain: list[str]) -> None:
    assert _with_any_file(given) == plain


@pytest.mark.parametrize("tool", TOOLS)
def test_every_command_has_it(tool: str) -> None:
    names = {name for name, parameter in parameters(tool) if "--json" in parameter.opts}
    commands = set(commands_of(tool)) - {""} if tool in ("prep", "evidence", "scan") else {""}
    assert commands <= names


# -- defaults ----------------------------------------------------------------------------------------------------------


def configs_of(tool: str) -> dict[str, Any]:
    """Defaults of the stage's config and of its parts, by field."""
    found: dict[str, Any] = {}
    module = importlib.import_module(f"transgenic_tools.{tool}.config")
    kinds = [value for value in vars(module).values() if isinstance(value, type) and dataclasses.is_dataclass(value)]
    for value in sorted(kinds, key=lambda kind: kind.__module__ != module.__name__):  # its own before imported ones
        for field in dataclasses.fields(value):
            if field.default is not dataclasses.MISSING:
                found.setdefault(field.name, field.default)
    return found


@pytest.mark.parametrize("tool", [tool for tool in TOOLS if tool != "train"])
def test_a_flag_has_the_default_of_its_config(tool: str) -> None:
    """tg-train's flags have none: they overrule a preset only where they are given."""
    compared = 0
    for command, parameter in parameters(tool):
        wanted = configs_of(tool)
        if (
            command not in ("", "genes", "gather", "loci")
            or parameter.name not in wanted
            or parameter.default in (None, False)
        ):
            continue
        default, held = parameter.default, wanted[parameter.name]
        assert (default == held) or (tool, parameter.name) == ("scan", "part"), (tool, parameter.name, default, held)
        compared += 1
    assert compared or tool in ("evaluate", "report")


def test_no_command_writes_a_number_again_that_its_config_has() -> None:
    """A literal as the default of a flag stands there only where the config has no such field."""
    for tool in ("prep", "generate", "encode", "scan", "backmap"):
        fields = configs_of(tool)
        tree = ast.parse((PACKAGE / "cli" / f"{tool}.py").read_text())
        for function in (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)):
            arguments = function.args.args[len(function.args.args) - len(function.args.defaults) :]
            for argument, default in zip(arguments, function.args.defaults, strict=True):
                if isinstance(default, ast.Constant) and type(default.value) in (int, float) and argument.arg in fields:
                    assert argument.arg == "verbose", f"cli/{tool}.py: {argument.arg} = {default.value}"


def test_the_pipeline_has_the_same_defaults() -> None:
    schema = json.loads((ROOT / "nextflow_schema.json").read_text())
    defaults = {
        name: value.get("default")
        for group in schema["$defs"].values()
        for name, value in group["properties"].items()
    }  # fmt: skip
    from transgenic_tools.generate.config import Config
    from transgenic_tools.search.config import DecodingConfig

    assert defaults["shard_bases"] == SHARD_BASES
    assert defaults["batch_bases"] == Config.batch_bases
    assert defaults["min_region"] == Config.min_region
    for name in ("decoding", "num_beams", "max_isoforms", "seed"):
        assert defaults[name] == getattr(DecodingConfig, name), name
    config = (ROOT / "nextflow.config").read_text()
    for name in ("shard_bases", "batch_bases", "num_beams", "max_isoforms"):
        (value,) = re.findall(rf"^\s+{name}\s+= (\d+)", config, flags=re.MULTILINE)
        assert int(value) == defaults[name], name


def test_configs_take_names_alone() -> None:
    for path in PACKAGE.glob("*/config.py"):
        module = importlib.import_module(f"transgenic_tools.{path.parent.name}.config")
        if hasattr(module, "Config"):
            kinds = {field.kw_only for field in dataclasses.fields(module.Config)}
            assert kinds == {True}, path


# -- flags in messages -------------------------------------------------------------------------------------------------


@cache
def imports_of(path: Path) -> frozenset[Path]:
    """Modules of the package that a module imports, at its top or within a function."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        names = []
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("transgenic_tools"):
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names if alias.name.startswith("transgenic_tools")]
        for name in names:
            base = ROOT / name.replace(".", "/")
            found |= {one for one in (base.with_suffix(".py"), base / "__init__.py") if one.exists()}
    return frozenset(found)


def reached_by(tool: str) -> set[Path]:
    waiting, seen = [PACKAGE / "cli" / f"{tool}.py"], set[Path]()
    while waiting:
        path = waiting.pop()
        if path not in seen:
            seen.add(path)
            waiting += imports_of(path)
    return seen


#: Of other programs, named as theirs.
ELSEWHERE = {"--nproc_per_node", "--keep-genes"}

#: Of stages that a tool runs too: it never sets them, so nothing is said about them there.
UNSET = {
    "annotate": {
        "--into", "--index", "--rejects", "--fasta", "--prediction", "--split", "--shards", "--calibration", "--outdir",
        "--condition-scale", "--usage", "--complete",
        "--jitter", "--max-length", "--min-score", "--routine", "--contig-end", "--overlap", "--folds", "--strict",
        "--min-intron", "--max-intron",
    },
    "generate": {"--min-intron", "--max-intron"},
    "train": {"--add-utrs", "--against", "--complete", "--condition", "--max-length"},
}  # fmt: skip


def said_in(path: Path) -> Iterator[str]:
    """Texts that a user may see: arguments of errors, of logging and of warnings."""
    for node in ast.walk(ast.parse(path.read_text())):
        if not isinstance(node, ast.Call):
            continue
        name = ast.unparse(node.func).split(".")[-1]
        if not (name.endswith("Error") or name in ("warning", "info", "error", "Reject", "Finding")):
            continue
        for part in ast.walk(node):
            if isinstance(part, ast.Constant) and isinstance(part.value, str) and "--" in part.value:
                yield part.value


def flags_of(tool: str) -> set[str]:
    return {flag for _, parameter in parameters(tool) for flag in (*parameter.opts, *parameter.secondary_opts)} | {
        "--help",
        "--json-summary",
    }


@pytest.mark.parametrize("tool", TOOLS)
def test_a_message_names_no_flag_that_its_tool_lacks(tool: str) -> None:
    """A flag behind a tool's name (`tg-prep genes --split`) is that tool's."""
    known, wrong = flags_of(tool), []
    for path in sorted(reached_by(tool)):
        for text in said_in(path):
            for found in re.finditer(r"--[a-z][a-z-]+", text):
                owners = re.findall(r"\btg-([a-z]+)", text[: found.start()])
                owners += re.findall(r"^ of tg-([a-z]+)", text[found.end() :])
                flags = flags_of(owners[-1]) if owners else known
                if found.group() not in flags | ELSEWHERE | UNSET.get(tool, set()):
                    wrong.append(f"{path.relative_to(ROOT)} names {found.group()}: {text!r}")
    assert not wrong
