"""tg-annotate: a genome to its annotation, without Nextflow.

In: FASTA, and what is known of it. Out: the pipeline's tree of results below --out, and `annotate.log`.
A surprise: run again after a kill, it goes on; with other settings it does again what they change.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from transgenic_tools.annotate.config import ENDINGS, Config
from transgenic_tools.cli._errors import entry_point
from transgenic_tools.cli._options import (
    BatchBasesOption,
    DecodingOption,
    DeviceOption,
    JsonOption,
    MaxIsoformsOption,
    NumBeamsOption,
    PrecisionOption,
    QuietOption,
    SeedOption,
    VerboseOption,
    VersionOption,
    new_app,
    say_json,
    usable_cores,
)
from transgenic_tools.search.config import DecodingConfig

app = new_app("Annotate a genome: find loci or take yours, write all isoforms, evaluate, report.")


def _file(flag: str, text: str, *more: str) -> Any:
    return typer.Option(flag, *more, help=text, show_default=False)


def _flag(flag: str, text: str) -> Any:
    return typer.Option(flag, help=text, show_default=False)


@app.command()
def annotate(
    fasta: Annotated[Path, typer.Argument(help="The genome: FASTA, plain, gzip or bgzip.", show_default=False)],
    out: Annotated[Path, _file("--out", "Directory for the results; made if missing.", "-o")],
    annotation: Annotated[
        Path | None, _file("--annotation", "Known genes, GFF3 or GTF: their loci are read.", "-a")
    ] = None,
    regions: Annotated[Path | None, _file("--regions", "Loci alone: BED3-BED12, GFF3, GTF.", "-r")] = None,
    reference: Annotated[
        Path | None, _file("--reference", "Annotation to compare with; --annotation unless given.")
    ] = None,
    reads: Annotated[Path | None, _file("--reads", "Long reads, FASTA or FASTQ, for the evaluation.")] = None,
    evidence: Annotated[
        Path | None,
        _file("--evidence", "Reads take part: file of tg-evidence, its sheet, or reads, junctions, transcripts."),
    ] = None,
    condition: Annotated[
        str | None, _file("--condition", "Predict for this sample, of --conditions or one the model was trained on.")
    ] = None,
    conditions: Annotated[
        Path | None, _file("--conditions", "Table of numbers (such as genes in TPM) by sample.")
    ] = None,
    against: Annotated[
        str | None, _file("--against", "Another sample: write what changes from it to --condition.")
    ] = None,
    aliases: Annotated[Path | None, _file("--aliases", "Table: names of one sequence on a line, tabs between.")] = None,
    sample: Annotated[
        str, _file("--sample", "Name of the genome; the FASTA's name unless given.", "-s")
    ] = Config.sample,
    augment: Annotated[bool, _flag("--augment", "Add new isoforms to --annotation, whose lines stay.")] = False,
    extend_genes: Annotated[
        bool, _flag("--extend-genes", "With --augment: gene lines grow with their isoforms; else UTRs are cut.")
    ] = False,
    add_utrs: Annotated[
        bool, _flag("--add-utrs", "With --augment: transcripts without UTRs get new ones beside them that have some.")
    ] = False,
    utrs_in_place: Annotated[
        bool, _flag("--utrs-in-place", "With --add-utrs: in the lines of these transcripts, which change.")
    ] = False,
    skip_genes: Annotated[Path | None, _file("--skip-genes", "With --augment: IDs of genes that get nothing.")] = None,
    skip_attribute: Annotated[
        list[str] | None,
        _file("--skip-attribute", "With --augment: genes with this (KEY or KEY=VALUE) get nothing; may be repeated."),
    ] = None,
    skip_seqid: Annotated[
        list[str] | None, _file("--skip-seqid", "Of a scan: not this sequence (plastid ...); may be repeated.")
    ] = None,
    scan_min_score: Annotated[
        float, typer.Option(min=0, max=1, help="Of a scan: leave out loci less probable than this.")
    ] = Config.scan_min_score,
    complete_only: Annotated[
        bool, _flag("--complete-only", "Of a scan: leave out genes that the end of a sequence cuts.")
    ] = False,
    model: Annotated[Path | None, _file("--model", "Model directory; the embedded model unless given.", "-m")] = None,
    scan_model: Annotated[Path | None, _file("--scan-model", "Model directory of the scan.")] = None,
    decoding: DecodingOption = DecodingConfig.decoding,
    num_beams: NumBeamsOption = DecodingConfig.num_beams,
    max_isoforms: MaxIsoformsOption = DecodingConfig.max_isoforms,
    min_confidence: Annotated[
        float | None,
        typer.Option(
            help="Leave out transcripts less probable than this (a gene's best one stays); "
            "default: as fitted for the model."
        ),
    ] = DecodingConfig.min_confidence,
    min_gene_confidence: Annotated[
        float, typer.Option(help="Leave out whole genes (--augment: isoforms) whose best is less probable than this.")
    ] = Config.min_gene_confidence,
    seed: SeedOption = DecodingConfig.seed,
    device: DeviceOption = Config.device,
    precision: PrecisionOption = Config.precision,
    batch_bases: BatchBasesOption = Config.batch_bases,
    max_window: Annotated[
        int | None, _file("--max-window", "Leave out windows of more bases; by default those that do not fit.")
    ] = None,
    shard_bases: Annotated[int, typer.Option(help="Bases of windows in one shard.")] = Config.shard_bases,
    id_prefix: Annotated[str, typer.Option(help="Text put before every ID.")] = Config.id_prefix,
    id_pattern: Annotated[
        str | None, _file("--id-pattern", "IDs by tens along each sequence, as AT{sequence}G{number}.")
    ] = None,
    both_strands: Annotated[
        bool, _flag("--both-strands", "Keep both genes of a locus without a strand, not the likelier one.")
    ] = False,
    csq_attributes: Annotated[bool, _flag("--csq-attributes", "IDs and biotypes as bcftools csq wants them.")] = False,
    keep_names: Annotated[
        bool, _flag("--keep-names", "Carry over names, products and Dbxref of --annotation (else of --reference).")
    ] = False,
    submission: Annotated[
        str | None, _file("--submission", "Locus tag prefix: check and write what NCBI and ENA want, and a .tbl.")
    ] = None,
    gtf: Annotated[bool, _flag("--gtf", "GTF as well.")] = False,
    bed: Annotated[bool, _flag("--bed", "BED12 as well.")] = False,
    proteins: Annotated[bool, _flag("--proteins", "Protein FASTA as well.")] = False,
    cds: Annotated[bool, _flag("--cds", "CDS FASTA as well.")] = False,
    cdna: Annotated[bool, _flag("--cdna", "FASTA of spliced transcripts as well.")] = False,
    sites: Annotated[bool, _flag("--sites", "bigWig of splice site probabilities as well.")] = False,
    tracks: Annotated[
        bool, _flag("--tracks", "bigWig of the scan's coding and site probabilities as well; the report shows them.")
    ] = False,
    evaluation_tables: Annotated[
        bool, _flag("--evaluation-tables", "Tables of the evaluation by gene and by transcript as well.")
    ] = False,
    jbrowse: Annotated[bool, _flag("--jbrowse", "A folder that JBrowse 2 and IGV open as well.")] = False,
    title: Annotated[str, typer.Option(help="Heading of the report.")] = Config.title,
    threads: Annotated[
        int | None, typer.Option("--threads", "-t", min=1, help="CPU threads; all cores that may be used by default.")
    ] = None,
    json_summary: JsonOption = None,
    verbose: VerboseOption = 0,
    quiet: QuietOption = False,
    version: VersionOption = False,
) -> None:
    """Annotate a genome: loci are found (or taken from --annotation or --regions), all their isoforms written.

    Example: tg-annotate genome.fa --out results/
    """
    asked = {"gtf": gtf, "bed": bed, "proteins": proteins, "cds": cds, "cdna": cdna, "sites": sites}
    config = Config(
        fasta=fasta, outdir=out, annotation=annotation, regions=regions, reference=reference, reads=reads,
        evidence=evidence, condition=condition, conditions=conditions, against=against, aliases=aliases,
        sample=sample, model=model, scan_model=scan_model, augment=augment,
        extend_genes=extend_genes, add_utrs=add_utrs, utrs_in_place=utrs_in_place,
        skip_genes=skip_genes, skip_attributes=tuple(skip_attribute or ()),
        skip_seqids=tuple(skip_seqid or ()), scan_min_score=scan_min_score, complete_only=complete_only,
        shard_bases=shard_bases, device=device, precision=precision, batch_bases=batch_bases, max_window=max_window,
        search=DecodingConfig(
            decoding=decoding, num_beams=num_beams, max_isoforms=max_isoforms, min_confidence=min_confidence, seed=seed,
        ),
        min_gene_confidence=min_gene_confidence, id_prefix=id_prefix, id_pattern=id_pattern, both_strands=both_strands,
        csq_attributes=csq_attributes, keep_names=keep_names, submission=submission,
        further=frozenset(name for name in ENDINGS if asked[name]),
        evaluation_tables=evaluation_tables, tracks=tracks, jbrowse=jbrowse, title=title,
        threads=threads or usable_cores(),
    )  # fmt: skip
    from transgenic_tools.annotate.run import run
    from transgenic_tools.cli._stages import show_stages

    with show_stages(config.stages, out / "annotate.log", verbose=verbose, quiet=quiet):
        result = run(config)
    if not say_json(json_summary, json.dumps(result.summary(), sort_keys=True)) and not quiet:
        typer.echo(result.sentence())


main = entry_point(app, "tg-annotate")
