"""The pointing decoder computed fast on a CPU: packed linear layers, compiled attention over the cache.

In: a trained `PointerDecoder`. Out: what its own methods give, to rounding, several times as fast.
Dims: R rows, T steps, S sites, D channels.
A surprise: a step always computes the same number of rows, and attention reads exactly the row's own steps, so a row's
numbers never depend on its neighbours.
"""

from __future__ import annotations

import math

import numba
import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor

from transgenic_tools.model.decoders.pointer import Layer, PointerDecoder
from transgenic_tools.model.encoders.embedded import rotary_angles, rotate
from transgenic_tools.model.encoders.fused import packed_linear

Singles = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]
_EPSILON = torch.finfo(torch.float32).eps


@numba.njit(cache=True, nogil=True, fastmath=True)
def _normalise(x, weight, epsilon, out):  # type: ignore[no-untyped-def]  # pragma: no cover (compiled)
    """RMS norm of every row (Zhang and Sennrich 2019)."""
    rows, dim = x.shape
    for r in range(rows):
        total = np.float32(0.0)
        for i in range(dim):
            total += x[r, i] * x[r, i]
        factor = np.float32(1.0) / np.float32(math.sqrt(total / dim + epsilon))
        for i in range(dim):
            out[r, i] = x[r, i] * factor * weight[i]


@numba.njit(cache=True, nogil=True, fastmath=True)
def _rotate(vector, cosine, sine):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Rotary position embedding of one head, in place; see `embedded.rotate`."""
    half = len(vector) // 2
    for i in range(half):
        left, right = vector[i], vector[half + i]
        vector[i] = left * cosine[i] - right * sine[i]
        vector[half + i] = left * sine[i] + right * cosine[i]


@numba.njit(cache=True, nogil=True, fastmath=True)
def _attend_row(q, keys, values, steps, scale, scores, out):  # type: ignore[no-untyped-def]  # pragma: no cover
    """One head of one row: q and out (size,), keys and values (Tmax, size), of which `steps` are read."""
    size = len(q)
    peak = np.float32(-1e30)
    for t in range(steps):
        total = np.float32(0.0)
        for i in range(size):
            total += q[i] * keys[t, i]
        scores[t] = total * scale
        peak = max(peak, scores[t])
    whole = np.float32(0.0)
    for t in range(steps):
        scores[t] = np.float32(math.exp(scores[t] - peak))
        whole += scores[t]
    for i in range(size):
        out[i] = 0.0
    for t in range(steps):
        share = scores[t] / whole
        for i in range(size):
            out[i] += share * values[t, i]


@numba.njit(cache=True, nogil=True)
def _attend(qkv, at, live, cosine, sine, keys, values, out, scores):  # type: ignore[no-untyped-def]  # pragma: no cover
    """One step of cached attention: writes keys and values (R, H, Tmax, D / H) at `at` and fills `out` (R, D)."""
    heads, size = keys.shape[1], keys.shape[3]
    dim = heads * size
    scale = np.float32(1.0 / math.sqrt(size))
    for r in range(len(at)):
        if not live[r]:
            continue
        now = at[r]
        for h in range(heads):
            low, high = h * size, (h + 1) * size
            q = qkv[r, low:high]
            _rotate(q, cosine[now], sine[now])
            keys[r, h, now] = qkv[r, dim + low : dim + high]
            _rotate(keys[r, h, now], cosine[now], sine[now])
            values[r, h, now] = qkv[r, 2 * dim + low : 2 * dim + high]
            _attend_row(q, keys[r, h], values[r, h], now + 1, scale, scores, out[r, low:high])


@numba.njit(cache=True, nogil=True)
def _reorder(cache, parents, begin, end, beams):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Rows of a gene take the steps `begin:end` of their parents. cache (R, H, Tmax, D / H)."""
    for first in range(0, len(parents), beams):
        moved = False
        for r in range(first, first + beams):
            moved = moved or parents[r] != r
        if not moved:
            continue
        low, high = begin[first], end[first]
        before = cache[first : first + beams, :, low:high].copy()
        for r in range(first, first + beams):
            if parents[r] != r:
                cache[r, :, low:high] = before[parents[r] - first]


