"""Stored encodings: as announced, refused when too large, and used exactly as computed ones."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from safetensors.torch import load_file
from typer.testing import CliRunner

from tests.model.tiny import DECODERS, ENCODERS
from tests.train.builders import rows, shards
from transgenic_tools.cli.encode import app
from transgenic_tools.encode.config import Config
from transgenic_tools.encode.run import expected_bytes, run
from transgenic_tools.errors import BadInputError, MissingInputError, UsageError
from transgenic_tools.generate.config import Config as GenerateConfig
from transgenic_tools.generate.run import run as generate
from transgenic_tools.genome.sequence import encode as base_codes
from transgenic_tools.io.encodings import EncodingStore
from transgenic_tools.io.shards import read_predictions
from transgenic_tools.model.stored import compress, restore, token_encoder, use_store
from transgenic_tools.model.transgenic import TransgenicConfig, TransgenicModel
from transgenic_tools.search.config import DecodingConfig
from transgenic_tools.train.config import Config as TrainConfig
from transgenic_tools.train.run import run as train


def save_model(directory: Path, name: str = "nucleotide-transformer-v2", seed: int = 0) -> TransgenicModel:
    torch.manual_seed(seed)
    mapping = {"channels": 6, "width": 8, "kernel": 3}
    model = TransgenicModel(
        TransgenicConfig(encoder=ENCODERS[name], mapping=mapping, decoder=DECODERS["pointer"])
    ).eval()
    model.save_pretrained(directory)
    return model


def test_a_limit_that_is_no_number(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--limit-gb nan"):
        Config(shards=(), model=tmp_path, outdir=tmp_path, limit_gb=float("nan"))


@pytest.fixture
def setting(tmp_path: Path) -> dict[str, Any]:
    model = save_model(tmp_path / "model")
    return {"model": model, "config": Config(
        shards=shards(tmp_path / "shards", n_train=3, n_validation=1), model=tmp_path / "model",
        outdir=tmp_path / "encodings", device="cpu", batch_bases=700,
    )}  # fmt: skip


@given(
    arrays(np.float32, st.tuples(st.integers(0, 9), st.just(4)), elements=st.floats(-50, 50, width=32)),
    st.integers(1, 4),
)
@settings(max_examples=60, deadline=None)
def test_rounding_stays_within_half_a_step(hidden: np.ndarray, pool: int) -> None:
    codes = np.zeros(3, dtype=np.uint8)
    groups = [hidden[i : i + pool].mean(0) for i in range(0, len(hidden), pool)]
    wanted = np.repeat(np.array(groups).reshape(-1, 4), pool, axis=0)[: len(hidden)]
    for dtype, step in (
        ("int8", np.abs(wanted).max(initial=0) / 127),
        ("float16", np.abs(wanted).max(initial=0) / 1000),
    ):
        stored = compress(torch.from_numpy(hidden), codes=codes, gene_id="g", dtype=dtype, pool=pool)
        assert restore(stored, pool).shape == hidden.shape
        np.testing.assert_allclose(restore(stored, pool).numpy(), wanted, atol=0.51 * step + 1e-4, rtol=0)


@pytest.mark.parametrize("dtype", ["int8", "fp16"])
@pytest.mark.parametrize("pool", [1, 3])
def test_stored_encodings_score_as_those_on_the_fly(setting: dict[str, Any], dtype: str, pool: int) -> None:
    model = setting["model"]
    config = Config(**{**vars(setting["config"]), "dtype": dtype, "pool": pool})
    run(config)
    store = EncodingStore(config.outdir)
    encoder = token_encoder(model)
    for row in rows(3, 1):
        codes = base_codes(row.sequence)
        window = torch.from_numpy(codes).long()[None]
        encoder.look_up = None
        with torch.no_grad():
            computed = encoder.encode(window)
            rounded = restore(
                compress(computed.hidden[0], codes=codes, gene_id="g", dtype=store.header.dtype, pool=pool), pool
            )
            by_hand = model.head(encoder.map_hidden(replace(computed, hidden=rounded[None]), window)).sites
            on_the_fly = model.score_bases(window).sites
            encoder.backbone.requires_grad_(False)
            use_store(model, store)
            stored = model.score_bases(window).sites
        torch.testing.assert_close(stored, by_hand, rtol=0, atol=1e-5)
        if pool == 1:
            torch.testing.assert_close(stored, on_the_fly, rtol=0, atol=0.05 if dtype == "int8" else 5e-3)


def test_a_window_that_is_not_stored_is_computed(setting: dict[str, Any]) -> None:
    run(setting["config"])
    model, store = setting["model"], EncodingStore(setting["config"].outdir)
    window = torch.randint(0, 4, (1, 200), generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        before = model.score_bases(window).sites
        use_store(model, store)
        torch.testing.assert_close(model.score_bases(window).sites, before, rtol=0, atol=1e-6)


def test_gradients_reach_the_mapping_through_stored_encodings(setting: dict[str, Any]) -> None:
    run(setting["config"])
    model = setting["model"].train()
    use_store(model, EncodingStore(setting["config"].outdir))
    codes = torch.from_numpy(base_codes(next(rows(1, 0)).sequence)).long()[None]
    model.score_bases(codes).sites.sum().backward()
    assert model.encoder.mapping.project.weight.grad.abs().sum() > 0
    assert all(p.grad is None for p in model.encoder.backbone.parameters())


def test_another_network_is_refused(setting: dict[str, Any], tmp_path: Path) -> None:
    run(setting["config"])
    with pytest.raises(BadInputError, match="another network"):
        use_store(save_model(tmp_path / "other", seed=1), EncodingStore(setting["config"].outdir))


def test_size_is_announced_and_limited(setting: dict[str, Any]) -> None:
    config = setting["config"]
    result = run(config)
    values = sum(e.values.nbytes + e.scales.nbytes for e in EncodingStore(config.outdir))
    assert values == pytest.approx(result.announced, rel=0.05)
    again = run(config)
    assert (again.reused, again.written) == (1, result.written)
    with pytest.raises(UsageError, match="GB"):
        run(Config(**{**vars(config), "limit_gb": 1e-9}))


def test_progress_names_genes_speed_and_time_left(
    setting: dict[str, Any], tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("transgenic_tools.io.progress.SECONDS_BETWEEN_LINES", 0.0)
    caplog.set_level("INFO")
    config = Config(**{**vars(setting["config"]), "outdir": tmp_path / "out", "batch_bases": 1})
    run(config)
    lines = [r.getMessage() for r in caplog.records if " genes, " in r.getMessage()]
    assert [line.split(" genes")[0] for line in lines] == [f"{n} of 4" for n in (1, 2, 3, 4)]
    assert all(re.fullmatch(r"\d of 4 genes, \d+ kb/s, \d+ s left", line) for line in lines)
    assert lines[-1].endswith(" 0 s left")
    caplog.clear()
    run(config)
    assert not [r for r in caplog.records if " genes, " in r.getMessage()], "nothing was left to do"


def test_the_published_size_stays_below_0_4_mb_a_gene() -> None:
    """Windows of the Arabidopsis genes with jittered flanks: 3.4 kb on average; the first version took 8 MB."""
    values = {"bases": 3400, "kmer": 6, "width": 1024}
    assert expected_bytes(**values, dtype="int8", pool=2) / 1e6 == pytest.approx(0.29, abs=0.01)
    assert expected_bytes(**values, dtype="float16", pool=1) / 1e6 == pytest.approx(1.16, abs=0.01)


def test_command_line(setting: dict[str, Any], tmp_path: Path) -> None:
    config = setting["config"]
    arguments = [
        *map(str, config.shards),
        "--model",
        str(config.model),
        "--outdir",
        str(tmp_path / "out"),
        "--json",
        "-q",
    ]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    summary = json.loads(result.stdout.splitlines()[-1])
    assert summary["genes"] == 4
    assert Path(summary["files"][0]).exists()


def test_nothing_to_store_is_said(setting: dict[str, Any], tmp_path: Path) -> None:
    save_model(tmp_path / "embedded", "embedded")
    with pytest.raises(
        UsageError, match=r"no token encodings to store(.|\n)*tg-generate(.|\n)*tg-train --preset nt500m-led"
    ):
        run(Config(**{**vars(setting["config"]), "model": tmp_path / "embedded"}))
    with pytest.raises(MissingInputError, match="tg-encode"):
        EncodingStore(tmp_path)


def test_training_from_stored_encodings_equals_training_on_the_fly(setting: dict[str, Any], tmp_path: Path) -> None:
    """At full resolution in fp16, two steps of both give the same weights but for the rounding."""
    config = Config(**{**vars(setting["config"]), "dtype": "fp16", "pool": 1})
    run(config)
    states = {}
    for name, extra in (("stored", {"encodings": config.outdir}), ("computed", {"freeze": "encoder"})):
        train_config = TrainConfig(
            shards=config.shards, outdir=tmp_path / name, init=config.model, steps=2, device="cpu", threads=1, ema=0,
            flank_min=10**6, flank_max=10**6, max_bases=10**6, batch_bases=900, eval_every=9, save_every=9, **extra,
        )  # fmt: skip
        train(train_config)
        states[name] = load_file(tmp_path / name / "model.safetensors")
    for name, tensor in states["computed"].items():
        torch.testing.assert_close(states["stored"][name], tensor, rtol=0, atol=5e-3, msg=name)
        if ".backbone." in name:
            assert torch.equal(states["stored"][name], tensor)


def test_generation_reads_stored_encodings(setting: dict[str, Any], tmp_path: Path) -> None:
    config = Config(**{**vars(setting["config"]), "dtype": "fp16", "pool": 1})
    run(config)
    answers = []
    for encodings in (None, config.outdir):
        outdir = tmp_path / f"out{encodings is None}"
        generated = GenerateConfig(
            shards=config.shards, model=config.model, outdir=outdir, encodings=encodings, device="cpu",
            decoding=DecodingConfig(decoding="greedy", max_isoforms=1),
        )  # fmt: skip
        answers.append([row.gsf for row in read_predictions(generate(generated).predictions)])
    assert answers[0] == answers[1]
    assert len(answers[0]) == 4
