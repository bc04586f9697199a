"""One prediction row to one gene in genome coordinates.

In: a `PredictionRow`. Out: a `Gene`, or a `Reject` with the reason; never an exception for bad content. UTR bases
beyond a contig's end are clipped, and a transcript whose CDS goes there costs itself, not its gene.
A surprise: transcripts are numbered by falling score, so `.t1` is the one the model believes in most.
"""

from __future__ import annotations

import heapq
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from transgenic_tools.errors import BadInputError
from transgenic_tools.genome.gene import Gene, Transcript
from transgenic_tools.genome.interval import Interval, clip, span
from transgenic_tools.gsf import parse
from transgenic_tools.io.gff3.writer import sort_key
from transgenic_tools.io.rejects import Reject
from transgenic_tools.io.rows import NO_GENE, TOO_LONG, UNKNOWN_STRAND, PredictionRow

#: Flag of a gene of which UTR bases reached beyond the contig's end.
CLIPPED = "clipped_at_contig_end"


def _known(score: float | None) -> float | None:
    return float(score) if score is not None and 0.0 <= score <= 1.0 else None


def _contig_of(row: PredictionRow, lengths: Mapping[str, int] | None) -> Interval | None:
    """The part of the window that lies on the contig, in window coordinates; None where nothing does."""
    size = row.window_end - row.window_start
    before = max(0, -row.window_start)
    past = 0 if lengths is None else max(0, row.window_end - lengths[row.seqid])
    left, right = (before, past) if row.strand == "+" else (past, before)
    return Interval(left, size - right) if left < size - right else None


def _clipped(transcript: Transcript, contig: Interval) -> Transcript | None:
    """The transcript without UTR bases beyond the contig's end; None where its CDS goes there."""
    if contig.contains(transcript.interval):
        return transcript
    if not all(contig.contains(part) for part in transcript.cds):
        return None
    return replace(transcript, exons=clip(transcript.exons, contig))


def _inside(
    row: PredictionRow, transcripts: Sequence[Transcript], lengths: Mapping[str, int] | None
) -> tuple[dict[int, Transcript], list[Reject]]:
    """Transcripts (window coordinates) that can be placed, by their number in the sentence; and those that cannot."""
    size, contig = row.window_end - row.window_start, _contig_of(row, lengths)
    kept: dict[int, Transcript] = {}
    lost: list[Reject] = []
    for number, transcript in enumerate(transcripts):
        if transcript.interval.end > size:
            detail = f"transcript {number + 1} ends at base {transcript.interval.end} of a window of {size}"
            lost.append(Reject(row.gene_id, "outside_window", detail))
            continue
        fitting = None if contig is None else _clipped(transcript, contig)
        if fitting is None:
            detail = f"transcript {number + 1} has coding bases beyond an end of {row.seqid}"
            lost.append(Reject(row.gene_id, "outside_contig", detail))
        else:
            kept[number] = fitting
    return kept, lost


def _scored(row: PredictionRow, placed: Mapping[int, Transcript]) -> list[Transcript]:
    """Transcripts in genome coordinates with scores, equal structures joined, best first."""
    best: dict[object, Transcript] = {}
    for number, transcript in placed.items():
        score = _known(row.scores[number]) if row.scores else None
        exon_scores = tuple(row.exon_scores[number]) if number < len(row.exon_scores) else ()
        if len(exon_scores) != len(transcript.exons):
            exon_scores = ()
        left_to_right = exon_scores if row.strand == "+" else exon_scores[::-1]
        scored = replace(transcript, score=score, exon_scores=left_to_right)
        if row.dna_scores and number < len(row.dna_scores):
            scored = replace(scored, attributes={"dna_score": (f"{row.dna_scores[number]:.4f}",)})
        known = best.get(scored.structure())
        if known is None or (score or 0.0) > (known.score or 0.0):
            best[scored.structure()] = scored
    return sorted(best.values(), key=lambda t: (-(t.score or 0.0), [(e.start, e.end) for e in t.exons]))


