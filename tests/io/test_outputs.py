"""Where results go: never over an input or over each other, and into pipes and devices as they are."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from transgenic_tools.errors import UsageError
from transgenic_tools.provenance import check_outputs, is_stream, write_aside

ROOT = Path(__file__).parents[2]


def test_a_pipe_is_written_into_and_stays_a_pipe(tmp_path: Path) -> None:
    pipe = tmp_path / "p"
    os.mkfifo(pipe)
    read: list[bytes] = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_bytes()))
    reader.start()
    with write_aside(pipe) as aside:
        aside.write_text("hello")
        assert not read
    reader.join(timeout=30)
    assert read == [b"hello"]
    assert stat.S_ISFIFO(pipe.stat().st_mode)
    assert os.listdir(tmp_path) == ["p"]


@pytest.mark.parametrize("ending", ["| cat", "> out.txt; cat out.txt"])
def test_stdout_by_its_name(ending: str, tmp_path: Path) -> None:
    """As root a rename onto /dev/stdout would take the device away from everybody."""
    code = (
        "import os; from transgenic_tools.provenance import write_aside; os.replace = None\n"
        "with write_aside('/dev/stdout') as aside: aside.write_text('hello')"
    )
    done = subprocess.run(
        ["bash", "-c", f'"$0" -c "$1" {ending}', sys.executable, code],
        cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True,
    )  # fmt: skip
    assert (done.stdout, done.stderr) == ("hello", "")
    assert Path("/dev/stdout").is_symlink()


@pytest.mark.parametrize("name", ["x" * 255, "\u00e9" * 127, "x" * 254 + "y"])
def test_names_of_any_length_that_the_system_takes(name: str, tmp_path: Path) -> None:
    with write_aside(tmp_path / name) as aside:
        aside.write_text("hello")
    assert os.listdir(tmp_path) == [name]


def test_what_is_a_stream(tmp_path: Path) -> None:
    assert is_stream("/dev/null")
    assert is_stream("/dev/fd/0")
    assert not is_stream("/dev")
    (tmp_path / "x").write_text("")
    assert not is_stream(tmp_path / "x")
    assert not is_stream(tmp_path / "none")
    assert not is_stream("/dev/shm/none")


def test_devices_are_not_replaced() -> None:
    before = os.stat("/dev/null")
    with write_aside("/dev/null") as aside:
        aside.write_text("hello")
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)
    assert os.stat("/dev/null").st_ino == before.st_ino


def test_no_file_is_written_over_another(tmp_path: Path) -> None:
    one, other, link = tmp_path / "one", tmp_path / "other", tmp_path / "link"
    one.write_text("")
    link.symlink_to(one)
    check_outputs({"--out": other, "--gtf": None}, inputs=(one, None))
    check_outputs({"--out": Path("/dev/null"), "--gtf": Path("/dev/null")})
    for outputs, inputs in (
        ({"--out": one}, (one,)),
        ({"--out": one}, (link,)),
        ({"--out": link}, (one,)),
        ({"--out": other, "--gtf": tmp_path / "." / "other"}, ()),
    ):
        with pytest.raises(UsageError, match="would overwrite"):
            check_outputs(outputs, inputs=inputs)
