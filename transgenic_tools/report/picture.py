"""Write a laid-out locus as SVG or PNG, or a locus as text for the terminal.

In: a `Picture` or a `Locus`. Out: SVG text, a PNG file, or lines.
A surprise: PNG is drawn by matplotlib from the same shapes as the SVG, at two pixels a unit, so both look alike.
"""

from __future__ import annotations

import html
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from transgenic_tools.provenance import write_aside
from transgenic_tools.report.compare import MATCH_WORDS, Kind, Row
from transgenic_tools.report.drawing import Label, Picture
from transgenic_tools.report.loci import Locus


@dataclass(frozen=True, kw_only=True)
class Palette:
    """Colours of a picture.

    Attributes:
        looks: Of shapes by their look; `axis` of all others.
        text: Of labels by their look.
        paper: Beneath everything.
    """

    looks: Mapping[str, str]
    text: Mapping[str, str]
    paper: str

    def of(self, look: str) -> str:
        """The colour of a shape, whose look may have several words."""
        words = look.split()
        named = (word for word in ("extra", "missing", *words) if word in words and word in self.looks)
        return self.looks[next(named, "other")]


#: Stand-alone files: the light theme of report.css.
LIGHT = Palette(
    looks={
        "predicted": "#0f766e", "reference": "#475569", "extra": "#e8590c", "missing": "#e8590c", "donor": "#2563eb",
        "acceptor": "#9333ea", "axis": "#94a3b8", "other": "#64748b",
    },
    text={"title": "#0f172a", "heading": "#334155", "name": "#475569", "tick": "#64748b"},
    paper="#ffffff",
)  # fmt: skip
#: Inside the report: whatever its theme says.
OF_PAGE = Palette(
    looks={
        "predicted": "var(--accent)", "reference": "var(--ref)", "extra": "var(--extra)", "missing": "var(--extra)",
        "donor": "var(--donor)", "acceptor": "var(--acceptor)", "axis": "var(--faint)", "other": "var(--faint)",
    },
    text={"title": "var(--ink)", "heading": "var(--ink)", "name": "var(--soft)", "tick": "var(--faint)"},
    paper="var(--card)",
)  # fmt: skip
#: Size and weight of labels.
TEXT = {"title": (15, "bold"), "heading": (12, "bold"), "name": (11.5, "normal"), "tick": (10.5, "normal")}
FONT = "Helvetica, Arial, sans-serif"


def to_svg(picture: Picture, palette: Palette = LIGHT) -> str:
    """A stand-alone SVG document; with `OF_PAGE` a part of the report."""
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{picture.width}" height="{picture.height}" '
        f'viewBox="0 0 {picture.width} {picture.height}" role="img" font-family="{FONT}">',
        f"<title>{html.escape(picture.title)}</title>",
        f'<rect width="{picture.width}" height="{picture.height}" fill="{palette.paper}"/>',
    ]
    for line in picture.lines:
        parts.append(
            f'<line x1="{line.x1:.2f}" y1="{line.y1:.2f}" x2="{line.x2:.2f}" y2="{line.y2:.2f}" '
            f'stroke="{palette.of(line.look)}" stroke-width="1.2"/>'
        )
    for rect in picture.rects:
        hollow = "missing" in rect.look.split()
        paint = (
            f'fill="none" stroke="{palette.of(rect.look)}" stroke-width="1.2" stroke-dasharray="3 2"'
            if hollow
            else f'fill="{palette.of(rect.look)}"'
        )
        parts.append(
            f'<rect x="{rect.x:.2f}" y="{rect.y:.2f}" width="{rect.width:.2f}" height="{rect.height:.2f}" {paint}>'
            f"<title>{html.escape(rect.title)}</title></rect>"
        )
    for label in picture.labels:
        size, weight = TEXT[label.look]
        colour = palette.text[label.look]
        parts.append(
            f'<text x="{label.x:.2f}" y="{label.y:.2f}" font-size="{size}" fill="{colour}" font-weight="{weight}" '
            f'text-anchor="{label.anchor}">{html.escape(label.text)}</text>'
        )
    return "\n".join([*parts, "</svg>"]) + "\n"


def write_svg(picture: Picture, path: Path) -> None:
    """Write `to_svg`, aside and renamed."""
    with write_aside(path) as aside:
        aside.write_text(to_svg(picture), encoding="utf-8")


