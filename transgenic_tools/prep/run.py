"""Prepare one genome: FASTA and annotation (or loci) to gene shards.

In: a `Config`. Out: `genes-*.parquet`, `rejects.tsv` and `prep.json` in the output directory, and a `Result`.
A surprise: the bytes of all three depend on the inputs and the settings alone, never on threads or time.
"""

from __future__ import annotations

import json
import multiprocessing
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from transgenic_tools.errors import BadInputError
from transgenic_tools.genome.checks import ACTIONS, Finding, blocking, count_findings, ordered_codes
from transgenic_tools.genome.gene import Gene
from transgenic_tools.io.collector import paused_collector
from transgenic_tools.io.fasta import Fasta
from transgenic_tools.io.gff3 import read_annotation
from transgenic_tools.io.shards import GeneRow, write_gene_shards
from transgenic_tools.prep.choose import check_places, choose, read_aliases, rename_seqids
from transgenic_tools.prep.config import Config
from transgenic_tools.prep.progress import track
from transgenic_tools.prep.rows import Prepared, Task, prepare
from transgenic_tools.prep.split import assign_folds, assign_splits, parse_split
from transgenic_tools.prep.stops import join_stops
from transgenic_tools.provenance import FORMAT_VERSION, Provenance, write_aside

#: Genes handed to a worker at once.
CHUNK = 128


@dataclass(frozen=True)
class Result:
    """Summary of one genome; `to_json` is `prep.json`.

    Attributes:
        genes, transcripts, bases: What stands in the shards.
        read: Genes in the annotation.
        counts: Findings by action, then by code.
        splits: Genes by split.
        seconds: Wall time; not in `prep.json`.
    """

    sample: str
    genes: int
    transcripts: int
    bases: int
    read: int
    counts: dict[str, dict[str, int]]
    splits: dict[str, int]
    shards: tuple[Path, ...]
    provenance: Provenance
    seconds: float = 0.0

    def to_json(self, *, timed: bool = False) -> dict[str, Any]:
        """Plain values, keys in a fixed order."""
        payload = {
            "format_version": FORMAT_VERSION,
            "sample": self.sample,
            "genomes": 1,
            "genes_read": self.read,
            "genes": self.genes,
            "transcripts": self.transcripts,
            "bases": self.bases,
            "splits": self.splits,
            **self.counts,
            "shards": [path.name for path in self.shards],
            "provenance": json.loads(self.provenance.to_json()),
        }
        return {**payload, "seconds": round(self.seconds, 3)} if timed else payload


@dataclass
class _Tally:
    """Counts rows as they pass on their way to the writer."""

    genes: int = 0
    transcripts: int = 0
    bases: int = 0
    splits: Counter[str] = field(default_factory=Counter)
    findings: list[Finding] = field(default_factory=list)

    def rows(self, prepared: Iterator[Prepared], total: int) -> Iterator[GeneRow]:
        for one in track(prepared, total=total, label="genes"):
            self.findings += one.findings
            if one.row is not None:
                self.genes += 1
                self.transcripts += one.row.n_transcripts
                self.bases += one.row.bases
                self.splits[one.row.split or "none"] += 1
                yield one.row


class _Worker:
    """Holds what a forked process inherits; set once by the pool's initializer."""

    tasks: Sequence[Task]
    fasta: Fasta
    config: Config

    @classmethod
    def inherit(cls, tasks: Sequence[Task], fasta: Fasta, config: Config) -> None:
        cls.tasks, cls.fasta, cls.config = tasks, fasta, config

    @classmethod
    def chunk(cls, start: int) -> list[Prepared]:
        return [prepare(task, cls.fasta, cls.config) for task in cls.tasks[start : start + CHUNK]]


def prepare_all(tasks: Sequence[Task], fasta: Fasta, config: Config) -> Iterator[Prepared]:
    """All genes in order, in `config.threads` processes where the system can fork."""
    if config.threads == 1 or len(tasks) <= CHUNK or "fork" not in multiprocessing.get_all_start_methods():
        for task in tasks:
            yield prepare(task, fasta, config)
        return
    context = multiprocessing.get_context("fork")
    with context.Pool(config.threads, initializer=_Worker.inherit, initargs=(tasks, fasta, config)) as pool:
        for chunk in pool.imap(_Worker.chunk, range(0, len(tasks), CHUNK)):
            yield from chunk


def _read_genes(config: Config) -> tuple[tuple[Gene, ...], tuple[Finding, ...], bool]:
    """Genes, findings, and whether stop codons are to be looked for."""
    if config.annotation is not None:
        annotation = read_annotation(config.annotation)
        if not annotation.genes:
            raise BadInputError(
                "the annotation holds no gene", path=config.annotation, hint="give GFF3 or GTF with gene models"
            )
        return annotation.genes, annotation.problems, annotation.dialect == "gtf" and not annotation.n_stop_codons
    from transgenic_tools.io.bed import read_loci

    assert config.regions is not None
    return (*read_loci(config.regions), False)


