"""The writer: what it writes is read back, escaped, ordered and whole."""

from __future__ import annotations

import gzip
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.backmap.builders import TEST, gene_sets, make_gene
from transgenic_tools.genome.gene import Gene
from transgenic_tools.genome.interval import Interval
from transgenic_tools.io.exports import bed12_line, spliced_record
from transgenic_tools.io.gff3 import read_annotation, write_genes
from transgenic_tools.io.gff3.attributes import parse_gff3
from transgenic_tools.io.gff3.writer import escape_attribute, gene_lines, gff3_writer, gtf_lines, sort_key

QUICK = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def _content(genes: list[Gene] | tuple[Gene, ...]) -> dict[str, tuple[object, ...]]:
    return {
        g.id: (g.seqid, g.strand, g.interval, sorted((t.structure(), t.first_phase) for t in g.transcripts))
        for g in genes
    }


def _named(genes: list[Gene]) -> list[Gene]:
    return [
        replace(g, transcripts=tuple(replace(t, id=f"{g.id}.t{n}") for n, t in enumerate(g.transcripts))) for g in genes
    ]


@QUICK
@given(drawn=gene_sets())
def test_gff3_written_and_read_is_the_same(drawn: list[Gene], tmp_path: Path) -> None:
    genes = _named(drawn)
    path = tmp_path / "out.gff3"
    assert write_genes(path, genes, provenance=TEST, sequence_regions={"chr1": 9000, "chr2": 9000}) == len(genes)
    if genes:
        assert _content(read_annotation(path).genes) == _content(genes)
        assert read_annotation(path).problem_counts == {}
    starts = [line.split("\t")[:4] for line in path.read_text().splitlines() if "\tgene\t" in line]
    assert [(c[0], int(c[3])) for c in starts] == sorted((c[0], int(c[3])) for c in starts)


@QUICK
@given(drawn=gene_sets())
def test_gtf_spliced_coding_length_is_that_of_gff3_without_stop(drawn: list[Gene]) -> None:
    for gene in _named(drawn):
        for kind, expected in _expected_gtf_bases(gene).items():
            found = [line.split("\t") for line in gtf_lines(gene) if line.split("\t")[2] == kind]
            assert sum(int(c[4]) - int(c[3]) + 1 for c in found) == expected


def _expected_gtf_bases(gene: Gene) -> dict[str, int]:
    coding = stops = 0
    for transcript in gene.transcripts:
        whole = transcript.cds_length
        stop = 3 if whole > 3 and (whole - transcript.first_phase) % 3 == 0 else 0
        coding, stops = coding + whole - stop, stops + stop
    return {"CDS": coding, "stop_codon": stops}


@given(st.text(max_size=30).map(str.rstrip))
def test_escaped_attribute_reads_back(text: str) -> None:
    escaped = escape_attribute(text)
    assert not set(escaped) & set(";=&,\t\n\r")
    assert parse_gff3(f"Note={escaped}") == {"Note": (text,)}


@pytest.mark.parametrize(
    ("gene_id", "seqid", "column_one", "id_text"),
    [
        ("a;b=c,d&e", "chr1", "chr1", "a%3Bb%3Dc%2Cd%26e"),
        ("gene 1", ">odd seqid", "%3Eodd%20seqid", "gene 1"),
        ("100%", "a\tb", "a%09b", "100%25"),
        ("été", "chr|1", "chr|1", "été"),
    ],
)
def test_escapes(gene_id: str, seqid: str, column_one: str, id_text: str) -> None:
    columns = gene_lines(make_gene(gene_id, [(0, 9)], seqid=seqid))[0].split("\t")
    assert (columns[0], columns[8]) == (column_one, f"ID={id_text}")
    assert len(columns) == 9


def test_exons_are_numbered_along_the_transcript() -> None:
    minus = make_gene("g", [(0, 9), (20, 30)], strand="-")
    exons = [line for line in gene_lines(minus) if "\texon\t" in line]
    assert [line.split("ID=")[1].split(";")[0] for line in exons] == ["g.x.exon2", "g.x.exon1"]


