"""tg-backmap: prediction shards to GFF3, GTF, BED12 and FASTA.

In: flags. Out: the annotation; a summary on stdout with --json.
A surprise: neither torch nor a model is ever loaded here.
"""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Annotated, Any

import typer

from transgenic_tools.backmap.config import Config
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

_LOG = logging.getLogger(__name__)

app = new_app("Write the predicted isoforms as GFF3, in genome coordinates, or add them to your own GFF3.")


PredictionsArgument = Annotated[
    list[Path], typer.Argument(help="Prediction shards of tg-generate, or directories of them.", show_default=False)
]


def _file(flag: str, text: str, *more: str) -> Any:
    return typer.Option(flag, *more, help=text, show_default=False)


@app.command()
def backmap(
    predictions: PredictionsArgument,
    out: Annotated[Path, _file("--out", "GFF3 to write (.gz compresses).", "-o")],
    into: Annotated[Path | None, _file("--into", "Your GFF3: its lines stay, new isoforms are added.")] = None,
    fasta: Annotated[Path | None, _file("--fasta", "The genome, for contig ends and sequences.", "-f")] = None,
    gtf: Annotated[Path | None, _file("--gtf", "GTF to write as well.")] = None,
    bed: Annotated[Path | None, _file("--bed", "BED12 to write as well.")] = None,
    proteins: Annotated[Path | None, _file("--proteins", "Protein FASTA to write as well.")] = None,
    cds: Annotated[Path | None, _file("--cds", "CDS FASTA to write as well.")] = None,
    cdna: Annotated[Path | None, _file("--cdna", "FASTA of spliced transcripts to write as well.")] = None,
    sites: Annotated[Path | None, _file("--sites", "bigWig of splice site probabilities to write as well.")] = None,
    evidence: Annotated[
        Path | None, _file("--evidence", "File of tg-evidence: support of transcripts, and a table of introns.")
    ] = None,
    rejects: Annotated[Path | None, _file("--rejects", "Table of genes left out; beside --out by default.")] = None,
    earlier_rejects: Annotated[
        list[Path] | None,
        _file("--earlier-rejects", "rejects.tsv of tg-prep or tg-scan, whose genes go first; may be repeated."),
    ] = None,
    min_confidence: Annotated[
        float,
        typer.Option(
            "--min-gene-confidence",
            "--min-confidence",
            help="Leave out whole genes whose best isoform is less probable than this (with --into: single isoforms).",
        ),
    ] = Config.min_confidence,
    skip_genes: Annotated[Path | None, _file("--skip-genes", "With --into: IDs of genes that get nothing.")] = None,
    skip_attribute: Annotated[
        list[str] | None,
        typer.Option(help="With --into: genes with this attribute (KEY or KEY=VALUE) get nothing; may be repeated."),
    ] = None,
    extend_genes: Annotated[
        bool,
        typer.Option("--extend-genes", help="With --into: gene lines grow with their isoforms; else UTRs are cut."),
    ] = False,
    add_utrs: Annotated[
        bool,
        typer.Option(
            "--add-utrs", help="With --into: transcripts without UTRs get new ones beside them that have some."
        ),
    ] = False,
    utrs_in_place: Annotated[
        bool, typer.Option("--utrs-in-place", help="With --add-utrs: in the lines of these transcripts, which change.")
    ] = False,
    max_isoforms: Annotated[
        int, typer.Option(help="Best isoforms to keep for a gene; 0 keeps all.")
    ] = Config.max_isoforms,
    id_prefix: Annotated[str, typer.Option(help="Text put before every ID.")] = Config.id_prefix,
    id_pattern: Annotated[
        str | None,
        typer.Option(
            help="IDs by tens along each sequence, as AT{sequence}G{number}; {seqid} is its name.", show_default=False
        ),
    ] = None,
    both_strands: Annotated[
        bool, typer.Option("--both-strands", help="Keep both genes of a locus without a strand, not the likelier one.")
    ] = False,
    index: Annotated[bool, typer.Option("--index", help="A tabix index beside each .gz of GFF3, GTF, BED.")] = False,
    csq_attributes: Annotated[
        bool, typer.Option("--csq-attributes", help="IDs and biotypes as bcftools csq wants them.")
    ] = False,
    names: Annotated[
        Path | None, _file("--names", "The annotation of the loci: names, products, Dbxref are carried over.")
    ] = None,
    submission: Annotated[
        str | None, _file("--submission", "Locus tag prefix: check and write what NCBI and ENA want, and a .tbl.")
    ] = None,
    version: VersionOption = False,
    verbose: VerboseOption = 0,
    quiet: QuietOption = False,
    json_summary: JsonOption = None,
) -> None:
    """Write predicted genes as GFF3 (and more), sorted, with stable IDs; genes that fail go to a table."""
    from transgenic_tools.backmap.run import run

    set_up_logging(verbose, quiet)
    config = Config(
        predictions=tuple(predictions), out=out, into=into, fasta=fasta, gtf=gtf, bed=bed, proteins=proteins, cds=cds,
        cdna=cdna, sites=sites, evidence=evidence, rejects=rejects, earlier_rejects=tuple(earlier_rejects or ()),
        min_confidence=min_confidence, max_isoforms=max_isoforms, id_prefix=id_prefix, id_pattern=id_pattern,
        both_strands=both_strands,
        index=index, csq_attributes=csq_attributes, skip_genes=skip_genes, skip_attributes=tuple(skip_attribute or ()),
        extend_genes=extend_genes, add_utrs=add_utrs, utrs_in_place=utrs_in_place, names=names, submission=submission,
    )  # fmt: skip
    result = run(config, progress=_LOG.info)
    _LOG.info("%s", result.sentence())
    say_json(json_summary, json.dumps(result.summary(), sort_keys=True))


main = entry_point(app, "tg-backmap")
