"""What stands between the matrix products of a trunk, compiled: norms, residuals, heads, softmax.

In: arrays of fp32, or of bf16 (see `numbers`). Out: the same, in place.
Dims: M rows of a pack, D channels, H heads, S = D / H, P places of one window, K keys.
A surprise: rows between windows are kept at 0 by every kernel, so that no convolution sees what they hold.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from transgenic_tools.fast.numbers import as_single, as_stored
from transgenic_tools.kernels import kernel
from transgenic_tools.kernels.numbers import exp, gelu

#: fp32, or bf16 as uint16.
Numbers = npt.NDArray[Any]


@kernel(fastmath=True, error_model="numpy")
def add_and_normalise(x, more, keep, weight, epsilon, out):  # type: ignore[no-untyped-def]  # pragma: no cover
    """`x += more` and its RMS norm (Zhang and Sennrich 2019); rows that are not kept become 0 in both.

    Args:
        x: (M, D) fp32, in place; more: (M, D); keep: (M,) bool; out: (M, D).

    Times torch's speed on AVX2, AVX-512 and bf16: 20, 17 and 4.6.
    """
    rows, dim = x.shape
    for r in range(rows):
        if keep[r]:
            total = np.float32(0.0)
            for i in range(dim):
                value = x[r, i] + as_single(more[r, i])
                x[r, i] = value
                total += value * value
            factor = np.float32(1.0) / np.float32(math.sqrt(total / dim + epsilon))
            for i in range(dim):
                out[r, i] = as_stored(x[r, i] * factor * weight[i], out)
        else:
            for i in range(dim):
                x[r, i] = 0.0
                out[r, i] = 0


@kernel(error_model="numpy")
def clear(x, keep):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Rows of x (M, C) that are not kept become 0.

    Times torch's speed on AVX2, AVX-512 and bf16: 4.7, 5.4 and 58.
    """
    for r in range(x.shape[0]):
        if not keep[r]:
            for i in range(x.shape[1]):
                x[r, i] = 0


@kernel(fastmath=True, error_model="numpy")
def add_kept(x, more, keep):  # type: ignore[no-untyped-def]  # pragma: no cover
    """`x += more` (M, C) in place; rows that are not kept become 0.

    Times torch's speed on AVX2, AVX-512 and bf16: 2.0, 1.5 and 4.3.
    """
    for r in range(x.shape[0]):
        if keep[r]:
            for i in range(x.shape[1]):
                x[r, i] = as_stored(as_single(x[r, i]) + as_single(more[r, i]), x)
        else:
            for i in range(x.shape[1]):
                x[r, i] = 0


@kernel(fastmath=True, error_model="numpy")
def gelu_of(x):  # type: ignore[no-untyped-def]  # pragma: no cover
    """`x = gelu(x)` (M, C) in place.

    Times torch's speed on AVX2, AVX-512 and bf16: 1.35, 1.35 and 0.7 (there oneDNN's own is taken).
    """
    for r in range(x.shape[0]):
        for i in range(x.shape[1]):
            x[r, i] = as_stored(gelu(as_single(x[r, i])), x)


@kernel(fastmath=True, error_model="numpy")
def gelu_of_sum(x, more, keep):  # type: ignore[no-untyped-def]  # pragma: no cover
    """`x = gelu(x + more)` (M, C) in place; rows that are not kept become 0.

    Times torch's speed on AVX2, AVX-512 and bf16: 1.8, 2.7 and 1.9.
    """
    for r in range(x.shape[0]):
        if keep[r]:
            for i in range(x.shape[1]):
                x[r, i] = as_stored(gelu(as_single(x[r, i]) + as_single(more[r, i])), x)
        else:
            for i in range(x.shape[1]):
                x[r, i] = 0


@kernel(fastmath=True, error_model="numpy", inline="always")
def _turned(row, begin, half, factor, cosine, sine, out):  # type: ignore[no-untyped-def]  # pragma: no cover
    for i in range(half):
        left, right = as_single(row[begin + i]) * factor, as_single(row[begin + half + i]) * factor
        out[i] = as_stored(left * cosine[i] - right * sine[i], out)
        out[half + i] = as_stored(left * sine[i] + right * cosine[i], out)


