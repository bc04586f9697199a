"""A benchmark as a command: log lines, messages, exit codes.

In: the name and the work. Out: the exit code.
A surprise: TRANSGENIC_DEBUG=1 shows the trace, as in the tools.
"""

from __future__ import annotations

import json
import logging
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from transgenic_tools.cli._errors import exit_code_of
from transgenic_tools.provenance import write_aside

Figures = Mapping[str, Any]


def run_command(name: str, work: Callable[[], object]) -> int:
    """Do the work; what goes wrong becomes one line on stderr and the tools' exit code."""
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(levelname)s %(message)s")
    try:
        work()
    except Exception as error:
        if os.environ.get("TRANSGENIC_DEBUG"):
            raise
        print(f"{name}: error: {error}", file=sys.stderr)
        return exit_code_of(error)
    return 0


def run_figures(name: str, measure: Callable[[], Figures], record: Callable[[Figures], object] | None) -> int:
    """`run_command` of what prints figures as JSON, and records them where it may."""

    def work() -> None:
        figures = measure()
        if record is not None:
            record(figures)
        print(json.dumps(figures, indent=1, sort_keys=True))

    return run_command(name, work)


@contextmanager
def recording(root: Path) -> Iterator[dict[str, Any]]:
    """results.json of a checkout, to be changed in place; it is written when the block ends without an error."""
    path = root / "benchmarks" / "results.json"
    results = json.loads(path.read_text())
    yield results
    with write_aside(path) as aside:
        aside.write_text(json.dumps(results, indent=1) + "\n")
