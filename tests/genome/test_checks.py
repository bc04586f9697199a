"""The structural rules: one list in code and documentation, and each sequence rule at work."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transgenic_tools.genome.checks import (
    ACTIONS,
    RULES,
    Finding,
    _has_in_frame_stop,
    blocking,
    check_transcript,
    count_findings,
    ordered_codes,
)
from transgenic_tools.genome.code import STANDARD
from transgenic_tools.genome.gene import Transcript
from transgenic_tools.genome.interval import Interval


def test_documentation_and_code_hold_the_same_rules() -> None:
    text = (Path(__file__).parents[2] / "docs" / "formats.md").read_text(encoding="utf-8")
    table = text.split("<!-- rules -->")[1].split("<!-- /rules -->")[0]
    documented = re.findall(r"^\| `(\w+)` \| (\w+) \| (.+) \|$", table, re.MULTILINE)
    assert documented == [(rule.code, rule.action, rule.text) for rule in RULES]


def test_codes_are_unique_and_actions_known() -> None:
    assert len({rule.code for rule in RULES}) == len(RULES)
    assert {rule.action for rule in RULES} == set(ACTIONS)


def transcript(*parts: tuple[int, int], phase: int = 0) -> Transcript:
    intervals = tuple(Interval(*p) for p in parts)
    return Transcript("t", "w", "+", intervals, intervals, first_phase=phase)


INTRON = "GT" + "A" * 20 + "AG"


@pytest.mark.parametrize(
    ("sequence", "parts", "phase", "codes"),
    [
        ("ATGAAATAA", [(0, 9)], 0, ()),
        ("ATG" + INTRON + "TAA", [(0, 3), (27, 30)], 0, ()),
        ("ATG" + INTRON.replace("GT", "GC") + "TAG", [(0, 3), (27, 30)], 0, ()),
        ("ATG" + "AT" + "A" * 20 + "AC" + "TGA", [(0, 3), (27, 30)], 0, ()),
        ("TTGAAATAA", [(0, 9)], 0, ("no_start",)),
        ("AATGAAATAA", [(0, 10)], 1, ("no_start",)),
        ("ATGAAATAC", [(0, 9)], 0, ("no_stop",)),
        ("ATGAAATAAC", [(0, 10)], 0, ("no_stop", "partial_codon")),
        ("ATGTAAAAATAA", [(0, 12)], 0, ("in_frame_stop",)),
        ("ATG" + "GG" + "A" * 20 + "AG" + "TAA", [(0, 3), (27, 30)], 0, ("odd_intron",)),
        ("ATG" + "GTAAAAAG" + "TAA", [(0, 3), (11, 14)], 0, ("short_intron",)),
        ("ATG" + INTRON + "A" + INTRON + "AATAA", [(0, 3), (27, 28), (52, 57)], 0, ("short_exon",)),
        ("ATGNNATAA", [(0, 9)], 0, ("unknown_bases",)),
    ],
)
def test_sequence_rules(sequence: str, parts: list[tuple[int, int]], phase: int, codes: tuple[str, ...]) -> None:
    assert check_transcript(transcript(*parts, phase=phase), sequence) == codes


@given(st.text("ACGT", max_size=90))
def test_in_frame_stop_as_translation_says(coding: str) -> None:
    assert _has_in_frame_stop(coding) == ("*" in STANDARD.translate(coding)[:-1])


def test_counting() -> None:
    findings = [Finding("no_stop", "g"), Finding("bad_line", ""), Finding("no_stop", "h"), Finding("no_cds", "i")]
    assert count_findings(findings) == {"bad_line": 1, "no_cds": 1, "no_stop": 2}
    assert [f.code for f in blocking(findings)] == ["bad_line"], "filters and flags do not trouble --strict"
    assert ordered_codes(["no_stop", "bad_line", "no_stop"]) == ("bad_line", "no_stop")
