"""--add-utrs: known coding sequences are written with UTRs, valid and not twice."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.generate.test_predict import assert_valid, predictor
from transgenic_tools.errors import UsageError
from transgenic_tools.generate.config import Config
from transgenic_tools.generate.predict import Predictor
from transgenic_tools.genome.interval import Interval, clip
from transgenic_tools.gsf import parse, write
from transgenic_tools.io.rows import GeneRow
from transgenic_tools.model.transgenic import TransgenicModel
from transgenic_tools.search.config import DecodingConfig


def coding_alone(row: GeneRow) -> GeneRow:
    """The row as of an annotation without UTRs."""
    first = next(t for t in row.read_transcripts() if t.cds)
    return replace(row, gsf=write([replace(first, exons=first.cds)], strand=row.strand), n_transcripts=1)


def adding(model: TransgenicModel, **search: object) -> Predictor:
    plain = predictor(model, complete=True)
    decoding = DecodingConfig(**search)  # type: ignore[arg-type]
    return Predictor(plain.reader, replace(plain.config, add_utrs=True, decoding=decoding), model_hash="test")


def test_known_coding_sequences_get_utrs(model: TransgenicModel, rows: list[GeneRow]) -> None:
    rows = [coding_alone(row) for row in rows[4:12]]
    extended = 0
    for row, prediction in zip(rows, adding(model).predict(rows), strict=True):
        (known,) = row.read_transcripts()
        assert_valid(row, prediction)
        assert prediction.gsf is not None
        written = parse(prediction.gsf).transcripts
        assert len({(t.cds, t.introns) for t in written}) == len(written)
        for new in written:
            if new.cds == known.cds and new.exons[0].start < known.cds[0].start:
                assert new.exons[-1].end > known.cds[-1].end
                extended += 1
    assert extended >= len(rows)


def test_of_two_that_differ_in_their_utrs_alone_one_gets_more(model: TransgenicModel, rows: list[GeneRow]) -> None:
    """Known: the coding sequence alone, and the same with the 5' UTR."""
    row = rows[5]
    first = next(t for t in row.read_transcripts() if t.cds)
    begun = replace(first, exons=clip(first.exons, Interval(first.interval.start, first.cds[-1].end)))
    assert begun.lacks_utrs == (False, True)
    both = replace(row, gsf=write([replace(first, exons=first.cds), begun], strand=row.strand), n_transcripts=2)
    (prediction,) = adding(model).predict([both])
    assert prediction.gsf is not None
    longer = [t for t in parse(prediction.gsf).transcripts if t.cds == first.cds and t.interval != first.interval]
    assert [t.exons[0].start for t in longer] == [first.exons[0].start]


def test_without_the_flag_and_with_utrs_nothing_changes(model: TransgenicModel, rows: list[GeneRow]) -> None:
    rows = [row for row in rows if not any(any(t.lacks_utrs) for t in row.read_transcripts())][:4]
    assert len(rows) == 4
    assert adding(model).predict(rows) == predictor(model, complete=True).predict(rows)


def test_a_threshold_holds_for_them(model: TransgenicModel, rows: list[GeneRow]) -> None:
    row = coding_alone(rows[5])
    (sure,) = adding(model, min_confidence=1.0).predict([row])
    assert sure.gsf is None


def test_it_needs_known_transcripts(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--add-utrs"):
        Config(shards=(), model=None, outdir=tmp_path, add_utrs=True)
