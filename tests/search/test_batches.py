"""Windows in batches, as on CUDA, computed on a CPU: the same graphs as one by one."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tests.model.tiny import DECODERS, ENCODERS, random_text
from transgenic_tools.lattice.window import WindowInput
from transgenic_tools.model.transgenic import TransgenicConfig, TransgenicModel
from transgenic_tools.search.reader import Reader


@pytest.mark.parametrize("batch_bases", [1, 900, 10**6])
def test_batches_change_no_graph(batch_bases: int, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    grammar = {"min_probability": 1e-6, "candidates_per_kb": 40.0}
    config = TransgenicConfig(encoder=ENCODERS["embedded"], decoder=DECODERS["pointer"], grammar=grammar)
    reader = Reader(TransgenicModel(config).eval(), precision="fp32")
    windows = [WindowInput.of(random_text(length, seed=length)) for length in (300, 420, 37, 410, 5)]
    forced: list[tuple[()]] = [()] * len(windows)
    read = Reader._score_together
    sizes: list[list[int]] = []

    def counted(self: Reader, group: list[WindowInput]) -> object:
        sizes.append([len(window) for window in group])
        return read(self, group)

    one_by_one = reader.read_windows(windows, forced=forced, batch_bases=batch_bases)
    assert not sizes  # a CPU reads packs
    monkeypatch.setattr(Reader, "_score_together", counted)
    together = reader.read_in_batches(windows, forced=forced, batch_bases=batch_bases)
    expected = {1: [[420], [410], [300], [37], [5]], 900: [[410, 420], [5, 37, 300]], 10**6: [[5, 37, 300, 410, 420]]}
    assert [sorted(group) for group in sizes] == expected[batch_bases]
    assert any(graph is not None for graph in together)
    for alone, batched in zip(one_by_one, together, strict=True):
        assert (alone is None) == (batched is None)
        if alone is not None and batched is not None:
            np.testing.assert_array_equal(alone.graph.kind, batched.graph.kind)
            np.testing.assert_array_equal(alone.graph.position, batched.graph.position)
            np.testing.assert_allclose(alone.graph.score, batched.graph.score, atol=1e-4)
            np.testing.assert_allclose(alone.features, batched.features, atol=1e-4)
