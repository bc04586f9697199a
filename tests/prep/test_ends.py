"""Genes at contig ends, loci without a strand, regions that are no loci."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from transgenic_tools.errors import BadInputError
from transgenic_tools.io.shards import read_shard
from transgenic_tools.prep.config import Config
from transgenic_tools.prep.run import run

LENGTH = 2000


def prepare(directory: Path, *, bed: str = "", gff3: str = "", length: int = LENGTH) -> None:
    fasta = directory / "g.fa"
    fasta.write_text(f">chr1\n{'ACGTC' * (length // 5)}\n")
    path = directory / ("in.bed" if bed else "in.gff3")
    path.write_text(bed or gff3)
    where = {"regions": path} if bed else {"annotation": path}
    run(Config(fasta=fasta, outdir=directory / "out", **where))  # type: ignore[arg-type]


def rejects(directory: Path) -> dict[tuple[str, str], str]:
    lines = [line.split("\t") for line in (directory / "out" / "rejects.tsv").read_text().splitlines()]
    return {(gene, reason): action for gene, reason, _, action in lines[1:]}


def test_a_region_past_the_end_is_cut_and_one_beyond_it_rejected(tmp_path: Path) -> None:
    prepare(tmp_path, bed="chr1\t1500\t2010\tover\t0\t+\nchr1\t2005\t2100\tbeyond\t0\t+\n")
    (row,) = read_shard(tmp_path / "out")
    assert (row.gene_id, row.start, row.end) == ("over", 1500, LENGTH)
    assert "clipped_at_contig_end" in row.flags
    assert len(row.sequence) == row.bases
    assert rejects(tmp_path) == {("over", "clipped_at_contig_end"): "mended", ("beyond", "past_contig_end"): "rejected"}


Part = tuple[int, int]


def gene_lines(name: str, gene: Part, exons: list[Part], cds: list[Part]) -> str:
    rows = [("gene", gene, f"ID={name}"), ("mRNA", (exons[0][0], exons[-1][1]), f"ID={name}.1;Parent={name}")]
    rows += [("exon", part, f"Parent={name}.1") for part in exons] + [("CDS", part, f"Parent={name}.1") for part in cds]
    return "".join(
        f"chr1\tx\t{kind}\t{start}\t{end}\t.\t+\t{0 if kind == 'CDS' else '.'}\t{attributes}\n"
        for kind, (start, end), attributes in rows
    )


GOOD = "##gff-version 3\n" + gene_lines("h", (101, 190), [(101, 190)], [(101, 190)])


@pytest.mark.parametrize(
    ("exons", "end"),
    [([(1501, 1900)], 1900), ([(1501, 1900), (1950, 2010)], 2000), ([(1501, 1900), (2010, 2050)], 1900)],
)
def test_utr_past_the_end_is_cut_from_an_annotation(tmp_path: Path, exons: list[Part], end: int) -> None:
    prepare(tmp_path, gff3=GOOD + gene_lines("g", (1501, 2050), exons, [(1601, 1690)]))
    _, row = read_shard(tmp_path / "out")
    assert (row.start, row.end) == (1500, LENGTH)
    (transcript,) = row.transcripts()
    assert transcript.interval.end == end
    assert [(part.start, part.end) for part in transcript.cds] == [(1600, 1690)]
    assert rejects(tmp_path)["g", "clipped_at_contig_end"] == "mended"


def test_coding_bases_past_the_end_cost_the_gene(tmp_path: Path) -> None:
    prepare(tmp_path, gff3=GOOD + gene_lines("g", (1501, 2010), [(1501, 2010)], [(1921, 2010)]))
    assert [row.gene_id for row in read_shard(tmp_path / "out")] == ["h"]
    assert rejects(tmp_path)["g", "past_contig_end"] == "rejected"


def test_a_locus_without_a_strand_says_so_on_both(tmp_path: Path) -> None:
    prepare(tmp_path, bed="chr1\t100\t400\ta\nchr1\t500\t900\tb\n")
    rows = list(read_shard(tmp_path / "out"))
    assert [(row.gene_id, row.strand) for row in rows] == [
        ("a_plus", "+"), ("a_minus", "-"), ("b_plus", "+"), ("b_minus", "-"),
    ]  # fmt: skip
    assert all("strand_unknown" in row.flags for row in rows)
    assert rejects(tmp_path) == {}


def test_regions_that_hold_no_single_gene_are_warned_of(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        prepare(tmp_path, bed="chr1\t0\t200000\tall\t0\t+\nchr1\t100\t900\tgene\t0\t+\n", length=200_000)
    flags = {row.gene_id: row.flags for row in read_shard(tmp_path / "out")}
    assert flags == {"all": ("odd_region",), "gene": ()}
    assert "1 regions look like no single locus (all: 200000 bases of 200000)" in caplog.text


def test_nothing_is_left_where_all_lies_beyond(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match="past_contig_end"):
        prepare(tmp_path, bed="chr1\t2005\t2100\tbeyond\t0\t+\n")
