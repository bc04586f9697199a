"""Search for the transcripts of genes with the pointing decoder: greedy, beam, sampling; with prompts.

In: site graphs of genes and, for each, transcripts that are known already (a prompt). Out: `Found` transcripts in the
order in which they were written.
Dims: G genes of a round (a constant number of slots), K beams, R = G * K rows, N states and M edges of all genes
together, D channels.

A surprise: the unit of work is a round: up to G genes that wait for their next transcript write one each. Every row is
computed as if it were alone, so a gene's answer does not depend on its neighbours.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from transgenic_tools.genome.hashing import stable_rng
from transgenic_tools.model.beam import Choice, Edges, Ends, Pair, Past, advance, no_ends, path_hash, start_beams
from transgenic_tools.model.decoders.engine import Embedded, Engine, EngineState, build_engine
from transgenic_tools.model.decoders.pointer import History, PointerDecoder, SiteGraph
from transgenic_tools.model.decoding import DecodingConfig
from transgenic_tools.model.grammar import Kind
from transgenic_tools.model.graph import best_path
from transgenic_tools.model.paths import Path

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
#: Genes of a round times the longest that one of them has written: bounds the memory of the decoder's cache.
MOST_TOKENS = 4096


@dataclass(frozen=True)
class Found:
    """One transcript that was written.

    Attributes:
        path: Its states and edges.
        log_probability: Sum over its steps.
        step_log_probability: One for each edge.
        more: Probability that the decoder gave to writing it at all (1 for the first).
        prompt: True where it was given, not generated.
    """

    path: Path
    log_probability: float
    step_log_probability: tuple[float, ...]
    more: float
    prompt: bool = False


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
    embedded: Embedded | None = None

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
    gene = GeneSearch(key, sites, [], History(len(sites.graph.target), sites.graph.n_states))
    for path in prompt:
        steps = tuple(sites.graph.log_probability(path.states[:-1], path.edges).tolist())
        gene.write(Found(path, sum(steps), steps, 1.0, prompt=True))
    return gene


def viterbi(gene: GeneSearch) -> Found:
    """The graph's best path: the fallback of the search, and its oracle."""
    graph = gene.sites.graph
    states = best_path(graph.first, graph.target, graph.score).tolist()
    edges = []
    for state, following in itertools.pairwise(states):
        own = range(graph.first[state], graph.first[state + 1])
        edges.append(next(e for e in own if graph.target[e] == following))
    steps = tuple(graph.log_probability(states[:-1], edges).tolist())
    return Found(Path(tuple(states), tuple(edges)), sum(steps), steps, 1.0)


@dataclass(frozen=True)
class _Steps:
    """What every row took in each step of a round, for tracing back."""

    parents: list[Ints] = field(default_factory=list)
    edges: list[Ints] = field(default_factory=list)
    logs: list[Floats] = field(default_factory=list)


