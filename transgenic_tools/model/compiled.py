"""What stands between the matrix products of a small transformer, compiled: norms, residuals, heads, softmax.

In: arrays of fp32, or of bf16 seen as uint16, which numba has no name for. Out: the same, in place.
Dims: M rows of a pack, D channels, H heads, S = D / H, P places of one window, K keys, n tokens of one step.
A surprise: bf16 is the upper half of fp32, so reading it is a shift and writing it is rounding to even; a kernel does
either by the type of its array.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic, overload
from torch import Tensor

from transgenic_tools.kernels import kernel

#: erf(x) = x P(x^2) / Q(x^2) on [0, 4], fitted by least squares here; largest error in fp32 4e-7.
_P = tuple(
    np.float32(v) for v in (1.12837904, 0.1948583587, 0.05328056809, 0.003942793578, 2.864532512e-4, 1.982846845e-6)
)
_Q = tuple(np.float32(v) for v in (1.0, 0.5060204421, 0.1158984967, 0.01532338581, 0.001201158733, 3.748042628e-5))
#: 2 to the power of a fraction, likewise; largest relative error 8e-8.
_T = tuple(np.float32(v) for v in (0.999999928, 0.693152951, 0.240154604, 0.0558234903, 0.00899263461, 0.00187623981))


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


@kernel(fastmath=True, error_model="numpy")
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


@kernel(error_model="numpy")
def clear(x, keep):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Rows of x (M, C) that are not kept become 0."""
    for r in range(x.shape[0]):
        if not keep[r]:
            for i in range(x.shape[1]):
                x[r, i] = 0


@kernel(fastmath=True, error_model="numpy")
def add_kept(x, more, keep):  # type: ignore[no-untyped-def]  # pragma: no cover
    """`x += more` (M, C) in place; rows that are not kept become 0."""
    for r in range(x.shape[0]):
        if keep[r]:
            for i in range(x.shape[1]):
                x[r, i] = _stored(_wide(x[r, i]) + _wide(more[r, i]), x)
        else:
            for i in range(x.shape[1]):
                x[r, i] = 0


@kernel(fastmath=True, error_model="numpy")
def gelu_of_sum(x, more, keep):  # type: ignore[no-untyped-def]  # pragma: no cover
    """`x = gelu(x + more)` (M, C) in place; rows that are not kept become 0."""
    for r in range(x.shape[0]):
        if keep[r]:
            for i in range(x.shape[1]):
                x[r, i] = _stored(gelu(_wide(x[r, i]) + _wide(more[r, i])), x)
        else:
            for i in range(x.shape[1]):
                x[r, i] = 0


@kernel(fastmath=True, error_model="numpy", inline="always")
def _turned(row, begin, half, factor, cosine, sine, out):  # type: ignore[no-untyped-def]  # pragma: no cover
    for i in range(half):
        left, right = _wide(row[begin + i]) * factor, _wide(row[begin + half + i]) * factor
        out[i] = _stored(left * cosine[i] - right * sine[i], out)
        out[half + i] = _stored(left * sine[i] + right * cosine[i], out)


