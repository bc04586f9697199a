"""What the model can point at and what it can call a base.

In: nothing. Out: the enumerations of site types, base contents and transcript regions, and where sites may stand.
A surprise: a site has one index. It is the first base of what follows for TSS, start and donor (first intron base),
and the last base of what ends for acceptor (last intron base), stop (last codon base) and TTS.
"""

from __future__ import annotations

from enum import IntEnum

import numpy as np
import numpy.typing as npt

from transgenic_tools.genome.code import STANDARD, GeneticCode, codons_at, dinucleotides

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


def allowed_sites(codes: npt.NDArray[np.uint8], genetic_code: GeneticCode = STANDARD) -> Mask:
    """Where the sequence allows each site type. Shape (N_SITES, L).

    TSS and TTS may stand at every base. Split start and stop codons are handled by the grammar, not here.
    """
    signals = genetic_code.signals
    allowed = np.zeros((N_SITES, len(codes)), dtype=bool)
    allowed[Site.TSS] = allowed[Site.TTS] = True
    begins, ends = dinucleotides(codes)
    allowed[Site.DONOR] = (signals.donor | signals.rare_donor)[begins]
    allowed[Site.ACCEPTOR] = (signals.acceptor | signals.rare_acceptor)[ends]
    allowed[Site.START] = codons_at(codes, genetic_code.start_codons)
    allowed[Site.STOP, 2:] = codons_at(codes, genetic_code.stop_codons)[:-2]
    return allowed
