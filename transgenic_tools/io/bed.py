"""BED3 to BED12: loci without structure.

In: BED, plain or gzip; or GFF3/GTF, whose gene lines are taken. Out: bare genes (no transcripts) and findings.
A surprise: a record without a strand becomes two loci, `<name>_plus` and `<name>_minus`, because the model reads one
strand. Which format it is, all lines together say: a BED of nine columns looks like GFF at first sight.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from transgenic_tools.errors import BadInputError
from transgenic_tools.genome.checks import Finding
from transgenic_tools.genome.gene import Gene
from transgenic_tools.genome.interval import Interval
from transgenic_tools.io.files import raw_lines, refuse_pipe, text_lines
from transgenic_tools.io.limits import how_to_raise, limits

#: First words of lines that are not records.
_OTHER_WORDS = frozenset({"track", "browser"})
#: Whole numbers that a coordinate can be.
_PLACE = re.compile(r"[0-9]{1,12}", re.ASCII)


class _Record(NamedTuple):
    """One line; `name` is empty where the file gives none, `strand` is a dot for none."""

    line: int
    name: str
    seqid: str
    interval: Interval
    strand: str


def _fields(line: str) -> list[str]:
    """Columns of a record, without a spreadsheet's quotes; none of a line that is no record."""
    fields = line.split("\t") if "\t" in line else line.split()
    if not line.strip() or line.startswith("#") or line.split(None, 1)[0] in _OTHER_WORDS:
        return []
    return [f[1:-1] if len(f) > 1 and f[0] == f[-1] == '"' else f for f in map(str.strip, fields)]


def _record(fields: list[str], path: Path, number: int) -> _Record:
    if len(fields) < 3:
        raise BadInputError(
            f"{len(fields)} columns: {' '.join(fields)[:60]!r}",
            path=path,
            line=number,
            hint="BED needs at least sequence name, start and end, tab-separated",
        )
    seqid, start, end = fields[:3]
    if not (_PLACE.fullmatch(start) and _PLACE.fullmatch(end) and int(start) < int(end)):
        raise BadInputError(
            f"start {start[:40]!r} and end {end[:40]!r} are no interval",
            path=path,
            line=number,
            hint="BED is 0-based: 0 <= start < end, in digits alone",
        )
    if not seqid or len(seqid) > limits().name:
        hint = f"write its name, {how_to_raise('name')}"
        raise BadInputError(f"a sequence name of {len(seqid):,} letters", path=path, line=number, hint=hint)
    name = fields[3] if len(fields) > 3 and fields[3] != "." else ""
    strand = fields[5] if len(fields) > 5 else "."
    if strand not in ("+", "-", "."):
        raise BadInputError(f"strand {strand!r}", path=path, line=number, hint="column 6 takes +, - or .")
    return _Record(number, name, seqid, Interval(int(start), int(end)), strand)


def _is_gxf(path: Path) -> bool:
    """Whether a file is GFF3 or GTF: said in its first line, or no line is BED and one has the columns of GFF."""
    gxf = False
    for number, raw in enumerate(raw_lines(path)):
        if number == 0 and raw.startswith(b"##gff"):
            return True
        fields = _fields(raw.decode("utf-8", "replace"))
        if not fields:
            continue
        if len(fields) > 2 and _PLACE.fullmatch(fields[1]) and _PLACE.fullmatch(fields[2]):
            return False
        gxf = gxf or (len(fields) >= 8 and bool(_PLACE.fullmatch(fields[3]) and _PLACE.fullmatch(fields[4])))
    return gxf


class _Names:
    """IDs of loci, each once. Names of the file come first: what is made up keeps clear of all of them."""

    def __init__(self, given: set[str]) -> None:
        self._given = given
        self._taken: set[str] = set()

    def take(self, name: str, *endings: str) -> list[str]:
        """`name` with each ending; with a number before it where one of these is taken."""
        own = name in self._given and endings == ("",) and name not in self._taken
        number, base = 1, name
        while not own and any(base + e in self._taken or base + e in self._given for e in endings):
            number += 1
            base = f"{name}.{number}"
        names = [base + ending for ending in endings]
        self._taken.update(names)
        return names


def _loci(records: list[_Record]) -> Iterator[tuple[Gene, list[Finding]]]:
    names = _Names({record.name for record in records if record.name})
    for record in records:
        wanted = record.name or f"{record.seqid}:{record.interval.start}-{record.interval.end}"
        if record.strand == ".":
            taken = zip(names.take(wanted, "_plus", "_minus"), ("_plus", "_minus"), strict=True)
        else:
            taken = zip(names.take(wanted, ""), ("",), strict=True)
        for name, ending in taken:
            findings = [Finding("strand_unknown", name, wanted, record.line)] if ending else []
            if name != wanted + ending:
                findings.append(Finding("id_renamed", name, f"was {wanted}", record.line))
            plus = record.strand == "+" or ending == "_plus"
            yield Gene(name, record.seqid, "+" if plus else "-", record.interval), findings


def read_loci(path: str | Path) -> tuple[tuple[Gene, ...], tuple[Finding, ...]]:
    """Loci of a BED, GFF3 or GTF file, sorted by sequence (order of appearance), start and end; IDs unique.

    Raises:
        MissingInputError: no such file.
        BadInputError: a line is no BED record, or the file holds none; a pipe, which could be read once only.
    """
    path = Path(path)
    refuse_pipe(path)
    if _is_gxf(path):
        from transgenic_tools.io.gff3 import read_annotation

        annotation = read_annotation(path)
        return tuple(replace(g, transcripts=()) for g in annotation.genes), ()
    records = [_record(f, path, number) for number, line in text_lines(path) if (f := _fields(line))]
    if not records:
        raise BadInputError("the file holds no locus", path=path, hint="give BED3 to BED12")
    rank = {seqid: i for i, seqid in enumerate(dict.fromkeys(record.seqid for record in records))}
    loci = sorted(_loci(records), key=lambda found: _place(found[0], rank))
    return tuple(gene for gene, _ in loci), tuple(finding for _, findings in loci for finding in findings)


def _place(gene: Gene, rank: dict[str, int]) -> tuple[int, int, int, str]:
    return rank[gene.seqid], gene.interval.start, gene.interval.end, gene.strand
