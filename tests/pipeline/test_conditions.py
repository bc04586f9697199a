"""A genome's condition on its way from the samplesheet to tg-generate, and what cannot be."""

from __future__ import annotations

import gzip
import itertools
import json
from pathlib import Path

import pytest

from tests.conditioned import conditioned
from tests.pipeline import nextflow
from tests.pipeline.fakes import fakes
from tests.pipeline.test_demo import SLICE, annotated, published, same
from transgenic_tools.io.differences import read_differences
from transgenic_tools.io.gff3 import read_annotation

pytestmark = pytest.mark.usefixtures("needs_nextflow")


def sheet_of(folder: Path, *conditions: str, evidence: str = "") -> Path:
    """A row a condition; `evidence`: of the first row."""
    (folder / "genome.fa").write_text(">seq1\nACGT\n")
    (folder / "genes.gff3").write_text("##gff-version 3\n")
    (folder / "reads.bed").write_text("seq1\t1\t2\n")
    (folder / "evidence.csv").write_text("sample,path\nroot,reads.bed\nleaf,reads.bed\n")
    rows = [
        f"{condition or 'none'},genome.fa,genes.gff3,{condition},{'' if number else evidence}\n"
        for number, condition in enumerate(conditions)
    ]
    sheet = folder / "sheet.csv"
    sheet.write_text("sample,fasta,annotation,condition,evidence\n" + "".join(rows))
    return sheet


def model_of(folder: Path, *samples: str) -> Path:
    """A model directory that says which samples it was trained on."""
    model = folder / "model"
    model.mkdir()
    (model / "config.json").write_text("{}")
    (model / "condition.json").write_text(json.dumps({"samples": {name: [0.0] for name in samples}}))
    return model


def after(words: list[str], flag: str) -> str | None:
    return words[words.index(flag) + 1] if flag in words else None


def test_rows_of_one_genome_are_predicted_each_for_its_condition(tmp_path: Path) -> None:
    model = model_of(tmp_path)
    (tmp_path / "my tpm.tsv").write_text("gene\troot\tleaf\nA\t1\t2\n")
    tools = fakes(tmp_path / "tools")
    done = nextflow.run(
        *tools.arguments("--input", str(sheet_of(tmp_path, "root", "leaf", "", evidence="evidence.csv"))),
        "--model", str(model),
        "--conditions", str(tmp_path / "my tpm.tsv"), "--against", "leaf", launch_dir=tmp_path,
    )  # fmt: skip
    assert done.code == 0, done.text
    called = {
        (after(words, "--condition"), after(words, "--conditions"), after(words, "--against"))
        for words in tools.calls("generate")
    }
    table = "conditions/my tpm.tsv"
    assert called == {("root", table, "leaf"), ("leaf", table, None), (None, None, None)}
    for name in ("root.gff3", "leaf.gff3", "none.gff3", "root.differences.tsv"):
        assert done.file(f"annotation/{name}").is_file(), name
    for name in ("leaf", "none"):
        assert not done.file(f"annotation/{name}.differences.tsv").exists()
    # Its evidence goes along with what is predicted for it, and the report gets what changes, a table a shard
    assert {words[words.index("--condition") + 1] for words in tools.calls("generate") if "--evidence" in words} == {
        "root"
    }
    (words,) = tools.calls("report")
    given = [(flag, *word.split("=", 1)) for flag, word in itertools.pairwise(words) if flag.startswith("--")]
    files = [
        (sample, Path(path).name)
        for flag, sample, path in filter(lambda one: len(one) == 3, given)
        if flag == "--differences"
    ]
    assert sorted(files) == [("root", "differences-00000.tsv"), ("root", "differences-00001.tsv")]
    assert [one[1:] for one in given if one[0] == "--usage"] == [
        ("root", next(w.split("=")[1] for w in words if w.endswith("root.usage.tsv")))
    ]


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


