"""A small world of every kind of file that a tool reads: two sequences, ten genes, made from one seed.

In: an empty folder. Out: files by the names that `tests.faults.cases` uses.
A surprise: predictions are the annotation with scores; the one network here, of a scan, is untrained and finds genes in
anything, so that there is something to write.
"""

from __future__ import annotations

import gzip
import json
import random
from dataclasses import dataclass
from pathlib import Path

from transgenic_tools.io.rows import GeneRow, PredictionRow
from transgenic_tools.io.shards import read_shard, write_prediction_shard
from transgenic_tools.prep.config import Config as PrepConfig
from transgenic_tools.prep.run import run as prepare
from transgenic_tools.provenance import Provenance

_COMPLEMENT = str.maketrans("ACGT", "TGCA")
_STOPS = ("TAA", "TAG", "TGA")


@dataclass(frozen=True)
class Planted:
    """A gene in genome coordinates, 0-based half-open; `cds` are its exons, which are all coding."""

    name: str
    seqid: str
    strand: str
    cds: tuple[tuple[int, int], ...]


def _bases(rng: random.Random, n: int) -> str:
    return "".join(rng.choices("ACGT", k=n))


def _codons(rng: random.Random, n: int) -> str:
    made = [codon for codon in ("".join(rng.choices("ACGT", k=3)) for _ in range(2 * n)) if codon not in _STOPS]
    return "ATG" + "".join(made[: n - 2]) + "TAA"


def _plant(rng: random.Random, seqid: str, count: int) -> tuple[str, list[Planted]]:
    sequence, genes = _bases(rng, 300), []
    for number in range(count):
        coding = _codons(rng, 40 + 10 * number)
        cuts = sorted(rng.sample(range(10, len(coding) - 10), rng.randint(0, 3)))
        parts, text, start = [], "", 0
        for cut in [*cuts, len(coding)]:
            parts.append((len(text), len(text) + cut - start))
            text += coding[start:cut]
            start = cut
            if cut != len(coding):
                text += "GT" + _bases(rng, rng.randint(60, 120)) + "AG"
        strand, origin = rng.choice("+-"), len(sequence)
        if strand == "-":
            text = text.translate(_COMPLEMENT)[::-1]
            parts = [(len(text) - end, len(text) - begin) for begin, end in reversed(parts)]
        cds = tuple((origin + begin, origin + end) for begin, end in parts)
        genes.append(Planted(f"{seqid}.g{number}", seqid, strand, cds))
        sequence += text + _bases(rng, 300)
    return sequence, genes


def _phases(gene: Planted) -> list[int]:
    """GFF3 phases in the order of `cds`."""
    parts = list(gene.cds) if gene.strand == "+" else list(reversed(gene.cds))
    phases, phase = [], 0
    for start, end in parts:
        phases.append(phase)
        phase = (phase - (end - start)) % 3
    return phases if gene.strand == "+" else phases[::-1]


def gff3(genes: list[Planted]) -> str:
    lines = ["##gff-version 3"]
    for gene in genes:
        start, end = gene.cds[0][0] + 1, gene.cds[-1][1]
        row = f"{gene.seqid}\ttest\t{{}}\t{{}}\t{{}}\t.\t{gene.strand}\t{{}}\t{{}}"
        lines.append(row.format("gene", start, end, ".", f"ID={gene.name};Name={gene.name}"))
        lines.append(row.format("mRNA", start, end, ".", f"ID={gene.name}.1;Parent={gene.name}"))
        for number, ((begin, stop), phase) in enumerate(zip(gene.cds, _phases(gene), strict=True), start=1):
            lines.append(row.format("exon", begin + 1, stop, ".", f"ID={gene.name}.1.e{number};Parent={gene.name}.1"))
            lines.append(row.format("CDS", begin + 1, stop, phase, f"ID={gene.name}.1.c;Parent={gene.name}.1"))
    return "\n".join(lines) + "\n"


def gtf(genes: list[Planted]) -> str:
    """With the stop codon inside of the CDS, as many programs write it."""
    lines = []
    for gene in genes:
        ids = f'gene_id "{gene.name}"; transcript_id "{gene.name}.1";'
        for (begin, stop), phase in zip(gene.cds, _phases(gene), strict=True):
            for kind, column in (("exon", "."), ("CDS", str(phase))):
                lines.append(f"{gene.seqid}\ttest\t{kind}\t{begin + 1}\t{stop}\t.\t{gene.strand}\t{column}\t{ids}")
    return "\n".join(lines) + "\n"


def bed(genes: list[Planted]) -> str:
    return "".join(f"{g.seqid}\t{g.cds[0][0]}\t{g.cds[-1][1]}\t{g.name}\t0\t{g.strand}\n" for g in genes)


def _prediction(row: GeneRow) -> PredictionRow:
    (transcript,) = row.read_transcripts()
    introns = len(transcript.exons) - 1
    return PredictionRow(
        gene_id=row.gene_id, sample=row.sample, seqid=row.seqid, start=row.start, end=row.end, strand=row.strand,
        window_start=row.window_start, window_end=row.window_end, gsf=row.gsf, scores=(0.75,),
        exon_scores=((0.5,) * len(transcript.exons),), donor_scores=((0.5,) * introns,),
        acceptor_scores=((0.5,) * introns,), confidence=0.75, model_hash="0123456789abcdef",
    )  # fmt: skip


