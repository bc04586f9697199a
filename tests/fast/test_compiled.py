"""Every kernel against its plain numpy twin, over fp32 and over bf16."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from tests.fast import plain as numpy_twin
from transgenic_tools.fast import attention, pairs, reading, stepping
from transgenic_tools.fast.numbers import plain
from transgenic_tools.fast.pack import Rotary

DTYPES = pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
M, D = 37, 50
KEEP = np.random.default_rng(7).random(M) < 0.7


def numbers(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float32) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed)).to(dtype)


def close(found: Tensor, expected: np.ndarray) -> None:
    """To rounding of how `found` is stored."""
    tolerance = 1e-2 if found.dtype == torch.bfloat16 else 1e-5
    np.testing.assert_allclose(found.float().numpy(), expected, atol=tolerance, rtol=tolerance)


@DTYPES
def test_add_and_normalise(dtype: torch.dtype) -> None:
    x, more, weight = numbers(M, D), numbers(M, D, seed=1, dtype=dtype), numbers(D, seed=2).numpy()
    out = torch.empty(M, D, dtype=dtype)
    total = (x.numpy() + more.float().numpy()) * KEEP[:, None]
    reading.add_and_normalise(plain(x), plain(more), KEEP, weight, 1e-6, plain(out))
    close(x, total)
    close(out, numpy_twin.normalised(total, weight, 1e-6))


@DTYPES
def test_what_is_added_to_kept_rows(dtype: torch.dtype) -> None:
    x, more = numbers(M, D, dtype=dtype), numbers(M, D, seed=1, dtype=dtype)
    a, b, kept = x.float().numpy(), more.float().numpy(), KEEP[:, None]
    for kernel, expected in (
        (lambda y: reading.clear(y, KEEP), a * kept),
        (lambda y: reading.add_kept(y, plain(more), KEEP), (a + b) * kept),
        (lambda y: reading.gelu_of_sum(y, plain(more), KEEP), numpy_twin.gelu(a + b) * kept),
        (reading.gelu_of, numpy_twin.gelu(a)),
    ):
        out = x.clone()
        kernel(plain(out))
        close(out, expected)


@DTYPES
@pytest.mark.parametrize(("size", "band"), [(6, 100), (40, 7), (64, 30), (40, 0)])
def test_attend_windows(dtype: torch.dtype, size: int, band: int) -> None:
    heads, first, places = 2, np.array([3, 8, 80]), np.array([4, 70, 1])
    mixed, out = numbers(90, 3 * heads * size, dtype=dtype), torch.full((90, heads * size), 7.0, dtype=dtype)
    sight = attention.Sight(heads, band, *Rotary(size).reach(70))
    attention.attend_windows(plain(mixed), attention.Stretches(first, places), sight, plain(out))
    between = np.ones(90, dtype=np.bool_)
    for at, n in zip(first.tolist(), places.tolist(), strict=True):
        close(out[at : at + n], numpy_twin.band_attention(mixed.float().numpy(), at, n, sight))
        between[at : at + n] = False
    assert (out[between] == 7).all()


def test_write_tokens() -> None:
    rng = np.random.default_rng(3)
    states = stepping.States(rng.integers(-1, 5, 12), rng.integers(0, 4, 12), numbers(5, D).numpy())
    tables = stepping.Tables(numbers(4, D, seed=1).numpy(), numbers(3, D, seed=2).numpy())
    visited, ordinals = rng.integers(0, 12, 20), rng.integers(0, 6, 20)
    out = np.zeros((24, D), dtype=np.float32)
    stepping.write_tokens(visited, ordinals, states, tables, out)
    np.testing.assert_allclose(out[:20], numpy_twin.tokens(visited, ordinals, states, tables), atol=1e-6)
    assert not out[20:].any()


@pytest.mark.parametrize(("size", "band"), [(32, 40), (32, 5), (10, 5)])
def test_attend_tokens(size: int, band: int) -> None:
    heads, rows, steps = 2, 3, 30
    dim, rng = 2 * size, np.random.default_rng(size)
    table = rng.permutation(rows * steps).reshape(rows, steps).astype(np.int32)
    at, who = np.array([29, 0, 12, 13]), np.array([0, 1, 2, 2])
    new = stepping.Tokens(who, at, table[who, at], table)
    sight = attention.Sight(heads, band, *Rotary(size).reach(steps))
    qkv, store = numbers(4, 3 * dim).numpy(), numbers(2, rows * steps, dim, seed=1).numpy()
    plain_store = store.copy()
    expected = numpy_twin.attended(qkv.copy(), new, sight, *plain_store)
    out = np.zeros((4, dim), dtype=np.float32)
    stepping.attend_tokens(qkv, new, sight, store[0], store[1], out)
    np.testing.assert_allclose(store, plain_store, atol=1e-5)
    np.testing.assert_allclose(out, expected, atol=1e-5)


def test_follow_parents() -> None:
    table = np.arange(6 * 8, dtype=np.int32).reshape(6, 8)
    before, genes, beams = table.copy(), 2, 3
    best = np.full((genes, 8), -1, dtype=np.int32)
    written = stepping.Written(table, best, np.array([2, 1]), np.array([0, 0]), np.array([6, 4]))
    parents = np.array([1, 1, 0, 3, 4, 5])
    stepping.follow_parents(written, parents, np.array([2, -1]), np.arange(genes))
    expected = before.copy()
    expected[:beams, 2:6] = before[parents[:beams], 2:6]
    np.testing.assert_array_equal(table, expected)
    np.testing.assert_array_equal(best[0], [-1, -1, *before[2, 2:6], -1, -1])
    assert written.noted.tolist() == [6, 0]


@DTYPES
@pytest.mark.parametrize("layout", [(2, M, D), (M, 2 * D)])
def test_a_norm_over_both_strands(dtype: torch.dtype, layout: tuple[int, ...]) -> None:
    x, more = numbers(2, M, D), numbers(*layout, seed=1, dtype=dtype)
    weight, out = numbers(D, seed=2).numpy(), torch.empty(layout, dtype=dtype)

    def apart(tensor: Tensor) -> np.ndarray:
        array = tensor.float().numpy()
        return array if array.ndim == 3 else np.stack([array[:, :D], array[:, D:]])

    def exchanged(pair: np.ndarray) -> np.ndarray:
        return np.stack([pair[0] + pair[1], pair[0] - pair[1]]) * np.float32(math.sqrt(0.5))

    total = (x.numpy() + exchanged(apart(more))) * KEEP[:, None]
    both = numpy_twin.normalised(np.concatenate(list(total), axis=1), np.tile(weight, 2), 1e-6)
    expected = exchanged(np.stack([both[:, :D], both[:, D:]]))
    pairs.add_and_normalise_pair(pairs.sums(x), pairs.strands(more), KEEP, weight, 1e-6, pairs.strands(out))
    close(x, total)
    np.testing.assert_allclose(apart(out), expected, atol=2e-2 if dtype == torch.bfloat16 else 1e-5)


@DTYPES
def test_strands_and_sums(dtype: torch.dtype) -> None:
    first, second = numbers(99, dtype=dtype), numbers(99, seed=1, dtype=dtype)
    a, b, half = first.float().numpy(), second.float().numpy(), math.sqrt(0.5)
    forward, reverse = numpy_twin.gelu((a + b) * half), numpy_twin.gelu((a - b) * half)
    for kernel, expected in (
        (pairs.exchange_in_place, ((a + b) * half, (a - b) * half)),
        (pairs.gelu_of_strands, ((forward + reverse) * half, (forward - reverse) * half)),
    ):
        one, two = first.clone(), second.clone()
        kernel(plain(one), plain(two))
        close(one, expected[0])
        close(two, expected[1])


def test_turn_patches() -> None:
    rows = numbers(18, 3)
    expected = rows.view(3, 6, 3).flip(1).reshape(18, 3).clone()
    pairs.turn_patches(plain(rows), 6)
    assert torch.equal(rows, expected)
