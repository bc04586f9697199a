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


def test_nine_columns_of_numbers_are_bed(tmp_path: Path) -> None:
    """Names that are numbers do not make a BED9 a GFF, wherever it stands in the file."""
    text = "Zz1\t1000\t1890\t17\t500\t+\t1000\t1890\t0\nZz1\t4000\t4890\t18\t500\t-\t4000\t4890\t0\n"
    expected = [("17", "Zz1", 1000, 1890, "+"), ("18", "Zz1", 4000, 4890, "-")]
    assert _loci(tmp_path, text) == expected
    assert _loci(tmp_path, "# a comment\n\n" + text.replace("\n", "\r\n")) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("c\t1\t2\tgA\t0\t.\nc\t5\t9\tgA_plus\t0\t+\n", ["gA.2_plus", "gA.2_minus", "gA_plus"]),
        ("c\t1\t2\tgA_plus\t0\t+\nc\t5\t9\tgA\t0\t.\n", ["gA_plus", "gA.2_minus", "gA.2_plus"]),
        ("c\t1\t2\tg\t0\t+\nc\t3\t9\tg\t0\t+\nc\t4\t9\tg.2\t0\t+\n", ["g", "g.3", "g.2"]),
        ("c\t1\t2\nc\t1\t2\tc:1-2_minus\t0\t-\n", ["c:1-2.2_plus", "c:1-2.2_minus", "c:1-2_minus"]),
        ("c\t1\t2\tg\t0\t.\nc\t1\t2\tg\t0\t.\n", ["g_plus", "g.2_plus", "g_minus", "g.2_minus"]),
    ],
)
def test_names_that_collide_with_made_ones(tmp_path: Path, text: str, expected: list[str]) -> None:
    """Given names stay; what is made up keeps clear of all of them; no ID stands twice."""
    found = [locus[0] for locus in _loci(tmp_path, text)]
    assert sorted(found) == sorted(expected)
    assert len(set(found)) == len(found)


def test_a_sequence_may_be_called_as_a_browser_line_begins(tmp_path: Path) -> None:
    assert [locus[1] for locus in _loci(tmp_path, "track1\t1\t2\tg\t0\t+\n")] == ["track1"]


def test_quotes_of_a_spreadsheet(tmp_path: Path) -> None:
    assert _loci(tmp_path, 'c\t1\t2\t"g, a"\t0\t+\n') == [("g, a", "c", 1, 2, "+")]


@pytest.mark.parametrize("end", ["9223372036854775807", "1_0", "\u0665", "1e3", "+5", "-3"])
def test_numbers_that_are_no_coordinates(tmp_path: Path, end: str) -> None:
    path = tmp_path / "r.bed"
    path.write_text(f"c\t1\t9\nc\t1\t{end}\n")
    with pytest.raises(BadInputError, match="no interval") as caught:
        read_loci(path)
    assert caught.value.line == 2
