"""How far a genome is from the species that a model learned, and what that makes of its confidences.

In: predictions of a whole genome, and what `train.distance` fitted for the model. Out: a `Distance`: the expected
accuracy with an interval, a warning beyond a measured limit, and confidences that hold there.
A surprise: two things add up to the distance. The confidences themselves, whose mean falls on strange genomes, though
not far enough; and the composition of introns where genes are written, which tells strange from hard (`genome.profile`
has more aspects: they are told, and weigh nothing). It is of the genome, never of a shard, and the order of genes
changes nothing. At home it is 0, and then every confidence stays what it is.
"""

from __future__ import annotations

import heapq
import logging
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from transgenic_tools.errors import BadInputError
from transgenic_tools.genome.hashing import uniform_hash
from transgenic_tools.genome.odds import logistic, logit
from transgenic_tools.genome.profile import Profile
from transgenic_tools.genome.sequence import encode
from transgenic_tools.gsf import parse
from transgenic_tools.io.fitted import FittedFile
from transgenic_tools.io.rows import UNKNOWN_STRAND, PredictionRow
from transgenic_tools.provenance import Provenance

FILE = "distance.json"
_KIND = FittedFile(kind="distance_scoring", what="distances of a model", command="transgenic_tools.train.distance")
#: Fewer genes tell nothing of a genome.
FEWEST = 10
#: The fall of the mean confidence counts n / (n + SHRINK) with n genes.
SHRINK = 10.0
#: What chance adds to the squared distance of composition, times the number of genes: genes of one genome differ.
_CHANCE = 0.013
#: Genes whose looks are taken, those whose names come first in an order by chance.
_LOOKED_AT = 1_000
#: Standard deviations on each side of an expected accuracy.
_DEVIATIONS = 1.96
#: A confidence keeps at least this part of its log-odds.
_LEAST_SLOPE = 0.1


@dataclass(frozen=True, kw_only=True, eq=False)
class Looks:
    """What genes of the learned species look like.

    Attributes:
        learned: Profile of each species.
        tolerance: Distance of composition that held-out genes of a learned species have, too.
        weight: Log-odds of the distance from home for a distance of composition of 1.
    """

    learned: Mapping[str, Profile]
    tolerance: float
    weight: float

    def of(self, profile: Profile, genes: int) -> Look:
        """What a genome looks like, by so many of its genes."""
        apart = {name: profile.apart(known) for name, known in self.learned.items()}
        nearest = min(apart, key=lambda name: (apart[name]["composition"], name))
        aspects = {aspect: min(one[aspect] for one in apart.values()) for aspect in apart[nearest]}
        strange = aspects["composition"] ** 2 - self.tolerance**2 - _CHANCE / max(genes, 1)
        return Look(nearest=nearest, aspects=aspects, strangeness=math.sqrt(max(0.0, strange)))

    def to_json(self) -> dict[str, Any]:
        learned = {name: profile.to_json() for name, profile in self.learned.items()}
        return {"learned": learned, "tolerance": self.tolerance, "weight": self.weight}

    @classmethod
    def from_json(cls, saved: Any) -> Looks:
        """Raises ValueError where it is none."""
        if not isinstance(saved, Mapping) or set(saved) != {"learned", "tolerance", "weight"}:
            raise ValueError("looks are learned, tolerance and weight")
        if not isinstance(saved["learned"], Mapping) or not saved["learned"]:
            raise ValueError("looks of no species")
        learned = {name: Profile.from_json(profile) for name, profile in saved["learned"].items()}
        return cls(learned=learned, **{name: _number(name, saved[name]) for name in ("tolerance", "weight")})


@dataclass(frozen=True, kw_only=True)
class Look:
    """What a genome looks like beside the learned species.

    Attributes:
        nearest: The species of the most similar composition.
        aspects: Distance from the nearest species in each aspect, see `genome.profile`.
        strangeness: Distance of composition beyond what learned species and few genes have.
    """

    nearest: str
    aspects: Mapping[str, float]
    strangeness: float

    def sentence(self) -> str:
        """For logs."""
        told = ", ".join(f"{name.replace('_', ' ')} {value:.3f}" for name, value in self.aspects.items())
        return f"most like {self.nearest}; distances from the nearest species learned: {told}"

    def to_json(self) -> dict[str, Any]:
        return {"nearest": self.nearest, **{name: round(value, 4) for name, value in self.aspects.items()}}


