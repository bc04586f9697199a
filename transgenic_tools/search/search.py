"""Search for the transcripts of genes with the pointing decoder: greedy, beam, sampling; with prompts.

In: site graphs of genes and, for each, transcripts that are known already (a prompt). Out: `Found` transcripts in the
order in which they were written.
Dims: G genes, K beams, R = G * K rows, N states and M edges of all genes together, D channels.

A surprise: genes write side by side and do not wait for each other: one that has finished a transcript decides about
the next while others are in the middle of theirs (where the engine goes in step, it waits). Every row is computed as if
it were alone, so a gene's answer does not depend on its neighbours.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from transgenic_tools.genome.hashing import stable_rng
from transgenic_tools.lattice.grammar import Kind
from transgenic_tools.lattice.graph import Graph
from transgenic_tools.lattice.paths import Path, best
from transgenic_tools.lattice.site_graph import History, SiteGraph
from transgenic_tools.model.decoders.pointer import PointerDecoder
from transgenic_tools.search.beam import (
    SEED,
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
    trace,
)
from transgenic_tools.search.config import DecodingConfig
from transgenic_tools.search.engine import Embedded, Engine, build_engine

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
#: Genes in step times the longest that one of them has written: bounds the memory of the decoder's cache.
MOST_TOKENS = 4096
#: Genes that wait are let in together, as soon as this share of those that write could.
_LET_IN = 0.25


@dataclass(frozen=True, kw_only=True)
class Found:
    """One transcript that was written.

    Attributes:
        path: Its states and edges.
        log_probability: Sum over its steps.
        step_log_probability: One for each edge.
        more: Probability that the decoder gave to writing it at all (1 for the first).
        prompt: True where it was given, not generated.
        shown: True where it was written for the sake of a junction that reads show (`search.supported`).
        probability: That it is right, where that was found out otherwise than from its steps (`search.further`).
    """

    path: Path
    log_probability: float
    step_log_probability: tuple[float, ...]
    more: float
    prompt: bool = False
    shown: bool = False
    probability: float | None = None

    @classmethod
    def of(cls, graph: Graph, path: Path, *, more: float, **said: Any) -> Found:
        """A path of a graph that the decoder did not write: its steps are as probable as the graph has them.

        Args:
            said: Of the attributes `prompt`, `shown` and `probability`.
        """
        steps = tuple(graph.log_probability(path.states[:-1], path.edges).tolist())
        return cls(path=path, log_probability=sum(steps), step_log_probability=steps, more=more, **said)


@dataclass
class GeneSearch:
    """Running state of one gene."""

    key: str
    sites: SiteGraph
    found: list[Found]
    history: History
    done: bool = False
    more: float = 1.0
    tokens: list[int] = field(default_factory=list)
    ordinals: list[int] = field(default_factory=list)
    known: list[int] = field(default_factory=list)

    def write(self, found: Found) -> None:
        """Append one transcript."""
        self.found.append(found)
        self.history.add(found.path.edges, found.path.states)
        self.tokens += list(found.path.states)
        self.ordinals += [len(self.found) - 1] * len(found.path.states)
        self.known.append(path_hash(found.path.core(self.sites.graph)))

    @property
    def written(self) -> int:
        """Transcripts that are not part of the prompt."""
        return sum(not found.prompt for found in self.found)


def start_search(key: str, sites: SiteGraph, prompt: Sequence[Path] = ()) -> GeneSearch:
    """A fresh search; `key` seeds sampling."""
    gene = GeneSearch(key, sites, [], History.of(sites.graph))
    for path in prompt:
        gene.write(Found.of(sites.graph, path, more=1.0, prompt=True))
    return gene


def viterbi(gene: GeneSearch) -> Found:
    """The graph's best path: the fallback of the search, and its oracle."""
    return Found.of(gene.sites.graph, best(gene.sites.graph), more=1.0)


def _pair_weights(decoder: PointerDecoder) -> Pair:
    """Hidden units are filled up with idle ones: LLVM vectorises loops of 64 fp32 numbers, not those of fewer."""

    def padded(tensor: torch.Tensor) -> npt.NDArray[np.float32]:
        array = tensor.detach().float().cpu().numpy()
        out = np.zeros((*array.shape[:-1], array.shape[-1] + -array.shape[-1] % 64), dtype=np.float32)
        out[..., : array.shape[-1]] = array
        return out

    return Pair(
        weight=padded(decoder.pair_in.weight.t()),
        bias=padded(decoder.pair_in.bias),
        out=padded(decoder.pair_out.weight[0]),
        base_scale=float(decoder.base_scale.detach()),
    )


