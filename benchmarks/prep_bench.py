"""`python -m benchmarks.prep_bench`: tg-prep beside gffutils, DuckDB and AGAT on the same files, in one run.

In: A. thaliana chromosome 1 and a synthetic genome made here. Out: figures as one JSON object (the `prep` part of
benchmarks/results.json).
A surprise: every step is a process of its own, measured from outside, so start-up counts; tg-prep and gffutils run by
turns, and medians are given. Compiled Python files are kept in a cache of the benchmark, as on a machine where a tool
has been installed for a while.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import random
import shutil
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from benchmarks import data
from benchmarks.measure import Cost, run_measured
from transgenic_tools.provenance import Provenance

log = logging.getLogger("benchmarks")
ACCESS_GENES = 100_000
WINDOW_BASES = 2_500
LOOKUPS = 300
#: Bases of the synthetic contigs.
CONTIG_BASES = 100_000_000
GENE_SPACING = 50_000


@dataclass(frozen=True)
class Scale:
    """Size of the synthetic genome; the small one is timed too, to see whether time is linear in genes."""

    genes: int
    small_genes: int


FULL, QUICK = Scale(60_000, 15_000), Scale(4_000, 1_000)


@dataclass(frozen=True)
class Rounds:
    """Rounds of tg-prep and gffutils by turns, with so many runs of tg-prep in each."""

    number: int
    prep_each: int


FULL_ROUNDS, QUICK_ROUNDS = Rounds(3, 3), Rounds(1, 3)


# -- the steps, each run in a process of its own -----------------------------------------------------------------------


def gffutils_create(annotation: Path, database: Path) -> None:
    """The fastest documented settings for a file that has its gene and mRNA lines."""
    import gffutils

    gffutils.create_db(
        str(annotation), str(database), force=True, keep_order=False, merge_strategy="create_unique",
        disable_infer_genes=True, disable_infer_transcripts=True,
    )  # fmt: skip


def gffutils_iterate(database: Path) -> None:
    """Every gene with its transcripts, exons and CDS, as one reads it to cut windows."""
    import gffutils

    opened = gffutils.FeatureDB(str(database))
    genes = 0
    for gene in opened.features_of_type("gene"):
        genes += 1
        for child in opened.children(gene, featuretype=("mRNA", "exon", "CDS"), order_by="start"):
            _ = child.start
    print(genes)


def duckdb_load(shards: Path, database: Path) -> None:
    """The same table in a DuckDB file."""
    import duckdb

    database.unlink(missing_ok=True)
    with duckdb.connect(str(database)) as connection:
        connection.execute("SET threads = 1")
        connection.execute(f"CREATE TABLE genes AS SELECT * FROM read_parquet('{shards}/genes-*.parquet')")
        connection.execute("CHECKPOINT")


def _milliseconds(get: Callable[[str], object], names: Sequence[str]) -> float:
    """Median time of one look-up."""
    spent = []
    for name in names:
        began = time.perf_counter()
        get(name)
        spent.append(time.perf_counter() - began)
    return 1000 * statistics.median(spent)


def access(shards: Path, database: Path) -> None:
    """Random genes from the shards and from DuckDB (with an index on gene_id); prints JSON."""
    import duckdb

    from transgenic_tools.io.shards import ShardIndex

    names = [f"g{i}" for i in random.Random(1).sample(range(ACCESS_GENES), LOOKUPS)]
    began = time.perf_counter()
    index = ShardIndex(shards)
    opened = time.perf_counter() - began
    ours = _milliseconds(index.get, names)
    index.close()
    with duckdb.connect(str(database)) as connection:
        connection.execute("SET threads = 1")
        connection.execute("CREATE INDEX by_id ON genes (gene_id)")
        theirs = _milliseconds(
            lambda name: connection.execute("SELECT * FROM genes WHERE gene_id = ?", [name]).fetchone(), names
        )
    print(json.dumps({"open_ms": 1000 * opened, "ours_ms": ours, "duckdb_ms": theirs}))


def access_table(fasta: Path, shards: Path) -> None:
    """A shard set of ACCESS_GENES genes, windows of real DNA."""
    from transgenic_tools.io.fasta import Fasta
    from transgenic_tools.io.rows import GeneRow
    from transgenic_tools.io.shards import write_gene_shards

    rng = random.Random(7)
    with Fasta(fasta) as opened:
        seqid, length = next(iter(opened.lengths.items()))

        def rows() -> Iterator[GeneRow]:
            for number in range(ACCESS_GENES):
                start = rng.randrange(length - WINDOW_BASES)
                sequence = opened.fetch(seqid, start, start + WINDOW_BASES)
                yield GeneRow(
                    f"g{number}", "bench", seqid, start + 200, start + WINDOW_BASES - 200, "+", start,
                    start + WINDOW_BASES, sequence, "200|CDS1|500|+|A;700|CDS2|1000|+|A>CDS1|CDS2", 1, f"g{number}.1",
                )  # fmt: skip

        write_gene_shards(rows(), shards, provenance=Provenance("prep_bench"))


def synthetic(genes: int, fasta: Path, annotation: Path) -> None:
    """A genome with a gene every GENE_SPACING bases: two transcripts of six exons, in both strands by turns."""
    rng = random.Random(11)
    tile = "".join(rng.choices("ACGT", k=1 << 20))
    per_contig = CONTIG_BASES // GENE_SPACING
    with open(fasta, "w") as bases, open(annotation, "w") as lines:
        lines.write("##gff-version 3\n")
        for first in range(0, genes, per_contig):
            seqid = f"chr{first // per_contig + 1}"
            inside = min(per_contig, genes - first)
            bases.write(f">{seqid}\n")
            left = inside * GENE_SPACING
            while left:
                shift = rng.randrange(len(tile))
                piece = (tile[shift:] + tile[:shift])[:left]
                bases.write("\n".join(piece[i : i + 80] for i in range(0, len(piece), 80)) + "\n")
                left -= len(piece)
            for number in range(inside):
                lines.write(_gene_lines(seqid, f"G{first + number}", number * GENE_SPACING + 1000, "+-"[number % 2]))


def _gene_lines(seqid: str, name: str, start: int, strand: str) -> str:
    exons = [(start + 500 * i, start + 500 * i + 239) for i in range(6)]
    lines = [f"{seqid}\tx\tgene\t{start}\t{exons[-1][1]}\t.\t{strand}\t.\tID={name};gene_biotype=protein_coding"]
    for number, kept in enumerate((exons, exons[:2] + exons[3:]), start=1):
        transcript = f"{name}.{number}"
        lines.append(f"{seqid}\tx\tmRNA\t{start}\t{exons[-1][1]}\t.\t{strand}\t.\tID={transcript};Parent={name}")
        for low, high in kept:
            lines.append(f"{seqid}\tx\texon\t{low}\t{high}\t.\t{strand}\t.\tParent={transcript}")
            lines.append(f"{seqid}\tx\tCDS\t{low}\t{high}\t.\t{strand}\t0\tID={transcript}.cds;Parent={transcript}")
    return "\n".join(lines) + "\n"


STEPS: dict[str, Callable[..., None]] = {
    step.__name__: step for step in (gffutils_create, gffutils_iterate, duckdb_load, access, access_table, synthetic)
}


# -- the run -----------------------------------------------------------------------------------------------------------


class _Bench:
    """Runs steps and commands in processes of their own and keeps their output."""

    def __init__(self, work: Path) -> None:
        self.work = work
        work.mkdir(parents=True, exist_ok=True)
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
        os.environ["PYTHONPYCACHEPREFIX"] = str(work / "pycache")

    def command(self, *argv: str | Path) -> Cost:
        cost = run_measured(argv, stdout=self.work / "stdout", stderr=self.work / "stderr")
        log.info("%s: %.1f s CPU, %.0f MB", " ".join(map(str, argv[:4])), cost.cpu_seconds, cost.peak_rss_mb)
        return cost

    def step(self, step: Callable[..., None], *arguments: object) -> Cost:
        return self.command(
            sys.executable, "-m", "benchmarks.prep_bench", "--step", step.__name__, *map(str, arguments)
        )

    def output(self) -> str:
        return (self.work / "stdout").read_text()


def _size_mb(*paths: Path) -> float:
    return sum(path.stat().st_size for path in paths) / 1e6


def _median(costs: Sequence[Cost]) -> Cost:
    """Of each figure the median."""
    return Cost(**{f.name: statistics.median(getattr(cost, f.name) for cost in costs) for f in fields(Cost)})


def _by_turns(
    bench: _Bench, command: Sequence[str | Path], annotation: Path, database: Path, rounds: Rounds
) -> tuple[Cost, Cost, Cost, Cost]:
    """Medians of tg-prep with one thread and with two, of gffutils' `create_db` and of reading its database back.

    Each round runs tg-prep and then gffutils, so that a change of the machine's load meets both.
    """
    bench.command(*command)
    (bench.work / "summary.json").write_text(bench.output())
    one, two, create = list[Cost](), list[Cost](), list[Cost]()
    for _ in range(rounds.number):
        for _ in range(rounds.prep_each):
            one.append(bench.command(*command, "--threads", "1"))
            two.append(bench.command(*command, "--threads", "2"))
        create.append(bench.step(gffutils_create, annotation, database))
    return _median(one), _median(two), _median(create), bench.step(gffutils_iterate, database)


def _chromosome(bench: _Bench, figures: dict[str, Any], rounds: Rounds) -> None:
    """Chromosome 1: FASTA and GFF3 to shards, against gffutils' database of the GFF3 alone."""
    genome, prep = data.thaliana(), data.tool("tg-prep")
    shards, database = bench.work / "chr1", bench.work / "chr1.db"
    flags = ("--fasta", genome.fasta, "--annotation", genome.annotation, "--outdir", shards, "-q", "--json")
    ours, two, create, iterate = _by_turns(bench, (prep, "genes", *flags), genome.annotation, database, rounds)
    summary = json.loads((bench.work / "summary.json").read_text())
    figures |= {
        "load_average": os.getloadavg()[0],
        "chr1_genes": summary["genes"],
        "chr1_cpu_seconds": ours.cpu_seconds,
        "chr1_wall_seconds": ours.wall_seconds,
        "chr1_peak_rss_mb": ours.peak_rss_mb,
        "chr1_two_threads_wall_seconds": two.wall_seconds,
        "chr1_two_threads_cpu_seconds": two.cpu_seconds,
        "gffutils_create_cpu_seconds": create.cpu_seconds,
        "gffutils_create_wall_seconds": create.wall_seconds,
        "gffutils_iterate_cpu_seconds": iterate.cpu_seconds,
        "speedup_vs_gffutils": create.cpu_seconds / ours.cpu_seconds,
        "speedup_vs_gffutils_wall": create.wall_seconds / ours.wall_seconds,
        "speedup_vs_gffutils_wall_two_threads": create.wall_seconds / two.wall_seconds,
        "speedup_vs_gffutils_with_reading": (create.cpu_seconds + iterate.cpu_seconds) / ours.cpu_seconds,
        "gffutils_size_mb": _size_mb(database),
    }
    loaded = bench.step(duckdb_load, shards, bench.work / "chr1.duckdb")
    figures |= {
        "duckdb_load_cpu_seconds": loaded.cpu_seconds,
        "shards_size_mb": _size_mb(*shards.glob("*.parquet")),
        "duckdb_size_mb": _size_mb(bench.work / "chr1.duckdb"),
    }
    figures["size_of_duckdb_over_shards"] = figures["duckdb_size_mb"] / figures["shards_size_mb"]
    figures["agat"] = _agat(bench, genome.annotation, ours.cpu_seconds)


