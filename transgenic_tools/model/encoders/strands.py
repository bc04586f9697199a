"""The strand-symmetric encoder: one network that reads both strands of a window, at half of a dense one's products.

In: base codes (B, L) with PAD_CODE at the right. Out: features at 1 bp of the forward strand, and on request of the
reverse strand, both in the order of the window's bases.
Dims: B windows, L bases, P patches of `patch` bases, S stem channels, D patch channels and C base channels of one
strand, H heads of one strand.
Consistency: the reverse complement of a window gives the same numbers with the strands exchanged and the bases in the
other order, exactly, where L is a multiple of the patch. Nothing is learned for it: what belongs to the reverse strand
is computed with the forward strand's weights, kernels flipped and rotary angles negated, and a linear layer that joins
the strands is [[A, B], [B, A]].
A surprise: such a layer is two independent ones, A + B and A - B, in the basis of sums and differences, so the stream
between the blocks is kept as (sum, difference) / sqrt 2, where a tied layer costs half of a dense one of its width; the
strands themselves are taken (`exchange`) for convolution, attention and GELU alone. Norms are the same in both bases.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from transgenic_tools.lattice.vocabulary import BASE_CODES, PAD_CODE
from transgenic_tools.model.attention import band_attention, band_mask, rotary_angles, rotate
from transgenic_tools.model.config import StrandEncoderConfig

#: Above this many patches attention is computed block by block.
DENSE_PATCHES = 768
#: Patches on each side that attention sees in a scan, fewer than in training: a third of its time goes and nothing is
#: lost (docs/lab-notebook.md).
SCAN_BAND = 128
_HALF = math.sqrt(0.5)


def exchange(x: Tensor) -> Tensor:
    """(2, ...): from (forward, reverse) to (sum, difference) / sqrt 2; it is its own inverse."""
    return torch.stack((x[0] + x[1], x[0] - x[1])) * _HALF


class TiedLinear(nn.Module):
    """[[A, B], [B, A]] over (forward, reverse), computed on (sum, difference): `even` is A + B, `odd` is A - B."""

    def __init__(self, inputs: int, outputs: int, *, bias: bool = True) -> None:
        super().__init__()
        self.even = nn.Parameter(torch.empty(outputs, inputs))
        self.odd = nn.Parameter(torch.empty(outputs, inputs))
        for weight in (self.even, self.odd):
            nn.init.kaiming_uniform_(weight, a=math.sqrt(5))
        #: Of either strand, so only the sums have one.
        self.bias = nn.Parameter(torch.zeros(outputs)) if bias else None

    def forward(self, x: Tensor) -> Tensor:
        """(2, B, P, inputs) to (2, B, P, outputs)."""
        even, odd = F.linear(x[0], self.even, self.sum_bias()), F.linear(x[1], self.odd)
        return torch.stack((even, odd))

    def sum_bias(self) -> Tensor | None:
        """Of the sums, whose numbers are sqrt 2 times a strand's."""
        return None if self.bias is None else self.bias / _HALF

    def dense(self) -> tuple[Tensor, Tensor | None]:
        """Weight (2 * outputs, 2 * inputs) and bias (2 * outputs,) of the same layer over (forward, reverse)."""
        same, other = (self.even + self.odd) / 2, (self.even - self.odd) / 2
        weight = torch.cat((torch.cat((same, other), 1), torch.cat((other, same), 1)))
        return weight, None if self.bias is None else self.bias.repeat(2)


class StrandConv(nn.Module):
    """One convolution over the bases (or patches) of each strand: flipped on the reverse strand."""

    def __init__(self, inputs: int, outputs: int, kernel: int, *, stride: int = 1, groups: int = 1) -> None:
        super().__init__()
        pad = kernel // 2 if stride == 1 else 0
        self.conv = nn.Conv1d(inputs, outputs, kernel, stride=stride, padding=pad, groups=groups)

    def forward(self, strands: Tensor) -> Tensor:
        """(N, B, inputs, L) to (N, B, outputs, L / stride), N the number of strands: forward alone, or both."""
        return torch.stack([self.one(x, reverse=bool(index)) for index, x in enumerate(strands)])

    def one(self, x: Tensor, *, reverse: bool) -> Tensor:
        """One strand."""
        conv = self.conv
        weight = conv.weight.flip(-1) if reverse else conv.weight
        return F.conv1d(x, weight, conv.bias, conv.stride, conv.padding, conv.dilation, conv.groups)


