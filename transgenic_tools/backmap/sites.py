"""Probabilities of splice sites as a bigWig.

In: prediction rows that were placed. Out: one value a base, at donors (first base of the intron) and acceptors (last).
A surprise: both strands share the track; where sites meet on a base, the higher probability stands.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

from transgenic_tools.genome.site import splice_sites
from transgenic_tools.gsf import parse
from transgenic_tools.io.rows import PredictionRow
from transgenic_tools.provenance import write_aside


class SiteTrack:
    """Collects sites; `write` makes the file."""

    def __init__(self) -> None:
        self._values: dict[str, dict[int, float]] = defaultdict(dict)

    def add(self, row: PredictionRow) -> None:
        """Take the sites of a row whose sentence has been placed."""
        if not row.gsf:
            return
        placed = [row.window.transcript_to_genome(t) for t in parse(row.gsf).transcripts]
        values = self._values[row.seqid]
        for site in splice_sites(placed, row.donor_scores, row.acceptor_scores):
            values[site.position] = max(site.probability, values.get(site.position, 0.0))

    def write(self, path: Path, lengths: Mapping[str, int]) -> None:
        """Write the track; `lengths` names every seqid of the genome with its bases."""
        import pyBigWig

        with write_aside(path) as aside:
            track = pyBigWig.open(str(aside), "w")
            track.addHeader(sorted(lengths.items()))
            for seqid in sorted(self._values):
                values = self._values[seqid]
                if values:
                    starts = sorted(values)
                    ends = [start + 1 for start in starts]
                    track.addEntries([seqid] * len(starts), starts, ends=ends, values=[values[s] for s in starts])
            track.close()
