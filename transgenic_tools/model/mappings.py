"""From token encodings to features of every base.

In: hidden (B, T, H), the token of every base and its place in the token, and the base codes. Out: (B, C, L), 0 at
padding.
Dims: B windows, L bases, T tokens, H hidden size, k bases a token, C channels.

    linear   each place in a token has its own projection of the hidden vector
    mlp      the same behind one hidden layer
    conv     the same, then two convolutions at 1 bp
    pool     the mean of `pool` neighbouring tokens, projected once, for all their bases

A surprise: all of them add a one-hot stem, so that even `pool` tells neighbouring bases apart.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from transgenic_tools.lattice.vocabulary import PAD_CODE
from transgenic_tools.model.config import MappingConfig


class Stem(nn.Module):
    """One-hot bases -> two convolutions at 1 bp, (B, C, L)."""

    def __init__(self, config: MappingConfig) -> None:
        super().__init__()
        half = config.kernel // 2
        self.widen = nn.Conv1d(4, config.width, config.kernel, padding=half)
        self.mix = nn.Conv1d(config.width, config.channels, config.kernel, padding=half)

    def forward(self, codes: Tensor, inside: Tensor) -> Tensor:
        bases = torch.arange(4, device=codes.device)[None, :, None]
        one_hot = (codes[:, None] == bases).to(self.widen.weight.dtype)
        return self.mix(F.gelu(self.widen(one_hot)) * inside)


class BaseMapping(nn.Module):
    """All four mappings; see the module docstring."""

    def __init__(self, config: MappingConfig, hidden: int, kmer: int) -> None:
        super().__init__()
        self.config, self.kmer = config, kmer
        self.norm = nn.LayerNorm(hidden)
        self.dropout = nn.Dropout(config.dropout)
        places = 1 if config.name == "pool" else kmer
        inner = config.width if config.name == "mlp" else hidden
        self.hidden = nn.Linear(hidden, inner) if config.name == "mlp" else None
        self.project = nn.Linear(inner, places * config.channels)
        self.stem = Stem(config)
        half = config.kernel // 2
        sizes = (config.channels, config.channels, config.kernel)
        self.convolve = (
            nn.Sequential(nn.Conv1d(*sizes, padding=half), nn.GELU(), nn.Conv1d(*sizes, padding=half))
            if config.name == "conv"
            else None
        )

    @property
    def channels(self) -> int:
        return self.config.channels

    def _pooled(self, hidden: Tensor, counts: Tensor) -> Tensor:
        """Mean over groups of `pool` tokens, at token resolution. `counts` (B,) tokens of each row."""
        batch, length, width = hidden.shape
        pool = self.config.pool
        valid = (torch.arange(length, device=hidden.device)[None] < counts[:, None])[..., None].to(hidden.dtype)
        extra = -length % pool
        total = F.pad(hidden * valid, (0, 0, 0, extra)).view(batch, -1, pool, width).sum(2)
        size = F.pad(valid, (0, 0, 0, extra)).view(batch, -1, pool, 1).sum(2).clamp(min=1)
        return (total / size).repeat_interleave(pool, dim=1)[:, :length]

    def forward(self, hidden: Tensor, token_of_base: Tensor, offset_of_base: Tensor, codes: Tensor) -> Tensor:
        """Features of every base.

        Args:
            hidden: (B, T, H).
            token_of_base, offset_of_base, codes: (B, L); padding has PAD_CODE and any valid token.
        """
        inside = (codes != PAD_CODE)[:, None]
        x = self.dropout(self.norm(hidden))
        if self.config.name == "pool":
            x = self._pooled(x, (token_of_base * inside[:, 0]).amax(1) + 1)
        if self.hidden is not None:
            x = F.gelu(self.hidden(x))
        projected = self.project(x)
        batch = len(codes)
        rows = torch.arange(batch, device=codes.device)[:, None]
        if self.config.name == "pool":
            mapped = projected[rows, token_of_base]
        else:
            places = projected.view(batch, projected.shape[1], self.kmer, self.channels)
            mapped = places[rows, token_of_base, offset_of_base]
        features = (mapped.transpose(1, 2) + self.stem(codes, inside)) * inside
        if self.convolve is not None:
            features = (features + self.convolve(features)) * inside
        return features
