"""How the search computes a decoder: compiled on a CPU, or with torch on any device.

In: a decoder. Out: an `Engine`: embeddings of the sites of some genes, and a running state of their rows.
Dims: G genes, K beams, R = G * K rows, S sites and N states of all genes, T steps, D channels.
A surprise: the compiled engine is taken for the pointing decoder on a CPU alone, and there genes come and go as they
like; LED and T5 always go through torch, where genes go in step in a constant number of slots, so that a row's numbers
do not depend on how many there are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from transgenic_tools.lattice.site_graph import SiteGraph
from transgenic_tools.model.decoders.pointer import PointerDecoder, table_of
from transgenic_tools.search.twins import fast_decoder

if TYPE_CHECKING:
    from transgenic_tools.fast.packed import PackedDecoder

Ints = npt.NDArray[np.int64]
Singles = npt.NDArray[np.float32]
Floats = npt.NDArray[np.float64]
#: States and ordinals that a gene has visited so far, (T,) each.
Prefix = tuple[Ints, Ints]


@dataclass(frozen=True, kw_only=True)
class Embedded:
    """Some genes as the decoder sees them, one behind the other.

    Attributes:
        sites: (S, D).
        site_keys: (S, D) keys of the sites; that of a state is the sum of its site's and its kind's.
        first: (G + 1,) first site of each gene.
        site_of_state: (N,) -1 where a state has none.
        kind: (N,).
    """

    sites: Tensor
    site_keys: Singles
    first: Ints
    site_of_state: Ints
    kind: Ints


class EngineState(Protocol):
    """Running state of the rows of some genes; row r belongs to gene r // K."""

    def admit(self, genes: Ints, prefixes: Sequence[Prefix]) -> Floats:
        """Genes go on from what each has visited; the probability of one more transcript (1 where that is nothing)."""

    def step(self, states: Ints, ordinals: Ints, at: Ints, live: npt.NDArray[np.bool_]) -> Singles:
        """Scaled queries (R, D) after every live row visits `states` (R,), its step number `at` (R,)."""

    def go_on(self, genes: Ints, parents: Ints, ended: Ints) -> None:
        """Row r of these genes goes on from row `parents[r]` of its gene; `ended` (G,) as in `beam.Ends.now`."""


class Engine:
    """A decoder computed with torch.

    Attributes:
        in_step: Genes start to write together, in as many slots as a group has.
    """

    in_step = True

    def __init__(self, decoder: PointerDecoder) -> None:
        self.decoder, self.device = decoder, decoder.base_scale.device
        self.scale = decoder.config.dim**-0.5
        with torch.no_grad():
            self.kind_keys = table_of(decoder.key(decoder.kind.weight))

    def tensor(self, array: npt.NDArray[np.generic]) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(array)).to(self.device)

    def encode_sites(self, genes: Sequence[SiteGraph]) -> tuple[Tensor, Singles]:
        """Embeddings and keys of the sites of some genes, (S, D) each; a gene's neighbours do not matter."""
        encoded = []
        for sites in genes:
            features, site_type, logit = (
                self.tensor(a)[None] for a in (sites.features, sites.site_type, sites.site_logit)
            )
            valid = torch.ones(site_type.shape, dtype=torch.bool, device=self.device)
            encoded.append(self.decoder.encode_sites(features, site_type, logit, valid)[0])
        return torch.cat(encoded), np.concatenate([table_of(self.decoder.key(sites)) for sites in encoded])

    def embed(self, genes: Sequence[SiteGraph]) -> Embedded:
        """Encode the sites of some genes."""
        first = np.cumsum([0, *(len(gene.site_type) for gene in genes)])
        of_state = [
            np.where(gene.site_of_state < 0, -1, gene.site_of_state + begin)
            for gene, begin in zip(genes, first, strict=False)
        ]
        sites, keys = self.encode_sites(genes)
        kind = np.concatenate([gene.graph.kind for gene in genes]).astype(np.int64)
        return Embedded(sites=sites, site_keys=keys, first=first, site_of_state=np.concatenate(of_state), kind=kind)

    def begin(self, embedded: Embedded, *, slots: int, beams: int) -> EngineState:
        """State of all these genes before any of them is admitted; `slots` is the constant number of genes in step."""
        return _TorchState(self, embedded, slots=slots, beams=beams)


