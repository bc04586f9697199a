"""The steps of a pointing decoder, compiled: embeddings, norms, attention over what a row has written, matrix products.

In: arrays of fp32. Out: hidden states and queries of new tokens.
Dims: N layers, D channels, H heads, S = D / H, R rows, T steps, n tokens of one call, M = n filled up to fours.
A surprise: keys and values lie in a store and never move; a row is a list of places in it.
"""

from __future__ import annotations

import math
from functools import reduce
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from transgenic_tools.fast.product import add_linear
from transgenic_tools.fast.vectors import LANES, VECTOR, everywhere, many, plus, pointer
from transgenic_tools.kernels import kernel
from transgenic_tools.kernels.numbers import exp, gelu

Singles = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]


class States(NamedTuple):
    """States of some genes: index of the site (N,), -1 for none, and kind (N,); embeddings of the sites (S, D)."""

    site: Ints
    kind: Ints
    sites: Singles


class Tables(NamedTuple):
    """Embeddings of kinds, and of which transcript a token belongs to, D wide."""

    kind: Singles
    ordinal: Singles


class Tokens(NamedTuple):
    """New tokens.

    Attributes:
        rows, at, slots: (n,) row, step and place in the store of each; those of one row stand in their order.
        table: (R, T) place in the store of every step of every row, those of the new tokens included.
    """

    rows: Ints
    at: Ints
    slots: npt.NDArray[np.int32]
    table: npt.NDArray[np.int32]


@kernel(fastmath=True, error_model="numpy")
def write_tokens(visited, ordinals, states, tables, out):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Decoder input of visited states: site, kind and which transcript it belongs to, added up.

    Args:
        visited, ordinals: (n,); a high ordinal is taken for the highest that has an embedding.
        states: `States`; tables: `Tables`.
        out: (>= n, D).

    Times torch's speed on AVX2 and AVX-512, 256 rows: 7.8 and 7.1.
    """
    most, sites = len(tables.ordinal) - 1, states.sites
    for i in range(len(visited)):
        state = visited[i]
        site, of_kind, of_ordinal = (
            states.site[state], tables.kind[states.kind[state]], tables.ordinal[min(ordinals[i], most)]
        )  # fmt: skip
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


@intrinsic
def _score32(typing_context, q, i, keys, seen, dim, first, out):  # type: ignore[no-untyped-def]
    """`out[t] = q[i : i + 32] . keys[seen[t] * dim + first :][: 32]` for all of `seen`: one head of 32 channels.

    LLVM vectorises no loop as short as that.
    """

    def compute(context, builder, signature, values):  # type: ignore[no-untyped-def]
        own = (context, builder, signature, values)
        count = context.make_array(signature.args[3])(context, builder, values[3])
        left = [builder.load(many(*own, 0, plus(builder, values[1], LANES * v)), align=4) for v in range(32 // LANES)]
        kind = ir.FunctionType(ir.FloatType(), [ir.FloatType(), VECTOR])
        add_up = cgutils.get_or_insert_function(builder.module, kind, f"llvm.vector.reduce.fadd.v{LANES}f32")
        with cgutils.for_range(builder, builder.extract_value(count.shape, 0)) as loop:
            place = builder.sext(builder.load(pointer(*own, 3, loop.index)), values[4].type)
            at = builder.add(builder.mul(place, values[4]), values[5])
            right = [builder.load(many(*own, 2, plus(builder, at, LANES * v)), align=4) for v in range(32 // LANES)]
            products = [builder.fmul(a, b, flags=["fast"]) for a, b in zip(left, right, strict=True)]
            total = reduce(lambda a, b: builder.fadd(a, b, flags=["fast"]), products)
            total = builder.call(add_up, [ir.Constant(ir.FloatType(), -0.0), total], fastmath=["fast"])
            builder.store(total, pointer(*own, 6, loop.index))
        return context.get_dummy_value()

    return types.void(q, types.intp, keys, seen, types.intp, types.intp, out), compute


@intrinsic
def _mix32(typing_context, out, i, values, seen, dim, first, shares):  # type: ignore[no-untyped-def]
    """`out[i : i + 32] = sum of shares[t] * values[seen[t] * dim + first :][: 32]` over all of `seen`."""

    def compute(context, builder, signature, given):  # type: ignore[no-untyped-def]
        own = (context, builder, signature, given)
        count = context.make_array(signature.args[3])(context, builder, given[3])
        sums = [cgutils.alloca_once_value(builder, ir.Constant(VECTOR, [0.0] * LANES)) for _ in range(32 // LANES)]
        with cgutils.for_range(builder, builder.extract_value(count.shape, 0)) as loop:
            place = builder.sext(builder.load(pointer(*own, 3, loop.index)), given[4].type)
            at = builder.add(builder.mul(place, given[4]), given[5])
            share = everywhere(builder, builder.load(pointer(*own, 6, loop.index)))
            for v in range(32 // LANES):
                more = builder.load(many(*own, 2, plus(builder, at, LANES * v)), align=4)
                more = builder.fmul(share, more, flags=["fast"])
                builder.store(builder.fadd(builder.load(sums[v]), more, flags=["fast"]), sums[v])
        for v in range(32 // LANES):
            builder.store(builder.load(sums[v]), many(*own, 0, plus(builder, given[1], LANES * v)), align=4)
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
def attend_tokens(qkv, tokens, sight, keys, values, out):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Store the keys and values of new tokens, then let each attend to its row up to itself.

    Args:
        qkv: (>= n, 3 D) fp32, turned in place.
        tokens: `Tokens`; sight: `attention.Sight`, its band counts steps back.
        keys, values: (stored, D).
        out: (>= n, D).

    Times torch's speed on AVX2 and AVX-512: 8.6 and 8.2 for 4 tokens, 1.9 and 4.7 for 512.
    """
    rows, at, slots, table = tokens
    heads, band, cosine, sine = sight
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


