"""Complement, translation and phases, each against an independent way."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.strategies import DNA, transcripts
from transgenic_tools.genome.code import STANDARD
from transgenic_tools.genome.gene import Gene, Transcript, in_transcription_order
from transgenic_tools.genome.interval import Interval
from transgenic_tools.genome.phase import next_phase, segment_phases
from transgenic_tools.genome.sequence import IUPAC, encode, reverse_complement


@given(st.text(IUPAC + IUPAC.lower()))
def test_reverse_complement_twice_is_the_sequence(text: str) -> None:
    assert reverse_complement(reverse_complement(text)) == text


def test_reverse_complement_keeps_case_and_iupac() -> None:
    assert reverse_complement("AaCRYKMBDHVNn") == "nNBDHVKMRYGtT"


def test_codes() -> None:
    assert encode("ACGTacgtuNR-").tolist() == [0, 1, 2, 3, 0, 1, 2, 3, 3, 4, 4, 4]


def test_translation() -> None:
    assert STANDARD.translate("ATGGCNTAAcc") == "MX*"
    assert STANDARD.translate("ATGTGGTGA") == "MW*"


@given(st.lists(st.integers(1, 50), min_size=1), st.integers(0, 2))
def test_phases_by_counting_bases(lengths: list[int], first: int) -> None:
    bases = 0
    for length, phase in zip(lengths, segment_phases(lengths, first=first), strict=True):
        assert (bases + phase - first) % 3 == 0, "the first base after the phase begins a codon"
        bases += length
    assert next_phase(0, 4) == 2


def test_a_phase_of_three_is_refused() -> None:
    with pytest.raises(ValueError, match="not 0, 1 or 2"):
        segment_phases([3], first=3)


@given(transcripts(), DNA)
def test_spliced_cds_by_phases_equals_by_concatenation(transcript: Transcript, text: str) -> None:
    """Each base's codon position follows from its own segment's phase; the codons are those of the joined CDS."""
    genome = (text or "ACGTTGCA") * 400
    phases = dict(zip(transcript.cds, transcript.cds_phases, strict=True))
    codons: list[str] = []
    for part in in_transcription_order(transcript.cds, transcript.strand):
        bases = genome[part.start : part.end]
        for offset, base in enumerate(bases if transcript.strand == "+" else reverse_complement(bases)):
            if (offset - phases[part]) % 3 == 0:
                codons.append(base)
            elif codons:
                codons[-1] += base
    coding = transcript.spliced(genome, coding=True)
    assert STANDARD.translate("".join(codons)) == STANDARD.translate(coding[transcript.first_phase :])


@given(transcripts())
def test_utr_cds_and_introns_tile_the_transcript(transcript: Transcript) -> None:
    five, three = transcript.five_prime_utr, transcript.three_prime_utr
    parts = sorted((*five, *three, *transcript.cds, *transcript.introns))
    assert parts[0].start == transcript.interval.start
    assert parts[-1].end == transcript.interval.end
    assert all(left.end == right.start for left, right in itertools.pairwise(parts))
    if five and three:
        assert (five[0] < three[0]) == (transcript.strand == "+")


def test_broken_transcripts_cannot_be_built() -> None:
    with pytest.raises(ValueError, match="no exons"):
        Transcript("t", "c", "+", ())
    with pytest.raises(ValueError, match="is not \\+ or -"):
        Transcript("t", "c", ".", (Interval(0, 3),))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="overlap"):
        Transcript("t", "c", "+", (Interval(0, 3), Interval(2, 5)))
    with pytest.raises(ValueError, match="another seqid or strand"):
        Gene("g", "c", "+", Interval(0, 3), (Transcript("t", "c", "-", (Interval(0, 3),)),))
