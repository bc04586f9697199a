"""What the fit of conditions learns from: samples that table and counts share, and the choices of genes.

In: a `ConditionConfig`. Out: `Samples` with their inputs, and `GeneUsage` of training and validation genes.
A surprise: a junction counts for the one gene whose locus holds both its ends; windows overlap, loci seldom do.
"""

from __future__ import annotations

import hashlib
import logging
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from transgenic_tools.choices import Device, Precision, Scale
from transgenic_tools.errors import BadInputError
from transgenic_tools.io.conditions import (
    Cut,
    InputScaling,
    confounded,
    cut_table,
    differing_case,
    fit_scaling,
    listed,
    read_conditions,
    samples_of,
    without_inputs,
)
from transgenic_tools.io.files import text_lines
from transgenic_tools.io.junctions import EvidenceFile, Junctions
from transgenic_tools.io.progress import Progress
from transgenic_tools.io.rows import GeneRow
from transgenic_tools.io.shards import count_genes, expand_shards, read_shard
from transgenic_tools.lattice.window import WindowInput
from transgenic_tools.search.reader import Reader
from transgenic_tools.train.condition_layer import GeneUsage, gene_usage
from transgenic_tools.train.usage import GeneJunctions, choices_of

logger = logging.getLogger(__name__)
#: Genes that the trunk reads before their choices are taken.
_READ_TOGETHER = 64
#: Share of the junctions inside loci that must have a splice motif.
_LEAST_CANONICAL = 0.5


@dataclass(frozen=True, kw_only=True)
class ConditionConfig:
    """One fit.

    Attributes:
        init: Model directory whose scores are shifted; the embedded one where None.
        conditions: Table of numbers by sample.
        usage: Evidence file (`tg-evidence`); its inputs are samples by their names, or by their conditions.
        inputs: File with a name of the table on each line; None for the numbers that vary most.
        most_inputs: So many of these.
        scale: `log` takes log2(1 + x) of the numbers.
        rank, members, k: Of the layer; members see bootstrap samples of the genes.
        epochs: Passes over the training genes.
        trunk_rate: Of the trunk, in `trunk_epochs` passes behind these; 0 leaves the trunk as it is.
        rate: Of Adam, for weights at sites; it falls to 0 over the second half.
        shrink: Penalty on k-mer weights, in units of Adam's steps: 1 keeps all of them at zero.
    """

    shards: tuple[Path, ...]
    outdir: Path
    conditions: Path
    usage: Path
    init: Path | None = None
    inputs: Path | None = None
    most_inputs: int = 256
    scale: Scale = "log"
    rank: int = 4
    members: int = 5
    k: int = 6
    epochs: int = 20
    trunk_rate: float = 0.0
    trunk_epochs: int = 3
    rate: float = 0.004
    shrink: float = 0.5
    seed: int = 1
    threads: int = 1
    device: Device = "auto"
    precision: Precision = "fp32"
    resume: bool = True


@dataclass(frozen=True, kw_only=True, eq=False)
class Samples:
    """Samples that both the table and the counts have.

    Attributes:
        of_input: Sample of each input of the evidence, -1 for none.
        notes: What was left out, for the description of the layer.
    """

    names: tuple[str, ...]
    of_input: npt.NDArray[np.int64]
    scaling: InputScaling
    cut: Cut
    notes: Mapping[str, Any]


