"""Evidence that is wrong is refused with the reason; what cannot be used is counted."""

from __future__ import annotations

import gzip
import json
from dataclasses import replace
from pathlib import Path

import pytest

from tests.evidence import builders
from tests.evidence.builders import SEQID, planted, sam_lines, write_bam, write_genome
from tests.evidence.test_inputs import gathered
from transgenic_tools.errors import BadInputError, MissingInputError, UsageError
from transgenic_tools.evidence.config import Config
from transgenic_tools.evidence.run import run
from transgenic_tools.io.junctions import JUNCTION, NONCANONICAL, EvidenceFile


def written(tmp_path: Path, text: str, name: str = "SJ.out.tab") -> Path:
    path = tmp_path / name
    path.write_text(text)
    return path


def test_a_file_of_which_nothing_can_be_used(tmp_path: Path) -> None:
    """Too few junctions to tell why."""
    bases, introns = planted()
    with pytest.raises(BadInputError, match=r"no junction can be used with .*: noncanonical 2"):
        gathered(tmp_path, written(tmp_path, builders.star(introns[:2], shift=1)), bases)
    with pytest.raises(UsageError, match="--min-intron"):
        gathered(tmp_path, written(tmp_path, builders.star(introns)), bases, min_intron=500, max_intron=100)


@pytest.mark.parametrize(
    "data", [b"\x1f\x8b\xff\xff" + b"x" * 50, gzip.compress(b"a\tb\n" * 99, mtime=0)[:12] + b"\xff" * 40]
)
def test_gzip_that_is_damaged_in_its_first_bytes(data: bytes, tmp_path: Path) -> None:
    """The first bytes are unzipped to tell the kind."""
    path = tmp_path / "j.bed.gz"
    path.write_bytes(data)
    with pytest.raises(BadInputError, match="damaged") as caught:
        gathered(tmp_path, path, planted()[0])
    assert caught.value.path == str(path)


@pytest.mark.parametrize("shift", [-1, 1])
def test_coordinates_that_are_off_by_one(tmp_path: Path, shift: int) -> None:
    bases, introns = planted()
    with pytest.raises(BadInputError, match=f"starts are moved by {-shift} and ends by 0"):
        gathered(tmp_path, written(tmp_path, builders.star(introns, shift=shift)), bases)


def test_strands_that_are_turned_over_name_the_other_library(tmp_path: Path) -> None:
    bases, introns = planted()
    turned = [replace(p, strand="-" if p.strand == "+" else "+") for p in introns]
    with pytest.raises(BadInputError, match=r"100% of the junctions .* opposite"):
        gathered(tmp_path, written(tmp_path, builders.star(turned)), bases)
    bam = write_bam(tmp_path, sam_lines(introns, read="reverse"), length=len(bases))
    sheet = written(tmp_path, f"path,strandness\n{bam},forward\n", "sheet.csv")
    with pytest.raises(BadInputError, match="reverse"):
        gathered(tmp_path, sheet, bases)


def test_another_assembly(tmp_path: Path) -> None:
    bases, introns = planted()
    other, _ = planted(seed=7)
    with pytest.raises(BadInputError, match="GT-AG"):
        gathered(tmp_path, written(tmp_path, builders.star(introns)), other.replace("GT", "CC").replace("AC", "CC"))
    bam = write_bam(tmp_path, sam_lines(introns), length=len(bases) + 1)
    with pytest.raises(BadInputError, match="another assembly"):
        gathered(tmp_path, bam, bases)


def test_names_that_do_not_match_are_listed_and_aliases_help(tmp_path: Path) -> None:
    bases, introns = planted()
    path = written(tmp_path, builders.star(introns).replace(SEQID, "NC_1"))
    with pytest.raises(BadInputError, match=r"'NC_1'.*'chr1'"):
        gathered(tmp_path, path, bases)
    aliases = written(tmp_path, "chr1\tNC_1\n", "aliases.tsv")
    assert len(gathered(tmp_path, path, bases, aliases=aliases)[1]) == len(introns)


