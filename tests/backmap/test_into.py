"""New isoforms into annotations of every dialect that is read: added below the gene, all else byte for byte."""

from __future__ import annotations

import gzip
import os
from dataclasses import replace
from pathlib import Path

import pytest

from tests.backmap.builders import make_gene, row_of, shards_of
from transgenic_tools.backmap.config import Config
from transgenic_tools.backmap.run import Result, run
from transgenic_tools.errors import BadInputError
from transgenic_tools.genome.gene import Gene
from transgenic_tools.io.gff3 import read_annotation

GENE = make_gene("g", [(100, 200), (300, 400)], [(150, 200), (300, 340)])
NEW = make_gene("g", [(110, 200), (310, 390)], [(150, 200), (310, 341)]).transcripts[0]
SEQID = GENE.seqid

TEXT = f"""##gff-version 3
{SEQID}\tx\tgene\t101\t400\t.\t+\t.\tID=g
{SEQID}\tx\tmRNA\t101\t400\t.\t+\t.\tID=t;Parent=g
{SEQID}\tx\texon\t101\t200\t.\t+\t.\tID=e1;Parent=t
{SEQID}\tx\texon\t301\t400\t.\t+\t.\tID=e2;Parent=t
{SEQID}\tx\tCDS\t151\t200\t.\t+\t0\tID=c;Parent=t
{SEQID}\tx\tCDS\t301\t340\t.\t+\t1\tID=c;Parent=t
{SEQID}\tx\tintron\t201\t300\t.\t+\t.\tID=i;Parent=t
{SEQID}\tx\tgene\t2001\t2100\t.\t+\t.\tID=other
"""

#: How a file may be written.
DIALECTS = {
    "plain": TEXT,
    "blanks": TEXT.replace("=", " = ").replace(";", " ; "),
    "old Macs": TEXT.replace("\n", "\r"),
    "Windows": TEXT.replace("\n", "\r\n"),
    "no line end": TEXT[: TEXT.index(f"{SEQID}\tx\tgene\t2001")].rstrip("\n"),
    "below a parent": TEXT.replace("ID=g\n", "ID=g;Parent=region1\n"),
    "escaped seqid": TEXT.replace(f"{SEQID}\t", f"%{ord(SEQID[0]):02X}{SEQID[1:]}\t"),
    "quotes": "\n".join(
        line if line.startswith("#") else line[: line.rindex("\t") + 1] + '"' + line[line.rindex("\t") + 1 :] + '"'
        for line in TEXT.splitlines()
    )
    + "\n",
    "tabs at the end": TEXT.replace("\tID=c;Parent=t\n", "\tID=c;Parent=t\t\n"),
    "other letters": TEXT.replace("ID=", "id=").replace("Parent=", "parent="),
    "by order": "".join(line.split(";Parent=")[0] + "\n" for line in TEXT.splitlines()),
    "FASTA": TEXT + f"##FASTA\n>{SEQID}\nACGT\n",
}


def _into(folder: Path, content: str, predicted: Gene) -> Result:
    user = folder / "user.gff3"
    user.write_bytes(content.encode())
    shards = shards_of([row_of(predicted, right=200)], folder / "shards", count=1)
    return run(Config(predictions=(shards,), out=folder / "out.gff3", into=user))


@pytest.mark.parametrize("dialect", DIALECTS)
def test_new_isoforms_in_every_dialect(dialect: str, tmp_path: Path) -> None:
    content = DIALECTS[dialect]
    result = _into(tmp_path, content, replace(GENE, transcripts=(NEW,)))
    assert (result.genes, result.transcripts) == (1, 1)
    lines = result.out.read_bytes().splitlines(keepends=True)
    ours = [i for i, line in enumerate(lines) if b"transgenic_tools" in line or line.startswith(b"# provenance")]
    assert b"".join(line for i, line in enumerate(lines) if i not in ours).strip() == content.encode().strip()
    added = [i for i in ours if not lines[i].startswith(b"#")]
    assert added == list(range(added[0], added[0] + len(added)))
    before = lines[added[0] - 1]
    assert (
        b"intron" in before
        if "intron" in content and dialect not in ("other letters", "by order")
        else b"\tx\t" in before
    )
    end = content[len(content.rstrip("\r\n")) :] or "\n"
    assert all(lines[i].endswith(end.encode()) for i in ours)
    if dialect != "by order":
        genes = {gene.id: gene for gene in read_annotation(result.out).genes}
        found = {t.id: t.structure() for t in genes["g"].transcripts}
        assert found == {"t": GENE.transcripts[0].structure(), "g.tg1": NEW.structure()}


