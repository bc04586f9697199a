"""Tables of usage: transcript by condition and intron by condition, as TSV.

In: rows of `tg-evidence usage`. Out: the tables, and the first of them back, for the report.
A surprise: conditions are columns, two for each (`share` or `psi`, and `reads`), so a table opens as it is in a
spreadsheet; an empty cell is no reads, never 0.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from transgenic_tools.errors import BadInputError
from transgenic_tools.genome.interval import Interval, Strand
from transgenic_tools.io.files import text_lines
from transgenic_tools.provenance import write_aside

_TRANSCRIPT = ("gene_id", "transcript_id", "introns", "determined")
_INTRON = ("gene_id", "seqid", "start", "end", "strand", "transcripts")
_SHARE, _PSI, _READS = "share:", "psi:", "reads:"


@dataclass(frozen=True, slots=True, kw_only=True)
class TranscriptUsage:
    """One transcript; `shares` and `reads` have a place a condition.

    Attributes:
        determined: The introns can tell its share from that of any mixture of the others.
        shares: Of the gene's transcripts with introns; NaN where the condition has no read of the gene.
        reads: Expected at each of its introns.
    """

    gene_id: str
    transcript_id: str
    introns: int
    determined: bool
    shares: tuple[float, ...]
    reads: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class IntronUsage:
    """One intron; `psi` and `reads` have a place a condition.

    Attributes:
        transcripts: Of the annotation that have it; 0 for a junction that only competes with theirs.
        psi: Share among the introns with its donor or its acceptor; NaN where none has a read.
    """

    gene_id: str
    seqid: str
    place: Interval
    strand: Strand
    transcripts: int
    psi: tuple[float, ...]
    reads: tuple[int, ...]


def _cell(value: float, digits: int) -> str:
    return "" if math.isnan(value) else f"{value:.{digits}f}"


def _write(path: Path, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    with write_aside(path) as aside, aside.open("w", encoding="utf-8") as handle:
        handle.writelines("\t".join(row) + "\n" for row in (columns, *rows))


def _columns(first: Sequence[str], conditions: Sequence[str], *kinds: str) -> list[str]:
    return [*first, *(kind + condition for kind in kinds for condition in conditions)]


def write_transcript_usage(path: Path, conditions: Sequence[str], rows: Iterable[TranscriptUsage]) -> None:
    """`usage.tsv`."""
    _write(
        path,
        _columns(_TRANSCRIPT, conditions, _SHARE, _READS),
        (
            [
                row.gene_id, row.transcript_id, str(row.introns), "yes" if row.determined else "no",
                *(_cell(value, 4) for value in row.shares), *(_cell(value, 2) for value in row.reads),
            ]
            for row in rows
        ),
    )  # fmt: skip


def write_intron_usage(path: Path, conditions: Sequence[str], rows: Iterable[IntronUsage]) -> None:
    """`psi.tsv`; coordinates are 0-based half-open."""
    _write(
        path,
        _columns(_INTRON, conditions, _PSI, _READS),
        (
            [
                row.gene_id, row.seqid, str(row.place.start), str(row.place.end), row.strand, str(row.transcripts),
                *(_cell(value, 4) for value in row.psi), *map(str, row.reads),
            ]
            for row in rows
        ),
    )  # fmt: skip


def read_transcript_usage(path: Path) -> tuple[tuple[str, ...], tuple[TranscriptUsage, ...]]:
    """Conditions and rows of a `usage.tsv`.

    Raises:
        MissingInputError: no such file.
        BadInputError: it is no such table.
    """
    hint = "give the usage.tsv of tg-evidence usage"
    conditions: tuple[str, ...] | None = None
    rows: list[TranscriptUsage] = []
    for number, line in text_lines(path):
        cells = line.split("\t")
        if conditions is None:
            conditions = tuple(name.removeprefix(_SHARE) for name in cells if name.startswith(_SHARE))
            if not conditions or cells != _columns(_TRANSCRIPT, conditions, _SHARE, _READS):
                raise BadInputError(f"the header {line[:80]!r} is not that of a table of usage", path=path, hint=hint)
            continue
        try:
            values = tuple(float(cell) if cell else math.nan for cell in cells[len(_TRANSCRIPT) :])
            if len(values) != 2 * len(conditions):
                raise ValueError(f"{len(cells)} columns")
            rows.append(
                TranscriptUsage(
                    gene_id=cells[0], transcript_id=cells[1], introns=int(cells[2]), determined=cells[3] == "yes",
                    shares=values[: len(conditions)], reads=values[len(conditions) :],
                )
            )  # fmt: skip
        except ValueError as error:
            raise BadInputError(
                f"this is no line of a table of usage ({error})", path=path, line=number, hint=hint
            ) from error
    if conditions is None:
        raise BadInputError("the table is empty, it has not even a header", path=path, hint=hint)
    return conditions, tuple(rows)
