"""Genes as the feature table (`.tbl`) that table2asn and tbl2asn read.

In: genes as `backmap.submission` prepares them. Out: text: each gene, then mRNA and CDS of each of its transcripts.
A surprise: places go 5' to 3', so those of the minus strand fall, and `<`, `>` mark the gene's open ends, not left
and right.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO

from transgenic_tools.genome.gene import Gene, in_transcription_order
from transgenic_tools.genome.interval import Intervals, Strand
from transgenic_tools.io.gff3.writer import create_text

Attributes = Mapping[str, tuple[str, ...]]
#: Attribute of GFF3: qualifier of INSDC.
_OF_GENE = {"gene": "gene", "locus_tag": "locus_tag", "gene_synonym": "gene_syn", "Note": "note", "Dbxref": "db_xref"}
_OF_PRODUCT = {"product": "product", "transcript_id": "transcript_id", "protein_id": "protein_id"}


def _places(parts: Intervals, strand: Strand, key: str, attributes: Attributes) -> list[str]:
    ends = ("start_range" in attributes, "end_range" in attributes)
    five, three = ends if strand == "+" else ends[::-1]
    ordered = in_transcription_order(parts, strand)
    pairs = [(part.start + 1, part.end) if strand == "+" else (part.end, part.start + 1) for part in ordered]
    rows = [[str(begin), str(end)] for begin, end in pairs]
    rows[0][0] = "<" * five + rows[0][0]
    rows[-1][1] = ">" * three + rows[-1][1]
    rows[0].append(key)
    return ["\t".join(row) for row in rows]


def _qualifiers(attributes: Attributes, names: Mapping[str, str]) -> list[str]:
    return [
        f"\t\t\t{name}\t{' '.join(value.split())}" for key, name in names.items() for value in attributes.get(key, ())
    ]


def feature_lines(gene: Gene) -> list[str]:
    """Lines of one gene, without line ends."""
    lines = _places((gene.interval,), gene.strand, "gene", gene.attributes)
    lines += _qualifiers(gene.attributes, _OF_GENE)
    for transcript in gene.transcripts:
        coding = transcript.cds_attributes or {}
        lines += _places(transcript.exons, gene.strand, "mRNA", transcript.attributes)
        lines += _qualifiers(transcript.attributes, _OF_PRODUCT)
        lines += _places(transcript.cds, gene.strand, "CDS", coding)
        lines += [f"\t\t\tcodon_start\t{transcript.first_phase + 1}"] if transcript.first_phase else []
        lines += _qualifiers(coding, _OF_PRODUCT)
    return lines


class _TableWriter:
    """Genes sorted by seqid; a header goes before the first gene of each."""

    def __init__(self, handle: IO[str]) -> None:
        self._handle = handle
        self._seqid: str | None = None

    def write(self, gene: Gene) -> None:
        if gene.seqid != self._seqid:
            self._seqid = gene.seqid
            self._handle.write(f">Feature {gene.seqid}\n")
        self._handle.write("\n".join(feature_lines(gene)) + "\n")


@contextmanager
def table_writer(path: Path, *, together: ExitStack | None = None) -> Iterator[_TableWriter]:
    """A writer of the feature table; the file appears as those of `create_text` do."""
    with create_text(path, together=together) as handle:
        yield _TableWriter(handle)
