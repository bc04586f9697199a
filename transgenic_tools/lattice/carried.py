"""What a network said of a window, at the places alone that the graph of its transcripts can use.

In: bytes, or what `carrying` takes from the scores of all bases. Out: `CarriedScores`: candidates, and logits, features
and sums of contents there, small enough to travel with the window; as bytes, and back.
Dims: L bases of the window, K places, B bounds of segments, C channels.
A surprise: between two bounds only the sum of the contents is kept, in single precision, and features are halved, so a
graph made from these is that of all scores to rounding; whoever carries scores always goes through the bytes.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from transgenic_tools.lattice.scoring import Sums
from transgenic_tools.lattice.vocabulary import N_SITES

Singles = npt.NDArray[np.float32]
#: Rows of `Sums` one below the other.
_SUMS = 7
#: Mark and version of the bytes, who made them, L, K, B, C.
_HEADER = struct.Struct("<4s16s4I")
_MARK = b"tgc1"


@dataclass(frozen=True, kw_only=True)
class CarriedScores:
    """Scores of one window.

    Attributes:
        made_by: 16 letters for the network, its grammar and its precision.
        length: L.
        places: (K,) int32, rising.
        kinds: (K,) uint8 bits, see `carrying`.
        logits: (N_SITES, K) float32.
        features: (K, C) float16.
        bounds: (B,) int32, rising, from 0 to L.
        sums: (7, B - 1) float32, contents between neighbouring bounds: outside, five, coding by frame, intron, three.
    """

    made_by: str
    length: int
    places: npt.NDArray[np.int32]
    kinds: npt.NDArray[np.uint8]
    logits: Singles
    features: npt.NDArray[np.float16]
    bounds: npt.NDArray[np.int32]
    sums: Singles

    def to_bytes(self) -> bytes:
        """Little-endian, the arrays one behind the other."""
        sizes = (self.length, len(self.places), len(self.bounds), self.features.shape[1])
        arrays = (self.places, self.kinds, self.logits, self.features, self.bounds, self.sums)
        header = _HEADER.pack(_MARK, self.made_by.encode("ascii"), *sizes)
        return b"".join((header, *(np.ascontiguousarray(array).tobytes() for array in arrays)))

    @classmethod
    def from_bytes(cls, data: bytes) -> CarriedScores:
        """Inverse of `to_bytes`.

        Raises:
            ValueError: the bytes are of something else, or damaged.
        """
        if len(data) < _HEADER.size or data[:4] != _MARK:
            raise ValueError("no scores of a scan, or of another version")
        _, made_by, length, k, b, channels = _HEADER.unpack_from(data)
        shapes = (("<i4", (k,)), ("u1", (k,)), ("<f4", (N_SITES, k)), ("<f2", (k, channels)), ("<i4", (b,)),
                  ("<f4", (_SUMS, max(b - 1, 0))))  # fmt: skip
        sizes = [np.dtype(kind).itemsize * int(np.prod(shape)) for kind, shape in shapes]
        if len(data) != _HEADER.size + sum(sizes):
            raise ValueError(f"{len(data)} bytes of scores, {_HEADER.size + sum(sizes)} were announced")
        arrays, at = [], _HEADER.size
        for (kind, shape), size in zip(shapes, sizes, strict=True):
            arrays.append(np.frombuffer(data, kind, count=int(np.prod(shape)), offset=at).reshape(shape))
            at += size
        places, kinds, logits, features, bounds, sums = arrays
        if not _rises(places, 0, length - 1) or not _rises(bounds, 0, length) or b < 2:
            raise ValueError("places of scores leave their window, or are in disorder")
        if not all(np.isfinite(array).all() for array in (logits, features, sums)):
            raise ValueError("a score is no number")
        return cls(
            made_by=made_by.decode("ascii", "replace"), length=length, places=places, kinds=kinds, logits=logits,
            features=features, bounds=bounds, sums=sums,
        )  # fmt: skip

    def of_kind(self, bit: int) -> npt.NDArray[np.int64]:
        """Places that have a bit."""
        chosen: npt.NDArray[np.int64] = self.places[(self.kinds & bit) != 0].astype(np.int64)
        return chosen

    def site_logits(self) -> Singles:
        """(N_SITES, L), 0 where nothing was carried, which no state of the graph looks at."""
        dense = np.zeros((N_SITES, self.length), dtype=np.float32)
        dense[:, self.places] = self.logits
        return dense

    def content_sums(self) -> Sums:
        """Sums from the left, right at the bounds alone, where every segment begins and ends."""
        dense = np.zeros((_SUMS, self.length + 1))
        dense[:, self.bounds[1:]] = np.cumsum(self.sums, axis=1, dtype=np.float64)
        return Sums(outside=dense[0], five=dense[1], coding=dense[2:5], intron=dense[5], three=dense[6])

    def features_at(self, positions: npt.NDArray[np.int64]) -> Singles:
        """(S, C) float32; every position is one of the places."""
        rows: Singles = self.features[np.searchsorted(self.places, positions)].astype(np.float32)
        return rows


def _rises(values: npt.NDArray[np.int32], least: int, most: int) -> bool:
    return not len(values) or (values[0] >= least and values[-1] <= most and bool((np.diff(values) > 0).all()))
