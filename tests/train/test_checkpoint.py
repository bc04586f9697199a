"""A run's state on disk: tensors and plain values alone, ordinary files, and nothing of it in a model directory."""

from __future__ import annotations

import ast
import json
import os
import pickle
import stat
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tests.train.builders import shards
from tests.train.test_run import config
from transgenic_tools.errors import BadInputError
from transgenic_tools.train.checkpoint import (
    CHECKPOINT_VERSION,
    load_tree,
    random_state,
    save_tree,
    set_random_state,
)
from transgenic_tools.train.identity import made_from
from transgenic_tools.train.run import run

PACKAGE = Path(__file__).parents[2] / "transgenic_tools"


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ...]:
    return shards(tmp_path_factory.mktemp("shards"))


plain = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5)
trees = st.recursive(
    plain | st.lists(st.floats(width=32, allow_nan=False), max_size=4).map(torch.tensor),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.integers() | st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


def same(one: Any, other: Any) -> bool:
    if isinstance(one, torch.Tensor):
        return isinstance(other, torch.Tensor) and one.dtype == other.dtype and torch.equal(one, other)
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(same, one, other))
    return type(one) is type(other) and one == other


@given(tree=trees)
def test_what_is_read_is_what_was_written(tree: Any, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("tree")
    save_tree(tree, folder, "state")
    assert same(tree, load_tree(folder, "state"))


def test_an_object_is_refused_when_it_is_written(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match=r"state\.what is a PosixPath"):
        save_tree({"what": Path()}, tmp_path, "state")


def test_random_numbers_go_on_where_they_were(tmp_path: Path) -> None:
    import random

    import numpy as np

    def draw() -> list[float]:
        return [random.random(), float(np.random.random()), float(torch.rand(()))]

    draw()
    save_tree(random_state(), tmp_path, "process-0")
    expected = draw()
    set_random_state(load_tree(tmp_path, "process-0"))
    assert draw() == expected


class Bomb:
    """What a pickle can do to whoever reads it."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return os.system, (f"touch {self.mark}",)


#: Files that accelerate, torch and DeepSpeed would read there.
HOSTILE = (
    "custom_checkpoint_0.pkl", "optimizer.bin", "scheduler.bin", "random_states_0.pkl", "pytorch_model.bin",
    "sampler.bin", "scaler.pt", "model.safetensors", "state.pkl", "process-0.pkl",
)  # fmt: skip


@pytest.mark.parametrize("progress", [{"step": 2}, {"format_version": CHECKPOINT_VERSION, "step": 2, "processes": 1}])
@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("place", ["{out}.training/checkpoints/last", "{out}/checkpoints/last"])
def test_a_hostile_checkpoint_runs_nothing(
    data: tuple[Path, ...], tmp_path: Path, place: str, progress: dict[str, int], known: bool
) -> None:
    mark, out = tmp_path / "was-here", tmp_path / "model"
    folder = Path(place.format(out=out))
    folder.mkdir(parents=True)
    for name in HOSTILE:
        (folder / name).write_bytes(pickle.dumps(Bomb(mark)))
    (folder / "progress.json").write_text(json.dumps(progress))
    settings = config(data, out, steps=1)
    if known and "training" in place:  # as of this very run, or it is set aside unread
        (folder.parent / "made_from.json").write_text(json.dumps(made_from(settings)))
        with pytest.raises(BadInputError, match="checkpoint"):
            run(settings)
    else:
        run(settings)
    assert not mark.exists()


def test_pickles_in_the_place_of_tensors_are_not_read(data: tuple[Path, ...], tmp_path: Path) -> None:
    mark, out = tmp_path / "was-here", tmp_path / "model"
    run(config(data, out, steps=1))
    for file in (tmp_path / "model.training").rglob("*.*"):
        if file.is_file() and file.name not in ("progress.json", "made_from.json"):
            file.write_bytes(pickle.dumps(Bomb(mark)))
    with pytest.raises(BadInputError, match="cannot be read"):
        run(config(data, out, steps=2))
    assert not mark.exists()


def test_no_module_reads_pickles() -> None:
    """But for published weights of encoders, which torch reads in its mode for tensors alone."""
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import | ast.ImportFrom):
                names = [node.module or ""] if isinstance(node, ast.ImportFrom) else [a.name for a in node.names]
                assert not {"pickle", "cPickle", "dill", "joblib", "shelve", "marshal"} & set(names), path
            if isinstance(node, ast.Attribute):
                assert node.attr not in ("load_state", "save_state"), f"{path}: accelerate's checkpoints are pickles"
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "torch.load":
                assert any(k.arg == "weights_only" and ast.unparse(k.value) == "True" for k in node.keywords), path


def test_a_model_directory_holds_a_model_alone_and_others_may_read_it(data: tuple[Path, ...], tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        run(config(data, tmp_path / "model", steps=2))
    finally:
        os.umask(before)
    names = {path.name for path in (tmp_path / "model").iterdir()}
    assert names == {"config.json", "model.safetensors", "metrics.jsonl", "tensorboard"}
    for root in ("model", "model.training"):
        for file in (tmp_path / root).rglob("*"):
            if file.is_file():
                assert stat.S_IMODE(file.stat().st_mode) == 0o644, file
            assert file.suffix not in (".pkl", ".bin", ".pt", ".pth"), file
