"""The eleven tissues of TAIR's junctions: does a layer fitted on some genes say how others are spliced by tissue?

In: the junctions (GFF3, `tissue=` in column 9) of the first part of A. thaliana chromosome 1. Out: losses on held-out
genes of the mean over the tissues, of the layer, and of usage counted from half of the reads.
A surprise: every read is dealt to one of two halves. Nothing that predicts sees the second half, and all three are
measured on it; the inputs are the tissues themselves, one number each, so nothing here is about unseen tissues.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks import data
from benchmarks.evidence_real import introns_in, read_tissues
from benchmarks.table import grid
from benchmarks.windows import read_windows
from transgenic_tools.genome.interval import STRANDS, Strand
from transgenic_tools.io.junctions import Junctions
from transgenic_tools.io.rows import GeneRow
from transgenic_tools.lattice.window import WindowInput
from transgenic_tools.model.files import load_network
from transgenic_tools.search.reader import Reader
from transgenic_tools.train.condition_genes import ConditionConfig, junctions_in
from transgenic_tools.train.condition_layer import Batch, GeneUsage, gene_usage, pack
from transgenic_tools.train.conditions import Fit
from transgenic_tools.train.usage import Choice, GeneJunctions, choices_of

log = logging.getLogger("benchmarks")
Floats = npt.NDArray[np.float64]
_KINDS = ("mean over tissues", "layer of conditions", "usage of the first half of the reads")
#: Reads that speak for the mean, where usage of one tissue is counted.
_PRIOR = 5.0


@dataclass(frozen=True, kw_only=True)
class _Halves:
    """One gene's choices by the first half of its reads, and the second half of the reads of each."""

    gene: GeneUsage
    second: tuple[Floats, ...]


def _halved(junctions: GeneJunctions, rng: np.random.Generator) -> tuple[GeneJunctions, Floats]:
    first = rng.binomial(junctions.reads.astype(np.int64), 0.5).astype(np.float64)
    return replace(junctions, reads=first), junctions.reads - first


def _second_of(choice: Choice, junctions: GeneJunctions, second: Floats) -> Floats:
    index = {pair: i for i, pair in enumerate(zip(junctions.donor.tolist(), junctions.acceptor.tolist(), strict=True))}
    return np.stack([second[index[ends]] for ends in choice.junctions])


def _gather(
    rows: Sequence[GeneRow], tissues: Mapping[str, Counter[tuple[int, int, Strand]]], reader: Reader, seed: int
) -> list[_Halves]:
    by_strand: dict[Strand, Junctions] = {}
    for strand in STRANDS:
        keys = sorted({key for counts in tissues.values() for key in counts if key[2] == strand})
        reads = np.array([[counts[key] for counts in tissues.values()] for key in keys], dtype=np.float32)
        by_strand[strand] = Junctions(
            start=np.array([key[0] for key in keys]), end=np.array([key[1] for key in keys]), reads=reads
        )
    rng = np.random.default_rng(seed)
    found = []
    for row in rows:
        junctions = junctions_in(by_strand[row.strand], row, np.eye(len(tissues)))
        first, second = _halved(junctions, rng)
        choices = [choice for choice in choices_of(first) if choice.spliced is None]
        if choices:
            window = WindowInput.of(row.sequence)
            (scores,) = reader.score_windows([window])
            features = scores.features[0, :, : len(window)].float().numpy()
            gene = gene_usage(row.gene_id, window.codes, choices, features, ConditionConfig.k)
            found.append(_Halves(gene=gene, second=tuple(_second_of(choice, first, second) for choice in choices)))
    return found


def _shares(batch: Batch, shifts: npt.NDArray[np.float32]) -> Floats:
    """(O, S) share of each option of competitions, by shifts (T, S) of the sites."""
    moved = np.zeros((len(batch.base), shifts.shape[1]))
    np.add.at(moved, batch.option.numpy(), shifts[batch.site.numpy()])
    weight = np.exp(batch.base.numpy()[:, None] + moved)
    whole = np.zeros((len(batch.kind), shifts.shape[1]))
    np.add.at(whole, batch.choice.numpy(), weight)
    return weight / whole[batch.choice.numpy()]


def _loss(share: Floats, reads: Floats) -> tuple[float, float, int]:
    """Sum over tissues of the mean loss of a read (nats), and of the error of the shares; tissues with 10 reads."""
    total = reads.sum(0)
    seen = total >= 10
    if not seen.any():
        return 0.0, 0.0, 0
    share = np.clip(share[:, seen], 1e-3, 1.0)
    share /= share.sum(0)
    observed = reads[:, seen] / total[seen]
    return float(-(observed * np.log(share)).sum()), float(np.abs(observed - share).mean(0).sum()), int(seen.sum())


