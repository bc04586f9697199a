"""The model's configuration: one frozen record, its form in config.json, and models of earlier versions."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from tests.model.tiny import DECODERS, ENCODERS
from transgenic_tools.errors import BadInputError, UsageError
from transgenic_tools.lattice.config import ScoringConfig
from transgenic_tools.model.config import ModelConfig, PointerDecoderConfig
from transgenic_tools.model.files import load_model, load_network
from transgenic_tools.model.network import Network
from transgenic_tools.model.transgenic import TransgenicConfig, TransgenicModel

PARTS = {"encoder": ENCODERS["embedded"], "decoder": DECODERS["pointer"]}


def test_what_is_written_is_read_again() -> None:
    for encoder in ENCODERS.values():
        for decoder in DECODERS.values():
            settings = ModelConfig.from_dict(
                {"encoder": encoder, "decoder": decoder, "calibration": {"site": [1.0, 2.0]}}
            )
            assert ModelConfig.from_dict(json.loads(json.dumps(settings.to_dict()))) == settings
            assert TransgenicConfig(encoder=encoder, decoder=decoder).settings == replace(settings, calibration={})


def test_the_pointing_decoder_was_called_embedded_and_such_models_still_load(tmp_path: Path) -> None:
    torch.manual_seed(0)
    TransgenicModel(TransgenicConfig(**PARTS)).save_pretrained(tmp_path)
    path = tmp_path / "config.json"
    saved = json.loads(path.read_text())
    assert saved["decoder"]["name"] == "pointer"
    saved["decoder"]["name"] = "embedded"
    path.write_text(json.dumps(saved))
    for load in (load_network, load_model):
        model, _ = load(tmp_path)
        assert isinstance(model.settings.decoder, PointerDecoderConfig)
        assert model.settings.decoder.name == "pointer"
    model.save_pretrained(tmp_path / "again")
    assert json.loads((tmp_path / "again" / "config.json").read_text())["decoder"]["name"] == "pointer"


def test_what_was_fitted_is_saved(tmp_path: Path) -> None:
    model = TransgenicModel(TransgenicConfig(**PARTS))
    model.refit(scoring=ScoringConfig(content_weight=0.25), calibration={"site": [0.5, -1.0]})
    model.save_pretrained(tmp_path)
    network, _ = load_network(tmp_path)
    assert type(network) is Network
    assert network.settings == model.settings
    assert network.settings.scoring.content_weight == 0.25
    assert network.settings.calibration == {"site": [0.5, -1.0]}


def test_unknown_parts_and_settings_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no part"):
        ModelConfig.from_dict({"encodr": {}})
    with pytest.raises(UsageError, match="no setting"):
        ModelConfig.from_dict({"decoder": {"name": "pointer", "widht": 3}})
    with pytest.raises(UsageError, match="'embeded' is not known"):
        ModelConfig.from_dict({"encoder": {"name": "embeded"}})
    TransgenicModel(TransgenicConfig(**PARTS)).save_pretrained(tmp_path)
    saved = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(saved | {"vocabulary_version": 99}))
    for load in (load_network, load_model):
        with pytest.raises(BadInputError, match="vocabulary version 99"):
            load(tmp_path)
