"""The trunk that learns along with the layer of conditions, at a low rate: `tg-train --conditions --trunk-rate`.

In: a network, genes with their base codes, gradients by features at their splice sites. Out: features anew, and the
network with its encoder moved.
Dims: T sites, C channels, L bases.
A surprise: it is told to stay: a second copy of the network says what sites and contents of every base were before, and
to depart from it costs. What the trunk says without a condition is learned from annotations, not from these reads.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from transgenic_tools.model.head import BaseScores
from transgenic_tools.model.network import Network
from transgenic_tools.train.condition_layer import GeneUsage

#: Nats of the usage of one choice that departing by one nat a base costs.
_STAY = 100.0


class MovingTrunk:
    """A network whose encoder learns; its head and its decoder do not.

    Attributes:
        network: In `eval` mode throughout, so that features are those of generation.
    """

    def __init__(self, network: Network, *, rate: float) -> None:
        self.rate = rate
        self.first = copy.deepcopy(network).eval().requires_grad_(False)
        self.network = network.eval().requires_grad_(False)
        self.network.encoder.requires_grad_(True)
        self.optimizer = torch.optim.AdamW(self.network.encoder.parameters(), lr=rate, weight_decay=0.0)

    def features(self, genes: Sequence[GeneUsage]) -> Tensor:
        """(T, C) at the sites of all genes, behind one another, without a gradient."""
        with torch.no_grad():
            return torch.cat([self._at_sites(gene, self._scores(gene).features) for gene in genes]).cpu()

    def refreshed(self, gene: GeneUsage) -> GeneUsage:
        """The gene with the features of the trunk as it is now."""
        return replace(gene, features=self.features([gene]).numpy())

    def step(self, genes: Sequence[GeneUsage], gradient: Tensor, *, share: float) -> None:
        """One step of the encoder.

        Args:
            gradient: (T, C) of the loss by `features(genes)`.
            share: Of the rate.
        """
        self.optimizer.zero_grad()
        bases = sum(len(gene.codes) for gene in genes)
        choices = sum(len(gene.choices) for gene in genes)
        start = 0
        for gene in genes:  # window by window: activations of all together would not fit
            rows = gradient[start : start + len(gene.side)].to(self.network.device)
            start += len(gene.side)
            scores = self._scores(gene)
            departed = self._departed(gene, scores) * (_STAY * choices / bases)
            torch.autograd.backward(
                [self._at_sites(gene, scores.features), departed], [rows, torch.ones_like(departed)]
            )
        torch.nn.utils.clip_grad_norm_(self.network.encoder.parameters(), 1.0)
        self.optimizer.param_groups[0]["lr"] = self.rate * share
        self.optimizer.step()

    def _scores(self, gene: GeneUsage) -> BaseScores:
        codes = torch.from_numpy(gene.codes.astype(np.int64))[None].to(self.network.device)
        return self.network.score_bases(codes)

    @staticmethod
    def _at_sites(gene: GeneUsage, features: Tensor) -> Tensor:
        return features[0, :, torch.from_numpy(gene.position).to(features.device)].t().float()

    def _departed(self, gene: GeneUsage, scores: BaseScores) -> Tensor:
        """Sum over the bases of how far sites and contents are from what they were (Kullback-Leibler, nats)."""
        codes = torch.from_numpy(gene.codes.astype(np.int64))[None].to(self.network.device)
        with torch.no_grad():
            before = self.first.score_bases(codes)
            sites = before.sites.sigmoid()
            contents = before.contents.log_softmax(1)
            own = F.binary_cross_entropy_with_logits(before.sites, sites, reduction="sum")
        moved = F.binary_cross_entropy_with_logits(scores.sites, sites, reduction="sum") - own
        return moved + F.kl_div(scores.contents.log_softmax(1), contents, log_target=True, reduction="sum")
