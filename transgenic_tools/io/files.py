"""The one place that opens text files: whatever is compressed, damaged, not text, or too much is found out here.

In: a path; a pipe will do. Out: its bytes as a stream, or its lines with their numbers.
A surprise: gzip and bgzip are told by content, so a wrong suffix does no harm; igzip, where it is installed, unpacks
more than twice as fast as zlib. A byte order mark is skipped.
"""

from __future__ import annotations

import gzip
import io
import os
import stat
import sys
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any, NoReturn, cast

from transgenic_tools.errors import BadInputError, MissingInputError
from transgenic_tools.io.ahead import Ahead
from transgenic_tools.io.limits import how_to_raise, limits

_BUFFER = 1 << 18
_GZIP = b"\x1f\x8b"
#: The empty block that ends every complete BGZF file (SAM specification 4.1.2).
_BGZF_END = bytes.fromhex("1f8b08040000000000ff0600424302001b0003000000000000000000")
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
#: First bytes of what is no text, and what to do about it. UTF-32 before UTF-16, which begins in the same way.
_NO_TEXT = (
    (b"\xff\xfe\x00\x00", "UTF-32 text", "save it as UTF-8, e.g. `iconv -f UTF-32 -t UTF-8`"),
    (b"\x00\x00\xfe\xff", "UTF-32 text", "save it as UTF-8, e.g. `iconv -f UTF-32 -t UTF-8`"),
    (b"\xff\xfe", "UTF-16 text", "save it as UTF-8, e.g. `iconv -f UTF-16 -t UTF-8`"),
    (b"\xfe\xff", "UTF-16 text", "save it as UTF-8, e.g. `iconv -f UTF-16 -t UTF-8`"),
    (b"BZh", "a bzip2 file", "unpack it with `bunzip2`, or pack it with gzip instead"),
    (b"\xfd7zXZ\x00", "an xz file", "unpack it with `unxz`, or pack it with gzip instead"),
    (b"\x28\xb5\x2f\xfd", "a zstd file", "unpack it with `unzstd`, or pack it with gzip instead"),
    (b"PK\x03\x04", "a zip archive (or a spreadsheet)", "unpack it, or save the sheet as plain text"),
    (b"PAR1", "a Parquet file", "give a text file here"),
    (b"BAM\x01", "a BAM file", "give a text file here"),
    (b"CRAM", "a CRAM file", "give a text file here"),
)
_HEAD = 1 << 9
#: What a broken gzip stream raises; zlib's and igzip's errors share no base but `Exception`.
_DAMAGE: tuple[type[Exception], ...] = (EOFError, gzip.BadGzipFile, zlib.error)
with suppress(ImportError):
    from isal import isal_zlib

    _DAMAGE += (cast("type[Exception]", isal_zlib.error),)
#: Seconds until a thread that waits for the interpreter is let in; the usual 0.005 is longer than unzipping a block.
_SWITCH_SECONDS = 0.0005
#: Files that are being unzipped, for whoever opens them first.
_begun: dict[Path, Ahead] = {}


class _Joined(io.RawIOBase):
    """Bytes that were read already, then the rest of their stream."""

    def __init__(self, head: bytes, rest: Any) -> None:
        self._head, self._rest = head, rest

    def readable(self) -> bool:
        return True

    def readinto(self, target: Any) -> int:
        if not self._head:
            return int(self._rest.readinto(target))
        count = min(len(target), len(self._head))
        target[:count] = self._head[:count]
        self._head = self._head[count:]
        return count

    def close(self) -> None:
        if not self.closed:
            self._rest.close()
        super().close()