def _agat(bench: _Bench, annotation: Path, ours: float) -> str:
    script = shutil.which("agat_convert_sp_gxf2gxf.pl")
    if script is None:
        return "not installed (Debian has no package of it)"
    cost = bench.command(script, "--gff", annotation, "-o", bench.work / "agat.gff")
    return f"{cost.cpu_seconds:.0f} s CPU, {cost.cpu_seconds / ours:.0f} times as long"


def _genome(bench: _Bench, figures: dict[str, Any], scale: Scale) -> None:
    """A synthetic genome, twice: memory at full size, and seconds a gene at both sizes."""
    per_gene = []
    for genes in (scale.small_genes, scale.genes):
        fasta, annotation, out = (bench.work / f"synthetic{end}" for end in (".fa", ".gff3", ""))
        bench.step(synthetic, genes, fasta, annotation)
        cost = bench.command(
            data.tool("tg-prep"), "genes", "--fasta", fasta, "--annotation", annotation, "--outdir", out, "-q"
        )
        per_gene.append(1000 * cost.cpu_seconds / genes)
        figures |= {
            "genome_genes": genes,
            "genome_gigabases": genes * GENE_SPACING / 1e9,
            "genome_cpu_seconds": cost.cpu_seconds,
            "genome_wall_seconds": cost.wall_seconds,
            "genome_peak_rss_mb": cost.peak_rss_mb,
        }
        fasta.unlink()
        annotation.unlink()
        shutil.rmtree(out)
    figures["genome_ms_per_gene_small"], figures["genome_ms_per_gene"] = per_gene


