"""A synthetic genome whose splicing obeys numbers of its samples, with the files that a user would have.

In: sizes and a seed. Out: FASTA, GFF3, a table of TPM, junction counts of each sample, and what each event obeys.
The rules: an exon with the first motif is skipped the more, the higher SKIPPER is; an intron with the second motif
stays the more, the higher KEEPER is; the third motif and IDLE do nothing. TWIN goes with SKIPPER in all samples and
does nothing itself; eight other genes vary at random.
A surprise: retained introns leave no reads of their own in junction counts, only fewer reads of the junction. No intron
has a stop in frame: one that holds a stop cannot be kept on a path of the lattice, which writes whole proteins alone.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from transgenic_tools.genome.interval import Interval, Strand
from transgenic_tools.genome.sequence import reverse_complement

SEQID = "synthetic1"
SKIP_MOTIF, STAY_MOTIF, IDLE_MOTIF = "TGCATGCA", "GGACTACC", "CTCTCAAC"
SKIPPER, KEEPER, IDLE, TWIN = "SKIPPER", "KEEPER", "IDLE", "TWIN"
OTHERS = 8
#: Change of an event's log-odds for one standard deviation of log2(1 + TPM) of its protein.
EFFECT = 1.5
#: Frequencies of A, C, G, T by codon position, in introns, and in UTRs.
_CODON = ((0.28, 0.20, 0.33, 0.19), (0.31, 0.22, 0.18, 0.29), (0.24, 0.21, 0.23, 0.32))
_INTRON, _UTR, _BETWEEN = (0.27, 0.15, 0.16, 0.42), (0.31, 0.19, 0.16, 0.34), (0.33, 0.17, 0.17, 0.33)
_STOPS = frozenset({"TAA", "TAG", "TGA"})
_EXONS = 7


@dataclass(frozen=True, kw_only=True)
class Event:
    """One exon or intron, in genome coordinates.

    Attributes:
        motif: Which one it holds: `skip`, `stay`, `idle`; None for none.
    """

    gene: str
    is_exon: bool
    interval: Interval
    motif: str | None


@dataclass(frozen=True, kw_only=True)
class World:
    """Files and truth."""

    fasta: Path
    annotation: Path
    table: Path
    extremes: Path
    sheet: Path
    events: tuple[Event, ...]


def _bases(rng: np.random.Generator, length: int, frequencies: Sequence[float]) -> str:
    return "".join(rng.choice(list("ACGT"), length, p=frequencies))


def _open(rng: np.random.Generator, number: int, positions: Sequence[Sequence[float]]) -> list[str]:
    """Codons without stops."""
    drawn: list[str] = []
    while len(drawn) < number:
        codon = "".join(rng.choice(list("ACGT"), p=position) for position in positions)
        if codon not in _STOPS:
            drawn.append(codon)
    return drawn


def _codons(rng: np.random.Generator, number: int) -> str:
    """The last codon ends in AG and the first one begins with G, as exons do."""
    drawn = _open(rng, number, _CODON)
    drawn[0], drawn[-1] = "G" + drawn[0][1:], ("C" if drawn[-1][0] == "T" else drawn[-1][0]) + "AG"
    return "".join(drawn)


def _intron(rng: np.random.Generator) -> str:
    inner, pyrimidines = (
        "".join(_open(rng, number, [frequencies] * 3))
        for number, frequencies in ((int(rng.integers(20, 54)), _INTRON), (4, (0.15, 0.1, 0.05, 0.7)))
    )
    return "GTAAGT" + inner + "CTTGCTAAC" + pyrimidines + "TTTTTGCAG"


def has_stop(text: str) -> bool:
    """In the frame of its first base."""
    return any(text[i : i + 3] in _STOPS for i in range(0, len(text), 3))


def _planted(rng: np.random.Generator, text: str, motif: str, low: int, high: int) -> str:
    while True:
        at = int(rng.integers(low, high - len(motif) + 1))
        planted = text[:at] + motif + text[at + len(motif) :]
        if not has_stop(planted):
            return planted


@dataclass(frozen=True, kw_only=True)
class _Parts:
    """A gene on its own strand: exons (the first and last with UTR), introns, and their motifs."""

    exons: list[str]
    introns: list[str]
    exon_motif: list[str | None]
    intron_motif: list[str | None]
    five: int
    three: int


def _gene(rng: np.random.Generator) -> _Parts:
    exons = [_codons(rng, int(rng.integers(30, 70))) for _ in range(_EXONS)]
    introns = [_intron(rng) for _ in range(_EXONS - 1)]
    exon_motif: list[str | None] = [None] * _EXONS
    intron_motif: list[str | None] = [None] * (_EXONS - 1)
    for number in range(2, _EXONS - 2, 2):  # never two neighbours
        drawn = rng.random()
        if drawn < 0.5:
            exon_motif[number] = "skip" if drawn < 0.25 else "idle"
            motif = SKIP_MOTIF if drawn < 0.25 else IDLE_MOTIF
            at = 3 * int(rng.integers(2, len(exons[number]) // 3 - 6))  # in frame, so that it makes no stop
            exons[number] = exons[number][:at] + motif + "A" + exons[number][at + len(motif) + 1 :]
    for number in range(_EXONS - 1):
        drawn = rng.random()
        if drawn < 0.4:
            intron_motif[number] = "stay" if drawn < 0.2 else "idle"
            motif = STAY_MOTIF if drawn < 0.2 else IDLE_MOTIF
            introns[number] = _planted(rng, introns[number], motif, 10, len(introns[number]) - 32)
    five, three = _bases(rng, int(rng.integers(60, 160)), _UTR), _bases(rng, int(rng.integers(120, 240)), _UTR)
    exons[0] = five + "AACAATG" + exons[0][:-3] + "AAG"
    exons[-1] = exons[-1] + "TGA" + three + "AATAAA" + _bases(rng, 18, _UTR)
    return _Parts(
        exons=exons, introns=introns, exon_motif=exon_motif, intron_motif=intron_motif,
        five=len(five) + 4, three=len(three) + 24,
    )  # fmt: skip


def _logistic(value: npt.NDArray[np.float64] | float) -> npt.NDArray[np.float64]:
    return np.asarray(1.0 / (1.0 + np.exp(-np.asarray(value))))


def _reads(
    rng: np.random.Generator, parts: _Parts, levels: Mapping[str, npt.NDArray[np.float64]]
) -> dict[tuple[int, int], npt.NDArray[np.int64]]:
    """Reads by sample of each junction, as the numbers of the exons that it joins."""
    samples = len(levels[SKIPPER])
    depth = np.exp(rng.normal(4.0, 0.8)) * np.exp(rng.normal(0.0, 0.5, samples))
    included = np.ones((_EXONS, samples))
    for number in range(1, _EXONS - 1):
        if parts.exon_motif[number] == "skip":
            included[number] = _logistic(rng.normal(0.5, 1.0) - EFFECT * levels[SKIPPER])
        elif rng.random() < 0.1:
            included[number] = _logistic(np.full(samples, rng.normal(0.5, 1.0)))
    reads: dict[tuple[int, int], npt.NDArray[np.int64]] = {}
    for number in range(_EXONS - 1):
        away = EFFECT * levels[KEEPER] if parts.intron_motif[number] == "stay" else 0.0
        spliced = _logistic(rng.normal(1.5 if parts.intron_motif[number] == "stay" else 3.0, 0.7) - away)
        share = included[number] * included[number + 1]
        reads[number, number + 1] = rng.poisson(depth * spliced * share * np.exp(rng.normal(0.0, 0.1, samples)))
    for number in range(1, _EXONS - 1):
        skipped = depth * (1.0 - included[number]) * included[number - 1] * included[number + 1]
        reads[number - 1, number + 1] = rng.poisson(skipped)
    return reads


def _levels(rng: np.random.Generator, samples: int) -> tuple[dict[str, npt.NDArray[np.float64]], list[list[str]]]:
    """Standardised log expression of the proteins, and the rows of the table of TPM."""
    levels = {name: rng.normal(size=samples) for name in (SKIPPER, KEEPER, IDLE)}
    levels = {name: (value - value.mean()) / value.std() for name, value in levels.items()}
    levels[TWIN] = levels[SKIPPER] + rng.normal(0.0, 0.05, samples)
    levels |= {f"OTHER{number}": rng.normal(size=samples) for number in range(1, OTHERS + 1)}
    rows = [[name, *(f"{_tpm(value):.3f}" for value in values)] for name, values in levels.items()]
    return levels, rows


def _tpm(level: float) -> float:
    return float(2.0 ** (5.0 + level) - 1.0)


def _write_table(path: Path, samples: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as handle:
        csv.writer(handle, delimiter="\t", lineterminator="\n").writerows([["gene", *samples], *rows])


def _extremes(path: Path) -> None:
    """Samples of which none was trained on: one protein far up or down, all others at their mean."""
    names = [SKIPPER, KEEPER, IDLE, TWIN, *(f"OTHER{number}" for number in range(1, OTHERS + 1))]
    columns: dict[str, dict[str, float]] = {}
    for protein in (SKIPPER, KEEPER, IDLE, TWIN):
        for label, level in (("high", 1.5), ("low", -1.5)):
            columns[f"{protein}_{label}"] = {protein: level}
    for label, level in (("high", 1.5), ("low", -1.5)):  # as nature has them: together
        columns[f"{SKIPPER}_{label}"] |= {TWIN: level}
    rows = [[name, *(f"{_tpm(column.get(name, 0.0)):.3f}" for column in columns.values())] for name in names]
    _write_table(path, list(columns), rows)


class _Writer:
    """Puts genes one behind the other and collects what is to be written."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng = rng
        self.sequence: list[str] = []
        self.length = 0
        self.lines: list[str] = []
        self.events: list[Event] = []
        self.junctions: list[tuple[Interval, Strand, npt.NDArray[np.int64]]] = []

    def add(self, text: str) -> None:
        self.sequence.append(text)
        self.length += len(text)

    def gene(self, name: str, parts: _Parts, reads: Mapping[tuple[int, int], npt.NDArray[np.int64]]) -> None:
        strand: Strand = "+" if self.rng.random() < 0.5 else "-"
        pieces = [piece for pair in zip(parts.exons, [*parts.introns, ""], strict=True) for piece in pair]
        text = "".join(pieces)
        edges = np.concatenate([[0], np.cumsum([len(piece) for piece in pieces])])
        start, end = self.length, self.length + len(text)

        def there(low: int, high: int) -> Interval:
            if strand == "+":
                return Interval(start + low, start + high)
            return Interval(end - high, end - low)

        exons = [there(int(edges[2 * i]), int(edges[2 * i + 1])) for i in range(_EXONS)]
        coding = there(parts.five, len(text) - parts.three)
        self._annotate(name, strand, Interval(start, end), exons, coding)
        for number, (exon, motif) in enumerate(zip(exons, parts.exon_motif, strict=True)):
            if 0 < number < _EXONS - 1:
                self.events.append(Event(gene=name, is_exon=True, interval=exon, motif=motif))
        for number, motif in enumerate(parts.intron_motif):
            intron = there(int(edges[2 * number + 1]), int(edges[2 * number + 2]))
            self.events.append(Event(gene=name, is_exon=False, interval=intron, motif=motif))
        for (first, second), counts in reads.items():
            intron = there(int(edges[2 * first + 1]), int(edges[2 * second]))
            self.junctions.append((intron, strand, counts))
        self.add(text if strand == "+" else reverse_complement(text))

    def _annotate(self, name: str, strand: str, place: Interval, exons: Sequence[Interval], coding: Interval) -> None:
        def line(kind: str, part: Interval, phase: str, attributes: str) -> None:
            columns = (SEQID, "synthetic", kind, part.start + 1, part.end, ".", strand, phase, attributes)
            self.lines.append("\t".join(map(str, columns)))

        line("gene", place, ".", f"ID={name}")
        line("mRNA", place, ".", f"ID={name}.1;Parent={name}")
        for exon in sorted(exons):
            line("exon", exon, ".", f"Parent={name}.1")
        done = 0
        for part in (exon.intersect(coding) for exon in exons):
            if part is not None:
                line("CDS", part, str(-done % 3), f"ID={name}.cds;Parent={name}.1")
                done += len(part)


