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
from contextlib import ExitStack, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa

from transgenic_tools.errors import BadInputError
from transgenic_tools.genome.checks import ACTIONS, Finding, blocking, count_findings, ordered_codes, told
from transgenic_tools.io.collector import paused_collector
from transgenic_tools.io.fasta import Fasta
from transgenic_tools.io.files import unzipped_ahead
from transgenic_tools.io.progress import track
from transgenic_tools.io.rejects import Reject, write_rejects, write_rejects_file
from transgenic_tools.io.shards import window_bases, write_gene_tables
from transgenic_tools.prep.choose import check_places, choose
from transgenic_tools.prep.config import Config
from transgenic_tools.prep.ends import odd_regions
from transgenic_tools.prep.rows import Chunk
from transgenic_tools.prep.source import Decided, Locus, Source, open_source
from transgenic_tools.prep.split import assign_folds, assign_splits, parse_split
from transgenic_tools.provenance import FORMAT_VERSION, Provenance, write_aside


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


def _rejects(findings: Sequence[Finding]) -> Iterator[Reject]:
    return (_reject_of(finding) for finding in findings if finding.action != "flagged")


def _write_rejects(findings: Sequence[Finding], config: Config) -> None:
    write_rejects_file(_rejects(findings), config.outdir / "rejects.tsv")


def _refuse_if_empty(source: Source, config: Config) -> None:
    """Raises BadInputError, with the finding that cost the genes, where there is none."""
    if source.genes or config.annotation is None:
        return
    said = told(source.problems)
    if said:
        _write_rejects(source.problems, config)
    raise BadInputError(
        f"the annotation holds no gene; {said}" if said else "the annotation holds no gene line and no transcript",
        path=config.annotation,
        line=next((finding.line for finding in source.problems if finding.line), None),
        hint=f"mend what is named; {config.outdir / 'rejects.tsv'} lists it all" if said
        else "give GFF3 or GTF with gene models",
    )  # fmt: skip


def _decide(
    source: Source, chosen: Sequence[Locus], problems: Sequence[Finding], fasta: Fasta, config: Config
) -> Iterator[Decided]:
    """Split, fold and codes of each gene."""
    rule = parse_split(config.split) if config.split else None
    groups = source.families(chosen, fasta) if rule is not None and rule.kind == "homology" else None
    if rule is not None and rule.kind == "block" and rule.seqid not in fasta:
        log.warning("--split %s: %s has no such sequence, so all of its genes train", config.split, config.fasta.name)
    splits = assign_splits(chosen, rule, sample=config.sample, groups=lambda: groups or {})
    folds = assign_folds(chosen, config.folds, splits, groups)
    codes: dict[str, list[str]] = {}
    for finding in problems:
        codes.setdefault(finding.gene, []).append(finding.code)
    for gene in chosen:
        own = codes.get(gene.id)
        yield Decided(splits[gene.id], folds[gene.id], ordered_codes(own) if own else ())


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
    source = open_source(config)
    _refuse_if_empty(source, config)
    with Fasta(config.fasta, stage_dir=config.outdir) as fasta:
        return _written(config, source, fasta, began)


def _written(config: Config, source: Source, fasta: Fasta, began: float) -> Result:
    source.place(fasta)
    genes, problems = source.genes, source.problems
    path = config.annotation or config.regions or config.fasta
    misplaced = check_places(genes, fasta.lengths, source=path)
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
            path=path,
            hint=f"{config.outdir / 'rejects.tsv'} lists all genes; for loci without structure use --regions",
        )
    provenance = Provenance("tg-prep", config.parameters())
    apart = source.in_processes(kept)
    with ExitStack() as together:  # all files appear in the end, or none
        with ThreadPoolExecutor(1) if config.threads > 1 and not apart else nullcontext() as behind:
            shards = write_gene_tables(
                tally.tables(source.chunks(kept, _decide(source, kept, problems, fasta, config), fasta), len(kept)),
                config.outdir,
                provenance=provenance,
                shard_bases=config.shard_bases,
                behind=behind,
                together=together,
            )
        table = together.enter_context(write_aside(config.outdir / "rejects.tsv"))
        with open(table, "w", encoding="utf-8") as handle:
            write_rejects(_rejects(tally.findings), handle)
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
        summary = together.enter_context(write_aside(config.outdir / "prep.json"))
        summary.write_text(json.dumps(result.to_json(), indent=2, default=list) + "\n", encoding="utf-8")
    return result
