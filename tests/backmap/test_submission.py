"""What archives want: checks, locus tags, open ends, the feature table as NCBI's own program reads it; names."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.backmap.builders import make_gene, row_of, shards_of
from transgenic_tools.backmap.config import Config
from transgenic_tools.backmap.run import Result, run
from transgenic_tools.errors import UsageError
from transgenic_tools.genome.gene import Gene
from transgenic_tools.genome.interval import Interval, Strand
from transgenic_tools.genome.sequence import reverse_complement
from transgenic_tools.io.gff3 import read_annotation
from transgenic_tools.io.rejects import read_rejects

#: 90 coding bases; an intron of 60 after the 30th; and, 5' to 3', what makes them a gene.
CODING = "ATGAAA" + "GCATCT" * 13 + "GCATAA"
INTRON = "GTAAGT" + "TCTTTA" * 8 + "TTGCAG"


def sequence_of(coding: str = CODING, intron: str = INTRON) -> str:
    return coding[:30] + intron + coding[30:]


class World:
    """A genome of genes, laid one after the other, and their predictions."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.bases, self.genes = folder, "ACTTGACCTA" * 10, list[Gene]()

    def add(self, name: str, coding: str = CODING, intron: str = INTRON, strand: Strand = "+") -> Gene:
        text = sequence_of(coding, intron)
        start = len(self.bases)
        self.bases += (text if strand == "+" else reverse_complement(text)) + "ACTTGACCTA" * 10
        cut = 30 if strand == "+" else len(coding) - 30
        parts = [(start, start + cut), (start + cut + len(intron), start + len(text))]
        self.genes.append(make_gene(name, parts, strand=strand))
        return self.genes[-1]

    def backmap(self, **options: Any) -> Result:
        fasta = self.folder / "g.fsa"
        fasta.write_text(f">chr1\n{self.bases}\n")
        rows = [row_of(gene, left=0, right=0) for gene in self.genes]
        shards = shards_of(rows, self.folder / "shards")
        given = {"fasta": fasta, "submission": "TGT", **options}
        return run(Config(predictions=(shards,), out=self.folder / "g.gff3", **given))

    def lines(self, kind: str) -> list[dict[str, str]]:
        rows = [line.split("\t") for line in (self.folder / "g.gff3").read_text().splitlines() if line[0] != "#"]
        return [
            {"start": row[3], "end": row[4], **dict(pair.split("=", 1) for pair in row[8].split(";"))}
            for row in rows
            if row[2] == kind
        ]


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def codes(path: Path) -> list[tuple[str, str, str]]:
    return [(reject.gene, reject.reason, reject.action) for reject in read_rejects(path)]


def test_locus_tags_products_and_ids(world: World) -> None:
    world.add("a")
    world.add("b", strand="-")
    result = world.backmap()
    assert [line["locus_tag"] for line in world.lines("gene")] == ["TGT_000010", "TGT_000020"]
    assert {line["product"] for line in world.lines("CDS")} == {"hypothetical protein"}
    assert [line["protein_id"] for line in world.lines("mRNA")] == ["gnl|TGT|TGT_000010.t1", "gnl|TGT|TGT_000020.t1"]
    assert all(line["transcript_id"] == f"{line['protein_id']}.mrna" for line in world.lines("CDS"))
    assert not any("partial" in line for kind in ("gene", "mRNA", "CDS") for line in world.lines(kind))
    table = (world.folder / "g.tbl").read_text().splitlines()
    assert table[0] == ">Feature chr1"
    assert [line for line in table if line.endswith("\tCDS")] == ["101\t130\tCDS", "500\t471\tCDS"]
    assert codes(world.folder / "g.submission.tsv") == []
    assert world.folder / "g.tbl" in result.files


def test_what_archives_refuse_is_left_out_with_its_reason(world: World) -> None:
    world.add("good")
    world.add("short", intron="GTAAAAAAG")
    world.add("stop", coding=CODING.replace("GCATCT", "TAATCT", 1))
    result = world.backmap()
    assert [gene.id for gene in read_annotation(result.out).genes] == ["good"]
    assert codes(result.rejects_path) == [
        ("short", "refused_intron", "rejected"), ("stop", "refused_stop", "rejected")
    ]  # fmt: skip
    assert codes(world.folder / "g.submission.tsv") == codes(result.rejects_path)
    assert "short" not in (world.folder / "g.tbl").read_text()


def test_a_gene_that_loses_a_transcript_shrinks_and_the_file_stays_sorted(world: World) -> None:
    """The gene would start left of the other one; without the lost transcript it starts right of it."""
    first, second = world.add("a"), world.add("b")
    begin = first.interval.start
    exons = (Interval(begin - 20, begin - 9), *first.transcripts[0].exons)
    lost = replace(first.transcripts[0], id="lost", exons=exons)
    whole = Interval(begin - 20, second.interval.end)
    world.genes = [replace(second, id="wide", interval=whole, transcripts=(lost, *second.transcripts)), first]
    result = world.backmap()
    found = [(gene.id, gene.interval.start) for gene in read_annotation(result.out).genes]
    assert found == [("a", begin), ("wide", second.interval.start)]
    assert codes(result.rejects_path) == [("wide", "refused_intron", "transcript_rejected")]


