"""Search for the transcripts of genes with the pointing decoder: greedy, beam, sampling; with prompts.

In: site graphs of genes and, for each, transcripts that are known already (a prompt). Out: `Found` transcripts in the
order in which they were written.
Dims: G genes of a group (a constant number of slots), K beams, R = G * K rows, T steps, D channels.

A surprise: rows are padded to a constant number and every row is computed alone, so a gene's answer does not depend on
its neighbours. Transcripts are written in rounds: a round starts from the cache of all that is written so far.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from transgenic_tools.genome.hashing import stable_rng
from transgenic_tools.model.decoders.pointer import (
    DecoderState,
    History,
    PointerDecoder,
    SiteGraph,
    segment_log_softmax,
)
from transgenic_tools.model.decoding import DecodingConfig
from transgenic_tools.model.graph import best_path
from transgenic_tools.model.paths import Path

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


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

    def write(self, found: Found) -> None:
        """Append one transcript."""
        self.found.append(found)
        self.history.add(found.path.edges, found.path.states)
        self.tokens += list(found.path.states)
        self.ordinals += [len(self.found) - 1] * len(found.path.states)


def start_search(key: str, sites: SiteGraph, prompt: Sequence[Path] = ()) -> GeneSearch:
    """A fresh search; `key` seeds sampling."""
    gene = GeneSearch(key, sites, [], History(len(sites.graph.target), sites.graph.n_states))
    for path in prompt:
        steps = tuple(float(sites.base[e]) for e in path.edges)
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
    steps = tuple(float(gene.sites.base[e]) for e in edges)
    return Found(Path(tuple(states), tuple(edges)), sum(steps), steps, 1.0)


@dataclass
class _Beams:
    """Hypotheses of one round; row r belongs to gene r // K."""

    state: Ints
    score: Floats
    parents: list[Ints] = field(default_factory=list)
    edges: list[Ints] = field(default_factory=list)
    logs: list[Floats] = field(default_factory=list)


@dataclass
class _Finished:
    score: float
    step: int
    row: int
    edge: int
    log: float


