"""Same gene, same answer: on the other strand of a turned genome, and for any number of threads."""

from __future__ import annotations

import gzip
from dataclasses import replace
from pathlib import Path

from typer.testing import CliRunner

from tests.generate.conftest import DEMO
from tests.generate.test_predict import predictor
from transgenic_tools.cli.prep import app as prep_app
from transgenic_tools.genome.sequence import reverse_complement
from transgenic_tools.io.rows import GeneRow
from transgenic_tools.io.shards import read_shard
from transgenic_tools.model.transgenic import TransgenicModel


def test_threads_share_out_the_genes_without_changing_one(model: TransgenicModel, rows: list[GeneRow]) -> None:
    one, three = predictor(model), predictor(model)
    three.config = replace(three.config, threads=3)
    assert three.predict(rows) == one.predict(rows)


def turned_genome(directory: Path) -> tuple[Path, Path]:
    """The demo's slice read from its other end."""
    with gzip.open(DEMO / "athaliana_chr1_slice.fa.gz", "rt") as handle:
        name, *lines = handle.read().splitlines()
    sequence = "".join(lines)
    fasta = directory / "turned.fa"
    fasta.write_text(f"{name}\n{reverse_complement(sequence)}\n")
    size, other = len(sequence), {"+": "-", "-": "+"}
    out = []
    with gzip.open(DEMO / "athaliana_chr1_slice.gff3.gz", "rt") as handle:
        for line in handle:
            fields = line.rstrip("\n").split("\t")
            if len(fields) == 9:
                fields[3], fields[4] = str(size + 1 - int(fields[4])), str(size + 1 - int(fields[3]))
                fields[6] = other.get(fields[6], fields[6])
                out.append("\t".join(fields))
    gff3 = directory / "turned.gff3"
    gff3.write_text("##gff-version 3\n" + "\n".join(out) + "\n")
    return fasta, gff3


def test_the_reverse_complement_of_a_genome_gives_the_same_genes(model: TransgenicModel, tmp_path: Path) -> None:
    genes = []
    plain = (DEMO / "athaliana_chr1_slice.fa.gz", DEMO / "athaliana_chr1_slice.gff3.gz")
    for name, (fasta, gff3) in {"plain": plain, "turned": turned_genome(tmp_path)}.items():
        flags = ["--fasta", str(fasta), "--annotation", str(gff3), "--outdir", str(tmp_path / name), "--flank", "200"]
        result = CliRunner().invoke(prep_app, ["genes", *flags, "-q"])
        assert result.exit_code == 0, result.output
        genes.append({row.gene_id: row for row in read_shard(tmp_path / name)})
    assert genes[0].keys() == genes[1].keys()
    names = sorted(genes[0], key=lambda key: genes[0][key].bases)[:15]
    assert {genes[0][n].strand for n in names} == {"+", "-"}
    assert all(genes[0][n].strand != genes[1][n].strand for n in names)
    first, second = (predictor(model).predict([own[n] for n in names]) for own in genes)
    assert [(p.gsf or "").replace("|-|", "|+|") for p in first] == [(p.gsf or "").replace("|-|", "|+|") for p in second]
    assert [p.scores for p in first] == [p.scores for p in second]
