"""Short ways to write genes in tests: `gene("g", "+", [(0, 10), (20, 30)])`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from hypothesis import strategies as st

from transgenic_tools.evaluate.structures import Structure
from transgenic_tools.genome.gene import Gene, Transcript
from transgenic_tools.genome.interval import Interval, Intervals, clip, span
from transgenic_tools.io.gff3 import write_genes
from transgenic_tools.provenance import Provenance

Pairs = Sequence[tuple[int, int]]


def parts(pairs: Pairs) -> Intervals:
    return tuple(Interval(*pair) for pair in pairs)


def structure(pairs: Pairs, strand: str = "+", seqid: str = "s1") -> Structure:
    return Structure(seqid, strand, parts(pairs))  # type: ignore[arg-type]


def transcript(
    name: str,
    exons: Pairs,
    cds: Pairs | None = None,
    *,
    strand: str = "+",
    seqid: str = "s1",
    score: float | None = None,
    source: str | None = None,
) -> Transcript:
    """A coding transcript; the CDS is the exons unless given."""
    return Transcript(
        name,
        seqid,
        strand,  # type: ignore[arg-type]
        parts(exons),
        parts(exons if cds is None else cds),
        score=score,
        attributes={"source_gene": (source,)} if source else {},
    )


def gene(name: str, *transcripts: Transcript) -> Gene:
    first = transcripts[0]
    return Gene(name, first.seqid, first.strand, span([t.interval for t in transcripts]), tuple(transcripts))


def write(path: Path, *genes: Gene) -> Path:
    write_genes(path, genes, provenance=Provenance("test"))
    return path


@st.composite
def exon_chains(draw: st.DrawFn, *, reach: int = 40) -> Intervals:
    edges = sorted(draw(st.sets(st.integers(0, reach), min_size=2, max_size=8)))
    edges = edges[: len(edges) // 2 * 2]
    return tuple(Interval(a, b) for a, b in zip(edges[::2], edges[1::2], strict=True))


@st.composite
def genes(draw: st.DrawFn, *, prefix: str = "g", max_genes: int = 4) -> tuple[Gene, ...]:
    """Genes that crowd a tiny genome, so that equal, overlapping and antisense ones come up often."""
    found = []
    for g in range(draw(st.integers(1, max_genes))):
        seqid, strand = draw(st.sampled_from(["s1", "s2"])), draw(st.sampled_from(["+", "-"]))
        transcripts = []
        for t in range(draw(st.integers(1, 3))):
            exons = draw(exon_chains())
            left = draw(st.integers(0, 6))
            right = draw(st.integers(left + 1, 46))
            cds = clip(exons, Interval(left, right)) or exons
            transcripts.append(Transcript(f"{prefix}{g}.t{t}", seqid, strand, exons, cds))
        found.append(gene(f"{prefix}{g}", *transcripts))
    return tuple(found)
