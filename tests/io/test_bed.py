"""BED3 to BED12 and GFF3 as loci."""

from __future__ import annotations

from pathlib import Path

import pytest

from transgenic_tools.errors import BadInputError
from transgenic_tools.io.bed import read_loci


def _loci(tmp_path: Path, text: str) -> list[tuple[str, str, int, int, str]]:
    path = tmp_path / "r.bed"
    path.write_text(text)
    return [(g.id, g.seqid, g.interval.start, g.interval.end, g.strand) for g in read_loci(path)[0]]


def test_bed3_gives_both_strands(tmp_path: Path) -> None:
    assert _loci(tmp_path, "chr1\t10\t20\n") == [
        ("chr1:10-20_plus", "chr1", 10, 20, "+"),
        ("chr1:10-20_minus", "chr1", 10, 20, "-"),
    ]


def test_bed6_and_bed12_keep_name_and_strand(tmp_path: Path) -> None:
    text = "track name=x\n# c\nchr1\t10\t20\tg1\t0\t-\nchr1\t5\t90\tg2\t900\t+\t5\t90\t0\t2\t10,10,\t0,75,\n"
    assert _loci(tmp_path, text) == [("g2", "chr1", 5, 90, "+"), ("g1", "chr1", 10, 20, "-")]


def test_a_dot_strand_gives_both_strands(tmp_path: Path) -> None:
    assert [locus[0] for locus in _loci(tmp_path, "c\t1\t2\tg\t0\t.\r\n")] == ["g_plus", "g_minus"]


def test_names_become_unique(tmp_path: Path) -> None:
    assert [locus[0] for locus in _loci(tmp_path, "c\t1\t2\tg\t0\t+\nc\t5\t9\tg\t0\t+\n")] == ["g", "g.2"]


def test_gene_lines_of_gff3_are_loci(tmp_path: Path) -> None:
    text = "c\tx\tgene\t11\t20\t.\t-\t.\tID=g1\nc\tx\tmRNA\t11\t20\t.\t-\t.\tID=t;Parent=g1\n"
    assert _loci(tmp_path, text) == [("g1", "c", 10, 20, "-")]


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("chr1\t10\n", 1, "2 columns"),
        ("# c\nchr1\t20\t10\n", 2, "no interval"),
        ("chr1\tx\t10\n", 1, "no interval"),
        ("chr1\t1\t10\tg\t0\t*\n", 1, "strand"),
        ("", None, "no locus"),
    ],
)
def test_what_is_no_bed(tmp_path: Path, text: str, line: int | None, words: str) -> None:
    path = tmp_path / "r.bed"
    path.write_text(text)
    with pytest.raises(BadInputError, match=words) as caught:
        read_loci(path)
    assert caught.value.line == line
