"""Hand-computed cases of the six levels."""

from __future__ import annotations

import pytest

from tests.evaluate.builders import Pairs, gene, structure, transcript
from transgenic_tools.evaluate.metrics import Score, score_levels
from transgenic_tools.evaluate.structures import distinct_structures, structure_of

REFERENCE = [(0, 10), (20, 30), (40, 50)]


def levels(reference: list[Pairs], prediction: list[Pairs], *, strand: str = "+") -> dict[str, Score]:
    return score_levels([structure(p) for p in reference], [structure(p, strand) for p in prediction])


def test_one_donor_off_by_two() -> None:
    """Reference 0-10 20-30 40-50, prediction 0-12 20-30 40-50."""
    found = levels([REFERENCE], [[(0, 12), (20, 30), (40, 50)]])
    assert found["base"] == Score(30, 30, 32, 30)
    assert found["exon"] == Score(3, 2, 3, 2)
    assert found["intron"] == Score(2, 1, 2, 1)
    assert found["intron_chain"] == Score(1, 0, 1, 0)
    assert found["transcript"] == Score(1, 0, 1, 0)
    assert found["locus"] == Score(1, 0, 1, 0)
    assert found["base"].f1 == pytest.approx(2 * 1 * (30 / 32) / (1 + 30 / 32))


def test_terminal_exons_must_end_exactly() -> None:
    """`-e 0`: other outer ends give a matching chain and no matching transcript or locus."""
    found = levels([REFERENCE], [[(2, 10), (20, 30), (40, 55)]])
    assert found["intron_chain"] == Score(1, 1, 1, 1)
    assert found["exon"] == Score(3, 1, 3, 1)
    assert found["transcript"] == Score(1, 0, 1, 0)
    assert found["locus"] == Score(1, 0, 1, 0)


def test_single_exon_transcripts_have_no_chain_and_need_both_ends() -> None:
    found = levels([[(0, 10)], [(100, 110)]], [[(0, 10)], [(100, 109)]])
    assert found["intron_chain"] == Score(0, 0, 0, 0)
    assert found["transcript"] == Score(2, 1, 2, 1)
    assert found["locus"] == Score(2, 1, 2, 1)
    assert found["intron_chain"].f1 == 0.0


def test_the_other_strand_matches_nothing() -> None:
    found = levels([REFERENCE], [REFERENCE], strand="-")
    assert all(score.reference_matched == score.prediction_matched == 0 for score in found.values())


def test_another_seqid_matches_nothing() -> None:
    found = score_levels([structure(REFERENCE)], [structure(REFERENCE, seqid="s2")])
    assert all(score.reference_matched == 0 for score in found.values())


def test_duplicates_count_once() -> None:
    genes = [gene(name, transcript(f"{name}.1", REFERENCE), transcript(f"{name}.2", REFERENCE)) for name in "ab"]
    assert distinct_structures(genes, "cds") == (structure(REFERENCE),)


def test_one_isoform_right_makes_the_locus_right_on_both_sides() -> None:
    """Two isoforms each, one shared: transcript 1/2 and 1/2, locus 1/1 and 1/1."""
    found = levels([REFERENCE, [(0, 10), (40, 50)]], [REFERENCE, [(0, 10), (22, 30), (40, 50)]])
    assert found["transcript"] == Score(2, 1, 2, 1)
    assert found["locus"] == Score(1, 1, 1, 1)


def test_a_prediction_that_fuses_two_loci_counts_as_one_locus() -> None:
    found = levels([[(0, 10)], [(20, 30)]], [[(0, 10), (20, 30)]])
    assert (found["locus"].reference, found["locus"].prediction) == (2, 1)


def test_touching_parts_are_one_exon() -> None:
    split = transcript("t", [(0, 10), (10, 20), (30, 40)])
    assert structure_of(split, "transcript") == structure([(0, 20), (30, 40)])


def test_views_differ() -> None:
    coding = transcript("t", [(0, 10), (20, 30)], [(5, 10), (20, 25)])
    assert structure_of(coding, "cds") == structure([(5, 10), (20, 25)])
    assert structure_of(coding, "transcript") == structure([(0, 10), (20, 30)])


def test_nothing_predicted_is_zero_not_an_error() -> None:
    found = levels([REFERENCE], [])
    assert all((s.sensitivity, s.precision, s.f1) == (0.0, 0.0, 0.0) for s in found.values())
