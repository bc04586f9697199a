"""Layers of a transformer, computed fast on a CPU.

In: trained layers. Out: callables that give the same to rounding: oneDNN's matrix products on weights packed once, and
compiled kernels between them. They hold copies of the weights: build them anew after those change.
Dims: M rows of a pack, P places of one window, D channels, H heads, S = D / H.
A surprise: windows are read together, one behind the other. Every row is computed by the same instructions wherever it
stands, so a window's numbers are the same bits in any pack (tests hold this).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from transgenic_tools.fast.attention import Sight, Stretches, attend_windows
from transgenic_tools.fast.numbers import plain
from transgenic_tools.fast.pack import Angles, Flags, Pack
from transgenic_tools.fast.reading import add_and_normalise, gelu_of

Layer = Callable[[Tensor], Tensor]
#: Rows of a very long window that go through a feed-forward at once.
PIECE = 1024


def packed_linear(weight: Tensor, bias: Tensor | None, dtype: torch.dtype, *, gelu: bool = False) -> Layer:
    """A linear layer over the last axis, with an exact GELU after it where asked."""
    weight = weight.detach().to(dtype).contiguous()
    bias = None if bias is None else bias.detach().to(dtype)
    if not torch.backends.mkldnn.is_available():
        return lambda x: F.gelu(F.linear(x, weight, bias)) if gelu else F.linear(x, weight, bias)
    packed = torch.ops.mkldnn._reorder_linear_weight(weight, None)
    after, algorithm = ("gelu", "none") if gelu else ("none", "")
    return lambda x: torch.ops.mkldnn._linear_pointwise(x, packed, bias, after, [], algorithm)


def packed_convolution(conv: nn.Conv1d, dtype: torch.dtype, *, gelu: bool = False) -> Layer:
    """A `same` convolution of (1, C, 1, L) channels-last, with a GELU after it where asked.

    In fp32 the GELU is a kernel of our own: with one, oneDNN on AVX2 takes other blocks of channels for some lengths,
    and a row's last bits would depend on the length of its pack.
    """
    weight = conv.weight.detach().to(dtype)[:, :, None].contiguous(memory_format=torch.channels_last)
    bias = None if conv.bias is None else conv.bias.detach().to(dtype)
    pad, groups = (0, conv.kernel_size[0] // 2), conv.groups
    if not torch.backends.mkldnn.is_available():

        def simple(x: Tensor) -> Tensor:
            y = F.conv2d(x, weight, bias, padding=pad, groups=groups)
            return F.gelu(y) if gelu else y

        return simple
    after, algorithm = ("gelu", "none") if gelu and dtype != torch.float32 else ("none", "")
    one = [1, 1]
    packed = torch.ops.mkldnn._reorder_convolution_weight(
        weight, list(pad), one, one, groups, [1, conv.in_channels, 1, 4096]
    )

    def compute(x: Tensor) -> Tensor:
        y: Tensor = torch.ops.mkldnn._convolution_pointwise(
            x, packed, bias, list(pad), one, one, groups, after, [], algorithm
        )
        if gelu and dtype == torch.float32:
            gelu_of(plain(rows_of(y)))
        return y

    return compute


def image(rows: Tensor) -> Tensor:
    """(L, C) as (1, C, 1, L) channels-last, without a copy."""
    return rows.t()[None, :, None]


def rows_of(image: Tensor) -> Tensor:
    """(1, C, 1, L) channels-last as (L, C), without a copy."""
    return image[0, :, 0].t()


def in_pieces(compute: Callable[[slice], Tensor], rows: Tensor) -> Tensor:
    """What `compute` gives for all rows; a long window's in pieces, so that what lies between stays in the cache."""
    if len(rows) <= 2 * PIECE:
        return compute(slice(None))
    pieces = [slice(at, at + PIECE) for at in range(0, len(rows), PIECE)]
    first = compute(pieces[0])
    out = torch.empty(len(rows), *first.shape[1:], dtype=first.dtype)
    out[pieces[0]] = first
    for piece in pieces[1:]:
        out[piece] = compute(piece)
    return out


class Norm:
    """An RMS norm that adds to the residual stream first."""

    def __init__(self, norm: nn.RMSNorm, dtype: torch.dtype) -> None:
        self.weight = norm.weight.detach().float().numpy().copy()
        self.epsilon = float(torch.finfo(torch.float32).eps if norm.eps is None else norm.eps)
        self.dtype = dtype

    def __call__(self, x: Tensor, more: Tensor, keep: Flags) -> Tensor:
        """The norm of `x += more`, both (M, D)."""
        out = torch.empty(x.shape, dtype=self.dtype)
        add_and_normalise(plain(x), plain(more), keep, self.weight, self.epsilon, plain(out))
        return out


class FusedAttention:
    """Band attention of the windows of a pack, each for itself.

    Args:
        attention: A layer with `heads`, `band`, `qkv` and `out`.
    """

    def __init__(self, attention: Any, dtype: torch.dtype) -> None:
        self.heads, self.band = attention.heads, attention.band
        self.qkv = packed_linear(attention.qkv.weight, None, dtype)
        self.out = packed_linear(attention.out.weight, None, dtype)

    def __call__(self, x: Tensor, pack: Pack) -> Tensor:
        """(M, D) to the same."""
        mixed, found = self.qkv(x), torch.zeros_like(x)
        attend(mixed, pack, pack.angles, found, heads=self.heads, band=self.band)
        return self.out(found)


def attend(mixed: Tensor, pack: Pack, angles: Angles, out: Tensor, *, heads: int, band: int) -> None:
    """Band attention of queries, keys and values side by side (M, 3 D), each window for itself, into out (M, D)."""
    seen = band if pack.band is None else min(pack.band, band)
    stretches = Stretches(np.array(pack.first), np.array(pack.places))
    attend_windows(plain(mixed), stretches, Sight(heads, seen, *angles), plain(out))


class FusedLayer:
    """Attention, where the layer has any, and feed-forward; the residual stream is (M, D) in fp32.

    Args:
        layer: A pre-norm layer with `attention` and its norm (either may be None), `ffn_norm`, `up` and `down`.
    """

    def __init__(self, layer: Any, dtype: torch.dtype) -> None:
        self.attention_norm = None if layer.attention_norm is None else Norm(layer.attention_norm, dtype)
        self.attention = None if layer.attention is None else FusedAttention(layer.attention, dtype)
        self.ffn_norm = Norm(layer.ffn_norm, dtype)
        self.up = packed_linear(layer.up.weight, layer.up.bias, dtype, gelu=True)
        self.down = packed_linear(layer.down.weight, layer.down.bias, dtype)

    def __call__(self, x: Tensor, more: Tensor, pack: Pack) -> Tensor:
        """Take what is to be added to the stream, give what is to be added next."""
        if self.attention is not None and self.attention_norm is not None:
            more = self.attention(self.attention_norm(x, more, pack.keep), pack)
        return in_pieces(lambda rows: self.down(self.up(self.ffn_norm(x[rows], more[rows], pack.keep[rows]))), x)
