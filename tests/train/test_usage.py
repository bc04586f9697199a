"""Which choices junction counts by sample show, and which splice sites each option has."""

from __future__ import annotations

import numpy as np
import pytest

from transgenic_tools.lattice.condition import ACCEPTOR_SIDE, DONOR_SIDE
from transgenic_tools.train.usage import GeneJunctions, choices_of

A, D = ACCEPTOR_SIDE, DONOR_SIDE


def junctions(reads: dict[tuple[int, int], list[float]]) -> GeneJunctions:
    keys = list(reads)
    return GeneJunctions(
        donor=np.array([key[0] for key in keys]),
        acceptor=np.array([key[1] for key in keys]),
        reads=np.array([reads[key] for key in keys], dtype=float),
    )


def test_a_skipped_exon_is_a_choice_at_both_ends_with_the_exons_sites() -> None:
    found = choices_of(junctions({(100, 200): [40, 10], (300, 400): [40, 10], (100, 400): [10, 40]}))
    assert [choice.junctions for choice in found] == [((100, 200), (100, 400)), ((300, 400), (100, 400))]
    at_donor, at_acceptor = found
    # with the exon: its acceptor, then its donor and the acceptor where both ways meet; without: that acceptor alone
    assert [set(option) for option in at_donor.sites] == [{(A, 200), (D, 300), (A, 400)}, {(A, 400)}]
    assert [set(option) for option in at_acceptor.sites] == [{(D, 300), (D, 100), (A, 200)}, {(D, 100)}]
    assert np.exp(at_donor.base).sum() == pytest.approx(1.0)


def test_other_acceptors_and_donors_are_choices_of_two_sites() -> None:
    (choice,) = choices_of(junctions({(100, 200): [40, 10], (100, 206): [10, 40]}))
    assert choice.sites == (((A, 200),), ((A, 206),))
    assert choice.spliced is None
    (choice,) = choices_of(junctions({(100, 200): [40, 10], (104, 200): [10, 40]}))
    assert choice.sites == (((D, 100),), ((D, 104),))


def test_introns_without_rivals_are_held_against_each_other() -> None:
    (choice,) = choices_of(junctions({(100, 200): [50, 50], (300, 400): [50, 10], (500, 600): [50, 50]}))
    assert choice.spliced is not None
    assert choice.sites[1] == ((D, 300), (A, 400))
    assert np.argmin(choice.spliced) == 1  # fewer reads than its neighbours: retained more often
    assert choices_of(junctions({(100, 200): [50, 50], (300, 400): [50, 10]})) == []  # two say nothing about each other


def test_a_contested_intron_is_no_measure_of_retention() -> None:
    reads: dict[tuple[int, int], list[float]] = {(100, 200): [50, 50], (300, 400): [50, 50], (500, 600): [50, 50]}
    reads |= {(700, 800): [30, 30], (700, 820): [30, 30]}
    kinds = [(choice.spliced is not None, len(choice.junctions)) for choice in choices_of(junctions(reads))]
    assert kinds == [(False, 2), (True, 3)]


def test_few_reads_are_no_choice() -> None:
    assert choices_of(junctions({(100, 200): [4, 1], (100, 206): [1, 4]})) == []
    assert choices_of(junctions({(100, 200): [400, 0], (100, 206): [400, 0]})) == []  # one sample alone
    assert choices_of(junctions({(100, 200): [5000, 5000], (100, 206): [6, 6]})) == []  # noise beside a strong one
