"""The files of tg-evaluate: JSON, TSV, and tables of genes, transcripts and missing read chains.

In: a `Result`. Out: files, each written aside and renamed.
A surprise: table coordinates are 0-based half-open, as everywhere outside GFF3.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from transgenic_tools.evaluate.classify import CLASSES
from transgenic_tools.evaluate.config import Config
from transgenic_tools.evaluate.genes import GeneResult
from transgenic_tools.evaluate.pairing import source_gene
from transgenic_tools.evaluate.reads import ReadComparison
from transgenic_tools.evaluate.result import Evaluation, Result, class_counts
from transgenic_tools.evaluate.structures import VIEWS, structure_of
from transgenic_tools.provenance import FORMAT_VERSION, Provenance, write_aside


def evaluation_json(evaluation: Evaluation) -> dict[str, Any]:
    """The contracts' JSON of one pair."""
    shares = evaluation.shares
    out: dict[str, Any] = {
        view: {level: score.to_json() for level, score in evaluation.levels[view].items()} for view in VIEWS
    }
    out["gene_exact"] = round(shares.gene_exact, 6)
    out["gene_exact_primary"] = round(shares.gene_exact_primary, 6)
    out["isoform_recall_multi"] = round(shares.isoform_recall_multi, 6)
    out["events"] = {name: score.to_json() for name, score in evaluation.events["cds"].items()}
    out["events_transcript"] = {name: score.to_json() for name, score in evaluation.events["transcript"].items()}
    out["alternatives"] = {view: evaluation.alternatives[view].to_json() for view in VIEWS}
    if evaluation.added is not None and evaluation.echo is not None:
        out["added"] = {view: evaluation.added[view].to_json() for view in VIEWS}
        out["echo"] = evaluation_json(evaluation.echo)
    out["classes"] = {view: _all_classes(class_counts(evaluation, view)) for view in VIEWS}
    out["strata"] = {
        name: {key: share.to_json() for key, share in bins.items()} for name, bins in evaluation.strata.items()
    }
    if evaluation.calibration is not None:
        out["calibration"] = {"transcript": evaluation.calibration.to_json()}
        if evaluation.exon_calibration is not None:
            out["calibration"]["exon"] = evaluation.exon_calibration.to_json()
    if evaluation.reads is not None:
        out["reads"] = evaluation.reads.to_json()
    out["n"] = _counts(evaluation)
    return out


def _all_classes(counts: Mapping[str, int]) -> dict[str, int]:
    return {name: counts.get(name, 0) for name in CLASSES}


def _counts(evaluation: Evaluation) -> dict[str, Any]:
    cds, whole = evaluation.structures["cds"], evaluation.structures["transcript"]
    return {
        "reference_genes": len(evaluation.reference),
        "reference_transcripts": len(whole[0]),
        "reference_cds": len(cds[0]),
        "multi_isoform_genes": evaluation.shares.multi,
        "prediction_genes": len(evaluation.prediction),
        "prediction_transcripts": len(whole[1]),
        "prediction_cds": len(cds[1]),
        "predicted_cds_per_gene": round(evaluation.shares.predicted_per_gene, 6),
        "genes_with_prediction": sum(row.predicted > 0 for row in evaluation.genes),
        "unpaired_transcripts": len(evaluation.pairing.unpaired),
        "left_out": evaluation.left_out,
        "mended": evaluation.mended,
        "stop_codons": {name: stops.to_json() for name, stops in evaluation.stops.items()},
    }


def result_json(result: Result, config: Config) -> dict[str, Any]:
    """First pair at the top, every pair under `comparisons` where there are more."""
    provenance = Provenance("tg-evaluate", _parameters(config))
    out = evaluation_json(result.evaluations[0])
    if len(result.evaluations) > 1:
        out["comparisons"] = [
            {"reference": e.reference_path.name, "prediction": e.prediction_path.name, **evaluation_json(e)}
            for e in result.evaluations
        ]
    out["format_version"] = FORMAT_VERSION
    out["provenance"] = json.loads(provenance.to_json())
    return out


