"""The head at 1 bp: which site stands at a base, and what the base is.

In: per-base features (B, C, L). Out: site logits (B, N_SITES, L) and content logits (B, N_CONTENTS, L).
A surprise: site logits are independent binary ones (a base may be a start and a TSS at once).
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from transgenic_tools.lattice.vocabulary import N_CONTENTS, N_SITES


class BaseScores(NamedTuple):
    """What the trunk says about every base.

    Attributes:
        features: (B, C, L).
        sites: Logits (B, N_SITES, L).
        contents: Logits (B, N_CONTENTS, L).
    """

    features: Tensor
    sites: Tensor
    contents: Tensor


class BaseHead(nn.Module):
    """One 1x1 convolution for sites and contents."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.project = nn.Conv1d(channels, N_SITES + N_CONTENTS, 1)
        with torch.no_grad():
            bias = self.project.bias
            assert bias is not None
            bias[:N_SITES] = -5.0

    def forward(self, features: Tensor) -> BaseScores:
        logits = self.project(features).float()
        return BaseScores(features, logits[:, :N_SITES], logits[:, N_SITES:])
