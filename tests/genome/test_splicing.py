"""Differences between isoforms: kinds and places by hand, mirrored on the other strand."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transgenic_tools.genome.gene import Transcript
from transgenic_tools.genome.interval import Interval, Intervals
from transgenic_tools.genome.splicing import (
    KINDS,
    Difference,
    nearest,
    splice_differences,
    transcript_differences,
    without_shorter,
)

KNOWN = [(0, 10), (20, 30), (40, 50), (60, 70)]
LENGTH = 100


def parts(pairs: list[tuple[int, int]]) -> Intervals:
    return tuple(Interval(*pair) for pair in pairs)


def mirrored(some: Intervals) -> Intervals:
    return tuple(Interval(LENGTH - p.end, LENGTH - p.start) for p in reversed(some))


@pytest.mark.parametrize(
    ("new", "expected"),
    [
        ([(5, 10), (20, 30), (40, 50), (60, 65)], []),
        ([(0, 12), (20, 30), (40, 50), (60, 70)], [("alternative_5ss", 10, 12)]),
        ([(0, 10), (17, 30), (40, 50), (60, 70)], [("alternative_3ss", 17, 20)]),
        ([(0, 10), (40, 50), (60, 70)], [("exon_skipping", 20, 30)]),
        ([(0, 10), (60, 70)], [("exon_skipping", 20, 50)]),
        ([(0, 10), (14, 16), (20, 30), (40, 50), (60, 70)], [("exon_inclusion", 14, 16)]),
        ([(0, 30), (40, 50), (60, 70)], [("intron_retention", 10, 20)]),
        ([(0, 10), (20, 23), (26, 30), (40, 50), (60, 70)], [("intron_gain", 23, 26)]),
        ([(0, 12), (20, 30), (40, 70)], [("alternative_5ss", 10, 12), ("intron_retention", 50, 60)]),
    ],
)
def test_kinds_and_places(new: list[tuple[int, int]], expected: list[tuple[str, int, int]]) -> None:
    found = splice_differences(parts(new), parts(KNOWN), "+")
    assert [(d.kind, d.place.start, d.place.end) for d in found] == expected
    other = splice_differences(mirrored(parts(new)), mirrored(parts(KNOWN)), "-")
    assert sorted((d.kind, LENGTH - d.place.end, LENGTH - d.place.start) for d in other) == sorted(expected)


@st.composite
def chains(draw: st.DrawFn) -> Intervals:
    edges = sorted(draw(st.sets(st.integers(0, 40), min_size=2, max_size=10)))
    edges = edges[: len(edges) // 2 * 2]
    return tuple(Interval(a, b) for a, b in zip(edges[::2], edges[1::2], strict=True))


@given(ours=chains(), theirs=chains())
def test_no_difference_means_equal_bases_in_the_span_of_both(ours: Intervals, theirs: Intervals) -> None:
    found = splice_differences(ours, theirs, "+")
    assert all(d.kind in KINDS for d in found)
    low, high = max(ours[0].start, theirs[0].start), min(ours[-1].end, theirs[-1].end)
    bases = [{b for p in some for b in range(p.start, p.end) if low <= b < high} for some in (ours, theirs)]
    assert (not found) == (bases[0] == bases[1])


def transcript(name: str, exons: list[tuple[int, int]], cds: list[tuple[int, int]], strand: str = "+") -> Transcript:
    return Transcript(name, "s", strand, parts(exons), parts(cds))  # type: ignore[arg-type]


def test_start_and_stop_codons_and_exons_beyond() -> None:
    known = transcript("k", [(0, 30), (40, 70)], [(3, 30), (40, 61)])
    assert transcript_differences(transcript("n", [(0, 30), (40, 70)], [(9, 30), (40, 61)]), known) == (
        Difference(Interval(9, 12), "other_start"),
    )
    minus = transcript("n", [(0, 30), (40, 70)], [(9, 30), (40, 61)], "-")
    assert [d.kind for d in transcript_differences(minus, transcript("k", [(0, 70)], [(3, 61)], "-"))] == [
        "other_stop", "intron_gain",
    ]  # fmt: skip
    more = transcript("n", [(0, 30), (40, 72), (80, 90)], [(3, 30), (40, 61)])
    assert transcript_differences(more, known) == (Difference(Interval(72, 80), "other_exons_beyond"),)


def test_the_nearest_shares_most_introns() -> None:
    near = transcript("near", [(0, 30), (40, 70), (80, 90)], [(3, 30), (40, 61)])
    far = transcript("far", [(0, 90)], [(3, 60)])
    new = transcript("n", [(0, 30), (40, 70), (85, 90)], [(3, 30), (40, 61)])
    assert nearest(new, [far, near]) is near
    assert nearest(new, []) is None


def test_what_another_shows_with_more_utr_is_shorter() -> None:
    cds = [(10, 30), (40, 60)]
    bare = transcript("bare", cds, cds)
    begun = transcript("begun", [(0, 30), (40, 60)], cds)
    whole = transcript("whole", [(0, 3), (6, 30), (40, 70)], cds)
    retained = transcript("retained", [(0, 60)], [(10, 60)])
    assert without_shorter([bare, begun, retained]) == [begun, retained]
    assert without_shorter([whole, bare]) == [whole]
    # An end that reaches further on one side alone, or another UTR intron, makes no transcript the shorter one.
    ended = transcript("ended", [(10, 30), (40, 70)], cds)
    assert without_shorter([begun, ended, whole]) == [begun, whole]
    assert without_shorter([bare, replace(bare, id="again")]) == [bare, replace(bare, id="again")]
    assert without_shorter([transcript("n", [(0, 9)], []), transcript("m", [(0, 10)], [])]) != []
