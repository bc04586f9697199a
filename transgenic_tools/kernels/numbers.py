"""Functions of fp32 numbers for kernels: polynomials, which vectorise where the library's functions do not.

In: numbers. Out: numbers.
A surprise: they are inlined, so nothing of them is left to call.
"""

from __future__ import annotations

import numpy as np

from transgenic_tools.kernels import kernel

#: erf(x) = x P(x^2) / Q(x^2) on [0, 4], fitted by least squares here; largest error in fp32 4e-7.
_P = tuple(
    np.float32(v) for v in (1.12837904, 0.1948583587, 0.05328056809, 0.003942793578, 2.864532512e-4, 1.982846845e-6)
)
_Q = tuple(np.float32(v) for v in (1.0, 0.5060204421, 0.1158984967, 0.01532338581, 0.001201158733, 3.748042628e-5))
#: 2 to the power of a fraction, likewise; largest relative error 8e-8.
_T = tuple(np.float32(v) for v in (0.999999928, 0.693152951, 0.240154604, 0.0558234903, 0.00899263461, 0.00187623981))


@kernel(fastmath=True, error_model="numpy", inline="always")
def gelu(x):  # type: ignore[no-untyped-def]  # pragma: no cover (compiled)
    """x times the normal distribution function (Hendrycks and Gimpel 2016), with the rational erf above."""
    y = min(max(x * np.float32(0.70710678), np.float32(-4.0)), np.float32(4.0))
    t = y * y
    p = ((((_P[5] * t + _P[4]) * t + _P[3]) * t + _P[2]) * t + _P[1]) * t + _P[0]
    q = ((((_Q[5] * t + _Q[4]) * t + _Q[3]) * t + _Q[2]) * t + _Q[1]) * t + _Q[0]
    return np.float32(0.5) * x * (np.float32(1.0) + y * p / q)


@kernel(fastmath=True, error_model="numpy", inline="always")
def exp(x):  # type: ignore[no-untyped-def]  # pragma: no cover
    """exp of a number not above 0: 2 to the fraction by a polynomial, to the whole part by its bits."""
    y = max(x * np.float32(1.44269504), np.float32(-125.0))
    whole = np.floor(y)
    f = y - whole
    p = ((((_T[5] * f + _T[4]) * f + _T[3]) * f + _T[2]) * f + _T[1]) * f + _T[0]
    return p * np.int32((np.int32(whole) + np.int32(127)) << np.int32(23)).view(np.float32)
