"""A genome with planted genes, and a reader that scores it as a perfect network would."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from transgenic_tools.genome.gene import Transcript
from transgenic_tools.genome.interval import Interval, Strand, clip
from transgenic_tools.genome.sequence import encode, reverse_complement
from transgenic_tools.lattice.config import ScoringConfig
from transgenic_tools.lattice.vocabulary import N_CONTENTS, N_SITES, Content, Site
from transgenic_tools.search.loci import Judge
from transgenic_tools.search.tiles import BothStrands

#: Weights under which planted genes are found: a site is worth what a likely one is.
SCORING = ScoringConfig(site_bias=(-2.0, -1.0, -1.0, -1.0, -1.0, -2.0), content_weight=0.1)
JUDGE = Judge(scoring=SCORING, calibration={})
_CODONS = ["GCT", "GAA", "CTC", "AAG", "CCA", "TTC", "GGA", "ACC"]


@dataclass(frozen=True)
class Planted:
    """A gene: exons left to right, coding from `coding.start` to `coding.end`."""

    seqid: str
    strand: Strand
    exons: tuple[Interval, ...]
    coding: Interval

    @property
    def interval(self) -> Interval:
        return Interval(self.exons[0].start, self.exons[-1].end)

    def transcript(self) -> Transcript:
        """As an annotation has it."""
        cds = clip(self.exons, self.coding)
        return Transcript(id="t", seqid=self.seqid, strand=self.strand, exons=self.exons, cds=cds)


def gene_bases(rng: random.Random, *, codons: int = 40, intron: int = 120, utr: int = 60) -> tuple[str, list[str]]:
    """A gene 5' to 3' and what each base is: `5`, `3`, `i` (intron), or the codon position."""
    coding = "ATG" + "".join(rng.choice(_CODONS) for _ in range(codons - 2)) + "TAA"
    cut = 3 * (codons // 2) + 1
    middle = "".join(rng.choice("CT") for _ in range(intron - 4))
    bases = "CT" * (utr // 2) + coding[:cut] + "GT" + middle + "AG" + coding[cut:] + "TC" * (utr // 2)
    position = [str(i % 3) for i in range(len(coding))]
    kinds = ["5"] * (utr // 2 * 2) + position[:cut] + ["i"] * intron + position[cut:] + ["3"] * (utr // 2 * 2)
    return bases, kinds


_CONTENT = {
    "5": Content.FIVE_PRIME_UTR,
    "3": Content.THREE_PRIME_UTR,
    "i": Content.INTRON,
    "0": Content.CODING_1,
    "1": Content.CODING_2,
    "2": Content.CODING_3,
}


class Genome:
    """Sequences with planted genes, and their perfect scores."""

    def __init__(self) -> None:
        self.bases: dict[str, str] = {}
        self.genes: list[Planted] = []
        self.scores: dict[str, BothStrands] = {}

    def add(self, seqid: str, length: int, places: Sequence[tuple[int, Strand]], *, seed: int = 1) -> None:
        """A sequence with a gene at each place; what leaves the sequence is cut off."""
        rng = random.Random(seed)
        bases = [rng.choice("CT") if i % 7 else rng.choice("ACGT") for i in range(length)]
        sites = np.full((2, N_SITES, length), -6.0, dtype=np.float32)
        kinds = np.full((2, length), int(Content.OUTSIDE))
        for start, strand in places:
            written, of = gene_bases(rng)
            self._plant(bases, sites, kinds, start, strand, written, of)
            self.genes.append(_record(seqid, start, strand, of, length))
        contents = np.full((2, N_CONTENTS, length), np.log(0.02), dtype=np.float32)
        for row in (0, 1):
            contents[row, kinds[row], np.arange(length)] = np.log(0.88)
        self.bases[seqid], self.scores[seqid] = "".join(bases), BothStrands(sites, contents)

    @staticmethod
    def _plant(
        bases: list[str],
        sites: npt.NDArray[np.float32],
        kinds: npt.NDArray[np.int64],
        start: int,
        strand: Strand,
        written: str,
        of: list[str],
    ) -> None:
        row, size, length = int(strand == "-"), len(of), len(bases)

        def place(index: int) -> int:
            return start + index if strand == "+" else start + size - 1 - index

        plus = written if strand == "+" else reverse_complement(written)
        for i, letter in enumerate(plus):
            if 0 <= start + i < length:
                bases[start + i] = letter
        begin, coding = 0, [i for i, kind in enumerate(of) if kind in "012"]
        found = [(Site.TSS, begin), (Site.START, coding[0]), (Site.STOP, coding[-1]), (Site.TTS, size - 1)]
        found += [(Site.DONOR, of.index("i")), (Site.ACCEPTOR, size - 1 - of[::-1].index("i"))]
        for site, index in found:
            if 0 <= place(index) < length:
                sites[row, site, place(index)] = 6.0
        for index, kind in enumerate(of):
            if 0 <= place(index) < length:
                kinds[row, place(index)] = int(_CONTENT[kind])

    def write(self, path: Path) -> Path:
        path.write_text("".join(f">{name}\n{bases}\n" for name, bases in self.bases.items()))
        return path

    def read(self, codes: npt.NDArray[np.uint8]) -> BothStrands:
        """Scores of a stretch, which is found by its bases."""
        for name, bases in self.bases.items():
            whole = encode(bases)
            at = whole.tobytes().find(codes.tobytes())
            if at >= 0:
                part = slice(at, at + len(codes))
                scores = self.scores[name]
                return BothStrands(scores.sites[..., part], scores.contents[..., part])
        raise AssertionError("no such stretch")


def _record(seqid: str, start: int, strand: Strand, of: list[str], length: int) -> Planted:
    size = len(of)
    first, last = of.index("i"), size - of[::-1].index("i")
    parts = [(0, first), (last, size)]
    coding = [i for i, kind in enumerate(of) if kind in "012"]
    span = (coding[0], coding[-1] + 1)
    if strand == "-":
        parts = sorted((size - end, size - begin) for begin, end in parts)
        span = (size - span[1], size - span[0])
    exons = tuple(
        Interval(max(0, start + a), min(length, start + b)) for a, b in parts if start + b > 0 and start + a < length
    )
    return Planted(seqid, strand, exons, Interval(max(0, start + span[0]), min(length, start + span[1])))
