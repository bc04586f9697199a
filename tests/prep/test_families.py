"""Splits by family over several genomes: relatives stay together, whatever genome and order they come in."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tests.prep.test_split import _coding
from transgenic_tools.cli.prep import app
from transgenic_tools.errors import BadInputError, UsageError
from transgenic_tools.io.rows import GeneRow
from transgenic_tools.io.shards import read_shard, write_gene_shard, write_gene_shards
from transgenic_tools.prep.families import Config, protein_of, run
from transgenic_tools.provenance import Provenance

LETTERS = "ACDEFGHIKLMNPQRSTVWY"
FAMILIES = 30


def _row(sample: str, name: str, protein: str, rng: random.Random) -> GeneRow:
    """A gene of two exons on either strand; shard sequences are 5' to 3' anyway."""
    coding = "ATG" + _coding(protein + "*", rng)
    cut = rng.randrange(10, len(coding) - 10)
    sequence = "TTT" + coding[:cut] + "GTAAGTTTTTTTTTTTTTTTTTTTTAG" + coding[cut:]
    second = cut + 3 + 27
    sentence = f"3|CDS1|{cut + 3}|+|A;{second}|CDS2|{len(sequence)}|+|{'ABC'[-cut % 3]}>CDS1|CDS2"
    return GeneRow(
        name, sample, "c", 3, len(sequence), "+", 0, len(sequence), sequence, sentence, 1, f"{name}.t", split="train"
    )


@pytest.fixture
def genomes(tmp_path: Path) -> dict[str, Path]:
    """Three genomes; a family has a member in each, under IDs that the genomes share."""
    rng = random.Random(9)
    ancestors = ["".join(rng.choices(LETTERS, k=150)) for _ in range(FAMILIES)]
    found = {}
    for sample in ("a", "b", "c"):
        rows = []
        for number in rng.sample(range(FAMILIES), FAMILIES):
            protein = "".join(rng.choice(LETTERS) if rng.random() < 0.1 else x for x in ancestors[number])
            rows.append(_row(sample, f"g{number}", protein, rng))
        found[sample] = tmp_path / "in" / sample
        write_gene_shards(rows, found[sample], provenance=Provenance("test"), shard_bases=4000)
    return found


def test_families_stay_together_across_genomes(genomes: dict[str, Path], tmp_path: Path) -> None:
    done = run(Config(shards=tuple(genomes.values()), outdir=tmp_path / "out", folds=3))
    assert (done.genes, done.families, done.shared) == (3 * FAMILIES, FAMILIES, FAMILIES)
    where: dict[str, set[tuple[str | None, int | None]]] = {}
    for sample in genomes:
        before, after = list(read_shard(genomes[sample])), list(read_shard(tmp_path / "out" / sample))
        assert [(r.gene_id, r.sequence, r.gsf) for r in before] == [(r.gene_id, r.sequence, r.gsf) for r in after]
        for row in after:
            where.setdefault(row.gene_id, set()).add((row.split, row.fold))
            assert (row.fold is None) == (row.split == "test")
    assert all(len(places) == 1 for places in where.values())
    shares = [sum(next(iter(p))[0] == split for p in where.values()) for split in ("train", "validation", "test")]
    assert shares == [23, 3, 4]


def test_order_of_shards_changes_no_byte(genomes: dict[str, Path], tmp_path: Path) -> None:
    files = [path for directory in genomes.values() for path in sorted(directory.iterdir())]
    assert len(files) > 3
    run(Config(shards=tuple(files), outdir=tmp_path / "one", folds=2))
    run(Config(shards=tuple(files[::-1]), outdir=tmp_path / "other", folds=2))
    written = {p.relative_to(tmp_path / "one"): p.read_bytes() for p in (tmp_path / "one").rglob("*.parquet")}
    assert {
        p.relative_to(tmp_path / "other"): p.read_bytes() for p in (tmp_path / "other").rglob("*.parquet")
    } == written
    assert len(written) == len(files)


def test_protein_of_a_row() -> None:
    assert protein_of(_row("s", "g", "ACDEFGHIKLMNP", random.Random(1))) == "MACDEFGHIKLMNP"


def test_what_is_wrong_is_said(genomes: dict[str, Path], tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match="two shards"):
        run(Config(shards=(genomes["a"], genomes["a"]), outdir=tmp_path / "out"))
    with pytest.raises(UsageError, match="by family"):
        Config(shards=(), outdir=tmp_path, split="fraction")


def test_command(genomes: dict[str, Path], tmp_path: Path) -> None:
    flags = ["split", *map(str, genomes.values()), "--outdir", str(tmp_path / "out"), "--json", "-q"]
    done = CliRunner().invoke(app, flags)
    assert done.exit_code == 0, done.output
    assert '"families_in_several_genomes": 30' in done.output
    assert len(list((tmp_path / "out" / "b").glob("genes-*.parquet"))) > 1


@pytest.mark.parametrize("sample", ["..", ".", "a/b", "../out", "", "a\n", "x" * 101])
def test_a_sample_that_can_be_no_folder(sample: str, tmp_path: Path) -> None:
    """Shards of others may hold any name; files are written in a folder of that name."""
    shard = tmp_path / "in.parquet"
    write_gene_shard([_row(sample, "g", "MAAAA", random.Random(1))], shard, provenance=Provenance("test"))
    with pytest.raises(BadInputError, match="no folder's name"):
        run(Config(shards=(shard,), outdir=tmp_path / "out" / "in"))
    assert not (tmp_path / "out").exists()
