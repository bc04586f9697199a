"""What a genome looks like where its genes are: words, codons, motifs of splice sites, lengths of introns.

In: windows 5' to 3', each with one transcript. Out: a `Profile`, whole numbers that add up, so that order and shares of
the work leave no trace; and how far two of them lie apart, aspect by aspect.
Dims: L bases, R distributions, K outcomes of each.
A surprise: the distance is the square root of the Jensen-Shannon divergence (Lin 1991; in bits, so at most 1), less
what two samples of so few counts from one distribution differ by in the mean, (K - 1) / (8 ln 2) (1/m + 1/n).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from transgenic_tools.genome.gene import Transcript
from transgenic_tools.genome.sequence import UNKNOWN_CODE

Codes = npt.NDArray[np.uint8]
Ints = npt.NDArray[np.int64]
#: Bases on the exon's and on the intron's side of a donor, and on the intron's and the exon's side of an acceptor.
_DONOR, _ACCEPTOR = (3, 6), (15, 3)
#: Bases beside the CDS, so few that windows with short flanks have them too.
BESIDE = 50
#: Introns are counted by halves of a power of two, from 16 bases on.
_FIRST_BIN, _BINS = 8, 24
#: Aspects and the shape (R, K) of their counts.
ASPECTS: Mapping[str, tuple[int, int]] = {
    "composition": (1, 64),  # words of three bases in introns, and beside the CDS
    "codons": (1, 64),
    "splice_motifs": (sum(_DONOR) + sum(_ACCEPTOR), 4),
    "intron_lengths": (1, _BINS),
}


def count_words(codes: Codes, usable: npt.NDArray[np.bool_]) -> Ints:
    """Counts (64,) of words of three usable bases."""
    if len(codes) < 3:
        return np.zeros(64, dtype=np.int64)
    wide = codes.astype(np.int64)
    numbers = wide[:-2] * 16 + wide[1:-1] * 4 + wide[2:]
    return np.bincount(numbers[usable[:-2] & usable[1:-1] & usable[2:]], minlength=64)


def _codons(codes: Codes, transcript: Transcript) -> Ints:
    coding = np.concatenate([codes[part.start : part.end] for part in transcript.cds])[transcript.first_phase :]
    triplets = coding[: len(coding) // 3 * 3].reshape(-1, 3).astype(np.int64)
    triplets = triplets[(triplets < UNKNOWN_CODE).all(1)]
    return np.bincount(triplets @ np.array([16, 4, 1]), minlength=64)


def _motifs(codes: Codes, transcript: Transcript) -> Ints:
    """Counts of bases at each place around donors and acceptors; introns too near an end of the window are left out."""
    places = [
        np.concatenate([
            np.arange(intron.start - _DONOR[0], intron.start + _DONOR[1]),
            np.arange(intron.end - _ACCEPTOR[0], intron.end + _ACCEPTOR[1]),
        ])
        for intron in transcript.introns
        if intron.start >= _DONOR[0] and intron.end + _ACCEPTOR[1] <= len(codes) and len(intron) >= _ACCEPTOR[0]
    ]  # fmt: skip
    rows, columns = ASPECTS["splice_motifs"]
    if not places:
        return np.zeros((rows, columns), dtype=np.int64)
    bases = codes[np.array(places)]
    return np.stack([(bases == base).sum(0) for base in range(columns)], axis=1)


def _lengths(transcript: Transcript) -> Ints:
    bins = [math.floor(2 * math.log2(len(intron))) - _FIRST_BIN for intron in transcript.introns]
    return np.bincount(np.clip(bins, 0, _BINS - 1).astype(np.int64), minlength=_BINS)


@dataclass(frozen=True, eq=False)
class Profile:
    """Counts by aspect, of the shapes in `ASPECTS`."""

    counts: Mapping[str, Ints]

    @classmethod
    def none(cls) -> Profile:
        return cls({name: np.zeros(shape, dtype=np.int64) for name, shape in ASPECTS.items()})

    @classmethod
    def of(cls, codes: Codes, transcript: Transcript) -> Profile:
        """Of one gene: base codes (L,) of its window, 5' to 3', and a transcript in its coordinates."""
        around = slice(max(0, transcript.cds[0].start - BESIDE), transcript.cds[-1].end + BESIDE)
        noncoding = codes < UNKNOWN_CODE
        for part in transcript.cds:
            noncoding[part.start : part.end] = False
        return cls({
            "composition": count_words(codes[around], noncoding[around])[None],
            "codons": _codons(codes, transcript)[None],
            "splice_motifs": _motifs(codes, transcript),
            "intron_lengths": _lengths(transcript)[None],
        })  # fmt: skip

    @classmethod
    def total(cls, parts: Iterable[Profile]) -> Profile:
        together = cls.none()
        for part in parts:
            for name, counts in together.counts.items():
                counts += part.counts[name]
        return together

    def apart(self, other: Profile) -> dict[str, float]:
        """Distance from another by aspect, 0 to 1; 0 where either has counted nothing."""
        return {name: _apart(counts, other.counts[name]) for name, counts in self.counts.items()}

    def to_json(self) -> dict[str, Any]:
        return {name: counts.tolist() for name, counts in self.counts.items()}

    @classmethod
    def from_json(cls, saved: Any) -> Profile:
        """Raises ValueError where it is none."""
        if not isinstance(saved, Mapping) or set(saved) != set(ASPECTS):
            raise ValueError(f"a profile has {', '.join(ASPECTS)}")
        counts = {}
        for name, shape in ASPECTS.items():
            values = np.array(saved[name])
            if values.shape != shape or values.dtype.kind != "i" or (values < 0).any():
                raise ValueError(f"{name} is no table of {shape[0]} by {shape[1]} counts")
            counts[name] = values.astype(np.int64)
        return cls(counts)


def _entropy(p: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """In bits, of each row."""
    return -np.where(p > 0, p * np.log2(np.where(p > 0, p, 1.0)), 0.0).sum(1)


def _apart(mine: Ints, theirs: Ints) -> float:
    m, n = (counts.sum(1) for counts in (mine, theirs))
    seen = (m > 0) & (n > 0)
    if not seen.any():
        return 0.0
    m, n = m[seen], n[seen]
    p, q = mine[seen] / m[:, None], theirs[seen] / n[:, None]
    divergence = _entropy((p + q) / 2) - (_entropy(p) + _entropy(q)) / 2
    outcomes = ((mine[seen] > 0) | (theirs[seen] > 0)).sum(1)
    by_chance = (outcomes - 1) / (8 * math.log(2)) * (1 / m + 1 / n)
    return math.sqrt(max(0.0, float((divergence - by_chance).mean())))
