"""How far a genome is from home, and its confidences there.

In: prediction shards, whose headers carry what was fitted for their model; then all rows, twice, and the genome where
it is given. Out: rows with confidences that hold, and the `Distance`.
A surprise: a row is known only after all have been seen, so `through` is to be read after whatever gathers them.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

from transgenic_tools.errors import BadInputError
from transgenic_tools.io.distance import (
    Confidences,
    Distance,
    DistanceScoring,
    recalibrated,
    scoring_of,
)
from transgenic_tools.io.fasta import Fasta
from transgenic_tools.io.rows import PredictionRow
from transgenic_tools.io.shards import prediction_provenance

logger = logging.getLogger(__name__)


def scoring_of_shards(shards: Sequence[Path]) -> DistanceScoring | None:
    """What was fitted for the model of all of them; None where one does not say, or they differ.

    Raises:
        BadInputError: the numbers in a header are damaged.
    """
    found: dict[str, DistanceScoring | None] = {}
    for path in shards:
        saved = json.loads(prediction_provenance(path)).get("parameters", {}).get("distance")
        text = json.dumps(saved, sort_keys=True)
        if text in found:
            continue
        try:
            found[text] = None if saved is None else scoring_of(saved)
        except ValueError as error:
            raise BadInputError(f"distances of a model: {error}", path=path, hint="predict it again") from error
    return next(iter(found.values())) if len(found) == 1 else None


class Distances:
    """Of one genome.

    Args:
        fasta: Its sequences, where they are known: they tell what its genes look like.

    Attributes:
        distance: None before the rows have been seen, where the model has no scoring, and of too few genes.
    """

    def __init__(self, scoring: DistanceScoring | None, fasta: Fasta | None = None) -> None:
        self.scoring = scoring
        self.fasta = fasta if scoring is not None and scoring.looks is not None else None
        self.distance: Distance | None = None
        self._seen = Confidences()

    def _bases(self, row: PredictionRow) -> str | None:
        if self.fasta is None or row.seqid not in self.fasta:
            return None
        return self.fasta.window(row.window)

    def see(self, row: PredictionRow) -> None:
        self._seen.see(row, partial(self._bases, row))

    def through(self, rows: Iterator[PredictionRow]) -> Iterator[PredictionRow]:
        """All rows again."""
        if self.scoring is None:
            yield from rows
            return
        for number, row in enumerate(rows):
            if number == 0:
                self.distance = self._seen.distance(self.scoring)
                if self.distance is not None:
                    self.distance.tell(logger)
            yield row if self.distance is None else recalibrated(row, self.scoring, self.distance)
