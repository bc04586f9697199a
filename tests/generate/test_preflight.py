"""What tg-generate says before it begins."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
import torch

from tests.model.test_preflight import config_of
from tests.train.builders import shards
from transgenic_tools.errors import OutOfMemoryError
from transgenic_tools.generate.config import Config
from transgenic_tools.generate.preflight import announce, window_lengths
from transgenic_tools.io.shards import read_shard
from transgenic_tools.model import preflight
from transgenic_tools.model.transgenic import TransgenicModel


def test_the_line_names_windows_memory_and_time(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = shards(tmp_path, n_train=5, n_validation=2)
    lengths = [row.bases for row in read_shard(files) if row.split == "validation"]
    assert window_lengths(files, "validation") == lengths
    assert sum(window_lengths(files, None)) > sum(lengths)
    model, device = TransgenicModel(config_of("embedded")), torch.device("cpu")
    config = Config(shards=files, model=None, outdir=tmp_path, split="validation")
    with caplog.at_level(logging.INFO):
        announce(model, device, files, config)
    assert f"{sum(lengths)} bases, longest window {max(lengths)}: cpu, fp32: needs" in caplog.text
    assert "min" in caplog.text
    monkeypatch.setattr(preflight, "free_memory", lambda device: 1000)
    with pytest.raises(OutOfMemoryError, match="cannot fit"):
        announce(model, device, files, config)
