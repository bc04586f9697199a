"""Learning rate and weight averaging.

In: step numbers. Out: factors, and a shadow copy of the weights.
A surprise: the rate is constant between a short rise and a long fall, so a stopped run can be continued for longer.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn


def rate_factor(step: int, *, steps: int, warmup: float, decay: float) -> float:
    """Trapezoid in [0, 1]: linear rise over `warmup * steps`, linear fall over the last `decay * steps`."""
    rise, fall = max(1.0, warmup * steps), max(1.0, decay * steps)
    return max(0.0, min(1.0, (step + 1) / rise, (steps - step) / fall))


class AveragedWeights:
    """Exponential moving average of the parameters that are learned."""

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.decay = decay
        self.shadow = {name: p.detach().clone() for name, p in model.named_parameters() if p.requires_grad}

    @torch.no_grad()
    def update(self, model: nn.Module, step: int) -> None:
        """Blend in the current weights; early on the decay is smaller, `(1 + step) / (10 + step)`."""
        decay = min(self.decay, (1 + step) / (10 + step))
        for name, parameter in model.named_parameters():
            if name in self.shadow:
                self.shadow[name].lerp_(parameter.detach(), 1 - decay)

    @torch.no_grad()
    def swap(self, model: nn.Module) -> None:
        """Exchange the model's weights with the averaged ones (call twice to restore)."""
        for name, parameter in model.named_parameters():
            if name not in self.shadow:
                continue
            kept = parameter.detach().clone()
            parameter.copy_(self.shadow[name])
            self.shadow[name] = kept

    def state_dict(self) -> dict[str, Any]:
        return self.shadow

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.shadow = state
