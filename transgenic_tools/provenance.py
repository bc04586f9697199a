"""Who made this file: version, command and parameters, stamped on every artefact.

In: a command name and its parameters. Out: a record that goes into Parquet metadata, GFF3 headers and JSON.
A surprise: no time stamp and no host name, so a rerun gives the same bytes.
"""

from __future__ import annotations

import errno
import fcntl
import glob
import hashlib
import json
import os
import re
import shutil
import stat
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from transgenic_tools import __version__
from transgenic_tools.errors import InputOutputError, UsageError

FORMAT_VERSION = "1"
#: Names of open files.
_OPENED = re.compile(r"/proc/[^/]+/fd/")
#: Bytes of a name of 255, the most that most systems take, less what temporary names add.
_LONGEST_STEM = 235
_NO_ROOM = {errno.ENOSPC, errno.EFBIG, errno.EDQUOT}


@dataclass(frozen=True)
class Provenance:
    """Tool, version and parameters that produced an artefact."""

    tool: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    version: str = __version__

    def to_json(self) -> str:
        """One line, keys sorted."""
        payload = {"tool": self.tool, "version": self.version, "parameters": dict(self.parameters)}
        return json.dumps(payload, sort_keys=True, default=str)


def file_sha256(path: str | Path) -> str:
    """Hex digest of a file's bytes."""
    digest = hashlib.sha256()
    with open(path, "rb") as handle:
        for block in iter(lambda: handle.read(1 << 20), b""):
            digest.update(block)
    return digest.hexdigest()


def _clear_left(directory: Path, stem: str) -> None:
    """Remove what killed runs left aside under this name: nobody holds a lock on it."""
    for left in directory.glob(f".{glob.escape(stem)}.*.part"):
        with suppress(OSError):
            descriptor = os.open(left, os.O_RDONLY)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(left) if left.is_dir() else left.unlink()
            finally:
                os.close(descriptor)


def _make_locked(directory: Path, stem: str, *, folder: bool) -> tuple[int, Path]:
    """A new file or folder, and an open descriptor of it, which holds the lock."""
    directory.mkdir(parents=True, exist_ok=True)
    stem = os.fsdecode(os.fsencode(stem)[:_LONGEST_STEM])
    _clear_left(directory, stem)
    while True:
        if folder:
            name = tempfile.mkdtemp(prefix=f".{stem}.", suffix=".part", dir=directory)
            descriptor = os.open(name, os.O_RDONLY)
        else:
            descriptor, name = tempfile.mkstemp(prefix=f".{stem}.", suffix=".part", dir=directory)
        with suppress(OSError):  # a file system without locks: what a killed run leaves there stays
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        if os.fstat(descriptor).st_nlink:  # else another run took it for a left one before it was locked
            return descriptor, Path(name)
        os.close(descriptor)


@contextmanager
def _naming(target: Path) -> Iterator[None]:
    """Say which file could not be written; Arrow, zlib and write() know no name."""
    try:
        yield
    except OSError as error:
        if error.errno not in _NO_ROOM:
            raise
        raise InputOutputError(
            f"cannot be written: {os.strerror(error.errno or 0)}", path=target, hint="make room there, and run it again"
        ) from error


def is_stream(path: str | Path) -> bool:
    """Whether this is a pipe, a device, or the name of an open file (`/dev/stdout`): written into, never replaced."""
    with suppress(OSError, ValueError):
        mode = os.stat(path).st_mode
        opened = os.path.dirname(os.path.abspath(path)) in ("/dev", "/dev/fd") or _OPENED.match(os.path.abspath(path))
        return not stat.S_ISDIR(mode) and (not stat.S_ISREG(mode) or bool(opened))
    return False


def check_outputs(outputs: Mapping[str, Path | None], *, inputs: Iterable[Path | None] = ()) -> None:
    """No file is written twice, and none that is read is replaced.

    Args:
        outputs: By flag.

    Raises:
        UsageError: two flags name one file, or a flag names an input, or none.
    """
    taken = {os.path.realpath(path): f"the input {path}" for path in inputs if path is not None}
    for flag, path in outputs.items():
        if path is None or is_stream(path):
            continue
        if not path.name:
            raise UsageError(f"{flag} names no file", hint="give the name of a file to write")
        place = os.path.realpath(path)
        if place in taken:
            raise UsageError(f"{flag} {path} would overwrite {taken[place]}", hint="give each file a name of its own")
        taken[place] = f"what {flag} writes"


@contextmanager
def _into_stream(target: Path) -> Iterator[Path]:
    """A temporary file whose bytes are written into a pipe or device once it is whole."""
    with tempfile.TemporaryDirectory(prefix="transgenic.") as folder:
        aside = Path(folder) / target.name
        yield aside
        with open(aside, "rb") as source, open(target, "wb") as stream:
            shutil.copyfileobj(source, stream)


@contextmanager
def write_aside(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; rename it on success, remove it on failure.

    It is locked as long as it is written, so that the next run knows it from what a killed one left. Into pipes and
    devices it is copied instead.
    """
    target = Path(path)
    if is_stream(target):
        with _into_stream(target) as aside:
            yield aside
        return
    descriptor, aside = _make_locked(target.parent, target.name, folder=False)
    try:
        with _naming(target):
            yield aside
        aside.chmod(ordinary_permissions())
        os.replace(aside, target)
    finally:
        aside.unlink(missing_ok=True)
        os.close(descriptor)


@contextmanager
def folder_aside(directory: str | Path, stem: str) -> Iterator[Path]:
    """A temporary folder `.<stem>.*.part` in `directory` (made if missing): locked as above, gone in the end."""
    descriptor, aside = _make_locked(Path(directory), stem, folder=True)
    try:
        with _naming(Path(directory)):
            yield aside
    finally:
        shutil.rmtree(aside, ignore_errors=True)
        os.close(descriptor)


def ordinary_permissions() -> int:
    """What a file gets that a program just opens: the umask's."""
    umask = os.umask(0)
    os.umask(umask)
    return 0o666 & ~umask
