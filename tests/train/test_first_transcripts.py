"""First transcripts are counted against known ones: a trunk that knows the labels has every gene exact."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest
import torch

from tests.model.tiny import DECODERS, ENCODERS
from tests.train.builders import planted_row
from transgenic_tools.genome.hashing import stable_rng
from transgenic_tools.model.config import ModelConfig
from transgenic_tools.model.head import BaseScores
from transgenic_tools.model.network import Network
from transgenic_tools.search.reader import Codes, Reader
from transgenic_tools.train.examples import Example, example_from_row, label_window
from transgenic_tools.train.first_transcripts import FirstTranscripts, measure_first
from transgenic_tools.train.metrics import jittered_items

EXAMPLES = [example_from_row(planted_row(index, split="validation")) for index in range(3)]


def reader() -> Reader:
    torch.manual_seed(1)
    network = Network(ModelConfig.from_dict({"encoder": ENCODERS["embedded"], "decoder": DECODERS["pointer"]}))
    return Reader(network.eval(), precision="fp32")


def oracle(example: Example, crop: slice, *, sure: float) -> BaseScores:
    """Scores that say what the labels say, or with `sure` below 0 the contrary."""
    labels = label_window(example, rng=stable_rng("x"))
    sites = torch.from_numpy(sure * (2 * labels.sites[:, crop] - 1))[None]
    return BaseScores(torch.zeros(1, 8, sites.shape[-1]), sites, torch.zeros(1, 7, sites.shape[-1]))


@pytest.mark.parametrize(("sure", "exact"), [(12.0, 3), (-12.0, 0)])
def test_genes_are_exact_where_the_trunk_knows_them(monkeypatch: pytest.MonkeyPatch, sure: float, exact: int) -> None:
    items = iter(jittered_items(EXAMPLES))

    def scores(_: Reader, windows: Sequence[Codes]) -> Iterator[BaseScores]:
        for codes in windows:
            item = next(items)
            assert len(codes) == len(item.crop)
            yield oracle(EXAMPLES[item.index], slice(item.crop.start, item.crop.end), sure=sure)

    monkeypatch.setattr(Reader, "score_windows", scores)
    found = measure_first(reader(), EXAMPLES)
    assert (found.genes, found.exact) == (3, exact)
    if exact:
        assert found.figures() == {"genes": 3, "gene_exact": 1.0, "exon_f1": 1.0}


def test_shares_of_nothing_are_nothing() -> None:
    assert FirstTranscripts(0, 0, 0, 0, 0).figures() == {"genes": 0, "gene_exact": 0.0, "exon_f1": 0.0}
    half = FirstTranscripts(4, 1, 8, 4, 4).figures()
    assert half["exon_f1"] == pytest.approx(2 / 3)
    assert half["gene_exact"] == 0.25
