"""A window as it goes from shard to search: its bases, and whatever else is known of it.

In: a sequence. Out: `WindowInput`, the one record that reader, lattice and training take in place of bare bases.
A surprise: evidence and condition may be empty and then cost nothing; what comes to be known of a window has its place
here, and no signature changes for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from transgenic_tools.genome.interval import Interval
from transgenic_tools.genome.sequence import encode
from transgenic_tools.lattice.condition import Condition
from transgenic_tools.lattice.evidence import WindowEvidence
from transgenic_tools.lattice.vocabulary import PAD_CODE

if TYPE_CHECKING:
    from transgenic_tools.lattice.carried import CarriedScores


@dataclass(frozen=True, kw_only=True)
class WindowInput:
    """What is known of one window before it is read.

    Attributes:
        codes: (L,) base codes of all that is read: the window, or what a routine keeps of it.
        evidence: What reads show of it; None where they show nothing, or nobody asked.
        condition: The sample that it is read for, and what that does to splice sites; None for none.
        carried: What a scan's network said of it; None where no scan came before.
    """

    codes: npt.NDArray[np.uint8]
    evidence: WindowEvidence | None = None
    condition: Condition | None = None
    carried: CarriedScores | None = None

    @classmethod
    def of(
        cls,
        sequence: str,
        *,
        evidence: WindowEvidence | None = None,
        condition: Condition | None = None,
        carried: CarriedScores | None = None,
    ) -> WindowInput:
        """From letters."""
        return cls(codes=encode(sequence), evidence=evidence, condition=condition, carried=carried)

    def __len__(self) -> int:
        return len(self.codes)

    def crop(self, part: Interval) -> WindowInput:
        """A part of it, by positions in what is read."""
        evidence = None if self.evidence is None else self.evidence.crop(part)
        return WindowInput(codes=self.codes[part.start : part.end], evidence=evidence, condition=self.condition)


def pad_codes(windows: Sequence[WindowInput]) -> npt.NDArray[np.int64]:
    """(B, L) base codes of a batch, PAD_CODE at the right."""
    batch = np.full((len(windows), max(map(len, windows))), PAD_CODE, dtype=np.int64)
    for row, window in zip(batch, windows, strict=True):
        row[: len(window)] = window.codes
    return batch
