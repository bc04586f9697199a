"""The genetic code against plain words: other tables, other splice pairs, and lookup tables against text."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from transgenic_tools.errors import UsageError
from transgenic_tools.genome.checks import _has_in_frame_stop, check_transcript
from transgenic_tools.genome.code import STANDARD, TABLES, GeneticCode, codons_at, dinucleotides
from transgenic_tools.genome.gene import Transcript
from transgenic_tools.genome.interval import Interval
from transgenic_tools.genome.sequence import encode

CODES = [
    STANDARD,
    *(GeneticCode(table=table) for table in TABLES if table != 1),
    GeneticCode(start_codons=("ATG", "CTG"), splice_pairs=(("GT", "AG"), ("GA", "AG")), rare_pairs=(("GT", "GG"),)),
]


def test_the_standard_code() -> None:
    assert STANDARD.stop_codons == ("TAA", "TAG", "TGA")
    assert STANDARD.all_pairs == (("GT", "AG"), ("GC", "AG"), ("AT", "AC"))
    assert len(STANDARD.amino_acids) == 64
    assert STANDARD.translate("ATGTTYTGGtaaC") == "MXW*"
    assert GeneticCode() == STANDARD
    assert hash(GeneticCode()) == hash(STANDARD)


def test_other_tables_read_the_codons_that_ncbi_lists() -> None:
    stops = {table: GeneticCode(table=table).stop_codons for table in TABLES}
    assert stops[6] == stops[29] == stops[30] == ("TGA",)
    assert stops[4] == stops[10] == ("TAA", "TAG")
    assert {GeneticCode(table=table).translate("CTGTAATGA") for table in (12, 26)} == {"S**", "A**"}
    assert GeneticCode(table=6).translate("TAATAGTGA") == "QQ*"


def test_a_code_that_cannot_be_is_refused() -> None:
    with pytest.raises(UsageError, match="genetic code 7"):
        GeneticCode(table=7)
    with pytest.raises(UsageError, match="'AUG'"):
        GeneticCode(start_codons=("AUG",))
    with pytest.raises(UsageError, match="'GTA'"):
        GeneticCode(splice_pairs=(("GTA", "AG"),))
    with pytest.raises(UsageError, match="needs start codons"):
        GeneticCode(start_codons=())


@pytest.mark.parametrize("code", CODES)
@given(st.text("ACGTN", max_size=60))
def test_codons_and_dinucleotides_are_found_where_the_text_has_them(code: GeneticCode, text: str) -> None:
    codes = encode(text)
    for codons in (code.start_codons, code.stop_codons):
        expected = [text[i : i + 3] in codons for i in range(len(text))]
        assert codons_at(codes, codons).tolist() == expected
    begins, ends = dinucleotides(codes)
    words = ["".join(pair) for pair in itertools.product("ACGT", repeat=2)]
    for i in range(len(text)):
        after, before = text[i : i + 2], text[i - 1 : i + 1] if i else ""
        assert begins[i] == (words.index(after) if after in words else -1)
        assert ends[i] == (words.index(before) if before in words else -1)


@pytest.mark.parametrize("code", CODES)
def test_the_tables_say_which_ends_make_an_intron(code: GeneticCode) -> None:
    signals = code.signals
    words = ["".join(pair) for pair in itertools.product("ACGT", repeat=2)]
    common = ({donor for donor, _ in code.splice_pairs}, {acceptor for _, acceptor in code.splice_pairs})
    listed = ({donor for donor, _ in code.all_pairs}, {acceptor for _, acceptor in code.all_pairs})
    for (i, donor), (j, acceptor) in itertools.product([*enumerate(words), (-1, "")], repeat=2):
        may = bool(signals.ends[i] & signals.acceptor_bit[j])
        if donor in listed[0] and acceptor in listed[1]:
            assert may == ((donor, acceptor) in code.all_pairs), (donor, acceptor)
        else:  # of a known transcript: with every common or unlisted one
            fine = donor in common[0] or donor not in listed[0], acceptor in common[1] or acceptor not in listed[1]
            assert may == all(fine), (donor, acceptor)
        assert signals.donor[i] == (donor in common[0])
        assert signals.rare_acceptor[j] == (acceptor in listed[1] - common[1])
    for i, codon in enumerate(itertools.product("ACGT", repeat=3)):
        assert signals.stop[i] == ("".join(codon) in code.stop_codons)
        assert signals.start[i] == ("".join(codon) in code.start_codons)


@pytest.mark.parametrize("code", CODES)
@given(st.text("ACGT", max_size=60))
def test_stops_in_frame_are_those_of_the_translation(code: GeneticCode, coding: str) -> None:
    assert _has_in_frame_stop(coding, code) == ("*" in code.translate(coding)[:-1])


def test_a_transcript_is_checked_by_the_code_that_is_asked_for() -> None:
    sequence = "CTGTAA" + "GA" + "C" * 20 + "AG" + "AAATGA"
    exons = (Interval(0, 6), Interval(30, 36))
    transcript = Transcript("t", "window", "+", exons, exons)
    assert check_transcript(transcript, sequence) == ("no_start", "in_frame_stop", "odd_intron")
    other = GeneticCode(table=6, start_codons=("CTG",), splice_pairs=(("GA", "AG"),), rare_pairs=())
    assert check_transcript(transcript, sequence, genetic_code=other) == ()
    assert np.array_equal(codons_at(encode(sequence), other.stop_codons).nonzero()[0], [33])
