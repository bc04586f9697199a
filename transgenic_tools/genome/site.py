"""Splice sites with probabilities.

In: placed transcripts and one score per intron. Out: `Site` records on the seqid.
A surprise: where transcripts share a site, the highest probability counts.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

from transgenic_tools.genome.gene import Transcript, in_transcription_order


class SiteKind(IntEnum):
    """The two ends of an intron."""

    DONOR = 0
    ACCEPTOR = 1


@dataclass(frozen=True, slots=True, order=True)
class Site:
    """Probability of a splice site; `position` is the intron's first (donor) or last (acceptor) base, 0-based."""

    position: int
    kind: SiteKind
    probability: float


def splice_sites(
    transcripts: Sequence[Transcript], donors: Sequence[Sequence[float]], acceptors: Sequence[Sequence[float]]
) -> tuple[Site, ...]:
    """Sites sorted by position.

    Args:
        transcripts: In genome coordinates.
        donors, acceptors: One list a transcript, one score an intron, 5' to 3'; a list of another length is left out.
    """
    best: dict[tuple[int, SiteKind], float] = {}
    for kind, table in ((SiteKind.DONOR, donors), (SiteKind.ACCEPTOR, acceptors)):
        for transcript, scores in zip(transcripts, table, strict=False):
            introns = in_transcription_order(transcript.introns, transcript.strand)
            if len(scores) != len(introns):
                continue
            for intron, score in zip(introns, scores, strict=True):
                at_left = (kind is SiteKind.DONOR) == (transcript.strand == "+")
                key = (intron.start if at_left else intron.end - 1, kind)
                if not math.isnan(score):
                    best[key] = max(score, best.get(key, 0.0))
    return tuple(sorted(Site(position, kind, score) for (position, kind), score in best.items()))
