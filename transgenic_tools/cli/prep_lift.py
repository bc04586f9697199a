"""`tg-prep lift`: genes of one genome lifted onto a related one, as further training examples.

In: flags. Out: gene shards of the target and a summary.
A surprise: this file makes no app; `cli.prep` attaches the command to its own.
"""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Annotated

import typer

from transgenic_tools.choices import SHARD_BASES
from transgenic_tools.cli._options import JsonOption, OutdirOption, QuietOption, VerboseOption, say_json, set_up_logging

log = logging.getLogger("tg-prep")


def lift(
    shards: Annotated[list[Path], typer.Argument(help="Gene shards of the source genome, all splits.")],
    fasta: Annotated[Path, typer.Option("--fasta", "-f", help="The related genome, FASTA, plain, gzip or bgzip.")],
    sample: Annotated[str, typer.Option("--sample", "-s", help="Name of the related genome; IDs become GENE@NAME.")],
    outdir: OutdirOption,
    split: Annotated[list[str] | None, typer.Option(help="Split to lift (repeatable); train by default.")] = None,
    flank: Annotated[int, typer.Option(help="Bases of the window on each side of the CDS.")] = 1000,
    min_identity: Annotated[float, typer.Option(help="Least share of equal bases in the alignment.")] = 0.8,
    shard_bases: Annotated[int, typer.Option(help="Bases of windows in one shard.")] = SHARD_BASES,
    json_summary: JsonOption = None,
    verbose: VerboseOption = 0,
    quiet: QuietOption = False,
) -> None:
    """Lift training genes onto a related genome; write OUTDIR/genes-*.parquet, rejects.tsv and lift.json.

    Genes of every other split are never lifted, and nothing that touches their places in the related genome is kept.
    """
    set_up_logging(verbose, quiet)
    from transgenic_tools.prep.lift import LiftConfig, run
    from transgenic_tools.prep.lift_align import AlignConfig

    config = LiftConfig(
        shards=tuple(shards), fasta=fasta, sample=sample, outdir=outdir, splits=tuple(split or ("train",)), flank=flank,
        shard_bases=shard_bases, align=AlignConfig(min_identity=min_identity),
    )  # fmt: skip
    summary = run(config).summary()
    say_json(json_summary, json.dumps(summary))
    log.info("%s: %s of %s genes lifted", sample, summary["lifted"], summary["considered"])
    log.info("genes lost: %s", summary["genes_lost"])
