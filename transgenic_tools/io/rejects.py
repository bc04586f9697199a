"""Rejects: why a gene, or a transcript of it, is not in what a tool wrote. One list, one record, one table for all.

In: reasons met on the way. Out: `rejects.tsv`, with the columns `gene`, `reason`, `detail`, `action`.
A surprise: the structural rules of an annotation stand in `genome.checks`, which knows no files; here they are joined
by the reasons of the stages, and no code may stand for two things.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, get_args

from transgenic_tools.errors import BadInputError
from transgenic_tools.genome.checks import RULES, Action
from transgenic_tools.io.files import text_lines
from transgenic_tools.provenance import write_aside

#: tg-prep lift: why a transcript or gene is not lifted.
LIFT: Mapping[str, str] = {
    "source_cds": "the source's CDS has no ATG, no stop, a stop inside, an unknown base, or is no multiple of three",
    "unmapped": "no alignment on the target genome",
    "not_unique": "a second place of the target genome aligns about as well",
    "low_identity": "the alignment is less identical than asked for",
    "clipped": "an end of the CDS is not aligned",
    "intron_count": "the alignment has more or fewer introns than the source",
    "intron_moved": "an intron of the alignment lies elsewhere in the CDS than the source's",
    "intron_length": "an intron is shorter or longer than allowed",
    "splice_site": "no GT-AG (nor GC-AG or AT-AC in its exact place) at an intron",
    "frame": "a CDS segment differs from the source's by a length that is no multiple of three",
    "start_codon": "the lifted CDS does not begin with ATG",
    "stop_codon": "the lifted CDS does not end with a stop codon",
    "stop_inside": "the lifted CDS has a stop codon inside",
    "unknown_base": "the lifted CDS holds a letter other than A, C, G and T",
    "other_locus": "the transcript lifts to another place than the gene's first one, or sets a shared site elsewhere",
    "locus_taken": "another gene lifts better to the same coding bases",
    "held_out": "the window touches a place to which a validation or test gene aligns",
}
#: tg-backmap: why a prediction, or one of its transcripts, is not in the annotation.
BACKMAP: Mapping[str, str] = {
    "no_prediction": "the model wrote nothing for this gene; detail holds the flags of the prediction",
    "window_too_long": "the window was not read: longer than --max-length of tg-generate, or than the memory allows",
    "no_gene_here": "a region that you gave: the model of scans finds no gene there (--min-region of tg-generate)",
    "bad_sentence": "the gene sentence does not follow the grammar",
    "wrong_strand": "the gene sentence names another strand than its locus",
    "other_strand": "a locus without a strand: the other strand is more probable, and stands in the annotation",
    "outside_window": "a transcript reaches out of the window that the model read",
    "unknown_seqid": "the FASTA has no sequence of this name",
    "outside_contig": "the CDS of a transcript reaches into the N padding beyond the contig's end",
    "score_count": "the number of scores is not the number of transcripts",
    "low_confidence": "the best isoform is below --min-gene-confidence (with --into: the isoform)",
    "repeated_prediction": "the same gene stands twice in the predictions, with the same locus",
    "unknown_gene": "--into: the user's annotation has no gene of this ID on this seqid and strand",
    "no_parent_line": "--into: the gene has no line, or its CDS name the gene itself: a new transcript has no place",
    "outside_gene_line": "--into: an exon or the CDS of the new isoform lies out of the user's gene line",
    "no_room_for_utrs": "--add-utrs: the new UTRs do not fit before the next gene of this strand",
    "known_isoform": "--into: the user's annotation has this isoform; detail names it",
    "marked_gene": "--into: the user marked this gene, nothing is added to it",
    "refused_intron": "--submission: an intron below 10 bases, which archives refuse",
    "refused_stop": "--submission: a stop codon inside of the CDS, which archives refuse",
    "open_start": "--submission: the CDS does not begin with ATG; its 5' end is marked partial",
    "open_stop": "--submission: the CDS does not end with a stop codon; its 3' end is marked partial",
    "open_inside": "--submission: a partial end that lies neither at an end of the sequence nor beside a gap",
}
#: tg-scan: why a locus that the segment model proposes gets no window.
SCAN: Mapping[str, str] = {
    "low_score": "the locus is less probable than --min-score",
    "improbable": "all transcripts of a gene there together are less probable than none, by the lattice, in nats",
    "few_coding_bases": "the locus has fewer coding bases than --min-coding",
    "cut_by_end": "--complete-only: the gene is cut by the end of its sequence",
}
#: All codes of all tools, with what they mean.
REASONS: Mapping[str, str] = {**{rule.code: rule.text for rule in RULES}, **LIFT, **BACKMAP, **SCAN}

HEADER = "gene\treason\tdetail\taction"


@dataclass(frozen=True, slots=True)
class Reject:
    """One row of `rejects.tsv`.

    Attributes:
        gene: Source gene ID; empty for a line that belongs to none.
        reason: A key of `REASONS`.
        detail: Value, position, next step.
        action: What follows: of the whole gene, or of a transcript of a gene that stays.
    """

    gene: str
    reason: str
    detail: str = ""
    action: Action = "rejected"

    def line(self) -> str:
        """Tab-separated, without line end."""
        columns = (self.gene or "-", self.reason, self.detail, self.action)
        return "\t".join(" ".join(text.split()) for text in columns)


def write_rejects(rejects: Iterable[Reject], handle: IO[str]) -> None:
    """The whole table."""
    handle.write(HEADER + "\n")
    handle.writelines(reject.line() + "\n" for reject in rejects)


def write_rejects_file(rejects: Iterable[Reject], path: Path) -> None:
    """The whole table as a file."""
    with write_aside(path) as aside, open(aside, "w", encoding="utf-8") as handle:
        write_rejects(rejects, handle)


def read_rejects(path: Path) -> tuple[Reject, ...]:
    """A table that another stage wrote.

    Raises:
        MissingInputError, BadInputError: there is no such file, or it is no table of rejects.
    """
    hint = "give the rejects.tsv of tg-prep"
    rows: list[Reject] = []
    header = ""
    for number, line in text_lines(path):
        header = header or line
        if header != HEADER:
            raise BadInputError(f"the first line is not {HEADER!r}", path=path, line=number, hint=hint)
        cells = line.split("\t")
        if number == 1 or not line.strip():
            continue
        action = next((known for known in get_args(Action) if cells[-1] == known), None)
        if len(cells) != 4 or action is None:
            raise BadInputError("this is no line of a table of rejects", path=path, line=number, hint=hint)
        rows.append(Reject(cells[0], cells[1], cells[2], action))
    if not header:
        raise BadInputError("the table is empty, it has not even a header", path=path, hint=hint)
    return tuple(rows)