def test_lines_that_cannot_be_used_are_counted(tmp_path: Path) -> None:
    bases, introns = planted()
    end = len(bases)
    text = builders.star(introns) + (
        "other\t10\t100\t1\t1\t0\t5\t0\t9\n"
        f"{SEQID}\t{end - 10}\t{end + 90}\t1\t1\t0\t5\t0\t9\n"
        f"{SEQID}\t10\t15\t1\t1\t0\t5\t0\t9\n"
        f"{SEQID}\t303\t402\t1\t0\t0\t5\t0\t9\n"
    )
    result, found = gathered(tmp_path, written(tmp_path, text), bases)
    assert len(found) == len(introns)
    counted = result.inputs[0].counted
    assert [counted[name] for name in ("unknown_seqid", "past_contig_end", "intron_length", "noncanonical")] == [1] * 4
    kinds = {kind: list(EvidenceFile(tmp_path / "e.parquet").rows(kind)) for kind in (JUNCTION, NONCANONICAL)}
    assert [(r.start, r.end, r.strand, r.inputs, r.counts) for r in kinds[NONCANONICAL]] == [
        (302, 402, "+", (0,), (5,))
    ]
    assert len(kinds[JUNCTION]) == result.junctions == len(introns)
    kept, _ = gathered(tmp_path, written(tmp_path, text), bases, noncanonical=True)
    assert kept.junctions == len(introns) + 1
    assert not list(EvidenceFile(tmp_path / "e.parquet").rows(NONCANONICAL))


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        (7, "-2", "unique reads '-2'"),
        (7, "99999999999", "count"),
        (9, None, "8 columns"),
        (4, "7", "strand '7'"),
        (2, "3O1", "'3O1'"),
        (2, "900", "empty"),
    ],
)
def test_a_damaged_line_is_named(tmp_path: Path, column: int, value: str | None, message: str) -> None:
    bases, introns = planted()
    lines = [line.split("\t") for line in builders.star(introns[::-1]).splitlines()]
    if value is None:
        lines[-1].pop()
    else:
        lines[-1][column - 1] = value
    path = written(tmp_path, "".join("\t".join(line) + "\n" for line in lines))
    sheet = written(tmp_path, "path,kind\nSJ.out.tab,star_junctions\n", "sheet.csv")
    with pytest.raises(BadInputError, match=message) as caught:
        gathered(tmp_path, sheet, bases)
    assert (caught.value.path, caught.value.line) == (str(path), len(introns))


def test_alignments_that_are_damaged_or_hold_no_intron(tmp_path: Path) -> None:
    bases, introns = planted(number=20)
    bam = write_bam(tmp_path, sam_lines(introns) * 20, length=len(bases))
    data = bam.read_bytes()
    cut = tmp_path / "cut.bam"
    cut.write_bytes(data[: len(data) // 2])
    with pytest.raises(BadInputError, match=r"cut\.bam"):
        gathered(tmp_path, cut, bases)
    plain = [line.replace(line.split("\t")[5], "40M") for line in sam_lines(introns, shortest=20)]
    dna = write_bam(tmp_path, plain, length=len(bases), name="dna.bam")
    with pytest.raises(BadInputError, match="no spliced read"):
        gathered(tmp_path, dna, bases)


def test_the_same_reads_twice(tmp_path: Path) -> None:
    bases, introns = planted()
    written(tmp_path, builders.star(introns), "a.tab")
    written(tmp_path, builders.regtools(introns), "b.bed")
    sheet = written(tmp_path, "sample,path\nleaf,a.tab\nroot,b.bed\n", "sheet.csv")
    with pytest.raises(BadInputError, match="'root' holds the same junctions and reads as 'leaf'"):
        gathered(tmp_path, sheet, bases)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"path,kind\n\xe9.tab,\n", "not UTF-8"),
        (b"path,kind\n" + b"x" * 200_000 + b",\n", "no CSV: field larger"),
        (b"x" * 200_000 + b",path\na,b\n", "cannot tell what kind"),
        (b"path,kind\n.,\n", "'.': a directory or a pipe, not a file"),
        (b"path,kind\nnone.tab,\n", "'none.tab': there is no such file"),
    ],
)
def test_sheets_that_are_none(data: bytes, words: str, tmp_path: Path) -> None:
    sheet = tmp_path / "sheet.csv"
    sheet.write_bytes(data)
    with pytest.raises(BadInputError, match=words) as caught:
        gathered(tmp_path, sheet, planted()[0])
    assert caught.value.path == str(sheet)


