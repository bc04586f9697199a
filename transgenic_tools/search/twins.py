"""Which twin computes a part of a network: the fast one of `fast/` where there is one that fits, else the part itself.

In: an encoder and head, or a decoder. Out: its twin, None where it has none, it lies on another device, or `fast/` is
not there.
A surprise: no other module imports `fast/`, so deleting that folder changes speed, not answers beyond rounding.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from transgenic_tools.model.decoders.pointer import PointerDecoder
from transgenic_tools.model.encoders.embedded import EmbeddedEncoder
from transgenic_tools.model.encoders.strands import StrandEncoder
from transgenic_tools.model.head import BaseHead, BaseScores

if TYPE_CHECKING:
    from transgenic_tools.fast.packed import PackedDecoder

logger = logging.getLogger(__name__)


class Trunk(Protocol):
    """An encoder and its head that read windows without padding."""

    def read(self, windows: Sequence[npt.NDArray[np.uint8]]) -> Iterator[BaseScores]:
        """Scores of windows (L,), each a batch of one, in their order."""

    def order(self, windows: Sequence[npt.NDArray[np.uint8]]) -> list[int]:
        """The order in which windows are read fastest; it changes no score."""


@runtime_checkable
class ScanningTrunk(Protocol):
    """One that also reads bare windows."""

    def scan(self, windows: Sequence[npt.NDArray[np.uint8]]) -> Iterator[tuple[BaseScores, BaseScores]]:
        """Scores of all genes of the forward and of the reverse strand of windows (L,), each a batch of one."""


def fast_trunk(encoder: nn.Module, head: BaseHead, dtype: torch.dtype) -> Trunk | None:
    """The twin of an encoder and its head."""
    if head.project.weight.device.type != "cpu":
        return None
    try:
        if type(encoder) is EmbeddedEncoder:
            from transgenic_tools.fast.trunk import FusedTrunk

            return FusedTrunk(encoder, head, dtype)
        if type(encoder) is StrandEncoder:
            from transgenic_tools.fast.strands import FusedStrandTrunk

            return FusedStrandTrunk(encoder, head, dtype)
    except ModuleNotFoundError as error:
        _note_missing(error)
    return None


def fast_decoder(decoder: PointerDecoder, dtype: torch.dtype) -> PackedDecoder | None:
    """The twin of a pointing decoder; LED and T5 have none."""
    weight = decoder.query.weight
    if type(decoder) is not PointerDecoder or weight.device.type != "cpu" or weight.dtype != torch.float32:
        return None
    try:
        from transgenic_tools.fast.packed import PackedDecoder
    except ModuleNotFoundError as error:
        _note_missing(error)
        return None
    return PackedDecoder(decoder, dtype)


def _note_missing(error: ModuleNotFoundError) -> None:
    """Raises the error again where it is not `fast/` that is missing."""
    if not (error.name or "").startswith("transgenic_tools.fast"):
        raise error
    logger.warning("transgenic_tools/fast is missing: the same answers, several times slower")
