"""What tg-evaluate says on the terminal.

In: a `Result`. Out: a small table, or the same figures as one JSON object.
A surprise: only CDS figures and the whole-transcript F1 are shown; what did not take part stands below;
everything else is in the JSON report.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from transgenic_tools.evaluate.alternatives import Alternatives, AtBudget
from transgenic_tools.evaluate.metrics import LEVELS, Score
from transgenic_tools.evaluate.result import Evaluation, Result
from transgenic_tools.evaluate.sides import SIDES, WORDS, reasons
from transgenic_tools.evaluate.structures import VIEWS, View


def summary_json(result: Result) -> dict[str, Any]:
    """Shares and F1 of the first pair."""
    first = result.evaluations[0]
    return {
        "gene_exact": round(first.shares.gene_exact, 4),
        "gene_exact_primary": round(first.shares.gene_exact_primary, 4),
        "isoform_recall_multi": round(first.shares.isoform_recall_multi, 4),
        "cds_f1": {level: round(first.levels["cds"][level].f1, 4) for level in LEVELS},
        "transcript_f1": {level: round(first.levels["transcript"][level].f1, 4) for level in LEVELS},
        "left_out": first.left_out,
        "stop_codons": {name: stops.to_json() for name, stops in first.stops.items()},
    }


def _figures(score: Score, width: int) -> str:
    """Sensitivity, precision, F1; `-` where neither side has an item to compare."""
    if not score.reference and not score.prediction:
        return f"{'-':>{width}}" * 3
    return f"{score.sensitivity:>{width}.3f}{score.precision:>{width}.3f}{score.f1:>{width}.3f}"


def _notes(evaluation: Evaluation) -> list[str]:
    """What did not take part, or not as it is written, file by file."""
    lines = []
    for name in SIDES:
        stops = evaluation.stops[name]
        if stops.without_line:
            grown = f" ({stops.added} grew by their stop codon)" if stops.added else ""
            lines.append(
                f"{name}: {stops.without_line} coding transcripts without a stop_codon line, "
                f"read {WORDS[stops.reading]}{grown}"
            )
        lost = reasons(evaluation.left_out[name])
        if lost:
            lines.append(f"{name}: left out {lost}")
        mended = evaluation.mended[name]
        if mended:
            lines.append(f"{name}: mended while reading {', '.join(f'{n} {code}' for code, n in mended.items())}")
    return lines


def _table(evaluation: Evaluation) -> list[str]:
    lines = [
        f"{evaluation.prediction_path.name} against {evaluation.reference_path.name}: "
        f"{evaluation.shares.genes} genes, {evaluation.shares.predicted_per_gene:.2f} predicted CDS a gene",
        f"{'level':<14}{'CDS Sn':>8}{'CDS Pr':>8}{'CDS F1':>8}{'mRNA Sn':>9}{'mRNA Pr':>9}{'mRNA F1':>9}",
    ]
    for level in LEVELS:
        cds, whole = evaluation.levels["cds"][level], evaluation.levels["transcript"][level]
        lines.append(f"{level:<14}{_figures(cds, 8)}{_figures(whole, 9)}")
    shares = evaluation.shares
    recall = f"{shares.isoform_recall_multi:.3f}" if shares.multi else "-"
    lines.append(
        f"gene_exact {shares.gene_exact:.3f}   gene_exact_primary {shares.gene_exact_primary:.3f}   "
        f"isoform_recall_multi {recall} ({shares.multi} genes)"
    )
    lines += [*_alternatives("alternatives", evaluation.alternatives)]
    if evaluation.added is not None and evaluation.echo is not None:
        lines += [*_alternatives("added", evaluation.added), _against_echo(evaluation, evaluation.echo)]
    return lines + _notes(evaluation)


def _against_echo(evaluation: Evaluation, echo: Evaluation) -> str:
    now, before = ({view: e.levels[view]["transcript"].f1 for view in VIEWS} for e in (evaluation, echo))
    return (
        f"transcript F1 of the prompt alone: CDS {before['cds']:.3f} (now {now['cds']:.3f}), "
        f"mRNA {before['transcript']:.3f} (now {now['transcript']:.3f})"
    )


def _alternatives(name: str, views: Mapping[View, Alternatives]) -> Iterator[str]:
    """One line a view; nothing where no gene has further isoforms on either side."""
    for view in VIEWS:
        label = "CDS" if view == "cds" else "mRNA"
        rows = [row for key, row in views[view].rows.items() if key in ("budget_0.25", "all")]
        if any(row.extras or row.alternatives for row in rows):
            figures = "; ".join(map(_extras, rows))
            yield f"{name}, {label}: {rows[0].alternatives} in the reference; at 0.25 a gene and all: {figures}"


def _extras(row: AtBudget) -> str:
    found, by_length = row.score, row.score_by_length
    text = f"{row.extras} extra, Pr {found.precision:.3f}, Sn {found.sensitivity:.3f}"
    return text if by_length is None else f"{text} (by length {by_length.precision:.3f}, {by_length.sensitivity:.3f})"


def summary_text(result: Result) -> str:
    """One table a pair."""
    return "\n\n".join("\n".join(_table(evaluation)) for evaluation in result.evaluations)
