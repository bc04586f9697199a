"""The fast twin of the strand-symmetric trunk against the plain one, for one gene and for both strands."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tests.model.test_strands import trunk
from tests.model.tiny import DECODERS, ENCODERS, random_text
from transgenic_tools.errors import UsageError
from transgenic_tools.fast.strands import FusedStrandTrunk
from transgenic_tools.genome.sequence import encode, reverse_complement
from transgenic_tools.model.config import ModelConfig, StrandEncoderConfig
from transgenic_tools.model.encoders.strands import SCAN_BAND
from transgenic_tools.model.head import BaseScores
from transgenic_tools.model.network import Network
from transgenic_tools.model.strand_trunk import StrandTrunk
from transgenic_tools.search.reader import Reader, pick_precision

needs_bf16 = pytest.mark.skipif(
    pick_precision("auto", torch.device("cpu")) != "bf16", reason="no bf16 kernels for this processor"
)


def with_biases(**changes: int) -> StrandTrunk:
    """The tiny trunk, no bias of which is 0."""
    made = trunk(**changes)
    for name, parameter in made.named_parameters():
        if name.endswith("bias"):
            torch.nn.init.normal_(parameter)
    return made


def batch(codes: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(codes.astype(np.int64))[None]


def assert_near(fast: BaseScores, plain: BaseScores) -> None:
    for a, b in zip(fast, plain, strict=True):
        assert a.shape == b.shape
        torch.testing.assert_close(a, b, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("length", [1, 5, 6, 97, 500])
@pytest.mark.parametrize("band", [8, 256])
@torch.no_grad()
def test_the_fast_trunk_equals_the_plain_one(length: int, band: int) -> None:
    made, codes = with_biases(band=band), encode(random_text(length))
    fast = FusedStrandTrunk(made.encoder, made.head)
    assert_near(fast(codes), made(batch(codes)))
    (both,) = fast.scan([codes])
    for a, b in zip(both, made.scan(batch(codes)), strict=True):
        assert_near(a, b)


@pytest.mark.parametrize("length", [300, 9_000])
@torch.no_grad()
def test_a_scan_looks_less_far_than_the_training_in_both_twins(length: int) -> None:
    made, codes = with_biases(band=200), encode(random_text(length))
    (both,) = FusedStrandTrunk(made.encoder, made.head).scan([codes])
    plain = [made.head(strand) for strand in made.encoder.read(batch(codes), one_gene=False, both=True, band=SCAN_BAND)]
    for a, b in zip(both, plain, strict=True):
        assert_near(a, b)
    farther = made.scan(batch(codes))[0]
    assert torch.allclose(both[0].sites, farther.sites, atol=1e-6) == (length < 6 * SCAN_BAND)


@torch.no_grad()
def test_a_long_tile_is_read_in_blocks_as_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    import transgenic_tools.model.encoders.strands as strands

    made, codes = with_biases(band=64), encode(random_text(20_000))
    (both,) = FusedStrandTrunk(made.encoder, made.head).scan([codes])
    monkeypatch.setattr(strands, "DENSE_PATCHES", 10**9)
    for a, b in zip(both, made.scan(batch(codes)), strict=True):
        assert_near(a, b)


@needs_bf16
def test_bf16_is_near_fp32() -> None:
    made, codes = with_biases(), encode(random_text(700))
    exact, near = (FusedStrandTrunk(made.encoder, made.head, dtype)(codes) for dtype in (torch.float32, torch.bfloat16))
    assert 0 < (exact.sites - near.sites).abs().max() < 0.1 * exact.sites.std() + 0.05


@pytest.mark.parametrize("dtype", [torch.float32, pytest.param(torch.bfloat16, marks=needs_bf16)])
def test_a_window_has_the_same_scores_in_any_pack(dtype: torch.dtype) -> None:
    """The same bits, at the sizes of a model, whatever is read before, behind and with it."""
    torch.manual_seed(2)
    made = StrandTrunk(StrandEncoderConfig()).eval()
    fast = FusedStrandTrunk(made.encoder, made.head, dtype)
    windows = [encode(random_text(length)) for length in (1_803, 7, 640, 2_999, 411, 5_200, 96, 1_201)]
    alone = [fast(codes) for codes in windows]
    for order in (range(8), [3, 1, 7, 0, 6, 2, 5, 4], [6, 4, 1]):
        for i, scores in zip(order, fast.read([windows[i] for i in order]), strict=True):
            for a, b in zip(alone[i], scores, strict=True):
                assert torch.equal(a, b), f"window {i} of {len(windows[i])} bases"


@torch.no_grad()
def test_a_reader_scans_with_the_twin_and_without(monkeypatch: pytest.MonkeyPatch) -> None:
    """Mirrored windows have mirrored scores; a model of one strand says that it cannot scan."""
    torch.manual_seed(1)
    network = Network(ModelConfig.from_dict({"encoder": ENCODERS["strands"], "decoder": DECODERS["pointer"]})).eval()
    text = random_text(6 * 40)
    windows = [encode(text), encode(reverse_complement(text))]
    reader = Reader(network, precision="fp32")
    assert isinstance(reader._trunk, FusedStrandTrunk)
    (forward, reverse), (mirror, other) = fast = list(reader.scan(windows))
    for a, b in ((forward, other), (reverse, mirror)):
        torch.testing.assert_close(a.sites, b.sites.flip(-1), atol=1e-5, rtol=1e-4)
    monkeypatch.setattr(reader, "_trunk", None)
    for one, plain in zip(fast, reader.scan(windows), strict=True):
        for a, b in zip(one, plain, strict=True):
            assert_near(a, b)


def test_a_model_of_one_strand_cannot_scan() -> None:
    network = Network(ModelConfig.from_dict({"encoder": ENCODERS["embedded"], "decoder": DECODERS["pointer"]})).eval()
    with pytest.raises(UsageError, match="'embedded' cannot scan a bare genome"):
        list(Reader(network, precision="fp32").scan([encode(random_text(60))]))
