"""HyenaDNA at 1 bp, written here because its published code does not run on transformers 5.

In: token ids (S, N) and their mask. Out: hidden (S, N, H), or (S, N, 2H) where both strands are read.
Dims: S segments, N bases, H hidden size, E values of the position code, W width of the filter network.
Operator (Poli et al. 2023, Hyena Hierarchy; Nguyen et al. 2023, HyenaDNA): three projections, each behind a short
causal convolution; the third, gated by the second, passes a causal convolution as long as the sequence, and is gated by
the first. A small network with sine activations writes the long filter from a code of the distance; a window fades it.
A surprise: the filter belongs to the published `max_length`, so shorter sequences use its first part, never a rescaled
one. Checkpoints name the one frequency of all sines several times.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from transgenic_tools.model.config import HyenaDnaConfig

#: A, C, G, T, N are 7 to 11.
FIRST_BASE_ID, PAD_ID = 7, 4


def causal_convolution(x: Tensor, kernel: Tensor, skip: Tensor) -> Tensor:
    """`y[n] = sum_{m <= n} kernel[m] x[n - m] + skip x[n]` by FFT. x (S, H, N), kernel (H, N), skip (H,)."""
    length = x.shape[-1]
    size = 2 * length
    spectrum = torch.fft.rfft(kernel.float(), n=size) * torch.fft.rfft(x.float(), n=size)
    return (torch.fft.irfft(spectrum, n=size)[..., :length] + x.float() * skip[:, None].float()).to(x.dtype)


def complement(ids: Tensor) -> Tensor:
    """Ids of the bases of the other strand; all else as it is."""
    last = FIRST_BASE_ID + 3
    return torch.where((ids >= FIRST_BASE_ID) & (ids <= last), FIRST_BASE_ID + last - ids, ids)


class Sine(nn.Module):
    """`sin(freq * x)` with learned frequencies."""

    def __init__(self, width: int, frequency: float = 10.0) -> None:
        super().__init__()
        self.freq = nn.Parameter(frequency * torch.ones(1, width))

    def forward(self, x: Tensor) -> Tensor:
        return torch.sin(self.freq * x)


class PositionCode(nn.Module):
    """Learned code of the distance, begun as time and Fourier features."""

    def __init__(self, length: int, dim: int) -> None:
        super().__init__()
        # not linspace: transformers 5 replaces it while it loads models, and it then ignores the meta device
        step = torch.arange(length, dtype=torch.float32)[None, :, None]
        time = step / max(1, length - 1)
        bands = (dim - 1) // 2
        angle = 2 * math.pi * step / length
        frequency = 1e-4 + torch.arange(bands, dtype=torch.float32) * ((bands - 1 - 1e-4) / max(1, bands - 1))
        self.z = nn.Parameter(torch.cat([time, torch.cos(-frequency * angle), torch.sin(-frequency * angle)], dim=-1))
        self.register_buffer("t", time)


class Modulation(nn.Module):
    """Exponential windows, from fast to slow over the channels."""

    def __init__(self, dim: int, *, fast: float = 0.3, slow: float = 1.5, target: float = 1e-2) -> None:
        super().__init__()
        low, high = math.log(target) / slow, math.log(target) / fast
        deltas = (low + torch.arange(dim, dtype=torch.float32) * ((high - low) / max(1, dim - 1)))[None, None]
        self.register_buffer("deltas", deltas)

    def forward(self, time: Tensor, kernel: Tensor, shift: float = 0.05) -> Tensor:
        deltas = self.get_buffer("deltas")
        return kernel * (torch.exp(-time * deltas.abs()) + shift)


class LongFilter(nn.Module):
    """Writes the long filter."""

    def __init__(self, config: HyenaDnaConfig) -> None:
        super().__init__()
        width = config.filter_width
        self.bias = nn.Parameter(torch.randn(config.dim * (config.order - 1)))
        self.pos_emb = PositionCode(config.max_length, config.position_dim)
        layers: list[nn.Module] = [nn.Linear(config.position_dim, width), Sine(width)]
        for _ in range(config.filter_inner):
            layers += [nn.Linear(width, width), nn.Identity()]  # the one sine again, without a second name
        self.implicit_filter = nn.Sequential(*layers, nn.Linear(width, config.dim, bias=False))
        self.modulation = Modulation(config.dim)

    def forward(self, length: int) -> Tensor:
        """(H, length)."""
        kernel = self.pos_emb.z[:, :length]
        *inner, last = self.implicit_filter
        for layer in inner[::2]:
            kernel = inner[1](layer(kernel))
        kernel = last(kernel)
        return self.modulation(self.pos_emb.get_buffer("t")[:, :length], kernel)[0].t()


class HyenaOperator(nn.Module):
    """Order 2; see the module docstring."""

    def __init__(self, config: HyenaDnaConfig) -> None:
        super().__init__()
        if config.order != 2:
            raise ValueError(f"Hyena order {config.order}: only order 2 is published")
        inner = 3 * config.dim
        self.in_proj = nn.Linear(config.dim, inner)
        self.out_proj = nn.Linear(config.dim, config.dim)
        self.short_filter = nn.Conv1d(inner, inner, config.short_filter, padding=config.short_filter - 1, groups=inner)
        self.filter_fn = LongFilter(config)

    def forward(self, x: Tensor) -> Tensor:
        length = x.shape[1]
        first, second, value = self.short_filter(self.in_proj(x).transpose(1, 2))[..., :length].chunk(3, dim=1)
        mixed = causal_convolution(value * second, self.filter_fn(length), self.filter_fn.bias)
        return self.out_proj((mixed * first).transpose(1, 2))


class Mlp(nn.Module):
    """Feed-forward with the tanh form of GELU."""

    def __init__(self, config: HyenaDnaConfig) -> None:
        super().__init__()
        self.fc1 = nn.Linear(config.dim, config.intermediate)
        self.fc2 = nn.Linear(config.intermediate, config.dim)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc2(F.gelu(self.fc1(x), approximate="tanh"))


class Block(nn.Module):
    """Pre-norm operator and feed-forward."""

    def __init__(self, config: HyenaDnaConfig) -> None:
        super().__init__()
        self.mixer = HyenaOperator(config)
        self.norm1 = nn.LayerNorm(config.dim)
        self.mlp = Mlp(config)
        self.norm2 = nn.LayerNorm(config.dim)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.mixer(self.norm1(x))
        return x + self.mlp(self.norm2(x))


class HyenaDna(nn.Module):
    """See the module docstring. Tensors are named as in the published checkpoints, without `hyena.`."""

    #: Names in published checkpoints that this part has no use for.
    unused = ("lm_head.",)
    prefix = "hyena."

    def __init__(self, config: HyenaDnaConfig) -> None:
        super().__init__()
        self.config = config
        self.width = config.dim * (2 if config.both_strands else 1)
        rows = config.vocab_size + -config.vocab_size % config.pad_vocab_multiple
        embeddings = nn.Module()
        embeddings.word_embeddings = nn.Embedding(rows, config.dim)
        self.backbone = nn.Module()
        self.backbone.embeddings = embeddings
        self.backbone.layers = nn.ModuleList(Block(config) for _ in range(config.layers))
        self.backbone.ln_f = nn.LayerNorm(config.dim, eps=config.layer_norm_eps)

    def _read(self, ids: Tensor) -> Tensor:
        x = self.backbone.get_submodule("embeddings.word_embeddings")(ids)
        for layer in self.backbone.get_submodule("layers").children():
            if self.config.checkpointing and self.training and torch.is_grad_enabled():
                x = checkpoint(layer, x, use_reentrant=False)
            else:
                x = layer(x)
        return self.backbone.get_submodule("ln_f")(x)

    def forward(self, ids: Tensor, valid: Tensor) -> Tensor:
        forward = self._read(ids)
        if not self.config.both_strands:
            return forward
        index = torch.arange(ids.shape[1], device=ids.device)[None]
        length = valid.sum(1, keepdim=True)
        mirror = torch.where(index < length, length - 1 - index, index)
        backward = self._read(complement(ids.gather(1, mirror)))
        return torch.cat([forward, backward.gather(1, mirror[..., None].expand_as(backward))], dim=-1)
