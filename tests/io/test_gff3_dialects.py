"""Each dialect that a real tool writes, in a small file of its own."""

from __future__ import annotations

import gzip
from pathlib import Path

import pysam
import pytest

from tests.io.gxf import annotation, gxf, shape
from transgenic_tools.io.gff3 import read_annotation

TWO_EXONS = ([(101, 200), (301, 400)], [(151, 200), (301, 350)])


def test_phytozome(tmp_path: Path) -> None:
    """Phytozome: CDS and UTR lines of their own IDs, exons only in *_exons files, versions in the IDs."""
    found = annotation(
        tmp_path,
        """
        ##gff-version 3
        ##annot-version v3.1
        Chr01 phytozomev10 gene 101 400 . + . ID=Potri.001G000100.v3.0;Name=Potri.001G000100
        Chr01 phytozomev10 mRNA 101 400 . + . ID=P.1.v3.0;Name=P.1;pacid=27043735;longest=1;Parent=Potri.001G000100.v3.0
        Chr01 phytozomev10 CDS 151 200 . + 0 ID=P.1.v3.0.CDS.1;Parent=P.1.v3.0;pacid=27043735
        Chr01 phytozomev10 five_prime_UTR 101 150 . + . ID=P.1.v3.0.five_prime_UTR.1;Parent=P.1.v3.0
        Chr01 phytozomev10 CDS 301 350 . + 1 ID=P.1.v3.0.CDS.2;Parent=P.1.v3.0;pacid=27043735
        Chr01 phytozomev10 three_prime_UTR 351 400 . + . ID=P.1.v3.0.three_prime_UTR.1;Parent=P.1.v3.0
        """,
    )
    assert shape(found) == {"Potri.001G000100.v3.0": {"P.1.v3.0": TWO_EXONS}}
    assert found.problem_counts == {"exons_made": 1}
    assert found.genes[0].transcripts[0].attributes["pacid"] == ("27043735",)


def test_ensembl_plants(tmp_path: Path) -> None:
    """Ensembl Plants: `gene:` and `transcript:` prefixes, biological_region and chromosome lines, ### after genes."""
    found = annotation(
        tmp_path,
        """
        ##gff-version 3
        ##sequence-region   1 1 30427671
        #!genome-build  TAIR10
        1 TAIR10 chromosome 1 30427671 . . . ID=chromosome:1;Alias=Chr1,CP002684.1,NC_003070.9
        ###
        1 araport11 gene 101 400 . + . ID=gene:AT1G01010;Name=NAC001;biotype=protein_coding;gene_id=AT1G01010
        1 araport11 mRNA 101 400 . + . ID=transcript:AT1G01010.1;Parent=gene:AT1G01010;biotype=protein_coding
        1 araport11 five_prime_UTR 101 150 . + . Parent=transcript:AT1G01010.1
        1 araport11 exon 101 200 . + . Parent=transcript:AT1G01010.1;Name=AT1G01010.1.exon1;rank=1
        1 araport11 CDS 151 200 . + 0 ID=CDS:AT1G01010.1;Parent=transcript:AT1G01010.1
        1 araport11 exon 301 400 . + . Parent=transcript:AT1G01010.1;Name=AT1G01010.1.exon2;rank=2
        1 araport11 CDS 301 350 . + 1 ID=CDS:AT1G01010.1;Parent=transcript:AT1G01010.1
        1 araport11 three_prime_UTR 351 400 . + . Parent=transcript:AT1G01010.1
        ###
        1 araport11 ncRNA_gene 900 950 . - . ID=gene:AT1G03987;biotype=lncRNA;gene_id=AT1G03987
        1 araport11 lnc_RNA 900 950 . - . ID=transcript:AT1G03987.1;Parent=gene:AT1G03987;biotype=lncRNA
        1 araport11 exon 900 950 . - . Parent=transcript:AT1G03987.1
        ###
        """,
    )
    assert shape(found)["gene:AT1G01010"] == {"transcript:AT1G01010.1": TWO_EXONS}
    assert found.genes[1].biotype == "lncRNA"
    assert not found.genes[1].coding_transcripts
    assert not found.problems
    assert found.sequence_regions["1"].end == 30427671


