"""Stored encodings: one Parquet file beside each gene shard, found again by the window's own sequence.

In: compressed token encodings of windows. Out: files, and random access to one window's values.
A surprise: the key is a digest of the window's base codes, not the gene's name, so an encoding can never be used for
another sequence, whatever a gene is called.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from transgenic_tools.errors import BadInputError, MissingInputError
from transgenic_tools.io.parquet import Kind, ParquetInput, SealedWriter
from transgenic_tools.io.schemas import with_metadata
from transgenic_tools.provenance import Provenance, write_aside

ROWS_PER_GROUP = 16
SCHEMA = pa.schema(
    [
        pa.field("gene_id", pa.string(), nullable=False),
        pa.field("key", pa.binary(16), nullable=False),
        pa.field("n_tokens", pa.int32(), nullable=False),
        pa.field("values", pa.large_binary(), nullable=False),
        pa.field("scales", pa.large_binary(), nullable=False),
    ]
)
_KIND = Kind(name="encodings", schema=SCHEMA, maker="tg-encode")


@dataclass(frozen=True)
class StoredEncoding:
    """One window's token encodings.

    Attributes:
        key: `window_key` of its codes.
        n_tokens: Tokens before pooling.
        values: (G, H) float16, or int8 times `scales`; G groups of pooled tokens.
        scales: (G,) float32 for int8, else empty.
    """

    gene_id: str
    key: bytes
    n_tokens: int
    values: npt.NDArray[np.generic]
    scales: npt.NDArray[np.float32]


@dataclass(frozen=True)
class Header:
    """What all encodings of a file share.

    Attributes:
        model_hash: Of the network that made them.
        dtype: `float16` or `int8`.
        width: Values of a token.
        pool: Tokens averaged into one.
    """

    model_hash: str
    dtype: str
    width: int
    pool: int


def window_key(codes: npt.NDArray[np.integer]) -> bytes:
    """16 bytes that stand for a window's base codes."""
    return hashlib.blake2b(codes.astype(np.uint8).tobytes(), digest_size=16).digest()


def write_encodings(path: Path, rows: Iterable[StoredEncoding], header: Header, *, provenance: Provenance) -> int:
    """Write one file; returns its size in bytes."""
    schema = with_metadata(SCHEMA, kind="encodings", provenance=provenance)
    schema = schema.with_metadata({**schema.metadata, **{k: str(v) for k, v in vars(header).items()}})
    with write_aside(path) as aside:
        writer = SealedWriter(aside, schema, use_dictionary=False, write_statistics=False)
        batch: list[StoredEncoding] = []
        for row in rows:
            batch.append(row)
            if len(batch) == ROWS_PER_GROUP:
                writer.write_table(_table(batch, schema))
                batch = []
        if batch:
            writer.write_table(_table(batch, schema))
        writer.close()
    return path.stat().st_size


def _table(rows: list[StoredEncoding], schema: pa.Schema) -> pa.Table:
    columns = [
        [row.gene_id for row in rows],
        [row.key for row in rows],
        [row.n_tokens for row in rows],
        [row.values.tobytes() for row in rows],
        [row.scales.tobytes() for row in rows],
    ]
    arrays = [pa.array(values, field.type) for values, field in zip(columns, schema, strict=True)]
    return pa.Table.from_arrays(arrays, schema=schema)


class EncodingStore:
    """Random access over the files of a directory; keeps one row group in memory.

    Raises:
        MissingInputError: the directory holds no encodings.
        BadInputError: a file is of another format, or the files were made by different networks.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        paths = sorted(directory.glob("encodings-*.parquet"))
        if not paths:
            raise MissingInputError(
                "no encodings-*.parquet in the directory", path=directory, hint="run tg-encode first"
            )
        self.files = [ParquetInput(path, _KIND) for path in paths]
        headers = {_header(file) for file in self.files}
        if len(headers) > 1:
            raise BadInputError("encodings of different networks or settings", path=directory, hint="encode them anew")
        self.header = headers.pop()
        self.where: dict[bytes, tuple[int, int, int]] = {}
        for number, file in enumerate(self.files):
            for group in range(file.n_groups):
                keys = file.read(group, ["key"])["key"].to_pylist()
                self.where.update((key, (number, group, row)) for row, key in enumerate(keys))
        self._at: tuple[int, int] | None = None
        self._rows: list[Mapping[str, object]] = []

    def __len__(self) -> int:
        return len(self.where)

    def get(self, codes: npt.NDArray[np.integer]) -> StoredEncoding | None:
        """The encoding of a window, None where it was never stored."""
        found = self.where.get(window_key(codes))
        if found is None:
            return None
        number, group, row = found
        if self._at != (number, group):
            self._rows = self.files[number].read(group).to_pylist()
            self._at = (number, group)
        with self.files[number].decoding(group):
            return _decode(self._rows[row], self.header)

    def __iter__(self) -> Iterator[StoredEncoding]:
        for file in self.files:
            for group in range(file.n_groups):
                with file.decoding(group):
                    encodings = [_decode(row, self.header) for row in file.read(group).to_pylist()]
                yield from encodings


def _decode(row: Mapping[str, object], header: Header) -> StoredEncoding:
    """One row; raises ValueError where its bytes are not what the header says."""
    values = np.frombuffer(row["values"], dtype=header.dtype).reshape(-1, header.width)  # type: ignore[call-overload]
    scales = np.frombuffer(row["scales"], dtype=np.float32)  # type: ignore[call-overload]
    wanted = len(values) if header.dtype == "int8" else 0
    if len(scales) != wanted or not np.isfinite(scales).all() or not np.isfinite(values).all():
        raise ValueError(f"{row['gene_id']}: {len(values)} vectors with {len(scales)} scales, or not all are finite")
    return StoredEncoding(str(row["gene_id"]), bytes(row["key"]), int(row["n_tokens"]), values, scales)  # type: ignore[call-overload]


def _header(file: ParquetInput) -> Header:
    text = file.metadata
    try:
        header = Header(text["model_hash"], text["dtype"], int(text["width"]), int(text["pool"]))
        if header.dtype not in ("float16", "int8") or min(header.width, header.pool) < 1:
            raise ValueError(f"dtype {header.dtype}, width {header.width}, pool {header.pool}")
    except (KeyError, ValueError) as error:
        raise BadInputError(f"the header cannot be read: {error}", path=file.path, hint=file.kind.hint) from error
    return header
