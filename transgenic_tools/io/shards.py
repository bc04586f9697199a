"""Gene shards and prediction shards: typed rows in Parquet.

In: rows in a fixed order. Out: numbered files of about equal size in bases, byte-identical for equal rows; and back,
one row group at a time.
A surprise: a set of shards appears as a whole or not at all, and replaces an older set of the same name.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, Generic, TypeVar

import pyarrow as pa

from transgenic_tools.choices import SHARD_BASES
from transgenic_tools.errors import BadInputError, MissingInputError
from transgenic_tools.io.parquet import Kind, ParquetInput, SealedWriter
from transgenic_tools.io.rows import (
    SCANNED,
    GeneRow,
    PredictedGene,
    PredictionRow,
    gene_fault,
    predicted_gene,
    prediction_fault,
)
from transgenic_tools.io.schemas import CARRYING_SHARD, GENE_SHARD, OF_EVIDENCE, PREDICTION_SHARD, with_metadata
from transgenic_tools.provenance import Provenance, folder_aside, write_aside

ROWS_PER_GROUP = 256
#: Row groups that may wait for the thread that writes them.
_PENDING = 8
BASES_PER_GROUP = 16_000_000

Row = TypeVar("Row", GeneRow, PredictionRow)


@dataclass(frozen=True, kw_only=True)
class _Kind(Kind, Generic[Row]):
    """A format whose rows are records; `fault` names the first promise that a row breaks."""

    row: type[Row]
    fault: Callable[[Row], str | None]


_GENES: _Kind[GeneRow] = _Kind(
    name="gene_shard", schema=CARRYING_SHARD, maker="tg-prep", row=GeneRow, fault=gene_fault
)  # fmt: skip
#: The same without the column that a scan alone fills.
_NOT_CARRYING = replace(_GENES, schema=GENE_SHARD)
_PREDICTIONS: _Kind[PredictionRow] = _Kind(
    name="prediction_shard", schema=PREDICTION_SHARD, maker="tg-generate", row=PredictionRow, fault=prediction_fault
)
#: The same without the columns that evidence fills.
_OF_DNA = replace(
    _PREDICTIONS, schema=pa.schema([field for field in PREDICTION_SHARD if field.name not in OF_EVIDENCE])
)
_SMALL = ("sample", "seqid", "strand", "split", "fold", "model_hash")


def _table(rows: Sequence[Row], schema: pa.Schema) -> pa.Table:
    columns = [pa.array([getattr(row, name) for row in rows], schema.field(name).type) for name in schema.names]
    return pa.Table.from_arrays(columns, schema=schema)


def _tables(rows: Iterable[Row], kind: _Kind[Row]) -> Iterator[pa.Table]:
    """Rows a few at a time, by number and bases, so that never all are in memory."""
    some: list[Row] = []
    bases = 0
    for row in rows:
        some.append(row)
        bases += row.bases
        if len(some) >= ROWS_PER_GROUP or bases >= BASES_PER_GROUP:
            yield _table(some, kind.schema)
            some, bases = [], 0
    if some:
        yield _table(some, kind.schema)


def gene_table(rows: Sequence[GeneRow]) -> pa.Table:
    """Rows as a table with the columns of a gene shard."""
    return _table(rows, GENE_SHARD)


def window_bases(table: pa.Table) -> list[int]:
    """Bases of each row's window."""
    bases: list[int] = (table["window_end"].to_numpy() - table["window_start"].to_numpy()).tolist()
    return bases


