"""What conditions cost: a fit on 20 samples and 8,000 genes, and generation with and without a condition.

In: sizes, a model. Out: CPU seconds and peak memory of whole commands on one thread.
A surprise: the fit is on synthetic genes, generation on A. thaliana's validation windows, since the search in a
synthetic gene is not that in a real one; the layer is that of the fit, so its shifts are not zero.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks import data
from benchmarks.conditions_synthetic import build
from benchmarks.data import call, tool
from benchmarks.measure import Cost, run_measured
from benchmarks.table import grid
from transgenic_tools.model.condition import load_conditions

log = logging.getLogger("benchmarks")
SAMPLES = 20
#: With and without in turn, since a neighbour on the machine may slow either; the least counts.
TURNS = 3


def _fit(directory: Path, *, genes: int, seed: int, model_dir: Path | None) -> tuple[Path, Cost]:
    """The model directory, and what `tg-train --conditions` used."""
    world = build(directory / "world", genes=genes, samples=SAMPLES, seed=seed)
    shards, usage, model = directory / "shards", directory / "usage.parquet", directory / "model"
    call(
        tool("tg-prep"), "genes", "--fasta", world.fasta, "--annotation", world.annotation, "--outdir", shards,
        "--split", "fraction:90/10/0", "--quiet",
    )  # fmt: skip
    call(tool("tg-evidence"), world.sheet, "--fasta", world.fasta, "--out", usage, "--quiet")
    init = () if model_dir is None else ("--init", model_dir)
    used = run_measured(
        (
            tool("tg-train"), shards, *init, "--conditions", world.table, "--usage", usage, "--outdir", model,
            "--threads", "1", "--device", "cpu", "--no-resume",
        ),
        stdout=directory / "train.out", stderr=directory / "train.err",
    )  # fmt: skip
    return model, used


def cost(directory: Path, *, genes: int, seed: int, model_dir: Path | None) -> dict[str, Any]:
    """Figures of both; every gene of the fit is in the split `train` or `validation`, so all are read."""
    directory.mkdir(parents=True, exist_ok=True)
    model, fit = _fit(directory, genes=genes, seed=seed, model_dir=model_dir)
    log.info("fit: %s", fit.rounded())
    windows = data.prepare(data.thaliana(), "jittered", directory)
    sample = next(iter(load_conditions(model).samples))
    runs: dict[str, list[Cost]] = {"without": [], "with": []}
    for turn in range(TURNS):
        for kind, flags in (("without", ()), ("with", ("--condition", sample))):
            used = run_measured(
                (
                    tool("tg-generate"), windows, "--split", "validation", "--model", model, "--outdir",
                    directory / f"{kind}{turn}", "--device", "cpu", *flags,
                ),
                stdout=directory / "generate.out", stderr=directory / "generate.err",
            )  # fmt: skip
            log.info("generation %s: %s", kind, used.rounded())
            runs[kind].append(used)
    seconds = {kind: [round(one.cpu_seconds, 2) for one in used] for kind, used in runs.items()}
    return {
        "genes": genes,
        "samples": SAMPLES,
        "train": fit.rounded(),
        "generation_cpu_seconds": seconds,
        "generation_ratio": round(min(seconds["with"]) / min(seconds["without"]), 3),
    }


def cost_table(figures: Mapping[str, Any]) -> str:
    """Markdown."""
    train, generation = figures["train"], figures["generation_cpu_seconds"]
    rows = [
        [
            f"tg-train --conditions, {figures['genes']:,} genes, {figures['samples']} samples",
            f"{train['cpu_seconds']:.0f}",
            f"{train['peak_rss_mb']:.0f}",
        ],
        *(
            [
                f"tg-generate {kind} a condition, validation windows",
                ", ".join(f"{value:.1f}" for value in generation[kind]),
                "",
            ]
            for kind in ("without", "with")
        ),
    ]
    text = grid(["whole command, one thread", "CPU seconds", "peak MB"], rows)
    return f"{text}\n\nGeneration with a condition costs {figures['generation_ratio']:.2f} times that without."
