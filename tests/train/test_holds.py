"""A source of CDS alone teaches nothing of UTRs, and one of a transcript a gene nothing of isoforms."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.lattice.test_graph import paths_of, random_graph
from tests.model.test_decoders import CPU, graph_of, make
from tests.train.builders import planted_row
from transgenic_tools.io.shards import write_gene_shards
from transgenic_tools.lattice.grammar import Kind
from transgenic_tools.lattice.graph import Graph
from transgenic_tools.lattice.paths import Path as GraphPath
from transgenic_tools.lattice.paths import best
from transgenic_tools.lattice.scoring import N_WEIGHTS, NO_FIVE, NO_THREE
from transgenic_tools.provenance import Provenance
from transgenic_tools.train.config import Config
from transgenic_tools.train.decoding import decoder_loss, gold_steps
from transgenic_tools.train.examples import HOLDS_ALL, Holds, holds_of
from transgenic_tools.train.scoring import gold_graph, mean_loss
from transgenic_tools.train.start import load_examples

CDS, UTR = "0|CDS1|9|+|A>CDS1", "0|five_prime_UTR1|3|+|.;3|CDS1|12|+|A>five_prime_UTR1|CDS1"


def test_what_a_source_holds_is_asked_of_all_its_genes() -> None:
    genes = [("cds", CDS, 1)] * 40 + [("cds", UTR, 2)] + [("whole", CDS, 1)] * 18 + [("whole", UTR, 2)] * 2
    assert holds_of([*genes, ("cds", None, 0)]) == {"cds": Holds(utrs=False, isoforms=False), "whole": HOLDS_ALL}


@pytest.mark.parametrize("stream", [False, True])
def test_examples_know_what_their_source_holds(stream: bool, tmp_path: Path) -> None:
    bare = [planted_row(i, split="validation" if i % 2 else "train") for i in range(4)]
    told = [replace(row, sample="t", gsf=f"10|five_prime_UTR1|20|+|.;{row.gsf}".replace(">", ">five_prime_UTR1|"))
            for row in bare]  # fmt: skip
    shards = write_gene_shards([*bare, *told], tmp_path, provenance=Provenance("test"))
    train, validation = load_examples(Config(shards=shards, outdir=tmp_path / "m", stream=stream))
    of_both = [[one.holds.utrs for one in some] for some in ([train[i] for i in range(len(train))], validation)]
    assert [sorted(some) for some in of_both] == [[False, False, True, True]] * 2


def _path(states: list[int], graph: Graph) -> GraphPath:
    edges = [
        next(e for e in range(graph.first[a], graph.first[a + 1]) if graph.target[e] == b)
        for a, b in itertools.pairwise(states)
    ]
    return GraphPath(tuple(states), tuple(edges))


def _bare_paths() -> Iterator[tuple[Graph, list[int]]]:
    """Graphs that may have UTRs, each with a path that has none."""
    for seed in range(40):
        graph = random_graph(seed)
        if graph is None:
            continue
        paths = [path for path, _ in paths_of(graph)]
        bare = [path for path in paths if graph.kind[path[1]] == Kind.START and graph.kind[path[-2]] == Kind.STOP]
        if bare and len(bare) < len(paths):
            yield graph, bare[0]


def test_scores_are_fitted_against_paths_without_utrs_alone() -> None:
    cases = list(_bare_paths())
    assert len(cases) >= 5
    weights = np.linspace(-0.5, 0.5, N_WEIGHTS)
    for graph, states in cases:
        gold = gold_graph(graph, _path(states, graph), utrs=False)
        loss, gradient = mean_loss([gold], weights)
        along = gold.features @ weights
        bare = [
            sum(along[edge] for edge in _path(path, graph).edges)
            for path, _ in paths_of(graph)
            if graph.kind[path[1]] == Kind.START and graph.kind[path[-2]] == Kind.STOP
        ]
        assert loss == pytest.approx(np.logaddexp.reduce(bare) - float(gold.paths[0] @ weights), abs=1e-6)
        assert gradient[[NO_FIVE, NO_THREE]] == pytest.approx([0, 0], abs=1e-9)
    told = mean_loss([gold_graph(graph, _path(states, graph)) for graph, states in cases], weights)[1]
    assert (told[[NO_FIVE, NO_THREE]] < -0.01).all(), "where UTRs are annotated, one that is missing is learned"


def test_the_decoder_chooses_among_paths_without_utrs_alone() -> None:
    cases = [(sites, path) for sites, path in _decoded() if sites.graph.kind[path.states[1]] == Kind.START]
    assert cases
    for sites, path in cases:
        label = gold_steps(sites, [path], "g", Holds(utrs=False))
        told = gold_steps(sites, [path], "g")
        assert (label.edge_kind[label.gold] == told.edge_kind[told.gold]).all()
        assert (label.edge_site[label.gold] == told.edge_site[told.gold]).all()
        first, last = (
            label.edge_kind[label.edge_token == 0],
            label.edge_kind[label.edge_token == label.end_token[0] - 1],
        )
        assert set(first.tolist()) == {int(Kind.START)}
        assert set(last.tolist()) == {int(Kind.END)}
        assert len(label.edge_kind) < len(told.edge_kind)


def _decoded():  # type: ignore[no-untyped-def]
    """Graphs of a network with their best path among those without UTRs."""
    model = make("pointer")
    for seed in range(6):
        sites = graph_of(model, seed=seed)
        graph = sites.graph
        begins, ends = np.repeat(graph.kind, np.diff(graph.first)), graph.kind[graph.target]
        shut = ((begins == Kind.BEGIN) & (ends != Kind.START)) | ((begins == Kind.STOP) & (ends != Kind.END))
        yield sites, best(replace(graph, score=np.where(shut, -1e6, graph.score)))


def test_a_last_transcript_says_nothing_of_more_where_no_gene_has_two() -> None:
    model = make("pointer")
    sites, path = next(iter(_decoded()))
    for holds, learned in ((HOLDS_ALL, True), (Holds(isoforms=False), False)):
        model.zero_grad()
        loss, parts = decoder_loss(model.decoder, [gold_steps(sites, [path], "g", holds)], CPU)
        loss.backward()
        assert torch.isfinite(loss)
        assert (float(parts["more_loss"]) > 0) is learned
        gradients = [p.grad for name, p in model.decoder.named_parameters() if name.startswith("more")]
        assert gradients
        assert any(g is not None and bool(g.abs().sum() > 0) for g in gradients) is learned
