"""Who made this file: version, command and parameters, stamped on every artefact.

In: a command name and its parameters. Out: a record that goes into Parquet metadata, GFF3 headers and JSON.
A surprise: no time stamp and no host name, so a rerun gives the same bytes.
"""

from __future__ import annotations

import fcntl
import glob
import hashlib
import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from transgenic_tools import __version__

FORMAT_VERSION = "1"


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


def _clear_left(target: Path) -> None:
    """Remove files beside `target` that runs left which were killed: nobody holds a lock on them."""
    for left in target.parent.glob(f".{glob.escape(target.name)}.*.part"):
        with suppress(OSError), open(left, "rb") as handle:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            left.unlink()


def _locked_file(target: Path) -> tuple[int, Path]:
    """A new file beside `target` and its open descriptor, which holds the lock."""
    while True:
        descriptor, name = tempfile.mkstemp(prefix=f".{target.name}.", suffix=".part", dir=target.parent)
        with suppress(OSError):  # a file system without locks: what a killed run leaves there stays
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        if os.fstat(descriptor).st_nlink:  # else another run took it for a left one before it was locked
            return descriptor, Path(name)
        os.close(descriptor)


@contextmanager
def write_aside(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; rename it on success, remove it on failure.

    It is locked as long as it is written, so that the next run knows it from what a killed one left.
    """
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    _clear_left(target)
    descriptor, aside = _locked_file(target)
    try:
        yield aside
        aside.chmod(ordinary_permissions())
        os.replace(aside, target)
    finally:
        aside.unlink(missing_ok=True)
        os.close(descriptor)


def ordinary_permissions() -> int:
    """What a file gets that a program just opens: the umask's."""
    umask = os.umask(0)
    os.umask(umask)
    return 0o666 & ~umask
