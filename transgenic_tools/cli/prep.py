"""tg-prep: genomes and annotations into gene shards.

In: flags. Out: files in the output directory and a summary.
A surprise: nothing heavy is imported before a command runs, so `--help` answers at once.
"""

from __future__ import annotations

import atexit
import gc
import json
import logging
import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any

import typer

from transgenic_tools.cli._errors import entry_point
from transgenic_tools.cli._options import (
    JsonOption,
    OutdirOption,
    QuietOption,
    SeedOption,
    VerboseOption,
    VersionOption,
    new_app,
    say_json,
    set_up_logging,
    usable_cores,
)
from transgenic_tools.cli.prep_leaks import leaks
from transgenic_tools.cli.prep_lift import lift
from transgenic_tools.cli.prep_split import split as split_shards
from transgenic_tools.io.files import unzipped_ahead
from transgenic_tools.io.memory import keep_freed_memory
from transgenic_tools.prep.config import Config, ContigEnd, FilterConfig, Routine, WindowConfig

app = new_app("Prepare genomes: FASTA and annotation (or loci) into gene shards.")
log = logging.getLogger("tg-prep")


@app.callback()
def about(version: VersionOption = False) -> None:
    """Prepare genomes: FASTA and annotation (or loci) into gene shards."""


FastaOption = Annotated[Path, typer.Option("--fasta", "-f", help="Genome, FASTA, plain, gzip or bgzip.")]


@app.command()
def genes(
    fasta: FastaOption,
    outdir: OutdirOption,
    annotation: Annotated[Path | None, typer.Option("--annotation", "-a", help="Gene models, GFF3 or GTF.")] = None,
    regions: Annotated[Path | None, typer.Option("--regions", "-r", help="Loci alone: BED3-BED12, GFF3, GTF.")] = None,
    sample: Annotated[str, typer.Option("--sample", "-s", help="Name of the genome, in each row.")] = Config.sample,
    upstream: Annotated[int, typer.Option(help="Bases before the gene's 5' end.")] = WindowConfig.upstream,
    downstream: Annotated[int, typer.Option(help="Bases after the gene's 3' end.")] = WindowConfig.downstream,
    flank: Annotated[int | None, typer.Option(help="Bases on both sides; short for the two above.")] = None,
    jitter: Annotated[
        tuple[int, int] | None, typer.Option(metavar="MIN MAX", help="Draw each flank from this range instead.")
    ] = None,
    seed: SeedOption = WindowConfig.seed,
    contig_end: Annotated[
        ContigEnd, typer.Option(help="Windows past a sequence's end: pad (with N) or clip.")
    ] = WindowConfig.contig_end,
    routine: Annotated[
        Routine, typer.Option(help="Whole loci, or stretches around the known structure.")
    ] = WindowConfig.routine,
    overlap: Annotated[int, typer.Option(help="Bases beside each kept part (not for whole).")] = WindowConfig.overlap,
    split: Annotated[
        str | None,
        typer.Option(help="fraction[:75/10/15], block:SEQID:A:B, seqid:test=S, species:test=NAME, homology, all:test."),
    ] = None,
    folds: Annotated[int, typer.Option(help="Cross-validation folds; 0 for none.")] = Config.folds,
    aliases: Annotated[Path | None, typer.Option(help="Table: names of one sequence on a line, tabs between.")] = None,
    clean_cds: Annotated[bool, typer.Option(help="Only transcripts with a faultless CDS.")] = False,
    biotype: Annotated[list[str] | None, typer.Option(help="Only genes of this biotype (repeatable).")] = None,
    min_length: Annotated[int, typer.Option(help="Shortest locus in bases.")] = FilterConfig.min_length,
    max_length: Annotated[int | None, typer.Option(help="Longest locus in bases.")] = None,
    min_isoforms: Annotated[int, typer.Option(help="Fewest distinct coding transcripts.")] = FilterConfig.min_isoforms,
    max_isoforms: Annotated[int | None, typer.Option(help="Most distinct coding transcripts.")] = None,
    longest: Annotated[bool, typer.Option(help="Keep each gene's longest CDS alone.")] = False,
    shard_bases: Annotated[int, typer.Option(help="Bases of windows in one shard.")] = Config.shard_bases,
    group_by: Annotated[
        list[str] | None,
        typer.Option(help="Attribute that puts lines without Parent together, before locus_tag (repeatable)."),
    ] = None,
    strict: Annotated[bool, typer.Option(help="Fail where anything would be mended or rejected.")] = False,
    threads: Annotated[
        int | None,
        typer.Option("--threads", "-t", min=1, help="CPU threads or worker processes; 2 (of one core: 1) by default."),
    ] = None,
    json_summary: JsonOption = None,
    verbose: VerboseOption = 0,
    quiet: QuietOption = False,
) -> None:
    """Write OUTDIR/genes-*.parquet, rejects.tsv and prep.json for one genome."""
    set_up_logging(verbose, quiet)
    threads = threads or min(2, usable_cores())
    large = [path for path in (annotation, regions, fasta) if path is not None]
    with unzipped_ahead(large if threads > 1 else ()):  # imports take as long as unzipping
        from transgenic_tools.prep.run import run

        config = Config(
            fasta=fasta, outdir=outdir, annotation=annotation, regions=regions, sample=sample, aliases=aliases,
            window=WindowConfig(
                upstream=upstream if flank is None else flank, downstream=downstream if flank is None else flank,
                jitter=jitter, seed=seed, contig_end=contig_end, routine=routine, overlap=overlap,
            ),
            filters=FilterConfig(
                clean_cds=clean_cds, biotypes=tuple(biotype or ()), min_length=min_length, max_length=max_length,
                min_isoforms=min_isoforms, max_isoforms=max_isoforms, longest_only=longest,
            ),
            split=split, folds=folds, shard_bases=shard_bases,
            group_by=tuple(group_by or ()), strict=strict, threads=threads,
        )  # fmt: skip
        _report(run(config).to_json(timed=True), json_summary)


