"""Reference pages from the code: tools, parameters, Python, messages.

In: Typer apps, nextflow_schema.json, source files. Out: Markdown by page name.
A surprise: Python and messages are read from the syntax tree, so that a page of torch code is written without torch.
"""

from __future__ import annotations

import ast
import importlib
import json
import re
import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import typer.main

from transgenic_tools import errors
from transgenic_tools.errors import TransgenicError

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "transgenic_tools"
#: What a notebook may want, in the order of the page; everything public in them is described.
MODULES = (
    "transgenic_tools", "genome.interval", "genome.gene", "genome.window", "genome.code", "gsf.parser", "gsf.writer",
    "io.gff3.reader", "io.gff3.writer", "io.fasta", "io.rows", "io.shards", "model.files", "model.transgenic",
    "backmap.config", "backmap.run", "evaluate.config", "evaluate.run", "prep.config", "prep.run",
)  # fmt: skip


def pages() -> dict[str, str]:
    """All reference pages, by their path in the site."""
    tools = tool_names()
    return {
        **{f"reference/{tool}.md": tool_page(tool) for tool in tools},
        "reference/parameters.md": parameters_page(),
        "reference/python.md": python_page(),
        "reference/messages.md": messages_page(),
        "reference/index.md": index_page(tools),
    }


def index_page(tools: Iterable[str]) -> str:
    """The list of them."""
    rows = [f"- [{tool}]({tool}.md): {_app(tool).info.help}" for tool in tools]
    rows += [
        "- [Parameters](parameters.md) of the pipeline",
        "- [Python](python.md): modules, records, functions",
        "- [Messages](messages.md): every error, with the next step",
    ]
    said = "Made from the code at every build: flags, parameters, docstrings and messages are those of this version."
    return "\n".join(["# Reference", "", said, "", *rows, ""])


# -- tools ------------------------------------------------------------------------------------------------------------


