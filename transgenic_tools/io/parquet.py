"""Parquet files of this project: written sealed, opened and checked in one place.

In: tables of a known schema. Out: files of which every byte stands under a checksum, and the tables again.
A surprise: pages carry Parquet's own checksums, which any reader may verify; the format has none for its footer, so
the footer's digest stands in the footer's own metadata and is computed with zeros in that place.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from transgenic_tools.errors import BadInputError, MissingInputError
from transgenic_tools.io.files import refuse_pipe
from transgenic_tools.provenance import FORMAT_VERSION

_MAGIC = b"PAR1"
_SEAL = "footer_digest"
_ZEROS = b"0" * 32
#: A key and its value of 32 characters in the compact Thrift of a footer.
_SEALED = re.compile(_SEAL.encode() + rb"\x18\x20([0-9a-f]{32})")
_AGAIN = "copy the file again, or make it again with"


@dataclass(frozen=True, kw_only=True)
class Kind:
    """One format of this project.

    Attributes:
        name: As in the metadata, after `transgenic_tools/`.
        schema: Columns and their types; those that may be null may also be missing, as older releases wrote fewer.
        maker: The tool that writes it.
    """

    name: str
    schema: pa.Schema
    maker: str

    @property
    def hint(self) -> str:
        return f"{_AGAIN} {self.maker}"


# -- writing -----------------------------------------------------------------------------------------------------------


class SealedWriter:
    """Writes row groups; `close` seals the file."""

    def __init__(self, path: Path, schema: pa.Schema, **options: Any) -> None:
        self._path = path
        self._writer = pq.ParquetWriter(path, schema, compression="zstd", write_page_checksum=True, **options)

    def write_table(self, table: pa.Table) -> None:
        """One row group."""
        self._writer.write_table(table, row_group_size=table.num_rows)

    def close(self) -> None:
        self._writer.add_key_value_metadata({_SEAL: _ZEROS.decode()})
        self._writer.close()
        start, footer = _read_footer(self._path)
        place = _SEALED.search(footer)
        if place is None or place.group(1) != _ZEROS:
            raise RuntimeError(f"{self._path}: no place for the footer's digest; this pyarrow writes it another way")
        with open(self._path, "r+b") as handle:
            handle.seek(start + place.start(1))
            handle.write(_digest(footer))


def _digest(footer: bytes) -> bytes:
    return hashlib.blake2b(footer, digest_size=16).hexdigest().encode()


def _read_footer(path: Path) -> tuple[int, bytes]:
    """Where the footer starts, and its bytes. Raises ValueError where there is none."""
    size = path.stat().st_size
    with open(path, "rb") as handle:
        if size == 0:
            raise ValueError("the file is empty")
        if handle.read(4) != _MAGIC:
            raise ValueError("this is no Parquet file")
        handle.seek(max(size - 8, 0))
        tail = handle.read(8)
        length = int.from_bytes(tail[:4], "little")
        start = size - 8 - length
        if tail[4:] != _MAGIC or start < 4:
            raise ValueError("the file is cut off: it lacks the end of a Parquet file")
        handle.seek(start)
        return start, handle.read(length)


# -- reading -----------------------------------------------------------------------------------------------------------


@contextmanager
def _named(path: Path, place: str, hint: str) -> Iterator[None]:
    """Whatever pyarrow makes of damaged bytes becomes one error that names the file and the place."""
    try:
        yield
    except OSError as error:
        if error.errno is not None:  # the disk, not the content
            raise
        raise BadInputError(f"{place} is damaged ({_first_line(error)})", path=path, hint=hint) from error
    except (pa.ArrowException, UnicodeDecodeError, ValueError, TypeError, KeyError, IndexError) as error:
        raise BadInputError(f"{place} cannot be read ({_first_line(error)})", path=path, hint=hint) from error


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:200]


class ParquetInput:
    """An open file of one `Kind`; use it as a context manager.

    Raises:
        MissingInputError: there is no such file.
        BadInputError: a pipe, damaged, of another kind or version, or with other columns than the kind's.
    """

    def __init__(self, path: str | Path, kind: Kind) -> None:
        self.path, self.kind = Path(path), kind
        if self.path.is_dir():
            raise BadInputError("this is a directory, not a file", path=path, hint=f"give a file made by {kind.maker}")
        if not self.path.exists():
            raise MissingInputError("the file does not exist", path=path, hint=f"make it with {kind.maker}")
        refuse_pipe(self.path)
        self._check_footer()
        with _named(self.path, "the footer", kind.hint):
            self._file = pq.ParquetFile(self.path, page_checksum_verification=True)
        try:
            with _named(self.path, "the footer", kind.hint):
                raw = self._file.schema_arrow.metadata or {}
                self.metadata = {key.decode(): value.decode() for key, value in raw.items()}
            self._check_kind()
            self._check_columns()
        except BaseException:
            self._file.close()
            raise

    def _check_footer(self) -> None:
        try:
            _, footer = _read_footer(self.path)
        except ValueError as error:
            raise BadInputError(str(error), path=self.path, hint=self.kind.hint) from error
        place = _SEALED.search(footer)
        if place is None:
            return  # of a release that did not seal, or a foreign file: the checks to come say so
        with_zeros = footer[: place.start(1)] + _ZEROS + footer[place.end(1) :]
        if _digest(with_zeros) != place.group(1):
            raise BadInputError(
                "the footer is damaged: its bytes do not give the digest that it holds",
                path=self.path,
                hint=self.kind.hint,
            )

    def _check_kind(self) -> None:
        expected = f"transgenic_tools/{self.kind.name}"
        found = self.metadata.get("format")
        if found != expected:
            hint = f"give a file made by {self.kind.maker}"
            raise BadInputError(f"the format is {found!r}, not {expected!r}", path=self.path, hint=hint)
        version = self.metadata.get("format_version")
        if version != FORMAT_VERSION:
            raise BadInputError(
                f"format version {version!r} is not {FORMAT_VERSION!r}, the one this release reads",
                path=self.path,
                hint="write the file again with this release, or read it with the release that wrote it",
            )

    def _check_columns(self) -> None:
        present = self._file.schema_arrow
        missing = [f.name for f in self.kind.schema if not f.nullable and f.name not in present.names]
        if missing:
            raise BadInputError(f"no column {', '.join(missing)}", path=self.path, hint=self.kind.hint)
        for field in self.kind.schema:
            if field.name not in present.names:
                continue
            found = present.field(field.name).type
            if _plain(found) != _plain(field.type):
                raise BadInputError(
                    f"column {field.name} holds {found}, not {field.type}", path=self.path, hint=self.kind.hint
                )

    @property
    def n_groups(self) -> int:
        return int(self._file.num_row_groups)

    @property
    def n_rows(self) -> int:
        return int(self._file.metadata.num_rows)

    def read(self, group: int, columns: Sequence[str] | None = None) -> pa.Table:
        """One row group, with those of the columns that the file has; all of the kind's by default."""
        present = set(self._file.schema_arrow.names)
        names = [name for name in (self.kind.schema.names if columns is None else columns) if name in present]
        with _named(self.path, self._place(group), self.kind.hint):
            table = self._file.read_row_group(group, columns=names, use_threads=False)
            table.validate(full=False)
        for name in names:
            if table[name].null_count and not self.kind.schema.field(name).nullable:
                row = table[name].to_pylist().index(None)
                raise self.fault(f"{name} is null", group=group, row=row, feature=None)
        return table

    def read_all(self, columns: Sequence[str]) -> pa.Table:
        """Some columns of the whole file."""
        parts = [self.read(group, columns) for group in range(self.n_groups)]
        if parts:
            return pa.concat_tables(parts)
        return pa.schema([self.kind.schema.field(name) for name in columns]).empty_table()

    def _place(self, group: int) -> str:
        return f"row group {group + 1} of {self.n_groups}"

    def fault(self, text: str, *, group: int, row: int, feature: str | None) -> BadInputError:
        """The error for a row that breaks what its format promises; `row` counts from 0 in the group."""
        message = f"{self._place(group)}, row {row + 1}: {text}"
        return BadInputError(message, path=self.path, feature=feature, hint=self.kind.hint)

    def decoding(self, group: int) -> Any:
        """A context in which whatever fails to become a row is an error that names file and row group."""
        return _named(self.path, self._place(group), self.kind.hint)

    def close(self) -> None:
        self._file.close()

    def __enter__(self) -> ParquetInput:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _plain(kind: pa.DataType) -> pa.DataType:
    """Without the width of offsets, the names of list items and whether they may be null."""
    if pa.types.is_large_string(kind):
        return pa.string()
    if pa.types.is_large_binary(kind):
        return pa.binary()
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return pa.list_(pa.field("element", _plain(kind.value_type)))
    return kind
