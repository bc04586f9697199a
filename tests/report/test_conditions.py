"""What the page says of conditions: table, picture, isoforms side by side."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from tests.backmap.builders import TEST
from tests.report.builders import predicted_genes, write_inputs
from transgenic_tools.errors import BadInputError
from transgenic_tools.io.differences import DifferenceRow, read_differences, write_differences
from transgenic_tools.io.gff3 import write_genes
from transgenic_tools.report.config import Source
from transgenic_tools.report.run import run


def row(gene: str, start: int, usage: float, against: float, **more: object) -> DifferenceRow:
    values = {
        "gene": gene, "event": "exon_skipping", "seqid": "chr1", "start": start, "end": start + 100, "strand": "+",
        "condition": "root", "against": "leaf", "usage": usage, "usage_against": against, **more,
    }  # fmt: skip
    return DifferenceRow(**values)  # type: ignore[arg-type]


def test_a_table_reads_back_as_it_was_written(tmp_path: Path) -> None:
    rows = [row("a", 1100, 0.25, 0.75, deviation=0.125, reads=7, reads_against=0), row("b", 3100, 1.0, 0.5)]
    assert write_differences(tmp_path / "d.tsv", rows) == 2
    assert list(read_differences(tmp_path / "d.tsv")) == rows
    (tmp_path / "e.tsv").write_text((tmp_path / "d.tsv").read_text().replace("1100", "eleven"))
    with pytest.raises(BadInputError, match=r"e\.tsv:2: no line of differences"):
        list(read_differences(tmp_path / "e.tsv"))
    (tmp_path / "f.tsv").write_text("gene\tevent\n")
    with pytest.raises(BadInputError, match="no column seqid"):
        list(read_differences(tmp_path / "f.tsv"))


def test_conditions_are_a_part_of_the_page_with_isoforms_side_by_side(tmp_path: Path) -> None:
    config = write_inputs(tmp_path)
    genes = predicted_genes()
    place = genes[0]
    seqid, sample = place.seqid, config.annotations[0].sample
    other = tmp_path / "other.gff3"
    write_genes(other, genes, provenance=TEST)
    start = place.interval.start
    rows = [
        row(
            "gene000",
            start + 100,
            0.2,
            0.9,
            deviation=0.05,
            seqid=seqid,
            strand=place.strand,
            reads=3,
            reads_against=41,
        ),
        row("<b>gene</b>", 900_000, 0.5, 0.48, deviation=0.2, seqid=seqid),
    ]
    write_differences(tmp_path / "d.tsv", rows)
    config = replace(
        config,
        annotations=(*config.annotations, Source("leaf", other)),
        differences=(Source(sample, tmp_path / "d.tsv"),),
    )
    run(config)
    page = config.out.read_text()
    part = page[page.index('<section id="conditions"') :]
    part = part[: part.index("</section>")]
    assert "From leaf to root: 2 introns of 2 genes change; 1 of them by more than twice the deviation" in part
    assert part.index("-0.700") < part.index("+0.020")  # the largest first
    assert "3 / 41" in part
    assert "exon skipped" in part
    assert "<b>gene" not in part
    assert len(re.findall("Isoforms side by side", part)) == 1
    for name in (sample, "leaf"):
        assert f">{name}: gene000.t1" in part
    bars = re.findall(r'<rect class="bar" x="([\d.]+)%" y="\d+" width="([\d.]+)%"', part)
    assert float(bars[0][1]) == pytest.approx(35 * float(bars[1][1]), rel=0.05)


def test_without_differences_the_page_is_as_before(tmp_path: Path) -> None:
    config = write_inputs(tmp_path)
    run(config)
    assert 'id="conditions"' not in config.out.read_text()
