"""Candidate sites, against their slow twin in numpy."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pytest

from transgenic_tools.genome.code import STANDARD, GeneticCode, codons_at, dinucleotides
from transgenic_tools.lattice.candidates import Candidates, Flags, Ints, choose_candidates, site_floor
from transgenic_tools.lattice.config import GrammarConfig
from transgenic_tools.lattice.vocabulary import N_SITES, Site
from transgenic_tools.lattice.window import WindowInput

WIDE = GeneticCode(start_codons=("ATG", "CTG", "TTG"))


def _best(indices: Ints, scores: npt.NDArray[np.float32], most: int) -> Ints:
    """The `most` best of `indices`, in order of position; ties go to the left one."""
    if len(indices) <= most:
        return indices
    order = np.lexsort((indices, -scores[indices]))[:most]
    return np.sort(indices[order])


def _peaks(logits: npt.NDArray[np.float32], *, most: int) -> Ints:
    """Places that are not below any other within 10 bases, the best `most`."""
    high = [i for i in range(len(logits)) if logits[i] >= logits[max(0, i - 10) : i + 11].max()]
    return _best(np.array(high, dtype=np.int64), logits, most)


def _logit(probability: float) -> float:
    return math.log(probability / (1.0 - probability))


def plain_candidates(
    window: WindowInput,
    sites: npt.NDArray[np.float32],
    config: GrammarConfig,
    *,
    forced: Sequence[tuple[Site, int]] = (),
    every_start: bool = False,
    genetic_code: GeneticCode = STANDARD,
) -> Candidates:
    """As `lattice.candidates.choose_candidates`."""
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
        Site.TSS: _peaks(sites[Site.TSS], most=8 + 2 * length // 1000),
        Site.START: starts,
        Site.DONOR: _best(np.flatnonzero(donors), sites[Site.DONOR], most),
        Site.ACCEPTOR: _best(np.flatnonzero(acceptors), sites[Site.ACCEPTOR], most),
        Site.TTS: _peaks(sites[Site.TTS], most=8 + 2 * length // 1000),
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


@pytest.mark.parametrize("seed", range(40))
@pytest.mark.parametrize("code", [STANDARD, WIDE], ids=["standard", "wide"])
@pytest.mark.parametrize("every_start", [False, True])
def test_candidates_are_those_of_the_twin(seed: int, code: GeneticCode, every_start: bool) -> None:
    rng = np.random.default_rng(seed)
    length = [3, 40, 400, 2_500][seed % 4]
    letters = rng.choice(list("ACGTN"), length, p=[0.28, 0.2, 0.24, 0.27, 0.01])
    window = WindowInput.of("".join(letters))
    sites = rng.normal(-4.0, 3.0, (N_SITES, length)).astype(np.float32).round(seed % 3)  # ties, too
    config = GrammarConfig(candidates_per_kb=[24.0, 5.0][seed % 2])
    places = zip(rng.integers(0, N_SITES, 9).tolist(), rng.integers(0, length, 9).tolist(), strict=True)
    forced = [(Site(site), place) for site, place in places][: [0, 0, 9][seed % 3]]
    given = {"forced": forced, "every_start": every_start, "genetic_code": code}
    found = choose_candidates(window, sites, config, **given)
    for name, expected in plain_candidates(window, sites, config, **given)._asdict().items():
        assert getattr(found, name).dtype == expected.dtype
        assert getattr(found, name).tolist() == expected.tolist(), name


def test_some_candidates_are_split_starts_and_starts_at_once() -> None:
    """AT|GT reads as ATG in the genome."""
    sites = np.full((N_SITES, 60), -9.0, dtype=np.float32)
    window = WindowInput.of("C" * 20 + "ATGT" + "C" * 36)
    sites[Site.START, 20] = sites[Site.DONOR, 22] = 3.0
    found = choose_candidates(window, sites, GrammarConfig())
    assert (found.start.tolist(), found.split.tolist()) == ([20, 20], [0, 2])
