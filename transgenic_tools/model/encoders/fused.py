"""The embedded encoder and the head, computed fast on a CPU for one window at a time.

In: a trained `EmbeddedEncoder` and `BaseHead`. Out: the same `BaseScores` to rounding, about twice as fast.
Dims: L bases, P patches, D patch channels, C base channels.
A surprise: all tensors are channels-last, so patches and their expansion are views; convolutions and linear layers run
in oneDNN with weights that were laid out once. oneDNN compiles a kernel for every new length, so windows are padded
with zeros to one of few lengths (`padded_length`). Without oneDNN the plain functions compute the same.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from transgenic_tools.model.attention import band_attention, rotary_angles, rotate
from transgenic_tools.model.encoders.embedded import BandAttention, Block, EmbeddedEncoder
from transgenic_tools.model.head import BaseHead, BaseScores
from transgenic_tools.model.packing import normalise
from transgenic_tools.model.vocabulary import N_SITES

Layer = Callable[[Tensor], Tensor]


def padded_length(rows: int, *, least: int = 32) -> int:
    """The next of eight lengths an octave, all multiples of `least`, a power of 2."""
    step = max(least, 1 << max(rows.bit_length() - 4, 0))
    return rows + -rows % step


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
    """A `same` convolution of (1, C, 1, L) channels-last, with an exact GELU after it where asked."""
    weight = conv.weight.detach().to(dtype)[:, :, None].contiguous(memory_format=torch.channels_last)
    bias = None if conv.bias is None else conv.bias.detach().to(dtype)
    pad, groups = (0, conv.kernel_size[0] // 2), conv.groups
    if not torch.backends.mkldnn.is_available():

        def plain(x: Tensor) -> Tensor:
            y = F.conv2d(x, weight, bias, padding=pad, groups=groups)
            return F.gelu(y) if gelu else y

        return plain
    after, algorithm = ("gelu", "none") if gelu else ("none", "")
    one = [1, 1]
    packed = torch.ops.mkldnn._reorder_convolution_weight(
        weight, list(pad), one, one, groups, [1, conv.in_channels, 1, 4096]
    )
    return lambda x: torch.ops.mkldnn._convolution_pointwise(
        x, packed, bias, list(pad), one, one, groups, after, [], algorithm
    )


def packed_norm(norm: nn.RMSNorm, dtype: torch.dtype) -> Layer:
    """An RMS norm of fp32 rows (n, D), given in `dtype`."""
    weight = norm.weight.detach().float().numpy().copy()
    epsilon = float(torch.finfo(torch.float32).eps if norm.eps is None else norm.eps)

    def normed(x: Tensor) -> Tensor:
        out = torch.empty_like(x)
        normalise(x.numpy(), weight, epsilon, out.numpy())
        return out.to(dtype)

    return normed


def _image(rows: Tensor) -> Tensor:
    """(L, C) as (1, C, 1, L) channels-last, without a copy."""
    return rows.t()[None, :, None]


def _rows(image: Tensor) -> Tensor:
    """(1, C, 1, L) channels-last as (L, C), without a copy."""
    return image[0, :, 0].t()


class _FusedAttention:
    """Band attention of one window."""

    def __init__(self, attention: BandAttention, dtype: torch.dtype) -> None:
        self.heads, self.band = attention.heads, attention.band
        self.qkv = packed_linear(attention.qkv.weight, None, dtype)
        self.out = packed_linear(attention.out.weight, None, dtype)

    def __call__(self, x: Tensor, rotary: tuple[Tensor, Tensor]) -> Tensor:
        """(padded P, D); the places are those of `rotary`."""
        (padded, dim), length = x.shape, len(rotary[0])
        mixed = self.qkv(x)[:length].view(length, 3 * self.heads, dim // self.heads).transpose(0, 1)
        turned = rotate(mixed[: 2 * self.heads], *rotary)
        q, k, v = turned[: self.heads], turned[self.heads :], mixed[2 * self.heads :]
        found = band_attention(q[None], k[None], v[None], self.band)[0]
        return self.out(F.pad(found.transpose(0, 1).reshape(length, dim), (0, 0, 0, padded - length)))


class _FusedBlock:
    """One block; the residual stream is (P, D) in fp32."""

    def __init__(self, block: Block, dtype: torch.dtype) -> None:
        self.conv_norm, self.ffn_norm = packed_norm(block.conv_norm, dtype), packed_norm(block.ffn_norm, dtype)
        self.attention_norm = None if block.attention_norm is None else packed_norm(block.attention_norm, dtype)
        self.conv = packed_convolution(block.conv, dtype)
        self.up = packed_linear(block.up.weight, block.up.bias, dtype, gelu=True)
        self.down = packed_linear(block.down.weight, block.down.bias, dtype)
        self.attention = _FusedAttention(block.attention, dtype) if block.attention is not None else None

    def __call__(self, x: Tensor, rotary: tuple[Tensor, Tensor]) -> Tensor:
        x = x + _rows(self.conv(_image(self.conv_norm(x))))
        if self.attention is not None and self.attention_norm is not None:
            x += self.attention(self.attention_norm(x), rotary)
        x += self.down(self.up(self.ffn_norm(x)))
        x[len(rotary[0]) :] = 0  # convolutions see nothing beyond the window
        return x


class FusedTrunk:
    """Encoder and head of one window on a CPU, in fp32 or bf16.

    It holds copies of the weights: build it anew after they change.
    """

    def __init__(self, encoder: EmbeddedEncoder, head: BaseHead, dtype: torch.dtype = torch.float32) -> None:
        self.config, self.dtype = encoder.config, dtype
        config = encoder.config
        self.stem_in = packed_convolution(encoder.stem_in, dtype, gelu=True)
        self.stem_mix = packed_convolution(encoder.stem_mix, dtype, gelu=True)
        patch = encoder.patch.weight.detach()  # (D, S, patch) -> (D, patch * S): bases before channels
        self.patch = packed_linear(patch.transpose(1, 2).reshape(config.dim, -1), encoder.patch.bias, dtype)
        self.blocks = [_FusedBlock(block, dtype) for block in encoder.blocks if isinstance(block, Block)]
        self.norm = packed_norm(encoder.norm, dtype)
        self.expand = packed_linear(encoder.expand.weight, encoder.expand.bias, dtype)
        self.skip = packed_linear(encoder.skip.weight[:, :, 0], encoder.skip.bias, dtype)
        self.base_mix = packed_convolution(encoder.base_mix, dtype, gelu=True)
        self.project = packed_linear(head.project.weight[:, :, 0], head.project.bias, dtype)

    @torch.inference_mode()
    def __call__(self, codes: npt.NDArray[np.uint8]) -> BaseScores:
        """Scores of one window.

        Args:
            codes: (L,) base codes without padding.

        Returns:
            `BaseScores` of a batch of one; its tensors are channels-last views.
        """
        config, bases = self.config, len(codes)
        patches = -(-bases // config.patch)
        padded = padded_length(patches) * config.patch
        one_hot = torch.zeros(padded, 4, dtype=self.dtype)
        known = torch.from_numpy(np.flatnonzero(codes < 4))
        one_hot[known, torch.from_numpy(codes.astype(np.int64))[known]] = 1.0
        stem = _rows(self.stem_in(_image(one_hot)))
        stem[bases:] = 0
        stem += _rows(self.stem_mix(_image(stem)))
        stem[bases:] = 0
        x = self.patch(stem.reshape(padded // config.patch, -1)).float()
        x[patches:] = 0
        rotary = rotary_angles(patches, config.dim // config.heads, device=x.device)
        for block in self.blocks:
            x = block(x, rotary)
        features = self.expand(self.norm(x)).view(padded, config.channels)
        features += self.skip(stem)
        torch.ops.aten.gelu_(features)
        features[bases:] = 0
        features += _rows(self.base_mix(_image(features)))
        features = features[:bases]
        logits = self.project(features).float().t()[None]
        return BaseScores(features.t()[None], logits[:, :N_SITES], logits[:, N_SITES:])
