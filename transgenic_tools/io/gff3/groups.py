"""Part lines grouped by transcript; the faultless transcripts, nearly all, are put together in a few array operations.

In: `Lines`. Out: one `Group` a transcript, in the order of appearance.
A surprise: a group that breaks any rule, however mildly, has no structure here; `build.assemble` looks at it line by
line and says what is wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from math import isnan
from typing import NamedTuple
from urllib.parse import unquote

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from transgenic_tools.genome.interval import Interval, Intervals, Strand
from transgenic_tools.io.gff3.lines import CDS, EXON, UTR, Lines

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]


class Part(NamedTuple):
    """One part line."""

    kind: int
    start: int
    end: int
    strand: int
    phase: int


class Structure(NamedTuple):
    """Exons and CDS of one transcript as they came out of its part lines; `exon_scores` where every exon has one."""

    strand: Strand
    exons: Intervals
    cds: Intervals
    first_phase: int
    exon_scores: tuple[float, ...] = ()


class Group(NamedTuple):
    """The part lines of one transcript.

    Attributes:
        key: seqid and ID.
        structure: None where the lines must be looked at one by one.
        parts: The lines, sorted by start and end; made when called.
        texts: Column 9 of the lines, where it was kept, in the order of `parts`.
    """

    key: tuple[str, str]
    structure: Structure | None
    parts: Callable[[], list[Part]]
    texts: Callable[[], list[str]]


@dataclass(frozen=True)
class _Rows:
    """Part lines sorted by group, kind, start, end; `group` counts from 0."""

    order: Ints
    group: Ints
    first: Ints
    kind: Ints
    start: Ints
    end: Ints
    strand: Ints
    phase: Ints

    def parts(self, low: int, high: int) -> list[Part]:
        columns = (c[low:high].tolist() for c in (self.kind, self.start, self.end, self.strand, self.phase))
        return sorted((Part(*values) for values in zip(*columns, strict=True)), key=lambda p: (p.start, p.end))

    def texts(self, low: int, high: int, kept: Mapping[int, str]) -> list[str]:
        rows = sorted(range(low, high), key=lambda i: (self.start[i], self.end[i]))
        return [kept.get(int(self.order[i]), "") for i in rows]


def _sorted_rows(lines: Lines, codes: Ints) -> _Rows:
    kind, start, end, strand, phase = (
        np.concatenate(column).astype(np.int64)
        for column in (lines.part_kind, lines.part_start, lines.part_end, lines.part_strand, lines.part_phase)
    )
    order = np.lexsort((end, start, kind, codes))
    codes = codes[order]
    new = np.r_[True, codes[1:] != codes[:-1]]
    columns = (c[order] for c in (kind, start, end, strand, phase))
    return _Rows(order, np.cumsum(new) - 1, np.flatnonzero(new), *columns)


def _inside_exons(rows: _Rows) -> Bools:
    """For each row: an exon that is apart from the one before, or a part inside an exon; CDS parts fill the exons."""
    same = np.r_[False, (rows.group[1:] == rows.group[:-1]) & (rows.kind[1:] == rows.kind[:-1])]
    apart = ~same | (rows.start > np.r_[0, rows.end[:-1]])
    is_exon = rows.kind == EXON
    at_exon = np.flatnonzero(is_exon)
    if not len(at_exon):
        return np.zeros(len(rows.kind), bool)
    step = int(rows.end.max()) + 1
    keys = rows.group * step + rows.start
    found = np.maximum(np.searchsorted(keys[at_exon], keys, "right") - 1, 0)
    exon = at_exon[found]
    inside = (rows.group[exon] == rows.group) & (rows.start[exon] <= rows.start) & (rows.end[exon] >= rows.end)
    # an intron between two CDS parts must be one of the transcript: the parts end where their exons do
    before = np.r_[0, np.arange(len(exon) - 1)]
    follows = (
        (found == found[before] + 1) & (rows.start == rows.start[exon]) & (rows.end[before] == rows.end[exon[before]])
    )
    is_cds = rows.kind == CDS
    return apart & inside & (~(is_cds & same) | follows) | ((rows.kind == UTR) & inside)


def _phases(rows: _Rows) -> tuple[Bools, Ints]:
    """For each row whether its phase follows the GFF3 rule (True for other kinds); each group's first phase."""
    good = np.ones(len(rows.kind), bool)
    first_phase = np.zeros(len(rows.first), np.int64)
    at = np.flatnonzero(rows.kind == CDS)
    if len(at):
        group, length = rows.group[at], (rows.end - rows.start)[at]
        begins = np.flatnonzero(np.r_[True, group[1:] != group[:-1]])
        count = np.diff(np.r_[begins, len(at)])
        total = np.cumsum(length)
        before = total - length - np.repeat(total[begins] - length[begins], count)
        whole = np.repeat(np.add.reduceat(length, begins), count)
        plus = rows.strand[at] == 1
        offset = np.where(plus, before, whole - before - length)
        ends = begins + count - 1
        first = np.where(plus[begins], rows.phase[at][begins], rows.phase[at][ends])
        good[at] = rows.phase[at] == (np.repeat(first, count) - offset) % 3
        first_phase[group[begins]] = first
    return good, first_phase


