"""Windows of the benchmark: what every tool reads, the same bases for all.

In: gene shards of tg-prep, or a genome to cut. Out: rows of the test split, subsets of them, one upper-case FASTA.
A surprise: windows are in transcription orientation, so every tool is asked for the forward strand alone, and a peer
sees each under a number (`w000007`), never under the gene's name.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from transgenic_tools.errors import MissingInputError
from transgenic_tools.io.rows import GeneRow
from transgenic_tools.io.shards import read_shard, write_gene_shards
from transgenic_tools.provenance import Provenance, write_aside

Windows = tuple[GeneRow, ...]
PROVENANCE = Provenance("benchmarks")


def window_name(number: int) -> str:
    """FASTA header of the window at this place in the list."""
    return f"w{number:06d}"


def read_windows(shards: Path, *, split: str | None = "test") -> Windows:
    """The windows of one split, in the order of the shards. Raises MissingInputError where none is found."""
    found = tuple(row for row in read_shard(shards) if split is None or row.split == split)
    if not found:
        raise MissingInputError(f"no window of the split {split!r}", path=shards)
    return found


def sample_evenly(windows: Sequence[GeneRow], count: int) -> Windows:
    """`count` windows at even steps along the list (all of them where there are fewer)."""
    if len(windows) <= count:
        return tuple(windows)
    return tuple(windows[i * len(windows) // count] for i in range(count))


def total_bases(windows: Iterable[GeneRow]) -> int:
    return sum(row.bases for row in windows)


def tiles(contig: str, seqid: str, *, start: int, length: int, count: int) -> Windows:
    """`count` neighbouring stretches of `length` bases from `start`, as loci without structure."""
    rows = []
    for i in range(count):
        left = start + i * length
        sequence = contig[left : left + length].upper()
        rows.append(
            GeneRow(
                gene_id=f"tile{i}", sample="tiles", seqid=seqid, start=left, end=left + len(sequence), strand="+",
                window_start=left, window_end=left + len(sequence), sequence=sequence, gsf=None, n_transcripts=0,
                primary_transcript=None, split="test",
            )
        )  # fmt: skip
    return tuple(rows)


def write_fasta(windows: Sequence[GeneRow], path: Path) -> Path:
    """One upper-case record a window, 80 columns."""
    with write_aside(path) as aside, aside.open("w") as handle:
        for number, row in enumerate(windows):
            text = row.sequence.upper()
            lines = (text[i : i + 80] for i in range(0, len(text), 80))
            handle.write(f">{window_name(number)}\n" + "\n".join(lines) + "\n")
    return path


def write_shards(windows: Sequence[GeneRow], directory: Path) -> tuple[Path, ...]:
    """The windows as gene shards, for our own tool."""
    return write_gene_shards(windows, directory, provenance=PROVENANCE)
