"""When a stage ends early, and which weights it keeps.

In: a loss on held-out genes and the weights that it was measured with, again and again. Out: the best of them.
A surprise: the weights that a stage begins with are measured too, so that one which does not help leaves them as they
were.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from torch import Tensor


class Patience:
    """The best weights so far; without a limit it keeps nothing and is never over.

    Attributes:
        most: Measurements in a row that may be no better than the best one; None for no limit.
        loss, step: Of the best weights.
        misses: Measurements since then.
        metrics: All that was measured with them.
    """

    def __init__(self, most: int | None) -> None:
        self.most, self.loss, self.step, self.misses = most, math.inf, 0, 0
        self.weights: dict[str, Tensor] = {}
        self.metrics: dict[str, float] = {}

    @property
    def is_over(self) -> bool:
        return self.most is not None and self.misses >= self.most

    def take(self, step: int, name: str, metrics: Mapping[str, float], weights: Mapping[str, Tensor]) -> None:
        """One measurement; without held-out genes there is none, and the last weights are as good as any."""
        if self.most is None:
            return
        loss = metrics.get(name, -math.inf)
        if loss < self.loss or loss == -math.inf:
            self.loss, self.step, self.misses, self.metrics = loss, step, 0, dict(metrics)
            self.weights = {key: tensor.detach().clone() for key, tensor in weights.items()}
        else:
            self.misses += 1

    def state(self) -> dict[str, Any]:
        """For a checkpoint; empty without a limit."""
        if self.most is None:
            return {}
        numbers = {"loss": self.loss, "step": self.step, "misses": self.misses, "metrics": self.metrics}
        return {"best": {**numbers, "weights": self.weights}}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Undo `state`."""
        for name, value in state.get("best", {}).items():
            setattr(self, name, value)
