"""Open a text file that may be compressed.

In: a path. Out: its bytes as a stream.
A surprise: gzip and bgzip are told by content, so a wrong suffix does no harm; igzip, where it is installed, unpacks
more than twice as fast as zlib.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any, BinaryIO

from transgenic_tools.errors import BadInputError, MissingInputError
from transgenic_tools.io.ahead import Ahead

_BUFFER = 1 << 18
_GZIP = b"\x1f\x8b"
#: Seconds until a thread that waits for the interpreter is let in; the usual 0.005 is longer than unzipping a block.
_SWITCH_SECONDS = 0.0005
#: Files that are being unzipped, for whoever opens them first.
_begun: dict[Path, IO[bytes]] = {}


def _unzipped(handle: BinaryIO) -> IO[bytes]:
    """igzip's reader writes into the caller's memory; through `GzipFile` each byte is copied twice more."""
    try:
        from isal.igzip import _IGzipReader
    except ImportError:  # no wheel for this machine, or one that has no such reader
        from gzip import GzipFile

        return io.BufferedReader(GzipFile(fileobj=handle), _BUFFER)
    raw: Any = _IGzipReader(handle, _BUFFER)
    return io.BufferedReader(raw, _BUFFER)


def _opened(path: Path) -> tuple[BinaryIO, bool]:
    """The file, and whether it is gzip. Raises as `open_text`."""
    try:
        handle = open(path, "rb")  # noqa: SIM115 handed to the caller
    except FileNotFoundError as error:
        raise MissingInputError("the file does not exist", path=path, hint="check the path") from error
    except IsADirectoryError as error:
        raise BadInputError("a directory, not a file", path=path, hint="name the file itself") from error
    magic = handle.read(len(_GZIP))
    handle.seek(0)
    return handle, magic == _GZIP


def open_text(path: Path) -> IO[bytes]:
    """The file's bytes, unzipped where it is gzip or bgzip (by content, not by name).

    Raises:
        MissingInputError: no such file.
    """
    if path in _begun:
        return _begun.pop(path)
    handle, zipped = _opened(path)
    return _unzipped(handle) if zipped else handle


@contextmanager
def unzipped_ahead(paths: Iterable[Path]) -> Iterator[None]:
    """Unzip files in threads, beside whatever is done until `open_text` opens them, and while they are read.

    Files that are not compressed, cannot be opened or are begun already are left as they are.
    """
    begun = []
    for path in paths:
        with suppress(BadInputError, MissingInputError, OSError):
            if path not in _begun:
                handle, zipped = _opened(path)
                if zipped:
                    _begun[path] = io.BufferedReader(Ahead(_unzipped(handle)), _BUFFER)
                    begun.append(path)
                else:
                    handle.close()
    switch = sys.getswitchinterval()
    sys.setswitchinterval(_SWITCH_SECONDS)
    try:
        yield
    finally:
        sys.setswitchinterval(switch)
        for path in begun:
            if path in _begun:
                _begun.pop(path).close()
