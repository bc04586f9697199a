"""What reads show of loci: arcs over introns, shares of isoforms.

In: loci, files of `tg-evidence` and `tg-evidence usage` by sample. Out: the loci with them, and the conditions.
A surprise: of a locus with very many junctions the strongest are kept, so that noise does not fill the page.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from transgenic_tools.errors import BadInputError
from transgenic_tools.io.junctions import EvidenceFile, by_condition
from transgenic_tools.io.usage import read_transcript_usage
from transgenic_tools.report.loci import Arc, Locus, Shares

#: Junctions of a locus on the page; and bases beside it in which an arc may end, as far as the browser can look.
MOST_ARCS, REACH = 60, 2_000


@dataclass(frozen=True)
class Conditions:
    """Names of conditions by sample: those of the arcs, and those of the shares."""

    arcs: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    usage: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def with_arcs(loci: Sequence[Locus], path: Path) -> tuple[tuple[str, ...], list[Locus]]:
    """Conditions, and the loci with the reads across introns on their strand.

    Raises:
        BadInputError: no locus lies on a sequence of the evidence.
    """
    conditions, groups = by_condition(EvidenceFile(path))
    known = {seqid for seqid, _ in groups}
    if loci and known and not known & {locus.seqid for locus in loci}:
        raise BadInputError(
            f"annotation and evidence share no sequence name ({loci[0].seqid!r} and {min(known)!r})",
            path=path,
            hint="give what tg-evidence made of the FASTA that the annotation belongs to",
        )
    out = []
    for locus in loci:
        group = groups.get((locus.seqid, locus.strand))
        arcs: tuple[Arc, ...] = ()
        if group is not None:
            low, high = np.searchsorted(group.start, (locus.start - REACH, locus.end))
            near = np.arange(low, high)
            near = near[(group.end[near] > locus.start) & (group.end[near] <= locus.end + REACH)]
            strongest = near[np.argsort(-group.reads[near].sum(axis=1), kind="stable")[:MOST_ARCS]]
            arcs = tuple(
                Arc(int(group.start[i]), int(group.end[i]), tuple(int(n) for n in group.reads[i]))
                for i in np.sort(strongest)
            )
        out.append(replace(locus, arcs=arcs))
    return conditions, out


def with_usage(loci: Sequence[Locus], path: Path) -> tuple[tuple[str, ...], list[Locus]]:
    """Conditions, and the loci with the shares of their isoforms."""
    conditions, rows = read_transcript_usage(path)
    found: dict[str, dict[str, Shares]] = defaultdict(dict)
    for row in rows:
        found[row.transcript_id][row.gene_id] = Shares(row.shares, row.determined)

    def shares(locus: Locus) -> dict[str, Shares]:
        """By ID; one that several genes have is the locus' own gene's."""
        own = {}
        for transcript in (*locus.reference, *locus.predicted):
            by_gene = found.get(transcript.id, {})
            if by_gene:
                own[transcript.id] = by_gene.get(locus.gene_id, next(iter(by_gene.values())))
        return own

    return conditions, [replace(locus, usage=shares(locus)) for locus in loci]


def with_reads(
    loci: dict[str, list[Locus]], evidence: Mapping[str, Path], usage: Mapping[str, Path]
) -> tuple[dict[str, list[Locus]], Conditions]:
    """All samples' loci with what there is for each."""
    out, arcs, shares = dict(loci), {}, {}
    for sample, path in evidence.items():
        arcs[sample], out[sample] = with_arcs(out.get(sample, ()), path)
    for sample, path in usage.items():
        shares[sample], out[sample] = with_usage(out.get(sample, ()), path)
    return out, Conditions(arcs, shares)
