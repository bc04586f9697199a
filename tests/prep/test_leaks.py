"""Near copies and relatives of held-out genes are found in every genome; genomes may share IDs."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tests.prep.test_families import LETTERS, _row
from transgenic_tools.cli.prep import app
from transgenic_tools.errors import BadInputError, UsageError
from transgenic_tools.io.rows import GeneRow
from transgenic_tools.io.shards import read_shard, write_gene_shards
from transgenic_tools.prep.leaks import Config, run
from transgenic_tools.provenance import Provenance


def _protein(seed: int) -> str:
    return "".join(random.Random(seed).choices(LETTERS, k=150))


@pytest.fixture
def genomes(tmp_path: Path) -> tuple[Path, ...]:
    """Genome a has test genes g0 (a copy in b, under the ID g1), g1 (a relative in a) and g2 (alone)."""

    def gene(sample: str, name: str, protein: str, split: str, seed: int = 1) -> GeneRow:
        return replace(_row(sample, name, protein, random.Random(seed)), split=split)

    changed = "".join(x if i % 7 else "W" for i, x in enumerate(_protein(1)))
    rows = {
        "a": [
            *(gene("a", f"g{i}", _protein(i), "test") for i in range(3)),
            gene("a", "g3", changed, "train", seed=2),  # other codons, and one residue in seven
            gene("a", "g4", _protein(4), "validation"),
        ],
        "b": [
            gene("b", "g1", _protein(0), "train"), gene("b", "g0", _protein(5), "train"),
            gene("b", "g4", _protein(4), "train"),
        ],
    }  # fmt: skip
    for sample, some in rows.items():
        write_gene_shards(some, tmp_path / sample, provenance=Provenance("test"))
    return tuple(tmp_path / sample for sample in rows)


def _pairs(path: Path) -> list[list[str]]:
    return [line.split("\t")[:5] for line in path.read_text().splitlines()[1:]]


def test_copies_and_relatives_are_found_in_every_genome(genomes: tuple[Path, ...], tmp_path: Path) -> None:
    done = run(Config(shards=genomes, out=tmp_path / "leaks.tsv"))
    assert (done.held_out, done.learned) == ({"a": 3}, {"a": 1, "b": 3})
    assert _pairs(tmp_path / "leaks.tsv") == [
        ["copy", "a", "g0", "b", "g1"], ["relative", "a", "g0", "b", "g1"], ["relative", "a", "g1", "a", "g3"],
    ]  # fmt: skip
    assert done.to_json()["held_out_genes"] == {"a": {"copy": 1, "relative": 2}}
    other = run(Config(shards=genomes[::-1], out=tmp_path / "other.tsv"))
    assert other.leaks == done.leaks


def test_excluded_genes_are_not_learned_in_their_genome_alone(genomes: tuple[Path, ...], tmp_path: Path) -> None:
    (tmp_path / "near.txt").write_text("g1\n")
    kept = run(Config(shards=genomes, out=tmp_path / "leaks.tsv", exclude=(("a", tmp_path / "near.txt"),)))
    assert kept.touched("copy", "a") == 1
    clean = run(Config(shards=genomes, out=tmp_path / "leaks.tsv", exclude=(("b", tmp_path / "near.txt"),)))
    assert (clean.touched("copy", "a"), clean.touched("relative", "a")) == (0, 1)


def test_a_genome_without_splits_is_learned(genomes: tuple[Path, ...], tmp_path: Path) -> None:
    """A sheet of genomes learns it, so its copies of test genes must not go by unseen."""
    whole = [replace(row, split=None) for row in read_shard(genomes[1])]
    write_gene_shards(whole, tmp_path / "whole", provenance=Provenance("test"))
    done = run(Config(shards=(genomes[0], tmp_path / "whole"), out=tmp_path / "leaks.tsv"))
    assert (done.learned, done.touched("copy", "a", "b")) == ({"a": 1, "b": 3}, 1)


def test_lists_of_excluded_genes_are_of_the_genomes_there(
    genomes: tuple[Path, ...], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "near.txt").write_text("chr1\t.\tgene\n")
    with pytest.raises(UsageError, match="no sample c") as caught:
        run(Config(shards=genomes, out=tmp_path / "leaks.tsv", exclude=(("c", tmp_path / "near.txt"),)))
    assert caught.value.hint == "they hold a, b"
    run(Config(shards=genomes, out=tmp_path / "leaks.tsv", exclude=(("b", tmp_path / "near.txt"),)))
    assert "near.txt names no gene of b" in caplog.text


def test_lists_for_the_next_training_leave_no_copy(genomes: tuple[Path, ...], tmp_path: Path) -> None:
    (tmp_path / "earlier.txt").write_text("g3\n")
    lists = tmp_path / "lists"
    done = run(
        Config(
            shards=genomes, out=tmp_path / "leaks.tsv", exclude=(("a", tmp_path / "earlier.txt"),), exclude_into=lists
        )
    )
    assert done.lines()[:2] == [
        "a: of 3 held-out genes 1 (33.3%) have a near copy among the learned ones, 1 (33.3%) a relative",
        "  in b (3 learned genes): 1 with a copy, 1 with a relative",
    ]
    written = {path.stem: path for path in lists.iterdir()}
    assert {sample: path.read_text() for sample, path in written.items()} == {"a": "g3\n", "b": "g1\n"}
    again = run(Config(shards=genomes, out=tmp_path / "leaks.tsv", exclude=tuple(written.items()), strict=True))
    assert again.leaks == ()


def test_strict_fails_for_copies_alone(genomes: tuple[Path, ...], tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match="1 held-out genes have near copies"):
        run(Config(shards=genomes, out=tmp_path / "leaks.tsv", strict=True))
    assert _pairs(tmp_path / "leaks.tsv")[0][0] == "copy"  # the table is there all the same
    assert run(Config(shards=genomes[:1], out=tmp_path / "leaks.tsv", strict=True)).touched("relative", "a") == 1


def test_shards_without_one_side_are_refused(genomes: tuple[Path, ...], tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match="no held-out gene"):
        run(Config(shards=genomes[1:], out=tmp_path / "leaks.tsv"))


def test_the_command_prints_what_it_found(genomes: tuple[Path, ...], tmp_path: Path) -> None:
    flags = ["leaks", *map(str, genomes), "--out", str(tmp_path / "leaks.tsv"), "--json", "-", "--quiet"]
    shown = CliRunner().invoke(app, [*flags, "--held-out", "validation"])
    assert shown.exit_code == 0
    assert json.loads(shown.stdout)["leaks"] == [
        {"held_out": "a", "learned": "a", "copy": 0, "relative": 0},
        {"held_out": "a", "learned": "b", "copy": 1, "relative": 1},
    ]
    assert isinstance(CliRunner().invoke(app, [*flags, "--exclude", "near.txt"]).exception, UsageError)
