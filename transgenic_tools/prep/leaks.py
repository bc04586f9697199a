"""Do genes that a model is measured on stand too near to genes that it learns from, in any genome?

In: gene shards of all genomes, with their splits; a gene without one counts as learned. Out: a table of pairs, counts
by held-out and learned genome, and where asked for lists of what the next training should leave out.
A surprise: of the two kinds, only a `copy` (see `prep.near`) makes `strict` fail. A `relative` (proteins that share
k-mers, see `prep.homology`) is what a split by homology excludes, and any other split has many.
"""

from __future__ import annotations

import logging
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from transgenic_tools.choices import Split
from transgenic_tools.errors import BadInputError, UsageError
from transgenic_tools.io.lists import read_ids
from transgenic_tools.io.rows import GeneRow
from transgenic_tools.io.shards import expand_shards, read_columns, read_shard
from transgenic_tools.prep.families import gene_key, protein_of
from transgenic_tools.prep.homology import related, sketch
from transgenic_tools.prep.near import find_near
from transgenic_tools.provenance import write_aside

logger = logging.getLogger(__name__)
HEADER = ("kind", "held_out_sample", "held_out_gene", "learned_sample", "learned_gene", "share")


@dataclass(frozen=True, kw_only=True)
class Config:
    """What to check.

    Attributes:
        shards: Files or directories, of all genomes.
        out: The table.
        held_out: Split of the genes that are measured on; those of `train` are learned, and those of none.
        exclude: Sample and a list of its genes that are not learned, as a sheet of genomes has it.
        exclude_into: Directory that gets `<sample>.txt` of each learned genome with near copies or an `exclude`, the
            genes of both: for the sheet of the next training.
        strict: Fail where a held-out gene has a near copy among the learned.
    """

    shards: tuple[Path, ...]
    out: Path
    held_out: Split = "test"
    exclude: tuple[tuple[str, Path], ...] = ()
    exclude_into: Path | None = None
    strict: bool = False


@dataclass(frozen=True, kw_only=True)
class Leak:
    """A pair of genes; `share` of the shorter CDS is the same, None for a relative."""

    kind: str
    held_out: tuple[str, str]
    learned: tuple[str, str]
    share: float | None = None

    def line(self) -> str:
        share = "" if self.share is None else f"{self.share:.3f}"
        return "\t".join((self.kind, *self.held_out, *self.learned, share))


@dataclass(frozen=True, kw_only=True)
class Result:
    """Counts of genes by sample, and the pairs."""

    held_out: Mapping[str, int]
    learned: Mapping[str, int]
    leaks: tuple[Leak, ...]

    def touched(self, kind: str, held_out: str, learned: str | None = None) -> int:
        """Genes of a held-out sample that have a leak of this kind, in one learned sample or in any."""
        return len({
            leak.held_out for leak in self.leaks
            if (leak.kind, leak.held_out[0]) == (kind, held_out) and learned in (None, leak.learned[0])
        })  # fmt: skip

    def lines(self) -> list[str]:
        """For the terminal: each held-out genome, and where its copies and relatives are."""
        lines = []
        for sample, genes in self.held_out.items():
            copies, relatives = (self.touched(kind, sample) for kind in KINDS)
            lines.append(
                f"{sample}: of {genes:,} held-out genes {copies:,} ({copies / genes:.1%}) have a near copy among the "
                f"learned ones, {relatives:,} ({relatives / genes:.1%}) a relative"
            )
            for other, learned in self.learned.items():
                found = [self.touched(kind, sample, other) for kind in KINDS]
                if any(found):
                    where = f"{other} ({learned:,} learned genes)"
                    lines.append(f"  in {where}: {found[0]:,} with a copy, {found[1]:,} with a relative")
        return [*lines, MEANING]

    def to_json(self) -> dict[str, Any]:
        return {
            "held_out": dict(self.held_out),
            "learned": dict(self.learned),
            "leaks": [
                {"held_out": sample, "learned": other, **{k: self.touched(k, sample, other) for k in KINDS}}
                for sample in self.held_out
                for other in self.learned
            ],
            "held_out_genes": {s: {kind: self.touched(kind, s) for kind in KINDS} for s in self.held_out},
        }


KINDS = ("copy", "relative")
MEANING = (
    "a copy has 85 of 100 bases in common over at least half of the shorter CDS, and should not be learned; a relative "
    "has words of its protein in common, as families have: a split by homology alone has none"
)


