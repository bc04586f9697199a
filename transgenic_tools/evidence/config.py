"""What `tg-evidence` is asked to do.

In: nothing. Out: frozen settings, and the kinds of input by name.
A surprise: `strandness` matters for alignments alone, all other kinds state strands themselves.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from transgenic_tools.errors import UsageError
from transgenic_tools.provenance import check_outputs


class Kind(StrEnum):
    """Kinds of evidence files, as the sheet names them."""

    STAR_JUNCTIONS = "star_junctions"
    JUNCTION_BED = "junction_bed"
    INTRON_GFF = "intron_gff"
    ALIGNMENTS = "alignments"
    LONG_READS = "long_reads"
    TRANSCRIPTS = "transcripts"
    PROTEINS = "proteins"


class Strandness(StrEnum):
    """Library type of alignments: which strand a read, or the first of a pair, lies on; `auto` asks the motifs."""

    AUTO = "auto"
    UNSTRANDED = "unstranded"
    FORWARD = "forward"
    REVERSE = "reverse"


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One line of the evidence sheet.

    Attributes:
        name: Unique; the file's name where the sheet gives no `sample`.
        kind: None to tell it from the content.
        condition: Tissue, treatment or the like; inputs of one condition are pooled for usage.
        weight: Each read of this input counts as so many in scores; reads themselves are reported unweighted.
    """

    path: Path
    name: str
    kind: Kind | None = None
    condition: str | None = None
    strandness: Strandness = Strandness.AUTO
    weight: float = 1.0


@dataclass(frozen=True, kw_only=True)
class Config:
    """Settings of one run.

    Attributes:
        sheet: CSV of sources, or one evidence file itself.
        aliases: Table of sequence names, as `tg-prep` takes it.
        loci: Annotation or BED; then the share of junctions inside loci is told.
        min_anchor: Matched bases that a read must have on both sides of an intron.
        multimapped: Count reads that align in several places too.
        noncanonical: Keep introns that are none of GT-AG, GC-AG, AT-AC.
        min_intron, max_intron: Shorter and longer gaps of alignments are no introns.
    """

    sheet: Path
    fasta: Path
    out: Path
    aliases: Path | None = None
    loci: Path | None = None
    min_anchor: int = 8
    multimapped: bool = False
    noncanonical: bool = False
    min_intron: int = 20
    max_intron: int = 100_000
    threads: int = 1

    def __post_init__(self) -> None:
        check_outputs({"--out": self.out}, inputs=(self.sheet, self.fasta, self.aliases, self.loci))
        if self.min_intron > self.max_intron:
            raise UsageError(
                f"--min-intron {self.min_intron} is above --max-intron {self.max_intron}", hint="no intron is both"
            )