@kernel(fastmath=True, error_model="numpy")
def split_heads(mixed, first, places, begin, margin, cosine, sine, q, k, v):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Queries and keys turned by their place, and values, of a part of one window; what has no place becomes 0.

    Args:
        mixed: (M, 3 D), the window's rows from `first` on; places: P.
        begin: Place of the first query; keys begin `margin` places before it.
        cosine, sine: (>= P, S / 2) fp32.
        q: (H, Q, S), divided by the root of S; k, v: (H, K, S).
    """
    heads, queries, size = q.shape
    half, dim = size // 2, heads * size
    scale, one = np.float32(1.0 / math.sqrt(size)), np.float32(1.0)
    for h in range(heads):
        for t in range(queries):
            place = begin + t
            if place < places:
                _turned(mixed[first + place], h * size, half, scale, cosine[place], sine[place], q[h, t])
            else:
                for i in range(size):
                    q[h, t, i] = 0
        for t in range(k.shape[1]):
            place = begin - margin + t
            if 0 <= place < places:
                row = mixed[first + place]
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


@kernel(error_model="numpy")
def join_heads(found, at, count, first, mixed):  # type: ignore[no-untyped-def]  # pragma: no cover
    """The first `count` queries of found (H, Q, S) become the rows from `first + at` on of mixed (M, D)."""
    heads, _, size = found.shape
    for i in range(count):
        for h in range(heads):
            for j in range(size):
                mixed[first + at + i, h * size + j] = found[h, i, j]


@kernel(fastmath=True, error_model="numpy")
def write_tokens(states, ordinals, site_of_state, kind, sites, kinds, ordinal, out):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Decoder input of visited states: site, kind and which transcript it belongs to, added up.

    Args:
        states, ordinals: (n,); site_of_state: (N,), -1 for none; kind: (N,).
        sites, kinds, ordinal: Tables of embeddings, D wide.
        out: (>= n, D).
    """
    most = len(ordinal) - 1
    for i in range(len(states)):
        site, of_kind, of_ordinal = site_of_state[states[i]], kinds[kind[states[i]]], ordinal[min(ordinals[i], most)]
        for j in range(out.shape[1]):
            out[i, j] = of_kind[j] + of_ordinal[j]
        if site >= 0:
            for j in range(out.shape[1]):
                out[i, j] += sites[site, j]


@kernel(fastmath=True, error_model="numpy", inline="always")
def _turn(row, begin, half, cosine, sine):  # type: ignore[no-untyped-def]  # pragma: no cover
    for i in range(half):
        left, right = row[begin + i], row[begin + half + i]
        row[begin + i] = left * cosine[i] - right * sine[i]
        row[begin + half + i] = left * sine[i] + right * cosine[i]


@kernel(fastmath=True, error_model="numpy")
def _softmax(values):  # type: ignore[no-untyped-def]  # pragma: no cover
    peak, whole = np.float32(-1e30), np.float32(0.0)
    for t in range(len(values)):
        peak = max(peak, values[t])
    for t in range(len(values)):
        values[t] = exp(values[t] - peak)
        whole += values[t]
    share = np.float32(1.0) / whole
    for t in range(len(values)):
        values[t] *= share


#: Rows and columns that `add_linear` computes side by side.
ROWS, _COLUMNS = 4, 64
_LANES = ir.VectorType(ir.FloatType(), 16)


def _pointer(context: Any, builder: Any, signature: Any, values: Any, array: int, index: Any) -> Any:
    """Where a number of argument `array` lies."""
    data = context.make_array(signature.args[array])(context, builder, values[array]).data
    return builder.gep(data, [index])


def _many(context: Any, builder: Any, signature: Any, values: Any, array: int, index: Any) -> Any:
    """Pointer to 16 numbers of argument `array`, from `index` on."""
    return builder.bitcast(_pointer(context, builder, signature, values, array, index), _LANES.as_pointer())


def _everywhere(builder: Any, number: Any) -> Any:
    """One number 16 times."""
    nothing = ir.Constant(_LANES, ir.Undefined)
    first = builder.insert_element(nothing, number, ir.Constant(ir.IntType(32), 0))
    return builder.shuffle_vector(first, nothing, ir.Constant(ir.VectorType(ir.IntType(32), 16), [0] * 16))


def _plus(builder: Any, index: Any, number: int) -> Any:
    return builder.add(index, ir.Constant(index.type, number))


