"""What is handed on from a scan to the writing of genes, so that a window need not be read twice.

In: the row of a window and the scores of the piece in which it lies. Out: the row with what is carried, see
`lattice.carried`.
A surprise: a window that leaves what was read of its piece gets none, and tg-generate reads it; pieces hang on the
sequence alone, so which ones these are does not depend on how the work was shared out.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from transgenic_tools.genome.interval import Interval
from transgenic_tools.io.rows import GeneRow
from transgenic_tools.lattice.carrying import carry
from transgenic_tools.lattice.config import GrammarConfig
from transgenic_tools.lattice.window import WindowInput
from transgenic_tools.model.config import ModelConfig
from transgenic_tools.search.confidence import calibration_name
from transgenic_tools.search.reader import Reader
from transgenic_tools.search.tiles import BothStrands


@dataclass(frozen=True, kw_only=True)
class Carrier:
    """Says what is carried.

    Attributes:
        grammar: Of the network.
        made_by: See `Reader.made_by`.
        channels: Of its features.
    """

    grammar: GrammarConfig
    made_by: str
    channels: int

    def loaded(self, row: GeneRow, whole: Interval, scores: BothStrands) -> GeneRow:
        """A row with what the network said of its window; as it is where the window leaves what was read.

        Args:
            whole: The stretch that `scores` are of.
        """
        if not whole.contains(Interval(row.window_start, row.window_end)):
            return row
        bases = slice(row.window_start - whole.start, row.window_end - whole.start)
        dense = scores.of_strand(row.strand, bases)
        carried = carry(WindowInput.of(row.sequence), dense, self.grammar, made_by=self.made_by)
        return replace(row, carried=carried.to_bytes())


def writes_genes(settings: ModelConfig) -> bool:
    """Whether a network also writes genes: its decoder's transcripts have been calibrated."""
    return calibration_name(0) in settings.calibration


def carrier_of(reader: Reader) -> Carrier | None:
    """That of a network which also writes genes."""
    settings = reader.network.settings
    if not writes_genes(settings):
        return None
    return Carrier(grammar=settings.grammar, made_by=reader.made_by, channels=reader.network.encoder.channels)
