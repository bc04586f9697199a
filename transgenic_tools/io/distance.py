"""How far a genome is from the species that a model learned, and what that makes of its confidences.

In: predictions of a whole genome, and what `train.distance` fitted for the model. Out: a `Distance`: the expected
accuracy with an interval, a warning beyond a measured limit, and confidences that hold there.
A surprise: the distance is read off the confidences themselves, whose mean falls on strange genomes, though not far
enough. It is of the genome, never of a shard, and the order of genes changes nothing. At home it is 0, and then every
confidence stays what it is.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

from transgenic_tools.genome.odds import logistic, logit
from transgenic_tools.io.fitted import FittedFile
from transgenic_tools.io.rows import UNKNOWN_STRAND, PredictionRow
from transgenic_tools.provenance import Provenance

FILE = "distance.json"
_KIND = FittedFile(kind="distance_scoring", what="distances of a model", command="transgenic_tools.train.distance")
#: Fewer genes tell nothing of a genome.
FEWEST = 50
#: Standard deviations on each side of an expected accuracy.
_DEVIATIONS = 1.96
#: A confidence keeps at least this part of its log-odds.
_LEAST_SLOPE = 0.1


@dataclass(frozen=True, kw_only=True)
class DistanceScoring:
    """What was fitted for a model, see `train.distance`.

    Attributes:
        home: Log-odds of the mean confidence below which a genome is no longer at home.
        slope, shift: Log-odds l of a confidence become (1 - slope d) l - shift d at the distance d.
        spread: Standard deviation, over genomes, of the log-odds of their accuracy around what is expected.
        limit: Distance beyond which the user is warned.
    """

    home: float
    slope: float
    shift: float
    spread: float
    limit: float

    def distance(self, confidences: Sequence[float]) -> float:
        """Of a genome with these confidences; they are at least one."""
        return max(0.0, self.home - logit(math.fsum(confidences) / len(confidences)))

    def at(self, distance: float, probability: float) -> float:
        """A confidence as it holds at a distance; higher ones stay higher."""
        if distance == 0.0:
            return probability
        return logistic(max(1 - self.slope * distance, _LEAST_SLOPE) * logit(probability) - self.shift * distance)


def write_distance_scoring(path: Path, scoring: DistanceScoring, *, provenance: Provenance) -> None:
    """Write the file of a model directory."""
    _KIND.write(path, {"scoring": asdict(scoring)}, provenance=provenance)


def scoring_of(saved: Any) -> DistanceScoring:
    """From its numbers by name. Raises ValueError where they are not those of a scoring."""
    names = {field.name for field in fields(DistanceScoring)}
    if not isinstance(saved, Mapping) or set(saved) != names:
        raise ValueError(f"the numbers are not {', '.join(sorted(names))}")
    for name, value in saved.items():
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise ValueError(f"{name} is {value!r}, which is no number")
    return DistanceScoring(**saved)


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
    """

    genes: int
    value: float
    expected: float
    low: float
    high: float
    far: bool

    def sentence(self) -> str:
        """For logs."""
        return (
            f"distance from the species learned {self.value:.2f}, by {self.genes:,} genes: about {self.expected:.0%} "
            f"of the genes get an exact CDS ({self.low:.0%} to {self.high:.0%})"
        )

    def tell(self, logger: logging.Logger) -> None:
        """The sentence, and a warning beyond the limit."""
        logger.info("%s", self.sentence())
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
        }


WARNING = (
    "this genome is far from the species that the model learned: train or fine-tune it (docs/train.md), or give reads"
)


def distance_of(scoring: DistanceScoring, confidences: Sequence[float]) -> Distance | None:
    """Of a genome with these confidences of genes; None where they are too few."""
    if len(confidences) < FEWEST:
        return None
    value = scoring.distance(confidences)
    expected = math.fsum(scoring.at(value, one) for one in confidences) / len(confidences)
    deviation = math.sqrt(scoring.spread**2 + 1 / (len(confidences) * expected * (1 - expected)))
    low, high = (logistic(logit(expected) + side * _DEVIATIONS * deviation) for side in (-1, 1))
    return Distance(
        genes=len(confidences), value=value, expected=expected, low=low, high=high, far=value > scoring.limit
    )


class Confidences:
    """What the genes of a genome tell of it, gathered row by row."""

    def __init__(self) -> None:
        self._best: dict[tuple[str, ...], float] = {}

    def see(self, row: PredictionRow) -> None:
        """Take note of a gene; of a locus that was read on both strands the likelier one counts."""
        scores = row.dna_scores or row.scores  # what reads say of a gene is nothing that the model knows
        if scores:
            both = UNKNOWN_STRAND in row.flags
            name = row.gene_id.removesuffix("_plus").removesuffix("_minus") if both else row.gene_id
            key = (row.sample, row.seqid, str(row.start), str(row.end), name, "" if both else row.strand)
            self._best[key] = max(self._best.get(key, 0.0), *scores)

    def distance(self, scoring: DistanceScoring) -> Distance | None:
        return distance_of(scoring, tuple(self._best.values()))


def recalibrated(row: PredictionRow, scoring: DistanceScoring, distance: Distance) -> PredictionRow:
    """The row with confidences that hold at a distance.

    Exons and sites keep theirs; so do genes of which reads show something, whose confidence is of other weights.
    """
    if distance.value == 0.0 or row.dna_scores or not row.scores:
        return row
    scores = tuple(round(scoring.at(distance.value, score), 4) for score in row.scores)
    return replace(row, scores=scores, confidence=None if row.confidence is None else max(scores))
