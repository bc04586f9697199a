"""The structural rules, one list: what is mended, rejected, filtered or flagged, and why.

In: transcripts and genes. Out: findings, each with the code of a rule.
A surprise: `docs/formats.md` holds the same list in the same order, and a test compares the two.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

Action = Literal["mended", "rejected", "transcript_rejected", "filtered", "flagged", "skipped"]

MIN_INTRON = 20
MIN_EXON = 2


@dataclass(frozen=True, slots=True)
class Rule:
    """A named structural rule.

    Attributes:
        code: Stands in `rejects.tsv`, `prep.json` and the `flags` of a shard.
        action: `skipped` a line; `mended` and kept; `transcript_rejected` while the gene may stay; `rejected` the
            gene; `filtered` on the user's wish; `flagged` and kept as it is.
        text: What was found and what is done.
    """

    code: str
    action: Action
    text: str


RULES: tuple[Rule, ...] = (
    # lines
    Rule("bad_line", "skipped", "not nine tab-separated columns"),
    Rule("bad_coordinates", "skipped", "start or end is no whole number, start is below 1, or end lies before start"),
    Rule("orphan_part", "skipped", "an exon, CDS, UTR or stop codon line that names no transcript"),
    # structure
    Rule("gene_made", "mended", "a transcript without a gene line; the gene is made from it"),
    Rule("transcript_made", "mended", "exon or CDS lines without a transcript line; the transcript is made"),
    Rule("gene_parts", "skipped", "exon or CDS lines that name the gene although it has transcripts with their own"),
    Rule("exons_made", "mended", "no exon lines; exons are the union of CDS and UTR lines"),
    Rule("exon_extended", "mended", "CDS or UTR bases outside the exons; the exons are extended"),
    Rule("exons_joined", "mended", "duplicate or touching exon or CDS lines; joined"),
    Rule("phase_recomputed", "mended", "CDS phases that break the GFF3 rule; recomputed"),
    Rule("phase_missing", "mended", "CDS lines without phase; computed"),
    Rule("gene_span", "mended", "a transcript reaches out of its gene line; the gene's span is extended"),
    Rule("multi_part_gene", "mended", "several lines of one gene ID on one strand; their span is taken"),
    Rule("id_renamed", "mended", "the gene ID is taken by another locus; `@seqid` (and a number) is added"),
    Rule("no_strand", "transcript_rejected", "neither + nor -"),
    Rule(
        "mixed_strands",
        "transcript_rejected",
        "parts on both strands or on another strand than the gene: trans-splicing",
    ),
    Rule("overlapping_parts", "transcript_rejected", "CDS lines of one transcript that overlap, unequal"),
    Rule("cds_gap_in_exon", "transcript_rejected", "exonic bases between two CDS parts that are not coding"),
    Rule("no_parts", "transcript_rejected", "a transcript line without exon, CDS or UTR lines in a coding gene"),
)
RULE_BY_CODE: Mapping[str, Rule] = {rule.code: rule for rule in RULES}


@dataclass(frozen=True, slots=True)
class Finding:
    """One rule met by one line, transcript or gene.

    Attributes:
        code: Of a rule in `RULES`.
        gene: Gene ID, or "" for a line that belongs to none.
        detail: Transcript, value, position.
        line: 1-based line of the source, where known.
    """

    code: str
    gene: str
    detail: str = ""
    line: int | None = None

    @property
    def action(self) -> Action:
        return RULE_BY_CODE[self.code].action


def count_findings(findings: Iterable[Finding]) -> dict[str, int]:
    """Number of findings by code, in the order of `RULES`."""
    counts = Counter(finding.code for finding in findings)
    return {rule.code: counts[rule.code] for rule in RULES if counts[rule.code]}
