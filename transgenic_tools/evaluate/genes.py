"""Per-gene results: was any, the longest, each CDS structure of a reference gene predicted, and how that varies.

In: reference genes and the transcripts paired with each. Out: one `GeneResult` a gene, their shares, and strata.
A surprise: genes without any CDS are left out of every share here; they have no CDS to be exact about.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from transgenic_tools.evaluate.metrics import ratio
from transgenic_tools.evaluate.structures import structure_of
from transgenic_tools.genome.gene import Gene, Transcript
from transgenic_tools.genome.interval import merge

#: Upper bounds (inclusive) of the strata.
EXON_BINS = (1, 3, 6, 11)
LENGTH_BINS = (1_000, 2_000, 5_000, 10_000)
ISOFORM_BINS = (1, 2)


@dataclass(frozen=True)
class GeneResult:
    """One reference gene.

    Attributes:
        exons: Parts of the longest isoform's CDS.
        cds_structures, predicted, found: Distinct CDS structures of the reference, of the prediction, and shared.
        exact: Any predicted CDS structure equals any of the reference.
        primary_exact: The longest isoform's CDS is among the predicted ones.
        transcripts, predicted_transcripts, found_transcripts: Distinct whole transcripts, as above.
    """

    gene_id: str
    seqid: str
    start: int
    end: int
    strand: str
    exons: int
    cds_structures: int
    predicted: int
    found: int
    exact: bool
    primary_exact: bool
    transcripts: int
    predicted_transcripts: int
    found_transcripts: int


def primary_of(transcripts: Iterable[Transcript]) -> Transcript | None:
    """The coding one with the longest CDS, then the longest exons, then the first; None where none has a CDS."""
    coding = (t for t in transcripts if t.cds)
    return max(coding, key=lambda t: t.size, default=None)


def gene_result(gene: Gene, predicted: Sequence[Transcript]) -> GeneResult | None:
    """The result of one gene; None where it has no CDS."""
    coding, primary = gene.coding_transcripts, primary_of(gene.transcripts)
    if primary is None:
        return None
    primary_cds = structure_of(primary, "cds")
    sides = {}
    for view in ("cds", "transcript"):
        reference = {s for t in coding if (s := structure_of(t, view)) is not None}
        prediction = {s for t in predicted if (s := structure_of(t, view)) is not None}
        sides[view] = (reference, prediction, reference & prediction)
    return GeneResult(
        gene_id=gene.id,
        seqid=gene.seqid,
        start=gene.interval.start,
        end=gene.interval.end,
        strand=gene.strand,
        exons=len(merge(primary.cds)),
        cds_structures=len(sides["cds"][0]),
        predicted=len(sides["cds"][1]),
        found=len(sides["cds"][2]),
        exact=bool(sides["cds"][2]),
        primary_exact=primary_cds in sides["cds"][1],
        transcripts=len(sides["transcript"][0]),
        predicted_transcripts=len(sides["transcript"][1]),
        found_transcripts=len(sides["transcript"][2]),
    )


def gene_results(reference: Iterable[Gene], by_gene: Mapping[str, tuple[Transcript, ...]]) -> tuple[GeneResult, ...]:
    """One result per reference gene with a CDS."""
    rows = (gene_result(gene, by_gene.get(gene.id, ())) for gene in reference)
    return tuple(row for row in rows if row is not None)


@dataclass(frozen=True)
class GeneShares:
    """Shares over a set of genes; `multi` are those with two or more distinct CDS structures."""

    genes: int
    gene_exact: float
    gene_exact_primary: float
    multi: int
    isoform_recall_multi: float
    isoform_precision: float
    predicted_per_gene: float

    def to_json(self) -> dict[str, float | int]:
        return {
            "genes": self.genes,
            "gene_exact": round(self.gene_exact, 6),
            "gene_exact_primary": round(self.gene_exact_primary, 6),
            "multi_isoform_genes": self.multi,
            "isoform_recall_multi": round(self.isoform_recall_multi, 6),
            "isoform_precision": round(self.isoform_precision, 6),
            "predicted_per_gene": round(self.predicted_per_gene, 6),
        }


def gene_shares(rows: Sequence[GeneResult]) -> GeneShares:
    """The shares of `rows`; isoform recall pools the structures of all multi-isoform genes."""
    multi = [row for row in rows if row.cds_structures >= 2]
    return GeneShares(
        genes=len(rows),
        gene_exact=ratio(sum(row.exact for row in rows), len(rows)),
        gene_exact_primary=ratio(sum(row.primary_exact for row in rows), len(rows)),
        multi=len(multi),
        isoform_recall_multi=ratio(sum(r.found for r in multi), sum(r.cds_structures for r in multi)),
        isoform_precision=ratio(sum(r.found for r in rows), sum(r.predicted for r in rows)),
        predicted_per_gene=ratio(sum(r.predicted for r in rows), len(rows)),
    )


def _bin_label(value: int, bounds: Sequence[int]) -> str:
    lower = None
    for bound in bounds:
        if value <= bound:
            return str(bound) if lower is None or lower + 1 == bound else f"{lower + 1}-{bound}"
        lower = bound
    return f">{bounds[-1]}"


def _length_label(row: GeneResult) -> str:
    length = row.end - row.start
    for bound in LENGTH_BINS:
        if length <= bound:
            return f"<={bound}"
    return f">{LENGTH_BINS[-1]}"


def strata(rows: Sequence[GeneResult], homologs: Mapping[str, bool] | None = None) -> dict[str, dict[str, GeneShares]]:
    """Stratum -> bin -> shares; bins in rising order, `homolog` only where a list was given."""
    keys: dict[str, Callable[[GeneResult], str]] = {
        "exons": lambda r: _bin_label(r.exons, EXON_BINS),
        "gene_length": _length_label,
        "isoforms": lambda r: _bin_label(r.cds_structures, ISOFORM_BINS),
    }
    if homologs is not None:
        known = homologs
        keys["homolog_in_train"] = lambda r: {True: "yes", False: "no", None: "unknown"}[known.get(r.gene_id)]
    orders: dict[str, Callable[[GeneResult], int]] = {
        "exons": lambda r: r.exons,
        "gene_length": lambda r: r.end - r.start,
        "isoforms": lambda r: r.cds_structures,
        "homolog_in_train": lambda r: {True: 0, False: 1, None: 2}[(homologs or {}).get(r.gene_id)],
    }
    out: dict[str, dict[str, GeneShares]] = {}
    for name, label in keys.items():
        groups: dict[str, list[GeneResult]] = defaultdict(list)
        for row in sorted(rows, key=orders[name]):
            groups[label(row)].append(row)
        out[name] = {key: gene_shares(group) for key, group in groups.items()}
    return out
