"""Differences between isoforms, by hand and by counting bases."""

from __future__ import annotations

import itertools
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.backmap.builders import make_gene, transcripts
from transgenic_tools.genome.gene import Transcript
from transgenic_tools.genome.interval import Intervals, subtract
from transgenic_tools.report.compare import Box, Kind, Match, difference_boxes, match_of, predicted_row
from transgenic_tools.report.loci import scored_by_cds

REFERENCE = make_gene("r", [(100, 200), (300, 400)], [(150, 200), (300, 350)]).transcripts[0]


def _one(exons: list[tuple[int, int]], cds: list[tuple[int, int]]) -> Transcript:
    return make_gene("p", exons, cds).transcripts[0]


def test_a_longer_exon_is_extra_and_a_shorter_one_missing() -> None:
    predicted = _one([(100, 210), (320, 400)], [(150, 210), (320, 350)])
    assert difference_boxes(predicted, REFERENCE) == (
        Box(100, 150, Kind.UTR),
        Box(150, 200, Kind.CDS),
        Box(200, 210, Kind.CDS_EXTRA),
        Box(300, 320, Kind.CDS_MISSING),
        Box(320, 350, Kind.CDS),
        Box(350, 400, Kind.UTR),
    )


def test_utr_that_codes_in_the_reference_is_extra_utr() -> None:
    predicted = _one([(100, 200), (300, 400)], [(150, 200), (300, 320)])
    assert Box(320, 350, Kind.UTR_EXTRA) in difference_boxes(predicted, REFERENCE)


def test_without_a_reference_nothing_is_different() -> None:
    assert {box.kind for box in difference_boxes(REFERENCE, None)} == {Kind.CDS, Kind.UTR}


def test_matches_by_hand() -> None:
    assert match_of(REFERENCE, REFERENCE) is Match.EXACT
    assert match_of(_one([(120, 200), (300, 400)], [(150, 200), (300, 350)]), REFERENCE) is Match.SAME_CDS
    assert match_of(_one([(100, 200), (300, 400)], [(130, 200), (300, 350)]), REFERENCE) is Match.SAME_INTRONS
    assert match_of(_one([(100, 200), (310, 400)], [(150, 200), (310, 350)]), REFERENCE) is Match.DIFFERENT


def test_the_nearest_reference_shares_most_of_the_cds() -> None:
    far = _one([(100, 160)], [(100, 160)])
    row = predicted_row(_one([(100, 200), (300, 399)], [(150, 200), (300, 351)]), [far, REFERENCE])
    assert (row.nearest, row.match) == (1, Match.SAME_INTRONS)
    assert predicted_row(REFERENCE, []).match is Match.ALONE


def _bases(parts: Intervals) -> int:
    return sum(map(len, parts))


@settings(max_examples=80, deadline=None)
@given(
    transcripts(seqid="c", strand="+", origin=50), transcripts(seqid="c", strand="+", origin=50), st.booleans()
)  # fmt: skip
def test_boxes_account_for_every_base(predicted: Transcript, reference: Transcript, same: bool) -> None:
    reference = replace(predicted, id="r") if same else reference
    boxes = difference_boxes(predicted, reference)
    total = {kind: sum(b.end - b.start for b in boxes if b.kind is kind) for kind in Kind}
    assert total[Kind.CDS] + total[Kind.CDS_EXTRA] == _bases(predicted.cds)
    assert sum(total[k] for k in (Kind.CDS, Kind.CDS_EXTRA, Kind.UTR, Kind.UTR_EXTRA)) == _bases(predicted.exons)
    missing = _bases(subtract(reference.exons, predicted.exons))
    assert total[Kind.CDS_MISSING] + total[Kind.UTR_MISSING] == missing
    assert all(left.end <= right.start for left, right in itertools.pairwise(boxes))
    if same:
        assert {b.kind for b in boxes} <= {Kind.CDS, Kind.UTR}


def test_one_cds_has_one_probability() -> None:
    """Isoforms that differ in a UTR say the same of their CDS; another CDS keeps its own."""
    cds = [(100, 190), (300, 390)]
    genes = [
        make_gene("a", [(50, 190), (300, 390)], cds), make_gene("b", cds, cds), make_gene("c", [(100, 190)]),
        make_gene("d", [(60, 190)]),
    ]  # fmt: skip
    scores = (0.75, 0.9, 0.5, None)
    given_scores = [replace(g.transcripts[0], score=score) for g, score in zip(genes, scores, strict=True)]
    assert [t.score for t in scored_by_cds(given_scores)] == [0.9, 0.9, 0.5, None]
    assert [t.id for t in scored_by_cds(given_scores)] == [t.id for t in given_scores]