def _access(bench: _Bench, figures: dict[str, Any]) -> None:
    """One gene among ACCESS_GENES, from shards and from DuckDB."""
    shards, database = bench.work / "access", bench.work / "access.duckdb"
    bench.step(access_table, data.thaliana().fasta, shards)
    bench.step(duckdb_load, shards, database)
    size = {"access_shards_mb": _size_mb(*shards.glob("*.parquet")), "access_duckdb_mb": _size_mb(database)}
    bench.step(access, shards, database)
    found = json.loads(bench.output())
    figures |= {
        "access_genes": ACCESS_GENES,
        "access_open_ms": found["open_ms"],
        "access_one_gene_ms": found["ours_ms"],
        "access_one_gene_duckdb_ms": found["duckdb_ms"],
        **size,
    }
    shutil.rmtree(shards)
    database.unlink()


def run_prep_bench(work: Path, *, quick: bool = False) -> dict[str, Any]:
    """All figures, as plain values.

    Args:
        work: Directory for temporary files; about 7 GB at full size.
        quick: A synthetic genome of 0.2 Gb instead of 3 Gb, and one round of tg-prep and gffutils.
    """
    bench = _Bench(work)
    figures: dict[str, Any] = {}
    _chromosome(bench, figures, QUICK_ROUNDS if quick else FULL_ROUNDS)
    _access(bench, figures)
    _genome(bench, figures, QUICK if quick else FULL)
    return {key: round(value, 3) if isinstance(value, float) else value for key, value in figures.items()}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.prep_bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a synthetic genome of 0.2 Gb instead of 3 Gb")
    parser.add_argument("--work", type=Path, default=Path(".cache/bench/prep"), help="directory for temporary files")
    parser.add_argument("--step", choices=STEPS, help=argparse.SUPPRESS)
    parser.add_argument("arguments", nargs="*", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.step:
        kinds = STEPS[given.step].__annotations__
        wanted = [kind for name, kind in kinds.items() if name != "return"]
        values = [int(a) if kind == "int" else Path(a) for a, kind in zip(given.arguments, wanted, strict=True)]
        STEPS[given.step](*values)
        return
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    print(json.dumps({"prep": run_prep_bench(given.work, quick=given.quick)}, indent=1))


if __name__ == "__main__":
    main()
