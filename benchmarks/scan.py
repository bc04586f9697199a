"""A bare genome: this project and AUGUSTUS on the test part of A. thaliana chromosome 1, both strands.

In: the public data package, Debian's augustus. Out: figures as JSON, files under benchmarks/out/scan.
Usage: python -m benchmarks.scan [--start 24000000] [--end N] [--tools transgenic augustus] [--growth 1 10] > scan.json
All of it takes about 12 CPU minutes. `transgenic_avx2` is this project as on a processor with AVX2 and nothing newer.
A surprise: the region is cut out and stands alone, so that no tool sees a base of what comes before it; genes that
begin before it count for nobody.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.data import Genome, thaliana, tool
from benchmarks.measure import AVX2, Cost, run_measured
from transgenic_tools.genome.gene import Gene, Transcript
from transgenic_tools.genome.hashing import stable_rng
from transgenic_tools.genome.interval import Interval, span
from transgenic_tools.io.fasta import Fasta
from transgenic_tools.io.gff3 import read_annotation
from transgenic_tools.io.gff3.writer import sort_key, write_genes
from transgenic_tools.provenance import Provenance

OUT = Path(__file__).parent / "out" / "scan"
AUGUSTUS = (
    "augustus", "--species=arabidopsis", "--strand=both", "--UTR=off", "--sample=0", "--genemodel=complete",
    "--gff3=on", "--protein=off",
)  # fmt: skip
TOOLS = ("transgenic", "transgenic_avx2", "augustus")
#: Bases of a piece of a genome that is put together from pieces.
PIECE = 100_000
#: Bases of the run that nobody times.
WARM = 60_000
#: Fewer coding bases make a short gene.
SHORT = 200


def cut(genome: Genome, part: Interval, outdir: Path) -> tuple[Path, list[Gene], list[Gene]]:
    """The part as a FASTA of its own, its coding genes, and its pseudogenes, in the part's coordinates."""
    with Fasta(genome.fasta) as fasta:
        seqid = fasta.names[0]
        part = Interval(part.start, min(part.end, fasta.lengths[seqid]))
        bases = fasta.fetch(seqid, part.start, part.end)
    path = outdir / "region.fa"
    path.write_text(f">region\n{bases}\n", encoding="ascii")
    inside = [
        _moved(gene, part.start) for gene in read_annotation(genome.annotation).genes if part.contains(gene.interval)
    ]
    pseudogenes = [gene for gene in inside if "pseudogene" in (gene.biotype or "")]
    return path, [gene for gene in inside if gene.coding_transcripts and gene not in pseudogenes], pseudogenes


def _moved(gene: Gene, offset: int) -> Gene:
    def there(intervals: Sequence[Interval]) -> tuple[Interval, ...]:
        return tuple(interval.shift(-offset) for interval in intervals)

    transcripts = tuple(replace(t, seqid="region", exons=there(t.exons), cds=there(t.cds)) for t in gene.transcripts)
    return replace(gene, seqid="region", interval=gene.interval.shift(-offset), transcripts=transcripts)


def _longest(gene: Gene) -> Gene:
    best = max(gene.coding_transcripts, key=lambda t: t.cds_length)
    return replace(gene, transcripts=(best,), interval=best.interval)


def run_ours(region: Path, outdir: Path, switches: Mapping[str, str] | None = None) -> tuple[Path, dict[str, Cost]]:
    """tg-scan, tg-generate, tg-backmap with the embedded models, one thread; the GFF3, and the cost of each tool."""
    gff3 = outdir / "transgenic.gff3"
    commands: dict[str, tuple[str | Path, ...]] = {
        "scan": (tool("tg-scan"), region, "--outdir", outdir / "loci", "--threads", "1"),
        "generate": (
            tool("tg-generate"), outdir / "loci", "--outdir", outdir / "predictions", "--device", "cpu", "--threads",
            "1", "--overwrite",
        ),
        "backmap": (tool("tg-backmap"), outdir / "predictions", "--fasta", region, "--out", gff3),
    }  # fmt: skip
    costs = {}
    for name, command in commands.items():
        costs[name] = run_measured(
            command, stdout=outdir / f"{name}.out", stderr=outdir / f"{name}.err", switches=switches
        )
        print(f"{outdir.name} {name}: {costs[name].rounded()}", file=sys.stderr)
    return gff3, costs


