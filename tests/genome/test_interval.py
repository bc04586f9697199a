"""Interval arithmetic against sets of positions."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transgenic_tools.genome.interval import Interval, clip, gaps, merge, span, subtract, total_length

INTERVALS = st.lists(
    st.tuples(st.integers(0, 60), st.integers(1, 20)).map(lambda p: Interval(p[0], p[0] + p[1])), max_size=6
)


def positions(intervals: object) -> set[int]:
    return {p for i in intervals for p in range(i.start, i.end)}  # type: ignore[attr-defined]


@pytest.mark.parametrize(("start", "end"), [(3, 3), (4, 3), (-1, 2)])
def test_empty_or_negative_intervals_cannot_be_built(start: int, end: int) -> None:
    with pytest.raises(ValueError, match="is empty or starts before 0"):
        Interval(start, end)


@given(INTERVALS)
def test_merge_is_the_sorted_union(intervals: list[Interval]) -> None:
    merged = merge(intervals)
    assert positions(merged) == positions(intervals)
    assert all(left.end < right.start for left, right in itertools.pairwise(merged))


@given(INTERVALS, INTERVALS)
def test_subtract_and_clip(intervals: list[Interval], others: list[Interval]) -> None:
    kept, removed = merge(intervals), merge(others)
    assert positions(subtract(kept, removed)) == positions(kept) - positions(removed)
    for bounds in others:
        assert positions(clip(kept, bounds)) == positions(kept) & positions([bounds])


@given(INTERVALS)
def test_gaps_fill_the_span(intervals: list[Interval]) -> None:
    merged = merge(intervals)
    if merged:
        assert total_length(gaps(merged)) + total_length(merged) == len(span(merged))


def test_relations() -> None:
    one = Interval(5, 10)
    assert one.shift(3) == Interval(8, 13)
    assert one.overlaps(Interval(9, 12))
    assert not one.overlaps(Interval(10, 12))
    assert one.contains(Interval(5, 10))
    assert one.intersect(Interval(8, 30)) == Interval(8, 10)
    assert one.intersect(Interval(10, 11)) is None
    with pytest.raises(ValueError, match="no intervals"):
        span([])
