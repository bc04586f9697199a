"""Losses of the trunk.

In: `BaseScores` and a `TrunkBatch`. Out: a scalar and its parts.
A surprise: each site type is normalised by its own positives in the batch, so the one start codon of a gene weighs as
much as its ten donors together.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from transgenic_tools.lattice.vocabulary import IGNORE, N_SITES, Site
from transgenic_tools.model.head import BaseScores
from transgenic_tools.train.batches import TrunkBatch

#: TSS and TTS are annotated loosely, so they weigh less.
_TYPE_WEIGHT = {Site.TSS: 0.1, Site.TTS: 0.1}


def site_loss(logits: Tensor, batch: TrunkBatch) -> Tensor:
    """Weighted binary cross-entropy over the allowed positions, per positive, averaged over site types."""
    each = F.binary_cross_entropy_with_logits(logits, batch.sites, reduction="none") * batch.weight
    total = each.sum((0, 2))
    positives = (batch.sites * batch.weight).sum((0, 2)).clamp(min=1.0)
    weights = torch.tensor([_TYPE_WEIGHT.get(Site(i), 1.0) for i in range(N_SITES)], device=logits.device)
    return (weights * total / positives).sum() / weights.sum()


def content_loss(logits: Tensor, contents: Tensor) -> Tensor:
    """Cross-entropy over the bases with a known content; its exponential is the content perplexity. 0 without any."""
    if not bool((contents != IGNORE).any()):
        return logits.sum() * 0.0
    return F.cross_entropy(logits, contents, ignore_index=IGNORE)


def trunk_loss(
    scores: BaseScores, batch: TrunkBatch, *, site_weight: float, content_weight: float
) -> tuple[Tensor, dict[str, Tensor]]:
    """Sum of both losses, and both alone."""
    sites, contents = site_loss(scores.sites, batch), content_loss(scores.contents, batch.contents)
    parts = {"site_loss": sites.detach(), "content_loss": contents.detach()}
    return site_weight * sites + content_weight * contents, parts
