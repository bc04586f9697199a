"""Profiles add up, tell genomes apart by aspect, and count what a gene has."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from transgenic_tools.genome.gene import Transcript
from transgenic_tools.genome.interval import Interval
from transgenic_tools.genome.profile import ASPECTS, BESIDE, Profile
from transgenic_tools.genome.sequence import encode


def gene(seed: int, *, gc: float = 0.4, intron: int = 120) -> tuple[np.ndarray, Transcript]:
    """Two exons of 90 bases with 100 bases beside."""
    rng = np.random.default_rng(seed)
    bases = rng.choice(4, 380 + intron, p=[(1 - gc) / 2, gc / 2, gc / 2, (1 - gc) / 2]).astype(np.uint8)
    first, second = Interval(100, 190), Interval(190 + intron, 280 + intron)
    bases[[190, 191]], bases[[188 + intron, 189 + intron]] = [2, 3], [0, 2]
    return bases, Transcript("t", "w", "+", (first, second), (first, second))


def profile(*genes: tuple[np.ndarray, Transcript]) -> Profile:
    return Profile.total(Profile.of(*one) for one in genes)


def test_a_gene_counts_its_bases_codons_splice_sites_and_introns() -> None:
    codes, transcript = gene(1)
    counts = Profile.of(codes, transcript).counts
    assert {name: table.shape for name, table in counts.items()} == dict(ASPECTS)
    assert counts["codons"].sum() == 60
    beside = codes[100 - BESIDE : 100], codes[190:310], codes[400 : 400 + BESIDE]
    assert counts["composition"].sum() == sum(len(part) - 2 for part in beside)
    word = int(codes[60]) * 16 + int(codes[61]) * 4 + int(codes[62])
    assert counts["composition"][0, word] >= 1
    assert counts["splice_motifs"].sum(1).tolist() == [1] * 27
    assert counts["splice_motifs"][3:5].tolist() == [[0, 0, 1, 0], [0, 0, 0, 1]]  # GT behind three bases of the exon
    assert counts["splice_motifs"][22:24].tolist() == [[1, 0, 0, 0], [0, 0, 1, 0]]  # AG before three of the next one
    assert counts["intron_lengths"][0, math.floor(2 * math.log2(120)) - 8] == 1


def test_unknown_bases_and_ends_of_windows_count_nothing() -> None:
    codes, transcript = gene(1)
    codes[150] = codes[250] = encode("N")[0]
    counts = Profile.of(codes, transcript).counts
    assert counts["codons"].sum() == 59
    assert counts["composition"].sum() == 48 + 118 - 3 + 48
    alone = Profile.of(codes[100:190], Transcript("t", "w", "+", (Interval(0, 90),), (Interval(0, 90),))).counts
    assert (alone["composition"].sum(), alone["intron_lengths"].sum()) == (0, 0)


def test_genomes_of_other_composition_or_introns_lie_apart_and_samples_of_one_do_not() -> None:
    home = profile(*(gene(i) for i in range(200)))
    same = profile(*(gene(1_000 + i) for i in range(60))).apart(home)
    assert max(same.values()) < 0.04
    strong = profile(*(gene(i, gc=0.7) for i in range(60))).apart(home)
    assert min(strong["composition"], strong["codons"], strong["splice_motifs"]) > 0.15
    assert strong["intron_lengths"] == 0
    long = profile(*(gene(i, intron=900) for i in range(60))).apart(home)
    assert long["intron_lengths"] == pytest.approx(1, abs=0.01)
    assert long["composition"] < 0.05


@given(st.lists(st.integers(0, 50), min_size=1, max_size=12), st.randoms())
def test_order_and_shares_leave_no_trace(seeds: list[int], rng: object) -> None:
    parts = [Profile.of(*gene(seed)) for seed in seeds]
    whole = Profile.total(parts).to_json()
    rng.shuffle(parts)  # type: ignore[attr-defined]
    assert Profile.total([Profile.total(parts[::2]), Profile.total(parts[1::2])]).to_json() == whole


def test_json_keeps_a_profile_and_refuses_others() -> None:
    known = profile(gene(1), gene(2))
    saved = json.loads(json.dumps(known.to_json()))
    assert Profile.from_json(saved).to_json() == known.to_json()
    assert known.apart(Profile.none()) == dict.fromkeys(ASPECTS, 0.0)
    for damaged in (
        {}, [], {**saved, "more": []}, {**saved, "codons": [[1] * 63]}, {**saved, "codons": [[-1] * 64]},
        {**saved, "codons": [[0.5] * 64]}, {**saved, "codons": "x"},
    ):  # fmt: skip
        with pytest.raises(ValueError, match=r"profile|codons"):
            Profile.from_json(damaged)