class _FileWriter(Generic[Row]):
    """One Parquet file, row groups cut by rows and bases.

    Args:
        behind: One thread that compresses and writes row groups while the next are filled; None to do it at once.
    """

    def __init__(
        self, path: Path, kind: _Kind[Row], provenance: Provenance, behind: ThreadPoolExecutor | None = None
    ) -> None:
        self.behind = behind
        self.pending: deque[Future[None]] = deque()
        schema = with_metadata(kind.schema, kind=kind.name, provenance=provenance)
        self.writer = SealedWriter(
            path, schema, compression_level=1, use_dictionary=[*_SMALL, "flags.list.element"],
            write_statistics=["gene_id", "seqid", "start"], write_page_index=False, data_page_size=1 << 20,
        )  # fmt: skip
        self.parts: list[pa.Table] = []
        self.rows = 0
        self.bases = 0
        self.group_bases = 0

    def take(self, table: pa.Table, most: int | None = None) -> pa.Table | None:
        """Take rows until the file would hold more than `most` bases; the rows that are left, or None."""
        begin = 0
        for row, bases in enumerate(window_bases(table)):
            if most is not None and self.bases and self.bases + bases > most:
                self._add(table.slice(begin, row - begin))
                return table.slice(row)
            self.rows += 1
            self.bases += bases
            self.group_bases += bases
            if self.rows >= ROWS_PER_GROUP or self.group_bases >= BASES_PER_GROUP:
                self._add(table.slice(begin, row + 1 - begin))
                self.flush()
                begin = row + 1
        self._add(table.slice(begin))
        return None

    def _add(self, part: pa.Table) -> None:
        if part.num_rows:
            self.parts.append(part)

    def flush(self) -> None:
        """Write a row group."""
        if self.parts:
            table = self.parts[0] if len(self.parts) == 1 else pa.concat_tables(self.parts).combine_chunks()
            self._wait(most=_PENDING - 1)
            if self.behind is None:
                self.writer.write_table(table)
            else:
                self.pending.append(self.behind.submit(self.writer.write_table, table))
            self.parts, self.rows, self.group_bases = [], 0, 0

    def _wait(self, most: int = 0) -> None:
        while len(self.pending) > most:
            self.pending.popleft().result()

    def close(self) -> None:
        self.flush()
        self._wait()
        self.writer.close()


@contextmanager
def _set_aside(target: Path, stem: str) -> Iterator[tuple[Path, list[str]]]:
    """A folder for shards, and a list for their names; in the end they take the place of earlier ones."""
    names: list[str] = []
    with folder_aside(target, stem) as aside:
        yield aside, names
        for name in names:
            os.replace(aside / name, target / name)
        for old in target.glob(f"{stem}-[0-9][0-9][0-9][0-9][0-9].parquet"):
            if old.name not in names:
                old.unlink()


def _write_set(
    tables: Iterable[pa.Table],
    outdir: str | Path,
    *,
    kind: _Kind[Row],
    stem: str,
    shard_bases: int,
    provenance: Provenance,
    behind: ThreadPoolExecutor | None = None,
    together: ExitStack | None = None,
) -> tuple[Path, ...]:
    target = Path(outdir)
    with ExitStack() as own:
        aside, names = (own if together is None else together).enter_context(_set_aside(target, stem))

        def opened() -> _FileWriter[Row]:
            names.append(f"{stem}-{len(names):05d}.parquet")
            return _FileWriter(aside / names[-1], kind, provenance, behind)

        current = opened()
        for table in tables:
            rest: pa.Table | None = table
            while (rest := current.take(rest, shard_bases)) is not None:
                current.close()
                current = opened()
        current.close()
    return tuple(target / name for name in names)


def write_gene_shards(
    rows: Iterable[GeneRow],
    outdir: str | Path,
    *,
    provenance: Provenance,
    shard_bases: int = SHARD_BASES,
    stem: str = "genes",
    carried: bool = False,
) -> tuple[Path, ...]:
    """Write `<outdir>/<stem>-00000.parquet` and so on; no rows give one empty shard.

    Args:
        rows: Read once, in order; never all in memory.
        shard_bases: A shard ends before its windows would pass this many bases (one longer window is one shard).
        carried: With the column that a scan fills.
    """
    kind = _GENES if carried else _NOT_CARRYING
    tables = _tables(rows, kind)
    return _write_set(tables, outdir, kind=kind, stem=stem, shard_bases=shard_bases, provenance=provenance)


def write_gene_tables(
    tables: Iterable[pa.Table],
    outdir: str | Path,
    *,
    provenance: Provenance,
    shard_bases: int = SHARD_BASES,
    behind: ThreadPoolExecutor | None = None,
    together: ExitStack | None = None,
) -> tuple[Path, ...]:
    """As `write_gene_shards`, of many rows at a time; how the rows are spread over the tables changes no byte.

    Args:
        tables: With the columns of a gene shard.
        behind: One thread that compresses while the next rows are made; changes no byte.
        together: The shards appear when this stack is left, with whatever else is entered into it.
    """
    return _write_set(
        tables, outdir, kind=_NOT_CARRYING, stem="genes", shard_bases=shard_bases, provenance=provenance, behind=behind,
        together=together,
    )  # fmt: skip