@dataclass(frozen=True, kw_only=True)
class DistanceScoring:
    """What was fitted for a model, see `train.distance`.

    Attributes:
        home: Log-odds of the mean confidence below which a genome is no longer at home.
        slope, shift: Log-odds l of a confidence become (1 - slope d) l - shift d at the distance d.
        spread: Standard deviation, over genomes, of the log-odds of their accuracy around what is expected.
        limit: Distance beyond which the user is warned.
        looks: Of the learned species; without them confidences alone tell the distance.
    """

    home: float
    slope: float
    shift: float
    spread: float
    limit: float
    looks: Looks | None = None

    def distance(self, confidences: Sequence[float], look: Look | None = None) -> float:
        """Of a genome with these confidences, which are at least one, and this look, where it is known."""
        count = len(confidences)
        fall = max(0.0, self.home - logit(math.fsum(confidences) / count)) * count / (count + SHRINK)
        return fall + (self.looks.weight * look.strangeness if look is not None and self.looks is not None else 0.0)

    def at(self, distance: float, probability: float) -> float:
        """A confidence as it holds at a distance; higher ones stay higher."""
        if distance == 0.0:
            return probability
        return logistic(max(1 - self.slope * distance, _LEAST_SLOPE) * logit(probability) - self.shift * distance)

    def to_json(self) -> dict[str, Any]:
        """For headers; `scoring_of` takes it back."""
        numbers = {name: getattr(self, name) for name in _NUMBERS}
        return numbers if self.looks is None else {**numbers, "looks": self.looks.to_json()}


_NUMBERS = ("home", "slope", "shift", "spread", "limit")


def write_distance_scoring(path: Path, scoring: DistanceScoring, *, provenance: Provenance) -> None:
    """Write the file of a model directory."""
    _KIND.write(path, {"scoring": scoring.to_json()}, provenance=provenance, indent=None)


def _number(name: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"{name} is {value!r}, which is no number")
    return float(value)


def scoring_of(saved: Any) -> DistanceScoring:
    """From its numbers by name. Raises ValueError where they are not those of a scoring."""
    if not isinstance(saved, Mapping) or set(saved) - {"looks"} != set(_NUMBERS):
        raise ValueError(f"the numbers are not {', '.join(sorted(_NUMBERS))}")
    numbers = {name: _number(name, saved[name]) for name in _NUMBERS}
    return DistanceScoring(**numbers, looks=Looks.from_json(saved["looks"]) if "looks" in saved else None)


def load_distance_scoring(directory: Path) -> DistanceScoring | None:
    """What was fitted for a model; None where its directory has no such file.

    Raises:
        BadInputError: the file is damaged, or of another version.
    """
    path = directory / FILE
    if not path.is_file():
        return None
    return _KIND.read(path, lambda saved: scoring_of(saved["scoring"]))


@dataclass(frozen=True, kw_only=True)
class Distance:
    """Of one genome.

    Attributes:
        genes: That were looked at.
        value: 0 at home; log-odds by which the mean confidence is below that of home.
        expected, low, high: Share of genes whose most probable isoform has an exact CDS, and the 95 % interval.
        far: Beyond the measured limit.
        look: Of its genes beside those of the learned species, where that is known.
    """

    genes: int
    value: float
    expected: float
    low: float
    high: float
    far: bool
    look: Look | None = None

    def sentence(self) -> str:
        """For logs."""
        return (
            f"distance from the species learned {self.value:.2f}, by {self.genes:,} genes: about {self.expected:.0%} "
            f"of the genes get an exact CDS ({self.low:.0%} to {self.high:.0%})"
        )

    def tell(self, logger: logging.Logger) -> None:
        """The sentence, and a warning beyond the limit."""
        logger.info("%s", self.sentence())
        if self.look is not None:
            logger.info("%s", self.look.sentence())
        if self.far:
            logger.warning("%s", WARNING)

    def to_json(self) -> dict[str, Any]:
        """For headers and reports."""
        return {
            "genes": self.genes,
            "distance": round(self.value, 4),
            "expected_accuracy": round(self.expected, 4),
            "interval": [round(self.low, 4), round(self.high, 4)],
            "far": self.far,
            **({} if self.look is None else {"look": self.look.to_json()}),
        }


