"""Make probabilities honest, on validation genes alone.

In: a trained model and validation examples. Out: weights for `search.confidence`, and how well they do.
A surprise: logistic regressions with few weights, not isotonic steps, because a validation split has only hundreds
of genes; Newton's method with a small ridge. Each gene is read in several windows.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from transgenic_tools.genome.odds import logit
from transgenic_tools.lattice.grammar import ACCEPTOR_KINDS, DONOR_KINDS
from transgenic_tools.lattice.site_graph import SiteGraph
from transgenic_tools.search.confidence import (
    all_support_features,
    boundary_probabilities,
    calibration_name,
    dna_features,
    exon_probabilities,
    found_transcript,
    further_features,
    transcript_features,
)
from transgenic_tools.search.config import DecodingConfig
from transgenic_tools.search.reader import Reader
from transgenic_tools.search.search import search, start_search
from transgenic_tools.search.supported import write_supported
from transgenic_tools.train.decoding import crop_transcripts
from transgenic_tools.train.examples import Example
from transgenic_tools.train.metrics import jittered_items

logger = logging.getLogger(__name__)
Floats = npt.NDArray[np.float64]
#: Windows of each validation gene, with other flanks each time.
WINDOWS = 4
#: Fewest samples of a regression.
FEWEST = 50
NAMES = ("first", "later", "exon", "site")
#: Samples of further transcripts where reads speak of a gene: no regression is fitted on them.
FURTHER = "further"


@dataclass
class Samples:
    """Features, outcomes and gene by name (`first`, `later`, `exon`, `site`)."""

    features: dict[str, list[list[float]]] = field(default_factory=lambda: defaultdict(list))
    outcomes: dict[str, list[bool]] = field(default_factory=lambda: defaultdict(list))
    genes: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))

    def add(self, name: str, gene: str, features: list[float], outcome: bool) -> None:
        self.features[name].append(features)
        self.outcomes[name].append(outcome)
        self.genes[name].append(gene)

    def extend(self, other: Samples) -> None:
        """Take over another's."""
        for name, features in other.features.items():
            for row in zip(other.genes[name], features, other.outcomes[name], strict=True):
                self.add(name, *row)


def logistic_regression(
    features: Floats,
    outcomes: npt.NDArray[np.bool_],
    *,
    ridge: float = 10.0,
    prior: Sequence[float] | None = None,
) -> list[float]:
    """Weights and, last, the bias: Newton's method on the penalised log-likelihood.

    Args:
        ridge: Of the squared distance from `prior`; without one, of the weights alone: the bias is free then.
    """
    x = np.concatenate([features, np.ones((len(features), 1))], axis=1)
    origin = np.zeros(x.shape[1]) if prior is None else np.array(prior, dtype=float)
    weights = origin.copy()
    penalty = np.full(x.shape[1], ridge)
    if prior is None:
        penalty[-1] = 1e-6
    for _ in range(50):
        p = 1 / (1 + np.exp(-np.clip(x @ weights, -30, 30)))
        gradient = x.T @ (p - outcomes) + penalty * (weights - origin)
        hessian = (x * (p * (1 - p))[:, None]).T @ x + np.diag(penalty)
        step = np.linalg.solve(hessian, gradient)
        weights = weights - step
        if np.abs(step).max() < 1e-8:
            break
    return [round(float(w), 6) for w in weights]


def expected_calibration_error(probability: Floats, outcomes: npt.NDArray[np.bool_], bins: int = 10) -> float:
    """Mean distance of predicted and observed share over equal-width bins, weighted by count (Guo et al. 2017)."""
    index = np.minimum((probability * bins).astype(int), bins - 1)
    total = 0.0
    for b in range(bins):
        own = index == b
        if own.any():
            total += own.sum() * abs(probability[own].mean() - outcomes[own].mean())
    return float(total / max(len(probability), 1))