@intrinsic
def _score32(typing_context, q, i, keys, seen, dim, first, out):  # type: ignore[no-untyped-def]
    """`out[t] = q[i : i + 32] . keys[seen[t] * dim + first :][: 32]` for all of `seen`: one head of 32 channels.

    LLVM vectorises no loop as short as that.
    """

    def compute(context, builder, signature, values):  # type: ignore[no-untyped-def]
        own = (context, builder, signature, values)
        count = context.make_array(signature.args[3])(context, builder, values[3])
        left = [builder.load(_many(*own, 0, _plus(builder, values[1], 16 * v)), align=4) for v in range(2)]
        kind = ir.FunctionType(ir.FloatType(), [ir.FloatType(), _LANES])
        add_up = cgutils.get_or_insert_function(builder.module, kind, "llvm.vector.reduce.fadd.v16f32")
        with cgutils.for_range(builder, builder.extract_value(count.shape, 0)) as loop:
            place = builder.sext(builder.load(_pointer(*own, 3, loop.index)), values[4].type)
            at = builder.add(builder.mul(place, values[4]), values[5])
            right = [builder.load(_many(*own, 2, _plus(builder, at, 16 * v)), align=4) for v in range(2)]
            products = [builder.fmul(a, b, flags=["fast"]) for a, b in zip(left, right, strict=True)]
            total = builder.fadd(*products, flags=["fast"])
            total = builder.call(add_up, [ir.Constant(ir.FloatType(), -0.0), total], fastmath=["fast"])
            builder.store(total, _pointer(*own, 6, loop.index))
        return context.get_dummy_value()

    return types.void(q, types.intp, keys, seen, types.intp, types.intp, out), compute


@intrinsic
def _mix32(typing_context, out, i, values, seen, dim, first, shares):  # type: ignore[no-untyped-def]
    """`out[i : i + 32] = sum of shares[t] * values[seen[t] * dim + first :][: 32]` over all of `seen`."""

    def compute(context, builder, signature, given):  # type: ignore[no-untyped-def]
        own = (context, builder, signature, given)
        count = context.make_array(signature.args[3])(context, builder, given[3])
        sums = [cgutils.alloca_once_value(builder, ir.Constant(_LANES, [0.0] * 16)) for _ in range(2)]
        with cgutils.for_range(builder, builder.extract_value(count.shape, 0)) as loop:
            place = builder.sext(builder.load(_pointer(*own, 3, loop.index)), given[4].type)
            at = builder.add(builder.mul(place, given[4]), given[5])
            share = _everywhere(builder, builder.load(_pointer(*own, 6, loop.index)))
            for v in range(2):
                more = builder.load(_many(*own, 2, _plus(builder, at, 16 * v)), align=4)
                more = builder.fmul(share, more, flags=["fast"])
                builder.store(builder.fadd(builder.load(sums[v]), more, flags=["fast"]), sums[v])
        for v in range(2):
            builder.store(builder.load(sums[v]), _many(*own, 0, _plus(builder, given[1], 16 * v)), align=4)
        return context.get_dummy_value()

    return types.void(out, types.intp, values, seen, types.intp, types.intp, shares), compute


@kernel(fastmath=True, error_model="numpy")
def _attend(q, first, size, seen, keys, values, scores, out):  # type: ignore[no-untyped-def]  # pragma: no cover
    """One head of one token: its channels are `first : first + size` of q, out (D,), keys and values (stored * D,)."""
    dim = len(q)
    if size == 32:
        _score32(q, first, keys, seen, dim, first, scores)
    else:
        for t in range(len(seen)):
            total = np.float32(0.0)
            for j in range(first, first + size):
                total += q[j] * keys[seen[t] * dim + j]
            scores[t] = total
    scale = np.float32(1.0 / math.sqrt(size))
    for t in range(len(seen)):
        scores[t] *= scale
    _softmax(scores)
    if size == 32:
        _mix32(out, first, values, seen, dim, first, scores)
        return
    for j in range(first, first + size):
        out[j] = 0.0
    for t in range(len(seen)):
        for j in range(first, first + size):
            out[j] += scores[t] * values[seen[t] * dim + j]


