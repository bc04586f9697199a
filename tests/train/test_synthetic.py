"""Synthetic genes: parameters are read as they are meant, and what is drawn is a gene of that species."""

from __future__ import annotations

import itertools
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from transgenic_tools.errors import BadInputError, MissingInputError
from transgenic_tools.genome.code import STANDARD
from transgenic_tools.io.rows import GeneRow, gene_fault
from transgenic_tools.io.shards import read_shard
from transgenic_tools.train.augustus_parameters import SpeciesModel, read_species
from transgenic_tools.train.examples import example_from_row
from transgenic_tools.train.synthetic import Drawn, draw_gene

LONGEST = 300
#: Probabilities of a, c, g, t by place in the codon, and of introns.
CODING = ("0.4 0.1 0.4 0.1", "0.1 0.4 0.1 0.4", "0.02 0.48 0.48 0.02")
INTRON = "0.1 0.1 0.1 0.7"


def words(length: int) -> list[str]:
    return ["".join(letters) for letters in itertools.product("acgt", repeat=length)]


def motif(width: int, order: int, row: str) -> str:
    contexts = "\t".join([row.replace(" ", "\t")] * 4**order)
    return f"# width of motif, n=\n{width}\n# order\n{order}\n# chain\n" + "".join(
        f"{i:2d}  {contexts}\n" for i in range(width)
    )


def lengths(shares: Callable[[int], str]) -> str:
    return "".join(f"{i}\t{shares(i)}\n" for i in range(LONGEST + 1))


def exon_file(*, joint: bool) -> str:
    """Exons of 61 bases, terminal ones of any length from 60 on, single ones of 240; two classes of GC."""
    share = lengths(lambda i: f"{1000 * (i == 240)}\t{1000 * (i == 61)}\t{1000 * (i == 61)}\t{1.0 * (i >= 60)}")
    text = f"[STARTCODONS]\n1\nATG 1\n[LENGTH]\n{LONGEST}\n0.5\n1\n 100 300 600 300\n# longer\n 1 1 1 1\n{share}"
    columns = [row.split() for row in CODING]
    for group in (1, 2):
        patterns = "".join(
            f"{w}\t"
            + "\t".join(str(float(column["acgt".index(w[-1])]) * (0.25 if joint else 1)) for column in columns)
            + "\n"
            for w in words(2)
        )
        block = f"[P_ls]\n1\na 1 1 1\n{patterns}" if joint else f"[EMISSION]\n16\n1\n3.5\n{patterns}"
        text += f"[{group}]\n# class\n[TRANSINIT]\n{motif(6, 2, '0.97 0.01 0.01 0.01')}{block}"
    return text


def intron_file() -> str:
    """Introns of 100 bases, one in ten longer; donors are cagGTaagt, acceptors gcAGgt."""
    share = "".join(f"{1000.0 * (i == 100)}\n" for i in range(201))
    text = "[ASS]\n1024\n900\n0.03\ngcagt\t990\nggagt\t10\n[DSS]\n16384\n900\n0.0005\ncagaagt\t1000\n"
    text += f"[LENGTH]\n200\n{share}"
    for group in (1, 2):
        patterns = "".join(f"{w}\t{INTRON.split()['acgt'.index(w[-1])]}\n" for w in words(2))
        text += f"[{group}]\n[TRANSITION]\n0.9\n300\n[EMISSION]\n16\n1\n5\n{patterns}"
        text += f"[ASSMOTIF]\n{motif(20, 1, '0.01 0.01 0.01 0.97')}"
    return text


