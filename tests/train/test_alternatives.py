"""The fit of alternatives: what is counted as right, and the command from shards to a file."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from tests.evaluate.builders import transcript
from tests.generate.conftest import shard_dir  # noqa: F401
from transgenic_tools.errors import UsageError
from transgenic_tools.io.shards import read_shard, write_gene_shards
from transgenic_tools.model.alternatives import FILE, load_alternatives
from transgenic_tools.provenance import Provenance
from transgenic_tools.search.departures import FEATURES
from transgenic_tools.train import alternatives
from transgenic_tools.train.alternatives import Sample, fit, grow

Chain = list[tuple[int, int]]


def drawn(n: int, seed: int) -> list[Sample]:
    """Candidates that are right where one number is high, further ones where another is, too."""
    rng = np.random.default_rng(seed)
    samples = []
    for index in range(n):
        features = rng.normal(size=len(FEATURES))
        features[[FEATURES.index("known"), FEATURES.index("same_cds")]] = index % 2 == 1, index % 5 == 0
        right = bool(rng.random() < (0.6 if features[0] > 1.0 else 0.02))
        samples.append(
            Sample(
                gene=f"g{index // 10}", features=features, right=right, further=right and features[1] > 0,
                known=index % 2 == 1, same_cds=index % 5 == 0,
            )
        )  # fmt: skip
    return samples


def test_trees_find_what_is_right_on_genes_that_they_have_not_seen() -> None:
    scoring, figures = fit(drawn(4_000, 1), drawn(20_000, 2), 800)
    for kind in ("written", "written_utr", "added", "added_utr"):
        assert figures[kind]["number"] > 200
        assert 0.5 < figures[kind]["right"] < 0.7  # 0.6 is true
    features = np.array([sample.features for sample in drawn(2_000, 3)])
    probability, likely = scoring.right.probability(features), features[:, 0] > 1.0
    assert 0.5 < probability[likely].mean() < 0.7  # 0.6 is true
    assert probability[~likely].mean() < 0.05  # 0.02 is


LONG, SHORT, OTHER = [(0, 30), (40, 70)], [(0, 15), (40, 55)], [(0, 21), (40, 61)]


@pytest.mark.parametrize(
    ("first", "candidate", "known", "right", "further"),
    [
        (LONG, SHORT, [LONG, SHORT], True, True),
        (SHORT, LONG, [LONG, SHORT], True, True),  # the first one is what stands beside the main isoform
        (OTHER, LONG, [LONG, SHORT], True, False),  # the main isoform, and nothing beside it
        (OTHER, SHORT, [LONG, SHORT], True, True),
        (LONG, OTHER, [LONG, SHORT], False, False),
        (SHORT, OTHER, [LONG, SHORT], False, False),
    ],
)
def test_one_isoform_more_whichever_of_two_is_the_longer(
    monkeypatch: pytest.MonkeyPatch, first: Chain, candidate: Chain, known: list[Chain], right: bool, further: bool
) -> None:
    monkeypatch.setattr(alternatives, "first_of", lambda gene: None)
    monkeypatch.setattr(alternatives, "found_transcript", lambda found, gene, name: transcript(name, first))
    seen = SimpleNamespace(transcript=transcript("c", candidate), features=np.zeros(len(FEATURES)))
    isoforms = [transcript(f"i{i}", chain) for i, chain in enumerate(known)]
    (sample,) = alternatives._judged(SimpleNamespace(key="g"), [seen], isoforms)  # type: ignore[arg-type,list-item]
    assert (sample.right, sample.further) == (right, further)


def test_candidates_that_are_all_wrong_teach_nothing() -> None:
    with pytest.raises(UsageError, match="nothing to learn"):
        grow(np.zeros((10, len(FEATURES))), np.zeros(10, dtype=bool))


def test_the_command_from_shards_to_a_file(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    several = [row for row in read_shard(request.getfixturevalue("shard_dir")) if row.n_transcripts > 1]
    genes = sorted(several, key=lambda row: (row.bases, row.gene_id))[:12]
    split = [replace(row, split="train" if i % 3 else "validation") for i, row in enumerate(genes)]
    shards = write_gene_shards(split, tmp_path / "shards", provenance=Provenance("test"))
    flags = ["--shards", *map(str, shards), "--split", "train", "--out", str(tmp_path / FILE)]
    monkeypatch.setattr(sys, "argv", ["alternatives", *flags])
    alternatives.main()
    figures = json.loads(capsys.readouterr().out)
    assert figures["genes"] == 4
    assert figures["learned"] > figures["held_out"] > 0
    assert load_alternatives(tmp_path, features=FEATURES) is not None
