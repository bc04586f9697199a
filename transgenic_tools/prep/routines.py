"""The sequence routines: the whole window, or the parts of it that hold most of the signals.

In: transcripts in window coordinates. Out: what to keep of the window, or None for all of it.
A surprise: every end of an exon or CDS keeps `overlap` bases on both sides under all routines, so each routine can
be mapped back exactly.

    whole           everything (the default)
    cds_overlap     exons, and `overlap` bases of intron and flank beside them
    intron_overlap  introns, and `overlap` bases of exon beside them
    junctions       `overlap` bases on both sides of each end of an exon or CDS
"""

from __future__ import annotations

from collections.abc import Sequence

from transgenic_tools.genome.gene import Transcript
from transgenic_tools.genome.interval import Interval
from transgenic_tools.genome.shortened import Shortened, around, keep
from transgenic_tools.prep.config import Routine


def shorten(transcripts: Sequence[Transcript], routine: Routine, *, overlap: int, length: int) -> Shortened | None:
    """What a routine keeps of a window of `length` bases; None for the whole window.

    Args:
        transcripts: In window coordinates; without any, the whole window is kept.
        overlap: Bases beside each kept part.
    """
    if routine == "whole" or not transcripts:
        return None
    edges = {p for t in transcripts for i in (*t.exons, *t.cds) for p in (i.start, i.end)}
    stretches: list[Interval] = list(around(edges, overlap=overlap))
    if routine == "cds_overlap":
        stretches += [exon for t in transcripts for exon in t.exons]
    elif routine == "intron_overlap":
        stretches += [intron for t in transcripts for intron in t.introns]
    return keep(stretches, length=length)
