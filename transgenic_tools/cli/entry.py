"""The console scripts: one function a tool, which imports it and runs it.

In: sys.argv. Out: the exit code of `transgenic_tools.errors`.
A surprise: nothing but the standard library is imported before the first line here, so that Ctrl-C ends a tool that is
still importing without a trace; from `cli._errors` on, it ends the run in order.
"""

from __future__ import annotations

import importlib
import os
import signal
import sys

#: What Python says of a file in one of its `__pycache__` that is cut short, and what to do about it.
CUT_CACHE = "marshal data too short"
CUT_CACHE_HINT = (
    "a compiled file of Python is cut short, as a full disk leaves it\n"
    "  Next step: make room, then remove these files, which are made anew: "
    f"find {os.path.dirname(os.path.dirname(__file__))} {sys.prefix} -name '*.pyc' -delete"
)
#: With these the networks of others are loaded, which may need anything and ask for what is installed.
_OTHERS = frozenset({"accelerate", "deepspeed", "peft", "transformers"})


class _Unused:
    """What pyarrow and numba import only where it is there: half a CPU second at each start, and no tool needs it."""

    names = frozenset({"pandas", "scipy", "pyarrow._azurefs", "pyarrow._gcsfs", "pyarrow._hdfs", "pyarrow._s3fs"})

    @classmethod
    def find_spec(cls, name: str, path: object = None, target: object = None) -> None:
        if name in cls.names and not _OTHERS & sys.modules.keys():
            raise ImportError(f"this tool runs without {name}")


def _run(tool: str) -> None:
    if tool not in ("encode", "train"):
        sys.meta_path.insert(0, _Unused)
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")  # "Loading weights" among the lines of a log
    try:
        module = importlib.import_module(f"transgenic_tools.cli.{tool}")
    except EOFError as error:
        if CUT_CACHE not in str(error):
            raise
        print(f"tg-{tool}: error: {CUT_CACHE_HINT}", file=sys.stderr)
        sys.exit(74)
    module.main()


def prep() -> None:
    _run("prep")


def annotate() -> None:
    _run("annotate")


def encode() -> None:
    _run("encode")


def train() -> None:
    _run("train")


def generate() -> None:
    _run("generate")


def backmap() -> None:
    _run("backmap")


def evidence() -> None:
    _run("evidence")


def scan() -> None:
    _run("scan")


def evaluate() -> None:
    _run("evaluate")


def report() -> None:
    _run("report")
