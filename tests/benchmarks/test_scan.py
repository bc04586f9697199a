"""What the benchmark of bare genomes counts."""

from __future__ import annotations

from benchmarks.scan import shape_of
from transgenic_tools.genome.gene import Gene, Transcript
from transgenic_tools.genome.interval import Interval, Strand


def gene(name: str, start: int, end: int, strand: Strand = "+") -> Gene:
    part = (Interval(start, end),)
    return Gene(name, "region", strand, part[0], (Transcript(f"{name}.t", "region", strand, part, part),))


def test_split_fused_missed_and_false_genes() -> None:
    reference = [gene("a", 0, 900), gene("b", 1_000, 1_900), gene("c", 2_000, 2_900), gene("d", 4_000, 4_900)]
    pseudogenes = [gene("p", 6_000, 6_900)]
    predicted = [
        gene("1", 0, 300),  # a is split
        gene("2", 400, 900),
        gene("3", 1_000, 2_500),  # b and c are fused
        gene("4", 4_000, 4_900, "-"),  # d is missed: the other strand
        gene("5", 6_100, 6_200),
    ]
    assert shape_of(predicted, reference, pseudogenes) == {
        "genes": 5, "missed": 1, "split": 1, "fused": 1, "none": 2, "in_pseudogenes": 1, "short": 1,
    }  # fmt: skip
