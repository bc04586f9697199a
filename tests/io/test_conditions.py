"""Tables of numbers by sample: what is read, how it is cut to a model, what each fault says."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest

from transgenic_tools.errors import BadInputError
from transgenic_tools.io.conditions import confounded, cut_table, fit_scaling, read_conditions, samples_of

TABLE = "gene\tleaf\troot\tseed\nA\t1\t3\t7\nB\t5\t5\t5\nC\t0\t1\t0\n"


def written(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_tabs_commas_gzip_and_tables_of_r_are_the_same(tmp_path: Path) -> None:
    plain = read_conditions(written(tmp_path / "a.tsv", TABLE))
    with gzip.open(tmp_path / "b.tsv.gz", "wt") as handle:
        handle.write(TABLE)
    for other in (
        written(tmp_path / "c.csv", TABLE.replace("\t", ",")),
        written(tmp_path / "d.tsv", TABLE.replace("gene\t", "")),  # R leaves the corner out
        tmp_path / "b.tsv.gz",
    ):
        table = read_conditions(other)
        assert (
            (table.names, table.samples) == (plain.names, plain.samples) == (("A", "B", "C"), ("leaf", "root", "seed"))
        )
        assert np.array_equal(table.values, plain.values)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("gene\tleaf\n", "no table"),
        ("gene\tleaf\tleaf\nA\t1\t2\n", "'leaf' stands twice"),
        ("gene\tleaf\nA\t1\nA\t2\n", "'A' stands in line 2 already"),
        ("gene\tleaf\nA\tmuch\n", "'much' of sample 'leaf' is no number"),
        ("gene\tleaf\nA\tnan\n", "'nan' of sample 'leaf' is no number"),
        ("gene\tleaf\troot\nA\t1\n", "1 numbers for 2 samples"),
        ("gene\tleaf\troot\nA\t1\t0\nB\t1\t0\n", "1 of 2 samples hold zeros alone: 'root'"),
    ],
)
def test_faults_are_named(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(BadInputError, match=says):
        read_conditions(written(tmp_path / "t.tsv", text))


def test_inputs_are_normalised_as_in_training_and_missing_ones_are_neutral(tmp_path: Path) -> None:
    table = read_conditions(written(tmp_path / "t.tsv", TABLE))
    scaling, left_out = fit_scaling(table, ["leaf", "root", "seed"], scale="log", chosen=None, most=10)
    assert scaling.names == ("A", "C")
    assert left_out == {"same_in_all_samples": 1}
    values = cut_table(table, table.samples, scaling).values
    assert np.allclose(values.mean(1), 0, atol=1e-6)
    assert np.allclose(values.std(1), 1, atol=1e-6)
    fewer = read_conditions(written(tmp_path / "u.tsv", "gene\tstem\nA\t3\n"))
    cut = cut_table(fewer, ["stem"], scaling)
    assert cut.missing == ("C",)
    assert cut.values[:, 0].tolist() == pytest.approx([0.0, 0.0], abs=1e-6)  # log2(1 + 3) is the mean of A


def test_the_numbers_that_vary_most_are_taken_where_none_are_named(tmp_path: Path) -> None:
    table = read_conditions(written(tmp_path / "t.tsv", TABLE))
    scaling, left_out = fit_scaling(table, table.samples, scale="log", chosen=None, most=1)
    assert scaling.names == ("A",)
    assert left_out == {"same_in_all_samples": 1, "varies_less": 1}
    scaling, left_out = fit_scaling(table, table.samples, scale="plain", chosen=["C"], most=1)
    assert scaling.names == ("C",)
    assert left_out == {"not_listed": 2}
    with pytest.raises(BadInputError, match=r"'D'\) are not in the table \('A', 'B', 'C'\)"):
        fit_scaling(table, table.samples, scale="plain", chosen=["C", "D"], most=1)


def test_negative_numbers_are_no_tpm(tmp_path: Path) -> None:
    table = read_conditions(written(tmp_path / "t.tsv", "gene\tleaf\troot\nA\t1\t-2\nB\t3\t1\n"))
    with pytest.raises(BadInputError, match=r"A: 1 of 4 numbers are negative.*-2 of sample 'root'\n.*plain"):
        fit_scaling(table, table.samples, scale="log", chosen=None, most=10)
    assert fit_scaling(table, table.samples, scale="plain", chosen=None, most=10)[0].names == ("A", "B")


def test_names_that_differ_in_case_are_shown_beside_both_sides(tmp_path: Path) -> None:
    table = read_conditions(written(tmp_path / "t.tsv", TABLE))
    with pytest.raises(BadInputError) as caught:
        cut_table(table, ["Leaf"], fit_scaling(table, table.samples, scale="log", chosen=None, most=9)[0])
    assert "'Leaf'" in caught.value.message
    assert "'leaf', 'root', 'seed'" in caught.value.message
    assert "equal but for upper and lower case: 'Leaf' and 'leaf'" in caught.value.message
    other = read_conditions(written(tmp_path / "u.tsv", "gene\tleaf\na\t1\nc\t1\n"))
    with pytest.raises(BadInputError, match=r"none of the model's 2 inputs \('A', 'C'\) is in the table \('a', 'c'\)"):
        cut_table(other, ["leaf"], fit_scaling(table, table.samples, scale="log", chosen=None, most=9)[0])


def test_numbers_that_go_together_are_named() -> None:
    rng = np.random.default_rng(1)
    first = rng.normal(size=12)
    values = np.stack([first, rng.normal(size=12), -2.0 * first + 1.0])
    assert confounded(values, ["A", "B", "C"]) == {"A": ["C"], "C": ["A"]}


def test_samples_are_known_by_name_else_by_condition() -> None:
    inputs = [("leaf_1", "leaf"), ("leaf_2", "leaf"), ("root_1", "root"), ("other", None)]
    assert samples_of(inputs, ["root", "leaf", "seed"]) == (["root", "leaf"], [1, 1, 0, -1])
    assert samples_of(inputs, ["leaf_2", "root_1"]) == (["leaf_2", "root_1"], [-1, 0, 1, -1])
