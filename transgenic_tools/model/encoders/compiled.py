"""What stands between the matrix products of the embedded encoder, compiled: norms, residuals, heads, softmax.

In: arrays of fp32, or of bf16 seen as uint16, which numba has no name for. Out: the same, in place.
Dims: M rows of a pack, D channels, H heads, S = D / H, P patches of one window, K keys.
A surprise: bf16 is the upper half of fp32, so reading it is a shift and writing it is rounding to even; a kernel does
either by the type of its array.
"""

from __future__ import annotations

import math
from typing import Any

import numba
import numpy as np
import numpy.typing as npt
import torch
from numba import types
from numba.extending import overload
from torch import Tensor

from transgenic_tools.model.packing import exp, gelu


def plain(tensor: Tensor) -> npt.NDArray[Any]:
    """A tensor's numbers without a copy; bf16 as uint16."""
    return (tensor.view(torch.uint16) if tensor.dtype == torch.bfloat16 else tensor).numpy()


def _wide(value: Any) -> Any:  # pragma: no cover
    """A stored number as fp32."""
    raise NotImplementedError


@overload(_wide, inline="always")
def _compile_wide(value):  # type: ignore[no-untyped-def]  # pragma: no cover (compiled)
    if isinstance(value, types.Integer):
        return lambda value: np.uint32(np.uint32(value) << np.uint32(16)).view(np.float32)
    return lambda value: value


def _stored(value: Any, like: Any) -> Any:  # pragma: no cover
    """An fp32 number as the array `like` stores it."""
    raise NotImplementedError


@overload(_stored, inline="always")
def _compile_stored(value, like):  # type: ignore[no-untyped-def]  # pragma: no cover (compiled)
    if isinstance(like.dtype, types.Integer):

        def rounded(value, like):  # type: ignore[no-untyped-def]
            bits = np.float32(value).view(np.uint32)
            return np.uint16((bits + np.uint32(0x7FFF) + ((bits >> np.uint32(16)) & np.uint32(1))) >> np.uint32(16))

        return rounded
    return lambda value, like: np.float32(value)


@numba.njit(cache=True, nogil=True, fastmath=True, error_model="numpy")
def add_and_normalise(x, more, keep, weight, epsilon, out):  # type: ignore[no-untyped-def]  # pragma: no cover
    """`x += more` and its RMS norm (Zhang and Sennrich 2019); rows that are not kept become 0 in both.

    Args:
        x: (M, D) fp32, in place; more: (M, D); keep: (M,) bool; out: (M, D).
    """
    rows, dim = x.shape
    for r in range(rows):
        if keep[r]:
            total = np.float32(0.0)
            for i in range(dim):
                value = x[r, i] + _wide(more[r, i])
                x[r, i] = value
                total += value * value
            factor = np.float32(1.0) / np.float32(math.sqrt(total / dim + epsilon))
            for i in range(dim):
                out[r, i] = _stored(x[r, i] * factor * weight[i], out)
        else:
            for i in range(dim):
                x[r, i] = 0.0
                out[r, i] = 0


