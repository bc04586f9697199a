"""Probabilities that mean something: of transcripts, exons and splice sites.

In: what the search wrote. Out: calibrated probabilities in (0, 1).
A surprise: raw probabilities are those of the decoder's own steps; calibration is logistic regressions fitted on
validation genes and stored in the model's config, so a model without one gives raw values. The first transcript of a
gene and later ones have regressions of their own, and where evidence is in the graph's scores another for the first
and boosted trees for the others: what speaks for a retained intron speaks against a new one.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from transgenic_tools.genome.gene import Transcript
from transgenic_tools.genome.odds import logistic, logit
from transgenic_tools.genome.usage import expected_reads
from transgenic_tools.lattice.grammar import (
    ACCEPTOR_KINDS,
    DONOR_KINDS,
    IS_DONOR,
    SITE_OF_KIND,
    Kind,
    path_to_transcript,
)
from transgenic_tools.lattice.graph import Graph
from transgenic_tools.lattice.support import NEARBY_READS, RIVAL_READS, SPLICED_SHARE, UNSPLICED_SHARE, Support
from transgenic_tools.lattice.vocabulary import Site
from transgenic_tools.model.alternatives import Trees
from transgenic_tools.search.search import Found, GeneSearch
from transgenic_tools.search.supported import ends_gone_through

Ints = npt.NDArray[np.int64]
#: Order of `transcript_features`.
FEATURES = (
    "log_probability", "coding_log_probability", "worst_step", "weakest_logit", "log_more", "ordinal", "relative"
)  # fmt: skip
#: Order of `support_features`, which follow those where reads speak of a gene.
SUPPORT_FEATURES = (
    "unsupported",  # share of its introns that no read shows
    "weakest_reads",  # log(1 + reads) of the weakest intron that reads show
    "weakest_level",  # log of its share of the gene's strongest junction
    "new_reads", "new_level",  # the same of the strongest junction that is new with it; 0 and _LEAST without one
    "rival_reads",  # the most that speaks against one of its other introns, see `lattice.support`
    "new_rival_reads",  # the same of those that are new with it
    "new_unsupported",  # 1 where one is new with it that no read shows
    "gene_reads",  # log(1 + reads) of the gene's strongest junction
    "counted",  # 1 where reads that go on unspliced are counted; the next four are 0 else
    "spliced_share",  # least share that is spliced at the ends of its introns, log
    "unspliced_share",  # least share that goes on at the ends of junctions that its exons go through, log
    "new_unspliced_share", "new_unspliced_reads",  # most of both at an end that it is the first to go through
    "reads_share",  # log of its share of the gene's reads, by the counts (`genome.usage`)
    "reads",  # log(1 + its reads)
    "misfit",  # mean distance of the gene's counts from what its transcripts together explain, in logs
    "own_misfit",  # most that is lacking of what is expected of one of its introns, in logs
    "dna_log_probability", "dna_coding_log_probability",  # as the first of `FEATURES`, from DNA alone
    "other_start", "other_stop",  # 1 where it is translated from, or to, elsewhere than the first
    "coding_length",  # log of its coding bases as a share of the first's
    "uneven", "elsewhere",  # how much the gene's counts contradict its best path from DNA alone, see `lattice.support`
)  # fmt: skip
#: What the trees look at that judge further transcripts where reads speak of a gene.
FURTHER_FEATURES = (*FEATURES, *SUPPORT_FEATURES, "shown")
#: No probability is nearer to 0 or 1.
FLOOR, _LEAST = 1e-4, -7.0
#: Rounds of the mixture of transcripts.
_ROUNDS = 200


@dataclass(frozen=True, kw_only=True)
class Scores:
    """Probabilities of one transcript; exons, donors and acceptors are 5' to 3'."""

    transcript: float
    exons: tuple[float, ...]
    donors: tuple[float, ...]
    acceptors: tuple[float, ...]


def transcript_features(found: Found, gene: GeneSearch, ordinal: int) -> list[float]:
    """What the calibration looks at; see `FEATURES`."""
    relative = found.log_probability - max(other.log_probability for other in gene.found[: ordinal + 1])
    return [
        *step_features(found, gene, found.step_log_probability),
        max(math.log(max(found.more, 1e-9)), -10.0),
        min(ordinal, 4) / 4.0,
        max(relative, -20.0),
    ]


def step_features(found: Found, gene: GeneSearch, log_probabilities: Sequence[float]) -> list[float]:
    """The first four of `FEATURES`, for any log-probabilities of a transcript's steps."""
    graph, states = gene.sites.graph, np.array(found.path.states[1:])
    kinds, steps = graph.kind[states], np.array(log_probabilities)
    exact = (kinds != Kind.TSS) & (kinds != Kind.TTS) & (kinds != Kind.END)
    coding, logits = steps[exact], graph.logit[states][exact]
    return [
        max(float(steps.sum()), -20.0),
        max(float(coding.sum()), -20.0),
        max(float(coding.min(initial=0.0)), -10.0),
        max(float(logits.min(initial=10.0)), -10.0),
    ]