def test_lines_agree_by_hand() -> None:
    gene = make_gene("g", [(100, 200), (300, 400)], [(150, 200), (300, 331)])
    assert [line.split("\t")[2:8] for line in gene_lines(gene)] == [
        ["gene", "101", "400", ".", "+", "."],
        ["mRNA", "101", "400", ".", "+", "."],
        ["exon", "101", "200", ".", "+", "."],
        ["five_prime_UTR", "101", "150", ".", "+", "."],
        ["CDS", "151", "200", ".", "+", "0"],
        ["exon", "301", "400", ".", "+", "."],
        ["CDS", "301", "331", ".", "+", "1"],
        ["three_prime_UTR", "332", "400", ".", "+", "."],
    ]


def test_genes_out_of_order_are_refused_and_leave_no_file(tmp_path: Path) -> None:
    path = tmp_path / "out.gff3"
    right, left = make_gene("b", [(500, 509)]), make_gene("a", [(100, 109)])

    def write_both() -> None:
        with gff3_writer(path, provenance=TEST) as writer:
            writer.write(right)
            writer.write(left)

    with pytest.raises(ValueError, match="must be sorted"):
        write_both()
    assert list(tmp_path.iterdir()) == []


def test_gene_past_its_seqid_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="past chr1 of 105 bases"):
        write_genes(
            tmp_path / "x.gff3", [make_gene("a", [(100, 109)])], provenance=TEST, sequence_regions={"chr1": 105}
        )


def test_compressed_output_has_no_time_stamp(tmp_path: Path) -> None:
    paths = [tmp_path / "a.gff3.gz", tmp_path / "b.gff3.gz"]
    for path in paths:
        write_genes(path, [make_gene("a", [(100, 109)])], provenance=TEST)
    assert paths[0].read_bytes() == paths[1].read_bytes()
    assert gzip.decompress(paths[0].read_bytes()).startswith(b"##gff-version 3\n# provenance {")


def test_sort_key_puts_left_before_right() -> None:
    genes = [make_gene("b", [(5, 9)]), make_gene("a", [(5, 9)]), make_gene("c", [(5, 8)]), make_gene("d", [(0, 3)])]
    assert [gene.id for gene in sorted(genes, key=sort_key)] == ["d", "c", "a", "b"]


def test_bed12_by_hand() -> None:
    gene = make_gene("g", [(100, 200), (300, 400)], [(150, 200), (300, 331)], strand="-")
    assert bed12_line(gene.transcripts[0]) == "chr1\t100\t400\tg.x\t0\t-\t150\t331\t0\t2\t100,100\t0,200"


def test_sequences_by_hand() -> None:
    genome = "AA" + "ATGGC" + "GTTTAG" + "ATAA" + "CC"

    def fetch(_: str, start: int, end: int) -> str:
        return genome[start:end]

    transcript = make_gene("g", [(2, 7), (13, 17)]).transcripts[0]
    assert transcript.exons == (Interval(2, 7), Interval(13, 17))
    assert spliced_record(transcript, fetch, "cds") == "ATGGCATAA"
    assert spliced_record(transcript, fetch, "protein") == "MA"
    assert spliced_record(transcript, fetch, "cdna") == "ATGGCATAA"


def test_scores_are_read_back(tmp_path: Path) -> None:
    gene = make_gene("g", [(100, 200), (300, 400)], strand="-")
    scored = replace(gene.transcripts[0], score=0.75, exon_scores=(0.25, 0.5))
    write_genes(tmp_path / "x.gff3", [replace(gene, transcripts=(scored,), score=0.625)], provenance=TEST)
    (read,) = read_annotation(tmp_path / "x.gff3").genes
    assert (read.score, read.transcripts[0].score, read.transcripts[0].exon_scores) == (0.625, 0.75, (0.25, 0.5))