def test_refseq_and_genbank(tmp_path: Path) -> None:
    """NCBI: all CDS lines of a protein share one ID; %-escapes; exon lines below the gene as well (from EMBL)."""
    found = annotation(
        tmp_path,
        """
        ##gff-version 3
        #!processor NCBI annotwriter
        NC_1.1 RefSeq region 1 900 . + . ID=NC_1.1:1..900;Dbxref=taxon:3702;gbkey=Src
        NC_1.1 RefSeq gene 101 400 . + . ID=gene-A;Note=similar to RNA%2C mRNA%3B;gene_biotype=protein_coding
        NC_1.1 RefSeq mRNA 101 400 . + . ID=rna-A.1;Parent=gene-A
        NC_1.1 RefSeq exon 101 200 . + . ID=exon-A.1-1;Parent=rna-A.1
        NC_1.1 RefSeq exon 301 400 . + . ID=exon-A.1-2;Parent=rna-A.1
        NC_1.1 RefSeq CDS 151 200 . + 0 ID=cds-A;Parent=rna-A.1
        NC_1.1 RefSeq CDS 301 350 . + 1 ID=cds-A;Parent=rna-A.1
        NC_1.1 EMBL exon 101 200 . + . ID=id-A;Parent=gene-A;gbkey=exon
        NC_1.1 EMBL intron 201 300 . + . ID=id-A-2;Parent=gene-A;gbkey=intron
        """,
    )
    assert shape(found) == {"gene-A": {"rna-A.1": TWO_EXONS}}
    assert found.problem_counts == {"gene_parts": 1}
    assert found.genes[0].attributes["Note"] == ("similar to RNA, mRNA;",)


def test_cds_without_mrna(tmp_path: Path) -> None:
    """NCBI organelles and bacteria: CDS lines below the gene; two proteins of one gene are told apart by CDS ID."""
    found = annotation(
        tmp_path,
        """
        NC_2.1 RefSeq gene 101 400 . - . ID=gene-rbcL;gene_biotype=protein_coding
        NC_2.1 RefSeq CDS 101 400 . - 0 ID=cds-1;Parent=gene-rbcL
        NC_2.1 RefSeq gene 501 800 . + . ID=gene-two;gene_biotype=protein_coding
        NC_2.1 RefSeq CDS 501 800 . + 0 ID=cds-2;Parent=gene-two
        NC_2.1 RefSeq CDS 501 650 . + 0 ID=cds-3;Parent=gene-two
        """,
    )
    assert shape(found) == {
        "gene-rbcL": {"gene-rbcL.t1": ([(101, 400)], [(101, 400)])},
        "gene-two": {"gene-two.t1": ([(501, 650)], [(501, 650)]), "gene-two.t2": ([(501, 800)], [(501, 800)])},
    }
    assert found.problem_counts["transcript_made"] == 3


def test_tair10(tmp_path: Path) -> None:
    """TAIR10: CDS lines name the mRNA and its protein; exons name several mRNAs."""
    found = annotation(
        tmp_path,
        """
        Chr1 TAIR10 gene 101 400 . + . ID=AT1G01010;Note=protein_coding_gene;Name=AT1G01010
        Chr1 TAIR10 mRNA 101 400 . + . ID=AT1G01010.1;Parent=AT1G01010;Name=AT1G01010.1;Index=1
        Chr1 TAIR10 mRNA 101 400 . + . ID=AT1G01010.2;Parent=AT1G01010;Name=AT1G01010.2
        Chr1 TAIR10 protein 151 350 . + . ID=AT1G01010.1-Protein;Name=AT1G01010.1;Derives_from=AT1G01010.1
        Chr1 TAIR10 exon 101 200 . + . Parent=AT1G01010.1,AT1G01010.2
        Chr1 TAIR10 exon 301 400 . + . Parent=AT1G01010.1,AT1G01010.2
        Chr1 TAIR10 CDS 151 200 . + 0 Parent=AT1G01010.1,AT1G01010.1-Protein;
        Chr1 TAIR10 CDS 301 350 . + 1 Parent=AT1G01010.1,AT1G01010.1-Protein;
        Chr1 TAIR10 CDS 151 181 . + 0 Parent=AT1G01010.2
        """,
    )
    assert shape(found) == {
        "AT1G01010": {"AT1G01010.1": TWO_EXONS, "AT1G01010.2": ([(101, 200), (301, 400)], [(151, 181)])}
    }
    assert not found.problems


