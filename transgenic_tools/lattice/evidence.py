"""What reads show inside one window: junctions and exons of chains, on its strand, in its coordinates.

In: arrays of introns with their reads. Out: `WindowEvidence`, which a `WindowInput` carries to the lattice.
A surprise: a window in which no junction touches the locus has none of this, not an empty record, so that it is read as
if there were no evidence at all.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from transgenic_tools.genome.interval import Interval
from transgenic_tools.lattice.vocabulary import Site

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class WindowEvidence:
    """Junctions and chains of one window; J junctions, E exons of chains.

    Attributes:
        start, end: (J,) introns, 0-based half-open, sorted by start, then end.
        reads: (J,) reads, each counted with the weight of its input.
        inputs: (J,) inputs that show each.
        exon_start, exon_end: (E,) exons between two introns of one chain, sorted alike.
        exon_chains: (E,) reads or transcripts whose chain holds the exon, weighted.
        unspliced: (2, J) reads that go on unspliced through the start and through the end of each junction, weighted;
            None where no input counts them.
    """

    start: Ints
    end: Ints
    reads: Floats
    inputs: Ints
    exon_start: Ints
    exon_end: Ints
    exon_chains: Floats
    unspliced: Floats | None = None

    def __len__(self) -> int:
        return len(self.start)

    def sites(self) -> list[tuple[Site, int]]:
        """Donors and acceptors of all junctions, which must be candidates."""
        donors = {(Site.DONOR, position) for position in self.start.tolist()}
        return sorted(donors | {(Site.ACCEPTOR, position - 1) for position in self.end.tolist()})

    def crop(self, part: Interval) -> WindowEvidence | None:
        """What lies inside a part of the window whole, in the part's coordinates; None where no junction does."""
        inside = (self.start >= part.start) & (self.end <= part.end)
        if not inside.any():
            return None
        exons = (self.exon_start >= part.start) & (self.exon_end <= part.end)
        return WindowEvidence(
            start=self.start[inside] - part.start,
            end=self.end[inside] - part.start,
            reads=self.reads[inside],
            inputs=self.inputs[inside],
            exon_start=self.exon_start[exons] - part.start,
            exon_end=self.exon_end[exons] - part.start,
            exon_chains=self.exon_chains[exons],
            unspliced=None if self.unspliced is None else self.unspliced[:, inside],
        )