def test_names_that_nobody_knows_stop_the_run_before_any_task(tmp_path: Path) -> None:
    sheet, model = sheet_of(tmp_path, "Root", "leaf"), model_of(tmp_path, "root", "leaf")
    done = nextflow.run("--input", str(sheet), "--model", str(model), "--against", "stem", launch_dir=tmp_path)
    assert done.code == 1
    assert (
        f"sample 'Root': no condition 'Root': {model} was trained on 'root', 'leaf'; others need --conditions"
        in done.text
    )
    assert "'root' is equal but for upper and lower case" in done.text
    assert "--against: no condition 'stem'" in done.text
    assert "sample 'leaf'" not in done.text
    table = tmp_path / "tpm.csv.gz"
    table.write_bytes(
        gzip.compress(b'# made by hand\n"gene","Root","stem, old"\nA,1,2\n'.replace(b"# made", b"## made"))
    )
    done = nextflow.run("--input", str(sheet), "--model", str(model), "--conditions", str(table), launch_dir=tmp_path)
    assert done.code == 1
    assert f"sample 'leaf': no condition 'leaf': the header of {table} has 'gene', 'Root', 'stem, old'" in done.text
    assert "and the model was trained on 'root', 'leaf'" in done.text
    assert "sample 'Root'" not in done.text
    assert done.count() == {}


@pytest.mark.slow
def test_tg_annotate_writes_the_same_bytes_for_a_condition(tmp_path: Path) -> None:
    """The real tools on a few genes of the demo, in several shards, with reads of both samples."""
    with gzip.open(f"{SLICE}.gff3.gz", "rt") as source:
        lines = [line for line in source if line.startswith("#") or int(line.split("\t")[4]) < 60_000]
    (tmp_path / "few.gff3").write_text("".join(lines))
    genes = [gene for gene in read_annotation(tmp_path / "few.gff3").genes if gene.coding_transcripts]
    introns = sorted({(g.seqid, i.start, i.end, g.strand) for g in genes for t in g.transcripts for i in t.introns})
    for number, name in enumerate(("root", "leaf")):
        bed = [f"{seqid}\t{a}\t{b}\tj\t{9 + 30 * number}\t{s}\n" for seqid, a, b, s in introns]
        (tmp_path / f"{name}.bed").write_text("".join(bed))
    (tmp_path / "evidence.csv").write_text("sample,path\nroot,root.bed\nleaf,leaf.bed\n")
    sheet = tmp_path / "sheet.csv"
    sheet.write_text(f"sample,fasta,annotation,evidence,condition\none,{SLICE}.fa.gz,few.gff3,evidence.csv,root\n")
    model = conditioned(tmp_path / "model")
    done = nextflow.run(
        "--input", str(sheet), "--model", str(model), "--against", "leaf", "--shard_bases", "20000", "--precision",
        "fp32", launch_dir=tmp_path,
    )  # fmt: skip
    assert done.code == 0, done.text
    assert done.count()["TG_GENERATE"] > 1
    rows = list(read_differences(done.file("annotation/one.differences.tsv")))
    assert {(row.condition, row.against) for row in rows} == {("root", "leaf")}
    assert any(row.reads == 9 and row.reads_against == 39 for row in rows)
    assert 'id="conditions"' in done.file("report/report.html").read_text()
    theirs = published(done.outdir)
    evidence = done.file("evidence/one.evidence.parquet")
    flags = ("--sample", "one", "--model", str(model), "--shard-bases", "20000", "--evidence", str(evidence))
    ours = annotated(
        tmp_path / "tool",
        "--annotation",
        str(tmp_path / "few.gff3"),
        "--condition",
        "root",
        "--against",
        "leaf",
        *flags,
    )
    of_reads = (
        "evidence/",
        "annotation/one.usage.tsv",
        "annotation/one.psi.tsv",
        "report/",
    )  # TG_EVIDENCE and TG_USAGE
    same(
        {name: text for name, text in ours.items() if not name.startswith(of_reads)},
        {name: text for name, text in theirs.items() if not name.startswith(of_reads)},
    )
