"""One prediction row to one gene in genome coordinates.

In: a `PredictionRow`. Out: a `Gene`, or a `Reject` with the reason; never an exception for bad content.
A surprise: transcripts are numbered by falling score, so `.t1` is the one the model believes in most.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from transgenic_tools.backmap.reasons import Reject
from transgenic_tools.errors import BadInputError
from transgenic_tools.genome.gene import Gene, Transcript
from transgenic_tools.genome.interval import span
from transgenic_tools.gsf import parse
from transgenic_tools.io.gff3.writer import sort_key
from transgenic_tools.io.rows import PredictionRow


def _known(score: float | None) -> float | None:
    return None if score is None or math.isnan(score) else float(score)


def _check_place(
    row: PredictionRow, transcripts: Sequence[Transcript], lengths: Mapping[str, int] | None
) -> Reject | None:
    """The first reason why these transcripts (genome coordinates may not exist yet) cannot be placed."""
    size = row.window_end - row.window_start
    for number, transcript in enumerate(transcripts, start=1):
        inside = transcript.interval
        if inside.end > size:
            return Reject(row.gene_id, "outside_window", f"transcript {number} ends at {inside.end} of {size}")
        left = row.window_start + (inside.start if row.strand == "+" else size - inside.end)
        right = left + len(inside)
        if left < 0:
            return Reject(row.gene_id, "outside_contig", f"transcript {number} starts {-left} bases before {row.seqid}")
        if lengths is not None and right > lengths[row.seqid]:
            past = right - lengths[row.seqid]
            return Reject(row.gene_id, "outside_contig", f"transcript {number} ends {past} bases past {row.seqid}")
    return None


def _scored(row: PredictionRow, transcripts: Sequence[Transcript]) -> list[Transcript]:
    """Transcripts in genome coordinates with scores, equal structures joined, best first."""
    best: dict[object, Transcript] = {}
    for number, transcript in enumerate(transcripts):
        score = _known(row.scores[number]) if row.scores else None
        exon_scores = tuple(row.exon_scores[number]) if number < len(row.exon_scores) else ()
        if len(exon_scores) != len(transcript.exons):
            exon_scores = ()
        placed = row.window.transcript_to_genome(transcript)
        left_to_right = exon_scores if row.strand == "+" else exon_scores[::-1]
        placed = replace(placed, score=score, exon_scores=left_to_right)
        known = best.get(placed.structure())
        if known is None or (score or 0.0) > (known.score or 0.0):
            best[placed.structure()] = placed
    return sorted(best.values(), key=lambda t: (-(t.score or 0.0), [(e.start, e.end) for e in t.exons]))


def to_gene(
    row: PredictionRow,
    *,
    lengths: Mapping[str, int] | None = None,
    min_confidence: float = 0.0,
    max_isoforms: int = 0,
    gene_id: str | None = None,
) -> Gene | Reject:
    """Place one prediction on the genome.

    Args:
        lengths: Bases of each seqid; without it the right end of the contig is not checked.
        max_isoforms: Best transcripts to keep, 0 for all.
        gene_id: ID of the gene; the source gene's by default. Transcripts are `<gene_id>.t1`, `.t2`, ...
    """
    if not row.gsf:
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
    refused = _check_place(row, sentence.transcripts, lengths)
    if refused is not None:
        return refused
    chosen = _scored(row, sentence.transcripts)
    if max_isoforms:
        chosen = chosen[:max_isoforms]
    own_id = row.gene_id if gene_id is None else gene_id
    source = {"source_gene": (row.gene_id,)}
    named = tuple(
        replace(transcript, id=f"{own_id}.t{number}", attributes=source)
        for number, transcript in enumerate(chosen, start=1)
    )
    return Gene(
        id=own_id,
        seqid=row.seqid,
        strand=row.strand,
        interval=span([transcript.interval for transcript in named]),
        transcripts=named,
        attributes={**source, **({"flags": row.flags} if row.flags else {})},
        score=confidence,
    )


class Identifiers:
    """Hands out gene IDs: the prefix and the source gene's ID, with `_2`, `_3` where one is taken."""

    def __init__(self, prefix: str = "") -> None:
        self._prefix = prefix
        self._taken: set[str] = set()

    def take(self, source_gene: str) -> str:
        wanted = f"{self._prefix}{source_gene}"
        given, number = wanted, 1
        while given in self._taken:
            number += 1
            given = f"{wanted}_{number}"
        self._taken.add(given)
        return given


def place_all(
    rows: Iterable[PredictionRow],
    rejects: list[Reject],
    *,
    lengths: Mapping[str, int] | None = None,
    min_confidence: float = 0.0,
    max_isoforms: int = 0,
    id_prefix: str = "",
    on_placed: Callable[[PredictionRow], None] | None = None,
) -> Iterator[Gene]:
    """Genes sorted as the writer wants them, from rows sorted by `gather.row_key`.

    Args:
        rejects: Filled along the way.
        on_placed: Called with each row that became a gene.
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
        placed = to_gene(row, lengths=lengths, min_confidence=min_confidence, max_isoforms=max_isoforms)
        if isinstance(placed, Reject):
            rejects.append(placed)
            continue
        gene = _renamed(placed, identifiers.take(row.gene_id))
        heapq.heappush(waiting, (sort_key(gene), gene))
        if on_placed is not None:
            on_placed(row)
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
