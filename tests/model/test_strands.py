"""The strand-symmetric encoder: mirrored input gives mirrored output, and it is a dense network with tied weights."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from tests.model.tiny import random_text, windows
from transgenic_tools.genome.sequence import reverse_complement
from transgenic_tools.model.config import StrandEncoderConfig
from transgenic_tools.model.encoders.strands import StrandEncoder, TiedLinear, exchange
from transgenic_tools.model.strand_trunk import StrandTrunk

SIZES = {"stem": 6, "channels": 8, "dim": 16, "blocks": 3, "heads": 2, "patch": 6, "band": 16, "attention_every": 2}


def trunk(**changes: int) -> StrandTrunk:
    torch.manual_seed(1)
    made = StrandTrunk(StrandEncoderConfig(**(SIZES | changes))).eval()
    torch.nn.init.normal_(made.encoder.one_gene)
    return made


@pytest.mark.parametrize("length", [6, 60, 6 * 120])
@torch.no_grad()
def test_the_reverse_complement_exchanges_the_strands(length: int) -> None:
    text = random_text(length)
    forward, reverse = trunk().scan(windows(text))
    turned_forward, turned_reverse = trunk().scan(windows(reverse_complement(text)))
    for a, b in ((forward, turned_reverse), (reverse, turned_forward)):
        for x, y in zip(a, b, strict=True):
            torch.testing.assert_close(x, y.flip(-1), atol=1e-5, rtol=1e-4)
    assert not torch.allclose(forward.sites, reverse.sites, atol=1e-2), "the strands are told apart"


@torch.no_grad()
def test_a_window_read_for_one_gene_is_the_forward_strand_with_the_flag() -> None:
    made, codes = trunk(), windows(random_text(120))
    alone = made.encoder(codes)
    torch.testing.assert_close(alone, made.encoder.read(codes, one_gene=True, both=True)[0], atol=1e-5, rtol=1e-4)
    assert not torch.allclose(alone, made.encoder.read(codes, one_gene=False, both=False)[0], atol=1e-3)


@torch.no_grad()
def test_padding_changes_nothing() -> None:
    made, text = trunk(), random_text(97)
    alone = made(windows(text))
    padded = made(windows(text, random_text(300)))
    torch.testing.assert_close(padded.sites[:1, :, :97], alone.sites, atol=1e-5, rtol=1e-4)
    assert (padded.features[0, :, 97:] == 0).all()


@torch.no_grad()
def test_a_tied_layer_is_its_dense_one() -> None:
    torch.manual_seed(2)
    layer = TiedLinear(5, 7)
    torch.nn.init.normal_(layer.bias)
    strands = torch.randn(2, 3, 4, 5)
    weight, bias = layer.dense()
    dense = F.linear(torch.cat((strands[0], strands[1]), -1), weight, bias)
    tied = exchange(layer(exchange(strands)))
    torch.testing.assert_close(torch.cat((tied[0], tied[1]), -1), dense)


@torch.no_grad()
def test_long_windows_are_read_in_blocks_as_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    import transgenic_tools.model.encoders.strands as strands

    made, codes = trunk(), windows(random_text(6 * 200))
    whole = made.scan(codes)
    monkeypatch.setattr(strands, "DENSE_PATCHES", 8)
    for a, b in zip(whole, made.scan(codes), strict=True):
        torch.testing.assert_close(a.sites, b.sites, atol=1e-5, rtol=1e-4)


def test_one_gene_can_be_learned_beside_a_scan() -> None:
    """Both modes share all weights but the flag's, and a gradient reaches every one."""
    made, codes = trunk(), windows(random_text(120))
    made(codes).sites.square().mean().backward()
    made.scan(codes)[1].contents.square().mean().backward()
    missing = [name for name, p in made.named_parameters() if p.grad is None or not p.grad.abs().sum()]
    assert missing == []


def test_the_encoder_is_one_of_those_of_a_model() -> None:
    from transgenic_tools.model.config import MappingConfig, build_part
    from transgenic_tools.model.encoders.factory import build_encoder

    encoder = build_encoder(build_part("encoder", {"name": "strands", **SIZES}), MappingConfig())
    assert isinstance(encoder, StrandEncoder)
    assert encoder.channels == SIZES["channels"]
