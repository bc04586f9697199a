"""The embedded encoder and the head, computed fast on a CPU.

In: a trained `EmbeddedEncoder` and `BaseHead`. Out: the same `BaseScores` to rounding, several times as fast.
Dims: M patches of a pack, P patches of a window, L bases, D patch channels, C base channels, H heads.
A surprise: short windows are read together, one behind the other in a pack with zeros between them that no convolution
reaches across. Every row is computed by the same instructions wherever it stands, so a window's scores are the same
bits in any pack (a test holds this). oneDNN compiles a kernel for every new length, so packs have one of few lengths.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from transgenic_tools.model.attention import rotary_angles
from transgenic_tools.model.encoders.compiled import (
    add_and_normalise,
    add_kept,
    clear,
    gelu_of_sum,
    join_heads,
    plain,
    softmax_of_band,
    split_heads,
)
from transgenic_tools.model.encoders.embedded import BandAttention, Block, EmbeddedEncoder
from transgenic_tools.model.head import BaseHead, BaseScores
from transgenic_tools.model.packing import normalise
from transgenic_tools.model.vocabulary import N_SITES

Layer = Callable[[Tensor], Tensor]
#: Patches of a pack; a longer window is read alone.
PACK = 1024


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

        def simple(x: Tensor) -> Tensor:
            y = F.conv2d(x, weight, bias, padding=pad, groups=groups)
            return F.gelu(y) if gelu else y

        return simple
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


@dataclass(frozen=True)
class Pack:
    """Where windows stand in a pack.

    Attributes:
        first: First patch of each window.
        places: P of each window.
        keep: (M,) bool, False between windows.
        keep_base: (M * patch,) bool, likewise.
        cosine, sine: Of the angles of rotary positions, (longest P, S / 2) each.
    """

    first: tuple[int, ...]
    places: tuple[int, ...]
    keep: npt.NDArray[np.bool_]
    keep_base: npt.NDArray[np.bool_]
    cosine: npt.NDArray[np.float32]
    sine: npt.NDArray[np.float32]


class _Norm:
    """An RMS norm that adds to the residual stream first."""

    def __init__(self, norm: nn.RMSNorm, dtype: torch.dtype) -> None:
        self.weight = norm.weight.detach().float().numpy().copy()
        self.epsilon = float(torch.finfo(torch.float32).eps if norm.eps is None else norm.eps)
        self.dtype = dtype

    def __call__(self, x: Tensor, more: Tensor, keep: npt.NDArray[np.bool_]) -> Tensor:
        """The norm of `x += more`, both (M, D)."""
        out = torch.empty(x.shape, dtype=self.dtype)
        add_and_normalise(plain(x), plain(more), keep, self.weight, self.epsilon, plain(out))
        return out


class _FusedAttention:
    """Band attention of the windows of a pack, each for itself; up to two and a half bands at once, else in blocks."""

    def __init__(self, attention: BandAttention, dtype: torch.dtype) -> None:
        self.heads, self.band = attention.heads, attention.band
        self.qkv = packed_linear(attention.qkv.weight, None, dtype)
        self.out = packed_linear(attention.out.weight, None, dtype)

    def __call__(self, x: Tensor, pack: Pack) -> Tensor:
        """(M, D) to the same."""
        mixed, found = self.qkv(x), torch.zeros_like(x)
        for first, places in zip(pack.first, pack.places, strict=True):
            self._attend(mixed, first, places, pack, found)
        return self.out(found)

    def _attend(self, mixed: Tensor, first: int, places: int, pack: Pack, out: Tensor) -> None:
        block = max(self.band // 2, 1)
        whole = places <= block + 2 * self.band
        queries = padded_length(places) if whole else places + -places % block
        step, margin = (queries, 0) if whole else (block, self.band)
        size = out.shape[1] // self.heads
        q = torch.empty(self.heads, queries, size, dtype=out.dtype)
        k, v = torch.empty(2, self.heads, queries + 2 * margin, size, dtype=out.dtype)
        split_heads(plain(mixed), first, places, margin, pack.cosine, pack.sine, plain(q), plain(k), plain(v))
        for at in range(0, queries, step):
            seen = slice(at, at + step + 2 * margin)
            scores = torch.bmm(q[:, at : at + step], k[:, seen].transpose(1, 2))
            softmax_of_band(plain(scores), at, at - margin, places, self.band)
            found = torch.bmm(scores, v[:, seen])
            join_heads(plain(found), at, min(step, places - at), first, plain(out))


class _FusedBlock:
    """One block; the residual stream is (M, D) in fp32."""

    def __init__(self, block: Block, dtype: torch.dtype) -> None:
        self.conv_norm, self.ffn_norm = _Norm(block.conv_norm, dtype), _Norm(block.ffn_norm, dtype)
        self.attention_norm = None if block.attention_norm is None else _Norm(block.attention_norm, dtype)
        self.conv = packed_convolution(block.conv, dtype)
        self.up = packed_linear(block.up.weight, block.up.bias, dtype, gelu=True)
        self.down = packed_linear(block.down.weight, block.down.bias, dtype)
        self.attention = _FusedAttention(block.attention, dtype) if block.attention is not None else None

    def __call__(self, x: Tensor, more: Tensor, pack: Pack) -> Tensor:
        """Take what is to be added to the stream, give what is to be added next."""
        more = _rows(self.conv(_image(self.conv_norm(x, more, pack.keep))))
        if self.attention is not None and self.attention_norm is not None:
            more = self.attention(self.attention_norm(x, more, pack.keep), pack)
        return self.down(self.up(self.ffn_norm(x, more, pack.keep)))


class FusedTrunk:
    """Encoder and head on a CPU, in fp32 or bf16.

    It holds copies of the weights: build it anew after they change.
    """

    def __init__(self, encoder: EmbeddedEncoder, head: BaseHead, dtype: torch.dtype = torch.float32) -> None:
        self.config, self.dtype = encoder.config, dtype
        config = encoder.config
        self.gap = self._gap(encoder)
        self.stem_in = packed_convolution(encoder.stem_in, dtype, gelu=True)
        self.stem_mix = packed_convolution(encoder.stem_mix, dtype, gelu=True)
        patch = encoder.patch.weight.detach()  # (D, S, patch) -> (D, patch * S): bases before channels
        self.patch = packed_linear(patch.transpose(1, 2).reshape(config.dim, -1), encoder.patch.bias, dtype)
        self.blocks = [_FusedBlock(block, dtype) for block in encoder.blocks if isinstance(block, Block)]
        self.norm = _Norm(encoder.norm, dtype)
        self.expand = packed_linear(encoder.expand.weight, encoder.expand.bias, dtype)
        self.skip = packed_linear(encoder.skip.weight[:, :, 0], encoder.skip.bias, dtype)
        self.base_mix = packed_convolution(encoder.base_mix, dtype, gelu=True)
        self.project = packed_linear(head.project.weight[:, :, 0], head.project.bias, dtype)
        self._sines = self._tables(PACK)

    @staticmethod
    def _gap(encoder: EmbeddedEncoder) -> int:
        """Patches between windows, so that no convolution reaches from one into the next."""
        bases = max(conv.kernel_size[0] // 2 for conv in (encoder.stem_in, encoder.stem_mix, encoder.base_mix))
        return max(encoder.config.kernel // 2, -(-bases // encoder.config.patch))

    def _tables(self, places: int) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
        cosine, sine = rotary_angles(places, self.config.dim // self.config.heads, device=torch.device("cpu"))
        return cosine.numpy(), sine.numpy()

    def __call__(self, codes: npt.NDArray[np.uint8]) -> BaseScores:
        """Scores of one window (L,); see `read`."""
        return next(self.read([codes]))

    def read(self, windows: Sequence[npt.NDArray[np.uint8]]) -> Iterator[BaseScores]:
        """Scores of windows, in their order, read in packs of neighbours.

        Args:
            windows: (L,) base codes without padding.

        Yields:
            `BaseScores` of a batch of one; its tensors are channels-last views.
        """
        together: list[npt.NDArray[np.uint8]] = []
        used = 0
        for codes in windows:
            places = -(-len(codes) // self.config.patch)
            if together and used + self.gap + places > PACK:
                yield from self._read(together)
                together, used = [], 0
            used += places + (self.gap if together else 0)
            together.append(codes)
        if together:
            yield from self._read(together)

    def _lay_out(self, windows: Sequence[npt.NDArray[np.uint8]]) -> tuple[Pack, Tensor]:
        """Places of the windows of one pack, and their bases one-hot (M * patch, 4)."""
        patch = self.config.patch
        places = [-(-len(codes) // patch) for codes in windows]
        first = np.cumsum([0, *(n + self.gap for n in places[:-1])]).tolist()
        rows = padded_length(first[-1] + places[-1], least=128)
        if max(places) > len(self._sines[0]):
            self._sines = self._tables(padded_length(max(places)))
        keep, keep_base = np.zeros(rows, dtype=np.bool_), np.zeros(rows * patch, dtype=np.bool_)
        one_hot = torch.zeros(rows * patch, 4, dtype=self.dtype)
        for start, n, codes in zip(first, places, windows, strict=True):
            keep[start : start + n] = True
            keep_base[start * patch : start * patch + len(codes)] = True
            known = np.flatnonzero(codes < 4)
            one_hot[torch.from_numpy(start * patch + known), torch.from_numpy(codes[known].astype(np.int64))] = 1.0
        return Pack(tuple(first), tuple(places), keep, keep_base, *self._sines), one_hot

    @torch.inference_mode()
    def _read(self, windows: Sequence[npt.NDArray[np.uint8]]) -> list[BaseScores]:
        config, (pack, one_hot) = self.config, self._lay_out(windows)
        stem = _rows(self.stem_in(_image(one_hot)))
        clear(plain(stem), pack.keep_base)
        add_kept(plain(stem), plain(_rows(self.stem_mix(_image(stem)))), pack.keep_base)
        more = self.patch(stem.reshape(len(pack.keep), -1))
        x = torch.zeros(more.shape)
        for block in self.blocks:
            more = block(x, more, pack)
        features = self.expand(self.norm(x, more, pack.keep)).view(-1, config.channels)
        gelu_of_sum(plain(features), plain(self.skip(stem)), pack.keep_base)
        add_kept(plain(features), plain(_rows(self.base_mix(_image(features)))), pack.keep_base)
        logits = self.project(features)
        found = []
        for start, codes in zip(pack.first, windows, strict=True):
            own = slice(start * config.patch, start * config.patch + len(codes))
            scores = logits[own].float().t()[None]
            found.append(BaseScores(features[own].t()[None], scores[:, :N_SITES], scores[:, N_SITES:]))
        return found
