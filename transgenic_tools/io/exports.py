"""Write genes as BED12 and as FASTA of proteins, CDS and cDNA.

In: sorted `Gene` records, one at a time. Out: one record a transcript.
A surprise: BED carries no UTR kind and no phase; the thick part is the CDS, and a non-coding transcript has none.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, Literal, Protocol

from transgenic_tools.genome.code import STANDARD
from transgenic_tools.genome.gene import Gene, Transcript
from transgenic_tools.io.gff3.writer import Index, SortedLines, create_text, format_score

FASTA_WIDTH = 60
SequenceKind = Literal["protein", "cds", "cdna"]
Fetch = Callable[[str, int, int], str]
_WHITE = re.compile(r"\s")
#: White space but for a plain blank: what may end a line or a column.
_BREAK = re.compile(r"[^\S ]")


class GeneWriter(Protocol):
    """What takes genes one by one."""

    def write(self, gene: Gene) -> None: ...


def bed12_line(transcript: Transcript) -> str:
    """One BED12 record, without line end; the score is the probability times 1000."""
    whole = transcript.interval
    thick_start, thick_end = (
        (transcript.cds[0].start, transcript.cds[-1].end) if transcript.cds else (whole.start, whole.start)
    )
    score = 0 if transcript.score is None else round(min(max(transcript.score, 0.0), 1.0) * 1000)
    sizes = ",".join(str(len(exon)) for exon in transcript.exons)
    starts = ",".join(str(exon.start - whole.start) for exon in transcript.exons)
    columns = (
        _WHITE.sub("_", transcript.seqid), whole.start, whole.end, _WHITE.sub("_", transcript.id), score,
        transcript.strand, thick_start, thick_end, 0, len(transcript.exons), sizes, starts,
    )  # fmt: skip
    return "\t".join(map(str, columns))


def spliced_record(transcript: Transcript, fetch: Fetch, kind: SequenceKind) -> str:
    """Protein (without the final stop), CDS or cDNA, 5' to 3'; empty for a non-coding transcript's CDS and protein."""
    whole = transcript.interval
    if kind != "cdna" and not transcript.cds:
        return ""
    sequence = fetch(transcript.seqid, whole.start, whole.end)
    spliced = transcript.spliced(sequence, offset=whole.start, coding=kind != "cdna")
    if kind != "protein":
        return spliced
    return STANDARD.translate(spliced[transcript.first_phase :]).removesuffix("*")


class _BedWriter:
    """One line a transcript, sorted by start, then by end."""

    def __init__(self, handle: IO[str]) -> None:
        self.sorted = SortedLines(handle)

    def write(self, gene: Gene) -> None:
        lines = ((t.interval.start, t.interval.end, bed12_line(t)) for t in gene.transcripts)
        self.sorted.add(gene.seqid, gene.interval.start, lines)


class FastaWriter:
    """One record a transcript that has such a sequence."""

    def __init__(self, handle: IO[str], kind: SequenceKind, fetch: Fetch) -> None:
        self._handle = handle
        self._kind: SequenceKind = kind
        self._fetch = fetch

    def write(self, gene: Gene) -> None:
        for transcript in gene.transcripts:
            sequence = spliced_record(transcript, self._fetch, self._kind)
            if not sequence:
                continue
            source = ",".join(transcript.attributes.get("source_gene", ()))
            words = [f">{_WHITE.sub('_', transcript.id)}", f"gene={_BREAK.sub('_', gene.id)}"]
            words += [f"source_gene={_BREAK.sub('_', source)}"] if source else []
            words += [f"score={format_score(transcript.score)}"] if transcript.score is not None else []
            lines = [sequence[i : i + FASTA_WIDTH] for i in range(0, len(sequence), FASTA_WIDTH)]
            self._handle.write("\n".join([" ".join(words), *lines]) + "\n")


@contextmanager
def bed_writer(
    path: str | Path, *, together: ExitStack | None = None, index: Index | None = None
) -> Iterator[GeneWriter]:
    """BED12, one line a transcript; the file appears when the block ends without an error, or with others together."""
    with create_text(path, together=together, index=index) as handle:
        writer = _BedWriter(handle)
        yield writer
        writer.sorted.flush()


@contextmanager
def fasta_writer(
    path: str | Path, *, kind: SequenceKind, fetch: Fetch, together: ExitStack | None = None
) -> Iterator[GeneWriter]:
    """FASTA of spliced sequences.

    Args:
        fetch: Plus-strand bases of `(seqid, start, end)`, as `io.fasta.Fasta.fetch`.
        together: As for `create_text`.
    """
    with create_text(path, together=together) as handle:
        yield FastaWriter(handle, kind, fetch)
