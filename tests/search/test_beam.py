"""A step of the beam search, on a graph that is drawn by hand."""

from __future__ import annotations

import numpy as np

from transgenic_tools.lattice.grammar import Kind
from transgenic_tools.lattice.scoring import PAIR_FEATURES
from transgenic_tools.search.beam import (
    Choice,
    Edges,
    Keys,
    Pair,
    Past,
    advance,
    no_ends,
    path_hash,
    start_beams,
    start_trail,
)

BEGIN, FIRST_TSS, SECOND_TSS, START, OTHER_START, END = range(6)
#: Edges from state to state with their probabilities.
WAYS = {
    BEGIN: {FIRST_TSS: 0.5, SECOND_TSS: 0.3, START: 0.2},
    FIRST_TSS: {START: 0.7, OTHER_START: 0.3},
    SECOND_TSS: {START: 0.7, OTHER_START: 0.3},
    START: {END: 1.0},
    OTHER_START: {END: 1.0},
    END: {},
}
KINDS = (Kind.BEGIN, Kind.TSS, Kind.TSS, Kind.START, Kind.START, Kind.END)


def edges() -> Edges:
    count = [len(ways) for ways in WAYS.values()]
    first = np.cumsum(count) - count
    targets = [target for ways in WAYS.values() for target in ways]
    logs = np.log([p for ways in WAYS.values() for p in ways.values()])
    kind = np.array([int(k) for k in KINDS])
    return Edges(
        first=first, end=first + count, target=np.array(targets, dtype=np.int32), score=logs,
        content=np.zeros(len(logs), dtype=np.float32), length=np.ones(len(logs), dtype=np.int32), logit=np.zeros(6),
        beta=np.zeros(6), fuzzy=kind == Kind.TSS, kind=kind, site=np.full(6, -1), begin=np.zeros(1, dtype=np.int64),
        final=np.full(1, END),
    )  # fmt: skip


def walk(beams: int, steps: int, *, known: tuple[int, ...] = ()) -> tuple[object, object]:
    """Beams and ends after so many steps of a decoder that adds nothing to the graph's probabilities."""
    graph = edges()
    history = np.zeros(len(graph.target), dtype=np.float32)
    past = Past(
        edge_last=history, edge_count=history, state_count=np.zeros(6, dtype=np.float32),
        written=np.zeros(1, dtype=np.int64), known=np.array([known or (0,)], dtype=np.uint64),
    )  # fmt: skip
    pair = Pair(
        weight=np.zeros((PAIR_FEATURES, 64), dtype=np.float32), bias=np.zeros(64, dtype=np.float32),
        out=np.zeros(64, dtype=np.float32), base_scale=1.0,
    )  # fmt: skip
    keys = Keys(site=np.zeros((1, 4), dtype=np.float32), kind=np.zeros((len(Kind), 4), dtype=np.float32))
    choice = Choice(beams=beams, sample=False, temperature=1.0, top_p=1.0, draw=np.zeros(1))
    rows, ends, trail = start_beams(beams), no_ends(1), start_trail(steps, beams)
    rows.state[:], rows.score[0] = BEGIN, 0.0
    query = np.zeros((beams, 4), dtype=np.float32)
    for step in range(steps):
        advance(step, np.zeros(1, dtype=np.int64), graph, past, pair, choice, query, keys, rows, trail, ends)
    return rows, ends


def test_rows_that_differ_in_their_tss_alone_are_one() -> None:
    """Three rows from BEGIN become the two starts, each by its likeliest TSS; START from BEGIN has ended before."""
    rows, ends = walk(beams=3, steps=2)
    live = np.isfinite(rows.score)
    assert rows.state[live].tolist() == [START]
    np.testing.assert_allclose(np.exp(rows.score[live]), [0.5 * 0.7])
    np.testing.assert_allclose(np.exp(ends.score), [0.2])


def test_without_a_finished_transcript_both_starts_go_on() -> None:
    start_alone = path_hash((BEGIN, START, END))
    rows, ends = walk(beams=3, steps=2, known=(start_alone,))
    live = np.isfinite(rows.score)
    assert rows.state[live].tolist() == [START, OTHER_START]
    np.testing.assert_allclose(np.exp(rows.score[live]), [0.5 * 0.7, 0.5 * 0.3])
    assert ends.score[0] == -np.inf


def test_a_search_is_over_when_nothing_can_beat_what_has_ended() -> None:
    """START from BEGIN was the third best of the first step, and there are two beams."""
    rows, ends = walk(beams=2, steps=3)
    np.testing.assert_allclose(np.exp(ends.score), [0.5 * 0.7])
    assert not np.isfinite(rows.score).any()


def test_one_beam_takes_the_likeliest_step_each_time() -> None:
    _, ends = walk(beams=1, steps=3)
    np.testing.assert_allclose(np.exp(ends.score), [0.5 * 0.7])
    rows, ends = walk(beams=1, steps=3, known=(path_hash((BEGIN, START, END)),))
    assert ends.score[0] == -np.inf
    assert not np.isfinite(rows.score).any()