def _objects(rows: _Rows) -> list[Interval]:
    """One `Interval` a row; equal ones are one object, because isoforms share most of their exons."""
    packed, inverse = np.unique(rows.start << 32 | rows.end, return_inverse=True)
    made = [Interval(value >> 32, value & 0xFFFFFFFF) for value in packed.tolist()]
    return [made[i] for i in inverse.tolist()]


def _exon_scores(lines: Lines, order: Ints) -> list[float] | None:
    """Column 6 of each row, NaN where it is no probability; None where the file has none at all, as most."""
    scores = np.concatenate(lines.part_score)[order].astype(np.float64)
    scores[~((scores >= 0) & (scores <= 1))] = np.nan
    return None if np.isnan(scores).all() else np.round(scores, 6).tolist()


def groups(lines: Lines) -> Iterator[Group]:
    """All transcripts that have part lines, in the order of appearance."""
    if not lines.n_parts:
        return
    seqids = list(lines.seqids)
    keys = pa.chunked_array(lines.part_key).unify_dictionaries().combine_chunks()
    names = [
        unquote(n).strip() if lines.dialect == "gff3" and "%" in n else n.strip() for n in keys.dictionary.to_pylist()
    ]
    codes = keys.indices.to_numpy().astype(np.int64) * len(seqids) + np.concatenate(lines.part_seqid)
    rows = _sorted_rows(lines, codes)
    phase_good, first_phase = _phases(rows)
    good = _inside_exons(rows) & phase_good & (rows.strand != 0) & (rows.kind <= UTR)
    good &= rows.strand == rows.strand[rows.first][rows.group]
    clean = np.logical_and.reduceat(good, rows.first).tolist()
    exons_end = (rows.first + np.add.reduceat(rows.kind == EXON, rows.first)).tolist()
    cds_end = (exons_end + np.add.reduceat(rows.kind == CDS, rows.first)).tolist()
    intervals, scores = _objects(rows), _exon_scores(lines, rows.order)
    bounds = [*rows.first.tolist(), len(rows.kind)]
    code_of, phases, plus = (
        codes[rows.order][rows.first].tolist(),
        first_phase.tolist(),
        (rows.strand[rows.first] == 1).tolist(),
    )
    for i in np.argsort(np.minimum.reduceat(rows.order, rows.first), kind="stable").tolist():
        low, high = bounds[i], bounds[i + 1]
        structure = None
        if clean[i]:
            exons, cds = tuple(intervals[low : exons_end[i]]), tuple(intervals[exons_end[i] : cds_end[i]])
            scored = () if scores is None else tuple(scores[low : exons_end[i]])
            known = () if any(map(isnan, scored)) else scored
            structure = Structure("+" if plus[i] else "-", exons, cds, phases[i], known)
        key = (seqids[code_of[i] % len(seqids)], names[code_of[i] // len(seqids)])
        yield Group(key, structure, partial(rows.parts, low, high), partial(rows.texts, low, high, lines.part_text))
