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


#: Subcommands of tools that modules call.
COMMANDS = ("genes", "split", "folds", "jbrowse", "gather", "usage", "loci", "join")


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
        uses = len(re.findall(rf"\b(params|settings|given)\.{name}\b", text))
        assert uses >= 1, f"--{name} does nothing"


def test_versions_agree() -> None:
    config = (ROOT / "nextflow.config").read_text()
    assert re.search(r"^    version += '(.*)'$", config, flags=re.MULTILINE).group(1) == __version__  # type: ignore[union-attr]
    assert f":{__version__}-thin" in schema_params()["thin_image"]["default"]
    assert set(re.findall(r"transgenic-tools:([\d.]+)", config)) == {__version__}


def parameters_of(tool: str, command: str | None) -> list[set[str]]:
    """The names of each flag of a tool, arguments without a flag left out."""
    app = importlib.import_module(f"transgenic_tools.cli.{tool}").app
    found: Any = typer.main.get_command(app)
    if command:
        found = found.commands[command]
    named = [{*parameter.opts, *parameter.secondary_opts} for parameter in found.params]
    return [names for names in named if any(name.startswith("-") for name in names)]


def options_of(tool: str, command: str | None) -> set[str]:
    return set().union(*parameters_of(tool, command))


def table_of_flags() -> dict[str, dict[str, str]]:
    """modules/local/flags.nf: module -> flag -> the expression that its value comes from."""
    text = (ROOT / "modules" / "local" / "flags.nf").read_text()
    body = text.split("    return [\n", 1)[1].split("\n    ]\n", 1)[0]
    tables = dict(re.findall(r"^        (\w+): \[\n(.*?)^        \],$", body, flags=re.MULTILINE | re.DOTALL))
    return {
        module: dict(re.findall(r"^            '(--[\w-]+)': (.*),$", block, flags=re.MULTILINE))
        for module, block in tables.items()
    }


def flags_of(module: Path) -> tuple[str, str | None, set[str]]:
    """(tool, sub-command, flags) that a module's script passes by itself and by the table of flags."""
    script = module.read_text().split("    script:", 1)[1].split("    stub:", 1)[0]
    call = re.search(r"^    (tg-\w+)(?: (\w+))?", script, flags=re.MULTILINE)
    assert call, f"{module} calls no tool"
    tool, command = call.groups()
    text = re.sub(r"tg-\w+ --version[^\n]*", "", script)
    if "filesOf(" in script:  # its files come by kind, and kinds are flags
        pairing = (ROOT / "subworkflows" / "local" / "report" / "main.nf").read_text()
        for_browsers = set(re.findall(r"'(\w+)'", pairing.split("item.kind in [")[1].split("]")[0]))
        workflows = "".join(path.read_text() for path in (ROOT / "workflows").glob("*.nf"))
        kinds = set(re.findall(r"kind: '(\w+)'", workflows))
        text += " ".join(f"--{kind}" for kind in (for_browsers & kinds if command == "jbrowse" else kinds - {"track"}))
    table = table_of_flags().get(module.parent.name.removeprefix("tg_"), {})
    return tool.removeprefix("tg-"), command, set(re.findall(r"(?<![\w-])--[a-z][a-z0-9-]+", text)) | set(table)


@pytest.mark.parametrize("module", MODULES, ids=lambda path: path.parent.name)
def test_every_flag_that_a_module_passes_exists(module: Path) -> None:
    tool, command, flags = flags_of(module)
    assert flags, f"{module} passes no flag"
    assert flags <= options_of(tool, command if command in COMMANDS else None)


