"""How far genomes are from the species that a model learned, in words and as a chart.

In: the provenance of an annotation, as tg-backmap wrote it (`io.distance`), and figures of an evaluation. Out: a
`Placed` genome, text, SVG.
A surprise: what came true stands beside what was expected where there is a reference. Both are shares of the genes that
were written, so genes that a scan missed count in neither; what came true counts genes with any exact isoform, what is
expected the most probable one.
"""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from transgenic_tools.report.charts import Plot, nice_top


@dataclass(frozen=True, kw_only=True)
class Placed:
    """A genome with its distance; shares are of written genes, `measured` is None without a reference.

    `look` is how far its genes are from the nearest species learned by aspect, `nearest` the one of the most similar
    composition; empty where that is not known.
    """

    name: str
    distance: float
    expected: float
    low: float
    high: float
    far: bool
    measured: float | None
    nearest: str = ""
    look: Mapping[str, float] = field(default_factory=dict)

    @property
    def note(self) -> str:
        """Interval and distance, and what to do where it is far."""
        text = f"{_percent(self.low)} to {_percent(self.high)}; distance from the species learned {self.distance:.2f}"
        return f"{text}: far, so train or fine-tune the model, or give reads" if self.far else text

    @property
    def title(self) -> str:
        came = "" if self.measured is None else f", measured {_percent(self.measured)}"
        return f"{self.name}: expected {_percent(self.expected)}{came}; {self.note}"


def _percent(share: float) -> str:
    return f"{share * 100:.1f} %"


def placed(name: str, provenance: Mapping[str, Any], evaluation: Mapping[str, Any]) -> Placed | None:
    """The genome of an annotation; None where its model knows no distance."""
    told: Any = (provenance.get("parameters") or {}).get("distance")
    try:
        low, high = map(float, told["interval"])
        distance, expected = float(told["distance"]), float(told["expected_accuracy"])
        far = bool(told["far"])
        look = {name: value if name == "nearest" else float(value) for name, value in told.get("look", {}).items()}
    except (TypeError, KeyError, ValueError, AttributeError):  # of another tool, or written by hand
        return None
    locus = (evaluation.get("cds") or {}).get("locus") or {}
    return Placed(
        name=name, distance=distance, expected=expected, low=low, high=high, far=far,
        measured=locus.get("precision"), nearest=str(look.pop("nearest", "")), look=look,
    )  # fmt: skip


def distance_chart(genomes: Sequence[Placed]) -> str:
    """Expected accuracy with its interval against the distance; what was measured as a ring."""
    plot = Plot(right=nice_top(max(0.5, *(one.distance for one in genomes))))
    for one in genomes:
        x, title = plot.x(one.distance), f"<title>{html.escape(one.title)}</title>"
        plot.add(
            f'<line class="curve c0" x1="{x:.1f}" x2="{x:.1f}" y1="{plot.y(one.low):.1f}" y2="{plot.y(one.high):.1f}"/>'
        )
        plot.add(f'<circle class="dot c0" cx="{x:.1f}" cy="{plot.y(one.expected):.1f}" r="4">{title}</circle>')
        if one.measured is not None:
            plot.add(f'<circle class="curve c1" cx="{x:.1f}" cy="{plot.y(one.measured):.1f}" r="6">{title}</circle>')
    return plot.svg("distance from the species learned", "Expected accuracy of each genome against its distance")
