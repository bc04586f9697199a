"""Gene shards as training examples: windows and labels of random crops.

In: `GeneRow`s of gene shards. Out: `Example` records, and `Labels` of a crop as numpy arrays.
A surprise: what an annotation does not say is not learned as absent. A gene without any 5' UTR gives no TSS label,
and nothing upstream of its CDS counts as a negative for splice sites; the same holds downstream. A source without UTRs,
or of one transcript a gene, says nothing of these at all (`Holds`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
import numpy.typing as npt

from transgenic_tools.genome.gene import Transcript
from transgenic_tools.genome.interval import Interval
from transgenic_tools.genome.reading import ReadInterval
from transgenic_tools.io.rows import GeneRow
from transgenic_tools.lattice.vocabulary import IGNORE, N_SITES, Content, Site
from transgenic_tools.lattice.window import WindowInput

#: Whose sites a gene's labels have.
Isoforms = Literal["union", "drawn"]
#: TSS and TTS are fuzzy: a base at distance d from an annotated one has the target exp(-(d / 8)^2).
FUZZ = 8.0
_FUZZ_REACH = 20
#: Share of a source's genes that must have UTRs (several transcripts), or their absence says nothing.
_LEAST_SHARE = 0.05


@dataclass(frozen=True, kw_only=True)
class Holds:
    """What the annotation of a genome holds, so that genes without it are known to have none.

    Attributes:
        utrs: Some of its genes have UTRs.
        isoforms: Some of its genes have more than one transcript.
    """

    utrs: bool = True
    isoforms: bool = True


HOLDS_ALL = Holds()


def holds_of(genes: Iterable[tuple[str, str | None, int]]) -> dict[str, Holds]:
    """What each genome's annotation holds, from the sample, sentence and number of transcripts of all genes."""
    genes_of: Counter[str] = Counter()
    with_utrs: Counter[str] = Counter()
    with_isoforms: Counter[str] = Counter()
    for sample, gsf, n_transcripts in genes:
        if gsf:
            genes_of[sample] += 1
            with_utrs[sample] += "_prime_UTR" in gsf
            with_isoforms[sample] += n_transcripts > 1
    return {
        sample: Holds(
            utrs=with_utrs[sample] >= _LEAST_SHARE * count, isoforms=with_isoforms[sample] >= _LEAST_SHARE * count
        )
        for sample, count in genes_of.items()
    }


@dataclass(frozen=True)
class Outline:
    """What a plan of batches must know of a gene: its name, its locus and the length of what is read."""

    gene_id: str
    locus: ReadInterval
    length: int


@dataclass(frozen=True)
class Example:
    """One gene for training.

    Attributes:
        window: All that is read.
        locus: What is read of the gene.
        transcripts: In the same coordinates, longest CDS first.
        holds: What its source holds.
    """

    gene_id: str
    window: WindowInput
    locus: ReadInterval
    transcripts: tuple[Transcript, ...]
    holds: Holds = HOLDS_ALL

    @property
    def length(self) -> int:
        return len(self.window)


class Examples(Protocol):
    """Genes to learn from: a list in memory, or `train.stream.StreamedExamples`."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int, /) -> Example: ...


@dataclass(frozen=True)
class Labels:
    """Labels of a crop of L bases.

    Attributes:
        sites: Targets (N_SITES, L) float32, the union over transcripts.
        known: (N_SITES, L) bool; False where the annotation says nothing.
        contents: (L,) int64 of one transcript, IGNORE where unknown.
    """

    sites: npt.NDArray[np.float32]
    known: npt.NDArray[np.bool_]
    contents: npt.NDArray[np.int64]


def example_from_row(row: GeneRow, holds: Holds = HOLDS_ALL) -> Example:
    """Raises BadInputError where the row's gene sentence cannot be read."""
    ordered = sorted(row.read_transcripts(), key=lambda t: (-t.cds_length, -sum(map(len, t.exons)), t.exons))
    return Example(row.gene_id, WindowInput.of(row.sequence), row.locus, tuple(ordered), holds)


def draw_crop(
    example: Example | Outline, *, flank_min: int, flank_max: int, max_bases: int, rng: np.random.Generator
) -> Interval:
    """A crop with independent random flanks; a locus longer than `max_bases` is cut at random."""
    left, right = rng.integers(flank_min, flank_max + 1, size=2)
    start = max(0, example.locus.start - int(left))
    end = min(example.length, example.locus.end + int(right))
    if end - start > max_bases:
        start += int(rng.integers(0, end - start - max_bases + 1))
        end = start + max_bases
    return Interval(start, end)


