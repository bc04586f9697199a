"""Splits and folds: deterministic, complete, and families never torn apart."""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transgenic_tools.errors import UsageError
from transgenic_tools.genome.code import STANDARD
from transgenic_tools.genome.gene import Gene, Transcript
from transgenic_tools.genome.interval import Interval
from transgenic_tools.io.fasta import Fasta
from transgenic_tools.prep.homology import homology_groups
from transgenic_tools.prep.split import assign_folds, assign_splits, parse_split, split_groups
from transgenic_tools.prep.windows import jittered_flank


def gene(name: str, start: int = 0, seqid: str = "c") -> Gene:
    return Gene(name, seqid, "+", Interval(start, start + 10))


def splits(rule: str, genes: list[Gene], sample: str = "s") -> dict[str, str | None]:
    return dict(assign_splits(genes, parse_split(rule), sample=sample))


def test_block() -> None:
    genes = [gene("a", 99), gene("b", 100), gene("c", 199), gene("d", 200), gene("e", 500, "other")]
    assert list(splits("block:c:100:200", genes).values()) == ["train", "validation", "validation", "test", "train"]


def test_fraction_is_known_on_any_machine() -> None:
    found = splits("fraction", [gene(f"g{i}") for i in range(4000)])
    counted = Counter(found.values())
    assert abs(counted["train"] / 4000 - 0.75) < 0.02
    assert abs(counted["validation"] / 4000 - 0.10) < 0.02
    first = [f"g{i}" for i in range(40)]
    assert {n for n in first if found[n] == "test"} == FROZEN_TEST
    assert {n for n in first if found[n] == "validation"} == FROZEN_VALIDATION


#: Written once; a change here would move genes between the splits of users.
FROZEN_TEST = {"g2", "g24", "g31"}
FROZEN_VALIDATION = {"g6", "g13"}


def test_by_name() -> None:
    genes = [gene("a", seqid="1"), gene("b", seqid="2"), gene("c", seqid="3")]
    assert list(splits("seqid:validation=2;test=3,4", genes).values()) == ["train", "validation", "test"]
    assert set(splits("species:test=x", genes, sample="x").values()) == {"test"}
    assert set(splits("species:test=x", genes, sample="y").values()) == {"train"}
    assert set(splits("all:validation", genes).values()) == {"validation"}
    assert set(assign_splits(genes, None, sample="x").values()) == {None}


@pytest.mark.parametrize(
    "rule",
    ["", "half", "block:c:5", "block:c:9:5", "block::1:2", "fraction:1/2", "fraction:0/0/0", "seqid:dev=1", "all:x"],
)
def test_rules_that_are_none(rule: str) -> None:
    with pytest.raises(UsageError):
        parse_split(rule)


@given(st.dictionaries(st.text(min_size=1, max_size=4), st.lists(st.text(), min_size=1, max_size=9), min_size=1))
def test_groups_are_whole_and_shares_are_near(groups: dict[str, list[str]]) -> None:
    chosen = split_groups(groups, (75, 10, 15))
    assert set(chosen) == set(groups)
    total, largest = sum(map(len, groups.values())), max(map(len, groups.values()))
    in_train = sum(len(members) for name, members in groups.items() if chosen[name] == "train")
    assert abs(in_train - 0.75 * total) <= largest + 1


def test_folds() -> None:
    genes = [gene(f"g{i}") for i in range(500)]
    chosen = dict(assign_splits(genes, parse_split("fraction"), sample="s"))
    folds = assign_folds(genes, 5, chosen)
    assert {name for name, fold in folds.items() if fold is None} == {n for n, s in chosen.items() if s == "test"}
    assert set(folds.values()) == {None, 0, 1, 2, 3, 4}
    assert set(assign_folds(genes, 0, chosen).values()) == {None}
    grouped = assign_folds(genes, 5, dict.fromkeys(chosen), {g.id: g.id[:2] for g in genes})
    assert len({grouped[f"g1{i}"] for i in range(10)}) == 1


def test_jitter_is_uniform_and_apart_for_each_side() -> None:
    left = [jittered_flank(50, 600, seed=1, gene_id=f"g{i}", side="upstream") for i in range(3000)]
    right = [jittered_flank(50, 600, seed=1, gene_id=f"g{i}", side="downstream") for i in range(3000)]
    assert min(left) >= 50
    assert max(left) <= 600
    assert abs(sum(left) / 3000 - 325) < 15
    assert sum(a == b for a, b in zip(left, right, strict=True)) < 40
    assert left[:3] == [jittered_flank(50, 600, seed=1, gene_id=f"g{i}", side="upstream") for i in range(3)]
    assert jittered_flank(7, 7, seed=1, gene_id="g", side="upstream") == 7


def _coding(protein: str, rng: random.Random) -> str:
    codons: dict[str, list[str]] = {}
    for codon, letter in STANDARD.amino_acids.items():
        codons.setdefault(letter, []).append(codon)
    return "".join(rng.choice(codons[letter]) for letter in protein)


def test_families_are_found_by_protein_and_never_split(tmp_path: Path) -> None:
    """Three families of four, members 85 % alike in protein and with codons of their own; ten single genes."""
    rng = random.Random(5)
    letters = "ACDEFGHIKLMNPQRSTVWY"
    genes, sequence, family = [], "", {}
    for number in range(13):
        ancestor = "".join(rng.choices(letters, k=200))
        for member in range(4 if number < 3 else 1):
            protein = "".join(rng.choice(letters) if rng.random() < 0.15 else letter for letter in ancestor)
            name = f"f{number}m{member}"
            start = len(sequence)
            sequence += _coding(protein + "*", rng) + "ACGT"
            cds = (Interval(start, len(sequence) - 4),)
            genes.append(Gene(name, "c", "+", cds[0], (Transcript(f"{name}.t", "c", "+", cds, cds),)))
            family[name] = number
    path = tmp_path / "g.fa"
    path.write_text(f">c\n{sequence}\n")
    with Fasta(path) as fasta:
        groups = homology_groups(genes, fasta)
        assert homology_groups(genes[::-1], fasta) == groups
    assert len(set(groups.values())) == 13
    assert all((groups[a] == groups[b]) == (family[a] == family[b]) for a in groups for b in groups)
    chosen = assign_splits(genes, parse_split("homology"), sample="s", groups=lambda: groups)
    assert all(len({chosen[g.id] for g in genes if family[g.id] == f}) == 1 for f in range(13))
