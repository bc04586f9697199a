"""Every way of use with the real tools, on a few genes of the demo.

Train (two folds), augment, evaluate with long reads, predict with stored encodings; the demo itself is in test_demo.py.
"""

from __future__ import annotations

import csv
import gzip
import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.pipeline import nextflow
from transgenic_tools.io.fasta import Fasta
from transgenic_tools.io.gff3 import read_annotation

pytestmark = [pytest.mark.usefixtures("needs_nextflow"), pytest.mark.slow]
SLICE = nextflow.ROOT / "assets" / "demo" / "athaliana_chr1_slice"
SAMPLE = "few"
#: Genes that end before this base of the slice.
END = 60_000


def few_genes(folder: Path) -> Path:
    """A samplesheet of the slice with its first genes."""
    with gzip.open(f"{SLICE}.gff3.gz", "rt") as source:
        lines = [line for line in source if line.startswith("#") or int(line.split("\t")[4]) < END]
    (folder / "few.gff3").write_text("".join(lines))
    path = folder / "samplesheet.csv"
    path.write_text(f"sample,fasta,annotation\n{SAMPLE},{SLICE}.fa.gz,few.gff3\n")
    return path


@pytest.fixture
def sheet(tmp_path: Path) -> Path:
    """Few genes, and a site config for a small machine."""
    (tmp_path / "site.config").write_text("process.resourceLimits = [cpus: 1, memory: '4.GB', time: '1.h']\n")
    return few_genes(tmp_path)


def run(sheet: Path, *arguments: str) -> nextflow.Run:
    done = nextflow.run(
        "-c", str(sheet.parent / "site.config"), "--input", str(sheet), *arguments,
        launch_dir=sheet.parent,
    )  # fmt: skip
    assert done.code == 0, done.text
    return done


def metrics(done: nextflow.Run, name: str = SAMPLE) -> dict[str, Any]:
    return json.loads(done.file(f"evaluation/{name}.json").read_text())


def text(done: nextflow.Run, task: nextflow.Task, name: str) -> str:
    """A file of one task's work directory."""
    return next((done.launch_dir / "work").glob(f"{task.workdir_hash}*/{name}")).read_text()


def script_of(done: nextflow.Run, process: str) -> str:
    return text(done, next(task for task in done.tasks if task.process == process), ".command.sh")


def few_steps(folder: Path, **settings: int) -> Path:
    """The mini preset, stopped after two steps of each stage."""
    preset = yaml.safe_load((nextflow.ROOT / "conf" / "models" / "mini.yaml").read_text())
    for stage in preset["training"].values():
        stage |= {"steps": 2, **settings}
    path = folder / "few_steps.yaml"
    path.write_text(yaml.safe_dump(preset))
    return path


def test_two_folds_are_trained_side_by_side_and_evaluated(sheet: Path) -> None:
    preset = few_steps(sheet.parent)
    done = run(sheet, "--mode", "train", "--folds", "2", "--split", "fraction:60/10/30", "--preset", str(preset))
    assert done.count() == {
        "TG_PREP": 1, "TG_TRAIN": 2, "TG_GENERATE": 2, "TG_BACKMAP": 2, "TG_EVALUATE": 2, "TG_FOLDS": 1, "TG_REPORT": 1
    }  # fmt: skip
    with max(done.file("pipeline_info").glob("execution_trace_*.txt")).open() as handle:
        rows = [row for row in csv.DictReader(handle, delimiter="\t") if row["process"].endswith("TG_TRAIN")]
    assert max(row["start"] for row in rows) < min(row["complete"] for row in rows), "one fold waited for the other"
    weights = [done.file(f"model/fold_{fold}/model.safetensors").read_bytes() for fold in (0, 1)]
    assert weights[0] != weights[1]
    known = len([gene for gene in read_annotation(sheet.parent / "few.gff3").genes if gene.coding_transcripts])
    for fold in (0, 1):
        figures = metrics(done, f"{SAMPLE}.fold_{fold}")
        assert 0 < figures["n"]["reference_genes"] < known, "more than the test genes were compared"
        genes = read_annotation(done.file(f"annotation/{SAMPLE}.fold_{fold}.gff3")).genes
        assert len(genes) == figures["n"]["reference_genes"]
    assert "report/report.html" in done.text
    with done.file("evaluation/folds.tsv").open() as handle:
        table = {row["fold"]: row for row in csv.DictReader(handle, delimiter="\t")}
    assert list(table) == ["fold_0", "fold_1", "mean", "sd"]
    exact = [metrics(done, f"{SAMPLE}.fold_{fold}")["cds"]["base"]["f1"] for fold in (0, 1)]
    assert [float(table[f"fold_{fold}"]["base_f1"]) for fold in (0, 1)] == pytest.approx(exact, abs=1e-4)
    assert float(table["mean"]["base_f1"]) == pytest.approx(sum(exact) / 2, abs=1e-4)
    assert float(table["sd"]["base_f1"]) == pytest.approx(abs(exact[0] - exact[1]) / 2**0.5, abs=1e-4)
    held_out = [int(table[f"fold_{fold}"]["held_out_genes"]) for fold in (0, 1)]
    assert sum(held_out) == known - figures["n"]["reference_genes"]
    assert float(table["mean"]["held_out_step_perplexity"]) > 1


