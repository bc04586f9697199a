"""tg-scan: from a bare genome to loci and their windows; tracks of its shares as one.

In: FASTA, plain or gzipped. Out: `genes-*.parquet` for tg-generate, `loci.bed`, `rejects.tsv`, `scan.json`.
A surprise: a share of the work (`--part 2/8`) gives a share of the files, and the shares together what one run gives;
and `tg-scan GENOME` is `tg-scan loci GENOME`.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from transgenic_tools.cli._errors import entry_point
from transgenic_tools.cli._options import (
    JsonOption,
    OutdirOption,
    PrecisionOption,
    QuietOption,
    ThreadsOption,
    VerboseOption,
    VersionOption,
    group_with_default,
    new_app,
    no_garbage,
    say_json,
    set_up_logging,
)
from transgenic_tools.scan.config import Config

app = new_app("Find loci in a bare genome; put the tracks of its shares together (join).")


@app.callback(cls=group_with_default("loci"))
def about(version: VersionOption = False) -> None:
    """Find loci in a bare genome (GENOME); put the tracks of its shares together (join)."""


def _part(text: str) -> tuple[int, int]:
    """`2/8` as (1, 8)."""
    first, _, second = text.partition("/")
    if first.isdecimal() and second.isdecimal() and 1 <= int(first) <= int(second):
        return int(first) - 1, int(second)
    raise typer.BadParameter(f"{text!r} is no share of the work: write 2/8 for the second of eight")


@app.command()
def loci(
    fasta: Annotated[Path, typer.Argument(help="The genome: FASTA, plain or gzipped; lower case is read as upper.")],
    outdir: OutdirOption,
    model: Annotated[Path | None, typer.Option("--model", "-m", help="Model directory that can scan.")] = None,
    sample: Annotated[str, typer.Option(help="Name of the genome in the shards.")] = Config.sample,
    seqid: Annotated[list[str] | None, typer.Option("--seqid", help="Only this sequence; may be repeated.")] = None,
    skip_seqid: Annotated[
        list[str] | None, typer.Option("--skip-seqid", help="Not this sequence (plastid ...); may be repeated.")
    ] = None,
    part: Annotated[str, typer.Option(help="Share of the work, as 2/8.")] = "1/1",
    flank: Annotated[int, typer.Option(min=0, help="Bases of a window beside its locus.")] = Config.flank,
    min_score: Annotated[
        float,
        typer.Option("--min-score", "--min-confidence", min=0, max=1, help="Leave out loci less probable than this."),
    ] = Config.min_score,
    min_coding: Annotated[int, typer.Option(min=0, help="Leave out loci with fewer coding bases.")] = Config.min_coding,
    longest_gap: Annotated[
        int, typer.Option(min=1, help="So many unknown bases or more hold no gene.")
    ] = Config.longest_gap,
    complete_only: Annotated[
        bool, typer.Option(help="Leave out genes that the end of a sequence cuts.")
    ] = Config.complete_only,
    precision: PrecisionOption = Config.precision,
    carry: Annotated[
        bool,
        typer.Option(help="Hand scores on to tg-generate, where the network also writes genes: windows are read once."),
    ] = Config.carry,
    tracks: Annotated[
        bool, typer.Option("--tracks", help="bigWig of coding and site probabilities of both strands as well.")
    ] = Config.tracks,
    threads: ThreadsOption = Config.threads,
    json_summary: JsonOption = None,
    verbose: VerboseOption = 0,
    quiet: QuietOption = False,
    version: VersionOption = False,
) -> None:
    """Find loci on both strands of a bare genome.

    Example: tg-scan genome.fa --outdir scan/
    """
    set_up_logging(verbose, quiet)
    share = _part(part)
    with no_garbage():
        import torch

        from transgenic_tools.scan.run import run
    torch.set_num_threads(threads)
    result = run(
        Config(
            fasta=fasta, outdir=outdir, model=model, sample=sample, seqids=tuple(seqid or ()),
            skip_seqids=tuple(skip_seqid or ()), part=share, flank=flank, min_score=min_score, min_coding=min_coding,
            longest_gap=longest_gap, complete_only=complete_only, precision=precision, carry=carry, tracks=tracks,
            threads=threads,
        )
    )  # fmt: skip
    if not say_json(json_summary, result.to_json()) and not quiet:
        typer.echo(f"{result.loci} loci on {result.sequences} sequences ({result.bases:,} bases) in {outdir}")


@app.command()
def join(
    shares: Annotated[list[Path], typer.Argument(help="bigWig files of the shares of one genome, in their order.")],
    outdir: OutdirOption,
    prefix: Annotated[str, typer.Option(help="Beginning of the names of the files.")] = "",
    json_summary: JsonOption = None,
    verbose: VerboseOption = 0,
    quiet: QuietOption = False,
    version: VersionOption = False,
) -> None:
    """Put what --tracks wrote for the shares of a genome together, one file a strand and kind.

    Example: tg-scan join 1of2/*.bw 2of2/*.bw --outdir tracks/
    """
    set_up_logging(verbose, quiet)
    from transgenic_tools.io.tracks import join_scan_tracks

    written = [str(path) for path in join_scan_tracks(shares, outdir, prefix)]
    if not say_json(json_summary, json.dumps({"tracks": written})) and not quiet:
        typer.echo("\n".join(written))


main = entry_point(app, "tg-scan")