@dataclass(frozen=True)
class Placed:
    """A gene, its transcripts by their number in the gene sentence, and single transcripts that were left out."""

    gene: Gene
    transcripts: Mapping[int, Transcript]
    lost: tuple[Reject, ...] = ()


def to_gene(
    row: PredictionRow,
    *,
    lengths: Mapping[str, int] | None = None,
    min_confidence: float = 0.0,
    max_isoforms: int = 0,
    gene_id: str | None = None,
) -> Placed | Reject:
    """Place one prediction on the genome.

    Args:
        lengths: Bases of each seqid; without it the right end of the contig is not checked.
        max_isoforms: Best transcripts to keep, 0 for all.
        gene_id: ID of the gene; the source gene's by default. Transcripts are `<gene_id>.t1`, `.t2`, ...
    """
    if not row.gsf:
        if TOO_LONG in row.flags:
            return Reject(row.gene_id, TOO_LONG, f"{row.bases} bases")
        if NO_GENE in row.flags:
            return Reject(row.gene_id, NO_GENE, ",".join(flag for flag in row.flags if flag != NO_GENE))
        return Reject(row.gene_id, "no_prediction", ",".join(row.flags))
    confidence = _known(row.confidence)
    if min_confidence > 0 and (confidence or 0.0) < min_confidence:
        shown = "unknown" if confidence is None else f"{confidence:.4f}"
        return Reject(row.gene_id, "low_confidence", f"{shown} is below {min_confidence}")
    if lengths is not None and row.seqid not in lengths:
        return Reject(row.gene_id, "unknown_seqid", row.seqid)
    try:
        sentence = parse(row.gsf, seqid=row.seqid, gene_id=row.gene_id)
    except BadInputError as error:
        return Reject(row.gene_id, "bad_sentence", error.message)
    if sentence.strand != row.strand:
        return Reject(row.gene_id, "wrong_strand", f"{sentence.strand} instead of {row.strand}")
    if row.scores and len(row.scores) != len(sentence.transcripts):
        return Reject(row.gene_id, "score_count", f"{len(row.scores)} for {len(sentence.transcripts)} transcripts")
    kept, lost = _inside(row, sentence.transcripts, lengths)
    if not kept:
        return lost[0]
    placed = {number: row.window.transcript_to_genome(transcript) for number, transcript in kept.items()}
    chosen = _scored(row, placed)
    if max_isoforms:
        chosen = chosen[:max_isoforms]
    own_id = row.gene_id if gene_id is None else gene_id
    source = {"source_gene": (row.gene_id,)}
    named = tuple(
        replace(transcript, id=f"{own_id}.t{number}", attributes={**source, **transcript.attributes})
        for number, transcript in enumerate(chosen, start=1)
    )
    clipped = any(kept[number] != sentence.transcripts[number] for number in kept)
    flags = (*row.flags, CLIPPED) if clipped and CLIPPED not in row.flags else row.flags
    gene = Gene(
        id=own_id,
        seqid=row.seqid,
        strand=row.strand,
        interval=span([transcript.interval for transcript in named]),
        transcripts=named,
        attributes={**source, **({"flags": flags} if flags else {})},
        score=confidence,
    )
    return Placed(gene, placed, tuple(replace(reject, action="transcript_rejected") for reject in lost))


class Strands:
    """Which strand of a locus without one is the more probable; both were read, as `<name>_plus` and `<name>_minus`."""

    def __init__(self) -> None:
        self._best: dict[tuple[str, ...], tuple[float, str]] = {}

    def see(self, row: PredictionRow) -> None:
        """Take note of a row; of equals the plus strand wins."""
        if UNKNOWN_STRAND in row.flags:
            score = -1.0 if row.gsf is None else row.confidence or 0.0
            name, best = self._name(row), (score, row.strand)
            known = self._best.get(name)
            if known is None or (-score, row.strand) < (-known[0], known[1]):
                self._best[name] = best

    def refusal(self, row: PredictionRow) -> Reject | None:
        """The reason against the less probable strand."""
        if UNKNOWN_STRAND not in row.flags or row.gsf is None:
            return None
        score, strand = self._best[self._name(row)]
        if row.strand == strand:
            return None
        detail = f"{row.confidence or 0.0:.4f} on {row.strand}, {score:.4f} on {strand}"
        return Reject(row.gene_id, "other_strand", detail)

    @staticmethod
    def _name(row: PredictionRow) -> tuple[str, ...]:
        name = row.gene_id.removesuffix("_plus").removesuffix("_minus")
        return (row.sample, row.seqid, str(row.start), str(row.end), name)


