"""A narrower trunk: what is kept, and that nothing else is lost where the rest says nothing."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path

import pytest
import torch
import yaml
from safetensors.torch import save_file
from torch import Tensor

from tests.train.builders import shards
from transgenic_tools.errors import UsageError
from transgenic_tools.lattice.vocabulary import N_SITES, PAD_CODE
from transgenic_tools.model.config import StrandEncoderConfig
from transgenic_tools.model.files import load_network
from transgenic_tools.model.strand_trunk import StrandTrunk, trunk_of
from transgenic_tools.model.transgenic import TransgenicConfig, TransgenicModel
from transgenic_tools.train.mixture import StrandBatch
from transgenic_tools.train.narrow import axes_of, channel_worth, cut, kept_channels, main, match_norms
from transgenic_tools.train.trunk_model import model_of_trunk

WIDE = StrandEncoderConfig(stem=6, channels=6, dim=24, blocks=2, heads=2, patch=6, attention_every=2)
SAME = {"blocks": 2, "heads": 2, "patch": 6, "attention_every": 2}
NARROW = replace(WIDE, stem=4, channels=5, dim=16)


def _batch() -> StrandBatch:
    torch.manual_seed(2)
    codes = torch.randint(0, 4, (2, 150))
    codes[1, 100:] = PAD_CODE
    sites = (torch.rand(2, 2, N_SITES, 150) < 0.02).float()
    return StrandBatch(codes, sites, torch.ones_like(sites), torch.randint(0, 4, (2, 2, 150)))


def _silenced(trunk: StrandTrunk, kept: dict[str, Tensor]) -> None:
    """All that is not kept is 0; then a cut takes nothing away but angles of queries and keys, which say nothing."""
    with torch.no_grad():
        for name, value in trunk.named_parameters():
            for axis, kind in enumerate(axes_of(name)[: value.ndim]):
                if kind in kept and not kind.startswith("qkv"):
                    lost = torch.ones(value.shape[axis], dtype=torch.bool)
                    lost[kept[kind]] = False
                    value.movedim(axis, 0)[lost] = 0.0
        for block in trunk.encoder.blocks:
            if block.attention is not None:
                for weight in (block.attention.qkv.even, block.attention.qkv.odd):  # every patch is seen alike
                    weight[: 2 * WIDE.dim] = 0.0


def test_what_is_silent_can_be_cut_out() -> None:
    torch.manual_seed(1)
    wide, narrow, batch = StrandTrunk(WIDE).eval(), StrandTrunk(NARROW).eval(), _batch()
    kept = kept_channels(channel_worth(wide, iter([(batch, False), (batch, False)])), WIDE, NARROW)
    assert {len(kept[k]) for k in ("dim", "stem", "channels", "hidden 0")} == {16, 4, 5, 32}
    _silenced(wide, kept)
    narrow.load_state_dict(cut(wide.state_dict(), kept))
    with torch.no_grad():
        far = narrow.scan(batch.codes)[1].sites
        match_norms(narrow.encoder, wide.encoder, kept["dim"], iter([batch]))
        found, expected = narrow.scan(batch.codes), wide.scan(batch.codes)
    assert not torch.allclose(far, expected[1].sites, atol=1e-3), "norms of fewer channels are larger"
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one.sites, other.sites, atol=1e-4, rtol=1e-4)
        torch.testing.assert_close(one.contents, other.contents, atol=1e-4, rtol=1e-4)


def test_a_channel_that_nobody_reads_is_worth_nothing_and_goes_first() -> None:
    torch.manual_seed(1)
    wide = StrandTrunk(WIDE)
    with torch.no_grad():
        wide.head.project.weight[:, 3] = 0.0
        wide.encoder.base_mix.conv.weight[:, 3] = 0.0
        wide.encoder.blocks[1].down.even[:, 7] = 0.0
        wide.encoder.blocks[1].down.odd[:, 7] = 0.0
    worth = channel_worth(wide, iter([(_batch(), False)]))
    assert worth["channels"].argmin() == 3
    assert worth["channels"][3] == 0
    assert worth["hidden 1"].argmin() == 7
    kept = kept_channels(worth, WIDE, NARROW)
    assert 3 not in kept["channels"].tolist()
    assert 7 not in kept["hidden 1"].tolist()


def test_every_tensor_of_a_model_gets_the_size_of_the_narrow_one() -> None:
    """Its decoder reads the kept channels, and is the same otherwise."""
    torch.manual_seed(1)
    wide, narrow = (
        TransgenicModel(TransgenicConfig(encoder={**vars(sizes)}, decoder={"layers": 1, "dim": 16, "heads": 2}))
        for sizes in (WIDE, NARROW)
    )
    worth = channel_worth(trunk_of(wide), iter([(_batch(), False)]))
    state = cut(wide.state_dict(), kept_channels(worth, WIDE, NARROW))
    narrow.load_state_dict(state)
    assert torch.equal(narrow.decoder.key.weight, wide.decoder.key.weight)


def test_a_wider_or_another_network_is_no_narrower_form() -> None:
    worth = channel_worth(StrandTrunk(WIDE), iter([(_batch(), False)]))
    for sizes in (replace(NARROW, dim=32), replace(NARROW, blocks=1), replace(NARROW, patch=9)):
        with pytest.raises(UsageError, match="no narrower form"):
            kept_channels(worth, WIDE, sizes)


def test_genes_alone_are_enough_to_cut_by(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A sheet without stretches has no tiles; the recipe's steps go on from what is written."""
    shards(tmp_path / "shards", n_train=2, n_validation=1)
    sheet, plan, trunk = tmp_path / "genomes.yaml", tmp_path / "plan.yaml", StrandTrunk(WIDE)
    sheet.write_text("genomes: [{name: g, shards: shards, gene_share: 1.0}]")
    plan.write_text(yaml.safe_dump({"encoder": {"stem": 4, "channels": 5, "dim": 16, **SAME}, "init": "narrow"}))
    (tmp_path / "trunk").mkdir()
    save_file(trunk.state_dict(), tmp_path / "trunk" / "trunk.safetensors")
    (tmp_path / "trunk" / "config.json").write_text(json.dumps({"encoder": asdict(WIDE), "step": 1}))
    model_of_trunk(tmp_path / "trunk").save_pretrained(tmp_path / "model")
    wanted = ["--sheet", str(sheet), "--outdir", str(tmp_path / "narrow"), "--steps", "2"]
    monkeypatch.setattr("sys.argv", ["narrow", str(tmp_path / "model"), str(plan), *wanted])
    main()
    cut_out, _ = load_network(tmp_path / "narrow")
    assert trunk_of(cut_out).encoder.config == NARROW
