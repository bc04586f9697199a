"""Column 9 of GFF3 (`key=value;...`) and GTF (`key "value"; ...`).

In: the text of one line's column 9. Out: a dict of value tuples.
A surprise: AUGUSTUS and BRAKER write the bare ID there on gene and transcript lines of their GTF.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from urllib.parse import unquote

Attributes = dict[str, tuple[str, ...]]

#: A quote ends a value where a semicolon or the line's end follows. A backslash before a quote (old files of ours, and
#: others) makes it part of the value, unless the next pair or the line's end follows: then it is a value's last letter.
_NEXT_PAIR = r'\s*;\s*[\w.]+\s+["\w]'
_QUOTED = rf'"((?>[^"\\]|\\["\\](?!{_NEXT_PAIR})(?!\s*;?\s*$)|\\|"(?!\s*(?:;|$)))*+)"'
_GTF_PAIR = re.compile(rf'\s*([^\s;"]+)\s+(?:{_QUOTED}|([^";]*))\s*(?:;|$)')
#: What GTF's writer escapes, and no other use of a percent sign.
_GTF_ESCAPED = re.compile(r"%(0[0-9A-F]|1[0-9A-F]|7F|2[256C]|3[BD]|5C)")
_BACKSLASHED = re.compile(r'\\(["\\])')


def parse_gff3(text: str) -> Attributes:
    """GFF3 column 9; values are split at commas, then %-decoded; a repeated key adds values."""
    found: Attributes = {}
    for part in text.split(";"):
        key, equals, value = part.strip().partition("=")
        if not equals:
            continue
        values = tuple(unquote(v) if "%" in v else v for v in value.split(","))
        name = unquote(key) if "%" in key else key
        found[name] = found[name] + values if name in found else values
    return found


class LazyAttributes(Mapping[str, tuple[str, ...]]):
    """Column 9 of GFF3 without ID and Parent, parsed when first looked at: most are never looked at."""

    __slots__ = ("_found", "_text")

    def __init__(self, text: str) -> None:
        self._text = text
        self._found: Attributes | None = None

    def _parsed(self) -> Attributes:
        if self._found is None:
            self._found = parse_gff3(self._text)
            self._found.pop("ID", None)
            self._found.pop("Parent", None)
        return self._found

    def first(self, keys: tuple[str, ...]) -> str | None:
        """The first value of the first of these plain keys that is there, without parsing the rest."""
        text = self._text
        for key in keys:
            at = text.find(f"{key}=")
            while at > 0 and text[at - 1] != ";":
                at = text.find(f"{key}=", at + 1)
            if at >= 0:
                begin = at + len(key) + 1
                end = text.find(";", begin)
                return _decoded(text[begin : end if end >= 0 else None].split(",", 1)[0])
        return None

    def __getitem__(self, key: str) -> tuple[str, ...]:
        return self._parsed()[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._parsed())

    def __len__(self) -> int:
        return len(self._parsed())

    def __repr__(self) -> str:
        return repr(self._parsed())


_ID = re.compile(r"(?:^|;)\s*ID\s*=([^;]*)")
_PARENT = re.compile(r"(?:^|;)\s*Parent\s*=([^;]*)")


def gff3_id(text: str) -> str:
    """The ID of a line, or ""."""
    if text.startswith("ID="):
        end = text.find(";")
        return _decoded(text[3:end] if end >= 0 else text[3:])
    match = _ID.search(text)
    return _decoded(match[1]) if match else ""


def gff3_parents(text: str) -> tuple[str, ...]:
    """The IDs that a line names as its parents."""
    first = text.find(";") + 1
    if first and text.startswith("Parent=", first) and not text.startswith(("Parent", " ")):  # as nearly all files
        end = text.find(";", first)
        value = text[first + 7 : end] if end >= 0 else text[first + 7 :]
        if value and "," not in value:
            return (_decoded(value),) if not value.isspace() else ()
    match = _PARENT.search(text)
    return tuple(_decoded(part) for part in match[1].split(",") if part.strip()) if match else ()


def _decoded(text: str) -> str:
    text = text.strip()
    return unquote(text) if "%" in text else text


def gtf_value(text: str) -> str:
    """A value of GTF without escapes."""
    if "\\" in text:
        text = _BACKSLASHED.sub(r"\1", text)
    return _GTF_ESCAPED.sub(lambda match: chr(int(match[1], 16)), text) if "%" in text else text


def parse_gtf(text: str) -> Attributes:
    """GTF column 9; semicolons, quotes and backslashes inside quotes are part of the value."""
    found: Attributes = {}
    for match in _GTF_PAIR.finditer(text):
        key, quoted, bare = match.groups()
        value = gtf_value(quoted if quoted is not None else (bare or "").strip())
        found[key] = (*found.get(key, ()), value)
    return found


@lru_cache(maxsize=8)
def _plain_gtf(key: str) -> re.Pattern[str]:
    return re.compile(rf'(?:^|;)\s*{re.escape(key)}\s+(?:"([^"\\%]*)"|([^";\s\\%]+))\s*(?:;|$)')


def gtf_first(text: str, key: str) -> str:
    """The first value of a key, or ""; without parsing all of column 9 where it is laid out as usual."""
    count = text.count(key)
    if not count:
        return ""
    match = _plain_gtf(key).search(text) if count == 1 else None
    if match:
        return match[1] if match[1] is not None else match[2]
    return parse_gtf(text).get(key, ("",))[0]
