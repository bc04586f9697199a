"""Pairing of genes, shares over genes, strata and calibration, by hand."""

from __future__ import annotations

import pytest

from tests.evaluate.builders import gene, transcript
from transgenic_tools.evaluate.calibration import calibrate
from transgenic_tools.evaluate.genes import gene_results, gene_shares, strata
from transgenic_tools.evaluate.pairing import pair

LONG, SHORT = [(0, 10), (20, 30), (40, 50)], [(0, 10), (40, 50)]


def test_source_gene_wins_over_overlap() -> None:
    reference = [gene("a", transcript("a.1", LONG)), gene("b", transcript("b.1", [(100, 130)]))]
    prediction = [gene("p", transcript("p.1", LONG, source="b"))]
    assert list(pair(reference, prediction).by_gene) == ["b"]


def test_an_unknown_source_falls_back_to_overlap() -> None:
    reference = [gene("a", transcript("a.1", LONG))]
    assert list(pair(reference, [gene("p", transcript("p.1", LONG, source="zzz"))]).by_gene) == ["a"]


def test_overlap_needs_the_same_strand() -> None:
    found = pair([gene("a", transcript("a.1", LONG))], [gene("p", transcript("p.1", LONG, strand="-"))])
    assert found.by_gene == {}
    assert [t.id for t in found.unpaired] == ["p.1"]


def test_overlap_takes_the_gene_with_most_coding_bases() -> None:
    reference = [gene("a", transcript("a.1", [(0, 10)])), gene("b", transcript("b.1", [(12, 40)]))]
    assert list(pair(reference, [gene("p", transcript("p.1", [(5, 20)]))]).by_gene) == ["b"]


def test_shares() -> None:
    """a: both isoforms known, the short one predicted. b: exact. c: nothing predicted."""
    reference = [
        gene("a", transcript("a.1", LONG), transcript("a.2", SHORT)),
        gene("b", transcript("b.1", [(100, 130)])),
        gene("c", transcript("c.1", [(200, 230)])),
    ]
    prediction = [
        gene("p", transcript("p.1", SHORT), transcript("p.2", [(0, 12), (40, 50)])),
        gene("q", transcript("q.1", [(100, 130)])),
    ]
    rows = gene_results(reference, pair(reference, prediction).by_gene)
    shares = gene_shares(rows)
    assert shares.gene_exact == pytest.approx(2 / 3)
    assert shares.gene_exact_primary == pytest.approx(1 / 3)
    assert (shares.multi, shares.isoform_recall_multi) == (1, 0.5)
    assert shares.isoform_precision == pytest.approx(2 / 3)
    assert shares.predicted_per_gene == 1.0
    assert [row.predicted for row in rows] == [2, 1, 0]


def test_isoforms_of_equal_cds_are_one_structure() -> None:
    reference = [gene("a", transcript("a.1", LONG, SHORT), transcript("a.2", [*LONG[:2], (40, 60)], SHORT))]
    rows = gene_results(reference, {})
    assert (rows[0].cds_structures, rows[0].transcripts) == (1, 2)


def test_strata_bins_add_up_and_are_in_order() -> None:
    reference = [
        gene("a", transcript("a.1", [(0, 1000)])),
        gene("b", transcript("b.1", [(2000, 2100), (3000, 3500)])),
        gene("c", *(transcript(f"c.{i}", [(9000, 9010 + i), (20000, 20100)]) for i in range(3))),
    ]
    rows = gene_results(reference, pair(reference, reference).by_gene)
    found = strata(rows, {"a": True, "b": False})
    assert list(found["exons"]) == ["1", "2-3"]
    assert list(found["gene_length"]) == ["<=1000", "<=2000", ">10000"]
    assert list(found["isoforms"]) == ["1", ">2"]
    assert {k: v.genes for k, v in found["homolog_in_train"].items()} == {"yes": 1, "no": 1, "unknown": 1}
    assert all(sum(share.genes for share in bins.values()) == 3 for bins in found.values())


def test_calibration_by_hand() -> None:
    """Bin 0.9-1.0: mean 0.95, half right. Bin 0.1-0.2: mean 0.15, all right. Error (2*0.45 + 1*0.85) / 3."""
    found = calibrate([0.9, 1.0, 0.15], [True, False, True])
    assert found is not None
    assert found.expected_error == pytest.approx((2 * 0.45 + 0.85) / 3)
    assert found.brier == pytest.approx((0.1**2 + 1 + 0.85**2) / 3)
    assert [b.count for b in found.bins] == [0, 1, 0, 0, 0, 0, 0, 0, 0, 2]


def test_perfect_scores_have_no_calibration_error() -> None:
    found = calibrate([1.0, 0.0, 1.0], [True, False, True])
    assert found is not None
    assert found.expected_error == 0.0


def test_no_scores_no_curve_and_bad_scores_are_refused() -> None:
    assert calibrate([], []) is None
    with pytest.raises(ValueError, match=r"1\.5"):
        calibrate([1.5], [True])
