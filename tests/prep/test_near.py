"""Near copies of held-out genes are found, relatives and strangers are not."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np

from transgenic_tools.io.rows import GeneRow
from transgenic_tools.io.shards import write_gene_shards
from transgenic_tools.prep.near import find_near
from transgenic_tools.provenance import Provenance


def row(name: str, coding: str, *, split: str = "train") -> GeneRow:
    """A gene of one exon with 20 bases on each side."""
    sequence = "T" * 20 + coding + "T" * 20
    return GeneRow(
        gene_id=name, sample="s", seqid="chr", start=20, end=20 + len(coding), strand="+", window_start=0,
        window_end=len(sequence), sequence=sequence, gsf=f"20|CDS1|{20 + len(coding)}|+|A>CDS1", n_transcripts=1,
        primary_transcript=None, split=split,
    )  # fmt: skip


def coding(seed: int, codons: int = 200) -> str:
    rng = np.random.default_rng(seed)
    return "ATG" + "".join("".join(rng.choice(list("ACG"), 3)) for _ in range(codons)) + "TAA"


def changed(text: str, share: float) -> str:
    """The same with so many of its bases exchanged."""
    rng = np.random.default_rng(7)
    bases = np.array(list(text))
    inner = rng.choice(np.arange(3, len(text) - 3), round(share * len(text)), replace=False)
    bases[inner] = [{"A": "C", "C": "G", "G": "A", "T": "C"}[base] for base in bases[inner]]
    return "".join(bases)


def test_near_copies_are_found() -> None:
    held_out = [row("held", coding(1))]
    learned = [
        row("copy", coding(1)),
        row("near", changed(coding(1), 0.05)),
        row("half", coding(1)[:450] + coding(4, 30)[3:]),
        row("far", changed(coding(1), 0.4)),
        row("other", coding(2)),
        replace(row("unknown", coding(3)), gsf=None),
    ]
    found = {near.gene_id: near for near in find_near(held_out, learned)}
    assert set(found) == {"copy", "near", "half"}
    assert found["copy"].of == ("s", "held")
    assert found["copy"].share == 1
    assert found["near"].share < 1


def test_the_command_writes_ids_and_prints_what_they_are_like(tmp_path: Path) -> None:
    shards = (
        [row("held", coding(1), split="test"), row("trained", coding(5))],
        [row("copy", coding(1)), row("same", coding(5))],
    )
    for name, rows in zip(("a", "b"), shards, strict=True):
        write_gene_shards(rows, tmp_path / name, provenance=Provenance("test"))
    command = [sys.executable, "-m", "transgenic_tools.prep.near", "--split", "test", "--held-out", str(tmp_path / "a")]
    command += ["--learned", str(tmp_path / "b"), "--out", str(tmp_path / "near.txt")]
    printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert printed.split("\t")[:3] == ["s", "copy", "held"]
    assert (tmp_path / "near.txt").read_text() == "copy\n"
