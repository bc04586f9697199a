"""Everything that tg-prep can be told.

In: values from the command line or a notebook. Out: a frozen, checked `Config`.
A surprise: `threads` and `outdir` are not part of the provenance, because they must not change a byte.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

from transgenic_tools.choices import SHARD_BASES
from transgenic_tools.errors import UsageError
from transgenic_tools.io.samplesheet import check_sample_name

ContigEnd = Literal["pad", "clip"]
Routine = Literal["whole", "cds_overlap", "intron_overlap", "junctions"]
ROUTINES: tuple[Routine, ...] = ("whole", "cds_overlap", "intron_overlap", "junctions")
#: Bases; the pipeline's schema has the same limit.
MOST_FLANK = 100_000


@dataclass(frozen=True, kw_only=True)
class WindowConfig:
    """Which bases go into a window.

    Attributes:
        upstream, downstream: Flanks in bases, along the gene.
        jitter: (min, max): each flank is drawn from this range instead, apart for each side, from `seed`.
        contig_end: `pad` keeps the flank's length with N, `clip` ends the window at the sequence's end.
        routine: `whole` locus, or a shortened sequence around the known CDS, introns or junctions.
        overlap: Bases beside each kept part, for the routines other than `whole`.
    """

    upstream: int = 200
    downstream: int = 200
    jitter: tuple[int, int] | None = None
    seed: int = 1
    contig_end: ContigEnd = "pad"
    routine: Routine = "whole"
    overlap: int = 200

    def __post_init__(self) -> None:
        if not (0 <= self.upstream <= MOST_FLANK and 0 <= self.downstream <= MOST_FLANK):
            raise UsageError(
                f"flanks of {self.upstream} and {self.downstream} bases", hint=f"give 0 to {MOST_FLANK} bases"
            )
        if self.jitter is not None and not 0 <= self.jitter[0] <= self.jitter[1] <= MOST_FLANK:
            raise UsageError(
                f"--jitter {self.jitter[0]} {self.jitter[1]}",
                hint=f"give MIN and MAX with 0 <= MIN <= MAX <= {MOST_FLANK}",
            )
        if self.routine not in ROUTINES:
            raise UsageError(f"--routine {self.routine}", hint=f"choose one of {', '.join(ROUTINES)}")
        if self.contig_end not in get_args(ContigEnd):
            raise UsageError(f"--contig-end {self.contig_end}", hint="choose pad or clip")
        if self.overlap < 1:
            raise UsageError(f"--overlap {self.overlap}", hint="give 1 or more bases")


@dataclass(frozen=True, kw_only=True)
class FilterConfig:
    """Which genes and transcripts are wanted; nothing is filtered by default but non-coding genes and pseudogenes.

    Attributes:
        clean_cds: Only transcripts that break no sequence rule.
        biotypes: Only genes of these biotypes (`protein_coding`); naming `pseudogene` lets pseudogenes in.
        longest_only: The longest CDS of each gene alone.
    """

    clean_cds: bool = False
    biotypes: tuple[str, ...] = ()
    min_length: int = 0
    max_length: int | None = None
    min_isoforms: int = 0
    max_isoforms: int | None = None
    longest_only: bool = False


@dataclass(frozen=True, kw_only=True)
class Config:
    """One genome to prepare.

    Attributes:
        annotation, regions: One of the two: genes with structure, or loci alone (BED, or gene lines of GFF3/GTF).
        sample: Name written into every row.
        aliases: Table of sequence names, one sequence a line, its names in tab-separated columns.
        split: See `prep.split.parse_split`.
        folds: Number of cross-validation folds, 0 for none.
        group_by: Attributes by which lines without Parent are put together, before those of `io.gff3.mend.TAGS`.
        strict: Fail where anything would be mended, skipped or rejected.
    """

    fasta: Path
    outdir: Path
    annotation: Path | None = None
    regions: Path | None = None
    sample: str = "sample"
    window: WindowConfig = field(default_factory=WindowConfig)
    filters: FilterConfig = field(default_factory=FilterConfig)
    aliases: Path | None = None
    split: str | None = None
    folds: int = 0
    shard_bases: int = SHARD_BASES
    group_by: tuple[str, ...] = ()
    strict: bool = False
    threads: int = 1

    def __post_init__(self) -> None:
        if (self.annotation is None) == (self.regions is None):
            raise UsageError(
                "give either --annotation (genes with structure) or --regions (loci alone)",
                hint="one of the two, not both and not neither",
            )
        check_sample_name(self.sample, "--sample")
        if self.shard_bases < 1:
            raise UsageError(f"--shard-bases {self.shard_bases}", hint="give 1 or more")
        if self.folds < 0 or self.folds == 1:
            raise UsageError(f"--folds {self.folds}", hint="give 2 or more, or 0 for none")

    @property
    def inputs(self) -> tuple[Path, ...]:
        """The large files, in the order in which they are read."""
        return tuple(path for path in (self.annotation, self.regions, self.fasta) if path is not None)

    def parameters(self) -> dict[str, Any]:
        """What decides the bytes of the result, by file name, for the provenance."""
        files = {
            k: p.name for k in ("fasta", "annotation", "regions", "aliases") if (p := getattr(self, k)) is not None
        }
        return {
            **files,
            "sample": self.sample,
            "window": vars(self.window),
            "filters": vars(self.filters),
            "split": self.split,
            "folds": self.folds,
            "shard_bases": self.shard_bases,
            **({"group_by": list(self.group_by)} if self.group_by else {}),
        }