def tool_names() -> list[str]:
    """The console scripts of the package."""
    return sorted(tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"])


def _app(tool: str) -> Any:
    return importlib.import_module(f"transgenic_tools.cli.{tool.removeprefix('tg-').replace('-', '_')}").app


def tool_page(tool: str) -> str:
    """Arguments and flags of one tool, and of its commands."""
    app = _app(tool)
    command: Any = typer.main.get_command(app)
    lines = [f"# {tool}", "", str(app.info.help or ""), ""]
    subcommands = getattr(command, "commands", {})
    if command.params:
        lines += _command_lines(tool, command)
    for name, sub in subcommands.items():
        lines += [f"## {tool} {name}", "", *_command_lines(f"{tool} {name}", sub)]
    return "\n".join(lines) + "\n"


def _command_lines(name: str, command: Any) -> list[str]:
    text = " ".join((command.help or "").split())
    arguments = [p for p in command.params if p.param_type_name == "argument"]
    options = [p for p in command.params if p.param_type_name != "argument" and not p.hidden]
    words = [name, *(f"{p.human_readable_name}{'...' if p.nargs == -1 else ''}" for p in arguments), "[OPTIONS]"]
    lines = [text, "", "```text", " ".join(words), "```", ""] if text else ["```text", " ".join(words), "```", ""]
    if arguments:
        lines += ["| argument | |", "|---|---|"]
        lines += [f"| `{p.human_readable_name}` | {_cell(getattr(p, 'help', '') or '')} |" for p in arguments]
        lines.append("")
    lines += ["| flag | default | |", "|---|---|---|"]
    for option in options:
        flags = ", ".join(f"`{flag}`" for flag in (*option.opts, *option.secondary_opts))
        lines.append(f"| {flags} | {_default(option)} | {_cell(option.help or '')} |")
    return [*lines, ""]


def _default(option: Any) -> str:
    value = option.default
    if option.required:
        return "**needed**"
    if value is None or value is False or callable(value) or value in ("", ()):
        return ""
    return f"`{getattr(value, 'value', value)}`"


def _cell(text: str) -> str:
    """Text for a cell of a table."""
    return _escaped(" ".join(text.split()).replace("|", "\\|"))


# -- parameters -------------------------------------------------------------------------------------------------------


def parameters_page() -> str:
    """nextflow_schema.json as tables, group by group."""
    schema = json.loads((ROOT / "nextflow_schema.json").read_text())
    groups = schema.get("$defs") or schema.get("definitions") or {}
    lines = ["# Parameters", "", "Of `nextflow run .`, as `nextflow_schema.json` has them.", ""]
    for group in groups.values():
        needed = set(group.get("required", ()))
        lines += [
            f"## {group['title']}",
            "",
            group.get("description", ""),
            "",
            "| parameter | default | |",
            "|---|---|---|",
        ]
        for name, entry in group["properties"].items():
            lines.append(f"| `--{name}` | {_value(entry, name in needed)} | {_cell(_meaning(entry))} |")
        lines.append("")
    return "\n".join(lines)


def _value(entry: dict[str, Any], needed: bool) -> str:
    default = entry.get("default")
    if default is None or default == "":
        return "**needed**" if needed else ""
    return f"`{json.dumps(default) if isinstance(default, bool) else default}`"


def _meaning(entry: dict[str, Any]) -> str:
    text = str(entry.get("description", ""))
    if "enum" in entry:
        text += f" One of {', '.join(map(str, entry['enum']))}."
    return text


# -- Python -----------------------------------------------------------------------------------------------------------


def _source(module: str) -> Path:
    place = PACKAGE.joinpath(*module.split(".")) if module != "transgenic_tools" else PACKAGE
    return place / "__init__.py" if place.is_dir() else place.with_suffix(".py")


def python_page() -> str:
    """Public classes and functions of `MODULES`, with signatures and docstrings."""
    lines = ["# Python", ""]
    lines += ["Import from the modules named here; a name that begins with `_` may change at any time.", ""]
    for module in MODULES:
        tree = ast.parse(_source(module).read_text(encoding="utf-8"))
        name = module if module == "transgenic_tools" else f"transgenic_tools.{module}"
        lines += [f"## {name}", "", *_docstring(tree), ""]
        for node in tree.body:
            lines += _described(node)
    return "\n".join(lines) + "\n"


def _described(node: ast.stmt) -> Iterator[str]:
    if isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
        yield from (f"### {node.name}", "", "```python", _signature(node), "```", "", *_docstring(node), "")
    if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
        yield from (f"### {node.name}", "", "```python", _class_text(node), "```", "", *_docstring(node), "")
        for item in node.body:
            if isinstance(item, ast.FunctionDef) and not item.name.startswith("_") and ast.get_docstring(item):
                yield from (f"#### {node.name}.{item.name}", "", "```python", _signature(item), "```", "")
                yield from (*_docstring(item), "")


def _signature(node: ast.FunctionDef) -> str:
    returns = f" -> {ast.unparse(node.returns)}" if node.returns else ""
    decorators = "".join(f"@{ast.unparse(d)}\n" for d in node.decorator_list)
    text = f"def {node.name}({ast.unparse(node.args)}){returns}"
    if len(text) > 100:
        parameters = _split(ast.unparse(node.args))
        text = f"def {node.name}(\n" + "".join(f"    {p},\n" for p in parameters) + f"){returns}"
    return decorators + text


def _split(text: str) -> list[str]:
    """Parameters one by one: at commas that stand in no bracket."""
    found, depth = [""], 0
    for letter in text:
        depth += (letter in "[({") - (letter in "])}")
        if letter == "," and not depth:
            found.append("")
        else:
            found[-1] += letter
    return [part.strip() for part in found]


def _class_text(node: ast.ClassDef) -> str:
    """The class with the fields of a record."""
    bases = f"({', '.join(map(ast.unparse, node.bases))})" if node.bases else ""
    decorators = [f"@{ast.unparse(d)}" for d in node.decorator_list]
    fields = [f"    {ast.unparse(item)}" for item in node.body if isinstance(item, ast.AnnAssign)]
    return "\n".join([*decorators, f"class {node.name}{bases}" + (":" if fields else ""), *fields])


def _docstring(node: Any) -> list[str]:
    """A docstring as Markdown: its sections (`Args:`, `Raises:`) become lists, anything indented stays text."""
    lines: list[str] = []
    section = False
    for line in (ast.get_docstring(node) or "").splitlines():
        if re.fullmatch(r"[A-Z][a-z]+:", line):
            section = True
            lines += ["", f"**{line}**", ""]
        elif section and (entry := re.match(r"^    ([\w*`, ]+?(?: \([^)]*\))?): (.*)$", line)):
            lines.append(f"- `{entry.group(1).replace('`', '')}`: {entry.group(2)}")
        elif section and line.startswith("    "):
            lines.append(f"    {line.strip()}")
        else:
            section = section and not line.strip()
            lines.append(line)
    return [_escaped(line) for line in lines]


def _escaped(text: str) -> str:
    """`<` begins no tag, outside of code."""
    return "`".join(part if n % 2 else part.replace("<", "&lt;") for n, part in enumerate(text.split("`")))


# -- messages ---------------------------------------------------------------------------------------------------------


def messages_page() -> str:
    """Every error that a tool raises by name, with exit code and next step."""
    found = sorted(set(_messages()))
    lines = [
        "# Messages", "",
        "Every error that the tools raise, by the alphabet; `…` stands for a value. Search this page for words of",
        "your message. What stands before it on your screen is the file, line and feature.", "",
        "| message | exit code | next step |", "|---|---|---|",
    ]  # fmt: skip
    lines += [f"| {_cell(message)} | {code} | {_cell(hint)} |" for message, code, hint in found]
    return "\n".join(lines) + "\n"


def _messages() -> Iterator[tuple[str, int, str]]:
    classes: dict[str, type[TransgenicError]] = {
        name: value
        for name, value in vars(errors).items()
        if isinstance(value, type) and issubclass(value, TransgenicError) and value is not TransgenicError
    }
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in classes and node.args:
                message = _template(node.args[0])
                hint = next((_template(k.value) for k in node.keywords if k.arg == "hint"), "")
                if message.strip("… "):
                    yield message, classes[node.func.id].exit_code, hint


def _template(node: ast.expr) -> str:
    """A string with `…` where values go; `…` alone for anything else."""
    if isinstance(node, ast.Constant):
        return str(node.value) if isinstance(node.value, str) else ""
    if isinstance(node, ast.JoinedStr):
        return "".join(part.value if isinstance(part, ast.Constant) else "…" for part in node.values)  # type: ignore[misc]
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return _template(node.left) + _template(node.right)
    return "…"
