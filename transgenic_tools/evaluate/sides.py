"""One file of a comparison as it takes part: its genes, what was left out of it and why, how its stop codons are read.

In: an annotation, and the genome where there is one. Out: a `Side`; `agree_on_stops` settles what a pair leaves open.
A surprise: GTF's CDS ends before the stop codon, which has a line of its own. Where that line is missing nobody but
the genome knows whether the CDS holds the stop codon; without a genome both readings are compared with the other file,
the whole file by one of the two, and the one that agrees in more CDS structures is taken.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from transgenic_tools.errors import BadInputError
from transgenic_tools.evaluate.structures import distinct_structures
from transgenic_tools.genome.checks import Action, Finding
from transgenic_tools.genome.gene import Gene
from transgenic_tools.io.fasta import Fasta
from transgenic_tools.io.gff3 import Annotation
from transgenic_tools.io.stops import join_stops, lengthen

log = logging.getLogger(__name__)

#: `as_written`; `genome`: the stop codon is added where the genome shows it; `three_more`: the three bases after each
#: CDS are taken for its stop codon, because the file agrees with the other one better so.
StopReading = Literal["as_written", "genome", "three_more"]

#: How a reading is told to the user.
WORDS: Mapping[StopReading, str] = {
    "as_written": "as the CDS is written",
    "genome": "as the genome shows",
    "three_more": "as the CDS with the three bases after it",
}
SIDES = ("reference", "prediction")

#: What a finding of the reader loses.
_LOST: Mapping[Action, str] = {"skipped": "lines", "transcript_rejected": "transcripts", "rejected": "genes"}


@dataclass(frozen=True, kw_only=True)
class Stops:
    """Stop codons of a GTF file.

    Attributes:
        without_line: Coding transcripts that no stop_codon line names; 0 for GFF3.
        reading: How their stop codons are read. `added`: transcripts that grew by three bases so.
    """

    without_line: int = 0
    reading: StopReading = "as_written"
    added: int = 0

    def to_json(self) -> dict[str, int | str]:
        return {"transcripts_without_line": self.without_line, "reading": self.reading, "added": self.added}


@dataclass(frozen=True, kw_only=True)
class Side:
    """One file.

    Attributes:
        left_out: "lines", "transcripts" or "genes" -> code of the reader's rule -> number.
        mended: Code of the reader's rule -> number; these transcripts take part, but not as they are written.
        longer: The genes in the reading `three_more`; None where nothing is open.
    """

    path: Path
    genes: tuple[Gene, ...]
    left_out: Mapping[str, Mapping[str, int]]
    mended: Mapping[str, int]
    stops: Stops = Stops()
    longer: tuple[Gene, ...] | None = None


def _said_twice(finding: Finding, lost: set[tuple[str, str]]) -> bool:
    """A gene without a strand, once more after its transcripts."""
    return finding.code == "no_strand" and finding.detail.startswith("strand ") and (finding.gene, "no_strand") in lost


def _left_out(annotation: Annotation) -> dict[str, dict[str, int]]:
    counts: dict[str, Counter[str]] = {unit: Counter() for unit in _LOST.values()}
    lost: set[tuple[str, str]] = set()
    for finding in annotation.problems:
        if finding.action in _LOST and not _said_twice(finding, lost):
            lost.add((finding.gene, finding.code))
            counts[_LOST[finding.action]][finding.code] += 1
    named = {gene for gene, _ in lost}
    counts["genes"]["no_transcripts"] = sum(not g.transcripts and g.id not in named for g in annotation.genes)
    return {unit: {code: n for code, n in sorted(found.items()) if n} for unit, found in counts.items()}


def side_of(annotation: Annotation, fasta: Fasta | None = None) -> Side:
    """The file with the stop codons that `fasta` shows, or with both readings open where there is no genome.

    Raises:
        BadInputError: a GTF needs the genome for its stop codons, and the genome has none of its sequences.
    """
    mended = Counter(f.code for f in annotation.problems if f.action == "mended")
    genes, longer, stops = annotation.genes, None, Stops()
    without_line = _without_line(annotation)
    if without_line and fasta is not None:
        if not any(gene.seqid in fasta for gene in genes):
            raise BadInputError(
                f"the genome has no sequence {annotation.seqids[0]!r}, and this GTF has no stop_codon lines",
                path=annotation.path, hint=f"give --fasta the genome of these annotations; {fasta.path.name} has "
                f"{', '.join(fasta.names[:3])}",
            )  # fmt: skip
        joined, findings = join_stops(genes, fasta, stop_lines=annotation.stop_lines)
        genes, stops = tuple(joined), Stops(without_line=without_line, reading="genome", added=len(findings))
        log.warning(
            "%s: %d coding transcripts have no stop_codon line; the genome shows a stop codon after %d of them, "
            "which is added", annotation.path.name, without_line, len(findings),
        )  # fmt: skip
    elif without_line:
        longer, stops = tuple(lengthen(genes, stop_lines=annotation.stop_lines)[0]), Stops(without_line=without_line)
    return Side(
        path=annotation.path,
        genes=genes,
        left_out=_left_out(annotation),
        mended=dict(sorted(mended.items())),
        stops=stops,
        longer=longer,
    )


def _without_line(annotation: Annotation) -> int:
    if annotation.dialect != "gtf":
        return 0
    coding = (t for gene in annotation.genes for t in gene.coding_transcripts)
    return sum((t.seqid, t.id) not in annotation.stop_lines for t in coding)


def _readings(side: Side) -> list[Side]:
    if side.longer is None:
        return [side]
    added = sum(
        new.cds != old.cds
        for longer, gene in zip(side.longer, side.genes, strict=True)
        for new, old in zip(longer.transcripts, gene.transcripts, strict=True)
    )
    stops = replace(side.stops, reading="three_more", added=added)
    return [side, replace(side, genes=side.longer, stops=stops)]


def agree_on_stops(reference: Side, prediction: Side) -> tuple[Side, Side]:
    """Both sides, each by the reading with most equal structures, then with fewest differences, then as written."""
    if reference.longer is None and prediction.longer is None:
        return reference, prediction
    known = [(side, set(distinct_structures(side.genes, "cds"))) for side in _readings(prediction)]
    pairs = [
        (len(structures & others), -len(structures | others), (left, right))
        for left in _readings(reference)
        for structures in [set(distinct_structures(left.genes, "cds"))]
        for right, others in known
    ]
    best = max(pairs, key=lambda row: row[:2])[2]
    for side in best:
        if side.longer is not None:
            log.warning(
                "%s: %d coding transcripts have no stop_codon line, and without --fasta nothing tells whether their "
                "CDS holds the stop codon; both readings were compared, and the file is read %s",
                side.path.name, side.stops.without_line, WORDS[side.stops.reading],
            )  # fmt: skip
    return best


def reasons(left_out: Mapping[str, Mapping[str, int]]) -> str:
    """In words, such as `2 transcripts (1 no_strand, 1 no_cds), 3 lines (3 bad_line)`; empty where nothing is."""
    parts: Sequence[tuple[str, Mapping[str, int]]] = [
        (unit, left_out.get(unit, {})) for unit in ("genes", "transcripts", "lines")
    ]
    return ", ".join(
        f"{sum(codes.values())} {unit if sum(codes.values()) > 1 else unit[:-1]} "
        f"({', '.join(f'{n} {code}' for code, n in codes.items())})"
        for unit, codes in parts
        if codes
    )
