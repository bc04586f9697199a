"""Write transcripts (window coordinates) as a gene sentence.

In: transcripts on strand `+` of a window, as `Window.transcript_to_window` gives them. Out: one line of text.
A surprise: transcripts of equal structure are written once, so the sentence holds distinct transcripts.
"""

from __future__ import annotations

from collections.abc import Sequence

from transgenic_tools.genome.gene import Transcript
from transgenic_tools.genome.interval import Strand
from transgenic_tools.genome.phase import GSF_PHASE

_Feature = tuple[int, int, str, int | None]


def _features(transcript: Transcript) -> list[_Feature]:
    """Sorted by place: in a window the 5' UTR stands before the CDS and the 3' UTR after it."""
    rows: list[_Feature] = [(p.start, p.end, "five_prime_UTR", None) for p in transcript.five_prime_utr]
    rows += [(p.start, p.end, "CDS", phase) for p, phase in zip(transcript.cds, transcript.cds_phases, strict=True)]
    rows += [(p.start, p.end, "three_prime_UTR", None) for p in transcript.three_prime_utr]
    return rows


def write(transcripts: Sequence[Transcript], *, strand: Strand) -> str:
    """The gene sentence.

    Args:
        transcripts: Coding transcripts in window coordinates (strand `+` there).
        strand: The gene's strand on the seqid, written into every feature.

    Raises:
        ValueError: no transcripts, or one without CDS (GSF has no feature type for it).
    """
    if not transcripts:
        raise ValueError("a gene sentence needs at least one transcript")
    chains: list[list[_Feature]] = []
    for transcript in transcripts:
        if not transcript.cds:
            raise ValueError(f"transcript {transcript.id} has no CDS; a gene sentence cannot hold it")
        chain = _features(transcript)
        if chain not in chains:
            chains.append(chain)
    names: dict[_Feature, str] = {}
    counts: dict[str, int] = {}
    for row in sorted({row for chain in chains for row in chain}, key=lambda r: (r[0], r[1], r[2], r[3] or 0)):
        counts[row[2]] = counts.get(row[2], 0) + 1
        names[row] = f"{row[2]}{counts[row[2]]}"
    features = ";".join(f"{s}|{names[s, e, t, p]}|{e}|{strand}|{GSF_PHASE[p]}" for s, e, t, p in names)
    return features + ">" + ";".join("|".join(names[row] for row in chain) for chain in chains)
