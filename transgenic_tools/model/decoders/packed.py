"""The pointing decoder computed fast on a CPU: compiled, rows that are done cost nothing.

In: a trained `PointerDecoder`. Out: what its own methods give, to rounding, several times as fast.
Dims: G genes, K beams, R = G * K rows, T steps, S sites, H heads, D channels, n tokens of one call.
A surprise: a row's numbers never depend on its neighbours (see `packing`), so rows may come and go.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numba
import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from transgenic_tools.model.attention import band_attention, rotary_angles, rotate
from transgenic_tools.model.decoders.pointer import MAX_ORDINAL, Layer, PointerDecoder
from transgenic_tools.model.encoders.fused import packed_linear, packed_norm, padded_length
from transgenic_tools.model.packing import (
    ROWS,
    add_linear,
    add_rows,
    attend,
    gelu_rows,
    normalise,
    rotate_head,
    set_rows,
)

Singles = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]
_EPSILON = float(torch.finfo(torch.float32).eps)


def _plain(tensor: Tensor) -> Singles:
    return np.ascontiguousarray(tensor.detach().float().cpu().numpy())


class Weights(NamedTuple):
    """Of one layer; matrices are (in, out)."""

    attention_norm: Singles
    qkv: Singles
    out: Singles
    ffn_norm: Singles
    up: Singles
    up_bias: Singles
    down: Singles
    down_bias: Singles


class Cache(NamedTuple):
    """Rotated keys and values of one layer, (R, H, T, D / H)."""

    keys: Singles
    values: Singles


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _attend_tokens(qkv, rows, at, band, cosine, sine, cache, out):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Write the keys and values of new tokens, then let each attend to its row up to itself, `band` steps back."""
    heads, size = cache.keys.shape[1], cache.keys.shape[3]
    dim = heads * size
    scale = np.float32(1.0 / math.sqrt(size))
    scores = np.empty(cache.keys.shape[2], dtype=np.float32)
    for i in range(len(rows)):
        row, now = rows[i], at[i]
        for h in range(heads):
            low, high = h * size, (h + 1) * size
            rotate_head(qkv[i, low:high], cosine[now], sine[now])
            rotate_head(qkv[i, dim + low : dim + high], cosine[now], sine[now])
            for j in range(size):
                cache.keys[row, h, now, j] = qkv[i, dim + low + j]
                cache.values[row, h, now, j] = qkv[i, 2 * dim + low + j]
    for i in range(len(rows)):
        row, now = rows[i], at[i]
        for h in range(heads):
            low, high = h * size, (h + 1) * size
            attend(
                qkv[i, low:high], cache.keys[row, h], cache.values[row, h], max(0, now - band), now + 1, scale, scores,
                out[i, low:high],
            )  # fmt: skip


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _run(x, rows, at, band, cosine, sine, layers, caches):  # type: ignore[no-untyped-def]  # pragma: no cover
    """All layers for new tokens, in place.

    Args:
        x: (n, D), n a multiple of ROWS; tokens beyond `len(rows)` are padding.
        rows: Row of each token; at: its step. Tokens of one row stand in order.
        cosine, sine: (T, D / H / 2).
    """
    n, dim = x.shape
    normed = np.zeros((n, dim), dtype=np.float32)
    qkv = np.zeros((n, 3 * dim), dtype=np.float32)
    mixed = np.zeros((n, dim), dtype=np.float32)
    nothing = np.zeros(3 * dim, dtype=np.float32)
    for index in range(len(layers)):
        weights, cache = layers[index], caches[index]
        normalise(x, weights.attention_norm, _EPSILON, normed)
        set_rows(qkv, nothing)
        add_linear(normed, weights.qkv, qkv)
        _attend_tokens(qkv, rows, at, band, cosine, sine, cache, mixed)
        add_linear(mixed, weights.out, x)
        normalise(x, weights.ffn_norm, _EPSILON, normed)
        wide = np.empty((n, len(weights.up_bias)), dtype=np.float32)
        set_rows(wide, weights.up_bias)
        add_linear(normed, weights.up, wide)
        gelu_rows(wide)
        add_rows(x, weights.down_bias)
        add_linear(wide, weights.down, x)


