"""The tg-prep command as a process: exit codes, messages, what it loads, what it leaves behind."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

TOOL = Path(sys.executable).parent / "tg-prep"
DEMO = Path(__file__).parents[2] / "assets" / "demo"
FASTA, GFF3 = DEMO / "athaliana_chr1_slice.fa.gz", DEMO / "athaliana_chr1_slice.gff3.gz"


def tg_prep(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([TOOL, *map(str, arguments)], capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("fasta", "annotation", "code", "words"),
    [
        (FASTA, "none.gff3", 66, "does not exist"),
        ("none.fa", GFF3, 66, "does not exist"),
        (FASTA, FASTA, 65, "holds no gene"),
        (GFF3, GFF3, 65, "not FASTA"),
        (FASTA, DEMO / "samplesheet.csv", 65, "neither GFF3 nor GTF"),
    ],
)
def test_bad_input_ends_with_a_message_and_no_output(
    fasta: str | Path, annotation: str | Path, code: int, words: str, tmp_path: Path
) -> None:
    done = tg_prep("genes", "--fasta", fasta, "--annotation", annotation, "--outdir", tmp_path / "out")
    assert done.returncode == code
    assert words in done.stderr
    assert "Next step:" in done.stderr
    assert "Traceback" not in done.stderr
    assert not [path for path in (tmp_path / "out").glob("*") if path.is_file()]


def test_wrong_usage_ends_with_2(tmp_path: Path) -> None:
    assert tg_prep("genes", "--fasta", FASTA, "--outdir", tmp_path).returncode == 2
    assert tg_prep("genes", "--wrong").returncode == 2
    for sample in ("..", "a b", "a\n", "", "x" * 101):
        done = tg_prep("genes", "--fasta", FASTA, "--annotation", GFF3, "--outdir", tmp_path, "--sample", sample)
        assert (done.returncode, "--sample" in done.stderr) == (2, True)
    split = ("--split", "half", "--annotation", GFF3)
    assert tg_prep("genes", "--fasta", FASTA, "--outdir", tmp_path, *split).returncode == 2


def test_the_demo_slice_from_end_to_end(tmp_path: Path) -> None:
    done = tg_prep("genes", "--fasta", FASTA, "--annotation", GFF3, "--outdir", tmp_path, "--threads", "2", "--json")
    assert done.returncode == 0, done.stderr
    summary = json.loads(done.stdout)
    assert summary["genes"] >= 40
    assert summary["seconds"] > 0
    sentences, back = tmp_path / "a.gsf", tmp_path / "b.gff3"
    assert tg_prep("gsf", GFF3, "--out", sentences).returncode == 0
    assert (
        json.loads(tg_prep("gsf", sentences, "--out", back, "--json").stdout)["transcripts"] == summary["transcripts"]
    )
    assert tg_prep("samplesheet", DEMO / "samplesheet.csv").returncode == 0
    shown = tg_prep("inspect", tmp_path)
    assert f"genes: {summary['genes']}" in shown.stdout


def test_help_and_version_load_nothing_heavy() -> None:
    heavy = "{'torch', 'pyarrow', 'numpy', 'pandas'}"
    text = f"import sys, transgenic_tools.cli.prep; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
    assert tg_prep("--version").stdout.startswith("transgenic_tools ")
    assert "samplesheet" in tg_prep("--help").stdout


def test_a_run_loads_nothing_that_it_does_not_use(tmp_path: Path) -> None:
    unused = (
        "{'pandas', 'numpy.ma', 'pyarrow._s3fs', 'pyarrow.dataset', 'pyarrow.compute', 'rich', 'matplotlib', 'torch'}"
    )
    text = (
        "import os, sys\n"
        "leave = os._exit\n"
        f"os._exit = lambda code: (print(sorted({unused} & set(sys.modules)), flush=True), leave(code))\n"
        "from transgenic_tools.cli.entry import prep\n"
        "prep()\n"
    )
    argv = ["genes", "--fasta", FASTA, "--annotation", GFF3, "--outdir", tmp_path / "out", "-q"]
    done = subprocess.run([sys.executable, "-c", text, *map(str, argv)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "[]\n"
