"""Shortened windows from tg-prep to tg-backmap: what was predicted on them stands at its place in the genome."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from tests.generate.conftest import DEMO
from tests.generate.test_predict import predictor
from transgenic_tools.backmap.config import Config as BackmapConfig
from transgenic_tools.backmap.run import run as backmap
from transgenic_tools.cli.prep import app as prep_app
from transgenic_tools.genome.code import STANDARD
from transgenic_tools.genome.sequence import reverse_complement
from transgenic_tools.io.fasta import Fasta
from transgenic_tools.io.gff3 import read_annotation
from transgenic_tools.io.rows import GeneRow
from transgenic_tools.io.shards import read_shard, write_prediction_shard
from transgenic_tools.model.transgenic import TransgenicModel
from transgenic_tools.provenance import Provenance

GENES = 8
FASTA = DEMO / "athaliana_chr1_slice.fa.gz"
ANNOTATION = DEMO / "athaliana_chr1_slice.gff3.gz"


def _shortened_rows(routine: str, outdir: Path) -> list[GeneRow]:
    """The smallest genes of which the routine leaves something out."""
    flags = ["--fasta", str(FASTA), "--annotation", str(ANNOTATION), "--outdir", str(outdir), "-q"]
    done = CliRunner().invoke(prep_app, ["genes", *flags, "--routine", routine, "--overlap", "60"])
    assert done.exit_code == 0, done.output
    cut = [row for row in read_shard(outdir) if row.kept is not None and len(row.sequence) < row.bases - 60]
    return sorted(cut, key=lambda row: (len(row.sequence), row.gene_id))[:GENES]


@pytest.mark.parametrize("routine", ["cds_overlap", "intron_overlap", "junctions"])
def test_predictions_on_shortened_windows_map_back(model: TransgenicModel, tmp_path: Path, routine: str) -> None:
    rows = _shortened_rows(routine, tmp_path / "prep")
    assert len(rows) == GENES
    predictions = predictor(model).predict(rows)
    shard = tmp_path / "predictions-00000.parquet"
    write_prediction_shard(predictions, shard, provenance=Provenance("test"))
    out = tmp_path / "out.gff3"
    backmap(BackmapConfig(predictions=(shard,), out=out, fasta=FASTA))
    known = {gene.id: {t.cds for t in gene.transcripts} for gene in read_annotation(ANNOTATION).genes}
    exact = 0
    genes = read_annotation(out).genes
    assert len(genes) == GENES
    with Fasta(FASTA) as genome:
        for gene in genes:
            for transcript in gene.transcripts:
                contig = genome.fetch(gene.seqid)
                coding = transcript.spliced(contig, coding=True)
                assert (coding[:3], len(coding) % 3) == ("ATG", 0)
                assert coding[-3:] in STANDARD.stop_codons
                for intron in transcript.introns:
                    sense = contig[intron.start : intron.end]
                    sense = sense if gene.strand == "+" else reverse_complement(sense)
                    assert (sense[:2], sense[-2:]) in STANDARD.all_pairs
            exact += bool(known[gene.id].intersection(t.cds for t in gene.transcripts))
    assert exact >= 2  # far from all: the model has never read a shortened window
