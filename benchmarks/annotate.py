"""tg-annotate on a stretch of a chromosome: what a whole command costs, for the README.

In: the public data package. Out: figures as JSON; with --record also benchmarks/results.json and README.md.
Usage: python -m benchmarks.annotate [--start 10000000] [--end 20000000] [--record]
One thread, every start and the report included; a run that nobody times comes first, so that kernels are compiled.
A surprise: only CPU time is told, since the clock of a machine that others use too says nothing. The model has learned
genes of this stretch; that costs no time and saves none.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.command import recording, run_figures
from benchmarks.data import thaliana, tool
from benchmarks.measure import Cost, run_measured
from benchmarks.scan import WARM, cut
from benchmarks.table import readme_markdown, rewrite
from transgenic_tools.genome.interval import Interval
from transgenic_tools.io.fasta import Fasta

ROOT = Path(__file__).parents[1]
OUT = Path(__file__).parent / "out" / "annotate"


def _annotate(fasta: Path, outdir: Path) -> Cost:
    shutil.rmtree(outdir, ignore_errors=True)
    command = (tool("tg-annotate"), fasta, "--out", outdir, "--device", "cpu", "--threads", "1")
    return run_measured(command, stdout=outdir.with_suffix(".out"), stderr=outdir.with_suffix(".err"))


def measure(part: Interval, outdir: Path) -> dict[str, Any]:
    """Cost of the stretch, and how many genes it has in the reference and in the result."""
    outdir.mkdir(parents=True, exist_ok=True)
    region, genes, _ = cut(thaliana(), part, outdir)
    with Fasta(region) as fasta:
        bases = fasta.lengths["region"]
        first = fasta.fetch("region", 0, min(WARM, bases))
    warm = outdir / "warm.fa"
    warm.write_text(f">region\n{first}\n", encoding="ascii")
    _annotate(warm, outdir / "warm")
    cost = _annotate(region, outdir / "whole")
    lines = (outdir / "whole" / "annotation" / "region.gff3").read_text().splitlines()
    return {
        "start": part.start, "bases": bases, "reference_genes": len(genes),
        "genes": sum("\tgene\t" in line for line in lines), **cost.rounded(),
    }  # fmt: skip


def record(figures: Mapping[str, Any]) -> None:
    """Into results.json and README.md."""
    with recording(ROOT) as results:
        results["annotate"] = dict(figures)
    rewrite(ROOT / "README.md", readme_markdown(results))


def main(argv: Sequence[str] | None = None) -> int:
    """Exit code of the command."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.annotate", description=__doc__)
    parser.add_argument("--start", type=int, default=10_000_000)
    parser.add_argument("--end", type=int, default=20_000_000)
    parser.add_argument("--outdir", type=Path, default=OUT)
    parser.add_argument("--record", action="store_true", help="write results.json and README.md")
    given = parser.parse_args(argv)
    part = Interval(given.start, given.end)
    return run_figures("benchmarks.annotate", lambda: measure(part, given.outdir), record if given.record else None)


if __name__ == "__main__":
    sys.exit(main())
