"""The learning curve of fine-tuning: which genes a number stands for, folds added up, the table."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import finetune
from benchmarks.finetune import HELD_OUT, own_genes, together
from tests.train.builders import planted_row, shards
from transgenic_tools.errors import BadInputError
from transgenic_tools.io.rows import GeneRow
from transgenic_tools.train.judged import GeneFigures


def test_smaller_numbers_are_among_larger_ones_and_keep_their_split() -> None:
    rows = [planted_row(i, split="train", fold=1) for i in range(40)]
    few, many = own_genes(rows, 16), own_genes(rows[::-1], 32)
    assert few == many[:16], "neither the order of the rows nor the number changes who comes first"
    assert sum(row.split == "validation" for row in many) == 32 // HELD_OUT
    assert {row.fold for row in many} == {None}
    with pytest.raises(BadInputError, match="41 genes"):
        own_genes(rows, 41)


def test_counts_of_folds_add_up() -> None:
    one = GeneFigures(genes=3, exact=1, structures=4, right_structures=1, confidence_error=0.1)
    other = GeneFigures(genes=2, exact=2, structures=2, right_structures=2, confidence_error=0.4)
    both = together([one, other])
    assert (both.genes, both.exact, both.structures, both.right_structures) == (5, 3, 6, 3)
    assert both.confidence_error == pytest.approx((4 * 0.1 + 2 * 0.4) / 6)


def test_in_folds_every_gene_is_judged_once_by_a_model_that_has_not_seen_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shards(tmp_path / "s", n_train=11, n_validation=1)
    learned: list[set[str]] = []
    judged: list[tuple[str, set[str]]] = []

    def tune(rows: list[GeneRow], _options: object, _outdir: Path) -> float:
        learned.append({row.gene_id for row in rows})
        return 2.0

    def judge(model: Path, rows: list[GeneRow], _workdir: Path) -> GeneFigures:
        judged.append((model.name, {row.gene_id for row in rows}))
        return GeneFigures(genes=len(rows))

    monkeypatch.setattr(finetune, "tune", tune)
    monkeypatch.setattr(finetune, "judge", judge)
    monkeypatch.setattr(finetune, "model_hash", lambda _: "0")
    figures = finetune.measure(
        finetune.Options(
            name="x", learned=tmp_path / "s", judged=None, test=None, exclude=None, sizes=(), folds=3,
            init=Path(finetune.model_dir(None)), workdir=tmp_path / "w",
        )
    )  # fmt: skip
    tuned = [genes for name, genes in judged if name.startswith("x-fold")]
    assert sum(map(len, tuned)) == len(set.union(*tuned)) == 11
    for seen, asked in zip(learned, tuned, strict=True):
        assert not seen & asked
        assert len(seen | asked) == 11
    assert set(figures["curve"]) == {"0", "8"}
    assert "| x | 8 | 11 in folds |" in finetune.markdown({"x": figures})
