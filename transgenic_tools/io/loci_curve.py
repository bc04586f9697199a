"""How many genes a scan finds, and how many of its loci hold one, by the least probability asked for.

In: what `train.scan_scoring` measured on held-out stretches for a model. Out: `loci.json` of a model directory, and
back.
A surprise: the curve is of the segment model alone, each stretch judged by weights that were fitted on the others; what
the lattice leaves out beyond it is not in it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from transgenic_tools.io.fitted import FittedFile
from transgenic_tools.provenance import Provenance

FILE = "loci.json"
_KIND = FittedFile(kind="loci_curve", what="curve of loci", command="transgenic_tools.train.scan_scoring")


@dataclass(frozen=True, kw_only=True)
class CurvePoint:
    """Loci that are at least so probable: how many, share of the genes found, share that holds a gene."""

    threshold: float
    loci: int
    recall: float
    precision: float


@dataclass(frozen=True, kw_only=True)
class LociCurve:
    """Of one model.

    Attributes:
        genes: There were to be found.
        calibration_error: Mean distance of the probabilities from what came true.
        points: By rising threshold.
    """

    genes: int
    calibration_error: float
    points: tuple[CurvePoint, ...]

    def to_json(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


def curve_of(saved: Any) -> LociCurve:
    """From its numbers by name. Raises ValueError, KeyError or TypeError where they are not those of a curve."""
    names = {field.name for field in fields(CurvePoint)}
    points = saved["points"]
    if not points or not all(isinstance(point, Mapping) and set(point) == names for point in points):
        raise ValueError(f"points are not {', '.join(sorted(names))}")
    for point in points:
        if not all(0 <= float(point[name]) <= 1 for name in names - {"loci"}):
            raise ValueError(f"a share is not between 0 and 1: {point}")
    return LociCurve(
        genes=int(saved["genes"]),
        calibration_error=float(saved["calibration_error"]),
        points=tuple(CurvePoint(**point) for point in points),
    )


def write_curve(path: Path, curve: LociCurve, *, provenance: Provenance) -> None:
    """Write the file of a model directory."""
    _KIND.write(path, {"curve": curve.to_json()}, provenance=provenance)


def load_curve(directory: Path) -> LociCurve | None:
    """That of a model; None where its directory has no such file.

    Raises:
        BadInputError: the file is damaged, or of another version.
    """
    path = directory / FILE
    return _KIND.read(path, lambda saved: curve_of(saved["curve"])) if path.is_file() else None
