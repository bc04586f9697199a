"""Lists of IDs that users keep in text files.

In: a text file, plain or gzipped. Out: the IDs of its first column.
A surprise: a header `gene_id` and lines that begin with `#` are no IDs, so a table of genes is a list too.
"""

from __future__ import annotations

from pathlib import Path

from transgenic_tools.io.files import text_lines


def read_ids(path: Path) -> frozenset[str]:
    """First column of a text file, `#` lines and a `gene_id` header left out."""
    found = (line.split("\t")[0].strip() for _, line in text_lines(path))
    return frozenset(name for name in found if name and not name.startswith("#") and name != "gene_id")
