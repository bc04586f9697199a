"""Known transcripts without UTRs get those that are predicted: beside them, or in their own lines.

In: known and predicted transcripts of a gene, and where the known ones stand in their file. Out: `Longer`, a known
transcript with exons that reach further, and the changes of lines that make it so.
A surprise: genes that were annotated by their CDS end with their codons, so their lines must grow; they grow to the
next gene of their strand at most.
"""

from __future__ import annotations

import bisect
import sys
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from transgenic_tools.genome.gene import Gene, Transcript
from transgenic_tools.genome.interval import Interval, clip, merge
from transgenic_tools.genome.splicing import is_known, is_run, without_shorter
from transgenic_tools.io.gff3.layout import TranscriptLines
from transgenic_tools.io.gff3.writer import lines_beyond


@dataclass(frozen=True, kw_only=True)
class Longer:
    """`known`, and the same with UTRs that it lacks: its ID, but score and exon scores of the prediction."""

    known: Transcript
    transcript: Transcript


@dataclass(frozen=True, kw_only=True)
class InPlace:
    """Changes of a transcript's own lines: numbers of lines whose place moves, and lines behind number `after`."""

    moved: dict[int, Interval]
    after: int
    new: list[str]


def _longer(predicted: Transcript, known: Transcript) -> Transcript | None:
    """`known` with the predicted exons on the sides where it has no UTR; None where it is another isoform."""
    if not known.cds or predicted.cds != known.cds or not is_run(known.introns, predicted.introns):
        return None
    whole, inside, reach = known.interval, predicted.interval, known.interval
    before, behind = known.lacks_utrs
    if before:
        reach = Interval(min(inside.start, reach.start), reach.end)
    if behind:
        reach = Interval(reach.start, max(inside.end, reach.end))
    exons = merge([*clip(predicted.exons, reach), *known.exons])
    made = replace(predicted, id=known.id, exons=exons, exon_scores=())
    return made if reach != whole and made.introns == predicted.introns else None


def without_utrs(predicted: Transcript, known: Iterable[Transcript]) -> Transcript | None:
    """The first known transcript that is the predicted one, but for UTRs that it lacks."""
    return next((transcript for transcript in known if _longer(predicted, transcript) is not None), None)


def split_off(predicted: Sequence[Transcript], known: Sequence[Transcript]) -> tuple[list[Longer], list[Transcript]]:
    """Predicted transcripts that are known ones with UTRs, one for each, and the others.

    A known transcript whose isoform another known one shows with more of its UTRs needs none.
    """
    bare = without_shorter(known)
    longer: list[Longer] = []
    others: list[Transcript] = []
    done: set[str] = set()
    for transcript in predicted:
        shown = any(is_known(transcript, t) and not any(t.lacks_utrs) for t in known)
        made = None if shown else next(
            ((t, m) for t in bare if t.id not in done and (m := _longer(transcript, t)) is not None), None
        )  # fmt: skip
        if made is None:
            others.append(transcript)
        else:
            done.add(made[0].id)
            longer.append(Longer(known=made[0], transcript=made[1]))
    return longer, others


class Rooms:
    """How far genes may grow: to the next ones on their strand."""

    def __init__(self, genes: Iterable[Gene]) -> None:
        self._starts: dict[tuple[str, str], list[int]] = defaultdict(list)
        self._ends: dict[tuple[str, str], list[int]] = defaultdict(list)
        for gene in genes:
            self._starts[gene.seqid, gene.strand].append(gene.interval.start)
            self._ends[gene.seqid, gene.strand].append(gene.interval.end)
        for places in (*self._starts.values(), *self._ends.values()):
            places.sort()

    def of(self, gene: Gene) -> Interval:
        """The gene and the free places around it; genes that overlap it do not count."""
        starts, ends = self._starts[gene.seqid, gene.strand], self._ends[gene.seqid, gene.strand]
        before = bisect.bisect_right(ends, gene.interval.start)
        behind = bisect.bisect_left(starts, gene.interval.end)
        return Interval(
            ends[before - 1] if before else 0, starts[behind] if behind < len(starts) else sys.maxsize
        )  # fmt: skip


def in_place(longer: Longer, lines: TranscriptLines | None) -> InPlace | None:
    """How the lines of a known transcript change; None where they cannot: others share them, or they are not plain."""
    known, transcript = longer.known, longer.transcript
    if lines is None or lines.shared or tuple(place for _, place in lines.exons) not in ((), known.exons):
        return None
    moved = {lines.own: transcript.interval}
    for number, place in lines.exons:
        (exon,) = (exon for exon in transcript.exons if exon.contains(place))
        if exon != place:
            moved[number] = exon
    new = lines_beyond(transcript, known.interval, exons=bool(lines.exons))
    return InPlace(moved=moved, after=lines.last, new=new)
