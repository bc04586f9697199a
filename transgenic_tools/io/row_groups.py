"""Single row groups of gene shards, for readers that do not go from the first gene to the last.

In: shards. Out: where their row groups are, and the rows of one.
A surprise: asked for some columns only, rows have None in all others.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path

from transgenic_tools.io.shards import _GENES, GeneRow, _open, _rows_of, expand_shards


@dataclass(frozen=True)
class RowGroup:
    """One row group of one gene shard."""

    path: Path
    number: int


def row_groups(paths: str | Path | Iterable[str | Path]) -> list[RowGroup]:
    """Row groups in the order of the shards. Raises as `read_shard`."""
    found = []
    for path in expand_shards(paths):
        with _open(path, _GENES) as file:
            found += [RowGroup(path, number) for number in range(file.num_row_groups)]
    return found


def read_row_group(group: RowGroup, columns: Sequence[str] | None = None) -> list[GeneRow]:
    """Its genes, in their order."""
    names = [f.name for f in fields(GeneRow)]
    with _open(group.path, _GENES) as file:
        present = set(file.schema_arrow.names)
        wanted = [name for name in (columns or names) if name in present]
        return list(_rows_of(file.read_row_group(group.number, columns=wanted, use_threads=False), GeneRow, names))