class GroupSearch:
    """Search of up to `config.group` genes together."""

    def __init__(self, decoder: PointerDecoder, config: DecodingConfig, genes: Sequence[GeneSearch]) -> None:
        self.decoder, self.config, self.genes = decoder, config, list(genes)
        self.device = decoder.base_scale.device
        self.beams = config.beams
        self.rows = config.group * self.beams
        self.state_offset = np.cumsum([0] + [g.sites.graph.n_states for g in self.genes])
        self.edge_offset = np.cumsum([0] + [len(g.sites.graph.target) for g in self.genes])
        self.first = np.concatenate(
            [g.sites.graph.first[:-1] + o for g, o in zip(self.genes, self.edge_offset, strict=False)]
        )
        self.degree = np.concatenate([np.diff(g.sites.graph.first) for g in self.genes])
        self.target = np.concatenate(
            [g.sites.graph.target + o for g, o in zip(self.genes, self.state_offset, strict=False)]
        )
        self.final = self.state_offset[1:] - 1
        self.base = self._tensor(np.concatenate([g.sites.base for g in self.genes]))
        self.static = self._tensor(np.concatenate([g.sites.static for g in self.genes]))
        self.states = self._embed()
        self.keys = decoder.key(self.states)

    def _tensor(self, array: npt.NDArray[np.generic]) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(array)).to(self.device)

    def _embed(self) -> Tensor:
        """(N, D) state embeddings; sites are encoded gene by gene, so neighbours do not matter."""
        embedded = []
        most = max(len(gene.sites.site_type) for gene in self.genes)
        self.sites = torch.zeros(self.config.group, most, self.decoder.config.dim, device=self.device)
        self.valid = torch.zeros(self.config.group, most, dtype=torch.bool, device=self.device)
        for slot, gene in enumerate(self.genes):
            s = gene.sites
            valid = torch.ones(1, len(s.site_type), dtype=torch.bool, device=self.device)
            sites = self.decoder.encode_sites(
                self._tensor(s.features)[None], self._tensor(s.site_type)[None], self._tensor(s.site_logit)[None], valid
            )[0]
            self.sites[slot, : len(sites)], self.valid[slot, : len(sites)] = sites, True
            embedded.append(self.decoder.embed_states(sites, self._tensor(s.site_of_state), self._tensor(s.graph.kind)))
        return torch.cat(embedded)

    def run(self) -> None:
        """Write transcripts until every gene is done."""
        while any(not gene.done for gene in self.genes):
            self._round()

    def _prefix(self, lengths: Ints) -> DecoderState:
        """State of the decoder after what is written so far."""
        x = torch.zeros(self.config.group, max(int(lengths.max()), 1), self.decoder.config.dim, device=self.device)
        for i, gene in enumerate(self.genes):
            if gene.tokens:
                states = self.states[self._tensor(np.array(gene.tokens) + self.state_offset[i])]
                x[i, : len(gene.tokens)] = self.decoder.token(states, self._tensor(np.array(gene.ordinals)))
        return self.decoder.start(x, self._tensor(lengths), beams=self.beams, sites=self.sites, valid=self.valid)

    def _round(self) -> None:
        """Write one more transcript of every gene that is not done."""
        lengths = np.zeros(self.config.group, dtype=np.int64)
        lengths[: len(self.genes)] = [len(gene.tokens) for gene in self.genes]
        decoder_state = self._prefix(lengths)
        self._decide_more(decoder_state.hidden)
        active = [i for i, gene in enumerate(self.genes) if not gene.done]
        if not active:
            return
        beams = self._start(active)
        finished: dict[int, list[_Finished]] = {i: [] for i in active}
        ordinal = np.zeros(self.rows, dtype=np.int64)
        for i in active:
            ordinal[i * self.beams : (i + 1) * self.beams] = len(self.genes[i].found)
        history = {i: self.genes[i].history for i in active}
        row_length = np.repeat(lengths, self.beams)
        step = 0
        while True:
            live = np.flatnonzero(np.isfinite(beams.score))
            if not len(live) or step >= self.config.max_steps:
                break
            token = self.decoder.token(self.states[self._tensor(beams.state)], self._tensor(ordinal))
            hidden = decoder_state.step(token, self._tensor(row_length + step))
            parents = self._advance(beams, hidden, live, history, finished, step)
            if self.beams > 1:
                decoder_state.reorder(parents)
            step += 1
        for i in active:
            self._commit(i, beams, finished[i])

    def _decide_more(self, hidden: Tensor) -> None:
        """After the first transcript the decoder says whether there is another."""
        probability = torch.sigmoid(self.decoder.more_logit(hidden)).double().cpu().numpy()
        for i, gene in enumerate(self.genes):
            if gene.done or not gene.found:
                continue
            gene.more *= float(probability[i])
            written = sum(not f.prompt for f in gene.found)
            if written >= self.config.max_isoforms or gene.more < 0.02:
                gene.done = True

    def _start(self, active: Sequence[int]) -> _Beams:
        state = np.zeros(self.rows, dtype=np.int64)
        score = np.full(self.rows, -np.inf)
        for i in active:
            state[i * self.beams : (i + 1) * self.beams] = self.state_offset[i]
            score[i * self.beams] = 0.0
        return _Beams(state, score)

    def _edge_log_probability(self, rows: Ints, edges: Ints, owner: Ints, hidden: Tensor, past: Tensor) -> Tensor:
        """Log-probabilities of flat edges; `owner` is the index into `rows` that each leaves."""
        index = self._tensor(edges)
        pair = torch.cat([self.static[index], past], dim=1)
        logits = self.decoder.edge_logits(
            hidden[self._tensor(rows[owner])], self.keys[self._tensor(self.target[edges])], self.base[index], pair
        )
        if self.config.decoding == "sample":
            logits = logits / self.config.temperature
        return segment_log_softmax(logits.double(), self._tensor(owner), len(rows))

    def _advance(
        self,
        beams: _Beams,
        hidden: Tensor,
        live: Ints,
        history: dict[int, History],
        finished: dict[int, list[_Finished]],
        step: int,
    ) -> Tensor:
        """Extend all live rows by one edge and keep the best of each gene; returns the parent of every row."""
        degree = self.degree[beams.state[live]]
        owner = np.repeat(np.arange(len(live)), degree)
        within = np.arange(len(owner)) - np.repeat(np.cumsum(degree) - degree, degree)
        edges = self.first[beams.state[live]][owner] + within
        gene_of = live[owner] // self.beams
        past = np.concatenate(
            [
                history[i].features(
                    edges[gene_of == i] - self.edge_offset[i], self.target[edges[gene_of == i]] - self.state_offset[i]
                )
                for i in np.unique(gene_of).tolist()
            ]
        )
        logs = self._edge_log_probability(live, edges, owner, hidden, self._tensor(past)).cpu().numpy()
        total = beams.score[live][owner] + logs
        state, score = np.zeros_like(beams.state), np.full(self.rows, -np.inf)
        parent, taken = np.arange(self.rows), np.zeros(self.rows, dtype=np.int64)
        taken_log = np.zeros(self.rows)
        bounds = np.searchsorted(gene_of, np.arange(len(self.genes) + 1))
        for i in np.unique(gene_of).tolist():
            part = slice(bounds[i], bounds[i + 1])
            chosen = self._choose(i, total[part], logs[part], owner[part], step)
            slot = i * self.beams
            for j in chosen + bounds[i]:
                if self.target[edges[j]] == self.final[i]:
                    finished[i].append(_Finished(total[j], step, int(live[owner[j]]), int(edges[j]), float(logs[j])))
                elif slot < (i + 1) * self.beams:
                    state[slot], score[slot] = self.target[edges[j]], total[j]
                    parent[slot], taken[slot], taken_log[slot] = live[owner[j]], edges[j], logs[j]
                    slot += 1
            self._stop_early(i, score, finished[i])
        beams.state, beams.score = state, score
        beams.parents.append(parent)
        beams.edges.append(taken)
        beams.logs.append(taken_log)
        return self._tensor(parent)

    def _choose(self, gene: int, total: Floats, logs: Floats, owner: Ints, step: int) -> Ints:
        """Indices of the extensions of one gene to look at, best first; one drawn at random when sampling."""
        if self.config.decoding != "sample":
            order = np.argsort(-total, kind="stable")
            return order[: 2 * self.beams] if self.beams > 1 else order[:1]
        rng = self._rng(gene, step)
        order = np.argsort(-logs, kind="stable")
        probability = np.exp(logs[order])
        keep = np.cumsum(probability) - probability < self.config.top_p
        probability = np.where(keep, probability, 0.0)
        draw = rng.random() * probability.sum()
        return order[[min(int(np.searchsorted(np.cumsum(probability), draw)), len(order) - 1)]]

    def _rng(self, gene: int, step: int) -> np.random.Generator:
        own = self.genes[gene]
        return stable_rng("sample", self.config.seed, own.key, len(own.found), step)

    def _stop_early(self, gene: int, score: Floats, finished: list[_Finished]) -> None:
        """Log-probabilities only fall, so a gene whose best finished path leads needs no further steps."""
        if not finished or self._duplicates(gene):
            return
        rows = slice(gene * self.beams, (gene + 1) * self.beams)
        if max(f.score for f in finished) >= score[rows].max():
            score[rows] = -np.inf

    def _duplicates(self, gene: int) -> bool:
        """From the second transcript on, the best path may be one that is written already, so all are followed."""
        return bool(self.genes[gene].found)

    def _trace(self, beams: _Beams, end: _Finished, gene: int) -> Found:
        """Follow the parents of a finished path back to BEGIN."""
        edges, logs, row = [end.edge], [end.log], end.row
        for step in range(end.step - 1, -1, -1):
            edges.append(int(beams.edges[step][row]))
            logs.append(float(beams.logs[step][row]))
            row = int(beams.parents[step][row])
        edges, logs = edges[::-1], logs[::-1]
        own = [edge - int(self.edge_offset[gene]) for edge in edges]
        states = (0, *(int(self.genes[gene].sites.graph.target[e]) for e in own))
        return Found(Path(states, tuple(own)), math.fsum(logs), tuple(logs), self.genes[gene].more)

    def _commit(self, gene: int, beams: _Beams, finished: list[_Finished]) -> None:
        """Write the best finished path that is new; a gene without one is done."""
        own = self.genes[gene]
        known = {f.path.core(own.sites.graph) for f in own.found}
        for end in sorted(finished, key=lambda f: (-f.score, f.step, f.row, f.edge)):
            candidate = self._trace(beams, end, gene)
            if candidate.path.core(own.sites.graph) not in known:
                own.write(candidate)
                return
        if not own.found:
            own.write(viterbi(own))
        own.done = True


@torch.no_grad()
def search(decoder: PointerDecoder, config: DecodingConfig, genes: Sequence[GeneSearch]) -> None:
    """Write the transcripts of all genes into their `found`, group by group.

    Viterbi writes one transcript a gene without the decoder.
    """
    if config.decoding == "viterbi":
        for gene in genes:
            if not gene.found:
                gene.write(viterbi(gene))
            gene.done = True
        return
    order = sorted(range(len(genes)), key=lambda i: (genes[i].sites.graph.n_states, i))
    for start in range(0, len(order), config.group):
        GroupSearch(decoder, config, [genes[i] for i in order[start : start + config.group]]).run()
