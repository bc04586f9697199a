"""What stands between the matrix products of a strand-symmetric trunk, compiled.

In: pairs of rows, fp32 or bf16 (see `numbers`): of sum and difference / sqrt 2, or of forward and reverse strand; the
step from one to the other is its own inverse. Out: the same, in place.
Dims: M rows of a pack, D channels of one strand.
A surprise: a `Pair` is flat and says how to read it, so that one kernel serves both layouts, twice (M, D), which matrix
products take, and (M, 2 D), which one depthwise convolution of both strands takes, and both meanings.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from torch import Tensor

from transgenic_tools.fast.numbers import as_single, as_stored, plain
from transgenic_tools.fast.reading import Numbers
from transgenic_tools.kernels import kernel
from transgenic_tools.kernels.numbers import gelu

_HALF = np.float32(math.sqrt(0.5))


class Pair(NamedTuple):
    """M rows of D numbers, twice.

    Attributes:
        numbers, others: Flat, of the first and of the second array.
        stride: From one row to the next.
        a, b, c: The pair (x, y) stands for the sum and difference (a x + b y, b x + c y), and is made of them likewise.
    """

    numbers: Numbers
    others: Numbers
    stride: int
    a: np.float32
    b: np.float32
    c: np.float32


def sums(both: Tensor | Sequence[Tensor]) -> Pair:
    """Sums and differences: (2, M, D), two of (M, D), or (M, 2 D)."""
    return Pair(*_layout(both), np.float32(1.0), np.float32(0.0), np.float32(1.0))


def strands(both: Tensor) -> Pair:
    """Forward and reverse: (2, M, D) or (M, 2 D)."""
    return Pair(*_layout(both), _HALF, _HALF, -_HALF)


def _layout(both: Tensor | Sequence[Tensor]) -> tuple[Numbers, Numbers, int]:
    if isinstance(both, Tensor) and both.ndim == 2:
        flat, width = plain(both).reshape(-1), both.shape[1]
        return flat, flat[width // 2 :], width
    first, second = (plain(half).reshape(-1) for half in both)
    return first, second, both[0].shape[1]


@kernel(fastmath=True, error_model="numpy")
def add_and_normalise_pair(x, more, keep, weight, epsilon, out):  # type: ignore[no-untyped-def]  # pragma: no cover
    """`x += more` and its RMS norm over both halves; rows that are not kept become 0.

    Args:
        x, more, out: `Pair`s; x holds sums and differences in fp32.
        keep: (M,) bool; weight: (D,), of either half.

    Times torch's speed on AVX2, AVX-512 and bf16: 1.7, 1.7 and 2.1.
    """
    dim = len(weight)
    for r in range(len(keep)):
        at = r * x.stride
        first, second = x.numbers[at : at + dim], x.others[at : at + dim]
        at = r * more.stride
        one, other = more.numbers[at : at + dim], more.others[at : at + dim]
        at = r * out.stride
        to, to_other = out.numbers[at : at + dim], out.others[at : at + dim]
        if not keep[r]:
            for i in range(dim):
                first[i] = 0.0
                second[i] = 0.0
                to[i] = 0
                to_other[i] = 0
            continue
        total = np.float32(0.0)
        for i in range(dim):
            added, subtracted = as_single(one[i]), as_single(other[i])
            s = first[i] + more.a * added + more.b * subtracted
            d = second[i] + more.b * added + more.c * subtracted
            first[i] = s
            second[i] = d
            total += s * s + d * d
        factor = np.float32(1.0) / np.float32(math.sqrt(total / (2 * dim) + epsilon))
        for i in range(dim):
            s, d = first[i] * factor * weight[i], second[i] * factor * weight[i]
            to[i] = as_stored(out.a * s + out.b * d, to)
            to_other[i] = as_stored(out.b * s + out.c * d, to_other)


@kernel(fastmath=True, error_model="numpy")
def exchange_in_place(first, second):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Strands to sums and differences, or back: flat arrays of one length, in place.

    Times torch's speed on AVX2, AVX-512 and bf16: 10, 69 and 3.2.
    """
    for i in range(len(first)):
        a, b = as_single(first[i]), as_single(second[i])
        first[i] = as_stored((a + b) * _HALF, first)
        second[i] = as_stored((a - b) * _HALF, second)


@kernel(fastmath=True, error_model="numpy")
def gelu_of_strands(first, second):  # type: ignore[no-untyped-def]  # pragma: no cover
    """GELU of the strands of sums and differences, as sums and differences: flat arrays of one length, in place.

    Times torch's speed on AVX2, AVX-512 and bf16: 5.9, 18 and 3.0.
    """
    for i in range(len(first)):
        a, b = as_single(first[i]), as_single(second[i])
        forward, reverse = gelu((a + b) * _HALF), gelu((a - b) * _HALF)
        first[i] = as_stored((forward + reverse) * _HALF, first)
        second[i] = as_stored((forward - reverse) * _HALF, second)


@kernel(error_model="numpy")
def turn_patches(rows, patch):  # type: ignore[no-untyped-def]  # pragma: no cover
    """The bases of each patch of rows (M * patch, C) in the other order, in place.

    Times torch's speed on AVX2, AVX-512 and bf16: 1.4, 1.4 and 1.5.
    """
    for start in range(0, len(rows), patch):
        for i in range(patch // 2):
            left, right = rows[start + i], rows[start + patch - 1 - i]
            for c in range(rows.shape[1]):
                kept = left[c]
                left[c] = right[c]
                right[c] = kept
