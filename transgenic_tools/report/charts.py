"""Charts as inline SVG: histogram pairs, calibration, curves, bars.

In: numbers. Out: SVG text that takes its colours from the page's style sheet.
A surprise: every chart has a label for screen readers, and every bar and point a `<title>`, shown on hover.
"""

from __future__ import annotations

import html
import math
from collections.abc import Sequence

from transgenic_tools.report.numbers import Distribution
from transgenic_tools.report.sources import Curve

WIDTH, HEIGHT = 350, 214
LEFT, RIGHT, TOP, BOTTOM = 44, 10, 10, 46
_PLOT_W, _PLOT_H = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM


def _svg(body: Sequence[str], label: str) -> str:
    return (
        f'<svg class="chart" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{html.escape(label, quote=True)}">'
        f"{''.join(body)}</svg>"
    )


def _text(x: float, y: float, text: str, *, anchor: str = "middle", extra: str = "") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{extra}>{html.escape(text)}</text>'


def nice_top(value: float) -> float:
    """At or above `value`, and such that a quarter of it is a round number."""
    if value <= 0:
        return 1.0
    scale = 10 ** math.floor(math.log10(value))
    return next(
        (step * scale for step in (1, 1.2, 1.6, 2, 2.4, 3.2, 4, 6, 8) if value <= step * scale * (1 + 1e-9)), 10 * scale
    )


def _number(value: float) -> str:
    if value and abs(value) < 0.01:
        return f"{value:.0e}"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _grid(low: float, high: float, *, percent: bool = False, steps: int = 4) -> list[str]:
    parts = []
    for i in range(steps + 1):
        value = low + (high - low) * i / steps
        y = TOP + _PLOT_H * (1 - i / steps)
        parts.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>')
        label = f"{value * 100:.3g} %" if percent else _number(value)
        parts.append(_text(LEFT - 6, y + 3.5, label, anchor="end"))
    return parts


class Plot:
    """Shares on the left (numbers up to `top` where that is given), a number from 0 to `right` beneath; parts are added
    in the plot's places.
    """

    def __init__(self, *, right: float, top: float | None = None) -> None:
        self.right = right
        self._body = _grid(0, top or 1, percent=top is None)
        for i in range(5):
            anchor = "end" if i == 4 else "middle"
            self._body.append(
                _text(LEFT + _PLOT_W * i / 4, HEIGHT - BOTTOM + 15, _number(right * i / 4), anchor=anchor)
            )

    def x(self, value: float) -> float:
        return LEFT + _PLOT_W * value / self.right

    def y(self, share: float) -> float:
        return TOP + _PLOT_H * (1 - share)

    def add(self, part: str) -> None:
        self._body.append(part)

    def svg(self, unit: str, label: str) -> str:
        return _svg([*self._body, _text(LEFT + _PLOT_W / 2, HEIGHT - 8, unit, extra=' class="label"')], label)


def histogram(distribution: Distribution) -> str:
    """Predicted shares as bars, reference shares as a line of steps."""
    labels, count = distribution.labels, len(distribution.labels)
    top = nice_top(max((*distribution.predicted, *distribution.reference), default=1.0))
    step = _PLOT_W / count
    body = _grid(0, top, percent=True)
    for i, share in enumerate(distribution.predicted):
        height = _PLOT_H * share / top
        known = f", reference {distribution.reference[i] * 100:.1f} %" if distribution.reference else ""
        body.append(
            f'<rect class="bar" x="{LEFT + i * step + step * 0.12:.1f}" y="{TOP + _PLOT_H - height:.1f}" '
            f'width="{step * 0.76:.1f}" height="{height:.1f}" rx="1.5">'
            f"<title>{labels[i]} {distribution.unit}: predicted {share * 100:.1f} %{known}</title></rect>"
        )
    if distribution.reference:
        points = []
        for i, share in enumerate(distribution.reference):
            y = TOP + _PLOT_H * (1 - share / top)
            points += [f"{LEFT + i * step:.1f},{y:.1f}", f"{LEFT + (i + 1) * step:.1f},{y:.1f}"]
        body.append(f'<polyline class="refline" points="{" ".join(points)}"/>')
    every = 1 if count <= 8 and max(map(len, labels)) <= 4 else 2 if count <= 8 else 3
    for i in range(0, count, every):
        x = LEFT + (i + 0.5) * step
        short = labels[i].split("–")[0] if every > 1 and not labels[i].endswith("+") else labels[i]
        body.append(_text(x, HEIGHT - BOTTOM + 15, short))
    body.append(f'<line class="axis" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{TOP + _PLOT_H}" y2="{TOP + _PLOT_H}"/>')
    unit = distribution.unit if every == 1 else f"{distribution.unit}, from"
    body.append(_text(LEFT + _PLOT_W / 2, HEIGHT - 8, unit, extra=' class="label"'))
    return _svg(body, f"{distribution.title}: shares of predicted and reference values")


