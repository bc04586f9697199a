"""An annotation as a table of genes: plain ones as arrays, all others as records, told apart gene by gene.

In: GFF3. Out: `GeneTable`, the genes of `read_annotation` in the same order under the same IDs with the same findings.
A surprise: a gene is plain where nothing at all has to be said about it: its lines name it directly, every transcript
keeps every rule. A gene with anything else goes through `Builder` together with all lines that it is tied to, and so
does a plain one when it is asked for as a record: there is one place that makes genes.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from transgenic_tools.genome.checks import Finding
from transgenic_tools.genome.gene import Gene
from transgenic_tools.genome.interval import Interval, Strand
from transgenic_tools.io.collector import paused_collector
from transgenic_tools.io.gff3.attributes import LazyAttributes
from transgenic_tools.io.gff3.build import Builder, Key, biotype_of, unique_ids
from transgenic_tools.io.gff3.careful import suspects
from transgenic_tools.io.gff3.groups import Grouped, grouped
from transgenic_tools.io.gff3.lines import Lines
from transgenic_tools.io.gff3.reader import Annotation, annotation_of, read_mended

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

#: An escape for a letter of "pseudo".
_ESCAPED = re.compile("%(?:7[035]|6[45fF])")


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
        type, text: Columns 3 and 9 of the line of a plain gene.
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
    type: str = ""
    text: str = ""

    @property
    def biotype(self) -> str | None:
        """As `Gene.biotype`."""
        if self.gene is not None:
            return self.gene.biotype
        return biotype_of(self.type, LazyAttributes(self.text), lambda: self.coding)

    @property
    def surely_no_pseudogene(self) -> bool:
        """Whether one look is enough to see that the gene's line says nothing of the kind."""
        if self.plain < 0 or "pseudo" in self.text or "pseudo" in self.type.lower():
            return False
        return "%" not in self.text or _ESCAPED.search(self.text) is None

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
        builder = _builder(self.lines, self._grouped, self._ties, self._ties.members(node))
        ((_, gene),) = builder.drafted()
        assert not builder.findings, f"gene {entry.id} is not plain"
        return gene if gene.id == entry.id else replace(gene, id=entry.id)


@dataclass
class _Ties:
    """Which lines belong together; arrays have one entry a node line.

    Attributes:
        index: Place of the first node line of each key.
        named: Whether a line has an ID; one without is not looked at.
        gene: Whether a line is a gene's.
        gene_of: For plain transcripts the place of their gene, else -1.
        group_of: Number of the group of a line's parts, or -1.
        odd: Lines whose whole tie must be looked at line by line.
        up: For each place a step towards the place that stands for all lines tied to it.
        loose: Groups without a node line, in the order of appearance.
    """

    index: dict[Key, int]
    named: Bools
    gene: Bools
    gene_of: Ints
    group_of: Ints
    odd: Bools
    up: Ints
    loose: list[int] = field(default_factory=list)
    _sorted: tuple[Ints, Ints] | None = None

    def root(self, place: int) -> int:
        up = self.up
        while up[place] != place:
            up[place] = up[up[place]]
            place = int(up[place])
        return place

    def tie(self, one: int, other: int) -> None:
        one, other = self.root(one), self.root(other)
        self.up[max(one, other)] = min(one, other)

    def roots(self) -> Ints:
        """The root of each place."""
        found = self.up
        while not np.array_equal(above := found[found], found):
            found = above
        return found

    def with_odd(self) -> Bools:
        """Named places that are tied to an odd one, themselves included."""
        roots = self.roots()
        wanted = np.zeros(len(roots), bool)
        wanted[roots[self.odd]] = True
        return wanted[roots] & self.named

    def members(self, place: int) -> list[int]:
        """Places that are tied to one, in order; asked for when all ties are known."""
        if self._sorted is None:
            roots = np.where(self.named, self.roots(), -1)
            order = np.argsort(roots, kind="stable")
            self._sorted = roots[order], order
        roots, order = self._sorted
        low, high = np.searchsorted(roots, [self.root(place), self.root(place) + 1]).tolist()
        members: list[int] = order[low:high].tolist()
        return members


def _places(index: Mapping[Key, int], keys: Iterable[Key]) -> Ints:
    """The place of each key, -1 for one that no line has."""
    return np.fromiter(map(index.get, keys, itertools.repeat(-1)), np.int64)


