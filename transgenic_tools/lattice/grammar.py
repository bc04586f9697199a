"""The grammar of a transcript, as states over candidate sites.

In: nothing. Out: state kinds, which kind points at which site type, and how a path of states reads as a transcript.

    BEGIN -> TSS -> 5' UTR exons and introns -> START -> coding exons and introns -> STOP -> 3' UTR ... -> TTS -> END

A coding donor remembers how many bases of an unfinished codon precede it (D0, D1, D2); a coding acceptor also whether
those bases could become a stop codon (T, TA, TG). DS1 and DS2 are donors inside a split start codon. BEGIN may reach
START and STOP may reach END directly where no UTR is seen.

A surprise: an in-frame stop is not forbidden but forced. From the start of a coding exon exactly one stop can be
reached in its frame, and no donor beyond it.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum

import numpy as np

from transgenic_tools.genome.gene import Transcript
from transgenic_tools.genome.interval import Interval, merge
from transgenic_tools.lattice.vocabulary import Site


class Kind(IntEnum):
    """State kinds, in the order in which states of one position are visited."""

    BEGIN = 0
    TSS = 1
    D5 = 2
    A5 = 3
    START = 4
    D0 = 5
    D1 = 6
    D2 = 7
    DS1 = 8
    DS2 = 9
    A0 = 10
    A1 = 11
    A1T = 12
    A2 = 13
    A2TA = 14
    A2TG = 15
    STOP = 16
    D3 = 17
    A3 = 18
    TTS = 19
    END = 20


N_KINDS = len(Kind)
NO_SITE = -1

#: Site type that a state of each kind points at.
SITE_OF_KIND: tuple[int, ...] = tuple(
    {
        Kind.TSS: Site.TSS,
        Kind.START: Site.START,
        Kind.STOP: Site.STOP,
        Kind.TTS: Site.TTS,
        Kind.BEGIN: NO_SITE,
        Kind.END: NO_SITE,
    }.get(kind, Site.DONOR if kind.name.startswith("D") else Site.ACCEPTOR)
    for kind in Kind
)

DONOR_KINDS = frozenset(kind for kind in Kind if SITE_OF_KIND[kind] == Site.DONOR)
ACCEPTOR_KINDS = frozenset(kind for kind in Kind if SITE_OF_KIND[kind] == Site.ACCEPTOR)
#: (N_KINDS,) by kind, for arrays of states.
IS_DONOR = np.array([kind in DONOR_KINDS for kind in Kind])


def path_to_transcript(kinds: Sequence[int], positions: Sequence[int], *, transcript_id: str) -> Transcript:
    """A path of states (BEGIN and END left out or not) as a transcript in window coordinates.

    Args:
        kinds, positions: Kind and site index of each state, 5' to 3'.
    """
    exon_start: int | None = None
    coding_start = coding_end = 0
    exons: list[Interval] = []
    for kind, position in zip(kinds, positions, strict=True):
        if kind in (Kind.BEGIN, Kind.END):
            continue
        if kind == Kind.START:
            coding_start = position
            exon_start = position if exon_start is None else exon_start
        elif kind == Kind.TSS:
            exon_start = position
        elif kind == Kind.STOP:
            coding_end = position + 1
        elif kind in DONOR_KINDS and exon_start is not None:
            exons.append(Interval(exon_start, position))
            exon_start = None
        elif kind in ACCEPTOR_KINDS:
            exon_start = position + 1
    last = next(k for k in reversed(kinds) if k != Kind.END)
    end = positions[len(kinds) - 1 - list(reversed(kinds)).index(last)] + 1
    assert exon_start is not None, "the path ends inside an intron"
    exons.append(Interval(exon_start, end))
    coding = Interval(coding_start, coding_end)
    cds = tuple(part for part in (exon.intersect(coding) for exon in exons) if part is not None)
    return Transcript(id=transcript_id, seqid="window", strand="+", exons=merge(exons), cds=cds)


def transcript_to_path(transcript: Transcript) -> list[tuple[Site, int]]:
    """Sites of a coding transcript in window coordinates, 5' to 3'; no TSS or TTS where it has no such UTR."""
    steps: list[tuple[int, int, Site]] = []
    first, last = transcript.interval.start, transcript.interval.end - 1
    if first < transcript.cds[0].start:
        steps.append((first, 0, Site.TSS))
    steps.append((transcript.cds[0].start, 1, Site.START))
    for intron in transcript.introns:
        steps.append((intron.start, 2, Site.DONOR))
        steps.append((intron.end - 1, 3, Site.ACCEPTOR))
    steps.append((transcript.cds[-1].end - 1, 4, Site.STOP))
    if last > transcript.cds[-1].end - 1:
        steps.append((last, 5, Site.TTS))
    return [(site, position) for position, _, site in sorted(steps)]
