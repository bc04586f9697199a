"""Generation with evidence: what reads show is written, what nobody asks about stays to the byte."""

from __future__ import annotations

import itertools
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from tests.generate.test_predict import assert_valid, predictor
from transgenic_tools.cli.backmap import app as backmap_app
from transgenic_tools.cli.generate import app
from transgenic_tools.errors import BadInputError
from transgenic_tools.generate.predict import Predictor, Shown
from transgenic_tools.genome.interval import Interval
from transgenic_tools.gsf import parse
from transgenic_tools.io.rows import GeneRow, PredictionRow
from transgenic_tools.io.shards import prediction_provenance, read_predictions, read_shard
from transgenic_tools.lattice.evidence import WindowEvidence
from transgenic_tools.lattice.support import ANCHOR
from transgenic_tools.model import evidence
from transgenic_tools.model.alternatives import Trees
from transgenic_tools.model.evidence import EvidenceScoring, load_evidence_scoring
from transgenic_tools.model.files import default_model_dir
from transgenic_tools.model.transgenic import TransgenicModel
from transgenic_tools.search.confidence import FURTHER_FEATURES
from transgenic_tools.search.reader import Reader

DEMO = Path(__file__).resolve().parents[2] / "assets" / "demo"
SCORING = load_evidence_scoring(default_model_dir(), features=FURTHER_FEATURES)[0]


def shows(junctions: dict[tuple[int, int], float], unspliced: dict[int, float] | None = None) -> WindowEvidence | None:
    ordered = sorted(junctions)
    if not ordered:
        return None
    nothing = np.zeros(0, dtype=np.int64)
    return WindowEvidence(
        start=np.array([start for start, _ in ordered]),
        end=np.array([end for _, end in ordered]),
        reads=np.array([junctions[place] for place in ordered]),
        inputs=np.ones(len(ordered), dtype=np.int64),
        exon_start=nothing,
        exon_end=nothing,
        exon_chains=np.zeros(0),
        unspliced=None
        if unspliced is None
        else np.array([[unspliced.get(junction[side], 0.0) for junction in ordered] for side in (0, 1)]),
    )


def guided(
    model: TransgenicModel,
    shown: dict[str, dict[tuple[int, int], float]],
    unspliced: dict[int, float] | None = None,
    scoring: EvidenceScoring = SCORING,
    **search: object,
) -> Predictor:
    plain = predictor(model, **search)  # type: ignore[arg-type]
    reader = Reader(model, precision="fp32", evidence_weights=scoring.weights)
    of = Shown(of=lambda row: shows(shown.get(row.gene_id, {}), unspliced), scoring=scoring)
    return Predictor(reader, plain.config, model_hash="test", shown=of)


def introns_of(prediction: PredictionRow) -> list[set[tuple[int, int]]]:
    assert prediction.gsf is not None
    return [{(i.start, i.end) for i in t.introns} for t in parse(prediction.gsf).transcripts]


def known_introns(row: GeneRow) -> set[tuple[int, int]]:
    return {(i.start, i.end) for t in row.read_transcripts() for i in t.introns}


@pytest.fixture(scope="module")
def spliced(rows: list[GeneRow]) -> list[GeneRow]:
    return [row for row in rows if row.kept is None and known_introns(row)][:14]


def test_a_gene_without_reads_loses_nothing(model: TransgenicModel, rows: list[GeneRow]) -> None:
    plain = predictor(model).predict(rows)
    of_evidence = {"dna_scores": (), "unused_junctions": (), "unused_reasons": ()}
    assert [replace(row, **of_evidence) for row in plain] == guided(model, {}).predict(rows)  # type: ignore[arg-type]


def test_a_junction_that_the_network_gave_no_chance_is_written(model: TransgenicModel, spliced: list[GeneRow]) -> None:
    """An acceptor that no prediction has, beside a predicted one in its frame, with ten times the reads."""
    written = tried = 0
    for row, plain in zip(spliced, predictor(model, min_confidence=0.0).predict(spliced), strict=True):
        taken = set().union(*introns_of(plain))
        cds = parse(plain.gsf or "").transcripts[0].cds
        inner = sorted((left.end, right.start) for left, right in itertools.pairwise(cds))
        moved = [
            (start, place + 2)
            for start, end in inner
            for place in range(end + 1, end + 60)
            if row.sequence[place : place + 2] == "AG" and (place + 2 - end) % 3 == 0
        ]  # fmt: skip
        new = next((junction for junction in moved if junction not in taken), None)
        if new is None:
            continue
        tried += 1
        counts = {junction: 20.0 for junction in inner} | {new: 200.0}
        prediction = guided(model, {row.gene_id: counts}, min_confidence=0.0).predict([row])[0]
        assert_valid(row, prediction)
        written += any(new in introns for introns in introns_of(prediction))
    assert tried >= 3
    assert written >= tried - 1  # a stop codon may lie between the two acceptors


