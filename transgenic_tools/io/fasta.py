"""FASTA: names, lengths and random access, never a whole genome in memory.

In: FASTA, plain, gzip or bgzip; descriptions, bars, lower case, IUPAC letters, Windows line ends, uneven lines.
Out: upper-case stretches by name and 0-based half-open coordinates.
A surprise: the bases are copied once, without line ends, into memory (small genomes) or an unnamed temporary file
(large ones), because plain gzip has no random access; the input directory is never written to.
"""

from __future__ import annotations

import mmap
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType

import numpy as np

from transgenic_tools.errors import BadInputError
from transgenic_tools.genome.sequence import reverse_complement
from transgenic_tools.genome.window import Window
from transgenic_tools.io.files import LineEnds, is_pipe, open_text, refuse_long_line
from transgenic_tools.io.limits import how_to_raise, limits

#: Small enough that a block stays in the processor's cache while it is looked through.
_BLOCK = 1 << 18
#: Genomes up to this size stay in memory.
MEMORY_LIMIT = 256 << 20
_LETTERS = b"ACGTNURYSWKMBDHV"
_LINE_ENDS = b"\r\n \t"
#: Clears the bit that tells a lower case letter from its capital; other bytes become bytes that are no letters.
_CAPITAL = np.uint8(0xDF)
_CAPITALS = bytes(code & 0xDF for code in range(256))


class Fasta:
    """Random access to one FASTA file; use as a context manager.

    Args:
        path: Plain, gzip or bgzip, told by content.
        stage_dir: Where a genome above `MEMORY_LIMIT` bases is staged; the system's temporary directory by default.

    Attributes:
        lengths: Bases of each sequence, in file order.

    Raises:
        MissingInputError: no such file.
        BadInputError: not FASTA, a letter that is no IUPAC base, a name twice, an empty sequence name.
    """

    def __init__(self, path: str | Path, *, stage_dir: str | Path | None = None) -> None:
        self.path = Path(path)
        self._offsets: dict[str, int] = {}
        self._lengths: dict[str, int] = {}
        self._memory: mmap.mmap | None = _reserved(MEMORY_LIMIT)
        self._file: int | None = None
        self._stage_dir = stage_dir
        self._size = 0
        try:
            self._stage()
        except BaseException:
            self.close()
            raise

    @property
    def lengths(self) -> Mapping[str, int]:
        return self._lengths

    @property
    def names(self) -> tuple[str, ...]:
        """Names up to the first white space, in file order."""
        return tuple(self._lengths)

    def __contains__(self, name: object) -> bool:
        return name in self._lengths

    def fetch(self, name: str, start: int = 0, end: int | None = None) -> str:
        """Upper-case bases `[start, end)`, plus strand, clipped to the sequence; U reads as T.

        Raises:
            KeyError: no sequence of that name.
        """
        return str(self._fetched(name, start, end), "ascii")

    def _fetched(self, name: str, start: int, end: int | None) -> bytes:
        length = self._lengths[name]
        start, end = max(start, 0), length if end is None else min(end, length)
        if end <= start:
            return b""
        offset = self._offsets[name] + start
        if self._memory is not None:
            return self._memory[offset : offset + end - start]
        assert self._file is not None
        data = os.pread(self._file, end - start, offset)
        while len(data) < end - start:
            data += os.pread(self._file, end - start - len(data), offset + len(data))
        return data

    def padded(self, name: str, start: int, end: int) -> str:
        """Like `fetch`, with N where the stretch leaves the sequence."""
        return str(self.padded_bytes(name, start, end), "ascii")

    def window(self, window: Window) -> str:
        """The window 5' to 3' on its strand, N outside the sequence."""
        plus = self.padded(window.seqid, window.start, window.end)
        return plus if window.strand == "+" else reverse_complement(plus)

    def padded_bytes(self, name: str, start: int, end: int) -> bytes:
        """As `padded`, not decoded."""
        length = self._lengths[name]
        bases = self._fetched(name, start, end)
        if start >= 0 and end <= length:
            return bases
        left, right = max(0, min(end, 0) - start), max(0, end - max(start, length))
        return b"".join((b"N" * left, bases, b"N" * right))

    def close(self) -> None:
        """Frees the staged copy."""
        if self._file is not None:
            os.close(self._file)
            self._file = None
        if self._memory is not None:
            self._memory.close()
            self._memory = None

    def __enter__(self) -> Fasta:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # -- staging ---------------------------------------------------------------------------------------------------

    def _append(self, bases: bytes | memoryview) -> None:
        if self._memory is not None and self._size + len(bases) > len(self._memory):
            descriptor, name = tempfile.mkstemp(prefix=".genome.", dir=self._stage_dir)
            os.unlink(name)
            self._file = descriptor
            with memoryview(self._memory) as whole, whole[: self._size] as staged:
                _write_all(descriptor, staged)
            self._memory.close()
            self._memory = None
        if self._memory is not None:
            self._memory[self._size : self._size + len(bases)] = bases
        else:
            assert self._file is not None
            _write_all(self._file, bases)
        self._size += len(bases)

    def _stage(self) -> None:
        name: str | None = None
        for header, chunk in _records(self.path):
            if header is not None:
                self._end(name)
                name = self._begin(header)
            if chunk:
                if name is None:
                    first = chunk.split(b"\n", 1)[0][:40].decode("latin1")
                    raise BadInputError(
                        f"this is not FASTA: it begins with {first!r}, not with '>'",
                        path=self.path,
                        line=1,
                        hint="give a genome in FASTA, plain or gzip",
                    )
                bases = _usual(chunk)
                self._append(self._unusual(name, chunk) if bases is None else bases)
        self._end(name)
        if not self._lengths:
            raise BadInputError("the file holds no sequence", path=self.path, hint="give a genome in FASTA")

    def _unusual(self, name: str, chunk: bytes) -> bytes:
        """Bases of a chunk with blanks, carriage returns, or letters other than A, C, G, T and N."""
        bases = chunk.translate(_CAPITALS, _LINE_ENDS)
        if not bases.translate(None, _LETTERS):
            return bases.replace(b"U", b"T")
        letter = chr(chunk.translate(None, _LINE_ENDS + _LETTERS + _LETTERS.lower())[0])
        raise BadInputError(
            f"the letter {letter!r} is not a base (IUPAC nucleotide letters only)",
            path=self.path,
            line=_line_of_letter(self.path, name, letter),
            feature=name,
            hint="give the genome's DNA, not proteins or an alignment",
        )

    def _begin(self, header: bytes) -> str:
        words = header[1:].decode("utf-8", "replace").split()
        if not words:
            raise BadInputError("a sequence without a name", path=self.path, hint="write a name after '>'")
        if len(words[0]) > limits().name:
            raise BadInputError(
                f"a sequence name of more than {limits().name:,} letters, {words[0][:40]!r} and so on",
                path=self.path,
                hint=f"check that line ends follow the names, {how_to_raise('name')}",
            )
        if words[0] in self._lengths:
            raise BadInputError(
                f"two sequences have the name {words[0]!r}", path=self.path, hint="give each sequence its own name"
            )
        self._offsets[words[0]] = self._size
        self._lengths[words[0]] = 0
        return words[0]

    def _end(self, name: str | None) -> None:
        if name is not None:
            self._lengths[name] = self._size - self._offsets[name]


