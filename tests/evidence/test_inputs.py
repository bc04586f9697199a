"""Every kind of evidence file gives the planted introns, whoever wrote it."""

from __future__ import annotations

import gzip
import random
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from tests.evidence import builders
from tests.evidence.builders import SEQID, Planted, planted, sam_lines, write_bam, write_genome
from transgenic_tools.errors import BadInputError
from transgenic_tools.evidence import alignments
from transgenic_tools.evidence.config import Config, Kind, Strandness
from transgenic_tools.evidence.kinds import kind_of
from transgenic_tools.evidence.run import Result, run
from transgenic_tools.io.junctions import CHAIN, JUNCTION, UNSPLICED, EvidenceFile

Reads = dict[tuple[int, int, str], int]
FORMATS: dict[str, tuple[Callable[[Sequence[Planted]], str], Kind, bool]] = {
    "SJ.out.tab": (builders.star, Kind.STAR_JUNCTIONS, True),
    "regtools.bed": (builders.regtools, Kind.JUNCTION_BED, True),
    "portcullis.bed": (builders.portcullis, Kind.JUNCTION_BED, True),
    "hints.gff": (builders.hints, Kind.INTRON_GFF, True),
    "introns.gff3": (builders.intron_gff, Kind.INTRON_GFF, True),
    "stringtie.gtf": (builders.stringtie, Kind.TRANSCRIPTS, False),
    "miniprot.gff": (builders.miniprot, Kind.PROTEINS, False),
}


def gathered(tmp_path: Path, source: Path, bases: str, **settings: object) -> tuple[Result, Reads]:
    """Run on one file; reads of the first input by (start, end, strand)."""
    genome = write_genome(tmp_path, bases)
    result = run(Config(sheet=source, fasta=genome, out=tmp_path / "e.parquet", **settings))  # type: ignore[arg-type]
    rows = EvidenceFile(tmp_path / "e.parquet").rows(JUNCTION)
    return result, {(row.start, row.end, row.strand): row.counts[0] for row in rows}


def expected(introns: Sequence[Planted], *, reads: bool = True) -> Reads:
    return {(p.interval.start, p.interval.end, p.strand): p.reads if reads else 1 for p in introns}


@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzip"])
@pytest.mark.parametrize("name", FORMATS)
def test_a_file_of_each_kind_is_told_and_read(tmp_path: Path, name: str, packed: bool) -> None:
    write, kind, counted = FORMATS[name]
    bases, introns = planted()
    path = tmp_path / (name + ".gz" if packed else name)
    data = write(introns).encode()
    path.write_bytes(gzip.compress(data) if packed else data)
    assert kind_of(path) is kind
    result, found = gathered(tmp_path, path, bases)
    assert found == expected(introns, reads=counted)
    assert result.inputs[0].canonical == 1.0
    assert result.inputs[0].agreeing == 1.0


@pytest.mark.parametrize("read", ["stated", "minimap2", "forward", "reverse"])
@pytest.mark.parametrize("threads", [1, 2])
def test_alignments_are_counted_on_the_strand_of_tag_or_library(tmp_path: Path, read: str, threads: int) -> None:
    bases, introns = planted(number=24)
    path = write_bam(tmp_path, sam_lines(introns, read=read), length=len(bases))
    result, found = gathered(tmp_path, path, bases, threads=threads)
    assert found == expected(introns)
    assert result.inputs[0].counted["spliced"] == sum(p.reads for p in introns)


def test_anchors_flags_and_multimapped_reads(tmp_path: Path) -> None:
    bases, introns = planted(number=20)
    lines = sam_lines(introns, shortest=7)
    extra = []
    for flag, hits in ((0x400, 1), (0x100, 1), (0x800, 1), (0x4, 1), (0x200, 1), (0, 2)):
        copy = lines[1].split("\t")
        copy[1] = str(int(copy[1]) | flag)
        copy[11] = f"NH:i:{hits}"
        extra.append("\t".join(copy))
    path = write_bam(tmp_path, [*lines, *extra], length=len(bases))
    result, found = gathered(tmp_path, path, bases)
    assert found == {place: reads - 1 for place, reads in expected(introns).items()}
    counted = result.inputs[0].counted
    passed = ("duplicate", "secondary", "supplementary", "unmapped", "failed_quality", "multimapped")
    assert [counted[name] for name in passed] == [1] * 6
    assert counted["unspliced"] == len(introns)


def test_an_unsorted_file_without_index_gives_the_same(tmp_path: Path) -> None:
    bases, introns = planted(number=20)
    lines = sam_lines(introns)
    random.Random(3).shuffle(lines)
    sam = tmp_path / "a.sam"
    sam.write_text(f"@SQ\tSN:{SEQID}\tLN:{len(bases)}\n" + "".join(f"{line}\n" for line in lines))
    _, found = gathered(tmp_path, sam, bases, threads=2)
    assert found == expected(introns)


def test_stretches_of_any_size_count_each_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bases, introns = planted(number=20)
    path = write_bam(tmp_path, sam_lines(introns), length=len(bases))
    monkeypatch.setattr(alignments, "STRETCH", 137)
    rules = alignments.Rules(
        strandness=Strandness.UNSTRANDED, min_anchor=8, multimapped=False, min_intron=20, max_intron=10_000
    )
    whole = alignments.Tally({}, alignments.Counter())
    for stretch in alignments._stretches(path, write_genome(tmp_path, bases), {SEQID: len(bases)}, rules):
        whole.add(alignments._count_stretch(stretch))
    assert {(k.start, k.end, "+" if k.sign > 0 else "-"): n for k, n in whole.counts.items()} == expected(introns)


