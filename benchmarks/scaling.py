"""`python -m benchmarks.scaling`: how time and memory grow with gene length (1 kb to 1 Mb) and number of genes.

In: a chromosome and test windows. Out: per length and per number: CPU seconds, peak memory, cost a base.
A surprise: start-up (interpreter, libraries, weights) is the median of a few runs on one 1 kb window, after one that
fills the caches, and is taken off every other time, since it is paid once a process and not once a base. A length that
is stopped at its limits is recorded with what it had used by then, and longer ones are not tried.
"""

from __future__ import annotations

import argparse
import json
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks import data
from benchmarks.measure import Cost, Limits
from benchmarks.ours import generate
from benchmarks.windows import Windows, read_windows, sample_evenly, tiles, total_bases
from transgenic_tools.errors import TransgenicError
from transgenic_tools.io.fasta import Fasta
from transgenic_tools.io.rows import GeneRow

log = logging.getLogger(__name__)
LENGTHS = (1_000, 5_000, 20_000, 100_000, 1_000_000)
#: Bases of one measurement: as many windows of one length as make this up (one where the window is longer).
BASES = 1_000_000
#: Runs of which start-up is the median, and whatever takes hardly longer than it: windows of fewer bases than `FEW`.
RUNS = 5
FEW = 500_000
NUMBERS = (10, 100, 1_000)
FIRST_BASE = 24_000_000
#: A measurement that passes these is recorded as failed.
LIMITS = Limits(cpu_seconds=300, data_mb=8_000, wall_seconds=1_200)


def _row(cost: Cost, start_up: Cost, windows: Sequence[GeneRow]) -> dict[str, Any]:
    seconds = max(cost.cpu_seconds - start_up.cpu_seconds, 0.0)
    bases = total_bases(windows)
    return {
        "windows": len(windows),
        "bases": bases,
        "cpu_seconds": round(seconds, 3),
        "microseconds_per_base": round(seconds / bases * 1e6, 3),
        "peak_rss_mb": round(cost.peak_rss_mb, 1),
    }


def _median(costs: Sequence[Cost]) -> Cost:
    return sorted(costs, key=lambda cost: cost.cpu_seconds)[len(costs) // 2]


def _measure(windows: Windows, start_up: Cost, *, work: Path, model: Path | None, limits: Limits) -> dict[str, Any]:
    runs = RUNS if total_bases(windows) < FEW else 1
    try:
        cost = _median([generate(windows, work=work, model=model, limits=limits) for _ in range(runs)])
        return _row(cost, start_up, windows)
    except TransgenicError as error:
        return {"windows": len(windows), "bases": total_bases(windows), "error": error.message.split(": ")[0]}


def scale(
    contig: str,
    seqid: str,
    test: Windows,
    *,
    work: Path,
    model: Path | None,
    lengths: Sequence[int] = LENGTHS,
    numbers: Sequence[int] = NUMBERS,
    bases: int = BASES,
    limits: Limits = LIMITS,
) -> dict[str, Any]:
    """The `scaling` part of results.json. A length that fails is recorded with its error and does not end the run."""
    one = tiles(contig, seqid, start=FIRST_BASE, length=1_000, count=1)
    start_up = _median([generate(one, work=work, model=model) for _ in range(1 + RUNS)][1:])
    by_length: dict[str, dict[str, Any]] = {}
    failed = 0
    for length in sorted(lengths):
        if failed:
            by_length[str(length)] = {"error": f"not tried: windows of {failed} bases did not end"}
            continue
        windows = tiles(contig, seqid, start=FIRST_BASE, length=length, count=max(1, bases // length))
        by_length[str(length)] = _measure(windows, start_up, work=work, model=model, limits=limits)
        failed = length if "error" in by_length[str(length)] else 0
        log.info("windows of %d bases: %s", length, by_length[str(length)])
    by_number = {}
    for number in numbers:
        by_number[str(number)] = _measure(sample_evenly(test, number), start_up, work=work, model=model, limits=limits)
        log.info("%d genes: %s", number, by_number[str(number)])
    return {"start_up": start_up.rounded(), "by_length": by_length, "by_number_of_genes": by_number}


def run_scaling(
    test: Windows, work: Path, *, model: Path | None, lengths: Sequence[int] = LENGTHS, numbers: Sequence[int] = NUMBERS
) -> dict[str, Any]:
    """`scale` on A. thaliana chromosome 1."""
    with Fasta(data.thaliana().fasta) as fasta:
        contig = fasta.fetch(data.THALIANA_SEQID)
    return scale(contig, data.THALIANA_SEQID, test, work=work, model=model, lengths=lengths, numbers=numbers)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scaling", description=__doc__)
    parser.add_argument("--lengths", type=int, nargs="*", default=LENGTHS, help="bases of a window")
    parser.add_argument("--numbers", type=int, nargs="*", default=NUMBERS, help="genes of the test split")
    parser.add_argument("--model", type=Path, help="model directory; the embedded model by default")
    parser.add_argument("--work", type=Path, default=Path(".cache/bench/scaling"), help="directory for temporary files")
    given = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    test = read_windows(data.prepare(data.thaliana(), "jittered", given.work.parent))
    found = run_scaling(test, given.work, model=given.model, lengths=given.lengths, numbers=given.numbers)
    print(json.dumps({"scaling": found}, indent=1))


if __name__ == "__main__":
    main()