def calibration_chart(bins: Sequence[dict[str, float]], *, label: str) -> str:
    """Mean score against the share that came true; the size of a point follows the number of cases."""
    body = _grid(0, 1, percent=True)
    for i in range(5):
        anchor = "end" if i == 4 else "middle"
        body.append(_text(LEFT + _PLOT_W * i / 4, HEIGHT - BOTTOM + 15, f"{i * 25} %", anchor=anchor))
    body.append(f'<line class="ideal" x1="{LEFT}" y1="{TOP + _PLOT_H}" x2="{WIDTH - RIGHT}" y2="{TOP}"/>')
    filled = [b for b in bins if b["count"]]
    most = max((b["count"] for b in filled), default=1)
    places = [(LEFT + _PLOT_W * b["mean_score"], TOP + _PLOT_H * (1 - b["observed"]), b) for b in filled]
    body.append(f'<polyline class="curve c0" points="{" ".join(f"{x:.1f},{y:.1f}" for x, y, _ in places)}"/>')
    for x, y, b in places:
        radius = 2.5 + 4.5 * math.sqrt(b["count"] / most)
        body.append(
            f'<circle class="dot c0" cx="{x:.1f}" cy="{y:.1f}" r="{radius:.1f}"><title>score {b["mean_score"]:.2f}: '
            f"{b['observed'] * 100:.1f} % right, {b['count']:,.0f} cases</title></circle>"
        )
    body.append(_text(LEFT + _PLOT_W / 2, HEIGHT - 8, label, extra=' class="label"'))
    return _svg(body, f"Calibration: {label} against the share that is exact")


def in_legend_order(curves: Sequence[Curve]) -> list[Curve]:
    """Validation before training, so that it gets the strong colour."""
    return sorted(curves, key=lambda curve: (curve.name == "train", curve.name))


def curves_chart(curves: Sequence[Curve], *, label: str) -> str:
    """Figures over training steps, one line a split."""
    xs = [x for curve in curves for x in curve.steps]
    ys = [y for curve in curves for y in curve.values if math.isfinite(y)]
    if not xs or not ys:
        return ""
    low, high = min(ys), max(ys)
    margin = (high - low) * 0.06 or abs(high) * 0.1 or 1.0
    low, high = (0.0 if 0 <= low < (high - low) else low - margin), (1.0 if 0.5 < high <= 1 else high + margin)
    first, last = min(xs), max(xs)
    width = (last - first) or 1.0
    body = _grid(low, high)
    for i in range(3):
        step = first + width * i / 2
        anchor = ("start", "middle", "end")[i]
        body.append(_text(LEFT + _PLOT_W * i / 2, HEIGHT - BOTTOM + 15, f"{step:,.0f}", anchor=anchor))
    for number, curve in enumerate(in_legend_order(curves)):
        points = [
            (LEFT + _PLOT_W * (x - first) / width, TOP + _PLOT_H * (1 - (y - low) / (high - low)))
            for x, y in zip(curve.steps, curve.values, strict=True)
            if math.isfinite(y)
        ]
        line = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        body.append(
            f'<polyline class="curve c{number % 3}" points="{line}"><title>{html.escape(curve.name)}</title></polyline>'
        )
        if len(points) <= 40:
            body += [f'<circle class="dot c{number % 3}" cx="{x:.1f}" cy="{y:.1f}" r="2.4"/>' for x, y in points]
    body.append(_text(LEFT + _PLOT_W / 2, HEIGHT - 8, label, extra=' class="label"'))
    return _svg(body, f"{label} over training steps")


def share_bar(parts: Sequence[tuple[str, float, str]]) -> str:
    """One bar cut into parts: (name, value, CSS class); empty parts are left out."""
    total = sum(value for _, value, _ in parts)
    if not total:
        return ""
    pieces = "".join(
        f'<span class="{css}" style="flex-grow:{value:g}" title="{html.escape(name)}: {value:,.0f} '
        f'({value / total * 100:.1f} %)"></span>'
        for name, value, css in parts
        if value
    )
    return f'<div class="sharebar" aria-hidden="true">{pieces}</div>'


def meter(value: float) -> str:
    """A thin bar for a figure in [0, 1]."""
    width = max(0.0, min(1.0, value)) * 100
    return f'<span class="meter" aria-hidden="true"><span style="width:{width:.1f}%"></span></span>'
