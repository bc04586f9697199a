"""What junction counts by sample say about choices of splicing, gene by gene.

In: a gene's junctions in coordinates of its window, with reads by sample. Out: `Choice`s: options, each a set of splice
sites, of which each transcript takes one.
Dims: J junctions, S samples, O options.
Two kinds of choice:

- **competition**: junctions that share a donor (or an acceptor). An option is all that a transcript takes on the way to
  where the options meet again: of a skipped exon's two ways one is the skipping junction's acceptor, the other the
  exon's two ends and the second junction's acceptor. So a shift means the same here as on a path of the lattice.
- **retention**: introns of one gene without competitors. Junctions do not show reads that run through an intron, but
  an intron that is retained in some samples has fewer reads there than its neighbours.

A surprise: how often each option is taken over all samples is given, not learned; only the differences between samples
are.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from transgenic_tools.lattice.condition import ACCEPTOR_SIDE, DONOR_SIDE
from transgenic_tools.lattice.support import strongest_at

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
#: A splice site of a window: side (`lattice.condition`) and index.
SpliceSite = tuple[int, int]

#: A junction counts with so many reads in all samples, and such a share of the strongest at one of its ends.
LEAST_READS, LEAST_SHARE = 5, 0.01
#: A choice counts with so many reads, in at least two samples of so many each.
LEAST_CHOICE_READS, LEAST_SAMPLE_READS = 20, 5
#: An intron with this share of its gene's strongest ones is taken as spliced in this share of the transcripts.
_MOST_SPLICED, _LEAST_SPLICED, _STRONG = 0.97, 0.03, 0.8
#: A junction with less than this share of an intron's reads does not compete with it.
_NOTICED = 0.05


@dataclass(frozen=True, kw_only=True, eq=False)
class GeneJunctions:
    """Junctions of one gene in window coordinates.

    Attributes:
        donor, acceptor: (J,) first and last base of the intron.
        reads: (J, S).
    """

    donor: Ints
    acceptor: Ints
    reads: Floats

    def __len__(self) -> int:
        return len(self.donor)

    def take(self, chosen: npt.NDArray[np.bool_]) -> GeneJunctions:
        """Some of them."""
        return GeneJunctions(donor=self.donor[chosen], acceptor=self.acceptor[chosen], reads=self.reads[chosen])


@dataclass(frozen=True, kw_only=True, eq=False)
class Choice:
    """Options of which each transcript takes one.

    Attributes:
        sites: (O,) splice sites of each option.
        reads: (O, S).
        base: (O,) log of the share of each over the samples.
        spliced: (O,) of retention, logit of the share in which each intron is spliced; None for competition.
        junctions: (O,) the junction, as indices of donor and acceptor, that counts for each option.
    """

    sites: tuple[tuple[SpliceSite, ...], ...]
    reads: Floats
    base: Floats
    spliced: Floats | None
    junctions: tuple[tuple[int, int], ...]


def _shares(reads: Floats) -> Floats:
    """(O,) mean share over the samples; a sample with few reads counts less."""
    total = reads.sum(0)
    weight = total / (total + 10.0)
    share = (reads + 0.5) / (total + 0.5 * len(reads))
    mean: Floats = (share * weight).sum(1) / max(weight.sum(), 1e-9)
    return mean


def _enough(reads: Floats) -> bool:
    """Whether options are seen often enough to say something about differences."""
    total = reads.sum(0)
    return bool(total.sum() >= LEAST_CHOICE_READS and (total >= LEAST_SAMPLE_READS).sum() >= 2)


def clean(junctions: GeneJunctions) -> GeneJunctions:
    """Without junctions that are too weak to say anything."""
    total = junctions.reads.sum(1)
    strongest = np.maximum(strongest_at(junctions.donor, total), strongest_at(junctions.acceptor, total))
    return junctions.take((total >= LEAST_READS) & (total >= LEAST_SHARE * strongest))


def _way(junctions: GeneJunctions, total: Floats, low: int, high: int) -> tuple[SpliceSite, ...]:
    """Sites of the introns that a transcript most likely has between two positions, both outside of them."""
    inside = np.flatnonzero((junctions.donor > low) & (junctions.acceptor < high))
    taken: list[int] = []
    for index in sorted(inside.tolist(), key=lambda i: (-total[i], i)):
        donor, acceptor = junctions.donor[index], junctions.acceptor[index]
        if all(acceptor < junctions.donor[other] or donor > junctions.acceptor[other] for other in taken):
            taken.append(index)
    return tuple(
        site
        for index in taken
        for site in ((DONOR_SIDE, int(junctions.donor[index])), (ACCEPTOR_SIDE, int(junctions.acceptor[index])))
    )


def _competition(junctions: GeneJunctions, total: Floats, members: Ints, *, shared: int) -> Choice | None:
    """The choice among junctions that share an end.

    Args:
        shared: Side of the end that they share.
    """
    reads = junctions.reads[members]
    if len(members) < 2 or not _enough(reads):
        return None
    sites: list[tuple[SpliceSite, ...]] = []
    farthest = junctions.acceptor[members].max() if shared == DONOR_SIDE else junctions.donor[members].min()
    for index in members.tolist():
        donor, acceptor = int(junctions.donor[index]), int(junctions.acceptor[index])
        if shared == DONOR_SIDE:
            sites.append(((ACCEPTOR_SIDE, acceptor), *_way(junctions, total, acceptor, farthest + 1)))
        else:
            sites.append(((DONOR_SIDE, donor), *_way(junctions, total, farthest - 1, donor)))
    ends = tuple((int(junctions.donor[i]), int(junctions.acceptor[i])) for i in members)
    return Choice(sites=tuple(sites), reads=reads, base=np.log(_shares(reads)), spliced=None, junctions=ends)


def _retention(junctions: GeneJunctions, total: Floats, alone: npt.NDArray[np.bool_]) -> Choice | None:
    """The introns of a gene that no junction competes with, against each other."""
    members = np.flatnonzero(alone & (total >= LEAST_CHOICE_READS / 2))
    if len(members) < 3:
        return None
    reads = junctions.reads[members]
    if not _enough(reads):
        return None
    share = np.clip(total[members] / np.quantile(total[members], _STRONG), 0.0, 1.0) * _MOST_SPLICED
    share = np.clip(share, _LEAST_SPLICED, _MOST_SPLICED)
    ends = tuple((int(junctions.donor[i]), int(junctions.acceptor[i])) for i in members)
    return Choice(
        sites=tuple(((DONOR_SIDE, donor), (ACCEPTOR_SIDE, acceptor)) for donor, acceptor in ends),
        reads=reads,
        base=np.log(_shares(reads)),
        spliced=np.log(share / (1.0 - share)),
        junctions=ends,
    )


def _contested(junctions: GeneJunctions, total: Floats) -> npt.NDArray[np.bool_]:
    """(J,) whether other junctions that cover some base of each have a noticeable part of its reads."""
    donor, acceptor = junctions.donor, junctions.acceptor
    overlaps = (donor[:, None] <= acceptor[None]) & (acceptor[:, None] >= donor[None])
    np.fill_diagonal(overlaps, False)
    return np.asarray((overlaps & (total[None] > _NOTICED * total[:, None])).any(1))


def choices_of(junctions: GeneJunctions) -> list[Choice]:
    """All choices of one gene that its reads say something about."""
    junctions = clean(junctions)
    if len(junctions) < 2:
        return []
    total = junctions.reads.sum(1)
    found: list[Choice | None] = []
    for side, ends in ((DONOR_SIDE, junctions.donor), (ACCEPTOR_SIDE, junctions.acceptor)):
        for place in np.unique(ends):
            found.append(_competition(junctions, total, np.flatnonzero(ends == place), shared=side))
    found.append(_retention(junctions, total, ~_contested(junctions, total)))
    return [choice for choice in found if choice is not None]
