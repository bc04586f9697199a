"""The synthetic genome of conditions obeys its rules; halves of reads and AUC by hand."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from benchmarks.conditions import auc, log_odds
from benchmarks.conditions_synthetic import IDLE_MOTIF, SKIP_MOTIF, SKIPPER, STAY_MOTIF, TWIN, Event, build, has_stop
from benchmarks.conditions_tissues import _halved, _loss
from transgenic_tools.genome.checks import check_transcript
from transgenic_tools.genome.interval import Interval
from transgenic_tools.genome.sequence import reverse_complement
from transgenic_tools.genome.window import Window
from transgenic_tools.io.fasta import Fasta
from transgenic_tools.io.gff3 import read_annotation
from transgenic_tools.train.usage import GeneJunctions


def test_auc_counts_pairs() -> None:
    assert auc([2.0, 3.0], [1.0, 2.5]) == pytest.approx(3 / 4)
    assert auc([1.0], [1.0]) == 0.5


def test_log_odds_do_not_lose_what_is_rare() -> None:
    usage = {(100, 199): 1.0, (300, 399): 1.0 - 3e-11, (100, 399): 3e-11}
    exon = Event(gene="g", is_exon=True, interval=Interval(200, 300), motif=None)
    assert log_odds(usage, {}, exon, exon.interval) == pytest.approx(-np.log(3e-11))
    intron = Event(gene="g", is_exon=False, interval=Interval(300, 400), motif=None)
    stretches = {(199, 500): 0.2, (150, 320): 0.4, (290, 400): 0.05}
    assert log_odds({(300, 399): 0.75}, stretches, intron, intron.interval) == pytest.approx(np.log(3.0))
    assert log_odds({}, stretches, intron, intron.interval) < -20.0


def test_the_synthetic_genome_obeys_its_rules(tmp_path: Path) -> None:
    world = build(tmp_path, genes=40, samples=12, seed=5)
    motifs = {"skip": SKIP_MOTIF, "stay": STAY_MOTIF, "idle": IDLE_MOTIF}
    with world.table.open() as handle:
        rows = {
            row[0]: np.log2(1 + np.array(row[1:], dtype=float)) for row in list(csv.reader(handle, delimiter="\t"))[1:]
        }
    assert np.corrcoef(rows[SKIPPER], rows[TWIN])[0, 1] > 0.98
    reads: dict[tuple[int, int], np.ndarray] = {}
    for number in range(12):
        for line in (tmp_path / f"sample{number + 1:02d}.bed").read_text().splitlines():
            cells = line.split("\t")
            place = (int(cells[1]), int(cells[2]))
            reads.setdefault(place, np.zeros(12))[number] = int(cells[4])
    with Fasta(world.fasta) as fasta:
        for gene in read_annotation(world.annotation).genes:
            window = Window(gene.seqid, gene.interval.start, gene.interval.end, gene.strand)
            bases = fasta.fetch(gene.seqid, window.start, window.end)
            text = bases if gene.strand == "+" else reverse_complement(bases)
            assert not check_transcript(window.transcript_to_window(gene.transcripts[0]), text)
        correlations: list[float] = []
        starts = {place[0]: place for place in reads}
        for event in world.events:
            text = fasta.fetch("synthetic1", event.interval.start, event.interval.end)
            if event.motif:
                assert motifs[event.motif] in text or motifs[event.motif] in reverse_complement(text)
            if not event.is_exon:  # it can be kept: whole codons without a stop
                assert len(text) % 3 == 0
                assert not has_stop(text if text.startswith("GTAAGT") else reverse_complement(text))
            if event.is_exon and event.interval.end in starts:
                _, end = starts[event.interval.end]
                over = [place for place in reads if place[0] < event.interval.start and place[1] == end]
                if over and event.motif == "skip":
                    with_exon, without = reads[event.interval.end, end], reads[over[0]]
                    share = (with_exon + 0.5) / (with_exon + without + 1.0)
                    correlations.append(float(np.corrcoef(share, rows[SKIPPER])[0, 1]))
    assert len(correlations) > 5
    assert np.mean(correlations) < -0.7


def test_each_read_is_in_one_half_and_losses_are_of_the_second() -> None:
    junctions = GeneJunctions(
        donor=np.array([10, 10]), acceptor=np.array([20, 30]), reads=np.array([[40.0, 7.0], [60.0, 0.0]])
    )
    first, second = _halved(junctions, np.random.default_rng(1))
    assert np.array_equal(first.reads + second, junctions.reads)
    loss, error, seen = _loss(np.array([[0.5, 0.9], [0.5, 0.1]]), np.array([[20.0, 3.0], [20.0, 0.0]]))
    assert (loss, error, seen) == (pytest.approx(np.log(2)), 0.0, 1)  # the sample with three reads is not looked at
