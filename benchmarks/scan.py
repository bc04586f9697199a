"""A bare genome: this project and AUGUSTUS on the test part of A. thaliana chromosome 1, both strands.

In: the public data package, Debian's augustus. Out: figures as JSON, files under benchmarks/out/scan.
Usage: python -m benchmarks.scan [--start 24000000] [--end N] [--tools transgenic augustus] > scan.json
A surprise: the region is cut out and stands alone, so that no tool sees a base of what comes before it; genes that
begin before it count for nobody.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks.data import Genome, thaliana, tool
from benchmarks.measure import Cost, run_measured
from transgenic_tools.genome.gene import Gene, Transcript
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
TOOLS = ("transgenic", "augustus")
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


def run_ours(region: Path, outdir: Path) -> tuple[Path, Cost]:
    """tg-scan, tg-generate, tg-backmap with the embedded models, one thread."""
    gff3 = outdir / "transgenic.gff3"
    commands: dict[str, tuple[str | Path, ...]] = {
        "scan": (tool("tg-scan"), region, "--outdir", outdir / "loci", "--threads", "1"),
        "generate": (
            tool("tg-generate"), outdir / "loci", "--outdir", outdir / "predictions", "--device", "cpu", "--threads",
            "1", "--overwrite",
        ),
        "backmap": (tool("tg-backmap"), outdir / "predictions", "--fasta", region, "--out", gff3),
    }  # fmt: skip
    total = Cost(0.0, 0.0, 0.0)
    for name, command in commands.items():
        cost = run_measured(command, stdout=outdir / f"{name}.out", stderr=outdir / f"{name}.err")
        print(f"{name}: {cost.rounded()}", file=sys.stderr)
        total = total.plus(cost)
    return gff3, total


def run_augustus(region: Path, outdir: Path) -> tuple[Path, Cost]:
    """AUGUSTUS on both strands; its genes as this project reads them."""
    raw = outdir / "augustus.raw.gff3"
    return raw, run_measured((*AUGUSTUS, region), stdout=raw, stderr=outdir / "augustus.err")


def _coding(transcripts: Sequence[Transcript]) -> Interval:
    return span([part for transcript in transcripts for part in transcript.cds])


def shape_of(predicted: Sequence[Gene], reference: Sequence[Gene], pseudogenes: Sequence[Gene]) -> dict[str, int]:
    """Split and fused genes (coding parts of one strand that overlap), genes in pseudogenes, short genes."""
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
    in_pseudogenes = sum(any(p.interval.overlaps(there) for p in pseudogenes) for there in untouched)
    return {
        "genes": len(coded),
        "missed": missed,
        "split": split,
        "fused": sum(n > 1 for n in touched),
        "none": len(untouched),
        "in_pseudogenes": in_pseudogenes,
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
        gff3, cost = (run_ours if name == "transgenic" else run_augustus)(region, outdir)
        metrics = _evaluated(reference, gff3, outdir)
        found[name] = {
            "cds": metrics["cds"],
            "gene_exact": metrics["gene_exact"],
            "isoform_recall_multi": metrics["isoform_recall_multi"],
            "exon_f1_vs_longest": _evaluated(longest, gff3, outdir)["cds"]["exon"]["f1"],
            **shape_of(read_annotation(gff3).genes, genes, pseudogenes),
            "cpu_seconds_per_mb": round(cost.cpu_seconds / megabases, 3),
            "peak_rss_mb": round(cost.peak_rss_mb, 1),
        }
    return found


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scan", description=__doc__)
    parser.add_argument("--start", type=int, default=24_000_000)
    parser.add_argument("--end", type=int, default=10**9)
    parser.add_argument("--tools", nargs="+", choices=TOOLS, default=list(TOOLS))
    parser.add_argument("--outdir", type=Path, default=OUT)
    given = parser.parse_args()
    print(json.dumps(measure(Interval(given.start, given.end), given.tools, given.outdir), indent=1, sort_keys=True))


if __name__ == "__main__":
    main()
