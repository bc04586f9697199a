"""The door of preparation: genes of an annotation or of loci, and the rows made of them.

In: a `Config`. Out: a `Source`: genes to choose from, and one iterator of chunks for those that were chosen.
A surprise: where nothing is asked for that looks at every transcript, genes stay in the arrays that they were read
into, many times as fast. Only this module knows which it was; both ways give the same bytes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from transgenic_tools.choices import Split
from transgenic_tools.genome.checks import Finding
from transgenic_tools.genome.gene import Gene
from transgenic_tools.io.fasta import Fasta
from transgenic_tools.io.gff3 import read_annotation
from transgenic_tools.io.gff3.table import Entry, GeneTable, read_gene_table
from transgenic_tools.io.stops import join_stops
from transgenic_tools.prep.choose import rename_seqids
from transgenic_tools.prep.config import Config
from transgenic_tools.prep.ends import clip_genes
from transgenic_tools.prep.rows import Chunk, TableTask, Task, chunk_of, prepare, prepare_table, suits_table

#: Genes handed to a worker at once.
CHUNK = 128
Locus = Gene | Entry


class Decided(NamedTuple):
    """What was decided about a gene before its row is made."""

    split: Split | None
    fold: int | None
    codes: tuple[str, ...]


class Source(Protocol):
    """Genes of one genome, in their order.

    Attributes:
        genes: As they were read; after `place` as they lie on the sequences.
        problems: Findings so far.
    """

    genes: Sequence[Locus]
    problems: tuple[Finding, ...]

    def place(self, fasta: Fasta) -> None:
        """Names of sequences, stop codons and ends of sequences are settled by the genome."""

    def families(self, chosen: Sequence[Locus], fasta: Fasta) -> dict[str, str]:
        """Homology group by gene ID."""

    def in_processes(self, chosen: Sequence[Locus]) -> bool:
        """Whether most genes must be looked at one by one, so that several processes are worth their start."""

    def chunks(self, chosen: Sequence[Locus], decided: Iterable[Decided], fasta: Fasta) -> Iterator[Chunk]:
        """Rows of the chosen genes, in order."""


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


@dataclass
class _Records:
    """Genes as records: of any annotation, of loci, for every setting.

    Attributes:
        stop_lines: Of GTF, the transcripts whose stop codon has a line; None where none is to be looked for.
    """

    config: Config
    genes: Sequence[Locus]
    problems: tuple[Finding, ...]
    stop_lines: frozenset[tuple[str, str]] | None = None

    def place(self, fasta: Fasta) -> None:
        genes = self._records(self.genes)
        if self.config.aliases is not None:
            from transgenic_tools.io.aliases import read_aliases

            genes = rename_seqids(genes, read_aliases(self.config.aliases, fasta.names))
        if self.stop_lines is not None:
            genes, mended = join_stops(genes, fasta, stop_lines=self.stop_lines)
            self.problems = (*self.problems, *mended)
        self.genes, clipped = clip_genes(genes, fasta.lengths, None)
        self.problems = (*self.problems, *clipped)

    @staticmethod
    def _records(genes: Sequence[Locus]) -> list[Gene]:
        return [gene for gene in genes if isinstance(gene, Gene)]

    def families(self, chosen: Sequence[Locus], fasta: Fasta) -> dict[str, str]:
        from transgenic_tools.prep.homology import homology_groups

        return homology_groups(self._records(chosen), fasta)

    def in_processes(self, chosen: Sequence[Locus]) -> bool:
        return self.config.threads > 1 and len(chosen) > max(CHUNK, len(chosen) // 4)

    def chunks(self, chosen: Sequence[Locus], decided: Iterable[Decided], fasta: Fasta) -> Iterator[Chunk]:
        tasks = [Task(gene, *rest) for gene, rest in zip(self._records(chosen), decided, strict=True)]
        return prepare_all(tasks, fasta, self.config)


@dataclass
class _Table:
    """Genes that stay in the arrays that they were read into; those that are not plain are taken out one by one."""

    config: Config
    table: GeneTable
    genes: Sequence[Locus]
    problems: tuple[Finding, ...]

    def place(self, fasta: Fasta) -> None:
        self.genes, clipped = clip_genes(self.genes, fasta.lengths, self.table)
        self.problems = (*self.problems, *clipped)

    def families(self, chosen: Sequence[Locus], fasta: Fasta) -> dict[str, str]:
        raise AssertionError("a split by homology looks at proteins, for which genes are read as records")

    def in_processes(self, chosen: Sequence[Locus]) -> bool:
        alone = sum(isinstance(gene, Entry) and gene.plain < 0 for gene in chosen)
        return self.config.threads > 1 and alone > max(CHUNK, len(chosen) // 4)

    def chunks(self, chosen: Sequence[Locus], decided: Iterable[Decided], fasta: Fasta) -> Iterator[Chunk]:
        entries = [gene for gene in chosen if isinstance(gene, Entry)]
        tasks = [TableTask(entry, *rest) for entry, rest in zip(entries, decided, strict=True)]
        if self.in_processes(chosen):
            return prepare_all([task.alone(self.table) for task in tasks], fasta, self.config)
        return prepare_table(tasks, self.table, fasta, self.config)


def open_source(config: Config) -> Source:
    """Read the annotation or the loci; there may be no gene in it.

    Raises:
        MissingInputError: no such file.
        BadInputError: the file is damaged, or of another format.
    """
    if config.annotation is None:
        from transgenic_tools.io.bed import read_loci

        assert config.regions is not None
        return _Records(config, *read_loci(config.regions))
    read = read_gene_table if suits_table(config) else read_annotation
    found = read(config.annotation, tags=config.group_by)
    if isinstance(found, GeneTable):
        return _Table(config, found, found.entries, found.problems)
    stop_lines = found.stop_lines if found.dialect == "gtf" else None
    return _Records(config, found.genes, found.problems, stop_lines)