def _pair_weights(decoder: PointerDecoder) -> Pair:
    def plain(tensor: torch.Tensor) -> npt.NDArray[np.float32]:
        return np.ascontiguousarray(tensor.detach().float().cpu().numpy())

    return Pair(
        plain(decoder.pair_in.weight.t()),
        plain(decoder.pair_in.bias),
        plain(decoder.pair_out.weight[0]),
        float(decoder.base_scale.detach()),
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
        for gene in genes:
            gene.embedded = self.engine.embed(gene.sites)
        waiting = [gene for gene in genes if not gene.done]
        while waiting:
            # genes of one round should need about the same number of steps
            waiting.sort(key=lambda gene: (len(gene.found) == 0, len(gene.tokens), gene.sites.graph.n_states))
            for together in self._rounds(waiting):
                _Round(self, together).run()
            waiting = [gene for gene in waiting if not gene.done]
        for gene in genes:
            gene.embedded = None

    def _rounds(self, waiting: Sequence[GeneSearch]) -> Iterator[list[GeneSearch]]:
        """Neighbours in `waiting`, as many as a group holds and the cache of their steps may be large."""
        genes: list[GeneSearch] = []
        longest = 0
        for gene in waiting:
            longest = max(longest, len(gene.tokens))
            if genes and (len(genes) == self.config.group or (len(genes) + 1) * longest > MOST_TOKENS):
                yield genes
                genes, longest = [], len(gene.tokens)
            genes.append(gene)
        yield genes


def _joined(arrays: Sequence[npt.NDArray[np.generic]]) -> npt.NDArray[Any]:
    """One array; a single one is not copied, because that of a very long window is large."""
    return arrays[0] if len(arrays) == 1 else np.concatenate(arrays)


class _Round:
    """One more transcript of each of some genes."""

    def __init__(self, searcher: Searcher, genes: Sequence[GeneSearch]) -> None:
        self.searcher, self.config, self.genes = searcher, searcher.config, list(genes)

    def run(self) -> None:
        """Decide which genes go on, and let them write."""
        embedded = [gene.embedded for gene in self.genes if gene.embedded is not None]
        prefixes = [
            (np.array(gene.tokens, dtype=np.int64), np.array(gene.ordinals, dtype=np.int64)) for gene in self.genes
        ]
        state = self.searcher.engine.begin(embedded, prefixes, slots=self.config.group, beams=self.config.beams)
        if any(gene.found for gene in self.genes):
            self._decide_more(state.more())
        if not all(gene.done for gene in self.genes):
            self._write(embedded, state)

    def _decide_more(self, probability: Floats) -> None:
        """After the first transcript the decoder says whether there is another."""
        for gene, more in zip(self.genes, probability.tolist(), strict=False):
            if gene.found:
                gene.more *= more
                gene.done = gene.written >= self.config.max_isoforms or gene.more < self.config.min_more

    def _flat(self, embedded: Sequence[Embedded]) -> tuple[Edges, Past, npt.NDArray[np.float32]]:
        graphs = [gene.sites.graph for gene in self.genes]
        n_states = np.array([graph.n_states for graph in graphs])
        state_offset = np.cumsum(n_states) - n_states
        n_edges = np.array([len(graph.target) for graph in graphs])
        edge_offset = np.cumsum(n_edges) - n_edges
        self.state_offset, self.edge_offset = state_offset, edge_offset
        kind = _joined([graph.kind for graph in graphs])
        edges = Edges(
            _joined([graph.first[:-1] + o for graph, o in zip(graphs, edge_offset, strict=True)]),
            _joined([graph.first[1:] + o for graph, o in zip(graphs, edge_offset, strict=True)]),
            _joined(
                [
                    graph.target + np.int32(o) if o else graph.target
                    for graph, o in zip(graphs, state_offset, strict=True)
                ]
            ),
            _joined([graph.score for graph in graphs]),
            _joined([graph.content for graph in graphs]),
            _joined([graph.length for graph in graphs]),
            _joined([graph.logit for graph in graphs]),
            _joined([graph.beta for graph in graphs]),
            (kind == Kind.TSS) | (kind == Kind.TTS),
            np.concatenate([np.arange(n) for n in n_states]),
            state_offset + n_states - 1,
        )
        most = max(1, *(len(gene.known) for gene in self.genes))
        known = np.zeros((len(self.genes), most), dtype=np.uint64)
        for row, gene in enumerate(self.genes):
            known[row, : len(gene.known)] = gene.known
        past = Past(
            _joined([gene.history.edge_last for gene in self.genes]),
            _joined([gene.history.edge_count for gene in self.genes]),
            _joined([gene.history.state_count for gene in self.genes]),
            np.array([gene.history.transcripts for gene in self.genes]),
            known,
        )
        return edges, past, _joined([e.keys for e in embedded])

    def _choice(self, step: int) -> Choice:
        config = self.config
        sample = config.decoding == "sample"
        draw = np.zeros(len(self.genes))
        if sample:
            draw[:] = [
                stable_rng("sample", config.seed, gene.key, len(gene.found), step).random() for gene in self.genes
            ]
        return Choice(config.beams, sample, config.temperature, config.top_p, draw)

    def _write(self, embedded: Sequence[Embedded], state: EngineState) -> None:
        config, width = self.config, self.config.beams
        rows = config.group * width
        edges, past, keys = self._flat(embedded)
        beams, ends, steps = start_beams(rows), no_ends(len(self.genes)), _Steps()
        at = np.zeros(rows, dtype=np.int64)
        ordinal = np.zeros(rows, dtype=np.int64)
        for i, gene in enumerate(self.genes):
            own = slice(i * width, (i + 1) * width)
            at[own], ordinal[own], beams.state[own] = len(gene.tokens), len(gene.found), self.state_offset[i]
            if not gene.done:
                beams.score[i * width] = 0.0
        choice = self._choice(0)
        for step in range(config.max_steps):
            live = np.isfinite(beams.score)
            query = state.step(beams.state, ordinal, at + step, live)
            if choice.sample and step:
                choice = self._choice(step)
            left = advance(step, edges, past, self.searcher.pair, choice, query, keys, beams, ends)
            steps.parents.append(beams.parent.copy())
            steps.edges.append(beams.edge.copy())
            steps.logs.append(beams.log.copy())
            if not left:
                break
            if width > 1:
                state.reorder(beams.parent)
        for i, gene in enumerate(self.genes):
            if not gene.done:
                self._commit(i, gene, ends, steps)

    def _trace(self, index: int, gene: GeneSearch, ends: Ends, steps: _Steps) -> Found:
        """Follow the parents of the finished path back to BEGIN."""
        edges, logs, row = [int(ends.edge[index])], [float(ends.log[index])], int(ends.row[index])
        for step in range(int(ends.step[index]) - 1, -1, -1):
            edges.append(int(steps.edges[step][row]))
            logs.append(float(steps.logs[step][row]))
            row = int(steps.parents[step][row])
        own = [edge - int(self.edge_offset[index]) for edge in edges[::-1]]
        states = (0, *(int(gene.sites.graph.target[e]) for e in own))
        return Found(Path(states, tuple(own)), math.fsum(logs), tuple(logs[::-1]), gene.more)

    def _commit(self, index: int, gene: GeneSearch, ends: Ends, steps: _Steps) -> None:
        """Write the best finished path; a gene without a new one is done."""
        if math.isfinite(ends.score[index]):
            gene.write(self._trace(index, gene, ends, steps))
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
