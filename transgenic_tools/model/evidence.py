"""How much evidence counts: weights of what reads say of edges, and the confidence of what is written with them.

In: `evidence.json` of a model directory. Out: `EvidenceScoring`.
A surprise: it lies beside config.json and not in it, since a model without it is the same model: whoever gives no
evidence never reads it. A directory without the file takes the embedded model's.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from transgenic_tools.io.fitted import FittedFile
from transgenic_tools.lattice.support import EVIDENCE_FEATURES
from transgenic_tools.model.alternatives import Trees
from transgenic_tools.model.files import default_model_dir
from transgenic_tools.provenance import Provenance

logger = logging.getLogger(__name__)
FILE = "evidence.json"
_KIND = FittedFile(kind="evidence_scoring", what="weights of evidence", command="transgenic_tools.train.evidence")


@dataclass(frozen=True, kw_only=True)
class EvidenceScoring:
    """What was fitted for a model.

    Attributes:
        weights: (N_EVIDENCE,) in the order of `EVIDENCE_FEATURES`.
        calibration: Weights of logistic regressions by name, as a model's own, of first transcripts written with
            evidence.
        further: Probability of all others.
        min_confidence: By default others are written from this probability on.
    """

    weights: tuple[float, ...]
    calibration: Mapping[str, Sequence[float]]
    further: Trees
    min_confidence: float


def write_evidence_scoring(
    path: Path, scoring: EvidenceScoring, *, features: Sequence[str], provenance: Provenance
) -> None:
    """Write the file of a model directory; `features` are those of the trees."""
    values = {
        "weights": dict(zip(EVIDENCE_FEATURES, scoring.weights, strict=True)),
        "calibration": {name: list(weights) for name, weights in scoring.calibration.items()},
        "features": list(features),
        "further": scoring.further.to_json(),
        "min_confidence": scoring.min_confidence,
    }
    _KIND.write(path, values, provenance=provenance, indent=None)


def _numbers(values: Any) -> tuple[float, ...]:
    if not all(isinstance(value, int | float) and math.isfinite(value) for value in values):
        raise ValueError(f"{list(values)[:4]} are not all numbers")
    return tuple(float(value) for value in values)


def _scoring_of(saved: Mapping[str, Any], features: Sequence[str]) -> EvidenceScoring:
    if list(saved["features"]) != list(features):
        raise ValueError("it was fitted on other numbers than this release has")
    if not 0.0 <= saved["min_confidence"] <= 1.0:
        raise ValueError(f"min_confidence {saved['min_confidence']} is not between 0 and 1")
    if set(saved["weights"]) != set(EVIDENCE_FEATURES):
        raise ValueError(f"the weights are those of {', '.join(sorted(saved['weights']))}")
    return EvidenceScoring(
        weights=_numbers([saved["weights"][name] for name in EVIDENCE_FEATURES]),
        calibration={name: _numbers(values) for name, values in saved["calibration"].items()},
        further=Trees.from_json(saved["further"], n_features=len(features)),
        min_confidence=float(saved["min_confidence"]),
    )


def load_evidence_scoring(directory: Path, *, features: Sequence[str]) -> tuple[EvidenceScoring, Path]:
    """What was fitted for a model, or for the embedded one where the directory has no file; and the file.

    Args:
        features: What further transcripts are described by in this release.

    Raises:
        BadInputError: the file is damaged, of another version, or of other numbers than this release has.
    """
    path = directory / FILE
    if not path.is_file():
        path = default_model_dir() / FILE
        logger.warning("%s has no %s: evidence counts as was fitted for the embedded model", directory, FILE)
    return _KIND.read(path, lambda saved: _scoring_of(saved, features)), path
