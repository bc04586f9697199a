"""DNA as text: complement, codons, translation, integer codes.

In: `str` over the IUPAC alphabet, any case. Out: `str` or `numpy.uint8` arrays.
A surprise: soft-masking carries no meaning here; everything is upper-cased, and every letter but A, C, G, T is
code 4 (unknown).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

IUPAC = "ACGTRYSWKMBDHVN"
_COMPLEMENT = str.maketrans("ACGTRYSWKMBDHVNacgtryswkmbdhvnUu", "TGCAYRSWMKVHDBNtgcayrswmkvhdbnAa")
COMPLEMENT_BYTES = bytes.maketrans(b"ACGTRYSWKMBDHVNacgtryswkmbdhvnUu", b"TGCAYRSWMKVHDBNtgcayrswmkvhdbnAa")
START_CODON = "ATG"
STOP_CODONS = ("TAA", "TAG", "TGA")
DONORS = ("GT", "GC", "AT")
#: (donor, acceptor) pairs of introns that the model may write.
SPLICE_PAIRS = (("GT", "AG"), ("GC", "AG"), ("AT", "AC"))
UNKNOWN_CODE = 4

_CODES = np.full(256, UNKNOWN_CODE, dtype=np.uint8)
for _code, _letters in enumerate(("Aa", "Cc", "Gg", "TtUu")):
    for _letter in _letters:
        _CODES[ord(_letter)] = _code

_BASES = "TCAG"
_AMINO = "FFLLSSSSYY**CC*WLLLLPPPPHHQQRRRRIIIMTTTTNNKKSSRRVVVVAAAADDEEGGGG"
#: NCBI translation table 1.
CODON_TABLE = {
    a + b + c: _AMINO[16 * i + 4 * j + k]
    for i, a in enumerate(_BASES)
    for j, b in enumerate(_BASES)
    for k, c in enumerate(_BASES)
}


def reverse_complement(sequence: str) -> str:
    """The other strand, 5' to 3'; IUPAC letters are complemented, case is kept."""
    return sequence.translate(_COMPLEMENT)[::-1]


def encode(sequence: str) -> npt.NDArray[np.uint8]:
    """Codes A0 C1 G2 T3, all else 4. Shape (len(sequence),)."""
    return _CODES[np.frombuffer(sequence.encode("ascii", "replace"), dtype=np.uint8)]


def translate(coding: str) -> str:
    """Amino acids of complete codons, `*` for stops, `X` where a base is unknown; a partial last codon is left out."""
    coding = coding.upper()
    return "".join(CODON_TABLE.get(coding[i : i + 3], "X") for i in range(0, len(coding) - 2, 3))
