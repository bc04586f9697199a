"""The layer of conditions while it learns: shifts of splice sites, and how well they explain reads by sample.

In: choices of genes packed into batches, inputs of samples. Out: losses with gradients, and `ConditionLayer`s.
Dims: T sites, O options, G choices, S samples, M members, R ranks, W = M * R, K inputs, C channels, Q k-mers.
The loss is the negative logarithm of the beta-binomial probability of the reads (of more than two options the
Dirichlet-multinomial one, Mosimann 1962), with one concentration for each kind of choice, learned besides.
A surprise: every member sees its own bootstrap sample of the genes, by weights, so one pass trains the whole ensemble.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from transgenic_tools.kernels import kernel
from transgenic_tools.lattice.condition import BINS, N_SIDES, ConditionLayer, bin_limits, kmer_codes
from transgenic_tools.train.usage import Choice

_BINS = np.array(BINS, dtype=np.int64)
COMPETITION, RETENTION = 0, 1
#: Added to every share, so that no read is impossible.
_FLOOR = 1e-4


@dataclass(frozen=True, kw_only=True, eq=False)
class GeneUsage:
    """One gene as the fit sees it.

    Attributes:
        codes: (L,) base codes of the window; kmers: (L,) numbers of `lattice.condition.kmer_codes`.
        side, position: (T,) splice sites of all options.
        features: (T, C) of the trunk.
        choices: `sites` of these are indices into the sites here.
    """

    gene_id: str
    codes: npt.NDArray[np.uint8]
    kmers: npt.NDArray[np.int32]
    side: npt.NDArray[np.int64]
    position: npt.NDArray[np.int64]
    features: npt.NDArray[np.float32]
    choices: tuple[Choice, ...]


@dataclass(frozen=True, kw_only=True, eq=False)
class Batch:
    """Some genes, their arrays behind one another.

    Attributes:
        kmers: (L,); start, end: (T,) the stretch of each site's window in it.
        side, position: (T,), position in the window; features: (T, C).
        option, site: (I,) which option has which site.
        choice: (O,) of each option; base, spliced: (O,), spliced is inf where the choice is a competition.
        reads: (O, S) and total: (G, S); gene: (G,) index of each choice's gene; kind: (G,).
    """

    kmers: npt.NDArray[np.int32]
    start: npt.NDArray[np.int64]
    end: npt.NDArray[np.int64]
    side: npt.NDArray[np.int64]
    position: npt.NDArray[np.int64]
    features: Tensor
    option: Tensor
    site: Tensor
    choice: Tensor
    base: Tensor
    spliced: Tensor
    reads: Tensor
    total: Tensor
    gene: Tensor
    kind: Tensor


def gene_usage(
    gene_id: str, codes: npt.NDArray[np.uint8], choices: Sequence[Choice], features: npt.NDArray[np.float32], k: int
) -> GeneUsage:
    """A gene's choices with what is near their sites.

    Args:
        features: (C, L) of the trunk.
    """
    sites = sorted({site for choice in choices for option in choice.sites for site in option})
    side = np.array([side for side, _ in sites], dtype=np.int64)
    position = np.array([position for _, position in sites], dtype=np.int64)
    return GeneUsage(
        gene_id=gene_id,
        codes=codes,
        kmers=kmer_codes(codes, k),
        side=side,
        position=position,
        features=np.ascontiguousarray(features[:, position].T),
        choices=tuple(choices),
    )


def pack(genes: Sequence[GeneUsage]) -> Batch:
    """Genes as one batch; their indices are those in `genes`."""
    sizes = np.array([len(gene.kmers) for gene in genes])
    begins = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    of_site = np.repeat(np.arange(len(genes)), [len(gene.side) for gene in genes])
    option: list[int] = []
    site: list[int] = []
    choice: list[int] = []
    of_gene: list[int] = []
    kind: list[int] = []
    base, spliced, reads, total = [], [], [], []
    options, first_site = 0, 0
    for number, gene in enumerate(genes):
        index = {key: i for i, key in enumerate(zip(gene.side.tolist(), gene.position.tolist(), strict=True))}
        for one in gene.choices:
            for sites in one.sites:
                option += [options] * len(sites)
                site += [first_site + index[key] for key in sites]
                choice.append(len(kind))
                options += 1
            base.append(one.base)
            spliced.append(np.full(len(one.sites), np.inf) if one.spliced is None else one.spliced)
            reads.append(one.reads)
            total.append(one.reads.sum(0))
            of_gene.append(number)
            kind.append(COMPETITION if one.spliced is None else RETENTION)
        first_site += len(gene.side)
    return Batch(
        kmers=np.concatenate([gene.kmers for gene in genes]),
        start=begins[of_site],
        end=(begins + sizes)[of_site],
        side=np.concatenate([gene.side for gene in genes]),
        position=np.concatenate([gene.position for gene in genes]),
        features=torch.from_numpy(np.concatenate([gene.features for gene in genes])),
        option=torch.tensor(option),
        site=torch.tensor(site),
        choice=torch.tensor(choice),
        base=torch.from_numpy(np.concatenate(base)).float(),
        spliced=torch.from_numpy(np.concatenate(spliced)).float(),
        reads=torch.from_numpy(np.concatenate(reads)).float(),
        total=torch.from_numpy(np.stack(total)).float(),
        gene=torch.tensor(of_gene),
        kind=torch.tensor(kind),
    )


@kernel
def _gather(kmers, start, end, side, position, bins, k, tables, out):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Sums (T, W) of the tables (sides, bins, Q, W) over the k-mers near each site."""
    for t in range(len(start)):
        begin, length = start[t], end[t] - start[t]
        for b in range(len(bins)):
            low, high = bin_limits(position[t] + side[t], bins[b, 0], bins[b, 1], k, length)
            for i in range(begin + low, begin + high):
                if kmers[i] >= 0:
                    row = tables[side[t], b, kmers[i]]
                    for w in range(len(row)):
                        out[t, w] += row[w]