def _reserved(size: int) -> mmap.mmap:
    """Memory that is taken page by page when it is first written to, in large pages where the system has them."""
    memory = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    if hasattr(mmap, "MADV_HUGEPAGE"):
        with suppress(OSError):
            memory.madvise(mmap.MADV_HUGEPAGE)
    return memory


def _usual(chunk: bytes) -> memoryview | None:
    """Bases of a chunk of A, C, G, T and N, small or capital, in lines of one length; None for any other."""
    width = chunk.find(b"\n")
    if width < 1:
        return None
    lines = len(chunk) // (width + 1)
    last = chunk[lines * (width + 1) :].removesuffix(b"\n")
    text = np.frombuffer(chunk, np.uint8, lines * (width + 1)).reshape(lines, width + 1)
    if not (text[:, width] == ord("\n")).all():
        return None
    bases = np.empty(lines * width + len(last), np.uint8)
    np.bitwise_and(text[:, :width], _CAPITAL, out=bases[: lines * width].reshape(lines, width))
    np.bitwise_and(np.frombuffer(last, np.uint8), _CAPITAL, out=bases[lines * width :])
    known = bases == ord("A")
    same = np.empty_like(known)
    for code in b"TCGN":
        np.equal(bases, code, out=same)
        np.logical_or(known, same, out=known)
    return bases.data if known.all() else None


def _write_all(descriptor: int, data: bytes | memoryview) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def _records(path: Path) -> Iterator[tuple[bytes | None, bytes]]:
    """(header or None, text up to the next header or block end), in file order.

    A sequence line that is longer than a block is passed on in pieces, so that a sequence on one line costs no more
    than one on many.
    """
    ends = LineEnds()
    with open_text(path) as handle:
        rest, within_line = b"", False
        while data := handle.read(_BLOCK):
            block = rest + ends.plain(data)
            rest = b""
            if within_line:
                line_end = block.find(b"\n") + 1
                yield None, block[: line_end or None]
                within_line, block = not line_end, block[line_end or len(block) :]
            cut = block.rfind(b"\n") + 1
            if cut or block.startswith(b">"):
                block, rest = block[:cut], block[cut:]
                if rest.startswith(b">") and len(rest) > limits().line:
                    refuse_long_line(path, None)
            else:
                within_line = within_line or bool(block)
            yield from _split(block)
        yield from _split(rest)


def _next_record(block: bytes, position: int) -> int:
    """The line end before the next header; a block without `>`, nearly each of a genome, is passed over at once."""
    return block.find(b"\n>", position) if block.find(b">", position) >= 0 else -1


def _split(block: bytes) -> Iterator[tuple[bytes | None, bytes]]:
    position = 0
    if not block.startswith(b">"):
        stop = _next_record(block, 0)
        stop = len(block) if stop < 0 else stop + 1
        if block[:stop].strip():
            yield None, block[:stop]
        position = stop
    while position < len(block):
        line_end = block.find(b"\n", position)
        line_end = len(block) if line_end < 0 else line_end
        stop = _next_record(block, line_end)
        stop = len(block) if stop < 0 else stop + 1
        yield block[position:line_end], block[line_end:stop]
        position = stop


def _line_of_letter(path: Path, name: str, letter: str) -> int | None:
    """Line of the first `letter` inside sequence `name`; a second reading for the error message, so not of a pipe."""
    if is_pipe(path):
        return None
    ends, inside, begins, number = LineEnds(), False, True, 1
    wanted = letter.encode("latin1")
    with open_text(path) as handle:
        while data := handle.read(_BLOCK):
            for i, piece in enumerate(ends.plain(data).split(b"\n")):
                number, begins = number + bool(i), begins or bool(i)
                if begins and piece.startswith(b">"):
                    inside = piece[1:].split()[:1] == [name.encode()]
                elif inside and wanted in piece:
                    return number
                begins = False if piece else begins
    return None
