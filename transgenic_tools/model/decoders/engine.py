"""How the search computes a decoder: with packed weights on a CPU, or with torch on any device.

In: a decoder. Out: an `Engine`: embeddings of a gene's sites and states, and a running state of rows.
Dims: G genes, R rows, S sites, N states, T steps, D channels.
A surprise: the packed engine is taken for the pointing decoder on a CPU alone; LED and T5 always go through torch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from transgenic_tools.model.decoders.packed import PackedDecoder
from transgenic_tools.model.decoders.pointer import DecoderState, PointerDecoder, SiteGraph

Ints = npt.NDArray[np.int64]
Singles = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Embedded:
    """One gene as the decoder sees it: `sites` (S, D), `states` (N, D) and the states' `keys` (N, D)."""

    sites: Tensor
    states: Tensor
    keys: Singles


class EngineState(Protocol):
    """Running state of a round.

    Attributes:
        hidden: (G, D) hidden state of each gene's last token at the start.
    """

    hidden: Tensor

    def step(self, x: Tensor, at: Ints, live: npt.NDArray[np.bool_]) -> Tensor:
        """Hidden states (R, D) after the tokens x (R, D) at index `at` (R,) of each row."""

    def reorder(self, parents: Ints) -> None:
        """Row r goes on from row `parents[r]`."""


class Engine:
    """A decoder computed with torch."""

    def __init__(self, decoder: PointerDecoder) -> None:
        self.decoder, self.device = decoder, decoder.base_scale.device
        self.scale = decoder.config.dim**-0.5

    def tensor(self, array: npt.NDArray[np.generic]) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(array)).to(self.device)

    def _sites(self, sites: SiteGraph) -> Tensor:
        features, site_type, logit = (self.tensor(a)[None] for a in (sites.features, sites.site_type, sites.site_logit))
        valid = torch.ones(site_type.shape, dtype=torch.bool, device=self.device)
        return self.decoder.encode_sites(features, site_type, logit, valid)[0]

    def embed(self, sites: SiteGraph) -> Embedded:
        """Encode the sites of one gene; its neighbours do not matter."""
        own = self._sites(sites)
        states = self.decoder.embed_states(own, self.tensor(sites.site_of_state), self.tensor(sites.graph.kind))
        return Embedded(own, states, self.decoder.key(states).float().cpu().numpy())

    def join(self, embedded: Sequence[Embedded]) -> Tensor:
        """States of all genes, (N, D)."""
        return torch.cat([e.states for e in embedded])

    def token(self, states: Tensor, index: Ints, ordinal: Ints) -> Tensor:
        """Decoder input of visited states, (R, D)."""
        return self.decoder.token(states[self.tensor(index)], self.tensor(ordinal))

    def tokens(self, gene: Embedded, states: Ints, ordinals: Ints) -> Tensor:
        """What a gene has written so far, (T, D)."""
        return self.token(gene.states, states, ordinals)

    def query(self, hidden: Tensor) -> Singles:
        """(R, D), scaled."""
        return (self.decoder.query(hidden) * self.scale).float().cpu().numpy()

    def start(self, embedded: Sequence[Embedded], tokens: Sequence[Tensor], *, rows: int, beams: int) -> EngineState:
        """State after the tokens of each gene; `rows` is a constant, so free slots are padded."""
        slots, dim = rows // beams, self.decoder.config.dim
        lengths = torch.zeros(slots, dtype=torch.int64, device=self.device)
        x = torch.zeros(slots, max(1, *(len(t) for t in tokens)), dim, device=self.device)
        most = max(len(e.sites) for e in embedded)
        sites = torch.zeros(slots, most, dim, device=self.device)
        valid = torch.zeros(slots, most, dtype=torch.bool, device=self.device)
        for slot, (own, gene) in enumerate(zip(tokens, embedded, strict=True)):
            lengths[slot], x[slot, : len(own)] = len(own), own
            sites[slot, : len(gene.sites)], valid[slot, : len(gene.sites)] = gene.sites, True
        return _TorchState(self, self.decoder.start(x, lengths, beams=beams, sites=sites, valid=valid))


class _TorchState:
    """A `DecoderState` that is told rows by numpy."""

    def __init__(self, engine: Engine, state: DecoderState) -> None:
        self.engine, self.state, self.hidden = engine, state, state.hidden

    def step(self, x: Tensor, at: Ints, live: npt.NDArray[np.bool_]) -> Tensor:
        return self.state.step(x, self.engine.tensor(at))

    def reorder(self, parents: Ints) -> None:
        self.state.reorder(self.engine.tensor(parents))


class PackedEngine(Engine):
    """The pointing decoder on a CPU."""

    def __init__(self, decoder: PointerDecoder) -> None:
        super().__init__(decoder)
        self.packed = PackedDecoder(decoder)

    def _sites(self, sites: SiteGraph) -> Tensor:
        features, site_type, logit = (self.tensor(a) for a in (sites.features, sites.site_type, sites.site_logit))
        return self.packed.encode_sites(features, site_type, logit)

    def start(self, embedded: Sequence[Embedded], tokens: Sequence[Tensor], *, rows: int, beams: int) -> EngineState:
        return self.packed.start(list(tokens), rows=rows, beams=beams)


def build_engine(decoder: PointerDecoder) -> Engine:
    """The fastest engine that computes this decoder."""
    weight = decoder.query.weight
    packable = type(decoder) is PointerDecoder and weight.device.type == "cpu" and weight.dtype == torch.float32
    return PackedEngine(decoder) if packable else Engine(decoder)
