"""tg-report: one HTML page for a run, or one locus as a picture.

In: flags. Out: report.html; `tg-report gene` an SVG, a PNG or text.
A surprise: `tg-report` without a subcommand writes the page; `gene` is a subcommand with its own flags.
"""

from __future__ import annotations

import json
import logging
import os
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from transgenic_tools.cli._errors import entry_point
from transgenic_tools.cli._options import (
    JsonOption,
    QuietOption,
    VerboseOption,
    VersionOption,
    new_app,
    say_json,
    set_up_logging,
)
from transgenic_tools.errors import UsageError

_LOG = logging.getLogger(__name__)
app = new_app(
    "Write one HTML page about a run, which opens offline; or draw one gene (tg-report gene).",
    invoke_without_command=True,
)


class PictureFormat(StrEnum):
    """What `tg-report gene` writes."""

    svg = "svg"
    png = "png"
    terminal = "terminal"


def _many(flag: str, text: str) -> Any:
    return typer.Option(flag, help=text, show_default=False)


Annotations = Annotated[list[str] | None, _many("--annotation", "Predicted GFF3/GTF, as SAMPLE=PATH; may be repeated.")]
References = Annotated[list[str] | None, _many("--reference", "Reference GFF3/GTF, as SAMPLE=PATH; may be repeated.")]
Shards = Annotated[list[Path] | None, _many("--predictions", "Prediction shards, for the splice site probabilities.")]


@app.callback()
def report(
    context: typer.Context,
    annotation: Annotations = None,
    reference: References = None,
    evaluation: Annotated[list[str] | None, _many("--evaluation", "JSON of tg-evaluate, as SAMPLE=PATH.")] = None,
    rejects: Annotated[list[str] | None, _many("--rejects", "rejects.tsv of any stage, as SAMPLE=PATH.")] = None,
    prep: Annotated[list[str] | None, _many("--prep", "prep.json of tg-prep, as SAMPLE=PATH.")] = None,
    training: Annotated[list[Path] | None, _many("--training", "metrics.jsonl of tg-train; may be repeated.")] = None,
    predictions: Shards = None,
    generation: Annotated[
        list[str] | None, _many("--generation", "What tg-generate --json printed, as SAMPLE=PATH, for the device.")
    ] = None,
    fasta: Annotated[
        list[str] | None, _many("--fasta", "Genome, as SAMPLE=PATH: the page then shows and saves sequences.")
    ] = None,
    evidence: Annotated[
        list[str] | None, _many("--evidence", "Parquet of tg-evidence, as SAMPLE=PATH: loci show reads across introns.")
    ] = None,
    usage: Annotated[
        list[str] | None, _many("--usage", "usage.tsv of tg-evidence usage, as SAMPLE=PATH: shares by condition.")
    ] = None,
    differences: Annotated[
        list[str] | None, _many("--differences", "differences.tsv of tg-generate --against, as SAMPLE=PATH.")
    ] = None,
    scan: Annotated[
        list[str] | None, _many("--scan", "scan.json of tg-scan, as SAMPLE=PATH; once for each share of the genome.")
    ] = None,
    signal: Annotated[
        list[str] | None, _many("--signal", "bigWig of tg-scan --tracks, as SAMPLE=PATH: drawn beneath the loci.")
    ] = None,
    augmented: Annotated[
        bool, typer.Option("--augmented", help="The annotations are of tg-backmap --into: show what was added.")
    ] = False,
    params: Annotated[Path | None, _many("--params", "JSON of the pipeline's parameters.")] = None,
    model: Annotated[Path | None, _many("--model", "Model directory, for its settings.")] = None,
    out: Annotated[Path, typer.Option("--out", "-o", help="HTML file to write.")] = Path("report.html"),
    multiqc: Annotated[Path | None, _many("--multiqc", "Directory for *_mqc.json files for MultiQC.")] = None,
    paired_only: Annotated[bool, typer.Option(help="Leave out reference genes without a prediction.")] = False,
    title: Annotated[str, typer.Option(help="Heading of the page.")] = "transgenic_tools report",
    version: VersionOption = False,
    verbose: VerboseOption = 0,
    quiet: QuietOption = False,
    json_summary: JsonOption = None,
) -> None:
    """Write one HTML page about a run; it holds everything and opens without a network."""
    if context.invoked_subcommand is not None:
        return
    set_up_logging(verbose, quiet)
    if not any((annotation, evaluation, prep, training)):
        raise UsageError("nothing to report on", hint="give --annotation SAMPLE=PATH (see tg-report --help)")
    from transgenic_tools.report.config import Config, parse_sources
    from transgenic_tools.report.run import run

    config = Config(
        annotations=parse_sources(annotation), out=out, references=parse_sources(reference),
        evaluations=parse_sources(evaluation), rejects=parse_sources(rejects), preps=parse_sources(prep),
        training=tuple(training or ()), predictions=tuple(predictions or ()), generations=parse_sources(generation),
        fasta=parse_sources(fasta), evidence=parse_sources(evidence), usage=parse_sources(usage),
        differences=parse_sources(differences), scans=parse_sources(scan), signals=parse_sources(signal),
        augmented=augmented, params=params, model=model, multiqc=multiqc,
        paired_only=paired_only, title=title,
    )  # fmt: skip
    result = run(config, progress=_LOG.info)
    _LOG.info("%s: %d samples, %d loci, %d bytes", result.out, result.samples, result.loci, result.bytes)
    say_json(json_summary, json.dumps(result.summary(), sort_keys=True))


