"""The samplesheet: CSV checked against `assets/schema_input.json`, the same schema that the pipeline reads.

In: a CSV file. Out: one typed record a row, or one error that lists every fault with line, column, value and what is
allowed.
A surprise: relative paths are looked up beside the samplesheet first, then in the working directory.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from transgenic_tools.errors import BadInputError, MissingInputError, UsageError
from transgenic_tools.io.files import whole_text

#: What Nextflow's own scripts do not quote; `schema.nf` has the same.
_SIGNS = re.compile(r"[$*?\[\]{}#~\\]")


@dataclass(frozen=True)
class Sample:
    """One genome."""

    sample: str
    fasta: Path
    annotation: Path | None = None
    regions: Path | None = None
    reads: Path | None = None
    evidence: Path | None = None
    condition: str | None = None


def load_schema() -> dict[str, Any]:
    """The schema in nf-schema form (JSON Schema 2020-12 with `errorMessage`, `exists`, `uniqueEntries`)."""
    loaded: dict[str, Any] = json.loads(files("transgenic_tools.io").joinpath("schema_input.json").read_text("utf-8"))
    return loaded


def _sample_rule() -> dict[str, Any]:
    rule: dict[str, Any] = load_schema()["items"]["properties"]["sample"]
    return rule


def is_sample_name(name: str) -> bool:
    """Whether it may stand in a samplesheet: names become names of files and folders."""
    return re.fullmatch(_sample_rule()["pattern"], name) is not None


def check_sample_name(name: str, flag: str) -> None:
    """Raises UsageError where a flag's value is no name for a sample."""
    if not is_sample_name(name):
        rule = _sample_rule()
        raise UsageError(f"{flag} {name[:120]!r}", hint=f"{rule['errorMessage']} (pattern {rule['pattern']})")


def _resolve(value: str, sheet: Path) -> Path:
    path = Path(value)
    if path.is_absolute() or "://" in value:
        return path
    beside = sheet.parent / path
    return beside if beside.exists() else path


def _text(sheet: Path) -> str:
    try:
        return whole_text(sheet)
    except MissingInputError as error:
        raise MissingInputError("the samplesheet does not exist", path=sheet, hint="check the path") from error


class _Checker:
    """Collects one sentence for each fault."""

    def __init__(self, sheet: Path, schema: Mapping[str, Any]) -> None:
        from jsonschema import Draft202012Validator

        self.sheet = sheet
        self.items = schema["items"]
        self.rules: dict[str, dict[str, Any]] = self.items["properties"]
        self.validators = {name: Draft202012Validator(rule) for name, rule in self.rules.items()}
        self.faults: list[str] = []
        self.seen: dict[str, int] = {}

    def fault(self, line: int, column: str | None, text: str) -> None:
        where = f"line {line}" + (f", column '{column}'" if column else "")
        self.faults.append(f"{where}: {text}")

    def header(self, columns: list[str]) -> bool:
        for column in columns:
            if column not in self.rules:
                self.fault(1, column, f"unknown column; allowed are {', '.join(self.rules)}")
            elif columns.count(column) > 1:
                self.fault(1, column, "this column stands twice")
        for column in self.items["required"]:
            if column not in columns:
                self.fault(1, column, f"this column is missing; needed are {', '.join(self.items['required'])}")
        return not self.faults

    def row(self, line: int, values: Mapping[str, str]) -> None:
        for column in self.items["required"]:
            if not values.get(column):
                self.fault(line, column, f"is empty; {self.rules[column]['errorMessage']}")
        for column, value in values.items():
            if value:
                self._value(line, column, value)
        sample = values.get("sample", "")
        if sample in self.seen:
            self.fault(line, "sample", f"{sample!r} stands in line {self.seen[sample]} already; it must be unique")
        self.seen.setdefault(sample, line)

    def _value(self, line: int, column: str, value: str) -> None:
        rule = self.rules[column]
        if "unavailable" in rule:  # a column of the contract that no stage reads so far
            self.fault(line, column, f"{value!r}: {rule['unavailable']}")
        elif not self.validators[column].is_valid(value):
            allowed = (
                f"{rule['errorMessage']} (pattern {rule['pattern']})" if "pattern" in rule else rule["errorMessage"]
            )
            self.fault(line, column, f"{value!r}: {allowed}")
        elif rule.get("exists") and "://" not in value and (fault := _path_fault(_resolve(value, self.sheet))):
            self.fault(line, column, f"{value!r}: {fault}")


def _path_fault(path: Path) -> str | None:
    if not path.is_file():
        return "there is no such file"
    signs = dict.fromkeys(_SIGNS.findall(str(path.absolute())))
    if not signs:
        return None
    return (
        f"its full path holds {' '.join(signs)}, which a shell of the pipeline reads as a command; rename it, or link "
        "to it under another name"
    )


def _records(sheet: Path) -> Iterator[tuple[int, list[str]]]:
    """Cells of each row, with the number of the line on which it begins; a quoted cell may hold line ends."""
    reader = csv.reader(io.StringIO(_text(sheet), newline=""))
    line = 1
    try:
        for cells in reader:
            yield line, [cell.strip() for cell in cells]
            line = reader.line_num + 1
    except csv.Error as error:
        raise BadInputError(
            f"no CSV: {error}", path=sheet, line=line, hint="save the sheet as CSV, with commas, UTF-8"
        ) from error


def _rows(
    records: Iterator[tuple[int, list[str]]], columns: list[str], checker: _Checker
) -> Iterator[tuple[int, dict[str, str]]]:
    for number, stripped in records:
        if not any(stripped):
            continue
        if len(stripped) > len(columns):
            checker.fault(number, None, f"{len(stripped)} fields, but the header has {len(columns)}")
            continue
        yield number, {c: stripped[i] if i < len(stripped) else "" for i, c in enumerate(columns)}


def read_samplesheet(path: str | Path) -> tuple[Sample, ...]:
    """Read and check a samplesheet.

    Raises:
        MissingInputError: no such file.
        BadInputError: lists all faults, one on each line.
    """
    sheet = Path(path)
    checker = _Checker(sheet, load_schema())
    records = _records(sheet)
    columns = next(records, (1, []))[1]
    samples: list[Sample] = []
    if not any(columns):
        checker.fault(1, None, f"the samplesheet is empty; its first line must be {','.join(checker.rules)}")
    elif checker.header(columns):
        for number, values in _rows(records, columns, checker):
            checker.row(number, values)
            files = [c for c, rule in checker.rules.items() if rule.get("format") == "file-path"]
            paths = {c: _resolve(values[c], sheet) for c in files if values.get(c)}
            if "fasta" in paths:
                samples.append(Sample(sample=values["sample"], condition=values.get("condition") or None, **paths))
        if not samples and not checker.faults:
            checker.fault(2, None, "no row below the header")
    if checker.faults:
        listed = "\n  ".join(checker.faults)
        raise BadInputError(
            f"{len(checker.faults)} fault(s) in the samplesheet:\n  {listed}",
            path=sheet,
            hint="mend the lines named above; docs/usage.md describes the columns",
        )
    return tuple(samples)