class _PackedLayer:
    """One pre-norm layer."""

    def __init__(self, layer: Layer) -> None:
        attention = layer.attention
        self.heads = attention.heads
        self.norms = [norm.weight.detach().numpy() for norm in (layer.attention_norm, layer.ffn_norm)]
        self.qkv = packed_linear(attention.qkv.weight, None, torch.float32)
        self.out = packed_linear(attention.out.weight, None, torch.float32)
        self.up = packed_linear(layer.up.weight, layer.up.bias, torch.float32, gelu=True)
        self.down = packed_linear(layer.down.weight, layer.down.bias, torch.float32)

    def normalised(self, x: Tensor, which: int) -> Tensor:
        out = np.empty(x.shape, dtype=np.float32)
        _normalise(x.numpy(), self.norms[which], _EPSILON, out)
        return torch.from_numpy(out)

    def feed_forward(self, x: Tensor) -> Tensor:
        x += self.down(self.up(self.normalised(x, 1)))
        return x

    def whole(self, x: Tensor, rotary: tuple[Tensor, Tensor], *, causal: bool) -> tuple[Tensor, Tensor, Tensor]:
        """All steps of one sequence (T, D) at once; also its rotated keys and its values, (H, T, D / H)."""
        steps, dim = x.shape
        mixed = self.qkv(self.normalised(x, 0)).view(steps, 3 * self.heads, dim // self.heads).transpose(0, 1)
        turned = rotate(mixed[: 2 * self.heads], *rotary)
        q, k, v = turned[: self.heads], turned[self.heads :], mixed[2 * self.heads :]
        found = F.scaled_dot_product_attention(q[None], k[None], v[None], is_causal=causal)[0]
        x = x + self.out(found.transpose(0, 1).reshape(steps, dim))
        return self.feed_forward(x), k, v

    def step(
        self, x: Tensor, at: Ints, live: npt.NDArray[np.bool_], angles: tuple[Singles, Singles], cache: list[Singles]
    ) -> Tensor:
        """One step of all rows (R, D)."""
        qkv = self.qkv(self.normalised(x, 0)).numpy()
        out = np.zeros((len(x), x.shape[1]), dtype=np.float32)
        scores = np.empty(int(at.max()) + 1, dtype=np.float32)
        _attend(qkv, at, live, *angles, cache[0], cache[1], out, scores)
        x += self.out(torch.from_numpy(out))
        return self.feed_forward(x)


class PackedDecoder:
    """Copies of a decoder's weights, laid out for a CPU: build it anew after they change."""

    def __init__(self, decoder: PointerDecoder) -> None:
        self.config = decoder.config
        self.head = decoder.config.dim // decoder.config.heads
        self.site_in = packed_linear(decoder.site_in.weight, decoder.site_in.bias, torch.float32)
        self.site_type, self.site_logit = decoder.site_type, decoder.site_logit
        self.site_layers = [_PackedLayer(layer) for layer in decoder.site_layers if isinstance(layer, Layer)]
        self.layers = [_PackedLayer(layer) for layer in decoder.layers if isinstance(layer, Layer)]
        self.norm = decoder.norm.weight.detach().numpy()

    def encode_sites(self, features: Tensor, site_type: Tensor, logit: Tensor) -> Tensor:
        """Embeddings (S, D) of one gene's sites; see `PointerDecoder.encode_sites`."""
        x = self.site_in(features) + self.site_type(site_type) + self.site_logit(logit[:, None] / 5)
        rotary = rotary_angles(len(x), self.head, device=x.device)
        for layer in self.site_layers:
            x, _, _ = layer.whole(x, rotary, causal=False)
        return x

    def start(self, tokens: list[Tensor], *, rows: int, beams: int) -> PackedState:
        """State after the tokens (T, D) of each gene; T may be 0."""
        return PackedState(self, tokens, rows=rows, beams=beams)


class PackedState:
    """Keys and values (R, H, Tmax, D / H) of every layer; see `pointer.DecoderState`."""

    def __init__(self, decoder: PackedDecoder, tokens: list[Tensor], *, rows: int, beams: int, room: int = 32) -> None:
        self.decoder, self.beams = decoder, beams
        dim = decoder.config.dim
        longest = max((len(t) for t in tokens), default=0)
        self.begin = np.zeros(rows, dtype=np.int64)
        self.end = self.begin
        shape = (rows, decoder.config.heads, longest + room, decoder.head)
        self.caches = [[np.zeros(shape, np.float32) for _ in range(2)] for _ in decoder.layers]
        hidden = np.zeros((len(tokens), dim), dtype=np.float32)
        for gene, x in enumerate(tokens):
            own = slice(gene * beams, (gene + 1) * beams)
            self.begin[own] = steps = len(x)
            if not steps:
                continue
            rotary = rotary_angles(steps, decoder.head, device=x.device)
            for layer, (keys, values) in zip(decoder.layers, self.caches, strict=True):
                x, k, v = layer.whole(x, rotary, causal=True)
                keys[own, :, :steps], values[own, :, :steps] = k.numpy(), v.numpy()
            _normalise(x[-1:].numpy(), decoder.norm, _EPSILON, hidden[gene : gene + 1])
        self.hidden = torch.from_numpy(hidden)
        self._angles = self._tables(longest + room)

    def _tables(self, steps: int) -> tuple[Singles, Singles]:
        cosine, sine = rotary_angles(steps, self.decoder.head, device=torch.device("cpu"))
        return cosine.numpy(), sine.numpy()

    def step(self, x: Tensor, at: Ints, live: npt.NDArray[np.bool_]) -> Tensor:
        """Hidden states (R, D) after the tokens x (R, D) at index `at` (R,); rows that are not live give anything."""
        have = self._angles[0].shape[0]
        if int(at.max()) + 1 > have:
            more = ((0, 0), (0, 0), (0, have), (0, 0))
            self.caches = [[np.pad(array, more) for array in pair] for pair in self.caches]
            self._angles = self._tables(2 * have)
        for layer, cache in zip(self.decoder.layers, self.caches, strict=True):
            x = layer.step(x, at, live, self._angles, cache)
        self.end = at + 1
        out = np.empty(x.shape, dtype=np.float32)
        _normalise(x.numpy(), self.decoder.norm, _EPSILON, out)
        return torch.from_numpy(out)

    def reorder(self, parents: Ints) -> None:
        """Row r goes on from row `parents[r]` of the same gene."""
        for pair in self.caches:
            for array in pair:
                _reorder(array, parents, self.begin, self.end, self.beams)
