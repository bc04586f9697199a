"""What stands in shards: a summary, or one gene with sentence, picture and sequence.

In: shards. Out: a `Summary`, or the lines of a gene's page.
A surprise: one gene is read alone, without the rest of its shard.
"""

from __future__ import annotations

import itertools
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from transgenic_tools.errors import BadInputError
from transgenic_tools.gsf import parse
from transgenic_tools.io.gene_ids import find_id, near_ones
from transgenic_tools.io.shards import ShardIndex, expand_shards, read_shard, shard_provenance
from transgenic_tools.prep.picture import picture, wrapped


@dataclass(frozen=True)
class Summary:
    """Counts over a set of gene shards."""

    shards: tuple[str, ...]
    genes: int
    transcripts: int
    bases: int
    bytes: int
    samples: dict[str, int]
    seqids: dict[str, int]
    strands: dict[str, int]
    splits: dict[str, int]
    flags: dict[str, int]
    longest: str
    provenance: dict[str, Any]

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


def summarise(paths: Sequence[Path]) -> Summary:
    """Read every row once. Raises as `read_shard`."""
    listed = expand_shards(paths)
    counts: dict[str, Counter[str]] = {n: Counter() for n in ("samples", "seqids", "strands", "splits", "flags")}
    genes = transcripts = bases = longest_bases = 0
    longest = ""
    for row in read_shard(listed):
        genes, transcripts, bases = genes + 1, transcripts + row.n_transcripts, bases + row.bases
        counts["samples"][row.sample] += 1
        counts["seqids"][row.seqid] += 1
        counts["strands"][row.strand] += 1
        counts["splits"][row.split or "none"] += 1
        counts["flags"].update(row.flags)
        if row.bases > longest_bases:
            longest, longest_bases = f"{row.gene_id} ({row.bases} bases)", row.bases
    return Summary(
        shards=tuple(path.name for path in listed),
        genes=genes,
        transcripts=transcripts,
        bases=bases,
        bytes=sum(path.stat().st_size for path in listed),
        longest=longest,
        provenance=json.loads(shard_provenance(listed[0])),
        **{name: dict(counter.most_common(20)) for name, counter in counts.items()},
    )


def gene_page(paths: Sequence[Path], gene_id: str, *, width: int = 80, whole: bool = False) -> Iterator[str]:
    """One gene: place, flags, gene sentence, picture, sequence.

    Args:
        gene_id: ID in any case, with or without `gene-`; or the transcript of its longest CDS.

    Raises:
        BadInputError: no shard holds the gene.
    """
    index = ShardIndex(paths)
    try:
        found = find_id(gene_id, index.ids) or index.of_transcript(gene_id)
        if found is None:
            raise BadInputError(
                f"none of the {len(index)} genes has the ID {gene_id!r}",
                hint=near_ones(gene_id, index.ids) or "tg-prep inspect SHARDS lists the IDs",
            )
        row = index.get(found)
    finally:
        index.close()
    yield f"{row.gene_id}  {row.seqid}:{row.start}-{row.end} ({row.strand})  sample {row.sample}"
    yield f"window {row.window_start}-{row.window_end}, {row.bases} bases; split {row.split}, fold {row.fold}"
    yield f"flags: {', '.join(row.flags) or 'none'}; longest CDS: {row.primary_transcript}"
    yield f"gsf: {row.gsf}"
    if row.gsf is not None:
        yield from picture(row, parse(row.gsf).transcripts, width=width)
    yield from wrapped(row.sequence, width, most=None if whole else 4 * width)


def gene_ids(paths: Sequence[Path], most: int) -> list[str]:
    """The first gene IDs."""
    return [row.gene_id for row in itertools.islice(read_shard(paths), most)]
