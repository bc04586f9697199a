"""An annotation as a table of genes: plain ones as arrays, all others as records, told apart gene by gene.

In: GFF3. Out: `GeneTable`, the genes of `read_annotation` in the same order under the same IDs with the same findings.
A surprise: a gene is plain where nothing at all has to be said about it: its lines name it directly, every transcript
keeps every rule. A gene with anything else goes through `Builder` together with all lines that it is tied to, and so
does a plain one when it is asked for as a record: there is one place that makes genes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from transgenic_tools.genome.checks import Finding
from transgenic_tools.genome.gene import Gene
from transgenic_tools.genome.interval import Interval, Strand
from transgenic_tools.io.collector import paused_collector
from transgenic_tools.io.gff3.attributes import LazyAttributes, gff3_id, gff3_parents
from transgenic_tools.io.gff3.build import Builder, Key, biotype_of, unique_ids
from transgenic_tools.io.gff3.groups import Grouped, grouped
from transgenic_tools.io.gff3.lines import Lines, NodeLine, is_gene_type, read_lines
from transgenic_tools.io.gff3.reader import Annotation, annotation_of

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Coding:
    """Exons and CDS of the coding transcripts of plain genes.

    Attributes:
        first: Transcripts of gene `n` are `first[n]` to `first[n + 1]`, in the order of the source.
        names: Transcript IDs.
        exon, cds, end: Rows of a transcript: `exon` to `cds` are its exons, `cds` to `end` its CDS parts.
        start_of, end_of, phase_of: Columns of the rows, 0-based half-open.
        first_phase: Of each transcript.
    """

    first: Ints
    names: list[str]
    exon: Ints
    cds: Ints
    end: Ints
    first_phase: Ints
    start_of: Ints
    end_of: Ints
    phase_of: Ints


class Entry(NamedTuple):
    """One gene of the table.

    Attributes:
        plain: Its number among plain genes; -1 where `gene` holds it.
        coding: Whether a transcript has a CDS. `mixed`: and another one has none.
        transcripts: Number of transcripts.
        line: Of a plain gene.
    """

    id: str
    seqid: str
    start: int
    end: int
    strand: Strand
    plain: int
    coding: bool
    mixed: bool
    transcripts: int
    gene: Gene | None = None
    line: NodeLine | None = None

    @property
    def biotype(self) -> str | None:
        """As `Gene.biotype`."""
        if self.line is None:
            assert self.gene is not None
            return self.gene.biotype
        return biotype_of(self.line.type, LazyAttributes(self.line.text), lambda: self.coding)

    @property
    def surely_no_pseudogene(self) -> bool:
        """Whether one look is enough to see that the gene's line says nothing of the kind."""
        line = self.line
        return line is not None and not ("pseudo" in line.text or "%" in line.text or "pseudo" in line.type.lower())

    @property
    def interval(self) -> Interval:
        return Interval(self.start, self.end)


@dataclass
class GeneTable:
    """See the module. `entries` are sorted as the genes of `Annotation`; `problems` are the same findings."""

    lines: Lines
    entries: list[Entry]
    problems: tuple[Finding, ...]
    coding: Coding
    _grouped: Grouped | None
    _ties: _Ties
    _gene_nodes: list[int]

    def gene(self, entry: Entry) -> Gene:
        """A gene as a record."""
        if entry.gene is not None:
            return entry.gene
        node = self._gene_nodes[entry.plain]
        builder = _builder(self.lines, self._grouped, self._ties, {self._ties.root(node)})
        ((_, gene),) = builder.drafted()
        assert not builder.findings, f"gene {entry.id} is not plain"
        return gene if gene.id == entry.id else replace(gene, id=entry.id)


@dataclass
class _Ties:
    """Which lines belong together.

    Attributes:
        index: Place of the first node line of each key.
        nodes: Key and gene-or-not of every node line with an ID.
        up: For each place a step towards the place that stands for all lines tied to it.
        odd: Places whose whole tie must be looked at line by line.
        genes_of: For plain transcripts the place of their gene.
        group_of: For places with part lines the number of their group.
        loose: Groups without a node line.
    """

    index: dict[Key, int] = field(default_factory=dict)
    keys: dict[int, Key] = field(default_factory=dict)
    genes: list[int] = field(default_factory=list)
    up: list[int] = field(default_factory=list)
    odd: set[int] = field(default_factory=set)
    gene_of: dict[int, int] = field(default_factory=dict)
    group_of: dict[int, int] = field(default_factory=dict)
    loose: list[int] = field(default_factory=list)
    _members: dict[int, list[int]] | None = None

    def root(self, place: int) -> int:
        up = self.up
        while up[place] != place:
            up[place] = up[up[place]]
            place = up[place]
        return place

    def tie(self, one: int, other: int) -> None:
        one, other = self.root(one), self.root(other)
        self.up[max(one, other)] = min(one, other)

    def members(self, root: int) -> list[int]:
        """Places that are tied together, in order."""
        if self._members is None:
            self._members = {}
            for place in self.keys:
                self._members.setdefault(self.root(place), []).append(place)
        return self._members[root]


