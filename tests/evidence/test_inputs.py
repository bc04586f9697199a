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
from transgenic_tools.io.junctions import CHAIN, JUNCTION, EvidenceFile

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
