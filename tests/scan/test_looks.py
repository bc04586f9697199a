"""What loci look like: the words that genes have where they are known, on both strands, and told once."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest

from tests.scan.builders import JUDGE, Genome
from transgenic_tools.genome.profile import Profile
from transgenic_tools.genome.sequence import encode
from transgenic_tools.genome.window import Window
from transgenic_tools.io.distance import FEWEST, WARNING, DistanceScoring, Looks
from transgenic_tools.io.fasta import Fasta
from transgenic_tools.scan.config import Config
from transgenic_tools.scan.looks import LociLooks
from transgenic_tools.scan.run import Scanner, pieces_of

PLACES = [(500 + 800 * i, "+" if i % 3 else "-") for i in range(FEWEST + 2)]


def scoring(*learned: Profile) -> DistanceScoring:
    looks = Looks(learned={f"s{i}": one for i, one in enumerate(learned)}, tolerance=0.02, weight=10.0)
    return DistanceScoring(home=1.0, slope=0.0, shift=1.0, spread=0.3, limit=0.5, looks=looks)


def known(genome: Genome, fasta: Fasta) -> Profile:
    """Of the genes as they were planted."""
    parts = []
    for gene in genome.genes:
        window = Window("a", gene.interval.start - 100, gene.interval.end + 100, gene.strand)
        parts.append(Profile.of(encode(fasta.window(window)), window.transcript_to_window(gene.transcript())))
    return Profile.total(parts)


def looked(genome: Genome, path: Path, told: DistanceScoring | None) -> LociLooks:
    with Fasta(path) as fasta:
        looks = LociLooks(told)
        scanner = Scanner(
            Config(fasta=path, outdir=path.parent), fasta, lambda some: map(genome.read, some), patch=18, judge=JUDGE,
            looks=looks,
        )  # fmt: skip
        for piece in pieces_of("a", fasta.lengths["a"]):
            list(scanner.scan([piece]))
    return looks


@pytest.fixture
def genome() -> Genome:
    genome = Genome()
    genome.add("a", 12_000, PLACES)  # type: ignore[arg-type]
    return genome


def test_loci_have_the_composition_of_the_genes_that_lie_there(
    genome: Genome, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    path = genome.write(tmp_path / "g.fa")
    rng = np.random.default_rng(1)
    strange = Profile({**Profile.none().counts, "composition": rng.integers(1, 9_000, (1, 64))})
    with Fasta(path) as fasta:
        profile = known(genome, fasta)
    look = looked(genome, path, scoring(strange, profile)).look()
    assert look is not None
    assert (look.nearest, look.aspects["composition"], look.strangeness) == ("s1", 0.0, 0.0)
    told = looked(genome, path, scoring(strange, profile)).tell()
    assert told == {"nearest": "s1", "composition": 0.0, "far": False}
    assert f"composition of {len(PLACES)} loci: 0.000 from s1" in caplog.text
    assert WARNING not in caplog.text
    far = looked(genome, path, scoring(strange)).tell()
    assert (far["nearest"], far["far"]) == ("s0", True)
    assert WARNING in caplog.text


def test_without_looks_of_a_model_or_with_few_loci_nothing_is_told(genome: Genome, tmp_path: Path) -> None:
    path = genome.write(tmp_path / "g.fa")
    assert looked(genome, path, None).tell() == {}
    few = Genome()
    few.add("a", 3_000, [(500, "+")])
    assert looked(few, few.write(tmp_path / "few.fa"), scoring(Profile.none())).tell() == {}