class StepWeights(NamedTuple):
    """Of all layers (N of them) over the tokens of a step; matrices are `panels`.

    Attributes:
        attention_norm, ffn_norm: (N, D).
        qkv, out, up, down: (N, ...).
        up_bias, down_bias: (N, ...).
        norm: (D,) of the norm behind the last layer.
        query: Of the projection to scaled queries.
        epsilon: (N, 2) of the norms of each layer, then one row whose second is that of the norm behind them.
    """

    attention_norm: Singles
    qkv: Singles
    out: Singles
    ffn_norm: Singles
    up: Singles
    up_bias: Singles
    down: Singles
    down_bias: Singles
    norm: Singles
    query: Singles
    epsilon: Singles


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
def run_step(x, weights, tokens, sight, store):  # type: ignore[no-untyped-def]  # pragma: no cover
    """All layers over the tokens of a step.

    Args:
        x: (M, D) fp32, M a multiple of 4, changed; tokens beyond n are padding.
        weights: `StepWeights`; tokens: `Tokens`; sight: `attention.Sight`, its band counts steps back.
        store: (N, 2, stored, D) keys and values.

    Returns:
        Hidden states and scaled queries, (M, D) each.
    """
    count, dim = x.shape
    normed, mixed = np.zeros((count, dim), dtype=np.float32), np.zeros((count, dim), dtype=np.float32)
    qkv = np.empty((count, 3 * dim), dtype=np.float32)
    wide = np.empty((count, weights.up_bias.shape[1]), dtype=np.float32)
    for layer in range(len(store)):
        _normalise(x, weights.attention_norm[layer], weights.epsilon[layer, 0], normed)
        qkv[:] = np.float32(0.0)
        add_linear(normed, weights.qkv[layer], qkv)
        attend_tokens(qkv, tokens, sight, store[layer, 0], store[layer, 1], mixed)
        add_linear(mixed, weights.out[layer], x)
        _normalise(x, weights.ffn_norm[layer], weights.epsilon[layer, 1], normed)
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
    _normalise(x, weights.norm, weights.epsilon[-1, 1], normed)
    mixed[:] = np.float32(0.0)
    add_linear(normed, weights.query, mixed)
    return normed, mixed


class Written(NamedTuple):
    """What the rows and the best paths of genes have written.

    Attributes:
        table, best: (R, T) and (G, T) places in the store.
        kept, noted, end: (G,) steps of each gene that are kept, that its best path has, and that its rows have.
    """

    table: npt.NDArray[np.int32]
    best: npt.NDArray[np.int32]
    kept: Ints
    noted: Ints
    end: Ints


@kernel
def follow_parents(written, parents, ended, genes):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Rows of genes take the steps of their parents; what a path has stored that just ended is noted.

    Args:
        written: `Written`, changed.
        parents: (R,); ended: (G,) row of the path that ended, -1 for none.
        genes: Those that write.

    Times torch's speed on AVX2 and AVX-512, 128 genes: 3.5 and 3.7.
    """
    table, best, kept, noted, end = written
    beams = len(table) // len(best)
    before = np.empty(beams, dtype=table.dtype)
    for gene in genes:
        low = gene * beams
        if ended[gene] >= 0:
            noted[gene] = end[gene]
            for t in range(kept[gene], end[gene]):
                best[gene, t] = table[ended[gene], t]
        moved = False
        for b in range(beams):
            moved = moved or parents[low + b] != low + b
        if moved:
            for t in range(kept[gene], end[gene]):
                for b in range(beams):
                    before[b] = table[parents[low + b], t]
                for b in range(beams):
                    table[low + b, t] = before[b]
