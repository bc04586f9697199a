"""Every kernel of `fast/` once more, in plain numpy with fp64 sums: what they are held against.

In: arrays of fp32. Out: new arrays.
Dims: M rows of a pack, D channels, H heads, S = D / H, P places of one window.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from transgenic_tools.fast.attention import Sight
from transgenic_tools.fast.stepping import States, Tables, Tokens

Singles = npt.NDArray[np.float32]
Flags = npt.NDArray[np.bool_]

_erf = np.vectorize(math.erf)


def gelu(x: Singles) -> Singles:
    return (0.5 * x.astype(np.float64) * (1 + _erf(x / math.sqrt(2)))).astype(np.float32)


def softmax(x: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    shares = np.exp(x - x.max(-1, keepdims=True))
    return shares / shares.sum(-1, keepdims=True)


def normalised(x: Singles, weight: Singles, epsilon: float) -> Singles:
    square = (x.astype(np.float64) ** 2).mean(-1, keepdims=True)
    return (x / np.sqrt(square + epsilon) * weight).astype(np.float32)


def turned(x: Singles, cosine: Singles, sine: Singles) -> Singles:
    """(..., S) by angles (..., S / 2)."""
    left, right = np.split(x, 2, axis=-1)
    return np.concatenate([left * cosine - right * sine, left * sine + right * cosine], axis=-1)


def band_attention(mixed: Singles, first: int, places: int, sight: Sight) -> Singles:
    """What the places of one window find (P, D)."""
    dim = mixed.shape[1] // 3
    own = mixed[first : first + places].reshape(places, 3, sight.heads, dim // sight.heads).transpose(1, 2, 0, 3)
    q, k = (turned(a, sight.cosine[:places], sight.sine[:places]) for a in own[:2])
    scores = (q @ k.transpose(0, 2, 1)).astype(np.float64) / math.sqrt(q.shape[-1])
    far = np.abs(np.arange(places)[:, None] - np.arange(places)) > sight.band
    shares = softmax(np.where(far, -np.inf, scores))
    return (shares @ own[2]).transpose(1, 0, 2).reshape(places, dim).astype(np.float32)


def tokens(visited: npt.NDArray[np.int64], ordinals: npt.NDArray[np.int64], states: States, tables: Tables) -> Singles:
    out = tables.kind[states.kind[visited]] + tables.ordinal[np.minimum(ordinals, len(tables.ordinal) - 1)]
    site = states.site[visited]
    out[site >= 0] += states.sites[site[site >= 0]]
    return out


def attended(qkv: Singles, new: Tokens, sight: Sight, keys: Singles, values: Singles) -> Singles:
    """What each new token sees; keys and values get theirs."""
    dim = keys.shape[1]
    size = dim // sight.heads
    q, k, v = qkv[: len(new.rows)].reshape(-1, 3, sight.heads, size).transpose(1, 0, 2, 3)
    cosine, sine = sight.cosine[new.at][:, None], sight.sine[new.at][:, None]
    q, k = turned(q, cosine, sine), turned(k, cosine, sine)
    keys[new.slots], values[new.slots] = k.reshape(-1, dim), v.reshape(-1, dim)
    out = np.empty((len(new.rows), dim), dtype=np.float32)
    for i, (row, at) in enumerate(zip(new.rows, new.at, strict=True)):
        seen = new.table[row, max(0, at - sight.band) : at + 1]
        mine, theirs = (a[seen].reshape(-1, sight.heads, size) for a in (keys, values))
        shares = softmax(np.einsum("hs,ths->ht", q[i], mine).astype(np.float64) / math.sqrt(size))
        out[i] = np.einsum("ht,ths->hs", shares, theirs).reshape(-1)
    return out
