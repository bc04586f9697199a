"""Stretches that go through places: counted linearly, against one after another."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from transgenic_tools.genome.evidence import ThroughCounts, aligned_blocks

STRETCHES = st.lists(st.tuples(st.integers(0, 60), st.integers(0, 40), st.integers(1, 5)), max_size=12)


@given(places=st.sets(st.integers(0, 110), max_size=12), stretches=STRETCHES, anchor=st.integers(1, 9))
def test_counts_are_those_of_the_definition(
    places: set[int], stretches: list[tuple[int, int, int]], anchor: int
) -> None:
    ordered = sorted(places)
    through = ThroughCounts(np.array(ordered, dtype=np.int64), anchor)
    for part in (stretches[:5], stretches[5:]):
        starts, lengths, counts = np.array(part, dtype=np.int64).reshape(-1, 3).T
        through.add(starts, starts + lengths, counts)
    slowly = [
        sum(n for start, length, n in stretches if start + anchor <= place <= start + length - anchor)
        for place in ordered
    ]
    assert through.counts().tolist() == slowly


def test_an_alignment_is_divided_at_its_introns_alone() -> None:
    cigar = [(4, 3), (0, 10), (2, 5), (0, 5), (3, 100), (0, 7), (1, 2), (0, 3), (3, 50), (0, 8)]
    assert aligned_blocks(20, cigar) == [(20, 40), (140, 150), (200, 208)]
    assert aligned_blocks(5, []) == [(5, 5)]
