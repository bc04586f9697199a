"""What `--use_gpu` puts into commands, engine by engine: tasks with a model get the GPU's options, others do not.

An engine is played by a script of its name that runs the task's own command; a machine with a GPU is not needed.
"""

from __future__ import annotations

import csv
import itertools
import re
from pathlib import Path

import pytest

from tests.pipeline import nextflow
from tests.pipeline.conftest import write_tiny_sheet

pytestmark = pytest.mark.usefixtures("needs_nextflow")
OPTIONS = {"docker": "--gpus all", "podman": "--device nvidia.com/gpu=all", "singularity": "--nv"}
ENGINE = """#!/bin/bash
case "$1" in rm | kill | stop | version | --version) exit 0 ;; esac
while [ $# -gt 0 ]; do
  if [[ "$1" == *an-image* ]]; then shift; exec "$@"; fi
  shift
done
exit 125
"""


def commands(done: nextflow.Run, process: str) -> list[str]:
    texts = (path.read_text() for path in (done.launch_dir / "work").glob("*/*/.command.run"))
    return [text for text in texts if f":{process} (" in text]


@pytest.mark.parametrize("engine", OPTIONS)
def test_only_tasks_with_a_model_get_the_gpu(engine: str, tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    program = tmp_path / "bin" / engine
    program.write_text(ENGINE)
    program.chmod(0o755)
    image = tmp_path / "an-image.sif"
    image.write_text("")
    site = tmp_path / "site.config"
    site.write_text(f"env.PATH = '{tmp_path}/bin:/usr/bin:/bin'\nprocess.resourceLimits = [cpus: 1, memory: '1.GB']\n")
    done = nextflow.run(
        "-stub-run", "-profile", engine, "-c", str(site), "--use_gpu", "true",
        "--thin_image", str(image), "--torch_image", str(image),
        "--input", str(write_tiny_sheet(tmp_path, samples=("one",))),
        launch_dir=tmp_path, env={"PATH": f"{tmp_path}/bin:/usr/bin:/bin"},
    )  # fmt: skip
    assert done.code == 0, done.text
    generating = commands(done, "TG_GENERATE")
    assert len(generating) == 3
    for text in generating:
        line = next(line for line in text.splitlines() if f"{engine} " in line and "an-image" in line)
        assert OPTIONS[engine] in line.split("an-image")[0]
        assert "--gres" not in text, "SLURM's option on one machine"
    for process in ("TG_PREP", "TG_BACKMAP", "TG_EVALUATE", "TG_REPORT"):
        assert not any(OPTIONS[engine] in text for text in commands(done, process)), process
    trace = max(done.file("pipeline_info").glob("execution_trace_*.txt"))
    with trace.open() as handle:
        rows = [row for row in csv.DictReader(handle, delimiter="\t") if ":TG_GENERATE" in row["process"]]
    rows.sort(key=lambda row: row["start"])
    assert all(before["complete"] <= after["start"] for before, after in itertools.pairwise(rows)), (
        "two tasks at once on the only GPU"
    )


def test_without_use_gpu_nothing_asks_for_one() -> None:
    """`accelerator` and `containerOptions` hang on `ext.gpus`, which is 0 then; the rest on `use_gpu`."""
    text = (nextflow.ROOT / "conf" / "base.config").read_text()
    label = text.split("withLabel: process_gpu", 1)[1]
    for key in ("accelerator", "queue", "containerOptions"):
        block = label.split(f"        {key} ", 1)[1].split("\n        }", 1)[0].split("\n        maxForks", 1)[0]
        assert "task.ext.gpus" in block, key
    assert "params.use_gpu.toBoolean() ? params.gpus_per_task.toInteger() : 0" in label
    assert re.search(r"maxForks += \"\$\{params.use_gpu\}.*/true ", label)
    assert "queue            = { params.use_gpu.toBoolean() && params.gpu_queue" in label
    [names] = re.findall(r"params.use_gpu.toBoolean\(\) && task.process =~ /TG_\((.*)\)\$/", text)
    modules = (nextflow.ROOT / "modules" / "local").glob("*/main.nf")
    wanting = {path.parent.name for path in modules if "label 'process_gpu'" in path.read_text()}
    assert {f"tg_{name.lower()}" for name in names.split("|")} == wanting