def write_png(picture: Picture, path: Path, *, pixels_per_unit: float = 2.0) -> None:
    """Write a PNG of `pixels_per_unit` times the picture's size."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib.figure import Figure
    from matplotlib.patches import Rectangle

    figure = Figure(figsize=(picture.width / 100, picture.height / 100), dpi=100 * pixels_per_unit, facecolor="white")
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_xlim(0, picture.width)
    axes.set_ylim(picture.height, 0)
    axes.axis("off")
    for line in picture.lines:
        axes.plot(
            (line.x1, line.x2), (line.y1, line.y2), color=LIGHT.of(line.look), linewidth=0.9, solid_capstyle="butt"
        )
    for rect in picture.rects:
        hollow = "missing" in rect.look.split()
        patch = Rectangle((rect.x, rect.y), rect.width, rect.height, linewidth=0.9 if hollow else 0,
                          facecolor="none" if hollow else LIGHT.of(rect.look), edgecolor=LIGHT.of(rect.look),
                          linestyle=(0, (3, 2)) if hollow else "solid")  # fmt: skip
        axes.add_patch(patch)
    for label in picture.labels:
        _draw_label(axes.text, label)
    with write_aside(path) as aside:
        figure.savefig(aside, format="png", metadata={"Software": None})


def _draw_label(text: Callable[..., object], label: Label) -> None:
    size, weight = TEXT[label.look]
    side = {"start": "left", "middle": "center", "end": "right"}[label.anchor]
    text(
        label.x,
        label.y,
        label.text,
        fontsize=size * 0.72,
        color=LIGHT.text[label.look],
        fontweight=weight,
        ha=side,
        va="baseline",
    )


_MARKS = {
    Kind.CDS: ("█", ""),
    Kind.UTR: ("▄", ""),
    Kind.CDS_EXTRA: ("█", "\033[38;5;208m"),
    Kind.UTR_EXTRA: ("▄", "\033[38;5;208m"),
    Kind.CDS_MISSING: ("░", "\033[38;5;208m"),
    Kind.UTR_MISSING: ("░", "\033[38;5;208m"),
}
_RESET = "\033[0m"


def _terminal_row(row: Row, locus: Locus, width: int, *, base: str, colour: bool) -> str:
    scale = width / (locus.end - locus.start)
    cells = [(" ", "")] * width

    def columns(start: int, end: int) -> range:
        first = min(width - 1, int((start - locus.start) * scale))
        return range(first, max(first + 1, min(width, round((end - locus.start) * scale))))

    for intron in row.introns:
        for number, column in enumerate(columns(intron.start, intron.end)):
            cells[column] = ((">" if locus.strand == "+" else "<") if number % 6 == 3 else "─", base)
    for box in sorted(row.boxes, key=lambda b: b.kind):
        mark, paint = _MARKS[box.kind]
        for column in columns(box.start, box.end):
            cells[column] = (mark, paint or base)
    if not colour:
        plain = {Kind.CDS_EXTRA: "+", Kind.UTR_EXTRA: "+", Kind.CDS_MISSING: "·", Kind.UTR_MISSING: "·"}
        for box in row.boxes:
            for column in columns(box.start, box.end):
                cells[column] = (plain.get(box.kind, cells[column][0]), "")
        return "".join(mark for mark, _ in cells)
    return "".join(f"{paint}{mark}{_RESET}" if paint else mark for mark, paint in cells)


def to_terminal(locus: Locus, *, width: int = 100, colour: bool = True) -> str:
    """The locus as text: `█` CDS, `▄` UTR, `─` intron; extra bases orange (`+`), missing ones `░` (`·`)."""
    name = f" ({locus.name})" if locus.name else ""
    lines = [f"{locus.gene_id}{name}  {locus.seqid}:{locus.start + 1:,}-{locus.end:,} ({locus.strand})"]
    for heading, rows, base in (
        ("reference", locus.reference_rows(), "\033[38;5;245m"),
        ("predicted", locus.predicted_rows(), "\033[38;5;37m"),
    ):
        for row in rows:
            note = "" if row.match is None else f", {MATCH_WORDS[row.match]}"
            score = "" if row.score is None else f", {row.score * 100:.0f} %"
            lines.append(f"{heading} {row.id}{note}{score}")
            lines.append("  " + _terminal_row(row, locus, width - 2, base=base, colour=colour))
    legend = "█ CDS  ▄ UTR  ─ intron"
    if locus.reference and locus.predicted:
        legend += "  orange: not in the reference  ░ missing" if colour else "  + not in the reference  · missing"
    return "\n".join([*lines, legend]) + "\n"
