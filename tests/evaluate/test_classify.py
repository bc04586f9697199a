"""One case for every class of a predicted transcript."""

from __future__ import annotations

import pytest
from hypothesis import given, settings

from tests.evaluate.builders import Pairs, genes, structure
from transgenic_tools.evaluate.classify import CLASSES, classify
from transgenic_tools.evaluate.structures import distinct_structures, structure_of
from transgenic_tools.genome.gene import Gene

FULL = [(0, 10), (20, 30), (40, 50), (60, 70)]


def kind_of(predicted: Pairs, *reference: Pairs, strand: str = "+") -> str:
    one = structure(predicted, strand)
    named = [(structure(chain, strand), f"g{i}") for i, chain in enumerate(reference)]
    return classify([one], named)[one].kind


@pytest.mark.parametrize(
    ("predicted", "strand", "expected"),
    [
        (FULL, "+", "equal"),
        ([(20, 30), (40, 50)], "+", "contained"),
        ([(5, 10), (20, 30), (40, 50), (60, 65)], "+", "contained"),
        ([(0, 10), (20, 30), (40, 50), (60, 75)], "+", "extended"),
        ([(0, 10), (20, 30), (40, 50), (60, 70), (80, 90)], "+", "extended"),
        ([(0, 12), (20, 30), (40, 50), (60, 70)], "+", "alternative_5ss"),
        ([(0, 12), (20, 30), (40, 50), (60, 70)], "-", "alternative_3ss"),
        ([(0, 10), (22, 30), (40, 50), (60, 70)], "+", "alternative_3ss"),
        ([(0, 10), (22, 30), (40, 50), (60, 70)], "-", "alternative_5ss"),
        ([(0, 10), (40, 50), (60, 70)], "+", "exon_skipping"),
        ([(0, 10), (14, 16), (20, 30), (40, 50), (60, 70)], "+", "exon_inclusion"),
        ([(0, 30), (40, 50), (60, 70)], "+", "intron_retention"),
        ([(0, 10), (20, 23), (26, 30), (40, 50), (60, 70)], "+", "intron_gain"),
        ([(0, 12), (20, 30), (40, 70)], "+", "several"),
        ([(100, 110)], "+", "novel"),
    ],
)
def test_class_against_one_reference(predicted: Pairs, strand: str, expected: str) -> None:
    assert kind_of(predicted, FULL, strand=strand) == expected


def test_the_other_strand_is_novel() -> None:
    one = structure(FULL, "-")
    assert classify([one], [(structure(FULL), "g")])[one].kind == "novel"


def test_fused_spans_two_genes_that_do_not_overlap() -> None:
    assert kind_of([(0, 10), (20, 30)], [(0, 10)], [(20, 30)]) == "fused"
    assert kind_of([(0, 10), (20, 30)], [(0, 12)], [(5, 30)]) != "fused"


def test_split_is_one_gene_in_two_predictions() -> None:
    left, right = structure([(0, 10), (20, 30)]), structure([(40, 50), (60, 70)])
    found = classify([left, right], [(structure(FULL), "g")])
    assert {c.kind for c in found.values()} == {"split"}


def test_the_closest_isoform_is_the_one_compared_with() -> None:
    """Equal inside the second isoform, so contained, though the first shares more bases."""
    assert kind_of([(20, 30), (45, 50)], FULL, [(20, 30), (45, 50), (80, 90)]) == "contained"


@settings(max_examples=150, deadline=None)
@given(reference=genes(), prediction=genes(prefix="p"))
def test_every_prediction_has_one_class(reference: tuple[Gene, ...], prediction: tuple[Gene, ...]) -> None:
    named = [(s, g.id) for g in reference for t in g.transcripts if (s := structure_of(t, "cds"))]
    known = {s for s, _ in named}
    predicted = distinct_structures(prediction, "cds")
    found = classify(predicted, named)
    assert set(found) == set(predicted)
    for structure_, row in found.items():
        assert row.kind in CLASSES
        assert (row.kind == "equal") == (structure_ in known)
        assert (row.kind == "novel") == (row.reference_gene is None)
