"""Bad parameters and samplesheets: what is said, with which exit code, before any task is queued."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.pipeline import nextflow
from transgenic_tools.errors import EXIT_DATA

pytestmark = pytest.mark.usefixtures("needs_nextflow")


def test_every_fault_of_a_samplesheet_is_named_with_line_and_column(tiny_sheet: Path) -> None:
    folder = tiny_sheet.parent
    tiny_sheet.write_text(
        "\ufeffsample,fasta,annotation,regions\r\n"
        "good,genome.fa,genes.gff3,\r\n"
        "good,genome.fa,genes.gff3,\r\n"
        "bad name,genome.fa,genes.gff3,\r\n"
        "absent,nowhere.fa,genes.gff3,\r\n"
        "bare,genome.fa,,\r\n"
        ",genome.fa,genes.gff3,\r\n"
        "kind,genome.txt,genes.gff3,\r\n"
        "long,genome.fa,genes.gff3,,extra\r\n"
    )
    done = nextflow.run("--input", str(tiny_sheet), launch_dir=folder)
    assert done.code == 1
    for sentence in (
        "line 3, column 'sample': 'good' stands in line 2 already",
        "line 4, column 'sample': 'bad name': sample must be letters, digits",
        "line 5, column 'fasta': 'nowhere.fa': there is no such file",
        "line 7, column 'sample': is empty",
        "line 8, column 'fasta': 'genome.txt': fasta must be a .fa, .fasta or .fna file",
        "line 9: 5 fields, but the header has 4",
    ):
        assert sentence in done.text
    assert "line 2," not in done.text.replace("stands in line 2 already", "")
    assert "Submitted process" not in done.text
    assert not done.file("annotation").exists()

    tool = shutil.which("tg-prep", path=f"{nextflow.ROOT}/.venv/bin:{os.environ['PATH']}")
    assert tool
    alone = subprocess.run([tool, "samplesheet", str(tiny_sheet)], capture_output=True, text=True, check=False)
    assert alone.returncode == EXIT_DATA
    assert places(alone.stderr) == places(done.text), "the pipeline and tg-prep samplesheet differ"


def test_faults_of_a_sheet_of_evidence_are_named_before_any_task(tiny_sheet: Path) -> None:
    folder = tiny_sheet.parent
    lines = tiny_sheet.read_text().splitlines()
    tiny_sheet.write_text(f"{lines[0]},evidence\n{lines[1]},one.csv\n{lines[2]},two.csv\n")
    (folder / "here.bed").touch()
    (folder / "one.csv").write_text("sample,path\na,here.bed\nb,nowhere.bed\nc,\nd,here.bed,leaf,x\n")
    (folder / "two.csv").write_text("sample,file\na,here.bed\n")
    done = nextflow.run("--input", str(tiny_sheet), launch_dir=folder)
    assert done.code == 1
    for sentence in (
        "one.csv, line 3, column 'path': 'nowhere.bed': there is no such file",
        "one.csv, line 4, column 'path': '': is empty",
        "one.csv, line 5: 4 fields, but the header has 2",
        "two.csv, line 1, column 'path': this column is missing",
    ):
        assert sentence in done.text
    done = nextflow.run("--input", str(tiny_sheet), "--mode", "train", launch_dir=folder)
    assert "sample 'one': evidence has no use in --mode train" in done.text
    assert "Submitted process" not in done.text


def places(text: str) -> set[tuple[str, str]]:
    """(line, column) of every fault that is named."""
    return set(re.findall(r"line (\d+)(?:, column '(\w+)')?:", text))


def test_header_faults_of_a_samplesheet(tiny_sheet: Path) -> None:
    tiny_sheet.write_text("sampel,fasta,annotation\na,genome.fa,genes.gff3\n")
    done = nextflow.run("--input", str(tiny_sheet), launch_dir=tiny_sheet.parent)
    assert done.code == 1
    assert "line 1, column 'sampel': unknown column; allowed are: sample, fasta, annotation" in done.text
    assert "line 1, column 'sample': this column is missing" in done.text


def test_faults_of_parameters_come_all_at_once(tiny_sheet: Path) -> None:
    done = nextflow.run(
        "--input", str(tiny_sheet), "--num_beam", "3", "--decoding", "gready", "--shard_bases", "many",
        "--model", "no/such/model", "--max_isoforms", "0",
        launch_dir=tiny_sheet.parent,
    )  # fmt: skip
    assert done.code == 1
    for sentence in (
        "--num_beam: there is no such parameter. Did you mean --num_beams?",
        "--decoding gready: must be one of: greedy, beam, sample, viterbi",
        "--shard_bases many: must be a whole number",
        "--model no/such/model: there is no such directory",
        "--max_isoforms 0: must be at least 1",
    ):
        assert sentence in done.text
    assert "Submitted process" not in done.text


def test_missing_input_says_what_is_needed(tmp_path: Path) -> None:
    done = nextflow.run(launch_dir=tmp_path)
    assert done.code == 1
    assert "--input: is required" in done.text


def test_a_misspelt_profile_is_refused(tiny_sheet: Path) -> None:
    done = nextflow.run("-profile", "slrum", "--input", str(tiny_sheet), launch_dir=tiny_sheet.parent)
    assert done.code == 1
    assert "Unknown configuration profile: 'slrum'" in done.text


def test_job_arrays_need_a_scheduler(tiny_sheet: Path) -> None:
    done = nextflow.run("--input", str(tiny_sheet), "--job_array", "5", "-stub-run", launch_dir=tiny_sheet.parent)
    assert done.code == 1
    assert "--job_array works on a scheduler" in done.text


def test_help_and_version(tmp_path: Path) -> None:
    helped = nextflow.run("--help", launch_dir=tmp_path)
    assert helped.code == 0
    assert "--shard_bases" in helped.text
    assert "Bases of gene windows in one shard" in helped.text
    version = nextflow.run("--version", launch_dir=tmp_path)
    assert version.code == 0
    assert "transgenic/transgenic_tools 0.1.0" in version.text


def test_what_a_mode_cannot_use_is_refused_before_any_task(tiny_sheet: Path) -> None:
    done = nextflow.run(
        "--input", str(tiny_sheet), "--mode", "train", "--preset", "minni", "--store_encodings", "true",
        launch_dir=tiny_sheet.parent,
    )  # fmt: skip
    assert done.code == 1
    assert "--preset minni: there is no such file, and the presets are: agront1b-led, embedded" in done.text
    assert "--store_encodings has no use in --mode train" in done.text
    wide = nextflow.run(
        "--input", str(tiny_sheet), "--mode", "train", "--preset", "mini", "--use_gpu", "true", "--gpus_per_task", "4",
        "--train_nodes", "2", launch_dir=tiny_sheet.parent,
    )  # fmt: skip
    assert wide.code == 1
    assert "--preset mini: 8 processes cannot share 1 micro-batch a step" in wide.text
    assert "training.decoder.accumulate: 8 or a multiple" in wide.text
    assert "--train_nodes 2: training on several nodes is started by srun; add -profile slurm" in wide.text
    embedded = nextflow.run("--input", str(tiny_sheet), "--store_encodings", "true", launch_dir=tiny_sheet.parent)
    assert embedded.code == 1
    assert "has no pretrained encoder whose work could be stored" in embedded.text


def test_what_only_augment_can_use_is_not_ignored(tiny_sheet: Path) -> None:
    """As tg-annotate and tg-backmap refuse the same flags."""
    done = nextflow.run(
        "--input", str(tiny_sheet), "--extend_genes", "true", "--skip_attribute", "locked",
        launch_dir=tiny_sheet.parent,
    )  # fmt: skip
    assert done.code == 1
    assert "--extend_genes, --skip_attribute: of --mode augment alone" in done.text
    in_place = nextflow.run(
        "--input", str(tiny_sheet), "--mode", "augment", "--utrs_in_place", "true", launch_dir=tiny_sheet.parent
    )
    assert in_place.code == 1
    assert "--utrs_in_place, but no UTRs are added; add --add_utrs" in in_place.text
    assert "Submitted process" not in done.text + in_place.text
