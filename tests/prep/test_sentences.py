"""GFF3 to gene sentences and back without loss, and what the table refuses."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.strategies import genes
from transgenic_tools.errors import BadInputError
from transgenic_tools.genome.gene import Gene
from transgenic_tools.io.gff3 import read_annotation, write_genes
from transgenic_tools.prep.sentences import convert, from_line, to_line
from transgenic_tools.provenance import Provenance

NAMES = st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc", "Zs", "Zl", "Zp")), min_size=1, max_size=8)


def structures(found: tuple[Gene, ...]) -> list[object]:
    return [
        (g.id, g.seqid, g.strand, g.interval, [(t.id, t.exons, t.cds, t.first_phase) for t in g.transcripts])
        for g in found
    ]


@given(genes(start=9), NAMES, NAMES, st.integers(0, 30))
def test_a_line_holds_the_gene(gene: Gene, name: str, seqid: str, flank: int) -> None:
    transcripts = tuple(replace(t, id=f"{name},{t.id}", seqid=seqid) for t in gene.transcripts)
    gene = replace(gene, id=name, seqid=seqid, transcripts=transcripts)
    line = to_line(gene, flank=flank, findings=[])
    assert line is not None
    assert structures((from_line(line),)) == structures((gene,))


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_gff3_to_sentences_to_gff3(data: st.DataObject, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("c")
    drawn = [data.draw(genes(name=f"g{i}", seqid=f"chr{i % 2}", start=3000 * i)) for i in range(3)]
    provenance = Provenance("test")
    write_genes(folder / "a.gff3", drawn, provenance=provenance)
    convert(folder / "a.gff3", folder / "a.gsf", flank=7)
    convert(folder / "a.gsf", folder / "b.gff3")
    first, again = read_annotation(folder / "a.gff3").genes, read_annotation(folder / "b.gff3").genes
    assert structures(again) == structures(first)
    # the writer sorts the lines of a gene, and so its transcripts
    sets = [
        {(g.id, t.id, t.exons, t.cds, t.first_phase) for g in some for t in g.transcripts} for some in (first, drawn)
    ]
    assert sets[0] == sets[1]


def test_what_a_sentence_cannot_hold_is_reported(tmp_path: Path) -> None:
    lines = ["c x gene 1 9 . + . ID=n", "c x ncRNA 1 9 . + . ID=n1;Parent=n", "c x exon 1 9 . + . Parent=n1"]
    text = "\n".join(line.replace(" ", "\t") for line in lines)
    (tmp_path / "a.gff3").write_text(text)
    done = convert(tmp_path / "a.gff3", tmp_path / "a.gsf")
    assert done.genes == 0
    assert [f.code for f in done.findings] == ["noncoding_transcript", "no_cds"]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("g\tc\t0\t9\t+", "5 columns"),
        ("g\tc\tx\t9\t+\t0\t9\tt\t0|CDS1|9|+|A>CDS1", "bad coordinates"),
        ("g\tc\t0\t9\t-\t0\t9\tt\t0|CDS1|9|+|A>CDS1", "strand"),
        ("g\tc\t0\t9\t+\t0\t9\tt,u\t0|CDS1|9|+|A>CDS1", "2 IDs for 1"),
        ("g\tc\t0\t9\t+\t0\t5\tt\t0|CDS1|9|+|A>CDS1", "leaves a window"),
        ("g\tc\t0\t9\t+\t0\t9\tt\tCDS", "not a gene sentence"),
    ],
)
def test_bad_tables_name_the_line(tmp_path: Path, line: str, words: str) -> None:
    path = tmp_path / "a.gsf"
    path.write_text(f"#gsf 1\nheader\n{line}\n")
    with pytest.raises(BadInputError, match=words) as caught:
        convert(path, tmp_path / "b.gff3")
    assert caught.value.line == 3
