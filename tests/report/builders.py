"""Small annotations and reports for the tests."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from tests.backmap.builders import TEST, make_gene, row_of, shards_of
from transgenic_tools.genome.gene import Gene
from transgenic_tools.genome.interval import Strand
from transgenic_tools.io.gff3 import write_genes
from transgenic_tools.io.junctions import EvidenceRow, InputInfo, write_evidence
from transgenic_tools.io.usage import TranscriptUsage, write_transcript_usage
from transgenic_tools.report.config import Config, Source


def reference_genes(count: int = 40) -> list[Gene]:
    """`count` genes on both strands, every third with two isoforms."""
    genes = []
    for i in range(count):
        base = 1000 * (i + 1)
        strand = "-" if i % 2 else "+"
        exons, cds = [(base, base + 100), (base + 200, base + 320)], [(base + 10, base + 100), (base + 200, base + 290)]
        gene = make_gene(f"gene{i:03d}", exons, cds, strand=strand)
        if i % 3 == 0:
            later = [(exons[0], (base + 230, base + 320)), (cds[0], (base + 230, base + 290))]
            other = make_gene("x", list(later[0]), list(later[1]), strand=strand)
            second = replace(other.transcripts[0], id=f"gene{i:03d}.y")
            gene = replace(gene, transcripts=(gene.transcripts[0], second))
        genes.append(gene)
    return genes


def predicted_genes(count: int = 40) -> list[Gene]:
    """As the reference, but every fifth gene is wrong and every seventh is missing."""
    genes = []
    for i, gene in enumerate(reference_genes(count)):
        if i % 7 == 6:
            continue
        first = gene.transcripts[0]
        start = gene.interval.start
        if i % 5 == 4:
            first = make_gene("x", [(start, start + 100), (start + 215, start + 320)], strand=gene.strand).transcripts[
                0
            ]
        source = {"source_gene": (gene.id,)}
        predicted = replace(first, id=f"{gene.id}.t1", score=0.9 - 0.01 * (i % 40), attributes=source)
        genes.append(replace(gene, transcripts=(predicted,), attributes=source, score=0.8 - 0.01 * (i % 40)))
    return genes


def evaluation() -> dict[str, object]:
    """The shape of tg-evaluate's JSON."""
    score = {"sensitivity": 0.8, "precision": 0.9, "f1": 0.847}
    levels = {name: score for name in ("base", "exon", "intron", "intron_chain", "transcript", "locus")}
    bins = [
        {"lower": i / 10, "upper": (i + 1) / 10, "count": 10 * i, "mean_score": i / 10 + 0.05, "observed": i / 10}
        for i in range(10)
    ]
    return {
        "cds": levels,
        "transcript": levels,
        "gene_exact": 0.66,
        "gene_exact_primary": 0.6,
        "isoform_recall_multi": 0.3,
        "events": {"SE": score | {"reference": 4, "reference_matched": 2, "prediction": 3, "prediction_matched": 2}},
        "classes": {"cds": {"equal": 30, "novel": 4}},
        "strata": {"exons": {"1": {"genes": 10, "gene_exact": 0.5}}},
        "calibration": {"transcript": {"count": 450, "expected_calibration_error": 0.05, "brier": 0.1, "bins": bins}},
        "n": {},
    }


def write_inputs(directory: Path, count: int = 40) -> Config:
    """All inputs of a report with one sample."""
    reference, predicted = directory / "ref.gff3", directory / "pred.gff3"
    write_genes(reference, reference_genes(count), provenance=TEST)
    write_genes(predicted, predicted_genes(count), provenance=TEST)
    (directory / "e.json").write_text(json.dumps(evaluation()))
    (directory / "rejects.tsv").write_text("gene\treason\tdetail\ng\toutside_contig\tx\nh\toutside_contig\t\n")
    (directory / "prep.json").write_text(json.dumps({"mended": {"gene_span": 3}, "genes": 40}))
    lines = [{"split": s, "step": n, "loss": 2.0 - n / 100} for n in (10, 20, 30) for s in ("train", "validation")]
    (directory / "metrics.jsonl").write_text("\n".join(map(json.dumps, lines)) + "\n")
    (directory / "g.fa").write_text(">chr1\n" + "ACGT" * (250 * (count + 2)) + "\n")
    donors = [row_of(g, donor_scores=((0.75,),), acceptor_scores=((0.5,),)) for g in predicted_genes(count)]
    shards = shards_of(donors, directory / "shards")
    return Config(
        annotations=(Source("ath", predicted),),
        references=(Source("ath", reference),),
        evaluations=(Source("ath", directory / "e.json"),),
        rejects=(Source("ath", directory / "rejects.tsv"),),
        preps=(Source("ath", directory / "prep.json"),),
        training=(directory / "metrics.jsonl",),
        predictions=(shards,),
        fasta=(Source("ath", directory / "g.fa"),),
        out=directory / "report.html",
        multiqc=directory / "multiqc",
    )


def with_reads(config: Config, directory: Path) -> Config:
    """The same report with reads of two conditions across introns of gene000 (with a rival) and gene001."""
    inputs = [InputInfo(name=n, kind="star_junctions", condition=c, weight=1.0, sha256="") for n, c in READS_OF]
    places: list[tuple[int, int, Strand, tuple[int, ...], tuple[int, ...]]] = [
        (1_100, 1_180, "+", (1,), (3,)),  # of no isoform
        (1_100, 1_200, "+", (0, 1, 2), (1_000, 200, 34)),
        (1_100, 1_230, "+", (2,), (7,)),  # of the second isoform of the reference alone
        (2_100, 2_200, "-", (0,), (5,)),
        (2_100, 2_200, "+", (0,), (99,)),  # of the other strand
    ]
    rows = [
        EvidenceRow(kind="junction", seqid="chr1", start=a, end=b, strand=s, introns=(), inputs=i, counts=n)
        for a, b, s, i, n in places
    ]
    write_evidence(directory / "e.parquet", rows, inputs=inputs, provenance=TEST)
    unknown = float("nan")
    usage = [
        TranscriptUsage(
            gene_id="gene000", transcript_id="gene000.t1", introns=1, determined=True, shares=(0.75, unknown),
            reads=(3.0, 0.0),
        ),
        TranscriptUsage(
            gene_id="gene001", transcript_id="gene001.t1", introns=1, determined=False, shares=(0.5, 0.5), reads=(1, 1)
        ),
    ]  # fmt: skip
    write_transcript_usage(directory / "usage.tsv", ("leaf", "root"), usage)
    return replace(
        config,
        evidence=(Source("ath", directory / "e.parquet"),),
        usage=(Source("ath", directory / "usage.tsv"),),
        out=directory / "reads.html",
    )


READS_OF = (("leaf1", "leaf"), ("leaf2", "leaf"), ("root1", "root"))
