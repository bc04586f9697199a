"""What the decoder sees of a graph: its distinct sites with the trunk's features, and what was written before.

In: a `Graph`, and features at the positions of its sites. Out: `SiteGraph`, and the `History` of a gene.
Dims: N states, M edges, S sites, C channels.
A surprise: several states share one site (a donor has seven kinds); the decoder encodes a site once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from transgenic_tools.kernels import kernel
from transgenic_tools.lattice.grammar import SITE_OF_KIND
from transgenic_tools.lattice.graph import Graph
from transgenic_tools.lattice.scoring import PAIR_FEATURES, Used, describe_edges
from transgenic_tools.lattice.support import Support

_SITE = np.array(SITE_OF_KIND)


@dataclass(frozen=True, kw_only=True)
class SiteGraph:
    """A graph with what the trunk says at its sites.

    Attributes:
        graph: States and edges of one window.
        site_of_state: (N,) index of the state's site, -1 for BEGIN and END.
        site_type, site_logit, site_position: (S,).
        features: (S, C) trunk features.
        support: What reads added to the graph's scores; None where they said nothing.
    """

    graph: Graph
    site_of_state: npt.NDArray[np.int64]
    site_type: npt.NDArray[np.int64]
    site_logit: npt.NDArray[np.float32]
    site_position: npt.NDArray[np.int64]
    features: npt.NDArray[np.float32]
    support: Support | None = None


@kernel
def _join_sites(site, position):  # type: ignore[no-untyped-def]  # pragma: no cover (compiled)
    """Site of every state, -1 for none, and the first state of every site; sites are sorted by (position, type).

    Args:
        site: (N,) type of the state's site, negative for none; position: (N,), rising.
    """
    n, count = len(site), 0
    order = np.empty(n, dtype=np.int64)
    for state in range(n):  # states of one position are few and nearly in order
        if site[state] < 0:
            continue
        at = count
        while at > 0 and (position[order[at - 1]], site[order[at - 1]]) > (position[state], site[state]):
            order[at] = order[at - 1]
            at -= 1
        order[at] = state
        count += 1
    site_of_state, firsts = np.full(n, -1, dtype=np.int64), np.empty(count, dtype=np.int64)
    sites = 0
    for at in range(count):
        state = order[at]
        before = order[at - 1]
        if at == 0 or position[before] != position[state] or site[before] != site[state]:
            firsts[sites] = state
            sites += 1
        site_of_state[state] = sites - 1
    return site_of_state, firsts[:sites]


def site_graph(
    graph: Graph,
    features_at: Callable[[npt.NDArray[np.int64]], npt.NDArray[np.float32]],
    *,
    support: Support | None = None,
) -> SiteGraph:
    """Join a graph with the trunk's features.

    Args:
        features_at: From positions in the window (S,) to features there (S, C).
        support: What reads added to the graph's scores.
    """
    site = _SITE[graph.kind]
    site_of_state, first = _join_sites(site, graph.position)
    position = graph.position[first]
    return SiteGraph(
        graph=graph,
        site_of_state=site_of_state,
        site_type=site[first],
        site_logit=graph.logit[first].astype(np.float32),
        site_position=position,
        features=features_at(position),
        support=support,
    )


@dataclass(kw_only=True)
class History:
    """Which edges and states of one graph the transcripts written so far have used.

    Attributes:
        edge_last: (M,) 1 for the edges of the last transcript.
        edge_count, state_count: (M,) and (N,) transcripts that used each.
        transcripts: How many were written.
    """

    edge_last: npt.NDArray[np.float32]
    edge_count: npt.NDArray[np.float32]
    state_count: npt.NDArray[np.float32]
    transcripts: int = 0

    @classmethod
    def of(cls, graph: Graph) -> History:
        """Nothing is written yet."""
        return cls(
            edge_last=np.zeros(graph.n_edges, dtype=np.float32),
            edge_count=np.zeros(graph.n_edges, dtype=np.float32),
            state_count=np.zeros(graph.n_states, dtype=np.float32),
        )

    def add(self, edges: Sequence[int], states: Sequence[int]) -> None:
        """Note one finished transcript."""
        self.edge_last[:] = 0
        self.edge_last[list(edges)] = 1
        self.edge_count[list(edges)] += 1
        self.state_count[list(states)] += 1
        self.transcripts += 1

    @property
    def used(self) -> Used:
        """The arrays as compiled functions take them."""
        return Used(edge_last=self.edge_last, edge_count=self.edge_count, state_count=self.state_count)

    def describe(self, graph: Graph, state: int) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
        """Log-probability (E,) of the edges that leave a state, and what the decoder sees (E, PAIR_FEATURES)."""
        count = int(graph.first[state + 1] - graph.first[state])
        base, features = np.zeros(count, dtype=np.float32), np.zeros((count, PAIR_FEATURES), dtype=np.float32)
        describe_edges(state, graph.first[state], graph.seen, self.used, self.transcripts, base, features)
        return base, features
