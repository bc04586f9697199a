"""Compiled pieces of a small transformer: rows of fp32 numbers, no batch, no dispatch.

In: rows (n, D) and weights laid out as (in, out). Out: new rows.
Dims: n rows, a multiple of ROWS; D channels in, E channels out.
A surprise: four rows are computed side by side by the same instructions whatever is in the others, so a row's numbers
never depend on its neighbours or on how many there are. Loops stand where slices could be assigned, because those take
numba seconds to compile.
"""

from __future__ import annotations

import math

import numba
import numpy as np
import numpy.typing as npt

Singles = npt.NDArray[np.float32]
#: Rows that are computed side by side.
ROWS = 4
#: erf(x) = x P(x^2) / Q(x^2) on [0, 4], fitted by least squares here; largest error in fp32 4e-7.
_P = tuple(
    np.float32(v) for v in (1.12837904, 0.1948583587, 0.05328056809, 0.003942793578, 2.864532512e-4, 1.982846845e-6)
)
_Q = tuple(np.float32(v) for v in (1.0, 0.5060204421, 0.1158984967, 0.01532338581, 0.001201158733, 3.748042628e-5))
#: 2 to the power of a fraction, likewise; largest relative error 8e-8.
_T = tuple(np.float32(v) for v in (0.999999928, 0.693152951, 0.240154604, 0.0558234903, 0.00899263461, 0.00187623981))


@numba.njit(cache=True, nogil=True, fastmath=True, error_model="numpy", inline="always")
def gelu(x):  # type: ignore[no-untyped-def]  # pragma: no cover (compiled)
    """x times the normal distribution function (Hendrycks and Gimpel 2016), with the rational erf above."""
    y = min(max(x * np.float32(0.70710678), np.float32(-4.0)), np.float32(4.0))
    t = y * y
    p = ((((_P[5] * t + _P[4]) * t + _P[3]) * t + _P[2]) * t + _P[1]) * t + _P[0]
    q = ((((_Q[5] * t + _Q[4]) * t + _Q[3]) * t + _Q[2]) * t + _Q[1]) * t + _Q[0]
    return np.float32(0.5) * x * (np.float32(1.0) + y * p / q)


@numba.njit(cache=True, nogil=True, fastmath=True, error_model="numpy", inline="always")
def exp(x):  # type: ignore[no-untyped-def]  # pragma: no cover
    """exp of a number not above 0: 2 to the fraction by a polynomial, to the whole part by its bits."""
    y = max(x * np.float32(1.44269504), np.float32(-125.0))
    whole = np.floor(y)
    f = y - whole
    p = ((((_T[5] * f + _T[4]) * f + _T[3]) * f + _T[2]) * f + _T[1]) * f + _T[0]
    return p * np.int32((np.int32(whole) + np.int32(127)) << np.int32(23)).view(np.float32)


@numba.njit(cache=True, nogil=True, fastmath=True, error_model="numpy")
def normalise(x, weight, epsilon, out):  # type: ignore[no-untyped-def]  # pragma: no cover
    """RMS norm of every row (Zhang and Sennrich 2019)."""
    rows, dim = x.shape
    for r in range(rows):
        total = np.float32(0.0)
        for i in range(dim):
            total += x[r, i] * x[r, i]
        factor = np.float32(1.0) / np.float32(math.sqrt(total / dim + epsilon))
        for i in range(dim):
            out[r, i] = x[r, i] * factor * weight[i]


@numba.njit(cache=True, nogil=True, fastmath=True, error_model="numpy")
def add_linear(x, weight, out):  # type: ignore[no-untyped-def]  # pragma: no cover
    """`out += x @ weight` for rows in multiples of ROWS; weight (D, E) with even D."""
    dim, size = weight.shape
    for r in range(0, len(x), 4):
        o0, o1, o2, o3 = out[r], out[r + 1], out[r + 2], out[r + 3]
        for k in range(0, dim, 2):
            w, u = weight[k], weight[k + 1]
            a0, a1, a2, a3 = x[r, k], x[r + 1, k], x[r + 2, k], x[r + 3, k]
            b0, b1, b2, b3 = x[r, k + 1], x[r + 1, k + 1], x[r + 2, k + 1], x[r + 3, k + 1]
            for j in range(size):
                o0[j] += a0 * w[j] + b0 * u[j]
                o1[j] += a1 * w[j] + b1 * u[j]
                o2[j] += a2 * w[j] + b2 * u[j]
                o3[j] += a3 * w[j] + b3 * u[j]


@numba.njit(cache=True, nogil=True, fastmath=True, error_model="numpy")
def set_rows(out, bias):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Every row becomes `bias`."""
    for r in range(out.shape[0]):
        for j in range(out.shape[1]):
            out[r, j] = bias[j]


@numba.njit(cache=True, nogil=True, fastmath=True, error_model="numpy")
def add_rows(out, bias):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Every row grows by `bias`."""
    for r in range(len(out)):
        for j in range(len(bias)):
            out[r, j] += bias[j]


@numba.njit(cache=True, nogil=True, fastmath=True, error_model="numpy")
def gelu_rows(x):  # type: ignore[no-untyped-def]  # pragma: no cover
    """GELU in place."""
    for r in range(x.shape[0]):
        for j in range(x.shape[1]):
            x[r, j] = gelu(x[r, j])


@numba.njit(cache=True, nogil=True, fastmath=True, error_model="numpy")
def rotate_head(vector, cosine, sine):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Rotary position embedding of one head, in place; see `attention.rotate`."""
    half = len(vector) // 2
    for i in range(half):
        left, right = vector[i], vector[half + i]
        vector[i] = left * cosine[i] - right * sine[i]
        vector[half + i] = left * sine[i] + right * cosine[i]


@numba.njit(cache=True, nogil=True, fastmath=True, error_model="numpy")
def attend(q, keys, values, first, last, scale, scores, out):  # type: ignore[no-untyped-def]  # pragma: no cover
    """One head of one row over the steps `first:last`: q and out (size,), keys and values (T, size), scores (T,)."""
    size = len(q)
    peak = np.float32(-1e30)
    for t in range(first, last):
        total = np.float32(0.0)
        for i in range(size):
            total += q[i] * keys[t, i]
        scores[t] = total * scale
        peak = max(peak, scores[t])
    whole = np.float32(0.0)
    for t in range(first, last):
        scores[t] = exp(scores[t] - peak)
        whole += scores[t]
    for i in range(size):
        out[i] = 0.0
    for t in range(first, last):
        share = scores[t] / whole
        for i in range(size):
            out[i] += share * values[t, i]
