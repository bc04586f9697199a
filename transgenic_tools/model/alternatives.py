"""How probable alternatives are: boosted trees over their numbers, as fitted for a model.

In: `alternatives.json` of a model directory, and the numbers of candidates (`search.alternatives`). Out: probabilities.
A surprise: it lies beside config.json and not in it, and a model directory without the file is no error: its further
transcripts are those of the decoder alone. Trees are kept as plain arrays, so nothing but numpy reads them.
Dims: T trees, K nodes of a tree, F numbers, C candidates.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from transgenic_tools.io.fitted import FittedFile
from transgenic_tools.kernels import kernel
from transgenic_tools.provenance import Provenance

FILE = "alternatives.json"
_KIND = FittedFile(kind="alternatives", what="scores of alternatives", command="transgenic_tools.train.alternatives")
_OUTCOMES = ("right", "further", "added")
_THRESHOLDS = ("min_right", "min_further", "min_beside", "min_added")
_FLOOR = 1e-4
Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@kernel
def _added(numbers, feature, threshold, left, right, value):  # type: ignore[no-untyped-def]  # pragma: no cover (compiled)
    """(C, T) what each tree adds for candidates (C, F); the rest as of `Trees`."""
    added = np.empty((len(numbers), len(feature)))
    for tree in range(len(feature)):
        for row in range(len(numbers)):
            node = 0
            while feature[tree, node] >= 0:
                goes_left = numbers[row, feature[tree, node]] <= threshold[tree, node]
                node = left[tree, node] if goes_left else right[tree, node]
            added[row, tree] = value[tree, node]
    return added


@dataclass(frozen=True, kw_only=True)
class Trees:
    """Boosted regression trees for the log-odds of an outcome (Friedman 2001).

    Attributes:
        bias: Log-odds before the first tree.
        feature: (T, K) number that a node looks at; -1 for a leaf, and for places that a small tree leaves free.
        threshold: (T, K) up to it, candidates go left.
        left, right: (T, K) nodes; a leaf names itself.
        value: (T, K) what a leaf adds.
    """

    bias: float
    feature: Ints
    threshold: Floats
    left: Ints
    right: Ints
    value: Floats

    def probability(self, features: Floats) -> Floats:
        """(C,) of candidates (C, F)."""
        # as the trees were grown: on 32 bits
        numbers = features.astype(np.float32).astype(np.float64)
        nodes = (self.feature, self.threshold, self.left, self.right, self.value)
        total = self.bias + _added(numbers, *nodes).sum(axis=1)
        return np.clip(1.0 / (1.0 + np.exp(-np.clip(total, -30.0, 30.0))), _FLOOR, 1.0 - _FLOOR)

    def to_json(self) -> dict[str, Any]:
        return {
            "bias": self.bias,
            "trees": [
                {
                    "feature": feature.tolist(),
                    "threshold": threshold.tolist(),
                    "left": left.tolist(),
                    "right": right.tolist(),
                    "value": value.tolist(),
                }
                for feature, threshold, left, right, value in zip(
                    self.feature, self.threshold, self.left, self.right, self.value, strict=True
                )
            ],
        }

    @classmethod
    def from_json(cls, saved: Mapping[str, Any], *, n_features: int) -> Trees:
        """Raises ValueError, KeyError or TypeError where the trees are damaged."""
        names = ("feature", "threshold", "left", "right", "value")
        arrays = {name: np.array([tree[name] for tree in saved["trees"]]) for name in names}
        whole = {name: arrays[name].astype(np.int64) for name in ("feature", "left", "right")}
        real = {name: arrays[name].astype(np.float64) for name in ("threshold", "value")}
        nodes = arrays["feature"].shape
        if len(nodes) != 2 or any(array.shape != nodes for array in arrays.values()):
            raise ValueError("the trees have not one shape")
        if not all(np.isfinite(array).all() for array in real.values()) or not math.isfinite(saved["bias"]):
            raise ValueError("a number of the trees is not finite")
        inner = whole["feature"] >= 0
        at = np.arange(nodes[1])[None]
        for side in (whole["left"], whole["right"]):  # children stand behind, so that every way ends
            if (side[inner] >= nodes[1]).any() or (side <= at)[inner].any():
                raise ValueError("a node of the trees leads nowhere")
        if (whole["feature"] >= n_features).any():
            raise ValueError(f"a node of the trees looks at a number beyond {n_features}")
        return cls(
            bias=float(saved["bias"]), feature=whole["feature"], threshold=real["threshold"], left=whole["left"],
            right=whole["right"], value=real["value"],
        )  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class AlternativeScoring:
    """What was fitted for a model.

    Attributes:
        right: Probability that a candidate with a CDS of its own is an isoform of its gene.
        further: Probability that with it one more isoform stands beside the gene's longest.
        added: Probability that a candidate with the first transcript's CDS is one, or any where an isoform is known.
        min_right, min_further: By default a candidate with a CDS of its own is written where it reaches one of them.
        min_beside: By default a candidate with the first transcript's CDS is written from this `added` on,
        min_added: and any candidate is added to what is known of a gene from this one on.
    """

    right: Trees
    further: Trees
    added: Trees
    min_right: float
    min_further: float
    min_beside: float
    min_added: float


def write_alternatives(
    path: Path, scoring: AlternativeScoring, *, features: Sequence[str], provenance: Provenance
) -> None:
    """Write the file of a model directory."""
    values = {
        "features": list(features),
        "thresholds": {name: getattr(scoring, name) for name in _THRESHOLDS},
        **{name: getattr(scoring, name).to_json() for name in _OUTCOMES},
    }
    _KIND.write(path, values, provenance=provenance, indent=None)


def load_alternatives(directory: Path, *, features: Sequence[str]) -> AlternativeScoring | None:
    """What was fitted for a model; None where its directory has no file.

    Args:
        features: What candidates are described by in this release.

    Raises:
        BadInputError: the file is damaged, of another version, or of other numbers than this release has.
    """
    path = directory / FILE
    if not path.is_file():
        return None

    def take(saved: Mapping[str, Any]) -> AlternativeScoring:
        if list(saved["features"]) != list(features):
            raise ValueError("it was fitted on other numbers than this release has")
        thresholds = {name: float(saved["thresholds"][name]) for name in _THRESHOLDS}
        if not all(0.0 <= value <= 1.0 for value in thresholds.values()):
            raise ValueError(f"the thresholds {thresholds} are not between 0 and 1")
        right, further, added = (Trees.from_json(saved[name], n_features=len(features)) for name in _OUTCOMES)
        return AlternativeScoring(right=right, further=further, added=added, **thresholds)

    return _KIND.read(path, take)