@pytest.fixture(params=[False, True], ids=["conditional", "joint"])
def directory(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    path = tmp_path / "moss"
    path.mkdir()
    (path / "moss_exon_probs.pbl").write_text(exon_file(joint=request.param))
    (path / "moss_intron_probs.pbl").write_text(intron_file())
    constants = "dss_start 3\n/Constant/ass_end 2 # bases\n/Constant/amberprob 0.0\n/Constant/ochreprob 0.75\n"
    (path / "moss_parameters.cfg").write_text(f"/Constant/{constants}/Constant/opalprob 0.25\nother text\n")
    return path


@pytest.fixture
def model(directory: Path) -> SpeciesModel:
    return read_species(directory)


def test_parameter_files_are_read_as_they_are_meant(model: SpeciesModel) -> None:
    assert (model.name, model.counts, model.donor_exon, model.acceptor_exon) == ("moss", (100, 300, 600, 300), 3, 2)
    assert [int(row.argmax()) for row in model.exons[:3]] == [240, 61, 61]
    assert model.exons[3, 59] == 0 < model.exons[3, 60] == model.exons[3, LONGEST]
    assert (len(model.introns), int(model.introns.argmax())) == (201, 100)
    assert model.donors == {"CAGAAGT": 1.0}
    assert model.acceptors == pytest.approx({"GCAGT": 0.99, "GGAGT": 0.01})
    assert model.stops == {"TAA": 0.75, "TGA": 0.25}
    assert len(model.contents) == 2
    content = model.contents[1]
    assert content.coding == pytest.approx(np.array([[list(map(float, row.split()))] * 4 for row in CODING]))
    assert content.intron == pytest.approx(np.array([list(map(float, INTRON.split()))] * 4))
    assert (content.start.shape, content.acceptor.shape, content.short, content.beyond) == (
        (6, 16, 4),
        (20, 4, 4),
        0.9,
        300,
    )


def drawn(model: SpeciesModel, count: int = 60) -> list[Drawn]:
    return [draw_gene(model, np.random.default_rng(seed)) for seed in range(count)]


def test_genes_are_open_and_spliced_as_the_species_splices(model: SpeciesModel) -> None:
    for gene in drawn(model):
        coding = "".join(gene.bases[exon.start : exon.end] for exon in gene.exons)
        protein = STANDARD.translate(coding)
        assert protein[0] == "M"
        assert protein.index("*") == len(protein) - 1
        assert coding[-3:] in ("TAA", "TGA")
        assert gene.exons[0].start == 0
        assert gene.exons[-1].end == len(gene.bases)
        for left, right in itertools.pairwise(gene.exons):
            assert gene.bases[left.end - 3 : left.end + 6] == "CAGGTAAGT"
            assert gene.bases[right.start - 5 : right.start + 2] in ("GCAAGGT", "GGAAGGT")


def test_lengths_and_composition_are_those_of_the_species(model: SpeciesModel) -> None:
    genes = drawn(model, 150)
    internal = {len(exon) for gene in genes for exon in gene.exons[:-1]}
    assert internal == {61}
    introns = [right.start - left.end for gene in genes for left, right in itertools.pairwise(gene.exons)]
    assert Counter(introns).most_common(1)[0][0] == 100
    assert np.mean([length == 100 for length in introns]) == pytest.approx(0.9, abs=0.05)
    assert min(length for length in introns if length != 100) > 200
    single = [gene for gene in genes if len(gene.exons) == 1]
    assert {len(gene.bases) for gene in single} == {240}
    assert len(single) / len(genes) == pytest.approx(0.25, abs=0.1)
    assert np.mean([len(gene.exons) - 2 for gene in genes if len(gene.exons) > 1]) == pytest.approx(2, abs=0.6)
    third = "".join(gene.bases[5:-3:3] for gene in single)
    assert (third.count("C") + third.count("G")) / len(third) > 0.9
    ends = [gene.bases[right.start - 20 : right.start - 5] for gene in genes for right in gene.exons[1:]]
    assert "".join(ends).count("T") / sum(map(len, ends)) > 0.9


def test_damaged_and_missing_parameters_are_named(directory: Path) -> None:
    path = directory / "moss_exon_probs.pbl"
    text = path.read_text()
    for damaged, message in (
        (text.replace("[LENGTH]", "[LENGTHS]"), r"no section \[LENGTH\]"),
        (text.replace("\t0.97", "\tx"), "LENGTH or below"),
        (text.replace("[TRANSINIT]", "[OTHER]"), r"no section \[TRANSINIT\]"),
    ):
        path.write_text(damaged)
        with pytest.raises(BadInputError, match=message) as told:
            read_species(directory)
        assert str(told.value.path) == str(path)
    path.unlink()
    with pytest.raises(MissingInputError, match="no parameters of AUGUSTUS"):
        read_species(directory)


def test_lengths_that_give_no_gene_are_said(directory: Path) -> None:
    path = directory / "moss_exon_probs.pbl"
    path.write_text(
        path.read_text()
        .replace("100 300 600 300", "100 0 0 0")
        .replace("240\t1000", "240\t0")
        .replace("\n3\t0\t", "\n3\t1\t")
    )
    with pytest.raises(BadInputError, match="no gene could be drawn"):
        draw_gene(read_species(directory), np.random.default_rng(1))


def test_the_command_plants_genes_between_genes(directory: Path, tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    genome = "".join(rng.choice(list("ACGT"), 9_000))
    (tmp_path / "g.fa").write_text(f">a\n{genome[:4000]}{'N' * 500}{genome[4500:]}\n")
    lines = [
        f"a\t.\t{kind}\t{start}\t{start + 299}\t.\t+\t{phase}\t{ids.format(start)}"
        for start in (101, 6_001)  # one so near the end that nothing is left before it
        for kind, phase, ids in (
            ("gene", ".", "ID=g{0}"), ("mRNA", ".", "ID=t{0};Parent=g{0}"), ("exon", ".", "Parent=t{0}"),
            ("CDS", "0", "Parent=t{0}"),
        )
    ]  # fmt: skip
    (tmp_path / "g.gff3").write_text("##gff-version 3\n" + "\n".join(lines) + "\n")

    def made(name: str, genes: int) -> list[GeneRow]:
        command = [sys.executable, "-m", "transgenic_tools.train.synthetic", str(directory), "--genes", str(genes)]
        command += ["--fasta", str(tmp_path / "g.fa"), "--annotation", str(tmp_path / "g.gff3"), "--flank", "300"]
        subprocess.run([*command, "--outdir", str(tmp_path / name)], check=True)
        return list(read_shard(tmp_path / name))

    rows = made("many", 8)
    assert [row.gene_id for row in rows] == [f"synthetic_moss.{i}" for i in range(8)]
    for row in rows:
        assert gene_fault(row) is None
        assert row.split == "train"
        around = row.sequence[:300] + row.sequence[row.end :]
        place = genome.find(around)
        assert place >= 900
        assert place + 600 <= 4_000 or 4_500 <= place <= 5_500 - 600 or place >= 6_800
        assert row.sequence[300 : row.start].count("A") >= 4  # what a ribosome looks for
        (transcript,) = example_from_row(row).transcripts
        assert transcript.interval.start == row.start
    assert [(row.gene_id, row.sequence) for row in made("few", 3)] == [(row.gene_id, row.sequence) for row in rows[:3]]
