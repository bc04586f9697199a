"""Splits by gene family over the shards of many genomes, so that relatives never cross one, whatever their genome.

In: gene shards of any number of genomes, as `tg-prep genes` wrote them. Out: the same shards, one directory a genome,
with the columns `split` and `fold` filled anew.
A surprise: the order of the shards changes nothing; a gene is known by genome and ID together, since two genomes may
use one ID.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from transgenic_tools import gsf
from transgenic_tools.choices import Split
from transgenic_tools.errors import BadInputError, UsageError
from transgenic_tools.genome.code import STANDARD
from transgenic_tools.io.rows import GeneRow
from transgenic_tools.io.samplesheet import is_sample_name
from transgenic_tools.io.shards import expand_shards, read_shard, shard_provenance, write_gene_shard
from transgenic_tools.prep.homology import groups_of_proteins
from transgenic_tools.prep.split import fold_of, parse_split, split_groups
from transgenic_tools.provenance import Provenance, folder_aside


@dataclass(frozen=True, kw_only=True)
class Config:
    """What to split.

    Attributes:
        shards: Files or directories.
        split: A homology rule, see `prep.split`.
        folds: Cross-validation folds of the genes outside the test split; 0 for none.
    """

    shards: tuple[Path, ...]
    outdir: Path
    split: str = "homology"
    folds: int = 0

    def __post_init__(self) -> None:
        if parse_split(self.split).kind != "homology":
            raise UsageError(
                f"--split {self.split}: shards of many genomes are split by family here",
                hint="write homology or homology:75/10/15; every other rule belongs to tg-prep genes",
            )
        if self.folds < 0 or self.folds == 1:
            raise UsageError(f"--folds {self.folds}", hint="give 2 or more, or 0 for none")


@dataclass(frozen=True)
class Result:
    """Counts; `shared` is the number of families with members in more than one genome."""

    genes: int
    families: int
    shared: int
    splits: Mapping[str, Mapping[str, int]]
    shards: tuple[Path, ...]

    def to_json(self) -> dict[str, Any]:
        return {
            "genes": self.genes,
            "families": self.families,
            "families_in_several_genomes": self.shared,
            "splits": {sample: dict(counts) for sample, counts in self.splits.items()},
            "shards": [f"{path.parent.name}/{path.name}" for path in self.shards],
        }


def gene_key(row: GeneRow) -> str:
    """Name of a gene among those of all genomes; no sample name holds a blank."""
    return f"{row.sample} {row.gene_id}"


def protein_of(row: GeneRow) -> str:
    """Translation of the longest CDS of a row, without the stop; empty where its structure is unknown."""
    if row.gsf is None:
        return ""
    transcripts = gsf.parse(row.gsf).transcripts
    longest = max(transcripts, key=lambda t: t.cds_length)
    return STANDARD.translate(longest.spliced(row.sequence, coding=True)[longest.first_phase :]).rstrip("*")


def _proteins(shards: tuple[Path, ...]) -> dict[str, str]:
    proteins: dict[str, str] = {}
    for path in shards:
        for row in read_shard(path):
            key = gene_key(row)
            if key in proteins:
                raise BadInputError(
                    f"sample {row.sample!r} has this gene twice",
                    path=path,
                    feature=row.gene_id,
                    hint="give each genome's shards once, under a sample name of its own",
                )
            proteins[key] = protein_of(row)
    return proteins


def _decided(
    rows: Iterator[GeneRow], group_of: Mapping[str, str], splits: Mapping[str, Split], folds: int
) -> Iterator[GeneRow]:
    for row in rows:
        group = group_of[gene_key(row)]
        split = splits[group]
        yield replace(row, split=split, fold=fold_of(group, folds) if folds and split != "test" else None)


def _target(path: Path, taken: set[str]) -> str:
    """`<sample>/<file name>` of a shard."""
    samples = sorted({row.sample for row in read_shard(path)})
    if len(samples) != 1:
        raise BadInputError(
            f"the shard holds the samples {', '.join(samples) or '(none)'}", path=path, hint="one genome a shard"
        )
    if not is_sample_name(samples[0]):
        raise BadInputError(
            f"the sample is called {samples[0]!r}, which can be no folder's name", path=path,
            hint="make the shard again, with another --sample",
        )  # fmt: skip
    name = f"{samples[0]}/{path.name}"
    if name in taken:
        raise BadInputError(f"two shards would be written as {name}", path=path, hint="give them other names")
    taken.add(name)
    return name


def run(config: Config) -> Result:
    """Split all shards by family.

    Raises:
        MissingInputError: a shard does not exist.
        BadInputError: no gene shard, a gene twice, or several genomes in one shard.
    """
    shards = expand_shards(config.shards)
    taken: set[str] = set()
    targets = [_target(path, taken) for path in shards]
    proteins = _proteins(shards)
    group_of = groups_of_proteins(proteins)
    members: dict[str, list[str]] = {}
    for key in sorted(group_of):
        members.setdefault(group_of[key], []).append(key)
    splits = split_groups(members, parse_split(config.split).shares)
    counts: dict[str, Counter[str]] = {}
    with folder_aside(config.outdir, "split") as aside:
        for path, target in zip(shards, targets, strict=True):
            parameters = {"split": config.split, "folds": config.folds, "of": json.loads(shard_provenance(path))}
            (aside / target).parent.mkdir(exist_ok=True)
            rows = _decided(read_shard(path), group_of, splits, config.folds)
            write_gene_shard(rows, aside / target, provenance=Provenance("tg-prep split", parameters))
        for target in targets:
            (config.outdir / target).parent.mkdir(exist_ok=True)
            os.replace(aside / target, config.outdir / target)
    for key, group in group_of.items():
        counts.setdefault(key.split(" ", 1)[0], Counter())[splits[group]] += 1
    return Result(
        genes=len(proteins),
        families=len(members),
        shared=sum(len({key.split(" ", 1)[0] for key in keys}) > 1 for keys in members.values()),
        splits={sample: dict(sorted(counts[sample].items())) for sample in sorted(counts)},
        shards=tuple(config.outdir / target for target in targets),
    )
