"""What a model writes for genes whose transcripts are known, counted as `tg-evaluate` counts it, gene by gene.

In: a reader and examples. Out: `GeneFigures` of one jittered window of each gene, CDS alone.
A surprise: no file is written on the way, so it is for genes that a training holds out; whole annotations are compared
by `tg-evaluate`, which also knows of genes that overlap.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from transgenic_tools.genome.interval import Interval
from transgenic_tools.search.confidence import choose, found_transcript
from transgenic_tools.search.config import DecodingConfig
from transgenic_tools.search.reader import Reader
from transgenic_tools.search.search import GeneSearch, search, start_search
from transgenic_tools.train.calibration import expected_calibration_error
from transgenic_tools.train.decoding import crop_transcripts
from transgenic_tools.train.examples import Example
from transgenic_tools.train.metrics import jittered_items

#: Genes that are searched together, so that not all graphs are in memory.
_AT_ONCE = 256
#: A coding sequence.
Structure = tuple[Interval, ...]
#: Of the flanks: other windows than those that scores, early stopping and calibration see.
SEED = 7


@dataclass(frozen=True, kw_only=True)
class GeneFigures:
    """Counts over genes; structures are those of the CDS.

    Attributes:
        genes, exact: Looked at, and with a predicted structure that is one of the known.
        exons, known_exons, right_exons: Predicted, known, and both.
        structures, known_structures, right_structures: The same of whole coding sequences.
        confidence_error: Expected calibration error over the transcripts that are written.
    """

    genes: int
    exact: int = 0
    exons: int = 0
    known_exons: int = 0
    right_exons: int = 0
    structures: int = 0
    known_structures: int = 0
    right_structures: int = 0
    confidence_error: float = 0.0

    def figures(self) -> dict[str, float]:
        """Shares, by the names that `tg-evaluate` gives them."""
        sensitivity, precision = self.right_exons / max(self.known_exons, 1), self.right_exons / max(self.exons, 1)
        return {
            "genes": self.genes,
            "gene_exact": self.exact / max(self.genes, 1),
            "exon_f1": 2 * sensitivity * precision / max(sensitivity + precision, 1e-9),
            "transcript_sensitivity": self.right_structures / max(self.known_structures, 1),
            "transcript_precision": self.right_structures / max(self.structures, 1),
            "confidence_error": self.confidence_error,
        }


def searched(
    reader: Reader, examples: Sequence[Example], config: DecodingConfig, *, seed: int
) -> Iterator[tuple[Example, GeneSearch | None]]:
    """One jittered window of each gene with its known transcripts, and what was found in it; None where nothing can be.

    Args:
        seed: Of the flanks.
    """
    items = jittered_items(examples, seed=seed)
    for start in range(0, len(items), _AT_ONCE):
        windows, searches = [], []
        for item in items[start : start + _AT_ONCE]:
            cropped = crop_transcripts(examples[item.index], item.crop)
            windows.append(cropped)
            sites, _ = reader.read_window(cropped.window, floor=config.floor)
            searches.append(None if sites is None else start_search(cropped.gene_id, sites))
        search(reader.network.decoder, config, [gene for gene in searches if gene is not None], dtype=reader.dtype)
        yield from zip(windows, searches, strict=True)


def _written(
    reader: Reader, examples: Sequence[Example], config: DecodingConfig, seed: int
) -> Iterator[tuple[set[Structure], list[tuple[Structure, float]]]]:
    """For each gene its known structures, and those that are written with their probabilities."""
    calibration = reader.network.settings.calibration
    for cropped, gene in searched(reader, examples, config, seed=seed):
        structures = {t.cds for t in cropped.transcripts}
        if gene is None:
            yield structures, []
            continue
        chosen = choose(gene, calibration, min_confidence=config.least_confidence, keep_best=True)
        yield structures, [(found_transcript(one.found, gene, "t").cds, one.probability) for one in chosen]


@torch.no_grad()
def judge_genes(
    reader: Reader, examples: Sequence[Example], config: DecodingConfig | None = None, *, seed: int = SEED
) -> GeneFigures:
    """What would be written for each gene, by the confidence that the model has."""
    counts: Counter[str] = Counter()
    probabilities: list[float] = []
    outcomes: list[bool] = []
    for known, written in _written(reader, examples, config or DecodingConfig(), seed):
        probabilities += [probability for _, probability in written]
        outcomes += [structure in known for structure, _ in written]
        predicted = {structure for structure, _ in written}
        exons, known_exons = ({part for cds in several for part in cds} for several in (predicted, known))
        counts.update(
            exact=bool(predicted & known), exons=len(exons), known_exons=len(known_exons),
            right_exons=len(exons & known_exons), structures=len(predicted), known_structures=len(known),
            right_structures=len(predicted & known),
        )  # fmt: skip
    error = expected_calibration_error(np.array(probabilities), np.array(outcomes, dtype=bool)) if outcomes else 0.0
    return GeneFigures(genes=len(examples), confidence_error=error, **counts)
