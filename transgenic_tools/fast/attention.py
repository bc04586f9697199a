"""Band attention of windows that lie one behind the other, in one compiled call.

In: queries, keys and values side by side, fp32 or bf16 (see `numbers`). Out: what the queries find, stored likewise;
between them everything is fp32.
Dims: M rows of a pack, W windows, P places of one window, D channels, H heads, S = D / H, C columns of a panel.
A surprise: panels of keys begin with a window's first place, so its numbers are the same bits in any pack; a product
with values reads on into the next head, whose columns nobody looks at. What `attend_windows` calls is inlined: a
function of its own gives other bits when it has just been compiled than when it was kept.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from transgenic_tools.fast.numbers import as_single, as_stored
from transgenic_tools.fast.product import COLUMNS, NARROW, ROWS, add_narrow_tile, add_tile
from transgenic_tools.kernels import kernel
from transgenic_tools.kernels.numbers import exp

Singles = npt.NDArray[np.float32]
#: Queries that go through keys and values together, and places of values at once: what they share stays in the cache.
QUERIES, CHUNK = 16, 64


class Sight(NamedTuple):
    """How places attend: `heads` heads to `band` places on each side, turned by the angles (>= P, S / 2).

    Steps of the decoder attend by it, too. Two records of one name and the same fields would be one to numba's fast
    look-up of types, and kernels that take the second would be looked up by Python in each call (0.5 ms).
    """

    heads: int
    band: int
    cosine: Singles
    sine: Singles


class Stretches(NamedTuple):
    """(W,) first row of each window in the pack, and its places."""

    first: npt.NDArray[np.int64]
    places: npt.NDArray[np.int64]


class Laid(NamedTuple):
    """A window in fp32, flat: queries (P, D) turned and divided by the root of S, keys turned as panels
    (H, P / C, S, C), values (P, D)."""

    queries: Singles
    keys: Singles
    values: Singles


@kernel(fastmath=True, error_model="numpy", inline="always")
def _lay_window(mixed, first, places, sight, size, laid):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Fill `laid` with a window; behind its last place queries and keys are 0 as far as products reach."""
    half, dim = size // 2, sight.heads * size
    scale, panels = np.float32(1.0 / math.sqrt(size)), -(-places // COLUMNS)
    line, (queries, keys, values) = np.empty(3 * dim, dtype=np.float32), laid
    for place in range(places):
        row, cosine, sine = mixed[first + place], sight.cosine[place], sight.sine[place]
        for i in range(3 * dim):
            line[i] = as_single(row[i])
        asks, holds = queries[place * dim : (place + 1) * dim], values[place * dim : (place + 1) * dim]
        for i in range(dim):
            holds[i] = line[2 * dim + i]
        for h in range(sight.heads):
            q, k = h * size, dim + h * size
            at = (h * panels + place // COLUMNS) * size * COLUMNS + place % COLUMNS
            for i in range(half):
                c, s = cosine[i], sine[i]
                left, right = line[q + i] * scale, line[q + half + i] * scale
                asks[q + i] = left * c - right * s
                asks[q + half + i] = left * s + right * c
                left, right = line[k + i], line[k + half + i]
                keys[at + i * COLUMNS] = left * c - right * s
                keys[at + (half + i) * COLUMNS] = left * s + right * c
    queries[places * dim : (places + ROWS) * dim] = np.float32(0.0)
    for h in range(sight.heads):
        for place in range(places, panels * COLUMNS):
            at = (h * panels + panels - 1) * size * COLUMNS + place % COLUMNS
            for i in range(size):
                keys[at + i * COLUMNS] = 0.0


@kernel(inline="always")
def _in_order(bits):  # type: ignore[no-untyped-def]  # pragma: no cover
    """The bits of an fp32 number as an integer of the same order, and back: the largest integer is found 20 times
    faster than the largest float."""
    return np.int32(bits ^ ((bits >> np.int32(31)) & np.int32(0x7FFFFFFF)))


@kernel(fastmath=True, error_model="numpy", inline="always")
def _weigh(scores, low, high):  # type: ignore[no-untyped-def]  # pragma: no cover
    """exp of the scores `low:high` less the largest of them, in place, 0 for all others; returns their sum."""
    seen = scores[low:high]  # a slice: indices that may be negative are not vectorised
    highest, total = np.int32(-(2**31)), np.float32(0.0)
    for j in range(len(seen)):
        highest = max(highest, _in_order(np.float32(seen[j]).view(np.int32)))
    peak = np.int32(_in_order(highest)).view(np.float32)
    for j in range(len(seen)):
        seen[j] = exp(seen[j] - peak)
        total += seen[j]
    for j in range(low):
        scores[j] = 0.0
    for j in range(high, len(scores)):
        scores[j] = 0.0
    return total


@kernel(fastmath=True, error_model="numpy")
def attend_windows(mixed, stretches, sight, out):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Every place of every window looks at those of its window within the band.

    Args:
        mixed: (M, 3 D) queries, keys, values.
        stretches: `Stretches`; sight: `Sight`.
        out: (M, D); rows between windows are left as they are.

    Times torch's speed on AVX2, AVX-512 and bf16: 1.6, 1.6 and 1.9.
    """
    dim, band, longest = out.shape[1], sight.band, stretches.places.max()
    size = dim // sight.heads
    wide = -(-size // NARROW) * NARROW
    room = min(longest, 2 * band + QUERIES) + 2 * COLUMNS
    laid = Laid(
        np.empty((longest + ROWS) * dim, dtype=np.float32),
        np.empty(-(-longest // COLUMNS) * COLUMNS * dim, dtype=np.float32),
        np.zeros(longest * dim + NARROW, dtype=np.float32),
    )
    queries, keys, values = laid
    scores, total = np.empty(QUERIES * room, dtype=np.float32), np.ones(QUERIES, dtype=np.float32)
    mean = np.empty(QUERIES * wide, dtype=np.float32)
    for w in range(len(stretches.first)):
        first, places = stretches.first[w], stretches.places[w]
        _lay_window(mixed, first, places, sight, size, laid)
        panels = -(-places // COLUMNS)
        for h in range(sight.heads):
            for at in range(0, places, QUERIES):
                asking, end = min(QUERIES, places - at), min(at + QUERIES + band, places)
                left = max(at - band, 0) // COLUMNS * COLUMNS
                width = -(-(end - left) // COLUMNS) * COLUMNS
                for r in range(-(-asking // ROWS) * ROWS):
                    scores[r * room : r * room + width] = np.float32(0.0)
                for column in range(0, width, COLUMNS):
                    begin = (h * panels * COLUMNS + left + column) * size
                    for r in range(0, asking, ROWS):
                        asks, to = (at + r) * dim + h * size, r * room + column
                        add_tile(queries, asks, dim, keys, begin, size, scores, to, room, COLUMNS)
                for r in range(asking):
                    low, high = max(at + r - band, 0) - left, min(at + r + band + 1, places) - left
                    total[r] = _weigh(scores[r * room : r * room + width], low, high)
                mean[:] = np.float32(0.0)
                for low in range(0, end - left, CHUNK):
                    count = min(CHUNK, end - left - low)
                    for column in range(0, size, NARROW):
                        begin = (left + low) * dim + h * size + column
                        for r in range(0, asking, ROWS):
                            shares, to = r * room + low, r * wide + column
                            add_narrow_tile(scores, shares, room, values, begin, count, mean, to, wide, dim)
                for r in range(asking):
                    row, share = out[first + at + r, h * size : (h + 1) * size], np.float32(1.0) / total[r]
                    for i in range(size):
                        row[i] = as_stored(mean[r * wide + i] * share, row)
