"""Genes as a distant relative might have them: other codons, composition and introns, and the same structure.

In: examples with known transcripts, and a `Shift`. Out: examples whose known transcripts are still right.
Dims: L bases, T transcripts, N codons.
A surprise: what no change can touch is little: start and stop codons, the two bases at each end of an intron, and
codons that transcripts read in different frames or across an intron. All else is drawn anew base by base, or codon by
synonymous codon, so the signals around splice sites and starts wear off, as between species.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from transgenic_tools.genome.code import STANDARD
from transgenic_tools.genome.gene import Transcript
from transgenic_tools.genome.interval import Interval
from transgenic_tools.genome.reading import ReadInterval
from transgenic_tools.genome.sequence import UNKNOWN_CODE, encode
from transgenic_tools.lattice.window import WindowInput
from transgenic_tools.train.examples import Example

Codes = npt.NDArray[np.uint8]
Mask = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Shift:
    """How far, and where to.

    Attributes:
        rate: Share of the free bases and codons that are drawn anew.
        gc: Share of G and C that bases are drawn with; codons are weighed by it.
        stretch: Introns become so many times longer.
    """

    rate: float
    gc: float
    stretch: float = 1.0

    @property
    def bases(self) -> npt.NDArray[np.float64]:
        """Probability of each base code, those of A, C, G, T."""
        strong = np.isin(np.arange(4), encode("CG"))
        return np.where(strong, self.gc, 1 - self.gc) / 2


def _coding_positions(transcript: Transcript) -> Ints:
    return np.concatenate([np.arange(part.start, part.end) for part in transcript.cds])


def _frames(transcripts: Sequence[Transcript], length: int) -> npt.NDArray[np.int8]:
    """Codon position of each base in each transcript, -1 outside of its CDS. Shape (T, L)."""
    frames = np.full((len(transcripts), length), -1, dtype=np.int8)
    for frame, transcript in zip(frames, transcripts, strict=True):
        positions = _coding_positions(transcript)
        frame[positions] = (np.arange(len(positions)) - transcript.first_phase) % 3
    return frames


def _signals(transcripts: Sequence[Transcript], length: int) -> Mask:
    """Bases that make start, stop and splice sites what they are. Shape (L,)."""
    fixed = np.zeros(length, dtype=bool)
    for transcript in transcripts:
        positions = _coding_positions(transcript)
        fixed[positions[:3]] = fixed[positions[-3:]] = True
        for intron in transcript.introns:
            fixed[[intron.start, intron.start + 1, intron.end - 2, intron.end - 1]] = True
    return fixed


def _free_codons(frames: npt.NDArray[np.int8], free: Mask) -> Ints:
    """First bases (N,) of codons that stand together, and that every transcript reads as a codon or not at all."""
    length = frames.shape[1]
    parts = [slice(offset, length - 2 + offset) for offset in range(3)]
    good = (frames[:, parts[0]] == 0).any(0)
    for offset, part in enumerate(parts):
        good &= free[part] & ((frames[:, part] == offset) | (frames[:, part] == -1)).all(0)
        good &= ((frames[:, part] == -1) == (frames[:, parts[0]] == -1)).all(0)
    return np.flatnonzero(good)


def _synonyms(shift: Shift) -> npt.NDArray[np.float64]:
    """Probability of each codon (64) to become each of its synonyms (64), as cumulated sums."""
    letters = "".join("ACGT"[int(code)] for code in np.argsort(encode("ACGT")))
    codons = [a + b + c for a in letters for b in letters for c in letters]
    amino = np.array([STANDARD.amino_acids[codon] for codon in codons])
    weight = shift.bases[np.array([encode(codon) for codon in codons])].prod(1)
    allowed = (amino[:, None] == amino) * weight
    return np.cumsum(allowed / allowed.sum(1, keepdims=True), axis=1)


def _change_codons(codes: Codes, starts: Ints, shift: Shift, rng: np.random.Generator) -> None:
    places = starts[:, None] + np.arange(3)
    numbers = codes[places].astype(np.int64) @ np.array([16, 4, 1])
    drawn = (rng.random(len(starts))[:, None] > _synonyms(shift)[numbers]).sum(1).clip(max=63)
    codes[places] = np.stack([drawn // 16, drawn // 4 % 4, drawn % 4], axis=1)


def _drawn(count: int, shift: Shift, rng: np.random.Generator) -> Codes:
    return rng.choice(4, count, p=shift.bases).astype(np.uint8)


def _longer_introns(transcripts: Sequence[Transcript], length: int, stretch: float) -> list[tuple[int, int]]:
    """Where bases come in, and how many: the middle of each intron that no exon of another transcript touches."""
    exonic = np.zeros(length, dtype=bool)
    for exon in (exon for transcript in transcripts for exon in transcript.exons):
        exonic[exon.start : exon.end] = True
    introns = sorted({i for t in transcripts for i in t.introns if not exonic[i.start : i.end].any()})
    places = {(i.start + i.end) // 2: round((stretch - 1) * len(i)) for i in introns}
    return sorted(places.items())


def _moved(transcript: Transcript, added: Sequence[tuple[int, int]]) -> Transcript:
    """The transcript after bases came in."""

    def there(parts: Sequence[Interval]) -> tuple[Interval, ...]:
        return tuple(part.shift(sum(count for place, count in added if place <= part.start)) for part in parts)

    return replace(transcript, exons=there(transcript.exons), cds=there(transcript.cds))


def shifted(example: Example, shift: Shift, rng: np.random.Generator) -> Example:
    """A gene after a shift."""
    codes, transcripts = example.window.codes.copy(), example.transcripts
    frames = _frames(transcripts, len(codes))
    free = ~_signals(transcripts, len(codes)) & (codes < UNKNOWN_CODE)
    codons = _free_codons(frames, free)
    bases = np.flatnonzero(free & (frames == -1).all(0))
    bases = bases[rng.random(len(bases)) < shift.rate]
    codes[bases] = _drawn(len(bases), shift, rng)
    _change_codons(codes, codons[rng.random(len(codons)) < shift.rate], shift, rng)
    added = _longer_introns(transcripts, len(codes), shift.stretch) if shift.stretch > 1 else []
    for place, count in reversed(added):
        codes = np.concatenate([codes[:place], _drawn(count, shift, rng), codes[place:]])
    locus = Interval(example.locus.start, example.locus.end + sum(count for _, count in added))
    return Example(
        example.gene_id,
        WindowInput(codes=codes),
        ReadInterval(locus),
        tuple(_moved(t, added) for t in transcripts),
        example.holds,
    )
