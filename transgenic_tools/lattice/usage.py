"""How often a graph takes each intron, and what changes between two of them.

In: graphs of one window, each in another condition. Out: `Usage`s, and the events between two as `Difference`s.
A surprise: usage is the share of the graph's own probability, over all valid transcripts of the window, so it says what
the model believes, whether reads were seen or not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from transgenic_tools.lattice.grammar import IS_DONOR, Kind
from transgenic_tools.lattice.graph import Graph, edge_shares

#: Introns of a window, as first and last base, with their shares.
Usage = Mapping[tuple[int, int], float]
#: The rival of an intron takes or gives so much of what the intron gives or takes.
_RIVAL = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One intron whose usage differs between two conditions.

    Attributes:
        event: `exon_skipping`, `alternative_5ss`, `alternative_3ss`, `intron_retention`, or `several`.
        donor, acceptor: First and last base of the intron in the window.
        usage, against: In the condition, and in the one that it is held against.
        deviation: Standard deviation of the difference over the members of the layer; None of one member.
    """

    event: str
    donor: int
    acceptor: int
    usage: float
    against: float
    deviation: float | None

    @property
    def delta(self) -> float:
        return self.usage - self.against


def _usage(graph: Graph, *, introns: bool) -> dict[tuple[int, int], float]:
    shares = edge_shares(graph.first, graph.target, graph.score, graph.beta)
    source = np.repeat(np.arange(graph.n_states), np.diff(graph.first))
    begins, ends = graph.kind[source], graph.kind[graph.target]
    wanted = IS_DONOR[begins] if introns else ~IS_DONOR[begins] & (begins != Kind.BEGIN) & (ends != Kind.END)
    edges = np.flatnonzero(wanted & (shares > 0.0))
    usage: dict[tuple[int, int], float] = {}
    first, last = graph.position[source[edges]], graph.position[graph.target[edges]]
    for start, end, share in zip(first.tolist(), last.tolist(), shares[edges].tolist(), strict=True):
        usage[start, end] = usage.get((start, end), 0.0) + share
    return usage


def intron_usage(graph: Graph, *, least: float = 0.0) -> dict[tuple[int, int], float]:
    """Share of each intron over all paths of a graph, where it is `least` at least."""
    return {intron: share for intron, share in _usage(graph, introns=True).items() if share >= least}


def stretch_usage(graph: Graph) -> dict[tuple[int, int], float]:
    """Share of each stretch of exon between two sites, by their positions; START and STOP cut an exon in two."""
    return _usage(graph, introns=False)


def _overlap(one: tuple[int, int], other: tuple[int, int]) -> bool:
    return one[0] <= other[1] and other[0] <= one[1]


def _event(intron: tuple[int, int], deltas: Mapping[tuple[int, int], float]) -> str:
    """What an intron's change belongs to, told by the overlapping intron that changes most against it."""
    change = deltas[intron]
    rivals = [
        (abs(delta), other)
        for other, delta in deltas.items()
        if other != intron and delta * change < 0 and _overlap(intron, other)
    ]
    strength, rival = max(rivals, default=(0.0, intron))
    if strength < _RIVAL * abs(change):
        return "intron_retention"
    (short, long) = sorted((intron, rival), key=lambda one: one[1] - one[0])
    inside = [
        other
        for other, delta in deltas.items()
        if other not in (short, long)
        and delta * deltas[long] < 0
        and long[0] <= other[0]
        and other[1] <= long[1]
        and not _overlap(other, short)
    ]
    if short[0] == long[0]:
        return "exon_skipping" if any(other[1] == long[1] for other in inside) else "alternative_3ss"
    if short[1] == long[1]:
        return "exon_skipping" if any(other[0] == long[0] for other in inside) else "alternative_5ss"
    return "several"


def differences(
    usage: Usage, against: Usage, members: Sequence[tuple[Usage, Usage]] = (), *, least: float
) -> list[Difference]:
    """Introns whose usage differs by `least` or more, by place.

    Args:
        members: The same two usages by each member of the layer; two or more give a deviation.
    """
    introns = sorted({*usage, *against})
    deltas = {intron: usage.get(intron, 0.0) - against.get(intron, 0.0) for intron in introns}
    found = []
    for intron in introns:
        if abs(deltas[intron]) < least:
            continue
        spread = [one.get(intron, 0.0) - other.get(intron, 0.0) for one, other in members]
        found.append(
            Difference(
                event=_event(intron, deltas),
                donor=intron[0],
                acceptor=intron[1],
                usage=usage.get(intron, 0.0),
                against=against.get(intron, 0.0),
                deviation=float(np.std(spread, ddof=1)) if len(spread) > 1 else None,
            )
        )
    return found
