"""Read GFF3 or GTF, any dialect, into genes.

In: a path, plain, gzip or bgzip. Out: `Annotation`: genes in domain form and every finding on the way.
A surprise: all genes are returned, non-coding ones too; choosing is the caller's work.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np

from transgenic_tools.genome.checks import Finding, count_findings
from transgenic_tools.genome.gene import Gene
from transgenic_tools.genome.interval import Interval
from transgenic_tools.io.collector import paused_collector
from transgenic_tools.io.gff3.build import Builder
from transgenic_tools.io.gff3.lines import STOP, Dialect, Lines, read_lines
from transgenic_tools.io.gff3.mend import mend_lines


@dataclass(frozen=True)
class Annotation:
    """All genes of one file.

    Attributes:
        genes: Sorted by seqid in order of appearance, then start, then end; IDs unique.
        problems: Findings in the order of the reading; their codes are in `genome.checks.RULES`.
        sequence_regions: From `##sequence-region`.
        seqids: In order of appearance.
        n_features: Feature lines read.
        stop_lines: Of GTF, (seqid, ID) of the transcripts that a stop_codon line names.
    """

    path: Path
    dialect: Dialect
    genes: tuple[Gene, ...]
    problems: tuple[Finding, ...] = ()
    sequence_regions: Mapping[str, Interval] = field(default_factory=dict)
    seqids: tuple[str, ...] = ()
    n_features: int = 0
    stop_lines: frozenset[tuple[str, str]] = frozenset()

    @cached_property
    def problem_counts(self) -> dict[str, int]:
        """Findings by code."""
        return count_findings(self.problems)


def read_annotation(path: str | Path, *, tags: Sequence[str] = ()) -> Annotation:
    """Read one annotation.

    Args:
        tags: Attributes by which lines without Parent are put together, tried before those of `mend.TAGS`.

    Raises:
        MissingInputError: no such file.
        BadInputError: the file is damaged, or is no GFF3 and no GTF.
    """
    with paused_collector():
        return annotation_of(Path(path), read_mended(Path(path), tags))


def read_mended(path: Path, tags: Sequence[str] = ()) -> Lines:
    """The lines of an annotation, tied as far as they can be. Raises as `read_annotation`."""
    lines = read_lines(path)
    mend_lines(lines, tags)
    return lines


def annotation_of(path: Path, lines: Lines) -> Annotation:
    """The genes of lines that were read."""
    genes, findings = Builder(lines).build()
    return Annotation(
        path=path,
        dialect=lines.dialect,
        genes=genes,
        problems=findings,
        sequence_regions=lines.regions,
        seqids=tuple(lines.seqids),
        n_features=lines.n_features,
        stop_lines=_with_stop_lines(lines),
    )


def _with_stop_lines(lines: Lines) -> frozenset[tuple[str, str]]:
    if lines.dialect != "gtf" or not lines.n_stop_codons:
        return frozenset()
    at = np.concatenate(lines.part_kind) == STOP
    seqids, keys = list(lines.seqids), list(lines.keys)
    codes = np.unique(np.concatenate(lines.part_key)[at] * len(seqids) + np.concatenate(lines.part_seqid)[at])
    return frozenset((seqids[code % len(seqids)], keys[code // len(seqids)].strip()) for code in codes.tolist())
