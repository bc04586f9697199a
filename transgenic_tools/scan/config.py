"""What `tg-scan` is asked to do.

In: nothing. Out: frozen settings of a run.
A surprise: sizes of tiles and pieces are no settings: they belong to the result, which must not depend on how the work
was shared out.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from transgenic_tools.choices import LEAST_LOCUS, SHARD_BASES, Precision
from transgenic_tools.errors import UsageError
from transgenic_tools.io.samplesheet import check_sample_name

#: Names of shards; the group is the number of shares, none for a whole genome.
SHARD = re.compile(r"genes(?:-[0-9]+of([0-9]+))?-[0-9]{5}\.parquet", re.ASCII)

#: Bases of a piece in which loci are found together, and bases beside it on either side: longer than nearly every gene.
PIECE, OVERLAP = 1_000_000, 100_000
#: Doubtful loci whose transcripts together are worth less than this many nats more than no gene are left out; chosen on
#: held-out stretches.
LEAST_WORTH = 0.0


@dataclass(frozen=True, kw_only=True)
class Config:
    """Settings of one run.

    Attributes:
        model: A directory whose network reads both strands; None for the embedded one of scans.
        seqids: Only these sequences; all where it is empty.
        skip_seqids: Not these.
        part: (number, of): the share of pieces that this task scans, for tasks side by side; all pieces by default.
        flank: Bases of a window on either side of a locus, less where a neighbour of the same strand is nearer.
        min_score: Loci less probable than this are left out; at 0 also none for what the lattice says.
        min_coding: Loci with fewer coding bases are left out.
        longest_gap: Runs of this many unknown bases or more hold no gene.
        complete_only: Leave out genes that the end of a sequence cuts.
        precision: What the network computes in; `auto` is bf16 where the processor multiplies it.
        carry: Hand what the network said of each window on to tg-generate, which then need not read it again, where the
            network is one that also writes genes.
        tracks: Write coding and site probabilities of both strands as bigWig.
    """

    fasta: Path
    outdir: Path
    model: Path | None = None
    sample: str = "genome"
    seqids: Sequence[str] = ()
    skip_seqids: Sequence[str] = ()
    part: tuple[int, int] = (0, 1)
    flank: int = 300
    min_score: float = LEAST_LOCUS
    min_coding: int = 90
    longest_gap: int = 100
    complete_only: bool = False
    precision: Precision = "auto"
    carry: bool = True
    tracks: bool = False
    shard_bases: int = SHARD_BASES
    threads: int = 1

    def __post_init__(self) -> None:
        check_sample_name(self.sample, "--sample")
        if not 0 <= self.min_score <= 1:  # NaN is neither
            raise UsageError(f"--min-score {self.min_score} is no probability", hint="give a number from 0 to 1")

    @property
    def stem(self) -> str:
        """Of the shards: those of a share carry its number, so that the shares of a genome can lie in one folder."""
        number, of = self.part
        return "genes" if of == 1 else f"genes-{number + 1:0{len(str(of))}}of{of}"

    def is_of_another_division(self, shard: str) -> bool:
        """Whether a shard of this name was written by a run that shared the genome out in another way."""
        found = SHARD.fullmatch(shard)
        return found is not None and int(found[1] or 1) != self.part[1]