@numba.njit(cache=True, nogil=True)
def _reorder(cache, parents, begin, end, beams):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Rows of a gene take the steps `begin:end` of their parents. cache (R, H, T, D / H)."""
    for first in range(0, len(cache), beams):
        moved = False
        for r in range(first, first + beams):
            moved = moved or parents[r] != r
        if not moved:
            continue
        low, high = begin[first], end[first]
        before = cache[first : first + beams, :, low:high].copy()
        _, heads, steps, size = before.shape
        for r in range(first, first + beams):
            if parents[r] != r:
                for h in range(heads):
                    for t in range(steps):
                        for j in range(size):
                            cache[r, h, low + t, j] = before[parents[r] - first, h, t, j]


class _SiteLayer:
    """One pre-norm layer over all sites of a gene, in the precision of the trunk."""

    def __init__(self, layer: Layer, dtype: torch.dtype) -> None:
        attention = layer.attention
        self.heads, self.band = attention.heads, attention.band
        self.attention_norm, self.ffn_norm = (
            packed_norm(layer.attention_norm, dtype),
            packed_norm(layer.ffn_norm, dtype),
        )
        self.qkv = packed_linear(attention.qkv.weight, None, dtype)
        self.out = packed_linear(attention.out.weight, None, dtype)
        self.up = packed_linear(layer.up.weight, layer.up.bias, dtype, gelu=True)
        self.down = packed_linear(layer.down.weight, layer.down.bias, dtype)

    def __call__(self, x: Tensor, rotary: tuple[Tensor, Tensor]) -> Tensor:
        """(padded S, D) fp32; the sites are those of `rotary`."""
        (padded, dim), sites = x.shape, len(rotary[0])
        mixed = self.qkv(self.attention_norm(x))[:sites]
        mixed = mixed.view(sites, 3 * self.heads, dim // self.heads).transpose(0, 1)
        turned = rotate(mixed[: 2 * self.heads], *rotary)
        q, k, v = turned[: self.heads], turned[self.heads :], mixed[2 * self.heads :]
        found = band_attention(q[None], k[None], v[None], self.band)[0]
        x = x + self.out(F.pad(found.transpose(0, 1).reshape(sites, dim), (0, 0, 0, padded - sites)))
        x += self.down(self.up(self.ffn_norm(x)))
        return x


def _weights(layer: Layer) -> Weights:
    def matrix(linear: nn.Linear) -> Singles:
        return _plain(linear.weight.t())

    attention = layer.attention
    return Weights(
        _plain(layer.attention_norm.weight),
        matrix(attention.qkv),
        matrix(attention.out),
        _plain(layer.ffn_norm.weight),
        matrix(layer.up),
        _plain(layer.up.bias),
        matrix(layer.down),
        _plain(layer.down.bias),
    )


class PackedDecoder:
    """Copies of a decoder's weights, laid out for a CPU: build it anew after they change.

    Args:
        dtype: Of the linear layers over the sites; steps are always computed in fp32.
    """

    def __init__(self, decoder: PointerDecoder, dtype: torch.dtype = torch.float32) -> None:
        self.config, self.dtype = decoder.config, dtype
        self.head = decoder.config.dim // decoder.config.heads
        self.site_in = packed_linear(decoder.site_in.weight, decoder.site_in.bias, dtype)
        self.site_type, self.site_logit = decoder.site_type, decoder.site_logit
        self.site_layers = [_SiteLayer(layer, dtype) for layer in decoder.site_layers if isinstance(layer, Layer)]
        self.layers = tuple(_weights(layer) for layer in decoder.layers if isinstance(layer, Layer))
        self.norm = _plain(decoder.norm.weight)
        self.ordinal = _plain(decoder.ordinal.weight)
        self.query = _plain(decoder.query.weight.t()) * np.float32(decoder.config.dim**-0.5)

    def encode_sites(self, features: Tensor, site_type: Tensor, logit: Tensor) -> Tensor:
        """Embeddings (S, D) of one gene's sites; see `PointerDecoder.encode_sites`."""
        sites = len(features)
        features = F.pad(features, (0, 0, 0, padded_length(sites, least=64) - sites)).to(self.dtype)
        x = self.site_in(features).float()
        x[:sites] += self.site_type(site_type) + self.site_logit(logit[:, None] / 5)
        rotary = rotary_angles(sites, self.head, device=x.device)
        for layer in self.site_layers:
            x = layer(x, rotary)
        return x[:sites]

    def token(self, states: Singles, ordinals: Ints) -> Singles:
        """Decoder input of visited states (n, D)."""
        return states + self.ordinal[np.minimum(ordinals, MAX_ORDINAL)]

    def queries(self, hidden: Singles) -> Singles:
        """Scaled queries (n, D)."""
        out = np.zeros((len(hidden) + -len(hidden) % ROWS, hidden.shape[1]), dtype=np.float32)
        padded = np.zeros_like(out)
        padded[: len(hidden)] = hidden
        add_linear(padded, self.query, out)
        return out[: len(hidden)]

    def start(self, tokens: list[Singles], *, beams: int) -> PackedState:
        """State after the tokens (T, D) of each gene; T may be 0."""
        return PackedState(self, tokens, beams=beams)


