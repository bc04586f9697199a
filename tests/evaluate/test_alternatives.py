"""Isoforms beyond the main one: by hand, and against the oracle on crowded genomes."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.evaluate import oracle
from tests.evaluate.builders import gene, genes, transcript, write
from transgenic_tools.evaluate.alternatives import BUDGETS, AtBudget, find_alternatives, isoforms
from transgenic_tools.evaluate.config import Config
from transgenic_tools.evaluate.events import score_events
from transgenic_tools.evaluate.pairing import pair
from transgenic_tools.evaluate.run import run
from transgenic_tools.evaluate.structures import VIEWS, View, distinct_structures
from transgenic_tools.genome.gene import Gene

LONG, SHORT, OTHER = [(0, 10), (20, 30), (40, 50)], [(0, 10), (40, 50)], [(0, 12), (40, 50)]
FAR = [(100, 130)]


def alternatives(reference: list[Gene], prediction: list[Gene], view: View = "cds", row: str = "all") -> AtBudget:
    return find_alternatives(reference, prediction, pair(reference, prediction), view).rows[row]


def test_the_best_is_no_extra_and_the_primary_no_alternative() -> None:
    reference = [gene("a", transcript("a.1", LONG), transcript("a.2", SHORT))]
    prediction = [gene("p", transcript("p.1", LONG, score=0.9), transcript("p.2", SHORT, score=0.4))]
    found = alternatives(reference, prediction)
    assert (found.extras, found.right, found.alternatives, found.threshold) == (1, 1, 1, 0.4)
    assert (found.events["SE"].prediction, found.events["SE"].prediction_matched) == (1, 1)


def test_a_primary_isoform_that_comes_second_is_wrong_but_told_apart() -> None:
    reference = [gene("a", transcript("a.1", LONG), transcript("a.2", SHORT))]
    prediction = [gene("p", transcript("p.1", LONG, score=0.4), transcript("p.2", OTHER, score=0.9))]
    found = alternatives(reference, prediction)
    assert (found.extras, found.right, found.primary) == (1, 0, 1)
    assert found.to_json()["precision_with_primary"] == 1.0


def test_a_perfect_prediction_is_perfect_by_length_whichever_isoform_is_the_likelier() -> None:
    reference = [gene("a", transcript("a.1", LONG), transcript("a.2", SHORT))]
    prediction = [gene("p", transcript("p.1", LONG, score=0.4), transcript("p.2", SHORT, score=0.9))]
    found = alternatives(reference, prediction)
    assert (found.extras, found.right, found.primary, found.right_by_length) == (1, 0, 1, 1)
    assert found.to_json()["by_length"] == {"right": 1, "precision": 1.0, "recall": 1.0, "f1": 1.0}
    wrong = [gene("p", transcript("p.1", LONG, score=0.4), transcript("p.2", OTHER, score=0.9))]
    assert alternatives(reference, wrong).right_by_length == 0
    none = alternatives(reference, prediction, row="budget_0.1")
    assert (none.extras, none.right_by_length) == (0, 0)


def test_the_budget_takes_the_highest_scores_over_all_genes() -> None:
    """Four genes, so 0.5 a gene are two extras: of b and c; a's extra has the lowest score."""
    starts = {"a": 0, "b": 200, "c": 400, "d": 600}
    reference, prediction = [], []
    for name, start in starts.items():
        chains = [[(x + start, y + start) for x, y in chain] for chain in (LONG, SHORT)]
        reference.append(gene(name, *(transcript(f"{name}.{i}", c) for i, c in enumerate(chains))))
        score = {"a": 0.1, "b": 0.3, "c": 0.2}.get(name)
        rows = [transcript(f"p{name}.0", chains[0], score=0.9)]
        rows += [transcript(f"p{name}.1", chains[1], score=score)] if score else []
        prediction.append(gene(f"p{name}", *rows))
    found = alternatives(reference, prediction, row="budget_0.5")
    assert (found.extras, found.right, found.alternatives, found.threshold) == (2, 2, 4, 0.2)
    assert alternatives(reference, prediction, row="budget_0.1").extras == 0
    assert alternatives(reference, prediction, row="budget_1").extras == 3


def test_a_utr_intron_alone_makes_another_transcript_but_not_another_cds() -> None:
    reference = [
        gene(
            "a",
            transcript("a.1", [(0, 10), (20, 60)], [(25, 55)]),
            transcript("a.2", [(0, 60)], [(25, 55)]),
        )
    ]
    assert alternatives(reference, reference, "cds").alternatives == 0
    assert alternatives(reference, reference, "transcript").alternatives == 1
    shorter = [gene("p", transcript("p.1", [(5, 57)], [(25, 55)]), transcript("p.2", [(3, 10), (20, 58)], [(25, 55)]))]
    found = alternatives(reference, shorter, "transcript")
    assert (found.extras, found.right) == (1, 1)


