"""Measures of a trunk of both strands on held-out genes and held-out stretches.

In: a trunk and a sheet of genomes. Out: numbers by genome: average precision of exact sites in gene mode and in scan
mode, losses, false sites a kilobase where no gene is annotated, and accuracy of coding bases.
Usage: python -m transgenic_tools.train.strand_metrics DIR... --sheet genomes.yaml
A surprise: stretches are measured tile by tile, but only the inner part of a tile counts, as in a scan.
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from safetensors.torch import load_file

from transgenic_tools.genome.hashing import stable_rng
from transgenic_tools.genome.interval import STRANDS, Interval
from transgenic_tools.lattice.vocabulary import Content, Site
from transgenic_tools.model.config import build_part
from transgenic_tools.model.head import BaseScores
from transgenic_tools.model.strand_trunk import StrandTrunk
from transgenic_tools.train.examples import Example, crop_labels, label_window
from transgenic_tools.train.genomes import Source, Territory, read_sheet, read_source
from transgenic_tools.train.metrics import MEASURED, average_precision, jittered_items
from transgenic_tools.train.mixture import StrandBatch, Window, collate_windows, label_tile
from transgenic_tools.train.trunk import strand_loss


@dataclass(frozen=True)
class Tiling:
    """Tiles of `length` bases, of which `margin` at either end do not count; at most `most` of a genome."""

    length: int = 24_000
    margin: int = 3_000
    most: int = 30


class _Sites:
    """Scores and labels of the exact site types at the positions that count."""

    def __init__(self) -> None:
        self.scores: dict[Site, list[npt.NDArray[np.float32]]] = defaultdict(list)
        self.positive: dict[Site, list[npt.NDArray[np.bool_]]] = defaultdict(list)

    def add(self, scores: BaseScores, batch: StrandBatch, strand: int, inner: slice) -> None:
        for site in MEASURED:
            keep = batch.weight[strand, :, site, inner].bool()
            self.scores[site].append(scores.sites[:, site, inner][keep].float().numpy())
            self.positive[site].append((batch.sites[strand, :, site, inner][keep] > 0.5).numpy())

    def average_precision(self) -> dict[str, float]:
        return {
            f"ap_{site.name.lower()}": average_precision(np.concatenate(values), np.concatenate(self.positive[site]))
            for site, values in self.scores.items()
        }


@torch.inference_mode()
def measure_genes(trunk: StrandTrunk, examples: Sequence[Example], *, seed: int = 1) -> dict[str, float]:
    """Gene mode, on jittered windows one at a time."""
    found, losses, bases = _Sites(), 0.0, 0
    for item in jittered_items(examples):
        example = examples[item.index]
        labels = label_window(example, rng=stable_rng("content", seed, 0, example.gene_id))
        codes = example.window.crop(item.crop).codes
        batch = collate_windows([Window(codes, (crop_labels(labels, item.crop),))])
        scores = trunk(batch.codes)
        loss, _ = strand_loss((scores,), batch)
        losses, bases = losses + float(loss) * len(codes), bases + len(codes)
        found.add(scores, batch, 0, slice(None))
    return {"loss": losses / max(bases, 1), **found.average_precision()}


def tiles(territory: Territory, tiling: Tiling) -> Iterator[tuple[str, Interval]]:
    """Held-out tiles whose inner parts lie side by side, spread evenly where there are too many."""
    listed = [
        (seqid, Interval(start, start + tiling.length))
        for seqid, part in sorted(territory.parts["validation"].items())
        for start in range(part.start, part.end - tiling.length + 1, tiling.length - 2 * tiling.margin)
    ]
    yield from listed[:: max(1, -(-len(listed) // tiling.most))]


@torch.inference_mode()
def measure_stretches(trunk: StrandTrunk, territory: Territory, tiling: Tiling) -> dict[str, float]:
    """Scan mode, both strands."""
    found, coding, false = _Sites(), np.zeros(4), np.zeros(2)
    losses = []
    for number, (seqid, part) in enumerate(tiles(territory, tiling)):
        batch = collate_windows([label_tile(territory, seqid, part, rng=stable_rng("tile", number))])
        scores = trunk.scan(batch.codes)
        losses.append(float(strand_loss(scores, batch)[0]))
        inner = slice(tiling.margin, tiling.length - tiling.margin)
        empty = torch.from_numpy(_empty(territory, seqid, part))[inner]
        for strand in range(len(STRANDS)):
            found.add(scores[strand], batch, strand, inner)
            sites = scores[strand].sites[0][MEASURED, inner] > 0
            sites &= batch.weight[strand, 0][MEASURED, inner].bool()
            false += [float(sites[:, empty].sum()), float(empty.sum())]
            is_coding, said = (
                _coding(values[inner]) for values in (batch.contents[strand, 0], scores[strand].contents[0].argmax(0))
            )
            hit = batch.contents[strand, 0, inner] == scores[strand].contents[0].argmax(0)[inner]
            coding += [float(x.sum()) for x in (is_coding, said, is_coding & said, is_coding & hit)]
    return {
        "loss": float(np.mean(losses)),
        **found.average_precision(),
        "false_sites_per_kb": 1000 * false[0] / max(false[1], 1.0),
        "empty_kb": false[1] / 2000,
        "coding_recall": coding[2] / max(coding[0], 1.0),
        "coding_precision": coding[2] / max(coding[1], 1.0),
        "coding_in_frame": coding[3] / max(coding[0], 1.0),
    }


def _coding(contents: torch.Tensor) -> torch.Tensor:
    return (contents >= Content.CODING_1) & (contents <= Content.CODING_3)


def _empty(territory: Territory, seqid: str, part: Interval, *, away: int = 200) -> npt.NDArray[np.bool_]:
    """Where no gene stands on either strand within `away` bases."""
    empty = np.ones(len(part), dtype=bool)
    for strand in STRANDS:
        for gene in territory.on(seqid, strand, part.start - away, part.end + away):  # type: ignore[arg-type]
            low, high = gene.locus.start - away - part.start, gene.locus.end + away - part.start
            empty[max(low, 0) : max(high, 0)] = False
    return empty


def measure(
    trunk: StrandTrunk, sources: Sequence[Source], *, genes: int = 255, tiling: Tiling
) -> dict[str, dict[str, float]]:
    """Everything of every genome that has something held out, at most so many genes of each."""
    results = {}
    for source in sources:
        examples = source.genes.get("validation", [])
        if examples:
            every = max(1, len(examples) // genes)
            results[f"{source.entry.name} genes"] = measure_genes(trunk, examples[::every][:genes])
        if source.territory is not None and source.territory.parts.get("validation"):
            results[f"{source.entry.name} stretches"] = measure_stretches(trunk, source.territory, tiling)
    return results


def held_out_sources(sheet: Path) -> list[Source]:
    """Genomes of a sheet with something held out; only that is read of the sequences' genes and parts."""
    entries = [entry for entry in read_sheet(sheet) if "validation" in entry.stretches or entry.measured]
    return [read_source(replace(entry, exclude=None)) for entry in entries]


def load_trunk(directory: Path) -> StrandTrunk:
    """The averaged trunk that a training left."""
    saved = json.loads((directory / "config.json").read_text())
    trunk = StrandTrunk(build_part("encoder", saved["encoder"]))
    trunk.load_state_dict(load_file(directory / "trunk.safetensors"))
    return trunk.eval()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m transgenic_tools.train.strand_metrics", description=__doc__)
    parser.add_argument("trunks", type=Path, nargs="+", help="directories of transgenic_tools.train.trunk")
    parser.add_argument("--sheet", type=Path, required=True)
    parser.add_argument("--genes", type=int, default=255, help="most genes of a genome")
    parser.add_argument("--tiles", type=int, default=30, help="most tiles of a genome")
    given = parser.parse_args()
    torch.set_num_threads(1)
    sources = held_out_sources(given.sheet)
    for directory in given.trunks:
        step = json.loads((directory / "config.json").read_text()).get("step")
        results = measure(load_trunk(directory), sources, genes=given.genes, tiling=Tiling(most=given.tiles))
        print(json.dumps({"trunk": directory.name, "step": step, "results": results}), flush=True)


if __name__ == "__main__":
    main()
