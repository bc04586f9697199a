"""Training examples that stay in their Parquet files.

In: gene shards and which rows are wanted. Out: a sequence of `Example`s that is read section by section: so many
neighbouring genes in the order of the shards, wherever row groups and files end.
Of every gene only an `Outline` is held in memory (name, locus, length: what a plan of batches needs); sequences of the
sections in use are kept, and dropped when others are needed.
A surprise: sections are dealt to as many lanes as a step has micro-batches, and each lane is shuffled within blocks
of sections. Micro-batch m of a step comes from lane m, which belongs to one process, so every process reads its own
sections, and how many processes there are changes nothing. A set that fits into one block gives the batches of a
run in memory.
"""

from __future__ import annotations

import itertools
from collections import OrderedDict
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from transgenic_tools.io.rows import GeneRow
from transgenic_tools.io.shards import RowGroup, read_row_group, row_groups
from transgenic_tools.train.examples import HOLDS_ALL, Example, Holds, Outline, example_from_row

#: All that an outline is made from.
_COLUMNS = ("gene_id", "start", "end", "strand", "seqid", "window_start", "window_end", "gsf", "split", "fold", "kept")


class StreamedExamples:
    """See the module docstring.

    Attributes:
        holds: What the annotation of each sample holds.
        section_genes: Genes of one section, which are read together.
        sections_at_once: Sections of one block.
        read: How often a section was read.
    """

    def __init__(
        self,
        shards: tuple[Path, ...],
        wanted: Callable[[GeneRow], bool],
        *,
        holds: Mapping[str, Holds],
        section_genes: int,
        sections_at_once: int,
        lanes: int,
    ) -> None:
        self.holds = holds
        self.section_genes, self.sections_at_once, self.lanes = section_genes, sections_at_once, lanes
        self.outlines: list[Outline] = []
        self._where: list[tuple[RowGroup, int]] = []
        self.read = 0
        self._sections: OrderedDict[int, list[GeneRow]] = OrderedDict()
        for group in row_groups(shards):
            rows = read_row_group(group, _COLUMNS)
            members = [number for number, row in enumerate(rows) if row.gsf and wanted(row)]
            self._where += [(group, number) for number in members]
            picked = [rows[number] for number in members]
            self.outlines += [Outline(row.gene_id, row.locus, len(row.reading)) for row in picked]

    def __len__(self) -> int:
        return len(self.outlines)

    @property
    def n_sections(self) -> int:
        return -(-len(self) // self.section_genes)

    def outline(self, index: int) -> Outline:
        """What is known of a gene without reading it."""
        return self.outlines[index]

    def __getitem__(self, index: int) -> Example:
        section, number = divmod(index, self.section_genes)
        if section not in self._sections:
            while len(self._sections) >= self.sections_at_once * self.lanes + 1:
                self._sections.popitem(last=False)
            self._sections[section] = self._read_section(section)
            self.read += 1
        self._sections.move_to_end(section)
        row = self._sections[section][number]
        return example_from_row(row, self.holds.get(row.sample, HOLDS_ALL))

    def _members(self, section: int) -> range:
        return range(section * self.section_genes, min((section + 1) * self.section_genes, len(self)))

    def _read_section(self, section: int) -> list[GeneRow]:
        """Rows of a section; row groups that it begins or ends in are read for it alone."""
        places = [self._where[index] for index in self._members(section)]
        rows: list[GeneRow] = []
        for group, members in itertools.groupby(places, key=lambda place: place[0]):
            read = read_row_group(group)
            rows += [read[number] for _, number in members]
        return rows

    def order(self, rng: np.random.Generator) -> list[list[list[int]]]:
        """Lanes of blocks of genes, for one epoch."""
        if self.n_sections <= self.sections_at_once:
            return [[rng.permutation(len(self)).tolist()]]
        dealt = rng.permutation(self.n_sections).tolist()
        lanes = []
        for lane in range(self.lanes):
            sections = dealt[lane :: self.lanes]
            blocks = []
            for start in range(0, len(sections), self.sections_at_once):
                block = sections[start : start + self.sections_at_once]
                genes = [gene for section in block for gene in self._members(section)]
                blocks.append([genes[i] for i in rng.permutation(len(genes)).tolist()])
            lanes.append(blocks)
        return lanes