def build(outdir: Path, *, genes: int, samples: int, seed: int) -> World:
    """Write all files of a world."""
    rng = np.random.default_rng(seed)
    levels, rows = _levels(rng, samples)
    writer = _Writer(rng)
    writer.add(_bases(rng, 1000, _BETWEEN))
    for number in range(genes):
        parts = _gene(rng)
        writer.gene(f"gene{number:05d}", parts, _reads(rng, parts, levels))
        writer.add(_bases(rng, int(rng.integers(700, 1200)), _BETWEEN))
    outdir.mkdir(parents=True, exist_ok=True)
    names = [f"sample{number:02d}" for number in range(1, samples + 1)]
    fasta, annotation = outdir / "synthetic.fa", outdir / "synthetic.gff3"
    fasta.write_text(f">{SEQID}\n{''.join(writer.sequence)}\n", encoding="ascii")
    annotation.write_text("##gff-version 3\n" + "\n".join(writer.lines) + "\n", encoding="ascii")
    table, extremes, sheet = outdir / "tpm.tsv", outdir / "extremes.tsv", outdir / "evidence.csv"
    _write_table(table, names, rows)
    _extremes(extremes)
    for index, name in enumerate(names):
        with (outdir / f"{name}.bed").open("w", encoding="ascii") as handle:
            for intron, strand, counts in sorted(writer.junctions, key=lambda one: (one[0].start, one[0].end)):
                if counts[index]:
                    handle.write(f"{SEQID}\t{intron.start}\t{intron.end}\tj\t{counts[index]}\t{strand}\n")
    sheet.write_text("sample,path\n" + "".join(f"{name},{name}.bed\n" for name in names), encoding="ascii")
    return World(
        fasta=fasta, annotation=annotation, table=table, extremes=extremes, sheet=sheet, events=tuple(writer.events)
    )
