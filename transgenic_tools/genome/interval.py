"""Intervals: 0-based, half-open `[start, end)`, left to right along a seqid.

In: integers. Out: frozen records and small pure functions over sorted tuples of them.
A surprise: an empty interval cannot be built, so `end - start` is never 0.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

Strand = Literal["+", "-"]
STRANDS: tuple[str, ...] = get_args(Strand)


@dataclass(frozen=True, slots=True, order=True)
class Interval:
    """A non-empty stretch of a sequence.

    Attributes:
        start: First base, 0-based.
        end: One past the last base.

    Raises:
        ValueError: `end <= start` or `start < 0`.
    """

    start: int
    end: int

    def __post_init__(self) -> None:
        if self.start < 0 or self.end <= self.start:
            raise ValueError(f"interval [{self.start}, {self.end}) is empty or starts before 0")

    def __len__(self) -> int:
        return self.end - self.start

    def shift(self, offset: int) -> Interval:
        """The same stretch, `offset` bases to the right."""
        return Interval(self.start + offset, self.end + offset)

    def overlaps(self, other: Interval) -> bool:
        """True where at least one base is shared."""
        return self.start < other.end and other.start < self.end

    def contains(self, other: Interval) -> bool:
        """True where every base of `other` lies inside."""
        return self.start <= other.start and other.end <= self.end

    def intersect(self, other: Interval) -> Interval | None:
        """The shared bases, or None."""
        start, end = max(self.start, other.start), min(self.end, other.end)
        return Interval(start, end) if start < end else None


Intervals = tuple[Interval, ...]


def total_length(intervals: Iterable[Interval]) -> int:
    """Sum of lengths in bases."""
    return sum(len(interval) for interval in intervals)


def span(intervals: Sequence[Interval]) -> Interval:
    """Smallest interval that holds all of them. Raises ValueError on an empty sequence."""
    if not intervals:
        raise ValueError("the span of no intervals is undefined")
    return Interval(min(i.start for i in intervals), max(i.end for i in intervals))


def merge(intervals: Iterable[Interval], *, gap: int = 0) -> Intervals:
    """Sorted union; intervals at most `gap` bases apart are joined (0 joins touching ones)."""
    merged: list[Interval] = []
    for interval in sorted(intervals):
        if merged and interval.start <= merged[-1].end + gap:
            if interval.end > merged[-1].end:
                merged[-1] = Interval(merged[-1].start, interval.end)
        else:
            merged.append(interval)
    return tuple(merged)


def gaps(intervals: Sequence[Interval]) -> Intervals:
    """The introns of sorted, disjoint exons (touching neighbours leave none)."""
    return tuple(
        Interval(left.end, right.start) for left, right in itertools.pairwise(intervals) if left.end < right.start
    )


def subtract(intervals: Iterable[Interval], removed: Sequence[Interval]) -> Intervals:
    """Bases of `intervals` outside `removed` (`removed` sorted and disjoint), order kept."""
    left_over: list[Interval] = []
    for interval in intervals:
        start = interval.start
        for hole in removed:
            if hole.end <= start:
                continue
            if hole.start >= interval.end:
                break
            if hole.start > start:
                left_over.append(Interval(start, hole.start))
            start = max(start, hole.end)
        if start < interval.end:
            left_over.append(Interval(start, interval.end))
    return tuple(left_over)


def clip(intervals: Iterable[Interval], bounds: Interval) -> Intervals:
    """The parts of `intervals` inside `bounds`, order kept."""
    parts = (interval.intersect(bounds) for interval in intervals)
    return tuple(part for part in parts if part is not None)
