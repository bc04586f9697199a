"""Shards: typed rows out and in, byte-identical, whole sets, versions, random access."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from transgenic_tools.errors import BadInputError, MissingInputError
from transgenic_tools.genome.interval import Interval
from transgenic_tools.io import parquet, shards
from transgenic_tools.io.rows import GeneRow, PredictionRow
from transgenic_tools.io.shards import (
    ShardIndex,
    expand_shards,
    read_predicted_genes,
    read_predictions,
    read_shard,
    write_gene_shard,
    write_gene_shards,
    write_prediction_shard,
)
from transgenic_tools.provenance import Provenance

MADE_BY = Provenance("test", {"a": 1})


def row(number: int, bases: int = 30) -> GeneRow:
    return GeneRow(
        gene_id=f"g{number}", sample="s", seqid="chr1", start=number, end=number + bases, strand="+",
        window_start=number, window_end=number + bases, sequence="A" * bases, gsf=f"0|CDS1|{bases}|+|A>CDS1",
        n_transcripts=1, primary_transcript="t", split="train", fold=None, flags=("no_start",),
    )  # fmt: skip


def prediction(number: int) -> PredictionRow:
    return PredictionRow(
        "g", "s", "chr1", 5, 9, "-", -3, 20, None if number % 2 else "0|CDS1|9|-|A>CDS1",
        scores=(0.5,), exon_scores=((0.25, 0.5),), donor_scores=((),), acceptor_scores=((1.0,),),
        confidence=None if number % 2 else 0.75, flags=("x",), model_hash="abc",
    )  # fmt: skip


@settings(max_examples=25, deadline=None)
@given(
    sizes=st.lists(st.integers(1, 90), max_size=40),
    shard_bases=st.integers(1, 300),
    group=st.integers(1, 7),
)
def test_rows_survive_any_shard_size(
    sizes: list[int], shard_bases: int, group: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    rows = [row(i, size) for i, size in enumerate(sizes)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shards, "ROWS_PER_GROUP", group)
        folder = tmp_path_factory.mktemp("s")
        files = write_gene_shards(rows, folder, provenance=MADE_BY, shard_bases=shard_bases)
    assert list(read_shard(folder)) == rows
    for path in files:
        inside = list(read_shard(path))
        assert sum(r.bases for r in inside) <= shard_bases or len(inside) == 1


def test_predictions_survive(tmp_path: Path) -> None:
    rows = [prediction(i) for i in range(5)]
    write_prediction_shard(rows, tmp_path / "p.parquet", provenance=MADE_BY)
    assert list(read_predictions(tmp_path / "p.parquet")) == rows


def test_equal_rows_give_equal_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_gene_shards([row(i) for i in range(500)], tmp_path / name, provenance=MADE_BY, shard_bases=4000)
    for path in sorted((tmp_path / "a").iterdir()):
        assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes()


def test_row_groups_are_small(tmp_path: Path) -> None:
    write_gene_shard([row(i) for i in range(500)], tmp_path / "g.parquet", provenance=MADE_BY)
    file = pq.ParquetFile(tmp_path / "g.parquet")
    assert [file.metadata.row_group(i).num_rows for i in range(file.num_row_groups)] == [256, 244]


def test_a_new_set_replaces_the_old_one_and_a_failure_leaves_it(tmp_path: Path) -> None:
    write_gene_shards([row(i) for i in range(9)], tmp_path, provenance=MADE_BY, shard_bases=60)
    write_gene_shards([row(i) for i in range(3)], tmp_path, provenance=MADE_BY, shard_bases=60)
    assert len(list(read_shard(tmp_path))) == 3

    def broken() -> list[GeneRow]:
        yield row(1)  # type: ignore[misc]
        raise RuntimeError("stop")

    with pytest.raises(RuntimeError):
        write_gene_shards(broken(), tmp_path, provenance=MADE_BY)
    assert len(list(read_shard(tmp_path))) == 3
    assert all(path.name.startswith("genes-") for path in tmp_path.iterdir())


def test_no_rows_give_one_empty_shard(tmp_path: Path) -> None:
    assert len(write_gene_shards([], tmp_path, provenance=MADE_BY)) == 1
    assert list(read_shard(tmp_path)) == []


def test_what_is_no_shard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(MissingInputError):
        list(read_shard(tmp_path / "none.parquet"))
    with pytest.raises(MissingInputError) as empty:
        list(read_shard(tmp_path))
    assert empty.value.hint == "run tg-prep first"
    with pytest.raises(MissingInputError) as unpredicted:
        expand_shards(tmp_path, made_by="tg-generate")
    assert unpredicted.value.hint == "run tg-generate first"
    (tmp_path / "x.parquet").write_text("no")
    with pytest.raises(BadInputError, match="no Parquet file"):
        list(read_shard(tmp_path / "x.parquet"))
    write_prediction_shard([prediction(0)], tmp_path / "p.parquet", provenance=MADE_BY)
    with pytest.raises(BadInputError, match="prediction_shard"):
        list(read_shard(tmp_path / "p.parquet"))
    write_gene_shard([row(1)], tmp_path / "g.parquet", provenance=MADE_BY)
    monkeypatch.setattr(parquet, "FORMAT_VERSION", "2")
    with pytest.raises(BadInputError, match="format version '1'"):
        list(read_shard(tmp_path / "g.parquet"))


def test_one_gene_alone(tmp_path: Path) -> None:
    write_gene_shards([row(i) for i in range(700)], tmp_path, provenance=MADE_BY, shard_bases=6000)
    index = ShardIndex(tmp_path)
    assert len(index) == 700
    assert index.get("g433") == row(433)
    assert "g700" not in index
    with pytest.raises(KeyError):
        index.get("g700")
    index.close()


def test_a_row_gives_its_transcripts_in_genome_coordinates() -> None:
    placed = GeneRow("g", "s", "c", 10, 40, "-", 5, 50, "A" * 45, "10|CDS1|40|-|A>CDS1", 1, "t").transcripts()
    assert [(t.exons[0].start, t.exons[0].end, t.strand) for t in placed] == [(10, 40, "-")]


def test_predictions_are_genes_to_learn_from(tmp_path: Path) -> None:
    """Whole and shortened windows; the sentence of a shortened one comes back to what was read."""
    whole = row(1, 60)
    short = dataclasses.replace(
        row(2, 60), kept=(0, 24, 36, 60), sequence="A" * 48, gsf="0|CDS1|6|+|A>CDS1", strand="+"
    )  # fmt: skip
    write_gene_shard([whole, short, row(3)], tmp_path / "genes-0.parquet", provenance=MADE_BY)

    def predicted(source: GeneRow, gsf: str | None, *scores: float) -> PredictionRow:
        return PredictionRow(
            source.gene_id, "s", "chr1", source.start, source.end, "+", source.window_start, source.window_end, gsf,
            scores=scores, confidence=0.5 if scores else None,
        )  # fmt: skip

    rows = [
        predicted(whole, "0|CDS1|9|+|A;20|CDS2|29|+|A>CDS1|CDS2;CDS1", 0.75, 0.25),
        predicted(short, "3|CDS1|42|+|A>CDS1", 0.5),
        predicted(row(3), None),
    ]
    write_prediction_shard(rows, tmp_path / "p.parquet", provenance=MADE_BY)
    first, second = read_predicted_genes(tmp_path / "p.parquet", tmp_path / "genes-0.parquet")
    assert (first.confidence, first.weight, first.row.n_transcripts) == (0.5, 0.5, 2)
    assert first.row.gsf == rows[0].gsf
    assert second.row.gsf == "3|CDS1|30|+|A>CDS1"
    assert [t.interval for t in second.row.transcripts()] == [Interval(5, 44)]
    (best,) = read_predicted_genes(tmp_path / "p.parquet", tmp_path / "genes-0.parquet", min_score=0.6)
    assert (best.weight, best.row.gsf) == (0.75, "0|CDS1|9|+|A;20|CDS2|29|+|A>CDS1|CDS2")
    write_gene_shard([row(7)], tmp_path / "other.parquet", provenance=MADE_BY)
    with pytest.raises(BadInputError, match="do not hold what was predicted"):
        list(read_predicted_genes(tmp_path / "p.parquet", tmp_path / "other.parquet"))