def _tasks(genes: Sequence[Gene], findings: Sequence[Finding], fasta: Fasta, config: Config) -> list[Task]:
    rule = parse_split(config.split) if config.split else None
    group_of = None
    if rule is not None and rule.kind == "homology":
        from transgenic_tools.prep.homology import homology_groups

        group_of = homology_groups(genes, fasta)
    splits = assign_splits(genes, rule, sample=config.sample, groups=lambda: group_of or {})
    folds = assign_folds(genes, config.folds, splits, group_of)
    codes: dict[str, list[str]] = {}
    for finding in findings:
        codes.setdefault(finding.gene, []).append(finding.code)
    return [Task(g, splits[g.id], folds[g.id], ordered_codes(codes.get(g.id, ()))) for g in genes]


def write_rejects(findings: Sequence[Finding], path: Path) -> None:
    """`rejects.tsv`: gene, reason code, detail, action; everything but flags."""
    with write_aside(path) as aside, open(aside, "w", encoding="utf-8") as handle:
        handle.write("gene\treason\tdetail\taction\n")
        for finding in findings:
            if finding.action != "flagged":
                where = f"line {finding.line}: " if finding.line else ""
                detail = (where + finding.detail).replace("\t", " ").replace("\n", " ")
                handle.write(f"{finding.gene or '-'}\t{finding.code}\t{detail}\t{finding.action}\n")


def _counted(findings: Sequence[Finding]) -> str:
    return ", ".join(f"{n} {code}" for code, n in count_findings(findings).items())


def _refuse_if_strict(findings: Sequence[Finding], config: Config) -> None:
    blockers = blocking(findings)
    if config.strict and blockers:
        first = blockers[0]
        raise BadInputError(
            f"{len(blockers)} findings under --strict ({_counted(blockers)}); the first: {first.code} {first.detail}",
            path=config.annotation or config.regions,
            line=first.line,
            feature=first.gene or None,
            hint="mend the annotation, or leave --strict away and read rejects.tsv",
        )


def _counts(findings: Sequence[Finding]) -> dict[str, dict[str, int]]:
    by_action: dict[str, list[Finding]] = {name: [] for name in ACTIONS}
    for finding in findings:
        by_action[finding.action].append(finding)
    return {action: count_findings(some) for action, some in by_action.items()}


def run(config: Config) -> Result:
    """Prepare one genome.

    Raises:
        MissingInputError: an input file does not exist.
        BadInputError: an input cannot be used, no gene is left, or `strict` and something is not clean.
    """
    began = time.monotonic()
    config.outdir.mkdir(parents=True, exist_ok=True)
    read, problems, without_stops = _read_genes(config)
    genes = list(read)
    with Fasta(config.fasta, stage_dir=config.outdir) as fasta:
        if config.aliases is not None:
            genes = rename_seqids(genes, read_aliases(config.aliases, fasta.names))
        if without_stops:
            genes, mended = join_stops(genes, fasta)
            problems = (*problems, *mended)
        source = config.annotation or config.regions or config.fasta
        misplaced = check_places(genes, fasta.lengths, source=source)
        missing = {finding.gene for finding in misplaced}
        kept, dropped = [g for g in genes if g.id not in missing], list[Finding]()
        if config.annotation is not None:
            kept, dropped = choose(kept, config.filters, problems)
        tally = _Tally(findings=[*problems, *misplaced, *dropped])
        _refuse_if_strict(tally.findings, config)
        if not kept:
            raise BadInputError(
                f"none of the {len(genes)} genes is left ({_counted([*misplaced, *dropped])})",
                path=source,
                hint="genes need CDS lines; for loci without structure use --regions",
            )
        tasks = _tasks(kept, problems, fasta, config)
        provenance = Provenance("tg-prep", config.parameters())
        with paused_collector():
            shards = write_gene_shards(
                tally.rows(prepare_all(tasks, fasta, config), len(tasks)),
                config.outdir,
                provenance=provenance,
                shard_bases=config.shard_bases,
            )
    write_rejects(tally.findings, config.outdir / "rejects.tsv")
    result = Result(
        sample=config.sample,
        genes=tally.genes,
        transcripts=tally.transcripts,
        bases=tally.bases,
        read=len(genes),
        counts=_counts(tally.findings),
        splits=dict(sorted(tally.splits.items())),
        shards=shards,
        provenance=provenance,
        seconds=time.monotonic() - began,
    )
    with write_aside(config.outdir / "prep.json") as aside:
        aside.write_text(json.dumps(result.to_json(), indent=2, default=list) + "\n", encoding="utf-8")
    return result
