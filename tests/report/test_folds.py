"""tg-report folds: figures of a cross-validation, against means and deviations worked out here."""

from __future__ import annotations

import csv
import json
import math
from pathlib import Path

import pytest
from typer.testing import CliRunner

from transgenic_tools.cli.report import app
from transgenic_tools.errors import BadInputError, MissingInputError, UsageError
from transgenic_tools.report.folds import write_folds


def evaluation(folder: Path, name: str, exact: float | None, base: float = 0.5) -> Path:
    path = folder / f"{name}.json"
    path.write_text(json.dumps({"gene_exact": exact, "cds": {"base": {"f1": base}, "exon": None}}))
    return path


def model(folder: Path, fold: int, genes: int) -> Path:
    path = folder / f"fold_{fold}"
    path.mkdir()
    (path / "training.json").write_text(json.dumps({"n_validation": genes, "metrics": {"step_perplexity": 1.5 + fold}}))
    return path


def table(path: Path) -> dict[tuple[str, str], dict[str, str]]:
    with path.open() as handle:
        return {(row["sample"], row["fold"]): row for row in csv.DictReader(handle, delimiter="\t")}


def test_mean_and_deviation_of_each_sample(tmp_path: Path) -> None:
    exact = [0.25, 0.5, 0.875]
    models = [model(tmp_path, fold, genes=10 + fold) for fold in range(3)]
    files = [evaluation(tmp_path, f"rice.fold_{fold}", value) for fold, value in enumerate(exact)]
    files += [evaluation(tmp_path, "barley.x.fold_0", 0.5)]
    assert write_folds(list(reversed(files)), models, tmp_path / "folds.tsv") == 4
    rows = table(tmp_path / "folds.tsv")
    assert list(rows) == [
        *(("barley.x", name) for name in ("fold_0", "mean", "sd")),
        *(("rice", name) for name in ("fold_0", "fold_1", "fold_2", "mean", "sd")),
    ]
    mean = sum(exact) / 3
    deviation = math.sqrt(sum((value - mean) ** 2 for value in exact) / 2)
    assert float(rows["rice", "mean"]["gene_exact"]) == pytest.approx(mean, abs=5e-5)
    assert float(rows["rice", "sd"]["gene_exact"]) == pytest.approx(deviation, abs=5e-5)
    assert rows["rice", "fold_2"]["held_out_genes"] == "12"
    assert rows["rice", "fold_1"]["held_out_step_perplexity"] == "2.5000"
    assert rows["rice", "mean"]["held_out_genes"] == "11.0000"
    assert rows["barley.x", "sd"]["gene_exact"] == ""
    assert rows["rice", "mean"]["exon_f1"] == ""


def test_figures_that_are_missing_leave_their_cells_empty(tmp_path: Path) -> None:
    files = [evaluation(tmp_path, "a.fold_0", None), evaluation(tmp_path, "a.fold_10", 1.0)]
    write_folds(files, [], tmp_path / "folds.tsv")
    rows = table(tmp_path / "folds.tsv")
    assert list(rows) == [("a", name) for name in ("fold_0", "fold_10", "mean", "sd")]
    assert (rows["a", "fold_0"]["gene_exact"], rows["a", "mean"]["gene_exact"], rows["a", "sd"]["gene_exact"]) == (
        "", "1.0000", "",
    )  # fmt: skip
    assert rows["a", "fold_0"]["held_out_genes"] == ""


def test_what_is_no_evaluation_of_a_fold_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="the name tells no fold"):
        write_folds([evaluation(tmp_path, "rice", 1.0)], [], tmp_path / "folds.tsv")
    with pytest.raises(MissingInputError, match=r"rice\.fold_0\.json"):
        write_folds([tmp_path / "rice.fold_0.json"], [], tmp_path / "folds.tsv")
    for text in ("{", "[1]"):
        (tmp_path / "rice.fold_0.json").write_text(text)
        with pytest.raises(BadInputError, match="JSON"):
            write_folds([tmp_path / "rice.fold_0.json"], [], tmp_path / "folds.tsv")
    assert not (tmp_path / "folds.tsv").exists()


def test_the_command(tmp_path: Path) -> None:
    files = [evaluation(tmp_path, f"a.fold_{fold}", fold / 2) for fold in (0, 1)]
    out = tmp_path / "t.tsv"
    done = CliRunner().invoke(
        app, ["folds", *map(str, files), "--model", str(model(tmp_path, 0, 3)), "--out", str(out)]
    )
    assert done.exit_code == 0, done.output
    assert table(out)["a", "fold_0"]["held_out_genes"] == "3"
