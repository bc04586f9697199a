"""Hypothesis strategies for the domain model."""

from __future__ import annotations

from hypothesis import strategies as st

from transgenic_tools.genome.gene import Gene, Transcript
from transgenic_tools.genome.interval import Interval, clip, span

DNA = st.text("ACGT", max_size=200)


@st.composite
def exon_chains(draw: st.DrawFn, *, start: int = 0, most: int = 5) -> tuple[Interval, ...]:
    """Exons left to right with introns of at least 3 bases."""
    lengths = draw(st.lists(st.integers(1, 60), min_size=1, max_size=most))
    gaps = draw(st.lists(st.integers(3, 80), min_size=len(lengths), max_size=len(lengths)))
    position = start + gaps[0]
    exons = []
    for length, gap in zip(lengths, [*gaps[1:], 0], strict=True):
        exons.append(Interval(position, position + length))
        position += length + gap
    return tuple(exons)


@st.composite
def transcripts(
    draw: st.DrawFn, *, name: str = "t1", seqid: str = "chr1", strand: str | None = None, start: int = 0
) -> Transcript:
    """A coding transcript; the CDS is any stretch of the exons."""
    exons = draw(exon_chains(start=start))
    bases = [p for e in exons for p in range(e.start, e.end)]
    first = draw(st.integers(0, len(bases) - 1))
    last = draw(st.integers(first, len(bases) - 1))
    cds = clip(exons, Interval(bases[first], bases[last] + 1))
    return Transcript(
        id=name,
        seqid=seqid,
        strand=strand or draw(st.sampled_from("+-")),  # type: ignore[arg-type]
        exons=exons,
        cds=cds,
        first_phase=draw(st.integers(0, 2)),
    )


@st.composite
def genes(draw: st.DrawFn, *, name: str = "g1", seqid: str = "chr1", start: int = 0, most: int = 3) -> Gene:
    """A gene with transcripts of different structure on one strand."""
    strand = draw(st.sampled_from("+-"))
    number = draw(st.integers(1, most))
    drawn = [draw(transcripts(name=f"{name}.t{i}", seqid=seqid, strand=strand, start=start)) for i in range(number)]
    distinct = {(t.exons, t.cds): t for t in drawn}
    kept = tuple(distinct.values())
    around = span([t.interval for t in kept])
    return Gene(name, seqid, strand, around, kept)  # type: ignore[arg-type]
