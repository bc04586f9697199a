"""What a run has finished, so that a killed one goes on: each step with what it was made from.

In: the settings of a step and its input files. Out: `finished.json`, the digests of what each step was made from and
of what it wrote.
A surprise: files are known by their bytes, never by name or time: a copied genome changes nothing, an edited result is
made again.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import logging
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

from transgenic_tools import __version__
from transgenic_tools.errors import TryAgainError
from transgenic_tools.provenance import file_sha256, write_aside

logger = logging.getLogger(__name__)
#: Fields of stages' settings that name what is written, and such as change no result.
_WRITTEN = frozenset(
    {"outdir", "out", "gtf", "bed", "proteins", "cds", "cdna", "sites", "rejects", "json_path", "tsv_path",
     "genes_path", "transcripts_path", "missing_chains_path", "multiqc", "introns"}
)  # fmt: skip
_NO_MATTER = frozenset({"threads", "rows_in_memory", "overwrite"})


class Journal:
    """The finished steps of one results directory."""

    def __init__(self, root: Path, path: Path) -> None:
        self.root, self.path = root, path
        self._digests: dict[tuple[str, int, int, int], str] = {}
        self._done: dict[str, Any] = self._read()
        self._asked: set[str] = set()

    def _read(self) -> dict[str, Any]:
        try:
            found = json.loads(self.path.read_text(encoding="utf-8"))
            return {
                str(step): {"made_from": entry["made_from"], "written": dict(entry["written"])}
                for step, entry in found.items()
            }
        except FileNotFoundError:
            return {}
        except (ValueError, KeyError, TypeError, AttributeError):
            logger.warning("%s cannot be read; every step is done again", self.path)
            return {}

    def _digest(self, path: Path) -> str:
        status = path.stat()
        key = (str(path), status.st_ino, status.st_size, status.st_mtime_ns)
        if key not in self._digests:
            self._digests[key] = file_sha256(path)
        return self._digests[key]

    def _described(self, value: Any) -> Any:
        """Settings as plain values, files by their bytes."""
        if is_dataclass(value) and not isinstance(value, type):
            return {
                field.name: self._setting(field.name, getattr(value, field.name))
                for field in fields(value)
                if field.name not in _NO_MATTER
            }
        if isinstance(value, Path):
            if value.is_dir():
                return [self._described(one) for one in sorted(value.iterdir()) if one.is_file()]
            return [value.name, self._digest(value)] if value.exists() else value.name
        if isinstance(value, frozenset):
            return sorted(value)
        if isinstance(value, Mapping):
            return {str(key): self._described(one) for key, one in value.items()}
        return [self._described(one) for one in value] if isinstance(value, Sequence) and not isinstance(value, str) \
            else value  # fmt: skip

    def _setting(self, name: str, value: Any) -> Any:
        """One of a stage's settings; of a file to be written its name alone."""
        return value.name if name in _WRITTEN and isinstance(value, Path) else self._described(value)

    def _is_done(self, step: str, made_from: str) -> bool:
        """The step was done from the same, and what it wrote is as it left it."""
        entry = self._done.get(step)
        return (
            entry is not None
            and entry["made_from"] == made_from
            and all(
                (self.root / name).is_file() and self._digest(self.root / name) == digest
                for name, digest in entry["written"].items()
            )
        )

    def _written(self, step: str) -> set[str]:
        return set(self._done[step]["written"]) if step in self._done else set()

    def once(self, step: str, settings: Any, work: Callable[[], Sequence[Path]]) -> list[Path]:
        """Do a step unless it is done; the files that it wrote.

        Args:
            settings: Frozen settings of the step, or several of them; files that they name are read for their digest.
            work: Does the step and returns what it wrote, below the results directory.
        """
        text = json.dumps([__version__, self._described(settings)], sort_keys=True, default=str)
        made_from = hashlib.sha256(text.encode()).hexdigest()
        self._asked.add(step)
        if self._is_done(step, made_from):
            logger.info("%s: done before from the same, kept", step)
        else:
            before = self._written(step)
            written = {str(path.relative_to(self.root)): self._digest(path) for path in work()}
            for name in before - set(written):  # of other settings: nobody would know what it belongs to
                (self.root / name).unlink(missing_ok=True)
            self._done[step] = {"made_from": made_from, "written": written}
            self._save()
        return [self.root / name for name in self._done[step]["written"]]

    def _save(self) -> None:
        with write_aside(self.path) as aside:
            aside.write_text(json.dumps(self._done, indent=1) + "\n", encoding="utf-8")

    def clear_others(self) -> None:
        """Remove results of steps that this run did not ask for: they belong to an annotation that is no longer here.

        What lies beside the journal stays, for a run that asks for it again.
        """
        for step in set(self._done) - self._asked:
            results = [self.root / name for name in self._written(step)]
            results = [path for path in results if self.path.parent not in path.parents]
            for path in results:
                logger.warning("%s is of an earlier run with other settings and is removed", path)
                path.unlink(missing_ok=True)
            if results:
                del self._done[step]
        self._save()


@contextmanager
def one_run_at_a_time(directory: Path) -> Iterator[None]:
    """Hold a directory for this process.

    Raises:
        TryAgainError: another one has it.
    """
    directory.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(directory / ".lock", os.O_RDWR | os.O_CREAT, 0o666)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise TryAgainError(
                "another tg-annotate writes here", path=directory, hint="wait for it, or give another --out"
            ) from error
        yield
    finally:
        os.close(descriptor)
