"""Each fault of a samplesheet is named with line, column, value and what is allowed."""

from __future__ import annotations

from pathlib import Path

import pytest

from transgenic_tools.errors import BadInputError, MissingInputError
from transgenic_tools.io.samplesheet import load_schema, read_samplesheet


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("a.fa", "a.gff3", "r.bed", "l.fq.gz"):
        (tmp_path / name).write_text("x")
    return tmp_path


def _faults(folder: Path, text: str) -> str:
    (folder / "s.csv").write_text(text)
    with pytest.raises(BadInputError) as caught:
        read_samplesheet(folder / "s.csv")
    return str(caught.value)


def test_a_good_sheet(folder: Path) -> None:
    text = "\ufeffsample,fasta,annotation,regions,reads\r\nA-1.x,a.fa,a.gff3,,l.fq.gz\r\n\r\nB,a.fa,,r.bed\r\n"
    (folder / "s.csv").write_text(text)
    first, second = read_samplesheet(folder / "s.csv")
    assert (first.sample, first.fasta, first.annotation) == ("A-1.x", folder / "a.fa", folder / "a.gff3")
    assert (first.regions, first.reads) == (None, folder / "l.fq.gz")
    assert (second.annotation, second.regions) == (None, folder / "r.bed")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("sample,fasta,annotation\nmy x,a.fa,a.gff3\n", "line 2, column 'sample': 'my x': sample must be letters"),
        ("sample,fasta,annotation\nx,b.fa,a.gff3\n", "line 2, column 'fasta': 'b.fa': there is no such file"),
        ("sample,fasta,annotation\nx,a.txt,a.gff3\n", "line 2, column 'fasta': 'a.txt': fasta must be"),
        ("sample,fasta,annotation\nx,,a.gff3\n", "line 2, column 'fasta': is empty"),
        ("sample,fasta,annotation\nx,a.fa,a.gff3\nx,a.fa,a.gff3\n", "line 3, column 'sample': 'x' stands in line 2"),
        ("sample,fasta,genome\nx,a.fa,y\n", "line 1, column 'genome': unknown column; allowed are sample"),
        ("sample,annotation\nx,a.gff3\n", "line 1, column 'fasta': this column is missing"),
        ("sample,fasta,annotation\nx,a.fa,a.gff3,,,\n", "line 2: 6 fields, but the header has 3"),
        ("sample,fasta,annotation\n-rf,a.fa,a.gff3\n", "line 2, column 'sample': '-rf': sample must be letters"),
        ("sample,fasta,annotation,evidence\nx,a.fa,a.gff3,e.bam\n", "'e.bam': evidence must be a .csv file"),
        ("sample,fasta,annotation,evidence\nx,a.fa,a.gff3,e.csv\n", "'e.csv': there is no such file"),
        ("sample,fasta,annotation,condition\nx,a.fa,a.gff3,my root\n", "'my root': condition must be letters, digits"),
        ("sample,fasta\n", "no row below the header"),
        ("sample,fasta,annotation\n.,a.fa,a.gff3\n", "line 2, column 'sample': '.': sample must be letters"),
        ("sample,fasta,annotation\n..,a.fa,a.gff3\n", "line 2, column 'sample': '..': sample must be letters"),
        ('sample,fasta,annotation\n"a\nb",a.fa,a.gff3\n', "line 2, column 'sample': 'a\\nb': sample must be letters"),
        ('sample,fasta,annotation\nx,"a\n.fa",a.gff3\n', "line 2, column 'fasta': 'a\\n.fa': fasta must be"),
        ('sample,fasta,annotation\n"a\nb",a.fa,a.gff3\n.,a.fa,a.gff3\n', "line 4, column 'sample': '.'"),
        ("sample,fasta,annotation\nx," + "a" * 200_000 + ",\n", "no CSV: field larger"),
        ("", "the samplesheet is empty"),
    ],
)
def test_faults(folder: Path, text: str, words: str) -> None:
    assert words in _faults(folder, text)


def test_blanks_and_dollars_in_paths(folder: Path) -> None:
    """Blanks are part of the name; what the pipeline refuses is refused here too, and nothing is put in for it."""
    (folder / "my own genome.fa").write_text("x")
    (folder / "s.csv").write_text("sample,fasta,annotation\nx,my own genome.fa,a.gff3\n")
    assert read_samplesheet(folder / "s.csv")[0].fasta == folder / "my own genome.fa"
    for name, signs in (
        ("my $HOME.fa", "$"),
        ("a[1].fa", "[ ]"),
        ("a*?.fa", "* ?"),
        ("a{b}.fa", "{ }"),
        ("a#~.fa", "# ~"),
    ):
        (folder / name).write_text("x")
        said = _faults(folder, f"sample,fasta,annotation\nx,{name},a.gff3\n")
        assert f"line 2, column 'fasta': '{name}': its full path holds {signs}, which" in said


def test_columns_that_nothing_reads_yet_may_stand_there_empty(folder: Path) -> None:
    (folder / "s.csv").write_text("sample,fasta,annotation,evidence,condition\nx,a.fa,a.gff3,,\n")
    (only,) = read_samplesheet(folder / "s.csv")
    assert (only.evidence, only.condition) == (None, None)


def test_all_faults_at_once(folder: Path) -> None:
    assert "3 fault(s)" in _faults(folder, "sample,fasta,annotation\na b,x.fa,a.gff3\nok,a.fa,y.gff3\n")


def test_missing(tmp_path: Path) -> None:
    with pytest.raises(MissingInputError):
        read_samplesheet(tmp_path / "none.csv")


def test_the_package_and_the_pipeline_share_one_schema() -> None:
    root = Path(__file__).parents[2]
    assert (root / "transgenic_tools/io/schema_input.json").read_text() == (
        root / "assets/schema_input.json"
    ).read_text()
    assert list(load_schema()["items"]["properties"]) == [
        "sample", "fasta", "annotation", "regions", "reads", "evidence", "condition",
    ]  # fmt: skip