class StrandNorm(nn.Module):
    """RMS norm over the channels of both strands, with one weight for a channel of either."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(dim))
        self.eps = torch.finfo(torch.float32).eps

    def forward(self, x: Tensor) -> Tensor:
        """(2, B, P, D) in either basis."""
        square = x.float().square().mean((0, -1), keepdim=True)
        return x * (square + self.eps).rsqrt() * self.weight


class StrandAttention(nn.Module):
    """Self-attention over a band of patches; each strand has heads of its own, whose angles run along that strand."""

    def __init__(self, config: StrandEncoderConfig) -> None:
        super().__init__()
        self.heads, self.band = config.heads, config.band
        self.qkv = TiedLinear(config.dim, 3 * config.dim, bias=False)
        self.out = TiedLinear(config.dim, config.dim, bias=False)

    def forward(
        self, x: Tensor, valid: Tensor, mask: Tensor | None, rotary: tuple[Tensor, Tensor], band: int | None = None
    ) -> Tensor:
        """`mask` is that of `band`, which is the layer's own where it is None."""
        _, batch, length, dim = x.shape
        size = dim // self.heads
        strands = exchange(self.qkv(x)).view(2, batch, length, 3, self.heads, size)
        q, k, v = strands.permute(3, 0, 1, 4, 2, 5)  # each (2, B, H, P, S)
        cosine, sine = rotary[0], torch.stack((rotary[1], -rotary[1]))[:, None, None]
        q, k = (rotate(a, cosine, sine).flatten(0, 1) for a in (q, k))
        v = v.flatten(0, 1)
        if mask is None:
            mixed = band_attention(q, k, v, self.band if band is None else band, valid=valid.repeat(2, 1))
        else:
            mixed = F.scaled_dot_product_attention(q, k, v, attn_mask=mask.to(q.dtype).repeat(2, 1, 1, 1))
        return self.out(exchange(mixed.transpose(1, 2).reshape(2, batch, length, dim)))


class StrandBlock(nn.Module):
    """Pre-norm block: depthwise convolution, attention in some blocks, feed-forward."""

    def __init__(self, config: StrandEncoderConfig, *, attention: bool) -> None:
        super().__init__()
        dim = config.dim
        self.conv = StrandConv(dim, dim, config.kernel, groups=dim)
        self.conv_norm = StrandNorm(dim)
        self.attention = StrandAttention(config) if attention else None
        self.attention_norm = StrandNorm(dim) if attention else None
        self.ffn_norm = StrandNorm(dim)
        self.up = TiedLinear(dim, config.expansion * dim)
        self.down = TiedLinear(config.expansion * dim, dim)

    def forward(
        self, x: Tensor, valid: Tensor, mask: Tensor | None, rotary: tuple[Tensor, Tensor], band: int | None = None
    ) -> Tensor:
        strands = exchange(self.conv_norm(x) * valid[..., None])
        x = x + exchange(self.conv(strands.transpose(-1, -2)).transpose(-1, -2))
        if self.attention is not None and self.attention_norm is not None:
            x = x + self.attention(self.attention_norm(x), valid, mask, rotary, band)
        return x + self.down(exchange(F.gelu(exchange(self.up(self.ffn_norm(x))))))


