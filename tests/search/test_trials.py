"""Bounds of loci: sure ones are not tried, the lattice's word counts, gaps and ends are left alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pytest

from tests.scan.builders import SCORING, Genome
from transgenic_tools.genome.interval import Interval
from transgenic_tools.genome.sequence import encode, strand_codes
from transgenic_tools.lattice.config import GrammarConfig, ScoringConfig
from transgenic_tools.lattice.segments import State, Stretch, best_path
from transgenic_tools.lattice.vocabulary import N_SITES, Content
from transgenic_tools.search.loci import Judge, strand_stretch
from transgenic_tools.search.tiles import BothStrands
from transgenic_tools.search.trials import TWO, Trials, coding_runs

GRAMMAR = GrammarConfig(min_probability=0.05)
#: Of a planted gene's bases, UTRs and intron included.
GENE = 360
#: Logit of a gene's six sites with which it is just worth more than none.
WEAK = 1.7


@dataclass(frozen=True, kw_only=True)
class Told(Trials):
    """A lattice that says what it is told to, by the length of a window."""

    says: Callable[[int], float]

    def _worth(self, codes: npt.NDArray[np.uint8], stretch: Stretch, room: Interval) -> float:
        return self.says(len(room))


def told(says: Callable[[int], float]) -> Told:
    return Told(segments=SCORING, grammar=GRAMMAR, scoring=ScoringConfig(), says=says)


def planted(*places: int, weak: float | None = None) -> tuple[npt.NDArray[np.uint8], Stretch]:
    """Genes of the forward strand; of the last one the contents say nothing and the sites no more than `weak`."""
    genome = Genome()
    genome.add("a", 3_000, [(place, "+") for place in places])
    scores = genome.scores["a"]
    if weak is not None:
        there = slice(places[-1], places[-1] + GENE)
        scores.sites[0][:, there] = np.minimum(scores.sites[0][:, there], weak)
        scores.contents[0][:, there] = np.where(scores.contents[0][:, there] > -1.0, np.log(0.45), np.log(0.02))
        scores.contents[0][Content.OUTSIDE, there] = np.log(0.45)
    codes = encode(genome.bases["a"])
    return codes, strand_stretch(codes, scores, "+", longest_gap=100)


def no_scores(length: int) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Of a place without a gene, both strands."""
    genome = Genome()
    genome.add("a", length, [])
    return genome.scores["a"].sites, genome.scores["a"].contents


def settled(trials: Trials, codes: npt.NDArray[np.uint8], stretch: Stretch) -> list[Interval]:
    return coding_runs(trials.settled(codes, stretch, best_path(stretch, SCORING)))


def test_bounds_of_which_the_segment_model_is_sure_are_not_tried() -> None:
    codes, stretch = planted(500, 900, 1_400)

    def never(_: int) -> float:
        raise AssertionError

    assert settled(told(never), codes, stretch) == [Interval(at, at + GENE) for at in (500, 900, 1_400)]


@pytest.mark.parametrize(("whole", "joined"), [(2.0 + TWO + 0.01, True), (2.0 + TWO - 0.01, False)])
def test_neighbours_are_one_locus_where_the_lattice_gains_enough(whole: float, joined: bool) -> None:
    codes, stretch = planted(500, 1_000, weak=WEAK)
    runs = settled(told(lambda length: whole if length > 1_200 else 1.0), codes, stretch)
    both = [Interval(500, 500 + GENE), Interval(1_000, 1_000 + GENE)]
    assert runs == ([Interval(500, 1_000 + GENE)] if joined else both)


@pytest.mark.parametrize(("part", "parted"), [(1.51 - TWO / 2, True), (1.49 - TWO / 2, False)])
def test_a_locus_is_parted_where_the_lattice_finds_two(part: float, parted: bool) -> None:
    codes, stretch = planted(500, 1_000, weak=WEAK)
    eager = told(lambda length: 100.0 if length > 1_200 else 0.0)
    one = eager.settled(codes, stretch, best_path(stretch, SCORING))
    assert len(coding_runs(one)) == 1
    trials = told(lambda length: 3.0 if length > 1_200 else part)
    runs = coding_runs(trials.settled(codes, stretch, one))
    both = [Interval(500, 500 + GENE), Interval(1_000, 1_000 + GENE)]
    assert runs == (both if parted else [Interval(500, 1_000 + GENE)])


