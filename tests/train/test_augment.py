"""Training beside lifted genes: who is drawn, when, how many; and that a resumed run draws the same."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.train.builders import planted_row
from tests.train.test_run import assert_equal_weights, config, weights_of
from transgenic_tools.errors import UsageError
from transgenic_tools.io.rows import LIFTED, PARTIAL
from transgenic_tools.io.shards import write_gene_shards
from transgenic_tools.provenance import Provenance
from transgenic_tools.train.config import Config
from transgenic_tools.train.run import Trainer, run
from transgenic_tools.train.start import load_augmentation, load_examples
from transgenic_tools.train.tasks import TrunkTask

OWN, WHOLE, PARTIALS = 8, 12, 3


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ...]:
    folder = tmp_path_factory.mktemp("own")
    rows = [planted_row(i, split="train" if i < OWN else "validation") for i in range(OWN + 2)]
    return write_gene_shards(rows, folder, provenance=Provenance("test"))


@pytest.fixture(scope="module")
def lifted(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ...]:
    """Genes as `tg-prep lift` writes them, the last few of them partial; and one of another split."""
    folder = tmp_path_factory.mktemp("lifted")
    rows = []
    for i in range(100, 100 + WHOLE + PARTIALS):
        flags = (LIFTED,) if i < 100 + WHOLE else (LIFTED, PARTIAL)
        rows.append(replace(planted_row(i, split="train"), gene_id=f"gene{i}@related", flags=flags))
    rows.append(replace(planted_row(200, split="validation"), gene_id="gene200@related", flags=(LIFTED,)))
    return write_gene_shards(rows, folder, provenance=Provenance("test"))


def drawn(settings: Config, epoch: int) -> list[str]:
    """Genes of one epoch's plan, sorted."""
    train, validation = load_examples(settings)
    task = TrunkTask(settings, train, validation, load_augmentation(settings))
    return sorted(task.train[item.index].gene_id for batch in task.plan(epoch) for item in batch)


def copies(settings: Config, epoch: int) -> set[str]:
    names = drawn(settings, epoch)
    own = [name for name in names if "@" not in name]
    assert own == sorted(f"gene{i}" for i in range(OWN)), "every training gene once an epoch"
    taken = [name for name in names if "@" in name]
    assert len(set(taken)) == len(taken), "no copy twice in an epoch"
    return set(taken)


def test_partial_genes_and_other_splits_are_left_out(
    data: tuple[Path, ...], lifted: tuple[Path, ...], tmp_path: Path
) -> None:
    names = {e.gene_id for e in load_augmentation(config(data, tmp_path, augment=lifted))}
    assert names == {f"gene{i}@related" for i in range(100, 100 + WHOLE)}
    assert load_augmentation(config(data, tmp_path)) == []


@pytest.mark.parametrize(("share", "expected"), [(0.0, 0), (0.25, 2), (1.0, OWN), (9.0, WHOLE)])
def test_the_share_is_that_of_the_training_genes(
    data: tuple[Path, ...], lifted: tuple[Path, ...], tmp_path: Path, share: float, expected: int
) -> None:
    settings = config(data, tmp_path, augment=lifted, augment_share=share)
    for epoch in range(3):
        assert len(copies(settings, epoch)) == expected


def test_the_draw_follows_from_seed_and_epoch_alone(
    data: tuple[Path, ...], lifted: tuple[Path, ...], tmp_path: Path
) -> None:
    settings = config(data, tmp_path, augment=lifted, augment_share=0.5)
    epochs = [copies(settings, epoch) for epoch in range(6)]
    assert epochs[::-1] == [copies(replace(settings, steps=99), epoch) for epoch in range(6)][::-1]
    assert len(set(map(frozenset, epochs))) > 1, "each epoch draws anew"
    assert epochs != [copies(replace(settings, seed=2), epoch) for epoch in range(6)]


def test_none_after_the_first_epochs(data: tuple[Path, ...], lifted: tuple[Path, ...], tmp_path: Path) -> None:
    settings = config(data, tmp_path, augment=lifted, augment_epochs=2)
    assert [len(copies(settings, epoch)) for epoch in range(4)] == [OWN, OWN, 0, 0]


def test_a_resumed_run_learns_the_same(data: tuple[Path, ...], lifted: tuple[Path, ...], tmp_path: Path) -> None:
    settings = config(data, tmp_path / "whole", augment=lifted, steps=8, accumulate=1, augment_epochs=1, save_every=3)
    run(settings)
    broken = replace(settings, outdir=tmp_path / "broken")
    trainer = Trainer(broken)
    set_rate = trainer._set_rate

    def die_at_step_four() -> None:
        if trainer.step == 4:
            raise KeyboardInterrupt
        set_rate()

    trainer._set_rate = die_at_step_four  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        trainer.run()
    assert Trainer(broken).step == 3
    run(broken)
    assert_equal_weights(tmp_path / "whole", tmp_path / "broken")
    plain = replace(settings, outdir=tmp_path / "plain", augment=())
    run(plain)
    changed = weights_of(tmp_path / "plain")
    assert any(not tensor.equal(changed[name]) for name, tensor in weights_of(tmp_path / "whole").items())


def test_streams_and_folds_are_refused(data: tuple[Path, ...], lifted: tuple[Path, ...], tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--stream"):
        load_augmentation(config(data, tmp_path, augment=lifted, stream=True))
    with pytest.raises(UsageError, match="fold"):
        load_augmentation(config(data, tmp_path, augment=lifted, folds=2, fold=0))
