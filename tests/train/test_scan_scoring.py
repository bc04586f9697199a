"""The weights of a scan, fitted on planted genes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.scan.builders import SCORING, Genome
from transgenic_tools.genome.interval import Interval
from transgenic_tools.genome.sequence import encode
from transgenic_tools.genome.window import Window
from transgenic_tools.lattice.config import ScoringConfig
from transgenic_tools.lattice.scoring import pack_weights
from transgenic_tools.lattice.segments import State, best_path, path_features
from transgenic_tools.train.examples import Example
from transgenic_tools.train.genomes import Placed, Territory
from transgenic_tools.train.scan_scoring import (
    Gold,
    calibrate_loci,
    coding_ends,
    exact_ends,
    fit_scan,
    given_regions,
    gold_stretches,
    loci_curve,
    proposed_loci,
    sharpen,
    strand_path,
)

FLANK = 100


def territory_of(genome: Genome) -> Territory:
    """Planted genes as a training genome has them: windows with transcripts."""
    placed: dict = {}
    for gene in genome.genes:
        window = Window(gene.seqid, gene.interval.start - FLANK, gene.interval.end + FLANK, gene.strand)
        transcript = window.transcript_to_window(gene.transcript())
        example = Example("g", np.zeros(len(window), dtype=np.uint8), window.to_window(gene.interval), (transcript,))
        placed.setdefault((gene.seqid, gene.strand), []).append(
            Placed(example, window.start, window.end, gene.interval, gene.strand, known=True)
        )
    codes = {name: encode(bases) for name, bases in genome.bases.items()}
    return Territory(codes, placed, {"validation": {"a": Interval(0, len(codes["a"]))}})


@pytest.fixture
def golds() -> list[Gold]:
    genome = Genome()
    genome.add("a", 4_000, [(300, "+"), (1_000, "-"), (1_900, "+"), (3_000, "-")])
    return list(gold_stretches(territory_of(genome), genome.scores["a"], "a", Interval(0, 4_000)))


def test_paths_of_genes_are_those_that_a_scan_finds(golds: list[Gold]) -> None:
    assert [gold.genes for gold in golds] == [2, 2]
    for gold in golds:
        path = best_path(gold.stretch, SCORING)
        assert np.allclose(path_features(path, gold.stretch), gold.features)
        assert {State.FIVE, State.CODING_1, State.THREE} <= set(path.tolist())


def test_a_fit_makes_the_paths_more_probable(golds: list[Gold]) -> None:
    scan, before, after = fit_scan(golds, iterations=15)
    assert 0 <= after < before
    assert not np.allclose(pack_weights(scan), pack_weights(SCORING))
    for gold in golds:
        assert np.allclose(path_features(best_path(gold.stretch, scan), gold.stretch), gold.features)


def test_a_gene_that_cannot_be_written_is_closed_off(tmp_path: Path) -> None:
    genome = Genome()
    genome.add("a", 2_000, [(300, "+"), (1_000, "+")])
    start = genome.genes[0].coding.start
    bases = genome.bases["a"]
    genome.bases["a"] = bases[:start] + "CCC" + bases[start + 3 :]
    forward, _ = gold_stretches(territory_of(genome), genome.scores["a"], "a", Interval(0, 2_000))
    assert forward.genes == 1
    place = genome.genes[0].interval
    assert forward.stretch.closed[place.start : place.end].all()


def test_a_gene_that_overlaps_one_that_is_not_to_be_learned_is_closed_off_whole() -> None:
    genome = Genome()
    genome.add("a", 2_000, [(300, "+"), (1_000, "+")])
    territory = territory_of(genome)
    hidden = replace(territory.genes("a")[0], start=100, end=680, known=False)  # 480 bases behind its own end
    torn = Territory(territory.codes, {("a", "+"): [*territory.genes("a"), _moved(hidden, 250)]}, territory.parts)
    path, unknown, places = strand_path(torn, "a", "+", Interval(0, 2_000))
    assert [Interval(*place) for place in places] == [genome.genes[1].interval]
    first = genome.genes[0].interval
    assert unknown[first.start : first.end].all()
    assert not path[first.start : first.end].any()


def _moved(gene: Placed, bases: int) -> Placed:
    return replace(gene, start=gene.start + bases, end=gene.end + bases, locus=gene.locus.shift(bases))


def test_loci_and_regions_are_told_by_what_their_genes_are_worth() -> None:
    genome = Genome()
    genome.add("a", 20_000, [(1_000 + 1_500 * i, "+" if i % 2 else "-") for i in range(12)])
    golds = list(gold_stretches(territory_of(genome), genome.scores["a"], "a", Interval(0, 20_000)))
    loci = proposed_loci(golds, SCORING)
    assert (loci.right.all(), len(loci.right), loci.genes) == (True, 12, 12)
    regions = given_regions(golds, SCORING)
    assert regions.genes == 12
    assert (~regions.right).sum() > 12
    assert regions.features[regions.right, 0].min() > 2 > 0 > regions.features[~regions.right, 0].max()
    pieces = replace(regions, fold=np.arange(len(regions.right)) % 4)
    weights, curve = calibrate_loci(pieces)
    assert weights[0] > 0
    assert curve["calibration_error"] < 0.1
    at_half = next(row for row in curve["curve"] if row["threshold"] == 0.5)
    assert (at_half["recall"], at_half["precision"], at_half["false_kept"]) == (1.0, 1.0, 0.0)
    kept = loci_curve(curve)
    assert (kept.genes, kept.points[0].loci, kept.points[-1].threshold) == (12, len(regions.right), 0.95)
    everything = curve["curve"][0]
    assert (everything["kept"], everything["false_kept"]) == (len(regions.right), 1.0)


def test_ends_are_first_and_last_coding_bases() -> None:
    c, i = State.CODING_1, State.INTRON_1
    path = np.array([0, 1, c, c + 1, c + 2, i, i, c, 9, 0, c, c + 1, 0], dtype=np.uint8)
    assert coding_ends(path) == {(2, 7), (10, 11)}


def test_sharper_weights_are_taken_where_they_find_more_genes(golds: list[Gold]) -> None:
    shy = ScoringConfig(site_bias=(-9.0, -6.0, -4.0, -4.0, -4.0, -6.0), site_scale=(0.3,) * 6, content_weight=0.0)
    assert exact_ends(golds, shy) == 0
    sharp, ends = sharpen(golds, shy)
    assert ends == exact_ends(golds, sharp) == 1
    assert sharpen(golds, SCORING) == (SCORING, 1.0)
