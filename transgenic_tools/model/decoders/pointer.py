"""The pointing decoder: a transformer whose steps choose the next state of the graph of valid transcripts.

In: graphs of windows with the trunk's features at their sites, and the states visited so far (all transcripts of the
gene, one after another). Out: log-probabilities of the edges that leave the current state, and after END the logit of
"one more transcript".
Dims: G genes, S sites of a gene, N states and M edges of all genes, R rows (hypotheses), T steps, D channels.

A surprise: the graph's exact conditional probability is the starting point of every step; the transformer learns a
correction to it. Untrained, the decoder samples from the semi-Markov model.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from transgenic_tools.lattice.grammar import N_KINDS
from transgenic_tools.lattice.scoring import PAIR_FEATURES
from transgenic_tools.lattice.vocabulary import N_SITES
from transgenic_tools.model.attention import band_attention, rotary_angles, rotate
from transgenic_tools.model.config import PointerDecoderConfig

MAX_ORDINAL = 7


def table_of(tensor: Tensor) -> npt.NDArray[np.float32]:
    """A tensor as an array of its own, for what is computed outside of torch."""
    return np.ascontiguousarray(tensor.detach().float().cpu().numpy())


class Attention(nn.Module):
    """Self-attention with rotary positions, whole or one step with a cache."""

    def __init__(self, dim: int, heads: int, band: int) -> None:
        super().__init__()
        self.heads, self.band = heads, band
        self.qkv = nn.Linear(dim, 3 * dim, bias=False)
        self.out = nn.Linear(dim, dim, bias=False)

    def project(self, x: Tensor) -> Tensor:
        """(R, T, D) -> (3, R, H, T, D / H)."""
        rows, steps, dim = x.shape
        return self.qkv(x).view(rows, steps, 3, self.heads, dim // self.heads).permute(2, 0, 3, 1, 4)

    def forward(self, x: Tensor, rotary: tuple[Tensor, Tensor], valid: Tensor | None, causal: bool = False) -> Tensor:
        q, k, v = self.project(x)
        q, k = rotate(q, *rotary), rotate(k, *rotary)
        mixed = band_attention(q, k, v, self.band, valid=valid, causal=causal)
        return self.out(mixed.transpose(1, 2).flatten(2))

    def step(self, x: Tensor, rotary: tuple[Tensor, Tensor], keys: Tensor, values: Tensor, at: Tensor) -> Tensor:
        """A new step of every row: x (R, 1, D); keys and values (R, H, Tmax, D / H) are written at index `at` (R,)."""
        q, k, v = self.project(x)
        q, k = rotate(q, *rotary), rotate(k, *rotary)
        rows = torch.arange(len(at), device=x.device)
        keys[rows, :, at], values[rows, :, at] = k[:, :, 0], v[:, :, 0]
        scores = (q @ keys.transpose(-1, -2)) * (q.shape[-1] ** -0.5)
        place = torch.arange(keys.shape[2], device=x.device)[None]
        hidden = (place > at[:, None]) | (place < at[:, None] - self.band)
        mixed = scores.masked_fill(hidden[:, None, None], -torch.inf).softmax(-1) @ values
        return self.out(mixed.transpose(1, 2).flatten(2))


class Layer(nn.Module):
    """Pre-norm transformer layer."""

    def __init__(self, config: PointerDecoderConfig) -> None:
        super().__init__()
        self.attention = Attention(config.dim, config.heads, config.band)
        self.attention_norm = nn.RMSNorm(config.dim)
        self.ffn_norm = nn.RMSNorm(config.dim)
        self.up = nn.Linear(config.dim, config.expansion * config.dim)
        self.down = nn.Linear(config.expansion * config.dim, config.dim)
        self.dropout = nn.Dropout(config.dropout)

    def _ffn(self, x: Tensor) -> Tensor:
        return x + self.dropout(self.down(F.gelu(self.up(self.ffn_norm(x)))))

    def forward(self, x: Tensor, rotary: tuple[Tensor, Tensor], valid: Tensor | None, causal: bool = False) -> Tensor:
        return self._ffn(x + self.dropout(self.attention(self.attention_norm(x), rotary, valid, causal)))

    def step(self, x: Tensor, rotary: tuple[Tensor, Tensor], keys: Tensor, values: Tensor, at: Tensor) -> Tensor:
        return self._ffn(x + self.attention.step(self.attention_norm(x), rotary, keys, values, at))


class PointerDecoder(nn.Module):
    """See the module docstring."""

    def __init__(self, config: PointerDecoderConfig, channels: int) -> None:
        super().__init__()
        self.config = config
        dim = config.dim
        self.site_in = nn.Linear(channels, dim)
        self.site_type = nn.Embedding(N_SITES, dim)
        self.site_logit = nn.Linear(1, dim)
        self.site_layers = nn.ModuleList(Layer(config) for _ in range(config.node_layers))
        self.kind = nn.Embedding(N_KINDS, dim)
        self.ordinal = nn.Embedding(MAX_ORDINAL + 1, dim)
        self.layers = nn.ModuleList(Layer(config) for _ in range(config.layers))
        self.norm = nn.RMSNorm(dim)
        self.query = nn.Linear(dim, dim, bias=False)
        self.key = nn.Linear(dim, dim, bias=False)
        self.pair_in = nn.Linear(PAIR_FEATURES, 48)
        self.pair_out = nn.Linear(48, 1, bias=False)
        self.base_scale = nn.Parameter(torch.ones(()))
        self.more = nn.Linear(dim, 1)
        self.dropout = nn.Dropout(config.dropout)
        for layer in (self.query, self.pair_out, self.more):
            nn.init.zeros_(layer.weight)
        for embedding in (self.site_type, self.kind, self.ordinal):
            nn.init.normal_(embedding.weight, std=0.3)

    def rotary(self, steps: int, device: torch.device) -> tuple[Tensor, Tensor]:
        """Angles for `steps` positions."""
        return rotary_angles(steps, self.config.dim // self.config.heads, device=device)

    def encode_sites(self, features: Tensor, site_type: Tensor, logit: Tensor, valid: Tensor) -> Tensor:
        """Embeddings of the candidate sites.

        Args:
            features: (G, S, C).
            site_type: (G, S) integers.
            logit: (G, S).
            valid: (G, S) bool, False at padding.

        Returns:
            (G, S, D).
        """
        x = self.site_in(self.dropout(features)) + self.site_type(site_type) + self.site_logit(logit[..., None] / 5)
        rotary = self.rotary(x.shape[1], x.device)
        for layer in self.site_layers:
            x = layer(x, rotary, valid)
        return x

    def embed_states(self, sites: Tensor, site_of_state: Tensor, kind: Tensor) -> Tensor:
        """(N, D) from flat site embeddings (S, D); site -1 (BEGIN, END) has none."""
        of_site = torch.where(
            (site_of_state >= 0)[:, None], sites[site_of_state.clamp(min=0)], torch.zeros((), device=sites.device)
        )
        return of_site + self.kind(kind)

    def token(self, states: Tensor, ordinal: Tensor) -> Tensor:
        """Decoder input of visited states: state embedding and which transcript it belongs to."""
        return states + self.ordinal(ordinal.clamp(max=MAX_ORDINAL))

    def forward(self, tokens: Tensor, sites: Tensor | None = None, valid: Tensor | None = None) -> Tensor:
        """(G, T, D) tokens -> (G, T, D) hidden, causal. Seq2seq decoders read `sites` and their mask, this one not."""
        rotary = self.rotary(tokens.shape[1], tokens.device)
        x = tokens
        for layer in self.layers:
            x = layer(x, rotary, None, causal=True)
        return self.norm(x)

    def start(
        self, tokens: Tensor, lengths: Tensor, *, beams: int, sites: Tensor, valid: Tensor, room: int = 64
    ) -> DecoderState:
        """State of a search whose rows have visited some states already.

        Args:
            tokens: (G, T, D), padded at the right.
            lengths: (G,) tokens of each gene.
            beams: Rows of each gene; row r belongs to gene r // beams.
            sites, valid: (G, S, D) and (G, S).
            room: Steps to make room for at first.
        """
        return PointerState(self, tokens, lengths, beams=beams, room=room)

    def edge_logits(self, hidden: Tensor, keys: Tensor, base: Tensor, pair: Tensor) -> Tensor:
        """Unnormalised score of edges.

        Args:
            hidden: (E, D) hidden state of the step that each edge belongs to.
            keys: (E, D) `self.key` of the state that it enters.
            base: (E,) conditional log-probability in the graph.
            pair: (E, PAIR_FEATURES), see `lattice.scoring`.
        """
        pointed = (self.query(hidden) * keys).sum(-1) * (hidden.shape[-1] ** -0.5)
        return self.base_scale * base + pointed + self.pair_out(F.gelu(self.pair_in(pair)))[:, 0]

    def more_logit(self, hidden: Tensor) -> Tensor:
        """Logit of one more transcript after END. (..., D) -> (...)."""
        return self.more(hidden)[..., 0]


class DecoderState(Protocol):
    """Running state of a search.

    Attributes:
        hidden: (G, D) hidden state of each gene's last token at the start.
    """

    hidden: Tensor

    def step(self, x: Tensor, at: Tensor) -> Tensor:
        """Hidden states (R, D) after the tokens x (R, D) at index `at` (R,) of each row."""

    def reorder(self, parents: Tensor) -> None:
        """Row r goes on from row `parents[r]`."""


class PointerState:
    """Keys and values of all layers, (R, H, Tmax, D / H)."""

    def __init__(self, decoder: PointerDecoder, tokens: Tensor, lengths: Tensor, *, beams: int, room: int) -> None:
        self.decoder, config = decoder, decoder.config
        self.layers = [layer for layer in decoder.layers if isinstance(layer, Layer)]
        self.head = config.dim // config.heads
        self.caches: list[tuple[Tensor, Tensor]] = []
        slots, longest = tokens.shape[:2]
        rotary = rotary_angles(longest, self.head, device=tokens.device)
        x = tokens
        for layer in self.layers:
            _, k, v = layer.attention.project(layer.attention_norm(x))
            keys = torch.zeros(slots, config.heads, int(lengths.max()) + room, self.head, device=tokens.device)
            values = torch.zeros_like(keys)
            keys[:, :, :longest], values[:, :, :longest] = rotate(k, *rotary), v
            self.caches.append((keys.repeat_interleave(beams, 0), values.repeat_interleave(beams, 0)))
            x = layer(x, rotary, None, causal=True)
        self.hidden = decoder.norm(x)[torch.arange(slots, device=x.device), (lengths - 1).clamp(min=0)]

    def step(self, x: Tensor, at: Tensor) -> Tensor:
        needed = int(at.max()) + 1
        if self.caches and needed > self.caches[0][0].shape[2]:
            self.caches = [(_grow(k, 128), _grow(v, 128)) for k, v in self.caches]
        cosine, sine = rotary_angles(needed, self.head, device=x.device)
        rotary = (cosine[at][:, None, None], sine[at][:, None, None])
        x = x[:, None]
        for layer, (keys, values) in zip(self.layers, self.caches, strict=True):
            x = layer.step(x, rotary, keys, values, at)
        return self.decoder.norm(x[:, 0])

    def reorder(self, parents: Tensor) -> None:
        moved = torch.nonzero(parents != torch.arange(len(parents), device=parents.device))[:, 0]
        if len(moved):
            source = parents[moved]
            for keys, values in self.caches:
                keys[moved], values[moved] = keys[source], values[source]


def _grow(cache: Tensor, more: int) -> Tensor:
    return torch.cat([cache, torch.zeros(*cache.shape[:2], more, cache.shape[3], device=cache.device)], dim=2)


def segment_log_softmax(logits: Tensor, segment: Tensor, n_segments: int) -> Tensor:
    """Log-softmax within segments. `segment` (E,) is sorted or not; shape (E,)."""
    peak = torch.full((n_segments,), -torch.inf, device=logits.device, dtype=logits.dtype)
    peak = peak.scatter_reduce(0, segment, logits.detach(), "amax")
    shifted = logits - peak[segment]
    total = torch.zeros(n_segments, device=logits.device, dtype=logits.dtype).scatter_add(0, segment, shifted.exp())
    return shifted - total.log()[segment]