class _Checked(_Joined):
    """The bytes of a text file; what is wrong with them is raised as an error that names the file.

    Args:
        most: Bytes that a compressed file may unpack to; None for any number.
    """

    def __init__(self, source: Any, path: Path, most: int | None) -> None:
        super().__init__(b"", source)
        self._path, self._most, self._count = path, most, 0
        head = bytearray(_HEAD)
        count, more = 0, 1
        while count < 4 and more:
            more = self.readinto(memoryview(head)[count:])
            count += more
        self._head = _text_head(bytes(head[:count]), path)

    def readinto(self, target: Any) -> int:
        try:
            count = super().readinto(target)
        except _DAMAGE as error:
            raise BadInputError(
                f"the compressed file is cut short or damaged ({error})", path=self._path, hint="copy it again"
            ) from error
        self._count += count
        if self._most is not None and self._count > self._most:
            raise BadInputError(
                f"the compressed file unpacks to more than {self._most:,} bytes, which no honest one of its size does",
                path=self._path,
                hint=f"unpack it by hand if it is what you want, {how_to_raise('unpacked')}",
            )
        return count


def _text_head(head: bytes, path: Path) -> bytes:
    """The first bytes of a text file, less a byte order mark. Raises BadInputError where it is none."""
    for magic, what, hint in _NO_TEXT:
        if head.startswith(magic):
            raise BadInputError(f"this is {what}, not plain or gzip text in UTF-8", path=path, line=1, hint=hint)
    if b"\0" in head:
        raise BadInputError(
            "this is binary data or UTF-16 without a mark, not text in UTF-8", path=path,
            line=head[: head.index(b"\0")].count(b"\n") + 1, hint="give a text file, saved as UTF-8",
        )  # fmt: skip
    return head.removeprefix(_BYTE_ORDER_MARK)


def _unzipped(handle: Any) -> Any:
    """igzip's reader writes into the caller's memory; through `GzipFile` each byte is copied twice more."""
    try:
        from isal.igzip import _IGzipReader
    except ImportError:  # no wheel for this machine, or one that has no such reader
        return gzip.GzipFile(fileobj=handle)
    return _IGzipReader(handle, _BUFFER)


def _refuse_cut_bgzf(handle: IO[bytes], path: Path) -> None:
    """BGZF that was cut between two blocks is good gzip; only its missing last block tells."""
    head = handle.read(18)
    if head[:4] == _BGZF_END[:4] and head[12:14] == b"BC":
        handle.seek(-min(len(_BGZF_END), os.fstat(handle.fileno()).st_size), os.SEEK_END)
        if handle.read() != _BGZF_END:
            raise BadInputError(
                "the bgzip file is cut short: its last block, which is empty, is missing", path=path,
                hint="copy it again, or pack it anew with bgzip",
            )  # fmt: skip
    handle.seek(0)


def _opened(path: Path) -> tuple[Any, int | None]:
    """The file, unzipped where it is gzip, and the most bytes that it may unpack to. Raises as `open_text`."""
    try:
        handle: Any = open(path, "rb")  # noqa: SIM115 handed to the caller
    except FileNotFoundError as error:
        raise MissingInputError("the file does not exist", path=path, hint="check the path") from error
    except IsADirectoryError as error:
        raise BadInputError("a directory, not a file", path=path, hint="name the file itself") from error
    except ValueError as error:  # a zero byte in the name
        raise MissingInputError("no file can have this name", path=repr(str(path)), hint="check the path") from error
    try:
        magic = handle.read(len(_GZIP))
        if not handle.seekable():
            handle = io.BufferedReader(_Joined(magic, handle), _BUFFER)
            return (_unzipped(handle), limits().unpacked) if magic == _GZIP else (handle, None)
        handle.seek(0)
        if magic != _GZIP:
            return handle, None
        _refuse_cut_bgzf(handle, path)
        return _unzipped(handle), max(limits().unpacked, limits().ratio * os.fstat(handle.fileno()).st_size)
    except BaseException:
        handle.close()
        raise


def open_text(path: Path) -> IO[bytes]:
    """The file's bytes, unzipped where it is gzip or bgzip (by content, not by name), without a byte order mark.

    Raises:
        MissingInputError: no such file.
        BadInputError: here or while reading: damaged, cut short, not text, or more than `limits` allow.
    """
    source: Any = _begun.pop(path, None)
    source, most = _opened(path) if source is None else (source, source.most)
    try:
        return io.BufferedReader(_Checked(source, path, most), _BUFFER)
    except BaseException:
        source.close()
        raise


