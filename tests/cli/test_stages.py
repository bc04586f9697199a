"""What a run of several stages shows: rows on a terminal, lines elsewhere, both in the log file."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from transgenic_tools.cli._stages import show_stages
from transgenic_tools.io.progress import track

LOG = logging.getLogger("stages")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def _handlers() -> Iterator[None]:
    root, before = logging.getLogger(), list(logging.getLogger().handlers)
    yield
    root.handlers = before


def work() -> None:
    LOG.info("[1/2] prep", extra={"stage": "prep"})
    list(track(range(3), LOG, total=3, size=lambda _: 1, bases=lambda _: 1))
    LOG.info("reading [genes]")
    LOG.warning("odd [gene]")
    LOG.info("[2/2] generate", extra={"stage": "generate"})
    LOG.info("5 of 9 genes")


def test_a_terminal_shows_a_row_a_stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    screen = Terminal()
    monkeypatch.setattr("sys.stderr", screen)
    with show_stages(("prep", "generate"), tmp_path / "out" / "a.log", verbose=0, quiet=False):
        work()
    shown = screen.getvalue()
    assert "WARNING odd [gene]" in shown
    last = shown.replace("\r", "\n").splitlines()
    assert any("✓ prep" in line and "reading [genes]" in line for line in last)
    assert any("✓ generate" in line and "5 of 9 genes" in line for line in last)
    assert " INFO " not in shown
    assert "INFO [2/2] generate" in (tmp_path / "out" / "a.log").read_text()


def test_a_stage_that_fails_is_not_ticked_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    screen = Terminal()
    monkeypatch.setattr("sys.stderr", screen)
    with suppress(ValueError), show_stages(("prep",), tmp_path / "a.log", verbose=0, quiet=False):
        LOG.info("prep", extra={"stage": "prep"})
        raise ValueError("no")
    assert "prep" in screen.getvalue()
    assert "✓" not in screen.getvalue()


def test_elsewhere_lines_and_the_log_go_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(2):
        screen = io.StringIO()
        monkeypatch.setattr("sys.stderr", screen)
        with show_stages(("prep", "generate"), tmp_path / "a.log", verbose=0, quiet=False):
            work()
        assert "INFO [1/2] prep" in screen.getvalue()
    assert (tmp_path / "a.log").read_text().count("INFO [1/2] prep") == 2


def test_a_quiet_run_still_has_its_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    screen = Terminal()
    monkeypatch.setattr("sys.stderr", screen)
    with show_stages(("prep", "generate"), tmp_path / "a.log", verbose=0, quiet=True):
        work()
    assert screen.getvalue() == ""
    assert "INFO 5 of 9 genes" in (tmp_path / "a.log").read_text()