@kernel(fastmath=True, error_model="numpy")
def attend_tokens(qkv, rows, at, slots, table, heads, band, cosine, sine, keys, values, out):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Store the keys and values of new tokens, then let each attend to its row up to itself, `band` steps back.

    Args:
        qkv: (>= n, 3 D) fp32, turned in place.
        rows, at, slots: (n,) row, step and place in the store of each token.
        table: (R, T) place in the store of every step of every row, those of the new tokens included.
        cosine, sine: (T, S / 2).
        keys, values: (stored, D).
        out: (>= n, D).
    """
    dim = keys.shape[1]
    size = dim // heads
    for i in range(len(rows)):
        for h in range(2 * heads):
            _turn(qkv[i], h * size, size // 2, cosine[at[i]], sine[at[i]])
        for j in range(dim):
            keys[slots[i], j] = qkv[i, dim + j]
            values[slots[i], j] = qkv[i, 2 * dim + j]
    scores = np.empty(band + 1, dtype=np.float32)
    all_keys, all_values = keys.reshape(-1), values.reshape(-1)
    for h in range(heads):
        for i in range(len(rows)):
            seen = table[rows[i], max(0, at[i] - band) : at[i] + 1]
            _attend(qkv[i, :dim], h * size, size, seen, all_keys, all_values, scores[: len(seen)], out[i])


def panels(weight: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Matrices (..., D, E) as `add_linear` reads them: (..., E / 64, D, 64), the last columns filled up with 0."""
    *before, dim, size = weight.shape
    padded = np.zeros((*before, dim, size + -size % _COLUMNS), dtype=np.float32)
    padded[..., :size] = weight
    split = padded.reshape(*before, dim, -1, _COLUMNS)
    return np.ascontiguousarray(np.moveaxis(split, -2, -3))


