"""Every kernel of `fast/` once more, in plain numpy with fp64 sums: what they are held against.

In: arrays of fp32. Out: new arrays.
Dims: M rows of a pack, D channels, H heads, S = D / H, P places of one window, K keys.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from transgenic_tools.fast.pack import Angles
from transgenic_tools.fast.reading import Band, Part
from transgenic_tools.fast.stepping import Sight, States, Tables, Tokens

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


def split_heads(mixed: Singles, part: Part, angles: Angles, queries: int, keys: int, heads: int) -> list[Singles]:
    """Queries, keys and values; see the kernel."""
    dim = mixed.shape[1] // 3
    size = dim // heads
    out = []
    for which, (count, begin) in enumerate(
        [(queries, part.begin), (keys, part.begin - part.margin), (keys, part.begin - part.margin)]
    ):
        found = np.zeros((heads, count, size), dtype=np.float32)
        for t, place in enumerate(range(begin, begin + count)):
            if 0 <= place < part.places:
                row = mixed[part.first + place, which * dim : (which + 1) * dim].reshape(heads, size)
                found[:, t] = row if which == 2 else turned(row, angles.cosine[place], angles.sine[place])
        out.append(found / math.sqrt(size) if which == 0 else found)
    return out


def softmax_of_band(scores: Singles, seen: Band) -> Singles:
    out = np.zeros_like(scores)
    for i in range(scores.shape[1]):
        place = seen.at + i
        if place < seen.places:
            low, high = max(place - seen.band, 0) - seen.left, min(place + seen.band + 1, seen.places) - seen.left
            out[:, i, low:high] = softmax(scores[:, i, low:high].astype(np.float64))
    return out


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
