"""The curve of a model's loci: written, read, and refused where it is damaged."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from transgenic_tools.errors import BadInputError
from transgenic_tools.io.loci_curve import FILE, CurvePoint, LociCurve, load_curve, write_curve
from transgenic_tools.provenance import Provenance

CURVE = LociCurve(
    genes=40,
    calibration_error=0.012,
    points=(
        CurvePoint(threshold=0.0, loci=50, recall=0.95, precision=0.76),
        CurvePoint(threshold=0.9, loci=30, recall=0.75, precision=1.0),
    ),
)


def test_what_is_written_is_read_and_a_directory_without_it_has_none(tmp_path: Path) -> None:
    assert load_curve(tmp_path) is None
    write_curve(tmp_path / FILE, CURVE, provenance=Provenance("test"))
    assert load_curve(tmp_path) == CURVE


@pytest.mark.parametrize(
    "damage",
    [
        {"points": []},
        {"points": [{"threshold": 0.5}]},
        {"points": [{"threshold": 0.5, "loci": 3, "recall": 1.5, "precision": 0.5}]},
        {"points": [{"threshold": 0.5, "loci": 3, "recall": None, "precision": 0.5}]},
        {"genes": "many"},
    ],
)
def test_a_damaged_curve_is_refused_by_name(tmp_path: Path, damage: dict[str, Any]) -> None:
    write_curve(tmp_path / FILE, CURVE, provenance=Provenance("test"))
    saved = json.loads((tmp_path / FILE).read_text())
    saved["curve"].update(damage)
    (tmp_path / FILE).write_text(json.dumps(saved))
    with pytest.raises(BadInputError, match="no curve of loci") as refused:
        load_curve(tmp_path)
    assert str(refused.value.path).endswith(FILE)
    assert "scan_scoring" in str(refused.value.hint)