def all_support_features(gene: GeneSearch) -> list[list[float]]:
    """What the calibration looks at where reads speak of a gene, by transcript; nothing where none do."""
    support = gene.sites.support
    if support is None:
        return [[] for _ in gene.found]
    mixture, coding = _mixture(gene, support), _coding_features(gene)
    return [
        [*_intron_features(found, gene, ordinal), *_unspliced_features(found, gene, ordinal), *mixture[ordinal],
         *dna_features(found, gene)[:2], *coding[ordinal], support.uneven, support.elsewhere]
        for ordinal, found in enumerate(gene.found)
    ]  # fmt: skip


def _coding_features(gene: GeneSearch) -> list[list[float]]:
    """Of each transcript: other start, other stop, coding length."""
    spans = []
    for found in gene.found:
        cds = found_transcript(found, gene, "t").cds
        spans.append((cds[0].start, cds[-1].end, sum(map(len, cds))))
    start, stop, bases = spans[0]
    return [[float(s != start), float(e != stop), max(math.log(n / bases), _LEAST)] for s, e, n in spans]


def _unspliced_features(found: Found, gene: GeneSearch, ordinal: int) -> list[float]:
    support = gene.sites.support
    assert support is not None
    if not len(support.ends.place):
        return [0.0] * 5
    numbers = support.numbers[list(found.path.edges)]
    before = set().union(*(ends_gone_through(other.path, support) for other in gene.found[:ordinal]))
    new = sorted(ends_gone_through(found.path, support) - before)
    share, reads = support.ends.unspliced_share[new], np.log1p(support.ends.unspliced[new])
    return [
        1.0,
        max(float(numbers[:, SPLICED_SHARE].min()), _LEAST),
        max(float(numbers[:, UNSPLICED_SHARE].min()), _LEAST),
        max(float(share.max(initial=_LEAST)), _LEAST) if ordinal else 0.0,
        float(reads.max(initial=0.0)) if ordinal else 0.0,
    ]


def _mixture(gene: GeneSearch, support: Support) -> list[list[float]]:
    """Of each transcript: log share of reads, log reads, misfit of all, own misfit; zeros where it has no count."""
    junctions = [set(support.junction[list(found.path.edges)].tolist()) - {-1} for found in gene.found]
    ends = [ends_gone_through(found.path, support) for found in gene.found]
    rows = sorted(set().union(*junctions)), sorted(set().union(*ends))
    has = np.array(
        [[row in shown for shown in junctions] for row in rows[0]] + [[row in gone for gone in ends] for row in rows[1]]
    ).reshape(-1, len(gene.found))
    counts = np.concatenate([support.evidence.reads[rows[0]], support.ends.unspliced[rows[1]]])
    counted = has.any(axis=0) if len(has) else np.zeros(len(gene.found), dtype=bool)
    features = [[0.0] * 4 for _ in gene.found]
    if not counted.any() or not counts.any():
        return features
    has = has[:, counted]
    reads = expected_reads(has, counts[:, None], most_rounds=_ROUNDS)[:, 0]
    fitted = has @ reads
    apart = np.log1p(fitted) - np.log1p(counts)
    misfit = float(np.abs(apart).mean())
    for column, index in enumerate(np.flatnonzero(counted).tolist()):
        features[index] = [
            max(math.log((reads[column] + 0.5) / (reads.sum() + 0.5)), _LEAST),
            math.log1p(reads[column]),
            misfit,
            float(apart[has[:, column]].max(initial=0.0)),
        ]
    return features


