"""The estimate of memory, against what autograd really keeps."""

from __future__ import annotations

import pytest
import torch

from tests.model.tiny import ENCODERS, OWN, random_text, windows
from transgenic_tools.errors import OutOfMemoryError
from transgenic_tools.model import preflight
from transgenic_tools.model.config import build_part
from transgenic_tools.model.encoders.factory import build_encoder
from transgenic_tools.model.preflight import (
    Memory,
    check,
    estimate,
    expected_seconds,
    generation_line,
    kept_bytes,
    shared,
)
from transgenic_tools.model.presets import load_preset
from transgenic_tools.model.transgenic import TransgenicConfig

DECODER = {"dim": 8, "heads": 1, "layers": 0, "node_layers": 0}


def config_of(name: str, **changes: object) -> TransgenicConfig:
    mapping = {"channels": 6, "width": 8, "kernel": 3}
    return TransgenicConfig(encoder={**ENCODERS[name], **changes}, mapping=mapping, decoder=DECODER)


@pytest.mark.parametrize("name", ["mini", "default", "strands"])
def test_generation_knows_what_our_own_networks_need(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """By a formula, against the count on the meta device that the other networks take."""
    config = TransgenicConfig(**{k: v for k, v in load_preset(name).items() if k != "training"})
    counted = estimate(config.settings, bases=20_000, train=False).activations
    monkeypatch.setattr(preflight, "_activations", None)  # which loads a second's worth of torch's compiler
    line = generation_line(config.settings, torch.device("cpu"), at_once=20_000, total_bases=10**6)
    said = float(line.split("activations ")[1].split(")")[0])
    assert said == pytest.approx(counted / 1e9, rel=0.1)


@pytest.mark.parametrize("name", ENCODERS)
def test_activations_are_those_that_autograd_keeps(name: str) -> None:
    """Counted on the meta device from one and two layers, against a real pass of three."""
    layers = {
        "auto": {"architecture": {**ENCODERS["auto"]["architecture"], "num_hidden_layers": 3}},
    }
    changes = {"blocks": 6} if name in OWN else {"segment_tokens": 64, **layers.get(name, {"layers": 3})}
    config = config_of(name, **changes)
    if name == "esm":
        config.encoder["max_positions"] = 80
    torch.manual_seed(0)
    encoder = build_encoder(build_part("encoder", config.encoder), build_part("mapping", config.mapping)).train()
    codes = windows(random_text(60).replace("N", "A"))
    really = kept_bytes(encoder, codes)
    assert estimate(config.settings, bases=60, train=True).activations == pytest.approx(really, rel=0.15)


def test_parameters_of_each_purpose() -> None:
    config = config_of("esm")
    full, adapted = (estimate(config.settings, bases=60, train=True, learned=share) for share in (1.0, 0.01))
    assert full.gradients == full.weights
    assert full.optimizer == 2 * full.weights
    assert adapted.optimizer < 0.02 * full.optimizer
    assert adapted.weights == full.weights
    predict = estimate(config.settings, bases=60, train=False)
    assert (predict.gradients, predict.optimizer, predict.average) == (0, 0, 0)
    assert predict.activations < full.activations


def test_checkpointing_and_bf16_need_less() -> None:
    deep = {"layers": 8}
    settings = [config_of("nucleotide-transformer-v2", **deep, checkpointing=c).settings for c in (False, True)]
    plain, saving = (estimate(one, bases=80, train=True) for one in settings)
    assert saving.activations < plain.activations / 2
    half = estimate(config_of("nucleotide-transformer-v2", **deep).settings, bases=80, train=True, half=True)
    assert half.activations == plain.activations // 2


def test_a_run_that_cannot_fit_is_stopped_with_advice() -> None:
    memory = Memory(10**9, 10**9, 2 * 10**9, 10**9, 10**9)
    device = torch.device("cpu")
    assert "6.00 GB" in check(memory, device, half=False, seconds=600, free=10**10)
    with pytest.raises(OutOfMemoryError, match=r"6\.00 GB") as stopped:
        check(memory, device, half=False, seconds=600, free=6 * 10**9)
    assert "--peft lora" in str(stopped.value.hint)
    with pytest.raises(OutOfMemoryError) as stopped:
        check(Memory(1, 1, 2, 1, 10**10), device, half=False, seconds=1, free=10**9)
    assert "--batch-bases" in str(stopped.value.hint)


def test_time_grows_with_bases_and_with_learning() -> None:
    config = TransgenicConfig(**{k: v for k, v in load_preset("mini").items() if k != "training"})
    one = expected_seconds(config.settings, total_bases=10**6, train=False, speed=1e10)
    assert expected_seconds(config.settings, total_bases=2 * 10**6, train=True, speed=1e10) == pytest.approx(6 * one)


def test_processes_share_what_zero_spreads() -> None:
    memory = Memory(8, 8, 16, 8, 100)
    assert [shared(memory, zero=zero, processes=4).total for zero in (0, 1, 2, 3)] == [140, 128, 122, 116]


def test_times_are_told_in_words_that_fit() -> None:
    memory, cpu = Memory(1, 0, 0, 0, 1), torch.device("cpu")
    for seconds, said in (
        (100, "about 2 min"),
        (7_200, "about 2 h"),
        (180_000, "about 50 h"),
        (864_000, "about 10 days"),
    ):
        assert check(memory, cpu, half=False, seconds=seconds, free=100).endswith(said)


def test_generation_is_announced_and_stopped_where_it_cannot_fit() -> None:
    config = config_of("esm")
    line = generation_line(config.settings, torch.device("cpu"), at_once=3000, total_bases=10**6)
    assert "cpu, fp32: needs" in line
    assert "min" in line
    with pytest.raises(OutOfMemoryError) as stopped:
        generation_line(config.settings, torch.device("cpu"), at_once=10**12, total_bases=10**12)
    assert "--max-length" in str(stopped.value.hint)
