"""The fast CPU paths against the plain ones, and long windows against whole attention."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tests.model.tiny import random_text
from transgenic_tools.genome.sequence import encode
from transgenic_tools.model.attention import band_attention, band_mask
from transgenic_tools.model.config_parts import EmbeddedEncoderConfig, PointerDecoderConfig
from transgenic_tools.model.decoders.engine import Embedded, Engine, PackedEngine, build_engine
from transgenic_tools.model.decoders.pointer import PointerDecoder
from transgenic_tools.model.encoders.embedded import EmbeddedEncoder
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


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_window_has_the_same_scores_in_any_pack(dtype: torch.dtype) -> None:
    """The same bits, at the sizes of the embedded model, whatever is read before, behind and with it."""
    torch.manual_seed(2)
    config = EmbeddedEncoderConfig()
    read = FusedTrunk(EmbeddedEncoder(config).eval(), BaseHead(config.channels).eval(), dtype)
    windows = [encode(random_text(length)) for length in (1_803, 7, 640, 2_999, 411, 5_200, 96, 1_201)]
    alone = [read(codes) for codes in windows]
    for order in (range(8), [3, 1, 7, 0, 6, 2, 5, 4], [6, 4, 1]):
        together = read.read([windows[i] for i in order])
        for i, scores in zip(order, together, strict=True):
            for a, b in zip(alone[i], scores, strict=True):
                assert torch.equal(a, b), f"window {i} of {len(windows[i])} bases"


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
    mask = band_mask(valid, 7)
    whole = torch.nn.functional.scaled_dot_product_attention(q, k, v, attn_mask=mask)
    torch.testing.assert_close(band_attention(q, k, v, 7, valid=valid), whole, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("length", [5, 8, 9, 50])
def test_causal_attention_over_a_band(length: int) -> None:
    q, k, v = torch.randn(3, 1, 2, length, 4)
    apart = torch.arange(length)[:, None] - torch.arange(length)[None]
    mask = torch.zeros(length, length).masked_fill((apart < 0) | (apart > 7), -torch.inf)
    whole = torch.nn.functional.scaled_dot_product_attention(q, k, v, attn_mask=mask)
    torch.testing.assert_close(band_attention(q, k, v, 7, causal=True), whole, atol=1e-5, rtol=1e-4)


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
    states = torch.randn(2, 20, 16)
    genes = [Embedded(whole, own, decoder.key(own).numpy()) for own in states]
    prefixes = [(np.array([0, 3, 4, 7, 19]), np.zeros(5, dtype=np.int64)), (np.zeros(0, dtype=np.int64),) * 2]
    both = [engine.begin(genes, prefixes, slots=2, beams=beams) for engine in (packed, plain)]
    np.testing.assert_allclose(both[0].more()[0], both[1].more()[0], rtol=1e-5)
    at, ordinal = np.array([5, 5, 5, 0, 0, 0]), np.array([1, 1, 1, 0, 0, 0])
    live = np.ones(rows, dtype=bool)
    for parents in ([2, 0, 1, 3, 5, 3], [1, 0, 2, 4, 4, 5], [0, 0, 2, 4, 3, 5], [0, 1, 2, 3, 4, 5]):  # parents live
        visited = np.random.default_rng(at[0]).integers(0, 40, rows)
        out = [state.step(visited, ordinal, at, live) for state in both]
        np.testing.assert_allclose(out[0][live], out[1][live], atol=1e-5, rtol=1e-4)
        for state in both:
            state.reorder(np.array(parents))
        at, live = at + 1, np.array([True, True, False, True, True, False])


@torch.no_grad()
def test_a_row_does_not_depend_on_its_neighbours() -> None:
    torch.manual_seed(3)
    decoder = PointerDecoder(PointerDecoderConfig(dim=16, heads=2, layers=2, node_layers=0), 8).eval()
    torch.nn.init.normal_(decoder.query.weight)
    engine = build_engine(decoder)
    gene = Embedded(torch.zeros(0, 16), torch.randn(9, 16), np.zeros((9, 16), np.float32))
    prefix = (np.arange(7), np.zeros(7, dtype=np.int64))
    first = np.zeros(1, dtype=np.int64)
    alone = engine.begin([gene], [prefix], slots=1, beams=1).step(first, first, first + 7, np.ones(1, dtype=bool))
    for n in range(2, 7):
        many = engine.begin([gene] * n, [prefix] * n, slots=n, beams=1)
        out = many.step(np.arange(n) * 9, np.zeros(n, dtype=np.int64), np.full(n, 7), np.ones(n, dtype=bool))
        assert (out == alone).all()


@torch.no_grad()
def test_the_cache_grows_and_steps_see_a_band() -> None:
    torch.manual_seed(4)
    decoder = PointerDecoder(PointerDecoderConfig(dim=16, heads=2, layers=2, node_layers=1, band=30), 8).eval()
    torch.nn.init.normal_(decoder.query.weight)
    gene = Embedded(torch.zeros(1, 16), torch.randn(100, 16), np.zeros((100, 16), np.float32))
    nothing = (np.zeros(0, dtype=np.int64),) * 2
    both = [engine.begin([gene], [nothing], slots=1, beams=1) for engine in (build_engine(decoder), Engine(decoder))]
    whole = decoder.query(decoder(decoder.token(gene.states, torch.zeros(100, dtype=torch.int64))[None]))[0] * 16**-0.5
    one = np.zeros(1, dtype=np.int64)
    for step in range(100):
        for state in both:
            out = state.step(one + step, one, one + step, np.ones(1, dtype=bool))
            np.testing.assert_allclose(out[0], whole[step].numpy(), atol=1e-5, rtol=1e-4)


@torch.no_grad()
def test_what_lies_beyond_all_bands_may_be_left_out() -> None:
    torch.manual_seed(5)
    decoder = PointerDecoder(PointerDecoderConfig(dim=16, heads=2, layers=2, node_layers=1, band=10), 8).eval()
    torch.nn.init.normal_(decoder.query.weight)
    gene = Embedded(torch.zeros(1, 16), torch.randn(60, 16), np.zeros((60, 16), np.float32))
    prefix = (np.arange(50), np.zeros(50, dtype=np.int64))
    one, live = np.zeros(1, dtype=np.int64), np.ones(1, dtype=bool)
    both = [engine.begin([gene], [prefix], slots=1, beams=1) for engine in (build_engine(decoder), Engine(decoder))]
    np.testing.assert_allclose(both[0].more(), both[1].more(), rtol=1e-4)
    for step in range(5):
        out = [state.step(one + 50 + step, one, one + 50 + step, live) for state in both]
        np.testing.assert_allclose(out[0], out[1], atol=1e-4, rtol=1e-3)