class PackedState:
    """Keys and values of every layer; see `engine.EngineState`."""

    def __init__(self, decoder: PackedDecoder, tokens: list[Singles], *, beams: int, room: int = 64) -> None:
        self.decoder, self.beams = decoder, beams
        steps = np.array([len(x) for x in tokens], dtype=np.int64)
        longest, rows = int(steps.max(initial=0)), len(tokens) * beams
        self.begin = np.repeat(steps, beams)
        self.end = self.begin
        shape = (rows, decoder.config.heads, longest + room, decoder.head)
        self.caches = tuple(Cache(np.zeros(shape, np.float32), np.zeros(shape, np.float32)) for _ in decoder.layers)
        self._angles = self._tables(longest + room)
        self.hidden = np.zeros((len(tokens), decoder.config.dim), dtype=np.float32)
        if longest:
            own = np.repeat(np.arange(len(tokens)), steps)
            before = np.cumsum(steps) - steps
            at = np.arange(int(steps.sum())) - before[own]
            hidden = self._run(np.concatenate(tokens), own * beams, at)
            written = np.flatnonzero(steps)
            self.hidden[written] = hidden[(before + steps - 1)[written]]
            for pair in self.caches:
                for array in pair:
                    for gene in written:
                        first, done = gene * beams, steps[gene]
                        array[first + 1 : first + beams, :, :done] = array[first, :, :done]

    def _tables(self, steps: int) -> tuple[Singles, Singles]:
        cosine, sine = rotary_angles(steps, self.decoder.head, device=torch.device("cpu"))
        return cosine.numpy(), sine.numpy()

    def _run(self, x: Singles, rows: Ints, at: Ints) -> Singles:
        """Hidden states (n, D) after new tokens."""
        padded = np.zeros((len(x) + -len(x) % ROWS, x.shape[1]), dtype=np.float32)
        padded[: len(x)] = x
        decoder = self.decoder
        if decoder.layers:
            _run(padded, rows, at, decoder.config.band, *self._angles, decoder.layers, self.caches)
        out = np.empty_like(padded)
        normalise(padded, decoder.norm, _EPSILON, out)
        return out[: len(x)]

    def step(self, x: Singles, rows: Ints, at: Ints) -> Singles:
        """Hidden states (n, D) after the tokens x (n, D) of some rows at step `at` (n,)."""
        have = self._angles[0].shape[0]
        if int(at.max()) + 1 > have:
            room = max(64, have // 4)
            self.caches = tuple(Cache(*(_longer(array, have + room) for array in pair)) for pair in self.caches)
            self._angles = self._tables(have + room)
        self.end = self.begin.copy()
        self.end[rows] = at + 1
        return self._run(x, rows, at)

    def reorder(self, parents: Ints) -> None:
        """Row r goes on from row `parents[r]` of the same gene."""
        end = self.end.reshape(-1, self.beams).max(1).repeat(self.beams)
        begin = np.maximum(self.begin, end - self.decoder.config.band - 1)  # older steps are never seen again
        for pair in self.caches:
            for array in pair:
                _reorder(array, parents, begin, end, self.beams)


def _longer(cache: Singles, steps: int) -> Singles:
    rows, heads, have, size = cache.shape
    out = np.zeros((rows, heads, steps, size), dtype=np.float32)
    out[:, :, :have] = cache
    return out
