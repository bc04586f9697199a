"""Files that users have: names used twice, lost lines, quotes, lines without parents, features of other kinds.

Each case is read as records and as a table of plain genes, which must agree.
"""

from __future__ import annotations

import gzip
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.io.gxf import gxf, shape
from transgenic_tools.errors import BadInputError
from transgenic_tools.genome.gene import Gene, Transcript
from transgenic_tools.genome.interval import Interval
from transgenic_tools.io.gff3 import Annotation, lines, read_annotation, write_genes
from transgenic_tools.io.gff3.table import GeneTable, read_gene_table
from transgenic_tools.provenance import Provenance

WHOLE = ([(101, 200), (301, 400)], [(151, 200), (301, 350)])


def _read(tmp_path: Path, text: str, name: str = "a.gff3", *, tags: tuple[str, ...] = ()) -> Annotation:
    """Both ways of reading, with every byte of the text as given but for the blanks that stand for tabs."""
    path = tmp_path / name
    path.write_text(text if "\t" in text else gxf(text))
    found = read_annotation(path, tags=tags)
    table = read_gene_table(path, tags=tags)
    if isinstance(table, GeneTable):
        assert tuple(table.gene(entry) for entry in table.entries) == found.genes
        assert table.problems == found.problems
    return found


def _lines(gene: str, transcript: str, *, at: int = 0, strand: str = "+", line: bool = True) -> str:
    """GFF3 of one gene with the structure `WHOLE`, so many bases further on."""
    places = {"exon": ((101, 200), (301, 400)), "CDS": ((151, 200), (301, 350))}
    phases = {"+": ("0", "1"), "-": ("1", "0")}[strand]
    text = f"c x gene {at + 101} {at + 400} . {strand} . ID={gene}\n" if line else ""
    text += f"c x mRNA {at + 101} {at + 400} . {strand} . ID={transcript};Parent={gene}\n"
    text += "".join(f"c x exon {at + a} {at + b} . {strand} . Parent={transcript}\n" for a, b in places["exon"])
    return text + "".join(
        f"c x CDS {at + a} {at + b} . {strand} {phase} Parent={transcript}\n"
        for (a, b), phase in zip(places["CDS"], phases, strict=True)
    )


def _gtf(gene: str, transcript: str, *, at: int = 0, strand: str = "+", nodes: bool = False) -> str:
    names = f'gene_id "{gene}"; transcript_id "{transcript}";'
    text = f'c x gene {at + 101} {at + 400} . {strand} . gene_id "{gene}";\n' if nodes else ""
    text += f"c x transcript {at + 101} {at + 400} . {strand} . {names}\n" if nodes else ""
    phases = {"+": ("0", "1"), "-": ("1", "0")}[strand]
    text += "".join(f"c x exon {at + a} {at + b} . {strand} . {names}\n" for a, b in ((101, 200), (301, 400)))
    return text + "".join(
        f"c x CDS {at + a} {at + b} . {strand} {p} {names}\n"
        for (a, b), p in zip(((151, 200), (301, 350)), phases, strict=True)
    )


def _at(shift: int) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
    exons, cds = WHOLE
    return [(a + shift, b + shift) for a, b in exons], [(a + shift, b + shift) for a, b in cds]


# -- one ID at several loci --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("strand", "+-")
@pytest.mark.parametrize("far", [500, 30_000_000])
def test_gene_lines_of_one_id_are_genes_of_their_own(tmp_path: Path, far: int, strand: str) -> None:
    """Each with its transcripts, on either strand, near or far, also where the transcripts share their ID."""
    for second in ("t2", "t1"):
        found = _read(tmp_path, _lines("g", "t1") + _lines("g", second, at=far, strand=strand))
        assert [(g.id, g.interval.start, g.strand) for g in found.genes] == [
            ("g", 100, "+"),
            ("g@c", far + 100, strand),
        ]
        structures = [next(iter(some.values())) for some in shape(found).values()]
        assert structures == [WHOLE, _at(far)]
        assert set(found.problem_counts) == {"id_renamed"}


