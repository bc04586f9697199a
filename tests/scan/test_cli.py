"""The tool with a small untrained network: its files, its refusals, shares that join to the whole."""

from __future__ import annotations

import json
import random
import shutil
from contextlib import ExitStack
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pyBigWig
import pytest
import torch
from typer.testing import CliRunner

from transgenic_tools.cli.scan import app
from transgenic_tools.errors import BadInputError, UsageError
from transgenic_tools.generate.config import Config as GenerateConfig
from transgenic_tools.generate.run import run as generate
from transgenic_tools.genome.interval import Interval
from transgenic_tools.io.loci_curve import FILE, CurvePoint, LociCurve, write_curve
from transgenic_tools.io.rows import PredictionRow
from transgenic_tools.io.shards import read_predictions, read_shard, write_gene_shards
from transgenic_tools.io.tracks import ScanTracks, join_scan_tracks, lengths_of, read_binned
from transgenic_tools.lattice.config import ScoringConfig
from transgenic_tools.model.files import load_model
from transgenic_tools.model.transgenic import TransgenicConfig, TransgenicModel
from transgenic_tools.provenance import Provenance
from transgenic_tools.scan import run as scan_run
from transgenic_tools.scan.config import Config
from transgenic_tools.scan.run import run
from transgenic_tools.search.loci import Judge, Locus
from transgenic_tools.search.reader import Reader

#: Weights that find genes in anything, so that there is something to write.
EAGER = ScoringConfig(site_bias=(4.0, 6.0, 4.0, 4.0, 6.0, 4.0), content_weight=0.0)
_SMALL = {"name": "strands", "stem": 4, "channels": 4, "dim": 16, "blocks": 1, "heads": 2, "attention_every": 1}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(1)
    directory = tmp_path_factory.mktemp("model")
    network = TransgenicModel(TransgenicConfig(encoder=_SMALL, decoder={"dim": 16, "heads": 2, "layers": 1}))
    network.refit(scan=EAGER)
    network.save_pretrained(directory)
    return directory


@pytest.fixture
def genome(tmp_path: Path) -> Path:
    rng = random.Random(4)
    path = tmp_path / "g.fa"
    records = {"a": 9_000, "ChrC": 800, "b": 2_500, "tiny": 90}
    path.write_text("".join(f">{n} some words\n{''.join(rng.choices('ACGTacgt', k=k))}\n" for n, k in records.items()))
    return path


def test_shards_of_another_division_do_not_stay_beside_the_new_ones(tmp_path: Path, genome: Path, model: Path) -> None:
    """A folder of shards is read whole, so every gene would be there twice."""
    out = tmp_path / "out"

    def shards() -> set[str]:
        return {path.name for path in out.glob("*.parquet")}

    for part in ((0, 2), (1, 2)):
        run(Config(fasta=genome, outdir=out, model=model, part=part))
    assert shards() == {"genes-1of2-00000.parquet", "genes-2of2-00000.parquet"}
    run(Config(fasta=genome, outdir=out, model=model))
    assert shards() == {"genes-00000.parquet"}
    (out / "genes-mine.parquet").write_bytes(b"")
    run(Config(fasta=genome, outdir=out, model=model, part=(0, 12)))
    assert shards() == {"genes-01of12-00000.parquet", "genes-mine.parquet"}


def test_settings_that_are_none(tmp_path: Path) -> None:
    for wrong in ({"min_score": float("nan")}, {"sample": ".."}, {"sample": "a/b"}):
        with pytest.raises(UsageError):
            Config(fasta=tmp_path, outdir=tmp_path, **wrong)  # type: ignore[arg-type]


def files(outdir: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(outdir.iterdir())}


