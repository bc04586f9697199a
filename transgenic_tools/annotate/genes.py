"""What `model.annotate` gives: genes to look at, to take apart and to save.

In: genes as they were written, with their bases. Out: `Genes`, a sequence of `Gene` with its `Transcript`s.
A surprise: coordinates are 0-based half-open here as everywhere in the package; `to_gff3` alone counts from 1.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

from transgenic_tools.errors import UsageError
from transgenic_tools.genome.gene import Gene as GeneRecord
from transgenic_tools.genome.gene import Transcript as TranscriptRecord
from transgenic_tools.genome.interval import Interval, Intervals
from transgenic_tools.io.exports import FastaWriter, Fetch, SequenceKind, spliced_record
from transgenic_tools.io.gff3.writer import AnnotationWriter, gene_lines, sort_key
from transgenic_tools.provenance import write_aside
from transgenic_tools.report.drawing import draw
from transgenic_tools.report.loci import Locus
from transgenic_tools.report.picture import to_svg, to_terminal

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

_WIDTH = 900


@dataclass(frozen=True, eq=False)
class Transcript:
    """One isoform.

    Attributes:
        record: Structure, score and attributes as `genome.gene` has them.
        fetch: Bases of the gene on the plus strand, from seqid, start, end.
    """

    record: TranscriptRecord
    fetch: Fetch

    @property
    def id(self) -> str:
        return self.record.id

    @property
    def score(self) -> float | None:
        """Probability that the coding structure is right to the base."""
        return self.record.score

    @property
    def exons(self) -> Intervals:
        """Left to right."""
        return self.record.exons

    @property
    def introns(self) -> Intervals:
        """Left to right."""
        return self.record.introns

    @property
    def cds(self) -> Intervals:
        """Coding parts, left to right, with the stop codon."""
        return self.record.cds

    @property
    def cdna(self) -> str:
        """Spliced bases, 5' to 3'."""
        return spliced_record(self.record, self.fetch, "cdna")

    @property
    def cds_sequence(self) -> str:
        """Spliced coding bases, 5' to 3', with the stop codon."""
        return spliced_record(self.record, self.fetch, "cds")

    @property
    def protein(self) -> str:
        """Without the final stop."""
        return spliced_record(self.record, self.fetch, "protein")

    def __repr__(self) -> str:
        score = "" if self.score is None else f", score {self.score:.2f}"
        return f"Transcript({self.id}, {len(self.exons)} exons, {len(self.protein)} aa{score})"


@dataclass(frozen=True, eq=False)
class Gene:
    """One gene with all of its isoforms; a notebook shows it as a picture.

    Attributes:
        record: As `genome.gene` has it.
        bases: From its start to its end, on the plus strand.
        known: Isoforms of the annotation that was given, where there is one; the picture compares with them.
    """

    record: GeneRecord
    bases: str
    known: tuple[TranscriptRecord, ...] = ()

    @property
    def id(self) -> str:
        return self.record.id

    @property
    def seqid(self) -> str:
        return self.record.seqid

    @property
    def strand(self) -> str:
        return self.record.strand

    @property
    def interval(self) -> Interval:
        """First to last base."""
        return self.record.interval

    @property
    def score(self) -> float | None:
        """Probability that the best isoform's coding structure is right to the base."""
        return self.record.score

    @property
    def transcripts(self) -> tuple[Transcript, ...]:
        """The most probable first."""
        return tuple(Transcript(one, self.fetch) for one in self.record.transcripts)

    def fetch(self, seqid: str, start: int, end: int) -> str:
        """Bases of a stretch of the gene, on the plus strand."""
        return self.bases[start - self.interval.start : end - self.interval.start]

    def to_gff3(self) -> str:
        """GFF3 with its header line."""
        return "\n".join(["##gff-version 3", *gene_lines(self.record)]) + "\n"

    def _locus(self) -> Locus:
        intervals = [self.interval, *(one.interval for one in self.known)]
        return Locus(
            sample="", gene_id=self.id, name="", seqid=self.seqid, strand=self.record.strand,
            start=min(one.start for one in intervals), end=max(one.end for one in intervals), reference=self.known,
            predicted=self.record.transcripts, confidence=self.score,
        )  # fmt: skip

    def to_svg(self, *, width: int = _WIDTH) -> str:
        """The picture that `tg-report gene` draws."""
        return to_svg(draw(self._locus(), width=width))

    def _repr_svg_(self) -> str:
        return self.to_svg()

    def __str__(self) -> str:
        return to_terminal(self._locus(), width=100, colour=False)

    def __repr__(self) -> str:
        place = f"{self.seqid}:{self.interval.start}-{self.interval.end}({self.strand})"
        score = "" if self.score is None else f", score {self.score:.2f}"
        return f"Gene({self.id}, {place}, {len(self.record.transcripts)} isoforms{score})"


