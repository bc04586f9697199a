"""What reads say about the edges of a graph.

In: a `Graph` and the junctions of its window. Out: numbers for each edge (M, N_EVIDENCE), and the graph with their
weighted sum added to its scores.
Dims: N states, M edges, J junctions.
A surprise: only what competes is judged. An intron without reads loses where another one with reads shares its donor or
acceptor, or where its surroundings are read; a window without junctions keeps its scores to the bit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from transgenic_tools.kernels import kernel
from transgenic_tools.lattice.evidence import WindowEvidence
from transgenic_tools.lattice.grammar import ACCEPTOR_KINDS, IS_DONOR, Kind
from transgenic_tools.lattice.graph import Graph, backward
from transgenic_tools.lattice.paths import best

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

#: Numbers of an edge, by name; an intron without reads is one that no junction equals.
EVIDENCE_FEATURES = (
    "intron_shown",  # 1
    "intron_reads",  # log(1 + reads)
    "intron_share",  # log of its share of the strongest junction at its donor or acceptor, itself included; at most 0
    "intron_level",  # log of its share of the strongest junction of the window; at most 0
    "intron_inputs",  # log(1 + inputs that show it)
    "rival_reads",  # of an intron without reads: log(1 + reads) of the strongest junction at its donor or acceptor
    "nearby_reads",  # of one without rivals: log(1 + reads) of the strongest junction within NEARBY bases
    "exon_over_intron",  # log(1 + reads) of the strongest junction inside an exon
    "exon_of_chain",  # log(1 + chains) that hold an exon between two of their introns
    # where unspliced reads are counted, at the end of a junction where they speak most against the edge:
    "intron_spliced_share",  # of an intron that reads show: log of the share that is spliced there; at most 0
    "exon_unspliced_share",  # of an exon that goes on over junctions' ends: log of the share that does so; at most 0
    "exon_unspliced_reads",  # log(1 + reads) that do
)
N_EVIDENCE = len(EVIDENCE_FEATURES)
#: Bases on either side of an intron in which junctions show that the region is read.
NEARBY = 1_000
(
    _SHOWN, _READS, _SHARE, _LEVEL, _INPUTS, RIVAL_READS, NEARBY_READS, _OVER, _CHAIN, SPLICED_SHARE, UNSPLICED_SHARE,
    _UNSPLICED_READS,
) = range(N_EVIDENCE)  # fmt: skip
#: Bases of an exon on either side of a junction's end, without which no read can go through; as `tg-evidence` counts.
ANCHOR = 8
#: Counts along a gene that are as uneven as this are not believed, from so many reads on. Chosen on validation genes:
#: 3 of 185 are with their own reads, 80 with reads exchanged at random; none of 27 genes is with TAIR's.
UNEVEN, FEWEST_READS = 0.8, 8.0
#: Kinds whose segments are exons, and those whose segments begin, or end, behind the site's base.
_IS_EXON = np.array([kind in (Kind.TSS, Kind.START, Kind.STOP) or kind in ACCEPTOR_KINDS for kind in Kind])
_IS_ACCEPTOR = np.array([kind in ACCEPTOR_KINDS for kind in Kind])
_BEGINS_BEHIND = np.array([kind == Kind.STOP or kind in ACCEPTOR_KINDS for kind in Kind])
_ENDS_BEHIND = np.array([kind in (Kind.STOP, Kind.TTS) or kind in ACCEPTOR_KINDS for kind in Kind])


@dataclass(frozen=True, kw_only=True)
class Ends:
    """Ends of a window's junctions at which unspliced reads are counted; P of them, sorted.

    Attributes:
        place: (P,) boundary before the base of that number.
        unspliced: (P,) reads that go on through it, weighted.
        spliced: (P,) reads of all junctions that end there.
    """

    place: Ints
    unspliced: Floats
    spliced: Floats

    @property
    def unspliced_share(self) -> Floats:
        """(P,) log of the share of reads that go on, with one read more on that side; at most 0."""
        return np.log((self.unspliced + 1.0) / (self.unspliced + self.spliced + 1.0))


def ends_of(evidence: WindowEvidence) -> Ends:
    """Ends of all junctions; none where no input counts unspliced reads."""
    if evidence.unspliced is None:
        return Ends(place=np.zeros(0, np.int64), unspliced=np.zeros(0), spliced=np.zeros(0))
    place, first, number = np.unique(
        np.concatenate([evidence.start, evidence.end]), return_index=True, return_inverse=True
    )
    spliced = np.bincount(number, np.tile(evidence.reads, 2), minlength=len(place)).astype(np.float64)
    return Ends(place=place, unspliced=evidence.unspliced.ravel()[first], spliced=spliced)


@dataclass(frozen=True, kw_only=True)
class Support:
    """What reads say about a graph whose scores they have changed.

    Attributes:
        evidence: The window's junctions.
        ends: Their ends with the reads that go on unspliced.
        numbers: (M, N_EVIDENCE) of every edge.
        junction: (M,) junction that an edge is, -1 for none.
        through: (M, 2) of `ends`, the first that an exon goes on through and the first behind it; equal for none.
        plain: The graph as DNA alone has it, with the same states and edges.
        uneven, elsewhere: What the functions of these names say of the best path from DNA alone.
    """

    evidence: WindowEvidence
    ends: Ends
    numbers: Floats
    junction: Ints
    through: Ints
    plain: Graph
    uneven: float
    elsewhere: float


def strongest_at(place: Ints, reads: Floats) -> Floats:
    """Reads of the strongest junction at the same place. Shape (J,)."""
    places, number = np.unique(place, return_inverse=True)
    strongest = np.zeros(len(places))
    np.maximum.at(strongest, number, reads)
    return strongest[number]


@kernel
def _find(starts, ends, start, end):  # type: ignore[no-untyped-def]  # pragma: no cover (compiled)
    """Index of an interval among sorted ones, -1 where it is none of them."""
    at = np.searchsorted(starts, start)
    while at < len(starts) and starts[at] == start:
        if ends[at] == end:
            return at
        at += 1
    return -1


@kernel
def _most_inside(starts, ends, reads, start, end):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Reads of the strongest junction that lies inside `[start, end)` whole."""
    most = 0.0
    at = np.searchsorted(starts, start)
    while at < len(starts) and starts[at] < end:
        if ends[at] <= end:
            most = max(most, reads[at])
        at += 1
    return most


