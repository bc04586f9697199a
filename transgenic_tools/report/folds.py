"""Cross-validation in one table: the figures of every fold, their mean and standard deviation.

In: evaluations of tg-evaluate, named `<sample>.fold_<k>.json`, and model directories `fold_<k>` with the training's own
summary. Out: `folds.tsv`, one row a sample and fold, then `mean` and `sd` of each sample.
A surprise: the deviation is that of a sample (n - 1), and empty for a single fold.
"""

from __future__ import annotations

import re
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

from transgenic_tools.errors import UsageError
from transgenic_tools.io.json_text import read_object
from transgenic_tools.provenance import write_aside

#: Column -> where it stands in the JSON of tg-evaluate.
ON_TEST = {
    "gene_exact": ("gene_exact",),
    "gene_exact_primary": ("gene_exact_primary",),
    "isoform_recall_multi": ("isoform_recall_multi",),
    "exon_f1": ("cds", "exon", "f1"),
    "intron_chain_f1": ("cds", "intron_chain", "f1"),
    "base_f1": ("cds", "base", "f1"),
}
#: Column -> where it stands in the training's summary: figures on the fold that was not learned.
HELD_OUT = {
    "held_out_genes": ("n_validation",),
    "held_out_ap_donor": ("metrics", "ap_donor"),
    "held_out_ap_acceptor": ("metrics", "ap_acceptor"),
    "held_out_step_perplexity": ("metrics", "step_perplexity"),
}


_HINT = "give the JSON that tg-evaluate writes, and the directories of tg-train"


@dataclass(frozen=True, kw_only=True)
class Fold:
    """One model's figures on one sample, in the order of the columns; None where there is none."""

    sample: str
    number: int
    figures: tuple[float | None, ...]


def _figure(source: Mapping[str, Any], keys: Sequence[str]) -> float | None:
    value: Any = source
    for key in keys:
        value = value.get(key) if isinstance(value, Mapping) else None
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def read_fold(path: Path, models: Mapping[str, Path]) -> Fold:
    """One evaluation, with what its training said.

    Raises:
        UsageError: the file is not named `<sample>.fold_<k>.json`.
        MissingInputError, BadInputError: there is no such file, or no JSON in it.
    """
    named = re.fullmatch(r"(.+)\.(fold_(\d+))", path.stem)
    if named is None:
        raise UsageError(f"{path}: the name tells no fold", hint="name evaluations <sample>.fold_<k>.json")
    sample, fold, number = named.groups()
    summary = models[fold] / "training.json" if fold in models else None
    learned = read_object(summary, hint=_HINT) if summary is not None and summary.exists() else {}
    tested = read_object(path, hint=_HINT)
    figures = [_figure(tested, keys) for keys in ON_TEST.values()]
    return Fold(
        sample=sample, number=int(number), figures=(*figures, *(_figure(learned, keys) for keys in HELD_OUT.values()))
    )


def _text(value: float | None) -> str:
    return "" if value is None else str(value) if isinstance(value, int) else f"{value:.4f}"


def fold_lines(folds: Sequence[Fold]) -> list[str]:
    """The table, header first: samples by name, their folds by number, then mean and deviation."""
    lines = ["\t".join(("sample", "fold", *ON_TEST, *HELD_OUT))]
    by_sample = sorted(folds, key=lambda fold: (fold.sample, fold.number))
    for sample, group in groupby(by_sample, key=lambda fold: fold.sample):
        rows = list(group)
        columns = [
            [value for value in column if value is not None] for column in zip(*(r.figures for r in rows), strict=True)
        ]
        means = [float(statistics.fmean(column)) if column else None for column in columns]
        deviations = [statistics.stdev(map(float, column)) if len(column) > 1 else None for column in columns]
        lines += ["\t".join((sample, f"fold_{row.number}", *map(_text, row.figures))) for row in rows]
        lines += [
            "\t".join((sample, name, *map(_text, values))) for name, values in (("mean", means), ("sd", deviations))
        ]
    return lines


def write_folds(evaluations: Sequence[Path], models: Sequence[Path], out: Path) -> int:
    """Write the table; the number of rows of folds in it."""
    by_name = {model.name: model for model in models}
    folds = [read_fold(path, by_name) for path in evaluations]
    with write_aside(out) as aside:
        aside.write_text("\n".join(fold_lines(folds)) + "\n", encoding="utf-8")
    return len(folds)
