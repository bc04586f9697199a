"""A benchmark as a command: log lines, messages, exit codes.

In: the name and the work. Out: the exit code.
A surprise: TRANSGENIC_DEBUG=1 shows the trace, as in the tools.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable

from transgenic_tools.cli._errors import exit_code_of


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
