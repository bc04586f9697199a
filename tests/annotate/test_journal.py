"""What is kept of a killed run: a step is done again where inputs, settings or results changed, and only there."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from transgenic_tools.annotate.journal import Journal, one_run_at_a_time
from transgenic_tools.errors import EXIT_TRY_AGAIN, TryAgainError


@dataclass(frozen=True)
class Settings:
    source: Path
    out: Path
    level: float = 0.5
    threads: int = 1


class Step:
    """Copies `source` to `out`, and counts how often."""

    def __init__(self, root: Path) -> None:
        self.root, self.times = root, 0
        (root / "in.txt").write_text("a")
        self.settings = Settings(root / "in.txt", root / "out.txt")

    def run(self, settings: Settings | None = None) -> int:
        """A new process, as after a kill; how often the step was done so far."""
        asked = settings or self.settings

        def work() -> list[Path]:
            self.times += 1
            asked.out.write_text(asked.source.read_text())
            return [asked.out]

        assert Journal(self.root, self.root / "finished.json").once("copy", asked, work) == [asked.out]
        return self.times


@pytest.fixture
def step(tmp_path: Path) -> Step:
    return Step(tmp_path)


def test_a_finished_step_is_kept_whatever_the_threads(step: Step) -> None:
    assert [step.run(), step.run(), step.run(replace(step.settings, threads=8))] == [1, 1, 1]


def test_the_same_bytes_written_anew_are_the_same_input(step: Step) -> None:
    step.run()
    step.settings.source.unlink()
    step.settings.source.write_text("a")
    assert step.run() == 1


def test_other_bytes_other_settings_and_a_changed_result_are_done_again(step: Step) -> None:
    step.run()
    step.settings.source.write_text("b")
    assert step.run() == 2
    assert step.run(replace(step.settings, level=0.6)) == 3
    step.settings.out.write_text("edited")
    assert step.run(replace(step.settings, level=0.6)) == 4
    step.settings.out.unlink()
    assert step.run(replace(step.settings, level=0.6)) == 5


def test_what_other_settings_no_longer_write_goes(step: Step) -> None:
    step.run()
    moved = replace(step.settings, out=step.root / "other.txt")
    step.run(moved)
    assert moved.out.exists()
    assert not step.settings.out.exists()


@pytest.mark.parametrize("text", ["", "{", "[1]", '{"copy": 1}', '{"copy": {"made_from": 1}}'])
def test_a_broken_journal_costs_work_alone(step: Step, text: str) -> None:
    step.run()
    (step.root / "finished.json").write_text(text)
    assert step.run() == 2
    assert step.run() == 2


def test_a_step_that_fails_is_not_done(step: Step) -> None:
    def fails() -> list[Path]:
        raise RuntimeError("killed")

    with pytest.raises(RuntimeError, match="killed"):
        Journal(step.root, step.root / "finished.json").once("copy", step.settings, fails)
    assert step.run() == 1


def test_two_runs_do_not_write_to_one_place(tmp_path: Path) -> None:
    with one_run_at_a_time(tmp_path), pytest.raises(TryAgainError) as caught, one_run_at_a_time(tmp_path):
        pass
    assert caught.value.exit_code == EXIT_TRY_AGAIN
    with one_run_at_a_time(tmp_path):
        pass
