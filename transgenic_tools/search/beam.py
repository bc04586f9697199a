"""One step of the search, compiled: all edges that leave the hypotheses of some genes, and the best of them.

In: flat arrays over the genes and the decoder's queries. Out: the hypotheses after the step, in place.
Dims: G genes, K beams, R = G * K rows (row r belongs to gene r // K), N states and M edges of all genes together,
D channels, H hidden units of the pair features, T steps of the longest path so far.
A surprise: of the finished transcripts only the best one that is new is kept, because no other can be written.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from transgenic_tools.kernels import kernel
from transgenic_tools.kernels.numbers import gelu
from transgenic_tools.lattice.scoring import Seen, Used, describe_edge

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Singles = npt.NDArray[np.float32]
Hashes = npt.NDArray[np.uint64]

#: Hash of the empty path.
SEED, _PRIME = np.uint64(14695981039346656037), np.uint64(1099511628211)


class Edges(NamedTuple):
    """Flat graphs of some genes.

    Attributes:
        first, end: (N,) edges of a state are `first[s]:end[s]`.
        target: (M,) flat state that an edge enters.
        score, content, length: (M,) see `lattice.graph.Graph`.
        logit, beta: (N,) see `lattice.graph.Graph`.
        fuzzy: (N,) True for TSS and TTS, which do not make a transcript a different one.
        kind, site: (N,) see `engine.Embedded`.
        begin, final: (G,) flat BEGIN and END state of each gene.
    """

    first: Ints
    end: Ints
    target: npt.NDArray[np.int32]
    score: Floats
    content: Singles
    length: npt.NDArray[np.int32]
    logit: Floats
    beta: Floats
    fuzzy: npt.NDArray[np.bool_]
    kind: Ints
    site: Ints
    begin: Ints
    final: Ints


class Past(NamedTuple):
    """What is written already: see `site_graph.History`; `known` (G, W) holds the hashes of its transcripts."""

    edge_last: Singles
    edge_count: Singles
    state_count: Singles
    written: Ints
    known: Hashes


class Pair(NamedTuple):
    """Weights of the score of an edge: (F + 5, H), (H,), (H,) and the factor of the graph's own log-probability."""

    weight: Singles
    bias: Singles
    out: Singles
    base_scale: float


class Keys(NamedTuple):
    """Keys of sites (S, D) and of kinds; that of a state is the sum of both."""

    site: Singles
    kind: Singles


class Beams(NamedTuple):
    """Hypotheses (R,): flat state, score (-inf where free), hash of the path, row that it goes on from."""

    state: Ints
    score: Floats
    path: Hashes
    parent: Ints


class Trail(NamedTuple):
    """What every row took in each step, for tracing back: (T, R) parent row, edge and its log-probability."""

    parent: npt.NDArray[np.int32]
    edge: Ints
    log: Floats


class Ends(NamedTuple):
    """Best new finished transcript of each gene (G,): its score (-inf where none), last step, row, edge and log.

    `now` is the row where it ended in this very step, -1 for none; `live` counts the rows that go on.
    """

    score: Floats
    step: Ints
    row: Ints
    edge: Ints
    log: Floats
    now: Ints
    live: Ints


class Extensions(NamedTuple):
    """Ways to go on from the rows of a gene: score of the whole path, the edge, its log-probability, its row."""

    score: Floats
    log: Floats
    edge: Ints
    row: Ints


class Choice(NamedTuple):
    """How extensions are chosen: beams K, or one drawn with `draw` (G,) uniform numbers when `sample` is set."""

    beams: int
    sample: bool
    temperature: float
    top_p: float
    draw: Floats


def start_beams(rows: int) -> Beams:
    """Free rows."""
    return Beams(
        state=np.zeros(rows, dtype=np.int64),
        score=np.full(rows, -np.inf),
        path=np.full(rows, SEED),
        parent=np.arange(rows),
    )


def start_trail(steps: int, rows: int, before: Trail | None = None) -> Trail:
    """Room for so many steps, the first of which are those of `before`."""
    trail = Trail(
        parent=np.empty((steps, rows), dtype=np.int32),
        edge=np.empty((steps, rows), dtype=np.int64),
        log=np.empty((steps, rows)),
    )
    if before is not None:
        trail.parent[: len(before.parent)] = before.parent
        trail.edge[: len(before.edge)] = before.edge
        trail.log[: len(before.log)] = before.log
    return trail


