"""The table of UTRs that are given: its rows by hand."""

from __future__ import annotations

from benchmarks.utrs import Given, table


def given(probability: float, *, main: bool, off: int) -> Given:
    return Given(probability=probability, main=main, any_isoform=True, tss=off, tts=2 * off)


def test_the_table_groups_by_probability() -> None:
    rows = table([given(0.4, main=False, off=1), given(0.96, main=True, off=10), given(1.0, main=False, off=20)])
    assert [line.split(" | ")[0] for line in rows.splitlines()[2:]] == ["| to 0.5", "| to 1", "| all"]
    assert rows.splitlines()[3] == "| to 1 | 2 | 0.980 | 0.500 | 1.000 | 15 | 30 |"
    assert rows.splitlines()[4] == "| all | 3 | 0.787 | 0.333 | 1.000 | 10 | 20 |"
