"""Damaged, foreign and broken Parquet: an error that names file and place, and never other rows."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from transgenic_tools.errors import BadInputError, MissingInputError
from transgenic_tools.io import shards
from transgenic_tools.io.encodings import EncodingStore, Header, StoredEncoding, window_key, write_encodings
from transgenic_tools.io.rows import GeneRow, PredictionRow
from transgenic_tools.io.shards import (
    ShardIndex,
    count_genes,
    read_lengths,
    read_predictions,
    read_shard,
    write_gene_shard,
    write_prediction_shard,
)
from transgenic_tools.provenance import Provenance

MADE_BY = Provenance("test")
FLIPS = 700


def gene(number: int = 0, **changes: Any) -> GeneRow:
    size = 30 + number
    values: dict[str, Any] = {
        "gene_id": f"g{number}", "sample": "s", "seqid": "chr1", "start": 40 + number, "end": 40 + number + size,
        "strand": "+-"[number % 2], "window_start": 30 + number, "window_end": 45 + number + size,
        "sequence": ("ACGGT" * 40)[number : number + size + 15], "gsf": f"10|CDS1|{size}|{'+-'[number % 2]}|A>CDS1",
        "n_transcripts": 1, "primary_transcript": "t", "split": "train", "fold": number % 3, "flags": ("no_start",),
    }  # fmt: skip
    return GeneRow(**{**values, **changes})


def prediction(number: int = 0, **changes: Any) -> PredictionRow:
    values: dict[str, Any] = {
        "gene_id": f"g{number}", "sample": "s", "seqid": "chr1", "start": 5, "end": 90 + number, "strand": "-",
        "window_start": -3, "window_end": 99 + number, "gsf": "0|CDS1|9|-|A;20|CDS2|29|-|A>CDS1|CDS2;CDS2",
        "scores": (0.5, 0.25), "exon_scores": ((0.25, 0.5), (0.125,)), "donor_scores": ((0.75,), ()),
        "acceptor_scores": ((1.0,), ()), "confidence": 0.75, "flags": ("x",), "model_hash": "abc",
    }  # fmt: skip
    return PredictionRow(**{**values, **changes})


def encoding(number: int) -> StoredEncoding:
    rng = np.random.default_rng(number)
    values = rng.integers(-127, 127, (4, 6)).astype(np.int8)
    codes = rng.integers(0, 4, 50).astype(np.uint8)
    return StoredEncoding(f"g{number}", window_key(codes), 8, values, rng.random(4).astype(np.float32))


def write_genes(path: Path) -> None:
    write_gene_shard([gene(i) for i in range(12)], path, provenance=MADE_BY)


def write_predictions(path: Path) -> None:
    write_prediction_shard([prediction(i) for i in range(12)], path, provenance=MADE_BY)


def write_stored(path: Path) -> None:
    write_encodings(path, [encoding(i) for i in range(20)], Header("hash", "int8", 6, 2), provenance=MADE_BY)


def stored(path: Path) -> list[Any]:
    store = EncodingStore(path.parent)
    rows = [(e.gene_id, e.key, e.n_tokens, e.values.tolist(), e.scales.tolist()) for e in store]
    return [store.header, *rows]


FILES: list[tuple[str, Callable[[Path], None], Callable[[Path], Iterable[Any]]]] = [
    ("genes-0.parquet", write_genes, read_shard),
    ("predictions-0.parquet", write_predictions, read_predictions),
    ("encodings-0.parquet", write_stored, stored),
]
each_file = pytest.mark.parametrize(("name", "write", "read"), FILES, ids=[f[0].split("-")[0] for f in FILES])


@each_file
def test_no_flipped_bit_changes_a_row_unseen(
    name: str, write: Callable[[Path], None], read: Callable[[Path], Iterable[Any]], tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(shards, "ROWS_PER_GROUP", 6)
    path = tmp_path / name
    write(path)
    whole, rows = path.read_bytes(), list(read(path))
    errors = []
    for bit in np.random.default_rng(1).choice(len(whole) * 8, FLIPS, replace=False).tolist():
        damaged = bytearray(whole)
        damaged[bit // 8] ^= 1 << bit % 8
        path.write_bytes(damaged)
        try:
            assert list(read(path)) == rows, f"bit {bit} of {len(whole)} bytes changed rows"
        except BadInputError as error:
            errors.append(error)
    assert len(errors) > 0.95 * FLIPS
    assert all(name in str(error) and error.hint for error in errors)


@each_file
def test_a_file_cut_off_anywhere_is_named(
    name: str, write: Callable[[Path], None], read: Callable[[Path], Iterable[Any]], tmp_path: Path
) -> None:
    path = tmp_path / name
    write(path)
    whole = path.read_bytes()
    for size in [0, 1, 4, 8, 11, len(whole) // 2, len(whole) - 8, len(whole) - 1]:
        path.write_bytes(whole[:size])
        with pytest.raises(BadInputError, match=name):
            list(read(path))


@each_file
def test_foreign_files_are_named(
    name: str, write: Callable[[Path], None], read: Callable[[Path], Iterable[Any]], tmp_path: Path
) -> None:
    path = tmp_path / name
    garbage = np.random.default_rng(2).bytes(5000)
    for content in (garbage, b"PAR1" + garbage + b"PAR1", b"PAR1" + garbage + (9).to_bytes(4, "little") + b"PAR1"):
        path.write_bytes(content)
        with pytest.raises(BadInputError, match=name):
            list(read(path))
    pq.write_table(pa.table({"a": [1, 2]}), path)
    with pytest.raises(BadInputError, match="the format is None"):
        list(read(path))
    path.unlink()
    path.mkdir()
    with pytest.raises((BadInputError, MissingInputError), match=name):
        list(read(path))


def rewrite(path: Path, change: Callable[[pa.Table], pa.Table]) -> None:
    """Another program's copy of a shard, without our checksums."""
    table = pq.read_table(path)
    metadata = {k: v for k, v in (table.schema.metadata or {}).items() if k != b"footer_digest"}
    pq.write_table(change(table).replace_schema_metadata(metadata), path)


