"""Lines that name their parents badly, or not at all, are tied before anything is built.

In: `Lines` as read. Out: the same lines, changed in place, with a finding for each change.
A surprise: this is done to the columns, so whoever builds genes from them, at once or one by one, need not know. A file
in which nothing is to be mended, nearly each, is passed over by a few questions.

Rules for lines without a parent, in the order of AGAT: Parent (in any letters, `parent=`); a tag that lines share
(`locus_tag`, `gene_id`, `protein_id`, `name`, or those asked for); the order of lines within one seqid and strand.
Only features that have no part by name are filled so: a file that names its parents is never changed by its order.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple
from urllib.parse import unquote

import numpy as np
import numpy.typing as npt

from transgenic_tools.genome.checks import Finding
from transgenic_tools.io.gff3.attributes import parse_gff3, parse_gtf
from transgenic_tools.io.gff3.lines import Lines, LoosePart
from transgenic_tools.io.gff3.nodes import is_transcript_type

Ints = npt.NDArray[np.int64]
Key = tuple[str, str]

#: Tags by which lines without Parent are put together, the first one that a line has.
TAGS = ("locus_tag", "gene_id", "protein_id", "name")
#: A longer intron is none: parts of one transcript that are further apart belong to two.
LONGEST_INTRON = 2_000_000
_SIGNS = {1: "+", -1: "-"}


def mend_lines(lines: Lines, tags: Sequence[str] = ()) -> None:
    """All of it.

    Args:
        tags: To be tried before `TAGS`.
    """
    _tie_loose(lines, (*tags, *TAGS))
    if lines.several:
        _drop_unknown_parents(lines)
    if _has_repeated(lines):
        _separate_genes(lines)
        _separate_transcripts(lines)
    _separate_far_parts(lines)


# -- lines without parents ---------------------------------------------------------------------------------------------


class _Free(NamedTuple):
    """A node or a part in the order of the file; `place` is -1 for a part."""

    line: int
    place: int
    part: LoosePart | None


@dataclass
class _Open:
    """What the last lines of one seqid and strand left open: places of a gene and of a transcript, or -1."""

    gene: int = -1
    transcript: int = -1


@dataclass
class _Ties:
    lines: Lines
    tags: Sequence[str]
    open: dict[tuple[str, str], _Open] = field(default_factory=lambda: defaultdict(_Open))
    by_tag: dict[tuple[str, str, str], list[int]] = field(default_factory=lambda: defaultdict(list))
    taken: set[Key] = field(default_factory=set)
    full: set[str] = field(default_factory=set)
    made: dict[tuple[str, str, str], int] = field(default_factory=dict)
    rows: dict[int, list[LoosePart]] = field(default_factory=lambda: defaultdict(list))
    rules: dict[tuple[int, str], int] = field(default_factory=lambda: defaultdict(int))

    def attributes(self, text: str) -> Mapping[str, tuple[str, ...]]:
        return parse_gff3(text) if self.lines.dialect == "gff3" else parse_gtf(text)

    def overlaps(self, place: int, start: int, end: int) -> bool:
        nodes = self.lines.nodes
        return place >= 0 and nodes.start[place] < end and start < nodes.end[place]

    def empty(self, place: int) -> bool:
        """Whether no line names this feature as its parent."""
        return self.lines.nodes.id[place] not in self.full

    def name(self, place: int, wanted: str) -> str:
        """The ID of a node, given to it where it has none."""
        nodes = self.lines.nodes
        if not nodes.id[place]:
            number, name = 1, wanted
            while (nodes.seqid[place], name) in self.taken:
                number += 1
                name = f"{wanted}.{number}"
            nodes.id[place] = name
            self.taken.add((nodes.seqid[place], name))
        return nodes.id[place]

    def add_transcript(self, seqid: str, sign: str, gene: str, low: int, high: int, line: int) -> int:
        nodes = self.lines.nodes
        nodes.add([[seqid], ["mRNA"], [low], [high], ["."], [sign], [""], [line]], [False])
        nodes.tie([""], [gene], [])
        self.name(len(nodes) - 1, f"{gene}.t1")
        return len(nodes) - 1


def _tie_loose(lines: Lines, tags: Sequence[str]) -> None:
    nodes = lines.nodes
    alone = [p for p, parent in enumerate(nodes.parent) if not parent and not nodes.gene[p] and p not in nodes.parents]
    free = [p for p in alone if is_transcript_type(nodes.type[p])]
    if lines.dialect == "gtf":  # AUGUSTUS: the parts name the gene
        free = [p for p in free if nodes.id[p] not in lines.keys]
    if not lines.loose and not (free and any(nodes.gene)):
        return
    ties = _Ties(lines, tags)
    ties.taken.update(zip(nodes.seqid, nodes.id, strict=True))
    named = (unquote(key) if "%" in key else key for key in lines.keys)
    ties.full.update(map(str.strip, named), nodes.parent, *nodes.parents.values())
    if lines.loose:
        _read_names(ties)
    wanted = set(free)
    items = [_Free(nodes.line[place], place, None) for place in range(len(nodes))]
    items += [_Free(part.line, -1, part) for part in lines.loose]
    for _, place, part in sorted(items, key=lambda item: item[:2]):
        if part is not None:
            _tie_part(ties, part)
        elif nodes.gene[place]:
            ties.open[nodes.seqid[place], nodes.strand[place]] = _Open(gene=place)
        elif is_transcript_type(nodes.type[place]):
            if place in wanted and not nodes.parent[place]:
                _tie_transcript(ties, place)
            ties.open[nodes.seqid[place], nodes.strand[place]].transcript = place
    _append(ties)
    lines.loose = []


def _read_names(ties: _Ties) -> None:
    """IDs in other letters, and the tags of all nodes."""
    nodes = ties.lines.nodes
    for place in range(len(nodes)):
        if not nodes.text[place]:
            continue
        found = ties.attributes(nodes.text[place])
        lowered = {key.lower(): values for key, values in found.items()}
        if not nodes.id[place] and lowered.get("id", ("",))[0].strip():
            ties.name(place, lowered["id"][0].strip())
            parent = lowered.get("parent", ("",))[0].strip()
            if parent and not nodes.gene[place]:
                nodes.parent[place] = parent
            ties.lines.findings.append(Finding("grouped_by_case", "", nodes.id[place], nodes.line[place]))
        for tag in ties.tags:
            for value in found.get(tag, ())[:1]:
                ties.by_tag[nodes.seqid[place], tag, value].append(place)


def _tags_of(ties: _Ties, text: str) -> list[tuple[str, str]]:
    found = ties.attributes(text)
    return [(tag, found[tag][0].strip()) for tag in ties.tags if found.get(tag, ("",))[0].strip()]


def _tie_transcript(ties: _Ties, place: int) -> None:
    """A transcript without Parent to its gene, by a tag or by order; left alone where there is none."""
    nodes = ties.lines.nodes
    seqid, sign = nodes.seqid[place], nodes.strand[place]
    span = nodes.start[place], nodes.end[place]
    for tag, value in _tags_of(ties, nodes.text[place]):
        genes = [p for p in ties.by_tag.get((seqid, tag, value), ()) if nodes.gene[p] and nodes.strand[p] == sign]
        near = [p for p in genes if ties.overlaps(p, *span) and ties.empty(p)]
        if near:
            _below(ties, place, near[0], "grouped_by_tag", value)
            return
    gene = ties.open[seqid, sign].gene
    if gene >= 0 and ties.overlaps(gene, *span) and ties.empty(gene):
        _below(ties, place, gene, "grouped_by_order", f"gene{nodes.line[gene]}")


def _below(ties: _Ties, place: int, gene: int, rule: str, name: str) -> None:
    nodes = ties.lines.nodes
    nodes.parent[place] = ties.name(gene, name)
    ties.name(place, f"{nodes.parent[place]}.t1")
    ties.rules[place, rule] += 1


def _tie_part(ties: _Ties, part: LoosePart) -> None:
    lines = ties.lines
    seqid, sign = list(lines.seqids)[part.seqid], _SIGNS.get(part.strand, ".")
    found = {key.lower(): values for key, values in ties.attributes(part.text).items()}
    tagged = _tags_of(ties, part.text)
    parents = tuple(filter(None, map(str.strip, found.get("parent", ()))))
    if parents:
        for parent in parents:
            key = lines.keys.setdefault(parent.replace("%", "%25"), len(lines.keys))
            ties.rows[-1 - key].append(part)
        return
    for tag, value in tagged:
        place = _by_tag(ties, part, (seqid, sign), (tag, value))
        if place >= 0:
            ties.rows[place].append(part)
            ties.rules[place, "grouped_by_tag"] += 1
            return
    place = _by_order(ties, part, (seqid, sign))
    if place >= 0:
        ties.rows[place].append(part)
        ties.rules[place, "grouped_by_order"] += 1
        return
    what = "Parent" if lines.dialect == "gff3" else "transcript_id"
    detail = f"{part.type} at {part.start + 1}-{part.end} without {what}"
    lines.findings.append(Finding("orphan_part", "", detail, part.line))


def _by_tag(ties: _Ties, part: LoosePart, where: tuple[str, str], tagged: tuple[str, str]) -> int:
    """The transcript of a part by a tag, made where the tag has none; -1 where all that it names is full."""
    nodes, (seqid, sign), (tag, value) = ties.lines.nodes, where, tagged
    known = ties.by_tag.get((seqid, tag, value), ())
    same = [p for p in known if nodes.strand[p] == sign or sign == "."]
    near = [p for p in same if not nodes.gene[p] and ties.overlaps(p, part.start, part.end)]
    if near:
        before = [p for p in near if nodes.line[p] < part.line and ties.empty(p)]
        after = [p for p in near if ties.empty(p)]
        return before[-1] if before else after[0] if after else -1
    genes = [p for p in same if nodes.gene[p] and ties.overlaps(p, part.start, part.end)]
    if not genes and (seqid, value) in ties.taken and (seqid, sign, value) not in ties.made:
        return -1  # the name of a feature that names its own parts
    if genes and not ties.empty(genes[0]):
        return -1
    gene = ties.name(genes[0], value) if genes else value
    made = ties.made.get((seqid, sign, gene), -1)
    if made < 0:
        low, high = (nodes.start[genes[0]], nodes.end[genes[0]]) if genes else (part.start, part.end)
        made = ties.made[seqid, sign, gene] = ties.add_transcript(seqid, sign, gene, low, high, part.line)
    nodes.start[made], nodes.end[made] = min(nodes.start[made], part.start), max(nodes.end[made], part.end)
    return made


def _by_order(ties: _Ties, part: LoosePart, where: tuple[str, str]) -> int:
    """The last transcript on the strand where the part lies on it, or one made for the last gene; else -1."""
    nodes, last = ties.lines.nodes, ties.open[where]
    if ties.overlaps(last.transcript, part.start, part.end) and (
        not nodes.id[last.transcript] or ties.empty(last.transcript)
    ):
        ties.name(last.transcript, f"transcript{nodes.line[last.transcript]}")
        return last.transcript
    if last.transcript < 0 and ties.overlaps(last.gene, part.start, part.end) and ties.empty(last.gene):
        gene = ties.name(last.gene, f"gene{nodes.line[last.gene]}")
        span = nodes.start[last.gene], nodes.end[last.gene]
        last.transcript = ties.add_transcript(*where, gene, *span, part.line)
        return last.transcript
    return -1


def _append(ties: _Ties) -> None:
    """Parts under their keys, and what was put together by which rule."""
    lines, nodes = ties.lines, ties.lines.nodes
    for place, parts in ties.rows.items():
        key = -1 - place
        if place >= 0:
            key = lines.keys.setdefault(nodes.id[place].replace("%", "%25"), len(lines.keys))
        for part in parts:
            if lines.dialect == "gtf" and place < 0:
                lines.part_text[lines.n_parts] = part.text
            lines.append_parts([key], [part])
    for (place, rule), count in ties.rules.items():
        gene = nodes.parent[place]
        lines.findings.append(Finding(rule, gene or nodes.id[place], f"{nodes.id[place]}: {count} lines"))


# -- several parents ---------------------------------------------------------------------------------------------------


def _drop_unknown_parents(lines: Lines) -> None:
    """A part that names several parents keeps those that the file has; all of them where it has none."""
    lines.merge()
    line, key, seqid = lines.part_line[0], lines.part_key[0], lines.part_seqid[0].astype(np.int64)
    beside = np.zeros(len(line), bool)
    same = line[1:] == line[:-1]
    beside[1:] |= same
    beside[:-1] |= same
    seqids, names = list(lines.seqids), list(lines.keys)
    known = set(zip(lines.nodes.seqid, lines.nodes.id, strict=True))
    codes = key * len(seqids) + seqid
    named_alone = set(np.unique(codes[~beside]).tolist())

    def is_known(code: int) -> bool:
        name = names[code // len(seqids)]
        return code in named_alone or (seqids[code % len(seqids)], unquote(name).strip()) in known

    some = np.unique(codes[beside])
    fine = np.array([is_known(code) for code in some.tolist()], bool)
    good = np.ones(len(line), bool)
    good[beside] = fine[np.searchsorted(some, codes[beside])]
    first = np.flatnonzero(np.r_[True, ~same])
    any_good = np.repeat(np.logical_or.reduceat(good, first), np.diff(np.r_[first, len(line)]))
    drop = ~good & any_good
    for code in dict.fromkeys(codes[drop].tolist()):
        name = names[code // len(seqids)]
        if (seqids[code % len(seqids)], unquote(name).strip()) not in lines.protein_ids:
            lines.findings.append(Finding("unknown_parent", "", unquote(name)))
    lines.keep_parts(~drop)


# -- one ID at several loci --------------------------------------------------------------------------------------------


def _has_repeated(lines: Lines) -> bool:
    """Whether two lines have one ID on one seqid, genes and transcripts apart."""
    nodes = lines.nodes
    with_id = len(nodes) - nodes.id.count("")
    if len({*nodes.id} - {""}) == with_id:  # nearly always
        return False
    return len({name for name in zip(nodes.seqid, nodes.id, nodes.gene, strict=True) if name[1]}) < with_id


def _repeated(lines: Lines, *, gene: bool) -> dict[Key, list[int]]:
    nodes = lines.nodes
    found: dict[Key, list[int]] = defaultdict(list)
    for place in range(len(nodes)):
        if nodes.gene[place] == gene and nodes.id[place]:
            found[nodes.seqid[place], nodes.id[place]].append(place)
    return {key: places for key, places in found.items() if len(places) > 1}


def _loci(lines: Lines, places: Iterable[int]) -> list[list[int]]:
    """Places of nodes, together where they overlap on one strand; in the order of the file."""
    nodes = lines.nodes
    loci: list[list[int]] = []
    reach: dict[str, int] = {}
    at: dict[str, list[int]] = {}
    for place in sorted(places, key=lambda p: (nodes.strand[p], nodes.start[p])):
        sign = nodes.strand[place]
        if sign in reach and nodes.start[place] < reach[sign]:
            at[sign].append(place)
        else:
            at[sign] = [place]
            loci.append(at[sign])
            reach[sign] = 0
        reach[sign] = max(reach[sign], nodes.end[place])
    return sorted((sorted(locus) for locus in loci), key=lambda locus: locus[0])


class _Place(NamedTuple):
    """One of several loci of an ID."""

    sign: str
    start: int
    end: int

    def holds(self, sign: str, start: int, end: int) -> bool:
        return (sign == self.sign or "." in (sign, self.sign)) and start < self.end and self.start < end


def _places(lines: Lines, loci: Iterable[Iterable[int]]) -> list[_Place]:
    nodes = lines.nodes
    return [
        _Place(nodes.strand[min(p)], min(nodes.start[i] for i in p), max(nodes.end[i] for i in p))
        for p in map(list, loci)
    ]


def _fresh(taken: set[str], name: str, seqid: str) -> str:
    number, new = 1, f"{name}@{seqid}"
    while new in taken:
        number += 1
        new = f"{name}@{seqid}.{number}"
    taken.add(new)
    return new


def _separate_genes(lines: Lines) -> None:
    """Gene lines of one ID at several loci become genes of their own where each has transcripts of its own."""
    repeated = _repeated(lines, gene=True)
    if not repeated:
        return
    nodes = lines.nodes
    children: dict[Key, list[int]] = defaultdict(list)
    for place in range(len(nodes)):
        if not nodes.gene[place]:
            for parent in nodes.parents_of(place):
                children[nodes.seqid[place], parent].append(place)
    taken = set(nodes.id)
    for (seqid, name), places in repeated.items():
        loci = _loci(lines, places)
        if len(loci) > 1 and not any("trans-splicing" in nodes.text[p] or "part=" in nodes.text[p] for p in places):
            _separate_gene(lines, (seqid, name), loci, children[seqid, name], taken)


def _separate_gene(lines: Lines, key: Key, loci: list[list[int]], children: list[int], taken: set[str]) -> None:
    nodes, (seqid, name) = lines.nodes, key
    where = _places(lines, loci)
    homes = [
        [i for i, p in enumerate(where) if p.holds(nodes.strand[c], nodes.start[c], nodes.end[c])] for c in children
    ]
    rows = _rows_of(lines, key) if lines.dialect == "gff3" else np.zeros(0, np.int64)
    row_homes = _homes(lines, rows, where)
    if any(len(home) > 1 for home in (*homes, *row_homes)) or _shares_a_cds(lines, rows, row_homes):
        return
    owners = sorted({home[0] for home in (*homes, *row_homes) if home})
    for number in owners[1:]:
        new = _fresh(taken, name, seqid)
        lines.findings.append(Finding("id_renamed", new, f"was {name}", nodes.line[loci[number][0]]))
        for place in loci[number]:
            nodes.id[place] = new
        for child, home in zip(children, homes, strict=True):
            if home == [number]:
                _rename_parent(lines, child, name, new)
        _rename_rows(lines, rows[[home == [number] for home in row_homes]], new)


def _rename_parent(lines: Lines, place: int, old: str, new: str) -> None:
    nodes = lines.nodes
    if nodes.parent[place] == old:
        nodes.parent[place] = new
    elif place in nodes.parents:
        nodes.parents[place] = tuple(new if parent == old else parent for parent in nodes.parents[place])


def _rows_of(lines: Lines, key: Key) -> Ints:
    """Rows of the parts that name a feature."""
    seqid, name = key
    codes = [c for text, c in lines.keys.items() if (unquote(text) if "%" in text else text).strip() == name]
    if not codes or not lines.n_parts:
        return np.zeros(0, np.int64)
    lines.merge()
    found: Ints = np.flatnonzero(np.isin(lines.part_key[0], codes) & (lines.part_seqid[0] == lines.seqids[seqid]))
    return found


def _homes(lines: Lines, rows: Ints, where: Sequence[_Place]) -> list[list[int]]:
    return [
        [i for i, place in enumerate(where) if place.holds(_SIGNS.get(sign, "."), start, end)]
        for sign, start, end in zip(
            lines.part_strand[0][rows].tolist() if len(rows) else [],
            lines.part_start[0][rows].tolist() if len(rows) else [],
            lines.part_end[0][rows].tolist() if len(rows) else [],
            strict=True,
        )
    ]


def _shares_a_cds(lines: Lines, rows: Ints, homes: Sequence[Sequence[int]]) -> bool:
    """Whether one CDS (by its ID) has parts at several loci: a trans-spliced gene."""
    seen: dict[str, set[int]] = defaultdict(set)
    for row, home in zip(rows.tolist(), homes, strict=True):
        identifier = parse_gff3(lines.part_text.get(row, "")).get("ID", ("",))[0]
        if identifier and home:
            seen[identifier].add(home[0])
    return any(len(loci) > 1 for loci in seen.values())


def _rename_rows(lines: Lines, rows: Ints, new: str) -> None:
    if len(rows):
        lines.part_key[0][rows] = lines.keys.setdefault(new.replace("%", "%25"), len(lines.keys))


def _separate_transcripts(lines: Lines) -> None:
    """Transcript lines of one ID below different genes, or far apart; and parts that are too far apart for one."""
    nodes = lines.nodes
    taken = set(nodes.id)
    for key, places in _repeated(lines, gene=False).items():
        loci = _loci(lines, places)
        genes = [{nodes.parents_of(place) for place in locus} for locus in loci]
        if len(loci) < 2 or any(genes[0] & other for other in genes[1:]):
            continue
        rows = _rows_of(lines, key)
        homes = _homes(lines, rows, _places(lines, loci))
        if any(len(home) > 1 for home in homes):
            continue
        for number, locus in enumerate(loci[1:], start=1):
            new = _fresh(taken, key[1], key[0])
            for place in locus:
                nodes.id[place] = new
            _rename_rows(lines, rows[[home == [number] for home in homes]], new)
            lines.findings.append(Finding("id_renamed", new, f"was {key[1]}", nodes.line[locus[0]]))


def _separate_far_parts(lines: Lines) -> None:
    """Parts of one transcript that no intron can join, as where an ID is used on two loci without transcript lines."""
    if not lines.n_parts:
        return
    low, high = np.full(len(lines.keys), np.iinfo(np.int64).max), np.zeros(len(lines.keys), np.int64)
    for key, first, last in zip(lines.part_key, lines.part_start, lines.part_end, strict=True):
        np.minimum.at(low, key, first)
        np.maximum.at(high, key, last)
    if (high - low <= LONGEST_INTRON).all():
        return
    lines.merge()
    seqids = list(lines.seqids)
    codes = lines.part_key[0] * len(seqids) + lines.part_seqid[0]
    start, end = lines.part_start[0], lines.part_end[0]
    order = np.lexsort((start, codes))
    gap = start[order][1:] - end[order][:-1]
    taken = set(lines.nodes.id) | set(lines.keys)
    for at in np.flatnonzero((codes[order][1:] == codes[order][:-1]) & (gap > LONGEST_INTRON)).tolist():
        code = int(codes[order[at + 1]])
        later = order[at + 1 :][codes[order[at + 1 :]] == code]
        old = list(lines.keys)[code // len(seqids)]
        seqid = seqids[code % len(seqids)]
        place = next(
            (p for p in range(len(lines.nodes)) if (lines.nodes.seqid[p], lines.nodes.id[p]) == (seqid, old)), -1
        )
        if place >= 0 and lines.nodes.gene[place]:
            continue
        new = _fresh(taken, old, seqid)
        lines.findings.append(Finding("id_renamed", new, f"was {old}", int(lines.part_line[0][later[0]])))
        if place >= 0:
            span = int(start[later].min()), int(end[later].max())
            nodes = lines.nodes
            nodes.add(
                [[seqid], [nodes.type[place]], [span[0]], [span[1]], ["."], [nodes.strand[place]], [nodes.text[place]],
                 [nodes.line[place]]], [False],
            )  # fmt: skip
            nodes.tie([new], [nodes.parent[place]], [])
            nodes.end[place] = min(nodes.end[place], int(end[order[at]]))
        _rename_rows(lines, later, new)
