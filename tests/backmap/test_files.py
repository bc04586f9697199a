"""What other programs make of tg-backmap's files, and what a run that fails leaves."""

from __future__ import annotations

import errno
import gzip
import itertools
from dataclasses import replace
from pathlib import Path
from typing import Any

import pysam
import pysam.bcftools
import pytest
from hypothesis import HealthCheck, given, settings

from tests.backmap.builders import gene_sets, make_gene, row_of, shards_of
from transgenic_tools.backmap.config import Config
from transgenic_tools.backmap.run import Result, run
from transgenic_tools.errors import BadInputError, InputOutputError, UsageError
from transgenic_tools.genome.gene import Gene
from transgenic_tools.io import exports
from transgenic_tools.io.gff3 import read_annotation
from transgenic_tools.io.gff3.writer import format_score

QUICK = settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def backmap(rows: list[Any], directory: Path, *, out: str = "out.gff3", **options: Any) -> Result:
    return run(Config(predictions=(shards_of(rows, directory / "shards"),), out=directory / out, **options))


def test_no_output_is_written_over_another_or_over_an_input(tmp_path: Path) -> None:
    rows = [row_of(make_gene("g", [(100, 200)]))]
    with pytest.raises(UsageError, match=r"--gtf .* would overwrite what --out writes"):
        backmap(rows, tmp_path, gtf=tmp_path / "out.gff3")
    shard = shards_of(rows, tmp_path / "shards")
    with pytest.raises(UsageError, match="would overwrite the input"):
        Config(predictions=(shard,), out=shard)
    with pytest.raises(UsageError, match="--rejects"):
        Config(predictions=(shard,), out=Path("/dev/stdout"))
    with pytest.raises(UsageError, match="--out names no file"):
        Config(predictions=(shard,), out=Path(""))
    with pytest.raises(UsageError, match="--gtf names no file"):
        Config(predictions=(shard,), out=tmp_path / "out.gff3", gtf=Path("."))


def test_the_genome_of_another_species_is_refused(tmp_path: Path) -> None:
    (tmp_path / "g.fa").write_text(">other\nACGT\n")
    with pytest.raises(BadInputError, match=r"none of the sequences of the predictions \(chr1\)"):
        backmap([row_of(make_gene("g", [(100, 200)]))], tmp_path, fasta=tmp_path / "g.fa")


def test_ids_with_line_ends_break_no_format(tmp_path: Path) -> None:
    """Shards of others may hold any ID."""
    gene_id = "a b\n\t\r\u2028>x"
    (tmp_path / "g.fa").write_text(">chr1\n" + "ACGTTGCA" * 100 + "\n")
    files = {name: tmp_path / f"o.{name}" for name in ("gtf", "bed", "proteins", "cds", "cdna")}
    backmap([row_of(make_gene(gene_id, [(100, 200), (300, 402)]))], tmp_path, fasta=tmp_path / "g.fa", **files)
    for name in ("out.gff3", "o.gtf"):
        (gene,) = read_annotation(tmp_path / name).genes
        assert gene.id == gene_id
    assert len((tmp_path / "o.bed").read_text().splitlines()) == 1
    for name in ("proteins", "cds", "cdna"):
        header, *bases = (tmp_path / f"o.{name}").read_text().splitlines()
        assert header.startswith(">a_b____>x.t1 gene=a b____>x ")
        assert all(line.isalpha() or "*" in line for line in bases)


def two_isoforms() -> Gene:
    """The more probable isoform starts further right, so that isoform by isoform is not by place."""
    right, left = make_gene("g", [(150, 200), (300, 390)]), make_gene("g", [(100, 200), (300, 400)])
    gene = replace(right, interval=left.interval, transcripts=(right.transcripts[0], left.transcripts[0]))
    return gene


def body(text: str) -> list[list[str]]:
    return [line.split("\t") for line in text.splitlines() if line and not line.startswith("#")]


