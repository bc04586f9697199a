"""Junction counts as a sequencing run would give them, for fitting how much evidence counts where no reads are at hand.

In: a gene with its known transcripts and its sequence, and a depth. Out: `WindowEvidence`, or None without a junction.
A surprise: no read is made. Counts are drawn: expression log-normal over genes, a share for each transcript, Poisson
reads for each junction, fewer near a transcript's ends, as paired reads have them; junctions that no annotation has, as
many and as strong as those of TAIR's RNA-seq set of eleven tissues (76 genes: 1.2 for each known intron, two in three
share one end with one, median 0.3 % of its reads); and reads that go on unspliced, of other isoforms and of molecules
that are not spliced yet.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from transgenic_tools.genome.code import STANDARD, dinucleotides
from transgenic_tools.genome.gene import Transcript
from transgenic_tools.lattice.evidence import WindowEvidence
from transgenic_tools.train.examples import Example

#: Reads of a junction of a gene of mean expression, for each million reads of the genome (27,000 genes, reads of 100
#: bases with anchors of 8); sigma of the log-normal expression.
_READS_PER_MILLION, _EXPRESSION_SIGMA = 2.0, 2.0
#: Unknown junctions for each known one; how many share both, one or no end with known introns; median and sigma of
#: their reads as a share of a known junction's.
_UNKNOWN, _UNKNOWN_KINDS = 1.2, (0.05, 0.67, 0.28)
_UNKNOWN_SHARE, _UNKNOWN_SIGMA = 0.003, 1.7
#: Bases within which an unknown donor or acceptor lies beside a known one.
_NEAR = 200
#: Share of windows for which full-length reads are at hand too, and their number at mean expression.
_WITH_CHAINS, _CHAINS_PER_MILLION = 0.25, 0.5
_MOST_INPUTS = 12
#: Share of windows for which reads that go on unspliced are counted; molecules that keep an intron by chance: median,
#: and sigma over genes and over introns.
_WITH_UNSPLICED = 0.75
_KEPT, _KEPT_SIGMA = 0.02, 0.7
#: Bases of a read and of a fragment; both are drawn for each window.
_READ_LENGTHS, _FRAGMENTS, _ANCHOR = (75, 100, 150), (1.2, 4.0), 8

Junction = tuple[int, int]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class _Pairs:
    """Paired reads of `length` bases, of fragments of `fragment` bases from anywhere in a molecule."""

    length: int
    fragment: int

    @classmethod
    def drawn(cls, rng: np.random.Generator) -> _Pairs:
        length = int(rng.choice(_READ_LENGTHS))
        return cls(length, int(length * rng.uniform(*_FRAGMENTS)))

    def caught(self, place: int, bases: int) -> float:
        """Reads across a place of a molecule with so many bases, as a share of what its middle gets."""
        fragment = min(self.fragment, bases)
        reach = self.length - _ANCHOR
        total = 0
        for first in (place - reach, place - fragment + _ANCHOR):  # fragments that begin here or after reach the place
            last = min(first + reach - _ANCHOR, bases - fragment)
            total += max(last - max(first, 0) + 1, 0)
        return total / (2 * (reach - _ANCHOR + 1))


class _Molecules:
    """One gene's isoforms and their shares."""

    def __init__(self, transcripts: tuple[Transcript, ...], pairs: _Pairs, rng: np.random.Generator) -> None:
        self._transcripts, self._pairs = transcripts, pairs
        self._shares = rng.dirichlet(np.full(len(transcripts), 0.7)).tolist()
        self._kept = _KEPT * np.exp(_KEPT_SIGMA * rng.standard_normal())

    def spliced(self) -> dict[Junction, float]:
        """Expected share of the gene's reads for each known intron."""
        rates: dict[Junction, float] = {}
        for transcript, share in zip(self._transcripts, self._shares, strict=True):
            place, bases = 0, sum(map(len, transcript.exons))
            for exon, intron in zip(transcript.exons, transcript.introns, strict=False):
                place += len(exon)
                key = (intron.start, intron.end)
                rates[key] = rates.get(key, 0.0) + share * self._pairs.caught(place, bases)
        return rates

    def unspliced(self, end: int, rng: np.random.Generator) -> float:
        """The same for reads that go on through a place: of isoforms with an exon there, of introns kept by chance."""
        kept = min(self._kept * np.exp(_KEPT_SIGMA * rng.standard_normal()), 0.5)
        rate = 0.0
        for transcript, share in zip(self._transcripts, self._shares, strict=True):
            before, bases = 0, sum(map(len, transcript.exons))
            for exon in transcript.exons:
                if exon.start + _ANCHOR <= end <= exon.end - _ANCHOR:
                    rate += share * self._pairs.caught(before + end - exon.start, bases)
                elif end in (exon.start, exon.end) and transcript.exons[0].start < end < transcript.exons[-1].end:
                    rate += share * kept * self._pairs.caught(before + end - exon.start, bases)
                    break
                before += len(exon)
        return rate


def _unknown(
    known: list[Junction], codes: npt.NDArray[np.uint8], locus: tuple[int, int], rng: np.random.Generator
) -> Junction | None:
    """An intron with a common motif that no transcript has; None where the draw finds none."""
    begins, ends = dinucleotides(codes)
    donors = np.flatnonzero(STANDARD.signals.donor[begins])
    acceptors = np.flatnonzero(STANDARD.signals.acceptor[ends]) + 1
    start, end = known[int(rng.integers(len(known)))]
    kind = rng.choice(3, p=_UNKNOWN_KINDS)
    if kind == 0:  # both ends are known, of different introns
        end = known[int(rng.integers(len(known)))][1]
    elif kind == 1 and rng.random() < 0.5:
        near = donors[(abs(donors - start) <= _NEAR) & (donors != start)]
        start = int(rng.choice(near)) if len(near) else start
    elif kind == 1:
        near = acceptors[(abs(acceptors - end) <= _NEAR) & (acceptors != end)]
        end = int(rng.choice(near)) if len(near) else end
    else:
        inside = donors[(donors >= locus[0]) & (donors < locus[1])]
        start = int(rng.choice(inside)) if len(inside) else start
        behind = acceptors[(acceptors > start + 60) & (acceptors < start + 1_000)]
        end = int(rng.choice(behind)) if len(behind) else start
    return (start, end) if end - start >= 40 and (start, end) not in known else None


