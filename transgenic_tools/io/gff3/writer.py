"""Write genes as GFF3 or GTF: the only writer, and with the reader the only place where coordinates are 1-based.

In: `Gene` records sorted by `sort_key`, one at a time, so memory does not grow with the genome. Out: a file that
`gt gff3validator`, `gffread`, `tabix` and genome browsers accept: lines sorted by start, parents before their parts;
provenance stands in the header, scores in column 6.
A surprise: GFF3's CDS includes the stop codon and GTF's does not; a stop codon that an intron splits is two lines.
"""

from __future__ import annotations

import errno
import heapq
import io
import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, Literal, NamedTuple, cast

from transgenic_tools.genome.gene import Gene, Transcript, in_transcription_order
from transgenic_tools.genome.interval import Interval, Intervals, Strand, subtract, total_length
from transgenic_tools.genome.phase import segment_phases
from transgenic_tools.provenance import Provenance, write_aside

DEFAULT_SOURCE = "transgenic_tools"
#: Of lines that are partly the user's, in formats that no longer say whose they are.
NO_SOURCE = "."
SCORE_DECIMALS = 4

#: GFF3 1.26: column 1 keeps these, all else is %-escaped.
_SEQID_ESCAPED = re.compile(r"[^a-zA-Z0-9.:^*$@!+_?|-]")
#: GFF3 1.26: tab, line ends, control characters, `%` everywhere; `;`, `=`, `&`, `,` in column 9.
_COLUMN_ESCAPED = re.compile(r"[\x00-\x1f\x7f%]")
_ATTRIBUTE_ESCAPED = re.compile(r"[\x00-\x1f\x7f%;=&,]")
#: What would end a value of GTF early, for us or for gffread.
_GTF_ESCAPED = re.compile(r'[\x00-\x1f\x7f%";,=&\\]')
_WRITTEN_HERE = frozenset({"ID", "Parent"})

GeneLines = Callable[[Gene, str], list[str]]


def _percent(match: re.Match[str]) -> str:
    return "".join(f"%{byte:02X}" for byte in match.group().encode())


def escape_seqid(text: str) -> str:
    """Column 1 of GFF3."""
    escaped = _SEQID_ESCAPED.sub(_percent, text)
    return escaped.replace(">", "%3E", 1) if escaped.startswith(">") else escaped


def escape_column(text: str) -> str:
    """Columns 2 and 3 of GFF3."""
    return _COLUMN_ESCAPED.sub(_percent, text)


def escape_attribute(text: str) -> str:
    """A key or one value of GFF3's column 9."""
    return _ATTRIBUTE_ESCAPED.sub(_percent, text)


def format_score(score: float | None) -> str:
    """Column 6: fixed decimals, `.` where unknown or no number."""
    return "." if score is None or not math.isfinite(score) else f"{score:.{SCORE_DECIMALS}f}"


def place_text(interval: Interval) -> str:
    """`start-end` as GFF3 counts, for values of attributes."""
    return f"{interval.start + 1}-{interval.end}"


def range_attributes(interval: Interval, *, left: bool, right: bool) -> dict[str, tuple[str, ...]]:
    """How NCBI's GFF3 says that a feature goes on beyond an end; empty where both ends are known."""
    values = {
        "partial": ("true",) if left or right else (),
        "start_range": (".", str(interval.start + 1)) if left else (),
        "end_range": (str(interval.end), ".") if right else (),
    }
    return {key: value for key, value in values.items() if value}


def moved_line(line: bytes, interval: Interval) -> bytes:
    """A line of a GFF3 with columns 4 and 5 set to `interval`; all other bytes stay."""
    columns = line.split(b"\t")
    columns[3:5] = [str(interval.start + 1).encode(), str(interval.end).encode()]
    return b"\t".join(columns)


def sort_key(gene: Gene) -> tuple[str, int, int, str, str]:
    """Order of genes in a file: seqid, start, end, strand, ID."""
    return (gene.seqid, gene.interval.start, gene.interval.end, gene.strand, gene.id)


class _Part(NamedTuple):
    """One line below a transcript, 0-based."""

    interval: Interval
    type: str
    rank: int
    score: float | None
    phase: int | None
    number: int


_RANKS = {"exon": 0, "five_prime_UTR": 1, "CDS": 2, "three_prime_UTR": 3}


