"""Fit how much evidence counts for a model: weights of what reads say of edges, then confidence with evidence.

In: a model directory, gene shards with known transcripts, and evidence of them: real counts (of tg-evidence), or
drawn ones. Out: `evidence.json`, which belongs into the model directory.
Usage: python -m transgenic_tools.train.evidence MODEL --shards DIR --split validation --split train:400 --grow-on train
       [--evidence E.parquet --until 304277] --out MODEL/evidence.json
A surprise: reads are thinned to a random depth and junctions dropped at random, window by window, so that weights hold
for shallow runs too. The loss is that of any known transcript, not of the first: reads say which of them it is. Trees
are grown on genes that the network has learned as well: they need thousands, and it is as often right on those.
"""

from __future__ import annotations

import argparse
import itertools
import json
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from transgenic_tools.genome.hashing import stable_rng
from transgenic_tools.genome.interval import Interval
from transgenic_tools.io.junctions import EvidenceFile, EvidenceOfWindows
from transgenic_tools.io.rows import GeneRow
from transgenic_tools.io.shards import read_shard
from transgenic_tools.lattice.evidence import WindowEvidence
from transgenic_tools.lattice.paths import find_paths
from transgenic_tools.lattice.site_graph import SiteGraph
from transgenic_tools.lattice.support import EVIDENCE_FEATURES, N_EVIDENCE
from transgenic_tools.model.evidence import EvidenceScoring, write_evidence_scoring
from transgenic_tools.model.files import load_network, model_hash
from transgenic_tools.model.network import Network
from transgenic_tools.provenance import Provenance, file_sha256
from transgenic_tools.search.confidence import FURTHER_FEATURES
from transgenic_tools.search.config import DecodingConfig
from transgenic_tools.search.reader import Reader
from transgenic_tools.train.alternatives import grow
from transgenic_tools.train.calibration import FURTHER, Samples, expected_calibration_error, fit, samples_of
from transgenic_tools.train.decoding import crop_transcripts
from transgenic_tools.train.examples import Example, chosen_rows, example_from_row
from transgenic_tools.train.metrics import jittered_items
from transgenic_tools.train.scoring import GoldGraph, descend, known_paths, mean_loss
from transgenic_tools.train.simulated_evidence import exchanged, simulate_evidence, thin

logger = logging.getLogger(__name__)
Floats = npt.NDArray[np.float64]
#: Depths of drawn counts in millions of reads; real ones keep one read in 1 to 300. Windows of each gene.
DEPTHS, MOST_THINNED, WINDOWS = (1.0, 30.0), 300.0, 2
#: Draws of the counts of each window: for the weights, and for confidence, where some windows have the reads of others,
#: so that it learns when not to trust them; those of the genes on which trees alone are grown, in one window each.
DRAWS, CALIBRATION_DRAWS, MISTAKEN, GROWING_DRAWS = 2, 6, 0.25, 2
#: Trees, leaves of each, their depth and rate; from which probability on further transcripts are written (by validation
#: genes).
ROUNDS, LEAVES, DEPTH, RATE, MIN_CONFIDENCE = 400, 16, 6, 0.05, 0.22
#: Graphs that are searched together.
_HELD = 128
#: Share of windows in which junctions are missed at random, and the share of junctions missed there.
_WITH_LOSS, _LOSS = 0.5, 0.1


def fit_weights(
    graphs: Sequence[GoldGraph], *, iterations: int = 150, ridge: float = 2.0
) -> tuple[Floats, float, float]:
    """Weights from 0 on; and the loss before and after.

    Args:
        ridge: Half the squared weights, times this over the number of graphs, is added to the loss.
    """
    hold = ridge / max(1, len(graphs))

    def loss_of(weights: Floats) -> tuple[float, Floats]:
        loss, gradient = mean_loss(graphs, weights)
        return loss + hold / 2 * float(weights @ weights), gradient + hold * weights

    best, before, after = descend(loss_of, np.zeros(N_EVIDENCE), iterations=iterations, rate=0.08)
    logger.info("weights of evidence: %.3f -> %.3f nats a gene", before, after)
    return best, before, after


def with_evidence(
    rows: Sequence[GeneRow],
    evidence: EvidenceOfWindows | None,
    *,
    seed: int,
    deep: float = DEPTHS[1],
    mistaken: float = 0.0,
) -> list[Example]:
    """Genes with what reads show of them: of the file, thinned, or drawn; those of which they show nothing go.

    Args:
        mistaken: Share of the windows whose junctions have the reads of others, of any gene.
    """
    examples: list[Example] = []
    for row in rows:
        example, rng = example_from_row(row), stable_rng("evidence", seed, row.gene_id)
        shown: WindowEvidence | None
        if evidence is None:
            depth = float(np.exp(rng.uniform(np.log(DEPTHS[0]), np.log(deep))))
            shown = simulate_evidence(example, rng=rng, millions=depth)
            share = 1.0
        else:
            shown = evidence.of(row.reading, Interval(row.start, row.end))
            share = float(np.exp(-rng.uniform(0, np.log(MOST_THINNED))))
        if shown is not None:
            drop = _LOSS if rng.random() < _WITH_LOSS else 0.0
            shown = thin(shown, rng=rng, share=share, drop=drop)
        if shown is not None:
            examples.append(replace(example, window=replace(example.window, evidence=shown)))
    return _mistaken(examples, share=mistaken, seed=seed) if mistaken and examples else examples