@app.command()
def samplesheet(
    sheet: Annotated[Path, typer.Argument(help="CSV with the columns sample,fasta,annotation,regions,reads.")],
    json_summary: JsonOption = None,
    verbose: VerboseOption = 0,
    quiet: QuietOption = False,
) -> None:
    """Check a samplesheet; every fault is listed with line, column, value and what is allowed."""
    set_up_logging(verbose, quiet)
    from transgenic_tools.io.samplesheet import read_samplesheet

    samples = read_samplesheet(sheet)
    rows = [{key: value and str(value) for key, value in vars(sample).items()} for sample in samples]
    if not say_json(json_summary, json.dumps({"samples": rows})):
        log.info("%s: %d sample(s), no fault", sheet, len(samples))


@app.command()
def inspect(
    shards: Annotated[list[Path], typer.Argument(help="Gene shards, or a directory of them.")],
    gene: Annotated[str | None, typer.Option("--gene", "-g", help="Show this gene alone.")] = None,
    width: Annotated[int, typer.Option(min=20, help="Characters of the picture.")] = 80,
    whole: Annotated[bool, typer.Option("--whole", help="Print the whole sequence.")] = False,
    ids: Annotated[int, typer.Option(help="Gene IDs to list in the summary.")] = 5,
    json_summary: JsonOption = None,
    verbose: VerboseOption = 0,
    quiet: QuietOption = False,
) -> None:
    """Show what stands in shards, or one gene: its sentence, a picture, its sequence."""
    set_up_logging(verbose, quiet)
    from transgenic_tools.prep.inspect import gene_ids, gene_page, summarise

    if gene is not None:
        for line in gene_page(shards, gene, width=width, whole=whole):
            typer.echo(line)
        return
    summary = summarise(shards).to_json()
    if say_json(json_summary, json.dumps(summary)):
        return
    for key, value in {**summary, "first genes": gene_ids(shards, ids)}.items():
        typer.echo(f"{key:>12}: {value}")


@app.command()
def gsf(
    source: Annotated[Path, typer.Argument(help="GFF3 or GTF, or a table of gene sentences.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="The table, or the GFF3 (GTF: end it in .gtf).")],
    flank: Annotated[int, typer.Option(min=0, help="Bases of window around each gene.")] = 0,
    json_summary: JsonOption = None,
    verbose: VerboseOption = 0,
    quiet: QuietOption = False,
) -> None:
    """Convert gene models to gene sentences (GSF) and back; the direction is told by SOURCE."""
    set_up_logging(verbose, quiet)
    from transgenic_tools.genome.checks import count_findings
    from transgenic_tools.prep.sentences import convert

    done = convert(source, out, flank=flank)
    counts = count_findings(done.findings)
    summary = {"genes": done.genes, "transcripts": done.transcripts, "findings": counts}
    if not say_json(json_summary, json.dumps(summary)):
        log.info("%s: %d genes, %d transcripts; %s", out, done.genes, done.transcripts, counts or "nothing left out")


def _report(summary: dict[str, Any], as_json: Path | None) -> None:
    if say_json(as_json, json.dumps(summary, default=list)):
        return
    log.info(
        "%s: %d of %d genes, %d transcripts, %d bases in %d shards, %.1f s",
        *(summary[k] for k in ("sample", "genes", "genes_read", "transcripts", "bases")),
        len(summary["shards"]),
        summary["seconds"],
    )
    for action in (
        "rejected",
        "filtered",
        "transcript_rejected",
        "transcript_filtered",
        "mended",
        "skipped",
        "flagged",
    ):
        if summary[action]:
            log.info("%s: %s", action, ", ".join(f"{n} {code}" for code, n in summary[action].items()))


app.command()(leaks)
app.command()(lift)
app.command("split")(split_shards)


_run = entry_point(app, "tg-prep")


def _only(asked_for: str) -> None:
    """Leave the other commands out where one is named: typer would take the flags of all of them apart first."""
    names = [command.name or getattr(command.callback, "__name__", "") for command in app.registered_commands]
    if asked_for in names:
        app.registered_commands = [app.registered_commands[names.index(asked_for)]]


def main() -> None:
    """The console script; the process ends without taking modules and records apart one by one, a tenth of its time."""
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # others would wait for work, and use a core to do so
    keep_freed_memory()
    _only(*sys.argv[1:2] or [""])
    gc.set_threshold(100_000)  # imports and records hold few cycles; looking for them again and again takes time
    code = 0
    try:
        _run()
    except SystemExit as stop:
        code = stop.code if isinstance(stop.code, int) else int(stop.code is not None)
    atexit._run_exitfuncs()
    with suppress(OSError):  # nobody reads any more
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(code)