WARNING = (
    "this genome is far from the species that the model learned: train or fine-tune it (docs/train.md), or give reads"
)


def distance_of(scoring: DistanceScoring, confidences: Sequence[float], look: Look | None = None) -> Distance | None:
    """Of a genome with these confidences of genes; None where they are too few."""
    if len(confidences) < FEWEST:
        return None
    value = scoring.distance(confidences, look)
    expected = math.fsum(scoring.at(value, one) for one in confidences) / len(confidences)
    deviation = math.sqrt(scoring.spread**2 + 1 / (len(confidences) * expected * (1 - expected)))
    low, high = (logistic(logit(expected) + side * _DEVIATIONS * deviation) for side in (-1, 1))
    return Distance(
        genes=len(confidences), value=value, expected=expected, low=low, high=high, far=value > scoring.limit, look=look
    )


def profile_of(row: PredictionRow, sequence: str) -> Profile | None:
    """What the most probable transcript of a gene looks like in its window; None where there is none that fits."""
    try:
        transcripts = parse(row.gsf).transcripts if row.gsf else ()
    except BadInputError:  # the gene is rejected where it is placed
        return None
    if not transcripts or not transcripts[0].cds or transcripts[0].exons[-1].end > len(sequence):
        return None
    return Profile.of(encode(sequence), transcripts[0])


class Confidences:
    """What the genes of a genome tell of it, gathered row by row."""

    def __init__(self) -> None:
        self._best: dict[tuple[str, ...], float] = {}
        self._looks: list[tuple[float, int, Profile]] = []  # a heap, those that come last first
        self._seen = 0

    def see(self, row: PredictionRow, sequence: Callable[[], str | None] = lambda: None) -> None:
        """Take note of a gene; of a locus that was read on both strands the likelier one counts.

        Args:
            sequence: Gives the bases of its window, 5' to 3', where they are known. Not asked of all genes, and never
                of loci that were read on both strands.
        """
        scores = row.dna_scores or row.scores  # what reads say of a gene is nothing that the model knows
        if not scores:
            return
        both = UNKNOWN_STRAND in row.flags
        name = row.gene_id.removesuffix("_plus").removesuffix("_minus") if both else row.gene_id
        key = (row.sample, row.seqid, str(row.start), str(row.end), name, "" if both else row.strand)
        self._best[key] = max(self._best.get(key, 0.0), *scores)
        if not both:
            self._look(-uniform_hash("look", *key), row, sequence)

    def _look(self, order: float, row: PredictionRow, sequence: Callable[[], str | None]) -> None:
        if len(self._looks) >= _LOOKED_AT and order <= self._looks[0][0]:
            return
        bases = sequence()
        profile = None if bases is None else profile_of(row, bases)
        if profile is None:
            return
        self._seen += 1
        push = heapq.heappush if len(self._looks) < _LOOKED_AT else heapq.heapreplace
        push(self._looks, (order, self._seen, profile))

    def distance(self, scoring: DistanceScoring) -> Distance | None:
        look = None
        if scoring.looks is not None and len(self._looks) >= FEWEST:
            look = scoring.looks.of(Profile.total(profile for *_, profile in self._looks), len(self._looks))
        return distance_of(scoring, tuple(self._best.values()), look)


def recalibrated(row: PredictionRow, scoring: DistanceScoring, distance: Distance) -> PredictionRow:
    """The row with confidences that hold at a distance.

    Exons and sites keep theirs; so do genes of which reads show something, whose confidence is of other weights.
    """
    if distance.value == 0.0 or row.dna_scores or not row.scores:
        return row
    scores = tuple(round(scoring.at(distance.value, score), 4) for score in row.scores)
    return replace(row, scores=scores, confidence=None if row.confidence is None else max(scores))
