"""What the model can point at and what it can call a base.

In: nothing. Out: the enumerations of site types, base contents and transcript regions, and where sites may stand.
A surprise: a site has one index. It is the first base of what follows for TSS, start and donor (first intron base),
and the last base of what ends for acceptor (last intron base), stop (last codon base) and TTS.
"""

from __future__ import annotations

from enum import IntEnum

import numpy as np
import numpy.typing as npt

from transgenic_tools.genome.sequence import UNKNOWN_CODE, encode

VOCABULARY_VERSION = 1
BASE_CODES = 5  # A, C, G, T, unknown
PAD_CODE = 5


class Site(IntEnum):
    """Site types, one logit each at every base."""

    TSS = 0
    START = 1
    DONOR = 2
    ACCEPTOR = 3
    STOP = 4
    TTS = 5


class Content(IntEnum):
    """Content of a base in one transcript."""

    OUTSIDE = 0
    FIVE_PRIME_UTR = 1
    CODING_1 = 2
    CODING_2 = 3
    CODING_3 = 4
    INTRON = 5
    THREE_PRIME_UTR = 6


N_SITES = len(Site)
N_CONTENTS = len(Content)
IGNORE = -100

Mask = npt.NDArray[np.bool_]


def _pairs(codes: npt.NDArray[np.uint8]) -> npt.NDArray[np.int32]:
    """Dinucleotide code `4 * first + second` at every base, -1 at the last base and where a base is unknown."""
    pairs = np.full(len(codes), -1, dtype=np.int32)
    if len(codes) > 1:
        first, second = codes[:-1].astype(np.int32), codes[1:].astype(np.int32)
        pairs[:-1] = np.where((first < UNKNOWN_CODE) & (second < UNKNOWN_CODE), 4 * first + second, -1)
    return pairs


def _code(dinucleotide: str) -> int:
    first, second = encode(dinucleotide)
    return int(4 * first + second)


GT, GC, AT, AG, AC = (_code(pair) for pair in ("GT", "GC", "AT", "AG", "AC"))


def dinucleotides(codes: npt.NDArray[np.uint8]) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32]]:
    """Dinucleotide that begins at, and that ends at, every base. Two arrays of shape (L,), -1 where undefined."""
    begins = _pairs(codes)
    ends = np.full(len(codes), -1, dtype=np.int32)
    ends[1:] = begins[:-1]
    return begins, ends


def allowed_sites(codes: npt.NDArray[np.uint8]) -> Mask:
    """Where the sequence allows each site type. Shape (N_SITES, L).

    Start codons are ATG, stop codons TAA, TAG, TGA, donors GT, GC, AT and acceptors AG, AC; TSS and TTS may stand
    at every base. Split start and stop codons are handled by the grammar, not here.
    """
    length = len(codes)
    allowed = np.zeros((N_SITES, length), dtype=bool)
    allowed[Site.TSS] = allowed[Site.TTS] = True
    begins, ends = dinucleotides(codes)
    allowed[Site.DONOR] = (begins == GT) | (begins == GC) | (begins == AT)
    allowed[Site.ACCEPTOR] = (ends == AG) | (ends == AC)
    if length >= 3:
        a, b, c = codes[:-2], codes[1:-1], codes[2:]
        allowed[Site.START, :-2] = (a == 0) & (b == 3) & (c == 2)
        allowed[Site.STOP, 2:] = stop_codons(codes)[:-2]
    return allowed


def stop_codons(codes: npt.NDArray[np.uint8]) -> Mask:
    """True at the first base of each TAA, TAG, TGA. Shape (L,)."""
    stops = np.zeros(len(codes), dtype=bool)
    if len(codes) >= 3:
        a, b, c = codes[:-2], codes[1:-1], codes[2:]
        stops[:-2] = (a == 3) & (((b == 0) & ((c == 0) | (c == 2))) | ((b == 2) & (c == 0)))
    return stops
