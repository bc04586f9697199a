"""Genes into rows of a shard: window, sequence, checks, gene sentence.

In: genes with their splits, an open FASTA. Out: a `Prepared` each: the row, or none, and the findings.
A surprise: this runs in worker processes; it depends on the gene alone, so the number of workers changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from operator import attrgetter
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from transgenic_tools import gsf
from transgenic_tools.choices import Split
from transgenic_tools.genome.checks import Finding, check_transcript, ordered_codes
from transgenic_tools.genome.gene import Gene, Transcript
from transgenic_tools.io.fasta import Fasta
from transgenic_tools.io.gff3.table import Entry, GeneTable
from transgenic_tools.io.rows import GeneRow
from transgenic_tools.io.schemas import GENE_SHARD
from transgenic_tools.io.shards import gene_table
from transgenic_tools.prep.config import Config, FilterConfig
from transgenic_tools.prep.plain import Ready, ready
from transgenic_tools.prep.routines import shorten
from transgenic_tools.prep.windows import edges_of, window_of

#: Plain genes that are prepared at once, and the bases of their windows.
BATCH_GENES = 1024
BATCH_BASES = 1 << 25


@dataclass(frozen=True, slots=True)
class Task:
    """A gene with everything that was decided about it beforehand."""

    gene: Gene
    split: Split | None
    fold: int | None
    codes: tuple[str, ...] = ()


class TableTask(NamedTuple):
    """As `Task`, for a gene of a table."""

    entry: Entry
    split: Split | None
    fold: int | None
    codes: tuple[str, ...] = ()

    def alone(self, table: GeneTable) -> Task:
        return Task(table.gene(self.entry), self.split, self.fold, self.codes)


def suits_table(config: Config) -> bool:
    """Whether genes may stay in their table: nothing is asked for that looks at single transcripts of all genes."""
    filters = replace(config.filters, biotypes=(), min_length=0, max_length=None)
    families = config.split is not None and config.split.startswith("homology")
    whole = config.window.routine == "whole"
    return config.annotation is not None and config.aliases is None and whole and not families and filters == _ANY


_ANY = FilterConfig()


def prepare_table(tasks: Sequence[TableTask], table: GeneTable, fasta: Fasta, config: Config) -> Iterator[Chunk]:
    """The rows of a table's genes in order: plain ones many at a time, all others one by one."""
    batch: list[TableTask] = []
    bases = 0
    for task in tasks:
        batch.append(task)
        bases += task.entry.end - task.entry.start
        if len(batch) == BATCH_GENES or bases >= BATCH_BASES:
            yield _prepare_batch(batch, table, fasta, config)
            batch, bases = [], 0
    if batch:
        yield _prepare_batch(batch, table, fasta, config)


def _prepare_batch(tasks: Sequence[TableTask], table: GeneTable, fasta: Fasta, config: Config) -> Chunk:
    plain = [i for i, task in enumerate(tasks) if task.entry.plain >= 0 and not task.entry.mixed]
    entries = [tasks[i].entry for i in plain]
    lengths = fasta.lengths
    windows = [edges_of(e, e.start, e.end, config.window, contig_length=lengths[e.seqid]) for e in entries]
    made = ready(table.coding, entries, windows, fasta) if plain else Ready([], [], [])
    rows: list[_Values | None] = [None] * len(tasks)
    sample = config.sample
    for i, entry, (start, end), *one in zip(plain, entries, windows, *made, strict=True):
        bases, sentence, primary = one
        if sentence is not None:
            _, split, fold, codes = tasks[i]
            rows[i] = (
                entry.id, sample, entry.seqid, entry.start, entry.end, entry.strand, start, end, bases, sentence,
                entry.transcripts, primary, split, fold, codes, None,
            )  # fmt: skip
    findings: list[Finding] = []
    for i, task in enumerate(tasks):
        if rows[i] is None:
            done = prepare(task.alone(table), fasta, config)
            findings += done.findings
            rows[i] = None if done.row is None else _values_of(done.row)
    return Chunk(_table_of([row for row in rows if row is not None]), tuple(findings))


_Values = tuple[Any, ...]
_values_of = attrgetter(*GENE_SHARD.names)


