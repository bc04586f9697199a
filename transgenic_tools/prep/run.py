"""Prepare one genome: FASTA and annotation (or loci) to gene shards.

In: a `Config`. Out: `genes-*.parquet`, `rejects.tsv` and `prep.json` in the output directory, and a `Result`.
A surprise: the bytes of all three depend on the inputs and the settings alone, never on threads or time.
"""

from __future__ import annotations

import json
import logging
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa

from transgenic_tools.errors import BadInputError
from transgenic_tools.genome.checks import ACTIONS, Finding, blocking, count_findings, ordered_codes, told
from transgenic_tools.genome.gene import Gene
from transgenic_tools.io.aliases import read_aliases
from transgenic_tools.io.collector import paused_collector
from transgenic_tools.io.fasta import Fasta
from transgenic_tools.io.files import unzipped_ahead
from transgenic_tools.io.gff3 import read_annotation
from transgenic_tools.io.gff3.table import Entry, GeneTable, read_gene_table
from transgenic_tools.io.progress import track
from transgenic_tools.io.rejects import Reject, write_rejects_file
from transgenic_tools.io.shards import window_bases, write_gene_tables
from transgenic_tools.io.stops import join_stops
from transgenic_tools.prep.choose import check_places, choose, rename_seqids
from transgenic_tools.prep.config import Config
from transgenic_tools.prep.ends import clip_genes, odd_regions
from transgenic_tools.prep.rows import Chunk, TableTask, Task, chunk_of, prepare, prepare_table, suits_table
from transgenic_tools.prep.split import Split, assign_folds, assign_splits, parse_split
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


log = logging.getLogger("tg-prep")


@dataclass
class _Tally:
    """Counts rows as they pass on their way to the writer."""

    genes: int = 0
    transcripts: int = 0
    bases: int = 0
    splits: Counter[str] = field(default_factory=Counter)
    findings: list[Finding] = field(default_factory=list)

    def tables(self, chunks: Iterator[Chunk], total: int) -> Iterator[pa.Table]:
        passing = track(
            chunks, log, total=total, size=lambda chunk: chunk.table.num_rows,
            bases=lambda chunk: sum(window_bases(chunk.table)),
        )  # fmt: skip
        for table, findings in passing:
            self.findings += findings
            self.genes += table.num_rows
            self.transcripts += int(table["n_transcripts"].to_numpy().sum())
            self.bases += sum(window_bases(table))
            self.splits.update(split or "none" for split in table["split"].to_pylist())
            yield table


class _Worker:
    """Holds what a forked process inherits; set once by the pool's initializer."""

    tasks: Sequence[Task]
    fasta: Fasta
    config: Config

    @classmethod
    def inherit(cls, tasks: Sequence[Task], fasta: Fasta, config: Config) -> None:
        cls.tasks, cls.fasta, cls.config = tasks, fasta, config

    @classmethod
    def chunk(cls, start: int) -> Chunk:
        return chunk_of(prepare(task, cls.fasta, cls.config) for task in cls.tasks[start : start + CHUNK])


def prepare_all(tasks: Sequence[Task], fasta: Fasta, config: Config) -> Iterator[Chunk]:
    """All genes in order, in `config.threads` processes where the system can fork."""
    if config.threads > 1 and len(tasks) > CHUNK:
        import multiprocessing
    if config.threads == 1 or len(tasks) <= CHUNK or "fork" not in multiprocessing.get_all_start_methods():
        for start in range(0, len(tasks), CHUNK):
            yield chunk_of(prepare(task, fasta, config) for task in tasks[start : start + CHUNK])
        return
    context = multiprocessing.get_context("fork")
    with context.Pool(config.threads, initializer=_Worker.inherit, initargs=(tasks, fasta, config)) as pool:
        yield from pool.imap(_Worker.chunk, range(0, len(tasks), CHUNK))


@dataclass(frozen=True)
class _Read:
    """Genes as they were read; `table` holds them where they may stay in it, `genes` is empty then.

    Attributes:
        stop_lines: Of GTF, the transcripts whose stop codon has a line; None where none is to be looked for.
    """

    genes: tuple[Gene, ...]
    problems: tuple[Finding, ...]
    stop_lines: frozenset[tuple[str, str]] | None = None
    table: GeneTable | None = None


def _read(config: Config) -> _Read:
    if config.annotation is None:
        from transgenic_tools.io.bed import read_loci

        assert config.regions is not None
        return _Read(*read_loci(config.regions))
    reader = read_gene_table if suits_table(config) else read_annotation
    found = reader(config.annotation, tags=config.group_by)
    if isinstance(found, GeneTable):
        read, any_gene = _Read((), found.problems, table=found), bool(found.entries)
    else:
        read = _Read(found.genes, found.problems, found.stop_lines if found.dialect == "gtf" else None)
        any_gene = bool(found.genes)
    if not any_gene:
        said = told(read.problems)
        if said:
            _write_rejects(read.problems, config)
        raise BadInputError(
            f"the annotation holds no gene; {said}" if said else "the annotation holds no gene line and no transcript",
            path=config.annotation,
            line=next((finding.line for finding in read.problems if finding.line), None),
            hint=f"mend what is named; {config.outdir / 'rejects.tsv'} lists it all" if said
            else "give GFF3 or GTF with gene models",
        )  # fmt: skip
    return read


