"""`tg-evaluate`: predicted annotations against reference ones, as gffcompare would sign it.

In: GFF3 or GTF files. Out: the contracts' JSON, and TSV tables where asked.
A surprise: `--json` is the result as everywhere, which is the whole report here, so one must say where it goes; a short
JSON on one line is `--json-summary`.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from transgenic_tools.cli._errors import entry_point
from transgenic_tools.cli._options import QuietOption, VerboseOption, VersionOption, new_app, set_up_logging

app = new_app("Compare predicted annotations with reference annotations (GFF3 or GTF, plain or gzipped).")
main = entry_point(app, "tg-evaluate")


@app.command()
def evaluate(
    reference: Annotated[list[Path], typer.Option("--reference", "-r", help="Reference annotation; may be repeated.")],
    prediction: Annotated[list[Path], typer.Option("--prediction", "-p", help="Prediction; may be repeated.")],
    json_path: Annotated[
        Path,
        typer.Option(
            "--json", metavar="[FILE]", help="The result as JSON: in FILE, or on stdout without one (or with -)."
        ),
    ],
    tsv: Annotated[Path | None, typer.Option("--tsv", help="The same figures as a table.")] = None,
    genes: Annotated[Path | None, typer.Option("--genes", help="Table with one row a reference gene.")] = None,
    transcripts: Annotated[
        Path | None, typer.Option("--transcripts", help="Table with one row a predicted transcript and its class.")
    ] = None,
    seqid: Annotated[str | None, typer.Option("--seqid", help="Only genes of this seqid.")] = None,
    start: Annotated[int | None, typer.Option("--start", min=0, help="Only genes that start here or later.")] = None,
    end: Annotated[int | None, typer.Option("--end", min=1, help="Only genes that start before this base.")] = None,
    shards: Annotated[
        list[Path] | None, typer.Option("--shards", help="Only genes of these shards (file or directory).")
    ] = None,
    split: Annotated[str | None, typer.Option("--split", help="Of the shards, only this split.")] = None,
    gene_list: Annotated[Path | None, typer.Option("--gene-list", help="Only gene IDs of this file.")] = None,
    homologs: Annotated[
        Path | None, typer.Option("--homologs", help="TSV of gene_id and has_homolog (yes/no), for the strata.")
    ] = None,
    all_transcripts: Annotated[
        bool, typer.Option("--all-transcripts", help="Count transcripts without CDS too.")
    ] = False,
    echo: Annotated[
        Path | None,
        typer.Option("--echo", help="Prompt of an augment run: evaluated too, and what was added to it."),
    ] = None,
    reads: Annotated[Path | None, typer.Option("--reads", help="Long reads, FASTA or FASTQ; needs --fasta.")] = None,
    fasta: Annotated[
        Path | None,
        typer.Option("--fasta", help="Genome: for --reads, and for the stop codons of GTF without stop_codon lines."),
    ] = None,
    min_reads: Annotated[int, typer.Option("--min-reads", min=1, help="Reads that make a chain count.")] = 1,
    missing_chains: Annotated[
        Path | None, typer.Option("--missing-chains", help="Table of supported chains that no prediction has.")
    ] = None,
    calibration: Annotated[
        bool, typer.Option("--calibration", help="Fail where predictions carry no scores in [0, 1].")
    ] = False,
    json_summary: Annotated[bool, typer.Option("--json-summary", help="Print a one-line JSON summary.")] = False,
    verbose: VerboseOption = 0,
    quiet: QuietOption = False,
    version: VersionOption = False,
) -> None:
    """Sensitivity, precision and F1 at base, exon, intron, intron chain, transcript and locus level, and more."""
    set_up_logging(verbose, quiet)
    from transgenic_tools.evaluate.config import Config, Region
    from transgenic_tools.evaluate.output import result_json
    from transgenic_tools.evaluate.run import run
    from transgenic_tools.evaluate.summary import summary_json, summary_text

    config = Config(
        references=tuple(reference), predictions=tuple(prediction), tsv_path=tsv,
        json_path=None if str(json_path) == "-" else json_path,
        genes_path=genes, transcripts_path=transcripts, region=Region(seqid, start, end), shards=tuple(shards or ()),
        split=split, gene_list=gene_list, homologs=homologs, all_transcripts=all_transcripts, echo=echo, reads=reads,
        fasta=fasta, min_reads=min_reads, missing_chains_path=missing_chains, calibration=calibration,
    )  # fmt: skip
    result = run(config)
    if config.json_path is None:
        typer.echo(json.dumps(result_json(result, config), indent=1))
    else:
        typer.echo(json.dumps(summary_json(result)) if json_summary else summary_text(result), err=False)
