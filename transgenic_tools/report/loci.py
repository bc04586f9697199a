"""Loci: reference genes and predicted genes that belong together.

In: two annotations of one genome, and prediction rows where there are any. Out: `Locus` records along the genome.
A surprise: a prediction belongs to the gene that its `source_gene` names; without one, to the gene on its strand
that it shares most bases with.
"""

from __future__ import annotations

import bisect
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import IntEnum

from transgenic_tools.errors import BadInputError
from transgenic_tools.genome.gene import Gene, Transcript
from transgenic_tools.genome.interval import Strand
from transgenic_tools.genome.site import Site, splice_sites
from transgenic_tools.io.rows import PredictionRow
from transgenic_tools.report.compare import Row, predicted_row, reference_row


class Status(IntEnum):
    """What became of a locus. The numbers stand in the report's data."""

    ALL_EXACT = 0
    CDS_EXACT = 1
    DIFFERENT = 2
    NOT_PREDICTED = 3
    NO_REFERENCE = 4


STATUS_WORDS = {
    Status.ALL_EXACT: "all coding isoforms exact",
    Status.CDS_EXACT: "at least one CDS exact",
    Status.DIFFERENT: "differs",
    Status.NOT_PREDICTED: "not predicted",
    Status.NO_REFERENCE: "no reference",
}


@dataclass(frozen=True, slots=True)
class Arc:
    """An intron that reads show; `reads` has a place a condition."""

    start: int
    end: int
    reads: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Shares:
    """What conditions use of a transcript, a place each (NaN: no read); `determined` as in `io.usage`."""

    values: tuple[float, ...]
    determined: bool


@dataclass(frozen=True)
class Locus:
    """A place with its reference and predicted transcripts.

    Attributes:
        name: Symbol or name where it says more than the ID.
        start, end: Cover everything that is drawn.
        confidence: Of the prediction, in [0, 1].
        augmented: The predicted isoforms are those added to the user's own.
        arcs: On its strand, by place; None without evidence.
        usage: By transcript ID; None without a table of usage.
        sequence: Bases from `start` to `end` on the plus strand; empty without a genome.
    """

    sample: str
    gene_id: str
    name: str
    seqid: str
    strand: Strand
    start: int
    end: int
    reference: tuple[Transcript, ...]
    predicted: tuple[Transcript, ...]
    confidence: float | None = None
    sites: tuple[Site, ...] = ()
    sequence: str = ""
    augmented: bool = False
    arcs: tuple[Arc, ...] | None = None
    usage: Mapping[str, Shares] | None = None

    @property
    def status(self) -> Status:
        known = {t.cds for t in self.reference if t.cds}
        written = {t.cds for t in self.predicted if t.cds}
        if self.augmented:
            return Status.DIFFERENT if self.predicted else Status.NOT_PREDICTED
        if not self.reference:
            return Status.NO_REFERENCE
        if not self.predicted:
            return Status.NOT_PREDICTED
        if known and known == written:
            return Status.ALL_EXACT
        return Status.CDS_EXACT if known & written else Status.DIFFERENT

    def reference_rows(self) -> list[Row]:
        return [reference_row(t) for t in self.reference]

    def predicted_rows(self) -> list[Row]:
        return [predicted_row(t, self.reference) for t in self.predicted]


def split_added(genes: Sequence[Gene]) -> tuple[tuple[Gene, ...], tuple[Gene, ...]]:
    """An augmented annotation as the user's own genes and genes of the isoforms that were added (`source_gene`)."""
    own, added = [], []
    for gene in genes:
        new = tuple(t for t in gene.transcripts if "source_gene" in t.attributes)
        own.append(replace(gene, transcripts=tuple(t for t in gene.transcripts if "source_gene" not in t.attributes)))
        if new:
            scores = [t.score for t in new if t.score is not None]
            added.append(replace(gene, transcripts=new, score=max(scores, default=None)))
    return tuple(own), tuple(added)


def sites_of(row: PredictionRow) -> tuple[Site, ...]:
    """Splice sites of a prediction with their probabilities; empty where the row has none or cannot be read."""
    from transgenic_tools.gsf import parse

    if not row.gsf or not row.donor_scores:
        return ()
    try:
        placed = [row.window.transcript_to_genome(t) for t in parse(row.gsf).transcripts]
    except (BadInputError, ValueError):
        return ()
    return splice_sites(placed, row.donor_scores, row.acceptor_scores)