def _tied(lines: Lines, found: Grouped | None) -> _Ties:
    """Ties of all node lines and groups; `odd` holds whatever the lines alone give away."""
    nodes = lines.nodes
    count = len(nodes)
    keys = list(zip(nodes.seqid, nodes.id, strict=True))
    index = dict(zip(reversed(keys), range(count - 1, -1, -1), strict=True))
    for seqid in lines.seqids:
        index.pop((seqid, ""), None)
    named = np.fromiter(map(bool, nodes.id), bool, count)
    gene = np.array(nodes.gene, bool)
    above = _places(index, zip(nodes.seqid, nodes.parent, strict=True))
    plain = named & ~gene & (above >= 0)
    plain[plain] = gene[above[plain]]
    ties = _Ties(
        index, named, gene,
        gene_of=np.where(plain, above, -1),
        group_of=np.full(count, -1, np.int64),
        odd=named & ~gene & ~plain,
        up=np.arange(count),
    )  # fmt: skip
    usual = plain & (above < np.arange(count))
    ties.up[usual] = above[usual]
    if len(index) < int(named.sum()):  # an ID on several lines
        first = _places(index, keys)
        again = np.flatnonzero(named & (first != np.arange(count)))
        ties.odd[again] = True
        for place in again.tolist():
            ties.tie(int(first[place]), place)
    for place in np.flatnonzero(named & ~gene & ~usual & (above >= 0)).tolist():
        ties.tie(place, int(above[place]))
    for place, names in nodes.parents.items():
        for name in names:
            other = index.get((nodes.seqid[place], name))
            if other is not None and named[place]:
                ties.tie(place, other)
    known_strand = np.fromiter(map(("+", "-").__contains__, nodes.strand), bool, count)
    ties.odd |= named & gene & ~known_strand
    if lines.lost:
        for key in itertools.chain(*suspects(lines.lost, gff3=True)):
            if key in index:
                ties.odd[index[key]] = True
    _tie_groups(lines, ties, found)
    _tie_made_genes(lines, ties, found)
    return ties


def _tie_groups(lines: Lines, ties: _Ties, found: Grouped | None) -> None:
    if found is None:
        return
    places = _places(ties.index, found.keys)
    order = found.order
    if lines.protein_ids:
        protein = np.fromiter(map(lines.protein_ids.__contains__, found.keys), bool, len(places))
        order = order[~protein[order]]
    at = places[order]
    first = np.zeros(len(at), bool)
    first[np.unique(at, return_index=True)[1]] = True  # a later one has the same ID, written in another way
    first &= at >= 0
    ties.loose = order[~first].tolist()
    ties.odd[at[~first & (at >= 0)]] = True
    at, order = at[first], order[first]
    ties.group_of[at] = order
    ties.odd[at[~found.clean[order] | ties.gene[at]]] = True


def _tie_made_genes(lines: Lines, ties: _Ties, found: Grouped | None) -> None:
    """A gene that has to be made is called `gene-<transcript>`; a gene line of that name must be looked at with it."""
    assert found is not None or not ties.loose
    wanted = {found.keys[number] for number in ties.loose} if found is not None else set()
    nodes = lines.nodes
    wanted.update((nodes.seqid[place], nodes.id[place]) for place in np.flatnonzero(ties.with_odd()).tolist())
    for seqid, name in wanted:
        place = ties.index.get((seqid, f"gene-{name}"))
        if place is not None:
            ties.odd[place] = True


def _builder(
    lines: Lines, found: Grouped | None, ties: _Ties, places: list[int], *, loose: Sequence[int] = ()
) -> Builder:
    """A builder of some lines, which are tied to no others, and of groups without a line."""
    numbers = [number for number in ties.group_of[places].tolist() if number >= 0] if places else []
    numbers += loose
    groups = found.each(sorted(numbers, key=found.met.__getitem__)) if found is not None else ()
    return Builder(lines, nodes=places, part_groups=groups, taken=ties.index)


@dataclass(frozen=True)
class _Owned:
    """Groups of transcripts that name their gene, sorted by gene, then in the order of appearance."""

    gene: Ints
    number: Ints

    def of(self, genes: Ints) -> tuple[Ints, Ints]:
        """The groups of some genes (ascending), and where those of each begin, with the total at the end."""
        first = np.searchsorted(self.gene, genes)
        count = np.searchsorted(self.gene, genes, "right") - first
        begin = np.r_[0, np.cumsum(count)]
        return self.number[np.arange(begin[-1]) + np.repeat(first - begin[:-1], count)], begin


