"""Optimisers by name.

In: a model and a `Config`. Out: one or two torch optimisers, which the loop steps together.
A surprise: `muon` orthogonalises the updates of the hidden matrices of blocks and layers alone (Jordan et al. 2024);
norms, biases, convolutions and heads keep AdamW.
"""

from __future__ import annotations

import re
from typing import Any

import torch
from torch import nn

from transgenic_tools.train.config import Config

_HIDDEN = re.compile(r"\.(blocks|layers|site_layers)\.")


def _adamw(parameters: list[nn.Parameter], config: Config) -> torch.optim.Optimizer:
    groups: list[dict[str, Any]] = [
        {"params": [p for p in parameters if p.ndim >= 2], "weight_decay": config.weight_decay},
        {"params": [p for p in parameters if p.ndim < 2], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(
        [group for group in groups if group["params"]], lr=config.learning_rate, betas=(0.9, 0.98), eps=1e-8
    )


def build_optimizers(model: nn.Module, config: Config) -> list[torch.optim.Optimizer]:
    """AdamW alone, or AdamW and Muon."""
    named = [(name, p) for name, p in model.named_parameters() if p.requires_grad]
    if config.optimizer != "muon":
        return [_adamw([p for _, p in named], config)]
    hidden = [p for name, p in named if p.ndim == 2 and _HIDDEN.search(name)]
    chosen = {id(p) for p in hidden}
    optimizers = [_adamw([p for _, p in named if id(p) not in chosen], config)]
    if hidden:
        optimizers.append(
            torch.optim.Muon(
                hidden, lr=config.learning_rate, weight_decay=config.weight_decay, adjust_lr_fn="match_rms_adamw"
            )
        )
    return optimizers