def _tied(lines: Lines, found: Grouped | None) -> _Ties:
    """Ties of all node lines and groups; `odd` holds whatever the lines alone give away."""
    ties = _Ties(up=list(range(len(lines.nodes))))
    named: list[tuple[int, str, tuple[str, ...]]] = []
    index, keys = ties.index, ties.keys
    for place, line in enumerate(lines.nodes):
        text = line.text
        identifier = gff3_id(text)
        if not identifier:
            continue
        key = (line.seqid, identifier)
        keys[place] = key
        first = index.setdefault(key, place)
        if first != place:
            ties.tie(first, place)
            ties.odd.add(place)
        if not is_gene_type(line.type):
            named.append((place, line.seqid, gff3_parents(text)))
        elif first == place:
            ties.genes.append(place)
            if line.strand not in ("+", "-"):
                ties.odd.add(place)
    for place, seqid, parents in named:
        _tie_to_parents(lines, ties, place, seqid, parents)
    _tie_groups(lines, ties, found)
    _tie_made_genes(lines, ties, found)
    return ties


def _tie_to_parents(lines: Lines, ties: _Ties, place: int, seqid: str, parents: tuple[str, ...]) -> None:
    above = [ties.index.get((seqid, name)) for name in parents]
    if len(above) == 1 and above[0] is not None and is_gene_type(lines.nodes[above[0]].type):
        ties.gene_of[place] = above[0]
    else:
        ties.odd.add(place)
    up = ties.up
    for other in above:
        if other is None:
            continue
        if up[place] == place and up[other] == other and other < place:  # the usual case, spelled out
            up[place] = other
        else:
            ties.tie(place, other)


def _tie_groups(lines: Lines, ties: _Ties, found: Grouped | None) -> None:
    if found is None:
        return
    clean = found.clean.tolist()
    for number in found.order.tolist():
        key = found.keys[number]
        if key in lines.protein_ids:
            continue
        place = ties.index.get(key)
        if place is None:
            ties.loose.append(number)
        elif place in ties.group_of:  # one ID, written in two ways
            ties.odd.add(place)
            ties.loose.append(number)
        else:
            ties.group_of[place] = number
            if not clean[number] or is_gene_type(lines.nodes[place].type):
                ties.odd.add(place)


def _tie_made_genes(lines: Lines, ties: _Ties, found: Grouped | None) -> None:
    """A gene that has to be made is called `gene-<transcript>`; a gene line of that name must be looked at with it."""
    assert found is not None or not ties.loose
    wanted = {found.keys[number] for number in ties.loose} if found is not None else set()
    roots = {ties.root(place) for place in ties.odd}
    if roots:
        wanted.update(key for place, key in ties.keys.items() if ties.root(place) in roots)
    for seqid, name in wanted:
        place = ties.index.get((seqid, f"gene-{name}"))
        if place is not None:
            ties.odd.add(place)


def _builder(lines: Lines, found: Grouped | None, ties: _Ties, roots: set[int], *, loose: bool = False) -> Builder:
    """A builder of all lines that are tied to some places."""
    places = sorted(place for root in roots for place in ties.members(root))
    numbers = [ties.group_of[place] for place in places if place in ties.group_of]
    numbers += ties.loose if loose else []
    groups = found.each(sorted(numbers, key=found.met.__getitem__)) if found is not None else ()
    return Builder(lines, nodes=places, part_groups=groups, taken=ties.index)


def _transcripts(lines: Lines, ties: _Ties) -> tuple[dict[int, list[int]], set[int]]:
    """Groups of each gene in the order of appearance; genes with transcripts that have no part lines."""
    of_gene: dict[int, list[int]] = {place: [] for place in ties.genes}
    for place, number in ties.group_of.items():  # in the order of appearance
        gene = ties.gene_of.get(place)
        if gene is not None:
            of_gene[gene].append(number)
    bare = {gene for place, gene in ties.gene_of.items() if place not in ties.group_of}
    return of_gene, bare


