"""Stop codons that a GTF leaves out are found in the genome, transcript by transcript."""

from __future__ import annotations

from pathlib import Path

from tests.io.gxf import annotation
from transgenic_tools.io.fasta import Fasta
from transgenic_tools.io.stops import join_stops

#: Genes at 10 (with UTR), 30 (ends with its CDS), 50 (minus strand, with UTR), 70 (a last codon that is no stop).
GENOME = "C" * 10 + "ATGCCCTAA" + "C" * 11 + "ATGCCCTGA" + "C" * 11 + "TTAGGGCAT" + "C" * 11 + "ATGCCCAAA" + "C" * 30

TEXT = """
c x exon 6 25 . + . gene_id "a"; transcript_id "a.1";
c x CDS 11 16 . + 0 gene_id "a"; transcript_id "a.1";
c x exon 31 36 . + . gene_id "b"; transcript_id "b.1";
c x CDS 31 36 . + 0 gene_id "b"; transcript_id "b.1";
c x exon 46 65 . - . gene_id "m"; transcript_id "m.1";
c x CDS 54 59 . - 0 gene_id "m"; transcript_id "m.1";
c x exon 71 90 . + . gene_id "n"; transcript_id "n.1";
c x CDS 71 76 . + 0 gene_id "n"; transcript_id "n.1";
"""
WITH = {"a.1": (10, 19), "b.1": (30, 39), "m.1": (50, 59), "n.1": (70, 76)}


def _spans(tmp_path: Path, text: str) -> tuple[dict[str, tuple[int, int]], list[str]]:
    (tmp_path / "g.fa").write_text(f">c\n{GENOME}\n")
    found = annotation(tmp_path, text, "a.gtf")
    with Fasta(tmp_path / "g.fa") as fasta:
        genes, findings = join_stops(found.genes, fasta, stop_lines=found.stop_lines)
    spans = {t.id: (t.cds[0].start, t.cds[-1].end) for g in genes for t in g.transcripts}
    return spans, [f.detail for f in findings if f.code == "stop_added"]


def test_no_stop_lines(tmp_path: Path) -> None:
    spans, added = _spans(tmp_path, TEXT)
    assert spans == WITH
    assert sorted(added) == ["a.1", "b.1", "m.1"]


def test_some_stop_lines(tmp_path: Path) -> None:
    """Each transcript is looked at by itself; one whose stop codon has a line gets no second one."""
    spans, added = _spans(tmp_path, TEXT + 'c x stop_codon 17 19 . + 0 gene_id "a"; transcript_id "a.1";')
    assert spans == WITH
    assert sorted(added) == ["b.1", "m.1"]


def test_a_cds_that_is_said_to_have_no_end(tmp_path: Path) -> None:
    text = TEXT + 'c x transcript 31 36 . + . gene_id "b"; transcript_id "b.1"; tag "basic"; tag "cds_end_NF";'
    assert _spans(tmp_path, text)[0]["b.1"] == (30, 36)
