"""Strange genomes keep their genes' structure; what is fitted on them holds for them, and leaves home alone."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.genome.test_profile import gene as planted
from tests.train.builders import planted_row
from transgenic_tools.errors import UsageError
from transgenic_tools.genome.code import STANDARD
from transgenic_tools.genome.gene import Transcript
from transgenic_tools.genome.interval import Interval
from transgenic_tools.genome.odds import logit
from transgenic_tools.genome.profile import Profile
from transgenic_tools.genome.reading import ReadInterval
from transgenic_tools.io.distance import Look, Looks, load_distance_scoring
from transgenic_tools.io.shards import write_gene_shards
from transgenic_tools.lattice.window import WindowInput
from transgenic_tools.provenance import Provenance
from transgenic_tools.train.distance import GenomeSet, figures, fit_distance, looks_of
from transgenic_tools.train.examples import Example, example_from_row
from transgenic_tools.train.shifts import Shift, shifted


def letters(example: Example) -> str:
    return "".join("ACGTN"[code] for code in example.window.codes.tolist())


def gene() -> Example:
    """Two isoforms: the second skips the middle exon, so the third is read in another frame."""
    rng = np.random.default_rng(4)
    bases = rng.choice(list("ACGT"), 1_500)
    bases[100:103] = list("ATG")
    bases[[400, 700]], bases[[401, 701]] = "G", "T"
    bases[[598, 898]], bases[[599, 899]] = "A", "G"
    bases[50] = "N"
    exons = (Interval(100, 400), Interval(600, 700), Interval(900, 1_200))
    transcripts = (
        Transcript("a", "w", "+", exons, exons),
        Transcript("b", "w", "+", (exons[0], exons[2]), (exons[0], exons[2])),
    )
    return Example("g", WindowInput.of("".join(bases)), ReadInterval(Interval(100, 1_200)), transcripts)


@pytest.mark.parametrize("stretch", [1.0, 3.0])
def test_a_strange_gene_makes_the_same_proteins_and_splices_alike(stretch: float) -> None:
    before = gene()
    after = shifted(before, Shift(rate=1.0, gc=0.8, stretch=stretch), np.random.default_rng(1))
    one, other = letters(before), letters(after)
    assert [len(t.introns[0]) for t in after.transcripts] == [round(200 * stretch), 500 + round(400 * (stretch - 1))]
    for old, new in zip(before.transcripts, after.transcripts, strict=True):
        assert STANDARD.translate(new.spliced(other, coding=True)) == STANDARD.translate(old.spliced(one, coding=True))
        assert [len(exon) for exon in new.exons] == [len(exon) for exon in old.exons]
        for i, j in zip(old.introns, new.introns, strict=True):
            assert (one[i.start : i.start + 2], one[i.end - 2 : i.end]) == (
                other[j.start : j.start + 2], other[j.end - 2 : j.end],
            )  # fmt: skip
    assert other[100:103] == "ATG"
    assert other[50] == "N"
    assert after.locus == Interval(100, 1_200 + round(400 * (stretch - 1)))
    intron = after.transcripts[0].introns[0]
    text = other[intron.start + 2 : intron.end - 2]
    assert (text.count("G") + text.count("C")) / len(text) == pytest.approx(0.8, abs=0.1)
    coding = after.transcripts[0].spliced(other, coding=True)
    third = coding[2:300:3]
    assert (third.count("G") + third.count("C")) / len(third) > 0.6


def test_no_rate_changes_nothing_and_the_draw_is_the_generators() -> None:
    same = shifted(gene(), Shift(rate=0.0, gc=0.5), np.random.default_rng(1))
    assert letters(same) == letters(gene())
    strange = [letters(shifted(gene(), Shift(rate=0.3, gc=0.5), np.random.default_rng(2))) for _ in range(2)]
    assert strange[0] == strange[1] != letters(gene())


def a_set(level: float, gap: float, *, seed: int, n: int = 2_000, **kind: bool) -> GenomeSet:
    """Genes whose confidences have log-odds around `level`, too high by `gap`."""
    rng = np.random.default_rng(seed)
    odds = rng.normal(level, 1.0, n)
    right = rng.random(n) < 1 / (1 + np.exp(-(odds - gap)))
    p = 1 / (1 + np.exp(-odds))
    return GenomeSet(name=f"{level} {seed}", best=p, right=right, written=p, written_right=right, **kind)


def test_what_is_fitted_holds_for_strange_genomes_and_leaves_home_alone() -> None:
    home = a_set(2.0, 0.0, seed=1, learned=True)
    made = [a_set(2.0 - d, 1.2 * d, seed=10 + i, made=True) for i, d in enumerate((0.8, 1.2, 1.6, 2.0, 2.4))]
    scoring = fit_distance([home, *made])
    assert figures(scoring, home)["distance"] == 0
    assert scoring.home < home.level
    for strange in (*made, a_set(0.2, 2.16, seed=99)):  # the last one was not fitted on
        found = figures(scoring, strange)
        assert found["calibration_error"] < 0.08 < found["calibration_error_before"]
        low, high = found["interval"]
        assert low < found["accuracy"] < high
    assert scoring.distance(made[-1].best.tolist()) > scoring.limit > 0


def test_composition_weighs_where_it_tells_strange_from_hard() -> None:
    """A species that is hard for the model and as sure as it should be; strange genomes that it is too sure of."""
    looks = Looks(learned={"home": Profile.none()}, tolerance=0.0, weight=0.0)

    def look(strangeness: float) -> Look:
        return Look(nearest="home", aspects={"composition": strangeness}, strangeness=strangeness)

    sets = [replace(a_set(level, 0.0, seed=i, learned=True), look=look(0.0)) for i, level in enumerate((2.0, 0.8))]
    sets += [
        replace(a_set(level - 5 * x, 10 * x, seed=10 + i, made=True), look=look(x))
        for i, (level, x) in enumerate((level, x) for level in (2.0, 0.8) for x in (0.05, 0.1, 0.15))
    ]
    scoring = fit_distance(sets, looks=looks)
    assert scoring.looks is not None
    assert scoring.looks.weight > 0
    blind = fit_distance([replace(one, look=None) for one in sets])
    assert blind.looks is None
    error, blind_error = (
        np.mean([abs(figures(of, one)["expected"] - figures(of, one)["accuracy"]) for one in sets])
        for of in (scoring, blind)
    )
    assert error < 0.04 < blind_error


def test_held_out_genes_of_learned_species_are_at_home() -> None:
    known = Profile.total(Profile.of(*planted(seed)) for seed in range(100, 300))
    held_out = replace(
        a_set(2.0, 0.0, seed=1, n=40, learned=True),
        profile=Profile.total(Profile.of(*planted(seed, gc=0.5)) for seed in range(40)),
    )
    looks = looks_of({"home": known}, [held_out])
    assert looks.tolerance > 0.02
    assert looks.of(held_out.profile, 40).strangeness == 0.0
    strange = Profile.total(Profile.of(*planted(seed, gc=0.8)) for seed in range(40))
    assert looks.of(strange, 40).strangeness > 0.1


def test_species_off_the_curve_widen_the_interval() -> None:
    home = a_set(2.0, 0.0, seed=1, learned=True)
    made = [a_set(2.0 - d, 1.2 * d, seed=10 + i, made=True) for i, d in enumerate((0.8, 1.6, 2.4))]
    usual = fit_distance([home, *made])
    strange = a_set(1.0, 3.0, seed=20)
    wider = fit_distance([home, *made], [strange])
    assert (wider.home, wider.shift) == (usual.home, usual.shift)
    assert wider.spread > usual.spread + 0.5
    low, high = figures(wider, strange)["interval"]
    assert low < strange.accuracy < high


def test_confidences_that_already_hold_are_left_as_they_are() -> None:
    """Nothing is raised where strange genomes are less sure and rightly so."""
    sets = [
        a_set(2.0, 0.0, seed=1, learned=True),
        a_set(0.0, 0.0, seed=2, made=True),
        a_set(-1.0, -0.5, seed=3, made=True),
    ]
    scoring = fit_distance(sets)
    assert min(scoring.slope, scoring.shift) >= 0
    assert scoring.at(1.0, 0.6) == pytest.approx(0.6, abs=0.03)
    assert logit(scoring.at(1.0, 0.6)) <= logit(0.6) + 1e-9


def test_a_fit_needs_home_and_strange_genomes() -> None:
    with pytest.raises(UsageError, match="no learned species"):
        fit_distance([a_set(1.0, 0.0, seed=1, learned=True)])


def test_the_command_writes_the_file_and_prints_each_set(tmp_path: Path) -> None:
    rows = [planted_row(i, split="validation" if i < 3 else "train") for i in range(5)]
    assert example_from_row(rows[0]).transcripts
    write_gene_shards(rows, tmp_path / "shards", provenance=Provenance("test"))
    command = [sys.executable, "-m", "transgenic_tools.train.distance", "--learned", str(tmp_path / "shards")]
    command += ["--other", str(tmp_path / "shards"), "--shown", str(tmp_path / "shards")]
    command += ["--out", str(tmp_path / "distance.json")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    printed = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(printed) == 1 + 12 + 1 + 1 + 1
    scoring = load_distance_scoring(tmp_path)
    assert scoring is not None
    assert scoring.looks is not None
    assert list(scoring.looks.learned) == [rows[0].sample]
    assert printed[-1]["weight"] == scoring.looks.weight
    saved = json.loads((tmp_path / "distance.json").read_text())
    assert saved["provenance"]["parameters"]["sets"] == printed[:-1]
