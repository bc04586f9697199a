"""A pretrained encoder over tokens, seen as an encoder of bases.

In: base codes (B, L), PAD_CODE at the right. Out: per-base features (B, C, L), like the embedded encoder.
Dims: B windows, L bases, T tokens of the longest window, S segments, N tokens of a segment, H hidden size.
A surprise: a window is tokenised as a whole and then cut, so every token means the same in each segment that holds it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from transgenic_tools.lattice.vocabulary import PAD_CODE
from transgenic_tools.model.encoders.kmer import Tokenizer, cut_segments, tokenize
from transgenic_tools.model.mappings import BaseMapping


class Backbone(Protocol):
    """What a pretrained network must offer."""

    width: int

    def __call__(self, ids: Tensor, valid: Tensor) -> Tensor:
        """Token ids (S, N) and their mask -> hidden (S, N, H)."""


@dataclass(frozen=True)
class Encoded:
    """Token encodings of some windows.

    Attributes:
        hidden: (B, T, H), 0 beyond a window's tokens.
        counts: (B,) tokens of each window.
        token_of_base, offset_of_base: (B, L), 0 at padding.
    """

    hidden: Tensor
    counts: tuple[int, ...]
    token_of_base: Tensor
    offset_of_base: Tensor


class TokenEncoder(nn.Module):
    """Backbone and mapping; see the module docstring."""

    def __init__(
        self,
        backbone: nn.Module,
        mapping: BaseMapping,
        tokenizer: Tokenizer,
        *,
        segment_tokens: int,
        overlap_tokens: int,
        segments_per_batch: int,
    ) -> None:
        super().__init__()
        self.backbone, self.mapping, self.tokenizer = backbone, mapping, tokenizer
        self.segment_tokens, self.overlap_tokens = segment_tokens, overlap_tokens
        self.segments_per_batch = segments_per_batch
        #: Stored token encodings (T, H) of a window by its codes, None where it has to be computed.
        self.look_up: Callable[[np.ndarray], Tensor | None] | None = None

    @property
    def channels(self) -> int:
        return self.mapping.channels

    @property
    def width(self) -> int:
        """Values of one token's encoding."""
        return int(self.backbone.width)  # type: ignore[arg-type]

    def token_maps(self, codes: Tensor) -> tuple[list[np.ndarray], Tensor, Tensor]:
        """Token ids of each window, and the two maps (B, L)."""
        rows = codes.cpu().numpy()
        ids = []
        maps = np.zeros((2, *rows.shape), dtype=np.int64)
        for row, own in enumerate(rows):
            size = int((own != PAD_CODE).sum())
            tokens = tokenize(own[:size], self.tokenizer)
            ids.append(tokens.ids)
            maps[0, row, :size], maps[1, row, :size] = tokens.token_of_base, tokens.offset_of_base
        token_of_base, offset_of_base = torch.from_numpy(maps).to(codes.device)
        return ids, token_of_base, offset_of_base

    def encode(self, codes: Tensor) -> Encoded:
        """Token encodings, segment by segment."""
        ids, token_of_base, offset_of_base = self.token_maps(codes)
        special = 0 if self.tokenizer.class_id is None else 1
        size = self.segment_tokens - special
        stored = self._stored(codes)
        pieces = [
            (row, s)
            for row, own in enumerate(ids)
            if row not in stored
            for s in cut_segments(len(own), size=size, overlap=self.overlap_tokens)
        ]
        kept: list[list[Tensor]] = [[] for _ in ids]
        for first in range(0, len(pieces), self.segments_per_batch):
            group = pieces[first : first + self.segments_per_batch]
            hidden = self._segments([ids[row][s.start : s.end] for row, s in group], codes.device)
            for (row, s), own in zip(group, hidden, strict=True):
                kept[row].append(own[special + s.keep_start - s.start : special + s.keep_end - s.start])
        empty = torch.zeros(0, self.width, device=codes.device)
        joined = [stored.get(row, torch.cat(parts) if parts else empty) for row, parts in enumerate(kept)]
        return Encoded(pad_sequence(joined, batch_first=True), tuple(map(len, ids)), token_of_base, offset_of_base)

    def _stored(self, codes: Tensor) -> dict[int, Tensor]:
        """Encodings of the rows that the store has."""
        if self.look_up is None:
            return {}
        rows = codes.cpu().numpy()
        found = {row: self.look_up(own[own != PAD_CODE]) for row, own in enumerate(rows)}
        return {row: hidden.to(codes.device) for row, hidden in found.items() if hidden is not None}

    def _segments(self, ids: list[np.ndarray], device: torch.device) -> Tensor:
        """(S, N, H) of some segments, class token first where the model has one."""
        special = 0 if self.tokenizer.class_id is None else 1
        longest = max(map(len, ids)) + special
        table = np.full((len(ids), longest), self.tokenizer.pad_id, dtype=np.int64)
        valid = np.zeros((len(ids), longest), dtype=bool)
        for row, own in enumerate(ids):
            table[row, special : special + len(own)] = own
            valid[row, : special + len(own)] = True
        if self.tokenizer.class_id is not None:
            table[:, 0] = self.tokenizer.class_id
        return self.backbone(torch.from_numpy(table).to(device), torch.from_numpy(valid).to(device))

    def map_hidden(self, encoded: Encoded, codes: Tensor) -> Tensor:
        """Per-base features from token encodings, computed now or stored."""
        return self.mapping(encoded.hidden, encoded.token_of_base, encoded.offset_of_base, codes)

    def forward(self, codes: Tensor) -> Tensor:
        return self.map_hidden(self.encode(codes), codes)