def assert_sorted(lines: list[list[str]]) -> None:
    """By seqid and start, each seqid in one piece, and parents before their parts."""
    seqids = [key for key, _ in itertools.groupby(line[0] for line in lines)]
    assert len(seqids) == len(set(seqids))
    for one, other in itertools.pairwise(lines):
        assert one[0] != other[0] or int(one[3]) <= int(other[3])
    seen: set[str] = set()
    for line in lines:
        attributes = dict(pair.split("=", 1) for pair in line[8].split(";"))
        seen.add(attributes["ID"])
        assert attributes.get("Parent", line[8].split(";")[0][3:]) in seen


@QUICK
@given(genes=gene_sets())
def test_lines_are_sorted_and_read_back_the_same(genes: list[Gene], tmp_path_factory: pytest.TempPathFactory) -> None:
    directory = tmp_path_factory.mktemp("sorted")
    result = backmap([row_of(gene) for gene in genes], directory, gtf=directory / "o.gtf", bed=directory / "o.bed")
    assert_sorted(body(result.out.read_text()))
    gtf = [(line[0], int(line[3])) for line in body((directory / "o.gtf").read_text())]
    bed = [(line[0], int(line[1]), int(line[2])) for line in body((directory / "o.bed").read_text())]
    assert gtf == sorted(gtf)
    assert bed == sorted(bed)
    for path in (result.out, directory / "o.gtf"):
        found = {g.id: {t.structure() for t in g.transcripts} for g in read_annotation(path).genes}
        wanted = {g.id: {t.structure() for t in g.transcripts} for g in genes}
        if path.suffix == ".gff3":
            assert found == wanted
        assert found.keys() == wanted.keys()


def test_compressed_files_have_an_index_that_finds_every_line(tmp_path: Path) -> None:
    (tmp_path / "g.fa").write_text(f">chr1\n{'ACGT' * 500}\n>chr2\n{'ACGT' * 500}\n")
    genes = [two_isoforms(), make_gene("h", [(120, 180)]), make_gene("i", [(900, 960)], seqid="chr2")]
    result = backmap(
        [row_of(gene) for gene in genes], tmp_path, out="out.gff3.gz", fasta=tmp_path / "g.fa", index=True,
        gtf=tmp_path / "o.gtf.gz", bed=tmp_path / "o.bed.gz",
    )  # fmt: skip
    lines = body(gzip.decompress(result.out.read_bytes()).decode())
    with pysam.TabixFile(str(result.out)) as file:
        fetched = [list(row) for seqid in file.contigs for row in file.fetch(seqid, parser=pysam.asTuple())]
        inside = [row[2] for row in file.fetch("chr1", 119, 120, parser=pysam.asTuple())]
    assert fetched == lines
    assert inside == ["gene", "mRNA", "exon", "CDS"]  # of the first gene; the second starts a base later
    for name in ("o.gtf.gz", "o.bed.gz"):
        lines = body(gzip.decompress((tmp_path / name).read_bytes()).decode())
        with pysam.TabixFile(str(tmp_path / name)) as file:
            assert [line.split("\t") for line in file.fetch("chr2")] == [line for line in lines if line[0] == "chr2"]
    assert {path.name for path in tmp_path.iterdir()} >= {"out.gff3.gz.tbi", "o.gtf.gz.tbi", "o.bed.gz.tbi"}
    again = backmap([row_of(gene) for gene in genes], tmp_path / "again", out="out.gff3.gz", fasta=tmp_path / "g.fa")
    assert again.out.read_bytes() == result.out.read_bytes()