def test_without_scores_the_longest_cds_is_the_best_then_the_order_of_the_file_decides() -> None:
    reference = [gene("a", transcript("a.1", LONG), transcript("a.2", SHORT))]
    prediction = [gene("p", transcript("p.1", OTHER), transcript("p.2", LONG), transcript("p.3", SHORT))]
    found = alternatives(reference, prediction, row="budget_1")
    assert (found.extras, found.right, found.threshold) == (1, 0, None)
    assert alternatives(reference, prediction).right == 1


def test_extras_of_predicted_genes_without_a_reference_are_wrong() -> None:
    reference = [gene("a", transcript("a.1", LONG), transcript("a.2", SHORT))]
    prediction = [gene("p", transcript("p.1", FAR, score=0.9), transcript("p.2", [(105, 130)], score=0.5))]
    found = alternatives(reference, prediction)
    assert (found.extras, found.right) == (1, 0)


@st.composite
def scored(draw: st.DrawFn) -> tuple[Gene, ...]:
    """Predicted genes, each transcript with one of few scores or none, so that ties come up."""
    values = st.sampled_from([None, 0.2, 0.5, 0.9])
    return tuple(
        replace(g, transcripts=tuple(replace(t, score=draw(values)) for t in g.transcripts))
        for g in draw(genes(prefix="p"))
    )


@settings(max_examples=200)
@given(reference=genes(), prediction=scored(), prompt=st.none() | genes(prefix="q"))
def test_figures_agree_with_the_oracle(
    reference: tuple[Gene, ...], prediction: tuple[Gene, ...], prompt: tuple[Gene, ...] | None
) -> None:
    pairing = pair(reference, prediction)
    for view in VIEWS:
        known = None if prompt is None else isoforms(prompt, view)
        rows = find_alternatives(reference, prediction, pairing, view, given=known).rows
        assert list(rows) == [*(f"budget_{b:g}" for b in BUDGETS), "all"]
        for budget, row in zip([*BUDGETS, None], rows.values(), strict=True):
            expected = oracle.alternatives(reference, prediction, view, budget=budget, prompt=prompt)
            events = {n: (s.reference, s.reference_matched, s.prediction) for n, s in row.events.items()}
            assert {
                "extras": row.extras,
                "right": row.right,
                "right_by_length": row.right_by_length,
                "primary": row.primary,
                "alternatives": row.alternatives,
                "events": events,
            } == expected


@settings(max_examples=50)
@given(reference=genes(), prediction=scored())
def test_all_extras_together_make_the_events_of_the_whole_prediction(
    reference: tuple[Gene, ...], prediction: tuple[Gene, ...]
) -> None:
    rows = find_alternatives(reference, prediction, pair(reference, prediction), "cds").rows
    assert rows["all"].events == score_events(
        distinct_structures(reference, "cds"), distinct_structures(prediction, "cds")
    )


# --- augment ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    """The reference has three isoforms, the prompt one; the result adds a right one and a wrong one."""
    one = transcript("a.1", LONG)
    reference = gene("a", one, transcript("a.2", SHORT), transcript("a.3", [(0, 30), (40, 50)]))
    added = [transcript("a.n1", SHORT, score=0.8), transcript("a.n2", OTHER, score=0.3)]
    return {
        "reference": write(tmp_path / "reference.gff3", reference),
        "prompt": write(tmp_path / "prompt.gff3", gene("a", one)),
        "result": write(tmp_path / "result.gff3", gene("a", one, *added)),
    }


def test_the_echo_stands_beside_the_result(tmp_path: Path, files: dict[str, Path]) -> None:
    out = tmp_path / "o.json"
    run(Config(references=(files["reference"],), predictions=(files["result"],), json_path=out, echo=files["prompt"]))
    found = json.loads(out.read_text())
    added = found["added"]["cds"]
    assert (added["all"]["alternatives"], added["all"]["extras"], added["all"]["right"]) == (2, 2, 1)
    assert (added["budget_1"]["extras"], added["budget_1"]["precision"], added["budget_1"]["recall"]) == (1, 1.0, 0.5)
    assert found["echo"]["cds"]["transcript"]["f1"] == pytest.approx(0.5)
    assert found["cds"]["transcript"]["f1"] == pytest.approx(2 / 3, abs=1e-6)
    run(Config(references=(files["reference"],), predictions=(files["prompt"],), json_path=out))
    alone = json.loads(out.read_text())
    assert {key: found["echo"][key] for key in ("cds", "transcript", "alternatives", "events")} == {
        key: alone[key] for key in ("cds", "transcript", "alternatives", "events")
    }


def test_a_result_that_is_the_prompt_adds_nothing(tmp_path: Path, files: dict[str, Path]) -> None:
    out = tmp_path / "o.json"
    run(Config(references=(files["reference"],), predictions=(files["prompt"],), json_path=out, echo=files["prompt"]))
    added = json.loads(out.read_text())["added"]
    for view in VIEWS:
        assert (added[view]["all"]["extras"], added[view]["all"]["alternatives"]) == (0, 2)