@kernel
def _most_at(places, most, place):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Reads of the strongest junction at a place, 0 where there is none. `places` are sorted."""
    at = np.searchsorted(places, place)
    return most[at] if at < len(places) and places[at] == place else 0.0


@kernel
def _describe(kind, position, first, target, junctions, rivals, exons, through, found):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Fill the three arrays of `found`; the tuples hold arrays in the order of `edge_evidence`."""
    starts, ends, reads, inputs, share, level, spliced = junctions
    donors, donor_most, acceptors, acceptor_most = rivals
    exon_starts, exon_ends, exon_chains = exons
    places, unspliced, unspliced_share = through
    out, junction_of, through_of = found
    last = len(kind) - 1
    for state in range(last):
        k = kind[state]
        begin = position[state] + (1 if _BEGINS_BEHIND[k] else 0)
        for edge in range(first[state], first[state + 1]):
            to = target[edge]
            end = position[to] + (1 if _ENDS_BEHIND[kind[to]] else 0)
            row = out[edge]
            if IS_DONOR[k]:
                at = _find(starts, ends, begin, end)
                junction_of[edge] = at
                if at >= 0:
                    row[_SHOWN] = 1.0
                    row[_READS] = np.log1p(reads[at])
                    row[_SHARE] = share[at]
                    row[_LEVEL] = level[at]
                    row[_INPUTS] = np.log1p(inputs[at])
                    row[SPLICED_SHARE] = spliced[at]
                    continue
                rival = max(_most_at(donors, donor_most, begin), _most_at(acceptors, acceptor_most, end))
                if rival > 0:
                    row[RIVAL_READS] = np.log1p(rival)
                else:
                    row[NEARBY_READS] = np.log1p(_most_inside(starts, ends, reads, begin - NEARBY, end + NEARBY))
            elif _IS_EXON[k] and to != last:
                row[_OVER] = np.log1p(_most_inside(starts, ends, reads, begin, end))
                at = _find(exon_starts, exon_ends, begin, end)
                if at >= 0:
                    row[_CHAIN] = np.log1p(exon_chains[at])
                low = np.searchsorted(places, begin + (ANCHOR if _IS_ACCEPTOR[k] else 1))
                high = np.searchsorted(places, end - (ANCHOR if IS_DONOR[kind[to]] else 1) + 1)
                through_of[edge, 0], through_of[edge, 1] = low, max(low, high)
                for place in range(low, high):
                    if unspliced_share[place] < row[UNSPLICED_SHARE]:
                        row[UNSPLICED_SHARE] = unspliced_share[place]
                        row[_UNSPLICED_READS] = np.log1p(unspliced[place])


