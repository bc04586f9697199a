"""Genomes to learn from: a sheet of them, their genes, and where on their sequences each gene lies.

In: a YAML sheet (`read_sheet`), gene shards of tg-prep, FASTA, and where there is one the annotation they came from.
Out: `Source` records: examples for windows around genes, and `Territory` for stretches of bare sequence.
A surprise: paths in the sheet are relative to the sheet, so that a recipe names no machine. A gene that touches a
held-out stretch is held out with it, whatever its split says.

    genomes:
      - name: athaliana
        shards: athaliana                   # of tg-prep genes (or lift), with splits
        fasta: chr1.fna.gz                  # only where bare stretches are learned
        annotation: chr1.gff.gz             # only to find pseudogenes
        gene_share: 0.42                    # of the bases of windows around genes
        tile_share: 0.49                    # of the bases of bare stretches
        stretches: {NC_003070.9: {train: [0, 22990000], validation: [23000000, 24000000]}}
        exclude: near_duplicates.txt        # gene IDs that are not learned
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import yaml

from transgenic_tools.errors import BadInputError
from transgenic_tools.genome.interval import Interval, Strand
from transgenic_tools.genome.sequence import encode, strand_codes
from transgenic_tools.io.fasta import Fasta
from transgenic_tools.io.gff3.reader import read_annotation
from transgenic_tools.io.rows import PARTIAL, GeneRow
from transgenic_tools.io.shards import read_shard
from transgenic_tools.train.examples import Example, example_from_row

Codes = npt.NDArray[np.uint8]


@dataclass(frozen=True, kw_only=True)
class GenomeEntry:
    """One genome of the sheet.

    Attributes:
        shards: Directory of gene shards with splits.
        fasta: Its sequences; None where only windows around genes are learned.
        annotation: Where its pseudogenes stand; None where that is not known.
        gene_share, tile_share: Of the bases of windows around genes, and of bare stretches.
        stretches: Split -> seqid -> the part of it that may be learned (or measured) as bare sequence.
        exclude: A file of gene IDs that are not learned, one a line.
        measured: Its validation genes are measured, although it has no stretches.
    """

    name: str
    shards: Path
    fasta: Path | None = None
    annotation: Path | None = None
    gene_share: float = 0.0
    tile_share: float = 0.0
    stretches: Mapping[str, Mapping[str, Interval]] = field(default_factory=dict)
    exclude: Path | None = None
    measured: bool = False


@dataclass(frozen=True)
class Placed:
    """A gene on its sequence.

    Attributes:
        example: In the coordinates of its window, which is read on the gene's strand.
        start, end: The window on the plus strand; may leave the sequence.
        locus, strand: The gene on the plus strand, and its strand.
        known: False where the gene is not to be learned; then nothing is learned in its place either.
    """

    example: Example
    start: int
    end: int
    locus: Interval
    strand: Strand
    known: bool


class Territory:
    """Sequences with all genes on both strands.

    Attributes:
        codes: Base codes of each sequence, plus strand.
        parts: Split -> seqid -> the part that belongs to it.
        pseudogenes: (seqid, strand, interval) of each.
    """

    def __init__(
        self,
        codes: Mapping[str, Codes],
        placed: Mapping[tuple[str, Strand], Sequence[Placed]],
        parts: Mapping[str, Mapping[str, Interval]],
        pseudogenes: Sequence[tuple[str, Strand, Interval]] = (),
    ) -> None:
        self.codes, self.parts, self.pseudogenes = codes, parts, pseudogenes
        self._placed = {key: sorted(genes, key=lambda g: g.start) for key, genes in placed.items()}
        self._all: dict[str, list[Placed]] = {seqid: [] for seqid in codes}
        for (seqid, _), genes in sorted(self._placed.items()):
            self._all.setdefault(seqid, []).extend(genes)
        self._starts = {key: [g.start for g in genes] for key, genes in self._placed.items()}
        self._longest = max((g.end - g.start for genes in self._placed.values() for g in genes), default=0)

    def on(self, seqid: str, strand: Strand, start: int, end: int) -> list[Placed]:
        """Genes whose window overlaps [start, end)."""
        genes = self._placed.get((seqid, strand), [])
        starts = self._starts.get((seqid, strand), [])
        first = bisect_left(starts, start - self._longest)
        return [g for g in genes[first : bisect_left(starts, end)] if g.end > start]

    def genes(self, seqid: str) -> list[Placed]:
        """All genes of a sequence, strand by strand."""
        return self._all[seqid]

    def read(self, seqid: str, strand: Strand, start: int, end: int) -> Codes:
        """Bases [start, end) of a strand, 5' to 3'; unknown ones beyond the ends."""
        whole = self.codes[seqid]
        codes = np.full(end - start, 4, dtype=np.uint8)
        low, high = max(start, 0), min(end, len(whole))
        if low < high:
            codes[low - start : high - start] = whole[low:high]
        return strand_codes(codes, strand)


@dataclass(frozen=True)
class Source:
    """One genome, read.

    Attributes:
        genes: Split -> examples around genes.
        territory: None where only windows around genes are learned.
    """

    entry: GenomeEntry
    genes: Mapping[str, Sequence[Example]]
    territory: Territory | None

    @property
    def learned_stretches(self) -> Mapping[str, Interval]:
        """Seqid -> the part that is learned as bare sequence."""
        return self.territory.parts.get("train", {}) if self.territory else {}


def _intervals(values: Mapping[str, Mapping[str, Sequence[int]]]) -> dict[str, dict[str, Interval]]:
    parts: dict[str, dict[str, Interval]] = defaultdict(dict)
    for seqid, splits in values.items():
        for split, (start, end) in splits.items():
            parts[split][seqid] = Interval(start, end)
    return dict(parts)


def read_sheet(path: Path) -> list[GenomeEntry]:
    """The genomes of a sheet.

    Raises:
        BadInputError: no list `genomes`, or an unknown or missing setting.
    """
    given = yaml.safe_load(path.read_text(encoding="utf-8"))
    if not isinstance(given, dict) or not isinstance(given.get("genomes"), list):
        raise BadInputError("no list 'genomes'", path=path, hint="see transgenic_tools/train/genomes.py")
    known, entries = {f.name for f in fields(GenomeEntry)}, []
    for values in given["genomes"]:
        if (unknown := set(values) - known) or not {"name", "shards"} <= set(values):
            raise BadInputError(
                f"genome {values.get('name')!r}: unknown settings {sorted(unknown)}, or no name or shards",
                path=path,
                hint=f"a genome has {', '.join(sorted(known))}",
            )
        paths = {
            key: path.parent / values[key] for key in ("shards", "fasta", "annotation", "exclude") if values.get(key)
        }
        entries.append(GenomeEntry(**{**values, **paths, "stretches": _intervals(values.get("stretches", {}))}))
    return entries


def _places(rows: Sequence[GeneRow], examples: Sequence[Example], excluded: set[str]) -> dict[Any, list[Placed]]:
    placed: dict[Any, list[Placed]] = defaultdict(list)
    for row, example in zip(rows, examples, strict=True):
        gene = Placed(
            example,
            row.window_start,
            row.window_end,
            Interval(row.start, row.end),
            row.strand,
            row.gene_id not in excluded,
        )
        placed[row.seqid, row.strand].append(gene)
    return placed


def _is_held_out(row: GeneRow, entry: GenomeEntry) -> bool:
    stretch = entry.stretches.get("validation", {}).get(row.seqid)
    return stretch is not None and stretch.overlaps(Interval(row.start, row.end)) and row.split != "test"


def read_source(entry: GenomeEntry) -> Source:
    """Read one genome of the sheet; genes whose lifting was partial are left out."""
    excluded = set(entry.exclude.read_text(encoding="utf-8").split()) if entry.exclude else set()
    rows = [row for row in read_shard(entry.shards) if row.gsf and PARTIAL not in row.flags]
    examples = [example_from_row(row) for row in rows]
    genes: dict[str, list[Example]] = defaultdict(list)
    for row, example in zip(rows, examples, strict=True):
        if row.gene_id not in excluded:
            genes["validation" if _is_held_out(row, entry) else row.split or "train"].append(example)
    if entry.fasta is None or not entry.stretches:
        return Source(entry, genes, None)
    wanted = {seqid for parts in entry.stretches.values() for seqid in parts}
    with Fasta(entry.fasta) as fasta:
        codes = {name: encode(fasta.fetch(name)) for name in fasta.names if name in wanted}
    pseudogenes = []
    if entry.annotation is not None:
        pseudogenes = [
            (gene.seqid, gene.strand, gene.interval)
            for gene in read_annotation(entry.annotation).genes
            if "pseudogene" in (gene.biotype or "") and gene.seqid in wanted
        ]
    return Source(entry, genes, Territory(codes, _places(rows, examples, excluded), entry.stretches, pseudogenes))
