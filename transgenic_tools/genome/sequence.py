"""DNA as text: complement, integer codes. What bases mean stands in `code`.

In: `str` over the IUPAC alphabet, any case. Out: `str` or `numpy.uint8` arrays.
A surprise: soft-masking carries no meaning here; everything is upper-cased, and every letter but A, C, G, T is
code 4 (unknown).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from transgenic_tools.genome.interval import Strand

IUPAC = "ACGTRYSWKMBDHVN"
_COMPLEMENT = str.maketrans("ACGTRYSWKMBDHVNacgtryswkmbdhvnUu", "TGCAYRSWMKVHDBNtgcayrswmkvhdbnAa")
COMPLEMENT_BYTES = bytes.maketrans(b"ACGTRYSWKMBDHVNacgtryswkmbdhvnUu", b"TGCAYRSWMKVHDBNtgcayrswmkvhdbnAa")
UNKNOWN_CODE = 4
#: Of codes; 4 is unknown, and 5 fills up batches.
_COMPLEMENT_CODES = np.array([3, 2, 1, 0, 4, 5], dtype=np.uint8)

_CODES = np.full(256, UNKNOWN_CODE, dtype=np.uint8)
for _code, _letters in enumerate(("Aa", "Cc", "Gg", "TtUu")):
    for _letter in _letters:
        _CODES[ord(_letter)] = _code


def reverse_complement(sequence: str) -> str:
    """The other strand, 5' to 3'; IUPAC letters are complemented, case is kept."""
    return sequence.translate(_COMPLEMENT)[::-1]


def strand_codes(codes: npt.NDArray[np.uint8], strand: Strand) -> npt.NDArray[np.uint8]:
    """Base codes of a stretch 5' to 3' on a strand; what is no base stays as it is."""
    return codes if strand == "+" else _COMPLEMENT_CODES[codes[::-1]]


def encode(sequence: str) -> npt.NDArray[np.uint8]:
    """Codes A0 C1 G2 T3, all else 4. Shape (len(sequence),)."""
    return _CODES[np.frombuffer(sequence.encode("ascii", "replace"), dtype=np.uint8)]