def _numbered(intervals: Intervals, strand: Strand) -> Iterator[tuple[int, Interval]]:
    """Numbers from 1 in transcription order, yielded left to right."""
    total = len(intervals)
    for index, interval in enumerate(intervals):
        yield (index + 1 if strand == "+" else total - index), interval


def _parts(transcript: Transcript) -> list[_Part]:
    scores: Sequence[float | None] = transcript.exon_scores or (None,) * len(transcript.exons)
    if len(scores) != len(transcript.exons):
        raise ValueError(f"transcript {transcript.id}: {len(scores)} exon scores for {len(transcript.exons)} exons")
    strand = transcript.strand
    rows = [
        _Part(exon, "exon", 0, score, None, number)
        for (number, exon), score in zip(_numbered(transcript.exons, strand), scores, strict=True)
    ]
    rows += [
        _Part(part, "CDS", _RANKS["CDS"], None, phase, number)
        for (number, part), phase in zip(_numbered(transcript.cds, strand), transcript.cds_phases, strict=True)
    ]
    for kind, utr in (("five_prime_UTR", transcript.five_prime_utr), ("three_prime_UTR", transcript.three_prime_utr)):
        rows += [_Part(part, kind, _RANKS[kind], None, None, number) for number, part in _numbered(utr, strand)]
    rows.sort(key=lambda row: (row.interval.start, row.rank))
    return rows


def _check_inside(gene: Gene, transcript: Transcript) -> None:
    if not gene.interval.contains(transcript.interval):
        raise ValueError(f"gene {gene.id}: transcript {transcript.id} {transcript.interval} reaches out of the gene")


def _attributes(
    given: Mapping[str, tuple[str, ...]], *, id: str, parent: str | None, more: Mapping[str, str] | None = None
) -> str:
    pairs = [f"ID={escape_attribute(id)}"]
    if parent is not None:
        pairs.append(f"Parent={escape_attribute(parent)}")
    for key, value in (more or {}).items():
        if key not in given:
            pairs.append(f"{key}={escape_attribute(value)}")
    pairs += (_attribute(key, values) for key, values in given.items() if key not in _WRITTEN_HERE and values)
    return ";".join(pairs)


def _attribute(key: str, values: Sequence[str]) -> str:
    return f"{escape_attribute(key)}={','.join(escape_attribute(value) for value in values)}"


def _of_cds(transcript: Transcript, part: Interval) -> str:
    """Attributes of one CDS line, after ID and Parent; an open end is said on the line that has it."""
    left, right = part == transcript.cds[0], part == transcript.cds[-1]
    elsewhere = {"start_range": not left, "end_range": not right}
    return "".join(
        f";{_attribute(key, values)}"
        for key, values in (transcript.cds_attributes or {}).items()
        if values and not elsewhere.get(key)
    )


_GFF3_ID = {"exon": "exon{}", "CDS": "cds", "five_prime_UTR": "utr5p{}", "three_prime_UTR": "utr3p{}"}


def transcript_lines(transcript: Transcript, *, gene_id: str, source: str = DEFAULT_SOURCE) -> list[str]:
    """GFF3 lines of one transcript and its parts, without line ends; left to right below the mRNA line."""
    head = f"{escape_seqid(transcript.seqid)}\t{escape_column(source)}"
    strand, own_id = transcript.strand, escape_attribute(transcript.id)
    interval = transcript.interval
    lines = [
        f"{head}\t{escape_column(transcript.type)}\t{interval.start + 1}\t{interval.end}\t"
        f"{format_score(transcript.score)}\t{strand}\t.\t"
        f"{_attributes(transcript.attributes, id=transcript.id, parent=gene_id)}"
    ]
    for part in _parts(transcript):
        phase = "." if part.phase is None else str(part.phase)
        part_id = _GFF3_ID[part.type].format(part.number)
        more = _of_cds(transcript, part.interval) if part.type == "CDS" else ""
        lines.append(
            f"{head}\t{part.type}\t{part.interval.start + 1}\t{part.interval.end}\t{format_score(part.score)}\t{strand}"
            f"\t{phase}\tID={own_id}.{part_id};Parent={own_id}{more}"
        )
    return lines


