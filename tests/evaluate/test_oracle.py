"""Every figure equals that of an independent slow implementation, on crowded random genomes."""

from __future__ import annotations

import pytest
from hypothesis import given, settings

from tests.evaluate import oracle
from tests.evaluate.builders import genes
from transgenic_tools.evaluate.events import find_events
from transgenic_tools.evaluate.genes import gene_results, gene_shares
from transgenic_tools.evaluate.metrics import LEVELS, score_levels
from transgenic_tools.evaluate.pairing import pair
from transgenic_tools.evaluate.structures import cluster_loci, distinct_structures
from transgenic_tools.genome.gene import Gene


@pytest.mark.parametrize("view", ["cds", "transcript"])
@settings(max_examples=150, deadline=None)
@given(reference=genes(), prediction=genes(prefix="p"))
def test_levels_equal_the_oracle(view: str, reference: tuple[Gene, ...], prediction: tuple[Gene, ...]) -> None:
    scores = score_levels(distinct_structures(reference, view), distinct_structures(prediction, view))
    expected = oracle.levels(reference, prediction, view)
    assert set(scores) == set(LEVELS) == set(expected)
    for level, s in scores.items():
        assert (s.reference, s.reference_matched, s.prediction, s.prediction_matched) == expected[level], level


@settings(max_examples=150, deadline=None)
@given(annotation=genes())
def test_events_equal_the_oracle(annotation: tuple[Gene, ...]) -> None:
    assert find_events(distinct_structures(annotation, "transcript")) == oracle.events(
        oracle.distinct(annotation, "transcript")
    )


@settings(max_examples=150, deadline=None)
@given(reference=genes(), prediction=genes(prefix="p"))
def test_gene_shares_equal_the_oracle(reference: tuple[Gene, ...], prediction: tuple[Gene, ...]) -> None:
    shares = gene_shares(gene_results(reference, pair(reference, prediction).by_gene))
    found = (shares.gene_exact, shares.gene_exact_primary, shares.isoform_recall_multi)
    assert found == pytest.approx(oracle.shares(reference, prediction))


@settings(max_examples=100, deadline=None)
@given(annotation=genes())
def test_loci_partition_the_structures(annotation: tuple[Gene, ...]) -> None:
    structures = distinct_structures(annotation, "transcript")
    loci = cluster_loci(structures)
    assert sorted((s for locus in loci for s in locus), key=lambda s: s.sort_key) == list(structures)
    assert len(loci) == len(oracle.loci(oracle.distinct(annotation, "transcript")))


@settings(max_examples=50, deadline=None)
@given(annotation=genes())
def test_an_annotation_against_itself_is_perfect(annotation: tuple[Gene, ...]) -> None:
    structures = distinct_structures(annotation, "cds")
    for level, score in score_levels(structures, structures).items():
        assert score.reference == score.reference_matched == score.prediction_matched, level


@settings(max_examples=50, deadline=None)
@given(reference=genes(), prediction=genes(prefix="p"))
def test_changing_sides_swaps_sensitivity_and_precision(
    reference: tuple[Gene, ...], prediction: tuple[Gene, ...]
) -> None:
    left, right = distinct_structures(reference, "cds"), distinct_structures(prediction, "cds")
    forth, back = score_levels(left, right), score_levels(right, left)
    for level in LEVELS:
        assert forth[level].sensitivity == back[level].precision
        assert forth[level].f1 == pytest.approx(back[level].f1)
