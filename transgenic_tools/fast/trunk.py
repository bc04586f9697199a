"""The embedded encoder and the head, computed fast on a CPU.

In: a trained `EmbeddedEncoder` and `BaseHead`. Out: the same `BaseScores` to rounding, several times as fast.
Dims: M patches of a pack, P patches of a window, L bases, D patch channels, C base channels.
A surprise: short windows are read together, one behind the other in a pack with zeros between them that no convolution
reaches across; see `fused_layers`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from transgenic_tools.fast.fused_layers import FusedLayer, Norm, image, packed_convolution, packed_linear, rows_of
from transgenic_tools.fast.numbers import plain
from transgenic_tools.fast.pack import Flags, Pack, Rotary, filling, lay_out, neighbours
from transgenic_tools.fast.reading import add_kept, clear, gelu_of_sum
from transgenic_tools.lattice.vocabulary import N_SITES
from transgenic_tools.model.encoders.embedded import Block, EmbeddedEncoder
from transgenic_tools.model.head import BaseHead, BaseScores

#: Patches of a pack; a longer window is read alone.
PACK = 1024


class FusedBlock:
    """Convolution and a layer."""

    def __init__(self, block: Block, dtype: torch.dtype) -> None:
        self.norm, self.conv = Norm(block.conv_norm, dtype), packed_convolution(block.conv, dtype)
        self.layer = FusedLayer(block, dtype)

    def __call__(self, x: Tensor, more: Tensor, pack: Pack) -> Tensor:
        """As `FusedLayer`."""
        return self.layer(x, rows_of(self.conv(image(self.norm(x, more, pack.keep)))), pack)


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
        self.blocks = [FusedBlock(block, dtype) for block in encoder.blocks if isinstance(block, Block)]
        self.norm = Norm(encoder.norm, dtype)
        self.expand = packed_linear(encoder.expand.weight, encoder.expand.bias, dtype)
        self.skip = packed_linear(encoder.skip.weight[:, :, 0], encoder.skip.bias, dtype)
        self.base_mix = packed_convolution(encoder.base_mix, dtype, gelu=True)
        self.project = packed_linear(head.project.weight[:, :, 0], head.project.bias, dtype)
        self.rotary = Rotary(config.dim // config.heads)

    @staticmethod
    def _gap(encoder: EmbeddedEncoder) -> int:
        """Patches between windows, so that no convolution reaches from one into the next."""
        bases = max(conv.kernel_size[0] // 2 for conv in (encoder.stem_in, encoder.stem_mix, encoder.base_mix))
        return max(encoder.config.kernel // 2, -(-bases // encoder.config.patch))

    def __call__(self, codes: npt.NDArray[np.uint8]) -> BaseScores:
        """Scores of one window (L,); see `read`."""
        return next(self.read([codes]))

    def order(self, windows: Sequence[npt.NDArray[np.uint8]]) -> list[int]:
        """See `search.twins.Trunk`."""
        places = [-(-len(codes) // self.config.patch) for codes in windows]
        return filling(places, most=PACK, gap=self.gap)

    def read(self, windows: Sequence[npt.NDArray[np.uint8]]) -> Iterator[BaseScores]:
        """Scores of windows, in their order, read in packs of neighbours.

        Args:
            windows: (L,) base codes without padding.

        Yields:
            `BaseScores` of a batch of one; its tensors are channels-last views.
        """
        patch = self.config.patch
        places = [-(-len(codes) // patch) for codes in windows]
        for some in neighbours(places, most=PACK, gap=self.gap):
            yield from self._read(windows[some], lay_out(places[some], self.rotary, gap=self.gap))

    @torch.inference_mode()
    def _read(self, windows: Sequence[npt.NDArray[np.uint8]], pack: Pack) -> list[BaseScores]:
        config = self.config
        one_hot, keep = one_hot_bases(windows, pack, config.patch, self.dtype)
        stem = rows_of(self.stem_in(image(one_hot)))
        clear(plain(stem), keep)
        add_kept(plain(stem), plain(rows_of(self.stem_mix(image(stem)))), keep)
        more = self.patch(stem.reshape(len(pack.keep), -1))
        x = torch.zeros(more.shape)
        for block in self.blocks:
            more = block(x, more, pack)
        features = self.expand(self.norm(x, more, pack.keep)).view(-1, config.channels)
        gelu_of_sum(plain(features), plain(self.skip(stem)), keep)
        add_kept(plain(features), plain(rows_of(self.base_mix(image(features)))), keep)
        return scores_of_windows(features, self.project(features), windows, pack, config.patch)


def one_hot_bases(
    windows: Sequence[npt.NDArray[np.uint8]], pack: Pack, patch: int, dtype: torch.dtype
) -> tuple[Tensor, Flags]:
    """The bases of a pack one-hot (M * patch, 4), and which of them belong to a window (M * patch,)."""
    keep = np.zeros(len(pack.keep) * patch, dtype=np.bool_)
    one_hot = torch.zeros(len(keep), 4, dtype=dtype)
    for start, codes in zip(pack.first, windows, strict=True):
        keep[start * patch : start * patch + len(codes)] = True
        known = np.flatnonzero(codes < 4)
        one_hot[torch.from_numpy(start * patch + known), torch.from_numpy(codes[known].astype(np.int64))] = 1.0
    return one_hot, keep


def scores_of_windows(
    features: Tensor, logits: Tensor, windows: Sequence[npt.NDArray[np.uint8]], pack: Pack, patch: int
) -> list[BaseScores]:
    """What was computed for the bases of a pack (M * patch, C), window by window."""
    found = []
    for start, codes in zip(pack.first, windows, strict=True):
        own = slice(start * patch, start * patch + len(codes))
        scores = logits[own].float().t()[None]
        found.append(BaseScores(features[own].t()[None], scores[:, :N_SITES], scores[:, N_SITES:]))
    return found