def test_three_loci_of_one_gene_and_their_parts(tmp_path: Path) -> None:
    """CDS lines that name the gene itself go to the gene line around them."""
    text = "".join(
        f"c x gene {at} {at + 99} . + . ID=g\nc x CDS {at} {at + 8} . + 0 Parent=g\n" for at in (1, 501, 1001)
    )
    found = _read(tmp_path, text)
    assert [(g.id, g.interval.start, len(g.transcripts)) for g in found.genes] == [
        ("g", 0, 1), ("g@c", 500, 1), ("g@c.2", 1000, 1),
    ]  # fmt: skip


def test_a_gene_in_parts_is_one(tmp_path: Path) -> None:
    """A transcript over two lines of one gene ties them together; an empty line far away is left out."""
    text = _lines("g", "t1").replace("gene 101 400", "gene 101 250") + "c x gene 280 400 . + . ID=g\n"
    assert shape(_read(tmp_path, text)) == {"g": {"t1": WHOLE}}
    found = _read(tmp_path, _lines("g", "t1") + "c x gene 20000001 20000400 . + . ID=g\n")
    assert [(g.id, g.interval) for g in found.genes] == [("g", Interval(100, 400))]
    assert found.problem_counts == {"multi_part_gene": 1}


@pytest.mark.parametrize("nodes", [False, True])
@pytest.mark.parametrize("strand", "+-")
def test_gtf_loci_of_one_gene_id(tmp_path: Path, strand: str, nodes: bool) -> None:
    far = 30_000_000
    text = _gtf("g", "t1", nodes=nodes) + _gtf("g", "t2", at=far, strand=strand, nodes=nodes)
    found = _read(tmp_path, text, "a.gtf")
    assert shape(found) == {"g": {"t1": WHOLE}, "g@c": {"t2": _at(far)}}


def test_gtf_parts_of_one_transcript_id_that_no_intron_joins(tmp_path: Path) -> None:
    found = _read(tmp_path, _gtf("g", "t") + _gtf("g", "t", at=30_000_000), "a.gtf")
    assert [(g.interval.start, len(g.transcripts[0].exons)) for g in found.genes] == [(100, 2), (30_000_100, 2)]
    assert len({t.id for g in found.genes for t in g.transcripts}) == 2


def test_a_gene_name_holds_overlapping_transcripts_together_and_no_others(tmp_path: Path) -> None:
    mrna = "c x mRNA {} {} . + . ID={};gene_name=RPL7\nc x CDS {} {} . + 0 Parent={}\n"
    rows = [(1, 90, "a"), (31, 99, "b"), (501, 590, "c")]
    found = _read(tmp_path, "".join(mrna.format(s, e, n, s, e, n) for s, e, n in rows))
    assert {g.id: [t.id for t in g.transcripts] for g in found.genes} == {"RPL7": ["a", "b"], "RPL7@c": ["c"]}


# -- names -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("nodes", [False, True])
def test_gtf_has_two_name_spaces(tmp_path: Path, nodes: bool) -> None:
    """An isoform may be called as its gene is, or as another gene."""
    text = _gtf("g", "g", nodes=nodes) + _gtf("g", "h") + _gtf("h", "x", at=900, nodes=nodes)
    assert shape(_read(tmp_path, text, "a.gtf")) == {"g": {"g": WHOLE, "h": WHOLE}, "h": {"x": _at(900)}}


@pytest.mark.parametrize("end", ["", ","])
def test_a_parent_that_the_file_lacks(tmp_path: Path, end: str) -> None:
    """TAIR without its protein lines; one that only other parts name is known."""
    text = _lines("g", "t").replace("0 Parent=t", f"0 Parent=t,t-Protein{end}").replace("1 Parent=t", "1 Parent=p,t")
    found = _read(tmp_path, text)
    assert shape(found) == {"g": {"t": WHOLE}}
    assert found.problem_counts == {"unknown_parent": 2}
    found = _read(tmp_path, _lines("g", "t").replace("Parent=g", "Parent=none,g"))
    assert shape(found) == {"g": {"t": WHOLE}}
    both = "c x CDS 1 9 . + 0 Parent=a,b\nc x CDS 21 29 . + 0 Parent=b\n"
    assert {t.id: len(t.cds) for g in _read(tmp_path, both).genes for t in g.transcripts} == {"b": 2}


ODD = [
    "a;b",
    'a"b',
    "a\\b",
    "a\\",
    '"',
    ";",
    "a; b",
    "a%3Bb",
    "50%",
    "a=b",
    "a,b",
    "x y",
    "é",
    'a"; gene_id "b',
    "\\\\",
]
NAME = st.one_of(st.sampled_from(ODD), st.text(st.sampled_from("ab;\"\\%, ='3B"), min_size=1, max_size=6))


