"""Averaging weights: the mean of two models is what it says, and wrong shares are refused."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from tests.model.tiny import DECODERS, ENCODERS
from transgenic_tools.errors import UsageError
from transgenic_tools.model.files import load_model
from transgenic_tools.model.transgenic import TransgenicConfig, TransgenicModel
from transgenic_tools.train.average import average_models


def test_the_mean_of_two_models(tmp_path: Path) -> None:
    for seed in (1, 2):
        torch.manual_seed(seed)
        config = TransgenicConfig(encoder=ENCODERS["embedded"], decoder=DECODERS["pointer"])
        TransgenicModel(config).save_pretrained(tmp_path / str(seed))
    average_models([tmp_path / "1", tmp_path / "2"], [0.25, 0.75], tmp_path / "mean")
    one, two, mean = (load_model(tmp_path / name)[0].state_dict() for name in ("1", "2", "mean"))
    for name, value in mean.items():
        torch.testing.assert_close(value, 0.25 * one[name] + 0.75 * two[name])
    with pytest.raises(UsageError, match="shares"):
        average_models([tmp_path / "1"], [0.5], tmp_path / "wrong")
