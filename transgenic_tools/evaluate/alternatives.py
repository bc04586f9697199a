"""Alternatives only: the isoforms of a gene beyond its main one, which figures over all transcripts drown.

In: reference genes, predicted genes and their pairing; for augment, the prompt's isoforms. Out: per view and budget,
how many of the predicted further isoforms are right, how many of the reference's are found, and the splice events.
A surprise: what is taken off on the two sides differs: from the reference a gene's primary isoform (longest CDS), from
the prediction its best one (highest score, then longest CDS). So an extra that is the primary isoform counts as wrong
in `precision`, and where the likelier of two right isoforms is the shorter, neither counts. Two figures tell that:
`precision_with_primary` takes such an extra for right, `by_length` takes the longest CDS off on both sides.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from transgenic_tools.evaluate.events import EVENTS, find_events
from transgenic_tools.evaluate.genes import primary_of
from transgenic_tools.evaluate.metrics import Score, ratio, score_sets
from transgenic_tools.evaluate.pairing import Pairing
from transgenic_tools.evaluate.structures import Structure, View, cluster_loci, structure_of
from transgenic_tools.genome.gene import Gene, Transcript

#: Extra isoforms a reference gene, those with the highest scores over all genes; the last row takes all there are.
BUDGETS = (0.1, 0.25, 0.5, 1.0)

#: An isoform of one gene: in `cds` the CDS; in `transcript` the CDS and all introns, UTR introns too, without the ends.
Isoform = Hashable


def isoform_of(transcript: Transcript, view: View) -> Isoform | None:
    """What makes two transcripts of a gene the same isoform; None without a CDS in `cds`."""
    cds = structure_of(transcript, "cds")
    if view == "cds":
        return cds
    whole = structure_of(transcript, "transcript")
    return None if whole is None else (transcript.seqid, transcript.strand, cds and cds.parts, whole.introns)


@dataclass(frozen=True, kw_only=True)
class Predicted:
    """One predicted isoform of a gene.

    Attributes:
        score: The highest of its transcripts; infinite where one has none (it was given, or the tool has no scores).
        size: Bases of CDS and exons of its longest transcript; breaks ties inside a gene, as for the primary one.
        place: Of its first transcript in the file; breaks ties.
        structure: Of that transcript, for the events.
        known: It equals an alternative of the reference gene. `primary`: it equals the gene's primary isoform.
    """

    score: float
    size: tuple[int, int]
    place: int
    structure: Structure
    known: bool = False
    primary: bool = False

    @property
    def rank(self) -> tuple[float, int]:
        return -self.score, self.place

    @property
    def rank_by_length(self) -> tuple[int, int, int]:
        return -self.size[0], -self.size[1], self.place

    @property
    def rank_in_gene(self) -> tuple[float, int, int, int]:
        return -self.score, *self.rank_by_length


@dataclass(frozen=True, kw_only=True)
class AtBudget:
    """Extra isoforms up to a budget.

    Attributes:
        genes, alternatives: Reference genes, and their alternatives.
        extras, right, primary: Predicted extras; those that are alternatives; those that are a gene's primary isoform.
        right_by_length: Of the best isoforms and these extras, all but each gene's longest, those that are
            alternatives; None where isoforms were given.
        threshold: Lowest score of the extras taken; None where there are none or where it has no score.
        events: Splice events of the best isoforms and these extras, against those of all reference transcripts.
    """

    genes: int
    alternatives: int
    extras: int
    right: int
    primary: int
    right_by_length: int | None
    threshold: float | None
    events: Mapping[str, Score]

    def _score(self, right: int) -> Score:
        return Score(self.alternatives, right, self.extras, right)

    @property
    def score(self) -> Score:
        """Of the extras against the alternatives."""
        return self._score(self.right)

    @property
    def score_by_length(self) -> Score | None:
        """The same where the longest isoform is the main one on both sides."""
        return None if self.right_by_length is None else self._score(self.right_by_length)

    def to_json(self) -> dict[str, object]:
        by_length = self.score_by_length
        return _shares(self.score) | {
            "by_length": None if by_length is None else _shares(by_length) | {"right": self.right_by_length},
            "precision_with_primary": round(ratio(self.right + self.primary, self.extras), 6),
            "extras": self.extras,
            "extras_per_gene": round(ratio(self.extras, self.genes), 6),
            "right": self.right,
            "alternatives": self.alternatives,
            "threshold": None if self.threshold is None else round(self.threshold, 6),
            "events": {name: score.to_json() for name, score in self.events.items()},
        }


def _shares(score: Score) -> dict[str, object]:
    return {
        "precision": round(score.precision, 6), "recall": round(score.sensitivity, 6), "f1": round(score.f1, 6),
    }  # fmt: skip


@dataclass(frozen=True)
class Alternatives:
    """The rows of one view by name: `budget_0.1` and so on, and `all`."""

    rows: Mapping[str, AtBudget] = field(default_factory=dict)

    def to_json(self) -> dict[str, object]:
        return {name: row.to_json() for name, row in self.rows.items()}


def isoforms(genes: Iterable[Gene], view: View) -> set[Isoform]:
    """All isoforms of some genes."""
    return {i for gene in genes for t in gene.transcripts if (i := isoform_of(t, view)) is not None}


class _Prediction:
    """Predicted isoforms of one view: those that are no extras, and the extras.

    Args:
        given: Isoforms that are no extras; None: the best of each gene is none.
    """

    def __init__(self, view: View, places: Mapping[int, int], given: Collection[Isoform] | None) -> None:
        self.view, self.places, self.given = view, places, given
        self.first: list[Structure] = []
        self.extras: list[Predicted] = []
        self.genes: list[list[Predicted]] = []

    def add(
        self, transcripts: Sequence[Transcript], alternatives: Collection[Isoform], primary: Isoform | None = None
    ) -> None:
        """The predicted transcripts of one gene, with the reference's alternatives and primary isoform."""
        found: dict[Isoform, Predicted] = {}
        for transcript in transcripts:
            isoform, structure = isoform_of(transcript, self.view), structure_of(transcript, self.view)
            if isoform is None or structure is None:
                continue
            score = math.inf if transcript.score is None else transcript.score
            place = self.places[id(transcript)]
            old = found.get(isoform)
            found[isoform] = Predicted(
                score=score if old is None else max(score, old.score),
                size=transcript.size if old is None else max(transcript.size, old.size),
                place=place if old is None else min(place, old.place),
                structure=structure if old is None or place < old.place else old.structure,
                known=isoform in alternatives,
                primary=isoform == primary,
            )
        ranked = sorted(found.items(), key=lambda item: item[1].rank_in_gene)
        taken = {isoform for isoform, _ in ranked[:1]} if self.given is None else self.given
        self.first += [row.structure for isoform, row in ranked if isoform in taken]
        self.extras += [row for isoform, row in ranked if isoform not in taken]
        self.genes.append([row for _, row in ranked])

    def right_by_length(self, extras: Sequence[Predicted]) -> int:
        """How many alternatives there are among the best isoforms and some extras without each gene's longest."""
        taken = {id(row) for row in extras}
        right = 0
        for best, *others in filter(None, self.genes):
            written = [best, *(row for row in others if id(row) in taken)]
            main = min(written, key=lambda row: row.rank_by_length)
            right += sum(row.known for row in written if row is not main)
        return right


