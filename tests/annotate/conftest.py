"""A small model and a small world."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from tests.faults import world
from tests.scan.test_cli import _SMALL, EAGER
from transgenic_tools.model.transgenic import TransgenicConfig, TransgenicModel


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Small and untrained: it finds genes in anything, and writes something into them."""
    torch.manual_seed(1)
    directory = tmp_path_factory.mktemp("model")
    network = TransgenicModel(TransgenicConfig(encoder=_SMALL, decoder={"dim": 16, "heads": 2, "layers": 1}))
    network.refit(scoring=EAGER, scan=EAGER)
    network.save_pretrained(directory)
    return directory


@pytest.fixture
def here(tmp_path: Path) -> Path:
    world.build(tmp_path)
    return tmp_path
