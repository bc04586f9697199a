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

from transgenic_tools.genome.code import STANDARD, GeneticCode
from transgenic_tools.genome.sequence import UNKNOWN_CODE
from transgenic_tools.kernels import kernel
from transgenic_tools.lattice.config import GrammarConfig
from transgenic_tools.lattice.vocabulary import Site
from transgenic_tools.lattice.window import WindowInput

Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]
_TSS, _START, _DONOR, _ACCEPTOR, _TTS = (
    int(site) for site in (Site.TSS, Site.START, Site.DONOR, Site.ACCEPTOR, Site.TTS)
)
#: Bases within which no other TSS or TTS is more likely than a candidate.
_REACH = 10


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


class _Least(NamedTuple):
    """What a site needs to be a candidate: logits in fp32, as those of sites are, and how many there may be.

    Attributes:
        floor, strong: Of a usual site, and of a rare or a split one.
        most, most_ends: Starts, donors and acceptors, each; and TSS and TTS, each.
        every_start: Whether each start codon is one.
    """

    floor: np.float32
    strong: np.float32
    most: int
    most_ends: int
    every_start: bool


@kernel
def _best(indices, scores, most):  # type: ignore[no-untyped-def]  # pragma: no cover (compiled)
    """The `most` best of `indices`, in order of position; ties go to the left one."""
    if len(indices) <= most:
        return indices
    return np.sort(indices[np.argsort(-scores[indices], kind="mergesort")[:most]])


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


@kernel
def pairs_at(codes):  # type: ignore[no-untyped-def]  # pragma: no cover
    """(L,) dinucleotide that begins at each base, as `genome.code.dinucleotides`; -1 where it is none."""
    pairs = np.full(len(codes), -1)
    for i in range(len(codes) - 1):
        if codes[i] < UNKNOWN_CODE and codes[i + 1] < UNKNOWN_CODE:
            pairs[i] = 4 * codes[i] + codes[i + 1]
    return pairs


@kernel
def _starts_at(codes, pairs, signals):  # type: ignore[no-untyped-def]  # pragma: no cover
    """(L,) True where a start codon begins."""
    found = np.zeros(len(codes), dtype=np.bool_)
    for i in range(len(codes) - 2):
        if pairs[i] >= 0 and codes[i + 2] < UNKNOWN_CODE:
            found[i] = signals.start[4 * pairs[i] + codes[i + 2]]
    return found


@kernel
def _splice_sites(pairs, shift, logits, usual, rare, least):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Donors, whose dinucleotide begins at the base, or acceptors, whose dinucleotide begins `shift` before it."""
    found, count = np.empty(len(pairs), dtype=np.int64), 0
    for i in range(len(pairs)):
        pair = pairs[i - shift] if i >= shift else -1
        if (usual[pair] and logits[i] >= least.floor) or (rare[pair] and logits[i] >= least.strong):
            found[count] = i
            count += 1
    return _best(found[:count], logits, least.most)


@kernel
def _likely_starts(is_start, logits, least):  # type: ignore[no-untyped-def]  # pragma: no cover
    starts = np.flatnonzero(is_start)
    if least.every_start:
        return starts
    likely = starts[logits[starts] >= least.floor]
    return np.unique(np.concatenate((_best(likely, logits, least.most), _best(starts, logits, 8))))


@kernel
def _with_forced(positions, site, forced):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Positions, and those that are forced for a type of site."""
    extra = forced[forced[:, 0] == site, 1]
    return np.unique(np.concatenate((positions, extra))) if len(extra) else positions