def _sources(gene: Gene) -> Iterable[str]:
    yield from gene.attributes.get("source_gene", ())
    for transcript in gene.transcripts:
        yield from transcript.attributes.get("source_gene", ())
    yield gene.id


class _ByPlace:
    """Reference genes by seqid and strand, for the search by overlap."""

    def __init__(self, genes: Sequence[Gene]) -> None:
        self._genes: dict[tuple[str, str], list[Gene]] = defaultdict(list)
        for gene in genes:
            self._genes[gene.seqid, gene.strand].append(gene)
        for group in self._genes.values():
            group.sort(key=lambda g: g.interval)
        self._starts = {key: [g.interval.start for g in group] for key, group in self._genes.items()}
        self._longest = {key: max(len(g.interval) for g in group) for key, group in self._genes.items()}

    def nearest(self, gene: Gene) -> Gene | None:
        key = (gene.seqid, gene.strand)
        group = self._genes.get(key, [])
        best, most = None, 0
        if group:
            low = bisect.bisect_left(self._starts[key], gene.interval.start - self._longest[key])
            high = bisect.bisect_left(self._starts[key], gene.interval.end)
            for other in group[low:high]:
                shared = gene.interval.intersect(other.interval)
                if shared is not None and len(shared) > most:
                    best, most = other, len(shared)
        return best


def _name(gene: Gene) -> str:
    for key in ("gene", "symbol", "Name", "gene_name"):
        for value in gene.attributes.get(key, ()):
            if value and value not in gene.id:
                return value
    return ""


def build_loci(
    sample: str,
    predicted: Sequence[Gene],
    reference: Sequence[Gene] = (),
    *,
    sites: Mapping[str, tuple[Site, ...]] | None = None,
    paired_only: bool = False,
    augmented: bool = False,
) -> list[Locus]:
    """Loci by seqid and start.

    Args:
        reference: Coding genes are kept, and others that a prediction belongs to.
        sites: Splice sites by source gene ID.
        paired_only: Leave out reference genes without a prediction.
        augmented: `predicted` are the isoforms that were added to those of `reference`.
    """
    by_id = {(gene.seqid, gene.id): gene for gene in reference}
    by_place = _ByPlace(reference)
    members: dict[tuple[str, str], list[Gene]] = defaultdict(list)
    alone: list[Gene] = []
    for gene in predicted:
        named = (by_id.get((gene.seqid, source)) for source in _sources(gene))
        home = next((g for g in named if g is not None and g.strand == gene.strand), None) or by_place.nearest(gene)
        if home is None:
            alone.append(gene)
        else:
            members[home.seqid, home.id].append(gene)
    loci = [
        _locus(sample, gene, members[key], sites)
        for gene in reference
        if (key := (gene.seqid, gene.id)) in members or (gene.coding_transcripts and not paired_only)
    ]
    loci += [_locus(sample, None, [gene], sites) for gene in alone]
    if augmented:
        loci = [replace(locus, augmented=True) for locus in loci]
    loci.sort(key=lambda locus: (locus.seqid, locus.start, locus.end, locus.gene_id))
    return loci


def scored_by_cds(transcripts: Sequence[Transcript]) -> tuple[Transcript, ...]:
    """Transcripts of one locus, with one probability for each CDS: the highest of those that have it."""
    best: dict[object, float] = {}
    for transcript in transcripts:
        if transcript.score is not None and transcript.cds:
            best[transcript.cds] = max(transcript.score, best.get(transcript.cds, 0.0))
    return tuple(replace(t, score=best.get(t.cds, t.score)) for t in transcripts)


def _locus(
    sample: str, reference: Gene | None, predicted: Sequence[Gene], sites: Mapping[str, tuple[Site, ...]] | None
) -> Locus:
    head = reference if reference is not None else predicted[0]
    known = () if reference is None else tuple(reference.coding_transcripts or reference.transcripts)
    written = scored_by_cds([t for gene in predicted for t in gene.transcripts])
    intervals = [t.interval for t in (*known, *written)] or [head.interval]
    confidences = [gene.score for gene in predicted if gene.score is not None]
    names = [source for gene in predicted for source in _sources(gene)]
    found = next((sites[name] for name in (head.id, *names) if name in sites), ()) if sites else ()
    return Locus(
        sample=sample,
        gene_id=head.id,
        name=_name(head),
        seqid=head.seqid,
        strand=head.strand,
        start=min(i.start for i in intervals),
        end=max(i.end for i in intervals),
        reference=known,
        predicted=written,
        confidence=max(confidences) if confidences else None,
        sites=found,
    )
