"""Inputs of the evidence benchmark: alignments of simulated reads, and files that tg-evidence makes of them.

In: genes of a split. Out: under one directory, sorted BAM by amount and condition, `E.parquet` by setting.
A surprise: whatever stands is taken as it is, so a run that was stopped goes on; the directory's name holds a digest of
the library, the seed and the genes.
"""

from __future__ import annotations

import hashlib
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pysam

from benchmarks.data import THALIANA_SEQID, Genome, tool
from benchmarks.measure import run_measured
from benchmarks.reads import Library, Simulator, expression, mate_paths
from transgenic_tools.errors import EXIT_DATA
from transgenic_tools.genome.gene import Gene
from transgenic_tools.genome.interval import Interval, Strand, span
from transgenic_tools.io.fasta import Fasta
from transgenic_tools.io.junctions import EvidenceFile
from transgenic_tools.provenance import write_aside

#: Protein-coding genes of TAIR10 (Lamesch et al. 2012): a library of the whole genome is shared among so many.
GENES_OF_GENOME = 27_416
#: Reads (each mate is one) of a whole transcriptome, in millions.
AMOUNTS = (1, 3, 10, 30)
MARGIN = 2_000


@dataclass(frozen=True)
class Reads:
    """Simulated reads of one set of genes, aligned.

    Attributes:
        work: Where everything stands.
        genes: Coding genes whose transcripts are sequenced, all on one sequence.
    """

    work: Path
    genome: Genome
    genes: tuple[Gene, ...]
    library: Library = field(default_factory=Library)
    seed: int = 1

    @property
    def directory(self) -> Path:
        text = repr((self.library, self.seed, [gene.id for gene in self.genes]))
        return self.work / f"reads.{hashlib.sha256(text.encode()).hexdigest()[:12]}"

    def reads_of(self, millions: float) -> int:
        """Reads of these genes in a library of the whole transcriptome, an even number for each condition."""
        each = 2 * len(self.library.conditions)
        return int(millions * 1e6 * len(self.genes) / GENES_OF_GENOME) // each * each

    def plain_fasta(self) -> Path:
        """The chromosome as hisat2 and TransDecoder's scripts read it."""
        path = self.work / "chromosome.fa"
        if not path.exists():
            self.work.mkdir(parents=True, exist_ok=True)
            with Fasta(self.genome.fasta) as fasta, write_aside(path) as aside:
                bases = fasta.fetch(THALIANA_SEQID)
                lines = (bases[i : i + 80] for i in range(0, len(bases), 80))
                aside.write_text(f">{THALIANA_SEQID}\n" + "\n".join(lines) + "\n")
        return path

    def _index(self) -> Path:
        index, stamp = self.work / "hisat2" / "index", self.work / "hisat2" / "done"
        if not stamp.exists():
            index.parent.mkdir(parents=True, exist_ok=True)
            command = ("hisat2-build", "-q", "-p", "1", self.plain_fasta(), index)
            run_measured(command, stdout=self.work / "index.out", stderr=self.work / "index.err")
            stamp.touch()
        return index

    def _simulate(self) -> None:
        region = span([gene.interval for gene in self.genes])
        region = Interval(max(region.start - MARGIN, 0), region.end + MARGIN)
        with Fasta(self.genome.fasta) as fasta:
            region = Interval(region.start, min(region.end, fasta.lengths[THALIANA_SEQID]))
            bases = fasta.fetch(THALIANA_SEQID, region.start, region.end).upper()
        rng = np.random.default_rng(self.seed)
        levels = expression(self.genes, self.library, rng)
        simulator = Simulator(self.genes, bases, region, self.library)
        simulator.write(levels, self.directory, reads=self.reads_of(AMOUNTS[-1]), rng=rng)

    def bam(self, condition: str, millions: int) -> Path:
        """Alignments of a condition, sorted by place."""
        path = self.directory / f"{condition}.{millions}m.bam"
        if path.exists():
            return path
        if millions == AMOUNTS[-1]:
            self._align(condition, path)
        else:
            fewer = self.reads_of(millions) // 2 // len(self.library.conditions)
            with (
                pysam.AlignmentFile(self.bam(condition, AMOUNTS[-1])) as source,
                write_aside(path) as aside,
                pysam.AlignmentFile(aside, "wb", template=source) as target,
            ):
                for read in source:
                    if int(read.query_name or 0) < fewer:
                        target.write(read)
        return path

    def _align(self, condition: str, path: Path) -> None:
        mates = mate_paths(self.directory, condition)
        if not all(mate.exists() for mate in mates):
            self._simulate()
        sam = path.with_suffix(".sam")
        command = (
            "hisat2", "-f", "--dta", "--rna-strandness", "RF", "--max-intronlen", "20000", "--no-unal", "-p", "1", "-x",
            self._index(), "-1", mates[0], "-2", mates[1], "-S", sam,
        )  # fmt: skip
        run_measured(command, stdout=path.with_suffix(".out"), stderr=path.with_suffix(".err"))
        with write_aside(path) as aside:
            pysam.sort("-m", "512M", "-O", "BAM", "-o", str(aside), str(sam))
        for file in (sam, *mates):
            file.unlink()

    def pooled_bam(self, millions: int) -> Path:
        """All conditions in one, sorted by place."""
        path = self.directory / f"pooled.{millions}m.bam"
        if not path.exists():
            parts = [str(self.bam(condition, millions)) for condition in self.library.conditions]
            with write_aside(path) as aside:
                pysam.merge("-f", "-O", "BAM", str(aside), *parts)
        return path

    def evidence(self, millions: int, conditions: Sequence[str] | None = None) -> Path:
        """`E.parquet` of these conditions' alignments, all of them by default."""
        chosen = tuple(conditions or self.library.conditions)
        name = f"{millions}m" if conditions is None else f"{millions}m.{'_'.join(chosen)}"
        sheet = self.directory / f"{name}.csv"
        lines = [f"{c},{self.bam(c, millions)},alignments,{c},reverse" for c in chosen]
        return gather(sheet, ["sample,path,kind,condition,strandness", *lines], self.genome.fasta)


