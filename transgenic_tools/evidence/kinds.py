"""Tell what kind of evidence a file holds, from its content.

In: a path. Out: a `Kind`.
A surprise: the name of the file is never looked at; a GFF of introns, of transcripts and of protein alignments differ
only in their feature types and in who wrote them.
"""

from __future__ import annotations

import zlib
from pathlib import Path

from transgenic_tools.errors import BadInputError
from transgenic_tools.evidence.config import Kind
from transgenic_tools.genome.evidence import SIGN_OF
from transgenic_tools.io.files import is_pipe, open_text

_GZIP, _HEAD = b"\x1f\x8b", 1 << 12
#: Lines looked at before a GFF's kind is settled.
_LINES = 2_000
_SAM_HEADERS = (b"@HD\t", b"@SQ\t", b"@RG\t", b"@PG\t", b"@CO\t")
_TRANSCRIPT_TYPES = frozenset(("mrna", "transcript", "exon", "cds"))


def is_binary_alignment(path: Path) -> bool:
    """BAM or CRAM, by the first bytes; False where there is no such file, or none that could be read again."""
    if is_pipe(path):
        return False
    try:
        with open(path, "rb") as handle:
            head = handle.read(_HEAD)
        unpacked = zlib.decompressobj(wbits=31).decompress(head, 4) if head.startswith(_GZIP) else head
    except (OSError, zlib.error):
        return False
    return unpacked.startswith((b"BAM\1", b"CRAM"))


def _of_bytes(head: bytes) -> Kind | None:
    """Kinds of text with a signature of their own."""
    if head.startswith(_SAM_HEADERS):
        return Kind.ALIGNMENTS
    if head.startswith((b">", b"@")):
        return Kind.LONG_READS
    return None


def _of_columns(fields: list[str]) -> Kind | None:
    """Kinds that one line tells."""
    if len(fields) == 9 and all(field.isdecimal() for field in fields[1:]) and fields[3] in "012":
        return Kind.STAR_JUNCTIONS
    if len(fields) >= 6 and fields[1].isdecimal() and fields[2].isdecimal() and fields[5] in SIGN_OF:
        return Kind.JUNCTION_BED
    return None


def _is_protein(fields: list[str]) -> bool:
    return fields[2] == "mRNA" and "Target=" in fields[8]


def kind_of(path: Path) -> Kind:
    """The kind of a file.

    Raises:
        MissingInputError: no such file.
        BadInputError: it is empty, or none of the kinds.
    """
    if is_binary_alignment(path):
        return Kind.ALIGNMENTS
    types: set[str] = set()
    with open_text(path) as handle:
        head = handle.read(1 << 16)
        found = _of_bytes(head)
        if found is not None:
            return found
        lines = head.decode("utf-8", "replace").splitlines()
        if len(head) == 1 << 16:
            lines.pop()
    for line in lines[:_LINES]:
        if not line.strip() or line.startswith(("#", "track", "browser")):
            continue
        fields = line.split("\t")
        found = _of_columns(fields)
        if found is not None:
            return found
        if len(fields) != 9:
            break
        if _is_protein(fields):
            return Kind.PROTEINS
        types.add(fields[2].lower())
    if types & _TRANSCRIPT_TYPES:
        return Kind.TRANSCRIPTS
    if "intron" in types:
        return Kind.INTRON_GFF
    raise BadInputError(
        "cannot tell what kind of evidence this is" if head.strip() else "the file is empty",
        path=path,
        hint=f"name it in the sheet's column 'kind': {', '.join(Kind)}",
    )