@given(names=st.lists(NAME.filter(lambda name: name == name.strip()), min_size=2, max_size=2, unique=True))
def test_gtf_and_gff3_keep_any_name(names: list[str], tmp_path_factory: pytest.TempPathFactory) -> None:
    """Write then read is identity for IDs, whatever letters they hold."""
    folder = tmp_path_factory.mktemp("n")
    whole = Interval(0, 90)
    transcript = Transcript(id=names[1], seqid="c", strand="+", exons=(whole,), cds=(Interval(0, 9),), first_phase=0)
    gene = Gene(names[0], "c", "+", whole, (transcript,))
    for name in ("a.gtf", "a.gff3"):
        write_genes(folder / name, [gene], provenance=Provenance("test", {}))
        (found,) = read_annotation(folder / name).genes
        assert (found.id, [t.id for t in found.transcripts]) == (names[0], [names[1]])


def test_gffread_reads_our_gtf_with_odd_names(tmp_path: Path) -> None:
    whole = Interval(0, 90)
    genes = []
    for i, name in enumerate(ODD):
        where = Interval(1000 * i, 1000 * i + 90)
        transcript = Transcript(id=f"{name}.t", seqid="c", strand="+", exons=(where,), cds=(where,), first_phase=0)
        genes.append(Gene(name, "c", "+", where, (transcript,)))
    assert whole.end == 90
    write_genes(tmp_path / "a.gtf", genes, provenance=Provenance("test", {}))
    command = ["gffread", "-E", "--keep-genes", "-o", tmp_path / "b.gff3", tmp_path / "a.gtf"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "rror" not in done.stderr
    assert {t.id for g in read_annotation(tmp_path / "b.gff3").genes for t in g.transcripts} == {f"{n}.t" for n in ODD}


@pytest.mark.parametrize(
    ("text", "gene", "transcript"),
    [
        ('gene_id "CYC;g"; transcript_id "CYC;g.1";', "CYC;g", "CYC;g.1"),
        ('note "transcript_id x"; gene_id "g"; transcript_id "t";', "g", "t"),
        (r'gene_id "a\"; transcript_id "t";', "a\\", "t"),
        (r'gene_id "x\";y"; transcript_id "t"', 'x";y', "t"),
        ('gene_name "5"-nuc"; gene_id "g"; transcript_id "5"-t"', "g", '5"-t'),
        ("gene_id g;transcript_id t", "g", "t"),
        ('transcript_id  "t" ;  gene_id  "g" ;', "g", "t"),
    ],
)
def test_values_of_gtf(tmp_path: Path, text: str, gene: str, transcript: str) -> None:
    lines_ = f"c\tx\texon\t1\t90\t.\t+\t.\t{text}\nc\tx\tCDS\t1\t9\t.\t+\t0\t{text}\n"
    assert shape(_read(tmp_path, lines_, "a.gtf")) == {gene: {transcript: ([(1, 90)], [(1, 9)])}}


# -- lost lines --------------------------------------------------------------------------------------------------------

TWO = _lines("g", "t") + _lines("h", "u", at=900)


def _damaged(text: str, how: str, line: int) -> str:
    rows = gxf(text).splitlines()
    row = rows[line]
    rows[line] = {
        "blanks": row.replace("\t", " "),
        "comma": row.replace("301", "1,001"),
        "column": row + "\tmore",
        "letters": row.replace("301", "x"),
        "huge": row.replace("350", "9223372036854775807"),
        "cut": row[:18],
        "gone": row.split("\t")[2],
    }[how]
    return "\n".join(rows) + "\n"


@pytest.mark.parametrize("how", ["blanks", "comma", "column", "letters", "huge", "cut", "gone"])
def test_a_transcript_that_lost_a_line_is_rejected_by_name(tmp_path: Path, how: str) -> None:
    """Whether the line still names it, or stands between two lines of it."""
    torn = how in ("cut", "gone")
    with_intron = TWO.replace("1 Parent=t\n", "1 Parent=t\nc x intron 201 300 . + . Parent=t\n")
    found = _read(tmp_path, _damaged(with_intron if how == "gone" else TWO, how, 4 if torn else 5))
    assert shape(found) == {"g": {}, "h": {"u": _at(900)}}
    (lost,) = [f for f in found.problems if f.code == "lost_line"]
    assert (lost.gene, lost.detail) == ("g", "t")
    assert lost.line == (5 if torn else 6)


def test_a_lost_line_that_names_nothing_flags_both_neighbours(tmp_path: Path) -> None:
    found = _read(tmp_path, _damaged(TWO, "cut", 5))
    assert [(f.gene, f.line) for f in found.problems if f.code == "near_lost_line"] == [("g", 6), ("h", 6)]


@pytest.mark.parametrize("block", [64, 1 << 22])
def test_lost_lines_at_the_end_of_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, block: int) -> None:
    monkeypatch.setattr(lines, "_BLOCK", block)
    for line in (4, 5):
        found = _read(tmp_path, _damaged(TWO, "cut", line))
        codes = {(f.code, f.gene) for f in found.problems if f.gene}
        assert codes == ({("lost_line", "g")} if line == 4 else {("near_lost_line", "g"), ("near_lost_line", "h")})