def new_unshown(found: Found, gene: GeneSearch, ordinal: int) -> set[int]:
    """Introns (their edges) that no transcript before it has and no read shows; only where reads speak of the gene."""
    support = gene.sites.support
    assert support is not None
    introns = _introns(found, gene.sites.graph)
    unshown = set(introns[support.junction[introns] < 0].tolist())
    return unshown.difference(*(other.path.edges for other in gene.found[:ordinal]))


def _introns(found: Found, graph: Graph) -> Ints:
    """Its edges that are introns, 5' to 3'."""
    return np.array(found.path.edges)[IS_DONOR[graph.kind[list(found.path.states[:-1])]]]


def _intron_features(found: Found, gene: GeneSearch, ordinal: int) -> list[float]:
    support = gene.sites.support
    assert support is not None
    edges, evidence = _introns(found, gene.sites.graph), support.evidence
    junctions = support.junction[edges]
    shown = junctions[junctions >= 0]
    earlier = [edge for other in gene.found[:ordinal] for edge in other.path.edges]
    before = set(support.junction[earlier].tolist())
    new = np.array([n for n in shown.tolist() if n not in before], dtype=np.int64)
    strongest = math.log1p(float(evidence.reads.max()))
    weakest = math.log1p(float(evidence.reads[shown].min())) if len(shown) else 0.0
    newest = math.log1p(float(evidence.reads[new].max())) if len(new) else 0.0
    against = support.numbers[edges][:, [RIVAL_READS, NEARBY_READS]].max(axis=1, initial=0.0)
    unshown_edges = new_unshown(found, gene, ordinal)
    unshown = np.array([edge in unshown_edges for edge in edges.tolist()], dtype=np.bool_)
    return [
        float((junctions < 0).mean()) if len(edges) else 0.0,
        weakest,
        max(weakest - strongest, _LEAST) if len(shown) else 0.0,
        newest,
        max(newest - strongest, _LEAST) if len(new) else _LEAST,
        float(against.max(initial=0.0)),
        float(against[unshown].max(initial=0.0)),
        float(unshown.any()),
        strongest,
    ]


def calibration_name(ordinal: int) -> str:
    """Which regression a transcript takes: `first` or `later`."""
    return "later" if ordinal else "first"


def dna_probability(found: Found, gene: GeneSearch, calibration: Mapping[str, Sequence[float]]) -> float | None:
    """Probability of a transcript from DNA alone where reads have changed its scores; None where they have not."""
    if gene.sites.support is None:
        return None
    features = dna_features(found, gene)
    return calibrated(calibration, "dna", features, math.exp(features[0]))


def dna_features(found: Found, gene: GeneSearch) -> list[float]:
    """The first four of `FEATURES`, of the graph as DNA alone has it; only where reads have changed it."""
    assert gene.sites.support is not None
    steps = gene.sites.support.plain.log_probability(found.path.states[:-1], found.path.edges)
    return step_features(found, gene, steps.tolist())


def calibrated(calibration: Mapping[str, Sequence[float]], name: str, values: Sequence[float], raw: float) -> float:
    """What the regression of that name says of some values; `raw`, clipped, where the model has none."""
    weights = calibration.get(name)
    if weights is None:
        return min(max(raw, FLOOR), 1 - FLOOR)
    total = weights[-1] + sum(w * v for w, v in zip(weights[:-1], values, strict=True))
    return min(max(logistic(total), FLOOR), 1 - FLOOR)


def boundary_probabilities(found: Found, graph: Graph) -> list[tuple[int, float]]:
    """(kind, raw probability) of every state of a transcript but BEGIN and END."""
    states = found.path.states[1:-1]
    return [(int(graph.kind[s]), math.exp(log)) for s, log in zip(states, found.step_log_probability, strict=False)]


def exon_probabilities(boundaries: Sequence[tuple[int, float]]) -> list[float]:
    """Raw probability of each exon: the product over the boundaries that make it (start and stop belong to theirs)."""
    exons, current = [], 1.0
    for kind, probability in boundaries:
        current *= probability
        if kind in DONOR_KINDS:
            exons.append(current)
            current = 1.0
    return [*exons, current]


