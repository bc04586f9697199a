"""Where windows stand that are read together, one behind the other.

In: how many places each has. Out: a `Pack`, of one of few lengths.
Dims: M rows of a pack, P places of one window, S channels of a head.
A surprise: oneDNN compiles a kernel for every new length, which had doubled the time of a trunk, so lengths are padded.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch

from transgenic_tools.model.attention import rotary_angles

Singles = npt.NDArray[np.float32]
Flags = npt.NDArray[np.bool_]


def padded_length(rows: int, *, least: int = 32) -> int:
    """The next of eight lengths an octave, all multiples of `least`, a power of 2."""
    step = max(least, 1 << max(rows.bit_length() - 4, 0))
    return rows + -rows % step


class Angles(NamedTuple):
    """Cosine and sine of the angles of rotary positions, (>= P, S / 2) each."""

    cosine: Singles
    sine: Singles


class Rotary:
    """Cosine and sine of the angles of rotary positions, (>= P, S / 2) each, made longer where they are too short."""

    def __init__(self, size: int) -> None:
        self.size = size
        self._tables: Angles | None = None

    def reach(self, places: int) -> Angles:
        """Both, for at least so many places."""
        tables = self._tables  # threads share this object: what is given is what was looked at
        if tables is None or places > len(tables.cosine):
            cosine, sine = rotary_angles(padded_length(places, least=1024), self.size, device=torch.device("cpu"))
            self._tables = tables = Angles(cosine.numpy(), sine.numpy())
        return tables


@dataclass(frozen=True)
class Pack:
    """Where windows stand in a pack.

    Attributes:
        first: First row of each window.
        places: P of each window.
        keep: (M,) False between windows and behind the last.
        angles: Of rotary positions, for the longest P at least.
        band: Places that a query sees on each side, where these are fewer than its layer would see.
    """

    first: tuple[int, ...]
    places: tuple[int, ...]
    keep: Flags
    angles: Angles
    band: int | None = None


def neighbours(places: Sequence[int], *, most: int, gap: int = 0) -> Iterator[slice]:
    """Windows that are read together: as many, in their order, as `most` rows hold, at least one."""
    begin, used = 0, 0
    for i, n in enumerate(places):
        if i > begin and used + gap + n > most:
            yield slice(begin, i)
            begin, used = i, 0
        used += n + (gap if i > begin else 0)
    if len(places):
        yield slice(begin, len(places))


def filling(places: Sequence[int], *, most: int, gap: int = 0) -> list[int]:
    """The order in which `neighbours` fill packs: the longest first, each in the fullest pack with room for it."""
    packs: list[list[int]] = []
    used: list[int] = []
    for i in sorted(range(len(places)), key=lambda i: (-places[i], i)):
        room = [k for k, rows in enumerate(used) if rows + gap + places[i] <= most]
        if room:
            fullest = max(room, key=used.__getitem__)
            packs[fullest].append(i)
            used[fullest] += gap + places[i]
        else:
            packs.append([i])
            used.append(places[i])
    return [i for pack in packs for i in pack]


def lay_out(places: Sequence[int], rotary: Rotary, *, gap: int = 0, band: int | None = None) -> Pack:
    """Windows of so many places, one behind the other with `gap` rows between."""
    first = np.cumsum([0, *(n + gap for n in places[:-1])]).tolist()
    keep = np.zeros(padded_length(first[-1] + places[-1], least=128), dtype=np.bool_)
    for start, n in zip(first, places, strict=True):
        keep[start : start + n] = True
    return Pack(tuple(first), tuple(places), keep, rotary.reach(max(places)), band)
