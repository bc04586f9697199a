"""A prediction shard never outlives what it was made from; windows and models that cannot be used."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from tests.train.builders import planted_row
from transgenic_tools.errors import BadInputError, MissingInputError
from transgenic_tools.generate import preflight
from transgenic_tools.generate.config import Config
from transgenic_tools.generate.preflight import Limits
from transgenic_tools.generate.run import Result, run
from transgenic_tools.io.shards import read_predictions, write_gene_shard
from transgenic_tools.model.files import load_model, load_network
from transgenic_tools.provenance import Provenance

N = 3


def shard(path: Path, first: int) -> Path:
    rows = [planted_row(first + i, split="test") for i in range(N)]
    write_gene_shard(rows, path, provenance=Provenance("test"))
    return path


def generate(*shards: Path, outdir: Path, **changes: Any) -> Result:
    return run(Config(shards=shards, model=None, outdir=outdir, **changes))


def test_another_shard_of_the_same_name_is_predicted_anew(tmp_path: Path) -> None:
    genes, out = shard(tmp_path / "genes-00000.parquet", 0), tmp_path / "out"
    first = generate(genes, outdir=out)
    before = first.predictions[0].read_bytes()
    assert generate(genes, outdir=out).reused == 1
    shard(genes, 50)
    again = generate(genes, outdir=out)
    assert again.reused == 0
    assert [row.gene_id for row in read_predictions(out)] == ["gene50", "gene51", "gene52"]
    shard(genes, 0)
    assert generate(genes, outdir=out).reused == 0
    assert first.predictions[0].read_bytes() == before


def test_a_damaged_result_is_made_again(tmp_path: Path) -> None:
    genes, out = shard(tmp_path / "genes-00000.parquet", 0), tmp_path / "out"
    target = generate(genes, outdir=out).predictions[0]
    whole = target.read_bytes()
    target.write_bytes(whole[:-40])
    assert generate(genes, outdir=out).reused == 0
    assert target.read_bytes() == whole


def test_a_window_that_does_not_fit_costs_its_gene_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [planted_row(i, split="test") for i in range(N)]
    long = replace(
        rows[1], sequence=rows[1].sequence + "A" * 3000, window_end=rows[1].window_end + 3000
    )  # fmt: skip
    genes = tmp_path / "genes-00000.parquet"
    write_gene_shard([rows[0], long, rows[2]], genes, provenance=Provenance("test"))
    whole = {row.gene_id: row for row in read_predictions(generate(genes, outdir=tmp_path / "all").predictions)}
    for name, changes in (("flag", {"max_length": 1000}), ("memory", {})):
        if name == "memory":
            monkeypatch.setattr(preflight, "longest_that_fits", lambda *_, **__: len(rows[0].sequence) + 500)
        done = generate(genes, outdir=tmp_path / name, **changes)
        found = {row.gene_id: row for row in read_predictions(done.predictions)}
        assert list(found) == list(whole)
        assert (found["gene1"].gsf, found["gene1"].flags) == (None, ("window_too_long",))
        assert found["gene0"] == whole["gene0"]
        assert found["gene2"] == whole["gene2"]
        assert generate(genes, outdir=tmp_path / name, **changes).reused == 1
    monkeypatch.undo()
    assert generate(genes, outdir=tmp_path / "memory").reused == 0  # there is room now
    assert {row.gene_id: row for row in read_predictions(tmp_path / "memory")} == whole


def test_a_long_window_is_read_alone_and_in_its_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    genes = shard(tmp_path / "genes-00000.parquet", 0)
    apart = Limits(longest=10_000, together=1)
    monkeypatch.setattr("transgenic_tools.generate.run.announce", lambda *_, **__: apart)
    alone = list(read_predictions(generate(genes, outdir=tmp_path / "alone").predictions))
    monkeypatch.undo()
    assert alone == list(read_predictions(generate(genes, outdir=tmp_path / "together").predictions))


# -- models ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("load", [load_network, load_model])
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_no_numbers(model_copy: Path, load: Any, value: float) -> None:
    path = model_copy / "model.safetensors"
    weights = load_file(path)
    name = sorted(weights)[3]
    weights[name].view(-1)[0] = value
    save_file(weights, path, metadata={"format": "pt"})
    with pytest.raises(BadInputError, match=f"model.safetensors: {name} holds 1 weights that are NaN") as caught:
        load(model_copy)
    assert caught.value.exit_code == 65


@pytest.mark.parametrize(
    "content", [b"", b"x" * 50, b"\xff" * 5000, (1 << 62).to_bytes(8, "little") + b"{}", None]
)  # fmt: skip
def test_broken_weights(model_copy: Path, content: bytes | None) -> None:
    path = model_copy / "model.safetensors"
    path.write_bytes(path.read_bytes()[:100_000] if content is None else content)
    with pytest.raises(BadInputError, match=r"model\.safetensors"):
        load_network(model_copy)


BROKEN_CONFIGS: list[tuple[str, Any]] = [
    ("text", "no json"), ("text", ""), ("text", "[1]"), ("text", "null"), ("text", "{}"),
    ("encoder", None), ("encoder", 5), ("encoder", {"name": "embedded", "dim": None}),
    ("encoder.dim", 10**9), ("encoder.dim", -5), ("encoder.dim", 0), ("encoder.dim", 2.5), ("encoder.dim", "256"),
    ("encoder.heads", 11), ("encoder.blocks", 10**6), ("encoder.patch", 17), ("decoder.layers", 10**7),
    ("encoder.name", "nonsense"), ("encoder.unknown", 1), ("scoring.site_scale", [None] * 6),
    ("scoring.site_scale", [1.0]), ("scoring.content_weight", float("nan")),
    ("grammar.candidates_per_kb", float("inf")),
    ("calibration", {"first": ["a"]}), ("calibration", {"first": [float("nan")]}), ("vocabulary_version", 99),
    ("vocabulary_version", None),
]  # fmt: skip


@pytest.mark.parametrize(("place", "value"), BROKEN_CONFIGS)
def test_broken_configs(model_copy: Path, place: str, value: Any) -> None:
    path = model_copy / "config.json"
    if place == "text":
        path.write_text(value)
    else:
        config = json.loads(path.read_text())
        part, _, name = place.partition(".")
        if name:
            config[part][name] = value
        else:
            config[part] = value
        path.write_text(json.dumps(config))
    with pytest.raises(BadInputError) as caught:
        load_network(model_copy)
    assert str(model_copy) in str(caught.value)
    assert caught.value.hint


def test_no_weights_at_all(model_copy: Path) -> None:
    (model_copy / "model.safetensors").unlink()
    with pytest.raises(MissingInputError, match=r"no model\.safetensors"):
        load_network(model_copy)
    assert torch.isfinite(load_network()[0].head.project.weight).all()
