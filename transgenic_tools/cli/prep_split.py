"""`tg-prep split`: shards of many genomes split by gene family.

In: flags. Out: the same shards with new splits, and a summary.
A surprise: this file makes no app; `cli.prep` attaches the command to its own.
"""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Annotated

import typer

from transgenic_tools.cli._options import JsonOption, OutdirOption, QuietOption, VerboseOption, say_json, set_up_logging

log = logging.getLogger("tg-prep")


def split(
    shards: Annotated[list[Path], typer.Argument(help="Gene shards of all genomes, files or directories.")],
    outdir: OutdirOption,
    rule: Annotated[str, typer.Option("--split", help="homology, or homology:75/10/15.")] = "homology",
    folds: Annotated[int, typer.Option(help="Cross-validation folds; 0 for none.")] = 0,
    json_summary: JsonOption = None,
    verbose: VerboseOption = 0,
    quiet: QuietOption = False,
) -> None:
    """Write OUTDIR/SAMPLE/genes-*.parquet with splits that no gene family crosses, in any genome."""
    set_up_logging(verbose, quiet)
    from transgenic_tools.prep.families import Config, run

    done = run(Config(shards=tuple(shards), outdir=outdir, split=rule, folds=folds))
    say_json(json_summary, json.dumps(done.to_json()))
    log.info("%d genes in %d families, %d of them in several genomes", done.genes, done.families, done.shared)
    for sample, counts in done.splits.items():
        log.info("%s: %s", sample, ", ".join(f"{n} {name}" for name, n in counts.items()))
