"""What a run of several stages shows: a row a stage on a terminal, plain lines elsewhere, and always in a log file.

In: the log records of the stages. Out: a display on stderr, lines in a file.
A surprise: a stage is told by the attribute `stage` of the record that begins it; whatever is logged after it is shown
beside its name, and warnings stand above the rows.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from transgenic_tools.cli._options import set_up_logging
from transgenic_tools.io.progress import lines_alone

_LINE = "%(asctime)s %(levelname)s %(message)s"


class _Rows(logging.Handler):
    """A row a stage: waiting, running with its latest line, done."""

    def __init__(self, stages: Sequence[str], display: Any) -> None:
        super().__init__(logging.INFO)
        self._display = display
        self._rows = {stage: display.add_task(stage, total=1, said="", start=False) for stage in stages}
        self._now: Any = None

    def emit(self, record: logging.LogRecord) -> None:
        try:
            stage = getattr(record, "stage", None)
            if stage in self._rows:
                self.end_stage()
                self._now = self._rows[stage]
                self._display.start_task(self._now)
            elif record.levelno >= logging.WARNING:
                self._display.console.print(f"{record.levelname} {record.getMessage()}", markup=False, highlight=False)
            elif self._now is not None:
                self._display.update(self._now, said=record.getMessage())
        except Exception:  # noqa: BLE001 as logging's own handlers: a line that cannot be shown ends no run
            self.handleError(record)

    def end_stage(self) -> None:
        """Tick the running stage off."""
        if self._now is not None:
            self._display.update(self._now, completed=1)
            self._now = None


@contextmanager
def _rows_on_terminal(stages: Sequence[str]) -> Iterator[None]:
    from rich.console import Console
    from rich.markup import escape
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
    from rich.table import Column

    root = logging.getLogger()
    others = [handler for handler in root.handlers if not _is_stderr(handler)]  # rich is about to put itself there
    said = TextColumn("{task.fields[said]}", markup=False, table_column=Column(no_wrap=True, overflow="ellipsis"))
    columns = (SpinnerColumn(finished_text="✓"), TextColumn("{task.description}"), TimeElapsedColumn(), said)
    with Progress(*columns, console=Console(stderr=True)) as display:
        rows = _Rows([escape(stage) for stage in stages], display)
        root.handlers = [*others, rows]
        yield
        rows.end_stage()


def _is_stderr(handler: logging.Handler) -> bool:
    return isinstance(handler, logging.StreamHandler) and handler.stream is sys.stderr


@contextmanager
def show_stages(stages: Sequence[str], log: Path, *, verbose: int, quiet: bool) -> Iterator[None]:
    """Show the stages of a run while it lasts, and add its lines to a log file."""
    set_up_logging(verbose, quiet)
    root = logging.getLogger()
    log.parent.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        stack.enter_context(lines_alone())
        lines = logging.FileHandler(log, encoding="utf-8")
        stack.callback(lines.close)
        lines.setFormatter(logging.Formatter(_LINE))
        for handler in root.handlers:
            handler.setLevel(root.level)
        root.setLevel(min(root.level, logging.INFO))
        root.addHandler(lines)
        stack.callback(root.removeHandler, lines)
        if sys.stderr.isatty() and not quiet and not verbose:
            stack.enter_context(_rows_on_terminal(stages))
        yield
