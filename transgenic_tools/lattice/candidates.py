"""Candidate sites of a window: where the graph of transcripts may have its states.

In: a window, its site logits and a genetic code. Out: `Candidates`, sorted by position.
A surprise: stop codons are no candidates; the reading frame decides which one ends a coding exon (see `transitions`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from transgenic_tools.genome.code import STANDARD, GeneticCode, codons_at, dinucleotides
from transgenic_tools.kernels import kernel
from transgenic_tools.lattice.config import GrammarConfig
from transgenic_tools.lattice.vocabulary import Site
from transgenic_tools.lattice.window import WindowInput

Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]


class Candidates(NamedTuple):
    """Candidate sites of a window, sorted; stops are found by the graph.

    Attributes:
        split: For each start, 0 for a whole codon, else its bases before an intron: 1 for `A|TG`, 2 for `AT|G`.
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
    maxima = np.empty(length, dtype=np.int64)
    count = 0
    for i in range(length):
        if values[i] >= highest[i]:
            maxima[count] = i
            count += 1
    return maxima[:count]


def _peaks(logits: npt.NDArray[np.float32], *, reach: int, most: int) -> Ints:
    """Local maxima within `reach` bases, the best `most`."""
    return _best(_local_maxima(logits, reach), logits, most)


def _logit(probability: float) -> float:
    return math.log(probability / (1.0 - probability))


def site_floor(config: GrammarConfig) -> float:
    """The logit below which a site is no candidate."""
    return _logit(config.min_probability)


def choose_candidates(
    window: WindowInput,
    sites: npt.NDArray[np.float32],
    config: GrammarConfig,
    *,
    forced: Sequence[tuple[Site, int]] = (),
    every_start: bool = False,
    genetic_code: GeneticCode = STANDARD,
) -> Candidates:
    """Candidate sites of a window.

    Args:
        sites: (N_SITES, L) logits.
        forced: Sites to keep whatever their score (of a prompt or of a training label).
        every_start: Keep every start codon: the fallback where the usual candidates leave no path.
        genetic_code: Which codons start, which dinucleotides an intron may have.
    """
    codes, length, signals = window.codes, len(window), genetic_code.signals
    begins, ends = dinucleotides(codes)
    floor, strong = site_floor(config), _logit(config.noncanonical_probability)
    most = max(16, int(config.candidates_per_kb * length / 1000))
    donors = signals.donor[begins] & (sites[Site.DONOR] >= floor)
    donors |= signals.rare_donor[begins] & (sites[Site.DONOR] >= strong)
    acceptors = signals.acceptor[ends] & (sites[Site.ACCEPTOR] >= floor)
    acceptors |= signals.rare_acceptor[ends] & (sites[Site.ACCEPTOR] >= strong)
    is_start = codons_at(codes, genetic_code.start_codons)
    starts = np.flatnonzero(is_start)
    if not every_start:
        likely = starts[sites[Site.START, starts] >= floor]
        starts = np.union1d(_best(likely, sites[Site.START], most), _best(starts, sites[Site.START], 8))
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
    forced_starts = {position for kind, position in forced if kind == Site.START}
    splits = _split_starts(codes, sites, kept[Site.DONOR], strong, forced_starts, genetic_code)
    for index, position in enumerate(kept[Site.START]):
        if not is_start[position]:  # AT|GT reads as ATG in the genome: such a place can be both and stays in `splits`
            split[index] = splits.pop(int(position), 0)
    extra_starts = np.array(sorted(splits), dtype=np.int64)
    start = np.concatenate([kept[Site.START], extra_starts])
    split = np.concatenate([split, np.array([splits[int(p)] for p in extra_starts], dtype=np.int64)])
    order = np.argsort(start, kind="stable")
    return Candidates(
        tss=kept[Site.TSS],
        start=start[order],
        split=split[order],
        donor=kept[Site.DONOR],
        acceptor=kept[Site.ACCEPTOR],
        tts=kept[Site.TTS],
        strong=_strong_places(sites, kept, strong, forced),
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
    donors: Ints,
    strong: float,
    forced: set[int],
    genetic_code: GeneticCode,
) -> dict[int, int]:
    """Starts cut by an intron right before a strong donor (or forced ones): position -> bases before the intron."""
    whole = genetic_code.signals.start
    head_of_one = np.append(whole.reshape(4, 16).any(1), False)[codes]
    head_of_two = np.append(whole.reshape(16, 4).any(1), False)[dinucleotides(codes)[0]]
    before_intron: dict[int, int] = {}
    for size, begins_a_start in ((1, head_of_one), (2, head_of_two)):
        beside = donors[donors >= size]
        for donor in beside[begins_a_start[beside - size]].tolist():
            position = donor - size
            if position in forced or (sites[Site.DONOR, donor] >= strong and sites[Site.START, position] >= strong):
                before_intron[position] = size
    return before_intron