def test_compressed_in_and_out(tmp_path: Path) -> None:
    """The same bytes inside as without compression."""
    plain = _into(tmp_path, TEXT, replace(GENE, transcripts=(NEW,)))
    user = tmp_path / "user.gff3.gz"
    user.write_bytes(gzip.compress(TEXT.encode()))
    result = run(Config(predictions=(tmp_path / "shards",), out=tmp_path / "out.gff3.gz", into=user))
    assert gzip.decompress(result.out.read_bytes()) == plain.out.read_bytes()


def test_an_annotation_with_none_of_the_genes_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match="none of the 1 predicted genes") as caught:
        _into(tmp_path, TEXT.replace("=g", "=h"), GENE)
    assert caught.value.path == str(tmp_path / "user.gff3")
    assert not (tmp_path / "out.gff3").exists()


@pytest.mark.parametrize("lines", ["no gene line", "CDS below the gene", "CDS beside an empty mRNA"])
def test_a_gene_beside_whose_lines_none_can_stand_is_told(lines: str, tmp_path: Path) -> None:
    """A transcript with lines of its own beside CDS lines of the gene itself would hide these from every reader."""
    rows = TEXT.splitlines(keepends=True)
    content = {
        "no gene line": "".join(row for row in rows if "ID=g\n" not in row).replace("ID=t;Parent=g", "ID=t;gene_id=g"),
        "CDS below the gene": "".join(r for r in rows if "\tmRNA\t" not in r).replace("Parent=t", "Parent=g"),
        "CDS beside an empty mRNA": TEXT.replace("Parent=t", "Parent=g"),
    }[lines]
    first = read_annotation(_written(tmp_path / "first.gff3", content))
    assert [(gene.id, len(gene.transcripts)) for gene in first.genes if gene.transcripts] == [("g", 1)]
    second = content + TEXT.replace("##gff-version 3\n", "").replace("=g", "=h").replace("=t", "=u")
    user = _written(tmp_path / "user.gff3", second)
    both = [replace(GENE, id=name, transcripts=(NEW,)) for name in "gh"]
    shards = shards_of([row_of(gene, right=200) for gene in both], tmp_path / "shards", count=1)
    result = run(Config(predictions=(shards,), out=tmp_path / "out.gff3", into=user))
    assert (result.transcripts, result.rejects) == (1, {"no_parent_line": 1})
    after = {gene.id: [t.structure() for t in gene.transcripts] for gene in read_annotation(result.out).genes}
    assert after["g"] == [GENE.transcripts[0].structure()]
    with pytest.raises(BadInputError, match="none of the 1 predicted genes has a line of its own"):
        _into(tmp_path, content, replace(GENE, transcripts=(NEW,)))


def _written(path: Path, content: str) -> Path:
    path.write_text(content)
    return path


def test_an_annotation_from_a_pipe_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    shards = shards_of([row_of(GENE, right=200)], tmp_path / "shards", count=1)
    with pytest.raises(BadInputError, match="read more than once"):
        run(Config(predictions=(shards,), out=tmp_path / "out.gff3", into=tmp_path / "pipe"))


def test_all_formats_hold_the_augmented_annotation(tmp_path: Path) -> None:
    user = tmp_path / "user.gff3"
    away = f"{SEQID}\tx\tgene\t9001\t9100\t.\t+\t.\tID=away\n"
    user.write_text(TEXT + away)
    (tmp_path / "g.fa").write_text(f">{SEQID}\n{'ACGT' * 600}\n")
    shards = shards_of([row_of(replace(GENE, transcripts=(NEW,)), right=200)], tmp_path / "shards")
    names = {"gtf": "o.gtf", "bed": "o.bed", "proteins": "o.pep.fa", "cds": "o.cds.fa", "cdna": "o.cdna.fa"}
    files = {key: tmp_path / name for key, name in names.items()}
    given = {"fasta": tmp_path / "g.fa", "sites": tmp_path / "o.bw", **files}
    result = run(Config(predictions=(shards,), out=tmp_path / "out.gff3", into=user, **given))
    assert {path.name for path in result.files} == {"out.gff3", "o.bw", *names.values()}
    structures = {t.id: t.structure() for gene in read_annotation(result.out).genes for t in gene.transcripts}
    assert structures.keys() == {"t", "g.tg1"}
    assert {line.split("\t")[3] for line in files["bed"].read_text().splitlines()} == {"t", "g.tg1"}
    exons = {line.split("\t")[3]: line.split("\t")[10] for line in files["bed"].read_text().splitlines()}
    assert exons == {"t": "100,100", "g.tg1": "90,80"}
    for name in ("proteins", "cds", "cdna"):
        headers = [line for line in files[name].read_text().splitlines() if line.startswith(">")]
        assert [header.split()[0] for header in headers] == [">t", ">g.tg1"]
    gtf = files["gtf"].read_text()
    assert 'gene_id "other";' in gtf
    assert "away" not in gtf
    assert "away\tpast_contig_end" in result.rejects_path.read_text()
    assert "transgenic_tools\t" not in gtf  # most lines are the user's; the format has no place that says whose