@intrinsic
def _add_tile(typing_context, x, i, step, panel, k, dim, out):  # type: ignore[no-untyped-def]
    """`out[r * 64 : (r + 1) * 64] += x[i + r * step : ... + dim] @ panel[k :].reshape(dim, 64)` for 4 rows r."""
    vectors = range(_COLUMNS // 16)

    def compute(context, builder, signature, values):  # type: ignore[no-untyped-def]
        own, index = (context, builder, signature, values), values[1].type

        def place(r, v):  # type: ignore[no-untyped-def]
            return _many(*own, 6, ir.Constant(index, r * _COLUMNS + v * 16))

        sums = [[cgutils.alloca_once(builder, _LANES) for _ in vectors] for _ in range(ROWS)]
        for r in range(ROWS):
            for v in vectors:
                builder.store(builder.load(place(r, v), align=4), sums[r][v])
        with cgutils.for_range(builder, values[5]) as loop:
            line = builder.add(values[4], builder.mul(loop.index, ir.Constant(index, _COLUMNS)))
            weights = [builder.load(_many(*own, 3, _plus(builder, line, v * 16)), align=4) for v in vectors]
            for r in range(ROWS):
                at = builder.add(values[1], builder.mul(values[2], ir.Constant(index, r)))
                factor = _everywhere(builder, builder.load(_pointer(*own, 0, builder.add(at, loop.index))))
                for v in vectors:
                    product = builder.fmul(factor, weights[v], flags=["fast"])
                    builder.store(builder.fadd(builder.load(sums[r][v]), product, flags=["fast"]), sums[r][v])
        for r in range(ROWS):
            for v in vectors:
                builder.store(builder.load(sums[r][v]), place(r, v), align=4)
        return context.get_dummy_value()

    return types.void(x, types.intp, types.intp, panel, types.intp, types.intp, out), compute


@kernel(fastmath=True, error_model="numpy")
def add_linear(x, weight, out):  # type: ignore[no-untyped-def]  # pragma: no cover
    """`out += x @ weight`; every row by the same instructions, whatever is in the others and however many there are.

    Args:
        x: (M, D), M a multiple of 4; weight: `panels` of (D, E); out: (M, E).
    """
    rows, dim = x.shape
    size, flat, tile = out.shape[1], x.reshape(-1), np.empty(4 * _COLUMNS, dtype=np.float32)
    for p in range(len(weight)):
        panel, low = weight[p].reshape(-1), p * _COLUMNS
        columns = min(_COLUMNS, size - low)
        for r in range(0, rows, 4):
            for i in range(4):
                for j in range(columns):
                    tile[i * _COLUMNS + j] = out[r + i, low + j]
            _add_tile(flat, r * dim, dim, panel, 0, dim, tile)
            for i in range(4):
                for j in range(columns):
                    out[r + i, low + j] = tile[i * _COLUMNS + j]


class StepWeights(NamedTuple):
    """Of all layers (N of them) over the tokens of a step; matrices are `panels`.

    Attributes:
        attention_norm, ffn_norm: (N, D).
        qkv, out, up, down: (N, ...).
        up_bias, down_bias: (N, ...).
        norm: (D,) of the norm behind the last layer.
        query: Of the projection to scaled queries.
    """

    attention_norm: npt.NDArray[np.float32]
    qkv: npt.NDArray[np.float32]
    out: npt.NDArray[np.float32]
    ffn_norm: npt.NDArray[np.float32]
    up: npt.NDArray[np.float32]
    up_bias: npt.NDArray[np.float32]
    down: npt.NDArray[np.float32]
    down_bias: npt.NDArray[np.float32]
    norm: npt.NDArray[np.float32]
    query: npt.NDArray[np.float32]


@kernel(fastmath=True, error_model="numpy")
def _normalise(x, weight, epsilon, out):  # type: ignore[no-untyped-def]  # pragma: no cover
    """RMS norm of every row."""
    rows, dim = x.shape
    for r in range(rows):
        total = np.float32(0.0)
        for i in range(dim):
            total += x[r, i] * x[r, i]
        factor = np.float32(1.0) / np.float32(math.sqrt(total / dim + epsilon))
        for i in range(dim):
            out[r, i] = x[r, i] * factor * weight[i]


@kernel(fastmath=True, error_model="numpy")
def run_step(x, weights, rows, at, slots, table, heads, band, epsilon, cosine, sine, store):  # type: ignore[no-untyped-def]  # pragma: no cover
    """All layers over the tokens of a step.

    Args:
        x: (M, D) fp32, M a multiple of 4, changed; tokens beyond `len(rows)` are padding.
        rows, at, slots, table, cosine, sine: See `attend_tokens`.
        epsilon: (N, 2) of the norms of each layer; the last one's second serves the norm behind it too.
        store: (N, 2, stored, D) keys and values.

    Returns:
        Hidden states and scaled queries, (M, D) each.
    """
    count, dim = x.shape
    normed, mixed = np.zeros((count, dim), dtype=np.float32), np.zeros((count, dim), dtype=np.float32)
    qkv = np.empty((count, 3 * dim), dtype=np.float32)
    wide = np.empty((count, weights.up_bias.shape[1]), dtype=np.float32)
    for layer in range(len(store)):
        _normalise(x, weights.attention_norm[layer], epsilon[layer, 0], normed)
        qkv[:] = np.float32(0.0)
        add_linear(normed, weights.qkv[layer], qkv)
        attend_tokens(qkv, rows, at, slots, table, heads, band, cosine, sine, store[layer, 0], store[layer, 1], mixed)
        add_linear(mixed, weights.out[layer], x)
        _normalise(x, weights.ffn_norm[layer], epsilon[layer, 1], normed)
        for r in range(count):
            for j in range(wide.shape[1]):
                wide[r, j] = weights.up_bias[layer, j]
        add_linear(normed, weights.up[layer], wide)
        for r in range(count):
            for j in range(wide.shape[1]):
                wide[r, j] = gelu(wide[r, j])
        for r in range(count):
            for j in range(dim):
                x[r, j] += weights.down_bias[layer, j]
        add_linear(wide, weights.down[layer], x)
    _normalise(x, weights.norm, epsilon[-1, 1], normed)
    mixed[:] = np.float32(0.0)
    add_linear(normed, weights.query, mixed)
    return normed, mixed


@kernel
def follow_parents(table, parents, ended, best, noted, genes, beams, begin, end):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Rows of genes take the steps of their parents; what a path has stored that just ended is noted.

    Args:
        table: (R, T); best: (G, T), of which the first `noted` (G,) are filled.
        parents: (R,); ended: (G,) row of the path that ended, -1 for none.
        genes: Those that write; begin, end: (G,) steps of a gene that may differ between its rows.
    """
    before = np.empty(beams, dtype=table.dtype)
    for gene in genes:
        low = gene * beams
        if ended[gene] >= 0:
            noted[gene] = end[gene]
            for t in range(begin[gene], end[gene]):
                best[gene, t] = table[ended[gene], t]
        moved = False
        for b in range(beams):
            moved = moved or parents[low + b] != low + b
        if moved:
            for t in range(begin[gene], end[gene]):
                for b in range(beams):
                    before[b] = table[parents[low + b], t]
                for b in range(beams):
                    table[low + b, t] = before[b]