@pytest.mark.parametrize("end", ["\t", "\t\t \t", "\t "])
def test_empty_columns_past_the_ninth_are_nothing(tmp_path: Path, end: str) -> None:
    found = _read(tmp_path, gxf(_lines("g", "t")).replace("0\tParent=t\n", f"0\tParent=t{end}\n"))
    assert shape(found) == {"g": {"t": WHOLE}}
    assert not found.problems


def test_lost_lines_of_gtf(tmp_path: Path) -> None:
    text = gxf(_gtf("g", "t", nodes=True) + _gtf("h", "u", at=900, nodes=True))
    found = _read(tmp_path, text.replace("\t301\t350\t", "\t1,001\t350\t"), "a.gtf")
    assert shape(found) == {"g": {}, "h": {"u": _at(900)}}


def test_a_lost_line_of_another_kind_costs_nothing(tmp_path: Path) -> None:
    text = gxf(_lines("g", "t")) + "c\tx\tintron\t201\tx\t.\t+\t.\tParent=t\n"
    found = _read(tmp_path, text)
    assert shape(found) == {"g": {"t": WHOLE}}
    assert found.problem_counts == {"bad_coordinates": 1}


def test_lines_that_are_not_utf8_keep_their_numbers(tmp_path: Path) -> None:
    path = tmp_path / "a.gff3"
    text = gxf(_lines("g", "t")).encode() + b"c\tx\tgene\tM\xfcller\t9\t.\t+\t.\tID=M\xfc\xc3\xa9\n" + b"M\xfcller\n"
    path.write_bytes(text)
    found = read_annotation(path)
    assert [(f.code, f.line) for f in found.problems if f.code.startswith("bad")] == [
        ("bad_line", 8), ("bad_coordinates", 7),
    ]  # fmt: skip
    assert "Müller" in found.problems[0].detail


# -- a spreadsheet's quotes --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("whole", [False, True])
def test_quotes_of_a_spreadsheet(tmp_path: Path, whole: bool) -> None:
    """Around column 9, quotes inside doubled; or around the line."""
    for text, name in ((_lines("g", "t"), "a.gff3"), (_gtf("g", "t", nodes=True), "a.gtf")):
        rows = [row.split("\t") for row in gxf(text).splitlines()]
        quoted = ['"' + "\t".join(row).replace('"', '""') + '"' for row in rows] if whole else [
            "\t".join([*row[:8], '"' + row[8].replace('"', '""') + '"']) for row in rows
        ]  # fmt: skip
        found = _read(tmp_path, "\n".join(quoted) + "\n", name)
        assert shape(found) == {"g": {"t": WHOLE}}
        assert found.problem_counts == {"quotes_removed": len(rows)}


# -- other features ----------------------------------------------------------------------------------------------------


def test_features_of_other_kinds_are_no_genes(tmp_path: Path) -> None:
    kinds = ("LTR_retrotransposon", "source", "misc_feature", "tRNA", "helitron", "direct_repeat", "EST_match", "match")
    more = "".join(f"c x {kind} {i}1 {i}9 . + . ID=n{i};Name=n{i}\n" for i, kind in enumerate(kinds, start=60))
    more += "c x target_site_duplication 601 602 . + . ID=d;Parent=n60\nc x polypeptide_domain 160 170 . + . Parent=t\n"
    found = _read(tmp_path, _lines("g", "t") + more)
    assert shape(found) == {"g": {"t": WHOLE}}
    assert not found.problems


