"""The embedded encoder: a small network read at 1 bp, trained here, shipped with the project.

In: base codes (B, L) with PAD_CODE at the right. Out: per-base features (B, C, L).
Dims: B windows, L bases, P patches of `patch` bases, D patch channels, S stem channels, C base channels, H heads.
A surprise: attention is a sliding band of `band` patches on each side, so cost grows linearly with the window; long
windows are computed block by block with the same result as the dense mask.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from transgenic_tools.lattice.vocabulary import PAD_CODE
from transgenic_tools.model.attention import band_attention, band_mask, rotary_angles, rotate
from transgenic_tools.model.config import EmbeddedEncoderConfig

#: Above this many patches attention is computed block by block.
DENSE_PATCHES = 768


class BandAttention(nn.Module):
    """Multi-head self-attention with rotary positions over a band of patches."""

    def __init__(self, dim: int, heads: int, band: int) -> None:
        super().__init__()
        self.heads, self.band = heads, band
        self.qkv = nn.Linear(dim, 3 * dim, bias=False)
        self.out = nn.Linear(dim, dim, bias=False)

    def forward(self, x: Tensor, valid: Tensor, mask: Tensor | None, rotary: tuple[Tensor, Tensor]) -> Tensor:
        batch, length, dim = x.shape
        q, k, v = self.qkv(x).view(batch, length, 3, self.heads, dim // self.heads).permute(2, 0, 3, 1, 4)
        q, k = rotate(q, *rotary), rotate(k, *rotary)
        if mask is None:
            mixed = band_attention(q, k, v, self.band, valid=valid)
        else:
            mixed = F.scaled_dot_product_attention(q, k, v, attn_mask=mask.to(q.dtype))
        return self.out(mixed.transpose(1, 2).reshape(batch, length, dim))


class Block(nn.Module):
    """Pre-norm block: depthwise convolution, attention in some blocks, feed-forward."""

    def __init__(self, config: EmbeddedEncoderConfig, *, attention: bool) -> None:
        super().__init__()
        dim = config.dim
        self.conv = nn.Conv1d(dim, dim, config.kernel, padding=config.kernel // 2, groups=dim)
        self.conv_norm = nn.RMSNorm(dim)
        self.attention = BandAttention(dim, config.heads, config.band) if attention else None
        self.attention_norm = nn.RMSNorm(dim) if attention else None
        self.ffn_norm = nn.RMSNorm(dim)
        self.up = nn.Linear(dim, config.expansion * dim)
        self.down = nn.Linear(config.expansion * dim, dim)
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, x: Tensor, valid: Tensor, mask: Tensor | None, rotary: tuple[Tensor, Tensor]) -> Tensor:
        keep = valid[..., None]
        local = self.conv((self.conv_norm(x) * keep).transpose(1, 2)).transpose(1, 2)
        x = x + self.dropout(local)
        if self.attention is not None and self.attention_norm is not None:
            x = x + self.dropout(self.attention(self.attention_norm(x), valid, mask, rotary))
        return x + self.dropout(self.down(F.gelu(self.up(self.ffn_norm(x)))))


class EmbeddedEncoder(nn.Module):
    """One-hot bases -> stem at 1 bp -> patches -> blocks -> back to 1 bp, joined with the stem."""

    def __init__(self, config: EmbeddedEncoderConfig) -> None:
        super().__init__()
        self.config = config
        stem, dim = config.stem, config.dim
        self.stem_in = nn.Conv1d(4, stem, 11, padding=5)
        self.stem_mix = nn.Conv1d(stem, stem, 9, padding=4)
        self.patch = nn.Conv1d(stem, dim, config.patch, stride=config.patch)
        every = config.attention_every
        self.blocks = nn.ModuleList(Block(config, attention=i % every == every - 1) for i in range(config.blocks))
        self.norm = nn.RMSNorm(dim)
        self.expand = nn.Linear(dim, config.patch * config.channels)
        self.skip = nn.Conv1d(stem, config.channels, 1)
        self.base_mix = nn.Conv1d(config.channels, config.channels, 9, padding=4)

    @property
    def channels(self) -> int:
        return self.config.channels

    def forward(self, codes: Tensor) -> Tensor:
        """Per-base features.

        Args:
            codes: (B, L) integers: 0-3 bases, 4 unknown, PAD_CODE beyond a window's end.

        Returns:
            (B, C, L); values at padding are 0.
        """
        config, (batch, bases) = self.config, codes.shape
        codes = F.pad(codes, (0, -bases % config.patch), value=PAD_CODE)
        inside = (codes != PAD_CODE)[:, None]
        one_hot = (codes[:, None] == torch.arange(4, device=codes.device)[None, :, None]).to(self.stem_in.weight.dtype)
        stem = F.gelu(self.stem_in(one_hot)) * inside
        stem = (stem + F.gelu(self.stem_mix(stem))) * inside
        x = self.patch(stem).transpose(1, 2).float()  # the residual stream stays fp32 under autocast
        length = x.shape[1]
        valid = inside[:, 0].view(batch, length, config.patch).any(-1)
        rotary = rotary_angles(length, config.dim // config.heads, device=x.device)
        mask = band_mask(valid, config.band) if length <= DENSE_PATCHES else None
        for block in self.blocks:
            x = block(x, valid, mask, rotary)
        expanded = self.expand(self.norm(x)).view(batch, length * config.patch, config.channels).transpose(1, 2)
        features = (F.gelu(expanded + self.skip(stem))) * inside
        features = (features + F.gelu(self.base_mix(features))) * inside
        return features[:, :, :bases]
