"""The network: encoder -> base scores; and the decoder that points at sites of their graph.

In: base codes of windows. Out: features, site and content logits at every base.
A surprise: nothing of transformers is imported here, which takes as long as reading 200 genes; `TransgenicModel` is the
same network as a `PreTrainedModel`, which training and other programs use.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from transgenic_tools.errors import UsageError
from transgenic_tools.lattice.config import ScoringConfig
from transgenic_tools.model.config import ModelConfig
from transgenic_tools.model.decoders.factory import build_decoder
from transgenic_tools.model.encoders.factory import build_encoder
from transgenic_tools.model.head import BaseHead, BaseScores


class Network(nn.Module):
    """Sequence to gene structure.

    Attributes:
        settings: What it is built from, with what was fitted for it.
    """

    settings: ModelConfig

    def __init__(self, settings: ModelConfig) -> None:
        super().__init__()
        self._make_parts(settings)

    def _make_parts(self, settings: ModelConfig) -> None:
        self.settings = settings
        self.encoder = build_encoder(settings.encoder, settings.mapping)
        self.head = BaseHead(self.encoder.channels)
        self.decoder = build_decoder(settings.decoder, self.encoder.channels)

    def refit(
        self,
        *,
        scoring: ScoringConfig | None = None,
        scan: ScoringConfig | None = None,
        calibration: Mapping[str, Sequence[float]] | None = None,
    ) -> None:
        """Take over what was fitted to the trained weights."""
        if scoring is not None:
            self.settings = replace(self.settings, scoring=scoring)
        if scan is not None:
            self.settings = replace(self.settings, scan=scan)
        if calibration is not None:
            self.settings = replace(self.settings, calibration=calibration)

    def score_bases(self, codes: Tensor) -> BaseScores:
        """Features, site logits and content logits of every base. Codes (B, L), PAD_CODE at the right."""
        return self.head(self.encoder(codes))

    def forward(self, codes: Tensor | None = None, compute: Callable[[Network], Any] | None = None) -> Any:
        """Base scores of `codes`; or what `compute` returns, so that wrappers for many processes see the call."""
        if compute is not None:
            return compute(self)
        if codes is None:
            raise TypeError("the model reads codes (B, L)")
        return self.score_bases(codes)

    @property
    def device(self) -> torch.device:
        return self.head.project.weight.device

    @property
    def n_parameters(self) -> int:
        return sum(p.numel() for p in self.parameters())


def pick_device(name: str) -> torch.device:
    """`auto` is CUDA where there is one, else CPU.

    Raises:
        UsageError: CUDA asked for where there is none.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    elif name == "cuda" and not torch.cuda.is_available():
        raise UsageError("device cuda, but no CUDA device is visible", hint="ask for auto or cpu")
    return torch.device(name)
