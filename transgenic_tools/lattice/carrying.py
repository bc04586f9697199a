"""From the scores of all bases of a window to what is carried of them, and from that to its candidates.

In: a window and its scores. Out: `CarriedScores`; `Candidates`.
A surprise: stop codons that a coding exon leads to are places without a bit: the graph finds them by itself.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from transgenic_tools.genome.code import STANDARD
from transgenic_tools.lattice.candidates import Candidates, choose_candidates
from transgenic_tools.lattice.carried import CarriedScores, Singles
from transgenic_tools.lattice.config import GrammarConfig
from transgenic_tools.lattice.scoring import sum_contents
from transgenic_tools.lattice.transitions import stop_places
from transgenic_tools.lattice.window import WindowInput

#: What a place is a candidate for; `_SPLIT_1` and `_SPLIT_2` are starts with so many bases before an intron.
_TSS, _START, _SPLIT_1, _SPLIT_2, _DONOR, _ACCEPTOR, _TTS, _STRONG = (1 << bit for bit in range(8))


@dataclass(frozen=True, kw_only=True)
class DenseScores:
    """What a network said of every base of a window, 5' to 3'.

    Attributes:
        sites: (N_SITES, L) float32 logits.
        contents: (N_CONTENTS, L) float32 log-probabilities.
        features: (L, C).
    """

    sites: Singles
    contents: Singles
    features: npt.NDArray[np.floating]


def carry(window: WindowInput, scores: DenseScores, grammar: GrammarConfig, *, made_by: str) -> CarriedScores:
    """What is carried of a window, from the scores of its bases."""
    codes = window.codes
    candidates = choose_candidates(window, scores.sites, grammar)
    starts = [candidates.start[candidates.split == size] for size in range(3)]
    by_bit = {
        _TSS: candidates.tss, _START: starts[0], _SPLIT_1: starts[1], _SPLIT_2: starts[2], _DONOR: candidates.donor,
        _ACCEPTOR: candidates.acceptor, _TTS: candidates.tts,
    }  # fmt: skip
    stops = stop_places(codes, STANDARD.signals.stop, candidates)
    places = np.unique(np.concatenate([*by_bit.values(), stops]))
    kinds = np.where(candidates.strong[places], _STRONG, 0).astype(np.uint8)
    for bit, positions in by_bit.items():
        kinds[np.searchsorted(places, positions)] |= bit
    bounds = np.unique(np.concatenate([[0, len(codes)], places, places + 1]))
    sums = sum_contents(np.ascontiguousarray(scores.contents))
    rows = np.stack([sums.outside, sums.five, *sums.coding, sums.intron, sums.three])[:, bounds]
    return CarriedScores(
        made_by=made_by, length=len(codes), places=places.astype(np.int32), kinds=kinds,
        logits=scores.sites[:, places], features=scores.features[places].astype(np.float16),
        bounds=bounds.astype(np.int32), sums=np.diff(rows, axis=1).astype(np.float32),
    )  # fmt: skip


def candidates_of(carried: CarriedScores) -> Candidates:
    """As `choose_candidates` gave them."""
    parts = [carried.of_kind(bit) for bit in (_START, _SPLIT_1, _SPLIT_2)]
    start, split = np.concatenate(parts), np.repeat(np.arange(3), [len(part) for part in parts])
    order = np.argsort(start, kind="stable")
    strong = np.zeros(carried.length, dtype=np.bool_)
    strong[carried.of_kind(_STRONG)] = True
    return Candidates(
        tss=carried.of_kind(_TSS), start=start[order], split=split[order], donor=carried.of_kind(_DONOR),
        acceptor=carried.of_kind(_ACCEPTOR), tts=carried.of_kind(_TTS), strong=strong,
    )  # fmt: skip
