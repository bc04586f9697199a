"""The strand-symmetric encoder and the head, computed fast on a CPU.

In: a trained `StrandEncoder` and `BaseHead`. Out: the same `BaseScores` to rounding, for one gene on the forward strand
or for all genes of both.
Dims: M patches of a pack, P patches of a window, L bases, D patch channels and C base channels of one strand.
A surprise: a layer that joins the strands is two products of half its width, on sums and on differences, so the trunk
does half of a dense one's work between its patches, and both strands cost little more than one.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from transgenic_tools.fast.fused_layers import PIECE, Layer, attend, image, packed_convolution, packed_linear, rows_of
from transgenic_tools.fast.numbers import plain
from transgenic_tools.fast.pack import Angles, Flags, Pack, Rotary, filling, lay_out, neighbours
from transgenic_tools.fast.pairs import (
    Pair,
    add_and_normalise_pair,
    exchange_in_place,
    gelu_of_strands,
    strands,
    sums,
    turn_patches,
)
from transgenic_tools.fast.reading import add_kept, clear, gelu_of_sum
from transgenic_tools.fast.trunk import PACK, one_hot_bases, scores_of_windows
from transgenic_tools.model.encoders.strands import (
    SCAN_BAND,
    StrandAttention,
    StrandBlock,
    StrandConv,
    StrandEncoder,
    StrandNorm,
    TiedLinear,
)
from transgenic_tools.model.head import BaseHead, BaseScores

Windows = Sequence[npt.NDArray[np.uint8]]


class PackedTied:
    """A tied linear layer on (2, M, inputs) of sums and differences."""

    def __init__(self, layer: TiedLinear, dtype: torch.dtype) -> None:
        self.even = packed_linear(layer.even, layer.sum_bias(), dtype)
        self.odd = packed_linear(layer.odd, None, dtype)

    def __call__(self, x: Tensor | Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """Sums and differences, (M, outputs) each."""
        return self.even(x[0]), self.odd(x[1])


def strand_convolutions(conv: StrandConv, dtype: torch.dtype, *, gelu: bool = False) -> tuple[Layer, Layer]:
    """The convolution of the forward strand and that of the reverse strand."""
    return packed_convolution(conv.conv, dtype, gelu=gelu), packed_convolution(turned(conv.conv), dtype, gelu=gelu)


def turned(conv: nn.Conv1d) -> nn.Conv1d:
    """The same convolution with its kernel flipped."""
    other = nn.Conv1d(
        conv.in_channels, conv.out_channels, conv.kernel_size[0], padding=conv.kernel_size[0] // 2, groups=conv.groups
    )
    with torch.no_grad():
        other.weight.copy_(conv.weight.flip(-1))
        assert other.bias is not None
        assert conv.bias is not None
        other.bias.copy_(conv.bias)
    return other


def both_strands(conv: nn.Conv1d) -> nn.Conv1d:
    """One depthwise convolution of (forward, reverse) channels."""
    both = nn.Conv1d(
        2 * conv.in_channels, 2 * conv.out_channels, conv.kernel_size[0], padding=conv.kernel_size[0] // 2,
        groups=2 * conv.groups,
    )  # fmt: skip
    with torch.no_grad():
        both.weight.copy_(torch.cat((conv.weight, conv.weight.flip(-1))))
        assert both.bias is not None
        assert conv.bias is not None
        both.bias.copy_(conv.bias.repeat(2))
    return both


class PairNorm:
    """An RMS norm over both strands that adds to the stream first."""

    def __init__(self, norm: StrandNorm) -> None:
        self.weight = norm.weight.detach().float().numpy().copy()
        self.epsilon = float(norm.eps)

    def __call__(self, x: Tensor, more: Pair, keep: Flags, out: Pair) -> None:
        """The norm of `x += more` into `out`; x (2, M, D) are sums and differences in fp32."""
        add_and_normalise_pair(sums(x), more, keep, self.weight, self.epsilon, out)


def _exchange(pair: Sequence[Tensor]) -> None:
    exchange_in_place(*(plain(half).reshape(-1) for half in pair))


class FusedStrandAttention:
    """Band attention of both strands of the windows of a pack; angles of the reverse strand are negated."""

    def __init__(self, attention: StrandAttention, dtype: torch.dtype) -> None:
        self.heads, self.band = attention.heads, attention.band
        self.qkv, self.out = PackedTied(attention.qkv, dtype), PackedTied(attention.out, dtype)

    def __call__(self, x: Tensor, pack: Pack) -> tuple[Tensor, Tensor]:
        """Sums and differences (2, M, D) to both, (M, D) each."""
        mixed, found = self.qkv(x), torch.zeros_like(x)
        _exchange(mixed)
        cosine, sine = pack.angles
        for strand, angles in enumerate((pack.angles, Angles(cosine, -sine))):
            attend(mixed[strand], pack, angles, found[strand], heads=self.heads, band=self.band)
        _exchange(found.unbind())
        return self.out(found)


class FusedStrandBlock:
    """Convolution, attention in some blocks, feed-forward; the stream is (2, M, D) of sums and differences in fp32."""

    def __init__(self, block: StrandBlock, dtype: torch.dtype) -> None:
        self.dtype = dtype
        self.conv_norm, self.conv = PairNorm(block.conv_norm), packed_convolution(both_strands(block.conv.conv), dtype)
        self.attention_norm = None if block.attention_norm is None else PairNorm(block.attention_norm)
        self.attention = None if block.attention is None else FusedStrandAttention(block.attention, dtype)
        self.ffn_norm = PairNorm(block.ffn_norm)
        self.up, self.down = PackedTied(block.up, dtype), PackedTied(block.down, dtype)

    def __call__(self, x: Tensor, more: Sequence[Tensor], pack: Pack) -> Sequence[Tensor]:
        """Take what is to be added to the stream, give what is to be added next: sums and differences, (M, D) each."""
        _, rows, dim = x.shape
        local = torch.empty(rows, 2 * dim, dtype=self.dtype)
        self.conv_norm(x, sums(more), pack.keep, strands(local))
        added = strands(rows_of(self.conv(image(local))))
        normed = torch.empty(x.shape, dtype=self.dtype)
        if self.attention is not None and self.attention_norm is not None:
            self.attention_norm(x, added, pack.keep, sums(normed))
            more = self.attention(normed, pack)  # held here as long as `added` looks at it
            added = sums(more)
        self.ffn_norm(x, added, pack.keep, sums(normed))
        return self._feed(normed)

    def _feed(self, normed: Tensor) -> Sequence[Tensor]:
        """Feed-forward, in pieces that stay in the cache."""
        if normed.shape[1] <= PIECE:
            return self._feed_piece(normed)
        out = torch.empty_like(normed)
        for at in range(0, normed.shape[1], PIECE):
            out[0, at : at + PIECE], out[1, at : at + PIECE] = self._feed_piece(normed[:, at : at + PIECE])
        return out.unbind()

    def _feed_piece(self, normed: Tensor) -> tuple[Tensor, Tensor]:
        hidden = self.up(normed)
        gelu_of_strands(*(plain(half).reshape(-1) for half in hidden))
        return self.down(hidden)


class FusedStrandTrunk:
    """Encoder and head on a CPU, in fp32 or bf16.

    It holds copies of the weights: build it anew after they change.
    """

    def __init__(self, encoder: StrandEncoder, head: BaseHead, dtype: torch.dtype = torch.float32) -> None:
        self.config, self.dtype = encoder.config, dtype
        config, half = encoder.config, math.sqrt(0.5)
        self.gap = max(config.kernel // 2, -(-5 // config.patch))
        stem = encoder.stem_in.conv
        self.stem_in = (
            packed_convolution(stem, dtype, gelu=True),
            packed_convolution(_complemented(stem), dtype, gelu=True),
        )
        self.stem_mix = strand_convolutions(encoder.stem_mix, dtype, gelu=True)
        patch = encoder.patch.conv.weight.detach()  # (D, S, patch) -> (D, patch * S): bases before channels
        bias = encoder.patch.conv.bias
        assert bias is not None
        forward, reverse = (w.transpose(1, 2).reshape(config.dim, -1) for w in (patch, patch.flip(-1)))
        self.patch_of_one_gene = packed_linear(forward, bias + encoder.one_gene, dtype)
        self.patch = (packed_linear(forward, bias, dtype), packed_linear(reverse, bias, dtype))
        self.blocks = [FusedStrandBlock(block, dtype) for block in encoder.blocks if isinstance(block, StrandBlock)]
        self.norm = PairNorm(encoder.norm)
        expand = encoder.expand
        joined = torch.cat((expand.even, expand.odd), 1) * half
        self.expand_forward = packed_linear(joined, expand.bias, dtype)
        self.expand = (
            packed_linear(expand.even * half, expand.bias, dtype),
            packed_linear(expand.odd * half, None, dtype),
        )
        self.skip = packed_linear(encoder.skip.conv.weight[:, :, 0], encoder.skip.conv.bias, dtype)
        self.base_mix = strand_convolutions(encoder.base_mix, dtype, gelu=True)
        self.project = packed_linear(head.project.weight[:, :, 0], head.project.bias, dtype)
        self.rotary = Rotary(config.dim // config.heads)

    def __call__(self, codes: npt.NDArray[np.uint8]) -> BaseScores:
        """Scores of one window (L,); see `read`."""
        return next(self.read([codes]))

    def order(self, windows: Windows) -> list[int]:
        """See `search.twins.Trunk`."""
        places = [-(-len(codes) // self.config.patch) for codes in windows]
        return filling(places, most=PACK, gap=self.gap)

    def read(self, windows: Windows) -> Iterator[BaseScores]:
        """Scores of the one gene of each window, on the forward strand, in the order of the windows.

        Yields:
            `BaseScores` of a batch of one; its tensors are channels-last views.
        """
        for (forward,) in self._packs(windows, one_gene=True):
            yield forward

    def scan(self, windows: Windows) -> Iterator[tuple[BaseScores, BaseScores]]:
        """Scores of all genes of the forward and of the reverse strand, both in the order of the window's bases."""
        for forward, reverse in self._packs(windows, one_gene=False, band=SCAN_BAND):  # noqa: UP028 a pair, for the type checker
            yield forward, reverse

    def _packs(self, windows: Windows, *, one_gene: bool, band: int | None = None) -> Iterator[tuple[BaseScores, ...]]:
        places = [-(-len(codes) // self.config.patch) for codes in windows]
        for some in neighbours(places, most=PACK, gap=self.gap):
            pack = lay_out(places[some], self.rotary, gap=self.gap, band=band)
            yield from zip(*self._read(windows[some], pack, one_gene=one_gene), strict=True)

    def _stem(self, one_hot: Tensor, keep: Flags, strand: int) -> Tensor:
        stem = rows_of(self.stem_in[strand](image(one_hot)))
        clear(plain(stem), keep)
        add_kept(plain(stem), plain(rows_of(self.stem_mix[strand](image(stem)))), keep)
        return stem

    @torch.inference_mode()
    def _read(self, windows: Windows, pack: Pack, *, one_gene: bool) -> list[list[BaseScores]]:
        """Scores of the forward strand, and of the reverse strand where there may be genes on it."""
        (one_hot, keep), rows = one_hot_bases(windows, pack, self.config.patch, self.dtype), len(pack.keep)
        stems = [self._stem(one_hot, keep, strand) for strand in (0, 1)]
        patches = (self.patch_of_one_gene if one_gene else self.patch[0], self.patch[1])
        more: Sequence[Tensor] = [patch(stem.reshape(rows, -1)) for patch, stem in zip(patches, stems, strict=True)]
        _exchange(more)
        x = torch.zeros(2, *more[0].shape)
        for block in self.blocks:
            more = block(x, more, pack)
        found = []
        for strand, expanded in enumerate(self._expanded(x, more, pack, one_gene=one_gene)):
            features = self._features(expanded, stems[strand], keep, strand)
            found.append(scores_of_windows(features, self.project(features), windows, pack, self.config.patch))
        return found

    def _expanded(self, x: Tensor, more: Sequence[Tensor], pack: Pack, *, one_gene: bool) -> list[Tensor]:
        """What the patches say about every base (M * patch, C), of each strand that is asked for."""
        channels = self.config.channels
        if one_gene:
            joined = torch.empty(x.shape[1], 2 * x.shape[2], dtype=self.dtype)
            self.norm(x, sums(more), pack.keep, sums(joined))
            return [self.expand_forward(joined).view(-1, channels)]
        normed = torch.empty(x.shape, dtype=self.dtype)
        self.norm(x, sums(more), pack.keep, sums(normed))
        even, odd = (layer(half) for layer, half in zip(self.expand, normed, strict=True))
        forward, reverse = (both.view(-1, channels) for both in (even + odd, even - odd))
        turn_patches(plain(reverse), self.config.patch)
        return [forward, reverse]

    def _features(self, expanded: Tensor, stem: Tensor, keep: Flags, strand: int) -> Tensor:
        """Of one strand (M * patch, C), in place of what the patches say."""
        gelu_of_sum(plain(expanded), plain(self.skip(stem)), keep)
        add_kept(plain(expanded), plain(rows_of(self.base_mix[strand](image(expanded)))), keep)
        return expanded


def _complemented(conv: nn.Conv1d) -> nn.Conv1d:
    """The convolution of the reverse strand on the forward strand's bases one-hot: A and T, C and G change places."""
    other = turned(conv)
    with torch.no_grad():
        other.weight.copy_(other.weight.flip(1))
    return other
