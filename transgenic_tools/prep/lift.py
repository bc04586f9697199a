"""Lift genes of one genome onto the assembly of a related one: natural variants of known gene structures.

In: gene shards of the source, FASTA of the target. Out: gene shards of the target (CDS only, flag `lifted`),
`rejects.tsv` with a reason for everything lost, and `lift.json` with the counts.
A surprise: the genes of the held-out splits are aligned too, but only to keep their surroundings out of the result.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import mappy

from transgenic_tools.choices import SHARD_BASES
from transgenic_tools.errors import BadInputError, MissingInputError, UsageError
from transgenic_tools.genome.gene import Transcript, in_transcription_order
from transgenic_tools.genome.interval import Interval, Strand, merge, span
from transgenic_tools.genome.window import Window
from transgenic_tools.gsf import parse, write
from transgenic_tools.io.fasta import Fasta
from transgenic_tools.io.rejects import LIFT, Reject, write_rejects_file
from transgenic_tools.io.rows import LIFTED, PARTIAL, GeneRow
from transgenic_tools.io.samplesheet import check_sample_name
from transgenic_tools.io.shards import read_shard, write_gene_shards
from transgenic_tools.prep.lift_align import (
    AlignConfig,
    Hit,
    LiftedCds,
    Refusal,
    SourceCds,
    best_hit,
    coding_fault,
    identity,
    place,
    score,
)
from transgenic_tools.provenance import Provenance, write_aside

#: Places of a held-out gene that score this share of its best one are kept clear.
HELD_OUT_SHARE = 0.8
#: Bases around a hit in which its ends are looked for.
_MARGIN = 64


@dataclass(frozen=True, kw_only=True)
class LiftConfig:
    """One target genome.

    Attributes:
        shards: Gene shards of the source, all splits; the held-out ones are needed to keep their surroundings out.
        fasta: The target assembly.
        sample: Its name; gene IDs become `<source gene>@<sample>`.
        splits: Splits whose genes are lifted; every other gene that has a split is held out.
        flank: Bases of the window on each side of the lifted CDS.
        align: What a lifted CDS must show.
    """

    shards: tuple[Path, ...]
    fasta: Path
    sample: str
    outdir: Path
    splits: tuple[str, ...] = ("train",)
    flank: int = 1000
    shard_bases: int = SHARD_BASES
    align: AlignConfig = field(default_factory=AlignConfig)

    def __post_init__(self) -> None:
        if not self.splits:
            raise UsageError("no split to lift", hint="give --split train")
        check_sample_name(self.sample, "--sample")
        if self.flank < 0:
            raise UsageError(f"--flank {self.flank}", hint="give 0 or more bases")
        if not 0 < self.align.min_identity <= 1:
            raise UsageError(f"--min-identity {self.align.min_identity}", hint="give a share above 0, at most 1")

    def parameters(self) -> dict[str, object]:
        """What decides the bytes of the result."""
        return {
            "fasta": self.fasta.name,
            "sample": self.sample,
            "splits": list(self.splits),
            "flank": self.flank,
            "shard_bases": self.shard_bases,
            "align": asdict(self.align),
        }


@dataclass(frozen=True)
class Lost:
    """A gene (or one transcript of a gene that stays) that was not lifted."""

    gene_id: str
    refusal: Refusal
    transcript: str = ""


@dataclass(frozen=True)
class LiftedGene:
    """A source gene on the target genome, transcripts in genome coordinates, CDS only, longest first.

    Attributes:
        gene_id: Of the source.
        identity: Of the first transcript's alignment.
        complete: Every distinct CDS of the source was lifted.
    """

    gene_id: str
    window: Window
    locus: Interval
    transcripts: tuple[Transcript, ...]
    identity: float
    complete: bool


@dataclass(frozen=True)
class LiftResult:
    """What was lifted, and what was lost by reason.

    Attributes:
        complete: Genes all of whose distinct CDS structures were lifted.
        genes_lost, transcripts_lost: By reason; the latter of genes that stay.
    """

    paths: tuple[Path, ...]
    considered: int
    lifted: int
    complete: int
    transcripts: int
    mean_identity: float
    genes_lost: dict[str, int]
    transcripts_lost: dict[str, int]

    def summary(self) -> dict[str, Any]:
        """Everything but the paths, for JSON."""
        return {key: value for key, value in asdict(self).items() if key != "paths"}


class Target:
    """A target genome: alignment index and bases.

    Raises:
        MissingInputError: no such file.
        BadInputError: the file holds no sequence that can be indexed.
    """

    def __init__(self, path: Path, config: AlignConfig) -> None:
        if not path.exists():
            raise MissingInputError("the genome does not exist", path=path, hint="check --fasta")
        self.fasta = Fasta(path)
        self._aligner = mappy.Aligner(str(path), preset="splice", k=config.k, w=config.w, n_threads=1)
        if not self._aligner:
            raise BadInputError("the genome cannot be indexed", path=path, hint="give FASTA, plain or gzip")

    def hits(self, coding: str) -> list[Hit]:
        """All places that align, best first as the aligner sees it."""
        return list(self._aligner.map(coding))

    def window(self, hit: Hit, margin: int) -> Window:
        strand: Strand = "+" if hit.strand > 0 else "-"
        return Window(hit.ctg, hit.r_st - margin, hit.r_en + margin, strand)

    def text(self, window: Window) -> str:
        """The window's bases 5' to 3', N outside the sequence."""
        return oriented(self.fasta.padded(window.seqid, window.start, window.end), window.strand)

    def close(self) -> None:
        self.fasta.close()


