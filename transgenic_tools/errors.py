"""Every error that a user can meet, with the exit code of the command that raised it.

In: nothing. Out: one exception tree and the table of exit codes (`docs/troubleshooting.md` has the same table).
A surprise: out of memory is 137 for CPU and CUDA alike, because the pipeline retries on that code alone.
"""

from __future__ import annotations

from pathlib import Path

EXIT_OK = 0
EXIT_INTERNAL = 1
EXIT_USAGE = 2
EXIT_DATA = 65
EXIT_NO_INPUT = 66
EXIT_IO = 74
EXIT_TRY_AGAIN = 75
EXIT_INTERRUPTED = 130
EXIT_OUT_OF_MEMORY = 137
EXIT_TERMINATED = 143


class TransgenicError(Exception):
    """Base of all expected errors: what is wrong, where it stands, what to do next.

    Args:
        message: What is wrong, with the offending value.
        path: File that holds it.
        line: 1-based line in `path`.
        feature: ID of the gene, transcript or record.
        hint: The user's next step.
    """

    exit_code = EXIT_INTERNAL

    def __init__(
        self,
        message: str,
        *,
        path: str | Path | None = None,
        line: int | None = None,
        feature: str | None = None,
        hint: str | None = None,
    ) -> None:
        self.message = message
        self.path = None if path is None else str(path)
        self.line = line
        self.feature = feature
        self.hint = hint
        super().__init__(str(self))

    def __str__(self) -> str:
        place = self.path or ""
        if self.line is not None:
            place = f"{place}:{self.line}" if place else f"line {self.line}"
        head = ": ".join(part for part in (place, self.feature, self.message) if part)
        return f"{head}\n  Next step: {self.hint}" if self.hint else head


class UsageError(TransgenicError):
    """Flags or parameters that do not fit together."""

    exit_code = EXIT_USAGE


class BadInputError(TransgenicError):
    """A file was found and could be read, but its content is not usable."""

    exit_code = EXIT_DATA


class MissingInputError(TransgenicError):
    """A file or directory that was named does not exist."""

    exit_code = EXIT_NO_INPUT


class InputOutputError(TransgenicError):
    """Reading or writing failed (disk full, permission)."""

    exit_code = EXIT_IO


class TryAgainError(TransgenicError):
    """A passing condition, such as a hub that does not answer; the same command may work later."""

    exit_code = EXIT_TRY_AGAIN


class OutOfMemoryError(TransgenicError):
    """CPU or CUDA memory did not suffice; a smaller batch may."""

    exit_code = EXIT_OUT_OF_MEMORY