def write_gene_shard(rows: Iterable[GeneRow], path: str | Path, *, provenance: Provenance) -> None:
    """Write one gene shard of any size under the given name."""
    _write_one(rows, path, kind=_NOT_CARRYING, provenance=provenance)


def write_prediction_shard(
    rows: Iterable[PredictionRow], path: str | Path, *, provenance: Provenance, evidence: bool = False
) -> None:
    """Write one prediction shard under the given name (generate writes one for each gene shard).

    Args:
        evidence: With the columns that evidence fills.
    """
    _write_one(rows, path, kind=_PREDICTIONS if evidence else _OF_DNA, provenance=provenance)


def _write_one(rows: Iterable[Row], path: str | Path, *, kind: _Kind[Row], provenance: Provenance) -> None:
    with write_aside(path) as aside:
        writer = _FileWriter(aside, kind, provenance)
        for table in _tables(rows, kind):
            writer.take(table)
        writer.close()


# -- reading -----------------------------------------------------------------------------------------------------------


def expand_shards(paths: str | Path | Iterable[str | Path], *, made_by: str = "tg-prep") -> tuple[Path, ...]:
    """Files as they are, a directory as its `*.parquet` files sorted by name; `made_by` is the tool that writes them.

    Raises:
        MissingInputError: a path does not exist, or a directory holds no shard.
    """
    listed = [paths] if isinstance(paths, str | Path) else list(paths)
    found: list[Path] = []
    for path in map(Path, listed):
        if path.is_dir():
            inside = sorted(path.glob("*.parquet"))
            if not inside:
                raise MissingInputError(
                    "the directory holds no shard (*.parquet)", path=path, hint=f"run {made_by} first"
                )
            found += inside
        elif path.exists():
            found.append(path)
        else:
            raise MissingInputError("the shard does not exist", path=path, hint="check the path")
    return tuple(found)


def _freeze(value: Any) -> Any:
    return tuple(_freeze(v) for v in value) if isinstance(value, list) else value


def _rows_of(table: pa.Table, file: ParquetInput, kind: _Kind[Row], group: int, first: int = 0) -> list[Row]:
    """Rows of (a part of) a row group, checked; a column that was not read or written is None throughout."""
    present = set(table.column_names)
    names = [field.name for field in fields(kind.row)]
    with file.decoding(group):
        columns = [table[name].to_pylist() if name in present else [None] * table.num_rows for name in names]
        rows = [kind.row(*map(_freeze, values)) for values in zip(*columns, strict=True)]
    for number, row in enumerate(rows, start=first):
        fault = kind.fault(row)
        if fault is not None:
            raise file.fault(fault, group=group, row=number, feature=row.gene_id)
    return rows


def _read(paths: str | Path | Iterable[str | Path], kind: _Kind[Row]) -> Iterator[Row]:
    for path in expand_shards(paths):
        with ParquetInput(path, kind) as file:
            for group in range(file.n_groups):
                yield from _rows_of(file.read(group), file, kind, group)


def read_shard(paths: str | Path | Iterable[str | Path]) -> Iterator[GeneRow]:
    """Genes of one or more shards (or of directories of shards), one row group in memory at a time.

    Raises:
        MissingInputError: a shard does not exist.
        BadInputError: not a gene shard, or of an unknown format version.
    """
    return _read(paths, _GENES)


def read_predicted_genes(
    predictions: str | Path | Iterable[str | Path],
    shards: str | Path | Iterable[str | Path],
    *,
    min_score: float = 0.0,
    min_site: float = 0.0,
) -> Iterator[PredictedGene]:
    """Predictions as genes to learn from, each beside the gene that was read; see `rows.predicted_gene`.

    Raises:
        BadInputError: as `read_shard`, and where the shards do not hold what the predictions were made from.
    """
    index = ShardIndex(shards)
    try:
        for prediction in read_predictions(predictions):
            try:
                source = index.get(prediction.gene_id)
                gene = predicted_gene(prediction, source, min_score=min_score, min_site=min_site)
            except (KeyError, ValueError) as error:
                raise BadInputError(
                    f"the gene shards do not hold what was predicted ({error})",
                    feature=prediction.gene_id,
                    hint="give the shards that tg-generate read",
                ) from error
            if gene is not None:
                yield gene
    finally:
        index.close()


def read_predictions(paths: str | Path | Iterable[str | Path]) -> Iterator[PredictionRow]:
    """Predictions of one or more shards, one row group in memory at a time. Raises as `read_shard`."""
    return _read(paths, _PREDICTIONS)


