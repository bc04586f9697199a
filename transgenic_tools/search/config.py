"""How transcripts are searched.

In: flags of `tg-generate`. Out: the frozen `DecodingConfig` of the search.
A surprise: the default (beam) is deterministic; sampling is seeded by (seed, gene), never by the order of genes.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from transgenic_tools.errors import UsageError

#: Further transcripts less probable than this are left out where neither user nor model says otherwise.
MIN_CONFIDENCE = 0.35
Decoding = Literal["greedy", "beam", "sample", "viterbi"]


@dataclass(frozen=True, kw_only=True)
class DecodingConfig:
    """How transcripts are searched.

    Attributes:
        decoding: `beam` (default), `greedy`, `sample`, or `viterbi` (the graph's best path, without the decoder).
        num_beams: Hypotheses kept for each gene.
        max_isoforms: Most transcripts written for each gene.
        min_confidence: Transcripts less probable than this are left out, except the best one of a gene that has no
            prompt. None: as was fitted with the model's scores of alternatives, or `MIN_CONFIDENCE` without them.
        temperature, top_p: Of sampling.
        group: Genes decoded together; a constant, so that results do not depend on the shard.
    """

    decoding: Decoding = "beam"
    num_beams: int = 2
    max_isoforms: int = 6
    min_confidence: float | None = None
    temperature: float = 1.0
    top_p: float = 0.95
    seed: int = 1
    group: int = 32
    max_steps: int = 4096

    def __post_init__(self) -> None:
        checks = (
            (self.num_beams >= 1, "--num-beams", self.num_beams, "a whole number from 1"),
            (self.max_isoforms >= 1, "--max-isoforms", self.max_isoforms, "a whole number from 1"),
            (0 <= self.least_confidence <= 1, "--min-confidence", self.min_confidence, "a number from 0 to 1"),
            (self.temperature > 0, "--temperature", self.temperature, "a number above 0"),
            (0 < self.top_p <= 1, "--top-p", self.top_p, "a number above 0, at most 1"),
        )
        for fine, flag, value, allowed in checks:
            if not fine:
                raise UsageError(f"{flag} {value} is out of range", hint=f"give {allowed}")

    @property
    def least_confidence(self) -> float:
        """`min_confidence`, or what it is by default without scores of alternatives."""
        return MIN_CONFIDENCE if self.min_confidence is None else self.min_confidence

    @property
    def min_more(self) -> float:
        """The search of a gene ends when one more transcript is less probable than this.

        A transcript's confidence includes the probability of being written at all, so what lies well below
        `least_confidence` would be left out anyway.
        """
        return max(0.02, 0.2 * self.least_confidence)

    @property
    def floor(self) -> float:
        """States of a graph less probable than e to the power of minus this are not searched, see `build_graph`.

        Few of them are ever written, and a decoder's time grows with the sites that it knows. Viterbi has no decoder,
        and what is drawn may be improbable.
        """
        return 9.0 if self.is_best_first else math.inf

    @property
    def is_best_first(self) -> bool:
        """The decoder writes, and what it writes first is its best."""
        return self.decoding in ("beam", "greedy")

    @property
    def beams(self) -> int:
        """Hypotheses of one gene."""
        return self.num_beams if self.decoding == "beam" else 1
