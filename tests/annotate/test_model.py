"""The package from Python: three lines, and what can be done with their result."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

import pytest

import transgenic_tools as tg
from transgenic_tools import automodel
from transgenic_tools.annotate.config import Config
from transgenic_tools.annotate.genes import Genes
from transgenic_tools.annotate.model import Model
from transgenic_tools.annotate.run import run
from transgenic_tools.errors import BadInputError, MissingInputError, UsageError
from transgenic_tools.io.fasta import Fasta
from transgenic_tools.io.gff3 import read_annotation


@pytest.fixture(scope="module")
def loaded(model: Path) -> Model:
    return tg.load(model, scan_model=model, device="cpu", precision="fp32")


@pytest.fixture
def genes(loaded: Model, here: Path) -> Genes:
    return loaded.annotate(here / "g.fa", annotation=here / "a.gff3")


def sequences(here: Path) -> dict[str, str]:
    with Fasta(here / "g.fa") as fasta:
        return {name: fasta.fetch(name) for name in fasta.names}


def test_the_answer_is_that_of_the_command(loaded: Model, here: Path, model: Path) -> None:
    """Scanned, from a file, from text by name: GFF3 and proteins as tg-annotate writes them, to the byte."""
    config = Config(
        fasta=here / "g.fa", outdir=here / "out", model=model, scan_model=model, device="cpu", precision="fp32",
        further=frozenset({"proteins", "cds"}),
    )  # fmt: skip
    written = run(config).annotation
    for genome in (here / "g.fa", str(here / "g.fa"), sequences(here)):
        genes = loaded.annotate(genome)
        assert genes.to_gff3() == written.read_text()
        for kind, end in (("protein", "pep.fa"), ("cds", "cds.fa")):
            assert genes.to_fasta(kind) == (here / "out" / "annotation" / f"g.{end}").read_text()  # type: ignore[arg-type]
    assert len(genes) > 1


def test_the_distance_from_home_is_that_of_the_header(genes: Genes) -> None:
    """The demo has too few genes to tell; a header that tells is read."""
    assert genes.distance is None
    told = {"distance": 0.5, "expected_accuracy": 0.6, "interval": [0.5, 0.7], "far": False}
    header = ["##gff-version 3", "# provenance " + json.dumps({"parameters": {"distance": told}})]
    assert Genes(genes, header=header).distance == told
    assert Genes(genes, header=header)[:1].distance == told
    assert Genes(genes).distance is None


def test_reads_take_part(loaded: Model, here: Path, model: Path) -> None:
    """From a sheet, as in tg-annotate."""
    config = Config(
        fasta=here / "g.fa", outdir=here / "out", model=model, scan_model=model, device="cpu", precision="fp32",
        regions=here / "r.bed", evidence=here / "e.csv",
    )  # fmt: skip
    genes = loaded.annotate(here / "g.fa", regions=here / "r.bed", evidence=here / "e.csv")
    assert genes.to_gff3() == run(config).annotation.read_text()
    assert "support_class=" in genes.to_gff3()
    for gene in genes:
        assert [one.id.rpartition(".t")[2] for one in gene.transcripts] == [
            str(number + 1) for number in range(len(gene.transcripts))
        ]


def test_one_sequence_as_text(loaded: Model, here: Path) -> None:
    bases = sequences(here)["chrA"]
    genes = loaded.annotate(bases.lower(), name="mine")
    assert {gene.seqid for gene in genes} == {"mine"}
    again = loaded.annotate({"mine": bases})
    assert again.to_gff3() == genes.to_gff3()


def test_regions_as_tuples_are_those_of_a_bed(loaded: Model, here: Path) -> None:
    rows = [line.split("\t") for line in (here / "r.bed").read_text().splitlines()]
    given = [(row[0], int(row[1]), int(row[2]), row[5]) for row in rows]
    by_tuples, by_file = (loaded.annotate(here / "g.fa", regions=regions) for regions in (given, here / "r.bed"))
    assert [gene.record.transcripts[0].structure() for gene in by_tuples] == [
        gene.record.transcripts[0].structure() for gene in by_file
    ]
    assert loaded.annotate(here / "g.fa", regions=[row[:3] for row in given])


def test_genes_know_their_parts(genes: Genes, here: Path) -> None:
    whole = sequences(here)
    for gene in genes:
        assert gene.bases == whole[gene.seqid][gene.interval.start : gene.interval.end]
        assert gene.score is not None
        for one in gene.transcripts:
            assert one.record.spliced(whole[gene.seqid], coding=True) == one.cds_sequence
            assert one.record.spliced(whole[gene.seqid]) == one.cdna
            assert len(one.protein) == one.record.cds_length // 3 - 1
            assert one.cds_sequence[:3] == "ATG"
            assert one.id in repr(one)
        assert [one.id for one in gene.known] == [f"{gene.record.attributes['source_gene'][0]}.1"]
    assert genes[genes[1].id] is genes[1]
    assert list(genes[1:3]) == list(genes)[1:3]
    with pytest.raises(KeyError, match="none"):
        genes["none"]
    assert f"{len(genes)} genes" in repr(genes)


def test_parts_of_the_genes_are_files_again(genes: Genes, tmp_path: Path) -> None:
    plus = genes.where(lambda gene: gene.strand == "+")
    assert 0 < len(plus) < len(genes)
    text = plus.to_gff3(tmp_path / "plus.gff3")
    assert (tmp_path / "plus.gff3").read_text() == text
    assert [gene.id for gene in read_annotation(tmp_path / "plus.gff3").genes] == [gene.id for gene in plus]
    (tmp_path / "one.gff3").write_text(genes[0].to_gff3())
    [one] = read_annotation(tmp_path / "one.gff3").genes
    assert one.transcripts == genes[0].record.transcripts


def test_tables_have_a_row_a_transcript(genes: Genes) -> None:
    table, frame = genes.to_table(), genes.to_dataframe()
    assert table.num_rows == len(frame) == sum(len(gene.transcripts) for gene in genes)
    assert list(frame.columns) == table.column_names
    first = frame.iloc[0]
    assert (first.gene_id, first.protein) == (genes[0].id, genes[0].transcripts[0].protein)
    assert (first.start, first.end) == tuple(vars_of(genes[0].transcripts[0].record.interval))
    empty = genes[:0]
    assert list(empty.to_dataframe().columns) == table.column_names
    assert empty.to_gff3().startswith("##gff-version 3\n")


def vars_of(interval: Any) -> tuple[int, int]:
    return interval.start, interval.end


def test_without_pandas_the_other_table_is_named(genes: Genes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(UsageError, match=r"to_table"):
        genes.to_dataframe()


def test_a_notebook_shows_a_picture(genes: Genes) -> None:
    picture = ElementTree.fromstring(genes[0]._repr_svg_())
    assert picture.tag.endswith("svg")
    text = " ".join(picture.itertext())
    assert genes[0].transcripts[0].id in text
    assert "Reference" in text
    assert "█" in str(genes[0])


def test_what_is_wrong_is_said(loaded: Model, here: Path) -> None:
    with pytest.raises(MissingInputError, match=r"none\.fa"):
        loaded.annotate("none.fa")
    with pytest.raises(UsageError, match="one word"):
        loaded.annotate("ACGT", name="a b")
    with pytest.raises(UsageError, match="--regions"):
        loaded.annotate(here / "g.fa", annotation=here / "a.gff3", regions=here / "r.bed")
    with pytest.raises(BadInputError):
        loaded.annotate(here / "a.gff3")
    with pytest.raises(UsageError, match="--num-beams"):
        tg.load(num_beams=0)
    with pytest.raises(MissingInputError):
        tg.load(here)


def test_the_text_of_a_fasta_is_a_genome(loaded: Model, here: Path) -> None:
    """As long as a file, so no path could be made of it."""
    text = (here / "g.fa").read_text()
    assert len(text) > 4096
    assert loaded.annotate("\n" + text).to_gff3() == loaded.annotate(here / "g.fa").to_gff3()


@pytest.mark.parametrize(
    ("genome", "said"),
    [
        ("", "sequence: the text is empty"),
        (" \n", "sequence: the text is empty"),
        ({}, "no sequence was given"),
        ({"a": ""}, "a: the text is empty"),
        ({"a": "ACGT", "b": "ACGT-ACGT"}, "b: the letter '-' is not a base"),
        ({5: "ACGT"}, "5 cannot be the name"),
        ("MKLVEEFWQRS" * 1000, "the letter 'L' is not a base"),
        ("MKLVEEF\nWQRS", "the letter 'L' is not a base"),
        (b"ACGT", "bytes instead of text"),
        (None, "NoneType instead of text"),
        (["ACGT"], "list instead of text"),
    ],
    ids=lambda value: None if isinstance(value, str) else repr(value),
)
def test_what_is_no_genome_is_said(loaded: Model, genome: Any, said: str) -> None:
    with pytest.raises(UsageError, match=re.escape(said)) as told:
        loaded.annotate(genome)
    assert told.value.hint


@pytest.mark.parametrize(
    "regions",
    [[], [("chrA", 5)], [("chrA", 9, 5)], [("chrA", -1, 5)], [("chrA", 0, 900, 1)], [("chrA", "x", 9)], [None]],
    ids=repr,
)
def test_what_is_no_region_is_said(loaded: Model, here: Path, regions: Any) -> None:
    with pytest.raises(UsageError, match="region"):
        loaded.annotate(here / "g.fa", regions=regions)


@pytest.mark.parametrize("setting", [{"decoding": "best"}, {"precision": "fp8"}, {"device": "gpu"}, {"threads": 0}])
def test_a_setting_that_is_unknown_is_said(model: Path, setting: dict[str, Any]) -> None:
    [(name, value)] = setting.items()
    with pytest.raises(UsageError, match=re.escape(f"{name} {value!r}")):
        tg.load(model, **setting)


def test_a_sequence_without_genes_is_an_empty_list(loaded: Model) -> None:
    assert len(loaded.annotate("N" * 2000)) == 0


@pytest.mark.slow
def test_the_blocks_of_the_pages_run(here: Path, model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(here)
    (here / "g.fa").rename("genome.fa")
    (here / "my_model").symlink_to(model)
    pages = (Path(__file__).parents[2] / name for name in ("README.md", "docs/python.md"))
    blocks = [
        block for page in pages for block in re.findall(r"^```python\n(.*?)^```", page.read_text(), flags=re.M | re.S)
    ]
    assert len(blocks) == 3
    names: dict[str, Any] = {}
    for block in blocks:
        exec(block, names)
    assert isinstance(names["genes"], Genes)
    assert type(names["network"]).__name__ == "TransgenicModel"


# -- imports -----------------------------------------------------------------------------------------------------------


def test_importing_the_package_loads_nothing_heavy() -> None:
    code = (
        "import sys, transgenic_tools; print(*{'torch', 'transformers', 'pyarrow', 'numpy', 'rich'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


@pytest.mark.slow
def test_automodel_knows_the_model_when_the_package_came_first(model: Path) -> None:
    code = (
        "import sys, transgenic_tools; assert 'transformers' not in sys.modules\n"
        "from transformers import AutoModel\n"
        f"print(type(AutoModel.from_pretrained({str(model)!r})).__name__)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "TransgenicModel", done.stderr


def test_automodel_knows_the_model_when_transformers_came_first(model: Path) -> None:
    from transformers import AutoConfig, AutoModel

    automodel.wait_for_transformers()
    assert AutoConfig.from_pretrained(model).model_type == "transgenic"
    assert type(AutoModel.from_pretrained(model)).__name__ == "TransgenicModel"