def lines_beyond(transcript: Transcript, known: Interval, *, exons: bool, source: str = DEFAULT_SOURCE) -> list[str]:
    """GFF3 lines of the UTRs outside of `known` and, if asked, of the exons there, for a transcript that a file has.

    They have no IDs, which may be taken in that file; column 6 has the transcript's score.
    """
    head, end = f"{escape_seqid(transcript.seqid)}\t{escape_column(source)}", escape_attribute(transcript.id)
    types = {"five_prime_UTR", "three_prime_UTR", *(["exon"] if exons else [])}
    return [
        f"{head}\t{part.type}\t{part.interval.start + 1}\t{part.interval.end}\t{format_score(transcript.score)}"
        f"\t{transcript.strand}\t.\tParent={end}"
        for part in _parts(transcript)
        if part.type in types and part.interval.intersect(known) is None
    ]


def gene_lines(gene: Gene, source: str = DEFAULT_SOURCE) -> list[str]:
    """GFF3 lines of one gene, without line ends."""
    more = {"biotype": gene.biotype} if gene.biotype else {}
    lines = [
        f"{escape_seqid(gene.seqid)}\t{escape_column(source)}\tgene\t{gene.interval.start + 1}\t{gene.interval.end}\t"
        f"{format_score(gene.score)}\t{gene.strand}\t.\t"
        f"{_attributes(gene.attributes, id=gene.id, parent=None, more=more)}"
    ]
    for transcript in gene.transcripts:
        _check_inside(gene, transcript)
        lines += transcript_lines(transcript, gene_id=gene.id, source=source)
    return lines


# --- GTF -----------------------------------------------------------------------------------------------------------


def _gtf_text(text: str) -> str:
    """A value between quotes. GTF knows no escapes that all readers share; %-escapes, as in GFF3, do no harm to any."""
    return _GTF_ESCAPED.sub(_percent, text)


def _five_prime_bases(parts: Intervals, strand: Strand, count: int) -> Intervals:
    """The first `count` bases along the transcript, left to right."""
    taken: list[Interval] = []
    for part in in_transcription_order(parts, strand):
        size = min(count, len(part))
        taken.append(Interval(part.start, part.start + size) if strand == "+" else Interval(part.end - size, part.end))
        count -= size
        if not count:
            break
    return tuple(sorted(taken))


def _gtf_coding(transcript: Transcript) -> Iterator[tuple[Interval, str, int | None]]:
    """CDS without the stop codon, start and stop codons, with phases."""
    strand = transcript.strand
    complete = (total_length(transcript.cds) - transcript.first_phase) % 3 == 0
    stop: Intervals = ()
    if complete and total_length(transcript.cds) > 3:
        stop = _five_prime_bases(transcript.cds, "-" if strand == "+" else "+", 3)
    coding = subtract(transcript.cds, stop)
    ordered = in_transcription_order(coding, strand)
    phases = segment_phases([len(part) for part in ordered], first=transcript.first_phase)
    yield from ((part, "CDS", phase) for part, phase in zip(ordered, phases, strict=True))
    start = _five_prime_bases(coding, strand, 3) if transcript.first_phase == 0 else ()
    for name, codon in (("start_codon", start), ("stop_codon", stop)):
        pieces = in_transcription_order(codon, strand)
        codon_phases = segment_phases([len(piece) for piece in pieces])
        yield from ((piece, name, phase) for piece, phase in zip(pieces, codon_phases, strict=True))


_GTF_RANKS = {"exon": 0, "five_prime_utr": 1, "start_codon": 2, "CDS": 3, "stop_codon": 4, "three_prime_utr": 5}