class _Genes:
    """The genes of both sides, read from the shards as often as they are wanted."""

    def __init__(self, config: Config) -> None:
        self.config, self.shards = config, expand_shards(config.shards)
        self.excluded = {(sample, name) for sample, path in config.exclude for name in read_ids(path)}

    def _of_splits(self, *splits: str | None) -> Iterator[GeneRow]:
        return (row for path in self.shards for row in read_shard(path) if row.gsf and row.split in splits)

    def held_out(self) -> Iterator[GeneRow]:
        return self._of_splits(self.config.held_out)

    def learned(self) -> Iterator[GeneRow]:
        """Of the split train or of none, which a sheet of genomes learns too (`train.genomes`)."""
        return (row for row in self._of_splits("train", None) if (row.sample, row.gene_id) not in self.excluded)

    def check_excluded(self) -> None:
        """Warn of a list that names no gene of its genome. Raises UsageError for a genome that is not there."""
        names: dict[str, set[str]] = defaultdict(set)
        for path in self.shards if self.config.exclude else ():
            columns = read_columns(path, ["sample", "gene_id"])
            for sample, name in zip(columns["sample"].to_pylist(), columns["gene_id"].to_pylist(), strict=True):
                names[sample].add(name)
        for sample, path in self.config.exclude:
            if sample not in names:
                raise UsageError(
                    f"--exclude {sample}={path}: the shards hold no sample {sample}",
                    hint=f"they hold {', '.join(sorted(names))}",
                )
            if names[sample].isdisjoint(read_ids(path)):
                logger.warning("%s names no gene of %s in these shards: one gene ID a line is wanted", path, sample)


def _relatives(held_out: Iterable[GeneRow], learned: Iterable[GeneRow]) -> Iterator[Leak]:
    names = {gene_key(row): (row.sample, row.gene_id, sketch(protein_of(row))) for row in held_out}
    others = {gene_key(row): (row.sample, row.gene_id, sketch(protein_of(row))) for row in learned}
    for pair in related({key: found[2] for key, found in (names | others).items()}):
        mine, theirs = [key for key in pair if key in names], [key for key in pair if key in others]
        if len(mine) == len(theirs) == 1:
            yield Leak(kind="relative", held_out=names[mine[0]][:2], learned=others[theirs[0]][:2])


def _write_exclusions(excluded: Iterable[tuple[str, str]], directory: Path) -> None:
    """One file a genome, one ID a line."""
    directory.mkdir(parents=True, exist_ok=True)
    by_sample: dict[str, set[str]] = defaultdict(set)
    for sample, name in excluded:
        by_sample[sample].add(name)
    for sample, names in by_sample.items():
        with write_aside(directory / f"{sample}.txt") as aside:
            aside.write_text("".join(f"{name}\n" for name in sorted(names)))


def run(config: Config) -> Result:
    """Compare, and write the table and the lists.

    Raises:
        MissingInputError: a shard or a list does not exist.
        BadInputError: no gene shard, no held-out or no learned gene; with `strict`, a near copy.
        UsageError: a list of excluded genes of a sample that the shards do not hold.
    """
    genes = _Genes(config)
    genes.check_excluded()
    counts = {side: Counter(row.sample for row in rows) for side, rows in
              (("held-out", genes.held_out()), ("learned", genes.learned()))}  # fmt: skip
    for side, split in (("held-out", config.held_out), ("learned", "train")):
        if not counts[side]:
            raise BadInputError(
                f"no {side} gene: none is of the split {split}", path=genes.shards[0], hint="give shards with splits"
            )
    copies = [
        Leak(kind="copy", held_out=near.of, learned=(near.sample, near.gene_id), share=near.share)
        for near in find_near(genes.held_out(), genes.learned())
    ]
    leaks = (*copies, *_relatives(genes.held_out(), genes.learned()))
    ordered = tuple(sorted(leaks, key=lambda leak: (leak.kind, leak.held_out, leak.learned)))
    with write_aside(config.out) as aside:
        aside.write_text("".join(f"{line}\n" for line in ("\t".join(HEADER), *(leak.line() for leak in ordered))))
    if config.exclude_into is not None:
        _write_exclusions({*genes.excluded, *(leak.learned for leak in copies)}, config.exclude_into)
    if copies and config.strict:
        raise BadInputError(
            f"{len({leak.held_out for leak in copies})} held-out genes have near copies among the learned",
            path=config.out,
            hint="leave the learned ones out (--exclude-into lists them, --exclude takes a list), or use tg-prep split",
        )  # fmt: skip
    held_out, learned = ({sample: n for sample, n in sorted(side.items())} for side in counts.values())
    return Result(held_out=held_out, learned=learned, leaks=ordered)
