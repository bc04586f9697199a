"""Candidate sites of a window: where the graph of transcripts may have its states.

In: base codes and site logits. Out: `Candidates`, sorted by position.
A surprise: stop codons are no candidates; the reading frame decides which one ends a coding exon (see `transitions`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from transgenic_tools.kernels import kernel
from transgenic_tools.lattice.config import GrammarConfig
from transgenic_tools.lattice.vocabulary import AC, AG, AT, GC, GT, Site, dinucleotides

Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]


class Candidates(NamedTuple):
    """Candidate sites of a window, sorted; stops are found by the graph.

    Attributes:
        split: For each start, 0 for ATG, 1 for `A|TG` and 2 for `AT|G` before an intron.
        strong: (L,) True where some site is likely or forced; such sites are reached from far away too.
    """

    tss: Ints
    start: Ints
    split: Ints
    donor: Ints
    acceptor: Ints
    tts: Ints
    strong: Flags


def _best(indices: Ints, scores: npt.NDArray[np.float32], most: int) -> Ints:
    """The `most` best of `indices`, in order of position; ties go to the left one."""
    if len(indices) <= most:
        return indices
    order = np.lexsort((indices, -scores[indices]))[:most]
    return np.sort(indices[order])


@kernel
def _local_maxima(values, reach):  # type: ignore[no-untyped-def]  # pragma: no cover (compiled)
    """Indices whose value is not below any other within `reach`."""
    length, width = len(values), 2 * reach + 1
    # highest[i]: of `size` values from i - reach on, where size doubles up to the width
    highest = np.full(length + 2 * width, -np.inf, dtype=values.dtype)
    for i in range(length):
        highest[reach + i] = values[i]
    size = 1
    while size < width:
        step = min(size, width - size)
        for i in range(length + width):
            highest[i] = highest[i] if highest[i] > highest[i + step] else highest[i + step]
        size += step
    found = np.empty(length, dtype=np.int64)
    count = 0
    for i in range(length):
        if values[i] >= highest[i]:
            found[count] = i
            count += 1
    return found[:count]


def _peaks(logits: npt.NDArray[np.float32], *, reach: int, most: int) -> Ints:
    """Local maxima within `reach` bases, the best `most`."""
    return _best(_local_maxima(logits, reach), logits, most)


def _logit(probability: float) -> float:
    return math.log(probability / (1.0 - probability))


def choose_candidates(
    codes: npt.NDArray[np.uint8],
    sites: npt.NDArray[np.float32],
    config: GrammarConfig,
    *,
    forced: Sequence[tuple[Site, int]] = (),
    every_start: bool = False,
) -> Candidates:
    """Candidate sites of a window.

    Args:
        codes: (L,).
        sites: (N_SITES, L) logits.
        forced: Sites to keep whatever their score (of a prompt or of a training label).
        every_start: Keep every ATG: the fallback where the usual candidates leave no path.
    """
    length = len(codes)
    begins, ends = dinucleotides(codes)
    floor, strong = _logit(config.min_probability), _logit(config.noncanonical_probability)
    most = max(16, int(config.candidates_per_kb * length / 1000))
    donors = ((begins == GT) | (begins == GC)) & (sites[Site.DONOR] >= floor)
    donors |= (begins == AT) & (sites[Site.DONOR] >= strong)
    acceptors = (ends == AG) & (sites[Site.ACCEPTOR] >= floor)
    acceptors |= (ends == AC) & (sites[Site.ACCEPTOR] >= strong)
    atg = np.zeros(length, dtype=bool)
    atg[: max(0, length - 2)] = (codes[:-2] == 0) & (codes[1:-1] == 3) & (codes[2:] == 2)
    all_atg = np.flatnonzero(atg)
    likely = all_atg[sites[Site.START, all_atg] >= floor]
    starts = (
        all_atg
        if every_start
        else np.union1d(_best(likely, sites[Site.START], most), _best(all_atg, sites[Site.START], 8))
    )
    kept: dict[Site, Ints] = {
        Site.TSS: _peaks(sites[Site.TSS], reach=10, most=8 + 2 * length // 1000),
        Site.START: starts,
        Site.DONOR: _best(np.flatnonzero(donors), sites[Site.DONOR], most),
        Site.ACCEPTOR: _best(np.flatnonzero(acceptors), sites[Site.ACCEPTOR], most),
        Site.TTS: _peaks(sites[Site.TTS], reach=10, most=8 + 2 * length // 1000),
    }
    for site in kept:
        extra = [position for kind, position in forced if kind == site]
        if extra:
            kept[site] = np.union1d(kept[site], np.array(extra, dtype=np.int64)).astype(np.int64)
    split = np.zeros(len(kept[Site.START]), dtype=np.int64)
    splits = _split_starts(codes, sites, kept, strong, {p for kind, p in forced if kind == Site.START})
    for index, position in enumerate(kept[Site.START]):
        if not atg[position]:  # AT|GT reads as ATG in the genome, so such a place can be both and stays in `splits`
            split[index] = splits.pop(int(position), 0)
    extra_starts = np.array(sorted(splits), dtype=np.int64)
    start = np.concatenate([kept[Site.START], extra_starts])
    split = np.concatenate([split, np.array([splits[int(p)] for p in extra_starts], dtype=np.int64)])
    order = np.argsort(start, kind="stable")
    return Candidates(
        kept[Site.TSS],
        start[order],
        split[order],
        kept[Site.DONOR],
        kept[Site.ACCEPTOR],
        kept[Site.TTS],
        _strong_places(sites, kept, strong, forced),
    )


def _strong_places(
    sites: npt.NDArray[np.float32], kept: dict[Site, Ints], strong: float, forced: Sequence[tuple[Site, int]]
) -> Flags:
    places = np.zeros(sites.shape[1], dtype=np.bool_)
    for site, positions in kept.items():
        places[positions] |= sites[site, positions] >= strong
    places[[position for _, position in forced]] = True
    return places


def _split_starts(
    codes: npt.NDArray[np.uint8],
    sites: npt.NDArray[np.float32],
    kept: dict[Site, Ints],
    strong: float,
    forced: set[int],
) -> dict[int, int]:
    """Starts of `A|` or `AT|` right before a strong donor (or forced ones): position -> bases before the intron."""
    found: dict[int, int] = {}
    for donor in kept[Site.DONOR].tolist():
        for size in (1, 2):
            position = donor - size
            if position < 0 or codes[position] != 0 or (size == 2 and codes[position + 1] != 3):
                continue
            if position in forced or (sites[Site.DONOR, donor] >= strong and sites[Site.START, position] >= strong):
                found[position] = size
    return found
