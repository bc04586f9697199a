"""Where a predicted transcript differs from the reference, base by base.

In: transcripts of one locus. Out: rows of boxes in genome coordinates, each with a kind that says what to draw.
A surprise: the rows are all that a picture needs; SVG, PNG, the terminal and the browser in the report draw the same.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import IntEnum

from transgenic_tools.genome.gene import Transcript
from transgenic_tools.genome.interval import Interval, Intervals, subtract


class Kind(IntEnum):
    """What a box is. The numbers stand in the report's data."""

    CDS = 0
    UTR = 1
    CDS_EXTRA = 2
    UTR_EXTRA = 3
    CDS_MISSING = 4
    UTR_MISSING = 5


class Match(IntEnum):
    """How a predicted transcript relates to its nearest reference transcript, best first."""

    EXACT = 0
    SAME_CDS = 1
    SAME_INTRONS = 2
    DIFFERENT = 3
    ALONE = 4


MATCH_WORDS = {
    Match.EXACT: "exact",
    Match.SAME_CDS: "same CDS, other UTR",
    Match.SAME_INTRONS: "same introns, other ends",
    Match.DIFFERENT: "differs",
    Match.ALONE: "no reference",
}


@dataclass(frozen=True, slots=True)
class Box:
    """A stretch with one look, genome coordinates."""

    start: int
    end: int
    kind: Kind


@dataclass(frozen=True)
class Row:
    """One transcript ready to draw.

    Attributes:
        boxes: Left to right, disjoint.
        introns: Left to right.
        match: None for a reference transcript.
        nearest: Position of the reference transcript it is compared with, -1 for none.
        exon_scores: Left to right, empty where unknown.
    """

    id: str
    boxes: tuple[Box, ...]
    introns: Intervals
    score: float | None = None
    match: Match | None = None
    nearest: int = -1
    exons: Intervals = ()
    cds: Intervals = ()
    exon_scores: tuple[float, ...] = field(default=())


def _pieces(transcript: Transcript) -> list[tuple[Interval, str]]:
    utr = subtract(transcript.exons, transcript.cds)
    return [(part, "C") for part in transcript.cds] + [(part, "U") for part in utr]


def _labels(transcript: Transcript, edges: Sequence[int]) -> list[str]:
    """`C`, `U` or empty for each stretch between two edges."""
    place = {edge: index for index, edge in enumerate(edges)}
    labels = [""] * (len(edges) - 1)
    for part, label in _pieces(transcript):
        for index in range(place[part.start], place[part.end]):
            labels[index] = label
    return labels


_PLAIN = {"C": Kind.CDS, "U": Kind.UTR}
_EXTRA = {"C": Kind.CDS_EXTRA, "U": Kind.UTR_EXTRA}
_MISSING = {"C": Kind.CDS_MISSING, "U": Kind.UTR_MISSING}


def _kind(own: str, other: str) -> Kind | None:
    if own:
        return _PLAIN[own] if own == other else _EXTRA[own]
    return _MISSING[other] if other else None


def difference_boxes(predicted: Transcript, reference: Transcript | None) -> tuple[Box, ...]:
    """Boxes of a predicted transcript; bases that only the reference has are boxes too.

    A base that codes in one and is UTR in the other counts as extra, under the prediction's label.
    """
    pieces = _pieces(predicted) + ([] if reference is None else _pieces(reference))
    edges = sorted({edge for part, _ in pieces for edge in (part.start, part.end)})
    own = _labels(predicted, edges)
    other = own if reference is None else _labels(reference, edges)
    boxes: list[Box] = []
    for (start, end), a, b in zip(itertools.pairwise(edges), own, other, strict=True):
        kind = _kind(a, b)
        if kind is None:
            continue
        if boxes and boxes[-1].kind == kind and boxes[-1].end == start:
            boxes[-1] = Box(boxes[-1].start, end, kind)
        else:
            boxes.append(Box(start, end, kind))
    return tuple(boxes)


def match_of(predicted: Transcript, reference: Transcript) -> Match:
    """The closest relation that holds."""
    if predicted.exons == reference.exons and predicted.cds == reference.cds:
        return Match.EXACT
    if predicted.cds and predicted.cds == reference.cds:
        return Match.SAME_CDS
    if predicted.introns and predicted.introns == reference.introns:
        return Match.SAME_INTRONS
    return Match.DIFFERENT


def _shared(left: Intervals, right: Intervals) -> int:
    total = i = j = 0
    while i < len(left) and j < len(right):
        total += max(0, min(left[i].end, right[j].end) - max(left[i].start, right[j].start))
        if left[i].end < right[j].end:
            i += 1
        else:
            j += 1
    return total


def _distance(predicted: Transcript, reference: Transcript) -> tuple[int, int, int]:
    """Sort key: relation, then bases in one CDS only, then bases in one set of exons only."""

    def apart(a: Intervals, b: Intervals) -> int:
        return sum(map(len, a)) + sum(map(len, b)) - 2 * _shared(a, b)

    return (
        match_of(predicted, reference),
        apart(predicted.cds, reference.cds),
        apart(predicted.exons, reference.exons),
    )


def reference_row(transcript: Transcript) -> Row:
    """A reference transcript as it is."""
    return Row(
        id=transcript.id,
        boxes=difference_boxes(transcript, None),
        introns=transcript.introns,
        exons=transcript.exons,
        cds=transcript.cds,
    )


def predicted_row(transcript: Transcript, references: Sequence[Transcript]) -> Row:
    """A predicted transcript beside the reference transcript that it is nearest to."""
    exact = (i for i, r in enumerate(references) if match_of(transcript, r) is Match.EXACT)
    nearest = next(exact, None)
    if nearest is None:
        nearest = min(range(len(references)), key=lambda i: _distance(transcript, references[i]), default=-1)
    reference = references[nearest] if nearest >= 0 else None
    return Row(
        id=transcript.id,
        boxes=difference_boxes(transcript, reference),
        introns=transcript.introns,
        score=transcript.score,
        match=Match.ALONE if reference is None else match_of(transcript, reference),
        nearest=nearest,
        exons=transcript.exons,
        cds=transcript.cds,
        exon_scores=transcript.exon_scores,
    )
