"""Plain blocks of GFF3 into columns by arithmetic on the bytes: no text is made of what nobody asks for.

In: a `Block` of whole lines. Out: a `Grid`, or None where anything in the block is out of the ordinary; such a block is
read line by line by `lines`, which knows every oddity and gives the same columns.
A surprise: tabs and line ends are looked for once; where each line has eight tabs before its end their positions make
a table with nine columns, and numbers and names are cut out of it eight bytes at a time.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from transgenic_tools.io.limits import limits

Ints = npt.NDArray[np.int64]
Words = npt.NDArray[np.uint64]
Bools = npt.NDArray[np.bool_]
Bytes = npt.NDArray[np.uint8]

#: Bytes that may be read before and after a block's text; 0 there.
MARGIN = 128
_TAB, _LINE_END, _QUOTE, _HASH, _SEMICOLON, _COMMA, _DOT = 9, 10, 34, 35, 59, 44, 46
#: No sequence is longer; beyond, numbers would no longer fit their arrays together.
MOST_PLACES = 1 << 40
_MASKS = np.array([(1 << (8 * n)) - 1 for n in range(9)], np.uint64)
_PARENT_WORD = np.uint64(int.from_bytes(b"Parent=", "little"))
_PARENT_NAME = np.uint64(int.from_bytes(b"Parent", "little"))
_ID_WORD = np.uint64(int.from_bytes(b"ID=", "little"))
_NOT_ASCII = np.uint64(0x8080808080808080)
#: Bytes of an ID or Parent that mean more than themselves: blanks, a comma, a percent sign.
_TO_DECODE = np.zeros(256, bool)
_TO_DECODE[[*range(ord(" ") + 1), _COMMA, ord("%")]] = True
#: What column 7 may hold.
_STRAND_SIGNS = np.zeros(256, bool)
_STRAND_SIGNS[list(b"+-.?")] = True
_PARENT = re.compile(r"(?:^|;)\s*Parent\s*=\s*([^;]*)", re.ASCII)
_MOST_TYPES = 64
_PIECE = 1 << 17
#: A large odd number, to mix bits.
_ODD = np.uint64(0x9E3779B97F4A7C15)
_TYPE_BYTES, _SEQID_BYTES, _KEY_BYTES = 32, 64, 64
#: Bytes that are looked at for the end of the first field of column 9, and of a value: few, and more where needed.
_FIRST_FIELD_BYTES, _VALUE_BYTES = (48, 96), (32, 64)


class Block(NamedTuple):
    """Whole lines: `buffer[start:end]`, with `MARGIN` bytes that may be read on either side."""

    buffer: bytearray
    start: int
    end: int

    def text(self) -> bytes:
        return bytes(memoryview(self.buffer)[self.start : self.end])


def block_of(text: bytes) -> Block:
    """A block of its own."""
    margin = bytes(MARGIN)
    return Block(bytearray(margin + text + margin), MARGIN, MARGIN + len(text))


class Span(NamedTuple):
    """First byte and one past the last of a column, one entry a line."""

    start: Ints
    end: Ints


@dataclass(frozen=True)
class Grid:
    """The feature lines of a block; arrays have one entry a line, and `text` is column 9.

    Attributes:
        comments: Lines that are no features: empty ones and those that begin with `#`.
        seqids: Name and number of lines of each stretch of lines with one seqid.
        types: Distinct values of column 3; `type` indexes it.
        start, end: 0-based half-open. `line`: number of the line in the block, from 0.
        strand: 1, -1, or 0 for anything else. `phase`: 0 to 2, or -1.
    """

    block: Block
    comments: list[str]
    n_lines: int
    seqids: list[tuple[str, int]]
    types: list[str]
    type: Ints
    start: Ints
    end: Ints
    strand: npt.NDArray[np.int8]
    phase: npt.NDArray[np.int8]
    seqid_at: Span
    score_at: Span
    strand_at: Span
    text_at: Span
    line: Ints

    def strands(self, rows: Ints) -> list[str]:
        """Column 7 in some lines."""
        signs = list(np.frombuffer(self.block.buffer, np.uint8)[self.strand_at.start[rows]].tobytes().decode("latin1"))
        for i in np.flatnonzero(self.strand[rows] == 0).tolist():
            signs[i] = self.texts(self.strand_at, rows[i : i + 1])[0]
        return signs

    def scores(self, rows: Ints) -> list[str]:
        """Column 6 in some lines."""
        found = ["."] * len(rows)
        scored = self.scored(rows)
        for i, text in zip(scored.tolist(), self.texts(self.score_at, rows[scored]), strict=True):
            found[i] = text
        return found

    def whole(self, row: int) -> str:
        """A feature line."""
        return self.block.buffer[self.seqid_at.start[row] : self.text_at.end[row]].decode()

    def texts(self, at: Span, rows: Ints) -> list[str]:
        """A column's text in some lines."""
        buffer = self.block.buffer
        return [buffer[a:b].decode() for a, b in zip(at.start[rows].tolist(), at.end[rows].tolist(), strict=True)]

    def scored(self, rows: Ints) -> Ints:
        """Those of `rows` (places in it) whose column 6 is not a lone dot."""
        bytes_ = np.frombuffer(self.block.buffer, np.uint8)
        start, end = self.score_at.start[rows], self.score_at.end[rows]
        return np.flatnonzero((end - start != 1) | (bytes_[start] != _DOT))


