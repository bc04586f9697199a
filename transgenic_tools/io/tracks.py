"""Tracks as bigWig: probabilities of predicted splice sites, and what a scan says about every base.

In: prediction rows and their transcripts as they were placed, or probabilities of stretches. Out: of predictions one
value a base, at donors (first base of the intron) and acceptors (last); of a scan one file a strand and kind.
A surprise: both strands of predictions share a track; where sites meet on a base, the higher probability stands.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from transgenic_tools.genome.gene import Transcript
from transgenic_tools.genome.site import splice_sites
from transgenic_tools.io.rows import PredictionRow
from transgenic_tools.provenance import write_aside

Singles = npt.NDArray[np.float32]


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
