"""Does a confidence of 0.8 come true in 80 % of cases?

In: (score, was right) pairs. Out: a reliability curve of ten equal bins, expected calibration error, Brier score.
A surprise: the expected calibration error weighs each bin by its number of scores (Naeini 2015), so an empty bin
costs nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

BINS = 10


@dataclass(frozen=True)
class ReliabilityBin:
    """Scores in `[lower, upper)` (the last bin holds 1.0 too)."""

    lower: float
    upper: float
    count: int
    mean_score: float
    observed: float


@dataclass(frozen=True)
class Calibration:
    """A reliability curve; `expected_error` is in [0, 1]."""

    count: int
    expected_error: float
    brier: float
    bins: tuple[ReliabilityBin, ...]

    def to_json(self) -> dict[str, object]:
        return {
            "count": self.count,
            "expected_calibration_error": round(self.expected_error, 6),
            "brier": round(self.brier, 6),
            "bins": [
                {
                    "lower": round(b.lower, 6),
                    "upper": round(b.upper, 6),
                    "count": b.count,
                    "mean_score": round(b.mean_score, 6),
                    "observed": round(b.observed, 6),
                }
                for b in self.bins
            ],
        }


def calibrate(scores: Sequence[float], right: Sequence[bool], *, bins: int = BINS) -> Calibration | None:
    """The curve of scores in [0, 1]; None where there are no scores. Raises ValueError for one outside [0, 1]."""
    values, outcomes = np.asarray(scores, dtype=float), np.asarray(right, dtype=float)
    if values.size == 0:
        return None
    if values.min() < 0 or values.max() > 1:
        raise ValueError(f"a score lies outside [0, 1]: {values.min() if values.min() < 0 else values.max()}")
    which = np.minimum((values * bins).astype(int), bins - 1)
    rows, error = [], 0.0
    for b in range(bins):
        inside = which == b
        count = int(inside.sum())
        mean = float(values[inside].mean()) if count else 0.0
        observed = float(outcomes[inside].mean()) if count else 0.0
        error += count / values.size * abs(mean - observed)
        rows.append(ReliabilityBin(b / bins, (b + 1) / bins, count, mean, observed))
    return Calibration(int(values.size), error, float(np.mean((values - outcomes) ** 2)), tuple(rows))
