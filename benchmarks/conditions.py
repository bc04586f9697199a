"""`python -m benchmarks.conditions synthetic|tissues|cost`: what the layer of conditions learns, and at what cost.

In: nothing but a model (`synthetic`), or TAIR's junctions by tissue and the benchmark's genome (`tissues --junctions
FILE`). Out: a table, and JSON where asked.
A surprise: a layer fitted on samples that were shuffled once for all genes still finds the motifs, because the reads of
their genes do differ among the samples together; it puts that down to chance resemblances of the numbers, so the events
of a motif rise or fall all together, and the AUC of a single shuffle is far from 0.5 on either side. Shuffled gene by
gene there is nothing to find.
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.command import recording, run_command
from benchmarks.conditions_cost import cost, cost_table
from benchmarks.conditions_synthetic import IDLE, KEEPER, SKIPPER, TWIN, Event, World, build
from benchmarks.conditions_tissues import tissues
from benchmarks.data import call, tool
from benchmarks.table import grid
from transgenic_tools.generate.compare import graph_in
from transgenic_tools.genome.interval import Interval
from transgenic_tools.io.conditions import cut_table, read_conditions
from transgenic_tools.io.junctions import EvidenceFile
from transgenic_tools.io.rows import GeneRow
from transgenic_tools.io.shards import read_shard
from transgenic_tools.lattice.condition import Condition, ConditionLayer
from transgenic_tools.lattice.usage import Usage, intron_usage, stretch_usage
from transgenic_tools.lattice.window import WindowInput
from transgenic_tools.model.condition import ConditionModel, load_conditions
from transgenic_tools.model.files import load_network
from transgenic_tools.model.head import BaseScores
from transgenic_tools.provenance import write_aside
from transgenic_tools.search.reader import Reader
from transgenic_tools.train.condition_genes import ConditionConfig, GeneReader, gather_samples, read_genes
from transgenic_tools.train.condition_layer import GeneUsage
from transgenic_tools.train.conditions import Fit

log = logging.getLogger("benchmarks")
Floats = npt.NDArray[np.float64]
#: What is held against what: the protein, the motif that it acts on, and whether exons or introns have it.
QUESTIONS = {
    "exon skipped by SKIPPER": (SKIPPER, "skip", True),
    "intron kept by KEEPER": (KEEPER, "stay", False),
    "exons and IDLE, which does nothing": (IDLE, "idle", True),
    "introns and IDLE, which does nothing": (IDLE, "idle", False),
}
#: Smaller shares of a graph's paths are rounding.
_LEAST_SHARE = 1e-12
#: Orders of the samples that are wrong.
SHUFFLES = ("samples shuffled once", "samples shuffled gene by gene")


def auc(positive: Sequence[float], negative: Sequence[float]) -> float:
    """Share of pairs in which the positive one is larger, ties half."""
    p, n = np.array(positive)[:, None], np.array(negative)[None]
    return float((p > n).mean() + 0.5 * (p == n).mean())


@dataclass(frozen=True, kw_only=True)
class _Held:
    """A held-out gene, read once; events are in window coordinates."""

    window: WindowInput
    scores: BaseScores
    features: npt.NDArray[np.float32]
    events: tuple[tuple[Event, Interval], ...]


def _held_out(rows: Sequence[GeneRow], events: Sequence[Event], reader: Reader) -> list[_Held]:
    by_gene: dict[str, list[Event]] = {}
    for event in events:
        by_gene.setdefault(event.gene, []).append(event)
    windows = [WindowInput.of(row.sequence) for row in rows]
    return [
        _Held(
            window=window,
            scores=scores,
            features=scores.features[0, :, : len(window)].float().numpy(),
            events=tuple((event, row.window.to_window(event.interval)) for event in by_gene[row.gene_id]),
        )
        for row, window, scores in zip(rows, windows, reader.score_windows(windows), strict=True)
    ]


def log_odds(introns: Usage, stretches: Usage, event: Event, place: Interval) -> float:
    """Of an exon against introns over it, or of an intron against exons that run across it, in a window's graph.

    Both sides are sums of small shares: 1 less the one would lose the other, and count what is neither.
    """
    if event.is_exon:
        used = sum(share for (_, acceptor), share in introns.items() if acceptor == place.start - 1)
        other = (share for (donor, acceptor), share in introns.items() if donor < place.start and acceptor >= place.end)
    else:
        used = introns.get((place.start, place.end - 1), 0.0)
        other = (share for (first, last), share in stretches.items() if first < place.start and last >= place.end)
    return float(np.log(max(used, _LEAST_SHARE)) - np.log(max(sum(other), _LEAST_SHARE)))


def _shift_falls(
    held: Sequence[_Held], layer: ConditionLayer, values: npt.NDArray[np.float32], *, exons: bool
) -> list[tuple[Event, float]]:
    """By how much the layer lowers the log-odds of each event in a condition, against the mean one."""
    shift = layer.at(values)
    found = []
    for gene in held:
        donor, acceptor = shift.of(gene.window.codes, gene.features)
        for event, place in gene.events:
            if event.is_exon == exons:
                ends = (place.end, place.start - 1) if exons else (place.start, place.end - 1)
                found.append((event, -float(donor[ends[0]] + acceptor[ends[1]])))
    return found


def _lattice_falls(
    held: Sequence[_Held], reader: Reader, layer: ConditionLayer, high: npt.NDArray[np.float32],
    low: npt.NDArray[np.float32], *, exons: bool,
) -> list[tuple[Event, float]]:  # fmt: skip
    """By how much log-odds the lattice uses each event less in one condition than in another."""
    conditions = [Condition(name="", shift=layer.at(values)) for values in (high, low)]
    found = []
    for gene in held:
        graphs = (graph_in(reader, gene.window, gene.scores, condition) for condition in conditions)
        one, other = (({}, {}) if graph is None else (intron_usage(graph), stretch_usage(graph)) for graph in graphs)
        for event, place in gene.events:
            if event.is_exon == exons:
                found.append((event, log_odds(*other, event, place) - log_odds(*one, event, place)))
    return found


def _figures(moved: Sequence[tuple[Event, float]], motif: str) -> dict[str, float]:
    """Do the events with the motif fall more than those without?"""
    with_it = [fall for event, fall in moved if event.motif == motif]
    without = [fall for event, fall in moved if event.motif != motif]
    return {
        "auc": round(auc(with_it, without), 4),
        "with_motif": len(with_it),
        "without": len(without),
        "fall_with_motif": round(float(np.mean(with_it)), 3),
        "fall_without": round(float(np.mean(without)), 3),
    }


def answers(
    held: Sequence[_Held], layer: ConditionLayer, model: ConditionModel, extremes: Path, *, reader: Reader | None = None
) -> dict[str, dict[str, float]]:
    """Each question's figures by the layer's shifts, from the protein low to high; with a reader, by the lattice."""
    table = read_conditions(extremes)
    cut = cut_table(table, table.samples, model.scaling).values
    column = {name: cut[:, number] for number, name in enumerate(table.samples)}
    found = {}
    for question, (protein, motif, exons) in QUESTIONS.items():
        high, low = column[f"{protein}_high"], column[f"{protein}_low"]
        if reader is None:
            moved = _shift_falls(held, layer, high - low, exons=exons)
        else:
            moved = _lattice_falls(held, reader, layer, high, low, exons=exons)
        found[question] = _figures(moved, motif)
    return found


def _order_without(
    values: npt.NDArray[np.float32], names: Sequence[str], rng: np.random.Generator
) -> npt.NDArray[np.intp]:
    """An order of the samples that leaves nothing of the two numbers that act: their correlation is below 0.05."""
    acting = values[[names.index(SKIPPER), names.index(KEEPER)]]
    while True:
        order = rng.permutation(values.shape[1])
        if all(abs(np.corrcoef(one, one[order])[0, 1]) < 0.05 for one in acting):
            return order


def _gene_by_gene(genes: Sequence[GeneUsage], rng: np.random.Generator) -> list[GeneUsage]:
    """Reads of each gene with samples in an order of its own."""
    mixed = []
    for gene in genes:
        order = rng.permutation(gene.choices[0].reads.shape[1])
        choices = tuple(replace(choice, reads=choice.reads[:, order]) for choice in gene.choices)
        mixed.append(replace(gene, choices=choices))
    return mixed


def _shuffles(
    config: ConditionConfig, world: World, held: Sequence[_Held], reader: Reader, model: ConditionModel, number: int
) -> dict[str, list[dict[str, float]]]:
    """AUC of each question by layers fitted on samples in a wrong order, one for all genes, or one for each."""
    evidence = EvidenceFile(config.usage)
    samples = gather_samples(config, evidence)
    train, validation = read_genes(config, GeneReader(config, evidence, samples, reader))
    values, found = samples.cut.values, {kind: list[dict[str, float]]() for kind in SHUFFLES}
    for seed in range(number):
        rng = np.random.default_rng((config.seed, seed))
        order = _order_without(values, samples.scaling.names, rng)
        for kind in SHUFFLES:
            if kind == SHUFFLES[0]:
                fit = Fit(config, train, validation, np.ascontiguousarray(values[:, order]))
            else:
                fit = Fit(config, _gene_by_gene(train, rng), _gene_by_gene(validation, rng), values)
            fit.run()
            asked = answers(held, fit.layer.as_layer(), model, world.extremes)
            found[kind].append({question: one["auc"] for question, one in asked.items()})
            log.info("shuffle %d, %s: %s", seed + 1, kind, found[kind][-1])
    return found


def synthetic(
    directory: Path, *, genes: int, samples: int, seed: int, shuffles: int, model_dir: Path | None, trunk_rate: float
) -> dict[str, Any]:
    """The synthetic proof; everything by the tools that a user calls, but for the shuffles."""
    world = build(directory / "world", genes=genes, samples=samples, seed=seed)
    shards, usage, outdir = directory / "shards", directory / "usage.parquet", directory / "model"
    call(
        tool("tg-prep"), "genes", "--fasta", world.fasta, "--annotation", world.annotation, "--outdir", shards,
        "--split", "fraction:65/10/25", "--seed", str(seed), "--quiet",
    )  # fmt: skip
    call(tool("tg-evidence"), world.sheet, "--fasta", world.fasta, "--out", usage, "--quiet")
    init = () if model_dir is None else ("--init", model_dir)
    call(
        tool("tg-train"), shards, *init, "--conditions", world.table, "--usage", usage, "--outdir", outdir, "--seed",
        str(seed), "--threads", "1", "--device", "cpu", "--no-resume", "--trunk-rate", str(trunk_rate),
    )  # fmt: skip
    model = load_conditions(outdir)
    log.info("fitted: %s", model.notes["validation"])
    network, _ = load_network(outdir)
    reader = Reader(network.eval(), precision="fp32")
    rows = [row for row in read_shard([shards]) if row.split == "test"]
    held = _held_out(rows, world.events, reader)
    config = ConditionConfig(shards=(shards,), outdir=outdir, conditions=world.table, usage=usage, members=1, seed=seed)
    shuffled = _shuffles(config, world, held, reader, model, shuffles)
    effects: Mapping[str, float] = model.notes["effects"]
    return {
        "genes": genes,
        "samples": samples,
        "test_genes": len(rows),
        "questions": answers(held, model.layer, model, world.extremes),
        "lattice": answers(held, model.layer, model, world.extremes, reader=reader),
        "shuffled": shuffled,
        "effects": {name: effects[name] for name in (SKIPPER, TWIN, KEEPER, IDLE)}
        | {"largest other": max(value for name, value in effects.items() if name.startswith("OTHER"))},
        "confounded": model.notes["confounded"],
        "validation": model.notes["validation"],
        "trunk": model.notes["trunk"],
    }


def synthetic_table(figures: Mapping[str, Any]) -> str:
    """Markdown."""
    rows = []
    for question, one in figures["questions"].items():
        chance = [", ".join(f"{each[question]:.2f}" for each in figures["shuffled"][kind]) or "-" for kind in SHUFFLES]
        rows.append([
            question, f"{one['auc']:.3f}", f"{one['with_motif']} / {one['without']}",
            f"{one['fall_with_motif']:+.2f} / {one['fall_without']:+.2f}", *chance,
            f"{figures['lattice'][question]['auc']:.3f}",
        ])  # fmt: skip
    head = [
        "question",
        "AUC",
        "events with / without the motif",
        "fall in log-odds, with / without",
        *(f"AUC, {kind}" for kind in SHUFFLES),
        "AUC of what the lattice uses",
    ]
    confounded = "; ".join(f"{name} with {', '.join(others)}" for name, others in figures["confounded"].items())
    effects = ", ".join(f"{name} {value:.3f}" for name, value in figures["effects"].items())
    return (
        f"{grid(head, rows)}\n\n{figures['test_genes']} held-out genes of {figures['genes']}, {figures['samples']} "
        f"samples. Shift that one deviation of a number makes: {effects}. Reported as confounded: "
        f"{confounded or 'none'}."
    )


def record(part: str, figures: Mapping[str, Any]) -> None:
    """Into results.json; parts that were not run now keep their figures."""
    shown = dict(figures)
    if part == "synthetic":  # the two questions that have an answer, and what chance gives
        acting = list(QUESTIONS)[:2]
        shown["auc"] = min(figures["questions"][question]["auc"] for question in acting)
        shown["auc_shuffled"] = round(
            float(np.mean([one[question] for one in figures["shuffled"][SHUFFLES[1]] for question in acting])), 4
        )
    with recording(Path(__file__).resolve().parents[1]) as results:
        results["condition"] = {**results.get("condition", {}), part: shown}


def main(argv: Sequence[str] | None = None) -> int:
    """Exit code of the command."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.conditions", description=__doc__)
    parser.add_argument("proof", choices=("synthetic", "tissues", "cost"))
    parser.add_argument("--model", type=Path, help="model directory; the embedded model by default")
    parser.add_argument("--genes", type=int, help="synthetic (500), cost (8000): genes")
    parser.add_argument("--samples", type=int, default=32, help="synthetic: samples")
    parser.add_argument("--trunk-rate", type=float, default=0.0, help="synthetic: the trunk learns along")
    parser.add_argument("--shuffles", type=int, default=4, help="synthetic: times that the samples are shuffled")
    parser.add_argument("--junctions", type=Path, help="tissues: TAIR's junctions, GFF3 with tissue= in column 9")
    parser.add_argument("--folds", type=int, default=5, help="tissues: parts of the genes")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--workdir", type=Path, help="keep all files here")
    parser.add_argument("--json", type=Path, help="write the figures")
    parser.add_argument("--record", action="store_true", help="write the figures into benchmarks/results.json")
    given = parser.parse_args(argv)
    if given.proof == "tissues" and given.junctions is None:
        parser.error("tissues wants --junctions FILE")
    return run_command("conditions", lambda: _prove(given))


def _prove(given: argparse.Namespace) -> None:
    with tempfile.TemporaryDirectory() as temporary:
        directory = given.workdir or Path(temporary)
        if given.proof == "synthetic":
            figures = synthetic(
                directory, genes=given.genes or 500, samples=given.samples, seed=given.seed, shuffles=given.shuffles,
                model_dir=given.model, trunk_rate=given.trunk_rate,
            )  # fmt: skip
            text = synthetic_table(figures)
        elif given.proof == "cost":
            figures = cost(directory, genes=given.genes or 8000, seed=given.seed, model_dir=given.model)
            text = cost_table(figures)
        else:
            figures, text = tissues(
                directory, given.junctions, model_dir=given.model, folds=given.folds, seed=given.seed
            )
    print(text)
    if given.record:
        record(given.proof, figures)
    if given.json is not None:
        with write_aside(given.json) as aside:
            aside.write_text(json.dumps({given.proof: figures}, indent=1) + "\n")


if __name__ == "__main__":
    sys.exit(main())