def oriented(plus: str, strand: Strand) -> str:
    """Plus-strand bases read on `strand`."""
    return Window("", 0, len(plus), strand).sequence(plus)


def source_transcripts(row: GeneRow) -> tuple[Transcript, ...]:
    """One transcript per distinct CDS, in window coordinates, longest CDS first.

    Raises:
        BadInputError: the row's window is a shortened one, so the CDS cannot be read from it.
    """
    if len(row.sequence) != row.bases:
        raise BadInputError(
            f"the sequence has {len(row.sequence)} bases and the window {row.bases}",
            feature=row.gene_id,
            hint="lift from shards of whole windows (tg-prep genes --routine whole)",
        )
    distinct: dict[tuple[Interval, ...], Transcript] = {}
    for transcript in parse(row.gsf or "", gene_id=row.gene_id).transcripts:
        distinct.setdefault(transcript.cds, transcript)
    return tuple(sorted(distinct.values(), key=lambda t: (-t.cds_length, t.cds)))


def _queries(row: GeneRow, transcript: Transcript, utr: int) -> Iterable[SourceCds]:
    """The CDS alone, then with up to `utr` bases of UTR on each side, which hold short coding ends in place."""
    lengths = tuple(len(part) for part in transcript.cds)
    coding = transcript.spliced(row.sequence, coding=True)
    yield SourceCds(coding, lengths)
    before = "".join(row.sequence[part.start : part.end] for part in transcript.five_prime_utr)
    after = "".join(row.sequence[part.start : part.end] for part in transcript.three_prime_utr)
    before, after = before[max(0, len(before) - utr) :].upper(), after[:utr].upper()
    if before or after:
        yield SourceCds(before + coding + after, lengths, len(before))


def _lift_transcript(
    row: GeneRow, transcript: Transcript, target: Target, config: AlignConfig
) -> tuple[Transcript, float] | Refusal:
    """The transcript in target genome coordinates, with its identity; the refusal is that of the CDS alone."""
    fault = coding_fault(transcript.spliced(row.sequence, coding=True))
    if fault is not None:
        return Refusal("source_cds", f"{fault.reason} {fault.detail}".strip())
    refusals: list[Refusal] = []
    for cds in _queries(row, transcript, config.utr):
        hit = best_hit(target.hits(cds.query), config=config)
        if isinstance(hit, Refusal):
            refusals.append(hit)
            break
        window = target.window(hit, _MARGIN)
        lifted = place(cds, hit, target.text(window), begin=_MARGIN, config=config)
        if isinstance(lifted, LiftedCds):
            parts = window.all_to_genome(lifted.segments)
            return Transcript(transcript.id, window.seqid, window.strand, parts, parts), identity(hit)
        refusals.append(lifted)
    return refusals[0]


def _site_pairs(source: Transcript, lifted: Transcript) -> list[tuple[int, int]]:
    """(source, target) positions of the 5' end of every CDS segment as even, of the 3' end as odd numbers."""
    targets = in_transcription_order(lifted.cds, lifted.strand)
    pairs = []
    for a, b in zip(source.cds, targets, strict=True):
        first, last = (b.start, b.end) if lifted.strand == "+" else (b.end, b.start)
        pairs += [(2 * a.start, 2 * first), (2 * a.end + 1, 2 * last + 1)]
    return pairs


