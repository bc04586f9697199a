"""This project's tools on the benchmark's windows: tg-generate, then tg-backmap.

In: windows. Out: a GFF3 file and the cost of both commands together.
A surprise: nothing but compiled kernels is kept between runs, and start-up is part of the cost, as for the peers.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

from benchmarks.data import tool
from benchmarks.measure import NO_LIMITS, Cost, Limits, run_measured
from benchmarks.windows import write_shards
from transgenic_tools.io.rows import GeneRow


def run_ours(
    windows: Sequence[GeneRow],
    gff3: Path,
    *,
    work: Path,
    model: Path | None,
    fasta: Path | None = None,
    more: Sequence[str] = (),
    switches: Mapping[str, str] | None = None,
) -> Cost:
    """Predict and map back, with the genome where it is given; `gff3` is written.

    Args:
        more: Further flags of tg-generate.
        switches: Of the environment, for instructions that are not to be used.
    """
    genome = () if fasta is None else ("--fasta", fasta)
    cost = generate(windows, work=work, model=model, more=more, switches=switches)
    return cost.plus(backmap(gff3, work=work, more=genome, switches=switches))


@cache
def _compile_kernels(switches: frozenset[tuple[str, str]]) -> None:
    """Once, before anything is timed: after a change of their sources the first tg-generate would compile them."""
    command = [sys.executable, "-m", "transgenic_tools.generate.kernels"]
    subprocess.run(command, check=True, env={**os.environ, **dict(switches)})


def generate(
    windows: Sequence[GeneRow],
    *,
    work: Path,
    model: Path | None,
    limits: Limits = NO_LIMITS,
    more: Sequence[str] = (),
    switches: Mapping[str, str] | None = None,
) -> Cost:
    """tg-generate alone, into `work/predictions`; `more` are further flags, `switches` as of `run_ours`."""
    _compile_kernels(frozenset((switches or {}).items()))
    shutil.rmtree(work, ignore_errors=True)
    shards = write_shards(windows, work / "shards")
    which = () if model is None else ("--model", model)
    command = (
        tool("tg-generate"),
        *shards,
        *which,
        "--outdir",
        work / "predictions",
        "--device",
        "cpu",
        "--threads",
        "1",
        "--min-region",  # these windows are known to hold genes
        "0",
        *more,
    )
    return run_measured(
        command, stdout=work / "generate.out", stderr=work / "generate.err", limits=limits, switches=switches
    )


def backmap(
    gff3: Path, *, work: Path, more: Sequence[str | Path] = (), switches: Mapping[str, str] | None = None
) -> Cost:
    """tg-backmap alone, from `work/predictions`; `more` are further flags, `switches` as of `run_ours`."""
    gff3.parent.mkdir(parents=True, exist_ok=True)
    command = (tool("tg-backmap"), work / "predictions", "--out", gff3, "--rejects", work / "rejects.tsv", *more)
    return run_measured(command, stdout=work / "backmap.out", stderr=work / "backmap.err", switches=switches)