class StrandEncoder(nn.Module):
    """One-hot bases -> stem of each strand at 1 bp -> patches -> blocks over both -> back to 1 bp, strand by strand."""

    def __init__(self, config: StrandEncoderConfig) -> None:
        super().__init__()
        self.config = config
        stem, dim, channels = config.stem, config.dim, config.channels
        self.stem_in = StrandConv(4, stem, 11)
        self.stem_mix = StrandConv(stem, stem, 9)
        self.patch = StrandConv(stem, dim, config.patch, stride=config.patch)
        #: Added to the forward strand's patches where a window holds one gene, on that strand.
        self.one_gene = nn.Parameter(torch.zeros(dim))
        every = config.attention_every
        self.blocks = nn.ModuleList(StrandBlock(config, attention=i % every == every - 1) for i in range(config.blocks))
        self.norm = StrandNorm(dim)
        self.expand = TiedLinear(dim, config.patch * channels)
        self.skip = StrandConv(stem, channels, 1)
        self.base_mix = StrandConv(channels, channels, 9)

    @property
    def channels(self) -> int:
        return self.config.channels

    def forward(self, codes: Tensor) -> Tensor:
        """Features (B, C, L) of windows that hold one gene on the forward strand; values at padding are 0."""
        return self.read(codes, one_gene=True, both=False)[0]

    def read(self, codes: Tensor, *, one_gene: bool, both: bool, band: int | None = None) -> Tensor:
        """Features of one strand, or of both.

        Args:
            codes: (B, L) integers: 0-3 bases, 4 unknown, PAD_CODE beyond a window's end.
            one_gene: Each window holds one gene, on the forward strand; the others are to be passed over.
            both: Give the reverse strand too.
            band: Patches on each side that attention sees, where these are fewer than the layers'.

        Returns:
            (1 or 2, B, C, L), forward then reverse, both in the order of `codes`; values at padding are 0.
        """
        config, (batch, bases) = self.config, codes.shape
        codes = F.pad(codes, (0, -bases % config.patch), value=PAD_CODE)
        inside = (codes != PAD_CODE)[:, None]
        stem = self._stem(codes, inside)
        x = torch.stack([self.patch.one(s, reverse=bool(i)) for i, s in enumerate(stem)]).transpose(-1, -2).float()
        if one_gene:
            x = x + torch.stack((self.one_gene, torch.zeros_like(self.one_gene)))[:, None, None]
        length = x.shape[2]
        valid = inside[:, 0].view(batch, length, config.patch).any(-1)
        rotary = rotary_angles(length, config.dim // config.heads, device=x.device)
        band = config.band if band is None else min(band, config.band)
        mask = band_mask(valid, band) if length <= DENSE_PATCHES else None
        x = exchange(x)  # the stream between the blocks stays fp32 under autocast
        for block in self.blocks:
            x = block(x, valid, mask, rotary, band)
        return self._bases(self.norm(x), stem, inside, both=both)[..., :bases]

    def _stem(self, codes: Tensor, inside: Tensor) -> Tensor:
        """(2, B, S, L); the reverse strand reads the complement."""
        bases = torch.arange(BASE_CODES - 1, device=codes.device)[None, :, None]
        one_hot = (codes[:, None] == bases).to(self.stem_in.conv.weight.dtype)
        stem = F.gelu(self.stem_in(torch.stack((one_hot, one_hot.flip(1))))) * inside
        return (stem + F.gelu(self.stem_mix(stem))) * inside

    def _bases(self, x: Tensor, stem: Tensor, inside: Tensor, *, both: bool) -> Tensor:
        """Features at 1 bp of the asked strands from the last patches (2, B, P, D) and the stem."""
        config, (_, batch, length, _) = self.config, x.shape
        if both:
            expanded = exchange(self.expand(x)).view(2, batch, length, config.patch, config.channels)
            strands = torch.stack((expanded[0], expanded[1].flip(2)))
        else:
            weight = torch.cat((self.expand.even, self.expand.odd), 1) * _HALF
            joined = torch.cat((x[0], x[1]), -1)
            strands = F.linear(joined, weight, self.expand.bias)[None]
        strands = strands.view(len(strands), batch, length * config.patch, config.channels).transpose(-1, -2)
        features = F.gelu(strands + self.skip(stem[: len(strands)])) * inside
        return (features + F.gelu(self.base_mix(features))) * inside
