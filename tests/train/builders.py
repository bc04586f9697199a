"""Tiny shards with planted genes of one and two exons, for training tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from transgenic_tools.io.rows import GeneRow
from transgenic_tools.io.shards import write_gene_shards
from transgenic_tools.provenance import Provenance

_SENSE = [a + b + c for a in "ACGT" for b in "ACGT" for c in "ACGT" if a + b + c not in ("TAA", "TAG", "TGA")]


def planted_row(index: int, *, split: str, fold: int | None = None) -> GeneRow:
    """A window with a gene of two exons; everything follows from `index`."""
    rng = np.random.default_rng(index)

    def noise(size: int) -> str:
        return "".join(rng.choice(list("ACGT"), size))

    def codons(count: int) -> str:
        return "".join(rng.choice(_SENSE, count))

    left, first, intron, second = noise(60), "ATG" + codons(14), "GTAAGT" + noise(60) + "TTTGCAG", codons(12) + "TAA"
    sequence = left + first + intron + second + noise(60)
    a, b = len(left), len(left) + len(first)
    c, d = b + len(intron), b + len(intron) + len(second)
    start = 1000 * index
    return GeneRow(
        gene_id=f"gene{index}", sample="s", seqid="chr", start=start + a, end=start + d, strand="+",
        window_start=start, window_end=start + len(sequence), sequence=sequence,
        gsf=f"{a}|CDS1|{b}|+|A;{c}|CDS2|{d}|+|A>CDS1|CDS2", n_transcripts=1, primary_transcript=None,
        split=split, fold=fold,
    )  # fmt: skip


def rows(n_train: int = 12, n_validation: int = 4, folds: int = 0) -> Iterator[GeneRow]:
    """Train rows, then validation rows; folds in turn."""
    for index in range(n_train + n_validation):
        split = "train" if index < n_train else "validation"
        yield planted_row(index, split=split, fold=index % folds if folds else None)


def shards(directory: Path, **sizes: int) -> tuple[Path, ...]:
    """Gene shards of `rows`."""
    return write_gene_shards(rows(**sizes), directory, provenance=Provenance("test"))
