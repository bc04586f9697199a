"""Genes of some genomes that are nearly copies of held-out genes of others.

In: gene shards of the held-out genes, and of genes to be learned. Out: the IDs of the latter that are too like one of
the former, one a line, for the `exclude` of a sheet of genomes; what was found is printed.
Usage: python -m transgenic_tools.prep.near --held-out SHARDS... --learned SHARDS... --out near.txt
A surprise: the longest CDS of each gene is compared, base by base (mappy): relatives that share less than half of it,
or less than 85 of 100 bases, stay. They are the rule between families, and splits by homology are there for them.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import mappy

from transgenic_tools.io.rows import GeneRow
from transgenic_tools.io.shards import read_shard
from transgenic_tools.provenance import write_aside


@dataclass(frozen=True)
class Near:
    """A gene, and sample and ID of the held-out gene that it is like; `share` of the shorter CDS is the same bases."""

    gene_id: str
    sample: str
    of: tuple[str, str]
    share: float


def longest_cds(row: GeneRow) -> str:
    """Spliced, 5' to 3'."""
    transcript = max(row.read_transcripts(), key=lambda t: t.cds_length)
    return transcript.spliced(row.sequence, coding=True)


def find_near(
    held_out: Iterable[GeneRow], learned: Iterable[GeneRow], *, min_identity: float = 0.85, min_share: float = 0.5
) -> Iterator[Near]:
    """Genes of `learned` that are nearly copies of one of `held_out`.

    Args:
        min_identity: Of the aligned bases.
        min_share: Least part of the shorter CDS that is aligned with the same bases.
    """
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "held_out.fa"
        names: list[tuple[str, str]] = []  # two genomes may use one ID
        with path.open("w") as handle:
            for row in held_out:
                if row.gsf:
                    handle.write(f">{len(names)}\n{longest_cds(row)}\n")
                    names.append((row.sample, row.gene_id))
        aligner = mappy.Aligner(str(path), preset="asm20", best_n=5)
        for row in learned:
            if not row.gsf:
                continue
            coding = longest_cds(row)
            hits = [
                (hit.mlen / min(len(coding), hit.ctg_len), names[int(hit.ctg)])
                for hit in aligner.map(coding)
                if hit.strand > 0 and hit.mlen >= min_identity * hit.blen
            ]
            share, like = max(hits, default=(0.0, ("", "")))
            if share >= min_share:
                yield Near(row.gene_id, row.sample, like, round(share, 3))


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m transgenic_tools.prep.near", description=__doc__)
    parser.add_argument("--held-out", type=Path, nargs="+", required=True, help="gene shards, or their directories")
    parser.add_argument("--split", help="only genes of this split are held out, and none of it is learned; e.g. test")
    parser.add_argument("--learned", type=Path, nargs="+", required=True)
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    held_out = (row for row in read_shard(given.held_out) if given.split in (None, row.split))
    learned = (row for row in read_shard(given.learned) if given.split is None or row.split != given.split)
    found = list(find_near(held_out, learned))
    for near in found:
        print(f"{near.sample}\t{near.gene_id}\t{near.of[1]}\t{near.share}")
    with write_aside(given.out) as aside:
        aside.write_text("".join(f"{near.gene_id}\n" for near in found))


if __name__ == "__main__":
    main()