# -- CDS below the gene, exons below the mRNA --------------------------------------------------------------------------


def test_cds_of_the_gene_joins_the_one_transcript_that_can_hold_it(tmp_path: Path) -> None:
    text = _lines("g", "t").replace("0 Parent=t", "0 ID=c;Parent=g").replace("1 Parent=t", "1 ID=c;Parent=g")
    other = "c x lnc_RNA 101 400 . + . ID=n;Parent=g\nc x exon 101 400 . + . Parent=n\n"
    found = _read(tmp_path, text + other)
    assert shape(found)["g"]["t"] == WHOLE
    assert found.problem_counts == {"parts_joined": 1}


def test_cds_of_the_gene_that_two_transcripts_can_hold_is_rejected(tmp_path: Path) -> None:
    text = _lines("g", "t").replace("0 Parent=t", "0 Parent=g").replace("1 Parent=t", "1 Parent=g")
    twice = "c x mRNA 101 400 . + . ID=u;Parent=g\nc x exon 101 200 . + . Parent=u\nc x exon 301 400 . + . Parent=u\n"
    found = _read(tmp_path, text + twice)
    assert shape(found) == {"g": {}}
    assert [(f.code, f.detail) for f in found.problems] == [
        ("homeless_cds", "2 lines; 2 of its transcripts can hold them")
    ]
    bare = "".join(row + "\n" for row in (text + twice).splitlines() if " exon " not in row)
    assert _read(tmp_path, bare).problem_counts["homeless_cds"] == 1


# -- lines without parents ---------------------------------------------------------------------------------------------


def _without_parents(text: str, tag: str = "") -> str:
    """The text with a tag in place of Parent on all lines, the gene's with both."""
    rows = []
    for row in text.splitlines():
        fields = row.split(None, 8)
        attributes = dict(pair.split("=") for pair in fields[8].split(";"))
        attributes.pop("Parent", None)
        if tag:
            attributes[tag] = "x-g" if "g" in attributes.get("ID", "g") or "t" in attributes.get("ID", "") else "x"
        fields[8] = ";".join(f"{k}={v}" for k, v in attributes.items()) or "."
        rows.append(" ".join(fields))
    return "\n".join(rows) + "\n"


@pytest.mark.parametrize("tag", ["locus_tag", "gene_id", "protein_id", "name"])
@pytest.mark.parametrize("backwards", [False, True])
def test_lines_that_share_a_tag(tmp_path: Path, tag: str, backwards: bool) -> None:
    text = _without_parents(_lines("g", "t"), tag)
    found = _read(tmp_path, "\n".join(reversed(text.strip().split("\n"))) if backwards else text)
    assert shape(found) == {"g": {"t": WHOLE}}
    assert {(f.code, f.gene) for f in found.problems} == {("grouped_by_tag", "g")}


def test_a_tag_of_ones_own(tmp_path: Path) -> None:
    text = "\n".join(reversed(_without_parents(_lines("g", "t"), "cluster").strip().split("\n")))
    assert shape(_read(tmp_path, text)) != {"g": {"t": WHOLE}}
    assert shape(_read(tmp_path, text, tags=("cluster",))) == {"g": {"t": WHOLE}}


def test_parts_with_a_tag_and_nothing_above(tmp_path: Path) -> None:
    """Prokka-like: the gene and its transcript are made; two strands are two transcripts."""
    text = "c x CDS 101 190 . + 0 locus_tag=L1\nc x CDS 501 590 . - 0 ID=c2;locus_tag=L2\n"
    text += "c x CDS 301 390 . + 0 locus_tag=L1\n"
    found = _read(tmp_path, text)
    assert {g.id: [len(t.cds) for t in g.transcripts] for g in found.genes} == {"L1": [2], "L2": [1]}


def test_gtf_with_gene_id_alone_and_jgi_with_names(tmp_path: Path) -> None:
    text = _gtf("g", "t").replace(' transcript_id "t";', "")
    assert shape(_read(tmp_path, text, "a.gtf")) == {"g": {"g.t1": WHOLE}}
    jgi = _gtf("g", "t").replace('gene_id "g"; transcript_id "t";', 'name "fgenesh.1"; proteinId 12; exonNumber 1')
    assert shape(_read(tmp_path, jgi, "a.gff")) == {"fgenesh.1": {"fgenesh.1.t1": WHOLE}}


