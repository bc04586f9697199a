"""`tg-prep leaks`: held-out genes that stand too near to learned ones, over all genomes.

In: flags. Out: a table of pairs, and counts on the terminal.
A surprise: this file makes no app; `cli.prep` attaches the command to its own.
"""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Annotated

import typer

from transgenic_tools.choices import Split
from transgenic_tools.cli._options import JsonOption, QuietOption, VerboseOption, say_json, set_up_logging
from transgenic_tools.errors import UsageError

log = logging.getLogger("tg-prep")


def _of_sample(text: str) -> tuple[str, Path]:
    sample, equals, path = text.partition("=")
    if not (sample and equals and path):
        raise UsageError(f"--exclude {text}", hint="write SAMPLE=FILE, with gene IDs of that genome in the file")
    return sample, Path(path)


def leaks(
    shards: Annotated[list[Path], typer.Argument(help="Gene shards of all genomes, files or directories.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="The table of pairs, TSV.")],
    held_out: Annotated[Split, typer.Option(help="Split that is measured on; train is what is learned.")] = "test",
    exclude: Annotated[
        list[str] | None,
        typer.Option(metavar="SAMPLE=FILE", help="Genes of a genome that are not learned, one ID a line (repeatable)."),
    ] = None,
    exclude_into: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Lists of genes that the next training should leave out, SAMPLE.txt each."),
    ] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Fail where a held-out gene has a near copy.")] = False,
    json_summary: JsonOption = None,
    verbose: VerboseOption = 0,
    quiet: QuietOption = False,
) -> None:
    """List held-out genes that have a near copy or a relative among the learned ones of any genome."""
    set_up_logging(verbose, quiet)
    from transgenic_tools.prep.leaks import Config, run

    excluded = tuple(map(_of_sample, exclude or ()))
    done = run(
        Config(
            shards=tuple(shards), out=out, held_out=held_out, exclude=excluded, exclude_into=exclude_into, strict=strict
        )
    )
    if say_json(json_summary, json.dumps(done.to_json())):
        return
    for line in done.lines():
        log.info("%s", line)
    if exclude_into is not None:
        log.info("lists for the `exclude` of a sheet of genomes: %s", exclude_into)
