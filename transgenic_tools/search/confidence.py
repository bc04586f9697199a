"""Probabilities that mean something: of transcripts, exons and splice sites.

In: what the search wrote. Out: calibrated probabilities in (0, 1).
A surprise: raw probabilities are those of the decoder's own steps; calibration is logistic regressions fitted on
validation genes and stored in the model's config, so a model without one gives raw values. The first transcript of a
gene and later ones have regressions of their own.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from transgenic_tools.genome.gene import Transcript
from transgenic_tools.lattice.grammar import ACCEPTOR_KINDS, DONOR_KINDS, SITE_OF_KIND, Kind, path_to_transcript
from transgenic_tools.lattice.graph import Graph
from transgenic_tools.lattice.vocabulary import Site
from transgenic_tools.search.search import Found, GeneSearch

#: Order of `transcript_features`.
FEATURES = (
    "log_probability", "coding_log_probability", "worst_step", "weakest_logit", "log_more", "ordinal", "relative"
)  # fmt: skip
_FLOOR = 1e-4


@dataclass(frozen=True, kw_only=True)
class Scores:
    """Probabilities of one transcript; exons, donors and acceptors are 5' to 3'."""

    transcript: float
    exons: tuple[float, ...]
    donors: tuple[float, ...]
    acceptors: tuple[float, ...]


def transcript_features(found: Found, gene: GeneSearch, ordinal: int) -> list[float]:
    """What the calibration looks at; see `FEATURES`."""
    graph, states = gene.sites.graph, np.array(found.path.states[1:])
    kinds, steps = graph.kind[states], np.array(found.step_log_probability)
    exact = (kinds != Kind.TSS) & (kinds != Kind.TTS) & (kinds != Kind.END)
    coding, logits = steps[exact], graph.logit[states][exact]
    relative = found.log_probability - max(other.log_probability for other in gene.found[: ordinal + 1])
    return [
        max(float(steps.sum()), -20.0),
        max(float(coding.sum()), -20.0),
        max(float(coding.min(initial=0.0)), -10.0),
        max(float(logits.min(initial=10.0)), -10.0),
        max(math.log(max(found.more, 1e-9)), -10.0),
        min(ordinal, 4) / 4.0,
        max(relative, -20.0),
    ]


def calibration_name(ordinal: int) -> str:
    """Which regression a transcript takes: `first` or `later`."""
    return "later" if ordinal else "first"


def _logistic(x: float) -> float:
    return 1.0 / (1.0 + math.exp(-x)) if x >= 0 else math.exp(x) / (1.0 + math.exp(x))


def calibrated(calibration: Mapping[str, Sequence[float]], name: str, values: Sequence[float], raw: float) -> float:
    """What the regression of that name says of some values; `raw`, clipped, where the model has none."""
    weights = calibration.get(name)
    if weights is None:
        return min(max(raw, _FLOOR), 1 - _FLOOR)
    total = weights[-1] + sum(w * v for w, v in zip(weights[:-1], values, strict=True))
    return min(max(_logistic(total), _FLOOR), 1 - _FLOOR)


def logit(probability: float) -> float:
    """Clipped log-odds."""
    probability = min(max(probability, 1e-6), 1 - 1e-6)
    return math.log(probability / (1 - probability))


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


def transcript_probability(
    found: Found, gene: GeneSearch, ordinal: int, calibration: Mapping[str, Sequence[float]]
) -> float:
    """Calibrated probability of one transcript; for the rest see `score`."""
    raw = math.exp(found.log_probability) * found.more
    return calibrated(calibration, calibration_name(ordinal), transcript_features(found, gene, ordinal), raw)


def score(found: Found, gene: GeneSearch, whole: float, calibration: Mapping[str, Sequence[float]]) -> Scores:
    """Calibrated probabilities of one transcript and its parts.

    Args:
        whole: `transcript_probability`.
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
