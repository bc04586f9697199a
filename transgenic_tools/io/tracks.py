"""Tracks as bigWig: probabilities of predicted splice sites, and what a scan says about every base.

In: prediction rows and their transcripts as they were placed, or probabilities of stretches. Out: of predictions one
value a base, at donors (first base of the intron) and acceptors (last); of a scan one file a strand and kind, which are
joined and read again here.
A surprise: both strands of predictions share a track; where sites meet on a base, the higher probability stands.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from transgenic_tools.errors import BadInputError
from transgenic_tools.genome.gene import Transcript
from transgenic_tools.genome.site import splice_sites
from transgenic_tools.io.rows import PredictionRow
from transgenic_tools.provenance import write_aside

Singles = npt.NDArray[np.float32]
#: Bases of a stretch that is copied at once.
_AT_ONCE = 1_000_000


class SiteTrack:
    """Collects sites; `write` makes the file."""

    def __init__(self) -> None:
        self._values: dict[str, dict[int, float]] = defaultdict(dict)

    def add(self, row: PredictionRow, placed: Mapping[int, Transcript]) -> None:
        """Take the sites of a row.

        Args:
            placed: Transcripts in genome coordinates, by their number in the gene sentence.
        """
        values = self._values[row.seqid]
        donors, acceptors = (
            [table[number] if number < len(table) else () for number in placed]
            for table in (row.donor_scores, row.acceptor_scores)
        )
        for site in splice_sites(list(placed.values()), donors, acceptors):
            values[site.position] = max(site.probability, values.get(site.position, 0.0))

    def write(self, path: Path, lengths: Mapping[str, int], together: ExitStack) -> None:
        """Write the track; `lengths` names every seqid of the genome with its bases. It appears with the others."""
        import pyBigWig

        aside = together.enter_context(write_aside(path))
        track = pyBigWig.open(str(aside), "w")
        track.addHeader(sorted(lengths.items()))
        for seqid in sorted(self._values):
            values = self._values[seqid]
            if values:
                starts = sorted(values)
                ends = [start + 1 for start in starts]
                track.addEntries([seqid] * len(starts), starts, ends=ends, values=[values[s] for s in starts])
        if not any(self._values.values()):
            _add_nothing(track, min(lengths, default=None))
        track.close()


def _add_nothing(track: Any, seqid: str | None) -> None:
    """A value of 0 at the first base: igv.js cannot open a bigWig file without any."""
    if seqid is not None:
        track.addEntries([seqid], [0], ends=[1], values=[0.0])


class ScanTracks:
    """Four bigWig files of a scan: coding probability and site probability of each strand.

    Values are rounded to `STEP` and neighbours of one value joined; where there is nothing, the probability is below
    half a step. Of the six kinds of sites the most probable stands.
    """

    STEP = 0.05
    NAMES = tuple(f"{what}.{strand}.bw" for what in ("coding", "sites") for strand in ("plus", "minus"))

    def __init__(self, outdir: Path, lengths: Mapping[str, int], together: ExitStack) -> None:
        """Begin the files, which appear with the others of `together`; `lengths` in the order in which pieces come."""
        import pyBigWig

        asides = [together.enter_context(write_aside(outdir / name)) for name in self.NAMES]
        self._tracks = [pyBigWig.open(str(aside), "w") for aside in asides]
        self._empty, self._first = [True] * len(self._tracks), next(iter(lengths), None)
        together.callback(self._close)  # before the files are moved
        for track in self._tracks:
            track.addHeader(list(lengths.items()))

    def _close(self) -> None:
        for track, empty in zip(self._tracks, self._empty, strict=True):
            if empty:
                _add_nothing(track, self._first)
            track.close()

    def add(self, seqid: str, offset: int, coding: Singles, sites: Singles) -> None:
        """Probabilities (2, L) of a stretch that begins at `offset`; stretches come from left to right."""
        for number, (track, values) in enumerate(zip(self._tracks, (*coding, *sites), strict=True)):
            steps = np.rint(values / self.STEP).astype(np.int64)
            edges = np.concatenate([[0], np.flatnonzero(np.diff(steps)) + 1, [len(steps)]])
            starts, ends = edges[:-1], edges[1:]
            kept = steps[starts] > 0
            if kept.any():
                self._empty[number] = False
                track.addEntries(
                    [seqid] * int(kept.sum()),
                    (starts[kept] + offset).tolist(),
                    ends=(ends[kept] + offset).tolist(),
                    values=[round(step * self.STEP, 2) for step in steps[starts[kept]].tolist()],
                )


def join_tracks(parts: Sequence[Path], target: Path) -> None:
    """One bigWig of those of a genome's shares, in their order, which is that of the genome.

    Raises:
        BadInputError: a file is no bigWig, or two of them give one sequence two lengths.
    """
    import pyBigWig

    lengths: dict[str, int] = {}
    for part in parts:
        with _opened(part) as track:
            for seqid, length in track.chroms().items():
                if lengths.setdefault(seqid, length) != length:
                    raise BadInputError(
                        f"{seqid} has {length:,} bases here and {lengths[seqid]:,} in another share", path=part,
                        hint="join the shares of one genome alone",
                    )  # fmt: skip
    with write_aside(target) as aside:
        joined = pyBigWig.open(str(aside), "w")
        joined.addHeader(list(lengths.items()))
        empty = True
        for rows in _in_order(parts, lengths):
            empty = False
            seqids, starts, ends, values = map(list, zip(*rows, strict=True))
            joined.addEntries(seqids, starts, ends=ends, values=values)
        if empty:
            _add_nothing(joined, next(iter(lengths), None))
        joined.close()


def scan_track_name(path: Path) -> str:
    """Which of `ScanTracks.NAMES` a file is, by the end of its name. Raises BadInputError where it is none of them."""
    for name in ScanTracks.NAMES:
        if path.name == name or path.name.endswith(f".{name}"):
            return name
    raise BadInputError(
        "no track of a scan by its name", path=path, hint=f"names end with {', '.join(ScanTracks.NAMES)}"
    )


def join_scan_tracks(shares: Sequence[Path], outdir: Path, prefix: str = "") -> list[Path]:
    """One file of each kind that the shares of a genome have; a prefix is parted from the name by a point.

    Raises:
        BadInputError: a name that is of no kind; see `join_tracks`.
    """
    by_name: dict[str, list[Path]] = {}
    for path in shares:
        by_name.setdefault(scan_track_name(path), []).append(path)
    outdir.mkdir(parents=True, exist_ok=True)
    written = []
    for name in ScanTracks.NAMES:
        if name in by_name:
            target = outdir / (f"{prefix}.{name}" if prefix else name)
            join_tracks(by_name[name], target)
            written.append(target)
    return written


def _in_order(parts: Sequence[Path], lengths: Mapping[str, int]) -> Iterator[list[tuple[str, int, int, float]]]:
    """What all parts say of each stretch on a grid, so that the bytes do not depend on how many parts there are."""
    with ExitStack() as files:
        tracks = [files.enter_context(_opened(part)) for part in parts]
        known = [set(track.chroms()) for track in tracks]
        for seqid, length in lengths.items():
            own = [track for track, names in zip(tracks, known, strict=True) if seqid in names]
            for start in range(0, length, _AT_ONCE):
                found = (track.intervals(seqid, start, min(start + _AT_ONCE, length)) or () for track in own)
                rows = [(seqid, *row) for some in found for row in some if row[0] >= start and row[2] > 0]
                if rows:
                    yield sorted(rows)


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """A bigWig file. Raises BadInputError where it is none."""
    import pyBigWig

    try:
        track = pyBigWig.open(str(path))
    except RuntimeError as error:
        raise BadInputError("no bigWig file", path=path, hint="give what tg-scan --tracks wrote") from error
    try:
        yield track
    finally:
        track.close()


@dataclass(frozen=True, kw_only=True)
class Binned:
    """Values of one strand of a stretch in bins, in steps of `ScanTracks.STEP`.

    Attributes:
        start: First base of the first bin.
        steps: (B,) uint8.
    """

    start: int
    steps: npt.NDArray[np.uint8]


def read_binned(path: Path, *, width: int, at_once: int) -> Iterator[tuple[str, Binned]]:
    """What a track of a scan says, stretch by stretch: seqid, and the highest value in each bin.

    Args:
        width: Bases of a bin.
        at_once: Bins of a stretch; stretches where nothing is are left out.
    """
    with _opened(path) as track:
        for seqid, length in track.chroms().items():
            for start in range(0, length, width * at_once):
                end = min(start + width * at_once, length)
                rows = np.array(track.intervals(seqid, start, end) or (), dtype=np.float64).reshape(-1, 3)
                steps = _highest(rows, start, end, width)
                if steps.any():
                    yield seqid, Binned(start=start, steps=steps)


def _highest(rows: npt.NDArray[np.float64], start: int, end: int, width: int) -> npt.NDArray[np.uint8]:
    """Highest step in each bin of a stretch, of rows (first base, base after the last, value)."""
    lows, highs = (np.clip(rows[:, column].astype(np.int64), start, end) - start for column in (0, 1))
    lengths = highs - lows
    within = np.arange(lengths.sum()) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    bases = np.zeros(-(-(end - start) // width) * width, dtype=np.uint8)
    bases[np.repeat(lows, lengths) + within] = np.repeat(np.rint(rows[:, 2] / ScanTracks.STEP), lengths)
    highest: npt.NDArray[np.uint8] = bases.reshape(-1, width).max(1)
    return highest


def lengths_of(path: Path) -> dict[str, int]:
    """Of the sequences that a bigWig knows. Raises BadInputError where it is none."""
    with _opened(path) as track:
        return dict(track.chroms())