@app.command()
def gene(
    gene: Annotated[str, typer.Argument(help="ID or name of the gene.", show_default=False)],
    annotation: Annotations = None,
    reference: References = None,
    predictions: Shards = None,
    format: Annotated[PictureFormat, typer.Option("--format", help="What to write.")] = PictureFormat.terminal,
    out: Annotated[Path | None, _many("--out", "Picture to write; <gene>.svg or .png by default.")] = None,
    width: Annotated[int, typer.Option("--width", min=0, help="Pixels, or columns in the terminal; 0 chooses.")] = 0,
    version: VersionOption = False,
    quiet: QuietOption = False,
) -> None:
    """Draw one gene: reference and predicted isoforms to scale, differences marked."""
    set_up_logging(0, quiet)
    from transgenic_tools.report.one_gene import PictureRequest, draw_gene

    colour = sys.stdout.isatty() and "NO_COLOR" not in os.environ
    request = PictureRequest(
        gene,
        tuple(annotation or ()),
        tuple(reference or ()),
        tuple(predictions or ()),
        format.value,
        out,
        width,
        colour,
    )
    typer.echo(draw_gene(request), nl=False)


@app.command()
def folds(
    evaluations: Annotated[list[Path], typer.Argument(help="JSON of tg-evaluate: <sample>.fold_<k>.json.")],
    model: Annotated[list[Path] | None, _many("--model", "Model directory fold_<k>; may be repeated.")] = None,
    out: Annotated[Path, typer.Option("--out", "-o", help="Table to write.")] = Path("folds.tsv"),
    version: VersionOption = False,
    quiet: QuietOption = False,
) -> None:
    """Put the figures of a cross-validation into one table, with mean and standard deviation."""
    set_up_logging(0, quiet)
    from transgenic_tools.report.folds import write_folds

    _LOG.info("%s: %d folds", out, write_folds(evaluations, model or (), out))


@app.command()
def jbrowse(
    annotation: Annotations = None,
    fasta: Annotated[list[str] | None, _many("--fasta", "Genome, as SAMPLE=PATH; may be repeated.")] = None,
    reference: References = None,
    track: Annotated[
        list[str] | None, _many("--track", "bigWig, e.g. of tg-backmap --sites, as SAMPLE=PATH; may be repeated.")
    ] = None,
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder to write.")] = Path("jbrowse"),
    version: VersionOption = False,
    quiet: QuietOption = False,
) -> None:
    """Write a folder that JBrowse 2 and IGV open: compressed, indexed files and their settings."""
    set_up_logging(0, quiet)
    if not annotation:
        raise UsageError("nothing to show", hint="give --annotation SAMPLE=PATH and --fasta SAMPLE=GENOME")
    from transgenic_tools.report.config import parse_sources
    from transgenic_tools.report.genome_browser import BrowserConfig, write_browser_folder

    config = BrowserConfig(
        annotations=parse_sources(annotation), fasta=parse_sources(fasta), references=parse_sources(reference),
        tracks=parse_sources(track), out=out,
    )  # fmt: skip
    for path in write_browser_folder(config).settings:
        _LOG.info("%s", path)


main = entry_point(app, "tg-report")