@pytest.mark.parametrize("strand", ["+", "-"])
def test_open_ends_are_marked_on_cds_transcript_and_gene(strand: Strand, world: World) -> None:
    gene = world.add("a", coding="GCA" + CODING[3:], strand=strand)
    world.backmap()
    place = str(gene.interval.start + 1 if strand == "+" else gene.interval.end)
    key, value = ("start_range", f".,{place}") if strand == "+" else ("end_range", f"{place},.")
    for kind in ("gene", "mRNA"):
        assert [(line["partial"], line.get(key)) for line in world.lines(kind)] == [("true", value)]
    # The line that has the end says so, all lines say that the CDS is partial.
    assert sorted(line.get(key, "") for line in world.lines("CDS")) == ["", value]
    assert all(line["partial"] == "true" for line in world.lines("CDS"))
    table = (world.folder / "g.tbl").read_text()
    assert f"<{place}\t" in table
    assert ">" not in table.removeprefix(">Feature")
    assert codes(world.folder / "g.submission.tsv") == [("a", "open_start", "flagged"), ("a", "open_inside", "flagged")]
    assert codes(world.folder / "g.rejects.tsv") == []


def test_an_open_end_at_a_gap_or_an_end_of_the_sequence_is_expected(world: World) -> None:
    world.bases = ""
    world.add("first", coding="GCA" + CODING[3:])
    last = world.add("last", coding=CODING[:-3] + "GCA")
    world.bases = world.bases[: last.interval.end] + "N" * 50
    world.backmap()
    assert [code for _, code, _ in codes(world.folder / "g.submission.tsv")] == ["open_start", "open_stop"]


def test_names_products_and_references_are_carried_over(world: World) -> None:
    gene = world.add("a")
    part = gene.transcripts[0].exons
    new = replace(gene.transcripts[0], exons=(part[0], Interval(part[1].start + 6, part[1].end)))
    world.genes[0] = replace(gene, transcripts=(gene.transcripts[0], replace(new, cds=new.exons, id="n")))
    place = f"{gene.interval.start + 1}\t{gene.interval.end}\t.\t+\t."
    text = [f"chr1\tx\tgene\t{place}\tID=a;Name=ABC1;locus_tag=TGT_000017;Dbxref=GeneID:7"]
    product = "product=kinase%2C transcript variant 2"
    text += [f"chr1\tx\tmRNA\t{place}\tID=t;Parent=a;Name=NM_1;{product};Dbxref=GenBank:NM_1"]
    text += [f"chr1\tx\tCDS\t{e.start + 1}\t{e.end}\t.\t+\t0\tID=c;Parent=t" for e in part]
    (world.folder / "names.gff3").write_text("\n".join(text) + "\n")
    world.backmap(names=world.folder / "names.gff3")
    [line] = world.lines("gene")
    assert (line["Name"], line["Dbxref"], line["locus_tag"]) == ("ABC1", "GeneID:7", "TGT_000017")
    same, fresh = world.lines("mRNA")
    assert (same["Name"], same["Dbxref"]) == ("NM_1", "GenBank:NM_1")
    assert same["product"] == fresh["product"] == "kinase%2C transcript variant 2"
    assert "Dbxref" not in fresh
    assert "Name" not in fresh
    assert {line["product"] for line in world.lines("CDS")} == {"kinase"}


def test_without_the_flags_nothing_changes(world: World) -> None:
    world.add("a")
    result = world.backmap(submission=None)
    text = result.out.read_text()
    assert "locus_tag" not in text
    assert "submission" not in text
    assert not (world.folder / "g.tbl").exists()


@pytest.mark.skipif(shutil.which("tbl2asn") is None, reason="Debian's ncbi-tools-bin is not installed")
def test_the_archives_own_program_finds_no_fault(world: World) -> None:
    """NCBI's validator, by Debian's tbl2asn: no error, all proteins; open ends at the sequence's end are fine too."""
    world.bases = ""
    world.add("open", coding="GCA" + CODING[3:])
    world.add("a")
    world.add("b", strand="-")
    world.add("short", intron="GTAAAAAAG")
    world.backmap()
    done = subprocess.run(
        ["tbl2asn", "-i", "g.fsa", "-V", "vb", "-a", "s", "-j", "[organism=Arabidopsis thaliana]"],
        cwd=world.folder, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "ERROR" not in (world.folder / "g.val").read_text()
    assert "REJECT" not in (world.folder / "g.val").read_text()
    proteins = (world.folder / "g.gbf").read_text()
    assert proteins.count("/translation=") == 3
    assert "mRNA            join(<1..30,91..150)" in proteins
    assert 'locus_tag="TGT_000030"' in proteins


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"fasta": None}, "needs the genome"),
        ({"submission": "1AB"}, "no prefix of locus tags"),
        ({"csq_attributes": True}, "different IDs"),
        ({"into": Path("u.gff3")}, "keeps your lines"),
    ],
)
def test_what_cannot_go_together(options: dict[str, Any], said: str, world: World) -> None:
    with pytest.raises(UsageError, match=said):
        world.backmap(**options)
