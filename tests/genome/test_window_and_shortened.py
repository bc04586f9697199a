"""Windows and shortened windows: there and back, on both strands, sequence and coordinates together."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.strategies import genes, transcripts
from transgenic_tools.genome.gene import Gene, Transcript
from transgenic_tools.genome.interval import Interval
from transgenic_tools.genome.sequence import reverse_complement
from transgenic_tools.genome.shortened import Shortened, keep
from transgenic_tools.genome.window import Window, window_around
from transgenic_tools.prep.config import ROUTINES, Routine
from transgenic_tools.prep.routines import shorten

GENOME = "".join("ACGT"[(i * i // 7 + i // 3) % 4] for i in range(1500))


@given(genes(start=20), st.integers(0, 40), st.integers(0, 40))
def test_window_and_back(gene: Gene, upstream: int, downstream: int) -> None:
    window = window_around(gene, upstream=upstream, downstream=downstream)
    sequence = window.sequence(GENOME)
    assert len(sequence) == len(window) == len(gene.interval) + upstream + downstream
    for transcript in gene.transcripts:
        inside = window.transcript_to_window(transcript)
        assert window.transcript_to_genome(inside) == transcript
        assert inside.spliced(sequence) == transcript.spliced(GENOME)
        assert inside.spliced(sequence, coding=True) == transcript.spliced(GENOME, coding=True)


def test_a_window_past_both_ends_is_padded() -> None:
    window = Window("c", -2, 6, "-")
    assert window.sequence("ACGT") == "NNACGTNN"
    assert window.to_window(Interval(0, 1)) == Interval(5, 6)
    with pytest.raises(ValueError, match="leaves the window"):
        window.to_window(Interval(5, 7))
    with pytest.raises(ValueError, match="leaves a window of 8 bases"):
        window.to_genome(Interval(5, 9))


@given(
    st.lists(transcripts(strand="+", start=10), min_size=1, max_size=3),
    st.sampled_from(ROUTINES[1:]),
    st.integers(1, 30),
)
def test_every_routine_maps_back_exactly(several: list[Transcript], routine: Routine, overlap: int) -> None:
    length = max(t.interval.end for t in several) + 25
    window = GENOME[:length]
    shortened = shorten(several, routine, overlap=overlap, length=length)
    assert shortened is not None
    sequence = shortened.sequence(window)
    assert len(sequence) == len(shortened) <= length
    for transcript in several:
        short = shortened.transcript_to_short(transcript)
        assert shortened.transcript_to_window(short) == transcript
        assert short.cds_phases == transcript.cds_phases, "a cut inside an exon keeps the frame"
        for part, whole in zip(short.exons, transcript.exons, strict=True):
            assert sequence[part.start] == window[whole.start]
            assert sequence[part.end - 1] == window[whole.end - 1]
        if routine == "cds_overlap":
            assert short.spliced(sequence) == transcript.spliced(window)
        if routine == "intron_overlap":
            for part, whole in zip(short.introns, transcript.introns, strict=True):
                assert sequence[part.start : part.end] == window[whole.start : whole.end]


def test_whole_windows_are_not_shortened() -> None:
    transcript = Transcript("t", "c", "+", (Interval(3, 9),), (Interval(3, 9),))
    assert shorten([transcript], "whole", overlap=5, length=20) is None
    assert shorten([], "junctions", overlap=5, length=20) is None


def test_left_out_stretches() -> None:
    shortened = keep([Interval(0, 10), Interval(21, 30)], length=40)
    assert shortened.kept == (Interval(0, 10), Interval(19, 30)), "nine bases are left out, not eleven"
    assert shortened.to_window(Interval(8, 13)) == Interval(8, 22)
    with pytest.raises(ValueError, match="left out"):
        shortened.to_short(Interval(12, 25))
    with pytest.raises(ValueError, match="outside a shortened sequence"):
        shortened.to_window(Interval(8, 99))
    with pytest.raises(ValueError, match="at least one"):
        Shortened(())
    with pytest.raises(ValueError, match="touch"):
        Shortened((Interval(0, 5), Interval(5, 9)))


@given(genes(start=20))
def test_the_reverse_complement_mirrors_the_window(gene: Gene) -> None:
    """A gene on the other strand of the mirrored genome has the same window."""
    mirrored = reverse_complement(GENOME)
    size = len(GENOME)

    def turned(i: Interval) -> Interval:
        return Interval(size - i.end, size - i.start)

    other = Gene(gene.id, gene.seqid, "-" if gene.strand == "+" else "+", turned(gene.interval))
    one = window_around(gene, upstream=30, downstream=7).sequence(GENOME)
    assert window_around(other, upstream=30, downstream=7).sequence(mirrored) == one
