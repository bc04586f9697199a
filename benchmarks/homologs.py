"""Which genes have a relative in the training split, by protein.

In: genes of the queries and of the training split, with their genomes. Out: query gene ID -> best training gene and
its score in bits; a TSV that `tg-evaluate --homologs` reads.
A surprise: the best local alignment (Smith-Waterman, BLOSUM62, gaps 11/1) is computed only for the training proteins
that share most 4-residue words with the query, so a relative without any such word counts as none.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

from transgenic_tools.genome.code import STANDARD
from transgenic_tools.genome.gene import Gene
from transgenic_tools.io.fasta import Fasta
from transgenic_tools.provenance import write_aside

#: A homolog is a training protein with a local alignment of this many bits or more (BLAST's statistics).
MIN_BITS = 50.0
WORD, CANDIDATES, COMMON_WORD = 4, 12, 200
_LAMBDA, _K = 0.267, 0.041
_GAP_OPEN, _GAP_EXTEND = 11, 1
RESIDUES = "ARNDCQEGHILKMFPSTWYV"
#: BLOSUM62, lower triangle, in the order of RESIDUES (Henikoff 1992).
_TRIANGLE = """
4
-1 5
-2 0 6
-2 -2 1 6
0 -3 -3 -3 9
-1 1 0 0 -3 5
-1 0 0 2 -4 2 5
0 -2 0 -1 -3 -2 -2 6
-2 0 1 -1 -3 0 0 -2 8
-1 -3 -3 -3 -1 -3 -3 -4 -3 4
-1 -2 -3 -4 -1 -2 -3 -4 -3 2 4
-1 2 0 -1 -3 1 1 -2 -1 -3 -2 5
-1 -1 -2 -3 -1 0 -2 -3 -2 1 2 -1 5
-2 -3 -3 -3 -2 -3 -3 -3 -1 0 0 -3 0 6
-1 -2 -2 -1 -3 -1 -1 -2 -2 -3 -3 -1 -2 -4 7
1 -1 1 0 -1 0 0 0 -1 -2 -2 0 -1 -2 -1 4
0 -1 0 -1 -1 -1 -1 -2 -2 -1 -1 -1 -1 -2 -1 1 5
-3 -3 -4 -4 -2 -2 -3 -2 -2 -3 -2 -3 -1 1 -4 -3 -2 11
-2 -2 -2 -3 -2 -1 -2 -3 2 -1 -1 -2 -1 3 -3 -2 -2 2 7
0 -3 -3 -3 -1 -2 -2 -3 -3 3 1 -2 1 -1 -2 -2 0 -3 -1 4
"""


def blosum62() -> npt.NDArray[np.int32]:
    """Scores in the order of RESIDUES, with a last row and column of -1 for any other letter. Shape (21, 21)."""
    matrix = np.full((21, 21), -1, dtype=np.int32)
    for i, line in enumerate(_TRIANGLE.split("\n")[1:-1]):
        for j, value in enumerate(line.split()):
            matrix[i, j] = matrix[j, i] = int(value)
    return matrix


def protein_of(gene: Gene, fasta: Fasta) -> str:
    """Translation of the longest CDS without the stop; empty for a gene without CDS."""
    coding = gene.coding_transcripts
    if not coding:
        return ""
    longest = max(coding, key=lambda t: t.cds_length)
    start, end = longest.cds[0].start, longest.cds[-1].end
    spliced = longest.spliced(fasta.fetch(gene.seqid, start, end), offset=start, coding=True)
    return STANDARD.translate(spliced[longest.first_phase :]).rstrip("*")


def _codes(protein: str) -> npt.NDArray[np.int32]:
    return np.array([RESIDUES.find(letter) for letter in protein], dtype=np.int32) % 21


@njit(cache=True)
def local_score(
    query: npt.NDArray[np.int32], target: npt.NDArray[np.int32], scores: npt.NDArray[np.int32], opening: int, more: int
) -> int:
    """Best local alignment score with affine gaps: the first residue of a gap costs `opening + more` (Gotoh 1982)."""
    m = target.shape[0]
    best_row = np.zeros(m + 1, dtype=np.int32)
    gap_row = np.full(m + 1, -(1 << 20), dtype=np.int32)
    best = 0
    for i in range(query.shape[0]):
        diagonal, gap = 0, -(1 << 20)
        for j in range(m):
            gap_row[j + 1] = max(gap_row[j + 1] - more, best_row[j + 1] - opening - more)
            gap = max(gap - more, best_row[j] - opening - more)
            score = max(0, diagonal + scores[query[i], target[j]], gap_row[j + 1], gap)
            diagonal = best_row[j + 1]
            best_row[j + 1] = score
            best = max(best, score)
    return best


def bits(score: int) -> float:
    """Raw score to bits."""
    return (_LAMBDA * score - math.log(_K)) / math.log(2)


@dataclass(frozen=True)
class Homolog:
    """Best training gene of a query; `gene_id` None where no training protein shares a word."""

    gene_id: str | None
    bits: float

    @property
    def is_homolog(self) -> bool:
        return self.bits >= MIN_BITS


def _words(protein: str) -> set[str]:
    return {protein[i : i + WORD] for i in range(len(protein) - WORD + 1)}


def find_homologs(queries: Mapping[str, str], training: Mapping[str, str]) -> dict[str, Homolog]:
    """Query ID -> best training protein, from proteins by ID."""
    holders: dict[str, list[str]] = defaultdict(list)
    for name in sorted(training):
        for word in _words(training[name]):
            holders[word].append(name)
    codes: dict[str, Any] = {name: _codes(protein) for name, protein in training.items()}
    scores, found = blosum62(), {}
    for name in sorted(queries):
        shared: Counter[str] = Counter()
        for word in _words(queries[name]):
            if len(holders.get(word, ())) <= COMMON_WORD:
                shared.update(holders.get(word, ()))
        ranked = sorted(shared, key=lambda other: (-shared[other], other))[:CANDIDATES]
        query = _codes(queries[name])
        best = Homolog(None, 0.0)
        for other in ranked:
            value = bits(local_score(query, codes[other], scores, _GAP_OPEN, _GAP_EXTEND))
            if value > best.bits:
                best = Homolog(other, value)
        found[name] = best
    return found


def proteins(genes: Iterable[Gene], fasta: Path) -> dict[str, str]:
    """Gene ID -> protein, genes without one left out."""
    with Fasta(fasta) as sequences:
        found = {gene.id: protein_of(gene, sequences) for gene in genes}
    return {name: protein for name, protein in found.items() if protein}


def write_homologs(found: Mapping[str, Homolog], path: Path, *, order: Sequence[str]) -> Path:
    """TSV: gene_id, has_homolog, training gene, bits."""
    with write_aside(path) as aside, aside.open("w") as handle:
        handle.write("gene_id\thas_homolog\ttraining_gene\tbits\n")
        for name in order:
            if name in found:
                row = found[name]
                word = "yes" if row.is_homolog else "no"
                handle.write(f"{name}\t{word}\t{row.gene_id or ''}\t{row.bits:.1f}\n")
    return path


def main() -> None:
    """Write both lists of benchmarks/lists (some minutes); the benchmark reads them, it does not make them."""
    from benchmarks import data
    from benchmarks.run import LISTS
    from benchmarks.windows import read_windows
    from transgenic_tools.io.gff3 import read_annotation

    rows = read_windows(data.prepare(data.thaliana(), "exact", data.CACHE), split=None)
    splits = {row.gene_id: row.split for row in rows}
    thaliana = read_annotation(data.thaliana().annotation).genes
    known = proteins((g for g in thaliana if g.id in splits), data.thaliana().fasta)
    by_split = {split: {n: p for n, p in known.items() if splits[n] == split} for split in ("train", "test")}
    found = find_homologs(by_split["test"], by_split["train"])
    write_homologs(found, LISTS / "athaliana_test_homologs.tsv", order=sorted(found))

    genome = data.arenosa()
    others = proteins(read_annotation(genome.annotation).genes, genome.fasta)
    nearest = find_homologs(others, known)
    kept = [n for n, h in nearest.items() if not h.is_homolog or splits[h.gene_id or ""] == "test"]
    with write_aside(LISTS / "aarenosa_no_training_ortholog.txt") as aside:
        aside.write_text("".join(f"{name}\n" for name in sorted(kept)))


if __name__ == "__main__":
    main()