def no_ends(genes: int) -> Ends:
    """No finished transcript yet."""
    step, row, edge, now, live = (np.zeros(genes, dtype=np.int64) for _ in range(5))
    return Ends(score=np.full(genes, -np.inf), step=step, row=row, edge=edge, log=np.zeros(genes), now=now, live=live)


@kernel
def extend_hash(path, state):  # type: ignore[no-untyped-def]  # pragma: no cover (compiled)
    """Hash of a path with one more state (FNV-1a over whole states)."""
    return (path ^ np.uint64(state + 1)) * _PRIME


def path_hash(states: tuple[int, ...]) -> int:
    """The same hash of a whole `Path.core`, BEGIN included."""
    value = int(SEED)
    for state in states[1:]:
        value = ((value ^ (state + 1)) * int(_PRIME)) & 0xFFFFFFFFFFFFFFFF
    return value


@kernel(fastmath=True, error_model="numpy")
def _pointed(query, kinds, sites, kind, site):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Dot product of a query with the key of a state."""
    total, kind_key = np.float32(0.0), kinds[kind]
    if site < 0:
        for i in range(len(query)):
            total += query[i] * kind_key[i]
        return total
    key = sites[site]
    for i in range(len(query)):
        total += query[i] * (key[i] + kind_key[i])
    return total


@kernel(fastmath=True, error_model="numpy")
def _pair_score(features, weight, bias, out, hidden):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Small network over the features of an edge."""
    for j in range(len(bias)):
        hidden[j] = bias[j]
    for i in range(len(features)):
        value = features[i]
        if value != 0.0:
            for j in range(len(bias)):
                hidden[j] += value * weight[i, j]
    total = np.float32(0.0)
    for j in range(len(bias)):
        total += out[j] * gelu(hidden[j])
    return total


@kernel
def _log_softmax(values, low, high):  # type: ignore[no-untyped-def]  # pragma: no cover
    peak = -np.inf
    for i in range(low, high):
        peak = max(peak, values[i])
    total = 0.0
    for i in range(low, high):
        total += math.exp(values[i] - peak)
    for i in range(low, high):
        values[i] -= peak + math.log(total)


@kernel
def _drawn(logs, draw, top_p):  # type: ignore[no-untyped-def]  # pragma: no cover
    """One extension drawn from the nucleus of probability `top_p`."""
    order = np.argsort(-logs, kind="mergesort")
    kept, before = 0.0, 0.0
    for i in order:
        if before >= top_p:
            break
        kept += math.exp(logs[i])
        before += math.exp(logs[i])
    goal, passed, last = draw * kept, 0.0, order[0]
    before = 0.0
    for i in order:
        if before >= top_p:
            break
        before += math.exp(logs[i])
        passed += math.exp(logs[i])
        last = i
        if passed > goal:
            break
    return last


@kernel
def _extensions(low, edges, past, pair, choice, query, keys, beams, gene, extensions):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Score all edges that leave the live rows of a gene.

    Args:
        low: The gene's first row.
        extensions: To fill.
    """
    total, logs, edge_of, row_of = extensions.score, extensions.log, extensions.edge, extensions.row
    features = np.zeros(pair.weight.shape[0], dtype=np.float32)
    hidden = np.zeros(len(pair.bias), dtype=np.float32)
    written = past.written[gene]
    seen = Seen(
        target=edges.target, score=edges.score, content=edges.content, length=edges.length, logit=edges.logit,
        beta=edges.beta,
    )  # fmt: skip
    used = Used(edge_last=past.edge_last, edge_count=past.edge_count, state_count=past.state_count)
    target_of, kind_of, site_of = edges.target, edges.kind, edges.site  # looked up once: it costs an edge
    weight, bias, out = pair.weight, pair.bias, pair.out
    kind_keys, site_keys = keys.kind, keys.site
    at = 0
    for row in range(low, low + choice.beams):
        if beams.score[row] == -np.inf:
            continue
        row_query = query[row]
        begin, state = at, beams.state[row]
        for edge in range(edges.first[state], edges.end[state]):
            target = target_of[edge]
            base = describe_edge(state, edge, seen, used, written, features)
            logit = pair.base_scale * base + _pointed(row_query, kind_keys, site_keys, kind_of[target], site_of[target])
            logit += _pair_score(features, weight, bias, out, hidden)
            logs[at] = logit / choice.temperature if choice.sample else logit
            edge_of[at], row_of[at] = edge, row
            at += 1
        _log_softmax(logs, begin, at)
        for i in range(begin, at):
            total[i] = beams.score[row] + logs[i]


@kernel
def _end(step, gene, best, path, edges, past, extensions, ends):  # type: ignore[no-untyped-def]  # pragma: no cover
    """An extension that ends a transcript is the best one of its gene, if it is new."""
    path = extend_hash(path, edges.final[gene] - edges.begin[gene])
    if not np.any(past.known[gene] == path):
        row = extensions.row[best]
        ends.score[gene], ends.step[gene], ends.row[gene], ends.now[gene] = extensions.score[best], step, row, row
        ends.edge[gene], ends.log[gene] = extensions.edge[best], extensions.log[best]


@kernel
def _stands(beams, low, free, state, path):  # type: ignore[no-untyped-def]  # pragma: no cover
    """True where one of a gene's new rows is in this state already, by the same way but for its TSS."""
    found = False
    for row in range(low, free):
        found |= beams.state[row] == state and beams.path[row] == path
    return found


