"""Decoders by name.

In: a decoder config and the channels of the trunk. Out: a decoder with the interface of `PointerDecoder`.
A surprise: transformers' stacks are imported only for the decoders that are made of them.
"""

from __future__ import annotations

from transgenic_tools.model.config import PointerDecoderConfig, Seq2SeqDecoderConfig
from transgenic_tools.model.decoders.pointer import PointerDecoder


def build_decoder(config: PointerDecoderConfig | Seq2SeqDecoderConfig, channels: int) -> PointerDecoder:
    """The decoder with fresh weights."""
    if isinstance(config, Seq2SeqDecoderConfig):
        from transgenic_tools.model.decoders.seq2seq import Seq2SeqDecoder

        return Seq2SeqDecoder(config, channels)
    return PointerDecoder(config, channels)
