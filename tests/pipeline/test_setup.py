"""Set-up: quick the second time, one sentence where something is missing; and the table of exit codes is the code's."""

from __future__ import annotations

import os
import re
import resource
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.pipeline.nextflow import ROOT
from transgenic_tools import errors


def bootstrap(folder: Path, *parts: str, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(folder / "bin" / "bootstrap"), *parts],
        cwd=folder, env={**os.environ, **env}, text=True, capture_output=True, timeout=120, check=False,
    )  # fmt: skip


@pytest.fixture
def empty_checkout(tmp_path: Path) -> Path:
    (tmp_path / "bin").mkdir()
    shutil.copy(ROOT / "bin" / "bootstrap", tmp_path / "bin" / "bootstrap")
    for name in ("constraints.txt", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path / name)
    return tmp_path


def program(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


def test_a_second_run_returns_at_once() -> None:
    if not (ROOT / ".venv" / "stamps").is_dir():
        pytest.skip("this checkout was not set up by bin/bootstrap")
    assert bootstrap(ROOT).returncode == 0
    began = time.monotonic()
    done = bootstrap(ROOT)
    assert done.returncode == 0
    assert done.stderr == ""
    assert time.monotonic() - began < 2


def test_an_unknown_part_is_named(empty_checkout: Path) -> None:
    done = bootstrap(empty_checkout, "pyhton")
    assert done.returncode == 1
    assert "unknown part 'pyhton'" in done.stderr


def test_no_python_is_one_sentence(empty_checkout: Path) -> None:
    tools = empty_checkout / "tools"
    tools.mkdir()
    for name in ("bash", "cat", "cksum", "dirname", "env", "id", "mkdir", "rm", "tr"):
        (tools / name).symlink_to(shutil.which(name) or "/bin/false")
    program(tools / "python3", "exit 1")
    done = bootstrap(empty_checkout, "python", PATH=str(tools))
    assert done.returncode == 1
    assert "no Python >= 3.11 on PATH: install python3.11 or newer" in done.stderr


def test_a_java_that_nextflow_cannot_read_is_passed_over(empty_checkout: Path) -> None:
    program(empty_checkout / "new" / "java", "echo 'openjdk version \"25.0.1\" 2026-01-20' >&2")
    program(empty_checkout / "old" / "bin" / "java", "echo 'openjdk version \"17.0.9\" 2023-10-17' >&2")
    path = f"{empty_checkout / 'new'}:{os.environ['PATH']}"
    done = bootstrap(empty_checkout, "java", PATH=path, JAVA_HOME=str(empty_checkout / "old"))
    assert done.returncode == 0, done.stderr
    assert (empty_checkout / ".cache" / "java").read_text().strip() == str(empty_checkout / "old" / "bin" / "java")


def test_constraints_are_versions_alone() -> None:
    for line in (ROOT / "constraints.txt").read_text().splitlines():
        assert re.fullmatch(r"[A-Za-z0-9._-]+==[^ /]+( ; .*)?", line), line


def test_troubleshooting_has_every_exit_code() -> None:
    codes = {name: value for name, value in vars(errors).items() if name.startswith("EXIT_")}
    page = (ROOT / "docs" / "troubleshooting.md").read_text()
    listed = {name: int(code) for code, name in re.findall(r"^\| (\d+) \| `(EXIT_\w+)`", page, flags=re.MULTILINE)}
    assert listed == codes


def test_ci_calls_the_readme_command() -> None:
    assert "make test" in (ROOT / ".ci" / "run").read_text()
    assert os.access(ROOT / ".ci" / "run", os.X_OK)


@pytest.mark.parametrize("tool", ["prep", "encode", "train", "generate", "backmap", "evaluate", "report"])
def test_a_tool_answers_at_once(tool: str) -> None:
    """CPU time, since a busy machine stretches the clock: below half a second, so torch cannot have been loaded."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-m", f"transgenic_tools.cli.{tool}", "--help"], capture_output=True, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 0.5
