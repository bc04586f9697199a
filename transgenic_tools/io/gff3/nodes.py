"""Node lines: genes, transcripts, anything that may be a parent; held as columns.

In: columns of some lines at a time. Out: `Nodes`; `nodes[place]` is one line as a record.
A surprise: column 9 stays text, but of GFF3 the ID and the Parent are cut out on the way, many lines at once, because
all lines are tied together by them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import NamedTuple


class NodeLine(NamedTuple):
    """A line that may be a gene or a transcript, column 9 still text.

    Attributes:
        id: Decoded; empty where the line has none. `parents` are decoded too; a gene has none.
    """

    seqid: str
    type: str
    start: int
    end: int
    score: str
    strand: str
    text: str
    line: int
    id: str = ""
    parents: tuple[str, ...] = ()


#: Columns of `Nodes.add`, in their order.
COLUMNS = ("seqid", "type", "start", "end", "score", "strand", "text", "line")


@lru_cache(maxsize=1024)
def is_transcript_type(feature_type: str) -> bool:
    """mRNA, transcript, lnc_RNA, tRNA, primary_transcript and the like."""
    return feature_type.lower().endswith(("rna", "transcript"))


@lru_cache(maxsize=1024)
def is_gene_type(feature_type: str) -> bool:
    """gene, pseudogene, ncRNA_gene, protein_coding_gene, transposable_element_gene and the like."""
    return feature_type.lower().endswith("gene")


@dataclass
class Nodes:
    """Columns of node lines, in the order of the file.

    Attributes:
        gene: Whether a line is a gene's.
        line: Number of the line in the file, from 1.
        id: Decoded; empty where a line has none.
        parent: The parent of a line that is no gene and has just one; else empty.
        parents: By place, where a line that is no gene names several.
    """

    seqid: list[str] = field(default_factory=list)
    type: list[str] = field(default_factory=list)
    start: list[int] = field(default_factory=list)
    end: list[int] = field(default_factory=list)
    score: list[str] = field(default_factory=list)
    strand: list[str] = field(default_factory=list)
    text: list[str] = field(default_factory=list)
    line: list[int] = field(default_factory=list)
    gene: list[bool] = field(default_factory=list)
    id: list[str] = field(default_factory=list)
    parent: list[str] = field(default_factory=list)
    parents: dict[int, tuple[str, ...]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.text)

    def __getitem__(self, place: int) -> NodeLine:
        return NodeLine(
            self.seqid[place], self.type[place], self.start[place], self.end[place], self.score[place],
            self.strand[place], self.text[place], self.line[place], self.id[place], self.parents_of(place),
        )  # fmt: skip

    def parents_of(self, place: int) -> tuple[str, ...]:
        """All parents that a line names."""
        one = self.parent[place]
        return (one,) if one else self.parents.get(place, ())

    def add(self, columns: Sequence[Sequence[object]], gene: Sequence[bool]) -> None:
        """Add lines; `COLUMNS` in their order."""
        self.gene.extend(gene)
        for name, values in zip(COLUMNS, columns, strict=True):
            getattr(self, name).extend(values)

    def tie(self, ids: Sequence[str], parents: Sequence[str], several: Sequence[tuple[int, tuple[str, ...]]]) -> None:
        """IDs and parents of the lines that were added last; `several` by place among these."""
        first = len(self.id)
        self.id.extend(ids)
        self.parent.extend(parents)
        self.parents.update((first + i, names) for i, names in several)
