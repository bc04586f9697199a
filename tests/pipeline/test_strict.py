"""Scripts and configuration pass the strict parser of Nextflow 26.04, without an error and without a warning."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.pipeline.nextflow import ROOT

LINTED = ("main.nf", "nextflow.config", "conf", "modules", "workflows", "subworkflows")


def lint(*files: Path) -> subprocess.CompletedProcess[str]:
    if not (ROOT / ".cache" / "strict").is_dir():
        pytest.skip("the strict parser is not set up: run bin/bootstrap strict")
    command = [str(ROOT / "bin" / "lint-nextflow"), *map(str, files)]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)


def test_the_report_is_empty() -> None:
    done = lint()
    assert done.stdout == ""
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("file", "text", "finding"),
    [
        ("broken.nf", "import groovy.json.JsonSlurper\nworkflow { }\n", "error: "),
        ("broken.nf", "def f(rule) { return rule.enum }\nworkflow { f([:]) }\n", "error: Unexpected input: 'enum'"),
        ("broken.nf", "def f() {\n  def g = { a -> a }\n  return g(1)\n}\nworkflow { f() }\n", "error: `g` is not"),
        ("broken.nf", "workflow {\n  channel.of(1).map { it + 1 }\n}\n", "warning: Implicit closure parameter"),
        ("broken.nf", "workflow W {\n  main:\n  println(params.x)\n}\nworkflow {\n  W()\n}\n", "The use of `params`"),
        ("broken.nf", "def f() {\n  def unused = 1\n  return 2\n}\nworkflow {\n  f()\n}\n", "Variable was declared"),
        ("broken.config", "params { image = \"tools:${manifest.version}\" }\n", "error: `manifest` is not defined"),
    ],
)  # fmt: skip
def test_a_broken_file_is_reported(file: str, text: str, finding: str, tmp_path: Path) -> None:
    (tmp_path / file).write_text(text)
    done = lint(tmp_path / file)
    assert done.returncode == 1
    assert f"{file}: " in done.stdout
    assert finding in done.stdout


def test_every_script_and_configuration_is_linted(tmp_path: Path) -> None:
    """The command takes its own list of files: one more in any of these folders is seen."""
    for name in (*LINTED, "bin"):
        target = tmp_path / name
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, target, symlinks=True)
        else:
            shutil.copy(ROOT / name, target)
    (tmp_path / ".cache").symlink_to(ROOT / ".cache")
    if not (tmp_path / ".cache" / "strict").is_dir():
        pytest.skip("the strict parser is not set up: run bin/bootstrap strict")
    broken = [tmp_path / "workflows" / "new.nf", tmp_path / "modules" / "local" / "tg_new" / "main.nf"]
    broken += [tmp_path / "subworkflows" / "local" / "new" / "main.nf", tmp_path / "conf" / "new.config"]
    for path in broken:
        path.parent.mkdir(exist_ok=True)
        path.write_text("import x.Y\n")
    done = subprocess.run([str(tmp_path / "bin" / "lint-nextflow")], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    for path in broken:
        assert str(path.relative_to(tmp_path)) in done.stdout, path