def test_all_faults_of_a_sheet_at_once(tmp_path: Path) -> None:
    bases, introns = planted()
    written(tmp_path, builders.star(introns), "a.tab")
    sheet = written(tmp_path, "sample,path,kind,weight\nleaf,a.tab,stars,1\nleaf,b.tab,,-1\nroot,,,\n", "sheet.csv")
    with pytest.raises(BadInputError) as caught:
        gathered(tmp_path, sheet, bases)
    for word in ("'stars'", "'b.tab'", "'-1'", "line 4, column 'path'", "stands in line 2 already"):
        assert word in str(caught.value)
    with pytest.raises(BadInputError, match="unknown column"):
        gathered(tmp_path, written(tmp_path, "path,tissue\na.tab,leaf\n", "sheet.csv"), bases)


def test_several_inputs_are_counted_apart_and_rerun_to_the_byte(tmp_path: Path) -> None:
    bases, introns = planted()
    genome = write_genome(tmp_path, bases)
    written(tmp_path, builders.star(introns), "a.tab")
    written(tmp_path, builders.regtools(introns[:20]), "b.bed")
    written(tmp_path, builders.stringtie(introns[10:]), "c.gtf")
    sheet = written(
        tmp_path, "sample,path,condition,weight\nleaf,a.tab,green,1\nroot,b.bed,white,2\nall,c.gtf,,0.5\n", "s.csv"
    )
    outs = [tmp_path / "1.parquet", tmp_path / "2.parquet"]
    results = [run(Config(sheet=sheet, fasta=genome, out=out)) for out in outs]
    assert outs[0].read_bytes() == outs[1].read_bytes()
    evidence = EvidenceFile(outs[0])
    assert [(source.name, source.condition, source.weight) for source in evidence.inputs] == [
        ("leaf", "green", 1.0),
        ("root", "white", 2.0),
        ("all", None, 0.5),
    ]
    reads = {}
    for table in evidence.junctions().values():
        for start, end, counts in zip(table.start.tolist(), table.end.tolist(), table.reads.tolist(), strict=True):
            reads[start, end] = counts
    for index, p in enumerate(introns):
        assert reads[p.interval.start, p.interval.end] == [p.reads, p.reads * (index < 20), float(index >= 10)]
    assert json.loads(results[0].to_json())["junctions"] == len(introns)


def test_a_damaged_or_foreign_evidence_file(tmp_path: Path) -> None:
    bases, introns = planted()
    gathered(tmp_path, written(tmp_path, builders.star(introns)), bases)
    data = bytearray((tmp_path / "e.parquet").read_bytes())
    with pytest.raises(MissingInputError):
        EvidenceFile(tmp_path / "no.parquet")
    cut = tmp_path / "cut.parquet"
    cut.write_bytes(data[: len(data) // 2])
    with pytest.raises(BadInputError, match=r"cut\.parquet"):
        EvidenceFile(cut)
    data[60] ^= 0x10
    damaged = tmp_path / "damaged.parquet"
    damaged.write_bytes(data)
    with pytest.raises(BadInputError, match=r"damaged\.parquet"):
        EvidenceFile(damaged)
