"""Builds annotation files for tests: columns separated by blanks in the test, by tabs in the file."""

from __future__ import annotations

from pathlib import Path

from transgenic_tools.genome.interval import Intervals
from transgenic_tools.io.gff3 import Annotation, read_annotation


def gxf(text: str) -> str:
    """Text with runs of blanks between the first nine columns turned into tabs; comment lines stay."""
    lines = []
    for line in text.strip("\n").split("\n"):
        stripped = line.strip()
        lines.append(stripped if stripped.startswith(("#", ">")) else "\t".join(stripped.split(None, 8)))
    return "\n".join(lines) + "\n"


def annotation(tmp_path: Path, text: str, name: str = "a.gff3") -> Annotation:
    """Write and read."""
    path = tmp_path / name
    path.write_text(gxf(text))
    return read_annotation(path)


def shape(found: Annotation) -> dict[str, dict[str, tuple[list[tuple[int, int]], list[tuple[int, int]]]]]:
    """Gene ID to transcript ID to (exons, CDS), 1-based closed as in the file, for reading beside it."""

    def closed(intervals: Intervals) -> list[tuple[int, int]]:
        return [(i.start + 1, i.end) for i in intervals]

    return {g.id: {t.id: (closed(t.exons), closed(t.cds)) for t in g.transcripts} for g in found.genes}