class Searcher:
    """A decoder and the settings of a search."""

    def __init__(self, decoder: PointerDecoder, config: DecodingConfig, *, dtype: torch.dtype = torch.float32) -> None:
        self.decoder, self.config = decoder, config
        self.engine: Engine = build_engine(decoder, dtype)
        self.pair = _pair_weights(decoder)

    @torch.no_grad()
    def run(self, genes: Sequence[GeneSearch]) -> None:
        """Write the transcripts of all genes into their `found`; Viterbi writes one for each without the decoder."""
        if self.config.decoding == "viterbi":
            for gene in genes:
                if not gene.found:
                    gene.write(viterbi(gene))
                gene.done = True
            return
        for group in self._side_by_side([gene for gene in genes if not gene.done]):
            _Writing(self, group).run()

    def _side_by_side(self, genes: list[GeneSearch]) -> list[list[GeneSearch]]:
        """Genes that write side by side: all, but in step only as many as a group has."""
        if not genes:
            return []
        if not self.engine.in_step:
            return [genes]
        genes = sorted(genes, key=lambda gene: gene.sites.graph.n_states)  # in step, they should be about as long
        return [genes[i : i + self.config.group] for i in range(0, len(genes), self.config.group)]


def _joined(arrays: Sequence[npt.NDArray[np.generic]]) -> npt.NDArray[Any]:
    """One array; a single one is not copied, because that of a very long window is large."""
    return arrays[0] if len(arrays) == 1 else np.concatenate(arrays)


def _join_history(genes: Sequence[GeneSearch], name: str) -> npt.NDArray[np.float32]:
    """What the genes have used, as one array, of which every gene's `History` becomes a part."""
    parts = [getattr(gene.history, name) for gene in genes]
    whole = _joined(parts)
    for gene, end, part in zip(genes, itertools.accumulate(map(len, parts)), parts, strict=True):
        setattr(gene.history, name, whole[end - len(part) : end])
    return whole