def _mistaken(examples: Sequence[Example], *, share: float, seed: int) -> list[Example]:
    """Some of the windows with reads that say nothing."""
    every = [example.window.evidence for example in examples]
    reads = np.concatenate([shown.reads for shown in every if shown is not None])
    after = []
    for example, shown in zip(examples, every, strict=True):
        rng = stable_rng("mistaken", seed, example.gene_id)
        if shown is not None and rng.random() < share:
            example = replace(example, window=replace(example.window, evidence=exchanged(shown, reads, rng)))
        after.append(example)
    return after


def read_draws(reader: Reader, draws: Sequence[Sequence[Example]], *, seed: int) -> Iterator[tuple[Example, SiteGraph]]:
    """Jittered windows of genes with their graphs, each as often as a draw shows reads; the network reads it once."""
    of_gene: dict[str, list[Example]] = {}
    for examples in draws:
        for item in jittered_items(examples, seed=seed):  # the flanks are those of the gene in all draws
            cropped = crop_transcripts(examples[item.index], item.crop)
            of_gene.setdefault(cropped.gene_id, []).append(cropped)
    for alike in of_gene.values():
        scores = next(reader.score_windows([alike[0].window]))
        for cropped in alike:
            sites, _ = reader.graph_of(cropped.window, scores, 0)
            if sites is not None and sites.support is not None:
                yield cropped, sites


def gold_graphs(reader: Reader, draws: Sequence[Sequence[Example]], *, seed: int) -> list[GoldGraph]:
    """Graphs of jittered windows whose known transcripts follow the grammar."""
    graphs = []
    for cropped, sites in read_draws(reader, draws, seed=seed):
        if (support := sites.support) is not None and (paths := find_paths(sites.graph, cropped.transcripts)):
            graphs.append(known_paths(support.plain, support.plain.score, support.numbers, paths))
    return graphs


def collect_draws(reader: Reader, draws: Sequence[Sequence[Example]], *, seed: int) -> Samples:
    """What confidence is fitted on; few graphs are held at once."""
    samples = Samples()
    graphs = read_draws(reader, draws, seed=seed)
    while held := list(itertools.islice(graphs, _HELD)):
        samples.extend(samples_of(reader, held, DecodingConfig()))
    return samples


def _seed_of_draw(seed: int, draw: int) -> int:
    return seed + 1_000 * draw


@dataclass(frozen=True, kw_only=True)
class Genes:
    """Genes to fit on.

    Attributes:
        drawn: Their counts are drawn; held out from the model where confidence is to be honest.
        counted: Genes for which `evidence` has counts.
    """

    drawn: tuple[GeneRow, ...]
    counted: tuple[GeneRow, ...] = ()
    evidence: EvidenceOfWindows | None = None

    def examples(self, seed: int) -> list[Example]:
        """All with what reads show of them in one draw."""
        counted = with_evidence(self.counted, self.evidence, seed=seed) if self.evidence is not None else []
        return with_evidence(self.drawn, None, seed=seed) + counted


def fit_evidence(
    model: Path | None,
    genes: Genes,
    calibrate_on: Sequence[GeneRow],
    *,
    grow_on: Sequence[GeneRow] = (),
    windows: int = WINDOWS,
) -> tuple[EvidenceScoring, dict[str, float]]:
    """Weights and calibration of a model directory, and the losses and calibration errors; `grow_on` as below."""
    network, _ = load_network(model)
    network.eval()
    reader = Reader(network, precision="fp32", evidence_weights=(0.0,) * N_EVIDENCE)
    graphs = []
    for seed in range(1, windows + 1):
        draws = [genes.examples(_seed_of_draw(seed, draw)) for draw in range(DRAWS)]
        graphs += gold_graphs(reader, draws, seed=seed)
    weights, before, after = fit_weights(graphs)
    rounded = tuple(round(float(weight), 4) for weight in weights)
    scoring, errors = fit_confidence(network, rounded, calibrate_on, grow_on=grow_on, windows=windows)
    return scoring, {"graphs": float(len(graphs)), "loss_before": before, "loss_after": after, **errors}


def _samples_of_rows(reader: Reader, rows: Sequence[GeneRow], *, windows: int, draws: int) -> Samples:
    """What is written for genes with drawn counts, some of them mistaken."""
    samples = Samples()
    for seed in range(1, windows + 1):
        drawn = [
            with_evidence(rows, None, seed=_seed_of_draw(100 + seed, draw), mistaken=MISTAKEN) for draw in range(draws)
        ]
        samples.extend(collect_draws(reader, drawn, seed=seed))
    return samples


