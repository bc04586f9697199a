"""Genes that no species has: drawn from what AUGUSTUS knows of a clade, planted into real intergenic sequence.

In: species directories of AUGUSTUS (`train.augustus_parameters`), a genome with its annotation. Out: gene shards of the
split `train`, each gene on a sequence of its own.
Usage: python -m transgenic_tools.train.synthetic SPECIES_DIR... --fasta G.fa --annotation G.gff3 --genes 1000
       --outdir D
Dims: L bases.
A surprise: genes have a CDS and no UTR, since most species' parameters have none; training then learns nothing of
UTRs from them. Their proteins mean nothing: codons follow each other as in the clade, no more.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from transgenic_tools.errors import BadInputError
from transgenic_tools.genome.code import STANDARD
from transgenic_tools.genome.gene import Transcript
from transgenic_tools.genome.hashing import stable_rng
from transgenic_tools.genome.interval import Interval
from transgenic_tools.gsf import write
from transgenic_tools.io.fasta import Fasta
from transgenic_tools.io.gff3 import read_annotation
from transgenic_tools.io.rows import GeneRow
from transgenic_tools.io.shards import write_gene_shards
from transgenic_tools.provenance import Provenance
from transgenic_tools.train.augustus_parameters import (
    INITIAL,
    INTERNAL,
    SINGLE,
    TERMINAL,
    Content,
    SpeciesModel,
    read_species,
)

Floats = npt.NDArray[np.float64]
_BASES = "ACGT"
#: Exons shorter than this have no room for the patterns at both ends; longer introns are of no use in a window.
_SHORTEST_EXON, _LONGEST_INTRON, _SHORTEST_CDS = 12, 8_000, 150
#: Draws of something that may turn out to be no gene.
_DRAWS = 200
#: Intergenic sequence keeps so far from genes.
_AWAY = 500


@dataclass(frozen=True)
class Drawn:
    """A gene from its start to its stop codon: bases, and its coding exons in their coordinates."""

    bases: str
    exons: tuple[Interval, ...]


def _pick(weights: Floats, rng: np.random.Generator) -> int:
    return int(
        np.searchsorted(np.cumsum(weights), rng.random() * weights.sum(), side="right").clip(max=len(weights) - 1)
    )


def _choose(patterns: Mapping[str, float], rng: np.random.Generator) -> str:
    names = list(patterns)
    return names[_pick(np.fromiter(patterns.values(), float, len(names)), rng)]


def _chain(table: Floats, length: int, rng: np.random.Generator, *, before: str = "", first: int = 0) -> str:
    """Bases of a Markov chain behind others.

    Args:
        table: (N, 4^K, 4) probabilities; place i, counted from `first`, takes those of i modulo N.
    """
    count, contexts, _ = table.shape
    order = round(np.log2(contexts) / 2)
    cumulated, draws = np.cumsum(table, axis=2), rng.random(length)
    past = [_BASES.index(base) for base in before[-order:]] if order else []
    past = [*rng.integers(0, 4, order - len(past)).tolist(), *past]
    number = 0
    for code in past:
        number = (number * 4 + code) % contexts
    written = []
    for i in range(length):
        row = cumulated[(first + i) % count, number]
        code = min(int(np.searchsorted(row, draws[i] * row[3], side="right")), 3)
        written.append(_BASES[code])
        number = (number * 4 + code) % contexts
    return "".join(written)


def _coding(content: Content, length: int, stop: str, rng: np.random.Generator) -> str:
    """A CDS of so many bases without a stop inside: codons that would be one are drawn again."""
    written = "ATG"
    while len(written) < length - 3:
        codon = _chain(content.coding, 3, rng, before=written)
        if codon not in STANDARD.stop_codons:
            written += codon
    return written + stop


def _exon_lengths(model: SpeciesModel, rng: np.random.Generator) -> list[int]:
    """Of one gene; they add up to whole codons. Raises ValueError where the draw is no gene."""
    single, initial, internal, _ = model.counts
    kinds = [SINGLE]
    if rng.random() * (single + initial) >= single:
        more = int(rng.geometric(1 / (1 + internal / max(initial, 1.0)))) - 1
        kinds = [INITIAL, *[INTERNAL] * more, TERMINAL]
    lengths = [_pick(model.exons[kind], rng) for kind in kinds[:-1]]
    last = model.exons[kinds[-1]].copy()
    last[np.arange(len(last)) % 3 != -sum(lengths) % 3] = 0.0
    lengths.append(_pick(last, rng))
    if min(lengths) < _SHORTEST_EXON or sum(lengths) < _SHORTEST_CDS or sum(lengths) % 3:
        raise ValueError("no gene")
    return lengths


def _intron(model: SpeciesModel, content: Content, donor: str, acceptor: str, rng: np.random.Generator) -> str:
    """From GT to AG; the patterns are those of the donor and the acceptor."""
    behind, before = donor[model.donor_exon :], acceptor[: len(acceptor) - model.acceptor_exon]
    if rng.random() < content.short:
        length = _pick(model.introns, rng)
    else:
        length = len(model.introns) + int(rng.geometric(1 / max(content.beyond, 1.0)))
    motif = len(content.acceptor)
    room = min(max(length, 4 + len(behind) + len(before) + 20), _LONGEST_INTRON) - 4 - len(behind) - len(before)
    start = "GT" + behind
    body = _chain(content.intron[None], max(0, room - motif), rng, before=start)
    return start + body + _chain(content.acceptor[-room:], min(motif, room), rng, before=start + body) + before + "AG"


def _spliced_in(model: SpeciesModel, coding: str, place: int, rng: np.random.Generator) -> tuple[str, str, str]:
    """The CDS with an exon's ends at a place as a donor's and an acceptor's pattern have them, and these patterns.

    Raises:
        ValueError: no draw leaves the frame open.
    """
    for _ in range(_DRAWS):
        donor, acceptor = _choose(model.donors, rng), _choose(model.acceptors, rng)
        left, right = donor[: model.donor_exon], acceptor[len(acceptor) - model.acceptor_exon :]
        changed = coding[: place - len(left)] + left + right + coding[place + len(right) :]
        near = range(place // 3 * 3 - 6, place // 3 * 3 + 9, 3)
        if not any(changed[i : i + 3] in STANDARD.stop_codons for i in near if 0 < i < len(coding) - 3):
            return changed, donor, acceptor
    raise ValueError("no pattern fits")


def draw_gene(model: SpeciesModel, rng: np.random.Generator) -> Drawn:
    """One gene.

    Raises:
        BadInputError: the lengths of the species give none.
    """
    for _ in range(_DRAWS):
        try:
            return _draw(model, rng)
        except ValueError:
            continue
    raise BadInputError(f"no gene could be drawn from the lengths of {model.name}", hint="give another species")


def _draw(model: SpeciesModel, rng: np.random.Generator) -> Drawn:
    content = model.contents[int(rng.integers(len(model.contents)))]
    lengths = _exon_lengths(model, rng)
    coding = _coding(content, sum(lengths), _choose(model.stops, rng), rng)
    introns, ends = [], np.cumsum(lengths).tolist()
    for place in ends[:-1]:
        coding, donor, acceptor = _spliced_in(model, coding, place, rng)
        introns.append(_intron(model, content, donor, acceptor, rng))
    bases, exons, at = [], [], 0
    for begin, end, intron in zip([0, *ends], ends, [*introns, ""], strict=False):
        bases += [coding[begin:end], intron]
        exons.append(Interval(at, at + end - begin))
        at += end - begin + len(intron)
    return Drawn("".join(bases), tuple(exons))


def intergenic(fasta: Fasta, annotation: Path, *, least: int) -> list[tuple[str, Interval]]:
    """Stretches of known bases of at least `least` that keep away from every gene.

    Raises:
        BadInputError: there is none.
    """
    taken: dict[str, list[Interval]] = {name: [] for name in fasta.names}
    for gene in read_annotation(annotation).genes:
        if gene.seqid in taken:
            taken[gene.seqid].append(Interval(max(0, gene.interval.start - _AWAY), gene.interval.end + _AWAY))
    found = []
    for seqid, intervals in taken.items():
        at = 0
        for interval in [*sorted(intervals), Interval(fasta.lengths[seqid], fasta.lengths[seqid] + 1)]:
            if interval.start - at >= least:
                found.append((seqid, Interval(at, interval.start)))
            at = max(at, interval.end)
    if not found:
        raise BadInputError(
            f"no {least} bases between genes",
            path=annotation,
            hint="give a genome with longer stretches, or less --flank",
        )
    return found


def planted(
    model: SpeciesModel, number: int, fasta: Fasta, places: Sequence[tuple[str, Interval]], *, flank: int, seed: int
) -> GeneRow:
    """A gene with real sequence on either side: a function of species, number and seed."""
    rng = stable_rng("synthetic", model.name, seed, number)
    gene = draw_gene(model, rng)
    content = model.contents[0]
    before = _chain(content.start, len(content.start), rng)  # what a ribosome looks for
    for _ in range(_DRAWS):
        seqid, stretch = places[int(rng.integers(len(places)))]
        start = int(rng.integers(stretch.start, stretch.end - 2 * flank + 1))
        around = fasta.fetch(seqid, start, start + 2 * flank)
        if len(around) == 2 * flank and "N" not in around:
            break
    else:
        raise BadInputError("no stretch without N between genes", hint="give a genome with fewer gaps")
    left = around[:flank] + before
    bases = left + gene.bases + around[flank:]
    exons = tuple(exon.shift(len(left)) for exon in gene.exons)
    name = f"synthetic_{model.name}"
    transcript = Transcript("t", "window", "+", exons, exons)
    return GeneRow(
        gene_id=f"{name}.{number}", sample=name, seqid=f"{name}.{number}", start=exons[0].start, end=exons[-1].end,
        strand="+", window_start=0, window_end=len(bases), sequence=bases, gsf=write([transcript], strand="+"),
        n_transcripts=1, primary_transcript=None, split="train",
    )  # fmt: skip


def rows(
    models: Sequence[SpeciesModel], fasta: Fasta, annotation: Path, *, genes: int, flank: int, seed: int
) -> Iterator[GeneRow]:
    """So many genes, of all species in turn."""
    places = intergenic(fasta, annotation, least=2 * flank)
    for number in range(genes):
        yield planted(models[number % len(models)], number // len(models), fasta, places, flank=flank, seed=seed)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m transgenic_tools.train.synthetic", description=__doc__)
    parser.add_argument("species", type=Path, nargs="+", help="directories of AUGUSTUS's config/species")
    parser.add_argument("--fasta", type=Path, required=True, help="genome that genes are planted into")
    parser.add_argument("--annotation", type=Path, required=True, help="its genes, which are kept away from")
    parser.add_argument("--genes", type=int, default=1_000)
    parser.add_argument("--flank", type=int, default=1_000, help="intergenic bases on either side")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--outdir", type=Path, required=True)
    given = parser.parse_args()
    models = [read_species(directory) for directory in given.species]
    parameters = {"species": [model.name for model in models], "flank": given.flank, "seed": given.seed}
    with Fasta(given.fasta) as fasta:
        drawn = rows(models, fasta, given.annotation, genes=given.genes, flank=given.flank, seed=given.seed)
        write_gene_shards(drawn, given.outdir, provenance=Provenance("transgenic_tools.train.synthetic", parameters))


if __name__ == "__main__":
    main()
