"""How one isoform differs from another: splicing events with their places.

In: two sets of exons of one strand, or two transcripts. Out: `Difference`s, left to right.
A surprise: exons are compared inside the span that both cover, so a shorter transcript does not lack what lies beyond
its ends; for coding transcripts their start and stop codons are compared too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from transgenic_tools.genome.gene import Transcript
from transgenic_tools.genome.interval import Interval, Intervals, Strand, clip, gaps, span, subtract

#: Kinds of difference. `other_intron`: an intron without any edge in common with the other isoform. The last two are
#: of a transcript that is another one with UTRs.
KINDS = (
    "alternative_5ss",
    "alternative_3ss",
    "exon_skipping",
    "exon_inclusion",
    "intron_retention",
    "intron_gain",
    "other_intron",
    "other_start",
    "other_stop",
    "other_exons_beyond",
    "five_prime_UTR",
    "three_prime_UTR",
)


@dataclass(frozen=True, order=True, slots=True)
class Difference:
    """One event; `place` is what is spliced in or out, or the bases between two sites, or a start or stop codon."""

    place: Interval
    kind: str


def _between(a: int, b: int) -> Interval:
    return Interval(min(a, b), max(a, b))


def _of_intron(
    intron: Interval, ours: set[Interval], theirs: set[Interval], parts: Intervals, strand: Strand
) -> Difference:
    """What an intron of ours does that no intron of theirs does."""
    left_end, right_end = ("alternative_5ss", "alternative_3ss")[:: 1 if strand == "+" else -1]
    same_start = [t for t in theirs if t.start == intron.start]
    same_end = [t for t in theirs if t.end == intron.end]
    if same_start and same_end:
        return Difference(Interval(min(t.end for t in same_start), max(t.start for t in same_end)), "exon_skipping")
    starts, ends = {i.start for i in ours}, {i.end for i in ours}
    around = [t for t in theirs - ours if (t in same_start and t.end in ends) or (t in same_end and t.start in starts)]
    if around:
        inner = sorted(i for i in ours if around[0].contains(i))
        return Difference(Interval(inner[0].end, inner[-1].start), "exon_inclusion")
    if same_start:
        return Difference(_between(intron.end, same_start[0].end), right_end)
    if same_end:
        return Difference(_between(intron.start, same_end[0].start), left_end)
    return Difference(intron, "intron_gain" if any(p.contains(intron) for p in parts) else "other_intron")


def splice_differences(ours: Intervals, theirs: Intervals, strand: Strand) -> tuple[Difference, ...]:
    """What sets our exons apart from theirs inside the span of both; both disjoint, sorted, on this strand."""
    both = span(ours).intersect(span(theirs))
    if both is None:
        return ()
    own, other = ({i for i in gaps(parts) if i.overlaps(both)} for parts in (ours, theirs))
    found = {_of_intron(intron, own, other, theirs, strand) for intron in own - other}
    for intron in other - own:
        if any(p.contains(intron) for p in ours):
            found.add(Difference(intron, "intron_retention"))
        elif not any(intron.overlaps(i) for i in own):
            found.add(Difference(intron, "other_intron"))
    return tuple(sorted(found))


def is_run(part: Intervals, whole: Intervals) -> bool:
    """True where `whole` holds `part` in a row."""
    return not part or any(whole[i : i + len(part)] == part for i in range(len(whole) - len(part) + 1))


def is_known(new: Transcript, known: Transcript) -> bool:
    """True where `known` has the same CDS and, between the ends of `new`, the same introns.

    The ends of the UTRs do not count: they say where transcription starts and stops, not how it is spliced.
    """
    return new.cds == known.cds and gaps(clip(known.exons, new.interval)) == new.introns


def without_shorter(transcripts: Sequence[Transcript]) -> list[Transcript]:
    """All but those that another one shows with more UTR: the same CDS and exons, and some beyond them."""

    def is_shorter(one: Transcript, other: Transcript) -> bool:
        same = bool(one.cds) and one.cds == other.cds and one.interval != other.interval
        return same and clip(other.exons, one.interval) == one.exons

    return [one for one in transcripts if not any(is_shorter(one, other) for other in transcripts)]


def transcript_differences(new: Transcript, known: Transcript) -> tuple[Difference, ...]:
    """As `splice_differences`, with start and stop codons, and exons beyond the other's span where nothing else is."""
    found = set(splice_differences(new.exons, known.exons, new.strand))
    if new.cds and known.cds:
        left, right = ("other_start", "other_stop") if new.strand == "+" else ("other_stop", "other_start")
        if new.cds[0].start != known.cds[0].start:
            found.add(Difference(Interval(new.cds[0].start, new.cds[0].start + 3), left))
        if new.cds[-1].end != known.cds[-1].end:
            found.add(Difference(Interval(new.cds[-1].end - 3, new.cds[-1].end), right))
    if not found:
        found |= {Difference(i, "other_exons_beyond") for i in set(new.introns) ^ set(known.introns)}
    return tuple(sorted(found))


def utr_differences(longer: Transcript, known: Transcript) -> tuple[Difference, ...]:
    """The UTRs of `longer` beyond the ends of `known`, exon by exon; both coding, of one strand."""
    left, right = ("five_prime_UTR", "three_prime_UTR")[:: 1 if known.strand == "+" else -1]
    return tuple(
        Difference(part, left if part.end <= known.cds[0].start else right)
        for part in subtract(longer.exons, (known.interval,))
    )


def nearest(new: Transcript, known: Sequence[Transcript]) -> Transcript | None:
    """The known transcript with most introns in common, then fewest differences, then the first."""
    introns = set(new.introns)
    return min(
        known,
        key=lambda t: (-len(introns & set(t.introns)), len(transcript_differences(new, t))),
        default=None,
    )