def nulled(table: pa.Table, name: str) -> pa.Table:
    values = table[name].to_pylist()
    values[3] = None
    field = pa.field(name, table.schema.field(name).type)
    return table.set_column(table.schema.get_field_index(name), field, pa.array(values, field.type))


def test_columns_that_are_missing_of_another_type_or_null(tmp_path: Path) -> None:
    path = tmp_path / "genes-0.parquet"
    write_genes(path)
    rewrite(path, lambda table: table)
    assert list(read_shard(path)) == [gene(i) for i in range(12)]
    rewrite(path, lambda table: table.drop_columns(["split", "fold", "kept"]))
    assert [row.fold for row in read_shard(path)] == [None] * 12
    rewrite(path, lambda table: table.drop_columns(["sequence", "strand"]))
    with pytest.raises(BadInputError, match="no column strand, sequence"):
        list(read_shard(path))
    write_genes(path)
    rewrite(path, lambda t: t.set_column(3, "start", t["start"].cast(pa.float64())))
    with pytest.raises(BadInputError, match="column start holds double, not int64"):
        count_genes(path)
    write_genes(path)
    rewrite(path, lambda table: nulled(table, "sequence"))
    with pytest.raises(BadInputError, match="row group 1 of 1, row 4: sequence is null"):
        list(read_shard(path))


BROKEN_GENES = {
    "sequence has 3 bases and its window": {"sequence": "ACG"},
    "letters that no FASTA has": {"sequence": "Ä" * 45},
    "leaves its window": {"start": 20},
    "the locus .* is empty": {"end": 40},
    "strand is '.'": {"strand": "."},
    "no sequence has room": {"end": 2**62, "window_end": 2**63 - 1},
    "cannot be read: 'nonsense'": {"gsf": "nonsense"},
    "names strand - and the row \\+": {"gsf": "0|CDS1|9|-|A>CDS1"},
    "ends at 46 of 45": {"gsf": "0|CDS1|46|+|A>CDS1"},
    "split is 'holdout'": {"split": "holdout"},
    "fold -1": {"fold": -1},
    "kept does not rise": {"kept": (5, 4)},
    "kept reaches from 0 to 99": {"kept": (0, 9, 12, 99)},
    "sequence has 45 bases and its window 20": {"kept": (0, 20)},
    "kept has nothing of the locus": {"kept": (0, 5), "sequence": "ACGTA", "gsf": None},
    "the gene has no ID": {"gene_id": ""},
}


@pytest.mark.parametrize(("message", "changes"), BROKEN_GENES.items())
def test_a_gene_that_breaks_what_its_format_promises(message: str, changes: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "genes-0.parquet"
    broken = gene(0, **{"gene_id": "bad"} | changes)
    write_gene_shard([gene(2), broken], path, provenance=MADE_BY)
    with pytest.raises(BadInputError, match=f"row group 1 of 1, row 2: .*{message}") as caught:
        list(read_shard(path))
    assert (caught.value.path, caught.value.feature, caught.value.exit_code) == (str(path), broken.gene_id, 65)
    if broken.gene_id:
        index = ShardIndex(path)
        assert index.get("g2") == gene(2)
        with pytest.raises(BadInputError, match=message):
            index.get("bad")


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, -0.25, 1.5])
@pytest.mark.parametrize("name", ["confidence", "scores", "exon_scores", "donor_scores", "acceptor_scores"])
def test_a_score_that_is_no_probability(name: str, value: float, tmp_path: Path) -> None:
    path = tmp_path / "predictions-0.parquet"
    values: Any = {"confidence": value, "scores": (0.5, value)}.get(name, ((0.5,), (value,)))
    write_prediction_shard([prediction(0), prediction(1, **{name: values})], path, provenance=MADE_BY)
    with pytest.raises(BadInputError, match=f"row 2: {name} holds") as caught:
        list(read_predictions(path))
    assert caught.value.feature == "g1"


def test_lengths_are_those_of_what_is_read(tmp_path: Path) -> None:
    path = tmp_path / "genes-0.parquet"
    short = dataclasses.replace(gene(0), kept=(3, 33), sequence="A" * 30, gsf=None, split="test")
    write_gene_shard([gene(1), short], path, provenance=MADE_BY)
    assert read_lengths(path) == [46, 30]
    assert read_lengths(path, split="test") == [30]