def through(tmp_path: Path) -> dict[tuple[int, str], tuple[int, ...]]:
    """Unspliced reads by place and strand: those of each input that has some."""
    rows = EvidenceFile(tmp_path / "e.parquet").rows(UNSPLICED)
    return {(row.start + 1, row.strand): row.counts for row in rows}


def straight(introns: Sequence[Planted], *, reverse: bool = False) -> list[str]:
    """Reads of 20 bases without introns, on the strand of the intron: over its start as many as its number is, 8 bases
    or more on either side; over its end one with 7 bases inside, which does not count, and two with 12."""
    lines = []
    for i, p in enumerate(introns):
        flag = 16 if (p.strand == "-") != reverse else 0
        places = [p.interval.start - 8 - n % 5 for n in range(i)] + [p.interval.end - d for d in (7, 12, 12)]
        lines += [
            f"u{i}_{n}\t{flag}\t{SEQID}\t{at + 1}\t60\t20M\t*\t0\t0\t{'A' * 20}\t*\tNH:i:1"
            for n, at in enumerate(places)
        ]
    return lines


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("strandness", ["forward", "reverse", "unstranded"])
def test_reads_that_go_on_unspliced_are_counted_at_both_ends(tmp_path: Path, threads: int, strandness: str) -> None:
    bases, introns = planted(number=24)
    lines = [*sam_lines(introns), *straight(introns, reverse=strandness == "reverse")]
    bam = write_bam(tmp_path, lines, length=len(bases))
    sheet = tmp_path / "s.csv"
    sheet.write_text(f"sample,path,strandness\na,{bam.name},{strandness}\n")
    gathered(tmp_path, sheet, bases, threads=threads)
    expected_starts = {(p.interval.start, p.strand): (i,) for i, p in enumerate(introns) if i}
    expected_ends = {(p.interval.end, p.strand): (2,) for p in introns}
    assert through(tmp_path) == expected_starts | expected_ends


def test_unspliced_reads_of_one_input_count_at_junctions_of_another(tmp_path: Path) -> None:
    bases, introns = planted(number=24)
    first = write_bam(tmp_path, [*sam_lines(introns[:20]), *straight(introns)], length=len(bases))
    (tmp_path / "b.tab").write_text(builders.star(introns))
    sheet = tmp_path / "s.csv"
    sheet.write_text(f"sample,path,strandness\na,{first.name},forward\nb,b.tab,\n")
    gathered(tmp_path, sheet, bases)
    last = introns[-1]
    assert through(tmp_path)[last.interval.start, last.strand] == (23,)


def test_exons_of_chains_go_through_junctions_of_others(tmp_path: Path) -> None:
    bases, introns = planted(number=24)
    kept, last = introns[4], introns[5]  # neighbours on the plus strand
    ids = 'gene_id "g"; transcript_id "t";'
    text = builders.stringtie(introns)
    start, end = kept.interval.start - 150, last.interval.end + 60
    text += f"{SEQID}\tS\ttranscript\t{start + 1}\t{end}\t1\t+\t.\t{ids}\n"
    for a, b in ((start, last.interval.start), (last.interval.end, end)):
        text += f"{SEQID}\tS\texon\t{a + 1}\t{b}\t1\t+\t.\t{ids}\n"
    (tmp_path / "s.gtf").write_text(text)
    gathered(tmp_path, tmp_path / "s.gtf", bases)
    assert through(tmp_path) == {(kept.interval.start, "+"): (1,), (kept.interval.end, "+"): (1,)}


def test_long_reads_are_aligned_here(tmp_path: Path) -> None:
    pytest.importorskip("mappy")
    rng = random.Random(5)
    exons = ["".join(rng.choice("ACGT") for _ in range(300)) for _ in range(3)]
    introns = ["GTAAGT" + "".join(rng.choice("ACGT") for _ in range(150)) + "TTTTGCAG" for _ in range(2)]
    flank = "".join(rng.choice("ACGT") for _ in range(500))
    bases = flank + exons[0] + introns[0] + exons[1] + introns[1] + exons[2] + flank
    reads = tmp_path / "reads.fa"
    reads.write_text("".join(f">r{i}\n{''.join(exons)}\n" for i in range(4)))
    result, found = gathered(tmp_path, reads, bases)
    assert found == {(800, 964, "+"): 4, (1264, 1428, "+"): 4}
    chains = list(EvidenceFile(tmp_path / "e.parquet").rows(CHAIN))
    assert [(chain.introns, chain.counts) for chain in chains] == [((800, 964, 1264, 1428), (4,))]
    assert result.chains == 1


def test_chains_of_transcripts_keep_their_introns_together(tmp_path: Path) -> None:
    bases, introns = planted(number=20)
    gtf = tmp_path / "s.gtf"
    gtf.write_text(builders.stringtie(introns))
    gathered(tmp_path, gtf, bases)
    chains = list(EvidenceFile(tmp_path / "e.parquet").rows(CHAIN))
    assert {chain.introns for chain in chains} == {(p.interval.start, p.interval.end) for p in introns}
    assert all(c.start == c.introns[0] - 100 and c.end == c.introns[1] + 100 for c in chains)


@pytest.mark.parametrize(
    ("name", "text"),
    [("empty.tab", ""), ("words.txt", "these are words\nand more\n"), ("short.bed", "chr1\t10\t20\n")],
)
def test_what_is_no_evidence_is_said(tmp_path: Path, name: str, text: str) -> None:
    path = tmp_path / name
    path.write_text(text)
    with pytest.raises(BadInputError, match=name):
        kind_of(path)