def test_the_files_of_a_scan_and_the_same_bytes_again(tmp_path: Path, genome: Path, model: Path) -> None:
    outs = [tmp_path / "1", tmp_path / "2"]
    results = [run(Config(fasta=genome, outdir=out, model=model)) for out in outs]
    assert files(outs[0]) == files(outs[1])
    assert set(files(outs[0])) == {"genes-00000.parquet", "loci.bed", "rejects.tsv", "scan.json"}
    rows = list(read_shard(outs[0]))
    bed = [line.split("\t") for line in (outs[0] / "loci.bed").read_text().splitlines()]
    assert len(rows) == len(bed) == results[0].loci > 0
    assert [(row.seqid, row.start, row.end, row.gene_id, row.strand) for row in rows] == [
        (b[0], int(b[1]), int(b[2]), b[3], b[5]) for b in bed
    ]
    assert all(0 <= int(b[4]) <= 1000 for b in bed)
    assert len({row.gene_id for row in rows}) == len(rows)
    report = json.loads((outs[0] / "scan.json").read_text())
    assert report["loci"] == len(rows)
    assert sum(report["scores"].values()) == len(rows) + sum(report["dropped"].values())
    assert report["loci_by_megabase"] == {}


def test_loci_by_piece_and_tracks_of_both_strands(
    tmp_path: Path, genome: Path, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scan_run, "PIECE", 2_000)
    monkeypatch.setattr(scan_run, "OVERLAP", 1_000)
    run(Config(fasta=genome, outdir=tmp_path / "o", model=model, tracks=True))
    counts = json.loads((tmp_path / "o" / "scan.json").read_text())["loci_by_megabase"]
    rows = list(read_shard(tmp_path / "o"))
    assert {name: len(parts) for name, parts in counts.items()} == {"a": 5, "b": 2}
    assert sum(counts["a"]) == sum(row.seqid == "a" for row in rows)
    for name in ScanTracks.NAMES:
        track = pyBigWig.open(str(tmp_path / "o" / name))
        assert track.chroms() == {"a": 9_000, "ChrC": 800, "b": 2_500, "tiny": 90}
        values = np.array(track.values("a", 0, 9_000))
        known = values[~np.isnan(values)]
        assert len(known) > 1 or name.startswith("sites")  # the untrained network sees none
        assert ((known >= 0.049) & (known <= 1.0)).all() or (known.tolist(), name[:5]) == ([0.0], "sites")
        track.close()
    run(Config(fasta=genome, outdir=tmp_path / "p", model=model, tracks=True, part=(0, 2)))
    whole, part = (pyBigWig.open(str(tmp_path / o / "coding.minus.bw")) for o in "op")
    assert np.array_equal(whole.values("a", 0, 4_000), part.values("a", 0, 4_000), equal_nan=True)


def test_tracks_of_shares_join_to_those_of_the_whole(
    tmp_path: Path, genome: Path, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scan_run, "PIECE", 2_000)
    monkeypatch.setattr(scan_run, "OVERLAP", 1_000)
    monkeypatch.setattr(scan_run, "TILE", 2_000)  # a sequence of several pieces is longer than a tile
    run(Config(fasta=genome, outdir=tmp_path / "whole", model=model, tracks=True))
    shares = []
    for number in range(40):  # more than there are pieces
        folder = tmp_path / f"{number + 1}of40"
        run(Config(fasta=genome, outdir=folder, model=model, tracks=True, part=(number, 40)))
        shares += [str(folder / name) for name in ScanTracks.NAMES]
    for given, name in ((shares, "joined"), ([str(tmp_path / "whole" / n) for n in ScanTracks.NAMES], "alone")):
        done = CliRunner().invoke(app, ["join", *given, "--outdir", str(tmp_path / name), "--prefix", "g"])
        assert done.exit_code == 0, done.output
        assert {path.name for path in (tmp_path / name).iterdir()} == {f"g.{n}" for n in ScanTracks.NAMES}
    for name in ScanTracks.NAMES:
        assert (tmp_path / "joined" / f"g.{name}").read_bytes() == (tmp_path / "alone" / f"g.{name}").read_bytes()
        joined, whole = (
            pyBigWig.open(str(path)) for path in (tmp_path / "joined" / f"g.{name}", tmp_path / "whole" / name)
        )
        assert joined.chroms() == whole.chroms()
        assert [joined.intervals(seqid) for seqid in whole.chroms()] == [whole.intervals(s) for s in whole.chroms()]