def _by_place(place: Ints, strongest: Floats) -> tuple[Ints, Floats]:
    places, index = np.unique(place, return_index=True)
    return places, strongest[index]


def _spliced_share(evidence: WindowEvidence) -> Floats:
    """(J,) log of the share of reads that are spliced, at the end where it is least; 0 where none are counted."""
    if evidence.unspliced is None:
        return np.zeros(len(evidence))
    return np.log((evidence.reads + 1.0) / (evidence.reads + evidence.unspliced.max(axis=0) + 1.0))


def edge_evidence(graph: Graph, evidence: WindowEvidence, ends: Ends) -> tuple[Floats, Ints, Ints]:
    """`numbers`, `junction` and `through` of `Support`; columns of the first as in `EVIDENCE_FEATURES`."""
    at_donor = strongest_at(evidence.start, evidence.reads)
    at_acceptor = strongest_at(evidence.end, evidence.reads)
    share = np.log((evidence.reads + 1.0) / (np.maximum(at_donor, at_acceptor) + 1.0))
    level = np.log((evidence.reads + 1.0) / (evidence.reads.max(initial=0.0) + 1.0))
    out, junction_of = np.zeros((graph.n_edges, N_EVIDENCE)), np.full(graph.n_edges, -1, dtype=np.int64)
    through_of = np.zeros((graph.n_edges, 2), dtype=np.int64)
    _describe(
        graph.kind,
        graph.position,
        graph.first,
        graph.target,
        (evidence.start, evidence.end, evidence.reads, evidence.inputs, share, level, _spliced_share(evidence)),
        (*_by_place(evidence.start, at_donor), *_by_place(evidence.end, at_acceptor)),
        (evidence.exon_start, evidence.exon_end, evidence.exon_chains),
        (ends.place, ends.unspliced, ends.unspliced_share),
        (out, junction_of, through_of),
    )
    return out, junction_of, through_of


def junctions_of_best(plain: Graph, junction: Ints) -> list[int]:
    """Junctions along the best path from DNA alone.

    Args:
        junction: (M,) as in `Support`.
    """
    return [at for at in junction[list(best(plain).edges)].tolist() if at >= 0]


def elsewhere(reads: Floats, on_best: Sequence[int]) -> float:
    """Log of the strongest junction beside the best path over the median of those along it, with one read more each."""
    beside = np.delete(reads, on_best).max(initial=0.0)
    return float(np.log1p(beside) - np.log1p(np.median(reads[on_best]) if len(on_best) else 0.0))


def uneven(counts: Sequence[float]) -> float:
    """Variance of reads along the introns of a path, over their squared mean, beyond Poisson's.

    Counts of one transcript are about the same; counts that belong to other introns are told by this. Introns without
    reads say nothing of it: there DNA may be wrong. 0 where too few reads say anything.
    """
    if len(counts) < 2 or sum(counts) < FEWEST_READS:
        return 0.0
    mean = sum(counts) / len(counts)
    return max(float(np.var(counts, ddof=1)) / mean**2 - 1.0 / mean, 0.0)


def with_evidence(graph: Graph, evidence: WindowEvidence, weights: Sequence[float]) -> tuple[Graph, Support] | None:
    """The graph with evidence in its scores, and what was added to them; None where counts contradict each other.

    Args:
        weights: (N_EVIDENCE,), as fitted.
    """
    ends = ends_of(evidence)
    numbers, junction, through = edge_evidence(graph, evidence, ends)
    on_best = junctions_of_best(graph, junction)
    unevenness = uneven(evidence.reads[on_best].tolist())
    if unevenness > UNEVEN:
        return None
    score = graph.score + numbers @ np.array(weights, dtype=np.float64)
    guided = replace(graph, score=score, beta=backward(graph.first, graph.target, score))
    support = Support(
        evidence=evidence, ends=ends, numbers=numbers, junction=junction, through=through, plain=graph,
        uneven=unevenness, elsewhere=elsewhere(evidence.reads, on_best),
    )  # fmt: skip
    return guided, support
