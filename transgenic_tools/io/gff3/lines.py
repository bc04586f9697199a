"""Text of GFF3 or GTF into columns: the lines that carry structure, in one pass.

In: a file, plain, gzip or bgzip. Out: `Lines`: part lines (exon, CDS, UTR, stop codon) as arrays with the key of
their transcript, and node lines (gene, transcript, anything that may be a parent) with column 9.
A surprise: there are two ways through a block. Plain GFF3 goes through `grid`, in a few array operations; a block with
anything out of the ordinary, and GTF, go through `pyarrow.csv` here, with line numbers and reasons. Both give the same.
"""

from __future__ import annotations

import gzip
import itertools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal
from urllib.parse import unquote

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from transgenic_tools.errors import BadInputError
from transgenic_tools.genome.checks import Finding
from transgenic_tools.genome.interval import Interval
from transgenic_tools.io.files import open_text
from transgenic_tools.io.gff3.attributes import gff3_id, gff3_parents
from transgenic_tools.io.gff3.grid import (
    MARGIN,
    Block,
    Grid,
    TypeTable,
    block_of,
    ids_and_parents,
    parents,
    read_grid,
    stretches,
)
from transgenic_tools.io.gff3.nodes import Nodes, is_gene_type

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
_BLOCK = 1 << 22
_LINE_END = 10
_NUMBER = re.compile(r"[0-9]+(?:\.[0-9]*)?(?:[eE][-+]?[0-9]+)?")
_REGION = re.compile(r"##sequence-region\s+(\S+)\s+(\d+)\s+(\d+)")
_GFF3_PARENT = r"(?:^|;)\s*Parent\s*=\s*(?P<key>[^;]*)"
_GTF_TRANSCRIPT = r'(?:^|;)\s*transcript_id\s+"?(?P<key>[^";]*)'
_GTF_ID = re.compile(_GTF_TRANSCRIPT)
_GFF3_LINE = re.compile(r"(?:^|;)\s*[A-Za-z_][\w.:-]*=")
_GTF_LINE = re.compile(r'(?:^|;)\s*(?:gene_id|transcript_id)\s+"?')


