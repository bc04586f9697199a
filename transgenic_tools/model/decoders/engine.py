"""How the search computes a decoder: compiled on a CPU, or with torch on any device.

In: a decoder. Out: an `Engine`: embeddings of a gene's sites and states, and a running state of rows.
Dims: G genes, K beams, R = G * K rows, S sites, N states, T steps, D channels.
A surprise: the compiled engine is taken for the pointing decoder on a CPU alone; LED and T5 always go through torch,
where free slots are padded, so that a row's numbers do not depend on how many there are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from transgenic_tools.model.decoders.packed import PackedDecoder, PackedState
from transgenic_tools.model.decoders.pointer import PointerDecoder, SiteGraph

Ints = npt.NDArray[np.int64]
Singles = npt.NDArray[np.float32]
Floats = npt.NDArray[np.float64]
#: States and ordinals that a gene has visited so far, (T,) each.
Prefix = tuple[Ints, Ints]


@dataclass(frozen=True)
class Embedded:
    """One gene as the decoder sees it: `sites` (S, D), `states` (N, D) and the states' `keys` (N, D)."""

    sites: Tensor
    states: Tensor
    keys: Singles


class EngineState(Protocol):
    """Running state of a round."""

    def more(self) -> Floats:
        """Probability (G,) of one more transcript after what each gene has written at the start."""

    def step(self, states: Ints, ordinal: Ints, at: Ints, live: npt.NDArray[np.bool_]) -> Singles:
        """Scaled queries (R, D) after every live row visits `states` (R,), its step number `at` (R,)."""

    def reorder(self, parents: Ints) -> None:
        """Row r goes on from row `parents[r]` of the same gene."""


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

    def begin(self, embedded: Sequence[Embedded], prefixes: Sequence[Prefix], *, slots: int, beams: int) -> EngineState:
        """State after what each gene has visited; `slots` is the constant number of genes of a round."""
        return _TorchState(self, embedded, prefixes, slots=slots, beams=beams)


class _TorchState:
    """A `DecoderState` that is told rows by numpy."""

    def __init__(
        self, engine: Engine, embedded: Sequence[Embedded], prefixes: Sequence[Prefix], *, slots: int, beams: int
    ) -> None:
        self.engine, decoder, device = engine, engine.decoder, engine.device
        dim = decoder.config.dim
        self.states = torch.cat([e.states for e in embedded])
        lengths = torch.zeros(slots, dtype=torch.int64, device=device)
        x = torch.zeros(slots, max(1, *(len(states) for states, _ in prefixes)), dim, device=device)
        most = max(len(e.sites) for e in embedded)
        sites = torch.zeros(slots, most, dim, device=device)
        valid = torch.zeros(slots, most, dtype=torch.bool, device=device)
        for slot, ((states, ordinals), gene) in enumerate(zip(prefixes, embedded, strict=True)):
            lengths[slot] = len(states)
            if len(states):
                x[slot, : len(states)] = decoder.token(gene.states[engine.tensor(states)], engine.tensor(ordinals))
            sites[slot, : len(gene.sites)], valid[slot, : len(gene.sites)] = gene.sites, True
        self.state = decoder.start(x, lengths, beams=beams, sites=sites, valid=valid)

    def more(self) -> Floats:
        return torch.sigmoid(self.engine.decoder.more_logit(self.state.hidden)).double().cpu().numpy()

    def step(self, states: Ints, ordinal: Ints, at: Ints, live: npt.NDArray[np.bool_]) -> Singles:
        engine = self.engine
        x = engine.decoder.token(self.states[engine.tensor(states)], engine.tensor(ordinal))
        hidden = self.state.step(x, engine.tensor(at))
        return (engine.decoder.query(hidden) * engine.scale).float().cpu().numpy()

    def reorder(self, parents: Ints) -> None:
        self.state.reorder(self.engine.tensor(parents))


class PackedEngine(Engine):
    """The pointing decoder on a CPU."""

    def __init__(self, decoder: PointerDecoder, dtype: torch.dtype) -> None:
        super().__init__(decoder)
        self.packed = PackedDecoder(decoder, dtype)

    def _sites(self, sites: SiteGraph) -> Tensor:
        features, site_type, logit = (self.tensor(a) for a in (sites.features, sites.site_type, sites.site_logit))
        return self.packed.encode_sites(features, site_type, logit)

    def begin(self, embedded: Sequence[Embedded], prefixes: Sequence[Prefix], *, slots: int, beams: int) -> EngineState:
        return _PackedRows(self, embedded, prefixes, beams=beams)


class _PackedRows:
    """A `PackedState` of which live rows alone are computed."""

    def __init__(
        self, engine: PackedEngine, embedded: Sequence[Embedded], prefixes: Sequence[Prefix], *, beams: int
    ) -> None:
        self.engine, packed = engine, engine.packed
        own = [gene.states.numpy() for gene in embedded]
        # Through L layers a step sees no more than L bands back, and positions are relative.
        reach = max(1, len(packed.layers)) * packed.config.band
        tokens = [
            packed.token(states[visited[-reach:]], ordinals[-reach:])
            for states, (visited, ordinals) in zip(own, prefixes, strict=True)
        ]
        self.skipped = np.repeat([max(0, len(visited) - reach) for visited, _ in prefixes], beams)
        self.states = own[0] if len(own) == 1 else np.concatenate(own)
        self.state: PackedState = packed.start(tokens, beams=beams)

    def more(self) -> Floats:
        logit = self.engine.decoder.more_logit(torch.from_numpy(self.state.hidden))
        return torch.sigmoid(logit).double().numpy()

    def step(self, states: Ints, ordinal: Ints, at: Ints, live: npt.NDArray[np.bool_]) -> Singles:
        packed, rows = self.engine.packed, np.flatnonzero(live)
        x = packed.token(self.states[states[rows]], ordinal[rows])
        out = np.zeros((len(live), x.shape[1]), dtype=np.float32)
        out[rows] = packed.queries(self.state.step(x, rows, at[rows] - self.skipped[rows]))
        return out

    def reorder(self, parents: Ints) -> None:
        self.state.reorder(parents)


def build_engine(decoder: PointerDecoder, dtype: torch.dtype = torch.float32) -> Engine:
    """The fastest engine that computes this decoder.

    Args:
        dtype: Of the compiled engine's layers over the sites.
    """
    weight = decoder.query.weight
    packable = type(decoder) is PointerDecoder and weight.device.type == "cpu" and weight.dtype == torch.float32
    return PackedEngine(decoder, dtype) if packable else Engine(decoder)
