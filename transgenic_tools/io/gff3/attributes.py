"""Column 9 of GFF3 (`key=value;...`) and GTF (`key "value"; ...`).

In: the text of one line's column 9. Out: a dict of value tuples.
A surprise: AUGUSTUS and BRAKER write the bare ID there on gene and transcript lines of their GTF.
"""

from __future__ import annotations

import re
from urllib.parse import unquote

Attributes = dict[str, tuple[str, ...]]

_GTF_PAIR = re.compile(r'\s*([^\s;"]+)\s+(?:"((?:[^"\\]|\\.)*)"|([^";]*))\s*(?:;|$)')


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


def parse_gtf(text: str) -> Attributes:
    """GTF column 9; semicolons inside quotes stay."""
    found: Attributes = {}
    for match in _GTF_PAIR.finditer(text):
        key, quoted, bare = match.groups()
        value = quoted if quoted is not None else (bare or "").strip()
        found[key] = (*found.get(key, ()), value)
    return found
