"""What changes in splicing between two conditions: one intron a line.

In: rows of `tg-generate --against`. Out: a table of text, and back.
A surprise: `start` and `end` are 0-based half-open here too, as in every file but GFF3.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from transgenic_tools.errors import BadInputError
from transgenic_tools.io.files import text_lines
from transgenic_tools.provenance import write_aside

COLUMNS = (
    "gene", "event", "seqid", "start", "end", "strand", "condition", "against", "usage", "usage_against", "delta",
    "deviation", "reads", "reads_against",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class DifferenceRow:
    """One intron whose usage differs.

    Attributes:
        event: See `lattice.usage.Difference`.
        start, end: The intron, 0-based half-open.
        usage, usage_against: Share of the lattice's probability in the condition, and in the other one.
        deviation: Of their difference, over the members of the layer; None of one member.
        reads, reads_against: Across the intron in samples of that name or condition; None without evidence.
    """

    gene: str
    event: str
    seqid: str
    start: int
    end: int
    strand: str
    condition: str
    against: str
    usage: float
    usage_against: float
    deviation: float | None = None
    reads: int | None = None
    reads_against: int | None = None

    @property
    def delta(self) -> float:
        return self.usage - self.usage_against


def _cells(row: DifferenceRow) -> dict[str, object]:
    cells: dict[str, object] = {name: getattr(row, name) for name in COLUMNS}
    cells |= {"usage": f"{row.usage:.4f}", "usage_against": f"{row.usage_against:.4f}", "delta": f"{row.delta:+.4f}"}
    cells["deviation"] = None if row.deviation is None else f"{row.deviation:.4f}"
    return cells


def write_differences(path: Path, rows: Iterable[DifferenceRow]) -> int:
    """Write the table; returns its lines. What is None is an empty cell."""
    number = 0
    with write_aside(path) as aside, aside.open("w", encoding="utf-8", newline="") as handle:
        table = csv.DictWriter(handle, COLUMNS, delimiter="\t", lineterminator="\n")
        table.writeheader()
        for row in rows:
            table.writerow(_cells(row))
            number += 1
    return number


def join_differences(paths: Sequence[Path], target: Path) -> None:
    """Tables of several shards behind one another, by their names, under one header."""
    with write_aside(target) as aside, aside.open("w", encoding="utf-8", newline="") as whole:
        for number, path in enumerate(sorted(paths, key=lambda one: one.name)):
            lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
            whole.writelines(lines[1:] if number else lines)


def read_differences(path: Path) -> Iterator[DifferenceRow]:
    """Rows of a table.

    Raises:
        MissingInputError: no such file.
        BadInputError: another table, or a value that is no number, by line.
    """
    lines = text_lines(path)
    header = next(lines, (1, ""))[1].split("\t")
    if missing := [name for name in COLUMNS if name not in header]:
        raise BadInputError(
            f"no column {', '.join(missing)}", path=path, line=1, hint="give a table of tg-generate --against"
        )
    for number, line in lines:
        cells = dict(zip(header, line.split("\t"), strict=False))
        try:
            yield DifferenceRow(
                **{name: cells[name] for name in ("gene", "event", "seqid", "strand", "condition", "against")},
                start=int(cells["start"]),
                end=int(cells["end"]),
                usage=float(cells["usage"]),
                usage_against=float(cells["usage_against"]),
                deviation=float(cells["deviation"]) if cells["deviation"] else None,
                reads=int(cells["reads"]) if cells["reads"] else None,
                reads_against=int(cells["reads_against"]) if cells["reads_against"] else None,
            )
        except (KeyError, ValueError) as error:
            raise BadInputError(
                f"no line of differences ({error})", path=path, line=number, hint="run tg-generate --against again"
            ) from error
