"""Junction counts as a sequencing run would give them, for fitting how much evidence counts where no reads are at hand.

In: a gene with its known transcripts and its sequence, and a depth. Out: `WindowEvidence`, or None without a junction.
A surprise: no read is made. Counts are drawn: expression log-normal over genes, a share for each transcript, Poisson
reads for each junction; and junctions that no annotation has, as many and as strong as those of TAIR's RNA-seq set of
eleven tissues (76 genes: 1.2 for each known intron, two in three share one end with one, median 0.3 % of its reads).
"""

from __future__ import annotations

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

Junction = tuple[int, int]


def _rates(transcripts: tuple[Transcript, ...], rng: np.random.Generator) -> dict[Junction, float]:
    """Expected share of the gene's reads for each known intron."""
    shares = rng.dirichlet(np.full(len(transcripts), 0.7))
    rates: dict[Junction, float] = {}
    for transcript, share in zip(transcripts, shares.tolist(), strict=True):
        for intron in transcript.introns:
            rates[intron.start, intron.end] = rates.get((intron.start, intron.end), 0.0) + share
    return rates


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
    rates = _rates(example.transcripts, rng)
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
    chains = _chains(example.transcripts, millions * level, rng) if rng.random() < _WITH_CHAINS else {}
    return WindowEvidence(
        start=np.array([start for start, _ in shown], dtype=np.int64),
        end=np.array([end for _, end in shown], dtype=np.int64),
        reads=np.array([reads.sum() for reads in shown.values()], dtype=np.float64),
        inputs=np.array([(reads > 0).sum() for reads in shown.values()], dtype=np.int64),
        exon_start=np.array([start for start, _ in sorted(chains)], dtype=np.int64),
        exon_end=np.array([end for _, end in sorted(chains)], dtype=np.int64),
        exon_chains=np.array([chains[exon] for exon in sorted(chains)], dtype=np.float64),
    )


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
    reads = rng.binomial(np.ceil(evidence.reads).astype(np.int64), share).astype(np.float64)
    kept = (reads > 0) & (rng.random(len(reads)) >= drop)
    if not kept.any():
        return None
    chains = rng.binomial(np.ceil(evidence.exon_chains).astype(np.int64), share).astype(np.float64)
    exons = chains > 0
    return WindowEvidence(
        start=evidence.start[kept],
        end=evidence.end[kept],
        reads=reads[kept],
        inputs=np.minimum(evidence.inputs[kept], reads[kept]).astype(np.int64),
        exon_start=evidence.exon_start[exons],
        exon_end=evidence.exon_end[exons],
        exon_chains=chains[exons],
    )
