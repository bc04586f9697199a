"""The files of a reader, by the names that the pages use: 49 kb of real sequence, and what tools make of it.

In: the demo. Out: a folder in which commands marked `files` run as they stand.
A surprise: the sequence is called chr1 here, and an empty ChrC stands beside it, since pages leave that out.
"""

from __future__ import annotations

import gzip
import subprocess
import sys
from pathlib import Path

from tests import progress
from tests.pipeline.nextflow import ROOT
from transgenic_tools.genome.gene import Gene
from transgenic_tools.io.fasta import Fasta
from transgenic_tools.io.gff3 import read_annotation

DEMO = ROOT / "assets" / "demo" / "athaliana_chr1_slice"
#: Between two genes.
BASES = 49_000
GENOMES = ("genome.fa", "genome.fsa", "ath.fa", "aly.fa")
ANNOTATIONS = ("annotation.gff3", "genes.gff3", "my_annotation.gff3", "tair10.gff3", "A.gff3", "B.gff3", "PROMPT.gff3")


def lay_out(folder: Path) -> None:
    """Write all of them."""
    with Fasta(DEMO.with_suffix(".fa.gz")) as fasta:
        bases = fasta.fetch(fasta.names[0], 0, BASES)
    genome = f">chr1\n{bases}\n>ChrC\n{'N' * 500}\n"
    with gzip.open(DEMO.with_suffix(".gff3.gz"), "rt") as handle:
        columns = [line.split("\t") for line in handle if not line.startswith("#")]
    kept = ["\t".join(["chr1", *line[1:]]) for line in columns if int(line[4]) < BASES]
    for name in GENOMES:
        (folder / name).write_text(genome)
    for name in ANNOTATIONS:
        (folder / name).write_text("##gff-version 3\n" + "".join(kept))
    for name, text in (("genome.fa.gz", genome), ("G.fa.gz", genome), ("A.gff3.gz", "".join(kept))):
        with gzip.open(folder / name, "wt") as handle:
            handle.write(text)
    genes = [gene for gene in read_annotation(folder / "A.gff3").genes if gene.coding_transcripts]
    (folder / "loci.bed").write_text("".join(_bed(gene) for gene in genes))
    (folder / "samplesheet.csv").write_text("sample,fasta,annotation\nath,genome.fa.gz,genes.gff3\n")
    (folder / "SJ.out.tab").write_text("".join(_star(genes)))
    (folder / "evidence.csv").write_text("sample,path,condition\nroot_1,SJ.out.tab,root\n")
    (folder / "homologs.tsv").write_text("gene_id\thas_homolog\n" + "".join(f"{gene.id}\tyes\n" for gene in genes))
    (folder / "ids.txt").write_text("".join(f"{gene.id}\n" for gene in genes))
    (folder / "variants.vcf").write_text(_variant(bases, genes))
    (folder / "isoseq.fq.gz").write_bytes(gzip.compress(_reads(bases, genes).encode()))
    _run_tools(folder)


def _bed(gene: Gene) -> str:
    return f"chr1\t{gene.interval.start}\t{gene.interval.end}\t{gene.id}\t0\t{gene.strand}\n"


def _star(genes: list[Gene]) -> list[str]:
    """STAR's columns: ends of the intron from 1, strand and motif as numbers, reads."""
    introns = {(one.start, one.end, gene.strand) for gene in genes for t in gene.transcripts for one in t.introns}
    return [
        f"chr1\t{start + 1}\t{end}\t{1 if strand == '+' else 2}\t{1 if strand == '+' else 2}\t1\t20\t0\t40\n"
        for start, end, strand in sorted(introns)
    ]


def _variant(bases: str, genes: list[Gene]) -> str:
    """The first base of a start codon."""
    place = next(gene.coding_transcripts[0].cds[0].start for gene in genes if gene.strand == "+")
    head = "##fileformat=VCFv4.2\n##contig=<ID=chr1>\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n"
    return f"{head}chr1\t{place + 1}\t.\t{bases[place]}\tC\t.\tPASS\t.\n"


def _reads(bases: str, genes: list[Gene]) -> str:
    records = []
    for gene in genes:
        read = gene.coding_transcripts[0].spliced(bases)
        records += [f"@{gene.id}\n{read}\n+\n{'I' * len(read)}\n"]
    return "".join(records)


def _tool(name: str, *flags: str, folder: Path) -> None:
    done = progress.run([str(Path(sys.executable).with_name(name)), *flags], cwd=folder)
    assert done.returncode == 0, done.stderr


def _run_tools(folder: Path) -> None:
    """What earlier pages leave behind: shards, predictions, an annotation, its figures."""
    for sample, split, outdir in (("ath", "all:test", "prep1"), ("aly", "all:train", "prep2")):
        flags = ("--sample", sample, "--split", split, "--outdir", outdir)
        _tool("tg-prep", "genes", "--fasta", "genome.fa", "--annotation", "A.gff3", *flags, folder=folder)
    _tool("tg-generate", "prep1", "--outdir", "predictions", folder=folder)
    for name, source in (("prep", "prep1"), ("ath_predictions", "predictions"), ("aly_predictions", "predictions")):
        subprocess.run(["cp", "-r", source, name], cwd=folder, check=True)
    (folder / "prep.json").write_bytes((folder / "prep1" / "prep.json").read_bytes())
    _tool("tg-backmap", "predictions", "--fasta", "genome.fa", "--out", "ath.gff3", folder=folder)
    _tool("tg-evaluate", "-r", "A.gff3", "-p", "ath.gff3", "--json", "ath.json", folder=folder)
    (folder / "genome.gff3").write_bytes((folder / "ath.gff3").read_bytes())
    (folder / "model").symlink_to(ROOT / "transgenic_tools" / "assets" / "model")