def _measure(genes: Sequence[_Halves], fit: Fit) -> list[list[list[float]]]:
    """Of each gene and each way of predicting: loss, error, number of choices in tissues."""
    figures = []
    for one in genes:
        batch = pack([one.gene])
        shifts = fit.layer.shifts(batch, fit.values).mean(1).detach().numpy()
        by_kind = [_shares(batch, np.zeros_like(shifts)), _shares(batch, shifts)]
        sums = [[0.0, 0.0, 0.0] for _ in _KINDS]
        first = 0
        for choice, second in zip(one.gene.choices, one.second, strict=True):
            rows = slice(first, first + len(choice.base))
            mean = by_kind[0][rows]
            counted = (choice.reads + _PRIOR * mean) / (choice.reads.sum(0) + _PRIOR)
            for total, share in zip(sums, (mean, by_kind[1][rows], counted), strict=True):
                for position, value in enumerate(_loss(share, second)):
                    total[position] += value
            first += len(choice.base)
        figures.append(sums)
    return figures


def tissues(
    directory: Path, junctions: Path, *, model_dir: Path | None, folds: int, seed: int
) -> tuple[dict[str, Any], str]:
    """Figures and a table; genes of one part are predicted by a layer that was fitted on the others."""
    counted = {tissue: introns_in(lines) for tissue, lines in read_tissues(junctions).items()}
    names = list(counted)
    reach = max(end for counts in counted.values() for _, end, _ in counts)
    shards = data.prepare(data.thaliana(), "exact", directory)
    rows = [row for row in read_windows(shards, split="train") if row.end <= reach]
    network, _ = load_network(model_dir)
    genes = _gather(rows, counted, Reader(network.eval(), precision="fp32"), seed)
    order = np.random.default_rng(seed).permutation(len(genes))
    # One number a tissue, as a table of ones and zeros is normalised over the samples.
    values = np.eye(len(names), dtype=np.float32)
    values = (values - values.mean(1, keepdims=True)) / values.std(1, keepdims=True)
    config = ConditionConfig(
        shards=(), outdir=directory, conditions=junctions, usage=junctions, scale="plain", seed=seed
    )
    figures: list[list[list[float]]] = []
    epochs = []
    for fold in range(folds):
        test = [genes[i] for i in order[fold::folds]]
        others = [genes[i].gene for number in range(folds) if number != fold for i in order[number::folds]]
        held = max(1, len(others) // 8)
        fit = Fit(config, others[held:], others[:held], values)
        fit.run()
        epochs.append(fit.best_epoch)
        figures += _measure(test, fit)
    return _summary(np.array(figures), names, epochs, seed)


def _summary(figures: Floats, names: Sequence[str], epochs: Sequence[int], seed: int) -> tuple[dict[str, Any], str]:
    """Means over choices in tissues, with 95 % intervals over genes by bootstrap."""
    rng = np.random.default_rng(seed)
    draws = rng.integers(0, len(figures), (2000, len(figures)))
    sums = figures[draws].sum(1)  # (draws, kinds, 3)
    means, drawn = figures.sum(0)[:, :2] / figures.sum(0)[:, 2:], sums[..., :2] / sums[..., 2:]
    result: dict[str, Any] = {"tissues": list(names), "genes": len(figures), "epochs_kept": list(epochs)}
    lines = []
    for number, kind in enumerate(_KINDS):
        low, high = np.quantile(drawn[:, number], (0.025, 0.975), axis=0)
        gain = drawn[:, 0, 0] - drawn[:, number, 0]
        gain_low, gain_high = np.quantile(gain, (0.025, 0.975))
        one: dict[str, Any] = {
            "loss": float(means[number, 0]),
            "loss_interval": [float(low[0]), float(high[0])],
            "error": float(means[number, 1]),
            "error_interval": [float(low[1]), float(high[1])],
            "gain": float(means[0, 0] - means[number, 0]),
            "gain_interval": [float(gain_low), float(gain_high)],
        }
        result[kind] = {name: np.round(value, 4).tolist() for name, value in one.items()}
        lines.append([
            kind, f"{one['loss']:.4f} ({low[0]:.4f} to {high[0]:.4f})",
            f"{one['error']:.4f} ({low[1]:.4f} to {high[1]:.4f})",
            "" if number == 0 else f"{one['gain']:+.4f} ({gain_low:+.4f} to {gain_high:+.4f})",
        ])  # fmt: skip
    head = ["predicted by", "loss of a read, nats", "error of a share", "gain on the mean over tissues, nats"]
    measured = int(figures[:, 0, 2].sum())
    text = (
        f"{grid(head, lines)}\n\n{len(figures)} genes, {measured} choices in {len(names)} tissues (10 reads or more "
        f"in the second half); 95 % intervals over genes. Epochs that were kept, by fold (0: nothing was learned): "
        f"{list(epochs)}."
    )
    return result | {"choices": measured}, text
