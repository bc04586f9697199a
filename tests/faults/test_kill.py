"""Tools that are killed at any moment and started again: the same files as without, nothing left aside.

`make test-faults`; kills of the pipeline's tasks and head are in tests/pipeline.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.faults import world
from tests.faults.cases import prepare
from tests.train.test_run import TINY

pytestmark = [pytest.mark.faults, pytest.mark.slow]

ROOT = Path(__file__).parents[2]
TOOLS = {
    "prep": "genes -f g.fa -a a.gff3 -o out -t 1",
    "backmap": "pred.parquet --out out/out.gff3 -f g.fa --gtf out/out.gtf --proteins out/out.fa",
    "evaluate": "-r a.gff3 -p p.gff3 --json out/out.json --tsv out/out.tsv",
    "report": "--annotation one=a.gff3 --reference one=p.gff3 --out out/out.html",
    "evidence": "e2.csv -f g.fa --out out/out.parquet",
    "scan": "g.fa -o out --model scan -t 1",
    "train": "genes.parquet --preset tiny.yaml --stage trunk --steps 12 --save-every 2 -t 1 --device cpu -o out/m",
}
#: Shares of a run's own time at which it is killed: four for each tool.
MOMENTS = (0.4, 0.7, 0.9, 0.97)
_NOT_COMPARED = {"prep.json", "progress.json", "metrics.jsonl"}  # they hold seconds


def start(tool: str, folder: Path) -> subprocess.Popen[bytes]:
    code = f"from transgenic_tools.cli.entry import {tool}; {tool}()"
    return subprocess.Popen(
        [sys.executable, "-c", code, *TOOLS[tool].split()],
        cwd=folder, env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
    )  # fmt: skip


def results(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted((folder / "out").rglob("*"))
        if path.is_file() and path.name not in _NOT_COMPARED and "tensorboard" not in path.parts
        and not any(part.endswith(".training") for part in path.parts)
    }  # fmt: skip


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    import yaml

    folder = tmp_path_factory.mktemp("world")
    world.build(folder)
    (folder / "tiny.yaml").write_text(yaml.safe_dump(TINY))
    return folder


@pytest.mark.parametrize("tool", TOOLS)
def test_a_killed_tool_is_run_again_to_the_same_files(tool: str, sound: Path, tmp_path: Path) -> None:
    prepare(sound, tmp_path / "whole")
    began = time.monotonic()
    whole = start(tool, tmp_path / "whole")
    _, said = whole.communicate()
    seconds = time.monotonic() - began
    assert whole.returncode == 0, said.decode()
    expected = results(tmp_path / "whole")
    assert expected
    killed = 0
    for number, moment in enumerate(MOMENTS):
        folder = tmp_path / str(number)
        prepare(sound, folder)
        process = start(tool, folder)
        try:
            process.communicate(timeout=moment * seconds)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.communicate()
            killed += 1
        again = start(tool, folder)
        _, said = again.communicate()
        assert again.returncode == 0, said.decode()
        assert results(folder) == expected
        assert not [path for path in folder.rglob("*.part")]
    assert killed
