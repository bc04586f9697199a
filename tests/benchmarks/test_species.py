"""The species table: AUGUSTUS's best parameters, kept costs, and figures that were not made anew."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks import peers, species, table
from benchmarks.measure import Cost
from benchmarks.species import SETS, Options, _by_chance, main, markdown, measure, peer_of, record, run_kept
from tests.benchmarks.test_peers import row
from transgenic_tools.evaluate.calibration import calibrate

BINS = [{"count": 0, "mean_score": 0.0}, {"count": 50, "mean_score": 0.5}, {"count": 50, "mean_score": 0.9}]


def figures(exact: float, **more: Any) -> dict[str, Any]:
    return {
        "gene_exact": exact,
        "isoform_recall_multi": 0.25,
        "cds": {"exon": {"f1": exact}, "transcript": {"f1": exact}},
        "n": {"multi_isoform_genes": 3},
        "calibration": {"transcript": {"expected_calibration_error": 0.125, "bins": BINS}},
        "cost": Cost(30.0, 40.0, 50.0).rounded(),
        **more,
    }


def a_set(**tools: Any) -> dict[str, Any]:
    return {"title": "rice", "genes": 100, "bases": 2_000_000, **tools}


def test_only_the_species_changes_in_the_command() -> None:
    assert [part for part in peer_of("rice").command if part not in peers.PEERS[0].command] == ["--species=rice"]
    assert len(peer_of("rice").command) == len(peers.PEERS[0].command)


def test_the_cost_is_kept_with_the_output(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    runs = []

    def run(command: tuple[str, ...], *, stdout: Path, stderr: Path) -> Cost:
        runs.append(command)
        stdout.write_text("")
        return Cost(float(len(runs)), 2.0, 3.0)

    monkeypatch.setattr(peers, "run_measured", run)
    windows = (row(0, "+"),)
    output, first = run_kept(peer_of("rice"), windows, cache=tmp_path)
    assert run_kept(peer_of("rice"), windows, cache=tmp_path) == (output, first)
    assert run_kept(peer_of("maize"), windows, cache=tmp_path)[0] != output
    assert len(runs) == 2
    assert run_kept(peer_of("rice"), windows, cache=tmp_path, fresh=True)[1].cpu_seconds == 3.0
    output.with_suffix(".cost.json").unlink()  # killed between output and cost
    assert run_kept(peer_of("rice"), windows, cache=tmp_path)[1].cpu_seconds == 4.0


def test_a_missing_set_is_left_out_and_named(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    rice = next(one for one in SETS if one.name == "rice")
    assert measure(Options(sets=(rice,), data=tmp_path)) == {}
    assert "rice is left out: no rice_chr2_part.fa.gz and .gff3.gz" in caplog.text


def test_the_table_has_a_row_for_each_tool() -> None:
    text = markdown({"rice": a_set(transgenic=figures(0.5), augustus=figures(0.4, parameters="maize"))})
    assert text.splitlines()[2:] == [
        "| rice (100) | transgenic_tools | 0.500 | 0.050 | 0.500 | 0.500 | 0.250 | 0.125 (0.045) | 30.0 | 15.0 |",
        "|  | AUGUSTUS, maize | 0.400 | 0.049 | 0.400 | 0.400 | 0.250 |  | 30.0 | 15.0 |",
    ]


def test_genes_without_near_copies_have_rows_of_their_own() -> None:
    alone = {key: value for key, value in figures(0.25).items() if key != "cost"} | {"genes": 75}
    text = markdown({"rice": a_set(
        transgenic=figures(0.5, without_copies=alone),
        augustus=figures(0.4, parameters="maize", without_copies=alone),
    )})  # fmt: skip
    assert text.splitlines()[4:] == [
        "| the same without 25 near copies (75) | transgenic_tools | 0.250 | 0.050 | 0.250 | 0.250 | 0.250 "
        "| 0.125 (0.045) |  |  |",
        "|  | AUGUSTUS, maize | 0.250 | 0.050 | 0.250 | 0.250 | 0.250 |  |  |  |",
    ]


def test_figures_that_were_not_made_anew_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(species, "ROOT", tmp_path)
    path, docs, readme = (tmp_path / name for name in ("benchmarks/results.json", "docs/benchmarks.md", "README.md"))
    for file in (path, docs):
        file.parent.mkdir()
    published = json.loads((Path(__file__).parents[2] / "benchmarks" / "results.json").read_text())
    path.write_text(json.dumps({part: published[part] for part in ("scan", "accuracy")}))
    docs.write_text(f"before\n{species.BEGIN}\nold\n{species.END}\nafter\n")
    readme.write_text(f"{table.BEGIN}\n{table.END}")
    record({"rice": a_set(transgenic=figures(0.5), augustus=figures(0.4, parameters="maize"))})
    record({"rice": a_set(transgenic=figures(0.75)), "ash": a_set(transgenic=figures(0.25))})
    found = json.loads(path.read_text())
    assert found["scan"] == published["scan"]
    assert list(found["species"]) == ["ash", "rice"]  # in the order of the sets
    rice = found["species"]["rice"]
    assert (rice["transgenic"]["gene_exact"], rice["augustus"]["gene_exact"]) == (0.75, 0.4)
    assert docs.read_text().startswith("before\n")
    assert "| rice (100) | transgenic_tools | 0.750 |" in docs.read_text()
    assert "| rice | nothing | 0.750 | 0.400 |" in readme.read_text()


def test_honest_confidences_have_the_error_of_chance() -> None:
    rng = np.random.default_rng(1)
    draws = [
        calibrate([0.5] * 50 + [0.9] * 50, (rng.random(100) < np.repeat([0.5, 0.9], 50)).tolist()) for _ in range(300)
    ]
    mean = np.mean([draw.expected_error for draw in draws if draw is not None])
    assert mean == pytest.approx(_by_chance(BINS), abs=0.004)


def test_parts_of_sets_are_not_recorded(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--genes", "3", "--record"])
    assert "--record is for whole sets" in capsys.readouterr().err
