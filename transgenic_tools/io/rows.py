"""The rows of shards: a gene with its window, a gene as it was predicted.

In: columns of `io.schemas`. Out: frozen records.
A surprise: a row's coordinates are of three kinds. `start`, `end` and `window_*` are the genome's; `sequence` and `gsf`
of a gene row are those of its `reading`, which may be shortened; `gsf` of a prediction is that of the whole window.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import get_args

from transgenic_tools.choices import Split
from transgenic_tools.errors import BadInputError
from transgenic_tools.genome.gene import Transcript
from transgenic_tools.genome.interval import STRANDS, Interval, Strand
from transgenic_tools.genome.reading import Reading, ReadInterval
from transgenic_tools.genome.shortened import Shortened
from transgenic_tools.genome.window import Window
from transgenic_tools.gsf import parse, write
from transgenic_tools.gsf.parser import MAX_COORDINATE

#: Flags of genes from `tg-prep lift`; `partial` ones lost a transcript on the way.
LIFTED, PARTIAL = "lifted", "partial"
#: Flag of both genes that a locus without a strand is read as (a rule of `genome.checks`).
UNKNOWN_STRAND = "strand_unknown"
#: Flag of loci that a scan found.
SCANNED = "scanned"
#: Flag of a prediction, and its reason in the rejects: a region of the user's in which no gene lies.
NO_GENE = "no_gene_here"
#: Flag of a prediction, and its reason in the rejects: the window was not read.
TOO_LONG = "window_too_long"


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
        carried: Of a scan, what its network said of the window, see `lattice.carried`.
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
    carried: bytes | None = None

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
        dna_scores: With evidence, the probability of each transcript from DNA alone; empty where reads show nothing.
        unused_junctions: With evidence, junctions worth a transcript that none has: start, end, start, end ... on the
            genome; `unused_reasons` says why, one for each.
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
    dna_scores: tuple[float, ...] | None = None
    unused_junctions: tuple[int, ...] | None = None
    unused_reasons: tuple[str, ...] | None = None

    @property
    def window(self) -> Window:
        return Window(self.seqid, self.window_start, self.window_end, self.strand)

    @property
    def bases(self) -> int:
        return self.window_end - self.window_start


@dataclass(frozen=True, slots=True)
class PredictedGene:
    """A prediction as a gene to learn from, as self-training does.

    Attributes:
        row: The gene that was read, with the predicted sentence in place of its own.
        confidence: Of the prediction: probability that the best transcript's CDS is exact.
        weight: Expected share of the sentence's transcripts that are right: the mean of their probabilities.
    """

    row: GeneRow
    confidence: float
    weight: float


def predicted_gene(
    prediction: PredictionRow, source: GeneRow, *, min_score: float = 0.0, min_site: float = 0.0
) -> PredictedGene | None:
    """A prediction on the window that it was made from; None where its best transcript is not probable enough.

    Args:
        source: The row of the gene shard.
        min_score: Transcripts below it are left out.
        min_site: Transcripts are left out that have a donor or an acceptor below it, where these have probabilities.

    Raises:
        ValueError: the rows are of different windows, or the sentence does not fit the one that was read.
        BadInputError: the sentence cannot be read.
    """
    if (prediction.gene_id, prediction.window) != (source.gene_id, source.window):
        raise ValueError(f"{prediction.gene_id} was predicted on another window than {source.gene_id}'s")
    if prediction.gsf is None:
        return None
    transcripts = parse(prediction.gsf).transcripts
    nothing = ((),) * len(transcripts)
    donors, acceptors = prediction.donor_scores or nothing, prediction.acceptor_scores or nothing
    probable = [
        score >= min_score and min(*left, *right, 1.0, 1.0) >= min_site
        for score, left, right in zip(prediction.scores, donors, acceptors, strict=True)
    ]
    if not probable[0]:  # the most probable comes first
        return None
    kept = [
        (source.reading.from_window(transcript), score)
        for transcript, score, is_kept in zip(transcripts, prediction.scores, probable, strict=True)
        if is_kept
    ]
    row = replace(
        source,
        gsf=write([transcript for transcript, _ in kept], strand=source.strand),
        n_transcripts=len(kept),
        primary_transcript=None,
    )
    weight = sum(score for _, score in kept) / len(kept)
    return PredictedGene(row, prediction.confidence or 0.0, weight)


# -- what a row promises (docs/formats.md has the same list) -----------------------------------------------------------

_SPLITS = (None, *get_args(Split))


def gene_fault(row: GeneRow) -> str | None:
    """The first promise of a gene shard that a row breaks; None for a sound row.

    Columns that were not read are None and are not looked at.
    """
    fault = _place_fault(row)
    if fault is None and not row.window_start <= row.start < row.end <= row.window_end:
        fault = f"the locus [{row.start}, {row.end}) leaves its window [{row.window_start}, {row.window_end})"
    if fault is None and row.kept is not None:
        fault = _kept_fault(row.kept, row.bases) or _lost_locus(row)
    if fault is not None or row.sequence is None:
        return fault
    if len(row.sequence) != len(row.reading):
        return f"the sequence has {len(row.sequence)} bases and its window {len(row.reading)}"
    if not row.sequence.isascii():
        return "the sequence holds letters that no FASTA has"
    if row.split not in _SPLITS:
        return f"split is {row.split!r}, not train, validation or test"
    if row.n_transcripts < 0 or (row.fold or 0) < 0:
        return f"n_transcripts is {row.n_transcripts} and fold {row.fold}; neither can be below 0"
    return None if row.gsf is None else _sentence_fault(row.gsf, row.strand, len(row.sequence))


def prediction_fault(row: PredictionRow) -> str | None:
    """The first promise of a prediction shard that a row breaks; None for a sound row.

    The gene sentence is not looked at: one that cannot be placed costs its gene, not the run (`io.rejects`).
    """
    fault = _place_fault(row)
    if fault is not None:
        return fault
    scores: dict[str, Iterable[float | None]] = {
        "confidence": () if row.confidence is None else (row.confidence,),
        "scores": row.scores,
        "exon_scores": (value for values in row.exon_scores for value in values),
        "donor_scores": (value for values in row.donor_scores for value in values),
        "acceptor_scores": (value for values in row.acceptor_scores for value in values),
        "dna_scores": row.dna_scores or (),
    }
    for name, values in scores.items():
        for value in values:
            if value is None or not 0.0 <= value <= 1.0:  # NaN is neither
                return f"{name} holds {value}, which is no probability"
    return _unused_fault(row.unused_junctions or (), row.unused_reasons or ())


def _unused_fault(junctions: tuple[int, ...], reasons: tuple[str, ...]) -> str | None:
    if len(junctions) != 2 * len(reasons):
        return f"{len(junctions)} ends of unused junctions and {len(reasons)} reasons"
    for start, end in zip(junctions[::2], junctions[1::2], strict=True):
        if not start < end:
            return f"the unused junction [{start}, {end}) is empty"
    return None


def _place_fault(row: GeneRow | PredictionRow) -> str | None:
    if not row.gene_id:
        return "the gene has no ID"
    if row.strand not in STRANDS:
        return f"strand is {row.strand!r}, neither + nor -"
    if row.start >= row.end or row.window_start >= row.window_end:
        return f"the locus [{row.start}, {row.end}) or its window [{row.window_start}, {row.window_end}) is empty"
    if row.start < 0 or row.window_start < -MAX_COORDINATE or max(row.end, row.window_end) > MAX_COORDINATE:
        return f"no sequence has room for [{row.start}, {row.end}) in a window [{row.window_start}, {row.window_end})"
    return None


def _kept_fault(kept: tuple[int, ...], length: int) -> str | None:
    if len(kept) < 2 or len(kept) % 2 or any(b <= a for a, b in itertools.pairwise(kept)):
        return f"kept does not rise in pairs of start and end: {kept[:8]}"
    if kept[0] < 0 or kept[-1] > length:
        return f"kept reaches from {kept[0]} to {kept[-1]} in a window of {length} bases"
    return None


def _lost_locus(row: GeneRow) -> str | None:
    try:
        row.locus  # noqa: B018
    except ValueError as error:
        return f"kept has nothing of the locus: {error}"
    return None


def _sentence_fault(text: str, strand: Strand, length: int) -> str | None:
    try:
        sentence = parse(text)
    except BadInputError as error:
        return f"the gene sentence cannot be read: {error.message}"
    if sentence.strand != strand:
        return f"the gene sentence names strand {sentence.strand} and the row {strand}"
    end = max(transcript.interval.end for transcript in sentence.transcripts)
    return None if end <= length else f"the gene sentence ends at {end} of {length} bases"
