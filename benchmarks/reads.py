"""Simulated RNA-seq: paired reads of an annotation's transcripts, with what makes reads less than the truth.

In: genes, the bases that they lie on, a `Library`. Out: two FASTA files of mates a condition, and the expression drawn.
A surprise: reads stand in random order under their number, so the first n of them are a smaller library of the same
sample; one alignment serves all amounts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from transgenic_tools.genome.gene import Gene, Transcript
from transgenic_tools.genome.interval import Interval, subtract
from transgenic_tools.genome.sequence import reverse_complement
from transgenic_tools.provenance import write_aside

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Library:
    """What is sequenced; rates are shares.

    The spread of expression is that of TAIR's junctions of eleven tissues (77 genes of the first 304,277 bases of
    chromosome 1): over tissues, the median of mean count by median count is 3.9, what a log-normal of sigma 1.65 has;
    counts of one gene differ between tissues by a sigma of 0.83; 9 % of the genes have no read in a tissue.

    Attributes:
        conditions: Each gets an equal part of the reads.
        gene_sigma, transcript_sigma: Of the natural logarithm of a gene's and an isoform's expression.
        gene_change, transcript_change: The same, drawn anew for each condition on top.
        silent: Genes that a condition does not express at all.
        retained: Introns of a molecule that are left in.
        misspliced: Introns of a molecule with one end at another GT or AG within `reach` bases.
        background: Fragments from anywhere in the region, on either strand.
        errors: Bases of a read that are read as another.
        length: Of each mate; fragments are normal, never shorter than a mate.
    """

    conditions: tuple[str, ...] = ("t1", "t2", "t3", "t4")
    gene_sigma: float = 1.0
    transcript_sigma: float = 1.0
    gene_change: float = 0.8
    transcript_change: float = 0.4
    silent: float = 0.05
    retained: float = 0.02
    misspliced: float = 0.007
    reach: int = 100
    background: float = 0.01
    errors: float = 0.005
    length: int = 100
    fragment_mean: float = 250.0
    fragment_sigma: float = 40.0


def expression(genes: Sequence[Gene], library: Library, rng: np.random.Generator) -> Floats:
    """(conditions, transcripts of all genes in order): molecules, in any unit."""
    sizes = [len(gene.transcripts) for gene in genes]
    of_gene = np.repeat(np.arange(len(genes)), sizes)
    base = library.gene_sigma * rng.standard_normal(len(genes))[of_gene]
    base += library.transcript_sigma * rng.standard_normal(len(of_gene))
    levels = []
    for _ in library.conditions:
        change = library.gene_change * rng.standard_normal(len(genes))[of_gene]
        change += library.transcript_change * rng.standard_normal(len(of_gene))
        levels.append(np.exp(base + change) * (rng.random(len(genes)) >= library.silent)[of_gene])
    return np.stack(levels)


def mate_paths(directory: Path, condition: str) -> tuple[Path, Path]:
    """Where a condition's mates stand."""
    return directory / f"{condition}_1.fa", directory / f"{condition}_2.fa"


