"""Named cases through gene sentence, shard and tg-backmap, equal to the golden files byte for byte."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.backmap.builders import row_of, shards_of
from transgenic_tools import __version__
from transgenic_tools.backmap.config import Config
from transgenic_tools.backmap.run import run
from transgenic_tools.io.gff3 import Annotation, read_annotation

GOLDEN = Path(__file__).parents[1] / "golden"
CASES = sorted(path.parent.name for path in GOLDEN.glob("*/in.gff3"))


def _structures(annotation: Annotation) -> dict[str, object]:
    return {
        gene.id: {(t.exons, t.cds, t.first_phase, t.strand, t.seqid) for t in gene.coding_transcripts}
        for gene in annotation.genes
    }


def _backmap(case: str, directory: Path) -> tuple[Path, Path]:
    annotation = read_annotation(GOLDEN / case / "in.gff3")
    region = next(iter(annotation.sequence_regions.values()))
    (directory / "genome.fa").write_text(f">{annotation.seqids[0]}\n{'ACGT' * (region.end // 4)}\n")
    shards = shards_of([row_of(gene) for gene in annotation.genes], directory / "shards")
    config = Config(
        predictions=(shards,), out=directory / "out.gff3", fasta=directory / "genome.fa", gtf=directory / "out.gtf"
    )
    assert run(config).rejects == {}
    return config.out, directory / "out.gtf"


def _any_version(path: Path) -> str:
    return path.read_text().replace(f'"version": "{__version__}"', '"version": "any"')


def _agree(gff3: Path, gtf: Path) -> None:
    """`gt` accepts the GFF3, and gffread reads the same transcripts from both files."""
    subprocess.run(["gt", "gff3validator", str(gff3)], check=True, capture_output=True)
    tables = []
    for path in (gff3, gtf):
        read = subprocess.run(
            ["gffread", "-E", str(path), "--table", "@id,@chr,@strand,@exons"],
            check=True,
            capture_output=True,
            text=True,
        )
        assert "Error" not in read.stderr, read.stderr
        tables.append(read.stdout)
    assert tables[0] == tables[1]
    assert tables[0].count("\n") == sum("\tmRNA\t" in line for line in gff3.read_text().splitlines())


@pytest.mark.parametrize("case", CASES)
def test_golden(case: str, tmp_path: Path) -> None:
    gff3, gtf = _backmap(case, tmp_path)
    if os.environ.get("GOLDEN_UPDATE"):
        _agree(gff3, gtf)
        (GOLDEN / case / "out.gff3").write_text(_any_version(gff3))
        (GOLDEN / case / "out.gtf").write_text(_any_version(gtf))
    assert _any_version(gff3) == (GOLDEN / case / "out.gff3").read_text()
    assert _any_version(gtf) == (GOLDEN / case / "out.gtf").read_text()


@pytest.mark.parametrize("case", CASES)
def test_golden_files_hold_the_structures_of_the_input(case: str) -> None:
    given = _structures(read_annotation(GOLDEN / case / "in.gff3"))
    assert given == _structures(read_annotation(GOLDEN / case / "out.gff3"))
    assert given == _structures(read_annotation(GOLDEN / case / "out.gtf"))


@pytest.mark.skipif(not (shutil.which("gt") and shutil.which("gffread")), reason="needs genometools and gffread")
@pytest.mark.parametrize("case", CASES)
def test_validators_accept_the_golden_files(case: str) -> None:
    _agree(GOLDEN / case / "out.gff3", GOLDEN / case / "out.gtf")


def test_every_case_is_in_the_readme() -> None:
    listed = {
        line.split("|")[1].strip() for line in (GOLDEN / "README.md").read_text().splitlines() if line[:2] == "| "
    }
    assert listed - {"case"} == set(CASES)
    assert len(CASES) == 11
