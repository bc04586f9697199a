"""Boosted trees: walked one by one, as they were grown, as they lie in a file."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from transgenic_tools.errors import BadInputError
from transgenic_tools.model.alternatives import (
    FILE,
    AlternativeScoring,
    Trees,
    load_alternatives,
    write_alternatives,
)
from transgenic_tools.provenance import Provenance
from transgenic_tools.train.alternatives import grow

NAMES = ("a", "b", "c", "d")


def drawn(n: int = 2_000, seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Numbers, and outcomes that follow from two of them."""
    rng = np.random.default_rng(seed)
    features = rng.normal(size=(n, len(NAMES)))
    return features, rng.random(n) < np.where((features[:, 1] > 0.5) & (features[:, 3] < 0.0), 0.8, 0.1)


def walked(trees: Trees, numbers: np.ndarray) -> float:
    """Slowly, one candidate."""
    total = trees.bias
    for tree in range(len(trees.feature)):
        node = 0
        while (name := trees.feature[tree, node]) >= 0:
            left = np.float64(np.float32(numbers[name])) <= trees.threshold[tree, node]
            node = (trees.left if left else trees.right)[tree, node]
        total += trees.value[tree, node]
    return float(1 / (1 + np.exp(-total)))


def test_trees_are_walked_as_they_were_grown() -> None:
    from sklearn.ensemble import HistGradientBoostingClassifier

    features, outcomes = drawn()
    trees = grow(features, outcomes, seed=3)
    found = trees.probability(features[:50])
    assert found.tolist() == pytest.approx([walked(trees, row) for row in features[:50]])
    theirs = HistGradientBoostingClassifier(
        max_iter=150, learning_rate=0.06, max_leaf_nodes=16, min_samples_leaf=15, l2_regularization=10.0,
        max_features=0.3, early_stopping=False, random_state=3,
    ).fit(features.astype(np.float32), outcomes)  # fmt: skip
    assert found.tolist() == pytest.approx(
        theirs.predict_proba(features[:50].astype(np.float32))[:, 1].tolist(), abs=1e-3
    )


def test_deeper_trees_tell_more_apart() -> None:
    """Right where an even number of four signs is plus: few questions tell little of it."""
    rng = np.random.default_rng(1)
    features, other = rng.normal(size=(2, 4_000, len(NAMES)))
    outcomes, expected = ((numbers > 0).sum(axis=1) % 2 == 0 for numbers in (features, other))
    right = {}
    for depth, questions in ((3, 7), (6, 15)):
        trees = grow(features, outcomes, rounds=100, leaves=16, depth=depth)
        assert (trees.feature >= 0).sum(axis=1).max() == questions
        right[depth] = ((trees.probability(other) > 0.5) == expected).mean()
    assert right[6] > right[3] + 0.05


def test_what_follows_from_the_numbers_is_found() -> None:
    trees = grow(*drawn())
    features, _ = drawn(seed=2)
    probability = trees.probability(features)
    likely = (features[:, 1] > 0.6) & (features[:, 3] < -0.1)
    assert probability[likely].mean() > 0.6
    assert probability[~likely].mean() < 0.2
    assert trees.probability(features[:1]).tolist() == probability[:1].tolist()
    assert trees.probability(features[:0]).shape == (0,)


def saved_in(directory: Path) -> AlternativeScoring:
    scoring = AlternativeScoring(
        right=grow(*drawn()), further=grow(*drawn(seed=4)), added=grow(*drawn(seed=6)),
        min_right=0.35, min_further=0.2, min_beside=0.4, min_added=0.5,
    )  # fmt: skip
    write_alternatives(directory / FILE, scoring, features=NAMES, provenance=Provenance("test"))
    return scoring


def test_read_after_write_is_the_same(tmp_path: Path) -> None:
    scoring = saved_in(tmp_path)
    again = load_alternatives(tmp_path, features=NAMES)
    assert again is not None
    features, _ = drawn(seed=5)
    for name in ("right", "further", "added"):
        ours, theirs = getattr(scoring, name), getattr(again, name)
        assert ours.probability(features).tolist() == theirs.probability(features).tolist()
    assert (again.min_right, again.min_further, again.min_beside, again.min_added) == (0.35, 0.2, 0.4, 0.5)


def test_a_directory_without_the_file_has_none(tmp_path: Path) -> None:
    assert load_alternatives(tmp_path, features=NAMES) is None


def _loop(saved: dict[str, Any]) -> None:
    tree = next(t for t in saved["right"]["trees"] if t["feature"][0] >= 0)
    tree["left"][0] = 0


def _beyond(saved: dict[str, Any]) -> None:
    saved["right"]["trees"][0]["feature"][0] = len(NAMES)


def _ragged(saved: dict[str, Any]) -> None:
    saved["further"]["trees"][1]["value"].append(0.0)


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda saved: saved.update(format_version="99"), "version '99'"),
        (lambda saved: saved.update(features=["a"]), "other numbers"),
        (lambda saved: saved["thresholds"].update(min_right=2), "between 0 and 1"),
        (lambda saved: saved["right"].update(bias=float("nan")), "not finite"),
        (lambda saved: saved.pop("further"), "further"),
        (_loop, "leads nowhere"),
        (_beyond, "beyond 4"),
        (_ragged, "inhomogeneous"),
    ],
    ids=["version", "features", "threshold", "bias", "missing", "loop", "beyond", "ragged"],
)
def test_a_damaged_file_is_refused(tmp_path: Path, damage: Callable[[dict[str, Any]], Any], said: str) -> None:
    saved_in(tmp_path)
    saved = json.loads((tmp_path / FILE).read_text())
    damage(saved)
    (tmp_path / FILE).write_text(json.dumps(saved))
    with pytest.raises(BadInputError, match=said) as raised:
        load_alternatives(tmp_path, features=NAMES)
    assert "train.alternatives" in str(raised.value.hint)
