"""Many processes on this machine: DeepSpeed ZeRO, FSDP, and the whole recipe under each launcher.

Every test starts its own processes (gloo, CPU) and compares with one plain process.
"""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from tests import progress
from tests.train.builders import shards
from tests.train.test_run import TINY, assert_equal_weights, config, records, weights_of
from transgenic_tools.errors import UsageError
from transgenic_tools.train.processes import give_dimensions, layer_classes, make_accelerator
from transgenic_tools.train.run import run
from transgenic_tools.train.start import build_model

ROOT = Path(__file__).resolve().parents[2]
PARTS = {**TINY, "decoder": {**TINY["decoder"], "dropout": 0.0}}
STAGES: dict[str, dict[str, Any]] = {
    "trunk": {"steps": 4, "accumulate": 4, "ema": 0.0, "save_every": 2, "model_overrides": PARTS},
    "decoder": {
        "steps": 3, "accumulate": 4, "ema": 0.0, "stage": "decoder", "genes_per_batch": 3, "model_overrides": PARTS,
    },
}  # fmt: skip


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ...]:
    return shards(tmp_path_factory.mktemp("shards"))


@pytest.fixture(scope="module")
def alone(data: tuple[Path, ...], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Both stages by one process without any wrapper."""
    outdir = tmp_path_factory.mktemp("alone")
    for stage, changes in STAGES.items():
        run(config(data, outdir / stage, **changes))
    return outdir


def torchrun(script: Path, *arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2", script, *arguments]
    return start(command, **environment)


def start(command: list[Any], **environment: str) -> subprocess.CompletedProcess[str]:
    own = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT), "CUDA_VISIBLE_DEVICES": "", **environment}
    return progress.run(command, env=own)


ZERO = """
import sys
from pathlib import Path
from tests.train.test_processes import STAGES, config
from transgenic_tools.train.processes import leave
from transgenic_tools.train.run import run
data, outdir = tuple(map(Path, sys.argv[3:])), Path(sys.argv[1])
for number in (1, 2, 3):
    zero = Path(sys.argv[2]) / f"zero{number}.json"
    for stage, changes in STAGES.items():
        run(config(data, outdir / str(number) / stage, deepspeed=zero, **changes))
    more = {**STAGES["trunk"], "steps": 2}
    run(config(data, outdir / str(number) / "again", deepspeed=zero, decay=0, warmup=0, **more))
    run(config(data, outdir / str(number) / "again", deepspeed=zero, decay=0, warmup=0, **{**more, "steps": 4}))
    for stage, changes in STAGES.items():
        run(config(data, outdir / str(number) / f"{stage}.bf16", deepspeed=zero, precision="bf16", **changes))
leave()
"""


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("deepspeed") is None, reason="deepspeed is not installed")
def test_zero_on_two_processes_learns_what_one_does_and_resumes(
    data: tuple[Path, ...], alone: Path, tmp_path: Path
) -> None:
    """The committed settings; in stage 3 even small tensors are cut up, which by default they are not."""
    for number in (1, 2, 3):
        settings = json.loads((ROOT / f"conf/deepspeed/zero{number}.json").read_text())
        if number == 3:
            settings["zero_optimization"]["stage3_param_persistence_threshold"] = 8
        (tmp_path / f"zero{number}.json").write_text(json.dumps(settings))
    script = tmp_path / "zero.py"
    script.write_text(ZERO)
    done = torchrun(script, tmp_path, tmp_path, *data)
    assert done.returncode == 0, done.stderr[-3000:]
    run(config(data, tmp_path / "plain", decay=0, warmup=0, **STAGES["trunk"]))
    for number in (1, 2, 3):
        for stage in STAGES:
            assert_equal_weights(alone / stage, tmp_path / str(number) / stage, atol=1e-4)
        assert_equal_weights(tmp_path / "plain", tmp_path / str(number) / "again", atol=1e-4)
        for stage in STAGES:
            exact, rounded = (records(tmp_path / str(number) / name)[-1]["loss" if stage == "trunk" else "step_loss"]
                              for name in (stage, f"{stage}.bf16"))  # fmt: skip
            assert rounded == pytest.approx(exact, rel=0.02)
            assert rounded != exact


FSDP = """
import sys
from pathlib import Path
from accelerate import PartialState
from accelerate.utils import DistributedType
from tests.train.test_processes import STAGES, config
from transgenic_tools.train.processes import leave
from transgenic_tools.train.run import run
data, outdir = tuple(map(Path, sys.argv[2:])), Path(sys.argv[1])
for stage, changes in STAGES.items():
    PartialState(cpu=True)
    # accelerate 1.15 turns FSDP on for accelerators only; told that these processes are such, it does on a CPU too
    PartialState._shared_state["distributed_type"] = DistributedType.MULTI_XPU
    run(config(data, outdir / stage, **changes))
for steps in (2, 4):
    PartialState(cpu=True)
    PartialState._shared_state["distributed_type"] = DistributedType.MULTI_XPU
    run(config(data, outdir / "again", decay=0, warmup=0, **{**STAGES["trunk"], "steps": steps}))
leave()
"""


def fsdp_settings() -> dict[str, Any]:
    return dict(yaml.safe_load((ROOT / "conf/accelerate/fsdp.yaml").read_text()))


def fsdp_environment() -> dict[str, str]:
    """What `accelerate launch` makes of the committed configuration."""
    settings = fsdp_settings()["fsdp_config"]
    return {"ACCELERATE_USE_FSDP": "true", **{key.upper(): str(value) for key, value in settings.items()}}


@pytest.mark.slow
def test_fsdp_on_two_processes_learns_what_one_does(data: tuple[Path, ...], alone: Path, tmp_path: Path) -> None:
    script = tmp_path / "fsdp.py"
    script.write_text(FSDP)
    done = torchrun(script, tmp_path / "fsdp", *data, **fsdp_environment())
    assert done.returncode == 0, done.stderr[-3000:]
    for stage in STAGES:
        assert_equal_weights(alone / stage, tmp_path / "fsdp" / stage, atol=1e-4)
    run(config(data, tmp_path / "plain", decay=0, warmup=0, **STAGES["trunk"]))
    assert_equal_weights(tmp_path / "plain", tmp_path / "fsdp" / "again", atol=1e-4)


def test_the_fsdp_configuration_is_one_that_accelerate_reads() -> None:
    from accelerate.commands.config.config_args import ClusterConfig

    read = ClusterConfig.from_yaml_file(str(ROOT / "conf/accelerate/fsdp.yaml"))
    assert read.distributed_type == "FSDP"
    assert read.fsdp_config["fsdp_version"] == 2
    from accelerate.commands.launch import launch_command_parser

    known = set(vars(launch_command_parser().parse_args(["script.py"])))
    assert set(read.fsdp_config) <= known


def test_layers_are_what_fsdp_gathers(data: tuple[Path, ...], tmp_path: Path) -> None:
    model = build_model(config(data, tmp_path))
    assert layer_classes(model) == ["Block", "Layer"]
    assert give_dimensions(model) <= {"decoder.base_scale"}
    assert all(p.ndim for p in model.parameters())


@pytest.mark.parametrize(
    ("changes", "message"),
    [({"optimizer": "muon"}, "muon"), ({"ema": 0.9}, "ZeRO 3"), ({"peft": "lora"}, "--peft lora")],
)
def test_what_zero_cannot_do_is_refused(
    data: tuple[Path, ...], tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        make_accelerator(config(data, tmp_path, deepspeed=ROOT / "conf/deepspeed/zero3.json", **changes))


def test_fsdp_keeps_no_averaged_weights(
    data: tuple[Path, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ACCELERATE_USE_FSDP", "true")
    with pytest.raises(UsageError, match="FSDP"):
        make_accelerator(config(data, tmp_path))


@pytest.mark.slow
@pytest.mark.parametrize("launcher", ["torchrun", "accelerate"])
def test_the_whole_recipe_under_a_launcher_is_that_of_plain_python(
    data: tuple[Path, ...], tmp_path: Path, launcher: str
) -> None:
    """`python`, `torchrun` and `accelerate launch`: trunk, scoring, decoder and calibration, the same model.

    On `--device auto`: two processes that take themselves for the only one would overwrite each other's files.
    """
    preset = tmp_path / "tiny.yaml"
    preset.write_text(yaml.safe_dump(PARTS))
    tool = ["-m", "transgenic_tools.cli.train"]
    flags = [*data, "--preset", preset, "--steps", "2", "--device", "auto", "--threads", "1", "--accumulate", "2",
             "--batch-bases", "700"]  # fmt: skip
    starts = {
        "python": [sys.executable, *tool],
        "torchrun": [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2", *tool],
        "accelerate": [sys.executable, "-m", "accelerate.commands.launch", "--cpu", "--num_processes=2",
                       "--num_machines=1", "--mixed_precision=no", "--dynamo_backend=no", "--main_process_port=0",
                       *tool],
    }  # fmt: skip
    for name in ("python", launcher):
        done = start([*starts[name], *flags, "--outdir", tmp_path / name])
        assert done.returncode == 0, done.stderr[-3000:]
    assert_equal_weights(tmp_path / "python", tmp_path / launcher, atol=1e-4)
    one, other = (json.loads((tmp_path / name / "config.json").read_text()) for name in ("python", launcher))
    assert one["scoring"] == other["scoring"] or torch.allclose(
        torch.tensor(one["scoring"]["site_bias"]), torch.tensor(other["scoring"]["site_bias"]), atol=1e-2
    )
    both = [json.loads((tmp_path / name / "training.json").read_text()) for name in ("python", launcher)]
    assert both[0]["metrics"] == pytest.approx(both[1]["metrics"], abs=1e-3)
    train = [[r["loss"] for r in records(tmp_path / name) if r["split"] == "train"] for name in ("python", launcher)]
    assert train[0] == pytest.approx(train[1], abs=1e-3)
    assert weights_of(tmp_path / launcher)