def test_reads_of_known_introns_bring_them_back(model: TransgenicModel, spliced: list[GeneRow]) -> None:
    shown = {row.gene_id: dict.fromkeys(known_introns(row), 100.0) for row in spliced}
    plain = predictor(model).predict(spliced)
    with_reads = guided(model, shown).predict(spliced)
    found = [
        [len(set().union(*introns_of(p)) & known_introns(row)) for row, p in zip(spliced, predicted, strict=True)]
        for predicted in (plain, with_reads)
    ]
    assert sum(found[1]) >= sum(found[0])
    for row, prediction in zip(spliced, with_reads, strict=True):
        assert_valid(row, prediction)
        assert len(prediction.dna_scores or ()) == len(prediction.scores)


def gone_through(prediction: PredictionRow, junction: tuple[int, int]) -> int:
    """Transcripts that have an exon over the whole junction."""
    return sum(
        any(exon.start < junction[0] and junction[1] < exon.end for exon in transcript.exons)
        for transcript in parse(prediction.gsf or "").transcripts
    )


def test_an_intron_that_reads_go_through_is_retained_too(model: TransgenicModel, spliced: list[GeneRow]) -> None:
    """A third of the reads goes on through both ends of the shortest intron; without them nothing retains it."""
    retained = tried = 0
    for row in spliced:
        known = known_introns(row)
        junction = min(known, key=lambda place: place[1] - place[0])
        shown = {row.gene_id: dict.fromkeys(known, 100.0)}
        ends = dict.fromkeys(junction, 50.0)
        before = guided(model, shown, dict.fromkeys(ends, 0.0), min_confidence=0.0).predict([row])[0]
        after = guided(model, shown, ends, min_confidence=0.0).predict([row])[0]
        assert_valid(row, after)
        if gone_through(before, junction):
            continue
        tried += 1
        retained += gone_through(after, junction) > 0
    assert tried >= 5
    assert retained >= tried - 1  # no valid transcript may hold it


def test_counts_that_contradict_each_other_are_not_believed(model: TransgenicModel, spliced: list[GeneRow]) -> None:
    row = max(spliced, key=lambda row: len(row.read_transcripts()[0].introns))
    plain = predictor(model).predict([row])[0]
    introns = sorted(introns_of(plain)[0])
    counts = {junction: 300.0 if number == 1 else 2.0 for number, junction in enumerate(introns)}
    assert len(introns) >= 4
    prediction = guided(model, {row.gene_id: counts}).predict([row])[0]
    assert "uneven_reads" in prediction.flags
    assert (prediction.gsf, prediction.scores) == (plain.gsf, plain.scores)
    even = guided(model, {row.gene_id: dict.fromkeys(introns, 20.0)}).predict([row])[0]
    assert "uneven_reads" not in even.flags


def test_no_more_than_the_most_isoforms_and_the_rest_is_told(model: TransgenicModel, spliced: list[GeneRow]) -> None:
    row = max(spliced, key=lambda row: len(known_introns(row)))
    starts = sorted(start for start, _ in known_introns(row))
    ends = sorted(end for _, end in known_introns(row))
    every = {(s, e): 50.0 for s in starts for e in ends if 40 <= e - s <= 2_000}
    prediction = guided(model, {row.gene_id: every}, max_isoforms=2, min_confidence=0.0).predict([row])[0]
    assert len(introns_of(prediction)) == 2
    used = set().union(*introns_of(prediction))
    ends_of = prediction.unused_junctions or ()
    unused = {(s, e) for s, e in zip(ends_of[::2], ends_of[1::2], strict=True)}
    on_genome = {
        (place.start, place.end): junction
        for junction in every
        for place in [row.reading.place(Interval(*junction))]
    }  # fmt: skip
    assert {on_genome[place] for place in unused} == set(every) - used
    assert set(prediction.unused_reasons or ()) <= {"max_isoforms", "no_frame"}