class _TorchState:
    """A `DecoderState` of the genes that were admitted last."""

    def __init__(self, engine: Engine, embedded: Embedded, *, slots: int, beams: int) -> None:
        self.engine, self.embedded, self.slots, self.beams = engine, embedded, slots, beams

    def _states(self, states: Ints) -> Tensor:
        engine, embedded = self.engine, self.embedded
        return engine.decoder.embed_states(
            embedded.sites, engine.tensor(embedded.site_of_state[states]), engine.tensor(embedded.kind[states])
        )

    def admit(self, genes: Ints, prefixes: Sequence[Prefix]) -> Floats:
        engine, embedded, slots = self.engine, self.embedded, self.slots
        decoder, device, dim = engine.decoder, engine.device, engine.decoder.config.dim
        lengths = torch.zeros(slots, dtype=torch.int64, device=device)
        x = torch.zeros(slots, max(1, *(len(states) for states, _ in prefixes)), dim, device=device)
        sites = torch.zeros(slots, int(np.diff(embedded.first)[genes].max()), dim, device=device)
        valid = torch.zeros(sites.shape[:2], dtype=torch.bool, device=device)
        for slot, (gene, (states, ordinals)) in enumerate(zip(genes, prefixes, strict=True)):
            lengths[slot] = len(states)
            if len(states):
                x[slot, : len(states)] = decoder.token(self._states(states), engine.tensor(ordinals))
            of_gene = embedded.sites[embedded.first[gene] : embedded.first[gene + 1]]
            sites[slot, : len(of_gene)], valid[slot, : len(of_gene)] = of_gene, True
        self.rows = (genes[:, None] * self.beams + np.arange(self.beams)).reshape(-1)
        self.state = decoder.start(x, lengths, beams=self.beams, sites=sites, valid=valid)
        more = torch.sigmoid(decoder.more_logit(self.state.hidden)).double().cpu().numpy()[: len(genes)]
        return np.where([len(states) > 0 for states, _ in prefixes], more, 1.0)

    def _padded(self, values: Ints) -> Ints:
        """Values of the rows in the slots; 0 where a slot is free."""
        out = np.zeros(self.slots * self.beams, dtype=np.int64)
        out[: len(self.rows)] = values[self.rows]
        return out

    def step(self, states: Ints, ordinals: Ints, at: Ints, live: npt.NDArray[np.bool_]) -> Singles:
        engine = self.engine
        x = engine.decoder.token(self._states(self._padded(states)), engine.tensor(self._padded(ordinals)))
        hidden = self.state.step(x, engine.tensor(self._padded(at)))
        query = (engine.decoder.query(hidden) * engine.scale).float().cpu().numpy()
        out = np.zeros((len(states), query.shape[1]), dtype=np.float32)
        out[self.rows] = query[: len(self.rows)]
        return out

    def go_on(self, genes: Ints, parents: Ints, ended: Ints) -> None:
        slot_of_row = np.zeros(len(parents), dtype=np.int64)
        slot_of_row[self.rows] = np.arange(len(self.rows))
        order = np.arange(self.slots * self.beams)
        order[: len(self.rows)] = slot_of_row[parents[self.rows]]
        self.state.reorder(self.engine.tensor(order))


class PackedEngine(Engine):
    """The pointing decoder on a CPU."""

    in_step = False

    def __init__(self, decoder: PointerDecoder, packed: PackedDecoder) -> None:
        super().__init__(decoder)
        self.packed = packed

    def encode_sites(self, genes: Sequence[SiteGraph]) -> tuple[Tensor, Singles]:
        return self.packed.encode_sites(genes)

    def begin(self, embedded: Embedded, *, slots: int, beams: int) -> EngineState:
        return self.packed.begin(embedded.first, embedded.sites, embedded.site_of_state, embedded.kind, beams=beams)


def build_engine(decoder: PointerDecoder, dtype: torch.dtype = torch.float32) -> Engine:
    """The fastest engine that computes this decoder.

    Args:
        dtype: Of the fast twin's layers over the sites.
    """
    packed = fast_decoder(decoder, dtype)
    return Engine(decoder) if packed is None else PackedEngine(decoder, packed)
