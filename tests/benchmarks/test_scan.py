"""What the benchmark of bare genomes counts."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

from benchmarks import scan
from benchmarks.measure import AVX2, Cost
from benchmarks.scan import costs_of, mixed, shape_of
from transgenic_tools.genome.gene import Gene, Transcript
from transgenic_tools.genome.interval import Interval, Strand


def gene(name: str, start: int, end: int, strand: Strand = "+") -> Gene:
    part = (Interval(start, end),)
    return Gene(name, "region", strand, part[0], (Transcript(f"{name}.t", "region", strand, part, part),))


def test_split_fused_missed_and_false_genes() -> None:
    reference = [gene("a", 0, 900), gene("b", 1_000, 1_900), gene("c", 2_000, 2_900), gene("d", 4_000, 4_900)]
    transposon = replace(gene("t", 7_000, 7_900), attributes={"Note": ("transposable element gene",)})
    pseudogenes = [gene("p", 6_000, 6_900), transposon]
    predicted = [
        gene("1", 0, 300),  # a is split
        gene("2", 400, 900),
        gene("3", 1_000, 2_500),  # b and c are fused
        gene("4", 4_000, 4_900, "-"),  # d is missed: the other strand
        gene("5", 6_100, 6_200),
        gene("6", 7_100, 7_400),
    ]
    assert shape_of(predicted, reference, pseudogenes) == {
        "genes": 6, "missed": 1, "split": 1, "fused": 1, "none": 3, "in_pseudogenes": 2, "in_transposons": 1,
        "short": 1,
    }  # fmt: skip


def test_a_genome_of_pieces_has_its_size_and_the_pieces_of_the_real_one() -> None:
    bases = "".join(letter * scan.PIECE for letter in "ACGTN")
    made = mixed(bases, 1)
    pieces = [made[at : at + scan.PIECE] for at in range(0, len(made), scan.PIECE)]
    assert len(made) == 1_000_000
    assert all(len(set(piece)) == 1 for piece in pieces)
    assert sorted(piece[0] for piece in pieces) == sorted("ACGTN" * 2)
    assert made == mixed(bases, 1)
    assert made.count("AC") < 2 * 2  # not in their order


def test_costs_add_up_and_memory_is_the_largest() -> None:
    costs = {"scan": Cost(6.0, 9.0, 900.0), "generate": Cost(2.0, 3.0, 400.0)}
    assert costs_of(costs, 2.0) == {
        "cpu_seconds_per_mb": 4.0, "peak_rss_mb": 900.0, "by_tool": {"scan": [3.0, 900.0], "generate": [1.0, 400.0]},
    }  # fmt: skip


def test_instructions_are_switched_off_as_in_the_makefile() -> None:
    text = (Path(scan.__file__).parents[1] / "Makefile").read_text().replace("\\\n", "")
    line = re.search(r"^AVX2 := (.*)$", text, re.MULTILINE)
    assert line is not None
    assert dict(part.split("=", 1) for part in line[1].split()) == AVX2