_TYPE_SLOTS = 12


@dataclass
class TypeTable:
    """Values of column 3 met so far, as words; kept from block to block.

    Attributes:
        slots: Number of the value whose hash is this, if any; two values may have one hash.
    """

    names: list[str] = field(default_factory=list)
    words: Words = field(default_factory=lambda: np.full((_MOST_TYPES, _TYPE_BYTES // 8), _MASKS[8]))
    slots: Ints = field(default_factory=lambda: np.zeros(1 << _TYPE_SLOTS, np.int64))

    def hashed(self, words: Words) -> Words:
        mixed = words[:, 0] * _ODD
        for i in range(1, words.shape[1]):
            mixed ^= words[:, i] * _ODD
        return mixed >> np.uint64(64 - _TYPE_SLOTS)

    def same(self, words: Words, codes: Ints) -> Bools:
        """Which rows are those values."""
        known = self.words[codes]
        width = words.shape[1]
        found: Bools = words[:, 0] == known[:, 0]
        for i in range(1, known.shape[1]):
            found &= (words[:, i] if i < width else 0) == known[:, i]
        return found

    def add(self, name: str, words: Words) -> None:
        self.words[len(self.names)] = 0
        self.words[len(self.names), : len(words)] = words
        self.slots[self.hashed(words[None])] = len(self.names)
        self.names.append(name)


def _gather(buffer: bytearray, at: Ints, width: int) -> npt.NDArray[np.void]:
    """`width` bytes from each place, which need not be aligned."""
    return np.ndarray((len(buffer) - width + 1,), f"V{width}", buffer=buffer, strides=(1,))[at]


def _words(buffer: bytearray, span: Span, width: int) -> Words | None:
    """The text of a column as little-endian words, 0 beyond its end; None where one is longer than `width` bytes."""
    length = span.end - span.start
    longest = int(length.max(initial=0))
    if longest > width:
        return None
    count = max((longest + 7) // 8, 1)
    words = _gather(buffer, span.start, 8 * count).view(np.uint64).reshape(-1, count)
    shortest = int(length.min(initial=longest))
    for i in range(shortest // 8, count):
        words[:, i] &= _MASKS[np.clip(length - 8 * i, 0, 8) if shortest < longest else longest - 8 * i]
    return words


def _eight_digits(words: Words) -> tuple[Words, Bools]:
    """The number that eight bytes of digits write, and whether all of them are digits."""
    high, low = np.uint64(0xF0F0F0F0F0F0F0F0), np.uint64(0x3030303030303030)
    good = ((words & high) == low) & (((words + np.uint64(0x0606060606060606)) & high) == low)
    digits = words - low
    pairs = (digits * np.uint64(10) + (digits >> np.uint64(8))) & np.uint64(0x00FF00FF00FF00FF)
    fours = (pairs * np.uint64(100) + (pairs >> np.uint64(16))) & np.uint64(0x0000FFFF0000FFFF)
    return (fours * np.uint64(10_000) + (fours >> np.uint64(32))) & np.uint64(0xFFFFFFFF), good


def _numbers(buffer: bytearray, span: Span) -> Ints | None:
    """Whole numbers of up to 15 digits; None where one is something else."""
    length = span.end - span.start
    if len(length) and (length.min() < 1 or length.max() > 15):
        return None
    zeros = np.uint64(0x3030303030303030)

    def last(end: Ints, count: Ints) -> tuple[Words, Bools]:
        words = _gather(buffer, end - 8, 8).view(np.uint64)
        missing = _MASKS[8 - np.clip(count, 0, 8)]
        return _eight_digits((words & ~missing) | (zeros & missing))

    value, good = last(span.end, length)
    if len(length) and length.max() > 8:
        more, fine = last(span.end - 8, length - 8)
        value, good = value + more * np.uint64(100_000_000), good & fine
    return value.astype(np.int64) if bool(good.all()) else None


def _types(buffer: bytearray, span: Span, table: TypeTable) -> Ints | None:
    words = _words(buffer, span, _TYPE_BYTES)
    if words is None:
        return None
    codes = table.slots[table.hashed(words)]
    left = np.flatnonzero(~table.same(words, codes))  # of a value that is new, or shares its hash
    for number in range(len(table.names)):
        if len(left):
            codes[left[table.same(words[left], np.full(len(left), number))]] = number
            left = left[~table.same(words[left], codes[left])]
    while len(left):
        if len(table.names) == _MOST_TYPES:
            return None
        row = int(left[0])
        table.add(buffer[int(span.start[row]) : int(span.end[row])].decode(), words[row])
        mine = table.same(words[left], np.full(len(left), len(table.names) - 1))
        codes[left[mine]] = len(table.names) - 1
        left = left[~mine]
    return codes


def _are_places(start: Ints, end: Ints) -> bool:
    """Whether all lines are intervals, 1-based and closed."""
    return bool((start >= 1).all() and (end >= start).all() and (end <= MOST_PLACES).all())


def runs_of(words: Words) -> Ints:
    """The first row of each stretch of equal rows."""
    if not len(words):
        return np.zeros(0, np.int64)
    same = words[1:, 0] == words[:-1, 0]
    for i in range(1, words.shape[1]):
        same &= words[1:, i] == words[:-1, i]
    return np.flatnonzero(np.r_[True, ~same])


def _seqids(buffer: bytearray, span: Span) -> list[tuple[str, int]] | None:
    words = _words(buffer, span, _SEQID_BYTES)
    if words is None:
        return None
    first = runs_of(words)
    lengths = np.diff(np.r_[first, len(words)]).tolist()
    return list(zip(_strings(buffer, Span(span.start[first], span.end[first])), lengths, strict=True))


def _below(view: Bytes, bound: int) -> Ints:
    """Places of bytes below a bound, looked for in pieces whose answers stay in the processor's cache."""
    small = np.empty(_PIECE, bool)
    found = []
    for low in range(0, len(view), _PIECE):
        piece = view[low : low + _PIECE]
        places = np.less(piece, bound, out=small[: len(piece)]).nonzero()[0]
        places += low
        found.append(places)
    return np.concatenate(found)


def _layout(block: Block) -> tuple[list[Ints], list[str], Ints, int] | None:
    """Start of each feature line, its eight tabs and its end; the other lines; numbers of the former, and of all."""
    buffer = block.buffer
    view = np.frombuffer(buffer, np.uint8)[block.start : block.end]
    stops = _below(view, 14)
    kinds = view[stops]
    at_end = kinds == _LINE_END
    if not (at_end | (kinds == _TAB)).all():
        return None
    stops += block.start
    ends = np.flatnonzero(at_end)
    starts = np.r_[block.start, stops[ends[:-1]] + 1]
    whole = np.frombuffer(buffer, np.uint8)
    good = (np.diff(ends, prepend=-1) == 9) & (whole[starts] != _HASH)
    comments = []
    for a, b in zip(starts[~good].tolist(), stops[ends[~good]].tolist(), strict=True):
        text = buffer[a:b].decode()
        if text.startswith("##FASTA") or not (text.startswith("#") or not text.strip()):
            return None
        comments.append(text)
    first = ends[good] - 8
    return [starts[good], *(stops[first + k] for k in range(9))], comments, np.flatnonzero(good), len(ends)


def read_grid(block: Block, table: TypeTable) -> Grid | None:
    """The feature lines of a block, or None where it is not plain.

    Args:
        block: Ends with a line end; no carriage returns.
        table: Column 3 so far; new values are added.
    """
    buffer = block.buffer
    if not buffer.isascii():
        try:
            block.text().decode()
        except UnicodeDecodeError:
            return None
    laid_out = _layout(block)
    if laid_out is None:
        return None
    (begin, *tabs, stop), comments, line, n_lines = laid_out
    column = [Span(a, b) for a, b in zip([begin, *(t + 1 for t in tabs)], [*tabs, stop], strict=True)]
    view = np.frombuffer(buffer, np.uint8)
    if (
        any((view[column[at].start] == _QUOTE).any() for at in (0, 2, 8))
        or (stop - column[8].start).max(initial=0) > limits().attribute
    ):
        return None
    seqids, types = _seqids(buffer, column[0]), _types(buffer, column[2], table)
    start, end = _numbers(buffer, column[3]), _numbers(buffer, column[4])
    if seqids is None or types is None or start is None or end is None or not _are_places(start, end):
        return None
    one = column[6].end - column[6].start == 1
    sign = view[column[6].start]
    if not (one & _STRAND_SIGNS[sign]).all():
        return None
    strand = np.where(one & (sign == ord("+")), 1, np.where(one & (sign == ord("-")), -1, 0)).astype(np.int8)
    digit = view[column[7].start].astype(np.int16) - ord("0")
    known = (column[7].end - column[7].start == 1) & (digit >= 0) & (digit <= 2)
    phase = np.where(known, digit, -1).astype(np.int8)
    return Grid(
        block, comments, n_lines, seqids, table.names, types, start - 1, end, strand, phase,
        seqid_at=column[0], score_at=column[5], strand_at=column[6], text_at=column[8], line=line,
    )  # fmt: skip


def _strings(buffer: bytearray, span: Span) -> list[str]:
    """Text of a column in some lines; short ASCII text all at once."""
    words = _words(buffer, span, _KEY_BYTES)
    if words is None or not len(words) or (words & _NOT_ASCII).any():
        return [buffer[a:b].decode() for a, b in zip(span.start.tolist(), span.end.tolist(), strict=True)]
    width = 8 * words.shape[1]
    found: list[str] = words.view(f"S{width}").ravel().astype(f"U{width}").tolist()
    return found


class _Fields(NamedTuple):
    """The first two fields of column 9 in some lines: where the second begins, and the words that both begin with."""

    second_at: Ints
    head: Words
    second: Words


def _up_to(buffer: bytearray, at: Ints, ends: tuple[int, ...], widths: tuple[int, ...]) -> tuple[Ints, Bytes]:
    """Bytes from each place up to the first of `ends`, 0 where it is not near; and the bytes that were looked at."""
    for width in widths:  # most are near: few bytes will do
        letters = _gather(buffer, at, width).view(np.uint8).reshape(-1, width)
        found = letters == ends[0]
        for end in ends[1:]:
            found |= letters == end
        length = found.argmax(axis=1)
        if length.all():
            break
    return length, letters


def _fields(grid: Grid, rows: Ints) -> _Fields:
    """`second_at` is one past the start of column 9 where there is no second field within `_FIRST_FIELD_BYTES`."""
    buffer = grid.block.buffer
    start, stop = grid.text_at.start[rows], grid.text_at.end[rows]
    first, _ = _up_to(buffer, start, (_SEMICOLON,), _FIRST_FIELD_BYTES)
    first[start + first >= stop] = 0
    head = _gather(buffer, start, 8).view(np.uint64)
    return _Fields(start + first + 1, head, _gather(buffer, start + first + 1, 8).view(np.uint64))


def _value(buffer: bytearray, at: Ints) -> tuple[Span, Bytes]:
    """The value that begins at each place, up to a semicolon or the line end, and its bytes; empty where it is long."""
    length, letters = _up_to(buffer, at, (_SEMICOLON, _LINE_END), _VALUE_BYTES)
    return Span(at, at + length), letters


def parents(grid: Grid, rows: Ints) -> tuple[list[str], Ints] | None:
    """The Parent of some lines, as stretches of lines with one value: values, and the first place of each in `rows`.

    None where a line has none.
    """
    buffer = grid.block.buffer
    start = grid.text_at.start[rows]
    found = _fields(grid, rows)
    at_start = (found.head & _MASKS[7]) == _PARENT_WORD
    odd_head = ((found.head & _MASKS[6]) == _PARENT_NAME) | ((found.head & np.uint64(0xFF)) <= np.uint64(ord(" ")))
    after = ((found.second & _MASKS[7]) == _PARENT_WORD) & (found.second_at > start + 1) & ~odd_head
    value = np.where(at_start, start, found.second_at) + 7
    span, letters = _value(buffer, np.where(at_start | after, value, start))
    plain = (at_start | after) & (span.end > span.start) & (letters[:, 0] > ord(" "))
    span = Span(span.start, np.where(plain, span.end, span.start))
    words = _words(buffer, span, _KEY_BYTES)
    assert words is not None
    odd = np.flatnonzero(~plain)
    begins = np.zeros(len(rows) + 1, bool)
    begins[runs_of(words)] = True
    begins[odd] = begins[odd + 1] = True
    runs = np.flatnonzero(begins[:-1])
    values = _strings(buffer, Span(span.start[runs], span.end[runs]))
    for i in np.flatnonzero(~plain[runs]).tolist():
        values[i] = _searched(grid, rows, int(runs[i]))
    return (values, runs) if all(values) else None


def ids_and_parents(grid: Grid, rows: Ints, gene: Bools) -> tuple[list[str], list[str], Ints]:
    """ID and Parent of some lines as nearly all have them: in this order, one parent, nothing to decode.

    Args:
        gene: Whether a line is a gene's; its Parent is not looked for.

    Returns:
        IDs and parents, one a line. The places in `rows` where one of them is to be looked for in the text.
    """
    found = _fields(grid, rows)
    has_id = (found.head & _MASKS[3]) == _ID_WORD
    below = np.flatnonzero(~gene)
    has_parent = has_id[below] & ((found.second[below] & _MASKS[7]) == _PARENT_WORD)
    start = grid.text_at.start[rows]
    ids, no_id = _plain_values(grid.block.buffer, start + 3, has_id)
    some, no_parent = _plain_values(grid.block.buffer, found.second_at[below] + 7, has_parent)
    parents = [""] * len(rows)
    for place, parent in zip(below.tolist(), some, strict=True):
        parents[place] = parent
    no_id[below[no_parent]] = True
    return ids, parents, np.flatnonzero(no_id)


def _plain_values(buffer: bytearray, at: Ints, wanted: Bools) -> tuple[list[str], Bools]:
    """The values that begin at some places, and where there is none that needs no decoding; it is empty there."""
    span, letters = _value(buffer, at)
    length = span.end - span.start
    inside = np.arange(letters.shape[1]) < length[:, None]
    good = wanted & (length > 0) & ~(_TO_DECODE[letters] & inside).any(axis=1)
    return _strings(buffer, Span(span.start, np.where(good, span.end, span.start))), ~good


def _searched(grid: Grid, rows: Ints, row: int) -> str:
    """The Parent of one line whose column 9 is laid out in another way; empty where it has none."""
    match = _PARENT.search(grid.texts(grid.text_at, rows[row : row + 1])[0])
    return match[1] if match else ""


def stretches(first: Ints, total: int) -> Iterator[tuple[int, int]]:
    """(start, end) of each stretch."""
    yield from itertools.pairwise([*first.tolist(), total])
