"""Text of GFF3 or GTF into columns: the lines that carry structure, in one pass.

In: a file, plain, gzip or bgzip. Out: `Lines`: part lines (exon, CDS, UTR, stop codon) as arrays with the key of
their transcript, and node lines (gene, transcript, anything that may be a parent) with column 9.
A surprise: there are two ways through a block. Plain GFF3 goes through `grid`, in a few array operations; a block with
anything out of the ordinary, and GTF, go through `careful` and `pyarrow.csv`, with reasons. Both give the same.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, NamedTuple
from urllib.parse import unquote

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from transgenic_tools.errors import BadInputError
from transgenic_tools.genome.checks import Finding
from transgenic_tools.genome.interval import Interval
from transgenic_tools.io.files import LineEnds, open_text, refuse_long_line
from transgenic_tools.io.gff3.attributes import gff3_id, gff3_parents, gtf_first, gtf_value, parse_gtf
from transgenic_tools.io.gff3.careful import Lost, Named, named_in, utf8, well_formed
from transgenic_tools.io.gff3.grid import (
    MARGIN,
    MOST_PLACES,
    Block,
    Grid,
    TypeTable,
    ids_and_parents,
    parents,
    read_grid,
    stretches,
)
from transgenic_tools.io.gff3.nodes import Nodes, is_gene_type
from transgenic_tools.io.limits import how_to_raise, limits

Dialect = Literal["gff3", "gtf"]

EXON, CDS, UTR, STOP = 0, 1, 2, 3
NODE, PROTEIN, IGNORED = -1, -2, -3

PART_TYPES = {
    "exon": EXON,
    "pseudogenic_exon": EXON,
    "noncoding_exon": EXON,
    "coding_exon": EXON,
    "cds": CDS,
    "five_prime_utr": UTR,
    "three_prime_utr": UTR,
    "utr": UTR,
    "5utr": UTR,
    "3utr": UTR,
    "5'-utr": UTR,
    "3'-utr": UTR,
    "stop_codon": STOP,
}
_PROTEIN_TYPES = {"protein", "polypeptide"}
_IGNORED_TYPES = {
    "intron", "start_codon", "region", "chromosome", "contig", "scaffold", "supercontig", "biological_region", "tss",
    "tts", "transcription_start_site", "transcription_end_site", "codon", "sequence_feature", "cdna_match", "match",
    "match_part", "expressed_sequence_match", "protein_match", "nucleotide_to_protein_match", "similarity",
    "repeat_region", "dispersed_repeat", "gap", "assembly_gap", "centromere", "telomere", "polya_site",
    "polya_signal_sequence", "selenocysteine", "initial", "internal", "terminal", "single",
}  # fmt: skip
_COLUMNS = ["seqid", "source", "type", "start", "end", "score", "strand", "phase", "attributes"]
_FEW_VALUES = ("seqid", "source", "type", "strand", "phase")
_STRANDS = {"+": 1, "-": -1}
#: Strands as some write them who count.
_STRAND_NUMBERS = {"1": "+", "+1": "+", "-1": "-"}
_BLOCK = 1 << 22
_LINE_END = 10
_NUMBER = re.compile(r"[0-9]+(?:\.[0-9]*)?(?:[eE][-+]?[0-9]+)?")
_REGION = re.compile(r"##sequence-region\s+(\S+)\s+(\d+)\s+(\d+)")
_GFF3_PARENT = r"(?:^|;)\s*Parent\s*=\s*(?P<key>[^;]*)"
#: As nearly all files have it; anything else is left to `parse_gtf`.
_GTF_TRANSCRIPT = r'(?:^|;)\s*transcript_id\s+(?:"(?P<key>[^"\\]*)"|(?P<bare>[^";\s\\]+))\s*(?:;|$)'
_GFF3_LINE = re.compile(r"(?:^|;)\s*[A-Za-z_][\w.:-]*=")
_GTF_LINE = re.compile(r'(?:^|;)\s*(?:(?:gene_id|transcript_id)\s+"?|[A-Za-z_]\w*\s+")')


class LoosePart(NamedTuple):
    """A part line that names no transcript.

    Attributes:
        seqid: Its number in `Lines.seqids`.
        start, end: 0-based half-open. `strand`, `phase`: as in `Grid`.
    """

    line: int
    seqid: int
    type: str
    kind: int
    start: int
    end: int
    strand: int
    phase: int
    score: float
    text: str


@dataclass
class Lines:
    """Columns of all lines that carry structure; part arrays have one entry a (line, parent) pair.

    Attributes:
        seqids: In the order of appearance; `part_seqid` indexes it.
        keys: Transcript keys of parts, percent-encoded as in the file; `part_key` holds their numbers.
        part_text: Column 9 of the few parts that need more than the key, by their place in `part_key`: those that
            name a gene (GFF3), those without a transcript line before them (GTF).
        part_line: Numbers of part lines in the file; those of one line with several parents are the same.
        several: Whether a part line names several parents.
        loose: Part lines without a transcript, in the order of the file.
        lost: Lines that could not be read.
    """

    dialect: Dialect = "gff3"
    seqids: dict[str, int] = field(default_factory=dict)
    nodes: Nodes = field(default_factory=Nodes)
    protein_ids: set[tuple[str, str]] = field(default_factory=set)
    part_kind: list[npt.NDArray[np.int8]] = field(default_factory=list)
    part_seqid: list[npt.NDArray[np.int32]] = field(default_factory=list)
    part_start: list[npt.NDArray[np.int64]] = field(default_factory=list)
    part_end: list[npt.NDArray[np.int64]] = field(default_factory=list)
    part_strand: list[npt.NDArray[np.int8]] = field(default_factory=list)
    part_phase: list[npt.NDArray[np.int8]] = field(default_factory=list)
    part_score: list[npt.NDArray[np.float32]] = field(default_factory=list)
    part_key: list[npt.NDArray[np.int64]] = field(default_factory=list)
    part_line: list[npt.NDArray[np.int64]] = field(default_factory=list)
    several: bool = False
    loose: list[LoosePart] = field(default_factory=list)
    lost: list[Lost] = field(default_factory=list)
    keys: dict[str, int] = field(default_factory=dict)
    n_parts: int = 0
    part_text: dict[int, str] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    regions: dict[str, Interval] = field(default_factory=dict)
    n_lines: int = 0
    n_features: int = 0
    n_stop_codons: int = 0

    def merge(self) -> None:
        """Make one array of each column of parts."""
        for name in _PART_COLUMNS:
            column = getattr(self, name)
            if len(column) > 1:
                setattr(self, name, [np.concatenate(column)])

    def keep_parts(self, good: npt.NDArray[np.bool_]) -> None:
        """Drop the other parts; after `merge`."""
        for name in _PART_COLUMNS:
            setattr(self, name, [getattr(self, name)[0][good]])
        place = np.cumsum(good) - 1
        self.part_text = {int(place[row]): text for row, text in self.part_text.items() if good[row]}
        self.n_parts = int(good.sum())

    def append_parts(self, keys: Sequence[int], parts: Sequence[LoosePart]) -> None:
        """Add parts under the numbers of their keys."""
        columns = zip(
            *((p.kind, p.seqid, p.start, p.end, p.strand, p.phase, p.score, p.line) for p in parts), strict=True
        )
        types = (np.int8, np.int32, np.int64, np.int64, np.int8, np.int8, np.float32, np.int64)
        for name, dtype, values in zip(_PART_COLUMNS[1:], types, columns, strict=True):
            getattr(self, name).append(np.array(values, dtype))
        self.part_key.append(np.array(keys, np.int64))
        self.n_parts += len(parts)
        self.n_stop_codons += sum(part.kind == STOP for part in parts)


_PART_COLUMNS = (
    "part_key", "part_kind", "part_seqid", "part_start", "part_end", "part_strand", "part_phase", "part_score",
    "part_line",
)  # fmt: skip


def _blocks(path: Path, lines: Lines) -> Iterator[Block]:
    """Whole lines in blocks of about 4 MB; the buffer of a block is used again for the next.

    Args:
        lines: Counts the lines of all blocks before.
    """
    ends = LineEnds()
    with open_text(path) as handle:
        buffer, filled = bytearray(_BLOCK + (1 << 20) + 2 * MARGIN), MARGIN
        while True:
            if filled + _BLOCK + MARGIN > len(buffer):
                buffer = buffer + bytes(len(buffer))
            count = handle.readinto(memoryview(buffer)[filled : filled + _BLOCK])  # type: ignore[attr-defined]
            if ends.within(buffer, filled, filled + count):
                text = ends.plain(bytes(memoryview(buffer)[filled : filled + count]))
                buffer[filled : filled + len(text)] = text
                new = filled + len(text)
            else:
                new = filled + count
            if not count and new > MARGIN and buffer[new - 1] != _LINE_END:
                buffer[new] = _LINE_END
                new += 1
            cut = buffer.rfind(b"\n", filled if count else MARGIN, new) + 1
            filled = new
            if cut:
                yield Block(buffer, MARGIN, cut)
                buffer[MARGIN : MARGIN + filled - cut] = buffer[cut:filled]
                filled = MARGIN + filled - cut
            if filled - MARGIN > limits().line:
                refuse_long_line(path, lines.n_lines + 1)
            if not count:
                return


@lru_cache(maxsize=1024)
def _class_of(feature_type: str) -> int:
    lowered = feature_type.lower()
    if lowered in PART_TYPES:
        return PART_TYPES[lowered]
    if lowered in _PROTEIN_TYPES:
        return PROTEIN
    return IGNORED if lowered in _IGNORED_TYPES else NODE


def _numbers(column: pa.Array) -> npt.NDArray[np.int64]:
    """Whole numbers; -1 where the text is none."""
    if pa.types.is_integer(column.type):
        return column.to_numpy(zero_copy_only=False)
    else:
        import pyarrow.compute as pc

        good = pc.match_substring_regex(column, r"^[0-9]{1,15}$")
        return pc.if_else(good, column, "-1").cast(pa.int64()).to_numpy(zero_copy_only=False)


def _scores(column: pa.ChunkedArray) -> npt.NDArray[np.float32]:
    """Column 6 as numbers; NaN where there is none."""
    encoded = column.combine_chunks().dictionary_encode()
    values = np.array([_score(text) for text in encoded.dictionary.to_pylist()], np.float32)
    return values[encoded.indices.to_numpy()]


def _score(text: str) -> float:
    return float(text) if _NUMBER.fullmatch(text) else np.nan


class _BlockReader:
    """Turns blocks of text into `Lines`; holds what must be known across blocks."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.lines = Lines()
        self.dialect_known = False
        self.gene_ids: set[str] = set()
        self.transcript_ids: set[str] = set()
        self.types = TypeTable()
        self.last: str = ""
        self.waiting: list[tuple[int, str, Named | None]] = []

    def feed(self, block: Block) -> bool:
        """Read one block; False where an embedded FASTA section has begun and the rest is no annotation."""
        grid = read_grid(block, self.types) if self.lines.dialect == "gff3" else None
        if grid is not None and self._plain(grid):
            return True
        return self._line_by_line(block.text())

    def end(self) -> None:
        """All blocks were read."""
        self._settle(None)

    def _settle(self, after: str | None) -> None:
        """Lost lines become known with the line after them."""
        if self.waiting:
            follower = None if after is None else named_in(after)
            self.lines.lost += [Lost(n, named_in(text), before, follower) for n, text, before in self.waiting]
            self.waiting = []

    # -- plain blocks ------------------------------------------------------------------------------------------------

    def _plain(self, grid: Grid) -> bool:
        """Take a plain block; False, and nothing taken, where it is not plain after all."""
        if not self.dialect_known and len(grid.type):
            self._learn_dialect(grid.texts(grid.text_at, np.arange(min(len(grid.type), 200))))
            if self.lines.dialect == "gtf":
                return False
        kind = np.array([_class_of(name) for name in grid.types] or [NODE], np.int8)[grid.type]
        rows = np.flatnonzero(kind >= 0)
        found = parents(grid, rows)
        if found is None or any("," in value and not value.strip(", ") for value in found[0]):
            return False
        lines = self.lines
        for text in grid.comments:
            self._region(text)
        if len(kind):
            if self.waiting:
                self._settle(grid.whole(0))
            self.last = grid.whole(len(kind) - 1)
        lines.n_features += len(kind)
        first_line = lines.n_lines + 1
        lines.n_lines += grid.n_lines
        seqids, lengths = [], []
        for name, length in grid.seqids:
            seqids.append(lines.seqids.setdefault(unquote(name) if "%" in name else name, len(lines.seqids)))
            lengths.append(length)
        names = list(lines.seqids)
        seqid = np.repeat(np.array(seqids, np.int32), lengths)
        proteins = np.flatnonzero(kind == PROTEIN)
        homes = [names[code] for code in seqid[proteins].tolist()]
        lines.protein_ids.update(zip(homes, map(gff3_id, grid.texts(grid.text_at, proteins)), strict=True))
        self._plain_nodes(grid, np.flatnonzero(kind == NODE), seqid, names, first_line)
        if len(rows):
            self._plain_parts(grid, rows, kind, seqid, *found, first_line)
        return True

    def _plain_nodes(
        self,
        grid: Grid,
        rows: npt.NDArray[np.intp],
        seqid: npt.NDArray[np.int32],
        seqids: list[str],
        first_line: int,
    ) -> None:
        texts = grid.texts(grid.text_at, rows)
        codes = grid.type[rows]
        gene = np.array([is_gene_type(name) for name in grid.types], bool)[codes]
        self.lines.nodes.add(
            (
                [seqids[code] for code in seqid[rows].tolist()], [grid.types[code] for code in codes.tolist()],
                grid.start[rows].tolist(), grid.end[rows].tolist(), grid.scores(rows), grid.strands(rows), texts,
                (grid.line[rows] + first_line).tolist(),
            ),
            gene.tolist(),
        )  # fmt: skip
        ids, above, odd = ids_and_parents(grid, rows, gene)
        several = []
        for i in odd.tolist():
            ids[i] = ids[i] or gff3_id(texts[i])
            if not above[i] and not gene[i]:
                found = gff3_parents(texts[i])
                above[i] = found[0] if len(found) == 1 else ""
                several += [(i, found)] if len(found) > 1 else []
        self.lines.nodes.tie(ids, above, several)
        self.gene_ids.update(itertools.compress(ids, gene.tolist()))

    def _plain_parts(
        self,
        grid: Grid,
        rows: npt.NDArray[np.intp],
        kind: npt.NDArray[np.int8],
        seqid: npt.NDArray[np.int32],
        values: list[str],
        runs: npt.NDArray[np.int64],
        first_line: int,
    ) -> None:
        lines = self.lines
        score = np.full(len(rows), np.nan, np.float32)
        scored = grid.scored(rows)
        score[scored] = [_score(text) for text in grid.texts(grid.score_at, rows[scored])]
        lengths = np.diff(np.r_[runs, len(rows)])
        if any("," in value for value in values):
            lines.several = True
            split = [[key for key in value.split(",") if key.strip()] for value in values]
            counts = np.repeat([len(some) for some in split], lengths)
            rows, score = np.repeat(rows, counts), np.repeat(score, counts)
            each = [some for some, n in zip(split, lengths.tolist(), strict=True) for _ in range(n)]
            values, lengths = [key for some in each for key in some], np.ones(len(rows), np.int64)
            runs = np.arange(len(rows))
        keys = lines.keys
        codes = [keys.setdefault(value, len(keys)) for value in values]
        if not self.gene_ids.isdisjoint(values):
            for value, (low, high) in zip(values, stretches(runs, len(rows)), strict=True):
                if value in self.gene_ids:
                    texts = grid.texts(grid.text_at, rows[low:high])
                    lines.part_text.update(zip(range(lines.n_parts + low, lines.n_parts + high), texts, strict=True))
        self._append(
            np.repeat(np.array(codes, np.int64), lengths), kind[rows], seqid[rows], grid.start[rows], grid.end[rows],
            grid.strand[rows], grid.phase[rows], score, grid.line[rows] + first_line,
        )  # fmt: skip

    def _append(
        self,
        key: npt.NDArray[np.int64],
        kind: npt.NDArray[np.signedinteger],
        seqid: npt.NDArray[np.signedinteger],
        start: npt.NDArray[np.signedinteger],
        end: npt.NDArray[np.signedinteger],
        strand: npt.NDArray[np.signedinteger],
        phase: npt.NDArray[np.signedinteger],
        score: npt.NDArray[np.float32],
        line: npt.NDArray[np.signedinteger],
    ) -> None:
        lines = self.lines
        lines.n_parts += len(key)
        lines.n_stop_codons += int((kind == STOP).sum())
        lines.part_key.append(key)
        lines.part_kind.append(kind)
        lines.part_seqid.append(seqid)
        lines.part_start.append(start)
        lines.part_end.append(end)
        lines.part_strand.append(strand)
        lines.part_phase.append(phase)
        lines.part_score.append(score)
        lines.part_line.append(line)

    # -- all others --------------------------------------------------------------------------------------------------

    def _line_by_line(self, text: bytes) -> bool:
        found = well_formed(text, self.lines.n_lines + 1)
        lines = self.lines
        for comment in found.comments:
            self._region(comment)
        lines.findings += [Finding(bad.code, "", bad.detail, bad.line) for bad in found.bad]
        lines.findings += [Finding("quotes_removed", "", "a spreadsheet's quotes", n) for n in found.quoted]
        rows = utf8(found.rows)
        lost = dict(found.lost)
        if found.rows:
            table = self._parse(rows)
            lost |= self._rows(table, np.array(found.numbers, np.int64))
        if lost or self.waiting:
            self._note_lost(lost, dict(zip(found.numbers, rows.decode().split("\n"), strict=False)))
        if found.rows and found.numbers[-1] not in lost:
            self.last = rows[rows.rfind(b"\n", 0, -1) + 1 : -1].decode()
        lines.n_lines += found.n_lines
        return not found.ended

    def _note_lost(self, lost: dict[int, str], rows: dict[int, str]) -> None:
        for number in sorted({*lost, *rows}):
            if number in lost:
                if _class_of(named_in(lost[number]).type) in (IGNORED, PROTEIN):
                    continue
                self.waiting.append((number, lost[number], named_in(self.last) if self.last else None))
            else:
                self._settle(rows[number])
                self.last = rows[number]

    @staticmethod
    def _parse(text: bytes) -> pa.Table:
        """Columns of lines that have nine. Coordinates are text where one of them is no number."""
        import pyarrow.csv as pacsv

        types = dict.fromkeys(_COLUMNS, pa.string()) | dict.fromkeys(
            _FEW_VALUES, pa.dictionary(pa.int32(), pa.string())
        )

        def parsed(number: pa.DataType) -> pa.Table:
            return pacsv.read_csv(
                pa.BufferReader(text),
                read_options=pacsv.ReadOptions(column_names=_COLUMNS, use_threads=False, block_size=max(len(text), 1)),
                parse_options=pacsv.ParseOptions(delimiter="\t", quote_char=False, double_quote=False),
                convert_options=pacsv.ConvertOptions(
                    column_types=types | {"start": number, "end": number}, strings_can_be_null=False, null_values=[]
                ),
            )

        try:
            return parsed(pa.int64())
        except pa.ArrowInvalid:
            return parsed(pa.string())

    def _region(self, text: str) -> None:
        match = _REGION.match(text)
        if match and int(match[3]) > 0:
            self.lines.regions[unquote(match[1])] = Interval(max(int(match[2]) - 1, 0), int(match[3]))

    def _rows(self, table: pa.Table, numbers: npt.NDArray[np.int64]) -> dict[int, str]:
        """Take well-formed lines; returns those that cannot be read after all, by their numbers."""
        columns = {name: table[name].combine_chunks() for name in _COLUMNS}
        start, end = _numbers(columns["start"]) - 1, _numbers(columns["end"])
        seqid, types, strand, phase = (columns[name] for name in ("seqid", "type", "strand", "phase"))
        kind = np.array([_class_of(t) for t in types.dictionary.to_pylist()], np.int8)[types.indices.to_numpy()]
        names = [unquote(name) if "%" in name else name for name in seqid.dictionary.to_pylist()]
        self._check_limits(columns["attributes"], names, numbers)
        wrong = (start < 0) | (end <= start) | (end > MOST_PLACES)
        self.lines.n_features += len(wrong)
        lost: dict[int, str] = {}
        for row in np.flatnonzero(wrong).tolist():
            line = int(numbers[row])
            spans = f"{columns['start'][row].as_py()}-{columns['end'][row].as_py()}"
            self.lines.findings.append(Finding("bad_coordinates", "", f"{types[row].as_py()} at {spans}", line))
            lost[line] = "\t".join(str(columns[name][row].as_py()) for name in _COLUMNS)
        usable = ~wrong
        if not self.dialect_known and usable.any():
            self._learn_dialect(columns["attributes"].take(pa.array(np.flatnonzero(usable)[:200])).to_pylist())
        used = np.unique(seqid.indices.to_numpy()[usable])
        for code in used.tolist():
            self.lines.seqids.setdefault(names[code], len(self.lines.seqids))
        seqid_of = np.array([self.lines.seqids.get(name, -1) for name in names], np.int32)[seqid.indices.to_numpy()]
        strand = self._strands(strand, numbers)
        strand_of = np.array([_STRANDS.get(s, 0) for s in strand.dictionary.to_pylist()], np.int8)
        phase_of = np.array([int(p) if p in ("0", "1", "2") else -1 for p in phase.dictionary.to_pylist()], np.int8)
        for wanted in (PROTEIN, NODE):
            rows = np.flatnonzero(usable & (kind == wanted))
            index = pa.array(rows)
            taken_from = (seqid, types, columns["score"], strand, columns["attributes"])
            seqids, *taken = (column.take(index).to_pylist() for column in taken_from)
            seqids = [unquote(name) if "%" in name else name for name in seqids]
            if wanted == PROTEIN:
                self.lines.protein_ids.update(zip(seqids, map(gff3_id, taken[-1]), strict=True))
            else:
                places = (start[rows].tolist(), end[rows].tolist())
                self._nodes([seqids, taken[0], *places, *taken[1:], numbers[rows].tolist()])
        rows = np.flatnonzero(usable & (kind >= 0))
        codes = (strand_of[strand.indices.to_numpy()], phase_of[phase.indices.to_numpy()])
        self._parts(rows, table, numbers, (kind, seqid_of, start, end, *codes))
        return lost

    def _strands(self, column: pa.DictionaryArray, numbers: npt.NDArray[np.int64]) -> pa.DictionaryArray:
        """Column 7 with + and - where the file has numbers."""
        names = column.dictionary.to_pylist()
        codes = [code for code, name in enumerate(names) if name in _STRAND_NUMBERS]
        if not codes:
            return column
        for row in np.flatnonzero(np.isin(column.indices.to_numpy(), codes)).tolist():
            detail = f"strand {column[row].as_py()!r}"
            self.lines.findings.append(Finding("strand_number", "", detail, int(numbers[row])))
        known = pa.array([_STRAND_NUMBERS.get(name, name) for name in names])
        return pa.DictionaryArray.from_arrays(column.indices, known)

    def _check_limits(self, attributes: pa.Array, seqids: list[str], numbers: npt.NDArray[np.int64]) -> None:
        import pyarrow.compute as pc

        most = limits()
        for row in np.flatnonzero(pc.binary_length(attributes).to_numpy() > most.attribute).tolist():
            longest = max(map(len, attributes[row].as_py().split(";")))
            if longest > most.attribute:
                raise BadInputError(
                    f"an attribute of {longest:,} letters; at most {most.attribute:,} are read", path=self.path,
                    line=int(numbers[row]), hint=f"check that this is the right file, {how_to_raise('attribute')}",
                )  # fmt: skip
        longest = max(map(len, seqids), default=0)
        if longest > most.name:
            raise BadInputError(
                f"a sequence name of {longest:,} letters; at most {most.name:,} are read", path=self.path,
                line=int(numbers[0]), hint=f"check that columns are separated by tabs, {how_to_raise('name')}",
            )  # fmt: skip

    def _learn_dialect(self, texts: list[str]) -> None:
        gtf = sum(_GTF_LINE.search(text) is not None for text in texts)
        gff3 = sum(_GFF3_LINE.search(text) is not None for text in texts)
        self.lines.dialect = "gtf" if gtf > gff3 else "gff3"
        self.dialect_known = gtf + gff3 > 0

    def _parts(
        self,
        rows: npt.NDArray[np.intp],
        table: pa.Table,
        numbers: npt.NDArray[np.int64],
        columns: tuple[npt.NDArray[np.signedinteger], ...],
    ) -> None:
        if not len(rows):
            return
        kind, seqid, start, end, strand, phase = columns
        lines = self.lines
        gff3 = lines.dialect == "gff3"
        attributes = table["attributes"].combine_chunks()
        scores = _scores(table["score"])
        keys = (_gff3_keys if gff3 else _gtf_keys)(attributes.take(pa.array(rows))).dictionary_encode()
        names = keys.dictionary.to_pylist()
        if keys.null_count or any(not name.strip() or (gff3 and "," in name) for name in names):
            listed = keys.to_pylist()
            for row in [int(rows[i]) for i, key in enumerate(listed) if not (key and key.strip())]:
                lines.loose.append(
                    LoosePart(
                        int(numbers[row]), int(seqid[row]), table["type"][row].as_py(), int(kind[row]),
                        int(start[row]), int(end[row]), int(strand[row]), int(phase[row]), float(scores[row]),
                        attributes[row].as_py(),
                    )
                )  # fmt: skip
            split = [
                (i, k) for i, key in enumerate(listed) if key for k in (key.split(",") if gff3 else [key]) if k.strip()
            ]
            lines.several = lines.several or len({i for i, _ in split}) < len(split)
            rows = rows[[i for i, _ in split]]
            keys = pa.array([k for _, k in split], pa.string()).dictionary_encode()
            names = keys.dictionary.to_pylist()
        if not self.gene_ids.isdisjoint(names) if gff3 else not self.transcript_ids.issuperset(names):
            for i, key in enumerate(keys.to_pylist()):
                if (key in self.gene_ids) if gff3 else (key not in self.transcript_ids):
                    lines.part_text[lines.n_parts + i] = attributes[int(rows[i])].as_py()
        codes = np.array([lines.keys.setdefault(name, len(lines.keys)) for name in names], np.int64)
        key = codes[keys.indices.to_numpy(zero_copy_only=False)] if len(rows) else np.zeros(0, np.int64)
        self._append(
            key, kind[rows], seqid[rows], start[rows], end[rows], strand[rows], phase[rows], scores[rows],
            numbers[rows],
        )  # fmt: skip

    def _nodes(self, columns: Sequence[list[Any]]) -> None:
        lines, types, texts = self.lines, columns[1], columns[6]
        gene = list(map(is_gene_type, types))
        lines.nodes.add(columns, gene)
        if lines.dialect == "gff3":
            ids = list(map(gff3_id, texts))
            above = [() if skip else gff3_parents(text) for skip, text in zip(gene, texts, strict=True)]
            several = [(i, found) for i, found in enumerate(above) if len(found) > 1]
            lines.nodes.tie(ids, [found[0] if len(found) == 1 else "" for found in above], several)
            self.gene_ids.update(itertools.compress(ids, gene))
            return
        genes = [gtf_first(text, "gene_id") for text in texts]
        own = [
            of if is_gene else gtf_first(text, "transcript_id")
            for of, is_gene, text in zip(genes, gene, texts, strict=True)
        ]
        ids = [name or _bare_id(text) for name, text in zip(own, texts, strict=True)]
        lines.nodes.tie(ids, ["" if is_gene else of for of, is_gene in zip(genes, gene, strict=True)], [])
        named = (name for name, of, is_gene in zip(own, genes, gene, strict=True) if of and not is_gene)
        self.transcript_ids.update(named)