def is_pipe(path: Path) -> bool:
    """Whether a file can be read once only: a pipe, a terminal, `/dev/stdin`."""
    try:
        return not stat.S_ISREG(os.stat(path).st_mode) and not path.is_dir()
    except (OSError, ValueError):
        return False


def refuse_pipe(path: Path) -> None:
    """Raises BadInputError for what can be read once only, where that is not enough."""
    if is_pipe(path):
        raise BadInputError("this is a pipe, and it is read more than once", path=path, hint="write it to a file first")


@contextmanager
def unzipped_ahead(paths: Iterable[Path]) -> Iterator[None]:
    """Unzip files in threads, beside whatever is done until `open_text` opens them, and while they are read.

    Files that are not compressed, cannot be opened, are pipes or are begun already are left as they are.
    """
    begun = []
    for path in paths:
        with suppress(BadInputError, MissingInputError, OSError):
            if path not in _begun and not is_pipe(path):
                source, most = _opened(path)
                if most is not None:
                    _begun[path] = Ahead(io.BufferedReader(source, _BUFFER), most)
                    begun.append(path)
                else:
                    source.close()
    switch = sys.getswitchinterval()
    sys.setswitchinterval(_SWITCH_SECONDS)
    try:
        yield
    finally:
        sys.setswitchinterval(switch)
        for path in begun:
            if path in _begun:
                _begun.pop(path).close()


# -- lines -------------------------------------------------------------------------------------------------------------


class LineEnds:
    """Turns the line ends of Windows and of old Macs into plain ones, in text that comes in pieces."""

    def __init__(self) -> None:
        self._after_return = False

    def within(self, buffer: bytearray, start: int, end: int) -> bool:
        """Whether `plain` has anything to do with this stretch."""
        return self._after_return or buffer.find(b"\r", start, end) >= 0

    def plain(self, text: bytes) -> bytes:
        """The next piece; a line end that two pieces share counts once."""
        if self._after_return:
            text = text.removeprefix(b"\n")
        self._after_return = text.endswith(b"\r")
        return text.replace(b"\r\n", b"\n").replace(b"\r", b"\n") if b"\r" in text else text


def refuse_long_line(path: Path, line: int | None) -> NoReturn:
    raise BadInputError(
        f"a line of more than {limits().line:,} bytes", path=path, line=line,
        hint=f"check that this is the right file, {how_to_raise('line')}",
    )  # fmt: skip


def raw_lines(path: Path) -> Iterator[bytes]:
    """Lines with their ends, byte for byte; a line end is a line feed, a carriage return, or both in this order.

    Raises: as `open_text`; BadInputError where a line is too long.
    """
    pieces: list[bytes] = []
    size, number, kept, longest = 0, 1, b"", limits().line
    with open_text(path) as handle:
        while chunk := kept + handle.read(_BUFFER):
            kept = b"\r" if chunk.endswith(b"\r") and len(chunk) > len(kept) else b""
            for line in chunk[: len(chunk) - len(kept)].splitlines(keepends=True):
                size += len(line)
                if size > longest:
                    refuse_long_line(path, number)
                pieces.append(line)
                if line.endswith((b"\n", b"\r")):
                    yield b"".join(pieces)
                    pieces, size, number = [], 0, number + 1
    if pieces:
        yield b"".join(pieces)


def text_lines(path: Path) -> Iterator[tuple[int, str]]:
    """Lines of a small text file without their ends, with their numbers from 1.

    Raises: as `raw_lines`; BadInputError with the line where it is not UTF-8.
    """
    for number, raw in enumerate(raw_lines(path), start=1):
        try:
            yield number, raw.decode().rstrip("\r\n")
        except UnicodeDecodeError as error:
            raise BadInputError(
                f"the byte 0x{raw[error.start]:02X} is not UTF-8 text: {raw[:40].decode('latin1')!r}", path=path,
                line=number, hint="save the file as UTF-8, e.g. `iconv -f LATIN1 -t UTF-8`",
            ) from error  # fmt: skip


def whole_text(path: Path) -> str:
    """A small text file, its lines ended by line feeds. Raises: as `text_lines`."""
    return "\n".join(line for _, line in text_lines(path))
