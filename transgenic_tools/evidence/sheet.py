"""The sheet of evidence: which files, of which condition, with which weight.

In: a CSV with a header, or one evidence file itself. Out: `Source` records.
A surprise: relative paths are looked up beside the sheet first, as in the samplesheet.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

from transgenic_tools.errors import BadInputError
from transgenic_tools.evidence.config import Kind, Source, Strandness
from transgenic_tools.evidence.kinds import is_binary_alignment
from transgenic_tools.io.files import open_text, refuse_pipe, whole_text

COLUMNS = ("sample", "path", "kind", "condition", "strandness", "weight")
_MOST_WEIGHT = 1_000.0

Choice = TypeVar("Choice", Kind, Strandness)


class _Faults:
    """One sentence for each fault of the sheet."""

    def __init__(self, sheet: Path) -> None:
        self.sheet = sheet
        self.listed: list[str] = []

    def add(self, line: int, column: str, text: str) -> None:
        self.listed.append(f"line {line}, column '{column}': {text}")

    def raise_any(self) -> None:
        if self.listed:
            raise BadInputError(
                f"{len(self.listed)} fault(s) in the evidence sheet:\n  " + "\n  ".join(self.listed),
                path=self.sheet,
                hint="mend the lines named above; docs/evidence.md describes the columns",
            )


def _choice(kind: type[Choice], text: str, line: int, column: str, faults: _Faults) -> Choice | None:
    if text and text not in list(kind):
        faults.add(line, column, f"{text!r}; allowed are {', '.join(kind)}")
        return None
    return kind(text) if text else None


def _weight(text: str, line: int, faults: _Faults) -> float:
    try:
        weight = float(text) if text else 1.0
    except ValueError:
        weight = math.nan
    if not 0 <= weight <= _MOST_WEIGHT:
        faults.add(line, "weight", f"{text!r}; a number from 0 to {_MOST_WEIGHT:g}")
        return 1.0
    return weight


def _place(text: str, sheet: Path) -> Path:
    path = Path(text)
    beside = sheet.parent / path
    return beside if not path.is_absolute() and beside.exists() else path


def _source(values: dict[str, str], line: int, sheet: Path, faults: _Faults) -> Source | None:
    if not values.get("path"):
        faults.add(line, "path", "is empty; the path of a file")
        return None
    path = _place(values["path"], sheet)
    if not path.is_file():
        what = "a directory or a pipe, not a file" if path.exists() else "there is no such file"
        faults.add(line, "path", f"{values['path']!r}: {what}")
    return Source(
        path=path,
        name=values.get("sample") or path.name,
        kind=_choice(Kind, values.get("kind", ""), line, "kind", faults),
        condition=values.get("condition") or None,
        strandness=_choice(Strandness, values.get("strandness", ""), line, "strandness", faults) or Strandness.AUTO,
        weight=_weight(values.get("weight", ""), line, faults),
    )


def _header(path: Path) -> list[str] | None:
    """The columns of a sheet; None where the file is evidence itself."""
    if is_binary_alignment(path):
        return None
    with open_text(path) as handle:
        first = handle.readline(1 << 16).decode("utf-8-sig", "replace")
    columns = [cell.strip(' "') for cell in first.rstrip("\r\n").split(",")]
    return columns if "path" in columns else None


def _records(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Cells below the header, with the number of the last line that they stand in."""
    reader = csv.reader(whole_text(path).splitlines())
    try:
        next(reader, None)
        for cells in reader:
            yield reader.line_num, cells
    except csv.Error as error:
        raise BadInputError(
            f"no CSV: {error}", path=path, line=reader.line_num, hint="save the sheet as CSV, with commas, UTF-8"
        ) from error


def read_sheet(path: Path) -> tuple[Source, ...]:
    """Sources of a sheet, or the one source that the file itself is.

    Raises:
        MissingInputError: no such file.
        BadInputError: lists all faults.
    """
    refuse_pipe(path)
    columns = _header(path)
    if columns is None:
        return (Source(path=path, name=path.name),)
    faults = _Faults(path)
    for column in columns:
        if column not in COLUMNS:
            faults.add(1, column, f"unknown column; allowed are {', '.join(COLUMNS)}")
        elif columns.count(column) > 1:
            faults.add(1, column, "this column stands twice")
    faults.raise_any()
    sources: list[Source] = []
    lines: dict[str, int] = {}
    for line, cells in _records(path):
        if not any(cell.strip() for cell in cells):
            continue
        if len(cells) > len(columns):
            faults.add(line, columns[-1], f"{len(cells)} fields, but the header has {len(columns)}")
            continue
        source = _source(dict(zip(columns, map(str.strip, cells), strict=False)), line, path, faults)
        if source is None:
            continue
        if source.name in lines:
            faults.add(line, "sample", f"{source.name!r} stands in line {lines[source.name]} already")
        lines.setdefault(source.name, line)
        sources.append(source)
    if not sources and not faults.listed:
        faults.add(2, "path", "no row below the header")
    faults.raise_any()
    return tuple(sources)
