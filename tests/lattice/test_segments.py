"""The segment model against all paths of short stretches, written out one by one."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import pytest

from transgenic_tools.lattice.config import ScoringConfig
from transgenic_tools.lattice.scoring import pack_weights
from transgenic_tools.lattice.segments import (
    CONTENT_OF_STATE,
    CUT,
    N_STATES,
    TRANSITIONS,
    Posterior,
    State,
    Stretch,
    best_path,
    closed_runs,
    gates_of,
    path_features,
)
from transgenic_tools.lattice.vocabulary import N_CONTENTS, N_SITES

SCORING = ScoringConfig(
    site_scale=(0.5, 1.0, 0.8, 1.2, 0.9, 0.4),
    site_bias=(0.3, -0.2, 0.1, 0.2, -0.1, 0.3),
    content_weight=0.7,
    no_five_prime_utr=-0.5,
    no_three_prime_utr=-0.3,
)


def stretch_of(bases: str, *, seed: int = 1, closed: tuple[int, int] | None = None) -> Stretch:
    rng = np.random.default_rng(seed)
    codes = np.array(["ACGTN".index(base) for base in bases], dtype=np.uint8)
    contents = np.log(rng.dirichlet(np.ones(N_CONTENTS), len(bases)).T).astype(np.float32)
    mask = np.zeros(len(bases), dtype=bool)
    if closed:
        mask[slice(*closed)] = True
    return Stretch(
        sites=rng.normal(0, 2, (N_SITES, len(bases))).astype(np.float32),
        contents=contents,
        gates=gates_of(codes),
        closed=mask,
    )


def paths(stretch: Stretch, scoring: ScoringConfig) -> Iterator[tuple[tuple[int, ...], float]]:
    """Every allowed path with its score, by the definition."""
    length = stretch.contents.shape[1]

    def emission(state: int, i: int) -> float:
        if stretch.closed[i] and state:
            return -math.inf
        return scoring.content_weight * float(stretch.contents[CONTENT_OF_STATE[state], i])

    def go_on(states: tuple[int, ...], score: float) -> Iterator[tuple[tuple[int, ...], float]]:
        i = len(states)
        if score == -math.inf:
            return
        if i == length:
            yield states, score + (CUT if states[-1] else 0.0)
            return
        for t in TRANSITIONS:
            if t.source != states[-1] or (int(stretch.gates[i]) & t.gate) != t.gate:
                continue
            step = 0.0
            if t.site >= 0:
                step = (
                    scoring.site_scale[t.site] * float(stretch.sites[t.site, i - t.behind]) + scoring.site_bias[t.site]
                )
            if t.utr >= 0:
                step += float(pack_weights(scoring)[t.utr])
            yield from go_on((*states, int(t.target)), score + step + emission(int(t.target), i))

    for state in range(N_STATES):
        yield from go_on((state,), (CUT if state else 0.0) + emission(state, 0))


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("bases", ["ATGTAAC", "CATGTAG", "AGGTAGA", "ATGATGTGA", "NNATGTAA"])
def test_best_path_and_sums_are_those_of_all_paths(bases: str, seed: int) -> None:
    stretch = stretch_of(bases, seed=seed)
    every = list(paths(stretch, SCORING))
    best = max(every, key=lambda one: one[1])
    assert tuple(best_path(stretch, SCORING).tolist()) == best[0]
    log_sum = math.log(sum(math.exp(score) for _, score in every))
    posterior = Posterior(stretch, SCORING)
    assert posterior.log_sum == pytest.approx(log_sum, rel=1e-9)
    features = path_features(np.array(best[0], dtype=np.uint8), stretch)
    ends = CUT * ((best[0][0] > 0) + (best[0][-1] > 0))
    assert float(features @ pack_weights(SCORING)) + ends == pytest.approx(best[1], rel=1e-9)
    coding = (State.CODING_1, State.CODING_2, State.CODING_3)
    shares = [sum(math.exp(s - log_sum) for states, s in every if states[i] in coding) for i in range(len(bases))]
    assert posterior.state_probability(coding) == pytest.approx(np.array(shares), abs=1e-7)


def test_expected_features_are_the_gradient_of_the_sum() -> None:
    stretch = stretch_of("CCATGAAGGTATTTCAGTTATAACCC", seed=5)
    expected = Posterior(stretch, SCORING).expected()
    flat = pack_weights(SCORING)
    for index in range(len(flat)):
        sums = []
        for step in (1e-5, -1e-5):
            moved = flat.copy()
            moved[index] += step
            scoring = ScoringConfig(
                site_scale=tuple(moved[:6]),
                site_bias=tuple(moved[6:12]),
                content_weight=moved[12],
                no_five_prime_utr=moved[13],
                no_three_prime_utr=moved[14],
            )
            sums.append(Posterior(stretch, scoring).log_sum)
        assert expected[index] == pytest.approx((sums[0] - sums[1]) / 2e-5, abs=1e-4)


def test_no_gene_lies_in_a_closed_stretch() -> None:
    stretch = stretch_of("ATGAAATAACCC", closed=(4, 6))
    assert not best_path(stretch, SCORING)[4:6].any()
    genic = [state for state in State if state != State.OUTSIDE]
    assert Posterior(stretch, SCORING).state_probability(tuple(genic))[4:6] == pytest.approx(0.0)


def test_a_path_that_the_sequence_forbids_is_named_with_its_base() -> None:
    stretch = stretch_of("ATGTAACC")
    path = np.array([3, 4, 5, 3, 4, 5, 0, 0], dtype=np.uint8)
    assert path_features(path, stretch) @ pack_weights(SCORING) < 0
    with pytest.raises(ValueError, match="from CODING_3 to CODING_1 at base 6"):
        path_features(np.array([3, 4, 5, 3, 4, 5, 3, 4], dtype=np.uint8), stretch)
    with pytest.raises(ValueError, match="from INTRON_1 to OUTSIDE at base 1"):
        path_features(np.array([6, 0, 0, 0, 0, 0, 0, 0], dtype=np.uint8), stretch)
    part = stretch.part(slice(2, 5))
    assert np.array_equal(part.sites, stretch.sites[:, 2:5])
    assert np.array_equal(part.gates, stretch.gates[2:5])


def test_runs_of_unknown_bases_are_closed_from_the_given_length_on() -> None:
    codes = np.array([4] * 3 + [0] * 2 + [4] * 2 + [1], dtype=np.uint8)
    assert closed_runs(codes, 3).tolist() == [True] * 3 + [False] * 5
    assert closed_runs(codes, 2).tolist() == [True] * 3 + [False] * 2 + [True] * 2 + [False]