@numba.njit(cache=True, nogil=True, error_model="numpy")
def clear(x, keep):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Rows of x (M, C) that are not kept become 0."""
    for r in range(x.shape[0]):
        if not keep[r]:
            for i in range(x.shape[1]):
                x[r, i] = 0


@numba.njit(cache=True, nogil=True, fastmath=True, error_model="numpy")
def add_kept(x, more, keep):  # type: ignore[no-untyped-def]  # pragma: no cover
    """`x += more` (M, C) in place; rows that are not kept become 0."""
    for r in range(x.shape[0]):
        if keep[r]:
            for i in range(x.shape[1]):
                x[r, i] = _stored(_wide(x[r, i]) + _wide(more[r, i]), x)
        else:
            for i in range(x.shape[1]):
                x[r, i] = 0


@numba.njit(cache=True, nogil=True, fastmath=True, error_model="numpy")
def gelu_of_sum(x, more, keep):  # type: ignore[no-untyped-def]  # pragma: no cover
    """`x = gelu(x + more)` (M, C) in place; rows that are not kept become 0."""
    for r in range(x.shape[0]):
        if keep[r]:
            for i in range(x.shape[1]):
                x[r, i] = _stored(gelu(_wide(x[r, i]) + _wide(more[r, i])), x)
        else:
            for i in range(x.shape[1]):
                x[r, i] = 0


@numba.njit(cache=True, nogil=True, fastmath=True, error_model="numpy")
def split_heads(mixed, first, places, margin, cosine, sine, q, k, v):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Queries and keys turned by their place, and values, of one window; what has no place becomes 0.

    Args:
        mixed: (M, 3 D), the window's rows from `first` on.
        places: P; margin: rows before the first place in k and v.
        cosine, sine: (>= P, S / 2) fp32.
        q: (H, Q, S), divided by the root of S; k, v: (H, K, S).
    """
    heads, queries, size = q.shape
    keys, half, dim = k.shape[1], size // 2, heads * size
    scale = np.float32(1.0 / math.sqrt(size))
    for h in range(heads):
        for t in range(places):
            row = mixed[first + t]
            a, b, c = h * size, dim + h * size, 2 * dim + h * size
            for i in range(half):
                left, right = _wide(row[a + i]) * scale, _wide(row[a + half + i]) * scale
                q[h, t, i] = _stored(left * cosine[t, i] - right * sine[t, i], q)
                q[h, t, half + i] = _stored(left * sine[t, i] + right * cosine[t, i], q)
            for i in range(half):
                left, right = _wide(row[b + i]), _wide(row[b + half + i])
                k[h, margin + t, i] = _stored(left * cosine[t, i] - right * sine[t, i], k)
                k[h, margin + t, half + i] = _stored(left * sine[t, i] + right * cosine[t, i], k)
            for i in range(size):
                v[h, margin + t, i] = row[c + i]
        for t in range(places, queries):
            for i in range(size):
                q[h, t, i] = 0
        for t in range(margin):
            for i in range(size):
                k[h, t, i] = 0
                v[h, t, i] = 0
        for t in range(margin + places, keys):
            for i in range(size):
                k[h, t, i] = 0
                v[h, t, i] = 0


@numba.njit(cache=True, nogil=True, inline="always")
def _in_order(bits):  # type: ignore[no-untyped-def]  # pragma: no cover
    """The bits of an fp32 number as an integer of the same order, and back: the largest integer is found 20 times
    faster than the largest float."""
    return np.int32(bits ^ ((bits >> np.int32(31)) & np.int32(0x7FFFFFFF)))


@numba.njit(cache=True, nogil=True, fastmath=True, error_model="numpy")
def softmax_of_band(scores, at, left, places, band):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Softmax over the keys that a query sees, in place; 0 for all others.

    Args:
        scores: (H, Q, K); query i has the place `at + i`, key j the place `left + j`.
        places: P; places beyond it do not exist.
        band: Places that a query sees on each side.
    """
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
                values[j] = _wide(seen[j])
                highest = max(highest, _in_order(np.float32(values[j]).view(np.int32)))
            peak = np.int32(_in_order(highest)).view(np.float32)
            for j in range(len(seen)):
                values[j] = exp(values[j] - peak)
                total += values[j]
            share = np.float32(1.0) / total
            for j in range(len(seen)):
                seen[j] = _stored(values[j] * share, seen)
            before, after = row[:low], row[high:]
            for j in range(len(before)):
                before[j] = 0
            for j in range(len(after)):
                after[j] = 0


@numba.njit(cache=True, nogil=True, error_model="numpy")
def join_heads(found, at, count, first, mixed):  # type: ignore[no-untyped-def]  # pragma: no cover
    """The first `count` queries of found (H, Q, S) become the rows from `first + at` on of mixed (M, D)."""
    heads, _, size = found.shape
    for i in range(count):
        for h in range(heads):
            for j in range(size):
                mixed[first + at + i, h * size + j] = found[h, i, j]
