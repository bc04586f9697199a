"""Gene families by shared protein k-mers, so that relatives never stand on both sides of a split.

In: genes and their FASTA. Out: a group name for each gene ID.
A surprise: groups are transitive, A with B and B with C; k-mers that very many genes share (repeats, the
most common domains) join nothing, or one group would swallow the genome.
"""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

from transgenic_tools.genome.code import STANDARD
from transgenic_tools.genome.gene import Gene
from transgenic_tools.io.fasta import Fasta

#: Amino acids in one k-mer.
K = 6
#: One k-mer in this many is kept, by its hash: the same ones in every gene.
SAMPLING = 4
#: k-mers of more genes than this join nothing.
MAX_GENES = 100
#: Two genes are relatives from this share of the smaller sketch on, and this many k-mers at least.
MIN_SHARE = 0.1
MIN_SHARED = 3
_UNKNOWN = frozenset(b"X*")


def protein(gene: Gene, fasta: Fasta) -> str:
    """Translation of the longest CDS, without the stop; empty for a gene without CDS."""
    primary = gene.primary_transcript
    if primary is None or not primary.cds:
        return ""
    start, end = primary.cds[0].start, primary.cds[-1].end
    coding = primary.spliced(fasta.fetch(gene.seqid, start, end), offset=start, coding=True)
    return STANDARD.translate(coding[primary.first_phase :]).rstrip("*")


def sketch(residues: str) -> frozenset[bytes]:
    """The sampled k-mers of a protein; short proteins keep all of theirs."""
    letters = residues.encode()
    found = {letters[i : i + K] for i in range(len(letters) - K + 1)}
    if len(found) > SAMPLING * 8:
        found = {kmer for kmer in found if zlib.crc32(kmer) % SAMPLING == 0}
    return frozenset(kmer for kmer in found if len(set(kmer)) > 2 and not _UNKNOWN.intersection(kmer))


class _Union:
    """Disjoint sets; the smallest name stands for a set, whatever the order of joining."""

    def __init__(self, names: Iterable[str]) -> None:
        self.parent = {name: name for name in names}

    def find(self, name: str) -> str:
        while self.parent[name] != name:
            self.parent[name] = self.parent[self.parent[name]]
            name = self.parent[name]
        return name

    def join(self, one: str, other: str) -> None:
        low, high = sorted((self.find(one), self.find(other)))
        self.parent[high] = low


def related(sketches: Mapping[str, frozenset[bytes]]) -> Iterator[tuple[str, str]]:
    """Pairs of genes whose sketches overlap enough, each pair once."""
    holders: dict[bytes, list[str]] = {}
    for name in sorted(sketches):
        for kmer in sketches[name]:
            holders.setdefault(kmer, []).append(name)
    for name in sorted(sketches):
        shared: Counter[str] = Counter()
        for kmer in sketches[name]:
            genes = holders[kmer]
            if 1 < len(genes) <= MAX_GENES:
                shared.update(other for other in genes if other > name)
        for other in sorted(shared):
            smaller = min(len(sketches[name]), len(sketches[other]))
            if shared[other] >= max(MIN_SHARED, MIN_SHARE * smaller):
                yield name, other


def groups_of_proteins(proteins: Mapping[str, str]) -> dict[str, str]:
    """The group of each named protein: the smallest name of its family."""
    sketches = {name: sketch(residues) for name, residues in proteins.items()}
    union = _Union(sketches)
    for one, other in related(sketches):
        union.join(one, other)
    return {name: union.find(name) for name in sketches}


def homology_groups(genes: Sequence[Gene], fasta: Fasta) -> dict[str, str]:
    """The group of each gene: the smallest gene ID of its family."""
    return groups_of_proteins({gene.id: protein(gene, fasta) for gene in genes})