#: Columns of tables and what stands in them.
_COLUMNS: dict[str, Callable[[Gene, Transcript], Any]] = {
    "gene_id": lambda gene, _: gene.id,
    "transcript_id": lambda _, one: one.id,
    "seqid": lambda gene, _: gene.seqid,
    "start": lambda _, one: one.record.interval.start,
    "end": lambda _, one: one.record.interval.end,
    "strand": lambda gene, _: gene.strand,
    "gene_score": lambda gene, _: gene.score,
    "score": lambda _, one: one.score,
    "exons": lambda _, one: len(one.exons),
    "cds_bases": lambda _, one: one.record.cds_length,
    "protein": lambda _, one: one.protein,
}


class Genes(Sequence[Gene]):
    """Genes in the order of the genome; by number, by slice, or by ID.

    Args:
        header: GFF3 lines above the features.
    """

    def __init__(self, genes: Iterable[Gene], *, header: Sequence[str] = ("##gff-version 3",)) -> None:
        self._genes, self._header = tuple(genes), tuple(header)

    def __len__(self) -> int:
        return len(self._genes)

    def __iter__(self) -> Iterator[Gene]:
        return iter(self._genes)

    @overload
    def __getitem__(self, key: int | str) -> Gene: ...
    @overload
    def __getitem__(self, key: slice) -> Genes: ...
    def __getitem__(self, key: int | str | slice) -> Gene | Genes:
        """Raises KeyError for an ID that no gene has, IndexError for a number."""
        if isinstance(key, slice):
            return Genes(self._genes[key], header=self._header)
        if isinstance(key, int):
            return self._genes[key]
        for gene in self._genes:
            if gene.id == key:
                return gene
        raise KeyError(key)

    @property
    def distance(self) -> Mapping[str, Any] | None:
        """How far the genome is from the species that the model learned, and the accuracy to expect, as in the header
        (docs/formats.md); None of too few genes, or of a model that does not know."""
        for line in self._header:
            _, found, text = line.partition("# provenance ")
            if found:
                told: Mapping[str, Any] | None = json.loads(text).get("parameters", {}).get("distance")
                return told
        return None

    def where(self, wanted: Callable[[Gene], bool]) -> Genes:
        """Those that a function says yes to."""
        return Genes((gene for gene in self._genes if wanted(gene)), header=self._header)

    def to_gff3(self, path: str | Path | None = None) -> str:
        """The annotation as text, and in a file where one is named; the bytes of `tg-annotate` for all genes."""
        text = io.StringIO()
        text.write("\n".join(self._header) + "\n")
        writer = AnnotationWriter(text, gene_lines, regions={}, source="transgenic_tools")
        for gene in sorted(self._genes, key=lambda one: sort_key(one.record)):
            writer.write(gene.record)
        writer.finish()
        return self._given(text.getvalue(), path)

    def to_fasta(self, kind: SequenceKind = "protein", path: str | Path | None = None) -> str:
        """Proteins, CDS (`cds`) or spliced transcripts (`cdna`) as FASTA text, and in a file where one is named."""
        text = io.StringIO()
        for gene in self._genes:
            FastaWriter(text, kind, gene.fetch).write(gene.record)
        return self._given(text.getvalue(), path)

    @staticmethod
    def _given(text: str, path: str | Path | None) -> str:
        if path is not None:
            with write_aside(path) as aside:
                aside.write_text(text, encoding="utf-8")
        return text

    def to_table(self) -> pa.Table:
        """A row a transcript, as a pyarrow table: places, scores, counts, protein."""
        import pyarrow as pa

        pairs = [(gene, one) for gene in self._genes for one in gene.transcripts]
        return pa.table({name: [value(*pair) for pair in pairs] for name, value in _COLUMNS.items()})

    def to_dataframe(self) -> pd.DataFrame:
        """The same for pandas.

        Raises:
            UsageError: pandas is not installed.
        """
        try:
            import pandas as pd
        except ImportError as error:
            raise UsageError(
                "to_dataframe needs pandas", hint="pip install 'transgenic-tools[notebook]', or take to_table()"
            ) from error
        return pd.DataFrame(self.to_table().to_pydict(), columns=list(_COLUMNS))

    def __repr__(self) -> str:
        return f"Genes({len(self)} genes, {sum(len(gene.record.transcripts) for gene in self)} isoforms)"
