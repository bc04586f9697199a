"""Each fault of an annotation: mended, skipped or rejected with its reason, never an exception of another kind."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.io.gxf import annotation, shape
from transgenic_tools.errors import BadInputError, MissingInputError
from transgenic_tools.io.gff3 import read_annotation

GENE = """
chr1 x gene 101 400 . + . ID=g1
chr1 x mRNA 101 400 . + . ID=t1;Parent=g1
"""
PARTS = """
chr1 x exon 101 200 . + . Parent=t1
chr1 x exon 301 400 . + . Parent=t1
chr1 x CDS 151 200 . + 0 Parent=t1
chr1 x CDS 301 350 . + 1 Parent=t1
"""
WHOLE = ([(101, 200), (301, 400)], [(151, 200), (301, 350)])


@pytest.mark.parametrize(
    ("text", "expected", "codes"),
    [
        pytest.param(PARTS, {"gene-t1": {"t1": WHOLE}}, {"transcript_made": 1, "gene_made": 1}, id="no parents at all"),
        pytest.param(
            GENE.splitlines()[2] + PARTS, {"g1": {"t1": WHOLE}}, {"gene_made": 1}, id="mRNA names a missing gene"
        ),
        pytest.param(
            GENE + PARTS.replace("+ 1", "+ 0"), {"g1": {"t1": WHOLE}}, {"phase_recomputed": 1}, id="wrong phase"
        ),
        pytest.param(
            GENE + PARTS.replace("+ 0", "+ .").replace("+ 1", "+ ."),
            {"g1": {"t1": WHOLE}},
            {"phase_missing": 1},
            id="missing phase",
        ),
        pytest.param(
            GENE + PARTS + PARTS.splitlines()[1], {"g1": {"t1": WHOLE}}, {"exons_joined": 1}, id="an exon line twice"
        ),
        pytest.param(
            GENE + PARTS.replace("exon 101 200", "exon 160 200"),
            {"g1": {"t1": ([(151, 200), (301, 400)], WHOLE[1])}},
            {"exon_extended": 1},
            id="CDS outside its exon",
        ),
        pytest.param(
            GENE + PARTS.replace("301 400", "301 500"),
            {"g1": {"t1": ([(101, 200), (301, 500)], WHOLE[1])}},
            {"gene_span": 1},
            id="exon outside its gene",
        ),
        pytest.param(
            GENE + PARTS.replace("exon 301 400 . +", "exon 301 400 . -"),
            {"g1": {}},
            {"mixed_strands": 1},
            id="both strands",
        ),
        pytest.param(GENE + PARTS.replace(" + ", " . "), {"g1": {}}, {"no_strand": 1}, id="parts without strand"),
        pytest.param(
            GENE + PARTS.replace("CDS 151 200", "CDS 151 310"), {"g1": {}}, {"overlapping_parts": 1}, id="CDS overlap"
        ),
        pytest.param(
            GENE + PARTS + "chr1 x exon 230 250 . + . Parent=t1",
            {"g1": {}},
            {"cds_gap_in_exon": 1},
            id="a non-coding exon inside the CDS",
        ),
        pytest.param(
            GENE + PARTS + "chr1 x mRNA 101 400 . + . ID=t2;Parent=g1",
            {"g1": {"t1": WHOLE}},
            {"no_parts": 1},
            id="an mRNA without parts",
        ),
        pytest.param(
            GENE + PARTS + "chr1 x CDS 151 200 . + 0 Note=lost",
            {"g1": {"t1": WHOLE}},
            {"orphan_part": 1},
            id="orphan CDS",
        ),
        pytest.param(
            GENE + PARTS + "chr1 x CDS 200 151 . + 0 Parent=t1",
            {"g1": {}},
            {"bad_coordinates": 1, "lost_line": 1},
            id="end before start",
        ),
        pytest.param(
            GENE + PARTS + "chr1 x CDS 0 20 . + 0 Parent=t1",
            {"g1": {}},
            {"bad_coordinates": 1, "lost_line": 1},
            id="start 0",
        ),
        pytest.param(
            GENE + PARTS + "chr1 x CDS 1e3 20 . + 0 Parent=t1",
            {"g1": {}},
            {"bad_coordinates": 1, "lost_line": 1},
            id="a float for a coordinate",
        ),
        pytest.param(
            GENE + PARTS + "chr1 x CDS", {"g1": {"t1": WHOLE}}, {"bad_line": 1, "near_lost_line": 1}, id="three columns"
        ),
        pytest.param(
            GENE + PARTS + "chr1 x gene 501 600 . + . ID=g1",
            {"g1": {"t1": WHOLE}},
            {"multi_part_gene": 1},
            id="two parts",
        ),
    ],
)
def test_faults(tmp_path: Path, text: str, expected: object, codes: dict[str, int]) -> None:
    found = annotation(tmp_path, text)
    assert shape(found) == expected
    assert found.problem_counts == codes


def test_line_numbers_are_those_of_the_file(tmp_path: Path) -> None:
    text = "##gff-version 3\n" + GENE.strip() + "\n# a comment\nchr1 x CDS 9 3 . + 0 Parent=t1\nbad\n"
    found = annotation(tmp_path, text)
    assert {(f.code, f.line) for f in found.problems if f.line} == {
        ("bad_coordinates", 5),
        ("bad_line", 6),
        ("near_lost_line", 6),
    }


def test_one_id_on_two_seqids_is_two_genes(tmp_path: Path) -> None:
    """Annotations put together from parts of an assembly count their genes anew on each sequence."""
    found = annotation(tmp_path, (GENE + PARTS) + (GENE + PARTS).replace("chr1", "chr2"))
    assert [(g.id, g.seqid, len(g.transcripts)) for g in found.genes] == [("g1", "chr1", 1), ("g1@chr2", "chr2", 1)]
    assert found.problem_counts == {"id_renamed": 1}


def test_trans_spliced_gene(tmp_path: Path) -> None:
    """NCBI organelles: rps12 has parts on both strands, the gene a line for each (`part=1`, `part=2`)."""
    found = annotation(
        tmp_path,
        """
        NC x gene 901 1000 . - . ID=gene-rps12;part=1;exception=trans-splicing
        NC x gene 101 400 . + . ID=gene-rps12;part=2;exception=trans-splicing
        NC x CDS 901 1000 . - 0 ID=cds-rps12;Parent=gene-rps12;part=1
        NC x CDS 101 400 . + 0 ID=cds-rps12;Parent=gene-rps12;part=2
        """,
    )
    assert not found.genes[0].transcripts
    assert found.problem_counts == {"mixed_strands": 2}


def test_pseudogenes_are_named(tmp_path: Path) -> None:
    """NCBI marks them by type, by pseudo=true and by gene_biotype."""
    found = annotation(
        tmp_path,
        """
        chr1 x pseudogene 101 200 . + . ID=p1
        chr1 x gene 301 400 . + . ID=p2;pseudo=true;gene_biotype=protein_coding
        chr1 x gene 501 600 . + . ID=p3;gene_biotype=transcribed_pseudogene
        """,
    )
    assert [g.biotype for g in found.genes] == ["pseudogene", "pseudogene", "transcribed_pseudogene"]


def test_latin1_text_is_read(tmp_path: Path) -> None:
    path = tmp_path / "l.gff3"
    path.write_bytes(b"chr1\tx\tgene\t1\t9\t.\t+\t.\tID=g1;Note=M\xfcller\n")
    assert read_annotation(path).genes[0].attributes["Note"] == ("Müller",)


def test_escaped_names(tmp_path: Path) -> None:
    found = annotation(tmp_path, "chr%201 x gene 1 9 . + . ID=g%3B1\nchr%201 x CDS 1 9 . + 0 Parent=g%3B1")
    assert (found.genes[0].seqid, found.genes[0].id) == ("chr 1", "g;1")
    assert len(found.genes[0].transcripts) == 1


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"sample,fasta\na,b\n", "neither GFF3 nor GTF"),
        (b"a\tb\tc\t1\t2\td\te\tf\tg\n", "column 9"),
        (b"\x1f\x8b\x08\x00broken", "cut short or damaged"),
    ],
)
def test_what_is_no_annotation(tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "x.gff3"
    path.write_bytes(content)
    with pytest.raises(BadInputError, match=words):
        read_annotation(path)


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(MissingInputError):
        read_annotation(tmp_path / "none.gff3")


def test_comments_alone_hold_no_gene(tmp_path: Path) -> None:
    assert annotation(tmp_path, "##gff-version 3\n# nothing").genes == ()


FIELD = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=12)
KNOWN = st.sampled_from(["chr1", "gene", "CDS", "exon", "1", "90", "+", "ID=a;Parent=b"])
LINE = st.lists(st.one_of(FIELD, KNOWN), max_size=10)


@settings(max_examples=60, deadline=None)
@given(lines=st.lists(LINE, max_size=12))
def test_any_text_gives_genes_or_an_error_of_ours(
    lines: list[list[str]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("any") / "any.gff3"
    path.write_bytes("\n".join("\t".join(line) for line in lines).encode("utf-8", "surrogatepass"))
    try:
        found = read_annotation(path)
    except BadInputError:
        return
    assert all(t.exons for g in found.genes for t in g.transcripts)