def lift_gene(row: GeneRow, target: Target, *, config: LiftConfig) -> tuple[LiftedGene | None, list[Lost]]:
    """One gene on the target; the rejects name the gene, or single transcripts of a gene that stays."""
    kept: list[Transcript] = []
    lost: list[Lost] = []
    sites: dict[int, int] = {}
    identities: list[float] = []
    for transcript in source_transcripts(row):
        outcome = _lift_transcript(row, transcript, target, config.align)
        if isinstance(outcome, Refusal):
            lost.append(Lost(row.gene_id, outcome, transcript.id))
            continue
        lifted, alike = outcome
        pairs = _site_pairs(transcript, lifted)
        if kept and not (_same_place(lifted, kept[0]) and all(sites.get(a, b) == b for a, b in pairs)):
            refusal = Refusal("other_locus", f"{lifted.seqid}:{lifted.interval.start}")
            lost.append(Lost(row.gene_id, refusal, transcript.id))
            continue
        sites.update(pairs)
        kept.append(lifted)
        identities.append(alike)
    if not kept:
        return None, [Lost(row.gene_id, lost[0].refusal)]
    locus = span([t.interval for t in kept])
    window = Window(kept[0].seqid, locus.start - config.flank, locus.end + config.flank, kept[0].strand)
    return LiftedGene(row.gene_id, window, locus, tuple(kept), identities[0], not lost), lost


def _same_place(one: Transcript, other: Transcript) -> bool:
    return (one.seqid, one.strand) == (other.seqid, other.strand) and one.interval.overlaps(other.interval)