class Part(NamedTuple):
    """Places of one window that ask at once.

    Attributes:
        first: The window's first row in the pack.
        places: P.
        begin: Place of the first query; keys begin `margin` places before it.
    """

    first: int
    places: int
    begin: int
    margin: int


class Heads(NamedTuple):
    """Queries (H, Q, S), keys and values (H, K, S)."""

    q: Numbers
    k: Numbers
    v: Numbers


class Band(NamedTuple):
    """Which keys a query sees.

    Attributes:
        at: Place of the first query; left: of the first key.
        places: P; places beyond it do not exist.
        band: Places that a query sees on each side.
    """

    at: int
    left: int
    places: int
    band: int


@kernel(fastmath=True, error_model="numpy")
def split_heads(mixed, part, angles, heads):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Queries and keys turned by their place, and values, of a part of one window; what has no place becomes 0.

    Args:
        mixed: (M, 3 D).
        heads: Filled; queries are divided by the root of S.

    Times torch's speed on AVX2, AVX-512 and bf16: 1.7, 1.7 and 1.2.
    """
    q, k, v = heads
    cosine, sine = angles
    count, queries, size = q.shape
    half, dim = size // 2, count * size
    scale, one = np.float32(1.0 / math.sqrt(size)), np.float32(1.0)
    for h in range(count):
        for t in range(queries):
            place = part.begin + t
            if place < part.places:
                _turned(mixed[part.first + place], h * size, half, scale, cosine[place], sine[place], q[h, t])
            else:
                for i in range(size):
                    q[h, t, i] = 0
        for t in range(k.shape[1]):
            place = part.begin - part.margin + t
            if 0 <= place < part.places:
                row = mixed[part.first + place]
                _turned(row, dim + h * size, half, one, cosine[place], sine[place], k[h, t])
                for i in range(size):
                    v[h, t, i] = row[2 * dim + h * size + i]
            else:
                for i in range(size):
                    k[h, t, i] = 0
                    v[h, t, i] = 0


@kernel(inline="always")
def _in_order(bits):  # type: ignore[no-untyped-def]  # pragma: no cover
    """The bits of an fp32 number as an integer of the same order, and back: the largest integer is found 20 times
    faster than the largest float."""
    return np.int32(bits ^ ((bits >> np.int32(31)) & np.int32(0x7FFFFFFF)))


@kernel(fastmath=True, error_model="numpy")
def softmax_of_band(scores, seen_by):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Softmax over the keys that a query sees, in place; 0 for all others.

    Args:
        scores: (H, Q, K).
        seen_by: A `Band`.

    Times torch's speed on AVX2, AVX-512 and bf16: 2.6, 12 and 2.2.
    """
    at, left, places, band = seen_by
    heads, queries, keys = scores.shape
    line = np.empty(keys, dtype=np.float32)
    for h in range(heads):
        for i in range(queries):
            place, row = at + i, scores[h, i]
            low = max(place - band, 0) - left
            high = min(place + band + 1, places) - left if place < places else low
            seen, values = row[low:high], line[low:high]  # slices: indices that may be negative are not vectorised
            highest, total = np.int32(-(2**31)), np.float32(0.0)
            for j in range(len(seen)):
                values[j] = as_single(seen[j])
                highest = max(highest, _in_order(np.float32(values[j]).view(np.int32)))
            peak = np.int32(_in_order(highest)).view(np.float32)
            for j in range(len(seen)):
                values[j] = exp(values[j] - peak)
                total += values[j]
            share = np.float32(1.0) / total
            for j in range(len(seen)):
                seen[j] = as_stored(values[j] * share, seen)
            before, after = row[:low], row[high:]
            for j in range(len(before)):
                before[j] = 0
            for j in range(len(after)):
                after[j] = 0


@kernel(error_model="numpy")
def join_heads(mixed, rows):  # type: ignore[no-untyped-def]  # pragma: no cover
    """The first queries of mixed (H, Q, S), as many as there are rows (n, D).

    Times torch's speed on AVX2, AVX-512 and bf16: 1.5, 1.2 and 1.3.
    """
    heads, _, size = mixed.shape
    for i in range(len(rows)):
        for h in range(heads):
            for j in range(size):
                rows[i, h * size + j] = mixed[h, i, j]