def test_what_is_no_track_of_a_scan_is_not_joined(tmp_path: Path) -> None:
    strange, damaged = tmp_path / "a.bw", tmp_path / "x.coding.plus.bw"
    for path, said in ((strange, "no track of a scan"), (damaged, "no bigWig")):
        path.write_bytes(b"what")
        with pytest.raises(BadInputError, match=said):
            join_scan_tracks([path], tmp_path / "o")


def test_the_highest_value_of_a_bin_is_read_again(tmp_path: Path) -> None:
    with ExitStack() as files:
        tracks = ScanTracks(tmp_path, {"a": 205, "b": 90}, files)
        coding = np.zeros((2, 60), dtype=np.float32)
        coding[0, 5:8], coding[0, 40:45], coding[0, 59] = 0.5, 1.0, 0.25
        tracks.add("a", 140, coding, coding[::-1])
    path = tmp_path / "coding.plus.bw"
    found = [(s, one.start, one.steps.tolist()) for s, one in read_binned(path, width=20, at_once=3)]
    assert found == [("a", 120, [0, 10, 0]), ("a", 180, [20, 0])]
    assert lengths_of(path) == {"a": 205, "b": 90}


def test_the_summary_has_the_curve_of_the_model(tmp_path: Path, genome: Path, model: Path) -> None:
    own = tmp_path / "model"
    shutil.copytree(model, own)
    point = CurvePoint(threshold=0.4, loci=9, recall=0.9, precision=0.8)
    write_curve(
        own / FILE, LociCurve(genes=8, calibration_error=0.1, points=(point,)), provenance=Provenance("test")
    )  # fmt: skip
    for directory, wanted in ((model, None), (own, [asdict(point)])):
        run(Config(fasta=genome, outdir=tmp_path / "o", model=directory))
        curve = json.loads((tmp_path / "o" / "scan.json").read_text())["curve"]
        assert (curve and curve["points"]) == wanted


def test_where_every_sequence_is_left_out_there_are_no_tracks(tmp_path: Path, genome: Path, model: Path) -> None:
    result = run(
        Config(fasta=genome, outdir=tmp_path / "o", model=model, tracks=True, skip_seqids=("a", "ChrC", "b", "tiny"))
    )
    assert (result.sequences, list((tmp_path / "o").glob("*.bw"))) == (0, [])


def test_tracks_round_join_and_leave_out(tmp_path: Path) -> None:
    with ExitStack() as files:
        tracks = ScanTracks(tmp_path, {"a": 40}, files)
        coding = np.array([[0.0, 0.01, 0.51, 0.49, 0.98, 0.0], [0.0] * 6], dtype=np.float32)
        tracks.add("a", 10, coding, coding[::-1])
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(ScanTracks.NAMES)
    plus, minus = (pyBigWig.open(str(tmp_path / f"coding.{strand}.bw")) for strand in ("plus", "minus"))
    assert [(a, b, round(v, 2)) for a, b, v in plus.intervals("a")] == [(12, 14, 0.5), (14, 15, 1.0)]
    assert minus.intervals("a") == ((0, 1, 0.0),)  # of the file's only sequence, since igv.js wants a value


def test_shares_join_to_the_whole(tmp_path: Path, genome: Path, model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scan_run, "PIECE", 2_000)
    monkeypatch.setattr(scan_run, "OVERLAP", 1_000)
    run(Config(fasta=genome, outdir=tmp_path / "whole", model=model))
    for number in range(3):
        run(Config(fasta=genome, outdir=tmp_path / str(number), model=model, part=(number, 3)))
    joined = [row for number in range(3) for row in read_shard(tmp_path / str(number))]
    assert joined == list(read_shard(tmp_path / "whole"))