def test_augment_adds_isoforms_and_leaves_every_line(sheet: Path) -> None:
    """On its way the first attempt ends as one that was out of memory: the second one gets a smaller batch."""
    site = sheet.parent / "site.config"
    fails = "{ task.attempt == 1 ? 'exit 137' : '' }"
    site.write_text(site.read_text() + f"process {{ withName: TG_GENERATE {{ beforeScript = {fails} }} }}\n")
    done = run(sheet, "--mode", "augment", "--decoding", "greedy", "--min_confidence", "0")
    before = (sheet.parent / "few.gff3").read_text().splitlines()
    after = done.file(f"annotation/{SAMPLE}.gff3").read_text().splitlines()
    rest = iter(after)
    assert all(line in rest for line in before), "a line of the user's file is gone, changed or moved"
    added = [line for line in after if ".tg1" in line and "\tmRNA\t" in line]
    assert added
    assert metrics(done)["gene_exact"] == 1.0
    attempts = [(task.attempt, task.exit, task) for task in done.tasks if task.process == "TG_GENERATE"]
    assert [(attempt, code) for attempt, code, _ in attempts] == [(1, "137"), (2, "0")]
    budgets = [
        text(done, task, ".command.sh").split("--batch-bases ")[1].split()[0].strip("'") for _, _, task in attempts
    ]
    assert budgets == ["200000", "100000"]
    progress = text(done, attempts[1][2], ".command.err")
    assert re.search(r"\d+ of \d+ genes, \d+ kb/s, \d+ s left", progress), progress


def test_evaluate_counts_what_long_reads_support(sheet: Path) -> None:
    """The reference as its own prediction: all figures are 1, and reads that are its transcripts support it."""
    pytest.importorskip("mappy", reason="long reads are aligned with mappy, which was not compiled here")
    folder = sheet.parent
    (folder / "earlier").mkdir()
    (folder / "earlier" / f"{SAMPLE}.gff3").write_bytes((folder / "few.gff3").read_bytes())
    with Fasta(f"{SLICE}.fa.gz") as fasta, (folder / "reads.fa").open("w") as handle:
        for gene in read_annotation(folder / "few.gff3").genes:
            sequence = fasta.fetch(gene.seqid)
            for transcript in gene.transcripts:
                handle.write(f">{transcript.id}\n{transcript.spliced(sequence)}\n")
    sheet.write_text(f"sample,fasta,annotation,reads\n{SAMPLE},{SLICE}.fa.gz,few.gff3,reads.fa\n")
    done = run(sheet, "--mode", "evaluate", "--predictions", str(folder / "earlier"))
    figures = metrics(done)
    assert figures["gene_exact"] == 1.0
    assert figures["cds"]["exon"]["f1"] == 1.0
    assert "--reads reads.fa --fasta" in script_of(done, "TG_EVALUATE")
    assert figures["reads"]["aligned"] == figures["reads"]["reads"] > 20
    assert figures["reads"]["fully_supported"] > 0.95


def test_stored_encodings_are_made_first_and_used(sheet: Path) -> None:
    """A small untrained model with a pretrained encoder's shape: it is the way of the files that counts here."""
    from tests.encode.test_encode import save_model

    save_model(sheet.parent / "model")
    done = run(
        sheet, "--model", str(sheet.parent / "model"), "--store_encodings", "true", "--decoding", "greedy",
        "--shard_bases", "40000",
    )  # fmt: skip
    shards = done.count()["TG_ENCODE"]
    assert shards == done.count()["TG_GENERATE"] > 1
    assert "--encodings encodings" in script_of(done, "TG_GENERATE")
    assert len(list(done.file(f"encodings/{SAMPLE}").glob("encodings-*.parquet"))) == shards
    assert "TG_ENCODE" in done.file("pipeline_info/software_versions.yml").read_text()
