"""BED3 to BED12: loci without structure.

In: BED, plain or gzip; or GFF3/GTF, whose gene lines are taken. Out: bare genes (no transcripts) and findings.
A surprise: a record without a strand becomes two loci, `<name>_plus` and `<name>_minus`, because the model reads one
strand.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from transgenic_tools.errors import BadInputError
from transgenic_tools.genome.checks import Finding
from transgenic_tools.genome.gene import Gene
from transgenic_tools.genome.interval import Interval
from transgenic_tools.io.files import open_text

_OTHER_LINES = ("#", "track", "browser")


def _record(fields: list[str], path: Path, number: int) -> tuple[str, str, Interval, str]:
    """(name, seqid, interval, strand or '.') of one BED line."""
    if len(fields) < 3:
        raise BadInputError(
            f"{len(fields)} columns: {' '.join(fields)[:60]!r}",
            path=path,
            line=number,
            hint="BED needs at least sequence name, start and end, tab-separated",
        )
    try:
        start, end = int(fields[1]), int(fields[2])
        interval = Interval(start, end)
    except ValueError as error:
        raise BadInputError(
            f"start {fields[1]!r} and end {fields[2]!r} are no interval",
            path=path,
            line=number,
            hint="BED is 0-based: 0 <= start < end",
        ) from error
    name = fields[3] if len(fields) > 3 and fields[3] not in ("", ".") else f"{fields[0]}:{start}-{end}"
    strand = fields[5] if len(fields) > 5 else "."
    if strand not in ("+", "-", "."):
        raise BadInputError(f"strand {strand!r}", path=path, line=number, hint="column 6 takes +, - or .")
    return name, fields[0], interval, strand


def _is_gxf(path: Path) -> bool:
    with open_text(path) as handle:
        for line in handle:
            if line.startswith(b"##gff"):
                return True
            if line.strip() and not line.startswith((b"#", b"track", b"browser")):
                fields = line.rstrip(b"\r\n").split(b"\t")
                return len(fields) == 9 and fields[3].isdigit() and fields[4].isdigit()
    return False


def read_loci(path: str | Path) -> tuple[tuple[Gene, ...], tuple[Finding, ...]]:
    """Loci of a BED, GFF3 or GTF file, sorted by sequence (order of appearance), start and end; IDs unique.

    Raises:
        MissingInputError: no such file.
        BadInputError: a line is no BED record, or the file holds none.
    """
    path = Path(path)
    if _is_gxf(path):
        from transgenic_tools.io.gff3 import read_annotation

        annotation = read_annotation(path)
        return tuple(replace(g, transcripts=()) for g in annotation.genes), ()
    genes: list[Gene] = []
    findings: list[Finding] = []
    rank: dict[str, int] = {}
    taken: dict[str, int] = {}
    with open_text(path) as handle:
        for number, raw in enumerate(handle, start=1):
            line = raw.decode("utf-8", "replace").rstrip("\r\n")
            if not line.strip() or line.startswith(_OTHER_LINES):
                continue
            fields = line.split("\t") if "\t" in line else line.split()
            name, seqid, interval, strand = _record(fields, path, number)
            rank.setdefault(seqid, len(rank))
            taken[name] = taken.get(name, 0) + 1
            if taken[name] > 1:
                name = f"{name}.{taken[name]}"
                findings.append(Finding("id_renamed", name, f"{fields[3] if len(fields) > 3 else name}", number))
            if strand == "+" or strand == "-":
                genes.append(Gene(name, seqid, "+" if strand == "+" else "-", interval))
            else:
                genes.append(Gene(f"{name}_plus", seqid, "+", interval))
                genes.append(Gene(f"{name}_minus", seqid, "-", interval))
    if not genes:
        raise BadInputError("the file holds no locus", path=path, hint="give BED3 to BED12")
    genes.sort(key=lambda g: (rank[g.seqid], g.interval.start, g.interval.end, g.strand))
    return tuple(genes), tuple(findings)
