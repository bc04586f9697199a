"""The trunk that learns along: its gradient against one in a piece, what holds it back, and a fit with it."""

from __future__ import annotations

import copy
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from tests.train.test_conditions import World, config, files, generated, world
from transgenic_tools.errors import UsageError
from transgenic_tools.model.condition import load_conditions
from transgenic_tools.model.files import default_model_dir, model_hash
from transgenic_tools.model.transgenic import TransgenicConfig, TransgenicModel
from transgenic_tools.train.condition_layer import GeneUsage
from transgenic_tools.train.condition_trunk import MovingTrunk
from transgenic_tools.train.conditions import Fit, run

__all__ = ["world"]


def small_network() -> TransgenicModel:
    torch.manual_seed(3)
    encoder = {"name": "embedded", "stem": 8, "dim": 16, "channels": 8, "blocks": 2, "heads": 2}
    return TransgenicModel(TransgenicConfig(encoder=encoder, decoder={"dim": 16, "heads": 2, "layers": 1}))


def genes() -> list[GeneUsage]:
    rng = np.random.default_rng(1)
    return [
        GeneUsage(
            gene_id=str(length), codes=rng.integers(0, 4, length).astype(np.uint8), kmers=np.zeros(0, dtype=np.int32),
            side=np.zeros(3, dtype=np.int64), position=np.array([5, 40, length - 3]),
            features=np.zeros((3, 8), dtype=np.float32), choices=(),
        )
        for length in (160, 230)
    ]  # fmt: skip


def test_the_gradient_is_that_of_all_windows_in_one_piece() -> None:
    """At the beginning nothing has departed from what was, so the usage alone pulls."""
    network = small_network()
    trunk, whole = MovingTrunk(copy.deepcopy(network), rate=0.0), copy.deepcopy(network).eval()
    found = genes()
    features = trunk.features(found)
    gradient = torch.from_numpy(np.random.default_rng(2).normal(size=tuple(features.shape)).astype(np.float32))
    trunk.step(found, gradient, share=1.0)
    parts = [
        whole.encoder(torch.from_numpy(gene.codes.astype(np.int64))[None])[0, :, torch.from_numpy(gene.position)].t()
        for gene in found
    ]
    assert torch.allclose(torch.cat(parts), features, atol=1e-5)
    (torch.cat(parts) * gradient).sum().backward()
    torch.nn.utils.clip_grad_norm_(whole.encoder.parameters(), 1.0)
    pairs = list(zip(trunk.network.encoder.parameters(), whole.encoder.parameters(), strict=True))
    assert sum(one.grad is not None for one, _ in pairs) > 5
    for one, other in pairs:
        assert (one.grad is None) == (other.grad is None)
        if one.grad is not None and other.grad is not None:
            assert torch.allclose(one.grad, other.grad, atol=1e-4)
    assert all(parameter.grad is None for parameter in trunk.network.head.parameters())


def test_to_depart_from_what_was_pulls_back() -> None:
    trunk = MovingTrunk(small_network(), rate=1e-3)
    (gene, _) = genes()
    with torch.no_grad():
        for parameter in trunk.network.encoder.parameters():
            parameter += 0.02 * torch.randn_like(parameter)

    def departed() -> float:
        with torch.no_grad():
            return float(trunk._departed(gene, trunk._scores(gene)))

    before = departed()
    assert before > 0
    for _ in range(20):
        trunk.optimizer.zero_grad()
        trunk._departed(gene, trunk._scores(gene)).backward()  # type: ignore[no-untyped-call]
        trunk.optimizer.step()
    assert departed() < 0.5 * before


def test_a_trunk_that_learns_along_makes_another_model_and_is_resumed(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Fit, "_loss", lambda self, shifted=True: float(-self.epoch if shifted else 0.0))
    settings = {"epochs": 1, "trunk_epochs": 2, "trunk_rate": 1e-4}
    run(config(world, tmp_path / "whole", **settings))
    first, moved = (load_file(place / "model.safetensors") for place in (default_model_dir(), tmp_path / "whole"))
    changed = {name.partition(".")[0] for name in first if not torch.equal(first[name], moved[name])}
    assert changed == {"encoder"}
    assert max(float((first[name] - moved[name]).abs().max()) for name in first) < 0.01
    model = load_conditions(tmp_path / "whole")
    assert model.trunk == model_hash(tmp_path / "whole") != model_hash(default_model_dir())
    assert model.notes["trunk"] == {"rate": 1e-4, "moved": True}
    assert list(generated(tmp_path / "whole", tmp_path / "out", world, "--condition", "sample01"))

    original = Fit._save

    def dies(self: Fit) -> None:
        original(self)
        if self.epoch == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(Fit, "_save", dies)
    with pytest.raises(KeyboardInterrupt):
        run(config(world, tmp_path / "resumed", **settings))
    monkeypatch.setattr(Fit, "_save", original)
    run(config(world, tmp_path / "resumed", **settings))
    assert files(tmp_path / "resumed") == files(tmp_path / "whole")


def test_a_trunk_whose_moves_explain_nothing_stays(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first epoch is the best; and the model that is learned from is not written over."""
    monkeypatch.setattr(Fit, "_loss", lambda self, shifted=True: float(abs(self.epoch - 1) if shifted else 2.0))
    settings = {"epochs": 1, "trunk_epochs": 1, "trunk_rate": 1e-4}
    run(config(world, tmp_path / "m", **settings))
    for name in ("config.json", "model.safetensors"):
        assert (tmp_path / "m" / name).read_bytes() == (default_model_dir() / name).read_bytes()
    assert load_conditions(tmp_path / "m").notes["trunk"]["moved"] is False
    with pytest.raises(UsageError, match="--trunk-rate would write over the model that is learned from"):
        run(config(world, tmp_path / "m", init=tmp_path / "m", **settings))
