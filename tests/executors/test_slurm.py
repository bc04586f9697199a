"""The pipeline on a real SLURM: partitions, GPUs, arrays, a cancelled task, a killed head, a task over its memory."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from tests import progress
from tests.executors import slurm
from tests.pipeline import nextflow
from tests.pipeline.conftest import write_tiny_sheet
from tests.pipeline.test_modes import few_genes, few_steps
from tests.train import builders
from tests.train.test_run import TINY, assert_equal_weights

pytestmark = pytest.mark.usefixtures("cluster")
SLURM = ("-profile", "slurm")


def stub(folder: Path, site: Path, *arguments: str) -> list[str]:
    sheet = write_tiny_sheet(folder, samples=("one",))
    return [*SLURM, "-c", str(site), "-stub-run", "--input", str(sheet), *arguments]


def wait_for(condition: Callable[[], object], process: subprocess.Popen[str] | None = None) -> None:
    """No clock but pytest's own: until it is so, or the run that should make it so has ended."""
    while not condition():
        assert process is None or process.poll() is None, "the run ended before"
        time.sleep(0.5)


def task_script(done: nextflow.Run, process: str) -> str:
    """The batch script of one task: the #SBATCH lines and what it ran."""
    task = next(task for task in done.tasks if task.process == process)
    return next((done.launch_dir / "work").glob(f"{task.workdir_hash}*/.command.run")).read_text()


def test_gpu_tasks_go_to_the_gpu_partition_as_an_array(tmp_path: Path, site: Path) -> None:
    site.write_text(site.read_text() + "process { withName: TG_GENERATE { beforeScript = 'env > tg_environment' } }\n")
    done = nextflow.run(
        *stub(tmp_path, site, "--use_gpu", "true", "--gpu_queue", "gpu", "--queue", "cpu", "--job_array", "3",
              "--slurm_account", "plants", "--slurm_qos", "normal"),
        launch_dir=tmp_path,
    )  # fmt: skip
    assert done.code == 0, done.text
    assert done.count()["TG_GENERATE"] == 3
    members = {task.native_id for task in done.tasks if task.process == "TG_GENERATE"}
    assert len(members) == 3
    assert len({member.split("_")[0] for member in members}) == 1, f"no job array: {members}"
    arrays = [
        path.read_text() for path in (tmp_path / "work").glob("*/*/.command.run") if "--array" in path.read_text()
    ]
    assert arrays
    assert "#SBATCH -p gpu" in arrays[0]
    assert re.search(r"#SBATCH .*--account=plants --qos=normal --gres=gpu:1", arrays[0])
    seen = [path.read_text() for path in (tmp_path / "work").glob("*/*/tg_environment")]
    assert len(seen) == 3
    assert all(re.search(r"^CUDA_VISIBLE_DEVICES=[01]$", text, flags=re.MULTILINE) for text in seen)
    prep = task_script(done, "TG_PREP")
    assert "#SBATCH -p cpu" in prep
    assert "--gres" not in prep


def until(file: Path) -> str:
    """A shell command that ends when the test has made `file`; after five minutes it fails."""
    return f"for i in $(seq 600); do test -e {file} && break; sleep 0.5; done; test -e {file}"


def test_a_cancelled_task_and_one_over_its_memory_are_run_again(tmp_path: Path, site: Path) -> None:
    go = tmp_path / "go"
    troubles = """
process {
    withName: TG_GENERATE { beforeScript = { task.attempt == 1 ? 'WAITING' : '' } }
    withName: TG_BACKMAP {
        memory       = { 300.MB * task.attempt }
        beforeScript = 'python3 -c "import time; held = bytearray(400 * 2**20); time.sleep(6)"'
    }
}
"""
    # The wait is in the task's own `touch`: Nextflow's wrapper knows no status of a signal before its task has begun.
    waiting = f'touch() {{ printf "%s" "$SLURM_JOB_ID" >|waiting; {until(go)}; command touch "$@"; }}; export -f touch'
    site.write_text(site.read_text() + troubles.replace("WAITING", waiting.replace("$", r"\$")))
    process = nextflow.start(*stub(tmp_path, site), launch_dir=tmp_path, outdir=tmp_path / "results")
    try:
        wait_for(lambda: [*(tmp_path / "work").glob("*/*/waiting")], process)
        victim = next((tmp_path / "work").glob("*/*/waiting")).read_text()  # none of them can end before `go`
        slurm.cancel(victim)
        wait_for(lambda: victim not in slurm.jobs("TG_GENERATE", below=tmp_path), process)
        go.touch()
        text, _ = progress.finish(process, quiet_s=300)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGTERM)
    done = nextflow.Run(process.returncode, text, tmp_path / "results", tmp_path)
    assert done.code == 0, text
    cancelled = [(task.attempt, task.status) for task in done.tasks if task.process == "TG_GENERATE"]
    assert sorted(cancelled) == [(1, "COMPLETED"), (1, "COMPLETED"), (1, "FAILED"), (2, "COMPLETED")]
    assert [task.native_id for task in done.tasks if task.status == "FAILED" and task.process == "TG_GENERATE"] == [
        victim
    ]
    hungry = [(task.attempt, task.status) for task in done.tasks if task.process == "TG_BACKMAP"]
    assert sorted(hungry) == [(1, "FAILED"), (2, "COMPLETED")]


