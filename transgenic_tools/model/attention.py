"""Attention that all networks here share: rotary positions and a sliding band.

In: queries, keys and values (B, H, P, D / H). Out: mixed values of the same shape.
Dims: B windows, P places, D channels, H heads.
A surprise: a place sees `band` places on each side (causal: on its left, and itself), so time and memory are linear in
P; up to `band + 1` places that is plain attention.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor


def rotary_angles(length: int, dim: int, *, device: torch.device, base: float = 10000.0) -> tuple[Tensor, Tensor]:
    """Cosine and sine of rotary position embedding, each (length, dim / 2). Source: Su et al. 2021, RoFormer."""
    frequency = base ** (-torch.arange(0, dim, 2, device=device, dtype=torch.float32) / dim)
    angle = torch.arange(length, device=device, dtype=torch.float32)[:, None] * frequency[None]
    return angle.cos(), angle.sin()


def rotate(x: Tensor, cosine: Tensor, sine: Tensor) -> Tensor:
    """Apply rotary position embedding to (..., length, dim)."""
    left, right = x.chunk(2, dim=-1)
    cosine, sine = cosine.to(x.dtype), sine.to(x.dtype)
    return torch.cat((left * cosine - right * sine, left * sine + right * cosine), dim=-1)


def band_mask(valid: Tensor, band: int) -> Tensor:
    """Additive mask (B, 1, P, P): 0 where |i - j| <= band and j is valid, else -inf (the diagonal stays 0)."""
    length = valid.shape[1]
    index = torch.arange(length, device=valid.device)
    near = (index[:, None] - index[None]).abs() <= band
    keep = (near[None] & valid[:, None, :]) | torch.eye(length, dtype=torch.bool, device=valid.device)[None]
    return torch.zeros(keep.shape, device=valid.device).masked_fill(~keep, -math.inf)[:, None]


def _hidden(rows: Tensor, columns: Tensor, band: int, *, causal: bool) -> Tensor:
    """(rows, columns), True where a place is too far away to be seen."""
    apart = rows[:, None] - columns[None]
    return (apart > band) | (apart < (0 if causal else -band))


def band_attention(
    q: Tensor, k: Tensor, v: Tensor, band: int, *, valid: Tensor | None = None, causal: bool = False
) -> Tensor:
    """Attention to at most `band` places on each side; a place always sees itself.

    Args:
        q, k, v: (B, H, P, D / H).
        valid: (B, P), False where a place is not to be seen; all are where it is None.
        causal: Nothing on the right is seen.
    """
    length = q.shape[2]
    if valid is None and length <= band + 1:
        return F.scaled_dot_product_attention(q, k, v, is_causal=causal)
    out = torch.empty_like(q)
    index = torch.arange(length, device=q.device)
    block = length if length <= band + 1 else max(band // 2, 1)
    masks: dict[tuple[int, int, int], Tensor] = {}  # blocks inside a window share theirs
    for start in range(0, length, block):
        stop = min(start + block, length)
        left, right = max(0, start - band), stop if causal else min(length, stop + band)
        shape = (stop - start, start - left, right - left)
        if shape not in masks:
            hidden = _hidden(index[start:stop], index[left:right], band, causal=causal)
            masks[shape] = torch.zeros(hidden.shape, device=q.device, dtype=q.dtype).masked_fill_(hidden, -math.inf)
        mask = masks[shape][None, None]
        if valid is not None:
            itself = index[start:stop, None] == index[None, left:right]
            mask = mask.masked_fill((~valid[:, None, left:right] & ~itself)[:, None], -math.inf)
        out[:, :, start:stop] = F.scaled_dot_product_attention(
            q[:, :, start:stop], k[:, :, left:right], v[:, :, left:right], attn_mask=mask
        )
    return out
