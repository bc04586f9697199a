"""One locus as a picture: where every box, line and label goes.

In: a `Locus` and a width. Out: shapes in pixels, for SVG and PNG; `browser.js` draws the same from the same `GEOMETRY`.
A surprise: introns keep their true length, so a long intron makes exons thin; a box is at least a pixel wide.
"""

from __future__ import annotations

from dataclasses import dataclass

from transgenic_tools.genome.site import SiteKind
from transgenic_tools.report.compare import MATCH_WORDS, Kind, Row
from transgenic_tools.report.loci import Locus


@dataclass(frozen=True)
class Geometry:
    """Sizes in pixels."""

    left: int = 12
    right: int = 12
    axis: int = 30
    heading: int = 24
    row: int = 44
    label: int = 18
    cds: int = 16
    utr: int = 9
    track: int = 64
    arcs: int = 96
    bottom: int = 10


GEOMETRY = Geometry()


@dataclass(frozen=True, slots=True)
class Rect:
    """A box; `look` is a class of the style sheet."""

    x: float
    y: float
    width: float
    height: float
    look: str
    title: str = ""


@dataclass(frozen=True, slots=True)
class Line:
    """A line from (x1, y1) to (x2, y2)."""

    x1: float
    y1: float
    x2: float
    y2: float
    look: str


@dataclass(frozen=True, slots=True)
class Label:
    """Text with its baseline at (x, y)."""

    x: float
    y: float
    text: str
    look: str
    anchor: str = "start"


@dataclass(frozen=True)
class Picture:
    """A drawing in pixels."""

    width: int
    height: int
    rects: tuple[Rect, ...]
    lines: tuple[Line, ...]
    labels: tuple[Label, ...]
    title: str


LOOKS = {
    Kind.CDS: "cds",
    Kind.UTR: "utr",
    Kind.CDS_EXTRA: "cds extra",
    Kind.UTR_EXTRA: "utr extra",
    Kind.CDS_MISSING: "cds missing",
    Kind.UTR_MISSING: "utr missing",
}
KIND_WORDS = {
    Kind.CDS: "CDS",
    Kind.UTR: "UTR",
    Kind.CDS_EXTRA: "CDS, not in the reference isoform",
    Kind.UTR_EXTRA: "UTR, not in the reference isoform",
    Kind.CDS_MISSING: "CDS of the reference isoform, not predicted",
    Kind.UTR_MISSING: "UTR of the reference isoform, not predicted",
}


def tick_step(length: int, ticks: int) -> int:
    """1, 2 or 5 times a power of ten, so that about `ticks` fit."""
    wanted, step = max(1, length // max(1, ticks)), 1
    while True:
        for factor in (1, 2, 5):
            if step * factor >= wanted:
                return step * factor
        step *= 10


class _Canvas:
    def __init__(self, locus: Locus, width: int) -> None:
        padding = max(20, (locus.end - locus.start) // 50)
        self.start, self.end = locus.start - padding, locus.end + padding
        self.width = width
        self.scale = (width - GEOMETRY.left - GEOMETRY.right) / (self.end - self.start)
        self.rects: list[Rect] = []
        self.lines: list[Line] = []
        self.labels: list[Label] = []
        self.y = 0.0

    def x(self, position: int) -> float:
        return GEOMETRY.left + (position - self.start) * self.scale

    def axis(self) -> None:
        y = self.y + GEOMETRY.axis - 8
        self.lines.append(Line(self.x(self.start), y, self.x(self.end), y, "axis"))
        step = tick_step(self.end - self.start, self.width // 130)
        first = max(step, -(-self.start // step) * step)
        for position in range(first, self.end, step):
            self.lines.append(Line(self.x(position - 1), y, self.x(position - 1), y + 5, "axis"))
            self.labels.append(Label(self.x(position - 1), y - 5, f"{position:,}", "tick", "middle"))
        self.y += GEOMETRY.axis

    def heading(self, text: str) -> None:
        self.labels.append(Label(GEOMETRY.left, self.y + GEOMETRY.heading - 7, text, "heading"))
        self.y += GEOMETRY.heading

    def row(self, row: Row, strand: str, *, predicted: bool) -> None:
        middle = self.y + GEOMETRY.label + GEOMETRY.cds / 2 + 2
        side = "predicted" if predicted else "reference"
        note = "" if row.match is None else f"  ·  {MATCH_WORDS[row.match]}"
        score = "" if row.score is None else f"  ·  {row.score * 100:.0f} %"
        self.labels.append(Label(GEOMETRY.left, self.y + GEOMETRY.label - 3, f"{row.id}{note}{score}", "name"))
        for intron in row.introns:
            left, right = self.x(intron.start), self.x(intron.end)
            self.lines.append(Line(left, middle, right, middle, f"intron {side}"))
            if right - left > 14:
                centre, reach = (left + right) / 2, 3 if strand == "+" else -3
                self.lines.append(Line(centre - reach, middle - 3, centre, middle, f"intron {side}"))
                self.lines.append(Line(centre - reach, middle + 3, centre, middle, f"intron {side}"))
        for box in row.boxes:
            tall = GEOMETRY.cds if box.kind in (Kind.CDS, Kind.CDS_EXTRA, Kind.CDS_MISSING) else GEOMETRY.utr
            width = max(1.0, (box.end - box.start) * self.scale)
            title = f"{KIND_WORDS[box.kind]}, {box.end - box.start:,} bases"
            self.rects.append(
                Rect(self.x(box.start), middle - tall / 2, width, tall, f"{LOOKS[box.kind]} {side}", title)
            )
        self.y += GEOMETRY.row

    def track(self, locus: Locus) -> None:
        base = self.y + GEOMETRY.track - 6
        tall = GEOMETRY.track - 16
        self.lines.append(Line(self.x(self.start), base, self.x(self.end), base, "axis"))
        for site in locus.sites:
            look = "donor" if site.kind is SiteKind.DONOR else "acceptor"
            x, height = self.x(site.position), tall * site.probability
            self.lines.append(Line(x, base, x, base - height, f"site {look}"))
            title = f"{look} at {site.position + 1:,}: {site.probability * 100:.0f} %"
            self.rects.append(Rect(x - 2, base - height - 2, 4, 4, f"site {look}", title))
        self.y += GEOMETRY.track


def draw(locus: Locus, *, width: int = 1000) -> Picture:
    """Lay out one locus: axis, reference isoforms, predicted isoforms, site probabilities where known."""
    canvas = _Canvas(locus, width)
    name = f" ({locus.name})" if locus.name else ""
    title = f"{locus.gene_id}{name}"
    canvas.labels.append(Label(GEOMETRY.left, 18, title, "title"))
    place = f"{locus.seqid}:{locus.start + 1:,}-{locus.end:,} ({locus.strand})"
    canvas.labels.append(Label(width - GEOMETRY.right, 18, place, "name", "end"))
    canvas.y = 26.0
    canvas.axis()
    if locus.reference:
        canvas.heading("Reference")
        for row in locus.reference_rows():
            canvas.row(row, locus.strand, predicted=False)
    if locus.predicted:
        canvas.heading("Predicted")
        for row in locus.predicted_rows():
            canvas.row(row, locus.strand, predicted=True)
    if locus.sites:
        canvas.heading("Splice site probability")
        canvas.track(locus)
    return Picture(
        width=width,
        height=round(canvas.y + GEOMETRY.bottom),
        rects=tuple(canvas.rects),
        lines=tuple(canvas.lines),
        labels=tuple(canvas.labels),
        title=f"{title}, {len(locus.reference)} reference and {len(locus.predicted)} predicted isoforms",
    )
