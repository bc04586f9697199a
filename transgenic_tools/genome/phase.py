"""Phase arithmetic, the only place for it.

In: lengths of CDS segments in transcription order. Out: GFF3 column 8 values.
A surprise: phase is not frame; it counts the bases to skip from the segment's 5' end to the next codon
(GFF3 1.26, column 8).
"""

from __future__ import annotations

from collections.abc import Sequence

PHASES = (0, 1, 2)
GSF_PHASE = {0: "A", 1: "B", 2: "C", None: "."}
GSF_PHASE_VALUE = {"A": 0, "B": 1, "C": 2, ".": None}


def next_phase(phase: int, length: int) -> int:
    """Phase of the segment after one of `length` bases with `phase`: `(phase - length) mod 3`."""
    return (phase - length) % 3


def segment_phases(lengths: Sequence[int], *, first: int = 0) -> tuple[int, ...]:
    """Phases of all CDS segments, 5' to 3'.

    Args:
        lengths: Bases of each segment in transcription order.
        first: Phase of the first segment (not 0 only for CDS without a start).

    Raises:
        ValueError: `first` is not 0, 1 or 2.
    """
    if first not in PHASES:
        raise ValueError(f"phase {first!r} is not 0, 1 or 2")
    phases, phase = [], first
    for length in lengths:
        phases.append(phase)
        phase = next_phase(phase, length)
    return tuple(phases)
