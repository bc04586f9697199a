"""What a trunk of many species and both strands learns from, step by step.

In: `Source`s and `Mixture`. Out: for every step one micro-batch of windows around genes and one of bare tiles.
Dims: B windows, L bases, N strands (1 for windows around genes, 2 for tiles).
A surprise: what a step learns is a function of (seed, step) alone: windows are drawn in pools of `pool` steps, sorted
by length and packed, so that little is padded; nothing of it is kept between steps.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from transgenic_tools.errors import BadInputError
from transgenic_tools.genome.hashing import stable_rng
from transgenic_tools.genome.interval import STRANDS, Interval, Strand
from transgenic_tools.genome.sequence import strand_codes
from transgenic_tools.lattice.vocabulary import IGNORE, N_SITES, PAD_CODE, Content, allowed_sites
from transgenic_tools.train.examples import Example, Isoforms, Labels, crop_labels, draw_crop, label_window
from transgenic_tools.train.genomes import Codes, Source, Territory
from transgenic_tools.train.shifts import Shift, shifted

Kind = Literal["gene", "none", "tile"]


@dataclass(frozen=True, kw_only=True)
class Mixture:
    """How windows are drawn.

    Attributes:
        gene_bases, tile_bases: Of the two micro-batches of a step, padding included.
        none_share: Share of the windows in gene mode that hold no gene on their strand.
        pseudogene_share: Share of those that lie on a pseudogene, where pseudogenes are known.
        wrong_strand_share: Share of those that lie on the other strand of a gene.
        tile_lengths: Lengths of tiles, one drawn for each.
        touching_share: Share of the tiles that are drawn to touch a gene; the others begin anywhere.
        flank_max: Longest flank of a window around a gene, drawn anew for each side.
        max_bases: A longer gene is cut at random.
        pool: Steps whose windows are drawn together.
        isoforms: Whose sites are learned, see `label_window`.
        strange_share: Share of the genes that are read as a distant relative might have them (`train.shifts`): up to
            `strange_rate` of the free bases and codons are drawn anew, with a share of G and C in `strange_gc`.
    """

    seed: int = 1
    gene_bases: int = 16_000
    tile_bases: int = 12_000
    none_share: float = 0.11
    pseudogene_share: float = 0.3
    wrong_strand_share: float = 0.35
    tile_lengths: tuple[int, ...] = (6_000, 6_000, 12_000, 12_000, 12_000, 18_000)
    touching_share: float = 0.7
    flank_max: int = 1000
    max_bases: int = 16_000
    pool: int = 32
    isoforms: Isoforms = "union"
    strange_share: float = 0.0
    strange_rate: float = 0.5
    strange_gc: tuple[float, ...] = (0.3, 0.65)

    def make_strange(self, example: Example, rng: np.random.Generator) -> Example:
        """The gene, or a strange one of the same structure and length."""
        if not self.strange_share or rng.random() >= self.strange_share:
            return example
        low, high = self.strange_gc
        return shifted(example, Shift(rate=rng.uniform(0, self.strange_rate), gc=rng.uniform(low, high)), rng)


@dataclass(frozen=True)
class Draw:
    """One window to be learned.

    Attributes:
        source: Index of the genome.
        example: In gene mode with a gene: its index in the source's training genes, and `part` is a crop of its window.
        seqid, strand: Else where `part` lies; a tile is read on the plus strand, both strands are learned.
        draw: Number within the pool; labels that are drawn at random depend on it.
    """

    kind: Kind
    source: int
    part: Interval
    example: int = -1
    seqid: str = ""
    strand: Strand = "+"
    draw: int = 0


@dataclass(frozen=True)
class StrandBatch:
    """Tensors of one micro-batch.

    Attributes:
        codes: (B, L) int64, PAD_CODE at the right.
        sites, weight: (N, B, N_SITES, L) float, targets and 1 where they are learned; in the order of `codes`.
        contents: (N, B, L) int64, IGNORE where unknown or padded.
    """

    codes: Tensor
    sites: Tensor
    weight: Tensor
    contents: Tensor

    def to(self, device: torch.device) -> StrandBatch:
        """The same on a device."""
        return StrandBatch(*(t.to(device, non_blocking=True) for t in vars(self).values()))


# -- drawing -----------------------------------------------------------------------------------------------------------


def _by_deficit(
    sources: Sequence[Source], shares: Sequence[float], bases: int, draw: Callable[[int], Draw]
) -> list[Draw]:
    """Windows until they hold `bases`, each from the source that is furthest below its share."""
    taken = np.zeros(len(sources))
    drawn: list[Draw] = []
    weights = np.array(shares) / max(sum(shares), 1e-9)
    while taken.sum() < bases and weights.any():
        index = int(np.argmax(np.where(weights > 0, weights * (taken.sum() + 1) - taken, -np.inf)))
        window = draw(index)
        taken[index] += len(window.part)
        drawn.append(replace(window, draw=len(drawn)))
    return drawn


def _packed(draws: Sequence[Draw], most: int, rng: np.random.Generator) -> list[list[Draw]]:
    """Windows of similar length together, at most `most` bases with padding (one longer window alone), shuffled."""
    batches: list[list[Draw]] = []
    for window in sorted(draws, key=lambda d: -len(d.part)):
        if batches and len(batches[-1][0].part) * (len(batches[-1]) + 1) <= most:
            batches[-1].append(window)
        else:
            batches.append([window])
    return [batches[i] for i in rng.permutation(len(batches)).tolist()]


class Drawer:
    """Windows of each step; see the module docstring.

    Raises:
        BadInputError: no stretch of a genome is as long as a tile or a window may be.
    """

    def __init__(self, sources: Sequence[Source], mixture: Mixture) -> None:
        self.sources, self.mixture = sources, mixture
        most = max(*mixture.tile_lengths, mixture.max_bases)
        for source in sources:
            stretches = source.learned_stretches.values()
            if stretches and max(map(len, stretches)) < most:
                raise BadInputError(
                    f"{source.entry.name}: no stretch of split train has {most} bases",
                    hint="give longer stretches, or make tile_lengths and max_bases of the mixture shorter",
                )
        self._pool: tuple[int, list[list[Draw]], list[list[Draw]]] | None = None

    def step(self, step: int) -> tuple[list[Draw], list[Draw]]:
        """Windows in gene mode, and tiles; either is empty where no source has a share of it."""
        number, place = divmod(step, self.mixture.pool)
        if self._pool is None or self._pool[0] != number:
            self._pool = (number, *self._draw_pool(number))
        _, genes, tiles = self._pool
        return (genes[place % len(genes)] if genes else []), (tiles[place % len(tiles)] if tiles else [])

    def _draw_pool(self, number: int) -> tuple[list[list[Draw]], list[list[Draw]]]:
        m = self.mixture
        rng = stable_rng("mixture", m.seed, number)
        entries = [source.entry for source in self.sources]
        # packs are never quite full, so a little more is drawn than is used
        genes = _by_deficit(
            self.sources,
            [e.gene_share if s.genes.get("train") else 0.0 for e, s in zip(entries, self.sources, strict=True)],
            round(m.pool * m.gene_bases * 1.05),
            lambda index: self._gene_window(index, rng),
        )
        tiles = _by_deficit(
            self.sources,
            [e.tile_share if s.learned_stretches else 0.0 for e, s in zip(entries, self.sources, strict=True)],
            round(m.pool * m.tile_bases * 1.05),
            lambda index: self._tile(index, rng),
        )
        return _packed(genes, m.gene_bases, rng), _packed(tiles, m.tile_bases, rng)

    def _gene_window(self, index: int, rng: np.random.Generator) -> Draw:
        m, source = self.mixture, self.sources[index]
        examples = source.genes["train"]
        chosen = int(rng.integers(len(examples)))
        crop = draw_crop(examples[chosen], flank_min=0, flank_max=m.flank_max, max_bases=m.max_bases, rng=rng)
        if source.territory is not None and source.learned_stretches and rng.random() < m.none_share:
            return self._empty_window(index, source.territory, len(crop), rng)
        return Draw("gene", index, crop, example=chosen)

    def _empty_window(self, index: int, territory: Territory, length: int, rng: np.random.Generator) -> Draw:
        """A window of `length` bases on a strand: on a pseudogene, against a gene, or anywhere."""
        m, pick = self.mixture, rng.random()
        parts = territory.parts["train"]
        strand: Strand = STRANDS[int(rng.integers(2))]  # type: ignore[assignment]
        if pick < m.pseudogene_share and territory.pseudogenes:
            seqid, strand, place = territory.pseudogenes[int(rng.integers(len(territory.pseudogenes)))]
            start = place.start - int(rng.integers(0, m.flank_max + 1))
        else:
            seqid = _pick_seqid(parts, rng)
            start = int(rng.integers(parts[seqid].start, parts[seqid].end))
            genes = territory.genes(seqid)
            if pick < m.pseudogene_share + m.wrong_strand_share and genes:
                gene = genes[int(rng.integers(len(genes)))]
                strand = "-" if gene.strand == "+" else "+"
                start = gene.locus.start - int(rng.integers(0, m.flank_max + 1))
        part = _inside(start, length, parts.get(seqid))
        if part is None:  # a pseudogene of a held-out part
            return self._empty_window(index, territory, length, rng)
        return Draw("none", index, part, seqid=seqid, strand=strand)

    def _tile(self, index: int, rng: np.random.Generator) -> Draw:
        m, territory = self.mixture, self.sources[index].territory
        assert territory is not None
        parts = territory.parts["train"]
        length = int(m.tile_lengths[int(rng.integers(len(m.tile_lengths)))])
        while True:
            seqid = _pick_seqid(parts, rng)
            start = int(rng.integers(parts[seqid].start, parts[seqid].end))
            genes = territory.genes(seqid)
            if rng.random() < m.touching_share and genes:
                locus = genes[int(rng.integers(len(genes)))].locus
                start = int(rng.integers(locus.start - length + 1, locus.end))
            part = _inside(start, length, parts[seqid])
            if part is not None:
                return Draw("tile", index, part, seqid=seqid)


def _pick_seqid(parts: Mapping[str, Interval], rng: np.random.Generator) -> str:
    """A sequence, by its bases."""
    names = sorted(parts)
    bases = np.array([len(parts[name]) for name in names], dtype=np.float64)
    return names[int(rng.choice(len(names), p=bases / bases.sum()))]


def _inside(start: int, length: int, part: Interval | None) -> Interval | None:
    """[start, start + length) moved into the part; None where it began outside, or the part is too short."""
    if part is None or len(part) < length or not part.start - length < start < part.end:
        return None
    start = min(max(start, part.start), part.end - length)
    return Interval(start, start + length)


# -- labels ------------------------------------------------------------------------------------------------------------


def nothing(length: int) -> Labels:
    """Labels of a stretch without genes."""
    return Labels(
        np.zeros((N_SITES, length), dtype=np.float32),
        np.ones((N_SITES, length), dtype=bool),
        np.full(length, Content.OUTSIDE, dtype=np.int64),
    )


def label_strand(
    territory: Territory,
    seqid: str,
    strand: Strand,
    part: Interval,
    *,
    rng: np.random.Generator,
    genes: bool = True,
    isoforms: Isoforms = "union",
) -> Labels:
    """Labels of one strand, 5' to 3', with every gene on it, cut ones too.

    Args:
        genes: False where the window is to hold none: what stands on the strand is then unknown.
    """
    labels = nothing(len(part))
    found = territory.on(seqid, strand, part.start, part.end)
    for index in rng.permutation(len(found)).tolist():
        gene = found[index]
        first = gene.start - part.start if strand == "+" else part.end - gene.end
        low, high = max(first, 0), min(first + gene.end - gene.start, len(part))
        there = slice(low, high)
        if not (genes and gene.known):
            locus = gene.locus
            begin = locus.start - part.start if strand == "+" else part.end - locus.end
            span = slice(max(begin, 0), max(begin + len(locus), 0))
            labels.known[:, span] = False
            labels.contents[span] = IGNORE
            continue
        own = crop_labels(label_window(gene.example, rng=rng, isoforms=isoforms), Interval(low - first, high - first))
        labels.sites[:, there] = np.maximum(labels.sites[:, there], own.sites)
        labels.known[:, there] &= own.known
        contents = labels.contents[there]
        silent = (own.contents == IGNORE) & (contents == Content.OUTSIDE)
        contents[:] = np.where((own.contents > Content.OUTSIDE) | silent, own.contents, contents)
    return labels


def _weigh(codes: Codes, labels: Labels) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]:
    """Where sites are learned (N_SITES, L), and the contents, both silent at unknown bases."""
    weight = labels.known & (allowed_sites(codes) | (labels.sites >= 1.0)) & (codes < 4)
    return weight.astype(np.float32), np.where(codes < 4, labels.contents, IGNORE)


@dataclass(frozen=True)
class Window:
    """One window: bases on the strand it is read on, and the labels of its strands in the order of the bases."""

    codes: Codes
    strands: tuple[Labels, ...]


def label_draw(sources: Sequence[Source], draw: Draw, mixture: Mixture, *, rng: np.random.Generator) -> Window:
    """Bases and labels of one drawn window."""
    source, isoforms = sources[draw.source], mixture.isoforms
    if draw.kind == "gene":
        example = mixture.make_strange(source.genes["train"][draw.example], rng)
        labels = crop_labels(label_window(example, rng=rng, isoforms=isoforms), draw.part)
        return Window(example.window.crop(draw.part).codes, (labels,))
    territory, part = source.territory, draw.part
    assert territory is not None
    if draw.kind == "none":
        labels = label_strand(territory, draw.seqid, draw.strand, part, rng=rng, genes=False)
        return Window(territory.read(draw.seqid, draw.strand, part.start, part.end), (labels,))
    return label_tile(territory, draw.seqid, part, rng=rng, isoforms=isoforms)


def label_tile(
    territory: Territory, seqid: str, part: Interval, *, rng: np.random.Generator, isoforms: Isoforms = "union"
) -> Window:
    """A stretch of the plus strand with the labels of both strands; the reverse strand's run along the plus strand."""
    forward, reverse = (label_strand(territory, seqid, strand, part, rng=rng, isoforms=isoforms) for strand in STRANDS)  # type: ignore[arg-type]
    mirrored = Labels(reverse.sites[:, ::-1], reverse.known[:, ::-1], reverse.contents[::-1])
    return Window(territory.read(seqid, "+", part.start, part.end), (forward, mirrored))