def test_a_killed_head_goes_on_where_it_stopped(tmp_path: Path, site: Path) -> None:
    go = tmp_path / "go"
    site.write_text(site.read_text() + f"process {{ withName: TG_BACKMAP {{ beforeScript = '{until(go)}' }} }}\n")
    arguments = stub(tmp_path, site)
    process = nextflow.start(*arguments, launch_dir=tmp_path, outdir=tmp_path / "results")
    wait_for(lambda: slurm.jobs("TG_BACKMAP", below=tmp_path), process)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate(timeout=60)
    for job in slurm.jobs("TG_BACKMAP", below=tmp_path):
        slurm.cancel(job)
    wait_for(lambda: not slurm.jobs("TG_BACKMAP", below=tmp_path))
    go.touch()
    done = nextflow.run(*arguments, "-resume", launch_dir=tmp_path)
    assert done.code == 0, done.text
    assert done.count("CACHED") == {"TG_PREP": 1, "TG_GENERATE": 3}
    assert done.count() == {"TG_BACKMAP": 1, "TG_EVALUATE": 1, "TG_REPORT": 1}


@pytest.mark.slow
@pytest.mark.all_engines  # on every push the demo runs on SLURM with podman: test_engines.py
def test_the_demo_runs_on_slurm(tmp_path: Path, site: Path) -> None:
    done = nextflow.run("-profile", "test,slurm", "-c", str(site), launch_dir=tmp_path, quiet_s=600)
    assert done.code == 0, done.text
    assert done.count()["TG_GENERATE"] >= 3
    assert all(task.native_id.isdigit() for task in done.tasks)
    assert done.file("annotation/athaliana_chr1_slice.gff3").stat().st_size > 10_000


@pytest.mark.slow
def test_a_training_on_two_nodes_is_that_of_one_process(tmp_path: Path) -> None:
    """The batch script that users copy: srun, one torchrun a node, and a meeting at the first one."""
    shards = builders.shards(tmp_path / "shards")
    preset = tmp_path / "tiny.yaml"
    preset.write_text(yaml.safe_dump(TINY))
    tools = f"{nextflow.ROOT / '.venv' / 'bin'}:{os.environ['PATH']}"
    flags = [*shards, "--preset", preset, "--stage", "trunk", "--steps", 3, "--accumulate", 2, "--batch-bases", 700,
             "--device", "cpu", "--threads", 1]  # fmt: skip
    script = nextflow.ROOT / "conf" / "launch" / "slurm_torchrun.sh"
    where = ["--partition=wide", "--nodes=2", "--gres=gpu:1", "--cpus-per-task=1", f"--output={tmp_path}/log"]
    for command in (
        ["sbatch", "--wait", *where, script, *flags, "--outdir", tmp_path / "two"],
        ["tg-train", *flags, "--outdir", tmp_path / "one"],
    ):
        env = {**os.environ, "PATH": tools, "OMP_NUM_THREADS": "1"}
        done = subprocess.run(
            list(map(str, command)), env=env, capture_output=True, text=True, timeout=300, check=False
        )
        log = (tmp_path / "log").read_text() if (tmp_path / "log").exists() else ""
        assert done.returncode == 0, done.stderr + log
    assert_equal_weights(tmp_path / "one", tmp_path / "two", atol=1e-4)


@pytest.mark.slow
@pytest.mark.all_engines
def test_the_pipeline_trains_on_two_nodes(tmp_path: Path, site: Path) -> None:
    sheet = few_genes(tmp_path)
    preset = few_steps(tmp_path, accumulate=2)
    done = nextflow.run(
        *SLURM, "-c", str(site), "--input", str(sheet), "--mode", "train", "--split", "fraction:60/10/30",
        "--preset", str(preset), "--use_gpu", "true", "--gpu_queue", "wide", "--train_nodes", "2",
        launch_dir=tmp_path, quiet_s=590,
    )  # fmt: skip
    assert done.code == 0, done.text
    script = task_script(done, "TG_TRAIN")
    assert re.search(r"#SBATCH .*--gres=gpu:1 --nodes=2 --ntasks-per-node=1", script)
    assert "--nodes=2" not in task_script(done, "TG_GENERATE")
    assert done.file("model/model.safetensors").is_file()
    (work,) = (tmp_path / "work").glob(f"{next(t for t in done.tasks if t.process == 'TG_TRAIN').workdir_hash}*")
    assert "torchrun --nnodes 2 --nproc_per_node 1" in (work / ".command.sh").read_text()
