"""Turn every exception into one clear message and a documented exit code.

In: a Typer app. Out: a console entry point. Expected errors print their message and next step, unexpected ones a
single line (the stack trace only with TRANSGENIC_DEBUG=1).
A surprise: a broken pipe (`| head`) is success.
"""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Callable

import typer

from transgenic_tools.errors import EXIT_INTERNAL, EXIT_IO, EXIT_OUT_OF_MEMORY, TransgenicError

_OUT_OF_MEMORY_WORDS = ("out of memory", "can't allocate memory", "cannot allocate memory")


def _is_out_of_memory(error: BaseException) -> bool:
    text = str(error).lower()
    return isinstance(error, MemoryError) or any(word in text for word in _OUT_OF_MEMORY_WORDS)


def exit_code_of(error: BaseException) -> int:
    """The documented exit code for any exception."""
    if isinstance(error, TransgenicError):
        return error.exit_code
    if _is_out_of_memory(error):
        return EXIT_OUT_OF_MEMORY
    if isinstance(error, OSError):
        return EXIT_IO
    return EXIT_INTERNAL


def _describe(error: BaseException) -> str:
    if isinstance(error, TransgenicError):
        return str(error)
    if _is_out_of_memory(error):
        return f"out of memory ({error})\n  Next step: lower --batch-bases, or run where more memory is free"
    hint = "this is a defect; run again with TRANSGENIC_DEBUG=1 and report the trace"
    if isinstance(error, OSError):
        hint = "check that the disk has room and that the path can be read and written"
    return f"{type(error).__name__}: {error}\n  Next step: {hint}"


def entry_point(app: typer.Typer, name: str) -> Callable[[], None]:
    """The function behind a console script: runs the app, maps errors to exit codes."""

    def main() -> None:
        try:
            app(prog_name=name)
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        except KeyboardInterrupt:
            sys.exit(130)
        except Exception as error:  # noqa: BLE001 every failure must become a message and a code
            if os.environ.get("TRANSGENIC_DEBUG"):
                traceback.print_exc()
            print(f"{name}: error: {_describe(error)}", file=sys.stderr)
            sys.exit(exit_code_of(error))

    return main
