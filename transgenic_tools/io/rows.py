"""The rows of shards: a gene with its window, a gene as it was predicted.

In: columns of `io.schemas`. Out: frozen records.
A surprise: a row's coordinates are of three kinds. `start`, `end` and `window_*` are the genome's; `sequence` and `gsf`
of a gene row are those of its `reading`, which may be shortened; `gsf` of a prediction is that of the whole window.
"""

from __future__ import annotations

from dataclasses import dataclass

from transgenic_tools.genome.gene import Transcript
from transgenic_tools.genome.interval import Interval, Strand
from transgenic_tools.genome.reading import Reading, ReadInterval
from transgenic_tools.genome.shortened import Shortened
from transgenic_tools.genome.window import Window
from transgenic_tools.gsf import parse

#: Flags of genes from `tg-prep lift`; `partial` ones lost a transcript on the way.
LIFTED, PARTIAL = "lifted", "partial"


@dataclass(frozen=True, slots=True)
class GeneRow:
    """One gene with its window; the columns of `schemas.GENE_SHARD` in the same order.

    Attributes:
        start, end: Locus, 0-based half-open on the plus strand.
        window_start, window_end: Window; may leave the contig, the sequence is N there.
        sequence: Window 5' to 3' on the gene's strand.
        gsf: Gene sentence, None where the structure is unknown.
        fold: Of k folds, None where none were asked for.
        kept: None for a whole window; else start, end, start, end ... of its kept stretches, and `sequence` and `gsf`
            are those of the shortened window (`prep.routines`).
    """

    gene_id: str
    sample: str
    seqid: str
    start: int
    end: int
    strand: Strand
    window_start: int
    window_end: int
    sequence: str
    gsf: str | None
    n_transcripts: int
    primary_transcript: str | None
    split: str | None = None
    fold: int | None = None
    flags: tuple[str, ...] = ()
    kept: tuple[int, ...] | None = None

    @property
    def window(self) -> Window:
        return Window(self.seqid, self.window_start, self.window_end, self.strand)

    @property
    def bases(self) -> int:
        return self.window_end - self.window_start

    @property
    def reading(self) -> Reading:
        """The window and what `sequence` holds of it; `sequence` and `gsf` are in its coordinates."""
        if self.kept is None:
            return Reading(self.window)
        stretches = tuple(Interval(*pair) for pair in zip(self.kept[::2], self.kept[1::2], strict=True))
        return Reading(self.window, Shortened(stretches))

    @property
    def locus(self) -> ReadInterval:
        """What `sequence` holds of the gene."""
        return self.reading.locus(Interval(self.start, self.end))

    def read_transcripts(self) -> tuple[Transcript, ...]:
        """The gene sentence's transcripts in coordinates of `sequence`; empty where `gsf` is None."""
        return parse(self.gsf, seqid=self.seqid, gene_id=self.gene_id).transcripts if self.gsf else ()

    def transcripts(self) -> tuple[Transcript, ...]:
        """The gene sentence's transcripts in genome coordinates; empty where `gsf` is None."""
        return tuple(map(self.reading.to_genome, self.read_transcripts()))


@dataclass(frozen=True, slots=True)
class PredictionRow:
    """One predicted gene; the columns of `schemas.PREDICTION_SHARD` in the same order.

    Attributes:
        gsf: None where nothing could be predicted; `flags` then says why.
        scores: One probability a transcript, in the order of the gene sentence.
        exon_scores, donor_scores, acceptor_scores: One tuple a transcript, 5' to 3'.
        confidence: Probability that the best transcript's CDS is exact.
    """

    gene_id: str
    sample: str
    seqid: str
    start: int
    end: int
    strand: Strand
    window_start: int
    window_end: int
    gsf: str | None
    scores: tuple[float, ...] = ()
    exon_scores: tuple[tuple[float, ...], ...] = ()
    donor_scores: tuple[tuple[float, ...], ...] = ()
    acceptor_scores: tuple[tuple[float, ...], ...] = ()
    confidence: float | None = None
    flags: tuple[str, ...] = ()
    model_hash: str = ""

    @property
    def window(self) -> Window:
        return Window(self.seqid, self.window_start, self.window_end, self.strand)

    @property
    def bases(self) -> int:
        return self.window_end - self.window_start
