"""Where the genes of a GFF3 stand in its text, for whoever writes beside them.

In: a path, its lines as `read_mended` gives them. Out: of each gene its ID as written, its own lines, its last line.
A surprise: what belongs to a gene is decided by the reader, so a gene that is read in any dialect is found here too;
lines of features that the reader passes over (introns, proteins) count by the parents that they name.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote

from transgenic_tools.genome.interval import Interval
from transgenic_tools.io.files import raw_lines
from transgenic_tools.io.gff3.attributes import gff3_id, parse_gff3
from transgenic_tools.io.gff3.careful import named_in, text_of
from transgenic_tools.io.gff3.lines import EXON, Lines

Key = tuple[str, str]
_MOST_STEPS = 20


class GeneLines(NamedTuple):
    """One gene: its ID as the file has it, the lines of the gene itself, the last line of all its features."""

    written_id: str
    own: tuple[int, ...]
    last: int


class TranscriptLines(NamedTuple):
    """One transcript: its own line, the lines of its exons with their places, the last line of its parts.

    Attributes:
        shared: One of these lines has other parents, too, or there are several own lines, or none that names a parent.
    """

    own: int
    exons: tuple[tuple[int, Interval], ...]
    last: int
    shared: bool


@dataclass(frozen=True)
class Layout:
    """IDs of features that may have children; genes by seqid and ID as the reader names them. Lines count from 0."""

    ids: frozenset[str]
    genes: Mapping[Key, GeneLines]


def layout_of(path: Path, lines: Lines) -> Layout:
    """The places of all genes that have a line with an ID."""
    nodes = lines.nodes
    own: dict[Key, list[int]] = {}
    written: dict[Key, str] = {}
    for place in (p for p in range(len(nodes)) if nodes.gene[p] and nodes.id[p]):
        key = (nodes.seqid[place], nodes.id[place])
        own.setdefault(key, []).append(nodes.line[place] - 1)
        name = gff3_id(nodes.text[place]) or next(
            (values[0] for tag, values in parse_gff3(nodes.text[place]).items() if tag.lower() == "id"), ""
        )
        if name:
            written.setdefault(key, name)
    parents = {
        (nodes.seqid[p], nodes.id[p]): nodes.parents_of(p)
        for p in range(len(nodes))
        if nodes.id[p] and not nodes.gene[p]
    }

    def genes_of(key: Key, steps: int = 0) -> list[Key]:
        if key in own or steps > _MOST_STEPS:
            return [key] if key in own else []
        return [gene for parent in parents.get(key, ()) for gene in genes_of((key[0], parent), steps + 1)]

    last = {key: max(numbers) for key, numbers in own.items()}

    def reach(key: Key, line: int) -> None:
        for gene in genes_of(key):
            last[gene] = max(last[gene], line)

    for place in range(len(nodes)):
        if not nodes.gene[place] and nodes.id[place]:
            reach((nodes.seqid[place], nodes.id[place]), nodes.line[place] - 1)
    for key, line in _last_parts(lines).items():
        reach(key, line - 1)
    for number, raw in enumerate(raw_lines(path)):
        if raw.startswith((b"##FASTA", b">")):
            break
        if not raw.startswith(b"#") and b"Parent" in raw:
            named = named_in(text_of(raw))
            for parent in named.parents:
                reach((unquote(named.seqid), parent), number)
    genes = {key: GeneLines(written[key], tuple(own[key]), last[key]) for key in written}
    return Layout(frozenset(nodes.id), genes)


def _last_parts(lines: Lines) -> dict[Key, int]:
    """The last part line of each transcript."""
    seqids = list(lines.seqids)
    names = [(unquote(name) if "%" in name else name).strip() for name in lines.keys]
    found: dict[Key, int] = {}
    for keys, where, numbers in zip(lines.part_key, lines.part_seqid, lines.part_line, strict=True):
        for key, seqid, line in zip(keys.tolist(), where.tolist(), numbers.tolist(), strict=True):
            feature = (seqids[seqid], names[key])
            found[feature] = max(line, found.get(feature, 0))
    return found


def transcripts_of(lines: Lines) -> dict[Key, TranscriptLines]:
    """Where transcripts stand that have a line with an ID, by seqid and ID as the reader names them."""
    nodes, seqids = lines.nodes, list(lines.seqids)
    own: dict[Key, list[int]] = {}
    orphans: set[Key] = set()
    for place in (p for p in range(len(nodes)) if not nodes.gene[p] and nodes.id[p]):
        key = (nodes.seqid[place], nodes.id[place])
        own.setdefault(key, []).append(nodes.line[place] - 1)
        if "parent" not in nodes.text[place].lower():
            orphans.add(key)
    names = [(unquote(name) if "%" in name else name).strip() for name in lines.keys]
    owners = Counter(line for numbers in lines.part_line for line in numbers.tolist())
    exons: dict[Key, list[tuple[int, Interval]]] = {key: [] for key in own}
    columns = (lines.part_key, lines.part_seqid, lines.part_line, lines.part_kind, lines.part_start, lines.part_end)
    for block in zip(*columns, strict=True):
        for key, seqid, line, kind, start, end in zip(*(column.tolist() for column in block), strict=True):
            feature = (seqids[seqid], names[key])
            if kind == EXON and feature in exons:
                exons[feature].append((line - 1, Interval(start, end)))
    last = _last_parts(lines)
    return {
        key: TranscriptLines(
            own=places[0],
            exons=tuple(sorted(exons[key], key=lambda exon: exon[1])),
            last=max(places[-1], last.get(key, 0) - 1),
            shared=len(places) > 1 or key in orphans or any(owners[line + 1] > 1 for line, _ in exons[key]),
        )
        for key, places in own.items()
    }