def further_features(found: Found, gene: GeneSearch, ordinal: int, support: Sequence[float]) -> list[float]:
    """See `FURTHER_FEATURES`; `support` is what `all_support_features` gives for it."""
    return [*transcript_features(found, gene, ordinal), *support, float(found.shown)]


def transcript_probabilities(
    gene: GeneSearch, calibration: Mapping[str, Sequence[float]], further: Trees | None = None
) -> list[float]:
    """Probability of each transcript: calibrated, where it was not found out otherwise; for the rest see `score`.

    Args:
        further: Of `EvidenceScoring`, for all but the first where reads speak of the gene.
    """
    every = all_support_features(gene)
    told = [
        found.probability
        or calibrated(
            calibration,
            calibration_name(ordinal),
            transcript_features(found, gene, ordinal) + support,
            math.exp(found.log_probability) * found.more,
        )
        for ordinal, (found, support) in enumerate(zip(gene.found, every, strict=True))
        if further is None or gene.sites.support is None or not ordinal
    ]
    later = range(len(told), len(gene.found))
    if further is None or not later:
        return told
    features = np.array([further_features(gene.found[n], gene, n, every[n]) for n in later])
    return [*told, *further.probability(features).tolist()]


@dataclass(frozen=True)
class Chosen:
    """A transcript that is written out.

    Attributes:
        probability: See `transcript_probabilities`.
        ordinal: Its place in the order in which the search wrote.
    """

    probability: float
    ordinal: int
    found: Found


def choose(
    gene: GeneSearch,
    calibration: Mapping[str, Sequence[float]],
    further: Trees | None = None,
    *,
    min_confidence: float,
    min_unshown: float | None = None,
    keep_best: bool,
) -> list[Chosen]:
    """Transcripts that were not given, most probable first; `keep_best`: the best one stays in any case.

    Those whose probability the scores of alternatives gave are chosen already, and so is what they were held against.

    Args:
        min_unshown: Least probability, where reads speak of the gene, of a transcript with an intron that is new with
            it and that no read shows, where that is more than `min_confidence`.
    """
    scored = any(found.probability is not None for found in gene.found)
    new = [
        Chosen(probability, ordinal, found)
        for ordinal, (probability, found) in enumerate(
            zip(transcript_probabilities(gene, calibration, further), gene.found, strict=True)
        )
        if not found.prompt
    ]
    new.sort(key=lambda one: -one.probability)
    return [
        one
        for rank, one in enumerate(new)
        if (keep_best and (rank == 0 or (scored and one.ordinal == 0)))
        or one.found.probability is not None
        or one.probability >= _least(one, gene, min_confidence, min_unshown)
    ]


def _least(one: Chosen, gene: GeneSearch, least: float, unshown: float | None) -> float:
    if unshown is None or gene.sites.support is None or not new_unshown(one.found, gene, one.ordinal):
        return least
    return max(least, unshown)


def score(found: Found, gene: GeneSearch, whole: float, calibration: Mapping[str, Sequence[float]]) -> Scores:
    """Calibrated probabilities of one transcript and its parts.

    Args:
        whole: Of `transcript_probabilities`.
        calibration: Weights by name (`first`, `later`, `exon`, `site`), the last one is the bias.
    """
    boundaries = boundary_probabilities(found, gene.sites.graph)
    exons = tuple(calibrated(calibration, "exon", [logit(p)], p) for p in exon_probabilities(boundaries))
    sites = [(kind, calibrated(calibration, "site", [logit(p)], p)) for kind, p in boundaries]
    donors = tuple(p for kind, p in sites if SITE_OF_KIND[kind] == Site.DONOR)
    acceptors = tuple(p for kind, p in sites if kind in ACCEPTOR_KINDS)
    return Scores(transcript=whole, exons=exons, donors=donors, acceptors=acceptors)


def found_transcript(found: Found, gene: GeneSearch, transcript_id: str) -> Transcript:
    """What the search wrote, in window coordinates."""
    graph, states = gene.sites.graph, list(found.path.states)
    return path_to_transcript(graph.kind[states].tolist(), graph.position[states].tolist(), transcript_id=transcript_id)