@kernel
def _scatter(kmers, start, end, side, position, bins, k, gradient, out):  # type: ignore[no-untyped-def]  # pragma: no cover
    """The gradient of `_gather` by the tables."""
    for t in range(len(start)):
        begin, length = start[t], end[t] - start[t]
        for b in range(len(bins)):
            low, high = bin_limits(position[t] + side[t], bins[b, 0], bins[b, 1], k, length)
            for i in range(begin + low, begin + high):
                if kmers[i] >= 0:
                    row = out[side[t], b, kmers[i]]
                    for w in range(len(row)):
                        row[w] += gradient[t, w]


class _NearKmers(torch.autograd.Function):
    """Sums of k-mer weights near the sites of a batch."""

    @staticmethod
    def forward(context: Any, tables: Tensor, batch: Batch, k: int) -> Tensor:
        context.batch, context.k, context.shape = batch, k, tables.shape
        out = np.zeros((len(batch.start), tables.shape[-1]), dtype=np.float32)
        where = (batch.kmers, batch.start, batch.end, batch.side, batch.position)
        _gather(*where, _BINS, k, tables.detach().numpy(), out)
        return torch.from_numpy(out)

    @staticmethod
    def backward(context: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        batch = context.batch
        out = np.zeros(context.shape, dtype=np.float32)
        where = (batch.kmers, batch.start, batch.end, batch.side, batch.position)
        _scatter(*where, _BINS, context.k, gradient.contiguous().numpy(), out)
        return torch.from_numpy(out), None, None


class LearnedLayer(nn.Module):
    """The layer with its gradients, all members side by side; it begins with shifts of zero.

    Attributes:
        center, spread: (C,) of the trunk's features at training sites.
    """

    center: Tensor
    spread: Tensor

    def __init__(self, *, members: int, rank: int, k: int, inputs: int, channels: int, seed: int) -> None:
        super().__init__()
        self.members, self.rank, self.k = members, rank, k
        width = members * rank
        self.kmers = nn.Parameter(torch.zeros(N_SIDES, len(BINS), 4**k, width))
        self.trunk = nn.Parameter(torch.zeros(N_SIDES, channels, width))
        self.bias = nn.Parameter(torch.zeros(N_SIDES, width))
        start = torch.randn(members, rank, inputs, generator=torch.Generator().manual_seed(seed))
        self.inputs = nn.Parameter(start / inputs**0.5)
        self.concentration = nn.Parameter(torch.full((2,), 3.0))
        self.register_buffer("center", torch.zeros(channels))
        self.register_buffer("spread", torch.ones(channels))

    def shifts(self, batch: Batch, conditions: Tensor) -> Tensor:
        """(T, M, S) of every site in every sample. Conditions (K, S)."""
        side = torch.from_numpy(batch.side)
        features = (batch.features - self.center) / self.spread
        parts = _NearKmers.apply(self.kmers, batch, self.k) + self.bias[side]
        for number in range(N_SIDES):
            own = torch.nonzero(side == number)[:, 0]
            parts = parts.index_add(0, own, features[own] @ self.trunk[number])
        by_sample = torch.einsum("mrk,ks->mrs", self.inputs, conditions)
        return torch.einsum("tmr,mrs->tms", parts.view(-1, self.members, self.rank), by_sample)

    def losses(self, batch: Batch, shifts: Tensor) -> Tensor:
        """(G, M) negative log-probability of the reads of each choice, but for what no shift changes."""
        moved = torch.zeros(len(batch.base), *shifts.shape[1:]).index_add(0, batch.option, shifts[batch.site])
        spliced = batch.spliced[:, None, None]
        is_retention = torch.isfinite(spliced)
        eta = torch.where(is_retention, spliced, torch.zeros(()))
        log_spliced = nn.functional.logsigmoid(eta + moved) - nn.functional.logsigmoid(eta)
        score = batch.base[:, None, None] + torch.where(is_retention, log_spliced, moved)
        weight = score.clamp(-20.0, 20.0).exp()
        choices = len(batch.kind)
        whole = torch.zeros(choices, *weight.shape[1:]).index_add(0, batch.choice, weight)
        share = weight / whole[batch.choice] + _FLOOR
        concentration = self.concentration.exp()[batch.kind]
        alpha = concentration[batch.choice][:, None, None] * share
        reads = batch.reads[:, None, :]
        rising = torch.lgamma(alpha + reads) - torch.lgamma(alpha)
        sums = torch.zeros(choices, *alpha.shape[1:])
        whole_alpha = sums.index_add(0, batch.choice, alpha)
        log_probability = torch.lgamma(whole_alpha) - torch.lgamma(whole_alpha + batch.total[:, None, :])
        return -(log_probability + sums.index_add(0, batch.choice, rising)).sum(2)

    @torch.no_grad()
    def shrink(self, amount: float) -> None:
        """Proximal step of a penalty on the sum of k-mer weights' lengths over the ranks (group lasso, per member)."""
        weights = self.kmers.data.view(*self.kmers.shape[:3], self.members, self.rank)
        length = weights.norm(dim=-1, keepdim=True).clamp_min(1e-12)
        weights *= (1.0 - amount / length).clamp_min(0.0)

    @torch.no_grad()
    def as_layer(self) -> ConditionLayer:
        """The weights as generation takes them."""
        trunk = self.trunk / self.spread[None, :, None]
        bias = self.bias - torch.einsum("c,scw->sw", self.center, trunk)
        members, rank = self.members, self.rank

        def apart(weights: Tensor) -> npt.NDArray[np.float32]:
            """(..., W) as (M, R, ...)."""
            return np.ascontiguousarray(np.moveaxis(weights.numpy(), -1, 0).reshape(members, rank, *weights.shape[:-1]))

        return ConditionLayer(
            kmers=apart(self.kmers.detach()), trunk=apart(trunk), bias=apart(bias), inputs=self.inputs.detach().numpy()
        )
