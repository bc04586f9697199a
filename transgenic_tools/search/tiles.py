"""A genome in tiles: what the network reads at once, and which part of that counts.

In: lengths of sequences. Out: tiles on a grid that begins with each sequence, and the scores of any stretch.
A surprise: the grid hangs on the sequence alone, so a base is always read in the same tile, whichever task reads it.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from transgenic_tools.genome.interval import Interval, Strand
from transgenic_tools.lattice.carrying import DenseScores
from transgenic_tools.lattice.vocabulary import N_CONTENTS, N_SITES
from transgenic_tools.model.head import BaseScores

Codes = npt.NDArray[np.uint8]
Scores = npt.NDArray[np.float32]
Features = npt.NDArray[np.float16]
#: Bases of a tile that count, and bases read beside them on either side, rounded up to whole patches: together with
#: patches of 18 bases they fill a padded length (`fast.pack`), and the margins cost a twentieth.
TILE, MARGIN = 123_000, 3_000
#: Tiles whose scores are kept: those of two pieces' common bases, and the one that is read.
KEPT = 3


@dataclass(frozen=True, slots=True)
class Tile:
    """A stretch that is read at once.

    Attributes:
        inner: What counts; the inner parts of a sequence's tiles follow each other without gaps.
        read: The inner part with its margins, clipped to the sequence; begins at a multiple of the patch.
    """

    inner: Interval
    read: Interval


def tile_of(number: int, length: int, patch: int) -> Tile:
    """The tile of that number of a sequence of `length` bases."""
    inner, margin = TILE // patch * patch, -(-MARGIN // patch) * patch
    start = number * inner
    end = min(start + inner, length)
    return Tile(Interval(start, end), Interval(max(0, start - margin), min(end + margin, length)))


def tiles_over(stretch: Interval, length: int, patch: int) -> Iterator[tuple[int, Tile]]:
    """Tiles whose inner parts share bases with a stretch, with their numbers."""
    inner = TILE // patch * patch
    for number in range(stretch.start // inner, -(-stretch.end // inner)):
        yield number, tile_of(number, length, patch)


@dataclass(frozen=True, slots=True)
class BothStrands:
    """Scores of a stretch of L bases in the order of the sequence.

    Attributes:
        sites: (2, N_SITES, L) float32 logits, forward and reverse strand.
        contents: (2, N_CONTENTS, L) float32 log-probabilities.
        features: (2, L, C) float16, what a decoder looks at; None where nobody asked for them.
    """

    sites: Scores
    contents: Scores
    features: Features | None = None

    def of_strand(self, strand: Strand, bases: slice) -> DenseScores:
        """Some bases, 5' to 3' on a strand.

        Raises:
            ValueError: nobody asked for features.
        """
        if self.features is None:
            raise ValueError("scores without features")
        side, step = (0, 1) if strand == "+" else (1, -1)
        return DenseScores(
            sites=self.sites[side][:, bases][:, ::step],
            contents=self.contents[side][:, bases][:, ::step],
            features=self.features[side][bases][::step],
        )


class TileReader:
    """Scores of stretches of one sequence, each tile read once while it is needed.

    Args:
        codes_of: From an interval of the sequence to its base codes.
        read: From base codes (L,) to their scores.
        patch: Bases that the network joins.
        channels: Of the features that `read` gives, 0 where it gives none.
    """

    def __init__(
        self,
        length: int,
        codes_of: Callable[[Interval], Codes],
        read: Callable[[Codes], BothStrands],
        *,
        patch: int,
        channels: int = 0,
    ) -> None:
        self.length, self.codes_of, self.read, self.patch, self.channels = length, codes_of, read, patch, channels
        self._kept: OrderedDict[int, BothStrands] = OrderedDict()

    def _tile(self, number: int, tile: Tile) -> BothStrands:
        if number not in self._kept:
            codes = self.codes_of(tile.read)
            inner = slice(tile.inner.start - tile.read.start, tile.inner.end - tile.read.start)
            if (codes[inner] >= 4).all():
                self._kept[number] = _nothing(len(tile.inner), self.channels)
            else:
                scores = self.read(codes)
                features = None if scores.features is None else scores.features[:, inner]
                self._kept[number] = BothStrands(scores.sites[..., inner], scores.contents[..., inner], features)
            while len(self._kept) > KEPT:
                self._kept.popitem(last=False)
        self._kept.move_to_end(number)
        return self._kept[number]

    def stretch(self, stretch: Interval) -> BothStrands:
        """Scores of `[start, end)`."""
        sites = np.empty((2, N_SITES, len(stretch)), dtype=np.float32)
        contents = np.empty((2, N_CONTENTS, len(stretch)), dtype=np.float32)
        features = np.empty((2, len(stretch), self.channels), dtype=np.float16) if self.channels else None
        for number, tile in tiles_over(stretch, self.length, self.patch):
            scores = self._tile(number, tile)
            shared = tile.inner.intersect(stretch)
            assert shared is not None
            own = slice(shared.start - tile.inner.start, shared.end - tile.inner.start)
            there = slice(shared.start - stretch.start, shared.end - stretch.start)
            sites[..., there], contents[..., there] = scores.sites[..., own], scores.contents[..., own]
            if features is not None and scores.features is not None:
                features[:, there] = scores.features[:, own]
        return BothStrands(sites, contents, features)


def both_strands(forward: BaseScores, reverse: BaseScores, *, features: bool = False) -> BothStrands:
    """Scores of one window as the network gives them, batches of one; with features where asked."""
    pair = (forward, reverse)
    return BothStrands(
        np.stack([scores.sites[0].float().cpu().numpy() for scores in pair]),
        np.stack([scores.contents[0].float().log_softmax(0).cpu().numpy() for scores in pair]),
        np.stack([scores.features[0].t().half().cpu().numpy() for scores in pair]) if features else None,
    )


def _nothing(length: int, channels: int) -> BothStrands:
    """Scores of unknown bases: surely outside of genes."""
    contents = np.full((2, N_CONTENTS, length), -20.0, dtype=np.float32)
    contents[:, 0] = 0.0
    features = np.zeros((2, length, channels), dtype=np.float16) if channels else None
    return BothStrands(np.full((2, N_SITES, length), -20.0, dtype=np.float32), contents, features)