def gather_samples(config: ConditionConfig, evidence: EvidenceFile) -> Samples:
    table = read_conditions(config.conditions)
    inputs = [(source.name, source.condition) for source in evidence.inputs]
    names, of_input = samples_of(inputs, table.samples)
    labels = [name if condition is None else f"{name} ({condition})" for name, condition in inputs]
    if len(names) < 2:
        either = [label for pair in inputs for label in pair if label]
        raise BadInputError(
            f"{len(names)} samples are in both the table ({listed(table.samples)}) and the counts ({listed(labels)}); "
            f"two at least are wanted{differing_case(table.samples, either)}",
            path=config.conditions,
            hint="name the table's columns as the samples or the conditions of the evidence sheet",
        )
    only_table = [name for name in table.samples if name not in names]
    only_counts = [label for label, sample in zip(labels, of_input, strict=True) if sample < 0]
    if only_table or only_counts:
        logger.warning(
            "%d samples are left out: only in the table %s; only in the counts %s%s",
            *(len(only_table) + len(only_counts), listed(only_table), listed(only_counts)),
            differing_case(only_table, [name for name, _ in inputs]),
        )
    chosen = None
    if config.inputs is not None:
        chosen = [line.split("\t")[0].strip() for _, line in text_lines(config.inputs) if line.strip()]
    scaling, left_out = fit_scaling(table, names, scale=config.scale, chosen=chosen, most=config.most_inputs)
    cut = cut_table(table, names, scaling)
    if config.scale == "log" and (silent := without_inputs(table, names, scaling.names)):
        logger.warning(
            "%d of %d samples are zero in all of the %d inputs: %s",
            *(len(silent), len(names), len(scaling.names), listed(silent)),
        )
    together = confounded(cut.values, scaling.names)
    if together:
        logger.warning(
            "%d of %d inputs go together with others over these samples, and nothing tells their effects apart: %s",
            *(len(together), len(scaling.names)),
            "; ".join(f"{name} with {listed(others)}" for name, others in list(together.items())[:5]),
        )
    if len(scaling.names) >= len(names):
        logger.warning(
            "%d inputs for %d samples: predictions can be right, but effects of single inputs cannot be told apart",
            *(len(scaling.names), len(names)),
        )
    notes = {
        "inputs_left_out": dict(left_out),
        "confounded": together,
        "only_in_table": only_table,
        "only_in_counts": only_counts,
    }
    return Samples(
        names=tuple(names), of_input=np.array(of_input, dtype=np.int64), scaling=scaling, cut=cut, notes=notes
    )


class GeneReader:
    """Takes genes to their choices; counts what has none, by reason."""

    def __init__(self, config: ConditionConfig, evidence: EvidenceFile, samples: Samples, reader: Reader) -> None:
        self.config, self.reader = config, reader
        self.junctions = evidence.junctions()
        self.indicator = np.zeros((len(samples.of_input), len(samples.names)))
        known = samples.of_input >= 0
        self.indicator[np.flatnonzero(known), samples.of_input[known]] = 1.0
        self.samples, self.reads = samples.names, np.zeros(len(samples.names))
        self.counted: Counter[str] = Counter()
        self.motifs = [0, 0]  # junctions inside loci, and those with a splice motif
        self.seqids: dict[str, None] = {}

    def in_window(self, row: GeneRow) -> GeneJunctions | None:
        """Junctions whose ends both lie in the locus, in window coordinates."""
        self.seqids.setdefault(row.seqid)
        found = self.junctions.get((row.seqid, row.strand))
        if row.kept is not None or found is None:
            self.counted["shortened_window" if row.kept is not None else "no_junctions"] += 1
            return None
        junctions = junctions_in(found, row, self.indicator)
        if not len(junctions):
            self.counted["no_junctions"] += 1
            return None
        self.reads += junctions.reads.sum(0)
        self._look_at_motifs(row, junctions)
        return junctions

    def _look_at_motifs(self, row: GeneRow, junctions: GeneJunctions) -> None:
        for donor, acceptor in zip(junctions.donor.tolist(), junctions.acceptor.tolist(), strict=True):
            pair = row.sequence[donor : donor + 2] + row.sequence[acceptor - 1 : acceptor + 1]
            self.motifs[0] += 1
            self.motifs[1] += pair in ("GTAG", "GCAG", "ATAC")

    def read(self, rows: Sequence[GeneRow]) -> Iterator[tuple[GeneRow, GeneUsage]]:
        """Genes of some rows whose reads say something."""
        chosen = []
        for row in rows:
            junctions = self.in_window(row)
            choices = [] if junctions is None else choices_of(junctions)
            if choices:
                chosen.append((row, choices))
            elif junctions is not None:
                self.counted["no_choice"] += 1
        windows = [WindowInput.of(row.sequence) for row, _ in chosen]
        for (row, choices), window, scores in zip(chosen, windows, self.reader.score_windows(windows), strict=True):
            features = scores.features[0, :, : len(window)].float().cpu().numpy()
            yield row, gene_usage(row.gene_id, window.codes, choices, features, self.config.k)

    def check(self) -> None:
        """Counts that lie nowhere, or where no intron can be, are those of another assembly; samples may have none.

        Raises:
            BadInputError: so it is.
        """
        path = self.config.usage
        counted = {seqid for seqid, _ in self.junctions}
        if not counted & set(self.seqids):
            raise BadInputError(
                f"the counts lie on {listed(counted)}, the genes on {listed(self.seqids)}: no sequence name is shared",
                path=path,
                hint="give tg-evidence --aliases FILE, or shards and counts of one assembly",
            )
        if self.reads.any() and not self.reads.all():
            silent = [name for name, reads in zip(self.samples, self.reads, strict=True) if not reads]
            logger.warning(
                "%d of %d samples have no read across an intron inside these genes, and teach nothing: %s",
                *(len(silent), len(self.samples), listed(silent)),
            )
        inside, canonical = self.motifs
        if inside and canonical < _LEAST_CANONICAL * inside:
            raise BadInputError(
                f"of {inside:,} junctions inside genes {canonical:,} have a splice motif: these are counts of another "
                "assembly",
                path=path,
                hint="gather them again with tg-evidence and the FASTA of the shards",
            )


