"""The well-formed lines of a block in which some are not: mended where it is plain what was meant, else named.

In: whole lines of GFF3 or GTF. Out: `WellFormed`: lines of nine columns with their numbers, comments, what is lost.
A surprise: a lost line is looked through for the names of its gene and transcript, and its neighbours are noted: a
transcript that lost a line must not pass for whole.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple
from urllib.parse import unquote

from transgenic_tools.io.gff3.nodes import is_gene_type, is_transcript_type

_TABS = 8
_NAMES = re.compile(
    r"""(?:^|[;\t\s"])(?:(ID|Parent)\s*=\s*([^;\t"]*)|(gene_id|transcript_id)\s+(?:"([^";\t]*)|([^";\s]+)))"""
)

_NUMBERS = re.compile(rb"^\d+$")


class Named(NamedTuple):
    """What a line, however damaged, says about itself."""

    seqid: str
    type: str
    id: str = ""
    parents: tuple[str, ...] = ()
    gene_id: str = ""
    transcript_id: str = ""


class Lost(NamedTuple):
    """A line that could not be read.

    Attributes:
        line: Its number in the file.
        before, after: The lines beside it that were read.
    """

    line: int
    named: Named
    before: Named | None
    after: Named | None


class Bad(NamedTuple):
    """A finding about a line: code, detail, its number."""

    code: str
    detail: str
    line: int


@dataclass
class WellFormed:
    """See the module.

    Attributes:
        rows: Lines of nine columns, UTF-8, without line ends. `numbers`: of each, from 1 in the file.
        comments: Lines that begin with `#`.
        bad: Findings. `lost`: numbers of the lines that were given up, with their text.
        quoted: Numbers of lines that lost a spreadsheet's quotes.
        ended: Whether an embedded FASTA section has begun.
        n_lines: Lines that were looked at.
    """

    rows: list[bytes] = field(default_factory=list)
    numbers: list[int] = field(default_factory=list)
    comments: list[str] = field(default_factory=list)
    bad: list[Bad] = field(default_factory=list)
    lost: list[tuple[int, str]] = field(default_factory=list)
    quoted: list[int] = field(default_factory=list)
    ended: bool = False
    n_lines: int = 0


def named_in(text: str) -> Named:
    """Names in a line, wherever they stand."""
    found = {"ID": "", "Parent": "", "gene_id": "", "transcript_id": ""}
    for match in _NAMES.finditer(text):
        key, value = match[1] or match[3], match[2] or match[4] or match[5] or ""
        found[key] = found[key] or unquote(value.strip())
    columns = text.split("\t") if "\t" in text else text.split(None, 8)
    parents = tuple(part.strip() for part in found["Parent"].split(",") if part.strip())
    feature = columns[2].strip() if len(columns) > 2 else ""
    return Named(columns[0].strip(), feature, found["ID"], parents, found["gene_id"], found["transcript_id"])


def text_of(line: bytes) -> str:
    """Most files are UTF-8; what is not is read as Latin-1, where every byte is a letter."""
    try:
        return line.decode()
    except UnicodeDecodeError:
        return line.decode("latin1")


def _unquoted(line: bytes) -> bytes:
    """A line without the quotes that a spreadsheet puts around cells, or around a whole line."""
    if line.startswith(b'"') and line.endswith(b'"') and not line.split(b"\t", 1)[0].endswith(b'"'):
        line = line[1:-1].replace(b'""', b'"')
    cells = line.split(b"\t")
    return b"\t".join(
        cell[1:-1].replace(b'""', b'"') if len(cell) > 1 and cell[:1] == cell[-1:] == b'"' else cell for cell in cells
    )


def _nine_columns(line: bytes) -> bytes | None:
    """A line with empty columns past the ninth, or without the ninth, as one of nine; None for any other."""
    cells = line.split(b"\t")
    while len(cells) > _TABS + 1 and not cells[-1].strip():
        cells.pop()
    if len(cells) == _TABS and _NUMBERS.match(cells[3]) and _NUMBERS.match(cells[4]):
        cells.append(b"")  # column 9 may be missing in GFF2
    return b"\t".join(cells) if len(cells) == _TABS + 1 else None


def _is_plain(line: bytes) -> bool:
    return line.count(b"\t") == _TABS and b'\t"' not in line and line[:1] not in (b"#", b'"', b">")


def well_formed(text: bytes, first: int) -> WellFormed:
    """The lines of a block.

    Args:
        first: Number of its first line.
    """
    raw = text.removesuffix(b"\n").split(b"\n")
    found = WellFormed(n_lines=len(raw))
    for number, line in enumerate(raw, start=first):
        whole: bytes | None = line
        if not _is_plain(line):
            if line.startswith((b"##FASTA", b">")):
                found.ended, found.n_lines = True, number - first
                break
            if line.startswith(b"#"):
                found.comments.append(text_of(line))
                continue
            if not line.strip():
                continue
            if b'"' in line and (bare := _unquoted(line)) != line:
                found.quoted.append(number)
                line = bare
            whole = _nine_columns(line)
        if whole is None:
            told = text_of(line)
            found.bad.append(Bad("bad_line", f"{told.count(chr(9)) + 1} columns: {told[:60]!r}", number))
            found.lost.append((number, told))
        else:
            found.rows.append(whole)
            found.numbers.append(number)
    return found


def utf8(rows: Sequence[bytes]) -> bytes:
    """Lines as one text, each with its end; those that are not UTF-8 are taken for Latin-1."""
    text = b"\n".join(rows) + b"\n" if rows else b""
    try:
        text.decode()
    except UnicodeDecodeError:
        return "".join(f"{text_of(row)}\n" for row in rows).encode()
    return text


class Suspects(NamedTuple):
    """Keys (seqid and name) of transcripts that lost a line, with its number; and of features beside a lost line."""

    lost: dict[tuple[str, str], int]
    near: dict[tuple[str, str], int]


def _own_names(named: Named, *, gff3: bool) -> tuple[str, ...]:
    """The transcripts to which a line belongs; a transcript's line is one of its own."""
    if not gff3:
        return (named.transcript_id or named.gene_id,) if named.transcript_id or named.gene_id else ()
    if is_gene_type(named.type) or (is_transcript_type(named.type) and named.id):
        return (named.id,) if named.id else ()
    return named.parents or ((named.id,) if named.id else ())


def suspects(lost: Sequence[Lost], *, gff3: bool) -> Suspects:
    """What lost lines cast doubt on: the transcript that they name, else that on both sides, else both neighbours."""
    found = Suspects({}, {})
    for line in lost:
        beside = [named for named in (line.before, line.after) if named is not None]
        seqids = dict.fromkeys(name for n in (line.named, *beside) for name in (n.seqid, unquote(n.seqid)))
        names = _own_names(line.named, gff3=gff3)
        rejected = not is_gene_type(line.named.type) and (gff3 or not is_transcript_type(line.named.type))
        if not names:
            sides = [_own_names(named, gff3=gff3) for named in beside]
            both = tuple(name for name in sides[0] if name in sides[1]) if len(sides) == 2 else ()
            names, rejected = both or tuple(dict.fromkeys(itertools.chain(*sides))), bool(both)
        for key in [(seqid, name) for seqid in seqids for name in names]:
            (found.lost if rejected else found.near).setdefault(key, line.line)
    return found
