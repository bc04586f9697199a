"""tg-evidence: reads, junctions, transcripts and proteins of one genome as one file; what each condition uses of it.

In: a sheet of evidence files (or one file) and the FASTA. Out: `E.parquet`; `tg-evidence usage` tables of its reads.
A surprise: what a file is (BAM, junctions, transcripts ...) is told from its content where the sheet does not say; and
`tg-evidence SHEET` is `tg-evidence gather SHEET`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from transgenic_tools.cli._errors import entry_point
from transgenic_tools.cli._options import (
    JsonOption,
    QuietOption,
    ThreadsOption,
    VerboseOption,
    VersionOption,
    group_with_default,
    new_app,
    say_json,
    set_up_logging,
)

app = new_app("Gather evidence of splicing into one Parquet file; tell what of it each condition uses (usage).")


@app.callback(cls=group_with_default("gather"))
def about(version: VersionOption = False) -> None:
    """Gather evidence of splicing into one Parquet file (SHEET); tell what of it each condition uses (usage)."""


@app.command()
def gather(
    sheet: Annotated[Path, typer.Argument(help="CSV (sample,path,kind,condition,strandness,weight), or one file.")],
    fasta: Annotated[Path, typer.Option("--fasta", "-f", help="The genome.")],
    out: Annotated[Path, typer.Option("--out", help="Parquet file to write.")],
    aliases: Annotated[Path | None, typer.Option(help="Table: names of one sequence on a line, tabs between.")] = None,
    loci: Annotated[Path | None, typer.Option(help="GFF3, GTF or BED: say how many junctions lie inside.")] = None,
    min_anchor: Annotated[int, typer.Option(min=1, help="Matched bases on both sides of an intron in a read.")] = 8,
    multimapped: Annotated[bool, typer.Option(help="Count reads that align in several places too.")] = False,
    noncanonical: Annotated[bool, typer.Option(help="Keep introns other than GT-AG, GC-AG, AT-AC.")] = False,
    min_intron: Annotated[int, typer.Option(min=1, help="Shorter gaps are no introns.")] = 20,
    max_intron: Annotated[int, typer.Option(min=1, help="Longer gaps are no introns.")] = 100_000,
    threads: ThreadsOption = 1,
    json_summary: JsonOption = None,
    verbose: VerboseOption = 0,
    quiet: QuietOption = False,
    version: VersionOption = False,
) -> None:
    """Gather evidence of splicing into one Parquet file.

    Example: tg-evidence evidence.csv --fasta genome.fa --out evidence.parquet
    """
    set_up_logging(verbose, quiet)
    from transgenic_tools.evidence.config import Config
    from transgenic_tools.evidence.run import run

    result = run(
        Config(
            sheet=sheet, fasta=fasta, out=out, aliases=aliases, loci=loci, min_anchor=min_anchor,
            multimapped=multimapped, noncanonical=noncanonical, min_intron=min_intron, max_intron=max_intron,
            threads=threads,
        )
    )  # fmt: skip
    if not say_json(json_summary, result.to_json()) and not quiet:
        typer.echo(f"{result.junctions} junctions, {result.chains} chains of {len(result.inputs)} inputs in {out}")


@app.command()
def usage(
    annotation: Annotated[Path, typer.Argument(help="GFF3 or GTF: predictions, or any annotation of the genome.")],
    evidence: Annotated[Path, typer.Argument(help="Parquet file of tg-evidence for the same genome.")],
    out: Annotated[Path, typer.Option("--out", help="Table to write: transcript by condition.")] = Path("usage.tsv"),
    introns: Annotated[Path | None, typer.Option("--introns", help="Table to write: intron by condition.")] = None,
    json_summary: JsonOption = None,
    verbose: VerboseOption = 0,
    quiet: QuietOption = False,
    version: VersionOption = False,
) -> None:
    """Tell how much each condition uses each transcript, and each intron among those it competes with.

    Example: tg-evidence usage genome.gff3 evidence.parquet --out usage.tsv --introns psi.tsv
    """
    set_up_logging(verbose, quiet)
    from transgenic_tools.evidence.usage import UsageConfig, run_usage

    result = run_usage(UsageConfig(annotation=annotation, evidence=evidence, out=out, introns=introns))
    if not say_json(json_summary, result.to_json()) and not quiet:
        typer.echo(f"{result.seen} of {result.genes} genes with reads, {len(result.conditions)} conditions in {out}")


main = entry_point(app, "tg-evidence")