@dataclass
class Lines:
    """Columns of all lines that carry structure; part arrays have one entry a (line, parent) pair.

    Attributes:
        seqids: In the order of appearance; `part_seqid` indexes it.
        keys: Transcript keys of parts, percent-encoded as in the file; `part_key` holds their numbers.
        part_text: Column 9 of the few parts that need more than the key, by their place in `part_key`: those that
            name a gene (GFF3), those without a transcript line before them (GTF).
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
    keys: dict[str, int] = field(default_factory=dict)
    n_parts: int = 0
    part_text: dict[int, str] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    regions: dict[str, Interval] = field(default_factory=dict)
    n_lines: int = 0
    n_features: int = 0
    n_stop_codons: int = 0


def _blocks(path: Path) -> Iterator[Block]:
    """Whole lines in blocks of about 4 MB; the buffer of a block is used again for the next."""
    with open_text(path) as handle:
        buffer, filled = bytearray(_BLOCK + (1 << 20) + 2 * MARGIN), MARGIN
        while True:
            if filled + _BLOCK + MARGIN > len(buffer):
                buffer = buffer + bytes(filled + _BLOCK + MARGIN - len(buffer))
            try:
                count = handle.readinto(memoryview(buffer)[filled : filled + _BLOCK])  # type: ignore[attr-defined]
            except (EOFError, gzip.BadGzipFile, OSError) as error:
                raise BadInputError(
                    f"the compressed file is cut short or damaged ({error})", path=path, hint="copy it again"
                ) from error
            filled += count
            if not count and filled > MARGIN and buffer[filled - 1] != _LINE_END:
                buffer[filled] = _LINE_END
                filled += 1
            cut = buffer.rfind(b"\n", MARGIN, filled) + 1
            if cut:
                yield Block(buffer, MARGIN, cut)
                buffer[MARGIN : MARGIN + filled - cut] = buffer[cut:filled]
                filled = MARGIN + filled - cut
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


def _line_number(block: bytes, before: int, text: str) -> int:
    position = block.find(text.encode("utf-8", "surrogateescape"))
    return before + block.count(b"\n", 0, max(position, 0)) + 1


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


def _is_utf8(block: bytes) -> bool:
    if block.isascii():
        return True
    try:
        block.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


class _BlockReader:
    """Turns blocks of text into `Lines`; holds what must be known across blocks."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.lines = Lines()
        self.dialect_known = False
        self.gene_ids: set[str] = set()
        self.transcript_ids: set[str] = set()
        self.types = TypeTable()

    def feed(self, block: Block) -> bool:
        """Read one block; False where an embedded FASTA section has begun and the rest is no annotation."""
        grid = read_grid(block, self.types) if self.lines.dialect == "gff3" else None
        if grid is not None and self._plain(grid):
            return True
        text = block.text()
        if b"\r" in text:
            return self.feed(block_of(text.replace(b"\r\n", b"\n").replace(b"\r", b"\n")))
        return self._line_by_line(text)

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
        if found is None:
            return False
        lines = self.lines
        for text in grid.comments:
            self._region(text)
        lines.n_features += len(kind)
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
        self._plain_nodes(grid, np.flatnonzero(kind == NODE), seqid, names)
        if len(rows):
            self._plain_parts(grid, rows, kind, seqid, *found)
        return True

    def _plain_nodes(
        self, grid: Grid, rows: npt.NDArray[np.intp], seqid: npt.NDArray[np.int32], seqids: list[str]
    ) -> None:
        texts = grid.texts(grid.text_at, rows)
        codes = grid.type[rows]
        gene = np.array([is_gene_type(name) for name in grid.types], bool)[codes]
        self.lines.nodes.add(
            (
                [seqids[code] for code in seqid[rows].tolist()], [grid.types[code] for code in codes.tolist()],
                grid.start[rows].tolist(), grid.end[rows].tolist(), grid.scores(rows), grid.strands(rows), texts,
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
    ) -> None:
        lines = self.lines
        score = np.full(len(rows), np.nan, np.float32)
        scored = grid.scored(rows)
        score[scored] = [_score(text) for text in grid.texts(grid.score_at, rows[scored])]
        lengths = np.diff(np.r_[runs, len(rows)])
        if any("," in value for value in values):
            split = [value.split(",") for value in values]
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
            grid.strand[rows], grid.phase[rows], score,
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

    # -- all others --------------------------------------------------------------------------------------------------

    def _line_by_line(self, block: bytes) -> bool:
        before = self.lines.n_lines
        skipped: list[str] = []
        table = self._parse(block, skipped)
        ended = False
        for text in skipped:
            if text.startswith(("##FASTA", ">")):
                ended = True
                break
            self._comment_or_bad(block, before, text)
        if table.num_rows:
            self._rows(table, block, before)
        self.lines.n_lines += block.count(b"\n") + (not block.endswith(b"\n"))
        return not ended

    @staticmethod
    def _parse(block: bytes, skipped: list[str]) -> pa.Table:
        """Columns of a block; `skipped` gets the lines that have not nine of them. Odd files are read a slower way."""
        import pyarrow.csv as pacsv

        def on_invalid(row: pacsv.InvalidRow) -> str:
            skipped.append(row.text)
            return "skip"

        # Arrow prints a trace of its own where a line that it gives to `on_invalid` is no UTF-8
        attempts = (("utf8", True), ("utf8", False)) if _is_utf8(block) else ()
        for encoding, whole in (*attempts, ("latin1", False)):
            skipped.clear()
            number = pa.int64() if whole else pa.string()
            types = dict.fromkeys(_COLUMNS, pa.string()) | dict.fromkeys(
                _FEW_VALUES, pa.dictionary(pa.int32(), pa.string())
            )
            try:
                return pacsv.read_csv(
                    pa.BufferReader(block),
                    read_options=pacsv.ReadOptions(
                        column_names=_COLUMNS, use_threads=False, block_size=max(len(block), 1), encoding=encoding
                    ),
                    parse_options=pacsv.ParseOptions(
                        delimiter="\t", quote_char=False, double_quote=False, invalid_row_handler=on_invalid
                    ),
                    convert_options=pacsv.ConvertOptions(
                        column_types=types | {"start": number, "end": number}, strings_can_be_null=False, null_values=[]
                    ),
                )
            except (pa.ArrowInvalid, UnicodeDecodeError) as error:
                if "Empty CSV" in str(error):
                    break
        return pa.table({name: pa.array([], pa.string()) for name in _COLUMNS})

    def _comment_or_bad(self, block: bytes, before: int, text: str) -> None:
        if text.startswith("#"):
            self._region(text)
        elif text.strip():
            self._bad("bad_line", block, before, text, f"{text.count(chr(9)) + 1} columns: {text[:60]!r}")

    def _region(self, text: str) -> None:
        match = _REGION.match(text)
        if match and int(match[3]) > 0:
            self.lines.regions[unquote(match[1])] = Interval(max(int(match[2]) - 1, 0), int(match[3]))

    def _bad(self, code: str, block: bytes, before: int, text: str, detail: str) -> None:
        self.lines.findings.append(Finding(code, "", detail, _line_number(block, before, text)))

    def _rows(self, table: pa.Table, block: bytes, before: int) -> None:
        columns = {name: table[name].combine_chunks() for name in _COLUMNS}
        start, end = _numbers(columns["start"]) - 1, _numbers(columns["end"])
        seqid, types, strand, phase = (columns[name] for name in ("seqid", "type", "strand", "phase"))
        kind = np.array([_class_of(t) for t in types.dictionary.to_pylist()], np.int8)[types.indices.to_numpy()]
        names = seqid.dictionary.to_pylist()
        if any("%" in name for name in names):
            names = [unquote(name) for name in names]
        comment = np.array([name.startswith("#") for name in names])[seqid.indices.to_numpy()]
        wrong = ((start < 0) | (end <= start)) & ~comment
        self.lines.n_features += int((~comment).sum())
        for row in np.flatnonzero(wrong).tolist():
            text = "\t".join(str(columns[name][row].as_py()) for name in _COLUMNS)
            spans = f"{columns['start'][row].as_py()}-{columns['end'][row].as_py()}"
            self._bad("bad_coordinates", block, before, text, f"{types[row].as_py()} at {spans}")
        usable = ~wrong & ~comment
        if not self.dialect_known and usable.any():
            self._learn_dialect(columns["attributes"].take(pa.array(np.flatnonzero(usable)[:200])).to_pylist())
        used = np.unique(seqid.indices.to_numpy()[usable])
        for code in used.tolist():
            self.lines.seqids.setdefault(names[code], len(self.lines.seqids))
        seqid_of = np.array([self.lines.seqids.get(name, -1) for name in names], np.int32)[seqid.indices.to_numpy()]
        strand_of = np.array([{"+": 1, "-": -1}.get(s, 0) for s in strand.dictionary.to_pylist()], np.int8)
        phase_of = np.array([int(p) if p in ("0", "1", "2") else -1 for p in phase.dictionary.to_pylist()], np.int8)
        for wanted in (PROTEIN, NODE):
            rows = np.flatnonzero(usable & (kind == wanted))
            index = pa.array(rows)
            seqids, *taken = (
                columns[n].take(index).to_pylist() for n in ("seqid", "type", "score", "strand", "attributes")
            )
            seqids = [unquote(name) if "%" in name else name for name in seqids]
            if wanted == PROTEIN:
                self.lines.protein_ids.update(zip(seqids, map(gff3_id, taken[-1]), strict=True))
            else:
                self._nodes([seqids, taken[0], start[rows].tolist(), end[rows].tolist(), *taken[1:]])
        rows = np.flatnonzero(usable & (kind >= 0))
        codes = (strand_of[strand.indices.to_numpy()], phase_of[phase.indices.to_numpy()])
        self._parts(rows, table, block, before, (kind, seqid_of, start, end, *codes))

    def _learn_dialect(self, texts: list[str]) -> None:
        gtf = sum(_GTF_LINE.search(text) is not None for text in texts)
        gff3 = sum(_GFF3_LINE.search(text) is not None for text in texts)
        self.lines.dialect = "gtf" if gtf > gff3 else "gff3"
        self.dialect_known = gtf + gff3 > 0

    def _parts(
        self,
        rows: npt.NDArray[np.intp],
        table: pa.Table,
        block: bytes,
        before: int,
        columns: tuple[npt.NDArray[np.signedinteger], ...],
    ) -> None:
        if not len(rows):
            return
        import pyarrow.compute as pc

        kind, seqid, start, end, strand, phase = columns
        lines = self.lines
        gff3 = lines.dialect == "gff3"
        attributes = table["attributes"].combine_chunks()
        found = pc.struct_field(pc.extract_regex(attributes, _GFF3_PARENT if gff3 else _GTF_TRANSCRIPT), "key")
        keys = found.take(pa.array(rows)).dictionary_encode()
        names = keys.dictionary.to_pylist()
        if keys.null_count or any(not name or (gff3 and "," in name) for name in names):
            listed = keys.to_pylist()
            for i in [i for i, key in enumerate(listed) if not key]:
                row = int(rows[i])
                text = "\t".join(str(table[name][row].as_py()) for name in _COLUMNS)
                where = f"at {int(start[row]) + 1}-{int(end[row])} without {'Parent' if gff3 else 'transcript_id'}"
                self._bad("orphan_part", block, before, text, where)
            split = [(i, k) for i, key in enumerate(listed) if key for k in (key.split(",") if gff3 else [key])]
            rows = rows[[i for i, _ in split]]
            keys = pa.array([k for _, k in split], pa.string()).dictionary_encode()
            names = keys.dictionary.to_pylist()
        if not self.gene_ids.isdisjoint(names) if gff3 else not self.transcript_ids.issuperset(names):
            for i, key in enumerate(keys.to_pylist()):
                if (key in self.gene_ids) if gff3 else (key not in self.transcript_ids):
                    lines.part_text[lines.n_parts + i] = attributes[int(rows[i])].as_py()
        numbers = np.array([lines.keys.setdefault(name, len(lines.keys)) for name in names], np.int64)
        key = numbers[keys.indices.to_numpy(zero_copy_only=False)]
        self._append(
            key, kind[rows], seqid[rows], start[rows], end[rows], strand[rows], phase[rows],
            _scores(table["score"])[rows],
        )  # fmt: skip

    def _nodes(self, columns: Sequence[list[Any]]) -> None:
        lines, types, texts = self.lines, columns[1], columns[-1]
        gene = list(map(is_gene_type, types))
        lines.nodes.add(columns, gene)
        if lines.dialect == "gff3":
            ids = list(map(gff3_id, texts))
            above = [() if skip else gff3_parents(text) for skip, text in zip(gene, texts, strict=True)]
            several = [(i, found) for i, found in enumerate(above) if len(found) > 1]
            lines.nodes.tie(ids, [found[0] if len(found) == 1 else "" for found in above], several)
            self.gene_ids.update(itertools.compress(ids, gene))
            return
        for kind, text in zip(types, texts, strict=True):
            match = None if is_gene_type(kind) or "gene_id" not in text else _GTF_ID.search(text)
            if match:
                self.transcript_ids.add(match[1])


def read_lines(path: Path) -> Lines:
    """All structural lines of one annotation.

    Raises:
        MissingInputError: no such file.
        BadInputError: damaged gzip, or not one line with nine columns in a file that is not empty.
    """
    reader = _BlockReader(path)
    for block in _blocks(path):
        if not reader.feed(block):
            break
    lines = reader.lines
    if not lines.n_features and any(f.code == "bad_line" for f in lines.findings):
        first = next(f for f in lines.findings if f.code == "bad_line")
        raise BadInputError(
            f"this is neither GFF3 nor GTF: no line has nine tab-separated columns ({first.detail})",
            path=path,
            line=first.line,
            hint="give an annotation in GFF3 or GTF, plain or gzip",
        )
    if lines.n_features and not reader.dialect_known and not lines.n_parts:
        raise BadInputError(
            'column 9 holds neither GFF3 (key=value) nor GTF (key "value") attributes',
            path=path,
            hint="give an annotation in GFF3 or GTF, plain or gzip",
        )
    return lines
