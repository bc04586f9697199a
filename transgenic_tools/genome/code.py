"""The genetic code and the signals of splicing: what a codon means, where translation begins, how an intron ends.

In: an NCBI translation table, start codons, splice pairs. Out: `GeneticCode`, a frozen record that is a parameter of
whatever reads biology out of bases, and the same as lookup tables over base codes.
A surprise: start codons do not follow from the table. NCBI lists rare ones with it; genes are annotated from ATG on.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from transgenic_tools.errors import UsageError
from transgenic_tools.genome.sequence import UNKNOWN_CODE, encode

_BASES = "TCAG"
_AMINO = "FFLLSSSSYY**CC*WLLLLPPPPHHQQRRRRIIIMTTTTNNKKSSRRVVVVAAAADDEEGGGG"
_CODONS = tuple("".join(codon) for codon in itertools.product(_BASES, repeat=3))
_STANDARD_AMINO: Mapping[str, str] = dict(zip(_CODONS, _AMINO, strict=True))
#: NCBI translation tables of nuclear and bacterial genes, as what they change in table 1.
TABLES: Mapping[int, Mapping[str, str]] = {
    1: {},
    4: {"TGA": "W"},
    6: {"TAA": "Q", "TAG": "Q"},
    10: {"TGA": "C"},
    11: {},
    12: {"CTG": "S"},
    26: {"CTG": "A"},
    29: {"TAA": "Y", "TAG": "Y"},
    30: {"TAA": "E", "TAG": "E"},
}

Codes = npt.NDArray[np.uint8]
Mask = npt.NDArray[np.bool_]
#: First and last two bases of an intron.
SplicePair = tuple[str, str]


class Signals(NamedTuple):
    """A genetic code as lookup tables; dinucleotides are `4 * first + second`, and -1 (the last entry) is none.

    Attributes:
        start, stop: (64,) codons `16 * first + 4 * second + third` that begin and end a CDS.
        donor, acceptor: (17,) True for the ends of common splice pairs.
        rare_donor, rare_acceptor: (17,) True for ends that rare pairs alone have.
        ends: (17,) bits of the acceptors that a donor goes with; acceptor_bit: (17,) the bit of an acceptor.
    """

    start: Mask
    stop: Mask
    donor: Mask
    acceptor: Mask
    rare_donor: Mask
    rare_acceptor: Mask
    ends: npt.NDArray[np.uint32]
    acceptor_bit: npt.NDArray[np.uint32]


def _number(text: str) -> int:
    """Base codes as a number with four digits' values: dinucleotides to 15, codons to 63."""
    number = 0
    for code in encode(text).tolist():
        number = 4 * number + code
    return number


