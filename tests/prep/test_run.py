"""tg-prep genes on a small genome: what is kept, mended, filtered, rejected, and that bytes depend on inputs alone."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from tests.io.gxf import gxf
from transgenic_tools.cli.prep import app
from transgenic_tools.errors import BadInputError, MissingInputError, UsageError
from transgenic_tools.genome.checks import RULE_BY_CODE
from transgenic_tools.genome.sequence import reverse_complement
from transgenic_tools.io.shards import read_shard
from transgenic_tools.prep.config import Config, FilterConfig, WindowConfig
from transgenic_tools.prep.run import Result, run

INTRON = "GT" + "C" * 26 + "AG"
#: Gene at 50: start codon, intron, two codons, stop; the same on the other strand at 150.
CODING = "ATG" + INTRON + "AAACCCTAA"
CHR1 = "C" * 50 + CODING + "C" * (100 - len(CODING)) + reverse_complement(CODING) + "C" * 60

GOOD = f"""
##gff-version 3
chr1 x gene 51 {50 + len(CODING)} . + . ID=g1
chr1 x mRNA 51 {50 + len(CODING)} . + . ID=g1.1;Parent=g1
chr1 x CDS 51 53 . + 0 Parent=g1.1
chr1 x CDS 84 {50 + len(CODING)} . + 0 Parent=g1.1
chr1 x gene 151 {150 + len(CODING)} . - . ID=g2
chr1 x mRNA 151 {150 + len(CODING)} . - . ID=g2.1;Parent=g2
chr1 x CDS 151 159 . - 0 Parent=g2.1
chr1 x CDS 190 {150 + len(CODING)} . - 0 Parent=g2.1
"""


@pytest.fixture
def fasta(tmp_path: Path) -> Path:
    path = tmp_path / "g.fa"
    path.write_text(f">chr1 first\n{CHR1.lower()}\n>chr2\n{CHR1}\n")
    return path


def _prep(
    tmp_path: Path, fasta: Path, text: str, *, out: str = "out", name: str = "a.gff3", **settings: object
) -> Result:
    path = tmp_path / name
    path.write_text(gxf(text))
    return run(Config(fasta=fasta, annotation=path, outdir=tmp_path / out, **settings))  # type: ignore[arg-type]


def _rejects(tmp_path: Path) -> list[list[str]]:
    lines = (tmp_path / "out" / "rejects.tsv").read_text().splitlines()
    assert lines[0].split("\t") == ["gene", "reason", "detail", "action"]
    return [line.split("\t") for line in lines[1:]]


def test_all_files_appear_together_or_none(tmp_path: Path, fasta: Path) -> None:
    _prep(tmp_path, fasta, GOOD)
    (tmp_path / "out" / "prep.json").unlink()
    (tmp_path / "out" / "prep.json").mkdir()
    before = {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir() if path.is_file()}
    with pytest.raises(IsADirectoryError):
        _prep(tmp_path, fasta, GOOD.replace("g1", "other"))
    assert {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir() if path.is_file()} == before


def test_a_block_on_a_sequence_that_is_not_there_is_said(
    tmp_path: Path, fasta: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """One rule may serve several genomes, so it is no error."""
    with caplog.at_level("WARNING"):
        _prep(tmp_path, fasta, GOOD, split="block:nowhere:5:10")
    assert "has no such sequence, so all of its genes train" in caplog.text


def test_both_strands_read_the_same(tmp_path: Path, fasta: Path) -> None:
    result = _prep(tmp_path, fasta, GOOD, window=WindowConfig(upstream=10, downstream=5))
    plus, minus = read_shard(tmp_path / "out")
    assert plus.sequence == "C" * 10 + CODING + "C" * 5
    assert minus.sequence == "G" * 10 + CODING + "G" * 5
    assert plus.gsf == f"10|CDS1|13|+|A;43|CDS2|{10 + len(CODING)}|+|A>CDS1|CDS2"
    assert minus.gsf == (plus.gsf or "").replace("+", "-")
    assert (plus.primary_transcript, plus.n_transcripts, plus.flags) == ("g1.1", 1, ("exons_made",))
    assert (result.genes, result.transcripts, result.read) == (2, 2, 2)
    assert result.counts["mended"] == {"exons_made": 2}


def test_every_action_is_counted_and_listed(tmp_path: Path, fasta: Path) -> None:
    text = GOOD + (
        """
        chr1 x gene 1 9 . + . ID=bare;gene_biotype=lncRNA
        chr1 x pseudogene 10 20 . + . ID=pseudo
        chr1 x CDS 10 20 . + 0 Parent=pseudo
        chr1 x gene 200 900 . + . ID=past
        chr1 x CDS 200 900 . + 0 Parent=past
        chr9 x gene 1 9 . + . ID=nowhere
        chr9 x CDS 1 9 . + 0 Parent=nowhere
        chr1 x gene 21 40 . + . ID=both
        chr1 x CDS 21 30 . + 0 Parent=both
        chr1 x CDS 35 40 . - 0 Parent=both
        chr1 x mRNA 51 98 . + . ID=g1.2;Parent=g1
        chr1 x exon 51 98 . + . Parent=g1.2
        chr1 x CDS 51 59 . + 0 Parent=g1.2
        chr1 x mRNA 51 98 . + . ID=g1.3;Parent=g1
        chr1 x exon 51 98 . + . Parent=g1.3
        chr1 x CDS 51 59 . + 0 Parent=g1.3
        chr1 x lnc_RNA 51 98 . + . ID=g1.4;Parent=g1
        chr1 x exon 51 98 . + . Parent=g1.4
        """
    )
    result = _prep(tmp_path, fasta, text)
    assert result.counts["rejected"] == {"unknown_seqid": 1, "past_contig_end": 1, "all_transcripts_rejected": 1}
    assert result.counts["filtered"] == {"no_cds": 1, "pseudogene": 1}
    assert result.counts["transcript_filtered"] == {"noncoding_transcript": 1, "same_structure": 1}
    assert result.counts["transcript_rejected"] == {"mixed_strands": 1}
    assert result.counts["flagged"]["no_stop"] == 1
    listed = {(gene, reason): action for gene, reason, _, action in _rejects(tmp_path)}
    assert listed["past", "past_contig_end"] == "rejected"
    assert listed["bare", "no_cds"] == "filtered"
    assert all(RULE_BY_CODE[reason].action == action for (_, reason), action in listed.items())
    summary = json.loads((tmp_path / "out" / "prep.json").read_text())
    assert (summary["genes"], summary["genes_read"], summary["rejected"]) == (2, 7, result.counts["rejected"])


@pytest.mark.parametrize("threads", [2, 3])
def test_bytes_do_not_depend_on_workers(
    tmp_path: Path, fasta: Path, threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("transgenic_tools.prep.source.CHUNK", 1)
    settings = {"window": WindowConfig(jitter=(5, 40), seed=3), "shard_bases": 150, "split": "fraction", "folds": 3}
    _prep(tmp_path, fasta, GOOD, out="one", **settings)
    _prep(tmp_path, fasta, GOOD, out="many", threads=threads, **settings)
    names = sorted(path.name for path in (tmp_path / "one").iterdir())
    assert names == ["genes-00000.parquet", "genes-00001.parquet", "prep.json", "rejects.tsv"]
    for name in names:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "many" / name).read_bytes()


def test_jittered_windows_hold_the_gene_at_any_shard_size(tmp_path: Path, fasta: Path) -> None:
    _prep(tmp_path, fasta, GOOD, out="a", window=WindowConfig(jitter=(5, 40)))
    _prep(tmp_path, fasta, GOOD, out="b", window=WindowConfig(jitter=(5, 40)), shard_bases=1)
    one, other = list(read_shard(tmp_path / "a")), list(read_shard(tmp_path / "b"))
    assert one == other
    for row in one:
        left, right = row.start - row.window_start, row.window_end - row.end
        assert 5 <= left <= 40
        assert 5 <= right <= 40
    assert len({(r.start - r.window_start, r.window_end - r.end) for r in one}) == 2


def test_contig_ends(tmp_path: Path, fasta: Path) -> None:
    _prep(tmp_path, fasta, GOOD, window=WindowConfig(upstream=60, downstream=60))
    first = next(read_shard(tmp_path / "out"))
    assert (first.window_start, first.sequence[:12]) == (-10, "N" * 10 + "CC")
    _prep(tmp_path, fasta, GOOD, window=WindowConfig(upstream=60, downstream=60, contig_end="clip"))
    first = next(read_shard(tmp_path / "out"))
    assert (first.window_start, first.sequence[:2]) == (0, "CC")
    assert [t.cds for t in first.transcripts()] == [t.cds for t in next(read_shard(tmp_path / "out")).transcripts()]


@pytest.mark.parametrize("routine", ["cds_overlap", "intron_overlap", "junctions"])
def test_routines_map_back_to_the_same_genes(tmp_path: Path, fasta: Path, routine: str) -> None:
    _prep(tmp_path, fasta, GOOD, out="whole")
    _prep(tmp_path, fasta, GOOD, out="short", window=WindowConfig(routine=routine, overlap=4))  # type: ignore[arg-type]
    for whole, short in zip(read_shard(tmp_path / "whole"), read_shard(tmp_path / "short"), strict=True):
        assert len(short.sequence) < len(whole.sequence)
        assert short.transcripts() == whole.transcripts()


def test_filters(tmp_path: Path, fasta: Path) -> None:
    text = GOOD + (
        """
        chr1 x mRNA 51 98 . + . ID=g1.2;Parent=g1
        chr1 x CDS 51 59 . + 0 Parent=g1.2
        chr2 x gene 51 98 . + . ID=g3;gene_biotype=other
        chr2 x CDS 51 58 . + 0 Parent=g3
        """
    )

    def kept(**filters: object) -> dict[str, int]:
        _prep(tmp_path, fasta, text, filters=FilterConfig(**filters))  # type: ignore[arg-type]
        return {row.gene_id: row.n_transcripts for row in read_shard(tmp_path / "out")}

    def filtered() -> set[tuple[str, str]]:
        return {(gene, reason) for gene, reason, _, action in _rejects(tmp_path) if action.endswith("filtered")}

    assert kept() == {"g1": 2, "g2": 1, "g3": 1}
    assert not filtered()
    assert kept(clean_cds=True) == {"g1": 1, "g2": 1}
    assert filtered() == {("g1", "unclean_transcript"), ("g3", "unclean_transcript"), ("g3", "unclean")}
    assert kept(longest_only=True) == {"g1": 1, "g2": 1, "g3": 1}
    assert filtered() == {("g1", "not_longest")}
    assert kept(min_isoforms=2) == {"g1": 2}
    assert filtered() == {("g2", "isoforms"), ("g3", "isoforms")}
    assert kept(max_isoforms=1) == {"g2": 1, "g3": 1}
    assert kept(biotypes=("other",)) == {"g3": 1}
    assert kept(max_length=len(CODING)) == {"g1": 2, "g2": 1}
    assert kept(min_length=len(CODING) + 1) == {"g3": 1}


def test_strict_fails_and_leaves_nothing(tmp_path: Path, fasta: Path) -> None:
    with pytest.raises(BadInputError, match="2 exons_made"):
        _prep(tmp_path, fasta, GOOD, strict=True)
    assert not list((tmp_path / "out").iterdir())
    exons = GOOD + gxf(
        f"""
        chr1 x exon 51 53 . + . Parent=g1.1
        chr1 x exon 84 {50 + len(CODING)} . + . Parent=g1.1
        chr1 x exon 151 159 . - . Parent=g2.1
        chr1 x exon 190 {150 + len(CODING)} . - . Parent=g2.1
        """
    )
    assert _prep(tmp_path, fasta, exons, strict=True).genes == 2


def test_seqids_that_differ(tmp_path: Path, fasta: Path) -> None:
    other = GOOD.replace("chr1", "NC_1.1")
    with pytest.raises(BadInputError, match=r"(?s)'NC_1.1'.*'chr1', 'chr2'.*--aliases"):
        _prep(tmp_path, fasta, other)
    aliases = tmp_path / "names.tsv"
    aliases.write_text("# names\nNC_1.1\t1\tchr1\nNC_2.1\tchr2\n")
    assert _prep(tmp_path, fasta, other, aliases=aliases).genes == 2
    assert {row.seqid for row in read_shard(tmp_path / "out")} == {"chr1"}
    aliases.write_text("chr1\tchr2\n")
    with pytest.raises(BadInputError, match="two sequences"):
        _prep(tmp_path, fasta, other, aliases=aliases)


def test_gtf_without_stop_codons_is_completed_from_the_genome(tmp_path: Path, fasta: Path) -> None:
    text = f"""
        chr1 x CDS 51 53 . + 0 gene_id "g1"; transcript_id "t1";
        chr1 x CDS 84 {47 + len(CODING)} . + 0 gene_id "g1"; transcript_id "t1";
        chr1 x CDS 154 159 . - 0 gene_id "g2"; transcript_id "t2";
        chr1 x CDS 190 {150 + len(CODING)} . - 0 gene_id "g2"; transcript_id "t2";
        """
    result = _prep(tmp_path, fasta, text, name="a.gtf")
    assert result.counts["mended"]["stop_added"] == 2
    assert not result.counts["flagged"]
    assert [(row.start, row.end) for row in read_shard(tmp_path / "out")] == [
        (50, 50 + len(CODING)),
        (150, 150 + len(CODING)),
    ]


def test_gtf_with_some_stop_codon_lines_is_completed_where_they_lack(tmp_path: Path, fasta: Path) -> None:
    end = 50 + len(CODING)
    text = f"""
        chr1 x CDS 51 53 . + 0 gene_id "g1"; transcript_id "t1";
        chr1 x CDS 84 {end - 3} . + 0 gene_id "g1"; transcript_id "t1";
        chr1 x stop_codon {end - 2} {end} . + 0 gene_id "g1"; transcript_id "t1";
        chr1 x CDS 154 159 . - 0 gene_id "g2"; transcript_id "t2";
        chr1 x CDS 190 {150 + len(CODING)} . - 0 gene_id "g2"; transcript_id "t2";
        """
    result = _prep(tmp_path, fasta, text, name="a.gtf")
    assert result.counts["mended"]["stop_added"] == 1
    assert [(row.start, row.end) for row in read_shard(tmp_path / "out")] == [(50, end), (150, 150 + len(CODING))]


def test_regions(tmp_path: Path, fasta: Path) -> None:
    bed = tmp_path / "r.bed"
    bed.write_text("chr1\t50\t95\tg1\t0\t+\nchr2\t10\t20\n")
    run(Config(fasta=fasta, regions=bed, outdir=tmp_path / "out"))
    rows = list(read_shard(tmp_path / "out"))
    assert [(r.gene_id, r.strand, r.gsf, r.n_transcripts) for r in rows] == [
        ("g1", "+", None, 0), ("chr2:10-20_plus", "+", None, 0), ("chr2:10-20_minus", "-", None, 0),
    ]  # fmt: skip
    assert rows[1].sequence == reverse_complement(rows[2].sequence)


def test_bad_input(tmp_path: Path, fasta: Path) -> None:
    with pytest.raises(BadInputError, match="holds no gene"):
        _prep(tmp_path, fasta, "##gff-version 3")
    with pytest.raises(BadInputError, match="none of the 1 genes is left"):
        _prep(tmp_path, fasta, "chr1 x gene 1 9 . + . ID=g")
    with pytest.raises(MissingInputError):
        _prep(tmp_path, tmp_path / "none.fa", GOOD)
    with pytest.raises(UsageError, match="either"):
        Config(fasta=fasta, outdir=tmp_path)


@pytest.mark.parametrize("window", [{"upstream": 2**40}, {"downstream": -1}, {"jitter": (0, 2**40)}])
def test_flanks_that_no_memory_holds_are_wrong_usage(window: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match=r"flanks of|--jitter"):
        WindowConfig(**window)


def test_the_command_line(tmp_path: Path, fasta: Path) -> None:
    annotation = tmp_path / "a.gff3.gz"
    annotation.write_bytes(gzip.compress(gxf(GOOD).encode()))
    outdir = tmp_path / "out"
    arguments = [
        "genes",
        "--fasta",
        str(fasta),
        "--annotation",
        str(annotation),
        "--outdir",
        str(outdir),
        "--json",
        "-q",
    ]
    done = CliRunner().invoke(app, [*arguments, "--jitter", "3", "9", "--seed", "2", "--split", "all:test"])
    assert done.exit_code == 0, done.output
    summary = json.loads(done.stdout)
    assert (summary["genes"], summary["splits"]) == (2, {"test": 2})
    shown = CliRunner().invoke(app, ["inspect", str(outdir), "--gene", "g2"])
    assert "chr1:150-" in shown.stdout
    assert "█" in shown.stdout
    for typed in ("G2", "g2"):
        assert CliRunner().invoke(app, ["inspect", str(outdir), "--gene", typed]).stdout == shown.stdout
    missed = CliRunner().invoke(app, ["inspect", str(outdir), "--gene", "g22"])
    assert "near ones: g2" in str(missed.exception)
    counted = CliRunner().invoke(app, ["inspect", str(outdir), "--json"])
    assert json.loads(counted.stdout)["strands"] == {"+": 1, "-": 1}
    assert CliRunner().invoke(app, ["genes", "--fasta", str(fasta)]).exit_code == 2


@pytest.mark.parametrize(
    ("text", "words", "codes"),
    [
        (
            "chr1 x gene 1 9 . . . ID=g\nchr1 x CDS 1 9 . . 0 Parent=g",
            r"no gene; 2 no_strand .* first g: ",
            ["no_strand"],
        ),
        (
            "chr1 x CDS 1 9 . + 0 Note=x\nchr1 x CDS 9 19 . + 0 Note=x",
            r"no gene; 2 orphan_part .* line 1: ",
            ["orphan_part"],
        ),
        ("chr1 x CDS 9 1 . + 0 Parent=t", r"no gene; 1 bad_coordinates .* line 1: CDS at 9-1", ["bad_coordinates"]),
        (
            "chr1 x gene 1 9 . + . ID=g\nchr1 x mRNA 1 9 . + . ID=t;Parent=g",
            "none of the 1 genes .* 1 no_cds",
            ["no_cds"],
        ),
        ("chr1 x match 1 9 . + . ID=m", "holds no gene line and no transcript", []),
    ],
)
def test_what_cost_the_genes_is_the_message(
    tmp_path: Path, fasta: Path, text: str, words: str, codes: list[str]
) -> None:
    """And every case of it stands in rejects.tsv, though nothing else is written."""
    with pytest.raises(BadInputError, match=words):
        _prep(tmp_path, fasta, text)
    if codes:
        assert sorted({row[1] for row in _rejects(tmp_path)}) == codes


def test_a_tag_asked_for_puts_lines_together(tmp_path: Path, fasta: Path) -> None:
    text = "chr1 x CDS 84 92 . + 0 cluster=c1\nchr1 x CDS 51 53 . + 0 cluster=c1\n"
    result = _prep(tmp_path, fasta, text, group_by=("cluster",))
    assert (result.genes, result.counts["mended"]["grouped_by_tag"]) == (1, 1)
    assert CliRunner().invoke(app, ["genes", "--help"]).output.count("--group-by")