def test_araport_utr_beside_a_cds_part(tmp_path: Path) -> None:
    """AT4G00020: a 3' UTR (3895-4106) beside a CDS part (4107-4172), listed before it, on the minus strand."""
    found = annotation(
        tmp_path,
        """
        Chr4 phytozome gene 2895 10504 . - . ID=AT4G00020
        Chr4 phytozome mRNA 2895 10504 . - . ID=AT4G00020.1;Parent=AT4G00020
        Chr4 phytozome three_prime_UTR 2895 4106 . - . Parent=AT4G00020.1
        Chr4 phytozome CDS 4107 4172 . - 0 Parent=AT4G00020.1
        Chr4 phytozome CDS 4227 4438 . - 2 Parent=AT4G00020.1
        Chr4 phytozome five_prime_UTR 10400 10504 . - . Parent=AT4G00020.1
        Chr4 phytozome mRNA 3895 10504 . - . ID=AT4G00020.2;Parent=AT4G00020
        Chr4 phytozome three_prime_UTR 3895 4106 . - . Parent=AT4G00020.2
        Chr4 phytozome CDS 4107 4172 . - 0 Parent=AT4G00020.2
        Chr4 phytozome CDS 4231 4438 . - 1 Parent=AT4G00020.2
        Chr4 phytozome five_prime_UTR 10400 10504 . - . Parent=AT4G00020.2
        """,
    )
    assert shape(found)["AT4G00020"] == {
        "AT4G00020.1": ([(2895, 4172), (4227, 4438), (10400, 10504)], [(4107, 4172), (4227, 4438)]),
        "AT4G00020.2": ([(3895, 4172), (4231, 4438), (10400, 10504)], [(4107, 4172), (4231, 4438)]),
    }


def test_braker_gtf(tmp_path: Path) -> None:
    """AUGUSTUS/BRAKER GTF: bare IDs on gene and transcript lines; CDS with the stop codon; introns listed."""
    found = annotation(
        tmp_path,
        """
        chr1 AUGUSTUS gene 101 400 0.9 + . g1
        chr1 AUGUSTUS transcript 101 400 0.9 + . g1.t1
        chr1 AUGUSTUS start_codon 151 153 . + 0 transcript_id "g1.t1"; gene_id "g1";
        chr1 AUGUSTUS CDS 151 200 0.9 + 0 transcript_id "g1.t1"; gene_id "g1";
        chr1 AUGUSTUS exon 101 200 . + . transcript_id "g1.t1"; gene_id "g1";
        chr1 AUGUSTUS intron 201 300 1 + . transcript_id "g1.t1"; gene_id "g1";
        chr1 AUGUSTUS CDS 301 350 1 + 1 transcript_id "g1.t1"; gene_id "g1";
        chr1 AUGUSTUS exon 301 400 . + . transcript_id "g1.t1"; gene_id "g1";
        chr1 AUGUSTUS stop_codon 348 350 . + 0 transcript_id "g1.t1"; gene_id "g1";
        """,
        "braker.gtf",
    )
    assert found.dialect == "gtf"
    assert shape(found) == {"g1": {"g1.t1": TWO_EXONS}}
    assert found.genes[0].transcripts[0].score == 0.9
    assert not found.problems


def test_gtf_stop_codon_outside_the_cds(tmp_path: Path) -> None:
    """GTF 2.2 (Ensembl, NCBI, GeneMark): CDS without the stop codon, here split by an intron, on both strands."""
    found = annotation(
        tmp_path,
        """
        1 havana gene 101 400 . + . gene_id "A"; gene_biotype "protein_coding";
        1 havana transcript 101 400 . + . gene_id "A"; transcript_id "A.1"; transcript_biotype "protein_coding";
        1 havana exon 101 200 . + . gene_id "A"; transcript_id "A.1"; exon_number "1";
        1 havana CDS 151 199 . + 0 gene_id "A"; transcript_id "A.1"; note "a; b";
        1 havana exon 301 400 . + . gene_id "A"; transcript_id "A.1"; exon_number "2";
        1 havana stop_codon 200 200 . + 0 gene_id "A"; transcript_id "A.1";
        1 havana stop_codon 301 302 . + 2 gene_id "A"; transcript_id "A.1";
        1 havana five_prime_utr 101 150 . + . gene_id "A"; transcript_id "A.1";
        1 havana transcript 601 700 . - . gene_id "B"; transcript_id "B.1";
        1 havana exon 601 700 . - . gene_id "B"; transcript_id "B.1";
        1 havana CDS 634 693 . - 0 gene_id "B"; transcript_id "B.1";
        1 havana stop_codon 631 633 . - 0 gene_id "B"; transcript_id "B.1";
        """,
        "e.gtf",
    )
    assert shape(found) == {
        "A": {"A.1": ([(101, 200), (301, 400)], [(151, 200), (301, 302)])},
        "B": {"B.1": ([(601, 700)], [(631, 693)])},
    }
    assert found.genes[0].transcripts[0].type == "mRNA"
    assert not found.problems


