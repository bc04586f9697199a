"""A genome with planted introns, and files that state them as the tools of the field write them."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from transgenic_tools.genome.interval import Interval, Strand
from transgenic_tools.genome.sequence import reverse_complement

SEQID = "chr1"


@dataclass(frozen=True)
class Planted:
    """An intron of the genome and its reads."""

    interval: Interval
    strand: Strand
    reads: int


def planted(*, number: int = 30, seed: int = 1) -> tuple[str, tuple[Planted, ...]]:
    """Bases, and introns of 100 bases and more on both strands; no boundary has a motif where it is moved by a base."""
    rng = random.Random(seed)
    bases = [rng.choice("ACGT") for _ in range(500 * (number + 1))]
    introns = []
    for index in range(number):
        start = 500 * index + 300
        end = start + 100 + index
        strand: Strand = "+" if index % 3 else "-"
        donor, acceptor = ("GC", "AG") if index % 10 == 9 else ("GT", "AG")
        left, right = (donor, acceptor) if strand == "+" else (reverse_complement(acceptor), reverse_complement(donor))
        bases[start - 2 : start + 4] = "TT" + left + "TT"
        bases[end - 4 : end + 2] = "TT" + right + "TT"
        introns.append(Planted(Interval(start, end), strand, 2 + index))
    return "".join(bases), tuple(introns)


def write_genome(directory: Path, bases: str, name: str = SEQID) -> Path:
    path = directory / "g.fa"
    path.write_text(f">{name}\n{bases}\n")
    return path


def star(introns: Sequence[Planted], *, shift: int = 0) -> str:
    """STAR's SJ.out.tab: first and last base of the intron from 1 on."""
    return "".join(
        f"{SEQID}\t{p.interval.start + 1 + shift}\t{p.interval.end}\t{1 if p.strand == '+' else 2}\t1\t0\t"
        f"{p.reads}\t3\t30\n"
        for p in introns
    )


def regtools(introns: Sequence[Planted], *, anchor: int = 40) -> str:
    """regtools junctions extract: BED12 whose blocks are the anchors."""
    return "".join(
        f"{SEQID}\t{p.interval.start - anchor}\t{p.interval.end + anchor}\tJUNC{i:08}\t{p.reads}\t{p.strand}\t"
        f"{p.interval.start - anchor}\t{p.interval.end + anchor}\t255,0,0\t2\t{anchor},{anchor}\t"
        f"0,{len(p.interval) + anchor}\n"
        for i, p in enumerate(introns)
    )


def portcullis(introns: Sequence[Planted]) -> str:
    """portcullis: the same blocks below a track line."""
    lines = regtools(introns, anchor=25).splitlines()
    return 'track name="junctions" description="Portcullis V1.2.0 junctions"\n' + "".join(f"{line}\n" for line in lines)


def hints(introns: Sequence[Planted]) -> str:
    """BRAKER's hints of bam2hints: `mult=` where more than one read shows the intron."""
    return "".join(
        f"{SEQID}\tb2h\tintron\t{p.interval.start + 1}\t{p.interval.end}\t0\t{p.strand}\t.\t"
        f"mult={p.reads};pri=4;src=E\n"
        f"{SEQID}\tb2h\tep\t{p.interval.start - 20}\t{p.interval.start}\t0\t.\t.\tpri=4;src=E\n"
        for p in introns
    )


def intron_gff(introns: Sequence[Planted]) -> str:
    """TAIR's splice junctions: reads in column 6."""
    return "##gff-version 3\n" + "".join(
        f"{SEQID}\tRNASeq_splice\tintron\t{p.interval.start + 1}\t{p.interval.end}\t{p.reads}\t{p.strand}\t.\t"
        "tissue=roo\n"
        for p in introns
    )


def stringtie(introns: Sequence[Planted]) -> str:
    """StringTie: transcripts of two exons around each intron."""
    lines = ["# StringTie version 2.2.1"]
    for i, p in enumerate(introns):
        start, end = p.interval.start - 100, p.interval.end + 100
        ids = f'gene_id "STRG.{i}"; transcript_id "STRG.{i}.1";'
        lines.append(f'{SEQID}\tStringTie\ttranscript\t{start + 1}\t{end}\t1000\t{p.strand}\t.\t{ids} cov "3.1";')
        for number, (a, b) in enumerate(((start, p.interval.start), (p.interval.end, end)), 1):
            lines.append(
                f'{SEQID}\tStringTie\texon\t{a + 1}\t{b}\t1000\t{p.strand}\t.\t{ids} exon_number "{number}"; cov "3.1";'
            )
    return "\n".join(lines) + "\n"


def miniprot(introns: Sequence[Planted]) -> str:
    """miniprot --gff: mRNA with a Target, CDS parts."""
    lines = ["##gff-version 3"]
    for i, p in enumerate(introns):
        start, end = p.interval.start - 99, p.interval.end + 99
        lines.append(
            f"{SEQID}\tminiprot\tmRNA\t{start + 1}\t{end}\t180\t{p.strand}\t.\tID=MP{i:06};Rank=1;Identity=0.9;"
            f"Target=P{i} 1 66"
        )
        for a, b in ((start, p.interval.start), (p.interval.end, end)):
            lines.append(f"{SEQID}\tminiprot\tCDS\t{a + 1}\t{b}\t90\t{p.strand}\t0\tParent=MP{i:06};Target=P{i} 1 33")
    return "\n".join(lines) + "\n"


def sam_lines(introns: Sequence[Planted], *, read: str = "stated", anchor: int = 20, shortest: int = 8) -> list[str]:
    """Reads over each intron, as SAM lines.

    Args:
        read: `stated` gives XS tags, `minimap2` gives ts tags, `forward` and `reverse` give the library's strand only.
        shortest: Left anchor of the first read of each intron.
    """
    lines = []
    for i, p in enumerate(introns):
        for number in range(p.reads):
            left = shortest if number == 0 else anchor
            backwards = {"forward": p.strand == "-", "reverse": p.strand == "+"}.get(read, number % 2 == 1)
            tag = f"\tXS:A:{p.strand}" if read == "stated" else ""
            if read == "minimap2":
                tag = "\tts:A:" + ("+" if (p.strand == "+") != backwards else "-")
            lines.append(
                f"r{i}_{number}\t{16 if backwards else 0}\t{SEQID}\t{p.interval.start - left + 1}\t60\t"
                f"{left}M{len(p.interval)}N{anchor}M\t*\t0\t0\t{'A' * (left + anchor)}\t*\tNH:i:1{tag}"
            )
    return lines


def write_bam(directory: Path, lines: Sequence[str], *, length: int, name: str = "a.bam") -> Path:
    """A sorted, indexed BAM from SAM lines."""
    import pysam

    sam = directory / f"{name}.sam"
    ordered = sorted(lines, key=lambda line: int(line.split("\t")[3]))
    head = f"@HD\tVN:1.6\tSO:coordinate\n@SQ\tSN:{SEQID}\tLN:{length}\n"
    sam.write_text(head + "".join(f"{line}\n" for line in ordered))
    path = directory / name
    with pysam.AlignmentFile(str(sam)) as source, pysam.AlignmentFile(str(path), "wb", template=source) as target:
        for record in source:
            target.write(record)
    pysam.index(str(path))
    return path