def _taken_further(samples: Samples) -> tuple[Floats, npt.NDArray[np.bool_]]:
    """Features and outcomes of further transcripts, which are taken out of `samples`."""
    features = np.array(samples.features.pop(FURTHER, [])).reshape(-1, len(FURTHER_FEATURES))
    return features, np.array(samples.outcomes.pop(FURTHER, []), dtype=bool)


def fit_confidence(
    network: Network,
    weights: tuple[float, ...],
    calibrate_on: Sequence[GeneRow],
    *,
    grow_on: Sequence[GeneRow] = (),
    windows: int = WINDOWS,
) -> tuple[EvidenceScoring, dict[str, float]]:
    """Confidence of what is written with given weights, and the calibration errors.

    Args:
        calibrate_on: Genes that the model has not learned.
        grow_on: More genes for the trees, learned or not.
    """
    reader = Reader(network, precision="fp32", evidence_weights=weights)
    samples = _samples_of_rows(reader, calibrate_on, windows=windows, draws=CALIBRATION_DRAWS)
    features, outcomes = _taken_further(samples)
    more, right = _taken_further(_samples_of_rows(reader, grow_on, windows=1, draws=GROWING_DRAWS))
    further = grow(
        np.concatenate([features, more]), np.concatenate([outcomes, right]),
        rounds=ROUNDS, leaves=LEAVES, depth=DEPTH, rate=RATE,
    )  # fmt: skip
    calibration, errors = fit(samples, {}, names=("first", "exon", "site", "dna"))
    errors["calibration_error_further"] = expected_calibration_error(further.probability(features), outcomes)
    scoring = EvidenceScoring(weights=weights, calibration=calibration, further=further, min_confidence=MIN_CONFIDENCE)
    return scoring, errors


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m transgenic_tools.train.evidence", description=__doc__)
    parser.add_argument("model", type=Path, nargs="?", help="model directory; the embedded one by default")
    parser.add_argument("--shards", type=Path, nargs="+", required=True)
    parser.add_argument(
        "--split", action="append", required=True, help="genes with drawn counts: SPLIT or SPLIT:NUMBER; repeat it"
    )
    parser.add_argument("--calibrate-on", default="validation", help="genes that the model has not learned")
    parser.add_argument(
        "--grow-on", action="append", default=[], help="more genes for the trees, learned or not; as --split; repeat it"
    )
    parser.add_argument("--evidence", type=Path, help="real counts, of tg-evidence")
    parser.add_argument("--until", type=int, help="--evidence covers genes before this position")
    parser.add_argument("--weights", type=Path, help="evidence.json whose weights stay; confidence alone is fitted")
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    logging.basicConfig(level=logging.INFO)
    torch.set_num_threads(1)
    rows = [row for row in read_shard(given.shards) if row.gsf and row.split != "test"]
    counted = [row for row in rows if given.evidence and (given.until is None or row.end <= given.until)]
    drawn = {row.gene_id: row for wanted in given.split for row in chosen_rows(rows, wanted)}
    for row in counted:
        drawn.pop(row.gene_id, None)
    evidence = EvidenceOfWindows(EvidenceFile(given.evidence)) if given.evidence else None
    genes = Genes(drawn=tuple(drawn.values()), counted=tuple(counted), evidence=evidence)
    calibrate_on = chosen_rows(rows, given.calibrate_on)
    calibrated = {row.gene_id for row in calibrate_on}
    more = {row.gene_id: row for wanted in given.grow_on for row in chosen_rows(rows, wanted)}
    grow_on = [row for row in more.values() if row.gene_id not in calibrated]
    if given.weights is None:
        scoring, figures = fit_evidence(given.model, genes, calibrate_on, grow_on=grow_on)
    else:
        saved = json.loads(given.weights.read_text())
        weights = tuple(saved["weights"][name] for name in EVIDENCE_FEATURES)
        scoring, figures = fit_confidence(load_network(given.model)[0].eval(), weights, calibrate_on, grow_on=grow_on)
        kept = saved["provenance"]["parameters"]["figures"]
        figures |= {name: kept[name] for name in ("graphs", "loss_before", "loss_after")}
    parameters = {
        "model": model_hash(load_network(given.model)[1]),
        "drawn": given.split,
        "drawn_genes": len(genes.drawn),
        "counted_genes": len(counted),
        "evidence": None if given.evidence is None else file_sha256(given.evidence)[:16],
        "calibrated_on": given.calibrate_on,
        "grown_on": given.grow_on,
        "grown_on_genes": len(grow_on),
        "figures": {name: round(value, 4) for name, value in figures.items()},
    }
    provenance = Provenance("transgenic_tools.train.evidence", parameters)
    write_evidence_scoring(given.out, scoring, features=FURTHER_FEATURES, provenance=provenance)
    print(json.dumps({**dict(zip(EVIDENCE_FEATURES, scoring.weights, strict=True)), **parameters["figures"]}))


if __name__ == "__main__":
    main()
