"""Reading: what the model sees of a window, whole or shortened, and the way back to the genome.

In: a window and, under a shortening routine, its kept stretches. Out: coordinates on the sequence that is read.
A surprise: a locus may begin or end in a stretch that was left out; on the reading it is what is left of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NewType

from transgenic_tools.genome.gene import Transcript
from transgenic_tools.genome.interval import Interval
from transgenic_tools.genome.shortened import Shortened
from transgenic_tools.genome.window import Window

#: An interval on the sequence that is read; only a `Reading` makes one, so that no coordinate of the whole window or
#: of the genome can stand for it.
ReadInterval = NewType("ReadInterval", Interval)


@dataclass(frozen=True, slots=True)
class Reading:
    """A window and what is kept of it.

    Attributes:
        shortened: None for the whole window.
    """

    window: Window
    shortened: Shortened | None = None

    def __len__(self) -> int:
        return len(self.window) if self.shortened is None else len(self.shortened)

    def locus(self, interval: Interval) -> ReadInterval:
        """What is read of an interval of the genome.

        Raises:
            ValueError: it leaves the window, or nothing of it is kept.
        """
        inside = self.window.to_window(interval)
        return ReadInterval(inside if self.shortened is None else self.shortened.covered(inside))

    def to_window(self, transcript: Transcript) -> Transcript:
        """A transcript on the sequence that is read, in coordinates of the whole window."""
        return transcript if self.shortened is None else self.shortened.transcript_to_window(transcript)

    def from_window(self, transcript: Transcript) -> Transcript:
        """Inverse of `to_window`. ValueError where an end of an exon or CDS part is left out."""
        return transcript if self.shortened is None else self.shortened.transcript_to_short(transcript)

    def place(self, interval: Interval) -> Interval:
        """An interval of the sequence that is read, in genome coordinates."""
        return self.window.to_genome(interval if self.shortened is None else self.shortened.to_window(interval))

    def to_genome(self, transcript: Transcript) -> Transcript:
        """A transcript on the sequence that is read, in genome coordinates."""
        return self.window.transcript_to_genome(self.to_window(transcript))
