"""The one exit of every tool: each exception becomes one clear message and a documented exit code.

In: a Typer app. Out: a console entry point. Expected errors print their message and next step, unexpected ones a
single line (the stack trace only with TRANSGENIC_DEBUG=1).
A surprise: where nobody reads any more (`| head`) a tool ends with 0 and says nothing; where it was started without
stdout, only a command that has something to say there fails.
"""

from __future__ import annotations

import errno
import os
import signal
import sys
import traceback
from collections.abc import Callable
from contextlib import suppress
from types import FrameType

import typer

from transgenic_tools.cli.entry import CUT_CACHE, CUT_CACHE_HINT
from transgenic_tools.errors import (
    EXIT_DATA,
    EXIT_INTERNAL,
    EXIT_INTERRUPTED,
    EXIT_IO,
    EXIT_OK,
    EXIT_OUT_OF_MEMORY,
    EXIT_TERMINATED,
    EXIT_USAGE,
    TransgenicError,
)

_OUT_OF_MEMORY_WORDS = ("out of memory", "can't allocate memory", "cannot allocate memory")
#: What libraries say that are told of a full or broken disk and raise no OSError (safetensors, torch, Arrow).
_DISK_WORDS = (
    "no space left on device",
    "file too large",
    "read-only file system",
    "disk quota exceeded",
    "input/output error",
    "pytorchstreamwriter failed",
)


def _is_out_of_memory(error: BaseException) -> bool:
    text = str(error).lower()
    return isinstance(error, MemoryError) or any(word in text for word in _OUT_OF_MEMORY_WORDS)


def _is_of_the_disk(error: BaseException) -> bool:
    return isinstance(error, OSError) or any(word in str(error).lower() for word in _DISK_WORDS)


def exit_code_of(error: BaseException) -> int:
    """The documented exit code for any exception."""
    if isinstance(error, TransgenicError):
        return error.exit_code
    if isinstance(error, EOFError):
        return EXIT_IO if CUT_CACHE in str(error) else EXIT_DATA
    if _is_out_of_memory(error):
        return EXIT_OUT_OF_MEMORY
    if _is_of_the_disk(error):
        return EXIT_IO
    if _absent_package(error) is not None:
        return EXIT_USAGE
    return EXIT_INTERNAL


def _absent_package(error: BaseException) -> str | None:
    """What a tool needs and this installation lacks; a module of our own is a defect."""
    name = (error.name or "").partition(".")[0] if isinstance(error, ModuleNotFoundError) else ""
    return name if name and name != __name__.partition(".")[0] else None


def _describe(error: BaseException) -> str:
    if isinstance(error, TransgenicError):
        return str(error)
    if isinstance(error, EOFError) and CUT_CACHE in str(error):
        return CUT_CACHE_HINT
    if isinstance(error, EOFError):
        return f"an input ends too early ({error})\n  Next step: copy it again; gzip -t FILE tells whether it is whole"
    if _is_out_of_memory(error):
        return f"out of memory ({error})\n  Next step: make the batches smaller, or run where more memory is free"
    if (name := _absent_package(error)) is not None:
        return (
            f"{name} is not installed here\n  Next step: in a container take the image with torch (its name is the one "
            f"without -thin); elsewhere pip install {name}, or transgenic_tools anew"
        )
    if _is_of_the_disk(error):
        hint = "check that the disk has room and that the path can be read and written"
    else:
        hint = "this is a defect; run again with TRANSGENIC_DEBUG=1 and report the trace"
    return f"{type(error).__name__}: {error}\n  Next step: {hint}"


def _open_standard_streams() -> None:
    """Give closed streams a file descriptor, so that no result is written into what was opened in their place.

    stdout and stderr become files that cannot be written: whoever writes is told.
    """
    for number, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        try:
            os.fstat(number)
        except OSError:
            flags = os.O_WRONLY if number == 2 else os.O_RDONLY  # messages vanish, results do not
            opened = os.open(os.devnull, flags)
            if opened != number:
                os.dup2(opened, number)
                os.close(opened)
            setattr(sys, name, open(number, mode, closefd=False, encoding="utf-8"))  # noqa: SIM115 for the whole process


def _terminate(number: int, frame: FrameType | None) -> None:
    """SIGTERM unwinds the stack, so that nothing half-written stays."""
    raise SystemExit(EXIT_TERMINATED)


def _catch_signals() -> None:
    """Ctrl-C and SIGTERM as exceptions; where this is no main thread they stay as they are."""
    with suppress(ValueError):
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.signal(signal.SIGTERM, _terminate)


def _let_go_of(stream_name: str) -> None:
    """Python writes what is left in a stream when it ends; here it would say that it cannot."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), getattr(sys, stream_name).fileno())


def _flush() -> None:
    """What is still in stdout's buffer is written now, where a failure can be told."""
    if sys.stdout is not None:
        sys.stdout.flush()


def _say(text: str) -> None:
    try:
        print(text, file=sys.stderr, flush=True)
    except OSError:
        _let_go_of("stderr")


def _invoke(app: typer.Typer, name: str) -> object:
    """Parse and run, as Typer's `main` does, but for what it makes of exceptions: EOFError is "Aborted!" there."""
    if any(key.startswith("_TG_") and key.endswith("_COMPLETE") for key in os.environ):  # a shell asks for completions
        return app(prog_name=name)
    command = typer.main.get_command(app)
    with command.make_context(name, sys.argv[1:]) as context:
        return command.invoke(context)


def run_app(app: typer.Typer, name: str) -> int:
    """Run an app; its exit code."""
    try:
        _invoke(app, name)
        _flush()
    except typer.Exit as end:
        return int(end.exit_code)
    except (KeyboardInterrupt, typer.Abort):
        return EXIT_INTERRUPTED
    except Exception as error:  # noqa: BLE001 every failure must become a message and a code
        return _fail(error, name)
    return EXIT_OK


def _fail(error: Exception, name: str) -> int:
    """Say what is wrong; the exit code."""
    if isinstance(error, OSError) and error.errno == errno.EPIPE:
        _let_go_of("stdout")
        return EXIT_OK
    show = getattr(error, "show", None)
    if show is not None:  # wrong usage, in Typer's words
        show()
        return EXIT_USAGE
    if os.environ.get("TRANSGENIC_DEBUG"):
        traceback.print_exc()
    if _is_of_the_disk(error):
        _let_go_of("stdout")
    _say(f"{name}: error: {_describe(error)}")
    return exit_code_of(error)


def entry_point(app: typer.Typer, name: str) -> Callable[[], None]:
    """The function behind a console script: runs the app, maps errors to exit codes."""

    def main() -> None:
        _open_standard_streams()
        _catch_signals()
        code = run_app(app, name)
        with suppress(ValueError):
            signal.signal(signal.SIGINT, signal.SIG_IGN)  # Python's own end is not to be interrupted with a trace
        sys.exit(code)

    return main
