"""A model that has learned conditions, without learning: a layer of random weights that moves what a model writes.

In: a model directory. Out: a copy of it with the layer, and a table of its two inputs by sample.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np

from transgenic_tools.io.conditions import InputScaling
from transgenic_tools.lattice.condition import BINS, N_SIDES, ConditionLayer
from transgenic_tools.model.condition import ConditionModel, save_conditions
from transgenic_tools.model.files import load_network, model_dir, model_hash

SAMPLES = {"root": (1.5, -1.0), "leaf": (-1.5, 1.0)}
_MEMBERS, _RANK, _K = 2, 2, 2


def conditioned(directory: Path, source: Path | None = None, *, scale: float = 0.1) -> Path:
    """Copy a model (the embedded one) with a layer that knows the samples `root` and `leaf`."""
    source = model_dir(source)
    directory.mkdir()
    for name in ("config.json", "model.safetensors"):
        shutil.copyfile(source / name, directory / name)
    network, _ = load_network(source)
    rng = np.random.default_rng(7)

    def drawn(*shape: int) -> np.ndarray:
        return rng.normal(0, scale, (_MEMBERS, _RANK, *shape)).astype(np.float32)

    layer = ConditionLayer(
        kmers=drawn(N_SIDES, len(BINS), 4**_K), trunk=drawn(N_SIDES, network.encoder.channels) * 0,
        bias=drawn(N_SIDES), inputs=drawn(2) / scale,
    )  # fmt: skip
    scaling = InputScaling(names=("A", "B"), scale="log", mean=np.array([3.0, 3.0]), deviation=np.array([1.0, 1.0]))
    samples = {name: np.array(values, dtype=np.float32) for name, values in SAMPLES.items()}
    save_conditions(ConditionModel(scaling=scaling, layer=layer, samples=samples, trunk=model_hash(source)), directory)
    return directory


def table(path: Path) -> Path:
    """TPM of these samples, and of one that was never seen."""
    columns = {**SAMPLES, "stem": (0.5, 0.5)}
    rows = [
        "\t".join([gene, *(f"{2 ** (3 + values[number]) - 1:.6f}" for values in columns.values())])
        for number, gene in enumerate(("A", "B"))
    ]
    path.write_text("\n".join(["gene\t" + "\t".join(columns), *rows]) + "\n")
    return path
