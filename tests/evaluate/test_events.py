"""Hand-computed splice events."""

from __future__ import annotations

import pytest

from tests.evaluate.builders import Pairs, structure
from transgenic_tools.evaluate.events import find_events, score_events

FULL = [(0, 10), (20, 30), (40, 50)]


def events(*chains: Pairs, strand: str = "+") -> dict[str, set]:
    found = find_events([structure(c, strand) for c in chains])
    return {name: {event[2:] for event in rows} for name, rows in found.items() if rows}


@pytest.mark.parametrize(
    ("other", "strand", "expected"),
    [
        ([(0, 10), (40, 50)], "+", {"SE": {(10, 20, 30, 40)}}),
        ([(0, 13), (20, 30), (40, 50)], "+", {"A5SS": {(20, 10, 13)}}),
        ([(0, 13), (20, 30), (40, 50)], "-", {"A3SS": {(20, 10, 13)}}),
        ([(0, 10), (17, 30), (40, 50)], "+", {"A3SS": {(10, 17, 20)}}),
        ([(0, 10), (17, 30), (40, 50)], "-", {"A5SS": {(10, 17, 20)}}),
        ([(0, 30), (40, 50)], "+", {"RI": {(10, 20)}}),
        ([(2, 10), (20, 30), (40, 48)], "+", {}),
    ],
)
def test_one_event(other: Pairs, strand: str, expected: dict[str, set]) -> None:
    assert events(FULL, other, strand=strand) == expected


def test_a_skipped_exon_is_no_alternative_site() -> None:
    """The exons left of the shared acceptor do not overlap, so 10-40 against 30-40 is SE alone."""
    assert set(events(FULL, [(0, 10), (40, 50)])) == {"SE"}


def test_transcripts_of_two_loci_make_no_event() -> None:
    assert events([(0, 10), (20, 30)], [(13, 18), (35, 40)]) == {}


def test_scores_compare_the_sets() -> None:
    """Reference has SE and RI; the prediction has SE and another RI."""
    reference = [structure(FULL), structure([(0, 10), (40, 50)]), structure([(0, 30), (40, 50)])]
    prediction = [structure(FULL), structure([(0, 10), (40, 50)]), structure([(0, 10), (20, 50)])]
    scores = score_events(reference, prediction)
    assert (scores["SE"].sensitivity, scores["SE"].precision) == (1.0, 1.0)
    assert (scores["RI"].reference, scores["RI"].prediction, scores["RI"].reference_matched) == (1, 1, 0)
