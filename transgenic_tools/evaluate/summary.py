"""What tg-evaluate says on the terminal.

In: a `Result`. Out: a small table, or the same figures as one JSON object.
A surprise: only CDS figures and the whole-transcript F1 are shown; everything else is in the JSON report.
"""

from __future__ import annotations

from typing import Any

from transgenic_tools.evaluate.metrics import LEVELS
from transgenic_tools.evaluate.result import Evaluation, Result


def summary_json(result: Result) -> dict[str, Any]:
    """Shares and F1 of the first pair."""
    first = result.evaluations[0]
    return {
        "gene_exact": round(first.shares.gene_exact, 4),
        "gene_exact_primary": round(first.shares.gene_exact_primary, 4),
        "isoform_recall_multi": round(first.shares.isoform_recall_multi, 4),
        "cds_f1": {level: round(first.levels["cds"][level].f1, 4) for level in LEVELS},
        "transcript_f1": {level: round(first.levels["transcript"][level].f1, 4) for level in LEVELS},
    }


def _table(evaluation: Evaluation) -> list[str]:
    lines = [
        f"{evaluation.prediction_path.name} against {evaluation.reference_path.name}: "
        f"{evaluation.shares.genes} genes, {evaluation.shares.predicted_per_gene:.2f} predicted CDS a gene",
        f"{'level':<14}{'CDS Sn':>8}{'CDS Pr':>8}{'CDS F1':>8}{'mRNA Sn':>9}{'mRNA Pr':>9}{'mRNA F1':>9}",
    ]
    for level in LEVELS:
        cds, whole = evaluation.levels["cds"][level], evaluation.levels["transcript"][level]
        lines.append(
            f"{level:<14}{cds.sensitivity:>8.3f}{cds.precision:>8.3f}{cds.f1:>8.3f}"
            f"{whole.sensitivity:>9.3f}{whole.precision:>9.3f}{whole.f1:>9.3f}"
        )
    shares = evaluation.shares
    lines.append(
        f"gene_exact {shares.gene_exact:.3f}   gene_exact_primary {shares.gene_exact_primary:.3f}   "
        f"isoform_recall_multi {shares.isoform_recall_multi:.3f} ({shares.multi} genes)"
    )
    return lines


def summary_text(result: Result) -> str:
    """One table a pair."""
    return "\n\n".join("\n".join(_table(evaluation)) for evaluation in result.evaluations)
