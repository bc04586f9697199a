"""What programs that come after make of the files: SnpEff's own checks, and one clean protein a gene."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from tests.backmap.test_submission import CODING, World
from transgenic_tools.genome.interval import Interval


@pytest.fixture
def world(tmp_path: Path) -> World:
    """Two genes, one of them with a second isoform that lacks two codons."""
    world = World(tmp_path)
    gene = world.add("a")
    first, last = gene.transcripts[0].exons
    parts = (first, Interval(last.start + 6, last.end))
    world.genes[0] = replace(
        gene, transcripts=(*gene.transcripts, replace(gene.transcripts[0], exons=parts, cds=parts))
    )
    world.add("b", strand="-")
    return world


@pytest.mark.skipif(shutil.which("snpEff") is None, reason="Debian's snpeff is not installed")
@pytest.mark.slow
def test_snpeff_builds_a_database_and_agrees_with_every_cds_and_protein(world: World) -> None:
    database = world.folder / "data" / "mine"
    database.mkdir(parents=True)
    world.backmap(submission=None, cds=database / "cds.fa", proteins=database / "protein.fa")
    shutil.copy(world.folder / "g.fsa", database / "sequences.fa")
    shutil.copy(world.folder / "g.gff3", database / "genes.gff")
    (world.folder / "snpEff.config").write_text("data.dir = ./data\nmine.genome : mine\n")

    def run(*words: str) -> str:
        done = subprocess.run(
            ["snpEff", *words], cwd=world.folder, capture_output=True, text=True, check=False, timeout=300
        )
        assert done.returncode == 0, done.stderr
        return done.stdout + done.stderr

    said = run("build", "-gff3", "-c", "snpEff.config", "-noLog", "mine")
    assert "OK: 3\tWarnings: 0\tNot found: 0\tErrors: 0" in said
    assert "Protein check:\tmine\tOK: 3\tNot found: 0\tErrors: 0" in said
    start = world.genes[0].interval.start
    vcf = "##fileformat=VCFv4.2\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n"
    (world.folder / "v.vcf").write_text(f"{vcf}chr1\t{start + 1}\t.\tA\tG\t.\t.\t.\n")
    said = run("ann", "-c", "snpEff.config", "-noLog", "-noStats", "mine", "v.vcf")
    assert "G|start_lost|HIGH|a|a|transcript|a.t1|protein_coding" in said


def test_one_clean_protein_a_gene(world: World) -> None:
    """For BUSCO and OrthoFinder."""
    world.backmap(submission=None, proteins=world.folder / "p.fa", max_isoforms=1, id_prefix="ath_")
    records = [record.split("\n", 1) for record in (world.folder / "p.fa").read_text().split(">")[1:]]
    assert [header.split()[:2] for header, _ in records] == [
        ["ath_a.t1", "gene=ath_a"], ["ath_b.t1", "gene=ath_b"]
    ]  # fmt: skip
    proteins = {body.replace("\n", "") for _, body in records}
    assert proteins == {"MK" + "AS" * 13 + "A"}
    assert len(CODING) == 3 * len(next(iter(proteins))) + 3
