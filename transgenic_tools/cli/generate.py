"""tg-generate: gene shards to prediction shards.

In: shards of `tg-prep`. Out: `predictions-*.parquet`.
A surprise: torch is loaded only when a run starts, so `--help` and `--version` answer at once.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from transgenic_tools.choices import Split
from transgenic_tools.cli._errors import entry_point
from transgenic_tools.cli._evidence import evidence_file
from transgenic_tools.cli._options import (
    BatchBasesOption,
    DecodingOption,
    DeviceOption,
    JsonOption,
    MaxIsoformsOption,
    NumBeamsOption,
    OutdirOption,
    PrecisionOption,
    QuietOption,
    SeedOption,
    ThreadsOption,
    VerboseOption,
    VersionOption,
    new_app,
    no_garbage,
    say_json,
    set_up_logging,
)
from transgenic_tools.generate.config import Config
from transgenic_tools.search.config import DecodingConfig

app = new_app("Generate the transcripts of every gene in gene shards.")


@app.command()
def generate(
    shards: Annotated[list[Path], typer.Argument(help="Gene shards (genes-*.parquet) or directories of them.")],
    outdir: OutdirOption,
    model: Annotated[
        Path | None, typer.Option("--model", "-m", help="Model directory; default: the embedded model.")
    ] = None,
    decoding: DecodingOption = DecodingConfig.decoding,
    num_beams: NumBeamsOption = DecodingConfig.num_beams,
    max_isoforms: MaxIsoformsOption = DecodingConfig.max_isoforms,
    min_confidence: Annotated[
        float | None,
        typer.Option(
            help="Leave out transcripts less probable than this (a gene's best one stays, but not with --complete); "
            "default: as fitted for the model."
        ),
    ] = DecodingConfig.min_confidence,
    temperature: Annotated[
        float, typer.Option(help="Of sampling; below 1 is bolder, above 1 more varied.")
    ] = DecodingConfig.temperature,
    top_p: Annotated[
        float, typer.Option(help="Of sampling: choose among the likeliest steps of this total.")
    ] = DecodingConfig.top_p,
    seed: SeedOption = DecodingConfig.seed,
    complete: Annotated[
        bool, typer.Option("--complete", help="Known transcripts in the shards are the prompt; write further ones.")
    ] = False,
    add_utrs: Annotated[
        bool, typer.Option("--add-utrs", help="With --complete: write known transcripts without UTRs with some, too.")
    ] = False,
    split: Annotated[Split | None, typer.Option(help="Only genes of this split.")] = None,
    device: DeviceOption = Config.device,
    precision: PrecisionOption = Config.precision,
    batch_bases: BatchBasesOption = Config.batch_bases,
    threads: ThreadsOption = Config.threads,
    max_length: Annotated[
        int | None, typer.Option(help="Leave out windows of more bases; by default those that do not fit the memory.")
    ] = None,
    encodings: Annotated[
        Path | None, typer.Option(help="Stored encodings of tg-encode, for models with a pretrained encoder.")
    ] = None,
    condition: Annotated[
        str | None, typer.Option(help="Predict for this sample, of --conditions or among those the model has seen.")
    ] = None,
    conditions: Annotated[
        Path | None, typer.Option(help="TSV of numbers (rows, such as genes in TPM) by sample (columns).")
    ] = None,
    against: Annotated[
        str | None,
        typer.Option(help="Another sample: write what changes from it to --condition into differences-*.tsv too."),
    ] = None,
    min_region: Annotated[
        float,
        typer.Option(
            min=0,
            max=1,
            help="Regions without a known structure, if less probable to hold a gene than this, get none; 0 keeps all.",
        ),
    ] = Config.min_region,
    scan_model: Annotated[
        Path | None,
        typer.Option(
            help="Model that judges regions; default: --model if it can scan; beside the embedded one, that of scans."
        ),
    ] = None,
    evidence: Annotated[
        Path | None,
        typer.Option(help="File of tg-evidence; or its sheet, or reads, junctions or transcripts, with --fasta."),
    ] = None,
    fasta: Annotated[Path | None, typer.Option("--fasta", "-f", help="The genome, to read --evidence with.")] = None,
    aliases: Annotated[
        Path | None, typer.Option(help="For --evidence: table, names of one sequence on a line, tabs between.")
    ] = None,
    usage: Annotated[
        Path | None,
        typer.Option(help="Junction counts of both (tg-evidence): reads stand beside what changes, and guide nothing."),
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Predict again what is there already.")] = False,
    json_summary: JsonOption = None,
    verbose: VerboseOption = 0,
    quiet: QuietOption = False,
    version: VersionOption = False,
) -> None:
    """Generate the transcripts of every gene in gene shards.

    Example: tg-generate shards/ --outdir predictions/
    """
    set_up_logging(verbose, quiet)
    with no_garbage():
        from transgenic_tools.generate.run import run
    search = DecodingConfig(
        decoding=decoding, num_beams=num_beams, max_isoforms=max_isoforms, min_confidence=min_confidence,
        temperature=temperature, top_p=top_p, seed=seed,
    )  # fmt: skip
    if evidence is not None:
        evidence = evidence_file(evidence, fasta=fasta, aliases=aliases, outdir=outdir, threads=threads)
    result = run(
        Config(
            shards=tuple(shards), model=model, outdir=outdir, decoding=search, device=device, threads=threads,
            precision=precision, batch_bases=batch_bases, complete=complete, add_utrs=add_utrs, split=split,
            overwrite=overwrite, encodings=encodings, max_length=max_length, condition=condition, conditions=conditions,
            against=against, usage=usage, min_region=min_region, scan_model=scan_model, evidence=evidence,
        )
    )  # fmt: skip
    summary = {
        "genes": result.genes,
        "transcripts": result.transcripts,
        "without_transcript": result.without_transcript,
        "bases": result.bases,
        "seconds": round(result.seconds, 2),
        "bases_per_second": round(result.bases_per_second),
        "device": result.device,
        "reused_shards": result.reused,
        "predictions": [str(path) for path in result.predictions],
    }
    if not say_json(json_summary, json.dumps(summary)) and not quiet:
        typer.echo(f"{result.transcripts} transcripts of {result.genes} genes in {outdir}")


main = entry_point(app, "tg-generate")
