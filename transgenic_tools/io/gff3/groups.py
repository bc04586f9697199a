"""Part lines grouped by transcript; the faultless transcripts, nearly all, are put together in a few array operations.

In: `Lines`. Out: `Grouped`, arrays with one entry a transcript, which gives a `Group` of records for those asked for.
A surprise: a group that breaks any rule, however mildly, has no structure here; `build.assemble` looks at it line by
line and says what is wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from math import isnan
from typing import NamedTuple
from urllib.parse import unquote

import numpy as np
import numpy.typing as npt

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
    """Part lines sorted by group, kind, start; `group` counts from 0."""

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
    if codes.max() < 1 << 29 and start.max() < 1 << 32:  # one key, and nearly in order already
        order = np.argsort((codes << 2 | kind) << 32 | start, kind="stable")
    else:
        order = np.lexsort((start, kind, codes))
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
    if rows.end.max() >> 32:
        return [Interval(start, end) for start, end in zip(rows.start.tolist(), rows.end.tolist(), strict=True)]
    packed, inverse = np.unique(rows.start << 32 | rows.end, return_inverse=True)
    made = [Interval(value >> 32, value & 0xFFFFFFFF) for value in packed.tolist()]
    return [made[i] for i in inverse.tolist()]


def _exon_scores(lines: Lines, order: Ints) -> list[float] | None:
    """Column 6 of each row, NaN where it is no probability; None where the file has none at all, as most."""
    scores = np.concatenate(lines.part_score)[order].astype(np.float64)
    scores[~((scores >= 0) & (scores <= 1))] = np.nan
    return None if np.isnan(scores).all() else np.round(scores, 6).tolist()


@dataclass(frozen=True)
class Grouped:
    """All transcripts that have part lines, as arrays with one entry a group.

    Attributes:
        keys: seqid and ID.
        first, exons_end, cds_end: Rows of a clean group: exons, then CDS, each sorted by start.
        clean: Whether the group keeps every rule; nothing below is to be used where it does not.
        order: Groups in the order of appearance. `met`: number of each group's first part line.
        scores: Of exons, one a row, NaN where there is none; None where the file has none at all.
    """

    lines: Lines
    rows: _Rows
    keys: list[tuple[str, str]]
    first: Ints
    exons_end: Ints
    cds_end: Ints
    plus: Bools
    first_phase: Ints
    clean: Bools
    order: Ints
    met: Ints
    scores: list[float] | None

    def each(self, wanted: Sequence[int] | None = None) -> Iterator[Group]:
        """Groups by number, all of them in the order of appearance by default."""
        numbers = self.order.tolist() if wanted is None else wanted
        intervals = _objects(self.rows).__getitem__ if 4 * len(numbers) > len(self.first) else self._intervals
        for i in numbers:
            yield self._group(i, intervals)

    def _intervals(self, at: slice) -> list[Interval]:
        places = zip(self.rows.start[at].tolist(), self.rows.end[at].tolist(), strict=True)
        return [Interval(start, end) for start, end in places]

    def _group(self, i: int, intervals: Callable[[slice], list[Interval]]) -> Group:
        low, middle, high = int(self.first[i]), int(self.exons_end[i]), int(self.cds_end[i])
        stop = int(self.first[i + 1]) if i + 1 < len(self.first) else len(self.rows.kind)
        structure = None
        if self.clean[i]:
            exons, cds = tuple(intervals(slice(low, middle))), tuple(intervals(slice(middle, high)))
            scored = () if self.scores is None else tuple(self.scores[low:middle])
            known = () if any(map(isnan, scored)) else scored
            structure = Structure("+" if self.plus[i] else "-", exons, cds, int(self.first_phase[i]), known)
        parts = partial(self.rows.parts, low, stop)
        return Group(self.keys[i], structure, parts, partial(self.rows.texts, low, stop, self.lines.part_text))


def grouped(lines: Lines) -> Grouped | None:
    """The part lines by transcript; None where there are none."""
    if not lines.n_parts:
        return None
    seqids = list(lines.seqids)
    names = [unquote(n).strip() if lines.dialect == "gff3" and "%" in n else n.strip() for n in lines.keys]
    codes = np.concatenate(lines.part_key) * len(seqids) + np.concatenate(lines.part_seqid)
    rows = _sorted_rows(lines, codes)
    phase_good, first_phase = _phases(rows)
    good = _inside_exons(rows) & phase_good & (rows.strand != 0) & (rows.kind <= UTR)
    good &= rows.strand == rows.strand[rows.first][rows.group]
    met = np.minimum.reduceat(rows.order, rows.first)
    exons_end = rows.first + np.add.reduceat(rows.kind == EXON, rows.first, dtype=np.int64)
    return Grouped(
        lines=lines,
        rows=rows,
        keys=[(seqids[c % len(seqids)], names[c // len(seqids)]) for c in codes[rows.order[rows.first]].tolist()],
        first=rows.first,
        exons_end=exons_end,
        cds_end=exons_end + np.add.reduceat(rows.kind == CDS, rows.first, dtype=np.int64),
        plus=rows.strand[rows.first] == 1,
        first_phase=first_phase,
        clean=np.logical_and.reduceat(good, rows.first),
        order=np.argsort(met, kind="stable"),
        met=met,
        scores=_exon_scores(lines, rows.order),
    )
