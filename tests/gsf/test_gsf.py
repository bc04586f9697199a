"""The gene sentence: the published example, write then parse, any text."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.strategies import genes, transcripts
from transgenic_tools import gsf
from transgenic_tools.errors import BadInputError
from transgenic_tools.genome.gene import Gene, Transcript
from transgenic_tools.genome.interval import Interval
from transgenic_tools.genome.window import window_around

PUBLISHED = "0|CDS1|50|+|A;100|CDS2|180|+|B;250|CDS3|300|+|C>CDS1|CDS2|CDS3"


def test_the_published_example() -> None:
    parsed = gsf.parse(PUBLISHED)
    assert parsed.strand == "+"
    assert parsed.transcripts[0].cds == (Interval(0, 50), Interval(100, 180), Interval(250, 300))
    assert gsf.write(parsed.transcripts, strand="+") == PUBLISHED


@given(genes(start=5))
def test_write_then_parse_is_identity(gene: Gene) -> None:
    window = window_around(gene, upstream=5, downstream=3)
    inside = [window.transcript_to_window(t) for t in gene.transcripts]
    parsed = gsf.parse(gsf.write(inside, strand=gene.strand), seqid=gene.seqid, gene_id=gene.id)
    assert parsed.strand == gene.strand
    assert [(t.exons, t.cds, t.first_phase) for t in parsed.transcripts] == [
        (t.exons, t.cds, t.first_phase) for t in inside
    ]


@given(transcripts(strand="+"))
def test_equal_transcripts_are_written_once(transcript: Transcript) -> None:
    sentence = gsf.write([transcript, transcript.renamed("again")], strand="-")
    assert len(gsf.parse(sentence).transcripts) == 1


def test_a_utr_beside_a_cds_part_is_one_exon() -> None:
    """AT4G00020: on the minus strand the 3' UTR touches the last CDS part."""
    text = "0|CDS1|66|-|A;66|three_prime_UTR1|278|-|.>CDS1|three_prime_UTR1"
    (transcript,) = gsf.parse(text).transcripts
    assert transcript.exons == (Interval(0, 278),)
    assert gsf.write([transcript], strand="-") == text


@pytest.mark.parametrize(
    "text",
    [
        "", ">", "0|CDS1|50|+|A", "0|CDS1|50|+|A>", "0|CDS1|50|+|A>CDS2", "0|CDS1|50|+|.>CDS1",
        "0|five_prime_UTR1|50|+|A>five_prime_UTR1", "0|five_prime_UTR1|50|+|.>five_prime_UTR1",
        "50|CDS1|0|+|A>CDS1", "0|CDS1|50|+|A;40|CDS2|90|+|A>CDS1|CDS2", "0|CDS1|5|+|A;0|CDS1|5|+|A>CDS1",
        "0|CDS1|5|+|A;9|CDS2|12|-|A>CDS1|CDS2", "0|exon1|5|+|A>exon1", "0|CDS1|5|?|A>CDS1", "-1|CDS1|5|+|A>CDS1",
    ],
)  # fmt: skip
def test_bad_sentences_are_refused(text: str) -> None:
    with pytest.raises(BadInputError):
        gsf.parse(text)


ALPHABET = st.sampled_from(
    [*"0123456789|;>+-ABC.", "CDS", "five_prime_UTR", "three_prime_UTR", "0|CDS1|9|+|A", ">CDS1"]
)


@given(st.one_of(st.text(), st.lists(ALPHABET).map("".join)))
@example("0|CDS1|9|+|A>CDS1|CDS1")
@example("٣|CDS1|9|+|A>CDS1")
def test_any_text_gives_a_record_or_our_error(text: str) -> None:
    try:
        parsed = gsf.parse(text)
    except BadInputError:
        return
    assert parsed.transcripts
