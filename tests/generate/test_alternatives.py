"""Further isoforms by the model's scores of alternatives: valid, chosen by them, named in the provenance."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from tests.generate.test_predict import assert_valid, predictor
from tests.search.test_alternatives import scoring
from transgenic_tools.generate.config import Config
from transgenic_tools.generate.predict import PROMPT_LOST, Predictor
from transgenic_tools.generate.run import load, run
from transgenic_tools.genome.interval import Interval
from transgenic_tools.gsf import parse, write
from transgenic_tools.io.rows import GeneRow
from transgenic_tools.io.shards import prediction_provenance, write_gene_shards
from transgenic_tools.model.alternatives import FILE, write_alternatives
from transgenic_tools.model.files import default_model_dir
from transgenic_tools.model.transgenic import TransgenicModel
from transgenic_tools.provenance import Provenance
from transgenic_tools.search.departures import FEATURES


def scored(model: TransgenicModel, *, complete: bool = False, **search: object) -> Predictor:
    plain = predictor(model, complete=complete, **search)
    return Predictor(plain.reader, plain.config, model_hash="test", alternatives=scoring())


def test_alternatives_are_valid_and_the_first_transcript_stays(model: TransgenicModel, rows: list[GeneRow]) -> None:
    rows, number = rows[4:14], 0
    first = predictor(model, max_isoforms=1).predict(rows)
    for row, alone, prediction in zip(rows, first, scored(model).predict(rows), strict=True):
        number += assert_valid(row, prediction) - 1
        assert alone.gsf is not None
        assert prediction.gsf is not None
        mine, found = parse(alone.gsf).transcripts[0], parse(prediction.gsf).transcripts
        assert mine in [replace(one, id=mine.id) for one in found]
        structures = [(one.cds, one.introns) for one in found]
        assert len(set(structures)) == len(structures) <= 6
    assert number > 0


def test_what_completion_adds_has_the_known_ends(model: TransgenicModel, rows: list[GeneRow]) -> None:
    rows = [row for row in rows[4:] if any(t.introns for t in row.read_transcripts())][:6]
    shared = 0
    for row, prediction in zip(rows, scored(model, complete=True).predict(rows), strict=True):
        if prediction.gsf is None:
            continue
        assert_valid(row, prediction)
        known = row.read_transcripts()
        for new in parse(prediction.gsf).transcripts:
            assert (new.cds, new.introns) not in {(t.cds, t.introns) for t in known}
            starts = [t.exons[0].start for t in known if t.exons[0].end == new.exons[0].end]
            starts = [start for start in starts if start <= new.cds[0].start]
            if starts:
                assert new.exons[0].start == starts[0]
                shared += 1
    assert shared > 0


def test_known_transcripts_outside_of_the_grammar_lower_no_threshold(
    model: TransgenicModel, rows: list[GeneRow]
) -> None:
    """A CDS that begins a base late is no path: the gene is searched as if nothing were known, but something is."""

    def late(row: GeneRow) -> GeneRow:
        first = next(t for t in row.read_transcripts() if t.cds)
        cds = (Interval(first.cds[0].start + 1, first.cds[0].end), *first.cds[1:])
        return replace(row, gsf=write([replace(first, cds=cds)], strand=row.strand), n_transcripts=1)

    shifted = [late(row) for row in rows[4:24]]
    added = scored(model, complete=True).predict(shifted)
    assert all(PROMPT_LOST in prediction.flags for prediction in added)
    scores = [score for prediction in added for score in prediction.scores]
    assert scores
    assert min(scores) >= scoring().min_added
    asked = scored(model, complete=True, min_confidence=0.4).predict(shifted)
    assert min(score for prediction in asked for score in prediction.scores) < scoring().min_added


def test_other_ways_to_decode_take_no_scores_of_alternatives(model: TransgenicModel, rows: list[GeneRow]) -> None:
    for decoding in ("sample", "viterbi"):
        plain, with_scores = predictor(model, decoding=decoding), scored(model, decoding=decoding)
        assert plain.predict(rows[:4]) == with_scores.predict(rows[:4])


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """A copy of the embedded model without scores of alternatives."""
    copy = tmp_path / "model"
    shutil.copytree(default_model_dir(), copy, ignore=shutil.ignore_patterns(FILE))
    return copy


def test_the_file_of_a_model_directory_is_taken_and_named(directory: Path, tmp_path: Path, rows: list[GeneRow]) -> None:
    (shard,) = write_gene_shards(rows[4:8], tmp_path / "shards", provenance=Provenance("test"))
    config = Config(shards=(shard,), model=directory, outdir=tmp_path / "out", device="cpu", precision="fp32")
    loaded = load(config)
    before = run(config, loaded=loaded)
    saved = json.loads(prediction_provenance(before.predictions[0]))["parameters"]
    assert "alternatives" not in saved
    assert saved["min_confidence"] == 0.35
    write_alternatives(directory / FILE, scoring(), features=FEATURES, provenance=Provenance("test"))
    after = run(config, loaded=loaded)
    assert after.reused == 0
    saved = json.loads(prediction_provenance(after.predictions[0]))["parameters"]
    assert len(saved["alternatives"]) == 16
    assert saved["min_confidence"] is None
    assert after.transcripts > before.transcripts
    assert run(config, loaded=loaded).reused == 1
