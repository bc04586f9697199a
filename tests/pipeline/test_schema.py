"""nextflow_schema.json, nextflow.config, the modules' flags and the tools agree."""

from __future__ import annotations

import ast
import importlib
import json
import re
from pathlib import Path
from typing import Any

import pytest
import typer

from tests.pipeline import nextflow
from transgenic_tools import __version__

ROOT = nextflow.ROOT
MODULES = sorted((ROOT / "modules" / "local").glob("tg_*/main.nf"))
#: Read by people and by Seqera Platform, not by the pipeline.
FOR_READERS = {"config_profile_name", "config_profile_description"}


def schema_params() -> dict[str, dict[str, Any]]:
    schema = json.loads((ROOT / "nextflow_schema.json").read_text())
    assert [entry["$ref"] for entry in schema["allOf"]] == [f"#/$defs/{name}" for name in schema["$defs"]]
    return {name: rule for group in schema["$defs"].values() for name, rule in group["properties"].items()}


def config_params(launch_dir: Path) -> dict[str, Any]:
    text = nextflow.flat_config("standard", launch_dir=launch_dir)
    found = dict(re.findall(r"^params\.(\w+) = (.*)$", text, flags=re.MULTILINE))
    words = {"null": None, "true": True, "false": False}
    return {name: words[value] if value in words else ast.literal_eval(value) for name, value in found.items()}


@pytest.mark.usefixtures("needs_nextflow")
def test_schema_and_configuration_hold_the_same_parameters(tmp_path: Path) -> None:
    rules, params = schema_params(), config_params(tmp_path)
    assert set(rules) == set(params)
    for name, value in params.items():
        if name == "trace_report_suffix":
            continue
        expected = rules[name].get("default")
        if isinstance(expected, str):
            expected = expected.replace("${projectDir}", "<root>")
        assert value == expected, f"--{name}: {value!r} in nextflow.config, {expected!r} in nextflow_schema.json"


def test_every_parameter_is_described() -> None:
    for name, rule in schema_params().items():
        assert rule["description"].endswith("."), name
        assert rule["type"] in {"string", "integer", "boolean", "number"}, name


def test_every_parameter_is_used() -> None:
    sources = [ROOT / "main.nf", ROOT / "nextflow.config", *(ROOT / "conf").glob("*.config")]
    sources += [path for folder in ("workflows", "subworkflows", "modules") for path in (ROOT / folder).rglob("*.nf")]
    text = "\n".join(path.read_text() for path in sources)
    for name in set(schema_params()) - FOR_READERS:
        uses = len(re.findall(rf"\bparams\.{name}\b", text))
        assert uses >= 1, f"--{name} does nothing"


def test_versions_agree() -> None:
    config = (ROOT / "nextflow.config").read_text()
    assert re.search(r"^    version += '(.*)'$", config, flags=re.MULTILINE).group(1) == __version__  # type: ignore[union-attr]
    assert f":{__version__}-thin" in schema_params()["thin_image"]["default"]


def options_of(tool: str, command: str | None) -> set[str]:
    app = importlib.import_module(f"transgenic_tools.cli.{tool}").app
    found: Any = typer.main.get_command(app)
    if command:
        found = found.commands[command]
    return {name for parameter in found.params for name in (*parameter.opts, *parameter.secondary_opts)}


def flags_of(module: Path) -> tuple[str, str | None, set[str]]:
    """(tool, sub-command, flags) that a module's script and its ext.args pass."""
    script = module.read_text().split("    script:", 1)[1].split("    stub:", 1)[0]
    name = module.parent.name.upper()
    config = (ROOT / "conf" / "modules.config").read_text()
    block = re.search(rf"withName: {name} \{{(.*?)\n    \}}", config, flags=re.DOTALL)
    call = re.search(r"^    (tg-\w+)(?: (\w+))?", script, flags=re.MULTILINE)
    assert call, f"{name} calls no tool"
    tool, command = call.groups()
    own = re.sub(r"ext\.launcher .*?\n        \}", "", block.group(1), flags=re.DOTALL) if block else ""
    text = re.sub(r"tg-\w+ --version[^\n]*", "", script) + own
    return tool.removeprefix("tg-"), command, set(re.findall(r"(?<![\w-])--[a-z][a-z0-9-]+", text))


@pytest.mark.parametrize("module", MODULES, ids=lambda path: path.parent.name)
def test_every_flag_that_a_module_passes_exists(module: Path) -> None:
    tool, command, flags = flags_of(module)
    assert flags, f"{module} passes no flag"
    assert flags <= options_of(tool, command if command in ("genes", "split") else None)


@pytest.mark.parametrize("module", MODULES, ids=lambda path: path.parent.name)
def test_every_input_and_every_variable_of_a_module_is_used(module: Path) -> None:
    """A flag that is put together but never passed is silent: three modules once did that."""
    text = module.read_text()
    script = text.split("    script:", 1)[1].split("    stub:", 1)[0]
    inputs = text.split("    input:", 1)[1].split("    output:", 1)[0]
    names = set(re.findall(r"\b(?:path|val)[( ](\w+)", inputs)) - {"meta"}
    for name in names:
        assert re.search(rf"\b{name}\b", script), f"{module}: input '{name}' does nothing"
    lines = re.sub(r"//.*", "", script).splitlines()
    for position, line in enumerate(lines):
        if defined := re.match(r"    (?:def )?(\w+) += ", line):
            elsewhere = "\n".join(lines[:position] + lines[position + 1 :])
            assert re.search(rf"\b{defined.group(1)}\b", elsewhere), f"{module}: '{defined.group(1)}' does nothing"


@pytest.mark.parametrize("module", MODULES, ids=lambda path: path.parent.name)
def test_modules_have_what_a_module_has(module: Path) -> None:
    text = module.read_text()
    for word in ("tag ", "label ", "container ", "task.ext.args", "task.ext.when", "stub:", "versions.yml", "emit:"):
        assert word in text, f"{module} lacks {word!r}"
    inputs = text.split("    input:", 1)[1].split("    output:", 1)[0]
    assert len(re.findall(r"^    (val|path|tuple) ", inputs, flags=re.MULTILINE)) <= 6


def test_main_is_short() -> None:
    assert len((ROOT / "main.nf").read_text().splitlines()) <= 80