def run_augustus(region: Path, outdir: Path) -> tuple[Path, dict[str, Cost]]:
    """AUGUSTUS on both strands; its genes as this project reads them."""
    raw = outdir / "augustus.raw.gff3"
    return raw, {"augustus": run_measured((*AUGUSTUS, region), stdout=raw, stderr=outdir / "augustus.err")}


def _runner(name: str) -> Callable[[Path, Path], tuple[Path, dict[str, Cost]]]:
    if name == "augustus":
        return run_augustus
    return partial(run_ours, switches=AVX2 if name == "transgenic_avx2" else None)


def _warm(region: Path, folder: Path, name: str) -> None:
    """Run once on the first bases, so that kernels are compiled for these instructions before anything is timed."""
    with Fasta(region) as fasta:
        bases = fasta.fetch("region", 0, min(WARM, fasta.lengths["region"]))
    path = folder / "warm.fa"
    path.write_text(f">region\n{bases}\n", encoding="ascii")
    _runner(name)(path, folder)
    path.unlink()


def costs_of(costs: Mapping[str, Cost], megabases: float) -> dict[str, Any]:
    """CPU seconds a Mb and the peak of memory, of all and of each tool."""
    total = sum(cost.cpu_seconds for cost in costs.values())
    figures: dict[str, Any] = {
        "cpu_seconds_per_mb": round(total / megabases, 3),
        "peak_rss_mb": round(max(cost.peak_rss_mb for cost in costs.values()), 1),
    }
    if len(costs) > 1:
        figures["by_tool"] = {
            name: [round(cost.cpu_seconds / megabases, 3), round(cost.peak_rss_mb, 1)] for name, cost in costs.items()
        }
    return figures