def test_long_or_unknown_sequences_get_the_newer_index(tmp_path: Path) -> None:
    backmap([row_of(make_gene("g", [(3 * 10**9 // 2, 3 * 10**9 // 2 + 90)]))], tmp_path, out="o.gff3.gz", index=True)
    with pysam.TabixFile(str(tmp_path / "o.gff3.gz"), index=str(tmp_path / "o.gff3.gz.csi")) as file:
        assert sum(1 for _ in file.fetch("chr1", 3 * 10**9 // 2)) == 4


def test_an_index_needs_a_compressed_name(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"o\.gff3 is not compressed"):
        Config(predictions=(tmp_path,), out=tmp_path / "o.gff3", index=True)


def test_bcftools_csq_names_consequences(tmp_path: Path) -> None:
    """A stop codon in the second codon of the gene: a gained stop for that transcript."""
    genome = list("ACGT" * 150)
    genome[100:190] = "ATGAAA" + "GCA" * 27 + "TAA"
    (tmp_path / "g.fa").write_text(">chr1\n" + "".join(genome) + "\n")
    pysam.faidx(str(tmp_path / "g.fa"))
    vcf = tmp_path / "v.vcf"
    vcf.write_text(
        "##fileformat=VCFv4.2\n##contig=<ID=chr1,length=600>\n"
        "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\nchr1\t104\t.\tA\tT\t.\t.\t.\n"
    )
    row = row_of(make_gene("g", [(100, 190)]))
    plain = backmap([row], tmp_path / "plain", fasta=tmp_path / "g.fa")
    result = backmap([row], tmp_path / "csq", fasta=tmp_path / "g.fa", csq_attributes=True)
    called = pysam.bcftools.csq("-f", str(tmp_path / "g.fa"), "-g", str(result.out), str(vcf), catch_stdout=True)
    assert "BCSQ=stop_gained|g|g.t1|protein_coding|+|2K>2*" in called.replace("gene:", "")
    assert "gene:" not in plain.out.read_text()


def test_files_appear_together_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    options = {"gtf": tmp_path / "o.gtf", "bed": tmp_path / "o.bed"}
    backmap([row_of(make_gene("old", [(100, 190)]))], tmp_path, **options)
    before = {path.name: path.read_bytes() for path in tmp_path.glob("o*.*")}
    assert len(before) == 4
    line = exports.bed12_line

    def full(transcript: Any) -> str:
        if transcript.id == "new.t1":
            raise OSError(errno.ENOSPC, "No space left on device")
        return line(transcript)

    monkeypatch.setattr(exports, "bed12_line", full)
    with pytest.raises(InputOutputError, match=r"o\.bed: cannot be written: No space"):
        backmap([row_of(make_gene("new", [(100, 190)])), row_of(make_gene("z", [(400, 490)]))], tmp_path, **options)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()} == before


def test_a_disk_that_is_full_when_a_file_is_closed_leaves_the_old_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    backmap([row_of(make_gene("old", [(100, 190)]))], tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.glob("o*.*")}
    monkeypatch.setattr("transgenic_tools.io.gff3.writer.AnnotationWriter.finish", _full)
    with pytest.raises(InputOutputError, match="cannot be written: No space"):
        backmap([row_of(make_gene("new", [(100, 190)]))], tmp_path)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()} == before


def _full(_: Any) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def test_ids_that_differ_in_blanks_alone_are_two_in_every_format(tmp_path: Path) -> None:
    (tmp_path / "g.fa").write_text(f">chr1\n{'ACGT' * 1000}\n")
    names = ["a b", "a_b", "a\tb", "x", "x.t1"]
    rows = [row_of(make_gene(name, [(100 + 500 * i, 190 + 500 * i)])) for i, name in enumerate(names)]
    backmap(rows, tmp_path, fasta=tmp_path / "g.fa", bed=tmp_path / "o.bed", proteins=tmp_path / "o.fa")
    lines = body((tmp_path / "out.gff3").read_text())
    ids = [line[8].split(";")[0] for line in lines if line[2] in ("gene", "mRNA")]
    assert len(set(ids)) == len(ids) == 10
    bed = [line[3] for line in body((tmp_path / "o.bed").read_text())]
    assert len(set(bed)) == 5
    fasta = [line.split()[0] for line in (tmp_path / "o.fa").read_text().splitlines() if line.startswith(">")]
    assert len(set(fasta)) == 5


@pytest.mark.parametrize("value", [float("inf"), float("-inf"), float("nan"), None])
def test_what_is_no_number_is_a_dot_in_column_six(value: float | None) -> None:
    assert format_score(value) == "."


# -- contig ends and loci without a strand -----------------------------------------------------------------------------


@pytest.mark.parametrize("strand", ["+", "-"])
def test_utr_beyond_the_contig_is_clipped_and_said(tmp_path: Path, strand: Any) -> None:
    (tmp_path / "g.fa").write_text(f">chr1\n{'ACGT' * 100}\n")
    gene = make_gene("g", [(300, 340), (360, 395), (410, 430)], cds=[(310, 340), (360, 390)], strand=strand)
    scores = ((0.5, 0.25, 0.75),)
    result = backmap([row_of(gene, exon_scores=scores)], tmp_path, fasta=tmp_path / "g.fa", sites=tmp_path / "o.bw")
    (found,) = read_annotation(result.out).genes
    assert [(e.start, e.end) for e in found.transcripts[0].exons] == [(300, 340), (360, 395)]
    assert found.transcripts[0].cds == gene.transcripts[0].cds
    assert found.attributes["flags"] == ("clipped_at_contig_end",)
    assert result.rejects == {}


def test_utr_before_the_first_base_is_clipped(tmp_path: Path) -> None:
    gene = make_gene("g", [(60, 160)], cds=[(90, 150)])
    row = row_of(gene)
    moved = replace(row, window_start=row.window_start - 80, window_end=row.window_end - 80)
    (found,) = read_annotation(backmap([moved], tmp_path).out).genes
    assert [(e.start, e.end) for e in found.transcripts[0].exons] == [(0, 80)]
    assert [(c.start, c.end) for c in found.transcripts[0].cds] == [(10, 70)]


def test_a_transcript_beyond_the_contig_costs_itself_alone(tmp_path: Path) -> None:
    (tmp_path / "g.fa").write_text(f">chr1\n{'ACGT' * 100}\n")
    inside, beyond = make_gene("g", [(300, 390)]), make_gene("g", [(300, 340), (380, 430)])
    both = replace(beyond, transcripts=(beyond.transcripts[0], inside.transcripts[0]))
    result = backmap([row_of(both)], tmp_path, fasta=tmp_path / "g.fa")
    (found,) = read_annotation(result.out).genes
    assert [t.cds for t in found.transcripts] == [inside.transcripts[0].cds]
    lines = [line.split("\t") for line in result.rejects_path.read_text().splitlines()]
    assert lines[1][:2] == ["g", "outside_contig"]
    assert lines[1][3] == "transcript_rejected"


def strandless(name: str, start: int, plus: float | None, minus: float | None) -> list[Any]:
    rows = []
    for ending, strand, confidence in (("_plus", "+", plus), ("_minus", "-", minus)):
        gene = make_gene(name + ending, [(start, start + 90)], strand=strand)  # type: ignore[arg-type]
        row = row_of(gene, left=50 if strand == "+" else 80, flags=("strand_unknown",), confidence=confidence)
        rows.append(row if confidence is not None else replace(row, gsf=None, scores=()))
    return rows


@pytest.mark.parametrize("count", [1, 3])
def test_of_a_locus_without_a_strand_the_more_probable_one_stays(tmp_path: Path, count: int) -> None:
    rows = [
        *strandless("a", 100, 0.75, 0.5), *strandless("b", 400, 0.25, 0.5), *strandless("c", 700, 0.5, 0.5),
        *strandless("d", 1000, None, 0.125), row_of(make_gene("e_minus", [(1300, 1390)], strand="-"), confidence=0.0),
    ]  # fmt: skip
    shards = shards_of(rows[::-1], tmp_path / "shards", count=count)
    result = run(Config(predictions=(shards,), out=tmp_path / "o.gff3"))
    assert [gene.id for gene in read_annotation(result.out).genes] == [
        "a_plus",
        "b_minus",
        "c_plus",
        "d_minus",
        "e_minus",
    ]
    assert result.rejects == {"no_prediction": 1, "other_strand": 3}
    assert "a_minus\tother_strand\t0.5000 on -, 0.7500 on +\trejected" in result.rejects_path.read_text()
    both = run(Config(predictions=(shards,), out=tmp_path / "both.gff3", both_strands=True))
    assert (both.genes, both.rejects) == (8, {"no_prediction": 1})
