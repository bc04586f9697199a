"""Fixtures of the tests that run Nextflow: each is marked, and skipped with its reason where Nextflow is not set up."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.pipeline import nextflow


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.pipeline)


@pytest.fixture(scope="session")
def needs_nextflow() -> None:
    if reason := nextflow.missing():
        pytest.skip(reason)


@pytest.fixture
def tiny_sheet(tmp_path: Path) -> Path:
    return write_tiny_sheet(tmp_path, samples=("one", "two"))


def write_tiny_sheet(folder: Path, samples: tuple[str, ...]) -> Path:
    """A samplesheet with files that are enough for stub runs."""
    (folder / "genome.fa").write_text(">seq1\nACGT\n")
    (folder / "genes.gff3").write_text("##gff-version 3\n")
    sheet = folder / "samplesheet.csv"
    rows = "".join(f"{sample},genome.fa,genes.gff3\n" for sample in samples)
    sheet.write_text("sample,fasta,annotation\n" + rows)
    return sheet
