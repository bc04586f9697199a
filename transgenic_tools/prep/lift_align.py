"""From one spliced alignment to the exons of a coding sequence in a related genome, exact to the base, or a reason.

In: a source transcript's CDS (bases, segment lengths) and one hit of it on a target genome. Out: a `LiftedCds` in
window coordinates, or a `Refusal` with the reason.
A surprise: the junctions are set by the source's, not by the aligner: each intron is moved to where the source's
junction lies in the alignment, and must then show a splice signal there (or one codon beside it, on one side).
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from transgenic_tools.genome.code import STANDARD
from transgenic_tools.genome.interval import Interval, Intervals


class Hit(Protocol):
    """What is used of `mappy.Alignment`."""

    @property
    def ctg(self) -> str: ...
    @property
    def r_st(self) -> int: ...
    @property
    def r_en(self) -> int: ...
    @property
    def q_st(self) -> int: ...
    @property
    def q_en(self) -> int: ...
    @property
    def strand(self) -> int: ...
    @property
    def is_primary(self) -> int: ...
    @property
    def mlen(self) -> int: ...
    @property
    def blen(self) -> int: ...
    @property
    def cigar(self) -> Sequence[Sequence[int]]: ...


@dataclass(frozen=True)
class AlignConfig:
    """What a lifted CDS must show.

    Attributes:
        k, w: Minimizer length and window of the aligner; smaller finds more diverged exons.
        min_identity: Equal columns over alignment columns, introns left out.
        second_best: A second place whose score reaches this share of the best one's makes the gene not unique.
        utr: Bases of UTR on each side that are aligned too where the CDS alone does not suffice.
        max_clip: Unaligned bases allowed at each end of the CDS; they are added without gaps.
        max_shift: Bases between an intron of the alignment and the source's junction.
        min_intron, max_intron: Bases of an intron.
    """

    k: int = 12
    w: int = 4
    min_identity: float = 0.8
    second_best: float = 0.9
    utr: int = 50
    max_clip: int = 6
    max_shift: int = 12
    min_intron: int = 20
    max_intron: int = 20_000


@dataclass(frozen=True)
class Refusal:
    """Why a transcript was not lifted: a key of `io.rejects.LIFT` and the value that was seen."""

    reason: str
    detail: str = ""


@dataclass(frozen=True)
class SourceCds:
    """A coding sequence to be lifted.

    Attributes:
        query: Spliced bases 5' to 3': the CDS with its stop codon, and UTR beside it where wanted.
        lengths: Of the CDS segments, 5' to 3'.
        lead: Bases of 5' UTR in `query`.
    """

    query: str
    lengths: tuple[int, ...]
    lead: int = 0

    @property
    def end(self) -> int:
        """Index in `query` behind the stop codon."""
        return self.lead + sum(self.lengths)

    @property
    def coding(self) -> str:
        return self.query[self.lead : self.end]

    @property
    def junctions(self) -> tuple[int, ...]:
        """Index in `query` of the first base after each intron of the CDS."""
        return tuple(itertools.accumulate(self.lengths[:-1], initial=self.lead))[1:]


@dataclass(frozen=True)
class LiftedCds:
    """CDS segments 5' to 3', in the coordinates of the window text given to `place`."""

    segments: Intervals


@dataclass(frozen=True)
class _AlignedIntron:
    """An intron of the alignment: before query base `query`, target bases [start, end)."""

    query: int
    start: int
    end: int


def coding_fault(coding: str) -> Refusal | None:
    """The first thing that keeps `coding` from being one complete open reading frame, or None."""
    if set(coding) - set("ACGT"):
        return Refusal("unknown_base")
    if len(coding) % 3:
        return Refusal("frame", f"{len(coding)} bases")
    if not coding.startswith(STANDARD.start_codons):
        return Refusal("start_codon", coding[:3])
    protein = STANDARD.translate(coding)
    if not protein.endswith("*"):
        return Refusal("stop_codon", coding[-3:])
    if "*" in protein[:-1]:
        return Refusal("stop_inside", f"codon {protein.index('*') + 1} of {len(protein)}")
    return None


def score(hit: Hit) -> int:
    """Equal minus unequal alignment columns; what hits of one query are compared by."""
    return 2 * hit.mlen - hit.blen


def identity(hit: Hit) -> float:
    """Equal columns over all columns but introns."""
    return hit.mlen / max(1, hit.blen)


def best_hit(hits: Sequence[Hit], *, config: AlignConfig) -> Hit | Refusal:
    """The one place that aligns clearly better than every other."""
    if not hits:
        return Refusal("unmapped")
    first, *others = sorted(hits, key=lambda hit: (-score(hit), hit.ctg, hit.r_st))
    if others and score(others[0]) >= config.second_best * score(first):
        detail = f"{others[0].ctg}:{others[0].r_st} scores {score(others[0])} against {score(first)}"
        return Refusal("not_unique", detail)
    if identity(first) < config.min_identity:
        return Refusal("low_identity", f"{identity(first):.3f}")
    return first


def _steps(hit: Hit, begin: int) -> Iterator[tuple[int, int, int, int]]:
    """(operation, length, query index, target index) 5' to 3' along the query; `begin` is the first target index."""
    query, target = hit.q_st, begin
    for length, operation in hit.cigar if hit.strand > 0 else reversed(hit.cigar):
        yield operation, length, query, target
        if operation in (0, 1, 7, 8):
            query += length
        if operation in (0, 2, 3, 7, 8):
            target += length


def _target_of(index: int, hit: Hit, begin: int) -> int:
    """Target index of a query base; ends that are not aligned are added without gaps."""
    if index < hit.q_st:
        return begin - (hit.q_st - index)
    if index >= hit.q_en:
        return begin + (hit.r_en - hit.r_st) + (index - hit.q_en)
    for operation, length, query, target in _steps(hit, begin):
        if operation in (0, 1, 7, 8) and query <= index < query + length:
            return target if operation == 1 else target + index - query
    raise ValueError(f"query base {index} is not in the alignment")


def _anchor(intron: _AlignedIntron, junction: int, text: str) -> Interval | None:
    """The intron with splice signals, moved to the source's junction or by one codon on one side; None without."""
    shift = junction - intron.query
    for left, right in ((0, 0), (0, -3), (0, 3), (-3, 0), (3, 0)):
        start, end = intron.start + shift + left, intron.end + shift + right
        if not 0 <= start < end - 4 or end > len(text):
            continue
        pair = (text[start : start + 2], text[end - 2 : end])
        if pair == STANDARD.splice_pairs[0] or (not left and not right and pair in STANDARD.all_pairs):
            return Interval(start, end)
    return None


