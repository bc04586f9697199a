"""Why a prediction, or one of its transcripts, is not in the annotation.

In: nothing. Out: reason codes with their meaning, and the record that goes into `rejects.tsv`.
A surprise: `docs/stages/5_backmap.md` holds the same list, and a test compares the two.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

REASONS: Mapping[str, str] = {
    "no_prediction": "the model wrote nothing for this gene; detail holds the flags of the prediction",
    "bad_sentence": "the gene sentence does not follow the grammar",
    "wrong_strand": "the gene sentence names another strand than its locus",
    "outside_window": "a transcript reaches out of the window that the model read",
    "unknown_seqid": "the FASTA has no sequence of this name",
    "outside_contig": "a transcript reaches into the N padding beyond the contig's end",
    "score_count": "the number of scores is not the number of transcripts",
    "low_confidence": "confidence is below --min-confidence",
    "repeated_prediction": "the same gene stands twice in the predictions, with the same locus",
    "unknown_gene": "--into: the user's annotation has no gene of this ID on this seqid and strand",
    "outside_gene_line": "--into: the new isoform reaches out of the user's gene line, which must not change",
}


@dataclass(frozen=True, slots=True)
class Reject:
    """One row of `rejects.tsv`.

    Attributes:
        gene: Source gene ID.
        reason: A key of `REASONS`.
        detail: Value, position, next step.
    """

    gene: str
    reason: str
    detail: str = ""

    def line(self) -> str:
        """Tab-separated, without line end."""
        return "\t".join(" ".join(text.split()) for text in (self.gene, self.reason, self.detail))


REJECTS_HEADER = "gene\treason\tdetail"
