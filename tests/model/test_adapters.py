"""Adapters: gradients into the encoder, nothing else moves in it, saved alone, merged."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from tests.model.tiny import ENCODERS, random_text, windows
from transgenic_tools.errors import BadInputError, UsageError
from transgenic_tools.model.adapters import add_adapters, backbone_of, load_adapters, merged, save_adapters
from transgenic_tools.model.presets import load_preset, model_preset_names
from transgenic_tools.model.transgenic import TransgenicConfig, TransgenicModel

CODES = windows(random_text(120))


def make(encoder: str) -> TransgenicModel:
    torch.manual_seed(0)
    decoder = {"dim": 8, "heads": 1, "layers": 1, "node_layers": 1}
    mapping = {"channels": 6, "width": 6, "kernel": 3}
    return TransgenicModel(TransgenicConfig(encoder=ENCODERS[encoder], mapping=mapping, decoder=decoder))


def train_step(model: TransgenicModel) -> dict[str, torch.Tensor]:
    """Two steps (LoRA's second factor starts at zero); returns the weights before."""
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=0.5)
    for _ in range(2):
        optimizer.zero_grad()
        model.train().score_bases(CODES).sites.square().mean().backward()
        optimizer.step()
    return before


@pytest.mark.parametrize("checkpointing", [False, True])
@pytest.mark.parametrize("method", ["lora", "ia3"])
@pytest.mark.parametrize("encoder", [name for name in ENCODERS if name != "strands"])
def test_adapters_learn_inside_a_frozen_encoder(encoder: str, method: str, checkpointing: bool) -> None:
    if checkpointing and encoder == "embedded":
        pytest.skip("the embedded encoder is too small to need checkpoints")
    model = make(encoder)
    if checkpointing:
        torch.manual_seed(0)
        model = TransgenicModel(
            TransgenicConfig(encoder={**ENCODERS[encoder], "checkpointing": True}, mapping={"channels": 6, "width": 6})
        )
    add_adapters(model, method, rank=2)
    before = train_step(model)
    inside = {f"encoder.{n}" if backbone_of(model) is model.encoder else f"encoder.backbone.{n}"
              for n, _ in backbone_of(model).named_parameters()}  # fmt: skip
    moved = {name for name, p in model.named_parameters() if not torch.equal(p, before[name])}
    adapters = {name for name in inside if "lora_" in name or "ia3_" in name}
    assert adapters
    assert moved & inside == adapters
    assert any(name.startswith("head.") for name in moved)


@pytest.mark.parametrize("method", ["lora", "ia3"])
@pytest.mark.parametrize("encoder", [name for name in ENCODERS if name != "strands"])
def test_merged_model_computes_the_same_and_saves_plainly(encoder: str, method: str, tmp_path: Path) -> None:
    model = make(encoder)
    plain_names = set(model.state_dict())
    add_adapters(model, method, rank=2)
    train_step(model)
    model.eval()
    one = merged(model)
    assert set(one.state_dict()) == plain_names
    torch.testing.assert_close(one.score_bases(CODES).sites, model.score_bases(CODES).sites, atol=1e-4, rtol=1e-4)
    one.save_pretrained(tmp_path)
    again = TransgenicModel.from_pretrained(tmp_path, local_files_only=True).eval()
    torch.testing.assert_close(again.score_bases(CODES).sites, one.score_bases(CODES).sites, atol=1e-5, rtol=1e-5)


def test_adapters_saved_alone_restore_the_encoder(tmp_path: Path) -> None:
    model = make("esm")
    held = add_adapters(model, "lora", rank=2)
    train_step(model)
    path = save_adapters(model, tmp_path)
    assert held == 2 * 3 * 2 * (12 + 12)  # layers, projections, rank, in and out
    assert path.stat().st_size < 4 * held + 4000
    other = make("esm")
    add_adapters(other, "lora", rank=2)
    load_adapters(other, tmp_path)
    got, wanted = (m.eval().encoder.encode(CODES).hidden for m in (other, model))  # type: ignore[operator]
    torch.testing.assert_close(got, wanted)
    wrong = make("esm")
    add_adapters(wrong, "lora", rank=3)
    with pytest.raises(BadInputError, match="another model"):
        load_adapters(wrong, tmp_path)


def test_an_unknown_method_is_refused() -> None:
    with pytest.raises(UsageError, match="prefix"):
        add_adapters(make("esm"), "prefix")


@pytest.mark.parametrize("name", model_preset_names())
def test_every_preset_is_a_valid_configuration(name: str) -> None:
    config = TransgenicConfig(**{k: v for k, v in load_preset(name).items() if k != "training"})
    assert config.encoder["name"] in ENCODERS


def test_preset_overrides() -> None:
    parts = load_preset("mini", ["decoder.layers=5", "encoder.dropout=0.2"])
    assert (parts["decoder"]["layers"], parts["encoder"]["dropout"]) == (5, 0.2)
    for wrong in ("decoder", "layers=3", "decoder.=1"):
        with pytest.raises(UsageError, match="override"):
            load_preset("mini", [wrong])
    assert load_preset("default") == load_preset("embedded")
    with pytest.raises(UsageError, match="mini"):
        load_preset("huge")


def test_the_strands_take_no_adapter() -> None:
    with pytest.raises(UsageError, match="no layer of this encoder"):
        add_adapters(make("strands"), "lora")