def collate_windows(windows: Sequence[Window]) -> StrandBatch:
    """Tensors of windows of the same number of strands."""
    longest, strands, batch = max(len(w.codes) for w in windows), len(windows[0].strands), len(windows)
    codes = np.full((batch, longest), PAD_CODE, dtype=np.int64)
    sites = np.zeros((strands, batch, N_SITES, longest), dtype=np.float32)
    weight = np.zeros_like(sites)
    contents = np.full((strands, batch, longest), IGNORE, dtype=np.int64)
    for row, window in enumerate(windows):
        size = len(window.codes)
        codes[row, :size] = window.codes
        for strand, labels in enumerate(window.strands):
            sites[strand, row, :, :size] = labels.sites
            if strand == 0:
                weighed = _weigh(window.codes, labels)
            else:  # what a strand allows is read along it
                turned = Labels(labels.sites[:, ::-1], labels.known[:, ::-1], labels.contents[::-1])
                own, content = _weigh(strand_codes(window.codes, "-"), turned)
                weighed = own[:, ::-1], content[::-1]
            weight[strand, row, :, :size], contents[strand, row, :size] = weighed
    return StrandBatch(*(torch.from_numpy(a) for a in (codes, sites, weight, contents)))


def load_step(drawer: Drawer, step: int) -> tuple[StrandBatch | None, StrandBatch | None]:
    """The micro-batches of one step: windows in gene mode, and tiles."""
    batches = []
    mixture = drawer.mixture
    for draws in drawer.step(step):
        rngs = [stable_rng("label", mixture.seed, step, draw.kind, draw.draw) for draw in draws]
        windows = [label_draw(drawer.sources, draw, mixture, rng=rng) for draw, rng in zip(draws, rngs, strict=True)]
        batches.append(collate_windows(windows) if windows else None)
    return batches[0], batches[1]