def collect(
    reader: Reader, examples: Sequence[Example], config: DecodingConfig, *, windows: int = WINDOWS, first_seed: int = 1
) -> Samples:
    """What the search writes for some genes, and whether it is right.

    Args:
        first_seed: Of the flanks; each window of a gene has a seed of its own from there on.
    """
    genes = []
    for seed in range(first_seed, first_seed + windows):
        for item in jittered_items(examples, seed=seed):
            cropped = crop_transcripts(examples[item.index], item.crop)
            sites, _ = reader.read_window(cropped.window, floor=config.floor)
            if sites is not None:
                genes.append((cropped, sites))
    return samples_of(reader, genes, config)


def samples_of(reader: Reader, graphs: Sequence[tuple[Example, SiteGraph]], config: DecodingConfig) -> Samples:
    """The same for graphs that are made already, each beside the gene whose window it is of."""
    samples = Samples()
    genes = [start_search(example.gene_id, sites) for example, sites in graphs]
    search(reader.network.decoder, config, genes, dtype=reader.dtype)
    for gene in genes:
        write_supported(gene, most=config.max_isoforms)
    for gene, (example, _) in zip(genes, graphs, strict=True):
        reference = example.transcripts
        cds = {t.cds for t in reference}
        exons = {exon for t in reference for exon in t.exons}
        sites_known = {p for t in reference for i in t.introns for p in (i.start, i.end - 1)}
        for ordinal, (found, support) in enumerate(zip(gene.found, all_support_features(gene), strict=True)):
            transcript = found_transcript(found, gene, "t")
            right = transcript.cds in cds
            if gene.sites.support is not None:
                samples.add("dna", gene.key, dna_features(found, gene), right)
            if gene.sites.support is not None and ordinal:
                samples.add(FURTHER, gene.key, further_features(found, gene, ordinal, support), right)
            else:
                features = transcript_features(found, gene, ordinal) + support
                samples.add(calibration_name(ordinal), gene.key, features, right)
            boundaries = boundary_probabilities(found, gene.sites.graph)
            for exon, p in zip(transcript.exons, exon_probabilities(boundaries), strict=True):
                samples.add("exon", gene.key, [logit(p)], exon in exons)
            for (kind, p), state in zip(boundaries, found.path.states[1:-1], strict=True):
                if kind in DONOR_KINDS or kind in ACCEPTOR_KINDS:
                    position = int(gene.sites.graph.position[state])
                    samples.add("site", gene.key, [logit(p)], position in sites_known)
    return samples


def fit(
    samples: Samples, prior: Mapping[str, Sequence[float]], *, names: Sequence[str] = NAMES
) -> tuple[dict[str, list[float]], dict[str, float]]:
    """Weights by name, and the expected calibration error of each on the same samples.

    A name with few samples, or with one outcome alone, keeps the prior's weights; the others stay near their prior.
    Without one they get none, and raw probabilities are given.
    """
    weights = {name: list(values) for name, values in prior.items()}
    errors: dict[str, float] = {}
    for name in sorted({*samples.features, *names}):
        outcomes = np.array(samples.outcomes.get(name, []), dtype=bool)
        if len(outcomes) < FEWEST or outcomes.all() or not outcomes.any():
            logger.warning(
                "calibration of '%s': %d samples of validation genes, at least %d of both outcomes are needed; %s",
                *(name, len(outcomes), FEWEST),
                "that of the initial model is kept" if name in prior else "probabilities stay raw",
            )
            continue
        features = np.array(samples.features[name])
        weights[name] = logistic_regression(features, outcomes, prior=prior.get(name))
        p = 1 / (1 + np.exp(-np.clip(features @ weights[name][:-1] + weights[name][-1], -30, 30)))
        errors[f"calibration_error_{name}"] = expected_calibration_error(p, outcomes)
    logger.info("calibrated: %s", {key: round(value, 4) for key, value in errors.items()})
    return weights, errors


def calibrate(
    reader: Reader,
    examples: Sequence[Example],
    config: DecodingConfig | None = None,
    *,
    prior: Mapping[str, Sequence[float]] | None = None,
) -> tuple[dict[str, list[float]], dict[str, float]]:
    """Collect, and `fit`; `prior` is the calibration of the model that was fine-tuned."""
    return fit(collect(reader, examples, config or DecodingConfig()), prior or {})
