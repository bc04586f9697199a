"""Growth with length and number: a length that is stopped is recorded, and longer ones are not tried."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from benchmarks import scaling
from benchmarks.measure import Cost, Limits
from benchmarks.windows import tiles
from transgenic_tools.errors import TransgenicError
from transgenic_tools.io.rows import GeneRow


def test_scale_goes_on_after_a_length_that_was_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def generate(windows: Sequence[GeneRow], *, limits: Limits | None = None, **_: object) -> Cost:
        longest = max(row.bases for row in windows)
        if longest > 5_000:
            raise TransgenicError("tg-generate ended with code -24 (stopped after 300 s CPU, 310 s, 900 MB): x: y")
        return Cost(2.0 + sum(row.bases for row in windows) / 1000, 3.0, 100.0)

    monkeypatch.setattr(scaling, "generate", generate)
    monkeypatch.setattr(scaling, "FIRST_BASE", 0)
    contig = "ACGT" * 20_000
    test = tiles(contig, "c", start=0, length=2_000, count=8)
    found: dict[str, Any] = scaling.scale(
        contig,
        "c",
        test,
        work=tmp_path,
        model=None,
        lengths=(20_000, 1_000, 5_000, 10_000),
        numbers=(2, 4),
        bases=10_000,
    )
    lengths = found["by_length"]
    assert list(lengths) == ["1000", "5000", "10000", "20000"]
    assert lengths["1000"]["microseconds_per_base"] == pytest.approx(9 / 10_000 * 1e6)  # 12 s less 3 s of start-up
    assert lengths["5000"]["windows"] == 2
    assert lengths["10000"]["error"].endswith("900 MB)")
    assert lengths["20000"]["error"] == "not tried: windows of 10000 bases did not end"
    assert found["by_number_of_genes"]["4"]["bases"] == 8_000