def _fill(array: npt.NDArray[np.int64], interval: Interval, value: int | npt.NDArray[np.int64]) -> None:
    array[interval.start : interval.end] = value


def contents_of(transcript: Transcript, length: int) -> npt.NDArray[np.int64]:
    """Content of every base for one transcript. Shape (length,)."""
    contents = np.full(length, Content.OUTSIDE, dtype=np.int64)
    _fill(contents, transcript.interval, Content.INTRON)
    for part in transcript.five_prime_utr:
        _fill(contents, part, Content.FIVE_PRIME_UTR)
    for part in transcript.three_prime_utr:
        _fill(contents, part, Content.THREE_PRIME_UTR)
    position = -transcript.first_phase
    for part in transcript.cds:
        _fill(contents, part, Content.CODING_1 + (position + np.arange(len(part))) % 3)
        position += len(part)
    return contents


def site_positions(transcript: Transcript) -> dict[Site, list[int]]:
    """Index of every site of a transcript (conventions in `lattice.vocabulary`)."""
    positions: dict[Site, list[int]] = {site: [] for site in Site}
    if transcript.five_prime_utr:
        positions[Site.TSS].append(transcript.interval.start)
    if transcript.three_prime_utr:
        positions[Site.TTS].append(transcript.interval.end - 1)
    positions[Site.START].append(transcript.cds[0].start)
    positions[Site.STOP].append(transcript.cds[-1].end - 1)
    for intron in transcript.introns:
        positions[Site.DONOR].append(intron.start)
        positions[Site.ACCEPTOR].append(intron.end - 1)
    return positions


def _add_fuzzy(target: npt.NDArray[np.float32], position: int) -> None:
    low, high = max(0, position - _FUZZ_REACH), min(len(target), position + _FUZZ_REACH + 1)
    distance = np.arange(low, high) - position
    target[low:high] = np.maximum(target[low:high], np.exp(-((distance / FUZZ) ** 2)).astype(np.float32))


def label_window(example: Example, *, rng: np.random.Generator, isoforms: Isoforms = "union") -> Labels:
    """Labels of the whole window; the content is that of one transcript drawn at random.

    Args:
        isoforms: Sites of all transcripts (`union`), or of the drawn one alone (`drawn`), so that a site that few of a
            gene's transcripts have is learned as rare.
    """
    length = example.length
    chosen = example.transcripts[int(rng.integers(len(example.transcripts)))]
    sites = np.zeros((N_SITES, length), dtype=np.float32)
    known = np.ones((N_SITES, length), dtype=bool)
    for transcript in example.transcripts if isoforms == "union" else (chosen,):
        for site, positions in site_positions(transcript).items():
            for position in positions:
                if site in (Site.TSS, Site.TTS):
                    _add_fuzzy(sites[site], position)
                else:
                    sites[site, position] = 1.0
    contents = contents_of(chosen, length)
    splice = [Site.DONOR, Site.ACCEPTOR]
    if not any(t.five_prime_utr for t in example.transcripts):
        first = min(t.cds[0].start for t in example.transcripts)
        known[Site.TSS] = False
        known[splice, :first] = False
    if not any(t.three_prime_utr for t in example.transcripts):
        last = max(t.cds[-1].end for t in example.transcripts)
        known[Site.TTS] = False
        known[splice, last:] = False
    if not chosen.five_prime_utr:
        contents[: chosen.cds[0].start] = IGNORE
    if not chosen.three_prime_utr:
        contents[chosen.cds[-1].end :] = IGNORE
    return Labels(sites, known, contents)


def crop_labels(labels: Labels, crop: Interval) -> Labels:
    """The labels of a part of the window."""
    part = slice(crop.start, crop.end)
    return Labels(labels.sites[:, part], labels.known[:, part], labels.contents[part])


def chosen_rows(rows: Sequence[GeneRow], wanted: str) -> list[GeneRow]:
    """Genes of `SPLIT` or, evenly spread, so many: `SPLIT:NUMBER`."""
    split, _, number = wanted.partition(":")
    rows = [row for row in rows if row.split == split]
    return spread_evenly(rows, int(number)) if number else rows


def spread_evenly(rows: Sequence[GeneRow], most: int) -> list[GeneRow]:
    """So many of them, from the first to the last; all where there are no more."""
    return [rows[i] for i in np.linspace(0, len(rows) - 1, min(most, len(rows))).astype(int).tolist()]
