"""Tracks: probabilities of splice sites as a bigWig.

In: prediction rows and their transcripts as they were placed. Out: one value a base, at donors (first base of the
intron) and acceptors (last).
A surprise: both strands share the track; where sites meet on a base, the higher probability stands.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

from transgenic_tools.genome.gene import Transcript
from transgenic_tools.genome.site import splice_sites
from transgenic_tools.io.rows import PredictionRow
from transgenic_tools.provenance import write_aside


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
        track.close()
