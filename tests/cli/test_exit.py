"""How a tool ends: pipes that close, streams that are not there, full disks, Ctrl-C and SIGTERM at any moment."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from transgenic_tools.errors import (
    EXIT_DATA,
    EXIT_INTERNAL,
    EXIT_INTERRUPTED,
    EXIT_IO,
    EXIT_NO_INPUT,
    EXIT_OK,
    EXIT_TERMINATED,
    EXIT_USAGE,
)

ROOT = Path(__file__).parents[2]
#: An app with one command that does what a test wants.
APP = """
import sys
from transgenic_tools.cli._errors import entry_point
from transgenic_tools.cli._options import new_app
app = new_app("test")
@app.command()
def run() -> None:
    {body}
entry_point(app, "tg-test")()
"""


def env() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT)}


def script(body: str) -> list[str]:
    return [sys.executable, "-c", APP.format(body=body.replace("\n", "\n    "))]


def shell(command: list[str], ending: str) -> subprocess.CompletedProcess[str]:
    """A command with something of a shell behind it; the exit code is that of the command."""
    words = shlex.join(command)
    return subprocess.run(
        ["bash", "-c", f'{words} {ending}; exit "${{PIPESTATUS[0]}}"'], capture_output=True, text=True, env=env()
    )


def tool(name: str, *flags: str) -> list[str]:
    return [sys.executable, "-c", f"from transgenic_tools.cli.entry import {name}; {name}()", *flags]


def test_a_package_that_is_missing_is_named_and_no_defect() -> None:
    """As torch is in the thin image; a module of our own that is missing stays a defect."""
    done = subprocess.run(script("import nothing_like_this.at_all"), capture_output=True, text=True, env=env())
    assert done.returncode == EXIT_USAGE
    assert "nothing_like_this is not installed here" in done.stderr
    assert "-thin" in done.stderr
    done = subprocess.run(script("import transgenic_tools.nothing"), capture_output=True, text=True, env=env())
    assert done.returncode == EXIT_INTERNAL
    assert "defect" in done.stderr


def test_a_reader_that_leaves_is_no_failure() -> None:
    done = shell(script("for i in range(200000): print(i)"), "| head -n 1")
    assert (done.returncode, done.stderr) == (EXIT_OK, "")


@pytest.mark.parametrize("module", ["cli/prep", "prep/run"])
def test_a_full_disk_that_cut_pythons_own_cache(module: str, tmp_path: Path) -> None:
    """Python writes these files as far as the disk goes, and reads them without a look at their end."""
    (tmp_path / "g.fa").write_text(">a\nACGT\n")
    command = tool(
        "prep", "genes", "-f", str(tmp_path / "g.fa"), "-a", str(tmp_path / "none"), "-o", str(tmp_path / "o")
    )
    cached = {k: v for k, v in env().items() if k != "PYTHONDONTWRITEBYTECODE"} | {"PYTHONPYCACHEPREFIX": str(tmp_path)}
    assert subprocess.run(command, env=cached, capture_output=True).returncode == EXIT_NO_INPUT
    (compiled,) = tmp_path.rglob(f"transgenic_tools/{module}.*.pyc")
    compiled.write_bytes(compiled.read_bytes()[:200])
    done = subprocess.run(command, env=cached, capture_output=True, text=True)
    assert done.returncode == EXIT_IO
    assert done.stderr.startswith("tg-prep: error: a compiled file of Python is cut short")
    assert "Traceback" not in done.stderr


def test_the_same_for_help() -> None:
    done = shell(tool("prep", "genes", "--help"), "| true")
    assert (done.returncode, done.stderr) == (EXIT_OK, "")


@pytest.mark.parametrize("ending", [">&-", "<&-", "<&- >&- 2>&-"])
def test_closed_streams_leave_no_trace(ending: str) -> None:
    quiet = shell(script("pass"), ending)
    assert (quiet.returncode, quiet.stderr) == (EXIT_OK, "")


def test_a_result_that_cannot_be_said_is_a_failure() -> None:
    for ending in (">&-", ">/dev/full"):
        done = shell(script("print(1)"), ending)
        assert done.returncode == EXIT_IO, done
        assert "Traceback" not in done.stderr
        assert "error: " in done.stderr


def test_a_file_opened_by_a_tool_without_stdout_does_not_take_its_place(tmp_path: Path) -> None:
    out = tmp_path / "out.txt"
    shell(script(f'f = open({str(out)!r}, "w")\nf.write("kept")\nf.close()\nprint("not here")'), ">&-")
    assert out.read_text() == "kept"


@pytest.mark.parametrize(
    ("raised", "code"),
    [
        ('EOFError("Compressed file ended")', EXIT_DATA),
        ('RuntimeError("PytorchStreamWriter failed writing file")', EXIT_IO),
        ('ValueError("I/O error: No space left on device (os error 28)")', EXIT_IO),
        ("KeyboardInterrupt()", EXIT_INTERRUPTED),
    ],
)
def test_what_libraries_raise(raised: str, code: int) -> None:
    done = subprocess.run(script(f"raise {raised}"), capture_output=True, text=True, env=env())
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    assert "Aborted" not in done.stderr


def test_wrong_usage_is_said_once() -> None:
    done = subprocess.run(tool("prep", "genes", "--nothing"), capture_output=True, text=True, env=env())
    assert done.returncode == EXIT_USAGE
    assert done.stderr.count("--nothing") == 1


@pytest.mark.parametrize("after", [0.02, 0.05, 0.1, 0.2, 0.4])
def test_ctrl_c_during_the_start_leaves_no_trace(after: float) -> None:
    """Once the tool's own code runs; what Python itself does before belongs to Python."""
    body = (
        "import sys; print('here', flush=True)\n"
        "from transgenic_tools.cli.entry import generate\nsys.argv = ['tg-generate', '--help']\ngenerate()"
    )
    slow = "import signal; signal.signal(signal.SIGINT, signal.SIG_DFL)\n"  # as `_run` does, before 'here' is said
    process = subprocess.Popen(
        [sys.executable, "-c", slow + body], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env()
    )
    assert process.stdout is not None
    process.stdout.readline()
    time.sleep(after)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate()
    assert "Traceback" not in err
    assert process.returncode in (-signal.SIGINT, EXIT_INTERRUPTED, EXIT_OK)


