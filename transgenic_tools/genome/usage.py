"""How much each transcript and each intron of a gene is used, from counts of reads across introns.

In: a matrix of which transcript has which intron, and counts by intron and condition. Out: expected reads a transcript,
and the share of each intron among those that compete with it.
A surprise: reads that skip a transcript tell of it too: an isoform that keeps an intron in is seen by the reads that
this intron lacks beside its neighbours.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
#: Rounds of the EM, and the change of a share that ends them.
MOST_ROUNDS, SETTLED = 5_000, 1e-7
_EPSILON = 1e-12


def expected_reads(has: npt.NDArray[np.bool_], counts: Floats, *, most_rounds: int = MOST_ROUNDS) -> Floats:
    """Reads that each transcript gives each of its introns: maximum likelihood by expectation maximisation.

    The reads of an intron are Poisson, their mean is the sum over the transcripts that have it (the model of Jiang and
    Wong, Bioinformatics 2009, for introns alone); the rounds are those of Shepp and Vardi (1982). All introns catch
    reads alike. Where several mixtures explain the counts as well, the rounds begin from equal parts and stay nearest
    to them.

    Args:
        has: (J, T), transcript T has intron J; each transcript has one at least.
        counts: (J, C), reads by condition, not negative.
        most_rounds: Fewer are near enough where a share is not to be reported.

    Returns:
        (T, C), not negative; zeros where a condition has no read.
    """
    matrix = has.astype(np.float64)
    introns = matrix.sum(axis=0)[:, None]
    if (introns == 0).any():
        raise ValueError("a transcript without an intron has no reads across one")
    reads = np.repeat(counts.sum(axis=0, keepdims=True), has.shape[1], axis=0) / introns.sum()
    for _ in range(most_rounds):
        ratio = counts / np.maximum(matrix @ reads, _EPSILON)
        after = reads * (matrix.T @ ratio) / introns
        change = np.abs(after - reads).max(axis=0) / np.maximum(after.sum(axis=0), _EPSILON)
        reads = after
        if change.max(initial=0.0) < SETTLED:
            break
    return reads


def shares(reads: Floats) -> Floats:
    """Parts of each column's sum; NaN in a column without reads."""
    total = reads.sum(axis=0, keepdims=True)
    return np.where(total > 0, reads / np.maximum(total, _EPSILON), np.nan)


def determined(has: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """(T,) true where counts can tell a transcript's reads: no mixture of others has the same introns.

    Two transcripts with equal introns are the plainest case of the contrary.
    """
    _, values, rows = np.linalg.svd(has.astype(np.float64), full_matrices=True)
    rank = int((values > 1e-9).sum())
    return np.asarray(np.abs(rows[rank:]).max(axis=0, initial=0.0) < 1e-9)


def intron_shares(ends: Sequence[tuple[int, int]], counts: Floats) -> Floats:
    """Reads of each intron among the reads of all introns that share its donor or its acceptor (PSI).

    The intron Jaccard index of Scheller et al. (2023) without unspliced reads, which counts of introns lack.

    Args:
        ends: Start and end of each, J of them, on one strand.
        counts: (J, C).

    Returns:
        (J, C); NaN where none of the competing introns has a read.
    """
    sums: list[dict[int, Floats]] = [{}, {}]
    for pair, row in zip(ends, counts, strict=True):
        for side, end in zip(sums, pair, strict=True):
            side[end] = side.get(end, np.zeros(counts.shape[1])) + row
    rivals = np.stack([sums[0][a] + sums[1][b] for a, b in ends]) - counts if len(ends) else counts
    return np.where(rivals > 0, counts / np.maximum(rivals, _EPSILON), np.nan)
