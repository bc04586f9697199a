"""Flags shared by every tg-* command, declared once.

In: nothing. Out: `Annotated` option types and `new_app`.
A surprise: `--version` is eager and answers before any heavy import.
"""

from __future__ import annotations

import logging
import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from transgenic_tools import __version__


def _print_version(value: bool) -> None:
    if value:
        typer.echo(f"transgenic_tools {__version__}")
        raise typer.Exit(0)


VersionOption = Annotated[
    bool, typer.Option("--version", help="Print the version and exit.", callback=_print_version, is_eager=True)
]
VerboseOption = Annotated[int, typer.Option("--verbose", "-v", count=True, help="Say more (repeat for debug lines).")]
QuietOption = Annotated[bool, typer.Option("--quiet", "-q", help="Say errors only.")]
JsonOption = Annotated[bool, typer.Option("--json-summary", "--json", help="Print a one-line JSON summary on stdout.")]
OutdirOption = Annotated[Path, typer.Option("--outdir", "-o", help="Directory for the results; made if missing.")]
ThreadsOption = Annotated[int, typer.Option("--threads", "-t", min=1, help="CPU threads or worker processes.")]
SeedOption = Annotated[int, typer.Option("--seed", help="Seed of every random choice; same seed, same bytes.")]


def usable_cores() -> int:
    """Cores that this process may use, as far as the system says."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def set_up_logging(verbose: int = 0, quiet: bool = False) -> None:
    """Plain log lines on stderr: warnings with -q, info by default, debug with -v."""
    level = logging.ERROR if quiet else logging.DEBUG if verbose else logging.INFO
    logging.basicConfig(level=level, stream=sys.stderr, format="%(asctime)s %(levelname)s %(message)s", force=True)


def new_app(help_text: str, **extra: Any) -> typer.Typer:
    """A Typer app with the house's settings."""
    return typer.Typer(
        help=help_text, no_args_is_help=True, rich_markup_mode=None, pretty_exceptions_enable=False, **extra
    )