def simulate_evidence(example: Example, *, rng: np.random.Generator, millions: float) -> WindowEvidence | None:
    """Evidence of one gene's window.

    Args:
        millions: Reads of the whole sequencing run, in millions.
    """
    molecules = _Molecules(example.transcripts, _Pairs.drawn(rng), rng)
    rates = molecules.spliced()
    known = sorted(rates)
    if not known:
        return None
    level = np.exp(rng.normal(-(_EXPRESSION_SIGMA**2) / 2, _EXPRESSION_SIGMA))
    reads_of_gene = millions * _READS_PER_MILLION * level
    strongest = max(rates.values())
    for _ in range(rng.poisson(_UNKNOWN * len(known))):
        junction = _unknown(known, example.window.codes, (example.locus.start, example.locus.end), rng)
        if junction is not None and junction not in rates:
            rates[junction] = strongest * min(1.0, _UNKNOWN_SHARE * np.exp(rng.normal(0, _UNKNOWN_SIGMA)))
    inputs = int(rng.integers(1, _MOST_INPUTS + 1))
    of_inputs = rng.dirichlet(np.ones(inputs)) * reads_of_gene
    shown = {junction: rng.poisson(rates[junction] * of_inputs) for junction in sorted(rates)}
    shown = {junction: reads for junction, reads in shown.items() if reads.any()}
    if not shown:
        return None
    ends = sorted({end for junction in shown for end in junction}) if rng.random() < _WITH_UNSPLICED else []
    through = {end: float(rng.poisson(molecules.unspliced(end, rng) * reads_of_gene)) for end in ends}
    chains = _chains(example.transcripts, millions * level, rng) if rng.random() < _WITH_CHAINS else {}
    return WindowEvidence(
        start=np.array([start for start, _ in shown], dtype=np.int64),
        end=np.array([end for _, end in shown], dtype=np.int64),
        reads=np.array([reads.sum() for reads in shown.values()], dtype=np.float64),
        inputs=np.array([(reads > 0).sum() for reads in shown.values()], dtype=np.int64),
        exon_start=np.array([start for start, _ in sorted(chains)], dtype=np.int64),
        exon_end=np.array([end for _, end in sorted(chains)], dtype=np.int64),
        exon_chains=np.array([chains[exon] for exon in sorted(chains)], dtype=np.float64),
        unspliced=np.array([[through[j[side]] for j in shown] for side in (0, 1)]) if through else None,
    )


def exchanged(evidence: WindowEvidence, reads: Floats, rng: np.random.Generator) -> WindowEvidence:
    """The same junctions with reads that were drawn from others', and nothing that could tell it."""
    drawn = rng.choice(reads, size=len(evidence))
    return replace(
        evidence, reads=drawn, inputs=np.minimum(evidence.inputs, drawn).astype(np.int64), unspliced=None,
        exon_start=np.zeros(0, np.int64), exon_end=np.zeros(0, np.int64), exon_chains=np.zeros(0),
    )  # fmt: skip


def _chains(transcripts: tuple[Transcript, ...], millions: float, rng: np.random.Generator) -> dict[Junction, float]:
    """Full-length reads over the exons between two introns."""
    exons: dict[Junction, float] = {}
    for transcript in transcripts:
        reads = rng.poisson(millions * _CHAINS_PER_MILLION / len(transcripts))
        for exon in transcript.exons[1:-1] if reads else ():
            exons[exon.start, exon.end] = exons.get((exon.start, exon.end), 0.0) + reads
    return exons


def thin(evidence: WindowEvidence, *, rng: np.random.Generator, share: float, drop: float) -> WindowEvidence | None:
    """The same as if fewer reads had been sequenced, and some junctions had been missed altogether.

    Args:
        share: Of the reads that stay.
        drop: Probability of a junction to be missed.
    """
    reads = _thinned(evidence.reads, share, rng)
    kept = (reads > 0) & (rng.random(len(reads)) >= drop)
    if not kept.any():
        return None
    chains = _thinned(evidence.exon_chains, share, rng)
    exons = chains > 0
    return WindowEvidence(
        start=evidence.start[kept],
        end=evidence.end[kept],
        reads=reads[kept],
        inputs=np.minimum(evidence.inputs[kept], reads[kept]).astype(np.int64),
        exon_start=evidence.exon_start[exons],
        exon_end=evidence.exon_end[exons],
        exon_chains=chains[exons],
        unspliced=None if evidence.unspliced is None else _thinned_ends(evidence, share, rng)[:, kept],
    )


def _thinned(reads: Floats, share: float, rng: np.random.Generator) -> Floats:
    return rng.binomial(np.ceil(reads).astype(np.int64), share).astype(np.float64)


def _thinned_ends(evidence: WindowEvidence, share: float, rng: np.random.Generator) -> Floats:
    """Unspliced reads (2, J); an end that junctions share has one number."""
    assert evidence.unspliced is not None
    ends = np.concatenate([evidence.start, evidence.end])
    _, first, number = np.unique(ends, return_index=True, return_inverse=True)
    return _thinned(evidence.unspliced.ravel()[first], share, rng)[number].reshape(2, -1)
