"""The pointing decoder computed fast on a CPU: many genes side by side, rows that are done cost nothing.

In: a trained `PointerDecoder`. Out: what its own methods give, to rounding, several times as fast.
Dims: G genes, K beams, R = G * K rows, T steps, S sites, D channels, n tokens of one call.
A surprise: keys and values lie in a store and never move; a row is a list of places in it. So rows that go on from
another one copy that list alone, and what a gene has written is never computed again.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from transgenic_tools.fast.attention import Sight
from transgenic_tools.fast.fused_layers import FusedLayer, packed_linear
from transgenic_tools.fast.pack import Rotary, lay_out, neighbours
from transgenic_tools.fast.product import ROWS, panels
from transgenic_tools.fast.stepping import (
    States,
    StepWeights,
    Tables,
    Tokens,
    Written,
    follow_parents,
    run_step,
    write_tokens,
)
from transgenic_tools.lattice.site_graph import SiteGraph
from transgenic_tools.model.decoders.pointer import Layer, PointerDecoder, table_of

Singles = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]
#: Sites that are read together; those of a larger gene are read alone.
PACK = 2048
_FREE, _KEPT = -1, -2


def _epsilon(norm: nn.RMSNorm) -> float:
    return float(torch.finfo(torch.float32).eps if norm.eps is None else norm.eps)


def _step_weights(decoder: PointerDecoder) -> StepWeights:
    """The layers over the tokens of a step as `stepping.run_step` reads them."""
    layers = [layer for layer in decoder.layers if isinstance(layer, Layer)]

    def stacked(parts: list[Tensor]) -> Singles:
        return np.stack([table_of(part) for part in parts])

    epsilon = [[_epsilon(layer.attention_norm), _epsilon(layer.ffn_norm)] for layer in layers]
    return StepWeights(
        attention_norm=stacked([layer.attention_norm.weight for layer in layers]),
        qkv=panels(stacked([layer.attention.qkv.weight.t() for layer in layers])),
        out=panels(stacked([layer.attention.out.weight.t() for layer in layers])),
        ffn_norm=stacked([layer.ffn_norm.weight for layer in layers]),
        up=panels(stacked([layer.up.weight.t() for layer in layers])),
        up_bias=stacked([layer.up.bias for layer in layers]),
        down=panels(stacked([layer.down.weight.t() for layer in layers])),
        down_bias=stacked([layer.down.bias for layer in layers]),
        norm=table_of(decoder.norm.weight),
        query=panels(table_of(decoder.query.weight.t()) * np.float32(decoder.config.dim**-0.5)),
        epsilon=np.array([*epsilon, [0.0, _epsilon(decoder.norm)]], dtype=np.float32),
    )


class PackedDecoder:
    """Copies of a decoder's weights, laid out for a CPU: build it anew after they change.

    Args:
        dtype: Of the linear layers over the sites; steps are always computed in fp32.
    """

    def __init__(self, decoder: PointerDecoder, dtype: torch.dtype = torch.float32) -> None:
        self.config, self.dtype = decoder.config, dtype
        self.rotary = Rotary(decoder.config.dim // decoder.config.heads)
        self.site_in = packed_linear(decoder.site_in.weight, decoder.site_in.bias, dtype)
        self.site_type, self.site_logit = decoder.site_type, decoder.site_logit
        self.site_layers = [FusedLayer(layer, dtype) for layer in decoder.site_layers if isinstance(layer, Layer)]
        self.weights = _step_weights(decoder)
        self.tables = Tables(table_of(decoder.kind.weight), table_of(decoder.ordinal.weight))
        self.key = packed_linear(decoder.key.weight, None, torch.float32)
        self.more, self.more_bias = table_of(decoder.more.weight[0]), float(table_of(decoder.more.bias)[0])

    def encode_sites(self, genes: Sequence[SiteGraph]) -> tuple[Tensor, Singles]:
        """Embeddings of the sites of some genes, one gene behind the other, and their keys; (S, D) each.

        See `PointerDecoder.encode_sites`.
        """
        places = [len(gene.site_type) for gene in genes]
        sites = torch.empty(sum(places), self.config.dim)
        keys, at = torch.empty_like(sites), 0
        for some in neighbours(places, most=PACK):
            pack = lay_out(places[some], self.rotary)
            rows, n = len(pack.keep), sum(places[some])
            features = torch.zeros(rows, genes[0].features.shape[1])
            torch.from_numpy(np.concatenate([gene.features for gene in genes[some]], out=features.numpy()[:n]))
            site_type = torch.from_numpy(np.concatenate([gene.site_type for gene in genes[some]]))
            logit = torch.from_numpy(np.concatenate([gene.site_logit for gene in genes[some]]))
            x = torch.zeros(rows, self.config.dim)
            x[:n] = self.site_type(site_type)
            x[:n] += logit[:, None] * (self.site_logit.weight[:, 0] / 5) + self.site_logit.bias
            more = self.site_in(features.to(self.dtype))
            for layer in self.site_layers:
                more = layer(x, more, pack)
            x += more
            sites[at : at + n], keys[at : at + n] = x[:n], self.key(x)[:n]
            at += n
        return sites, keys.numpy()

    def begin(self, first: Ints, sites: Tensor, site_of_state: Ints, kind: Ints, *, beams: int) -> PackedState:
        """State of genes before any of them is admitted; see `engine.Embedded` for what is given."""
        return PackedState(self, len(first) - 1, States(site_of_state, kind, sites.numpy()), beams=beams)


class PackedState:
    """What the rows of some genes have written: see `engine.EngineState`.

    Args:
        genes: G.
        states: Of all of them.
        beams: Rows of each gene.
        room: Tokens and steps to make room for at first.
    """

    def __init__(
        self, decoder: PackedDecoder, genes: int, states: States, *, beams: int, room: int = 1024
    ) -> None:  # fmt: skip
        self.decoder, self.beams, self.states = decoder, beams, states
        self.store = np.empty((decoder.config.layers, 2, room, decoder.config.dim), dtype=np.float32)
        #: Gene of each place in the store; a stack of the free ones.
        self.owner = np.full(room, _FREE)
        self.free, self.n_free = np.arange(room, dtype=np.int32)[::-1].copy(), room
        self.table = np.zeros((genes * beams, 64), dtype=np.int32)
        self.best = np.zeros((genes, 64), dtype=np.int32)
        #: Steps of each gene that are kept, that its best path has, and that its rows have.
        self.kept, self.noted, self.end = np.zeros((3, genes), dtype=np.int64)

    def admit(self, genes: Ints, prefixes: Sequence[tuple[Ints, Ints]]) -> npt.NDArray[np.float64]:
        """See `engine.EngineState.admit`; of what a gene has visited, only that is computed which was not kept."""
        for gene, (states, _) in zip(genes, prefixes, strict=True):
            self._keep(gene, min(int(self.noted[gene]), len(states)))
        new = [states[self.kept[gene] :] for gene, (states, _) in zip(genes, prefixes, strict=True)]
        lengths = np.array([len(states) for states in new])
        probability = np.ones(len(genes))
        written = np.flatnonzero(lengths)
        if len(written):
            own = np.repeat(genes, lengths)
            last = np.cumsum(lengths) - 1
            at = np.arange(len(own)) - np.repeat(last + 1 - lengths - self.kept[genes], lengths)
            ordinals = np.concatenate([o[len(o) - n :] for (_, o), n in zip(prefixes, lengths, strict=True)])
            hidden, _ = self._run(np.concatenate(new), ordinals, own * self.beams, at, own)
            logit = (hidden[last[written]] * self.decoder.more).sum(1) + self.decoder.more_bias
            probability[written] = 1.0 / (1.0 + np.exp(-logit.astype(np.float64)))
            for gene, n in zip(genes[written].tolist(), lengths[written].tolist(), strict=True):
                end = int(self.kept[gene]) + n
                self.best[gene, :end] = self.table[gene * self.beams, :end]
                self._keep(gene, end)
        return probability

    def _keep(self, gene: int, steps: int) -> None:
        """The first `steps` tokens of the gene's best path stay, all others of it are forgotten."""
        stay = self.best[gene, :steps]
        self.owner[stay] = _KEPT
        forgotten = np.flatnonzero(self.owner == gene)
        self.owner[forgotten] = _FREE
        self.free[self.n_free : self.n_free + len(forgotten)] = forgotten
        self.n_free += len(forgotten)
        self.table[gene * self.beams : (gene + 1) * self.beams, :steps] = stay
        self.kept[gene] = self.noted[gene] = self.end[gene] = steps

    def _places(self, owners: Ints, steps: int) -> npt.NDArray[np.int32]:
        """Free places in the store for new tokens of some genes, and room for so many steps."""
        while self.n_free < len(owners):
            have = len(self.owner)
            self.store = np.concatenate([self.store, np.empty_like(self.store)], axis=2)
            self.owner = np.concatenate([self.owner, np.full(have, _FREE)])
            more = np.arange(have, 2 * have, dtype=np.int32)[::-1]
            self.free = np.concatenate([self.free[: self.n_free], more, np.empty(have - self.n_free, dtype=np.int32)])
            self.n_free += have
        self.n_free -= len(owners)
        found = self.free[self.n_free : self.n_free + len(owners)].copy()
        self.owner[found] = owners
        while self.table.shape[1] < steps:
            self.table, self.best = (np.concatenate([t, np.zeros_like(t)], axis=1) for t in (self.table, self.best))
        return found

    def _run(self, states: Ints, ordinals: Ints, rows: Ints, at: Ints, owners: Ints) -> tuple[Singles, Singles]:
        """Hidden states and queries (>= n, D) after new tokens; those of one row stand in their order."""
        decoder, n, steps = self.decoder, len(states), int(at.max()) + 1
        slots = self._places(owners, steps)
        self.table[rows, at] = slots
        x = np.zeros((n + -n % ROWS, decoder.config.dim), dtype=np.float32)
        write_tokens(states, ordinals, self.states, decoder.tables, x)
        sight = Sight(decoder.config.heads, decoder.config.band, *decoder.rotary.reach(steps))
        return run_step(x, decoder.weights, Tokens(rows, at, slots, self.table), sight, self.store)

    def step(self, states: Ints, ordinals: Ints, at: Ints, live: npt.NDArray[np.bool_]) -> Singles:
        """See `engine.EngineState.step`."""
        rows = np.flatnonzero(live)
        owners = rows // self.beams
        _, query = self._run(states[rows], ordinals[rows], rows, at[rows], owners)
        self.end[owners] = at[rows] + 1
        out = np.empty((len(live), query.shape[1]), dtype=np.float32)
        out[rows] = query[: len(rows)]
        return out

    def go_on(self, genes: Ints, parents: Ints, ended: Ints) -> None:
        """See `engine.EngineState.go_on`."""
        written = Written(self.table, self.best, self.kept, self.noted, self.end)
        follow_parents(written, parents, ended, genes)
