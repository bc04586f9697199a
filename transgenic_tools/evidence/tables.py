"""Junction files of text: STAR's SJ.out.tab, BED of regtools and portcullis, hints and introns in GFF.

In: a file, plain or gzip. Out: reads by junction.
A surprise: blocks of a junction BED are the anchors of the reads, so the intron lies between the two blocks; a BED
without blocks states the intron itself.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from transgenic_tools.errors import BadInputError
from transgenic_tools.evidence.config import Kind
from transgenic_tools.genome.evidence import SIGN_OF, JunctionKey
from transgenic_tools.io.files import open_text

#: A count above it is an error of the file: no library holds as many reads of one intron.
MOST_READS = 1_000_000_000
_COMMENTS = ("#", "track", "browser")
_MULTIPLICITY = re.compile(r"(?:^|;)\s*mult=([^;]*)")
_IS_HINT = re.compile(r"(?:^|;)\s*(?:mult|src|source|pri|grp)=")
_STAR_SIGN = {"0": 0, "1": 1, "2": -1}
_STAR_COLUMNS, _BED_BLOCKS, _GFF_COLUMNS = 9, 12, 9


class _Line:
    """One line of a file, for messages."""

    __slots__ = ("fields", "number", "path")

    def __init__(self, path: Path, number: int, fields: list[str]) -> None:
        self.path, self.number, self.fields = path, number, fields

    def fault(self, message: str, hint: str) -> BadInputError:
        return BadInputError(message, path=self.path, line=self.number, hint=hint)

    def whole(self, column: int, name: str) -> int:
        """A whole number of 0 or more in a column (counted from 1)."""
        text = self.fields[column - 1]
        if not text.isdecimal() or len(text) > 18:
            raise self.fault(f"{name} {text!r} in column {column} is no whole number", "check or leave out this line")
        return int(text)

    def reads(self, text: str, where: str) -> int:
        """A count of reads; score columns may write it as 12.0."""
        try:
            value = float(text)
        except ValueError:
            value = -1.0
        if not 0 <= value <= MOST_READS:
            raise self.fault(
                f"count {text!r} in {where} is no number from 0 to {MOST_READS:,}", "check or leave out this line"
            )
        return int(value)

    def key(self, start: int, end: int, sign: int) -> JunctionKey:
        """The intron `[start, end)`."""
        if not 0 <= start < end:
            raise self.fault(
                f"the intron from {start + 1} to {end} is empty", "starts must lie left of ends, from base 1 on"
            )
        return JunctionKey(self.fields[0], start, end, sign)


def _lines(path: Path) -> Iterator[_Line]:
    with open_text(path) as handle:
        for number, raw in enumerate(handle, start=1):
            text = raw.decode("utf-8", "replace").rstrip("\r\n")
            if text.strip() and not text.startswith(_COMMENTS):
                yield _Line(path, number, text.split("\t"))


def _star(line: _Line, multimapped: bool) -> tuple[JunctionKey, int] | None:
    """Columns: seqid, first and last base of the intron, strand 0/1/2, motif, annotated, unique, multiple, overhang."""
    if len(line.fields) != _STAR_COLUMNS:
        raise line.fault(
            f"{len(line.fields)} columns, SJ.out.tab has {_STAR_COLUMNS}",
            "give STAR's SJ.out.tab as it was written (not the list of --sjdbFileChrStartEnd)",
        )
    if line.fields[3] not in _STAR_SIGN:
        raise line.fault(f"strand {line.fields[3]!r} in column 4", "STAR writes 0, 1 or 2 there")
    reads = line.whole(7, "the count of unique reads") + (
        line.whole(8, "the count of multimapped reads") if multimapped else 0
    )
    start, end = line.whole(2, "the start"), line.whole(3, "the end")
    return line.key(start - 1, end, _STAR_SIGN[line.fields[3]]), line.reads(str(reads), "columns 7 and 8")


def _bed(line: _Line, multimapped: bool) -> tuple[JunctionKey, int] | None:
    """BED6 (the intron) or BED12 (the reads' anchors with the intron between)."""
    if len(line.fields) < 6:
        raise line.fault(
            f"{len(line.fields)} columns, a junction BED has 6 or 12", "give junctions with score and strand"
        )
    if line.fields[5] not in SIGN_OF:
        raise line.fault(f"strand {line.fields[5]!r} in column 6", "BED writes +, - or . there")
    start, end = line.whole(2, "the start"), line.whole(3, "the end")
    if len(line.fields) >= _BED_BLOCKS:
        sizes = [size for size in line.fields[10].split(",") if size]
        if len(sizes) == 1:
            return None
        if len(sizes) != 2 or not all(size.isdecimal() for size in sizes):
            raise line.fault(
                f"block sizes {line.fields[10]!r} in column 11",
                "a junction has two blocks, one on each side of the intron",
            )
        start, end = start + int(sizes[0]), end - int(sizes[1])
    return line.key(start, end, SIGN_OF[line.fields[5]]), line.reads(line.fields[4], "column 5")


def _gff(line: _Line, multimapped: bool) -> tuple[JunctionKey, int] | None:
    """Hints state their count as `mult=` (1 where it is left out); other introns in column 6."""
    if len(line.fields) != _GFF_COLUMNS:
        raise line.fault(f"{len(line.fields)} columns, GFF has {_GFF_COLUMNS}", "separate columns by tabs")
    if line.fields[2].lower() != "intron":
        return None
    if line.fields[6] not in SIGN_OF:
        raise line.fault(f"strand {line.fields[6]!r} in column 7", "GFF writes +, - or . there")
    start, end = line.whole(4, "the start"), line.whole(5, "the end")
    if _IS_HINT.search(line.fields[8]):
        given = _MULTIPLICITY.search(line.fields[8])
        reads = line.reads(given.group(1), "mult=") if given else 1
    else:
        reads = 1 if line.fields[5] == "." else line.reads(line.fields[5], "column 6")
    return line.key(start - 1, end, SIGN_OF[line.fields[6]]), reads


_Reader = Callable[[_Line, bool], tuple[JunctionKey, int] | None]
_READERS: Mapping[Kind, _Reader] = {Kind.STAR_JUNCTIONS: _star, Kind.JUNCTION_BED: _bed, Kind.INTRON_GFF: _gff}
TABLES = frozenset(_READERS)


def read_table(path: Path, kind: Kind, *, multimapped: bool = False) -> tuple[dict[JunctionKey, int], int]:
    """Reads by junction, and how many lines stated none (other features, single blocks, zero reads).

    Raises:
        MissingInputError: no such file.
        BadInputError: a line that does not hold what its kind promises, by number.
    """
    read = _READERS[kind]
    counts: dict[JunctionKey, int] = {}
    passed = 0
    for line in _lines(path):
        stated = read(line, multimapped)
        if stated is None or stated[1] == 0:
            passed += 1
            continue
        key, reads = stated
        counts[key] = counts.get(key, 0) + reads
    return counts, passed
