"""What one evaluation holds: the figures of every pair of prediction and reference.

In: nothing; `run` fills these records. Out: `Evaluation` and `Result`, which the files and the terminal are made of.
A surprise: the genes here are those that took part, after every restriction.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from transgenic_tools.evaluate.alternatives import Alternatives
from transgenic_tools.evaluate.calibration import Calibration
from transgenic_tools.evaluate.classify import Classified
from transgenic_tools.evaluate.genes import GeneResult, GeneShares
from transgenic_tools.evaluate.metrics import Score
from transgenic_tools.evaluate.pairing import Pairing
from transgenic_tools.evaluate.reads import ReadComparison
from transgenic_tools.evaluate.sides import Stops
from transgenic_tools.evaluate.structures import Structure, View
from transgenic_tools.genome.gene import Gene


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """One prediction against one reference.

    Attributes:
        left_out, mended: "reference" and "prediction" -> what the reader could not use, or changed, of the whole file.
        stops: "reference" and "prediction" -> how the stop codons of a GTF were read.
        levels, events: Per view.
        alternatives: Per view, isoforms beyond the main one.
        echo: The prompt alone against the same reference. `added`: per view, what the prediction has beyond it, against
            what it withheld of the reference.
        classes: Per view, class of every distinct predicted structure.
        genes: One row a reference gene with a CDS; `shares` is their summary.
        calibration: Of transcript scores (is the CDS exact), and of exon scores where given.
    """

    reference_path: Path
    prediction_path: Path
    reference: tuple[Gene, ...]
    prediction: tuple[Gene, ...]
    left_out: Mapping[str, Mapping[str, Mapping[str, int]]]
    mended: Mapping[str, Mapping[str, int]]
    stops: Mapping[str, Stops]
    levels: Mapping[View, Mapping[str, Score]]
    events: Mapping[View, Mapping[str, Score]]
    classes: Mapping[View, Mapping[Structure, Classified]]
    alternatives: Mapping[View, Alternatives]
    echo: Evaluation | None
    added: Mapping[View, Alternatives] | None
    pairing: Pairing
    genes: tuple[GeneResult, ...]
    shares: GeneShares
    strata: Mapping[str, Mapping[str, GeneShares]]
    calibration: Calibration | None
    exon_calibration: Calibration | None
    structures: Mapping[View, tuple[tuple[Structure, ...], tuple[Structure, ...]]]
    reads: ReadComparison | None


@dataclass(frozen=True, kw_only=True)
class Result:
    """All pairs, in the order reference by reference."""

    evaluations: tuple[Evaluation, ...]


def class_counts(evaluation: Evaluation, view: View) -> Counter[str]:
    """Number of distinct predicted structures in each class."""
    return Counter(row.kind for row in evaluation.classes[view].values())
