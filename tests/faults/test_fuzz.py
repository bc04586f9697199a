"""300 damaged inputs: no trace, no 0 on bad input, no hang, no gene lost, the file always named."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults import world
from tests.faults.cases import COMMANDS, KINDS_OF_FAILURE, Judge, case_of
from tests.faults.damage import KINDS
from tests.faults.fuzz import lines_of, run_cases

CASES = 300


@pytest.fixture(scope="module")
def judge(tmp_path_factory: pytest.TempPathFactory) -> Judge:
    folder = tmp_path_factory.mktemp("sound")
    (folder / "world").mkdir()
    world.build(folder / "world")
    return Judge(folder / "world", folder)


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: f"{command.tool} {command.words[:40]}")
def test_sound_inputs_are_taken_and_give_the_same_twice(judge: Judge, command: object) -> None:
    first = judge.sound_outcome(command)  # type: ignore[arg-type]
    assert (first.code, first.left, first.lost) == (0, (), 0), first.said
    judge.sound.clear()
    assert judge.sound_outcome(command).digest == first.digest  # type: ignore[arg-type]


def test_numbers_reach_every_command_and_every_damage() -> None:
    cases = [case_of(number) for number in range(CASES)]
    assert {case.command for case in cases} == set(COMMANDS)
    assert {case.damage.name for case in cases} == {kind.name for kind in KINDS}


@pytest.mark.slow
def test_damaged_inputs_are_refused_by_name(tmp_path: Path) -> None:
    counts, failures = run_cases(range(CASES), tmp_path)
    assert not any(counts[kind] for kind in KINDS_OF_FAILURE), "\n".join(lines_of(counts, failures, most=20))