def _write_rejects(findings: Sequence[Finding], config: Config) -> None:
    rejects = (_reject_of(finding) for finding in findings if finding.action != "flagged")
    write_rejects_file(rejects, config.outdir / "rejects.tsv")


def _decide(
    genes: Sequence[Gene | Entry], findings: Sequence[Finding], fasta: Fasta, config: Config
) -> Iterator[tuple[Split | None, int | None, tuple[str, ...]]]:
    """Split, fold and codes of each gene."""
    rule = parse_split(config.split) if config.split else None
    group_of = None
    if rule is not None and rule.kind == "homology":
        from transgenic_tools.prep.homology import homology_groups

        group_of = homology_groups([gene for gene in genes if isinstance(gene, Gene)], fasta)
    splits = assign_splits(genes, rule, sample=config.sample, groups=lambda: group_of or {})
    folds = assign_folds(genes, config.folds, splits, group_of)
    codes: dict[str, list[str]] = {}
    for finding in findings:
        codes.setdefault(finding.gene, []).append(finding.code)
    for gene in genes:
        own = codes.get(gene.id)
        yield splits[gene.id], folds[gene.id], ordered_codes(own) if own else ()


def _in_processes(genes: Sequence[Gene | Entry], config: Config) -> bool:
    """Whether most genes must be looked at one by one, so that several processes are worth their start."""
    alone = sum(isinstance(gene, Gene) or gene.plain < 0 for gene in genes)
    return config.threads > 1 and alone > max(CHUNK, len(genes) // 4)


def _prepared(
    genes: Sequence[Gene | Entry],
    read: _Read,
    problems: Sequence[Finding],
    fasta: Fasta,
    config: Config,
    *,
    apart: bool,
) -> Iterator[Chunk]:
    """All genes in order; those of a table many at once, unless they go to several processes."""
    decided = zip(genes, _decide(genes, problems, fasta, config), strict=True)
    table = read.table
    if table is None:
        yield from prepare_all([Task(g, *rest) for g, rest in decided if isinstance(g, Gene)], fasta, config)
        return
    tasks = [TableTask(entry, *rest) for entry, rest in decided if isinstance(entry, Entry)]
    if apart:
        yield from prepare_all([task.alone(table) for task in tasks], fasta, config)
    else:
        yield from prepare_table(tasks, table, fasta, config)


def _warned(findings: list[Finding]) -> list[Finding]:
    if findings:
        log.warning(
            "%d regions look like no single locus (%s: %s): each becomes one gene, whatever it holds; find loci first "
            "(tg-scan)", len(findings), findings[0].gene, findings[0].detail,
        )  # fmt: skip
    return findings


def _reject_of(finding: Finding) -> Reject:
    where = f"line {finding.line}: " if finding.line else ""
    return Reject(finding.gene, finding.code, where + finding.detail, finding.action)


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
    with paused_collector(), unzipped_ahead(config.inputs if config.threads > 1 else ()):
        return _run(config)


def _run(config: Config) -> Result:
    began = time.monotonic()
    config.outdir.mkdir(parents=True, exist_ok=True)
    read = _read(config)
    with Fasta(config.fasta, stage_dir=config.outdir) as fasta:
        return _written(config, read, fasta, began)


def _written(config: Config, read: _Read, fasta: Fasta, began: float) -> Result:
    problems = read.problems
    genes: list[Gene | Entry] = list(read.table.entries if read.table is not None else read.genes)
    if read.table is None:
        records = list(read.genes)
        if config.aliases is not None:
            records = rename_seqids(records, read_aliases(config.aliases, fasta.names))
        if read.stop_lines is not None:
            records, mended = join_stops(records, fasta, stop_lines=read.stop_lines)
            problems = (*problems, *mended)
        genes = list(records)
    source = config.annotation or config.regions or config.fasta
    genes, clipped = clip_genes(genes, fasta.lengths, read.table)
    problems = (*problems, *clipped)
    misplaced = check_places(genes, fasta.lengths, source=source)
    if config.regions is not None:
        problems = (*problems, *_warned(odd_regions(genes, fasta.lengths)))
    missing = {finding.gene for finding in misplaced}
    kept, dropped = [g for g in genes if g.id not in missing], list[Finding]()
    if config.annotation is not None:
        kept, dropped = choose(kept, config.filters, problems)
    tally = _Tally(findings=[*problems, *misplaced, *dropped])
    _refuse_if_strict(tally.findings, config)
    if not kept:
        _write_rejects(tally.findings, config)
        raise BadInputError(
            f"none of the {len(genes)} genes is left, with the sequences of {config.fasta} "
            f"({_counted([*misplaced, *dropped])}); {told(tally.findings)}",
            path=source,
            hint=f"{config.outdir / 'rejects.tsv'} lists all genes; for loci without structure use --regions",
        )
    provenance = Provenance("tg-prep", config.parameters())
    apart = _in_processes(kept, config)
    with ThreadPoolExecutor(1) if config.threads > 1 and not apart else nullcontext() as behind:
        shards = write_gene_tables(
            tally.tables(_prepared(kept, read, problems, fasta, config, apart=apart), len(kept)),
            config.outdir,
            provenance=provenance,
            shard_bases=config.shard_bases,
            behind=behind,
        )
    _write_rejects(tally.findings, config)
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