def _owned(lines: Lines, ties: _Ties, found: Grouped) -> _Owned:
    """Adds to `odd`: genes with transcripts off their strand or span, or with bare ones beside coding ones."""
    nodes = lines.nodes
    place = np.flatnonzero((ties.group_of >= 0) & (ties.gene_of >= 0))
    gene, number = ties.gene_of[place], ties.group_of[place]
    order = np.lexsort((found.met[number], gene))
    gene, number = gene[order], number[order]
    plus = np.fromiter(map("+".__eq__, nodes.strand), bool, len(nodes))
    low, high = np.array(nodes.start, np.int64), np.array(nodes.end, np.int64)
    some = found.clean[number]
    of, which = gene[some], number[some]
    left, right = found.rows.start[found.first[which]], found.rows.end[found.exons_end[which] - 1]
    ties.odd[of[(plus[of] != found.plus[which]) | (left < low[of]) | (right > high[of])]] = True
    coding = np.zeros(len(nodes), bool)
    coding[of[found.cds_end[which] > found.exons_end[which]]] = True
    bare = ties.gene_of[(ties.gene_of >= 0) & (ties.group_of < 0)]
    ties.odd[bare[coding[bare]]] = True
    return _Owned(gene, number)


def _coding(found: Grouped, numbers: Ints, begin: Ints) -> Coding:
    return Coding(
        first=begin,
        names=[found.keys[number][1] for number in numbers.tolist()],
        exon=found.first[numbers],
        cds=found.exons_end[numbers],
        end=found.cds_end[numbers],
        first_phase=found.first_phase[numbers],
        start_of=found.rows.start,
        end_of=found.rows.end,
        phase_of=found.rows.phase,
    )


def _no_coding(genes: int) -> Coding:
    nothing = np.zeros(0, np.int64)
    return Coding(np.zeros(genes + 1, np.int64), [], *(nothing,) * 7)


def _plain_entries(lines: Lines, coding: Coding, places: list[int]) -> Iterator[Entry]:
    """The entries of plain genes, by their number."""
    nodes = lines.nodes
    has_cds = np.r_[0, np.cumsum(coding.end > coding.cds)]
    transcripts = np.diff(coding.first)
    with_cds = np.diff(has_cds[coding.first])
    ids, seqids, starts, ends, strands, types, texts = (
        map(column.__getitem__, places)
        for column in (nodes.id, nodes.seqid, nodes.start, nodes.end, nodes.strand, nodes.type, nodes.text)
    )
    mixed = (with_cds > 0) & (with_cds < transcripts)
    columns = (range(len(places)), (with_cds > 0).tolist(), mixed.tolist(), transcripts.tolist())
    return map(Entry, ids, seqids, starts, ends, strands, *columns, itertools.repeat(None), types, texts)


def gene_table(lines: Lines) -> GeneTable:
    """The genes of GFF3 lines."""
    found = grouped(lines)
    ties = _tied(lines, found)
    owned = _owned(lines, ties, found) if found is not None else None
    alone = ties.with_odd()
    builder = _builder(lines, found, ties, np.flatnonzero(alone).tolist(), loose=ties.loose)
    drafted = builder.drafted()
    genes = np.flatnonzero(ties.gene & ties.named & ~alone)
    places: list[int] = genes.tolist()
    coding = _coding(found, *owned.of(genes)) if found is not None and owned is not None else _no_coding(len(places))
    entries = [*_plain_entries(lines, coding, places), *(_entry(gene) for _, gene in drafted)]
    rank = [lines.seqids[entry.seqid] for entry in entries]
    met = [*places, *(order for order, _ in drafted)]
    order = np.lexsort((met, [e.end for e in entries], [e.start for e in entries], rank)).tolist()
    entries = [entries[i] for i in order]
    names, renamed = unique_ids([(entry.id, entry.seqid) for entry in entries])
    if renamed:
        entries = [_renamed(entry, name) for entry, name in zip(entries, names, strict=True)]
    problems = (*lines.findings, *builder.findings, *renamed)
    return GeneTable(lines, entries, problems, coding, found, ties, places)


def _entry(gene: Gene) -> Entry:
    coding = bool(gene.coding_transcripts)
    start, end = gene.interval.start, gene.interval.end
    return Entry(gene.id, gene.seqid, start, end, gene.strand, -1, coding, False, len(gene.transcripts), gene)


def _renamed(entry: Entry, name: str) -> Entry:
    if entry.id == name:
        return entry
    return entry._replace(id=name, gene=entry.gene and replace(entry.gene, id=name))


def read_gene_table(path: str | Path, *, tags: Sequence[str] = ()) -> GeneTable | Annotation:
    """The genes of one annotation; as records alone for GTF, which has no plain lines. Raises as `read_annotation`."""
    with paused_collector():
        lines = read_mended(Path(path), tags)
        return gene_table(lines) if lines.dialect == "gff3" else annotation_of(Path(path), lines)
