"""Flags shared by every tg-* command, declared once.

In: nothing. Out: `Annotated` option types and `new_app`.
A surprise: `--json` means one thing in every tool, the result as JSON, and may stand alone or before a name that ends
in .json (`tg-evaluate`, of which it is the main result, takes any name that is no flag).
"""

from __future__ import annotations

import gc
import logging
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
import typer.core

from transgenic_tools import __version__
from transgenic_tools.choices import Device, Precision
from transgenic_tools.search.config import Decoding


def _print_version(value: bool) -> None:
    if value:
        typer.echo(f"transgenic_tools {__version__}")
        raise typer.Exit(0)


VersionOption = Annotated[
    bool, typer.Option("--version", help="Print the version and exit.", callback=_print_version, is_eager=True)
]
VerboseOption = Annotated[int, typer.Option("--verbose", "-v", count=True, help="Say more (repeat for debug lines).")]
QuietOption = Annotated[bool, typer.Option("--quiet", "-q", help="Say errors only.")]
JsonOption = Annotated[
    Path | None,
    typer.Option(
        "--json", metavar="[FILE.json]", help="The result as JSON: in FILE.json, or on stdout without one (or with -)."
    ),
]
OutdirOption = Annotated[Path, typer.Option("--outdir", "-o", help="Directory for the results; made if missing.")]
ThreadsOption = Annotated[int, typer.Option("--threads", "-t", min=1, help="CPU threads or worker processes.")]
SeedOption = Annotated[int, typer.Option("--seed", help="Seed of every random choice; same seed, same bytes.")]
DeviceOption = Annotated[Device, typer.Option(help="auto takes CUDA where there is one.")]
# of tools that predict
PrecisionOption = Annotated[
    Precision, typer.Option(help="auto takes bf16 on CPUs made for it; fp32 gives the same on every processor.")
]
BatchBasesOption = Annotated[int, typer.Option(help="Bases in one batch on a GPU; halve it when memory is short.")]
DecodingOption = Annotated[Decoding, typer.Option(help="Search; all but sample are deterministic.")]
NumBeamsOption = Annotated[int, typer.Option(help="Hypotheses kept for each gene (beam).")]
MaxIsoformsOption = Annotated[int, typer.Option(help="Most transcripts for each gene.")]


def _with_files(arguments: Sequence[str]) -> list[str]:
    """`--json` alone and `--json-summary`, its older spelling, as `--json=-`; a name after it ends in .json."""
    given, plain = list(arguments), list[str]()
    while given:
        word = given.pop(0)
        if word == "--":
            return [*plain, word, *given]
        if word == "--json-summary" or (word == "--json" and not (given and _is_json_file(given[0]))):
            word = "--json=-"
        plain.append(word)
        if word == "--json":
            plain.append(given.pop(0))
    return plain


def _with_any_file(arguments: Sequence[str]) -> list[str]:
    """`--json` alone as `--json=-`, where any name may follow it."""
    end = arguments.index("--") if "--" in arguments else len(arguments)
    following = [*arguments[1:end], "--"]
    plain = [
        "--json=-" if word == "--json" and after.startswith("-") and after != "-" else word
        for word, after in zip(arguments[:end], following, strict=True)
    ]
    return [*plain, *arguments[end:]]


def _is_json_file(word: str) -> bool:
    return word == "-" or word.endswith(".json")


class _Command(typer.core.TyperCommand):
    """A command in which `--json` may stand alone, where it is the house's."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if any(parameter.name == "json_path" for parameter in self.params):
            return super().parse_args(ctx, _with_any_file(args))
        return super().parse_args(ctx, _with_files(args) if _takes_json(self) else args)


class _Group(typer.core.TyperGroup):
    """The same for an app whose callback has flags."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        return super().parse_args(ctx, _with_files(args) if _takes_json(self) else args)


def group_with_default(name: str) -> type[_Group]:
    """A group whose command `name` is meant where the first word names none: `tg-evidence SHEET` for `gather SHEET`."""

    class WithDefault(_Group):
        def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
            of_group = {flag for parameter in self.get_params(ctx) for flag in parameter.opts}
            if args and args[0] not in self.commands and args[0] not in of_group:
                args = [name, *args]
            return super().parse_args(ctx, args)

    return WithDefault


def _takes_json(command: Any) -> bool:
    return any(parameter.name == "json_summary" and "--json" in parameter.opts for parameter in command.params)


class App(typer.Typer):
    """Typer with the house's commands."""

    def command(self, *names: Any, **settings: Any) -> Any:
        return super().command(*names, **{"cls": _Command, **settings})

    def callback(self, **settings: Any) -> Any:
        return super().callback(**{"cls": _Group, **settings})


def say_json(where: Path | None, text: str) -> bool:
    """Print or write a result; False where nobody asked for it."""
    if where is None:
        return False
    if str(where) == "-":
        typer.echo(text)
        return True
    from transgenic_tools.provenance import write_aside

    with write_aside(where) as aside:
        aside.write_text(text + "\n", encoding="utf-8")
    return True


def usable_cores() -> int:
    """Cores that this process may use, as far as the system says."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextmanager
def no_garbage() -> Iterator[None]:
    """For imports: what modules hold stays, and looking for garbage among it takes a quarter of a second."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


def set_up_logging(verbose: int = 0, quiet: bool = False) -> None:
    """Plain log lines on stderr: warnings with -q, info by default, debug with -v."""
    level = logging.ERROR if quiet else logging.DEBUG if verbose else logging.INFO
    logging.basicConfig(level=level, stream=sys.stderr, format="%(asctime)s %(levelname)s %(message)s", force=True)


def new_app(help_text: str, **extra: Any) -> App:
    """A Typer app with the house's settings."""
    return App(help=help_text, no_args_is_help=True, rich_markup_mode=None, pretty_exceptions_enable=False, **extra)