@kernel
def _keep_best(step, low, edges, past, choice, beams, trail, ends, gene, extensions):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Put the best extensions into the gene's rows and its best new finished path into `ends`; returns live rows."""
    total, logs, edge_of, row_of = extensions.score, extensions.log, extensions.edge, extensions.row
    old_path = beams.path[low : low + choice.beams].copy()
    for row in range(low, low + choice.beams):
        beams.score[row], beams.parent[row] = -np.inf, row
    if choice.beams > 1:
        for i in range(len(total)):
            if edges.target[edge_of[i]] == edges.final[gene]:
                if total[i] > ends.score[gene]:
                    _end(step, gene, i, old_path[row_of[i] - low], edges, past, extensions, ends)
                total[i] = -np.inf
    free = low
    while free < low + choice.beams:
        best = _drawn(logs, choice.draw[gene], choice.top_p) if choice.sample else np.argmax(total)
        score, edge, row = total[best], edge_of[best], row_of[best]
        if score <= ends.score[gene]:  # log-probabilities only fall; -inf where none is left
            break
        target, path = edges.target[edge], old_path[row - low]
        if target == edges.final[gene]:  # of one beam alone
            _end(step, gene, best, path, edges, past, extensions, ends)
            break
        total[best] = -np.inf
        if not edges.fuzzy[target]:
            path = extend_hash(path, target - edges.begin[gene])
        if not _stands(beams, low, free, target, path):
            beams.state[free], beams.score[free], beams.path[free] = target, score, path
            beams.parent[free] = row
            trail.parent[step, free], trail.edge[step, free], trail.log[step, free] = row, edge, logs[best]
            free += 1
    return free - low


@kernel
def advance(step, genes, edges, past, pair, choice, query, keys, beams, trail, ends):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Extend every live row of some genes by one edge and keep the best of each gene.

    Args:
        query: (R, D) float32, scaled by D ** -0.5.
        beams, trail, ends: Changed in place, `trail` in row `step`.
    """
    for gene in genes:
        low = gene * choice.beams
        count = 0
        for row in range(low, low + choice.beams):
            beams.parent[row] = row
            if beams.score[row] > -np.inf:
                count += edges.end[beams.state[row]] - edges.first[beams.state[row]]
        ends.now[gene], ends.live[gene] = -1, 0
        if count == 0:
            beams.score[low : low + choice.beams] = -np.inf
            continue
        extensions = Extensions(
            score=np.empty(count),
            log=np.empty(count),
            edge=np.empty(count, np.int64),
            row=np.empty(count, np.int64),
        )
        _extensions(low, edges, past, pair, choice, query, keys, beams, gene, extensions)
        ends.live[gene] = _keep_best(step, low, edges, past, choice, beams, trail, ends, gene, extensions)


@kernel
def trace(gene, first, trail, ends):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Edges and log-probabilities of the finished path of a gene that began with step `first`."""
    count, row = ends.step[gene] - first + 1, ends.row[gene]
    edges, logs = np.empty(count, dtype=np.int64), np.empty(count)
    edges[count - 1], logs[count - 1] = ends.edge[gene], ends.log[gene]
    for i in range(count - 2, -1, -1):
        edges[i], logs[i] = trail.edge[first + i, row], trail.log[first + i, row]
        row = trail.parent[first + i, row]
    return edges, logs
