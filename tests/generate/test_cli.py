"""tg-generate as a user meets it: files, resuming, exit codes, messages."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests import progress
from transgenic_tools.errors import EXIT_DATA, EXIT_NO_INPUT, EXIT_USAGE
from transgenic_tools.generate.run import warn_of_others
from transgenic_tools.io.shards import read_shard, write_gene_shard
from transgenic_tools.provenance import Provenance


def tg_generate(*flags: object) -> subprocess.CompletedProcess[str]:
    code = "from transgenic_tools.cli.generate import main; main()"
    command = [sys.executable, "-c", code, *map(str, flags)]
    return progress.run(command)


@pytest.fixture(scope="module")
def small_shard(shard_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The three shortest genes."""
    path = tmp_path_factory.mktemp("small") / "genes-00000.parquet"
    ordered = sorted(read_shard(shard_dir), key=lambda row: row.bases)
    write_gene_shard(ordered[:3], path, provenance=Provenance("test"))
    return path


def test_predictions_are_written_once_and_reused(small_shard: Path, tmp_path: Path) -> None:
    first = tg_generate(small_shard, "--outdir", tmp_path, "--json")
    assert first.returncode == 0, first.stderr
    summary = json.loads(first.stdout)
    assert summary["genes"] == 3
    assert summary["device"] == "cpu"
    written = tmp_path / "predictions-00000.parquet"
    before = written.read_bytes()
    again = json.loads(tg_generate(small_shard, "--outdir", tmp_path, "--json").stdout)
    assert again["reused_shards"] == 1
    fresh = tg_generate(small_shard, "--outdir", tmp_path, "--overwrite", "-q")
    assert fresh.returncode == 0
    assert written.read_bytes() == before


def test_predictions_of_other_shards_in_the_directory_are_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    tmp_path.joinpath("predictions-old.parquet").write_bytes(b"")
    warn_of_others(tmp_path, [tmp_path / "predictions-0.parquet"])
    assert "1 more (predictions-old.parquet ...)" in caplog.text
    caplog.clear()
    warn_of_others(tmp_path, [tmp_path / "predictions-old.parquet"])
    assert not caplog.text


@pytest.mark.parametrize(
    ("flags", "code", "word"),
    [
        (["--model", "no-such-model"], EXIT_NO_INPUT, "no such model directory"),
        (["--num-beams", "0"], EXIT_USAGE, "--num-beams 0"),
        (["--decoding", "fancy"], EXIT_USAGE, "fancy"),
        (["--split", "test2"], EXIT_USAGE, "test2"),
    ],
)
def test_what_is_wrong_is_said(small_shard: Path, tmp_path: Path, flags: list[str], code: int, word: str) -> None:
    result = tg_generate(small_shard, "--outdir", tmp_path / "out", *flags)
    assert result.returncode == code
    assert word in result.stderr
    assert "Traceback" not in result.stderr
    assert not list(tmp_path.glob("out/*.parquet"))


def test_a_missing_shard_and_a_file_that_is_none(tmp_path: Path) -> None:
    assert tg_generate(tmp_path / "genes-1.parquet", "--outdir", tmp_path).returncode == EXIT_NO_INPUT
    (tmp_path / "genes-2.parquet").write_text("no Parquet")
    assert tg_generate(tmp_path / "genes-2.parquet", "--outdir", tmp_path).returncode == EXIT_DATA


def test_help_and_version_do_not_load_torch() -> None:
    code = (
        "import sys\n"
        "from transgenic_tools.cli.generate import app\n"
        "from typer.testing import CliRunner\n"
        "assert CliRunner().invoke(app, ['--help']).exit_code == 0\n"
        "assert CliRunner().invoke(app, ['--version']).exit_code == 0\n"
        "assert 'torch' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
