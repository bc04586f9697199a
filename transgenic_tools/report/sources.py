"""Read what the other stages left: evaluation JSON, prep.json, rejects, training metrics, provenance.

In: paths. Out: plain records for the page.
A surprise: keys that this release does not know are ignored, keys that are missing leave their part of the page out.
"""

from __future__ import annotations

import csv
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from transgenic_tools.errors import BadInputError
from transgenic_tools.io.files import open_text, text_lines
from transgenic_tools.io.json_text import parse_object


def read_rejects(paths: Iterable[Path]) -> Counter[str]:
    """Rows by reason, over all files.

    Raises:
        BadInputError: a file has no `reason` or `code` column.
    """
    counts: Counter[str] = Counter()
    for path in paths:
        table = csv.DictReader((line for _, line in text_lines(path)), delimiter="\t", quoting=csv.QUOTE_NONE)
        names = table.fieldnames or []
        column = next((name for name in ("reason", "code", "reason_code") if name in names), None)
        if column is None and names:
            raise BadInputError(f"no column 'reason' among {names}", path=path, hint="give a rejects.tsv")
        for row in table:
            counts[row[column or ""] or "unknown"] += 1
    return counts


@dataclass(frozen=True)
class Curve:
    """One training figure over steps."""

    name: str
    steps: tuple[float, ...]
    values: tuple[float, ...]


@dataclass(frozen=True)
class Training:
    """Curves of one training, by figure, then by split; a figure of several stages is `figure@stage` for each."""

    label: str
    curves: Mapping[str, tuple[Curve, ...]] = field(default_factory=dict)
    final: Mapping[str, float] = field(default_factory=dict)


def is_finite(value: Any) -> bool:
    """A number that a curve can be drawn through; an integer may be too large for one."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    with suppress(OverflowError):
        return math.isfinite(value)
    return False


_NOT_CURVES = {"step", "epoch", "split"}


def read_training(path: Path) -> Training:
    """`metrics.jsonl`: one object a line with `step`, `split` and figures.

    Raises:
        BadInputError: a line is no JSON object.
    """
    points: dict[tuple[str, str], dict[str, list[tuple[float, float]]]] = {}
    final: dict[str, float] = {}
    for number, line in text_lines(path):
        if not line.strip():
            continue
        entry = parse_object(line, path=path, line=number, hint="give metrics.jsonl", not_finite=True)
        split, stage = str(entry.get("split", "train")), str(entry.get("stage", ""))
        step = float(entry["step"]) if is_finite(entry.get("step")) else float(number)
        for name, value in entry.items():
            if name in _NOT_CURVES or not is_finite(value):
                continue
            series = points.setdefault((name, stage), {}).setdefault(split, [])
            series.append((step, float(value)))
            if split == "validation":
                final[name] = float(value)
    stages = Counter(name for name, _ in points)
    curves = {
        f"{name}@{stage}" if stages[name] > 1 and stage else name: tuple(
            Curve(split, tuple(x for x, _ in series), tuple(y for _, y in series)) for split, series in splits.items()
        )
        for (name, stage), splits in points.items()
    }
    folder = path.parent.name
    return Training(f"Model {folder}" if folder.isdigit() else folder or path.stem, curves, final)


def read_provenance(path: Path) -> dict[str, Any]:
    """The provenance in an annotation's header, or an empty dict."""
    with open_text(path) as handle:
        for raw in handle:
            line = raw.decode("utf-8", "replace")
            if not line.startswith("#"):
                break
            _, found, text = line.partition("# provenance ")
            if found:
                with suppress(BadInputError):
                    return parse_object(text, path=path, hint="")
                break
    return {}


def flatten(value: Mapping[str, Any], prefix: str = "") -> Sequence[tuple[str, str]]:
    """Nested settings as `a.b` and text, sorted."""
    rows: list[tuple[str, str]] = []
    for key in sorted(value):
        inner, name = value[key], f"{prefix}{key}"
        if isinstance(inner, Mapping):
            rows += flatten(inner, f"{name}.")
        elif isinstance(inner, list):
            rows.append((name, ", ".join(map(str, inner))))
        else:
            rows.append((name, "" if inner is None else str(inner)))
    return rows
