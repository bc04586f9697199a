"""Numbers that the pages name are those of the code.

A surprise: a pattern that no longer matches fails too, so a sentence cannot be reworded away from its number.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from transgenic_tools.choices import SHARD_BASES
from transgenic_tools.io.shards import BASES_PER_GROUP, ROWS_PER_GROUP
from transgenic_tools.search.config import MIN_CONFIDENCE, DecodingConfig
from transgenic_tools.train.calibration import FEWEST
from transgenic_tools.train.config import Config as TrainConfig
from transgenic_tools.train.recipe import SCORING_PRIOR

ROOT = Path(__file__).parents[2]
NUMBERS = (
    ("docs/formats.md", r"row groups of at most ([\d,]+) rows", ROWS_PER_GROUP),
    ("docs/formats.md", r"about (\d+) MB of sequence", BASES_PER_GROUP / 1e6),
    ("docs/usage.md", r"bases of gene windows in one task, (\d+) Mb", SHARD_BASES / 1e6),
    ("docs/stages/3_train.md", r"\(`stream_genes`, ([\d,]+) neighbouring", TrainConfig.stream_genes),
    ("docs/stages/3_train.md", r"`stream_sections` \(([\d,]+)\)", TrainConfig.stream_sections),
    (
        "docs/stages/3_train.md",
        r"A set of one block \(([\d,]+) genes\)",
        TrainConfig.stream_genes * TrainConfig.stream_sections,
    ),
    ("docs/stages/3_train.md", r"`augment_share` \(([\d.]+):", TrainConfig.augment_share),
    ("docs/stages/3_train.md", r"calibration needs ([\d]+) samples", FEWEST),
    ("docs/stages/3_train.md", r"as if ([\d]+) genes spoke", SCORING_PRIOR),
    ("docs/stages/4_generate.md", r"`beam` \(default, (\d+)\)", DecodingConfig.num_beams),
    ("docs/stages/4_generate.md", r"\*\*([\d.]+)\*\* \(default\)", MIN_CONFIDENCE),
)


@pytest.mark.parametrize(("page", "pattern", "value"), NUMBERS, ids=lambda one: str(one)[:40])
def test_a_number_of_the_docs_is_that_of_the_code(page: str, pattern: str, value: float) -> None:
    text = (ROOT / page).read_text().replace("\n", " ")
    found = re.findall(pattern, text)
    assert found, f"{page}: nothing matches {pattern}"
    assert [float(number.replace(",", "")) for number in found] == [value] * len(found)
