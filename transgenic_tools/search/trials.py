"""Bounds of loci tried by the lattice: neighbours as one gene, a locus as several, a doubtful locus as none.

In: one strand of a piece, and the best path of segments over it. Out: the path with other bounds where the lattice of
valid transcripts finds these more probable; what a locus is worth to it.
A surprise: only bounds of which the segment model itself is not sure are tried, those that its best path gives up when
a gene costs a little more or less; each trial looks at its own window alone, so it has one outcome in any piece.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from transgenic_tools.genome.interval import Interval, span
from transgenic_tools.lattice.candidates import choose_candidates
from transgenic_tools.lattice.config import GrammarConfig, ScoringConfig
from transgenic_tools.lattice.graph import build_graph
from transgenic_tools.lattice.segments import State, States, Stretch, best_path, coding_places, gene_runs
from transgenic_tools.lattice.vocabulary import Content, Site
from transgenic_tools.lattice.window import WindowInput

Codes = npt.NDArray[np.uint8]
#: Nats by which a start codon is made dearer or cheaper to see whether the segment model is sure of a bound.
_LEAN = 4.0
#: Nats that two genes must be worth less than one to be joined, chosen on held-out stretches: each window has a gene in
#: the lattice, so its scores do not say how many genes there are.
TWO = 1.0
#: Bases of a window beside its loci, bases between two loci that may be one, and bases of the longest window.
_BESIDE, _FARTHEST, _LONGEST = 300, 1_500, 60_000


def coding_runs(path: States) -> list[Interval]:
    """Genes of a path (L,) that have a coding base."""
    return [Interval(start, end) for start, end in gene_runs(path) if len(coding_places(path[start:end]))]


def _room(runs: Sequence[Interval], first: int, last: int, length: int) -> Interval:
    """The window of some neighbours: with what lies beside, up to the next genes."""
    left = runs[first - 1].end if first else 0
    right = runs[last + 1].start if last + 1 < len(runs) else length
    return Interval(max(runs[first].start - _BESIDE, left), min(runs[last].end + _BESIDE, right))


@dataclass(frozen=True, kw_only=True)
class _Trial:
    """Other bounds that the lattice prefers.

    Attributes:
        gain: In nats.
        span: Of all genes, before and after.
        states: The path there.
    """

    gain: float
    span: Interval
    states: States


@dataclass(frozen=True, kw_only=True)
class Trials:
    """What a network says that finds loci and writes genes.

    Attributes:
        segments: Weights of the segment model.
        grammar, scoring: Of the lattice.
    """

    segments: ScoringConfig
    grammar: GrammarConfig
    scoring: ScoringConfig

    def settled(self, codes: Codes, stretch: Stretch, path: States) -> States:
        """The path (L,) of one strand, 5' to 3', with what the lattice joins and parts; of trials whose genes meet the
        one that gains most counts.
        """
        runs = coding_runs(path)
        trials: list[_Trial] = []
        for number in range(len(runs)):
            for members in (range(number, number + 1), range(number, number + 2)):
                room = self._testable(stretch, runs, members)
                if room is None or path[[room.start, room.end - 1]].any():  # of a gene that an end cuts before its CDS
                    continue
                trial = self._tried(codes, stretch, [runs[i] for i in members], room)
                trials += [] if trial is None else [trial]
        settled, changed = path.copy(), list[Interval]()
        for trial in sorted(trials, key=lambda trial: (-trial.gain, trial.span)):
            if not any(trial.span.start <= other.end and other.start <= trial.span.end for other in changed):
                changed.append(trial.span)
                settled[trial.span.start : trial.span.end] = trial.states
        return settled

    def worth_of(self, codes: Codes, stretch: Stretch, runs: Sequence[Interval], number: int) -> float | None:
        """What all transcripts of a gene together are worth more than no gene there, in nats; None where its window
        is not to be looked at.
        """
        room = self._testable(stretch, runs, range(number, number + 1))
        return None if room is None else self._worth(codes, stretch, room)

    def _testable(self, stretch: Stretch, runs: Sequence[Interval], members: range) -> Interval | None:
        """The window of some neighbours, None where they are cut, far apart, beside a gap, or too long for a trial."""
        length = len(stretch.gates)
        if members.stop > len(runs):
            return None
        first, last = runs[members.start], runs[members.stop - 1]
        apart = len(members) > 1 and last.start - first.end > _FARTHEST
        room = _room(runs, members.start, members.stop - 1, length)
        cut = first.start == 0 or last.end == length
        closed = bool(stretch.closed[room.start : room.end].any())
        return None if apart or cut or closed or len(room) > _LONGEST else room

    def _tried(self, codes: Codes, stretch: Stretch, loci: Sequence[Interval], room: Interval) -> _Trial | None:
        """One locus as several, or two neighbours as one; None where the segment model is sure of their bounds, or
        the lattice would have them as they are.
        """
        lean = _LEAN if len(loci) == 1 else -_LEAN
        bias = list(self.segments.site_bias)
        bias[Site.START] += lean
        states = best_path(stretch.part(slice(room.start, room.end)), replace(self.segments, site_bias=tuple(bias)))
        genes = coding_runs(states)
        inside = bool(states[0] != State.OUTSIDE or states[-1] != State.OUTSIDE)
        if inside or not genes or (len(genes) > 1) != (len(loci) == 1):
            return None
        several = [gene.shift(room.start) for gene in genes] if len(loci) == 1 else loci
        cuts = [room.start, *((a.end + b.start) // 2 for a, b in itertools.pairwise(several)), room.end]
        apart = sum(self._worth(codes, stretch, Interval(a, b)) for a, b in itertools.pairwise(cuts))
        joined = self._worth(codes, stretch, room) - TWO * (len(several) - 1)
        gain = apart - joined if len(loci) == 1 else joined - apart
        if not gain > 0:  # nor where neither has a transcript
            return None
        if len(loci) == 2:
            _widen(states, Interval(loci[0].start - room.start, loci[1].end - room.start))
        whole = span([*loci, *(gene.shift(room.start) for gene in genes)])
        return _Trial(gain=gain, span=whole, states=states[whole.start - room.start : whole.end - room.start])

    def _worth(self, codes: Codes, stretch: Stretch, room: Interval) -> float:
        """Log-sum of all valid transcripts of a window over that of no gene; minus infinity where there is none."""
        bases = slice(room.start, room.end)
        window = WindowInput(codes=np.ascontiguousarray(codes[bases]))
        sites, contents = (
            np.ascontiguousarray(stretch.sites[:, bases]),
            np.ascontiguousarray(stretch.contents[:, bases]),
        )
        candidates = choose_candidates(window, sites, self.grammar)
        graph = build_graph(
            window, sites, contents, grammar=self.grammar, scoring=self.scoring, candidates=candidates
        )  # fmt: skip
        if graph is None:
            return -math.inf
        nothing = self.scoring.content_weight * float(contents[Content.OUTSIDE].sum(dtype=np.float64))
        return float(graph.beta[0]) - nothing


def _widen(states: States, whole: Interval) -> None:
    """Let the only gene of a path reach from end to end, by its UTRs, so that its window holds all of it."""
    places = np.flatnonzero(states != State.OUTSIDE)
    states[min(whole.start, places[0]) : places[0]] = State.FIVE
    states[places[-1] + 1 : max(whole.end, places[-1] + 1)] = State.THREE