def _table_of(rows: Sequence[_Values]) -> pa.Table:
    """A table of rows whose sequences may be text or bytes."""
    if not rows:
        return gene_table([])
    columns = dict(zip(GENE_SHARD.names, zip(*rows, strict=True), strict=True))
    sequences = [text.encode() if isinstance(text, str) else text for text in columns["sequence"]]
    ends = np.cumsum([0, *map(len, sequences)], dtype=np.int64)
    arrays = {
        name: pa.array(values, GENE_SHARD.field(name).type) for name, values in columns.items() if name != "sequence"
    }
    arrays["sequence"] = pa.LargeStringArray.from_buffers(
        len(rows), pa.py_buffer(ends), pa.py_buffer(b"".join(sequences))
    )
    return pa.Table.from_arrays([arrays[name] for name in GENE_SHARD.names], schema=GENE_SHARD)


class Chunk(NamedTuple):
    """Rows of some genes, as a table with the columns of a gene shard, and the findings about these genes."""

    table: pa.Table
    findings: tuple[Finding, ...] = ()


def chunk_of(prepared: Iterable[Prepared]) -> Chunk:
    """Genes that were prepared alone."""
    done = list(prepared)
    rows = [one.row for one in done if one.row is not None]
    return Chunk(gene_table(rows), tuple(finding for one in done for finding in one.findings))


class Prepared(NamedTuple):
    """What became of one gene; `row` is None where it was rejected or filtered."""

    row: GeneRow | None
    findings: tuple[Finding, ...] = ()


def _distinct(gene: Gene, findings: list[Finding]) -> list[Transcript]:
    """Coding transcripts of different structure, in the order of the source."""
    kept: dict[object, Transcript] = {}
    for transcript in gene.transcripts:
        if not transcript.cds:
            findings.append(Finding("noncoding_transcript", gene.id, transcript.id))
            continue
        first = kept.setdefault((transcript.exons, transcript.cds), transcript)
        if first is not transcript:
            findings.append(Finding("same_structure", gene.id, f"{transcript.id} equals {first.id}"))
    return list(kept.values())


def prepare(task: Task, fasta: Fasta, config: Config) -> Prepared:
    """The row of one gene."""
    gene = task.gene
    length = fasta.lengths[gene.seqid]
    window = window_of(gene, config.window, contig_length=length)
    sequence = fasta.window(window)
    findings: list[Finding] = []
    sentence, chosen = None, None
    kept: tuple[int, ...] | None = None
    transcripts: list[Transcript] = []
    if config.annotation is not None:
        transcripts = _distinct(gene, findings)
        inside = {t.id: window.transcript_to_window(t) for t in transcripts}
        faults = {t.id: check_transcript(inside[t.id], sequence) for t in transcripts}
        transcripts = _wanted(gene, transcripts, faults, config, findings)
        if not transcripts:
            return Prepared(None, (*findings, Finding("unclean", gene.id)))
        findings += [Finding(code, gene.id, t.id) for t in transcripts for code in faults[t.id]]
        written = [inside[t.id] for t in transcripts]
        settings = config.window
        shortened = shorten(written, settings.routine, overlap=settings.overlap, length=len(sequence))
        if shortened is not None:
            sequence = shortened.sequence(sequence)
            written = [shortened.transcript_to_short(t) for t in written]
            kept = tuple(edge for i in shortened.kept for edge in (i.start, i.end))
        sentence = gsf.write(written, strand=gene.strand)
        chosen = max(transcripts, key=lambda t: t.size).id
    row = GeneRow(
        gene_id=gene.id,
        sample=config.sample,
        seqid=gene.seqid,
        start=gene.interval.start,
        end=gene.interval.end,
        strand=gene.strand,
        window_start=window.start,
        window_end=window.end,
        sequence=sequence,
        gsf=sentence,
        n_transcripts=len(transcripts),
        primary_transcript=chosen,
        split=task.split,
        fold=task.fold,
        flags=ordered_codes((*task.codes, *(f.code for f in findings))),
        kept=kept,
    )
    return Prepared(row, tuple(findings))


def _wanted(
    gene: Gene,
    transcripts: list[Transcript],
    faults: dict[str, tuple[str, ...]],
    config: Config,
    findings: list[Finding],
) -> list[Transcript]:
    """Transcripts after the filters that need the sequence."""
    wanted = transcripts
    if config.filters.clean_cds:
        for transcript in wanted:
            if faults[transcript.id]:
                detail = f"{transcript.id}: {', '.join(faults[transcript.id])}"
                findings.append(Finding("unclean_transcript", gene.id, detail))
        wanted = [t for t in wanted if not faults[t.id]]
    if config.filters.longest_only and len(wanted) > 1:
        longest = max(wanted, key=lambda t: t.size)
        findings += [Finding("not_longest", gene.id, t.id) for t in wanted if t is not longest]
        wanted = [longest]
    return wanted