def _gtf_transcript(transcript: Transcript, gene_text: str, head: str) -> list[str]:
    strand = transcript.strand
    names = f'{gene_text} transcript_id "{_gtf_text(transcript.id)}";'
    source_gene = "".join(f' source_gene "{_gtf_text(v)}";' for v in transcript.attributes.get("source_gene", ()))
    interval = transcript.interval
    lines = [
        f"{head}\ttranscript\t{interval.start + 1}\t{interval.end}\t{format_score(transcript.score)}\t{strand}\t.\t"
        f"{names}{source_gene}"
    ]
    scores: Sequence[float | None] = transcript.exon_scores or (None,) * len(transcript.exons)
    rows: list[tuple[Interval, str, str, str, str]] = [
        (exon, "exon", format_score(score), ".", f' exon_number "{number}";')
        for (number, exon), score in zip(_numbered(transcript.exons, strand), scores, strict=True)
    ]
    rows += [(part, kind, ".", str(phase), "") for part, kind, phase in _gtf_coding(transcript)]
    for kind, utr in (("five_prime_utr", transcript.five_prime_utr), ("three_prime_utr", transcript.three_prime_utr)):
        rows += [(part, kind, ".", ".", "") for part in utr]
    rows.sort(key=lambda row: (row[0].start, _GTF_RANKS[row[1]]))
    lines += [
        f"{head}\t{kind}\t{part.start + 1}\t{part.end}\t{score}\t{strand}\t{phase}\t{names}{more}"
        for part, kind, score, phase, more in rows
    ]
    return lines


def gtf_lines(gene: Gene, source: str = DEFAULT_SOURCE) -> list[str]:
    """GTF lines of one gene, without line ends: CDS without the stop codon, start_codon and stop_codon lines."""
    head = f"{escape_seqid(gene.seqid)}\t{escape_column(source)}"
    gene_text = f'gene_id "{_gtf_text(gene.id)}";'
    lines = [
        f"{head}\tgene\t{gene.interval.start + 1}\t{gene.interval.end}\t{format_score(gene.score)}\t{gene.strand}\t.\t"
        f"{gene_text}"
    ]
    for transcript in gene.transcripts:
        _check_inside(gene, transcript)
        lines += _gtf_transcript(transcript, gene_text, head)
    return lines


# --- files ---------------------------------------------------------------------------------------------------------


@contextmanager
def create_text(
    path: str | Path, *, together: ExitStack | None = None, index: Index | None = None
) -> Iterator[IO[str]]:
    """Text to a temporary file, renamed when complete; BGZF (a kind of gzip, without a time stamp) for a name in .gz.

    Args:
        together: Where the file is renamed when this stack is left, so that several files appear together: all are
            whole before the first of them stands under its name.
        index: What `tabix` would call the file; its index appears beside it (`.tbi`, `.csi` where a sequence is long).
    """
    with ExitStack() as own:
        whole = own if together is None else together
        aside = whole.enter_context(write_aside(path))
        with ExitStack() as stack:
            if str(path).endswith(".gz"):
                import pysam

                binary = cast("IO[bytes]", pysam.BGZFile(str(aside), "wb", None))
                stack.callback(_close, binary, Path(path))
            else:
                binary = cast("IO[bytes]", stack.enter_context(open(aside, "wb", buffering=1 << 20)))
            yield stack.enter_context(io.TextIOWrapper(binary, encoding="utf-8", newline="\n", write_through=False))
        if index is not None:
            _add_index(aside, Path(path), index, whole)


def _close(binary: IO[bytes], path: Path) -> None:
    """htslib says neither what failed nor where."""
    try:
        binary.close()
    except OSError as error:
        raise OSError(error.errno or errno.EIO, f"could not be written whole ({error})", str(path)) from error


#: Format of `tabix`, and bases of the longest sequence.
Index = tuple[Literal["gff", "bed"], int]
#: Beyond it an index in the older format has no room.
_TBI_BASES = 1 << 29


def _add_index(aside: Path, target: Path, index: Index, stack: ExitStack) -> None:
    import pysam

    preset, longest = index
    ending = ".csi" if longest >= _TBI_BASES else ".tbi"
    place = stack.enter_context(write_aside(target.with_name(target.name + ending)))
    pysam.tabix_index(str(aside), force=True, preset=preset, keep_original=True, csi=ending == ".csi", index=str(place))


class SortedLines:
    """Writes lines by place, for items that come sorted by their own start and hold lines further right."""

    def __init__(self, handle: IO[str]) -> None:
        self._handle = handle
        self._waiting: list[tuple[int, int, int, str]] = []
        self._seqid: str | None = None
        self._count = 0

    def add(self, seqid: str, start: int, lines: Iterable[tuple[int, int, str]]) -> None:
        """Take the lines (start, end, text) of an item; what lies left of it goes out first.

        Of lines that start together, those that were given first stand first: parents before their parts.
        """
        self.flush(None if seqid != self._seqid else start)
        self._seqid = seqid
        for begin, end, text in lines:
            self._count += 1
            heapq.heappush(self._waiting, (begin, end, self._count, text))

    def flush(self, before: int | None = None) -> None:
        """Write what starts before a place; all where none is given."""
        while self._waiting and (before is None or self._waiting[0][0] < before):
            self._handle.write(heapq.heappop(self._waiting)[-1] + "\n")


