"""What a scan says of every base, as small blocks that the page unpacks when a place comes into view.

In: bigWig files of tg-scan --tracks, by sample. Out: `Signals`: an index of stretches, and blocks of their values.
A surprise: a value is one letter, the highest of its bin in steps of a twentieth from `0` on; bins grow with the
genome, so that the page does not.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from transgenic_tools.io.tracks import ScanTracks, lengths_of, read_binned, scan_track_name
from transgenic_tools.report.payload import pack

#: Bases of a bin where the genome is small, bins of a stretch, and bins of all stretches that a page may have.
NARROWEST, STRETCH, MOST = 50, 4_000, 4_000_000
#: Stretches of a block.
_TOGETHER = 5


@dataclass(frozen=True, kw_only=True)
class Signals:
    """What the browser of loci reads.

    Attributes:
        index: Packed: `width` of a bin and, for each stretch, [sample, seqid, first base, bins]; stretch n is the
            n mod 5th of block n div 5.
        blocks: Packed lists of stretches; a stretch is one text of letters a kind, as in `ScanTracks.NAMES`.
    """

    index: str
    blocks: tuple[str, ...]


def build_signals(tracks: Mapping[str, Sequence[Path]]) -> Signals | None:
    """Signals of all samples; None without any.

    Args:
        tracks: Files by sample.

    Raises:
        BadInputError: a file is no bigWig of tg-scan, by its name or by what it holds.
    """
    if not any(tracks.values()):
        return None
    bases = sum(max(sum(lengths_of(path).values()) for path in paths) for paths in tracks.values() if paths)
    width = max(NARROWEST, -(-bases // MOST))
    stretches: list[list[Any]] = []
    letters: list[list[str]] = []
    for sample, paths in tracks.items():
        for (seqid, start), rows in sorted(_stretches(paths, width).items()):
            bins = max(map(len, rows.values()))
            stretches.append([sample, seqid, start, bins])
            letters.append([rows.get(name, "") for name in ScanTracks.NAMES])
    blocks = tuple(pack(letters[first : first + _TOGETHER]) for first in range(0, len(letters), _TOGETHER))
    return Signals(index=pack({"width": width, "together": _TOGETHER, "stretches": stretches}), blocks=blocks)


def _stretches(paths: Sequence[Path], width: int) -> dict[tuple[str, int], dict[str, str]]:
    """Letters by sequence and first base, then by kind."""
    found: dict[tuple[str, int], dict[str, str]] = {}
    for path in paths:
        name = scan_track_name(path)
        for seqid, start, text in _letters(path, width):
            found.setdefault((seqid, start), {})[name] = text
    return found


def _letters(path: Path, width: int) -> Iterator[tuple[str, int, str]]:
    for seqid, binned in read_binned(path, width=width, at_once=STRETCH):
        yield seqid, binned.start, (binned.steps + ord("0")).tobytes().decode("ascii")