@pytest.mark.parametrize("strand", "+-")
def test_lines_by_order_alone(tmp_path: Path, strand: str) -> None:
    """Old MAKER: each part goes to the last transcript before it on its strand; the other strand may run between."""
    mine = _without_parents(_lines("g", "t", strand=strand)).splitlines()
    other = _without_parents(_lines("h", "u", strand="-" if strand == "+" else "+")).splitlines()
    mixed = [row for pair in zip(mine, other, strict=True) for row in pair]
    found = _read(tmp_path, "\n".join(mixed) + "\n" + _without_parents(_lines("k", "v", at=900)))
    assert shape(found) == {"g": {"t": WHOLE}, "h": {"u": WHOLE}, "k": {"v": _at(900)}}
    assert found.problem_counts == {"grouped_by_order": 6} or set(found.problem_counts) == {"grouped_by_order"}


def test_exonerate(tmp_path: Path) -> None:
    """Genes by order, all called 1, without transcripts, some lines without column 9."""
    rows = ""
    for at in (0, 900):
        head = "c\te\t{}\t{}\t{}\t.\t+\t.".format
        rows += head("gene", at + 101, at + 400) + "\tgene_id 1 ; sequence p ; gene_orientation +\n"
        for i, (low, high, first, last) in enumerate(((101, 200, 151, 200), (301, 400, 301, 350))):
            rows += head("cds", at + first, at + last) + ("\n" if i else "\t\n")
            rows += head("exon", at + low, at + high) + "\tinsertions 0 ; deletions 0\n"
            rows += head("intron", at + 201, at + 300) + "\tintron_id 1\n"
    found = _read(tmp_path, rows, "a.gff")
    assert [[(len(t.exons), t.cds_length) for t in g.transcripts] for g in found.genes] == [[(2, 100)], [(2, 100)]]


def test_a_file_that_names_its_parents_is_not_changed_by_order(tmp_path: Path) -> None:
    found = _read(tmp_path, _lines("g", "t") + "c x CDS 151 180 . + 0 Note=lost\nc x CDS 151 180 . + 0 locus_tag=g\n")
    assert shape(found)["g"] == {"t": WHOLE}
    assert found.problem_counts["orphan_part"] == 2


@pytest.mark.parametrize("case", [str.lower, str.upper])
def test_keys_in_other_letters(tmp_path: Path, case: object) -> None:
    text = _lines("g", "t") + _lines("h", "u", at=900)
    for key in ("ID", "Parent"):
        text = text.replace(f"{key}=", f"{case(key)}=")  # type: ignore[operator]
    assert shape(_read(tmp_path, text)) == {"g": {"t": WHOLE}, "h": {"u": _at(900)}}


def test_strands_in_numbers(tmp_path: Path) -> None:
    text = _lines("g", "t").replace(" + ", " 1 ") + _lines("h", "u", at=900, strand="-").replace(" - ", " -1 ")
    found = _read(tmp_path, text)
    assert [(g.id, g.strand, len(g.transcripts)) for g in found.genes] == [("g", "+", 1), ("h", "-", 1)]
    assert found.problem_counts == {"strand_number": 12}


# -- limits ------------------------------------------------------------------------------------------------------------


def test_limits_of_an_annotation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRANSGENIC_LIMITS", "line=2000,attribute=300,name=70")
    monkeypatch.setattr(lines, "_BLOCK", 512)
    for text, words in (
        ("c\tx\tgene\t1\t9\t.\t+\t.\tID=g;Note=" + "a" * 301 + "\n", "an attribute of"),
        ("c" * 71 + "\tx\tgene\t1\t9\t.\t+\t.\tID=g\n", "a sequence name of"),
        ("c\tx\tgene\t1\t9\t.\t+\t.\t" + "a=b;" * 600 + "\n", "a line of more than"),
    ):
        path = tmp_path / "a.gff3"
        path.write_bytes(gzip.compress(("##gff-version 3\n" + text).encode()))
        with pytest.raises(BadInputError, match=words) as caught:
            read_annotation(path)
        assert (caught.value.path, caught.value.line) == (str(path), 2)
        assert "TRANSGENIC_LIMITS=" in str(caught.value)
