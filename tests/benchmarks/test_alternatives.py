"""What became of an alternative: by hand on one small window."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.alternatives import FATES, Lost, event_of, fates, table
from transgenic_tools.genome.gene import Transcript
from transgenic_tools.genome.interval import Interval, Intervals
from transgenic_tools.gsf import write
from transgenic_tools.io.rows import GeneRow, PredictionRow
from transgenic_tools.lattice.candidates import choose_candidates
from transgenic_tools.lattice.config import GrammarConfig, ScoringConfig
from transgenic_tools.lattice.graph import Graph, build_graph
from transgenic_tools.lattice.paths import exact_sites
from transgenic_tools.lattice.vocabulary import N_CONTENTS, N_SITES, Site
from transgenic_tools.lattice.window import WindowInput

MAIN = [(0, 30), (90, 120), (180, 210)]


def parts(pairs: list[tuple[int, int]]) -> Intervals:
    return tuple(Interval(*pair) for pair in pairs)


@pytest.mark.parametrize(
    ("cds", "expected"),
    [
        ([(6, 30), (90, 120), (180, 210)], "start"),
        ([(90, 120), (180, 210)], "start"),
        ([(0, 30), (90, 114)], "stop"),
        ([(6, 30), (90, 120), (180, 201)], "start and stop"),
        ([(0, 30), (180, 210)], "exon_skipping"),
        ([(0, 30), (93, 120), (180, 210)], "alternative_3ss"),
        ([(0, 27), (90, 120), (180, 210)], "alternative_5ss"),
        ([(0, 120), (180, 210)], "intron_retention"),
        ([(0, 10), (25, 30), (90, 120), (180, 210)], "intron_gain"),
        ([(0, 27), (90, 210)], "several"),
    ],
)
def test_what_sets_an_alternative_apart(cds: list[tuple[int, int]], expected: str) -> None:
    assert event_of(parts(cds), parts(MAIN)) == expected


EXON, SECOND = "ATG" + "GCC" * 9, "GCC" * 9 + "TAA"
#: Exons 30-60 and 160-190 with a second acceptor three bases on; UTRs of 30 bases.
SEQUENCE = "C" * 30 + EXON + "GT" + "C" * 96 + "AG" + "CAG" + SECOND[3:] + "C" * 30


def transcript(cds: list[tuple[int, int]]) -> Transcript:
    exons = [(cds[0][0] - 20, cds[0][1]), *cds[1:-1], (cds[-1][0], cds[-1][1] + 20)]
    return Transcript("t", "window", "+", parts(exons), parts(cds))


LONG, SHORT = transcript([(30, 60), (160, 190)]), transcript([(30, 60), (163, 190)])


def row() -> GeneRow:
    return GeneRow(
        gene_id="g", sample="s", seqid="s1", start=10, end=210, strand="+", window_start=0, window_end=len(SEQUENCE),
        sequence=SEQUENCE, gsf=write([LONG, SHORT], strand="+"), n_transcripts=2, primary_transcript="t",
    )  # fmt: skip


def prediction(*scored: tuple[Transcript, float]) -> PredictionRow:
    return PredictionRow(
        gene_id="g", sample="s", seqid="s1", start=10, end=210, strand="+", window_start=0, window_end=len(SEQUENCE),
        gsf=write([t for t, _ in scored], strand="+") if scored else None, scores=tuple(s for _, s in scored),
    )  # fmt: skip


def graph(*, second_acceptor: float, forced: bool = False) -> Graph | None:
    """The sites of LONG are likely, the acceptor of SHORT has this logit, all else is very unlikely."""
    window = WindowInput.of(SEQUENCE)
    sites = np.full((N_SITES, len(window)), -12.0, dtype=np.float32)
    for site, position in ((Site.TSS, 10), (Site.START, 30), (Site.DONOR, 60), (Site.ACCEPTOR, 159), (Site.TTS, 209)):
        sites[site, position] = 4.0
    sites[Site.ACCEPTOR, 162] = second_acceptor
    grammar = GrammarConfig()
    wanted = exact_sites([LONG, SHORT]) if forced else []
    contents = np.full((N_CONTENTS, len(window)), -np.log(N_CONTENTS), dtype=np.float32)
    candidates = choose_candidates(window, sites, grammar, forced=wanted)
    return build_graph(window, sites, contents, grammar=grammar, scoring=ScoringConfig(), candidates=candidates)


def fate(*scored: tuple[Transcript, float], second_acceptor: float = -12.0) -> str:
    usual, forced = graph(second_acceptor=second_acceptor), graph(second_acceptor=second_acceptor, forced=True)
    (one,) = fates(row(), usual, forced, prediction(*scored))
    assert (one.cds, one.event) == (SHORT.cds, "alternative_3ss")
    return one.fate


def test_every_way_to_lose_an_alternative() -> None:
    assert fate((LONG, 0.9), (SHORT, 0.5)) == "predicted as an extra"
    assert fate((LONG, 0.9), (SHORT, 0.1)) == "found, cut by confidence"
    assert fate((LONG, 0.4), (SHORT, 0.9)) == "predicted as the best"
    assert fate((LONG, 0.9)) == "no site for it: acceptor"
    assert fate((LONG, 0.9), second_acceptor=3.5) == "in the lattice, not found: to 1e-1 of the best path"
    assert fate((LONG, 0.9), second_acceptor=-2.0) in FATES[5:7]


def test_a_cds_that_no_grammar_has() -> None:
    odd = GeneRow(**{f: getattr(row(), f) for f in GeneRow.__slots__} | {"gsf": write([LONG, ODD], strand="+")})
    usual, forced = (graph(second_acceptor=-12.0, forced=forced) for forced in (False, True))
    (one,) = fates(odd, usual, forced, prediction((LONG, 1.0)))
    assert one.fate == "outside of the grammar: not a clean CDS"


ODD = transcript([(30, 60), (160, 189)])


def test_the_table_counts_each_alternative_once() -> None:
    lost = [
        Lost(gene="g", cds=parts(MAIN), fate=FATES[0], event="start"),
        Lost(gene="g", cds=parts(MAIN), fate=FATES[2], event="stop"),
        Lost(gene="h", cds=parts(MAIN), fate=FATES[2], event="start"),
        Lost(gene="h", cds=parts(MAIN), fate="not found", event="UTR introns", utr_alone=True),
    ]
    text = table(lost)
    assert "| found, cut by confidence | 2 | 66.7% | 1 | 1 |" in text
    assert "| all | 3 |  | 2 | 1 |" in text
    assert "| not found | 1 |" in text