@kernel
def _split_starts(codes, pairs, sites, donors, least, forced, signals):  # type: ignore[no-untyped-def]  # pragma: no cover
    """(L,) bases before the intron of starts that one cuts right before a strong donor, or of forced ones; else 0."""
    begins_with_one, begins_with_two = np.zeros(4, dtype=np.bool_), np.zeros(16, dtype=np.bool_)
    for codon in np.flatnonzero(signals.start):
        begins_with_one[codon // 16] = begins_with_two[codon // 4] = True
    split = np.zeros(len(codes), dtype=np.int64)
    for size in (1, 2):
        for donor in donors:
            at = donor - size
            if at < 0 or codes[at] >= UNKNOWN_CODE:
                continue
            begins = begins_with_one[codes[at]] if size == 1 else pairs[at] >= 0 and begins_with_two[pairs[at]]
            strong = sites[_DONOR, donor] >= least.strong and sites[_START, at] >= least.strong
            if begins and (strong or np.any((forced[:, 0] == _START) & (forced[:, 1] == at))):
                split[at] = size
    return split


@kernel
def _with_split(starts, is_start, split):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Starts by position, whole ones first, and for each its bases before an intron."""
    order, sizes = np.empty(2 * len(split), dtype=np.int64), np.empty(2 * len(split), dtype=np.int64)
    count, at = 0, 0
    for position in range(len(split)):
        chosen = at < len(starts) and starts[at] == position
        if chosen:  # AT|GT reads as ATG in the genome: such a place can be both
            order[count], sizes[count] = position, 0 if is_start[position] else split[position]
            count, at = count + 1, at + 1
        if split[position] and (is_start[position] or not chosen):
            order[count], sizes[count] = position, split[position]
            count += 1
    return order[:count], sizes[:count]


@kernel
def _mark_strong(site, positions, sites, strong, places):  # type: ignore[no-untyped-def]  # pragma: no cover
    for position in positions:
        places[position] |= sites[site, position] >= strong


@kernel
def _candidates(codes, sites, signals, forced, least):  # type: ignore[no-untyped-def]  # pragma: no cover
    """`Candidates`; see `choose_candidates`.

    Args:
        forced: (K, 2) type and position.
    """
    pairs = pairs_at(codes)
    is_start = _starts_at(codes, pairs, signals)
    donor = _splice_sites(pairs, 0, sites[_DONOR], signals.donor, signals.rare_donor, least)
    acceptor = _splice_sites(pairs, 1, sites[_ACCEPTOR], signals.acceptor, signals.rare_acceptor, least)
    donor, acceptor = _with_forced(donor, _DONOR, forced), _with_forced(acceptor, _ACCEPTOR, forced)
    starts = _with_forced(_likely_starts(is_start, sites[_START], least), _START, forced)
    tss = _with_forced(_best(_local_maxima(sites[_TSS], _REACH), sites[_TSS], least.most_ends), _TSS, forced)
    tts = _with_forced(_best(_local_maxima(sites[_TTS], _REACH), sites[_TTS], least.most_ends), _TTS, forced)
    split = _split_starts(codes, pairs, sites, donor, least, forced, signals)
    start, sizes = _with_split(starts, is_start, split)
    strong = np.zeros(len(codes), dtype=np.bool_)
    for place in forced[:, 1]:
        strong[place] = True
    _mark_strong(_DONOR, donor, sites, least.strong, strong)
    _mark_strong(_ACCEPTOR, acceptor, sites, least.strong, strong)
    _mark_strong(_START, starts, sites, least.strong, strong)
    _mark_strong(_TSS, tss, sites, least.strong, strong)
    _mark_strong(_TTS, tts, sites, least.strong, strong)
    return Candidates(tss=tss, start=start, split=sizes, donor=donor, acceptor=acceptor, tts=tts, strong=strong)


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
    length = len(window)
    least = _Least(
        floor=np.float32(site_floor(config)),
        strong=np.float32(_logit(config.noncanonical_probability)),
        most=max(16, int(config.candidates_per_kb * length / 1000)),
        most_ends=8 + 2 * length // 1000,
        every_start=every_start,
    )
    kept = np.array(forced, dtype=np.int64).reshape(-1, 2)
    return Candidates(*_candidates(window.codes, np.ascontiguousarray(sites), genetic_code.signals, kept, least))