def test_a_junction_without_a_way_through_it_is_told_with_the_reason(
    model: TransgenicModel, spliced: list[GeneRow]
) -> None:
    row = spliced[0]
    length = len(row.sequence)
    start = next(p for p in range(length - 60, length) if row.sequence[p : p + 2] not in ("GT", "GC", "AT"))
    counts = dict.fromkeys(known_introns(row), 30.0) | {(start, length - 2): 30.0}
    prediction = guided(model, {row.gene_id: counts}).predict([row])[0]
    reasons = dict(
        zip(zip((prediction.unused_junctions or ())[::2], (prediction.unused_junctions or ())[1::2], strict=True),
            prediction.unused_reasons or (), strict=True)
    )  # fmt: skip
    place = row.reading.place(Interval(start, length - 2))
    assert reasons[place.start, place.end] == "noncanonical"


def test_prompts_stay_and_reads_add_to_them(model: TransgenicModel, spliced: list[GeneRow]) -> None:
    shown = {row.gene_id: dict.fromkeys(known_introns(row), 100.0) for row in spliced}
    complete = guided(model, shown, complete=True)
    for row, prediction in zip(spliced, complete.predict(spliced), strict=True):
        if prediction.gsf is not None:
            known = {(t.cds, tuple(t.introns)) for t in row.read_transcripts()}
            assert not known & {(t.cds, tuple(t.introns)) for t in parse(prediction.gsf).transcripts}


def star_lines(rows: list[GeneRow]) -> str:
    """STAR's SJ.out.tab of all known introns."""
    lines = set()
    for row in rows:
        for transcript in row.transcripts():
            for intron in transcript.introns:
                strand = 1 if row.strand == "+" else 2
                lines.add(f"{row.seqid}\t{intron.start + 1}\t{intron.end}\t{strand}\t1\t0\t25\t0\t30")
    return "\n".join(sorted(lines)) + "\n"


def test_the_command_takes_junctions_as_they_come_and_makes_the_file(shard_dir: Path, tmp_path: Path) -> None:
    rows = list(read_shard(shard_dir))
    (tmp_path / "SJ.out.tab").write_text(star_lines(rows))
    flags = [str(shard_dir), "--precision", "fp32", "-q", "--max-length", "2500"]
    missing = CliRunner().invoke(
        app, [*flags, "--outdir", str(tmp_path / "x"), "--evidence", str(tmp_path / "SJ.out.tab")]
    )
    assert missing.exit_code != 0
    with_raw = [*flags, "--evidence", str(tmp_path / "SJ.out.tab"), "--fasta", str(DEMO / "athaliana_chr1_slice.fa.gz")]
    done = CliRunner().invoke(app, [*with_raw, "--outdir", str(tmp_path / "raw")])
    assert done.exit_code == 0, done.output
    parquet = tmp_path / "raw" / "evidence" / "evidence.parquet"
    done = CliRunner().invoke(app, [*flags, "--evidence", str(parquet), "--outdir", str(tmp_path / "file")])
    assert done.exit_code == 0, done.output
    done = CliRunner().invoke(app, [*flags, "--outdir", str(tmp_path / "none")])
    assert done.exit_code == 0, done.output
    raw, file, none = (
        next((tmp_path / name).glob("predictions-*.parquet")) for name in ("raw", "file", "none")
    )  # fmt: skip
    assert raw.read_bytes() == file.read_bytes()
    stamp = json.loads(prediction_provenance(raw))["parameters"]
    assert set(stamp["evidence"]) == {"file", "scoring"}
    assert "evidence" not in json.loads(prediction_provenance(none))["parameters"]
    assert all(row.dna_scores is None for row in read_predictions(none))
    assert any(row.dna_scores for row in read_predictions(raw))
    out = tmp_path / "x.gff3"
    placed = CliRunner().invoke(backmap_app, [str(tmp_path / "raw"), "--out", str(out)])
    assert placed.exit_code == 0, placed.output


