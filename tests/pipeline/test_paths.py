"""Names of files: what a shell can be given reaches the tools whole, what Nextflow would hand to it bare is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.pipeline import nextflow
from tests.pipeline.fakes import fakes

pytestmark = pytest.mark.usefixtures("needs_nextflow")
GENOME = "my genome (1); touch PROOF & 'x'.fa"
ANNOTATION = "known `touch PROOF` | genes.gff3"


def test_blanks_and_quotes_reach_the_tools_whole_without_a_home(tmp_path: Path) -> None:
    folder = tmp_path / "my data"
    folder.mkdir()
    (folder / GENOME).write_text(">seq1\nACGT\n")
    (folder / ANNOTATION).write_text("##gff-version 3\n")
    (folder / "my names.tsv").write_text("seq1\tchr1\n")
    sheet = folder / "my sheet.csv"
    sheet.write_text(f'sample,fasta,annotation\none,"{GENOME}","{ANNOTATION}"\n')
    tools = fakes(tmp_path / "tools")
    launch_dir = tmp_path / "my runs"
    launch_dir.mkdir()
    done = nextflow.run(
        *tools.arguments("--input", str(sheet), "--aliases", str(folder / "my names.tsv"), "--biotype", "a,b"),
        "--report_title", "It's; touch PROOF", launch_dir=launch_dir, outdir=launch_dir / "my results",
        env={"HOME": None},
    )  # fmt: skip
    assert done.code == 0, done.text
    (prep,) = tools.calls("prep")
    assert prep[prep.index("--fasta") + 1] == GENOME
    assert prep[prep.index("--annotation") + 1] == ANNOTATION
    assert prep[prep.index("--aliases") + 1] == "my names.tsv"
    assert [prep[place + 1] for place, word in enumerate(prep) if word == "--biotype"] == ["a", "b"]
    (evaluation,) = tools.calls("evaluate")
    assert evaluation[evaluation.index("--reference") + 1] == f"reference/{ANNOTATION}"
    (report,) = tools.calls("report")
    assert report[report.index("--title") + 1] == "It's; touch PROOF"
    staged = {report[i + 1].partition("/")[2]: word for i, word in enumerate(report) if word.startswith("--")}
    assert (staged[ANNOTATION], staged[GENOME]) == ("--reference", "--fasta")
    assert done.file("annotation/one.gff3").is_file()
    assert not list(tmp_path.rglob("PROOF"))


def test_signs_that_nextflow_hands_to_a_shell_are_refused(tmp_path: Path) -> None:
    names = ["a$(touch PROOF).fa", "a*.fa", "a?.fa", "a[1].fa", "a{b,c}.fa", "a#.fa", "~a.fa", "a\\b.fa"]
    for name in names:
        (tmp_path / name).write_text(">seq1\nACGT\n")
    (tmp_path / "genes.gff3").write_text("##gff-version 3\n")
    rows = "".join(f'g{number},"{name}",genes.gff3\n' for number, name in enumerate(names))
    (tmp_path / "sheet.csv").write_text(f"sample,fasta,annotation\n{rows}")
    done = nextflow.run("--input", str(tmp_path / "sheet.csv"), launch_dir=tmp_path)
    assert done.code == 1
    for number, name in enumerate(names, start=2):
        assert f"sheet.csv, line {number}, column 'fasta': '{name}': its full path holds " in done.text
    assert "rename it, or link to it under another name" in done.text
    assert "Submitted process" not in done.text
    assert not list(tmp_path.rglob("PROOF"))