class Simulator:
    """Reads of one region.

    Args:
        genes: All on one sequence.
        bases: Upper-case bases of `region`.
    """

    def __init__(self, genes: Sequence[Gene], bases: str, region: Interval, library: Library) -> None:
        self.bases, self.region, self.library = bases, region, library
        self.transcripts: list[Transcript] = [t for gene in genes for t in gene.transcripts]
        self._spliced = [t.spliced(bases, offset=region.start) for t in self.transcripts]

    def write(self, levels: Floats, directory: Path, *, reads: int, rng: np.random.Generator) -> None:
        """`reads` mates in all, an equal part for each condition.

        Args:
            levels: As `expression` gives them.
        """
        directory.mkdir(parents=True, exist_ok=True)
        lengths = np.array([max(len(text) - self.library.fragment_mean, 1.0) for text in self._spliced])
        pairs = reads // 2 // len(self.library.conditions)
        for condition, level in zip(self.library.conditions, levels, strict=True):
            shares = level * lengths
            drawn = rng.choice(len(shares), size=pairs, p=shares / shares.sum())
            first, second = mate_paths(directory, condition)
            with write_aside(first) as one, write_aside(second) as two, one.open("w") as left, two.open("w") as right:
                for number, index in enumerate(drawn.tolist()):
                    fragment = self._fragment(index, rng)
                    sense, antisense = fragment[: self.library.length], fragment[-self.library.length :]
                    # dUTP: the first mate is read from the strand opposite to the transcript
                    left.write(f">{number}\n{self._read(reverse_complement(antisense), rng)}\n")
                    right.write(f">{number}\n{self._read(sense, rng)}\n")

    def _fragment(self, index: int, rng: np.random.Generator) -> str:
        library = self.library
        wanted = max(int(rng.normal(library.fragment_mean, library.fragment_sigma)), library.length)
        if rng.random() < library.background:
            start = int(rng.integers(len(self.bases) - wanted))
            text = self.bases[start : start + wanted]
            return text if rng.random() < 0.5 else reverse_complement(text)
        transcript, text = self.transcripts[index], self._spliced[index]
        altered = library.retained + library.misspliced
        if transcript.introns and rng.random() < min(1.0, altered * len(transcript.introns)):
            text = self._altered(transcript, rng)
        start = int(rng.integers(max(len(text) - wanted, 0) + 1))
        return text[start : start + wanted]

    def _altered(self, transcript: Transcript, rng: np.random.Generator) -> str:
        """The molecule with one intron left in or spliced at a wrong end."""
        library = self.library
        which = int(rng.integers(len(transcript.introns)))
        introns = list(transcript.introns)
        if rng.random() * (library.retained + library.misspliced) < library.retained:
            del introns[which]
        else:
            left = introns[which - 1].end if which else transcript.interval.start
            right = introns[which + 1].start if which + 1 < len(introns) else transcript.interval.end
            introns[which] = self._moved(introns[which], Interval(left, right), transcript.strand == "+", rng)
        exons = subtract((transcript.interval,), introns)
        text = "".join(self.bases[e.start - self.region.start : e.end - self.region.start] for e in exons)
        return text if transcript.strand == "+" else reverse_complement(text)

    def _moved(self, intron: Interval, room: Interval, plus: bool, rng: np.random.Generator) -> Interval:
        """One end at another dinucleotide of its kind, exons beside it and 40 bases of intron left; else as it was."""
        at_left = rng.random() < 0.5
        word = {(True, True): "GT", (True, False): "AG", (False, True): "CT", (False, False): "AC"}[plus, at_left]
        reach = self.library.reach
        if at_left:
            low, high = max(room.start + 1, intron.start - reach), min(intron.end - 40, intron.start + reach)
            places = [p for p in self._places(word, low, high) if p != intron.start]
            return Interval(places[int(rng.integers(len(places)))], intron.end) if places else intron
        low, high = max(intron.start + 40, intron.end - reach), min(room.end - 1, intron.end + reach)
        places = [p + 2 for p in self._places(word, low - 2, high - 2) if p + 2 != intron.end]
        return Interval(intron.start, places[int(rng.integers(len(places)))]) if places else intron

    def _places(self, word: str, low: int, high: int) -> list[int]:
        """Where the word stands in `[low, high)`, in genome coordinates."""
        offset = self.region.start
        return [p for p in range(low, high) if self.bases[p - offset : p - offset + 2] == word]

    def _read(self, text: str, rng: np.random.Generator) -> str:
        wrong = int(rng.binomial(len(text), self.library.errors))
        if not wrong:
            return text
        letters = list(text)
        for place in rng.integers(len(text), size=wrong).tolist():
            letters[place] = "ACGT"[("ACGT".find(letters[place]) + int(rng.integers(1, 4))) % 4]
        return "".join(letters)
