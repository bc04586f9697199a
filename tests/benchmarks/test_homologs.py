"""Homologs by protein: scores against a slow alignment, and the decision."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.homologs import (
    MIN_BITS,
    RESIDUES,
    Homolog,
    _codes,
    bits,
    blosum62,
    find_homologs,
    local_score,
    write_homologs,
)
from transgenic_tools.evaluate.selection import read_homologs


def slow_score(query: str, target: str) -> int:
    """Smith-Waterman with every gap length tried at every cell."""
    matrix = blosum62()
    grid = np.zeros((len(query) + 1, len(target) + 1), dtype=int)
    for i in range(1, len(query) + 1):
        for j in range(1, len(target) + 1):
            pair = matrix[RESIDUES.index(query[i - 1]), RESIDUES.index(target[j - 1])]
            options = [0, grid[i - 1, j - 1] + pair]
            options += [grid[i - k, j] - 11 - k for k in range(1, i + 1)]
            options += [grid[i, j - k] - 11 - k for k in range(1, j + 1)]
            grid[i, j] = max(options)
    return int(grid.max())


proteins = st.text(alphabet="ACDEW", min_size=1, max_size=14)


@settings(max_examples=60, deadline=None)
@given(query=proteins, insert=proteins, target=proteins)
def test_scores_equal_the_slow_alignment(query: str, insert: str, target: str) -> None:
    long = query + insert + query + target
    found = local_score(_codes(query * 2), _codes(long), blosum62(), 11, 1)
    assert found == slow_score(query * 2, long)


def test_the_matrix_is_blosum62() -> None:
    """Symmetric, and its known corners: W-W 11, C-C 9, I-L 2, E-D 2, G-I -4, unknown -1."""
    matrix = blosum62()
    assert (matrix == matrix.T).all()
    known = {"WW": 11, "CC": 9, "IL": 2, "ED": 2, "GI": -4, "VA": 0, "YH": 2}
    assert {p: int(matrix[RESIDUES.index(p[0]), RESIDUES.index(p[1])]) for p in known} == known
    assert int(np.trace(matrix[:20, :20])) == 116
    assert matrix[20, 3] == -1


def test_bits_follow_blast() -> None:
    assert abs(bits(118) - 50.06) < 0.01


def test_relatives_are_found_and_strangers_are_not() -> None:
    rng = np.random.default_rng(3)

    def random_protein() -> str:
        return "".join(rng.choice(list(RESIDUES), 200))

    base = random_protein()
    relative = "".join(rng.choice(list(RESIDUES)) if rng.random() < 0.3 else letter for letter in base)
    found = find_homologs({"q": relative, "stranger": random_protein()}, {"t1": base, "t2": random_protein()})
    assert found["q"].gene_id == "t1"
    assert found["q"].is_homolog
    assert not found["stranger"].is_homolog


def test_the_table_is_what_tg_evaluate_reads(tmp_path: Path) -> None:
    found = {"a": Homolog("t", MIN_BITS), "b": Homolog(None, 0.0)}
    path = write_homologs(found, tmp_path / "h.tsv", order=["b", "a"])
    assert dict(read_homologs(path)) == {"a": True, "b": False}