class Occupied:
    """Stretches by key, asked for overlap."""

    _BIN = 1 << 14

    def __init__(self) -> None:
        self._bins: dict[tuple[Hashable, int], list[Interval]] = defaultdict(list)

    def _keys(self, key: Hashable, interval: Interval) -> Iterable[tuple[Hashable, int]]:
        return ((key, number) for number in range(interval.start // self._BIN, (interval.end - 1) // self._BIN + 1))

    def add(self, key: Hashable, interval: Interval) -> None:
        for place_ in self._keys(key, interval):
            self._bins[place_].append(interval)

    def overlaps(self, key: Hashable, interval: Interval) -> Interval | None:
        """One stretch that shares a base, or None."""
        for place_ in self._keys(key, interval):
            for other in self._bins.get(place_, ()):
                if other.overlaps(interval):
                    return other
        return None


def held_out_places(rows: Iterable[GeneRow], target: Target) -> Occupied:
    """Where held-out genes align: every primary place, and every other that scores nearly as well as the best."""
    occupied = Occupied()
    for row in rows:
        queries = [t.spliced(row.sequence, coding=True) for t in source_transcripts(row)] if row.gsf else [row.sequence]
        for query in queries:
            hits = target.hits(query)
            best = max((score(hit) for hit in hits), default=0)
            for hit in hits:
                if hit.is_primary or score(hit) >= HELD_OUT_SHARE * best:
                    occupied.add(hit.ctg, Interval(hit.r_st, hit.r_en))
    return occupied


def _without_held_out(genes: Sequence[LiftedGene], occupied: Occupied) -> tuple[list[LiftedGene], list[Lost]]:
    kept, lost = [], []
    for gene in genes:
        visible = Interval(max(0, gene.window.start), gene.window.end)
        touched = occupied.overlaps(gene.window.seqid, visible)
        if touched is None:
            kept.append(gene)
        else:
            lost.append(Lost(gene.gene_id, Refusal("held_out", f"{gene.window.seqid}:{touched.start}-{touched.end}")))
    return kept, lost


def _without_rivals(genes: Sequence[LiftedGene]) -> tuple[list[LiftedGene], list[Lost]]:
    """Of genes that share coding bases on one strand, the most identical one."""
    taken = Occupied()
    kept, lost = [], []
    for gene in sorted(genes, key=lambda g: (-g.identity, g.gene_id)):
        key = (gene.window.seqid, gene.window.strand)
        parts = merge(part for transcript in gene.transcripts for part in transcript.cds)
        rival = next((found for part in parts if (found := taken.overlaps(key, part))), None)
        if rival is not None:
            detail = f"{gene.window.seqid}:{rival.start}-{rival.end}"
            lost.append(Lost(gene.gene_id, Refusal("locus_taken", detail)))
            continue
        for part in parts:
            taken.add(key, part)
        kept.append(gene)
    return kept, lost


def to_row(gene: LiftedGene, target: Target, *, sample: str) -> GeneRow:
    """The gene as a row of a gene shard."""
    gene_id = f"{gene.gene_id}@{sample}"
    window = gene.window
    return GeneRow(
        gene_id=gene_id,
        sample=sample,
        seqid=window.seqid,
        start=gene.locus.start,
        end=gene.locus.end,
        strand=window.strand,
        window_start=window.start,
        window_end=window.end,
        sequence=target.text(window),
        gsf=write([window.transcript_to_window(t) for t in gene.transcripts], strand=window.strand),
        n_transcripts=len(gene.transcripts),
        primary_transcript=f"{gene_id}.t1",
        split="train",
        flags=(LIFTED,) if gene.complete else (LIFTED, PARTIAL),
    )


def lift_rows(
    rows: Sequence[GeneRow], target: Target, *, config: LiftConfig
) -> tuple[list[LiftedGene], list[Lost], int]:
    """Lifted genes in target order, everything lost, and the number of genes tried."""
    wanted = [row for row in rows if row.split in config.splits and row.gsf]
    genes: list[LiftedGene] = []
    rejects: list[Lost] = []
    for row in wanted:
        gene, lost = lift_gene(row, target, config=config)
        rejects += lost
        if gene is not None:
            genes.append(gene)
    occupied = held_out_places((row for row in rows if row.split not in config.splits), target)
    genes, lost_to_held_out = _without_held_out(genes, occupied)
    genes, lost_to_rivals = _without_rivals(genes)
    stayed = {gene.gene_id for gene in genes}
    rejects = [reject for reject in rejects if not reject.transcript or reject.gene_id in stayed]
    rejects += [*lost_to_held_out, *lost_to_rivals]
    order = {name: number for number, name in enumerate(target.fasta.names)}
    genes.sort(key=lambda g: (order[g.window.seqid], g.locus, g.gene_id))
    return genes, rejects, len(wanted)


def _counts(rejects: Iterable[Lost]) -> dict[str, int]:
    seen = Counter(reject.refusal.reason for reject in rejects)
    return {reason: seen[reason] for reason in LIFT if seen[reason]}


def _row_of(lost: Lost) -> Reject:
    refusal = lost.refusal
    if not lost.transcript:
        return Reject(lost.gene_id, refusal.reason, refusal.detail)
    return Reject(
        lost.gene_id, refusal.reason, f"transcript {lost.transcript} only; {refusal.detail}", "transcript_rejected"
    )


def run(config: LiftConfig) -> LiftResult:
    """Lift the genes and write `<outdir>/genes-*.parquet`, `rejects.tsv` and `lift.json`.

    Raises:
        MissingInputError: a shard or the genome does not exist.
        BadInputError: not gene shards, not FASTA, or no gene of the wanted splits.
    """
    rows = list(read_shard(config.shards))
    if not any(row.split in config.splits and row.gsf for row in rows):
        raise BadInputError(
            f"no gene of split {', '.join(config.splits)} with a known structure",
            path=config.shards[0] if config.shards else None,
            hint="prepare the source with tg-prep genes --annotation ... --split ...",
        )
    target = Target(config.fasta, config.align)
    try:
        genes, rejects, considered = lift_rows(rows, target, config=config)
        stamp = Provenance("tg-prep lift", config.parameters())
        paths = write_gene_shards(
            (to_row(gene, target, sample=config.sample) for gene in genes),
            config.outdir,
            provenance=stamp,
            shard_bases=config.shard_bases,
        )
    finally:
        target.close()
    result = LiftResult(
        paths=paths,
        considered=considered,
        lifted=len(genes),
        complete=sum(gene.complete for gene in genes),
        transcripts=sum(len(gene.transcripts) for gene in genes),
        mean_identity=round(sum(gene.identity for gene in genes) / max(1, len(genes)), 4),
        genes_lost=_counts(r for r in rejects if not r.transcript),
        transcripts_lost=_counts(r for r in rejects if r.transcript),
    )
    ordered = sorted(rejects, key=lambda lost: (lost.gene_id, lost.transcript))
    write_rejects_file(map(_row_of, ordered), config.outdir / "rejects.tsv")
    with write_aside(config.outdir / "lift.json") as aside:
        payload = {"provenance": json.loads(stamp.to_json()), **result.summary()}
        aside.write_text(json.dumps(payload, indent=2) + "\n")
    return result
