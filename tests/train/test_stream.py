"""Streaming from shards: the same genes, each process its own sections, resumed in mid-epoch to the same weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.train.builders import shards
from tests.train.test_run import assert_equal_weights, config, records
from transgenic_tools.io import shards as shard_files
from transgenic_tools.train.config import Config
from transgenic_tools.train.feed import Share, feed
from transgenic_tools.train.run import Trainer, run
from transgenic_tools.train.start import load_examples
from transgenic_tools.train.stream import StreamedExamples
from transgenic_tools.train.tasks import TrunkTask


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ...]:
    """24 genes in row groups of five, so that sections of three begin and end within them."""
    return shards_of_groups(tmp_path_factory.mktemp("shards"), 5)


def shards_of_groups(folder: Path, rows: int) -> tuple[Path, ...]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shard_files, "ROWS_PER_GROUP", rows)
        return shards(folder, n_train=24, n_validation=3)


def streamed(data: tuple[Path, ...], outdir: Path, **changes: Any) -> Config:
    """Blocks of two sections of three genes, two lanes."""
    return config(data, outdir, stream=True, stream_genes=3, stream_sections=2, **changes)


def open_stream(config: Config) -> StreamedExamples:
    train, _ = load_examples(config)
    assert isinstance(train, StreamedExamples)
    return train


def test_streamed_genes_are_those_in_memory(data: tuple[Path, ...], tmp_path: Path) -> None:
    in_memory, held_out = load_examples(config(data, tmp_path))
    streamed_genes, streamed_held_out = load_examples(streamed(data, tmp_path))
    assert len(in_memory) == len(streamed_genes) == 24
    assert [e.gene_id for e in held_out] == [e.gene_id for e in streamed_held_out]
    for index in range(len(in_memory)):
        one, other = in_memory[index], streamed_genes[index]
        assert (one.gene_id, one.locus, one.transcripts) == (other.gene_id, other.locus, other.transcripts)
        assert np.array_equal(one.window.codes, other.window.codes)
        assert streamed_genes.outline(index).length == len(one.window)  # type: ignore[union-attr]


def test_an_epoch_holds_every_gene_once_and_windows_of_like_length_together(
    data: tuple[Path, ...], tmp_path: Path
) -> None:
    settings = streamed(data, tmp_path)
    task = TrunkTask(settings, open_stream(settings), [])
    orders = []
    for epoch in range(3):
        plan = task.plan(epoch)
        order = [item.index for batch in plan for item in batch]
        assert sorted(order) == list(range(24))
        assert all(sum(len(i.crop) for i in b) <= settings.batch_bases or len(b) == 1 for b in plan)
        orders.append(order)
    assert len({tuple(order) for order in orders}) == 3


def test_the_layout_of_files_changes_nothing(data: tuple[Path, ...], tmp_path: Path) -> None:
    """Row groups of 5 or 256 genes: the same batches in every epoch, of the same genes."""
    other = shards_of_groups(tmp_path / "other", 256)
    plans = []
    for paths in (data, other):
        settings = streamed(paths, tmp_path)
        examples = open_stream(settings)
        task = TrunkTask(settings, examples, [])
        plans.append(
            [[(examples[i.index].gene_id, i.crop) for i in batch] for epoch in (0, 1) for batch in task.plan(epoch)]
        )
    assert plans[0] == plans[1]


def test_every_process_reads_its_own_sections_once(data: tuple[Path, ...], tmp_path: Path) -> None:
    """As long as both lanes last; what the longer one has left is shared out."""
    turns = 8
    read: list[set[int]] = []
    batches: dict[int, Any] = {}
    for rank in range(2):
        settings = streamed(data, tmp_path)
        examples = open_stream(settings)
        stream = feed(TrunkTask(settings, examples, []), Share(0, rank, 2), workers=0)
        for number in range(turns):
            _, loaded = next(stream)
            assert (loaded is not None) == (number % 2 == rank)
            if loaded is not None:
                batches[number] = loaded.codes
        read.append(set(examples._sections))
        assert examples.read == len(examples._sections)
    assert all(read)
    assert not read[0] & read[1]
    alone = feed(TrunkTask(settings, open_stream(settings), []), Share(0, 0, 1), workers=0)
    for number in range(turns):
        assert np.array_equal(next(alone)[1].codes, batches[number])


def test_a_set_of_one_block_gives_the_weights_of_a_run_in_memory(data: tuple[Path, ...], tmp_path: Path) -> None:
    run(config(data, tmp_path / "memory", steps=4))
    run(config(data, tmp_path / "stream", steps=4, stream=True))
    assert_equal_weights(tmp_path / "memory", tmp_path / "stream")


def test_workers_change_nothing(data: tuple[Path, ...], tmp_path: Path) -> None:
    for workers in (0, 2):
        run(streamed(data, tmp_path / str(workers), steps=4, workers=workers))
    assert_equal_weights(tmp_path / "0", tmp_path / "2")


@pytest.mark.parametrize("stage", ["trunk", "decoder"])
def test_a_killed_stream_resumes_in_mid_epoch_to_the_same_weights(
    data: tuple[Path, ...], tmp_path: Path, stage: str
) -> None:
    changes = {"steps": 5, "save_every": 2, "stage": stage, "genes_per_batch": 2}
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    run(streamed(data, whole, **changes))

    class Killed(RuntimeError):
        pass

    trainer = Trainer(streamed(data, broken, **changes))
    set_rate = trainer._set_rate

    def die() -> None:
        if trainer.step == 3:
            raise Killed
        set_rate()

    trainer._set_rate = die  # type: ignore[method-assign]
    with pytest.raises(Killed):
        trainer.run()
    resumed = Trainer(streamed(data, broken, **changes))
    assert resumed.step == 2
    assert resumed.step * resumed.config.accumulate % len(resumed.task.plan(0))  # in the middle of an epoch
    resumed.run()
    assert_equal_weights(whole, broken)
    assert [r["step"] for r in records(broken)] == [r["step"] for r in records(whole)]