class AnnotationWriter:
    """Writes one gene after the other; use `gff3_writer` or `gtf_writer` to get one.

    Raises:
        ValueError: genes out of order, an interval outside its seqid, a transcript outside its gene.
    """

    def __init__(self, handle: IO[str], lines: GeneLines, *, regions: Mapping[str, int], source: str) -> None:
        self._sorted = SortedLines(handle)
        self._lines = lines
        self._regions = regions
        self._source = source
        self._last: tuple[str, int, int, str, str] | None = None

    def write(self, gene: Gene) -> None:
        """Append one gene."""
        key = sort_key(gene)
        if self._last is not None and key < self._last:
            raise ValueError(f"gene {gene.id} stands after {self._last[-1]}; genes must be sorted by seqid and start")
        length = self._regions.get(gene.seqid)
        if length is not None and gene.interval.end > length:
            raise ValueError(f"gene {gene.id} ends at {gene.interval.end}, past {gene.seqid} of {length} bases")
        self._last = key
        lines = self._lines(gene, self._source)
        self._sorted.add(gene.seqid, gene.interval.start + 1, ((_start_of(line), 0, line) for line in lines))

    def finish(self) -> None:
        """Write the lines that still wait for genes that might stand before them."""
        self._sorted.flush()


def _start_of(line: str) -> int:
    """Column 4."""
    return int(line.split("\t", 4)[3])


def header_lines(provenance: Provenance, sequence_regions: Mapping[str, int]) -> list[str]:
    """GFF3 directives and provenance, without line ends."""
    lines = ["##gff-version 3"]
    lines += [f"##sequence-region {escape_seqid(s)} 1 {sequence_regions[s]}" for s in sorted(sequence_regions)]
    return [*lines, f"# provenance {provenance.to_json()}"]


@contextmanager
def gff3_writer(
    path: str | Path,
    *,
    provenance: Provenance,
    sequence_regions: Mapping[str, int] | None = None,
    source: str = DEFAULT_SOURCE,
    together: ExitStack | None = None,
    index: Index | None = None,
) -> Iterator[AnnotationWriter]:
    """A writer of sorted genes; the file appears when the block ends without an error.

    Args:
        sequence_regions: Length in bases of each seqid, for `##sequence-region` and the check of the gene's end.
        together, index: As for `create_text`.
    """
    regions = dict(sequence_regions or {})
    with create_text(path, together=together, index=index) as handle:
        handle.write("\n".join(header_lines(provenance, regions)) + "\n")
        writer = AnnotationWriter(handle, gene_lines, regions=regions, source=source)
        yield writer
        writer.finish()


@contextmanager
def gtf_writer(
    path: str | Path,
    *,
    provenance: Provenance,
    sequence_regions: Mapping[str, int] | None = None,
    source: str = DEFAULT_SOURCE,
    together: ExitStack | None = None,
    index: Index | None = None,
) -> Iterator[AnnotationWriter]:
    """As `gff3_writer`, in GTF 2.2 with gene and transcript lines."""
    with create_text(path, together=together, index=index) as handle:
        handle.write(f"# provenance {provenance.to_json()}\n")
        writer = AnnotationWriter(handle, gtf_lines, regions=dict(sequence_regions or {}), source=source)
        yield writer
        writer.finish()


def write_genes(
    path: str | Path,
    genes: Iterable[Gene],
    *,
    provenance: Provenance,
    sequence_regions: Mapping[str, int] | None = None,
    source: str = DEFAULT_SOURCE,
) -> int:
    """Sort genes and write them as GFF3 (GTF where `path` ends in .gtf or .gtf.gz).

    Returns:
        The number of genes written.
    """
    opener = gtf_writer if Path(str(path).removesuffix(".gz")).suffix == ".gtf" else gff3_writer
    count = 0
    with opener(path, provenance=provenance, sequence_regions=sequence_regions, source=source) as writer:
        for gene in sorted(genes, key=sort_key):
            writer.write(gene)
            count += 1
    return count
