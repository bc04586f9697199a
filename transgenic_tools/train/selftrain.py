"""Self-training: predictions that a model may learn from, and the guard that keeps it where they do not help.

In: predictions with the gene shards that they were made from, evidence where there is some. Out: gene shards of those
genes whose every part is confident; the nats that a model needs for genes that were held out of them.
A surprise: the genes that are kept are the easy ones and right nearly always, so neither calibration nor weights of the
graph's scores may be fitted on them; both stay those of the initial model.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from transgenic_tools.genome.gene import Transcript
from transgenic_tools.genome.hashing import uniform_hash
from transgenic_tools.genome.interval import Interval
from transgenic_tools.io.junctions import EvidenceFile, EvidenceOfWindows
from transgenic_tools.io.rows import GeneRow
from transgenic_tools.io.shards import read_predicted_genes, write_gene_shards
from transgenic_tools.model.files import load_network
from transgenic_tools.model.network import pick_device
from transgenic_tools.provenance import Provenance
from transgenic_tools.search.reader import Reader
from transgenic_tools.train.decoding import decoder_loss, prepare
from transgenic_tools.train.examples import Example, example_from_row
from transgenic_tools.train.metrics import jittered_items

logger = logging.getLogger(__name__)
#: One in so many kept genes is held out, for early stops and for the guard.
HELD_OUT = 8
#: Fewer kept genes than this say too little to learn from them or to guard by.
FEWEST = 40


@dataclass(frozen=True, kw_only=True)
class Selection:
    """Which predictions are learned from.

    Attributes:
        min_confidence: Least probability of a transcript, and of each of its donors and acceptors.
        evidence: File of `tg-evidence`; every intron must be shown by its reads then.
    """

    min_confidence: float = 0.9
    evidence: Path | None = None


def _is_shown(transcript: Transcript, row: GeneRow, windows: EvidenceOfWindows | None) -> bool:
    """Every intron has reads; without evidence nothing is asked."""
    if windows is None or not transcript.introns:
        return True
    shown = windows.of(row.reading, Interval(row.start, row.end))
    if shown is None:
        return False
    junctions = set(zip(shown.start.tolist(), shown.end.tolist(), strict=True))
    return all((intron.start, intron.end) in junctions for intron in transcript.introns)


def confident_genes(predictions: Sequence[Path], shards: Sequence[Path], selection: Selection) -> Iterator[GeneRow]:
    """Predictions to learn from, as genes with splits; genes of the shards' split `test` are left alone.

    Raises:
        BadInputError: files that are none, or damaged, or of other genes.
    """
    windows = None if selection.evidence is None else EvidenceOfWindows(EvidenceFile(selection.evidence))
    least = selection.min_confidence
    for gene in read_predicted_genes(predictions, shards, min_score=least, min_site=least):
        row = gene.row
        if row.split == "test" or not all(_is_shown(one, row, windows) for one in row.read_transcripts()):
            continue
        held_out = uniform_hash("selftrain", row.gene_id) * HELD_OUT < 1
        # The locus is where the prediction lies, so that crops hold it: a given one may be wider, or beside it.
        spans = [transcript.interval for transcript in row.transcripts()]
        start, end = min(span.start for span in spans), max(span.end for span in spans)
        yield replace(row, start=start, end=end, split="validation" if held_out else "train", fold=None)


def write_confident(
    predictions: Sequence[Path], shards: Sequence[Path], selection: Selection, outdir: Path
) -> tuple[tuple[Path, ...], list[Example]]:
    """Shards of the genes that are learned from, and the held-out ones among them."""
    held_out: list[Example] = []
    count = 0

    def rows() -> Iterator[GeneRow]:
        nonlocal count
        for row in confident_genes(predictions, shards, selection):
            count += 1
            if row.split == "validation":
                held_out.append(example_from_row(row))
            yield row

    stamp = Provenance("tg-train", {"min_confidence": selection.min_confidence})
    files = write_gene_shards(rows(), outdir, provenance=stamp)
    logger.info("%d genes are confident in every part, %d of them are held out", count, len(held_out))
    return (files if count >= FEWEST and held_out else ()), held_out


@torch.no_grad()
def nats_of_genes(directory: Path, examples: Sequence[Example], *, device: str = "auto") -> dict[str, float]:
    """What a whole model, trunk and decoder, needs for the transcripts of each gene; less is better.

    Genes whose transcripts are no path of its graph are left out.
    """
    network, _ = load_network(directory)
    network = network.eval().to(pick_device(device))
    reader = Reader(network)
    most = network.decoder.config.max_transcripts
    nats = {}
    for item in jittered_items(examples):
        example = examples[item.index]
        steps = prepare(reader, example, item.crop, most=most)
        if steps is not None:
            _, parts = decoder_loss(network.decoder, [steps], network.device)
            nats[example.gene_id] = float(parts["step_loss"]) * len(steps.gold)
    return nats


@dataclass(frozen=True)
class Guard:
    """The same held-out genes by two models.

    Attributes:
        genes: That both can write.
        before, after: Mean nats of a gene.
    """

    genes: int
    before: float
    after: float

    @property
    def is_better(self) -> bool:
        return self.after < self.before


def guard(initial: Path, tuned: Path, examples: Sequence[Example], *, device: str = "auto") -> Guard:
    """Whether the tuned model finds the held-out genes more likely."""
    before, after = (nats_of_genes(directory, examples, device=device) for directory in (initial, tuned))
    both = sorted(before.keys() & after.keys())
    total = [sum(nats[gene] for gene in both) / max(1, len(both)) for nats in (before, after)]
    return Guard(len(both), *total)
