"""Windows of the benchmark: what every tool reads, the same bases for all.

In: gene shards of tg-prep. Out: frozen `BenchWindow` records and one upper-case FASTA file.
A surprise: windows are in transcription orientation, so every tool is asked for the forward strand alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from transgenic_tools.errors import MissingInputError
from transgenic_tools.genome.window import Window
from transgenic_tools.io.shards import read_shard
from transgenic_tools.provenance import write_aside


@dataclass(frozen=True)
class BenchWindow:
    """One window: `name` is the FASTA header that a peer sees, `gene_id` the reference gene behind it."""

    name: str
    gene_id: str
    window: Window
    sequence: str


def read_windows(shards: Sequence[Path], *, split: str | None = "test") -> tuple[BenchWindow, ...]:
    """The windows of one split, in the order of the shards. Raises MissingInputError where none is found."""
    found = [
        BenchWindow(f"w{number:06d}", row.gene_id, row.window, row.sequence)
        for number, row in enumerate(r for r in read_shard(shards) if split is None or r.split == split)
    ]
    if not found:
        raise MissingInputError(f"no window of the split {split!r} in {[str(s) for s in shards]}")
    return tuple(found)


def sample_evenly(windows: Sequence[BenchWindow], count: int) -> tuple[BenchWindow, ...]:
    """`count` windows at even steps along the list (all of them where there are fewer)."""
    if len(windows) <= count:
        return tuple(windows)
    return tuple(windows[i * len(windows) // count] for i in range(count))


def total_bases(windows: Iterable[BenchWindow]) -> int:
    return sum(len(w.sequence) for w in windows)


def write_fasta(windows: Iterable[BenchWindow], path: Path) -> Path:
    """One record a window, 80 columns."""
    with write_aside(path) as aside, aside.open("w") as handle:
        for w in windows:
            lines = (w.sequence[i : i + 80] for i in range(0, len(w.sequence), 80))
            handle.write(f">{w.name}\n" + "\n".join(lines) + "\n")
    return path
