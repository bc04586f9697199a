"""IDs by tens along each sequence."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.backmap.builders import make_gene, row_of, shards_of
from transgenic_tools.backmap.config import Config
from transgenic_tools.backmap.numbers import numbered
from transgenic_tools.backmap.run import run
from transgenic_tools.errors import UsageError
from transgenic_tools.io.gff3 import read_annotation

GENES = [make_gene(f"g{i}", [(start, start + 300)]) for i, start in enumerate((5_000, 100, 2_000))]


def written(directory: Path, pattern: str, *, count: int = 1) -> dict[str, str]:
    shards = shards_of([row_of(gene) for gene in GENES], directory / "shards", count=count)
    run(Config(predictions=(shards,), out=directory / "o.gff3", id_pattern=pattern))
    genes = read_annotation(directory / "o.gff3").genes
    assert all(t.id == f"{gene.id}.t{i}" for gene in genes for i, t in enumerate(gene.transcripts, start=1))
    return {gene.id: gene.attributes["source_gene"][0] for gene in genes}


@pytest.mark.parametrize("count", [1, 3])
def test_numbers_follow_the_places_of_genes_in_any_division_of_the_work(tmp_path: Path, count: int) -> None:
    assert written(tmp_path, "AT{sequence}G{number}", count=count) == {
        "AT1G00010": "g1", "AT1G00020": "g2", "AT1G00030": "g0",
    }  # fmt: skip


def test_sequences_count_by_themselves_where_the_pattern_names_them() -> None:
    moved = (replace(GENES[0].transcripts[0], seqid=seqid) for seqid in ("b", "a", "a", "new"))
    genes = [replace(GENES[0], seqid=transcript.seqid, transcripts=(transcript,)) for transcript in moved]
    places = {"a": 1, "b": 2}
    ids = [gene.id for gene in numbered(genes, "x{sequence}_{number}", places)]
    assert ids == ["x2_00010", "x1_00010", "x1_00020", "x3_00010"]
    assert [gene.id for gene in numbered(genes, "{seqid}.{number}", places)][1:3] == ["a.00010", "a.00020"]
    assert [gene.id for gene in numbered(genes, "T_{number}", places)][-1] == "T_00040"


@pytest.mark.parametrize(
    "pattern", ["gene", "{sequence}", "{number", "{0}", "{name}{number}", "a {number}", "a;{number}"]
)
def test_patterns_that_make_no_ids_are_refused(tmp_path: Path, pattern: str) -> None:
    with pytest.raises(UsageError, match="--id-pattern"):
        Config(predictions=(), out=tmp_path / "o.gff3", id_pattern=pattern)


def test_a_pattern_goes_with_no_prefix(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="whole IDs"):
        Config(predictions=(), out=tmp_path / "o.gff3", id_pattern="{number}", id_prefix="x")