def _parameters(config: Config) -> dict[str, Any]:
    """File names without directories, so that the same inputs give the same bytes anywhere."""
    out = {}
    for field in fields(config):
        value = getattr(config, field.name)
        if field.name.endswith("_path"):
            continue
        if isinstance(value, Path):
            value = value.name
        elif isinstance(value, tuple):
            value = [item.name for item in value]
        elif field.name == "region":
            value = asdict(value)
        out[field.name] = value
    return out


def _leaves(value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _leaves(inner, (*path, str(key)))
    elif isinstance(value, list):
        for i, inner in enumerate(value):
            yield from _leaves(inner, (*path, str(i)))
    else:
        yield path, value


def _tsv(path: Path, header: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    with write_aside(path) as aside, aside.open("w") as handle:
        handle.write("\t".join(header) + "\n")
        for row in rows:
            handle.write("\t".join(_cell(value) for value in row) + "\n")


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _metric_rows(result: Result) -> Iterator[tuple[str, str, str, Any]]:
    for evaluation in result.evaluations:
        for path, value in _leaves(evaluation_json(evaluation)):
            yield evaluation.reference_path.name, evaluation.prediction_path.name, ".".join(path), value


_TRANSCRIPT_COLUMNS = (
    "transcript_id", "gene_id", "source_gene", "reference_gene", "seqid", "start", "end", "strand", "exons",
    "cds_parts", "score", "class_cds", "class_transcript", "cds_exact", "transcript_exact", "reads", "introns",
    "introns_supported", "introns_contradicted",
)  # fmt: skip


def _transcript_rows(evaluation: Evaluation) -> Iterator[tuple[Any, ...]]:
    paired: dict[int, str] = {}
    for name, rows in evaluation.pairing.by_gene.items():
        paired |= {id(t): f"{paired[id(t)]},{name}" if id(t) in paired else name for t in rows}
    for gene in evaluation.prediction:
        for t in gene.transcripts:
            cds, whole = structure_of(t, "cds"), structure_of(t, "transcript")
            coding = evaluation.classes["cds"].get(cds) if cds is not None else None
            full = evaluation.classes["transcript"].get(whole) if whole is not None else None
            kinds = (coding.kind if coding else None, full.kind if full else None)
            reads = evaluation.reads.support.get(whole) if evaluation.reads and whole is not None else None
            yield (
                t.id, gene.id, source_gene(gene, t), paired.get(id(t)), t.seqid, t.interval.start, t.interval.end,
                t.strand, len(t.exons), len(t.cds), t.score, *kinds, kinds[0] == "equal", kinds[1] == "equal",
                *((reads.kind, reads.introns, reads.supported, reads.contradicted) if reads else (None,) * 4),
            )  # fmt: skip


def _missing_rows(reads: ReadComparison) -> Iterator[tuple[Any, ...]]:
    for chain in reads.missing:
        introns = ",".join(f"{i.start}-{i.end}" for i in chain.introns)
        yield chain.seqid, chain.span.start, chain.span.end, chain.strand, chain.count, introns


def write_outputs(result: Result, config: Config) -> None:
    """Write what the config names; nothing else."""
    first = result.evaluations[0]
    if config.json_path is not None:
        with write_aside(config.json_path) as aside:
            aside.write_text(json.dumps(result_json(result, config), indent=1) + "\n")
    if config.tsv_path is not None:
        _tsv(config.tsv_path, ("reference", "prediction", "metric", "value"), _metric_rows(result))
    if config.genes_path is not None:
        names = [f.name for f in fields(GeneResult)]
        _tsv(config.genes_path, names, ([getattr(row, name) for name in names] for row in first.genes))
    if config.transcripts_path is not None:
        _tsv(config.transcripts_path, _TRANSCRIPT_COLUMNS, _transcript_rows(first))
    if config.missing_chains_path is not None and first.reads is not None:
        header = ("seqid", "start", "end", "strand", "reads", "introns")
        _tsv(config.missing_chains_path, header, _missing_rows(first.reads))