def mixed(bases: str, megabases: int) -> str:
    """So many Mb of pieces of a real sequence in any order, some of them more than once where it is too short."""
    pieces = [bases[at : at + PIECE] for at in range(0, len(bases) - PIECE + 1, PIECE)]
    count = megabases * 1_000_000 // PIECE
    order: list[int] = []
    for turn in range(-(-count // len(pieces))):
        order += stable_rng("benchmarks.scan", turn).permutation(len(pieces)).tolist()
    return "".join(pieces[number] for number in order[:count])


def growth(sizes: Sequence[int], outdir: Path) -> dict[str, Any]:
    """Cost of genomes of so many Mb, each one sequence of shuffled pieces of the chromosome."""
    with Fasta(thaliana().fasta) as fasta:
        bases = fasta.fetch(fasta.names[0], 0, fasta.lengths[fasta.names[0]])
    figures = {}
    for size in sizes:
        folder = outdir / f"growth{size}"
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / "mixed.fa"
        path.write_text(f">mixed\n{mixed(bases, size)}\n", encoding="ascii")
        figures[str(size)] = costs_of(run_ours(path, folder)[1], size)
        path.unlink()
    return figures


def _coding(transcripts: Sequence[Transcript]) -> Interval:
    return span([part for transcript in transcripts for part in transcript.cds])


def _is_transposon(gene: Gene) -> bool:
    """By its note: RefSeq's annotation has transposons as pseudogenes, where it has them at all."""
    notes = (text for values in gene.attributes.values() for text in values)
    return any("transpos" in text.lower() for text in notes)


def shape_of(predicted: Sequence[Gene], reference: Sequence[Gene], pseudogenes: Sequence[Gene]) -> dict[str, int]:
    """Split and fused genes (coding parts of one strand that overlap), genes in pseudogenes and in transposons among
    them, short genes.
    """
    coded = [(gene, _coding(gene.coding_transcripts)) for gene in predicted if gene.coding_transcripts]
    touched = [0] * len(coded)
    split = missed = 0
    for gene in reference:
        place = _coding(gene.coding_transcripts)
        hits = [i for i, (other, there) in enumerate(coded) if other.strand == gene.strand and there.overlaps(place)]
        split += len(hits) > 1
        missed += not hits
        for i in hits:
            touched[i] += 1
    untouched = [there for (_, there), n in zip(coded, touched, strict=True) if not n]
    transposons = [gene for gene in pseudogenes if _is_transposon(gene)]

    def inside(places: Sequence[Gene]) -> int:
        return sum(any(one.interval.overlaps(there) for one in places) for there in untouched)

    return {
        "genes": len(coded),
        "missed": missed,
        "split": split,
        "fused": sum(n > 1 for n in touched),
        "none": len(untouched),
        "in_pseudogenes": inside(pseudogenes),
        "in_transposons": inside(transposons),
        "short": sum(max(t.cds_length for t in gene.coding_transcripts) < SHORT for gene, _ in coded),
    }


def _evaluated(reference: Path, prediction: Path, outdir: Path) -> dict[str, Any]:
    target = outdir / f"{prediction.stem}.{reference.stem}.json"
    command = (tool("tg-evaluate"), "--reference", reference, "--prediction", prediction, "--json", target, "--quiet")
    run_measured(command, stdout=outdir / "evaluate.out", stderr=outdir / "evaluate.err")
    metrics: dict[str, Any] = json.loads(target.read_text())
    return metrics


def measure(part: Interval, tools: Sequence[str], outdir: Path) -> dict[str, Any]:
    """Figures by tool, in the shape of results.json's `scan`."""
    outdir.mkdir(parents=True, exist_ok=True)
    region, genes, pseudogenes = cut(thaliana(), part, outdir)
    reference, longest = outdir / "reference.gff3", outdir / "longest.gff3"
    stamp = Provenance("benchmarks.scan")
    write_genes(reference, sorted(genes, key=sort_key), provenance=stamp)
    write_genes(longest, sorted(map(_longest, genes), key=sort_key), provenance=stamp)
    megabases = Fasta(region).lengths["region"] / 1e6
    found: dict[str, Any] = {"region": {"megabases": round(megabases, 3), "genes": len(genes)}}
    for name in tools:
        folder = outdir / name
        folder.mkdir(exist_ok=True)
        if name != "augustus":
            _warm(region, folder, name)
        gff3, costs = _runner(name)(region, folder)
        metrics = _evaluated(reference, gff3, folder)
        found[name] = {
            "cds": metrics["cds"],
            "gene_exact": metrics["gene_exact"],
            "isoform_recall_multi": metrics["isoform_recall_multi"],
            "exon_f1_vs_longest": _evaluated(longest, gff3, folder)["cds"]["exon"]["f1"],
            **shape_of(read_annotation(gff3).genes, genes, pseudogenes),
            **costs_of(costs, megabases),
        }
    for name in set(tools) - {"augustus"} if "augustus" in tools else ():
        ratio = found[name]["cpu_seconds_per_mb"] / found["augustus"]["cpu_seconds_per_mb"]
        found[name]["cpu_of_augustus"] = round(ratio, 3)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scan", description=__doc__)
    parser.add_argument("--start", type=int, default=24_000_000)
    parser.add_argument("--end", type=int, default=10**9)
    parser.add_argument("--tools", nargs="+", choices=TOOLS, default=list(TOOLS))
    parser.add_argument("--growth", nargs="*", type=int, default=[1, 10, 30], help="Mb of genomes put together")
    parser.add_argument("--outdir", type=Path, default=OUT)
    given = parser.parse_args()
    figures = measure(Interval(given.start, given.end), given.tools, given.outdir)
    if given.growth:
        figures["growth"] = growth(given.growth, given.outdir)
    print(json.dumps(figures, indent=1, sort_keys=True))


if __name__ == "__main__":
    main()