def test_sigterm_takes_what_is_half_written_away(tmp_path: Path) -> None:
    body = (
        "import time\nfrom transgenic_tools.provenance import write_aside\n"
        f"with write_aside({str(tmp_path / 'x.txt')!r}) as path:\n    print(path, flush=True)\n    time.sleep(600)"
    )
    process = subprocess.Popen(script(body), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env())
    assert process.stdout is not None
    assert Path(process.stdout.readline().strip()).exists()
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate()
    assert (process.returncode, err) == (EXIT_TERMINATED, "")
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_run_left_is_cleaned_by_the_next_and_that_of_a_living_one_is_not(tmp_path: Path) -> None:
    body = (
        "import time\nfrom transgenic_tools.provenance import write_aside\n"
        f"with write_aside({str(tmp_path / 'x.txt')!r}) as path:\n    print(path, flush=True)\n    time.sleep(600)"
    )
    runs = [
        subprocess.Popen(script(body), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env())
        for _ in range(2)
    ]
    left = [Path(run.stdout.readline().strip()) for run in runs if run.stdout is not None]
    runs[0].kill()
    runs[0].communicate()
    assert left[0].exists()
    again = f"from transgenic_tools.provenance import write_aside\nwith write_aside({str(tmp_path / 'x.txt')!r}): pass"
    subprocess.run(script(again), check=True, env=env())
    assert not left[0].exists()
    assert left[1].exists()
    runs[1].terminate()
    runs[1].communicate()
    assert [path.name for path in tmp_path.iterdir()] == ["x.txt"]


def test_libraries_draw_no_bars_into_a_log() -> None:
    """ "Loading weights" of transformers, unless somebody asks for it."""
    code = (
        "import sys, os; sys.argv = ['tg-evaluate', '--version']\n"
        "from transgenic_tools.cli.entry import evaluate\n"
        "try: evaluate()\nexcept SystemExit: pass\nfinally: print(os.environ.get('HF_HUB_DISABLE_PROGRESS_BARS'))"
    )
    for given, shown in ((None, "1"), ("0", "0")):
        env = {name: value for name, value in os.environ.items() if name != "HF_HUB_DISABLE_PROGRESS_BARS"}
        env |= {} if given is None else {"HF_HUB_DISABLE_PROGRESS_BARS": given}
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, env=env)
        assert done.stdout.splitlines()[-1] == shown, done.stderr


def test_tools_run_without_what_numba_and_pyarrow_would_import(tmp_path: Path) -> None:
    """A compiled kernel and a table, in a process of a tool: neither pandas nor scipy is there, though installed."""
    text = (
        "import sys\n"
        "import transgenic_tools.cli.scan as tool\n"
        "from transgenic_tools.cli.entry import scan\n"
        "def main():\n"
        "    import numba, pyarrow\n"
        "    assert numba.njit(lambda x: x + 1)(1) == 2\n"
        "    assert pyarrow.array([1, 2], pyarrow.int64()).to_pylist() == [1, 2]\n"
        "    print(sorted({'pandas', 'scipy'} & set(sys.modules)))\n"
        "tool.main = main\n"
        "scan()\n"
    )
    done = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, "[]\n"), done.stderr


def test_with_the_networks_of_others_everything_that_is_installed_is_there(tmp_path: Path) -> None:
    """transformers asks for packages by their specification, which must neither fail nor say no."""
    text = (
        "import importlib.util\n"
        "import transgenic_tools.cli.generate as tool\n"
        "from transgenic_tools.cli.entry import generate\n"
        "def main():\n"
        "    import transformers, transformers.modeling_utils\n"
        "    assert importlib.util.find_spec('scipy') and importlib.util.find_spec('pandas')\n"
        "tool.main = main\n"
        "generate()\n"
    )
    done = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