@pytest.fixture(scope="module")
def writing(tmp_path_factory: pytest.TempPathFactory, model: Path) -> Path:
    """The same network with a calibrated decoder: one that also writes genes."""
    directory = tmp_path_factory.mktemp("writing")
    network, _ = load_model(model)
    network.refit(scoring=EAGER, calibration={"first": [0.0] * 8})  # the lattice, too, sees genes in anything
    network.save_pretrained(directory)
    return directory


def generated(shards: Path, out: Path, model: Path) -> list[PredictionRow]:
    generate(GenerateConfig(shards=(shards,), outdir=out, model=model, device="cpu"))
    return list(read_predictions(out))


def test_what_the_network_said_is_carried_and_windows_are_not_read_again(
    tmp_path: Path, genome: Path, writing: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Shares of the work carry the same, and what is written from it is a matter of the window alone."""
    monkeypatch.setattr(scan_run, "PIECE", 2_000)
    monkeypatch.setattr(scan_run, "OVERLAP", 1_000)
    run(Config(fasta=genome, outdir=tmp_path / "whole", model=writing))
    for number in range(3):
        run(Config(fasta=genome, outdir=tmp_path / "parts", model=writing, part=(number, 3)))
    whole, parts = (list(read_shard(tmp_path / name)) for name in ("whole", "parts"))
    assert whole == parts
    carried = [row for row in whole if row.carried is not None]
    assert len(carried) > 10
    read: list[int] = []
    score_windows = Reader.score_windows
    monkeypatch.setattr(Reader, "score_windows", lambda self, w: (read.append(len(w)), score_windows(self, w))[1])
    rows = generated(tmp_path / "whole", tmp_path / "one", writing)
    assert sum(row.gsf is not None for row in rows) > 10
    assert sum(read) < len(whole) - len(carried) + 5  # some hold no transcript by their candidates, and are tried again
    assert generated(tmp_path / "parts", tmp_path / "three", writing) == rows


def test_nothing_is_carried_unless_the_same_network_writes(
    tmp_path: Path, genome: Path, model: Path, writing: Path
) -> None:
    for name, settings in {"no": {"model": model}, "off": {"model": writing, "carry": False}}.items():
        run(Config(fasta=genome, outdir=tmp_path / name, **settings))  # type: ignore[arg-type]
    assert all(row.carried is None for name in ("no", "off") for row in read_shard(tmp_path / name))
    assert (tmp_path / "no" / "genes-00000.parquet").stat().st_size < 200_000
    run(Config(fasta=genome, outdir=tmp_path / "yes", model=writing))
    other = TransgenicModel(TransgenicConfig(encoder=_SMALL, decoder={"dim": 16, "heads": 2, "layers": 1}))
    other.save_pretrained(tmp_path / "other")
    with_it, without = (
        generated(tmp_path / name, tmp_path / f"{name}.p", tmp_path / "other") for name in ("yes", "off")
    )
    assert with_it == without


def test_damaged_scores_are_named(tmp_path: Path, genome: Path, writing: Path) -> None:
    run(Config(fasta=genome, outdir=tmp_path / "o", model=writing))
    rows = [replace(row, carried=b"tgc1" + b"?" * 40) for row in read_shard(tmp_path / "o")]
    write_gene_shards(rows, tmp_path / "bad", provenance=Provenance("test"), carried=True)
    with pytest.raises(BadInputError, match="scan has carried over") as refused:
        generated(tmp_path / "bad", tmp_path / "p", writing)
    assert refused.value.feature == rows[0].gene_id


def test_the_command_line(tmp_path: Path, genome: Path, model: Path, caplog: pytest.LogCaptureFixture) -> None:
    arguments = [str(genome), "--outdir", str(tmp_path / "o"), "--model", str(model), "--json"]
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 0, done.output
    summary = json.loads(done.stdout.splitlines()[-1])
    assert (summary["sequences"], summary["bases"]) == (4, 12_390)
    skipped = CliRunner().invoke(app, [*arguments, "--skip-seqid", "ChrC"])
    assert json.loads(skipped.stdout.splitlines()[-1])["sequences"] == 3
    assert CliRunner().invoke(app, [*arguments, "--part", "3/2"]).exit_code == 2


def test_a_model_of_one_strand_and_a_name_that_is_not_there_are_refused(
    tmp_path: Path, genome: Path, model: Path
) -> None:
    one_strand = TransgenicModel(TransgenicConfig(encoder={"dim": 16, "heads": 2, "blocks": 1}))
    one_strand.save_pretrained(tmp_path / "one")
    with pytest.raises(UsageError, match="cannot scan"):
        run(Config(fasta=genome, outdir=tmp_path / "o", model=tmp_path / "one"))
    with pytest.raises(BadInputError, match="'Chr9'"):
        run(Config(fasta=genome, outdir=tmp_path / "o", model=model, seqids=("Chr9",)))
    assert not any((tmp_path / "o").glob("*"))


@pytest.mark.parametrize("bases", ["N" * 3_000, "ACGT" * 10])
def test_a_genome_without_anything_gives_valid_empty_files(tmp_path: Path, model: Path, bases: str) -> None:
    genome = tmp_path / "n.fa"
    genome.write_text(f">n\n{bases}\n")
    result = run(Config(fasta=genome, outdir=tmp_path / "o", model=model))
    assert result.loci == 0
    assert list(read_shard(tmp_path / "o")) == []
    assert (tmp_path / "o" / "loci.bed").read_text() == ""


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no sequence"),
        (">a\nMKVLAAGIVPLQERSTWYFHD*\n", "protein"),
        (">a\nACGT\n>a\nACGT\n", "twice|two|same name|duplicate"),
    ],
)
def test_what_is_no_genome_is_refused_by_name(tmp_path: Path, model: Path, text: str, said: str) -> None:
    genome = tmp_path / "bad.fa"
    genome.write_text(text)
    with pytest.raises(BadInputError, match=said) as refused:
        run(Config(fasta=genome, outdir=tmp_path / "o", model=model))
    assert str(refused.value.path).endswith("bad.fa")
    assert not any((tmp_path / "o").glob("*"))


def test_a_genome_without_introns_is_warned_of(
    tmp_path: Path, model: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level("INFO", logger="transgenic_tools")
    monkeypatch.setattr(scan_run, "_MANY_LOCI", 3)
    one_exon = [Locus(interval=Interval(i, i + 90), strand="+", coding=Interval(i, i + 90), coding_bases=90, score=0.9)
                for i in range(0, 900, 100)]  # fmt: skip
    spliced = [replace(locus, coding_bases=60) for locus in one_exon]
    for loci, warned in ((one_exon, True), (spliced, False), (one_exon[:2], False)):
        caplog.clear()
        monkeypatch.setattr(Judge, "loci", lambda *_, loci=loci, **__: loci)
        genome = tmp_path / "g.fa"
        genome.write_text(">one\n" + "ACGT" * 300 + "\n")
        run(Config(fasta=genome, outdir=tmp_path / "o", model=model))
        assert ("one: hardly a gene has an intron" in caplog.text) is warned


def test_organelles_and_reads_are_warned_of(
    tmp_path: Path, genome: Path, model: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    run(Config(fasta=genome, outdir=tmp_path / "o", model=model))
    assert "ChrC: by name a plastid" in caplog.text
    for bases in (96, 150):
        caplog.clear()
        reads = tmp_path / "r.fa"
        reads.write_text("".join(f">r{i}\n{('ACGTTGCA' * 20)[:bases]}\n" for i in range(20)))
        result = run(Config(fasta=reads, outdir=tmp_path / "p", model=model))
        assert "reads instead of an assembly?" in caplog.text
        assert result.loci == 0
