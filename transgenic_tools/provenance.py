"""Who made this file: version, command and parameters, stamped on every artefact.

In: a command name and its parameters. Out: a record that goes into Parquet metadata, GFF3 headers and JSON.
A surprise: no time stamp and no host name, so a rerun gives the same bytes.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
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


@contextmanager
def write_aside(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; rename it on success, remove it on failure."""
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(prefix=f".{target.name}.", suffix=".part", dir=target.parent)
    os.close(descriptor)
    aside = Path(name)
    try:
        yield aside
        umask = os.umask(0)
        os.umask(umask)
        aside.chmod(0o666 & ~umask)
        os.replace(aside, target)
    finally:
        aside.unlink(missing_ok=True)
