"""Prediction rows for tests: from a gene, or drawn by hypothesis."""

from __future__ import annotations

from pathlib import Path

from hypothesis import strategies as st

from transgenic_tools.genome.gene import Gene, Transcript
from transgenic_tools.genome.interval import Interval, Strand, span
from transgenic_tools.genome.window import Window
from transgenic_tools.gsf import write
from transgenic_tools.io.rows import PredictionRow
from transgenic_tools.io.shards import write_prediction_shard
from transgenic_tools.provenance import Provenance

TEST = Provenance("test")


def row_of(gene: Gene, *, left: int = 50, right: int = 50, **changes: object) -> PredictionRow:
    """The row that a perfect model would write for `gene`, with falling scores."""
    window = Window(gene.seqid, gene.interval.start - left, gene.interval.end + right, gene.strand)
    sentence = write([window.transcript_to_window(t) for t in gene.coding_transcripts], strand=gene.strand)
    count = sentence.partition(">")[2].count(";") + 1
    values: dict[str, object] = {
        "gene_id": gene.id,
        "sample": "s",
        "seqid": gene.seqid,
        "start": gene.interval.start,
        "end": gene.interval.end,
        "strand": gene.strand,
        "window_start": window.start,
        "window_end": window.end,
        "gsf": sentence,
        "scores": tuple(0.75 - 0.125 * i for i in range(count)),
        "confidence": 0.5,
        "model_hash": "0123abcd",
    }
    return PredictionRow(**{**values, **changes})  # type: ignore[arg-type]


def make_gene(
    gene_id: str,
    exons: list[tuple[int, int]],
    cds: list[tuple[int, int]] | None = None,
    *,
    seqid: str = "chr1",
    strand: Strand = "+",
) -> Gene:
    """A gene with one transcript; `cds` is all of the exons by default."""
    parts = tuple(Interval(*e) for e in exons)
    coding = tuple(Interval(*c) for c in (exons if cds is None else cds))
    transcript = Transcript(f"{gene_id}.x", seqid, strand, parts, coding)
    return Gene(gene_id, seqid, strand, span(parts), (transcript,))


@st.composite
def transcripts(draw: st.DrawFn, *, seqid: str, strand: Strand, origin: int) -> Transcript:
    """A coding transcript of 1 to 5 exons; the CDS may be split anywhere."""
    sizes = draw(st.lists(st.tuples(st.integers(1, 60), st.integers(4, 50)), min_size=1, max_size=5))
    position, exons = origin + draw(st.integers(0, 40)), []
    for length, intron in sizes:
        exons.append(Interval(position, position + length))
        position += length + intron
    total = sum(map(len, exons))
    first = draw(st.integers(0, total - 1))
    last = draw(st.integers(first + 1, total))
    cds, done = [], 0
    for exon in exons:
        low, high = max(first - done, 0), min(last - done, len(exon))
        if low < high:
            cds.append(Interval(exon.start + low, exon.start + high))
        done += len(exon)
    return Transcript("t", seqid, strand, tuple(exons), tuple(cds), draw(st.integers(0, 2)) if len(cds) else 0)


@st.composite
def genes(draw: st.DrawFn, index: int = 0) -> Gene:
    """A gene of 1 to 3 distinct transcripts, far enough from base 0 for flanks."""
    strand: Strand = draw(st.sampled_from(["+", "-"]))
    seqid = draw(st.sampled_from(["chr1", "chr2"]))
    origin = draw(st.integers(100, 2000))
    drawn = draw(st.lists(transcripts(seqid=seqid, strand=strand, origin=origin), min_size=1, max_size=3))
    distinct = tuple({(t.structure(), t.first_phase): t for t in drawn}.values())
    by_structure = tuple({t.structure(): t for t in distinct}.values())
    return Gene(f"g{index}", seqid, strand, span([t.interval for t in by_structure]), by_structure)


@st.composite
def gene_sets(draw: st.DrawFn) -> list[Gene]:
    """Up to eight genes, overlapping ones included."""
    return [draw(genes(index=i)) for i in range(draw(st.integers(0, 8)))]


def shards_of(rows: list[PredictionRow], directory: Path, *, count: int = 1) -> Path:
    """The rows dealt to `count` shards."""
    directory.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        write_prediction_shard(rows[number::count], directory / f"p{number}.parquet", provenance=TEST)
    return directory
