"""Training examples that stay in their Parquet files.

In: gene shards and which rows are wanted. Out: a sequence of `Example`s that is read row group by row group.
Of every gene only an `Outline` is held in memory (name, locus, length: what a plan of batches needs); sequences of the
row groups in use are kept, and dropped when others are needed.
A surprise: row groups are dealt to as many lanes as a step has micro-batches, and each lane is shuffled within blocks
of row groups. Micro-batch m of a step comes from lane m, which belongs to one process, so every process reads its own
row groups, and how many processes there are changes nothing. A set that fits into one block gives the batches of a
run in memory.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path

import numpy as np

from transgenic_tools.genome.interval import Interval
from transgenic_tools.io.row_groups import RowGroup, read_row_group, row_groups
from transgenic_tools.io.shards import GeneRow
from transgenic_tools.train.examples import Example, Outline, example_from_row

#: All that an outline is made from.
_COLUMNS = ("gene_id", "start", "end", "strand", "seqid", "window_start", "window_end", "gsf", "split", "fold", "kept")


def _outline(row: GeneRow) -> Outline:
    length = row.bases if row.kept is None else sum(row.kept[1::2]) - sum(row.kept[::2])
    return Outline(row.gene_id, row.window.to_window(Interval(row.start, row.end)), length)


class StreamedExamples:
    """See the module docstring.

    Attributes:
        groups_at_once: Row groups of one block.
        read: How often a row group was read.
    """

    def __init__(
        self, shards: tuple[Path, ...], wanted: Callable[[GeneRow], bool], *, groups_at_once: int, lanes: int
    ) -> None:
        self.groups_at_once, self.lanes = groups_at_once, lanes
        self.groups: list[RowGroup] = []
        self.members: list[list[int]] = []
        self.outlines: list[Outline] = []
        self._where: list[tuple[int, int]] = []
        self.read = 0
        self._rows: OrderedDict[int, list[GeneRow]] = OrderedDict()
        for group in row_groups(shards):
            rows = read_row_group(group, _COLUMNS)
            own = [number for number, row in enumerate(rows) if row.gsf and wanted(row)]
            if own:
                self.members.append(list(range(len(self.outlines), len(self.outlines) + len(own))))
                self._where += [(len(self.groups), number) for number in own]
                self.outlines += [_outline(rows[number]) for number in own]
                self.groups.append(group)

    def __len__(self) -> int:
        return len(self.outlines)

    def outline(self, index: int) -> Outline:
        """What is known of a gene without reading it."""
        return self.outlines[index]

    def __getitem__(self, index: int) -> Example:
        group, number = self._where[index]
        if group not in self._rows:
            while len(self._rows) >= self.groups_at_once * self.lanes + 1:
                self._rows.popitem(last=False)
            self._rows[group] = read_row_group(self.groups[group])
            self.read += 1
        self._rows.move_to_end(group)
        return example_from_row(self._rows[group][number])

    def order(self, rng: np.random.Generator) -> list[list[list[int]]]:
        """Lanes of blocks of genes, for one epoch."""
        if len(self.groups) <= self.groups_at_once:
            return [[rng.permutation(len(self)).tolist()]]
        dealt = rng.permutation(len(self.groups)).tolist()
        lanes = []
        for lane in range(self.lanes):
            own = dealt[lane :: self.lanes]
            blocks = []
            for start in range(0, len(own), self.groups_at_once):
                genes = [gene for group in own[start : start + self.groups_at_once] for gene in self.members[group]]
                blocks.append([genes[i] for i in rng.permutation(len(genes)).tolist()])
            lanes.append(blocks)
        return lanes