def test_stringtie_gtf(tmp_path: Path) -> None:
    """StringTie: transcript and exon lines, no gene lines, no CDS, single exons without a strand."""
    found = annotation(
        tmp_path,
        """
        # StringTie version 2.2.1
        chr1 StringTie transcript 101 400 1000 + . gene_id "STRG.1"; transcript_id "STRG.1.1"; cov "3.2";
        chr1 StringTie exon 101 200 1000 + . gene_id "STRG.1"; transcript_id "STRG.1.1"; exon_number "1";
        chr1 StringTie exon 301 400 1000 + . gene_id "STRG.1"; transcript_id "STRG.1.1"; exon_number "2";
        chr1 StringTie transcript 901 950 1000 . . gene_id "STRG.2"; transcript_id "STRG.2.1";
        chr1 StringTie exon 901 950 1000 . . gene_id "STRG.2"; transcript_id "STRG.2.1"; exon_number "1";
        """,
        "s.gtf",
    )
    assert shape(found) == {"STRG.1": {"STRG.1.1": ([(101, 200), (301, 400)], [])}}
    assert {(f.code, f.gene) for f in found.problems} == {("no_strand", "STRG.2")}


def test_gtf_with_part_lines_alone(tmp_path: Path) -> None:
    """GeneMark and old AUGUSTUS: nothing but CDS (and exon) lines; genes by gene_id."""
    found = annotation(
        tmp_path,
        """
        chr1 GeneMark.hmm CDS 151 200 . + 0 gene_id "7_g"; transcript_id "7_t";
        chr1 GeneMark.hmm CDS 301 350 . + 1 gene_id "7_g"; transcript_id "7_t";
        chr1 GeneMark.hmm CDS 151 210 . + 0 gene_id "7_g"; transcript_id "8_t";
        """,
        "g.gtf",
    )
    assert shape(found) == {
        "7_g": {"7_t": ([(151, 200), (301, 350)], [(151, 200), (301, 350)]), "8_t": ([(151, 210)], [(151, 210)])}
    }


def test_helixer(tmp_path: Path) -> None:
    """Helixer: mRNA, exon, CDS and UTR lines; minus-strand genes listed 5' to 3'."""
    found = annotation(
        tmp_path,
        """
        ##gff-version 3
        chr1 Helixer gene 101 400 . - . ID=_chr1_000001
        chr1 Helixer mRNA 101 400 . - . ID=_chr1_000001.1;Parent=_chr1_000001
        chr1 Helixer exon 301 400 . - . ID=_chr1_000001.1.exon.1;Parent=_chr1_000001.1
        chr1 Helixer five_prime_UTR 351 400 . - . ID=_chr1_000001.1.five_prime_UTR.1;Parent=_chr1_000001.1
        chr1 Helixer CDS 301 350 . - 0 ID=_chr1_000001.1.CDS.1;Parent=_chr1_000001.1
        chr1 Helixer exon 101 200 . - . ID=_chr1_000001.1.exon.2;Parent=_chr1_000001.1
        chr1 Helixer CDS 151 200 . - 1 ID=_chr1_000001.1.CDS.2;Parent=_chr1_000001.1
        chr1 Helixer three_prime_UTR 101 150 . - . ID=_chr1_000001.1.three_prime_UTR.1;Parent=_chr1_000001.1
        """,
    )
    assert shape(found) == {"_chr1_000001": {"_chr1_000001.1": TWO_EXONS}}
    assert found.genes[0].transcripts[0].cds_phases == (1, 0)
    assert not found.problems


def test_maker(tmp_path: Path) -> None:
    """MAKER: contig and evidence lines between the genes, an embedded FASTA at the end."""
    found = annotation(
        tmp_path,
        """
        ##gff-version 3
        chr1 . contig 1 1000 . . . ID=chr1;Name=chr1
        chr1 maker gene 101 400 . + . ID=maker-1;Name=maker-1
        chr1 maker mRNA 101 400 . + . ID=maker-1-mRNA-1;Parent=maker-1;_AED=0.02;_QI=0|1|1|1|1|1|2|50|33
        chr1 maker exon 101 200 . + . ID=maker-1-mRNA-1:1;Parent=maker-1-mRNA-1
        chr1 maker exon 301 400 . + . ID=maker-1-mRNA-1:2;Parent=maker-1-mRNA-1
        chr1 maker CDS 151 200 . + 0 ID=maker-1-mRNA-1:cds;Parent=maker-1-mRNA-1
        chr1 maker CDS 301 350 . + 1 ID=maker-1-mRNA-1:cds;Parent=maker-1-mRNA-1
        chr1 repeatmasker match 500 600 2000 + . ID=chr1:hit:1;Name=species:x|genus:y
        chr1 repeatmasker match_part 500 600 2000 + . ID=chr1:hsp:1;Parent=chr1:hit:1
        ##FASTA
        >chr1
        ACGTACGT
        """,
    )
    assert shape(found) == {"maker-1": {"maker-1-mRNA-1": TWO_EXONS}}
    assert not found.problems