def test_a_path_that_was_changed_is_still_one_that_the_grammar_allows() -> None:
    codes, stretch = planted(500, 1_000, weak=WEAK)
    trials = told(lambda length: 100.0 if length > 1_200 else 0.0)
    path = trials.settled(codes, stretch, best_path(stretch, SCORING))
    (locus,) = Judge(scoring=SCORING, calibration={}).loci_of_strand(stretch, "+", path=path)  # raises where not
    assert locus.interval == Interval(500, 1_000 + GENE)
    assert path[499] == path[1_000 + GENE] == State.OUTSIDE


def test_far_neighbours_gaps_and_ends_are_left_alone() -> None:
    eager = told(lambda length: 100.0 if length > 1_200 else 0.0)
    for places in ((-100, 400), (500, 2_500)):  # cut by the end; too far apart
        codes, stretch = planted(*places, weak=WEAK)
        assert len(settled(eager, codes, stretch)) == 2
    codes, stretch = planted(500, 1_000, weak=WEAK)
    assert len(settled(eager, codes, stretch)) == 1
    closed = stretch.closed.copy()
    closed[900:960] = True
    assert len(settled(eager, codes, replace(stretch, closed=closed))) == 2


def test_of_three_neighbours_the_unsure_one_joins_the_one_beside_it() -> None:
    codes, stretch = planted(400, 860, 1_320, weak=WEAK)
    path = best_path(stretch, SCORING)
    joined = told(lambda length: 100.0 if length > 1_000 else 0.0).settled(codes, stretch, path)
    loci = Judge(scoring=SCORING, calibration={}).loci_of_strand(stretch, "+", path=joined)  # raises for torn genes
    assert [locus.interval for locus in loci] == [Interval(400, 760), Interval(860, 1_320 + GENE)]


def test_an_outcome_does_not_depend_on_the_rest_of_the_piece() -> None:
    eager = told(lambda length: 100.0 if length > 1_200 else 0.0)
    codes, stretch = planted(500, 1_000, weak=WEAK)
    part = slice(150, 2_000)
    (alone,) = settled(eager, codes[part], stretch.part(part))
    assert [alone.shift(150)] == settled(eager, codes, stretch)


def test_the_lattice_itself_tells_a_gene_from_none_and_leaves_neighbours_apart() -> None:
    lattice = Trials(segments=SCORING, grammar=GRAMMAR, scoring=SCORING)
    codes, stretch = planted(500, 900)
    runs = coding_runs(best_path(stretch, SCORING))
    assert settled(lattice, codes, stretch) == runs
    nothing = strand_stretch(codes, BothStrands(*no_scores(len(codes))), "+", longest_gap=100)
    worth = [lattice.worth_of(codes, one, runs, 0) for one in (stretch, nothing)]
    assert worth[0] is not None
    assert worth[1] is not None
    assert worth[0] > 20.0
    assert worth[1] < -10.0


def test_loci_of_both_strands_carry_what_they_are_worth_where_they_are_doubtful() -> None:
    genome = Genome()
    genome.add("a", 3_000, [(500, "+"), (1_500, "-")])
    scores = genome.scores["a"]
    lattice = Trials(segments=SCORING, grammar=GRAMMAR, scoring=SCORING)
    arguments = (encode(genome.bases["a"]), BothStrands(scores.sites, scores.contents))
    sure = Judge(scoring=SCORING, calibration={}, trials=lattice)
    assert [locus.worth for locus in sure.loci(*arguments, offset=0, at_ends=(True, True))] == [None, None]
    doubtful = replace(sure, calibration={"locus": [0.0, 0.0, -1.0]})
    forward, reverse = doubtful.loci(*arguments, offset=0, at_ends=(True, True))
    assert forward.worth is not None
    assert reverse.worth is not None
    assert min(forward.worth, reverse.worth) > 20.0
    assert (forward.strand, reverse.strand) == ("+", "-")


def test_codes_of_a_strand() -> None:
    codes = encode("ACGTN")
    assert strand_codes(codes, "+") is codes
    assert strand_codes(codes, "-").tolist() == encode("NACGT").tolist()
    assert N_SITES == 6  # of the weak gene's logits
