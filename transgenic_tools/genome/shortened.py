"""A window with stretches left out, and the map there and back.

In: the stretches of a window that are kept. Out: coordinates on the shortened sequence and, exactly, back again.
A surprise: every stretch left out is a multiple of 3 long, so a coding frame survives a cut inside an exon.
"""

from __future__ import annotations

import bisect
import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from transgenic_tools.genome.gene import Transcript
from transgenic_tools.genome.interval import Interval, Intervals, merge


@dataclass(frozen=True)
class Shortened:
    """The kept stretches of a window, left to right, disjoint, in window coordinates.

    Raises:
        ValueError: nothing is kept, or stretches are unsorted or touch.
    """

    kept: Intervals

    def __post_init__(self) -> None:
        if not self.kept:
            raise ValueError("a shortened window keeps at least one stretch")
        if any(right.start <= left.end for left, right in itertools.pairwise(self.kept)):
            raise ValueError("the kept stretches are unsorted or touch")

    @cached_property
    def _starts(self) -> list[int]:
        return [i.start for i in self.kept]

    @cached_property
    def _offsets(self) -> list[int]:
        """Position of each stretch on the shortened sequence, and its whole length at the end."""
        return list(itertools.accumulate((len(i) for i in self.kept), initial=0))

    def __len__(self) -> int:
        return self._offsets[-1]

    def sequence(self, window: str) -> str:
        """The shortened sequence."""
        return "".join(window[i.start : i.end] for i in self.kept)

    def _to_short(self, position: int) -> int:
        at = bisect.bisect_right(self._starts, position) - 1
        if at < 0 or position >= self.kept[at].end:
            raise ValueError(f"position {position} of the window is left out")
        return self._offsets[at] + position - self.kept[at].start

    def _to_window(self, position: int) -> int:
        if not 0 <= position < len(self):
            raise ValueError(f"position {position} is outside a shortened sequence of {len(self)} bases")
        at = bisect.bisect_right(self._offsets, position) - 1
        return self.kept[at].start + position - self._offsets[at]

    def to_short(self, interval: Interval) -> Interval:
        """Window -> shortened; what lies between may be left out. ValueError where the first or last base is."""
        return Interval(self._to_short(interval.start), self._to_short(interval.end - 1) + 1)

    def to_window(self, interval: Interval) -> Interval:
        """Shortened -> window, by the first and the last base. ValueError outside the sequence."""
        return Interval(self._to_window(interval.start), self._to_window(interval.end - 1) + 1)

    def covered(self, interval: Interval) -> Interval:
        """Window -> shortened: what is kept of an interval. ValueError where nothing is."""
        inside = [part for stretch in self.kept if (part := stretch.intersect(interval)) is not None]
        if not inside:
            raise ValueError(f"nothing of [{interval.start}, {interval.end}) is kept")
        return self.to_short(Interval(inside[0].start, inside[-1].end))

    def transcript_to_short(self, transcript: Transcript) -> Transcript:
        """A transcript in window coordinates on the shortened sequence."""
        return replace(
            transcript,
            exons=tuple(map(self.to_short, transcript.exons)),
            cds=tuple(map(self.to_short, transcript.cds)),
        )

    def transcript_to_window(self, transcript: Transcript) -> Transcript:
        """Inverse of `transcript_to_short`."""
        return replace(
            transcript,
            exons=tuple(map(self.to_window, transcript.exons)),
            cds=tuple(map(self.to_window, transcript.cds)),
        )


def keep(stretches: Iterable[Interval], *, length: int) -> Shortened:
    """Keep these stretches of a window of `length` bases; what is left out between them is a multiple of 3 long."""
    inside = [i for s in stretches if (i := s.intersect(Interval(0, length))) is not None]
    wanted = merge(inside)
    fitted: list[Interval] = []
    for stretch in wanted:
        start = stretch.start - ((stretch.start - fitted[-1].end) % 3 if fitted else 0)
        if fitted and start <= fitted[-1].end:
            fitted[-1] = Interval(fitted[-1].start, stretch.end)
        else:
            fitted.append(Interval(start, stretch.end))
    return Shortened(tuple(fitted))


def around(positions: Iterable[int], *, overlap: int) -> Sequence[Interval]:
    """`overlap` bases on both sides of each boundary (a boundary lies before the base of its number)."""
    return [Interval(max(p - overlap, 0), p + overlap) for p in sorted(set(positions))]