def _introns(genes: list[Planted]) -> list[tuple[Planted, int, int]]:
    return [(g, left[1], right[0]) for g in genes for left, right in zip(g.cds, g.cds[1:], strict=False)]


def _write_alignments(path: Path, lengths: dict[str, int], genes: list[Planted]) -> None:
    """A spliced read over each intron, as BAM."""
    import pysam

    header = {"HD": {"VN": "1.6"}, "SQ": [{"SN": name, "LN": length} for name, length in lengths.items()]}
    with pysam.AlignmentFile(str(path), "wb", header=header) as out:
        for number, (gene, start, end) in enumerate(_introns(genes)):
            read = pysam.AlignedSegment(out.header)
            read.query_name, read.flag, read.mapping_quality = f"r{number}", 0, 60
            read.reference_name, read.reference_start = gene.seqid, start - 10
            read.cigarstring = f"10M{end - start}N10M"
            read.set_tag("XS", gene.strand)
            out.write(read)


def _write_scan_model(folder: Path) -> None:
    import torch

    from transgenic_tools.lattice.config import ScoringConfig
    from transgenic_tools.model.transgenic import TransgenicConfig, TransgenicModel

    torch.manual_seed(1)
    encoder = {"name": "strands", "stem": 4, "channels": 4, "dim": 16, "blocks": 1, "heads": 2, "attention_every": 1}
    network = TransgenicModel(TransgenicConfig(encoder=encoder, decoder={"dim": 16, "heads": 2, "layers": 1}))
    network.refit(scan=ScoringConfig(site_bias=(4.0, 6.0, 4.0, 4.0, 6.0, 4.0), content_weight=0.0))
    network.save_pretrained(folder)


def _zip(path: Path) -> None:
    path.with_name(path.name + ".gz").write_bytes(gzip.compress(path.read_bytes(), mtime=0))


def build(folder: Path, seed: int = 1) -> None:
    """Write all files."""
    rng = random.Random(seed)
    sequences, genes = {}, []
    for seqid in ("chrA", "chrB"):
        sequences[seqid], planted = _plant(rng, seqid, 5)
        genes += planted
    lines = [
        f">{name}\n" + "\n".join(text[i : i + 60] for i in range(0, len(text), 60)) for name, text in sequences.items()
    ]
    (folder / "g.fa").write_text("\n".join(lines) + "\n")
    (folder / "a.gff3").write_text(gff3(genes))
    (folder / "p.gff3").write_text(gff3(genes[1:]))
    (folder / "a.gtf").write_text(gtf(genes))
    (folder / "r.bed").write_text(bed(genes))
    (folder / "alias.tsv").write_text("chrA\t1\nchrB\t2\n")
    (folder / "list.txt").write_text("".join(f"{gene.name}\n" for gene in genes[:6]))
    (folder / "homologs.tsv").write_text("gene_id\thas_homolog\n" + "".join(f"{g.name}\tyes\n" for g in genes))
    (folder / "s.csv").write_text("sample,fasta,annotation,regions,reads\none,g.fa,a.gff3,,\ntwo,g.fa,,r.bed,\n")
    (folder / "genes.tsv").write_text("")
    introns = _introns(genes)
    (folder / "j.bed").write_text("".join(f"{g.seqid}\t{a}\t{b}\tj\t9\t{g.strand}\n" for g, a, b in introns))
    (folder / "sj.tab").write_text(
        "".join(f"{g.seqid}\t{a + 1}\t{b}\t{1 + (g.strand == '-')}\t1\t0\t7\t0\t30\n" for g, a, b in introns)
    )
    (folder / "i.gff3").write_text(
        "".join(f"{g.seqid}\tt\tintron\t{a + 1}\t{b}\t5\t{g.strand}\t.\tID=i{a}\n" for g, a, b in introns)
    )
    _write_alignments(folder / "r.bam", {name: len(text) for name, text in sequences.items()}, genes)
    (folder / "e2.csv").write_text("sample,path,condition,weight\ns,sj.tab,leaf,0.5\nb,r.bam,root,\ni,i.gff3,,2\n")
    _write_scan_model(folder / "scan")
    (folder / "e.csv").write_text("sample,path,kind,condition,strandness,weight\ng,j.bed,junction_bed,leaf,,\n")
    for name in ("g.fa", "a.gff3", "r.bed", "j.bed"):
        _zip(folder / name)
    prepare(
        PrepConfig(fasta=folder / "g.fa", annotation=folder / "a.gff3", outdir=folder / "shards", sample="one",
                   split="fraction:60/20/20")
    )  # fmt: skip
    (folder / "shards" / "genes-00000.parquet").rename(folder / "genes.parquet")
    rows = list(read_shard(folder / "genes.parquet"))
    write_prediction_shard(map(_prediction, rows), folder / "pred.parquet", provenance=Provenance("tg-generate", {}))
    (folder / "shards" / "prep.json").rename(folder / "prep.json")
    (folder / "shards" / "rejects.tsv").rename(folder / "rejects.tsv")
    (folder / "shards").rmdir()
    (folder / "metrics.jsonl").write_text(
        "".join(
            json.dumps({"stage": "trunk", "split": split, "step": step, "epoch": 0, "loss": 1.0 / step}) + "\n"
            for step in (1, 2, 3)
            for split in ("train", "validation")
        )
    )
    (folder / "params.json").write_text(json.dumps({"mode": "predict", "seed": 1}))
