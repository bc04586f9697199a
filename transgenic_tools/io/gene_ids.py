"""Which gene a user means: its ID in any case, with or without the `gene-` or `gene:` of some annotations.

In: what was typed, and the IDs that there are. Out: one of them, or near ones for a message.
A surprise: an ID as it stands goes before all other readings, whatever its case says.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable

_PREFIX = re.compile(r"^gene[-:]")


def spellings(gene_id: str) -> set[str]:
    """Lower-case names by which a gene of this ID is found."""
    return {gene_id.lower(), _PREFIX.sub("", gene_id).lower()}


def find_id(typed: str, ids: Iterable[str]) -> str | None:
    """The ID that was meant; None where there is none."""
    known = list(ids)
    if typed in known:
        return typed
    return next((one for one in known if typed.lower() in spellings(one)), None)


def near_ones(typed: str, ids: Iterable[str]) -> str:
    """`near ones: a, b`, or an empty text."""
    near = difflib.get_close_matches(typed, list(ids), n=3, cutoff=0.6)
    return f"near ones: {', '.join(near)}" if near else ""
