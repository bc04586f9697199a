"""Loci of both strands of a stretch of sequence, with the probability that each holds a gene.

In: scores of both strands. Out: `Locus` records.
A surprise: each strand is solved on its own, so a gene may lie inside an intron of one on the other strand. How
probable a locus is was measured: a regression on what its path is worth more than none, fitted on held-out genomes
(`train.scan_scoring`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from transgenic_tools.genome.interval import Interval, Strand
from transgenic_tools.genome.odds import logit
from transgenic_tools.genome.sequence import strand_codes
from transgenic_tools.lattice.config import ScoringConfig
from transgenic_tools.lattice.scoring import pack_weights
from transgenic_tools.lattice.segments import (
    CONTENT_OF_STATE,
    States,
    Stretch,
    best_path,
    closed_runs,
    coding_places,
    gates_of,
    gene_runs,
    path_features,
)
from transgenic_tools.lattice.vocabulary import Content, Site
from transgenic_tools.search.confidence import calibrated
from transgenic_tools.search.tiles import BothStrands
from transgenic_tools.search.trials import Trials, coding_runs

Calibration = Mapping[str, Sequence[float]]
#: Names of two regressions: of loci that a scan proposes, and of the best locus of a region that somebody gave.
LOCUS, REGION = "locus", "region"
#: What they look at, in this order.
FEATURES = ("margin", "coding")
#: Of a stretch in which no coding base can be written at all.
NOTHING = (-4.0, -4.0)
#: Added to the score of a start codon, so that the best path of a region has a gene where one can be written.
_EAGER = 20.0
#: Loci less probable than this are looked at by the lattice.
_DOUBTFUL = 0.9


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Locus:
    """Where a gene may lie.

    Attributes:
        interval: From TSS to TTS, in coordinates of the sequence.
        coding: From the first coding base to the last.
        coding_bases: Of the best path.
        score: Probability that a gene of this strand lies here.
        cut: It reaches the end of the sequence, so the gene may go on beyond.
        features: What `score` was computed from, see `FEATURES`.
        worth: Nats that a gene is worth more than none to the lattice; None where it was not asked.
    """

    interval: Interval
    strand: Strand
    coding: Interval
    coding_bases: int
    score: float
    cut: bool = False
    features: tuple[float, ...] = NOTHING
    worth: float | None = None


def strand_stretch(codes: npt.NDArray[np.uint8], scores: BothStrands, strand: Strand, *, longest_gap: int) -> Stretch:
    """One strand of a piece, 5' to 3'. `codes` and `scores` are in the order of the sequence."""
    if strand == "+":
        sites, contents = scores.sites[0], scores.contents[0]
    else:
        sites, contents = scores.sites[1][:, ::-1], scores.contents[1][:, ::-1]
    codes = strand_codes(codes, strand)
    return Stretch(
        sites=np.ascontiguousarray(sites),
        contents=np.ascontiguousarray(contents),
        gates=gates_of(np.ascontiguousarray(codes)),
        closed=closed_runs(codes, longest_gap),
    )


def _features(path: States, stretch: Stretch, scoring: ScoringConfig) -> tuple[float, ...]:
    """Of one gene's path and the base on either side of it.

    The margin is what the path is worth more than no gene there, as a signed logarithm; coding is the log-odds of the
    mean probability of the coding bases.
    """
    outside = scoring.content_weight * float(stretch.contents[Content.OUTSIDE].sum(dtype=np.float64))
    margin = float(path_features(path, stretch) @ pack_weights(scoring)) - outside
    coding = coding_places(path)
    mean = float(np.exp(stretch.contents[CONTENT_OF_STATE[path[coding]], coding]).mean())
    return math.copysign(math.log1p(abs(margin) / 5.0), margin), logit(min(max(mean, 0.02), 0.98))


@dataclass(frozen=True, kw_only=True)
class Judge:
    """How loci are found and how probable they are: what a model says of it.

    Attributes:
        scoring: Weights of the segment model.
        calibration: Of the model, by name.
        longest_gap: Runs of this many unknown bases or more hold no gene.
        trials: The lattice of a network that also writes genes; None where it does not.
    """

    scoring: ScoringConfig
    calibration: Calibration
    longest_gap: int = 100
    trials: Trials | None = None

    def probability(self, name: str, features: Sequence[float]) -> float:
        """Of the regression of that name; without one, the margin speaks for itself."""
        raw = 1.0 / (1.0 + math.exp(-math.copysign(min(5.0 * math.expm1(abs(features[0])), 50.0), features[0])))
        return calibrated(self.calibration, name, features, raw)

    def loci_of_strand(
        self, stretch: Stretch, strand: Strand, *, offset: int = 0, at_ends: tuple[bool, bool] = (True, True),
        path: States | None = None,
    ) -> list[Locus]:  # fmt: skip
        """Loci of one strand, in coordinates of the sequence, in the order of the strand.

        Args:
            offset: Where the piece begins in the sequence.
            at_ends: Whether the piece's left and right ends are those of the sequence.
            path: States (L,); the best path by default.
        """
        path = best_path(stretch, self.scoring) if path is None else path
        length = len(path)
        loci = []
        for start, end in gene_runs(path):
            coding = start + coding_places(path[start:end])
            if not len(coding):
                continue
            around = slice(max(start - 1, 0), end + 1)
            features = _features(path[around], stretch.part(around), self.scoring)
            interval, inner = Interval(start, end), Interval(int(coding[0]), int(coding[-1]) + 1)
            if strand == "-":
                interval, inner = (Interval(length - i.end, length - i.start) for i in (interval, inner))
            cut = (at_ends[0] and interval.start == 0) or (at_ends[1] and interval.end == length)
            loci.append(
                Locus(
                    interval=interval.shift(offset),
                    strand=strand,
                    coding=inner.shift(offset),
                    coding_bases=len(coding),
                    score=self.probability(LOCUS, features),
                    cut=cut,
                    features=features,
                )
            )
        return loci

    def loci(
        self, codes: npt.NDArray[np.uint8], scores: BothStrands, *, offset: int, at_ends: tuple[bool, bool]
    ) -> list[Locus]:
        """Loci of both strands of a piece, sorted by place."""
        found: list[Locus] = []
        strands: tuple[Strand, Strand] = ("+", "-")
        for strand in strands:
            stretch = strand_stretch(codes, scores, strand, longest_gap=self.longest_gap)
            path, own = best_path(stretch, self.scoring), np.ascontiguousarray(strand_codes(codes, strand))
            if self.trials is not None:
                path = self.trials.settled(own, stretch, path)
            loci = self.loci_of_strand(stretch, strand, offset=offset, at_ends=at_ends, path=path)
            if self.trials is not None:
                runs = coding_runs(path)
                for number in (number for number, locus in enumerate(loci) if locus.score < _DOUBTFUL):
                    worth = self.trials.worth_of(own, stretch, runs, number)
                    loci[number] = replace(loci[number], worth=worth)
            found += loci
        return sorted(found)

    def best_of_region(self, stretch: Stretch) -> tuple[float, ...]:
        """Features of the best gene that one strand of a region could hold, 5' to 3'; `NOTHING` where there is none."""
        bias = list(self.scoring.site_bias)
        bias[Site.START] += _EAGER
        path = best_path(stretch, replace(self.scoring, site_bias=tuple(bias)))
        return max((locus.features for locus in self.loci_of_strand(stretch, "+", path=path)), default=NOTHING)