@dataclass(frozen=True, kw_only=True)
class GeneticCode:
    """What a request says about translation and splicing; the default is that of plants.

    Attributes:
        table: NCBI translation table.
        start_codons: Codons that begin a CDS.
        splice_pairs: (donor, acceptor) of common introns, the usual one first.
        rare_pairs: Pairs of introns that need likely sites.
    """

    table: int = 1
    start_codons: tuple[str, ...] = ("ATG",)
    splice_pairs: tuple[SplicePair, ...] = (("GT", "AG"), ("GC", "AG"))
    rare_pairs: tuple[SplicePair, ...] = (("AT", "AC"),)

    def __post_init__(self) -> None:
        if self.table not in TABLES:
            known = ", ".join(map(str, TABLES))
            raise UsageError(f"genetic code {self.table} is not known", hint=f"choose one of the NCBI tables {known}")
        words = [*((word, 3) for word in self.start_codons), *((word, 2) for pair in self.all_pairs for word in pair)]
        for word, length in words:
            if len(word) != length or set(word) - set(_BASES):
                raise UsageError(f"{word!r} in a genetic code", hint=f"write {length} of the letters A, C, G, T")
        if not self.start_codons or not self.splice_pairs:
            raise UsageError("a genetic code needs start codons and splice pairs", hint="leave them out for the usual")

    @property
    def all_pairs(self) -> tuple[SplicePair, ...]:
        """Common and rare splice pairs."""
        return self.splice_pairs + self.rare_pairs

    @cached_property
    def amino_acids(self) -> Mapping[str, str]:
        """Amino acid of each codon, `*` for stops."""
        return {**_STANDARD_AMINO, **TABLES[self.table]}

    @cached_property
    def stop_codons(self) -> tuple[str, ...]:
        """Codons that end a CDS, in alphabetical order."""
        return tuple(sorted(codon for codon, amino in self.amino_acids.items() if amino == "*"))

    def translate(self, coding: str) -> str:
        """Amino acids of complete codons, `*` for stops, `X` where a base is unknown; a partial last one is cut."""
        coding, amino_acids = coding.upper(), self.amino_acids
        return "".join(amino_acids.get(coding[i : i + 3], "X") for i in range(0, len(coding) - 2, 3))

    @cached_property
    def signals(self) -> Signals:
        """The same as lookup tables.

        An end that no pair has (of a known transcript, or with an unknown base) goes with every common end and with
        every other such one; a rare end goes with its own kind alone.
        """
        start, stop = np.zeros((2, 64), dtype=bool)
        start[[_number(codon) for codon in self.start_codons]] = True
        stop[[_number(codon) for codon in self.stop_codons]] = True
        common_donor, common_acceptor, any_donor, any_acceptor = np.zeros((4, 17), dtype=bool)
        for donor, acceptor in self.splice_pairs:
            common_donor[_number(donor)] = common_acceptor[_number(acceptor)] = True
        for donor, acceptor in self.all_pairs:
            any_donor[_number(donor)] = any_acceptor[_number(acceptor)] = True
        bits = np.full(17, 1 << 16, dtype=np.uint32)  # that of an end which no pair has
        bits[:16][any_acceptor[:16]] = 1 << np.flatnonzero(any_acceptor[:16])
        unlisted = np.uint32(1 << 16)
        every_common = np.bitwise_or.reduce(bits[common_acceptor]) | unlisted
        ends = np.where(any_donor, np.uint32(0), every_common).astype(np.uint32)
        ends[common_donor] = unlisted
        for donor, acceptor in self.all_pairs:
            ends[_number(donor)] |= bits[_number(acceptor)]
        return Signals(
            start=start,
            stop=stop,
            donor=common_donor,
            acceptor=common_acceptor,
            rare_donor=any_donor & ~common_donor,
            rare_acceptor=any_acceptor & ~common_acceptor,
            ends=ends,
            acceptor_bit=bits,
        )


#: Table 1, ATG, GT-AG and GC-AG, and AT-AC where the sites are likely.
STANDARD = GeneticCode()


def where_codons(codons: Iterable[str], at: Callable[[int, str], Any]) -> Any:
    """Where one of some codons stands, in whatever has `&` and `|`: arrays of truth values, or the bits of a number.

    Args:
        at: Where the base of this index (0 to 2) of a codon is this letter; asked once for each.
    """
    seen: dict[tuple[int, str], Any] = {}

    def base(index: int, letter: str) -> Any:
        if (index, letter) not in seen:
            seen[index, letter] = at(index, letter)
        return seen[index, letter]

    def alternatives(words: Iterable[str], index: int) -> Any:
        found = None
        for letter, group in itertools.groupby(sorted(words), key=lambda word: word[index]):
            part = base(index, letter)
            if index < 2:
                part = part & alternatives(group, index + 1)
            found = part if found is None else found | part
        return found

    return alternatives(codons, 0)


def codons_at(codes: Codes, codons: Iterable[str]) -> Mask:
    """True at the first base of each of some codons. Shape (L,)."""
    found = np.zeros(len(codes), dtype=bool)
    if len(codes) >= 3:
        ends = (len(codes) - 2, len(codes) - 1, len(codes))
        found[:-2] = where_codons(codons, lambda index, letter: codes[index : ends[index]] == encode(letter)[0])
    return found


def dinucleotides(codes: Codes) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32]]:
    """Dinucleotide that begins at, and that ends at, every base. Two arrays of shape (L,), -1 where undefined."""
    begins, ends = np.full((2, len(codes)), -1, dtype=np.int32)
    if len(codes) > 1:
        first, second = codes[:-1].astype(np.int32), codes[1:].astype(np.int32)
        begins[:-1] = np.where((first < UNKNOWN_CODE) & (second < UNKNOWN_CODE), 4 * first + second, -1)
        ends[1:] = begins[:-1]
    return begins, ends
