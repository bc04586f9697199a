"""Loci of planted genes: found on both strands, in any share of the work, at ends and gaps."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.scan.builders import JUDGE, Genome, Planted
from transgenic_tools.genome.interval import Interval
from transgenic_tools.genome.sequence import reverse_complement
from transgenic_tools.io.fasta import Fasta
from transgenic_tools.scan import run as scan_run
from transgenic_tools.scan.config import Config
from transgenic_tools.scan.run import Scanned, Scanner, locus_id, pieces_of, row_of, share, together, window_of
from transgenic_tools.search import tiles
from transgenic_tools.search.loci import Judge, Locus
from transgenic_tools.search.tiles import BothStrands, TileReader, tile_of

PATCH = 18


def scanned(genome: Genome, path: Path, **settings: object) -> list[tuple[str, Scanned]]:
    fasta_path = genome.write(path / "g.fa")
    config = Config(fasta=fasta_path, outdir=path, **settings)  # type: ignore[arg-type]
    with Fasta(fasta_path) as fasta:
        scanner = Scanner(config, fasta, lambda some: map(genome.read, some), patch=PATCH, judge=JUDGE)
        pieces = [piece for name in fasta.names for piece in pieces_of(name, fasta.lengths[name])]
        groups = together(share(pieces, *config.part), most=1_000)
        return [(piece.seqid, part) for group in groups for piece, part in scanner.scan(group)]


def places(found: Sequence[tuple[str, Scanned]]) -> list[tuple[str, str, Interval, Interval]]:
    return sorted(
        (seqid, locus.strand, locus.interval, locus.coding) for seqid, part in found for locus, _ in part.kept
    )


def expected(genes: Sequence[Planted]) -> list[tuple[str, str, Interval, Interval]]:
    return sorted((gene.seqid, gene.strand, gene.interval, gene.coding) for gene in genes)


def test_genes_of_both_strands_are_found_to_the_base(tmp_path: Path) -> None:
    genome = Genome()
    genome.add("a", 6_000, [(500, "+"), (1_300, "-"), (2_100, "+"), (3_500, "-")])
    genome.add("b", 2_500, [(900, "-")], seed=2)
    found = scanned(genome, tmp_path)
    assert places(found) == expected(genome.genes)
    assert all(locus.score > 0.9 and not locus.cut for _, part in found for locus, _ in part.kept)


def test_neighbours_one_base_apart_and_genes_inside_introns_of_the_other_strand(tmp_path: Path) -> None:
    genome = Genome()
    genome.add("a", 3_000, [(500, "+"), (861, "+"), (1_222, "+")])
    assert places(scanned(genome, tmp_path)) == expected(genome.genes)


def test_the_mirrored_genome_has_the_mirrored_loci(tmp_path: Path) -> None:
    genome = Genome()
    genome.add("a", 90 * PATCH, [(200, "+"), (800, "-")])
    mirrored = Genome()
    mirrored.bases = {"a": reverse_complement(genome.bases["a"])}
    scores = genome.scores["a"]
    mirrored.scores = {"a": BothStrands(scores.sites[::-1, :, ::-1].copy(), scores.contents[::-1, :, ::-1].copy())}
    (tmp_path / "m").mkdir()
    length = len(genome.bases["a"])
    there = places(scanned(genome, tmp_path))
    back = places(scanned(mirrored, tmp_path / "m"))
    turned = sorted(
        (seqid, "-" if strand == "+" else "+", *(Interval(length - i.end, length - i.start) for i in intervals))
        for seqid, strand, *intervals in back
    )
    assert turned == there


@pytest.mark.parametrize("shares", [2, 3, 7])
def test_shares_of_the_work_give_what_one_run_gives(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shares: int
) -> None:
    monkeypatch.setattr(scan_run, "PIECE", 2_000)
    monkeypatch.setattr(scan_run, "OVERLAP", 600)
    genome = Genome()
    genome.add("a", 9_000, [(300 + 800 * i, "+" if i % 2 else "-") for i in range(10)])
    genome.add("b", 700, [(100, "+")], seed=3)
    genome.add("c", 4_100, [(1_800, "-"), (2_600, "+")], seed=4)
    whole = scanned(genome, tmp_path)
    assert places(whole) == expected(genome.genes)
    together = [part for number in range(shares) for part in scanned(genome, tmp_path, part=(number, shares))]
    assert together == whole


def test_a_sequence_read_in_tiles_of_any_size_has_the_same_scores(monkeypatch: pytest.MonkeyPatch) -> None:
    genome = Genome()
    genome.add("a", 5_000, [(1_000, "+"), (3_000, "-")])
    codes = scan_run.encode(genome.bases["a"])
    stretches = []
    for size in (400, 1_000, 60_000):
        monkeypatch.setattr(tiles, "TILE", size)
        monkeypatch.setattr(tiles, "MARGIN", 50)
        reader = TileReader(5_000, lambda i: codes[i.start : i.end], genome.read, patch=PATCH)
        stretches.append(reader.stretch(Interval(123, 4_567)))
    assert all(np.array_equal(one.sites, stretches[0].sites) for one in stretches)
    assert all(np.array_equal(one.contents, stretches[0].contents) for one in stretches)


def test_tiles_begin_at_patches_and_cover_a_sequence_once() -> None:
    inner = [tile_of(number, 400_001, PATCH).inner for number in range(4)]
    assert inner[0].start == 0
    assert inner[-1].end == 400_001
    assert all(left.end == right.start for left, right in itertools.pairwise(inner))
    assert all(tile_of(number, 400_001, PATCH).read.start % PATCH == 0 for number in range(4))


def test_genes_that_the_end_of_a_sequence_cuts_are_flagged_or_left_out(tmp_path: Path) -> None:
    genome = Genome()
    genome.add("a", 2_000, [(-120, "+"), (1_750, "-")])
    found = scanned(genome, tmp_path)
    assert [(locus.cut, locus.strand) for _, part in found for locus, _ in part.kept] == [(True, "+"), (True, "-")]
    left_out = scanned(genome, tmp_path, complete_only=True)
    assert places(left_out) == []
    assert [reason for _, part in left_out for _, reason in part.dropped] == ["cut_by_end"] * 2


def test_no_gene_spans_a_long_gap_and_gaps_are_not_read(tmp_path: Path) -> None:
    genome = Genome()
    genome.add("a", 3_000, [(500, "+"), (1_500, "+")])
    gene = genome.genes[0]
    bases = genome.bases["a"]
    middle = gene.exons[0].end + 10
    genome.bases["a"] = bases[:middle] + "N" * 100 + bases[middle + 100 :]
    found = places(scanned(genome, tmp_path))
    assert all(not interval.overlaps(Interval(middle, middle + 100)) for _, _, interval, _ in found)
    assert expected(genome.genes[1:])[0] in found

    empty = Genome()
    empty.bases = {"n": "N" * 5_000}
    assert places(scanned(empty, tmp_path)) == []  # its `read` would fail: there are no scores


def test_short_and_weak_loci_are_dropped_with_a_reason(tmp_path: Path) -> None:
    genome = Genome()
    genome.add("a", 2_000, [(600, "+")])
    few = scanned(genome, tmp_path, min_coding=121)
    assert [reason for _, part in few for _, reason in part.dropped] == ["few_coding_bases"]
    weak = scanned(genome, tmp_path, min_score=1.0)
    assert [reason for _, part in weak for _, reason in part.dropped] == ["low_score"]


def test_a_locus_in_which_a_gene_is_less_probable_than_none_is_dropped_unless_everything_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    genome = Genome()
    genome.add("a", 2_000, [(600, "+")])
    loci = Judge.loci
    for worth, reasons in ((-0.5, ["improbable"]), (0.5, []), (None, [])):
        monkeypatch.setattr(
            Judge, "loci", lambda *a, worth=worth, **k: [replace(one, worth=worth) for one in loci(*a, **k)]
        )
        assert [reason for _, part in scanned(genome, tmp_path) for _, reason in part.dropped] == reasons
        assert len(places(scanned(genome, tmp_path, min_score=0.0))) == 1


def locus(start: int, end: int, strand: str = "+") -> Locus:
    inner = Interval(start + 1, end - 1)
    return Locus(interval=Interval(start, end), strand=strand, coding=inner, coding_bases=9, score=0.5)  # type: ignore[arg-type]


def test_flanks_end_at_neighbours_of_the_strand_and_at_the_sequence() -> None:
    middle = locus(1_000, 2_000)
    beside = [locus(700, 950), middle, locus(1_990, 2_400, "-"), locus(2_100, 2_500)]
    window = window_of("a", middle, beside, length=2_200, flank=300)
    assert (window.start, window.end) == (950, 2_100)
    alone = window_of("a", middle, [middle], length=2_200, flank=300)
    assert (alone.start, alone.end) == (700, 2_200)


def test_a_row_holds_the_window_on_its_strand_and_an_id_of_its_place(tmp_path: Path) -> None:
    genome = Genome()
    genome.add("a", 2_000, [(600, "-")])
    (_, part), *_ = scanned(genome, tmp_path)
    with Fasta(tmp_path / "g.fa") as fasta:
        config = Config(fasta=tmp_path / "g.fa", outdir=tmp_path)
        locus, written = part.kept[0]
        row = row_of("a", locus, [locus], fasta, config)
    assert row == written
    assert row.sequence == reverse_complement(genome.bases["a"][row.window_start : row.window_end])
    assert row.gene_id == locus_id("a", locus) == "a.601m"
    assert (row.window_end - row.end, row.start - row.window_start, row.gsf, row.flags) == (
        300,
        300,
        None,
        ("scanned",),
    )


def test_short_sequences_are_read_together_and_long_ones_alone() -> None:
    lengths = {"a": 400, "b": 500, "c": 5_000, "d": 100, "e": 950}
    pieces = [piece for name, length in lengths.items() for piece in pieces_of(name, length)]
    groups = [[piece.seqid for piece in group] for group in together(pieces, most=1_000)]
    assert groups == [["a", "b"], ["c"], ["d"], ["e"]]


def test_many_short_sequences_have_the_loci_of_each_alone(tmp_path: Path) -> None:
    genome = Genome()
    for number in range(5):
        genome.add(f"s{number}", 600 + number, [(100 + number, "+" if number % 2 else "-")], seed=number)
    genome.bases["gap"] = "N" * 300
    genome.bases["tiny"] = "ACGT" * 20
    assert places(scanned(genome, tmp_path)) == expected(genome.genes)