class _Writing:
    """Some genes write all their transcripts, side by side."""

    def __init__(self, searcher: Searcher, genes: list[GeneSearch]) -> None:
        self.searcher, self.config, self.genes = searcher, searcher.config, genes
        self.width = width = searcher.config.beams
        embedded = searcher.engine.embed([gene.sites for gene in genes])
        self.state = searcher.engine.begin(embedded, slots=self.config.group, beams=width)
        self.keys = Keys(site=embedded.site_keys, kind=searcher.engine.kind_keys)
        self._flatten(embedded)
        rows = len(genes) * width
        self.beams, self.ends, self.trail = start_beams(rows), no_ends(len(genes)), start_trail(64, rows)
        self.at, self.ordinal = np.zeros((2, rows), dtype=np.int64)
        #: Step in which each gene began its transcript, and the steps of all genes together.
        self.first, self.step = np.zeros(len(genes), dtype=np.int64), 0

    def _flatten(self, embedded: Embedded) -> None:
        graphs = [gene.sites.graph for gene in self.genes]
        n_states = np.array([graph.n_states for graph in graphs])
        state_offset = np.cumsum(n_states) - n_states
        n_edges = np.array([len(graph.target) for graph in graphs])
        self.edge_offset = edge_offset = np.cumsum(n_edges) - n_edges
        self.edges = Edges(
            first=_joined([graph.first[:-1] + o for graph, o in zip(graphs, edge_offset, strict=True)]),
            end=_joined([graph.first[1:] + o for graph, o in zip(graphs, edge_offset, strict=True)]),
            target=_joined(
                [
                    graph.target + np.int32(o) if o else graph.target
                    for graph, o in zip(graphs, state_offset, strict=True)
                ]
            ),
            score=_joined([graph.score for graph in graphs]),
            content=_joined([graph.content for graph in graphs]),
            length=_joined([graph.length for graph in graphs]),
            logit=_joined([graph.logit for graph in graphs]),
            beta=_joined([graph.beta for graph in graphs]),
            fuzzy=(embedded.kind == Kind.TSS) | (embedded.kind == Kind.TTS),
            kind=embedded.kind,
            site=embedded.site_of_state,
            begin=state_offset,
            final=state_offset + n_states - 1,
        )
        known = np.zeros(
            (len(self.genes), self.config.max_isoforms + max(len(gene.known) for gene in self.genes)), dtype=np.uint64
        )
        self.past = Past(
            edge_last=_join_history(self.genes, "edge_last"),
            edge_count=_join_history(self.genes, "edge_count"),
            state_count=_join_history(self.genes, "state_count"),
            written=np.zeros(len(self.genes), dtype=np.int64),
            known=known,
        )

    def run(self) -> None:
        """Until every gene is done."""
        waiting, writing = list(range(len(self.genes))), np.zeros(0, dtype=np.int64)
        while waiting or len(writing):
            let_in = not len(writing) or (
                not self.searcher.engine.in_step and len(waiting) >= max(1.0, _LET_IN * len(writing))
            )
            if not len(writing):
                self.step = 0  # nobody needs the trail any more
            if waiting and let_in:
                admitted, waiting = self._next(waiting)
                writing = np.concatenate([writing, self._admit(np.array(admitted))])
            if len(writing):
                self._advance(writing)
                over = (self.ends.live[writing] == 0) | (self.step - self.first[writing] >= self.config.max_steps)
                for index in writing[over].tolist():
                    self._commit(index)
                waiting += [index for index in writing[over].tolist() if not self.genes[index].done]
                writing = writing[~over]

    def _next(self, waiting: list[int]) -> tuple[list[int], list[int]]:
        """Genes that are let in now, and those that wait on: in step, the cache of their steps bounds them."""
        if not self.searcher.engine.in_step:
            return waiting, []
        waiting = sorted(waiting, key=lambda index: len(self.genes[index].tokens))
        count = 1
        while count < len(waiting) and (count + 1) * len(self.genes[waiting[count]].tokens) <= MOST_TOKENS:
            count += 1
        return waiting[:count], waiting[count:]

    def _admit(self, indices: Ints) -> Ints:
        """Genes that go on with a transcript: the decoder says after each whether there is another."""
        genes = [self.genes[index] for index in indices]
        prefixes = [(np.array(g.tokens, dtype=np.int64), np.array(g.ordinals, dtype=np.int64)) for g in genes]
        prefixes = [(states + self.edges.begin[i], o) for (states, o), i in zip(prefixes, indices, strict=True)]
        for index, gene, more in zip(indices, genes, self.state.admit(indices, prefixes).tolist(), strict=True):
            if gene.found:
                gene.more *= more
                gene.done = gene.written >= self.config.max_isoforms or gene.more < self.config.min_more
            if not gene.done:
                self._start(index, gene)
        return indices[[not gene.done for gene in genes]]

    def _start(self, index: int, gene: GeneSearch) -> None:
        rows = slice(index * self.width, (index + 1) * self.width)
        self.at[rows], self.ordinal[rows] = len(gene.tokens), len(gene.found)
        self.beams.state[rows], self.beams.score[rows] = self.edges.begin[index], -np.inf
        self.beams.score[rows.start] = 0.0
        self.beams.path[rows] = SEED
        self.ends.score[index] = -np.inf
        self.past.written[index] = gene.history.transcripts
        self.past.known[index, : len(gene.known)] = gene.known
        self.first[index] = self.step

    def _choice(self, writing: Ints) -> Choice:
        config = self.config
        sample = config.decoding == "sample"
        draw = np.zeros(len(self.genes))
        if sample:
            for index in writing.tolist():
                gene, step = self.genes[index], self.step - int(self.first[index])
                draw[index] = stable_rng("sample", config.seed, gene.key, len(gene.found), step).random()
        return Choice(beams=self.width, sample=sample, temperature=config.temperature, top_p=config.top_p, draw=draw)

    def _advance(self, writing: Ints) -> None:
        """One step of all genes that write."""
        if self.step == len(self.trail.log):
            self.trail = start_trail(2 * self.step, len(self.at), self.trail)
        query = self.state.step(self.beams.state, self.ordinal, self.at, np.isfinite(self.beams.score))
        advance(
            self.step, writing, self.edges, self.past, self.searcher.pair, self._choice(writing), query, self.keys,
            self.beams, self.trail, self.ends,
        )  # fmt: skip
        self.state.go_on(writing, self.beams.parent, self.ends.now)
        self.at += 1
        self.step += 1

    def _commit(self, index: int) -> None:
        """Write the best finished path; a gene without a new one is done."""
        gene = self.genes[index]
        self.beams.score[index * self.width : (index + 1) * self.width] = -np.inf
        if math.isfinite(self.ends.score[index]):
            edges, logs = trace(index, self.first[index], self.trail, self.ends)
            of_graph = (edges - self.edge_offset[index]).tolist()
            path = Path((0, *gene.sites.graph.target[of_graph].tolist()), tuple(of_graph))
            gene.write(
                Found(
                    path=path,
                    log_probability=math.fsum(logs),
                    step_log_probability=tuple(logs.tolist()),
                    more=gene.more,
                )
            )
            return
        if not gene.found:
            gene.write(viterbi(gene))
        gene.done = True


def search(
    decoder: PointerDecoder,
    config: DecodingConfig,
    genes: Sequence[GeneSearch],
    *,
    dtype: torch.dtype = torch.float32,
) -> None:
    """Write the transcripts of all genes into their `found`; `dtype` as in `build_engine`."""
    Searcher(decoder, config, dtype=dtype).run(genes)