def junctions_in(found: Junctions, row: GeneRow, indicator: npt.NDArray[np.float64]) -> GeneJunctions:
    """Junctions of one strand whose ends both lie in a gene's locus, in coordinates of its window.

    Args:
        indicator: (I, S) which input of the evidence belongs to which sample.
    """
    low, high = np.searchsorted(found.start, (row.start, row.end))
    kept = np.arange(low, high)[found.end[low:high] <= row.end]
    first, last = _turned(found.start[kept], found.end[kept], row)
    reads = found.reads[kept].astype(np.float64) @ indicator
    return GeneJunctions(donor=first, acceptor=last, reads=reads)


def _turned(
    start: npt.NDArray[np.int64], end: npt.NDArray[np.int64], row: GeneRow
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """First and last base of introns in window coordinates."""
    if row.strand == "+":
        return start - row.window_start, end - row.window_start - 1
    return row.window_end - end, row.window_end - start - 1


def _is_validation(row: GeneRow, declared: bool) -> bool:
    """By the shard's split; where that names no validation gene, a tenth of the genes by their names."""
    if declared:
        return row.split == "validation"
    return hashlib.sha256(row.gene_id.encode()).digest()[0] < 26


def read_genes(config: ConditionConfig, reader: GeneReader) -> tuple[list[GeneUsage], list[GeneUsage]]:
    """Training and validation genes; those of the split `test` are not looked at."""
    shards = expand_shards(config.shards)
    declared = any(count_genes(shard, split="validation") for shard in shards)
    progress = Progress(logger, total=sum(count_genes(shard) for shard in shards))
    train: list[GeneUsage] = []
    validation: list[GeneUsage] = []
    waiting: list[GeneRow] = []

    def take() -> None:
        for row, gene in reader.read(waiting):
            (validation if _is_validation(row, declared) else train).append(gene)
        progress.add(len(waiting), sum(len(row.sequence) for row in waiting))
        waiting.clear()

    for row in read_shard(shards):
        if row.split != "test":
            waiting.append(row)
            if len(waiting) == _READ_TOGETHER:
                take()
    take()
    reader.check()
    for name, genes in (("training", train), ("validation", validation)):
        if not genes:
            raise BadInputError(
                f"no {name} gene has a choice between junctions with reads enough in two samples "
                f"({dict(reader.counted)})",
                path=config.usage,
                hint="give more reads, more genes, or shards with other splits",
            )
    return train, validation