def test_weights_of_other_numbers_are_refused(tmp_path: Path) -> None:
    saved = json.loads((default_model_dir() / "evidence.json").read_text())
    saved["weights"]["phase_of_the_moon"] = 1.0
    (tmp_path / "evidence.json").write_text(json.dumps(saved))
    with pytest.raises(BadInputError, match="phase_of_the_moon"):
        load_evidence_scoring(tmp_path, features=FURTHER_FEATURES)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"features": list(FURTHER_FEATURES[1:])}, "other numbers"),
        ({"min_confidence": 1.5}, "min_confidence 1.5"),
        ({"further": {"bias": 0.0, "trees": []}}, "no weights of evidence"),
    ],
)
def test_damaged_trees_of_evidence_are_refused(tmp_path: Path, change: dict[str, object], message: str) -> None:
    saved = json.loads((default_model_dir() / "evidence.json").read_text())
    (tmp_path / "evidence.json").write_text(json.dumps(saved | change))
    with pytest.raises(BadInputError, match=message):
        load_evidence_scoring(tmp_path, features=FURTHER_FEATURES)


def constant(bias: float) -> Trees:
    nothing = np.zeros((1, 1))
    whole = nothing.astype(np.int64)
    return Trees(bias=bias, feature=whole - 1, threshold=nothing, left=whole, right=whole, value=nothing)


def test_trees_say_which_further_transcripts_are_written_and_the_fitted_threshold_is_the_default(
    model: TransgenicModel, spliced: list[GeneRow]
) -> None:
    shown = {row.gene_id: dict.fromkeys(known_introns(row), 100.0) for row in spliced}

    def written(bias: float, least: float, **search: object) -> list[int]:
        scoring = replace(SCORING, further=constant(bias), min_confidence=least)
        return [len(introns_of(p)) for p in guided(model, shown, scoring=scoring, **search).predict(spliced)]

    all_of_them, none = written(0.0, 0.4), written(0.0, 0.6)  # a probability of one half
    assert none == [1] * len(spliced)
    assert sum(all_of_them) > len(spliced)
    assert written(0.0, 0.6, min_confidence=0.4) == all_of_them
    assert written(0.0, 0.4, min_confidence=0.6) == none


def stop_behind(row: GeneRow, cds: list[Interval], at: int) -> int | None:
    """Where translation ends, inside the intron behind exon `at`, if that stays in; None where it goes on."""
    coding = "".join(row.sequence[part.start : part.end] for part in cds[: at + 1])
    into = row.sequence[cds[at].end : cds[at + 1].start]
    for place in range(0, len(coding + into) - 2, 3):
        if (coding + into)[place : place + 3] in ("TAA", "TAG", "TGA"):
            behind = place + 3 - len(coding)
            return cds[at].end + behind if behind > ANCHOR else None
    return None


def test_reads_into_an_intron_with_a_stop_codon_end_the_coding_sequence_there(
    model: TransgenicModel, spliced: list[GeneRow]
) -> None:
    tried = written = 0
    for row, plain in zip(spliced, predictor(model).predict(spliced), strict=True):
        first = parse(plain.gsf or "").transcripts[0]
        cds = list(first.cds)
        stops = {at: stop_behind(row, cds, at) for at in range(len(cds) - 1)}
        at = next((at for at, stop in stops.items() if stop is not None), None)
        if at is None:
            continue
        tried += 1
        donor = cds[at].end
        shown = {row.gene_id: dict.fromkeys(((i.start, i.end) for i in first.introns), 100.0)}
        scoring = replace(SCORING, further=constant(0.0))
        prediction = guided(model, shown, {donor: 40.0}, scoring=scoring, max_isoforms=16).predict([row])[0]
        assert_valid(row, prediction)
        ends = {(t.cds[0].start, t.cds[-1].end) for t in parse(prediction.gsf or "").transcripts}
        written += (cds[0].start, stops[at]) in ends
    assert tried >= 4
    assert written == tried


def test_a_model_without_weights_of_evidence_takes_those_of_the_embedded_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    monkeypatch.setattr(evidence.logger, "warning", lambda text, *values: said.append(text % values))
    scoring, path = load_evidence_scoring(tmp_path, features=FURTHER_FEATURES)
    assert (scoring.weights, scoring.calibration) == (SCORING.weights, SCORING.calibration)
    assert scoring.further.to_json() == SCORING.further.to_json()
    assert path == default_model_dir() / "evidence.json"
    assert len(said) == 1
    assert "embedded" in said[0]