def _unpaired(prediction: Sequence[Gene], pairing: Pairing) -> Iterator[list[Transcript]]:
    """Predicted transcripts without a reference gene, by predicted gene."""
    lost = {id(t) for t in pairing.unpaired}
    for gene in prediction:
        some = [t for t in gene.transcripts if id(t) in lost]
        if some:
            yield some


def find_alternatives(
    reference: Sequence[Gene],
    prediction: Sequence[Gene],
    pairing: Pairing,
    view: View,
    *,
    given: Collection[Isoform] | None = None,
) -> Alternatives:
    """The further isoforms of one view.

    Args:
        reference: Genes with a CDS count.
        given: Of augment: isoforms of the prompt. Then the reference's alternatives are those that the prompt withheld,
            and the extras those that were added.
    """
    places = {id(t): i for i, t in enumerate(t for gene in prediction for t in gene.transcripts)}
    found, structures, genes, alternatives = _Prediction(view, places, given), list[Structure](), 0, 0
    for gene in reference:
        primary_transcript = primary_of(gene.transcripts)
        if primary_transcript is None:
            continue
        primary = isoform_of(primary_transcript, view)
        own = {isoform_of(t, view) for t in gene.coding_transcripts}
        none_of_these = (primary,) if given is None else given
        left = {i for i in own if i not in none_of_these}
        structures += [s for t in gene.coding_transcripts if (s := structure_of(t, view)) is not None]
        genes, alternatives = genes + 1, alternatives + len(left)
        found.add(pairing.by_gene.get(gene.id, ()), left, primary if given is None else None)
    for transcripts in _unpaired(prediction, pairing):
        found.add(transcripts, ())
    extras = sorted(found.extras, key=lambda row: row.rank)
    sizes = {f"budget_{budget:g}": min(len(extras), int(budget * genes + 1e-9)) for budget in BUDGETS}
    events = _events(structures, found.first, [row.structure for row in extras], [*sizes.values(), len(extras)])
    return Alternatives(
        {
            name: AtBudget(
                genes=genes,
                alternatives=alternatives,
                extras=size,
                right=sum(row.known for row in extras[:size]),
                primary=sum(row.primary for row in extras[:size]),
                right_by_length=found.right_by_length(extras[:size]) if given is None else None,
                threshold=extras[size - 1].score if size and math.isfinite(extras[size - 1].score) else None,
                events=events[size],
            )
            for name, size in (*sizes.items(), ("all", len(extras)))
        }
    )


def _events(
    reference: Sequence[Structure], first: Sequence[Structure], extras: Sequence[Structure], sizes: Sequence[int]
) -> dict[int, dict[str, Score]]:
    """Number of extras -> event type -> score. Loci with one structure in all are passed over: they hold no event."""
    known = find_events(sorted(set(reference), key=lambda s: s.sort_key))
    everything = sorted({*first, *extras}, key=lambda s: s.sort_key)
    crowded = {s for locus in cluster_loci(everything) if len(locus) > 1 for s in locus}
    out: dict[int, dict[str, Score]] = {}
    for size in set(sizes):
        made = find_events(sorted({*first, *extras[:size]} & crowded, key=lambda s: s.sort_key))
        out[size] = {name: score_sets(known[name], made[name]) for name in EVENTS}
    return out
