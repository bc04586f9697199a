"""The fast CPU paths against the plain ones, and long windows against whole attention."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tests.model.tiny import random_text
from transgenic_tools.fast.pack import filling, neighbours
from transgenic_tools.fast.product import add_linear, panels
from transgenic_tools.fast.trunk import FusedTrunk
from transgenic_tools.genome.sequence import encode
from transgenic_tools.lattice.grammar import N_KINDS
from transgenic_tools.lattice.site_graph import SiteGraph
from transgenic_tools.model.attention import band_attention, band_mask
from transgenic_tools.model.config import EmbeddedEncoderConfig, PointerDecoderConfig
from transgenic_tools.model.decoders.pointer import PointerDecoder
from transgenic_tools.model.encoders.embedded import EmbeddedEncoder
from transgenic_tools.model.head import BaseHead
from transgenic_tools.search.engine import Embedded, Engine, PackedEngine, build_engine
from transgenic_tools.search.reader import bf16_on_cpu

needs_bf16 = pytest.mark.skipif(bf16_on_cpu() == "none", reason="oneDNN has no bf16 kernels for this processor")
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


@needs_bf16
def test_bf16_is_near_fp32() -> None:
    encoder, head = trunk()
    codes = encode(random_text(700))
    exact, near = (FusedTrunk(encoder, head, dtype)(codes) for dtype in (torch.float32, torch.bfloat16))
    spread = exact.sites.std()
    assert 0 < (exact.sites - near.sites).abs().max() < 0.1 * spread + 0.05


@pytest.mark.parametrize("dtype", [torch.float32, pytest.param(torch.bfloat16, marks=needs_bf16)])
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


def decoder_of(seed: int, *, dim: int = 16, band: int = 512, node_layers: int = 1) -> PointerDecoder:
    torch.manual_seed(seed)
    config = PointerDecoderConfig(dim=dim, heads=2, layers=2, node_layers=node_layers, band=band)
    decoder = PointerDecoder(config, 8).eval()
    torch.nn.init.normal_(decoder.query.weight)
    torch.nn.init.normal_(decoder.more.weight)
    return decoder


def embedded_states(genes: int, states: int, dim: int = 16) -> Embedded:
    """Genes of so many states each; the first of a gene has no site."""
    sites = torch.randn(genes * (states - 1), dim)
    first = np.arange(genes + 1) * (states - 1)
    of_state = np.concatenate([np.concatenate([[-1], first[g] + np.arange(states - 1)]) for g in range(genes)])
    kind = np.random.default_rng(states).integers(0, N_KINDS, genes * states)
    keys = np.zeros((len(sites), dim), np.float32)
    return Embedded(sites=sites, site_keys=keys, first=first, site_of_state=of_state, kind=kind)


NOTHING = (np.zeros(0, dtype=np.int64),) * 2


def prefix(states: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
    return np.array(states), np.zeros(len(states), dtype=np.int64)


@torch.no_grad()
@pytest.mark.parametrize("dim", [16, 64])
def test_the_packed_decoder_equals_the_plain_one(dim: int) -> None:
    decoder = decoder_of(2, dim=dim)
    packed, plain = build_engine(decoder), Engine(decoder)
    assert isinstance(packed, PackedEngine)
    embedded = embedded_states(2, 20, dim)
    rows, beams = 6, 3
    both = [engine.begin(embedded, slots=2, beams=beams) for engine in (packed, plain)]
    genes = np.arange(2)
    more = [state.admit(genes, [prefix([0, 3, 4, 7, 19]), NOTHING]) for state in both]
    np.testing.assert_allclose(more[0], more[1], rtol=1e-5)
    assert more[0][1] == 1
    at, ordinal = np.array([5, 5, 5, 0, 0, 0]), np.array([1, 1, 1, 0, 0, 0])
    live, nobody = np.ones(rows, dtype=bool), np.full(2, -1)
    for parents in ([2, 0, 1, 3, 5, 3], [1, 0, 2, 4, 4, 5], [0, 0, 2, 4, 3, 5], [0, 1, 2, 3, 4, 5]):  # parents live
        visited = np.random.default_rng(at[0]).integers(0, 40, rows)
        out = [state.step(visited, ordinal, at, live) for state in both]
        np.testing.assert_allclose(out[0][live], out[1][live], atol=1e-5, rtol=1e-4)
        for state in both:
            state.go_on(genes, np.array(parents), nobody)
        at, live = at + 1, np.array([True, True, False, True, True, False])


@torch.no_grad()
def test_what_a_gene_has_written_is_kept() -> None:
    """A gene goes on from the path that ended, as one does that computes all of it again."""
    decoder = decoder_of(7)
    embedded = embedded_states(2, 30)
    state = build_engine(decoder).begin(embedded, slots=2, beams=2)
    genes, live = np.arange(2), np.ones(4, dtype=bool)
    state.admit(genes, [prefix([0, 5]), NOTHING])
    at, ordinal = np.array([2, 2, 0, 0]), np.array([1, 1, 0, 0])
    paths = [[0, 5], [0, 5], [], []]
    rng = np.random.default_rng(1)
    for step in range(6):
        visited = rng.integers(0, 30, 4) + np.array([0, 0, 30, 30])
        state.step(visited, ordinal, at + step, live)
        paths = [[*path, int(v)] for path, v in zip(paths, visited, strict=True)]
        ended = np.array([1 if step == 3 else -1, 2 if step == 5 else -1])
        if step == 3:
            best = [*paths[1], 29]
        if step == 5:
            other = [*paths[2], 59]
        parents = np.array([1, 0, 3, 3] if step % 2 else [0, 0, 2, 3])
        paths = [paths[p] for p in parents]
        state.go_on(genes, parents, ended)
    ordinals = [np.array([0] * 2 + [1] * 5), np.zeros(7, dtype=np.int64)]
    prefixes = [(np.array(path), o) for path, o in zip((best, other), ordinals, strict=True)]
    afresh = build_engine(decoder).begin(embedded, slots=2, beams=2)
    np.testing.assert_allclose(state.admit(genes, prefixes), afresh.admit(genes, prefixes), rtol=1e-6)
    one = [s.step(np.array([0, 1, 30, 31]), ordinal + 1, np.full(4, 7), live) for s in (state, afresh)]
    np.testing.assert_allclose(one[0], one[1], atol=1e-6)


@torch.no_grad()
def test_a_row_does_not_depend_on_its_neighbours() -> None:
    """The same bits, at the sizes of the embedded model."""
    torch.manual_seed(3)
    decoder = PointerDecoder(PointerDecoderConfig(), 8).eval()
    dim = decoder.config.dim
    torch.nn.init.normal_(decoder.query.weight, std=0.1)
    torch.nn.init.normal_(decoder.more.weight)
    engine = build_engine(decoder)
    for n in (1, 2, 5, 9, 40, 150):
        embedded = embedded_states(n, 9, dim)
        embedded.sites[:8] = torch.linspace(-1, 1, 8 * dim).view(8, dim)
        embedded.kind[:9] = np.arange(9)
        state = engine.begin(embedded, slots=n, beams=1)
        more = state.admit(np.arange(n), [prefix(range(g * 9, g * 9 + 7)) for g in range(n)])
        first = state.step(np.arange(n) * 9, np.zeros(n, dtype=np.int64), np.full(n, 7), np.ones(n, dtype=bool))[0]
        if n == 1:
            alone = (more[0], first)
        assert more[0] == alone[0]
        assert (first == alone[1]).all()


@torch.no_grad()
def test_the_cache_grows_and_steps_see_a_band() -> None:
    decoder = decoder_of(4, band=30)
    states = 1_500
    embedded = embedded_states(1, states)
    both = [engine.begin(embedded, slots=1, beams=1) for engine in (build_engine(decoder), Engine(decoder))]
    of_state, kind = (torch.from_numpy(a) for a in (embedded.site_of_state, embedded.kind))
    tokens = decoder.token(decoder.embed_states(embedded.sites, of_state, kind), torch.zeros(states, dtype=torch.int64))
    whole = (decoder.query(decoder(tokens[None]))[0] * 16**-0.5).numpy()
    one, gene, nobody = np.zeros(1, dtype=np.int64), np.zeros(1, dtype=np.int64), np.full(1, -1)
    for state, steps in zip(both, (states, 100), strict=True):
        state.admit(gene, [NOTHING])
        for step in range(steps):
            out = state.step(one + step, one, one + step, np.ones(1, dtype=bool))
            np.testing.assert_allclose(out[0], whole[step], atol=1e-4, rtol=1e-3)
            state.go_on(gene, one, nobody)


@torch.no_grad()
@pytest.mark.parametrize("counts", [(9,), (3, 1, 40), (30, 900, 1_300)])
def test_sites_of_many_genes_are_encoded_together(counts: tuple[int, ...]) -> None:
    decoder = decoder_of(6, node_layers=2, band=50)
    rng = np.random.default_rng(0)
    genes = [
        SiteGraph(
            graph=None,  # type: ignore[arg-type]
            site_of_state=np.zeros(0, dtype=np.int64),
            site_type=rng.integers(0, 6, n),
            site_logit=rng.standard_normal(n).astype(np.float32),
            site_position=np.arange(n),
            features=rng.standard_normal((n, 8)).astype(np.float32),
        )
        for n in counts
    ]
    packed, plain = (engine.encode_sites(genes) for engine in (build_engine(decoder), Engine(decoder)))
    for a, b in zip(packed, plain, strict=True):
        np.testing.assert_allclose(a, b, atol=2e-5, rtol=1e-4)


@pytest.mark.parametrize(("rows", "dim", "size"), [(4, 16, 13), (8, 33, 64), (12, 128, 100), (40, 7, 384)])
def test_the_matrix_product_of_a_step(rows: int, dim: int, size: int) -> None:
    rng = np.random.default_rng(rows)
    x, weight, out = (
        rng.standard_normal(shape).astype(np.float32) for shape in ((rows, dim), (dim, size), (rows, size))
    )
    expected = out + x @ weight
    add_linear(x, panels(weight), out)
    np.testing.assert_allclose(out, expected, atol=1e-4, rtol=1e-5)
    both = panels(np.stack([weight, 2 * weight]))
    np.testing.assert_array_equal(both[1], 2 * panels(weight))


def test_windows_that_are_read_together_fill_a_pack() -> None:
    places = [5, 4, 1, 20, 3, 3]
    found = [places[some] for some in neighbours(places, most=10, gap=1)]
    assert found == [[5, 4], [1], [20], [3, 3]]


@given(st.lists(st.integers(1, 40), max_size=60), st.integers(0, 4))
def test_windows_are_read_in_an_order_that_fills_packs(places: list[int], gap: int) -> None:
    order = filling(places, most=30, gap=gap)
    assert sorted(order) == list(range(len(places)))
    ordered = [places[i] for i in order]
    packs = [ordered[some] for some in neighbours(ordered, most=30, gap=gap)]
    used = [sum(pack) + gap * (len(pack) - 1) for pack in packs]
    assert all(rows <= 30 or len(pack) == 1 for rows, pack in zip(used, packs, strict=True))
    for i, rows in enumerate(used):  # no later pack was begun while there was room
        assert all(rows + gap + later[0] > 30 for later in packs[i + 1 :])
