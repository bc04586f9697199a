"""What the genome says about junctions: the strand of their motifs, files that are off by one or turned over.

In: junctions and the FASTA. Out: junctions on a settled strand; an error that says what is wrong with a file.
A surprise: the motifs of both strands differ in every pair, so a canonical junction tells its strand even where the
reads do not.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from transgenic_tools.errors import BadInputError
from transgenic_tools.genome.code import STANDARD
from transgenic_tools.genome.evidence import MINUS, PLUS, UNKNOWN_STRAND, JunctionCounts
from transgenic_tools.genome.sequence import reverse_complement
from transgenic_tools.io.fasta import Fasta

#: Fewer junctions than this prove nothing about a file.
FEWEST = 20
#: Shares of canonical junctions: below the first a file is suspect, above the second an explanation is found.
SUSPECT, EXPLAINED = 0.5, 0.8
#: Bases looked at on each side of a boundary, so that files that are off by one are told.
_REACH = 1
_SHIFTS = tuple((a, b) for a in (0, -1, 1) for b in (0, -1, 1))
_PAIR_SIGN: Mapping[tuple[str, str], int] = {
    **{pair: PLUS for pair in STANDARD.all_pairs},
    **{(reverse_complement(acceptor), reverse_complement(donor)): MINUS for donor, acceptor in STANDARD.all_pairs},
}

Signs = npt.NDArray[np.int8]


def motif_signs(junctions: JunctionCounts, fasta: Fasta) -> dict[tuple[int, int], Signs]:
    """Strand of the splice motif of every junction, 0 where there is none, for each shift of (start, end)."""
    signs = {shift: np.zeros(len(junctions), dtype=np.int8) for shift in _SHIFTS}
    columns = zip(junctions.seqid.tolist(), junctions.start.tolist(), junctions.end.tolist(), strict=True)
    for index, (seqid, start, end) in enumerate(columns):
        name = junctions.seqids[seqid]
        left = fasta.padded(name, start - _REACH, start + 2 + _REACH)
        right = fasta.padded(name, end - 2 - _REACH, end + _REACH)
        for (a, b), values in signs.items():
            pair = (left[_REACH + a : _REACH + a + 2], right[_REACH + b : _REACH + b + 2])
            values[index] = _PAIR_SIGN.get(pair, 0)
    return signs


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What was found about one file, as shares of its distinct junctions.

    Attributes:
        junctions: Distinct junctions on sequences of the FASTA.
        canonical: Share with a splice motif on either strand.
        agreeing: Of those with a motif and a stated strand, the share where both agree; None where none is stated.
    """

    junctions: int
    canonical: float
    agreeing: float | None


def _share(values: npt.NDArray[np.bool_]) -> float:
    return float(values.mean()) if len(values) else 0.0


def _agreement(stated: Signs, motif: Signs) -> float | None:
    both = (stated != UNKNOWN_STRAND) & (motif != 0)
    return _share(stated[both] == motif[both]) if both.any() else None


def judge(junctions: JunctionCounts, signs: Mapping[tuple[int, int], Signs], path: Path) -> Verdict:
    """Shares of one file.

    Raises:
        BadInputError: coordinates are off by one, strands are turned over, or hardly any junction has a splice motif.
    """
    motif = signs[0, 0]
    verdict = Verdict(
        junctions=len(junctions), canonical=_share(motif != 0), agreeing=_agreement(junctions.sign, motif)
    )
    if len(junctions) < FEWEST:
        return verdict
    if verdict.canonical < SUSPECT:
        shift = max(_SHIFTS, key=lambda shift: _share(signs[shift] != 0))
        share = _share(signs[shift] != 0)
        if share < EXPLAINED:
            raise BadInputError(
                f"only {verdict.canonical:.0%} of {len(junctions):,} junctions are GT-AG, GC-AG or AT-AC",
                path=path,
                hint="was another assembly used? Check names and version of the FASTA",
            )
        raise BadInputError(
            f"{share:.0%} of the junctions have a splice motif where starts are moved by {shift[0]} and ends by "
            f"{shift[1]} bases, {verdict.canonical:.0%} as they stand",
            path=path,
            hint="the coordinates are off by one: BED counts from 0, GFF and STAR from 1",
        )
    if verdict.agreeing is not None and verdict.agreeing < 1 - EXPLAINED:
        raise BadInputError(
            f"{1 - verdict.agreeing:.0%} of the junctions have their splice motif on the strand opposite to the stated",
            path=path,
            hint="the library is of the other type: write 'reverse' instead of 'forward' (or the other way) into the "
            "sheet's column 'strandness', or correct the strands",
        )
    return verdict


def resolve(
    junctions: JunctionCounts, motif: Signs, *, noncanonical: bool
) -> tuple[JunctionCounts, JunctionCounts, Counter[str]]:
    """Junctions on a settled strand; those without a motif that are no candidates; and how many were left out, and why.

    The motif decides: the aligner or library that says otherwise is wrong about the strand (`strand_corrected` counts
    those, which are kept). Without a motif a junction needs a stated strand, and `noncanonical` to be
    a candidate.
    """
    plain = motif == 0
    counts: Counter[str] = Counter()
    corrected = ~plain & (junctions.sign != UNKNOWN_STRAND) & (junctions.sign != motif)
    strandless = plain & (junctions.sign == UNKNOWN_STRAND)
    left_out = strandless | (plain if not noncanonical else np.zeros_like(plain))
    for reason, chosen in (
        ("strand_corrected", corrected),
        ("no_strand", strandless if noncanonical else np.zeros_like(plain)),
        ("noncanonical", plain if not noncanonical else np.zeros_like(plain)),
    ):
        if chosen.any():
            counts[reason] = int(chosen.sum())
    settled = replace(junctions, sign=np.where(plain, junctions.sign, motif).astype(np.int8))
    return settled.take(~left_out), settled.take(left_out & ~strandless), counts
