"""The report's part on a scan: shares added up, charts, places of what was left out, signals."""

from __future__ import annotations

import json
import re
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.report.builders import write_inputs
from transgenic_tools.errors import BadInputError, UsageError
from transgenic_tools.io.rejects import Reject, write_rejects_file
from transgenic_tools.io.tracks import ScanTracks
from transgenic_tools.report.config import Config, Source
from transgenic_tools.report.payload import unpack
from transgenic_tools.report.run import run
from transgenic_tools.report.scan import density_strips, read_scan
from transgenic_tools.report.signals import STRETCH, build_signals

POINTS = [
    {"threshold": 0.0, "loci": 50, "recall": 0.95, "precision": 0.76},
    {"threshold": 0.4, "loci": 40, "recall": 0.9, "precision": 0.9},
]
CURVE = {"genes": 40, "calibration_error": 0.012, "points": POINTS}


def summary(**changed: Any) -> dict[str, Any]:
    """What tg-scan writes of one share."""
    return {
        "loci": 20, "dropped": {"low_score": 2, "improbable": 1}, "bases": 21_000,
        "scores": {"0.10": 2, "0.50": 1, "0.95": 20}, "parameters": {"min_score": 0.4}, "curve": CURVE, **changed,
    }  # fmt: skip


def scanned(directory: Path, count: int = 40) -> Config:
    """The usual report, of a genome that was scanned in two shares with tracks; two loci were left out."""
    config = write_inputs(directory, count=count)
    shares = [directory / f"ath.{n}of2.scan.json" for n in (1, 2)]
    shares[0].write_text(json.dumps(summary()))
    shares[1].write_text(json.dumps(summary(dropped={"cut_by_end": 1}, scores={"0.95": 14, "0.55": 1})))
    rejects = [
        Reject("chr1.501m", "low_score", "chr1:501-700, 120 coding bases, score 0.1200"),
        Reject("g", "no_prediction", "x"),
        Reject("chr1.41701p", "improbable", "chr1:41701-41900, 120 coding bases, score 0.5000, -1.20 nats"),
    ]
    write_rejects_file(rejects, directory / "scan.rejects.tsv")
    with ExitStack() as files:
        tracks = ScanTracks(directory, {"chr1": 1_000 * (count + 2)}, files)
        coding = np.zeros((2, 1_000 * (count + 2)), dtype=np.float32)
        coding[0, 1_010:1_100], coding[1, 2_010:2_100], coding[0, 41_700:41_900] = 1.0, 0.5, 0.3
        tracks.add("chr1", 0, coding, coding)
    return replace(
        config,
        rejects=(Source("ath", directory / "scan.rejects.tsv"),),
        scans=tuple(Source("ath", path) for path in shares),
        signals=tuple(Source("ath", directory / name) for name in ScanTracks.NAMES),
    )


def test_the_page_of_a_scan(tmp_path: Path) -> None:
    config = scanned(tmp_path)
    run(config)
    page = config.out.read_text()
    section = page.split('<section id="scan"')[1].split("</section>")[0]
    for said in (
        "0.04 Mb", "stretches of 40 genes", "improbable", "cut_by_end", "0.4, the default", "recall 90.0 %",
        "0.95 to 1.00: 34 loci",
    ):  # fmt: skip
        assert said in section, said
    assert "few_coding_bases" not in section
    genes = len(set(re.findall(r"gene\d+\.t1", (tmp_path / "pred.gff3").read_text())))
    assert f"chr1 · 0.04 Mb · {genes} genes" in section
    assert re.findall(r'href="#place/([^"]*)"', section) == ["ath/chr1%3A501-700", "ath/chr1%3A41701-41900"]
    assert "The first 2 of 4 loci" in section
    assert '<a href="#scan">Scan</a>' in page
    genomes = re.search(r'id="genomes">([^<]*)<', page)
    assert genomes
    assert unpack(genomes[1]) == {"ath": [["chr1"], [42_000]]}


def test_a_least_probability_of_ones_own_stands_beside_the_default(tmp_path: Path) -> None:
    config = scanned(tmp_path)
    for source in config.scans:
        source.path.write_text(json.dumps(summary(parameters={"min_score": 0.7})))
    run(config)
    section = config.out.read_text().split('<section id="scan"')[1].split("</section>")[0]
    assert section.count("0.7, as run") == 2
    assert section.count("0.4, the default") == 1


def test_without_a_scan_the_page_has_nothing_of_it(tmp_path: Path) -> None:
    config = write_inputs(tmp_path)
    run(config)
    page = config.out.read_text()
    assert not re.search(r'id="(scan|genomes|signals|signal-0)"|key signal', page)


def test_signals_are_the_highest_of_each_bin(tmp_path: Path) -> None:
    config = scanned(tmp_path)
    signals = build_signals({"ath": [source.path for source in config.signals]})
    assert signals is not None
    index = unpack(signals.index)
    assert (index["width"], index["stretches"]) == (50, [["ath", "chr1", 0, 840]])
    (stretch,) = unpack(signals.blocks[0])
    plus, minus, *_ = stretch
    assert {i: letter for i, letter in enumerate(plus) if letter != "0"} == {
        20: "D", 21: "D", **dict.fromkeys(range(834, 838), "6")
    }  # fmt: skip
    assert {i: letter for i, letter in enumerate(minus) if letter != "0"} == {40: ":", 41: ":"}
    assert build_signals({}) is None


def test_bins_grow_with_the_genome(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = scanned(tmp_path)
    monkeypatch.setattr("transgenic_tools.report.signals.MOST", 100)
    signals = build_signals({"ath": [source.path for source in config.signals]})
    assert signals is not None
    assert unpack(signals.index)["width"] == 420
    assert STRETCH > 100


def test_sequences_by_megabase(tmp_path: Path) -> None:
    path = tmp_path / "scan.json"
    path.write_text(json.dumps(summary(curve=None)))
    starts = {"a": [5, 999_999, 1_000_000, 2_100_000], "b": [7]}
    lengths = {"a": 2_200_000, "c": 900, **{f"s{i:02d}": 500 for i in range(30)}}
    scan = read_scan([path], [], starts, lengths)
    first = scan.sequences[0]
    assert (first.seqid, first.genes) == ("a", (2, 1, 1))
    assert scan.others == (9, 4_008, 1)  # of 33 sequences the 24 longest have a row; b ends with its gene
    assert scan.curve is None
    assert "2,000,001–2,200,000: 1 genes, 5 a Mb" in density_strips(scan)


@pytest.mark.parametrize("text", ["{}", '{"bases": 1, "loci": 1, "dropped": [], "scores": {}, "parameters": {}}'])
def test_what_is_no_summary_of_a_scan_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "scan.json").write_text(text)
    with pytest.raises(BadInputError, match="no summary of a scan"):
        read_scan([tmp_path / "scan.json"], [], {}, {})


def test_a_scan_of_another_sample_is_refused(tmp_path: Path) -> None:
    config = scanned(tmp_path)
    with pytest.raises(UsageError, match="--scan names sample 'bex'"):
        replace(config, scans=(Source("bex", config.scans[0].path),))