def _odd_groups(lines: Lines, ties: _Ties, found: Grouped, of_gene: dict[int, list[int]], bare: set[int]) -> None:
    """Adds to `odd`: transcripts off their gene's strand or span, and bare ones in coding genes."""
    owner = np.full(len(found.first), -1, np.int64)
    for gene, numbers in of_gene.items():
        owner[numbers] = gene
    some = np.flatnonzero((owner >= 0) & found.clean)
    genes = owner[some]
    plus = np.array([node.strand == "+" for node in lines.nodes], bool)
    low, high = (np.array([getattr(node, side) for node in lines.nodes], np.int64) for side in ("start", "end"))
    left, right = found.rows.start[found.first[some]], found.rows.end[found.exons_end[some] - 1]
    wrong = (plus[genes] != found.plus[some]) | (left < low[genes]) | (right > high[genes])
    ties.odd.update(genes[wrong].tolist())
    coding = set(genes[found.cds_end[some] > found.exons_end[some]].tolist())
    ties.odd.update(coding & bare)


def _coding(found: Grouped, genes: list[list[int]]) -> Coding:
    numbers = np.array([number for some in genes for number in some], np.int64)
    return Coding(
        first=np.r_[0, np.cumsum([len(some) for some in genes], dtype=np.int64)],
        names=[found.keys[number][1] for number in numbers.tolist()],
        exon=found.first[numbers],
        cds=found.exons_end[numbers],
        end=found.cds_end[numbers],
        first_phase=found.first_phase[numbers],
        start_of=found.rows.start,
        end_of=found.rows.end,
        phase_of=found.rows.phase,
    )


_NOTHING = np.zeros(0, np.int64)
_NO_CODING = Coding(np.zeros(1, np.int64), [], *(_NOTHING,) * 7)


def _plain_entries(
    lines: Lines, found: Grouped | None, ties: _Ties, places: list[int], of_gene: dict[int, list[int]]
) -> Iterator[Entry]:
    has_cds = (found.cds_end > found.exons_end).tolist() if found is not None else []
    for number, place in enumerate(places):
        line = lines.nodes[place]
        coding = [has_cds[n] for n in of_gene[place]]
        some = True in coding
        yield Entry(
            ties.keys[place][1], line.seqid, line.start, line.end, "+" if line.strand == "+" else "-", number,
            some, some and False in coding, len(coding), None, line,
        )  # fmt: skip


def gene_table(lines: Lines) -> GeneTable:
    """The genes of GFF3 lines."""
    found = grouped(lines)
    ties = _tied(lines, found)
    of_gene, bare = _transcripts(lines, ties)
    if found is not None:
        _odd_groups(lines, ties, found, of_gene, bare)
    roots = {ties.root(place) for place in ties.odd}
    builder = _builder(lines, found, ties, roots, loose=True)
    drafted = builder.drafted()
    places = [place for place in ties.genes if ties.root(place) not in roots]
    entries = [*_plain_entries(lines, found, ties, places, of_gene), *(_entry(gene) for _, gene in drafted)]
    rank = [lines.seqids[entry.seqid] for entry in entries]
    met = [*places, *(order for order, _ in drafted)]
    order = np.lexsort((met, [e.end for e in entries], [e.start for e in entries], rank)).tolist()
    entries = [entries[i] for i in order]
    names, renamed = unique_ids([(entry.id, entry.seqid) for entry in entries])
    if renamed:
        entries = [_renamed(entry, name) for entry, name in zip(entries, names, strict=True)]
    return GeneTable(
        lines, entries, (*lines.findings, *builder.findings, *renamed),
        _coding(found, [of_gene[place] for place in places]) if found is not None else _NO_CODING,
        found, ties, places,
    )  # fmt: skip


def _entry(gene: Gene) -> Entry:
    coding = bool(gene.coding_transcripts)
    start, end = gene.interval.start, gene.interval.end
    return Entry(gene.id, gene.seqid, start, end, gene.strand, -1, coding, False, len(gene.transcripts), gene)


def _renamed(entry: Entry, name: str) -> Entry:
    if entry.id == name:
        return entry
    return entry._replace(id=name, gene=entry.gene and replace(entry.gene, id=name))


def read_gene_table(path: str | Path) -> GeneTable | Annotation:
    """The genes of one annotation; as records alone for GTF, which has no plain lines. Raises as `read_annotation`."""
    with paused_collector():
        lines = read_lines(Path(path))
        return gene_table(lines) if lines.dialect == "gff3" else annotation_of(Path(path), lines)
