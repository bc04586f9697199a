"""What the loci of a scan look like beside the species that its model learned: told before any gene is written.

In: scores of both strands around loci. Out: words of the bases that the network takes for noncoding, counted as
`genome.profile` counts composition, and one sentence.
Dims: L bases.
A surprise: no transcript is known yet, so a base counts as coding where the network says so, and the other aspects of
a profile are not told. What accuracy to expect is told by tg-generate and tg-backmap, which see confidences too.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from transgenic_tools.genome.profile import BESIDE, Profile, count_words
from transgenic_tools.genome.sequence import UNKNOWN_CODE, strand_codes
from transgenic_tools.io.distance import FEWEST, WARNING, DistanceScoring, Look
from transgenic_tools.lattice.vocabulary import Content
from transgenic_tools.search.loci import Locus
from transgenic_tools.search.tiles import BothStrands

logger = logging.getLogger(__name__)


class LociLooks:
    """Of the loci that a task owns; the order in which they come leaves no trace.

    Args:
        scoring: Of the model; without looks in it nothing is counted.
    """

    def __init__(self, scoring: DistanceScoring | None) -> None:
        self._scoring, self._looks = scoring, None if scoring is None else scoring.looks
        self._words = np.zeros(64, dtype=np.int64)
        self._loci = 0

    def see(self, locus: Locus, codes: npt.NDArray[np.uint8], scores: BothStrands, *, offset: int) -> None:
        """Take note of a locus; `codes` (L,) and `scores` begin at `offset` of the sequence."""
        if self._looks is None:
            return
        part = slice(max(0, locus.coding.start - BESIDE - offset), locus.coding.end + BESIDE - offset)
        contents = scores.contents[0 if locus.strand == "+" else 1, Content.CODING_1 : Content.CODING_3 + 1, part]
        bases, noncoding = strand_codes(codes[part], locus.strand), np.exp(contents).sum(0) < 0.5
        if locus.strand == "-":
            noncoding = noncoding[::-1]
        self._words += count_words(bases, noncoding & (bases < UNKNOWN_CODE))
        self._loci += 1

    def look(self) -> Look | None:
        """None of too few loci."""
        if self._looks is None or self._loci < FEWEST:
            return None
        none = Profile.none()
        return self._looks.of(Profile({**none.counts, "composition": self._words[None]}), self._loci)

    def tell(self) -> Mapping[str, Any]:
        """The sentence and, far from home, the warning; nearest species and distance for the report of the scan."""
        look, looks = self.look(), self._looks
        if look is None or looks is None or self._scoring is None:
            return {}
        composition = look.aspects["composition"]
        logger.info(
            "composition of %d loci: %.3f from %s, the nearest species learned (at home up to about %.3f)",
            self._loci, composition, look.nearest, looks.tolerance,
        )  # fmt: skip
        far = looks.weight * look.strangeness > self._scoring.limit
        if far:
            logger.warning("%s", WARNING)
        return {"nearest": look.nearest, "composition": round(composition, 4), "far": far}
