"""What a condition (tissue, treatment, expression of RNA-binding proteins) does to the splice sites of a window.

In: base codes, the trunk's features, a sample's inputs. Out: a shift of every donor's and acceptor's score.
Dims: L bases, C channels, K inputs, R ranks, M members of the ensemble, Q k-mers, S sides (donor, acceptor).

    shift[site] = mean over members of sum over r of a[r](site) * b[r](condition)
    a[r](site)  = bias[r] + trunk[r] . features(site) + sum of kmers[r] over the k-mers near it, by bin of distance
    b[r](c)     = inputs[r] . c

(a bilinear layer of low rank; c is normalised over the training samples, so that their mean shifts nothing).
A surprise: all of it is linear in what is near the site, so that for one condition the ranks and members fold into one
table, and a shift costs a few lookups a base, whatever their number.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from transgenic_tools.kernels import kernel
from transgenic_tools.lattice.vocabulary import BASE_CODES

Singles = npt.NDArray[np.float32]

#: A donor's and an acceptor's place in the arrays.
DONOR_SIDE, ACCEPTOR_SIDE, N_SIDES = 0, 1, 2
#: Bases from the splice boundary where k-mers are summed: upstream (negative) and downstream of it.
BINS: tuple[tuple[int, int], ...] = ((-240, -80), (-80, 0), (0, 80), (80, 240))
#: No shift goes beyond it: e^6 is 400 times as likely.
MOST_SHIFT = 6.0


@dataclass(frozen=True, kw_only=True, eq=False)
class ConditionLayer:
    """The weights of the layer.

    Attributes:
        kmers: (M, R, S, bins, Q), Q = 4^k.
        trunk: (M, R, S, C); bias: (M, R, S).
        inputs: (M, R, K).
    """

    kmers: Singles
    trunk: Singles
    bias: Singles
    inputs: Singles

    @property
    def k(self) -> int:
        """Bases of a k-mer."""
        return (self.kmers.shape[-1].bit_length() - 1) // 2

    @property
    def members(self) -> int:
        """Of the ensemble."""
        return len(self.kmers)

    def at(self, values: Singles) -> SiteShift:
        """The layer for one condition: the mean of its members. Values (K,) are normalised, 0 is neutral."""
        return self._folded(self.inputs @ values / np.float32(self.members))

    def member_at(self, values: Singles, member: int) -> SiteShift:
        """One member of it alone."""
        weight = np.zeros(self.inputs.shape[:2], dtype=np.float32)
        weight[member] = self.inputs[member] @ values
        return self._folded(weight)

    def _folded(self, weight: Singles) -> SiteShift:
        return SiteShift(
            k=self.k,
            kmers=np.einsum("mr,mrsbq->sbq", weight, self.kmers),
            trunk=np.einsum("mr,mrsc->sc", weight, self.trunk),
            bias=np.einsum("mr,mrs->s", weight, self.bias),
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class SiteShift:
    """What one condition adds at every base that may be a splice site.

    Attributes:
        kmers: (S, bins, Q); trunk: (S, C); bias: (S,).
    """

    k: int
    kmers: Singles
    trunk: Singles
    bias: Singles

    @cached_property
    def is_zero(self) -> bool:
        """It shifts nothing anywhere."""
        return not (self.kmers.any() or self.trunk.any() or self.bias.any())

    def of(self, codes: npt.NDArray[np.uint8], features: Singles) -> Singles:
        """Shifts (S, L) of a donor and of an acceptor at every base.

        Args:
            codes: (L,); features: (C, L) of the trunk.
        """
        shift = near_kmers(kmer_codes(codes, self.k), self.kmers, self.k)
        shift += self.trunk @ features + self.bias[:, None]
        return np.clip(shift, -MOST_SHIFT, MOST_SHIFT)


@dataclass(frozen=True, kw_only=True, eq=False)
class Condition:
    """A sample as the reader takes it: what it does to splice sites."""

    name: str
    shift: SiteShift

    @cached_property
    def digest(self) -> str:
        """16 hex digits of all that it does."""
        parts = (self.shift.kmers, self.shift.trunk, self.shift.bias)
        return hashlib.sha256(b"".join(np.ascontiguousarray(part).tobytes() for part in parts)).hexdigest()[:16]


@kernel
def kmer_codes(codes, k):  # type: ignore[no-untyped-def]  # pragma: no cover (compiled)
    """(L,) int32 number of the k-mer that starts at each base, -1 where a base of it is unknown or lacks."""
    length = len(codes)
    numbers = np.full(length, -1, dtype=np.int32)
    mask, number, known = (1 << (2 * k)) - 1, 0, 0
    for i in range(length):
        if codes[i] < BASE_CODES - 1:
            number, known = ((number << 2) | codes[i]) & mask, known + 1
        else:
            number, known = 0, 0
        if known >= k:
            numbers[i - k + 1] = number
    return numbers


@kernel
def bin_limits(boundary, bin_start, bin_end, k, length):  # type: ignore[no-untyped-def]  # pragma: no cover
    """First and last (exclusive) start of the k-mers that lie in a bin of a boundary (the first base behind it)."""
    return max(0, boundary + bin_start), min(length, boundary + bin_end - k + 1)


@kernel
def _near(numbers, tables, bins, k):  # type: ignore[no-untyped-def]  # pragma: no cover
    length, sides = len(numbers), tables.shape[0]
    out = np.zeros((sides, length), dtype=np.float32)
    sums = np.zeros(length + 1)
    for side in range(sides):
        for b in range(len(bins)):
            for i in range(length):
                sums[i + 1] = sums[i] + (tables[side, b, numbers[i]] if numbers[i] >= 0 else 0.0)
            for position in range(length):
                low, high = bin_limits(position + side, bins[b, 0], bins[b, 1], k, length)
                if high > low:
                    out[side, position] += sums[high] - sums[low]
    return out


def near_kmers(numbers: npt.NDArray[np.int32], tables: Singles, k: int) -> Singles:
    """(S, L) sums of the tables (S, bins, Q) over the k-mers near each base, as a donor and as an acceptor.

    A donor's index is the first base of its intron and an acceptor's the last, so their boundaries are that base and
    the one behind it.
    """
    shifts: Singles = _near(numbers, tables, np.array(BINS, dtype=np.int64), k)
    return shifts