#: Flags that no parameter stands for, and why: every other flag of a tool can be set from the pipeline.
LEFT_OUT = {
    "all": {
        "--version": "of tools run by hand", "--verbose": "of tools run by hand", "--quiet": "of tools run by hand",
        "--json": "the result for programs; generate.json and the evaluation alone are read",
        "--json-summary": "the old spelling of --json", "--overwrite": "a task begins anew",
        "--help": "of tools run by hand", "--install-completion": "of shells", "--show-completion": "of shells",
    },
    "prep genes": {
        "--flank": "short for --upstream and --downstream",
        "--jitter": "windows of random flanks, for benchmarks and experiments with tg-train alone",
        "--seed": "of --jitter alone",
        "--routine": "windows shortened to known exons, for experiments with tg-train alone",
        "--overlap": "of --routine alone",
        "--min-isoforms": "picks genes by their known transcripts, for experiments",
        "--max-isoforms": "picks genes by their known transcripts, for experiments",
        "--longest": "throws known isoforms away, for experiments",
        "--group-by": "a tag that nobody knows; the usual ones are tried by themselves",
    },
    "scan loci": {
        "--seqid": "a part of a genome, for benchmarks",
        "--carry": "reads windows again, for comparisons",
    },
    "evidence gather": {"--loci": "a share for people who look at one genome"},
    "evidence usage": {},
    "encode": {"--pool": "must be that of the model's mapping"},
    "generate": {
        "--scan-model": "of --min-region; the embedded models belong together",
        "--fasta": "of evidence that is not gathered yet", "--aliases": "of evidence that is not gathered yet",
        "--usage": "the genome's evidence has the reads beside differences",
    },
    "backmap": {
        "--index": "the pipeline's files are not packed",
        "--max-isoforms": "tg-generate has written no more than the parameter --max_isoforms",
    },
    "evaluate": {
        "--seqid": "a part of a genome, for benchmarks", "--start": "a part of a genome, for benchmarks",
        "--end": "a part of a genome, for benchmarks", "--gene-list": "a part of a genome, for benchmarks",
        "--homologs": "strata of a benchmark", "--calibration": "predictions of the pipeline always carry scores",
        "--missing-chains": "of one genome's reads; tg-evaluate alone",
        "--echo": "the prompt beside an augmented annotation, for benchmarks",
    },
    "train": {
        name: "stands in the preset (--preset), which may be a file of the user's"
        for name in (
            "--set", "--stage", "--weights", "--revision", "--allow-download", "--trust-remote-code", "--peft",
            "--rank", "--freeze", "--steps", "--decoder-steps", "--batch-bases", "--accumulate", "--max-bases",
            "--learning-rate", "--optimizer", "--precision", "--ema", "--eval-every", "--save-every", "--augment",
            "--encodings", "--stream", "--workers", "--deepspeed", "--no-resume", "--ignore-memory",
        )
    } | {"--rounds": "of --self-train; once in the pipeline, which annotates with what came of it"} | {
        name: "a layer on a finished model, from a table and counts of the user's; tg-train alone"
        for name in (
            "--conditions", "--usage", "--condition-inputs", "--condition-scale", "--condition-rank",
            "--condition-members", "--epochs", "--trunk-rate",
        )
    },
    "report": {
        "--params": "pipeline_info has them", "--model": "pipeline_info has its path",
    },
    "scan join": {},
    "report folds": {},
    "report jbrowse": {},
    "prep split": {},
}  # fmt: skip


@pytest.mark.parametrize("module", MODULES, ids=lambda path: path.parent.name)
def test_every_flag_of_a_tool_has_a_parameter_or_a_reason(module: Path) -> None:
    tool, command, flags = flags_of(module)
    command = command if command in COMMANDS else None
    left_out = {**LEFT_OUT["all"], **LEFT_OUT[f"{tool} {command}" if command else tool]}
    parameters = parameters_of(tool, command)
    without = [names for names in parameters if not names & (flags | set(left_out))]
    assert not without, f"tg-{tool}: no parameter sets {without}, and nothing says why"
    known = set().union(*parameters) | {"--help"}
    stale = set(LEFT_OUT[f"{tool} {command}" if command else tool]) - known
    assert not stale, f"tg-{tool} has no {stale} to leave out"
    assert not flags & set(left_out) - {"--json"}, "left out, and passed"


def test_every_flag_in_the_table_comes_from_a_parameter() -> None:
    rules = schema_params()
    by_mode = {"--complete", "--split", "--device", "--folds", "--paired-only"}  # and by other parameters
    seen = 0
    for flags in table_of_flags().values():
        for flag, value in flags.items():
            names = set(re.findall(r"settings\.(\w+)", value))
            assert names <= set(rules)
            assert names or flag in by_mode or flag == "--batch-bases", f"{flag} has the value {value}"
            seen += len(names)
    assert seen > 30


@pytest.mark.parametrize("module", MODULES, ids=lambda path: path.parent.name)
def test_every_input_and_every_variable_of_a_module_is_used(module: Path) -> None:
    """A flag that is put together but never passed is silent: three modules once did that."""
    text = module.read_text()
    script = text.split("    script:", 1)[1].split("    stub:", 1)[0]
    inputs = text.split("    input:", 1)[1].split("    output:", 1)[0]
    names = set(re.findall(r"^ +(?:path|val) (\w+)|\b(?:path|val)\((\w+)", inputs, flags=re.MULTILINE))
    names = {name for pair in names for name in pair if name} - {"meta"}
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
    for word in ("tag ", "label 'image_", "task.ext.args", "stub:", "versions.yml", "emit:"):
        assert word in text, f"{module} lacks {word!r}"
    outputs = text.split("    output:", 1)[1].split("    script:", 1)[0]
    for line in outputs.strip().splitlines():
        assert re.search(r"emit: \w+.* // \S", line), f"{module}: an emission without its shape: {line}"
    inputs = text.split("    input:", 1)[1].split("    output:", 1)[0]
    assert len(re.findall(r"^    (val|path|tuple) ", inputs, flags=re.MULTILINE)) <= 6


def test_main_is_short() -> None:
    assert len((ROOT / "main.nf").read_text().splitlines()) <= 80