def gather(sheet: Path, lines: Sequence[str], fasta: Path, *more: str | Path) -> Path:
    """tg-evidence on a sheet of these lines; the file stands beside it, and is taken where it stands."""
    out = sheet.with_suffix(".parquet")
    if not out.exists():
        with write_aside(sheet) as aside:
            aside.write_text("".join(f"{line}\n" for line in lines))
        command = (tool("tg-evidence"), sheet, "--fasta", fasta, "--out", out, *more)
        run_measured(command, stdout=out.with_suffix(".out"), stderr=out.with_suffix(".err"))
    return out


@dataclass(frozen=True, slots=True)
class Intron:
    """An intron with its reads by condition."""

    place: Interval
    strand: Strand
    reads: tuple[int, ...]


def introns_of(evidence: Path) -> tuple[tuple[str, ...], list[Intron]]:
    """Conditions (names of inputs) and junctions of a file of tg-evidence that holds one sequence."""
    file = EvidenceFile(evidence)
    introns = [
        Intron(Interval(start, end), strand, tuple(int(n) for n in reads))
        for (_, strand), group in file.junctions().items()
        for start, end, reads in zip(group.start.tolist(), group.end.tolist(), group.reads, strict=True)
    ]
    return tuple(source.name for source in file.inputs), introns


def write_introns(sheet: Path, conditions: Sequence[str], introns: Sequence[Intron]) -> list[str]:
    """One file of intron hints a condition beside the sheet; lines of the sheet."""
    sheet.parent.mkdir(parents=True, exist_ok=True)
    lines = ["sample,path,kind,condition"]
    for number, condition in enumerate(conditions):
        path = sheet.with_name(f"{sheet.stem}.{condition}.gff")
        with write_aside(path) as aside, aside.open("w") as handle:
            for intron in introns:
                if intron.reads[number]:
                    handle.write(hint(THALIANA_SEQID, intron.place, intron.strand, intron.reads[number]))
        lines.append(f"{condition},{path},intron_gff,{condition}")
    return lines


def hint(seqid: str, place: Interval, strand: Strand, reads: int) -> str:
    """A line as AUGUSTUS' bam2hints writes it."""
    return f"{seqid}\tb2h\tintron\t{place.start + 1}\t{place.end}\t{reads}\t{strand}\t.\tmult={reads};pri=4;src=E\n"


def shuffled(evidence: Path, fasta: Path, seed: int) -> Path:
    """Control: the same junctions, their counts exchanged at random."""
    conditions, introns = introns_of(evidence)
    order = np.random.default_rng(seed).permutation(len(introns))
    exchanged = [replace(intron, reads=introns[i].reads) for intron, i in zip(introns, order.tolist(), strict=True)]
    sheet = evidence.with_name(f"{evidence.stem}.shuffled.csv")
    return gather(sheet, write_introns(sheet, conditions, exchanged), fasta)


def wrong_strand(evidence: Path, fasta: Path) -> dict[str, Any]:
    """Control: all junctions on the other strand. What tg-evidence says to it; it must refuse."""
    conditions, introns = introns_of(evidence)
    turned = [replace(intron, strand="-" if intron.strand == "+" else "+") for intron in introns]
    sheet = evidence.with_name(f"{evidence.stem}.wrong_strand.csv")
    sheet.write_text("".join(f"{line}\n" for line in write_introns(sheet, conditions, turned)))
    command = [
        str(part) for part in (tool("tg-evidence"), sheet, "--fasta", fasta, "--out", sheet.with_suffix(".parquet"))
    ]
    done = subprocess.run(command, capture_output=True, text=True)
    said = [line for line in done.stderr.splitlines() if "error" in line]
    return {"refused": done.returncode == EXIT_DATA, "said": said[0].replace(str(sheet.parent), ".") if said else ""}
