"""Intron chains: of assembled transcripts, protein alignments and long reads.

In: GTF or GFF3 of StringTie, IsoQuant, FLAIR, PASA; GFF of miniprot; reads in FASTA or FASTQ. Out: `Chain` records.
A surprise: of a protein alignment the introns lie between CDS parts, and its ends say nothing about UTRs.
"""

from __future__ import annotations

from pathlib import Path

from transgenic_tools.genome.evidence import SIGN_OF, UNKNOWN_STRAND, Chain, join_chains
from transgenic_tools.genome.gene import Transcript
from transgenic_tools.genome.interval import Interval, gaps
from transgenic_tools.io.gff3 import read_annotation


def _chain(transcript: Transcript, *, proteins: bool) -> Chain | None:
    parts = transcript.cds if proteins else transcript.exons
    introns = gaps(parts)
    if not introns:
        return None
    span = Interval(parts[0].start, parts[-1].end)
    return Chain(seqid=transcript.seqid, span=span, introns=introns, sign=SIGN_OF[transcript.strand], count=1)


def chains_of_annotation(path: Path, *, proteins: bool) -> tuple[tuple[Chain, ...], dict[str, int]]:
    """Chains of the file's transcripts, and how many of them were used, had one exon, or could not be read.

    Raises:
        MissingInputError: no such file.
        BadInputError: it is no GFF3 and no GTF.
    """
    annotation = read_annotation(path)
    chains = []
    tally = {"transcripts": 0, "single_exon": 0}
    for gene in annotation.genes:
        for transcript in gene.transcripts:
            tally["transcripts"] += 1
            chain = _chain(transcript, proteins=proteins)
            if chain is None:
                tally["single_exon"] += 1
            else:
                chains.append(chain)
    tally["lost"] = sum(n for code, n in annotation.problem_counts.items() if code in ("no_strand", "mixed_strands"))
    return join_chains(chains), tally


def chains_of_reads(path: Path, fasta: Path) -> tuple[tuple[Chain, ...], dict[str, int]]:
    """Chains of long reads, aligned in this process, and how many reads were read and aligned.

    Raises:
        MissingInputError, BadInputError: as `align_reads`.
    """
    from transgenic_tools.io.long_reads import align_reads

    alignments = align_reads(path, fasta)
    chains = [
        Chain(
            seqid=chain.seqid,
            span=chain.span,
            introns=chain.introns,
            sign=UNKNOWN_STRAND if chain.strand is None else SIGN_OF[chain.strand],
            count=chain.count,
        )
        for chain in alignments.chains
        if chain.introns
    ]
    return join_chains(chains), {"reads": alignments.reads, "aligned": alignments.aligned}
