"""Shifts of splice sites against a slow, obvious sum; how often a graph takes an intron; events between two graphs."""

from __future__ import annotations

import numpy as np
import pytest

from tests.lattice.test_graph import random_graph
from transgenic_tools.lattice.condition import BINS, MOST_SHIFT, N_SIDES, ConditionLayer, kmer_codes
from transgenic_tools.lattice.usage import differences, intron_usage, stretch_usage
from transgenic_tools.lattice.window import WindowInput

M, R, K, C, KMER = 2, 3, 4, 5, 2


def random_layer(seed: int, scale: float = 0.01) -> ConditionLayer:
    rng = np.random.default_rng(seed)

    def drawn(*shape: int) -> np.ndarray:
        return rng.normal(0, scale, shape).astype(np.float32)

    return ConditionLayer(
        kmers=drawn(M, R, N_SIDES, len(BINS), 4**KMER),
        trunk=drawn(M, R, N_SIDES, C),
        bias=drawn(M, R, N_SIDES),
        inputs=drawn(M, R, K) / scale,
    )


def slow_shift(layer: ConditionLayer, values: np.ndarray, text: str, features: np.ndarray) -> np.ndarray:
    """The formula of the module, member by member and base by base."""
    out = np.zeros((N_SIDES, len(text)))
    for member in range(M):
        for r in range(R):
            weight = float(layer.inputs[member, r] @ values) / M
            for side in range(N_SIDES):
                for position in range(len(text)):
                    boundary = position + side
                    total = layer.bias[member, r, side] + layer.trunk[member, r, side] @ features[:, position]
                    for number, (low, high) in enumerate(BINS):
                        for start in range(max(0, boundary + low), min(len(text), boundary + high)):
                            word = text[start : start + KMER]
                            if start + KMER <= min(boundary + high, len(text)) and "N" not in word:
                                index = 4 * "ACGT".index(word[0]) + "ACGT".index(word[1])
                                total += layer.kmers[member, r, side, number, index]
                    out[side, position] += weight * total
    return np.clip(out, -MOST_SHIFT, MOST_SHIFT)


def test_a_shift_is_the_sum_of_what_is_near_the_site() -> None:
    rng = np.random.default_rng(3)
    text = "".join(rng.choice(list("ACGTN"), 300, p=(0.24, 0.24, 0.24, 0.24, 0.04)))
    features = rng.normal(size=(C, len(text))).astype(np.float32)
    layer, values = random_layer(1), rng.normal(size=K).astype(np.float32)
    fast = layer.at(values).of(WindowInput.of(text).codes, features)
    assert np.allclose(fast, slow_shift(layer, values, text, features), atol=1e-4)
    members = [layer.member_at(values, member).of(WindowInput.of(text).codes, features) for member in range(M)]
    assert np.allclose(np.mean(members, axis=0), fast, atol=1e-4)
    assert np.abs(fast).max() < MOST_SHIFT  # else the comparison would be of limits
    assert np.abs(random_layer(1, 10.0).at(values).of(WindowInput.of(text).codes, features)).max() == MOST_SHIFT


def test_the_mean_of_training_shifts_nothing() -> None:
    shift = random_layer(2).at(np.zeros(K, dtype=np.float32))
    assert shift.is_zero
    assert not random_layer(2).at(np.ones(K, dtype=np.float32)).is_zero


def test_kmers_with_unknown_bases_or_past_the_end_are_none() -> None:
    assert kmer_codes(WindowInput.of("ACGNTT").codes, 2).tolist() == [1, 6, -1, -1, 15, -1]
    assert kmer_codes(WindowInput.of("AC").codes, 6).tolist() == [-1, -1]


@pytest.mark.parametrize("seed", range(20))
def test_usage_of_introns_and_exons_is_that_of_all_paths(seed: int) -> None:
    graph = random_graph(seed)
    if graph is None:
        pytest.skip("no path")
    expected: dict[bool, dict[tuple[int, int], float]] = {True: {}, False: {}}
    stack: list[tuple[int, float, list[tuple[bool, tuple[int, int]]]]] = [(0, 0.0, [])]
    total = np.exp(graph.beta[0])
    while stack:
        state, score, parts = stack.pop()
        if state == graph.n_states - 1:
            for is_intron, part in parts:
                expected[is_intron][part] = expected[is_intron].get(part, 0.0) + float(np.exp(score) / total)
            continue
        for edge in range(graph.first[state], graph.first[state + 1]):
            to = int(graph.target[edge])
            from_donor = graph.kind[state] == 2 or 5 <= graph.kind[state] <= 9 or graph.kind[state] == 17
            inside = state > 0 and to < graph.n_states - 1
            more = [(from_donor, (int(graph.position[state]), int(graph.position[to])))] if inside else []
            stack.append((to, score + float(graph.score[edge]), parts + more))
    for is_intron, usage in ((True, intron_usage(graph)), (False, stretch_usage(graph))):
        assert set(usage) == set(expected[is_intron])
        assert all(usage[part] == pytest.approx(expected[is_intron][part], abs=1e-9) for part in usage)


def test_events_are_told_by_what_changes_against_an_intron() -> None:
    skipped = differences(
        {(10, 20): 0.2, (30, 40): 0.2, (10, 40): 0.8}, {(10, 20): 0.9, (30, 40): 0.9, (10, 40): 0.1}, least=0.01
    )
    assert [(one.donor, one.acceptor, one.event) for one in skipped] == [
        (10, 20, "exon_skipping"), (10, 40, "exon_skipping"), (30, 40, "exon_skipping"),
    ]  # fmt: skip
    kept = differences({(10, 20): 0.3, (30, 40): 1.0}, {(10, 20): 0.9, (30, 40): 1.0}, least=0.01)
    assert [(one.event, one.delta) for one in kept] == [("intron_retention", pytest.approx(-0.6))]
    acceptors = differences({(10, 20): 0.3, (10, 26): 0.7}, {(10, 20): 0.7, (10, 26): 0.3}, least=0.01)
    assert {one.event for one in acceptors} == {"alternative_3ss"}
    donors = differences({(10, 26): 0.3, (14, 26): 0.7}, {(10, 26): 0.7, (14, 26): 0.3}, least=0.01)
    assert {one.event for one in donors} == {"alternative_5ss"}
    other = differences({(10, 26): 0.3, (14, 30): 0.7}, {(10, 26): 0.7, (14, 30): 0.3}, least=0.01)
    assert {one.event for one in other} == {"several"}


def test_the_deviation_is_that_of_the_members() -> None:
    usage, against = {(10, 20): 0.5}, {(10, 20): 0.9}
    members = [({(10, 20): 0.4}, against), ({(10, 20): 0.6}, against)]
    (one,) = differences(usage, against, members, least=0.01)
    assert one.deviation == pytest.approx(np.std([-0.5, -0.3], ddof=1))
    assert differences(usage, against, least=0.01)[0].deviation is None
