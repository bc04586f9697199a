"""Shards of the demo slice and the embedded model, made once."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch

from transgenic_tools.cli.prep import app as prep_app
from transgenic_tools.io.rows import GeneRow
from transgenic_tools.io.shards import read_shard
from transgenic_tools.model.files import default_model_dir, load_model
from transgenic_tools.model.transgenic import TransgenicModel

DEMO = Path(__file__).resolve().parents[2] / "assets" / "demo"


@pytest.fixture(scope="session")
def shard_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from typer.testing import CliRunner

    directory = tmp_path_factory.mktemp("shards")
    flags = ["--fasta", str(DEMO / "athaliana_chr1_slice.fa.gz"), "--outdir", str(directory)]
    flags += ["--annotation", str(DEMO / "athaliana_chr1_slice.gff3.gz"), "--jitter", "50", "600", "-q"]
    result = CliRunner().invoke(prep_app, ["genes", *flags])
    assert result.exit_code == 0, result.output
    return directory


@pytest.fixture(scope="session")
def rows(shard_dir: Path) -> list[GeneRow]:
    """The shortest genes of the slice, and one of the longest."""
    ordered = sorted(read_shard(shard_dir), key=lambda row: (row.bases, row.gene_id))
    return [*ordered[:20], ordered[-2]]


@pytest.fixture(scope="session")
def model() -> TransgenicModel:
    torch.set_num_threads(1)
    return load_model()[0].eval()


@pytest.fixture
def model_copy(tmp_path: Path) -> Path:
    """The embedded model's network alone, without what was fitted beside it."""
    copy = tmp_path / "model"
    copy.mkdir()
    for name in ("config.json", "model.safetensors"):
        shutil.copy(default_model_dir() / name, copy / name)
    return copy
