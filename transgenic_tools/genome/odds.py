"""Probabilities and their log-odds.

In: a number. Out: a number.
A surprise: log-odds are those of a probability kept 1e-6 away from 0 and 1, so they are always finite.
"""

from __future__ import annotations

import math

_LEAST = 1e-6


def logistic(x: float) -> float:
    """The probability of log-odds."""
    return 1.0 / (1.0 + math.exp(-x)) if x >= 0 else math.exp(x) / (1.0 + math.exp(x))


def logit(probability: float) -> float:
    """Clipped log-odds."""
    probability = min(max(probability, _LEAST), 1 - _LEAST)
    return math.log(probability / (1 - probability))