class Identifiers:
    """Hands out gene IDs: the prefix and the source gene's ID, with `_2`, `_3` where one is taken.

    IDs that differ only in blanks and underscores are one name to BED and FASTA, so they count as equal; and no gene
    has the ID of a transcript.
    """

    def __init__(self, prefix: str = "") -> None:
        self._prefix = prefix
        self._taken: set[str] = set()

    def take(self, source_gene: str, transcripts: int = 0) -> str:
        """An ID whose transcripts `<ID>.t1`, ... are new as well."""
        wanted = f"{self._prefix}{source_gene}"
        given, number = wanted, 1
        while not self._taken.isdisjoint(names := self._names(given, transcripts)):
            number += 1
            given = f"{wanted}_{number}"
        self._taken.update(names)
        return given

    @staticmethod
    def _names(given: str, transcripts: int) -> list[str]:
        plain = re.sub(r"\s", "_", given)
        return [plain, *(f"{plain}.t{number}" for number in range(1, transcripts + 1))]


def place_all(
    rows: Iterable[PredictionRow],
    rejects: list[Reject],
    *,
    lengths: Mapping[str, int] | None = None,
    min_confidence: float = 0.0,
    max_isoforms: int = 0,
    id_prefix: str = "",
    strands: Strands | None = None,
    on_placed: Callable[[PredictionRow, Mapping[int, Transcript]], None] | None = None,
) -> Iterator[Gene]:
    """Genes sorted as the writer wants them, from rows sorted by `gather.row_key`.

    Args:
        rejects: Filled along the way.
        strands: Has seen all rows; of loci without a strand the more probable one is kept. None keeps both.
        on_placed: Called with each row that became a gene, and its transcripts by their number in the sentence.
    """
    identifiers = Identifiers(id_prefix)
    previous: PredictionRow | None = None
    waiting: list[tuple[tuple[str, int, int, str, str], Gene]] = []
    for row in rows:
        # A gene starts at or after its window, so whatever starts before this window can go out.
        while waiting and waiting[0][0][:2] < (row.seqid, row.window_start):
            yield heapq.heappop(waiting)[1]
        if previous is not None and _same_locus(previous, row):
            rejects.append(Reject(row.gene_id, "repeated_prediction", f"{row.seqid} {row.strand}"))
            continue
        previous = row
        placed: Placed | Reject | None = None if strands is None else strands.refusal(row)
        if placed is None:
            placed = to_gene(row, lengths=lengths, min_confidence=min_confidence, max_isoforms=max_isoforms)
        if isinstance(placed, Reject):
            rejects.append(placed)
            continue
        rejects += placed.lost
        gene = _renamed(placed.gene, identifiers.take(row.gene_id, len(placed.gene.transcripts)))
        heapq.heappush(waiting, (sort_key(gene), gene))
        if on_placed is not None:
            on_placed(row, placed.transcripts)
    while waiting:
        yield heapq.heappop(waiting)[1]


def _same_locus(left: PredictionRow, right: PredictionRow) -> bool:
    return (left.gene_id, left.seqid, left.strand, left.start, left.end, left.window_start, left.window_end) == (
        right.gene_id, right.seqid, right.strand, right.start, right.end, right.window_start, right.window_end,
    )  # fmt: skip


def _renamed(gene: Gene, new_id: str) -> Gene:
    if new_id == gene.id:
        return gene
    transcripts = tuple(
        replace(transcript, id=f"{new_id}.t{number}") for number, transcript in enumerate(gene.transcripts, start=1)
    )
    return replace(gene, id=new_id, transcripts=transcripts)