def test_transcript_lines_without_genes(tmp_path: Path) -> None:
    """gffread of a StringTie assembly: no gene lines, geneID on the transcripts; `transcript` instead of mRNA."""
    found = annotation(
        tmp_path,
        """
        chr1 StringTie transcript 101 400 . + . ID=S.1.1;geneID=S.1
        chr1 StringTie exon 101 200 . + . Parent=S.1.1
        chr1 StringTie exon 301 400 . + . Parent=S.1.1
        chr1 StringTie CDS 151 200 . + 0 Parent=S.1.1
        chr1 StringTie CDS 301 350 . + 1 Parent=S.1.1
        chr1 StringTie mRNA 101 200 . + . ID=S.1.2;geneID=S.1
        chr1 StringTie CDS 151 180 . + 0 Parent=S.1.2
        """,
    )
    assert shape(found) == {"S.1": {"S.1.1": TWO_EXONS, "S.1.2": ([(151, 180)], [(151, 180)])}}
    assert found.genes[0].transcripts[0].type == "mRNA"
    assert found.problem_counts == {"gene_made": 1, "exons_made": 1}


@pytest.mark.parametrize("order", ["reversed", "interleaved"])
def test_unsorted_and_interleaved_lines(tmp_path: Path, order: str) -> None:
    """Files put together with cat and sort: children before parents, two genes mixed."""
    text = gxf(
        """
        chr1 x gene 101 400 . + . ID=g1
        chr1 x gene 151 450 . - . ID=g2
        chr1 x mRNA 101 400 . + . ID=t1;Parent=g1
        chr1 x mRNA 151 450 . - . ID=t2;Parent=g2
        chr1 x exon 301 400 . + . Parent=t1
        chr1 x exon 351 450 . - . Parent=t2
        chr1 x exon 101 200 . + . Parent=t1
        chr1 x exon 151 250 . - . Parent=t2
        chr1 x CDS 301 350 . + 1 Parent=t1
        chr1 x CDS 351 400 . - 0 Parent=t2
        chr1 x CDS 151 200 . + 0 Parent=t1
        chr1 x CDS 201 250 . - 1 Parent=t2
        """
    )
    lines = text.splitlines()
    path = tmp_path / "u.gff3"
    path.write_text("\n".join(reversed(lines) if order == "reversed" else lines) + "\n")
    found = read_annotation(path)
    assert shape(found) == {
        "g1": {"t1": TWO_EXONS},
        "g2": {"t2": ([(151, 250), (351, 450)], [(201, 250), (351, 400)])},
    }
    assert not found.problems


def test_compressed_and_windows_line_ends(tmp_path: Path) -> None:
    """gzip, bgzip and CRLF hold the same genes as plain text; the suffix does not matter."""
    text = gxf(
        """
        ##gff-version 3
        chr1 x gene 101 400 . + . ID=g1
        chr1 x mRNA 101 400 . + . ID=t1;Parent=g1
        chr1 x CDS 151 200 . + 0 Parent=t1
        chr1 x CDS 301 350 . + 1 Parent=t1
        """
    )
    plain = tmp_path / "a.gff3"
    plain.write_text(text)
    (tmp_path / "a.gff3.gz").write_bytes(gzip.compress(text.encode()))
    (tmp_path / "crlf.gff3").write_bytes(text.replace("\n", "\r\n").encode())
    (tmp_path / "no_end.gff3").write_bytes(text.rstrip("\n").encode())
    pysam.tabix_compress(str(plain), str(tmp_path / "b.txt"))
    genes = read_annotation(plain).genes
    assert len(genes) == 1
    for name in ("a.gff3.gz", "crlf.gff3", "no_end.gff3", "b.txt"):
        assert read_annotation(tmp_path / name).genes == genes