def _introns(cds: SourceCds, hit: Hit, begin: int, text: str, config: AlignConfig) -> list[Interval] | Refusal:
    steps = _steps(hit, begin)
    introns_found = [_AlignedIntron(query, at, at + length) for op, length, query, at in steps if op == 3]
    found = [intron for intron in introns_found if cds.lead < intron.query < cds.end]
    junctions = cds.junctions
    if len(found) != len(junctions):
        return Refusal("intron_count", f"{len(found)} instead of {len(junctions)}")
    introns = []
    for intron, junction in zip(found, junctions, strict=True):
        if abs(junction - intron.query) > config.max_shift:
            return Refusal("intron_moved", f"CDS base {intron.query - cds.lead} instead of {junction - cds.lead}")
        anchored = _anchor(intron, junction, text)
        if anchored is None:
            return Refusal(
                "splice_site", f"{text[intron.start : intron.start + 2]}-{text[intron.end - 2 : intron.end]}"
            )
        if not config.min_intron <= len(anchored) <= config.max_intron:
            return Refusal("intron_length", f"{len(anchored)} bases")
        introns.append(anchored)
    return introns


def place(cds: SourceCds, hit: Hit, text: str, *, begin: int, config: AlignConfig) -> LiftedCds | Refusal:
    """Exons of the CDS in the target.

    Args:
        text: The target around the hit, 5' to 3' on the hit's strand, upper case.
        begin: Index in `text` of the first aligned base (5' end of the hit).
    """
    ahead, behind = max(0, hit.q_st - cds.lead), max(0, cds.end - hit.q_en)
    if max(ahead, behind) > config.max_clip or ahead >= cds.lengths[0] or behind >= cds.lengths[-1]:
        return Refusal("clipped", f"{ahead} bases at the 5' end, {behind} at the 3' end")
    start, end = _target_of(cds.lead, hit, begin), _target_of(cds.end - 1, hit, begin) + 1
    if start < 0 or end > len(text):
        return Refusal("clipped", "the target sequence ends")
    introns = _introns(cds, hit, begin, text, config)
    if isinstance(introns, Refusal):
        return introns
    borders = [start, *itertools.chain.from_iterable((i.start, i.end) for i in introns), end]
    pairs = list(zip(borders[::2], borders[1::2], strict=True))
    if any(right <= left for left, right in pairs):
        return Refusal("frame", "a CDS segment is empty")
    segments = tuple(Interval(left, right) for left, right in pairs)
    for number, (segment, length) in enumerate(zip(segments, cds.lengths, strict=True), start=1):
        if (len(segment) - length) % 3:
            return Refusal("frame", f"CDS segment {number} has {len(segment)} bases instead of {length}")
    fault = coding_fault("".join(text[s.start : s.end] for s in segments))
    return fault or LiftedCds(segments)