def _bare_id(text: str) -> str:
    """AUGUSTUS writes nothing but the ID on gene and transcript lines."""
    return "" if parse_gtf(text) else text.strip().strip(";").strip('"')


def _gff3_keys(attributes: pa.Array) -> pa.Array:
    import pyarrow.compute as pc

    return pc.struct_field(pc.extract_regex(attributes, _GFF3_PARENT), "key")


def _gtf_keys(attributes: pa.Array) -> pa.Array:
    """The transcript_id of each line, null where it has none."""
    import pyarrow.compute as pc

    found = pc.extract_regex(attributes, _GTF_TRANSCRIPT)
    key, bare = pc.struct_field(found, "key"), pc.struct_field(found, "bare")
    keys = pc.if_else(pc.equal(key, ""), bare, key)
    odd = pc.or_(
        pc.and_(pc.is_null(keys), pc.match_substring(attributes, "transcript_id")),
        pc.greater(pc.count_substring(attributes, "transcript_id"), 1),
    )
    if pc.any(odd).as_py():
        whole = keys.to_pylist()
        for row in np.flatnonzero(odd.to_numpy(zero_copy_only=False)).tolist():
            whole[row] = parse_gtf(attributes[row].as_py()).get("transcript_id", (None,))[0]
        keys = pa.array(whole, pa.string())
    if pc.any(pc.match_substring(keys, "%")).as_py():
        keys = pa.array([key and gtf_value(key) for key in keys.to_pylist()], pa.string())
    return keys


def read_lines(path: Path) -> Lines:
    """All structural lines of one annotation.

    Raises:
        MissingInputError: no such file.
        BadInputError: damaged gzip, or not one line with nine columns in a file that is not empty.
    """
    reader = _BlockReader(path)
    for block in _blocks(path, reader.lines):
        if not reader.feed(block):
            break
    reader.end()
    lines = reader.lines
    if not lines.n_features and any(f.code == "bad_line" for f in lines.findings):
        first = next(f for f in lines.findings if f.code == "bad_line")
        raise BadInputError(
            f"this is neither GFF3 nor GTF: no line has nine tab-separated columns ({first.detail})",
            path=path,
            line=first.line,
            hint="give an annotation in GFF3 or GTF, plain or gzip",
        )
    if lines.n_features and not reader.dialect_known and not lines.n_parts and not lines.lost:
        raise BadInputError(
            'column 9 holds neither GFF3 (key=value) nor GTF (key "value") attributes',
            path=path,
            hint="give an annotation in GFF3 or GTF, plain or gzip",
        )
    return lines
