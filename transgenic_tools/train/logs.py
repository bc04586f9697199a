"""Metrics of a run: `metrics.jsonl` and tensorboard events.

In: numbers with a step. Out: one JSON object a line, and the same numbers in `tensorboard/`.
A surprise: perplexity is written for every loss that is a mean log-likelihood, and per epoch beside per step.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

_LIKELIHOODS = {"content_loss": "content_perplexity", "step_loss": "step_perplexity"}


def with_perplexity(values: Mapping[str, Any]) -> dict[str, Any]:
    """The values and `exp` of those that are mean negative log-likelihoods."""
    extra = {name: math.exp(min(50.0, values[loss])) for loss, name in _LIKELIHOODS.items() if loss in values}
    return {**extra, **values}


class MetricsLog:
    """Both files; lines after the resumed step are dropped."""

    def __init__(self, path: Path, *, resume_step: int) -> None:
        self.path = path
        kept = []
        if path.exists():
            kept = [line for line in path.read_text().splitlines() if json.loads(line)["step"] <= resume_step]
        path.write_text("".join(line + "\n" for line in kept))
        self.events = _events(path.with_name("tensorboard"), resume_step)

    def write(self, **values: Any) -> None:
        """One record: `split`, `step`, and numbers; `kind="epoch"` where they are means over one."""
        values = with_perplexity(values)
        with self.path.open("a") as handle:
            handle.write(json.dumps(values, sort_keys=True) + "\n")
        if self.events is None:
            return
        place = f"{values['split']}_epoch" if values.get("kind") == "epoch" else values["split"]
        at = values["epoch"] if values.get("kind") == "epoch" else values["step"]
        for key, value in values.items():
            if isinstance(value, int | float) and key not in ("step", "epoch"):
                self.events.add_scalar(f"{place}/{key}", value, at)
        self.events.flush()


def _events(directory: Path, resume_step: int) -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        return None
    return SummaryWriter(str(directory), purge_step=resume_step or None)


class Means:
    """Running means of some losses."""

    def __init__(self, names: Iterable[str] = ()) -> None:
        self.sums: dict[str, float] = dict.fromkeys(names, 0.0)
        self.count = 0
        self.size = 0

    def add(self, parts: Mapping[str, float], size: int) -> None:
        """One micro-batch of `size` bases (or steps)."""
        for key, value in parts.items():
            self.sums[key] = self.sums.get(key, 0.0) + value
        self.count += 1
        self.size += size

    def add_all(self, other: Mapping[str, Any]) -> None:
        """Sums, count and size of another one, as `vars` gives them."""
        for key, value in other["sums"].items():
            self.sums[key] = self.sums.get(key, 0.0) + value
        self.count += other["count"]
        self.size += other["size"]

    def joined(self, add_up: Callable[[list[float]], list[float]]) -> Means:
        """The same over all processes, which have the same names; `add_up` sums a list over them."""
        names = list(self.sums)
        count, size, *sums = add_up([float(self.count), float(self.size), *(self.sums[name] for name in names)])
        whole = Means()
        whole.sums, whole.count, whole.size = dict(zip(names, sums, strict=True)), int(count), int(size)
        return whole

    def means(self) -> dict[str, float]:
        return {key: value / max(1, self.count) for key, value in self.sums.items()}
