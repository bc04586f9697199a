"""Training data of the pointing decoder: gold paths through the trunk's graphs.

In: examples and a model whose trunk is kept as it is. Out: compact `DecoderExample`s and batches of them.
A surprise: only edges that leave a gold state are kept, so a whole chromosome fits in memory.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor

from transgenic_tools.genome.interval import Interval
from transgenic_tools.genome.reading import ReadInterval
from transgenic_tools.genome.window import Window
from transgenic_tools.lattice.paths import Path, exact_sites, find_paths, rivals
from transgenic_tools.lattice.site_graph import History, SiteGraph
from transgenic_tools.model.decoders.pointer import PointerDecoder, segment_log_softmax
from transgenic_tools.search.reader import Reader
from transgenic_tools.train.examples import HOLDS_ALL, Example, Holds

Array = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class DecoderExample:
    """Gold steps of one gene (S sites, T tokens, E edges that leave them).

    Attributes:
        features, site_type, site_logit: (S, C), (S,), (S,).
        token_site, token_kind, token_ordinal: (T,) the states visited, transcript after transcript.
        edge_token: (E,) token that the edge leaves.
        edge_site, edge_kind: (E,) state that it enters.
        base, pair: (E,), (E, P).
        gold: (number of steps,) index of the gold edge of each token that is not END.
        end_token, more: (transcripts,) END tokens, and 1 where another transcript follows.
        more_known: (transcripts,) where the annotation tells whether one does.
    """

    gene_id: str
    features: Array
    site_type: Ints
    site_logit: Array
    token_site: Ints
    token_kind: Ints
    token_ordinal: Ints
    edge_token: Ints
    edge_site: Ints
    edge_kind: Ints
    base: Array
    pair: Array
    gold: Ints
    end_token: Ints
    more: Array
    more_known: npt.NDArray[np.bool_]


def gold_steps(sites: SiteGraph, paths: Sequence[Path], gene_id: str, holds: Holds = HOLDS_ALL) -> DecoderExample:
    """Lay out the gold paths of one gene.

    Where its source holds no UTRs, a path that has none is held against others that have none.
    """
    graph = sites.graph
    history = History.of(graph)
    tokens: list[int] = []
    ordinals: list[int] = []
    parts: dict[str, list[npt.NDArray[np.generic]]] = {k: [] for k in ("token", "target", "base", "pair")}
    gold, ends = [], []
    count = 0
    for ordinal, path in enumerate(paths):
        for state, edge in zip(path.states[:-1], path.edges, strict=True):
            edges = rivals(graph, state, edge, utrs=holds.utrs)
            targets = graph.target[edges].astype(np.int64)
            gold.append(count + int(np.searchsorted(edges, edge)))
            parts["token"].append(np.full(len(edges), len(tokens), dtype=np.int64))
            parts["target"].append(targets)
            base, pair = history.describe(graph, state)
            among = edges - graph.first[state]
            parts["base"].append(base[among])
            parts["pair"].append(pair[among])
            count += len(edges)
            tokens.append(state)
            ordinals.append(ordinal)
        ends.append(len(tokens))
        tokens.append(path.states[-1])
        ordinals.append(ordinal)
        history.add(path.edges, path.states)
    token, target, log_base = (np.concatenate(parts[k]) for k in ("token", "target", "base"))
    return DecoderExample(
        gene_id=gene_id,
        features=sites.features,
        site_type=sites.site_type,
        site_logit=sites.site_logit,
        token_site=sites.site_of_state[tokens],
        token_kind=graph.kind[tokens],
        token_ordinal=np.array(ordinals),
        edge_token=token,
        edge_site=sites.site_of_state[target],
        edge_kind=graph.kind[target],
        base=log_base.astype(np.float32),
        pair=np.concatenate(parts["pair"]).astype(np.float32),
        gold=np.array(gold),
        end_token=np.array(ends),
        more=(np.arange(len(paths)) < len(paths) - 1).astype(np.float32),
        more_known=np.full(len(paths), holds.isoforms),
    )


def crop_transcripts(example: Example, crop: Interval) -> Example:
    """The example with the crop as its window; transcripts that leave the crop are dropped."""
    window = Window("window", crop.start, crop.end, "+")
    kept = tuple(window.transcript_to_window(t) for t in example.transcripts if crop.contains(t.interval))
    locus = ReadInterval(window.to_window(example.locus.intersect(crop) or crop))  # the crop is all that is read
    return Example(example.gene_id, example.window.crop(crop), locus, kept, example.holds)


def prepare(reader: Reader, example: Example, crop: Interval, *, most: int) -> DecoderExample | None:
    """Gold steps of one crop, None where no transcript follows the grammar."""
    cropped = crop_transcripts(example, crop)
    sites, _ = reader.read_window(cropped.window, forced=exact_sites(cropped.transcripts))
    if sites is None:
        return None
    paths = find_paths(sites.graph, cropped.transcripts)[:most]
    return gold_steps(sites, paths, example.gene_id, example.holds) if paths else None


def _pad(arrays: Sequence[npt.NDArray[np.generic]], value: float) -> Tensor:
    longest = max(len(a) for a in arrays)
    first = arrays[0]
    out = np.full((len(arrays), longest, *first.shape[1:]), value, dtype=first.dtype)
    for row, array in enumerate(arrays):
        out[row, : len(array)] = array
    return torch.from_numpy(out)


def decoder_loss(
    decoder: PointerDecoder, group: Sequence[DecoderExample], device: torch.device
) -> tuple[Tensor, dict[str, Tensor]]:
    """Mean negative log-likelihood of a step, and of the decision on one more transcript."""
    features = _pad([e.features for e in group], 0).to(device)
    n_sites, n_tokens = features.shape[1], max(len(e.token_site) for e in group)
    valid = torch.arange(n_sites)[None] < torch.tensor([len(e.site_type) for e in group])[:, None]
    sites = decoder.encode_sites(
        features,
        _pad([e.site_type for e in group], 0).to(device),
        _pad([e.site_logit for e in group], 0).to(device),
        valid.to(device),
    )
    flat = sites.flatten(0, 1)
    token_site = _pad([np.where(e.token_site >= 0, e.token_site + i * n_sites, -1) for i, e in enumerate(group)], -1)
    states = decoder.embed_states(
        flat, token_site.flatten().to(device), _pad([e.token_kind for e in group], 0).flatten().to(device)
    ).view(len(group), n_tokens, -1)
    tokens = decoder.token(states, _pad([e.token_ordinal for e in group], 0).to(device))
    hidden = decoder(tokens, sites, valid.to(device))

    def joined(name: str, step: int, missing: int | None = None) -> Tensor:
        rows = []
        for i, e in enumerate(group):
            own = getattr(e, name)
            rows.append(own + i * step if missing is None else np.where(own == missing, missing, own + i * step))
        return torch.from_numpy(np.concatenate(rows)).to(device)

    edge_token = joined("edge_token", n_tokens)
    targets = decoder.embed_states(flat, joined("edge_site", n_sites, -1), joined("edge_kind", 0))
    base, pair = joined("base", 0), joined("pair", 0)
    flat_hidden = hidden.flatten(0, 1)
    logits = decoder.edge_logits(flat_hidden[edge_token], decoder.key(targets), base, pair)
    log_probability = segment_log_softmax(logits, edge_token, len(group) * n_tokens)
    offsets = np.cumsum([0] + [len(e.base) for e in group])[:-1]
    gold = torch.from_numpy(np.concatenate([e.gold + o for e, o in zip(group, offsets, strict=True)])).to(device)
    step_loss = -log_probability[gold].mean()
    known = torch.from_numpy(np.concatenate([e.more_known for e in group])).to(device)
    more = decoder.more_logit(flat_hidden[joined("end_token", n_tokens)])[known]
    followed = joined("more", 0)[known]
    # The mean of none is no number.
    more_loss = F.binary_cross_entropy_with_logits(more, followed, reduction="mean" if len(more) else "sum")
    base_loss = -segment_log_softmax(base, edge_token, len(group) * n_tokens)[gold].mean()
    parts = {"step_loss": step_loss.detach(), "more_loss": more_loss.detach(), "graph_step_loss": base_loss.detach()}
    return step_loss + 0.1 * more_loss, parts
