"""A gene as text: a picture for the terminal.

In: a row of a gene shard. Out: lines of text, one a transcript, 5' to 3'.
A surprise: a feature below one character's width is still drawn, so a microexon is seen.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from transgenic_tools.genome.gene import Transcript
from transgenic_tools.genome.interval import Interval
from transgenic_tools.io.rows import GeneRow

CDS, UTR, INTRON, OUTSIDE = "█", "▒", "─", " "
LEGEND = f"{CDS} CDS  {UTR} UTR  {INTRON} intron"


def _paint(line: list[str], interval: Interval, letter: str, scale: float) -> None:
    first = min(int(interval.start * scale), len(line) - 1)
    last = max(first + 1, min(round(interval.end * scale), len(line)))
    line[first:last] = [letter] * (last - first)


def draw(transcript: Transcript, *, length: int, width: int) -> str:
    """One transcript in window coordinates, scaled from `length` bases to `width` characters."""
    line = [OUTSIDE] * width
    scale = width / length
    _paint(line, transcript.interval, INTRON, scale)
    for exon in transcript.exons:
        _paint(line, exon, UTR, scale)
    for part in transcript.cds:
        _paint(line, part, CDS, scale)
    return "".join(line)


def ruler(length: int, width: int) -> str:
    """Positions along the window, every fifth of it."""
    line = [" "] * (width + 8)
    for i in range(5):
        text = str(length * i // 5)
        at = width * i // 5
        line[at : at + len(text)] = list(text)
    return "".join(line).rstrip()


def picture(row: GeneRow, transcripts: Sequence[Transcript], *, width: int) -> Iterator[str]:
    """Ruler, one line a transcript (window coordinates), legend."""
    length = len(row.sequence)
    yield ruler(length, width)
    for number, transcript in enumerate(transcripts, start=1):
        codons = f"{transcript.cds_length // 3} codons, {len(transcript.exons)} exons"
        yield f"{draw(transcript, length=length, width=width)}  {number}: {codons}"
    yield LEGEND


def wrapped(sequence: str, width: int, *, most: int | None = None) -> Iterator[str]:
    """A sequence in lines with positions; at most `most` bases of it."""
    shown = sequence if most is None else sequence[:most]
    for start in range(0, len(shown), width):
        yield f"{start:>8} {shown[start : start + width]}"
    if len(shown) < len(sequence):
        yield f"         ... {len(sequence) - len(shown)} more bases"
