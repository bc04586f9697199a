"""`make test` holds what `make lint` checks: style, types and the direction of imports."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import hypothesis
import pytest

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
CHECKS = {
    "ruff": ["-m", "ruff", "check"],
    "format": ["-m", "ruff", "format", "--check"],
    "mypy": ["-m", "mypy"],
}


def output_of(*command: str) -> tuple[int, str]:
    done = subprocess.run(
        command, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout + done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("name", CHECKS)
def test_python_passes(name: str) -> None:
    code, text = output_of(sys.executable, *CHECKS[name])
    assert code == 0, text


@pytest.mark.slow
def test_imports_point_one_way() -> None:
    code, text = output_of(str(BIN / "lint-imports"))
    assert code == 0, text


def test_make_lint_runs_the_same_checks() -> None:
    lint = (ROOT / "Makefile").read_text().split("\nlint:", 1)[1].split("\n\n", 1)[0]
    for words in CHECKS.values():
        assert " ".join(words) in lint
    assert "lint-imports" in lint


def test_hypothesis_has_no_clock() -> None:
    assert hypothesis.settings.default.deadline is None
    assert hypothesis.settings.get_profile("ci").derandomize
    assert "export CI=" in (ROOT / ".ci" / "run").read_text()
