"""Measures of the trunk on a split.

In: logits and targets of whole windows. Out: average precision per site type, content perplexity and loss.
A surprise: average precision counts allowed positions only: an ATG that is no start is a negative, another base is
nothing.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch

from transgenic_tools.genome.hashing import stable_rng
from transgenic_tools.lattice.vocabulary import Site
from transgenic_tools.model.transgenic import TransgenicModel
from transgenic_tools.train.batches import Item, collate_trunk, pack
from transgenic_tools.train.examples import Example, draw_crop
from transgenic_tools.train.losses import trunk_loss

MEASURED = (Site.START, Site.DONOR, Site.ACCEPTOR, Site.STOP)


def average_precision(scores: npt.NDArray[np.float32], positive: npt.NDArray[np.bool_]) -> float:
    """Area under the precision-recall curve, as sum over positives of the precision at each. NaN without positives."""
    if not positive.any():
        return math.nan
    order = np.argsort(-scores, kind="stable")
    hits = positive[order]
    precision = np.cumsum(hits) / np.arange(1, len(hits) + 1)
    return float(precision[hits].mean())


def jittered_items(examples: Sequence[Example], *, low: int = 50, high: int = 600, seed: int = 1) -> list[Item]:
    """Crops with flanks of `low` to `high` bases, drawn by gene: the windows that count."""
    items = []
    for index, example in enumerate(examples):
        rng = stable_rng("jitter", seed, example.gene_id)
        items.append(Item(index, draw_crop(example, flank_min=low, flank_max=high, max_bases=10**9, rng=rng)))
    return items


@torch.no_grad()
def measure_trunk(
    model: TransgenicModel, examples: Sequence[Example], *, batch_bases: int, seed: int
) -> dict[str, float]:
    """Average precision of the four exact site types, loss and content perplexity on jittered windows."""
    model.eval()
    device = next(model.parameters()).device
    items = sorted(jittered_items(examples), key=lambda item: len(item.crop))
    collected: dict[Site, tuple[list[npt.NDArray[np.float32]], list[npt.NDArray[np.bool_]]]] = {
        site: ([], []) for site in MEASURED
    }
    losses, contents, bases = 0.0, 0.0, 0
    for group in pack(items, batch_bases):
        batch = collate_trunk(examples, group, epoch=0, seed=seed).to(device)
        scores = model.score_bases(batch.codes)
        loss, parts = trunk_loss(scores, batch, site_weight=1.0, content_weight=1.0)
        size = int((batch.contents >= 0).sum())
        losses, contents, bases = (
            losses + float(loss) * size,
            contents + float(parts["content_loss"]) * size,
            bases + size,
        )
        for site in MEASURED:
            keep = batch.weight[:, site].bool()
            collected[site][0].append(scores.sites[:, site][keep].float().cpu().numpy())
            collected[site][1].append((batch.sites[:, site][keep] > 0.5).cpu().numpy())
    result = {"loss": losses / max(bases, 1), "content_perplexity": math.exp(min(50.0, contents / max(bases, 1)))}
    for site, (values, truths) in collected.items():
        if values:
            result[f"ap_{site.name.lower()}"] = average_precision(np.concatenate(values), np.concatenate(truths))
    return result
