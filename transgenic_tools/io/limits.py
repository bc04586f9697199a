"""How much a line, an attribute, a name or an unzipped file may be; what is more is refused before it fills memory.

In: `$TRANSGENIC_LIMITS`, such as `line=64M,unpacked=20G`. Out: `Limits`.
A surprise: the limits are far above what any honest file holds, so hardly anybody needs the variable; each error that
a limit raises names the limit and the variable.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, fields
from functools import cache

from transgenic_tools.errors import UsageError

VARIABLE = "TRANSGENIC_LIMITS"
_SETTING = re.compile(r"([a-z]+)=([0-9]{1,15})([KMG]?)", re.ASCII)
_UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30}


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Limits in bytes; each may be set by its name.

    Attributes:
        line: Of a line; sequence lines of FASTA may be as long as they like.
        attribute: Of one `key=value` in column 9.
        name: Of a sequence's name.
        unpacked, ratio: A compressed file may unpack to `unpacked` bytes, or to `ratio` times its size where that is
            more: bases shrink to a quarter, annotations to a twentieth, a decompression bomb to a thousandth.
    """

    line: int = 16 << 20
    attribute: int = 1 << 20
    name: int = 4096
    unpacked: int = 4 << 30
    ratio: int = 200


NAMES = tuple(field.name for field in fields(Limits))


@cache
def _parse(text: str) -> Limits:
    values: dict[str, int] = {}
    for setting in filter(None, text.replace(" ", "").split(",")):
        found = _SETTING.fullmatch(setting)
        if found is None or found[1] not in NAMES or not int(found[2]):
            raise UsageError(
                f"{VARIABLE}: {setting[:60]!r} sets no limit",
                hint=f"write NAME=NUMBER, with K, M or G after it, commas between; names are {', '.join(NAMES)}",
            )
        values[found[1]] = int(found[2]) * _UNITS[found[3]]
    return Limits(**values)


def limits() -> Limits:
    """Those in force. Raises UsageError where `$TRANSGENIC_LIMITS` cannot be read."""
    return _parse(os.environ.get(VARIABLE, ""))


def how_to_raise(name: str) -> str:
    """The end of a hint."""
    return f"or allow more: {VARIABLE}={name}=NUMBER"
