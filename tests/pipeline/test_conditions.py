"""A genome's condition on its way from the samplesheet to tg-generate, and what cannot be."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.pipeline import nextflow
from tests.pipeline.fakes import fakes

pytestmark = pytest.mark.usefixtures("needs_nextflow")


def sheet_of(folder: Path, *conditions: str) -> Path:
    (folder / "genome.fa").write_text(">seq1\nACGT\n")
    (folder / "genes.gff3").write_text("##gff-version 3\n")
    rows = [f"{condition or 'none'},genome.fa,genes.gff3,{condition}\n" for condition in conditions]
    sheet = folder / "sheet.csv"
    sheet.write_text("sample,fasta,annotation,condition\n" + "".join(rows))
    return sheet


def after(words: list[str], flag: str) -> str | None:
    return words[words.index(flag) + 1] if flag in words else None


def test_rows_of_one_genome_are_predicted_each_for_its_condition(tmp_path: Path) -> None:
    model = tmp_path / "model"
    model.mkdir()
    for name in ("config.json", "condition.json"):
        (model / name).write_text("{}")
    (tmp_path / "my tpm.tsv").write_text("gene\troot\tleaf\nA\t1\t2\n")
    tools = fakes(tmp_path / "tools")
    done = nextflow.run(
        *tools.arguments("--input", str(sheet_of(tmp_path, "root", "leaf", "")), "--model", str(model)),
        "--conditions", str(tmp_path / "my tpm.tsv"), "--against", "leaf", launch_dir=tmp_path,
    )  # fmt: skip
    assert done.code == 0, done.text
    called = {
        (after(words, "--condition"), after(words, "--conditions"), after(words, "--against"))
        for words in tools.calls("generate")
    }
    table = "conditions/my tpm.tsv"
    assert called == {("root", table, "leaf"), ("leaf", table, "leaf"), (None, None, None)}
    for name in ("root.gff3", "leaf.gff3", "none.gff3", "root.differences.tsv", "leaf.differences.tsv"):
        assert done.file(f"annotation/{name}").is_file(), name
    assert not done.file("annotation/none.differences.tsv").exists()


def test_conditions_that_nothing_can_use_stop_the_run(tmp_path: Path) -> None:
    sheet = sheet_of(tmp_path, "root")
    plain = nextflow.run("--input", str(sheet), launch_dir=tmp_path)
    assert plain.code == 1
    assert "sample 'root' has a condition, but" in plain.text
    assert "has learned none" in plain.text
    (tmp_path / "tpm.tsv").write_text("gene\troot\nA\t1\n")
    without = nextflow.run(
        "--input", str(sheet_of(tmp_path, "")), "--conditions", str(tmp_path / "tpm.tsv"), "--against", "leaf",
        launch_dir=tmp_path,
    )  # fmt: skip
    assert without.code == 1
    assert "--conditions: no row of the samplesheet has a condition" in without.text
    assert "--against: no row of the samplesheet has a condition" in without.text
