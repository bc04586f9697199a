"""Evidence looked up by window: on the window's strand, in its coordinates, weighted, of the locus alone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from transgenic_tools.genome.interval import Interval
from transgenic_tools.genome.reading import Reading
from transgenic_tools.genome.shortened import Shortened
from transgenic_tools.genome.window import Window
from transgenic_tools.io.junctions import (
    CHAIN,
    JUNCTION,
    UNSPLICED,
    EvidenceFile,
    EvidenceOfWindows,
    EvidenceRow,
    InputInfo,
    write_evidence,
)
from transgenic_tools.provenance import Provenance


@pytest.fixture
def evidence(tmp_path: Path) -> EvidenceFile:
    def row(start: int, end: int, strand: str, inputs: tuple[int, ...], counts: tuple[int, ...]) -> EvidenceRow:
        return EvidenceRow(
            kind=JUNCTION,
            seqid="a",
            start=start,
            end=end,
            strand=strand,
            introns=(),
            inputs=inputs,
            counts=counts,  # type: ignore[arg-type]
        )

    rows = [
        row(100, 200, "+", (0, 1), (5, 3)),
        row(150, 400, "-", (1,), (2,)),
        row(300, 400, "+", (0,), (7,)),
        EvidenceRow(
            kind=CHAIN, seqid="a", start=50, end=600, strand="+", introns=(100, 200, 300, 400, 450, 500), inputs=(1,),
            counts=(4,),
        ),
        row(450, 500, "+", (1,), (1,)),
    ]  # fmt: skip
    inputs = [
        InputInfo(name="leaf", kind="intron_gff", condition="green", weight=1.0, sha256="0"),
        InputInfo(name="root", kind="intron_gff", condition="white", weight=0.5, sha256="1"),
    ]
    path = tmp_path / "e.parquet"
    write_evidence(path, rows, inputs=inputs, provenance=Provenance("tg-evidence"))
    return EvidenceFile(path)


def test_a_window_on_the_plus_strand(evidence: EvidenceFile) -> None:
    found = EvidenceOfWindows(evidence).of(Reading(Window("a", 90, 460, "+")), Interval(100, 450))
    assert found is not None
    assert list(zip(found.start.tolist(), found.end.tolist(), found.reads.tolist(), strict=True)) == [
        (10, 110, 6.5),
        (210, 310, 7.0),
    ]
    assert found.inputs.tolist() == [2, 1]
    assert list(zip(found.exon_start.tolist(), found.exon_end.tolist(), found.exon_chains.tolist(), strict=True)) == [
        (110, 210, 2.0),
        (310, 360, 2.0),
    ]


def test_a_window_on_the_minus_strand_is_mirrored(evidence: EvidenceFile) -> None:
    found = EvidenceOfWindows(evidence).of(Reading(Window("a", 90, 460, "-")), Interval(100, 450))
    assert found is not None
    assert (found.start.tolist(), found.end.tolist()) == ([60], [310])


def test_where_nothing_touches_the_locus_there_is_none(evidence: EvidenceFile) -> None:
    windows = EvidenceOfWindows(evidence)
    assert windows.of(Reading(Window("a", 1_000, 2_000, "+")), Interval(1_100, 1_900)) is None
    assert windows.of(Reading(Window("b", 0, 2_000, "+")), Interval(100, 1_900)) is None
    assert windows.of(Reading(Window("a", 0, 600, "+")), Interval(200, 300)) is None  # it lies between two junctions


def test_junctions_of_neighbours_are_left_out(evidence: EvidenceFile) -> None:
    found = EvidenceOfWindows(evidence).of(Reading(Window("a", 0, 600, "+")), Interval(250, 390))
    assert found is not None
    assert (found.start.tolist(), found.end.tolist()) == ([300], [400])


def test_an_input_without_weight_shows_nothing(tmp_path: Path) -> None:
    row = EvidenceRow(
        kind=JUNCTION, seqid="a", start=100, end=200, strand="+", introns=(), inputs=(0, 1), counts=(5, 3)
    )  # fmt: skip
    for weights, expected in (((1.0, 0.0), (5.0, 1)), ((0.0, 2.0), (6.0, 1)), ((0.0, 0.0), None)):
        inputs = [
            InputInfo(name=str(i), kind="intron_gff", condition=None, weight=weight, sha256="0")
            for i, weight in enumerate(weights)
        ]
        path = tmp_path / "e.parquet"
        write_evidence(path, [row], inputs=inputs, provenance=Provenance("tg-evidence"))
        found = EvidenceOfWindows(EvidenceFile(path)).of(Reading(Window("a", 0, 400, "+")), Interval(90, 300))
        assert (None if found is None else (found.reads.tolist()[0], found.inputs.tolist()[0])) == expected


def test_a_shortened_window_keeps_the_junctions_whose_ends_it_keeps(evidence: EvidenceFile) -> None:
    reading = Reading(Window("a", 90, 460, "+"), Shortened((Interval(0, 60), Interval(90, 370))))
    found = EvidenceOfWindows(evidence).of(reading, Interval(100, 450))
    assert found is not None
    assert list(zip(found.start.tolist(), found.end.tolist(), strict=True)) == [(10, 80), (180, 280)]
    reading = Reading(Window("a", 90, 460, "+"), Shortened((Interval(0, 60), Interval(210, 370))))
    found = EvidenceOfWindows(evidence).of(reading, Interval(100, 450))
    assert found is not None
    assert list(zip(found.start.tolist(), found.end.tolist(), strict=True)) == [(60, 160)]


@pytest.mark.parametrize("strand", ["+", "-"])
def test_unspliced_reads_stand_beside_the_ends_of_junctions(tmp_path: Path, strand: str) -> None:
    def row(kind: str, start: int, end: int, counts: tuple[int, ...]) -> EvidenceRow:
        return EvidenceRow(
            kind=kind, seqid="a", start=start, end=end, strand=strand, introns=(), inputs=(0, 1)[: len(counts)],  # type: ignore[arg-type]
            counts=counts,
        )  # fmt: skip

    rows = [
        row(UNSPLICED, 99, 101, (4, 6)),
        row(JUNCTION, 100, 200, (5, 3)),
        row(UNSPLICED, 299, 301, (2,)),
        row(JUNCTION, 300, 400, (7,)),
        row(UNSPLICED, 399, 401, (8,)),
    ]
    inputs = [
        InputInfo(name=str(number), kind="alignments", condition=None, weight=weight, sha256="0")
        for number, weight in enumerate((1.0, 0.5))
    ]
    path = tmp_path / "e.parquet"
    write_evidence(path, rows, inputs=inputs, provenance=Provenance("tg-evidence"))
    window = Reading(Window("a", 90, 460, strand))  # type: ignore[arg-type]
    found = EvidenceOfWindows(EvidenceFile(path)).of(window, Interval(100, 450))
    assert found is not None
    assert found.unspliced is not None
    by_start = found.unspliced.tolist()
    assert by_start == ([[7.0, 2.0], [0.0, 8.0]] if strand == "+" else [[8.0, 0.0], [2.0, 7.0]])
    shortened = replace(window, shortened=Shortened((Interval(0, 60), Interval(90, 370))))
    if strand == "+":
        found = EvidenceOfWindows(EvidenceFile(path)).of(shortened, Interval(100, 450))
        assert found is not None
        assert found.unspliced is not None
        assert found.unspliced.tolist() == by_start


def test_a_file_without_counts_of_unspliced_reads_has_none(evidence: EvidenceFile) -> None:
    found = EvidenceOfWindows(evidence).of(Reading(Window("a", 90, 460, "+")), Interval(100, 450))
    assert found is not None
    assert found.unspliced is None


def test_of_very_many_junctions_the_strongest_count(tmp_path: Path) -> None:
    rows = [
        EvidenceRow(
            kind=JUNCTION, seqid="a", start=100 + i, end=300, strand="+", introns=(), inputs=(0,), counts=(1 + i % 50,)
        )
        for i in range(100)
    ]  # fmt: skip
    source = InputInfo(name="x", kind="intron_gff", condition=None, weight=1.0, sha256="0")
    write_evidence(tmp_path / "e.parquet", rows, inputs=[source], provenance=Provenance("tg-evidence"))
    found = EvidenceOfWindows(EvidenceFile(tmp_path / "e.parquet")).of(
        Reading(Window("a", 0, 1_000, "+")), Interval(50, 900)
    )
    assert found is not None
    assert len(found) == 24
    assert found.reads.min() == 39
    assert (np.diff(found.start) > 0).all()
