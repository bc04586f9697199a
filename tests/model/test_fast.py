"""The fast CPU paths against the plain ones, and long windows against whole attention."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tests.model.tiny import random_text
from transgenic_tools.genome.sequence import encode
from transgenic_tools.model.config import EmbeddedEncoderConfig, PointerDecoderConfig
from transgenic_tools.model.decoders.engine import Engine, PackedEngine, build_engine
from transgenic_tools.model.decoders.pointer import PointerDecoder
from transgenic_tools.model.encoders.embedded import EmbeddedEncoder, blockwise_attention
from transgenic_tools.model.encoders.fused import FusedTrunk
from transgenic_tools.model.head import BaseHead

SIZES = {"stem": 8, "channels": 8, "dim": 16, "blocks": 2, "heads": 2, "patch": 6}


def trunk(**changes: int) -> tuple[EmbeddedEncoder, BaseHead]:
    torch.manual_seed(1)
    config = EmbeddedEncoderConfig(**(SIZES | changes))
    return EmbeddedEncoder(config).eval(), BaseHead(config.channels).eval()


@pytest.mark.parametrize("length", [1, 5, 6, 97, 500])
@pytest.mark.parametrize("band", [8, 256])
def test_the_fused_trunk_equals_the_plain_one(length: int, band: int) -> None:
    encoder, head = trunk(band=band)
    codes = encode(random_text(length))
    with torch.no_grad():
        plain = head(encoder(torch.from_numpy(codes.astype(np.int64))[None]))
    fused = FusedTrunk(encoder, head)(codes)
    for a, b in zip(plain, fused, strict=True):
        assert a.shape == b.shape
        torch.testing.assert_close(a, b, atol=1e-5, rtol=1e-4)


def test_bf16_is_near_fp32() -> None:
    encoder, head = trunk()
    codes = encode(random_text(700))
    exact, near = (FusedTrunk(encoder, head, dtype)(codes) for dtype in (torch.float32, torch.bfloat16))
    spread = exact.sites.std()
    assert 0 < (exact.sites - near.sites).abs().max() < 0.1 * spread + 0.05


def test_a_window_of_20_kb_is_read_in_blocks_as_at_once() -> None:
    """Attention over a band, in blocks, against the whole masked matrix."""
    encoder, head = trunk(band=64)
    codes = encode(random_text(20_000))
    scores = FusedTrunk(encoder, head)(codes)
    import transgenic_tools.model.encoders.embedded as embedded

    dense, embedded.DENSE_PATCHES = embedded.DENSE_PATCHES, 10**9
    try:
        with torch.no_grad():
            whole = head(encoder(torch.from_numpy(codes.astype(np.int64))[None]))
    finally:
        embedded.DENSE_PATCHES = dense
    for a, b in zip(whole, scores, strict=True):
        torch.testing.assert_close(a, b, atol=1e-4, rtol=0)


def test_blocks_of_attention_equal_the_band_mask() -> None:
    q, k, v = torch.randn(3, 1, 2, 50, 4)
    valid = torch.ones(1, 50, dtype=torch.bool)
    mask = embedded_mask(valid, 7)
    whole = torch.nn.functional.scaled_dot_product_attention(q, k, v, attn_mask=mask)
    torch.testing.assert_close(blockwise_attention(q, k, v, valid, 7), whole, atol=1e-5, rtol=1e-4)


def embedded_mask(valid: torch.Tensor, band: int) -> torch.Tensor:
    from transgenic_tools.model.encoders.embedded import band_mask

    return band_mask(valid, band)


@torch.no_grad()
def test_the_packed_decoder_equals_the_plain_one() -> None:
    torch.manual_seed(2)
    decoder = PointerDecoder(PointerDecoderConfig(dim=16, heads=2, layers=2, node_layers=1), 8).eval()
    torch.nn.init.normal_(decoder.query.weight)
    packed, plain = build_engine(decoder), Engine(decoder)
    assert isinstance(packed, PackedEngine)
    sites = (torch.randn(9, 8), torch.randint(0, 6, (9,)), torch.randn(9))
    valid = torch.ones(1, 9, dtype=torch.bool)
    whole = decoder.encode_sites(*(s[None] for s in sites), valid)[0]
    torch.testing.assert_close(packed.packed.encode_sites(*sites), whole, atol=1e-5, rtol=1e-4)

    rows, beams = 6, 3
    prefixes = [torch.randn(5, 16), torch.randn(0, 16)]
    fake = [type("E", (), {"sites": whole})() for _ in prefixes]
    states = [engine.start(fake, prefixes, rows=rows, beams=beams) for engine in (packed, plain)]
    torch.testing.assert_close(states[0].hidden[0], states[1].hidden[0], atol=1e-5, rtol=1e-4)
    at = np.array([5, 5, 5, 0, 0, 0])
    live = np.ones(rows, dtype=bool)
    for parents in ([0, 0, 1, 3, 5, 3], [2, 1, 0, 3, 3, 4], [0, 1, 2, 3, 4, 5]):
        x = torch.randn(rows, 16)
        out = [state.step(x.clone(), at, live) for state in states]
        torch.testing.assert_close(out[0], out[1], atol=1e-5, rtol=1e-4)
        for state in states:
            state.reorder(np.array(parents))
        at = at + 1


@torch.no_grad()
def test_the_cache_grows() -> None:
    decoder = PointerDecoder(PointerDecoderConfig(dim=16, heads=2, layers=1, node_layers=1), 8).eval()
    state = build_engine(decoder).start([], [torch.zeros(0, 16)], rows=1, beams=1)
    for step in range(80):
        out = state.step(torch.randn(1, 16), np.array([step]), np.ones(1, dtype=bool))
    assert torch.isfinite(out).all()