def shard_provenance(path: str | Path) -> str:
    """The provenance line (JSON) of a gene shard. Raises as `read_shard`."""
    with ParquetInput(path, _GENES) as file:
        return file.metadata.get("provenance", "{}")


def prediction_provenance(path: str | Path) -> str:
    """The provenance line (JSON) of a prediction shard. Raises as `read_shard`."""
    with ParquetInput(path, _PREDICTIONS) as file:
        return file.metadata.get("provenance", "{}")


def read_columns(path: str | Path, columns: Sequence[str]) -> pa.Table:
    """Some columns of one gene shard, without the sequences. Raises as `read_shard`."""
    with ParquetInput(path, _GENES) as file:
        return file.read_all(columns)


def count_genes(path: str | Path, *, split: str | None = None) -> int:
    """Rows of a gene shard, of one split where it is given. Raises as `read_shard`."""
    if split is not None:
        return read_columns(path, ["split"])["split"].to_pylist().count(split)
    with ParquetInput(path, _GENES) as file:
        return file.n_rows


def has_regions(path: str | Path) -> bool:
    """A gene shard holds windows whose structure nobody knows, and which no scan proposed."""
    table = read_columns(path, ["n_transcripts", "flags"])
    rows = zip(table["n_transcripts"].to_pylist(), table["flags"].to_pylist(), strict=True)
    return any(not transcripts and SCANNED not in (flags or ()) for transcripts, flags in rows)


def read_lengths(path: str | Path, *, split: str | None = None) -> list[int]:
    """Bases that are read of each gene (of one split): its window, or what a routine keeps of it."""
    table = read_columns(path, ["window_start", "window_end", "split", "kept"])
    splits, kept = (
        table[name].to_pylist() if name in table.column_names else [None] * table.num_rows for name in ("split", "kept")
    )
    return [
        whole if edges is None else sum(edges[1::2]) - sum(edges[::2])
        for whole, of, edges in zip(window_bases(table), splits, kept, strict=True)
        if split is None or of == split
    ]


class ShardIndex:
    """Random access by gene ID over a set of gene shards.

    Reads the `gene_id` column of every shard once; each `get` then reads one row group.
    """

    def __init__(self, paths: str | Path | Iterable[str | Path]) -> None:
        self._files: list[ParquetInput] = []
        self._where: dict[str, tuple[int, int, int]] = {}
        for number, path in enumerate(expand_shards(paths)):
            file = ParquetInput(path, _GENES)
            self._files.append(file)
            for group in range(file.n_groups):
                ids = file.read(group, ["gene_id"])["gene_id"].to_pylist()
                self._where.update((gene_id, (number, group, row)) for row, gene_id in enumerate(ids))

    def __len__(self) -> int:
        return len(self._where)

    def __contains__(self, gene_id: object) -> bool:
        return gene_id in self._where

    @property
    def ids(self) -> tuple[str, ...]:
        """Of all genes, in their order."""
        return tuple(self._where)

    def of_transcript(self, transcript: str) -> str | None:
        """The gene whose longest CDS is this transcript's."""
        for file in self._files:
            for group in range(file.n_groups):
                table = file.read(group, ["gene_id", "primary_transcript"])
                names = table["primary_transcript"].to_pylist()
                if transcript in names:
                    return str(table["gene_id"][names.index(transcript)].as_py())
        return None

    def get(self, gene_id: str) -> GeneRow:
        """One gene. Raises KeyError for an unknown ID."""
        number, group, row = self._where[gene_id]
        file = self._files[number]
        return _rows_of(file.read(group).slice(row, 1), file, _GENES, group, first=row)[0]

    def close(self) -> None:
        for file in self._files:
            file.close()


# -- single row groups -------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class RowGroup:
    """One row group of one gene shard."""

    path: Path
    number: int


def row_groups(paths: str | Path | Iterable[str | Path]) -> list[RowGroup]:
    """Row groups in the order of the shards. Raises as `read_shard`."""
    found = []
    for path in expand_shards(paths):
        with ParquetInput(path, _GENES) as file:
            found += [RowGroup(path, number) for number in range(file.n_groups)]
    return found


def read_row_group(group: RowGroup, columns: Sequence[str] | None = None) -> list[GeneRow]:
    """Its genes, in their order; None in columns that were not asked for."""
    with ParquetInput(group.path, _GENES) as file:
        return _rows_of(file.read(group.number, columns), file, _GENES, group.number)
