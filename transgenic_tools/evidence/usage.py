"""tg-evidence usage: which transcripts and introns each condition uses.

In: an annotation, of predictions or any other, and the Parquet file of `tg-evidence`. Out: `usage.tsv`, transcript by
condition, and `psi.tsv`, intron by condition.
A surprise: inputs are pooled by condition, unweighted: `weight` is a matter of trust, not of reads.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from transgenic_tools.errors import BadInputError
from transgenic_tools.genome.gene import Gene, Transcript
from transgenic_tools.genome.interval import Interval, Strand
from transgenic_tools.genome.usage import determined, expected_reads, intron_shares, shares
from transgenic_tools.io.gff3 import read_annotation
from transgenic_tools.io.junctions import EvidenceFile, by_condition
from transgenic_tools.io.usage import IntronUsage, TranscriptUsage, write_intron_usage, write_transcript_usage

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class UsageConfig:
    """Settings of one run.

    Attributes:
        annotation: GFF3 or GTF.
        evidence: What `tg-evidence` wrote for the same genome.
        out: `usage.tsv`.
        introns: `psi.tsv`; None leaves it out.
    """

    annotation: Path
    evidence: Path
    out: Path
    introns: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageResult:
    """Of a run.

    Attributes:
        seen: Genes with a read at one of their introns.
        undetermined: Transcripts with introns whose share the introns alone cannot tell.
    """

    out: Path
    conditions: tuple[str, ...]
    genes: int
    seen: int
    transcripts: int
    undetermined: int
    introns: int

    def to_json(self) -> str:
        """One line for scripts."""
        return json.dumps({**asdict(self), "out": str(self.out)}, sort_keys=True)


class _Counts:
    """Reads by intron and condition of one strand of one sequence.

    Args:
        places: J introns.
        reads: (J, C).
    """

    def __init__(self, places: Sequence[Interval], reads: Floats) -> None:
        self.reads = reads
        self._number = {place: row for row, place in enumerate(places)}
        self._by_start: dict[int, list[Interval]] = defaultdict(list)
        self._by_end: dict[int, list[Interval]] = defaultdict(list)
        for place in places:
            self._by_start[place.start].append(place)
            self._by_end[place.end].append(place)

    def of(self, introns: Iterable[Interval]) -> Floats:
        """(introns, C); zeros where no read shows one."""
        nothing = np.zeros(self.reads.shape[1])
        return np.stack([self.reads[self._number[i]] if i in self._number else nothing for i in introns])

    def rivals(self, introns: Iterable[Interval]) -> set[Interval]:
        """Junctions of reads that share an end with one of these."""
        return {
            place
            for intron in introns
            for place in (*self._by_start.get(intron.start, ()), *self._by_end.get(intron.end, ()))
        }


def _counts(file: EvidenceFile) -> tuple[tuple[str, ...], dict[tuple[str, Strand], _Counts]]:
    """Conditions, and the reads of each strand of each sequence."""
    conditions, groups = by_condition(file)
    return conditions, {
        key: _Counts(
            [Interval(a, b) for a, b in zip(group.start.tolist(), group.end.tolist(), strict=True)],
            group.reads.astype(np.float64),
        )
        for key, group in groups.items()
    }


def transcript_usage(gene: Gene, counts: _Counts) -> list[TranscriptUsage]:
    """Of each transcript of a gene; those without introns are unknown and take no part."""
    spliced = [t for t in gene.transcripts if t.introns]
    unknown = tuple([float("nan")] * counts.reads.shape[1])
    found: dict[str, tuple[bool, Floats, Floats]] = {}
    if spliced:
        chains = [set(t.introns) for t in spliced]
        introns = sorted(set().union(*chains))
        has = np.array([[intron in chain for chain in chains] for intron in introns])
        reads = expected_reads(has, counts.of(introns))
        for transcript, sure, share, expected in zip(spliced, determined(has), shares(reads), reads, strict=True):
            found[transcript.id] = (bool(sure), share, expected)

    def row(transcript: Transcript) -> TranscriptUsage:
        sure, share, reads = found.get(transcript.id, (False, unknown, unknown))
        return TranscriptUsage(
            gene_id=gene.id, transcript_id=transcript.id, introns=len(transcript.introns), determined=sure,
            shares=tuple(share), reads=tuple(reads),
        )  # fmt: skip

    return [row(transcript) for transcript in gene.transcripts]


def intron_usage(gene: Gene, counts: _Counts) -> list[IntronUsage]:
    """Of the gene's introns and of the junctions of reads that share an end with one of them, left to right."""
    users: dict[Interval, int] = defaultdict(int)
    for transcript in gene.transcripts:
        for intron in transcript.introns:
            users[intron] += 1
    if not users:
        return []
    places = sorted(counts.rivals(users) | set(users))
    reads = counts.of(places)
    return [
        IntronUsage(
            gene_id=gene.id, seqid=gene.seqid, place=place, strand=gene.strand, transcripts=users.get(place, 0),
            psi=tuple(psi), reads=tuple(int(n) for n in row),
        )
        for place, psi, row in zip(places, intron_shares([(p.start, p.end) for p in places], reads), reads, strict=True)
    ]  # fmt: skip


def run_usage(config: UsageConfig) -> UsageResult:
    """Write the tables.

    Raises:
        MissingInputError, BadInputError: a file is missing or damaged, or the two share no sequence name.
    """
    genes = read_annotation(config.annotation).genes
    conditions, counts = _counts(EvidenceFile(config.evidence))
    known = {seqid for seqid, _ in counts}
    if genes and known and not known & {gene.seqid for gene in genes}:
        raise BadInputError(
            f"annotation and evidence share no sequence name ({genes[0].seqid!r} and {min(known)!r})",
            path=config.annotation,
            hint="give the annotation of the FASTA that tg-evidence was given, with the same names",
        )
    nothing = _Counts((), np.zeros((0, len(conditions))))
    transcripts: list[TranscriptUsage] = []
    introns: list[IntronUsage] = []
    seen = 0
    for gene in genes:
        of_strand = counts.get((gene.seqid, gene.strand), nothing)
        transcripts += (rows := transcript_usage(gene, of_strand))
        introns += intron_usage(gene, of_strand)
        seen += any(np.nansum(row.reads) > 0 for row in rows)
    write_transcript_usage(config.out, conditions, transcripts)
    if config.introns is not None:
        write_intron_usage(config.introns, conditions, introns)
    return UsageResult(
        out=config.out,
        conditions=conditions,
        genes=len(genes),
        seen=seen,
        transcripts=len(transcripts),
        undetermined=sum(not row.determined and row.introns > 0 for row in transcripts),
        introns=len(introns),
    )
