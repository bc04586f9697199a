"""Junctions of real reads: half of the tissues guide, the others judge what the annotation does not hold.

In: introns in GFF3 with `tissue=` in column 9 and reads in column 6, `Chr1` for the chromosome, of its first bases.
Out: figures of the genes at odd places along it; those at even places are for fitting.
A surprise: this part of the chromosome is training data of the embedded model, so figures against the annotation are
those of genes that it has seen; the judgement of new introns is not touched by that.
"""

from __future__ import annotations

import shutil
import sys
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import transgenic_tools
from benchmarks.data import THALIANA_SEQID, Genome, prepare
from benchmarks.evidence_inputs import gather
from benchmarks.evidence_tools import WITHOUT, Tools, headline, log
from benchmarks.measure import run_measured
from benchmarks.windows import Windows, read_windows, sample_evenly, write_shards
from transgenic_tools.genome.gene import Gene
from transgenic_tools.genome.interval import Strand
from transgenic_tools.io.files import open_text
from transgenic_tools.io.gff3 import read_annotation
from transgenic_tools.io.rows import GeneRow

EMBEDDED = Path(transgenic_tools.__file__).parent / "assets" / "model"
#: Validation genes with drawn counts beside the half of the genes that weights are fitted on.
DRAWN = 100
#: Bases of the chromosome that the file speaks of.
END = 304_277
#: Tissues in the order of the alphabet: the first ones guide.
GUIDING = 6
#: Reads of an intron that the annotation does not hold, in the judging tissues together, from which it counts as there.
STRONG = 10
Place = tuple[int, int, Strand]


def read_tissues(path: Path) -> dict[str, list[str]]:
    """Lines of the file by tissue."""
    found: dict[str, list[str]] = defaultdict(list)
    with open_text(path) as handle:
        for raw in handle:
            line = raw.decode("ascii").rstrip("\n")
            if not line.startswith("#"):
                found[line.rpartition("tissue=")[2].split(";")[0]].append(line)
    return dict(sorted(found.items()))


def introns_in(lines: Sequence[str]) -> Counter[Place]:
    """Reads by intron."""
    counts: Counter[Place] = Counter()
    for line in lines:
        fields = line.split("\t")
        counts[int(fields[3]) - 1, int(fields[4]), "+" if fields[6] == "+" else "-"] += int(fields[5])
    return counts


def genes_of_part(genome: Genome, cache: Path, part: str) -> Windows:
    """Windows of the genes in the file's stretch: every second one, `fit` from the first on, `test` from the second."""
    rows = [row for row in read_windows(prepare(genome, "jittered", cache), split=None) if row.window_end <= END]
    rows.sort(key=lambda row: (row.start, row.end))
    return tuple(rows[{"fit": 0, "test": 1}[part] :: 2])


def new_introns(
    windows: Sequence[GeneRow], known: set[Place], predicted: set[Place], judging: Counter[Place]
) -> dict[str, Any]:
    """Predicted introns that the annotation lacks, and strong junctions that it lacks, inside the windows' loci."""

    def inside(place: Place) -> bool:
        start, end, strand = place
        return any(row.strand == strand and row.start <= start and end <= row.end for row in windows)

    new = {place for place in predicted - known if inside(place)}
    strong = {place for place, n in judging.items() if n >= STRONG and place not in known and inside(place)}
    return {
        "predicted": len(new),
        "predicted_with_reads": sum(judging[place] > 0 for place in new),
        "strong": len(strong),
        "strong_found": len(strong & predicted),
    }


def fitted_model(tools: Tools, genome: Genome, evidence: Path, cache: Path) -> Path:
    """The model with weights of evidence that have seen no gene and no read by which they are judged.

    They are fitted on the other half of the genes with the guiding tissues' reads, and on validation genes with drawn
    ones; the shipped weights have seen all of this stretch.
    """
    directory = tools.work / "model"
    out = directory / "evidence.json"
    shutil.rmtree(directory, ignore_errors=True)  # an earlier run's may be of another network
    shutil.copytree(tools.model or EMBEDDED, directory, ignore=lambda *_: {out.name})
    drawn = sample_evenly(read_windows(prepare(genome, "jittered", cache), split="validation"), DRAWN)
    shards = write_shards((*genes_of_part(genome, cache, "fit"), *drawn), tools.work / "fit")
    command = (
        sys.executable, "-m", "transgenic_tools.train.evidence", directory, "--shards", *shards, "--split",
        "validation", "--evidence", evidence, "--until", str(END), "--out", out,
    )  # fmt: skip
    cost = run_measured(command, stdout=tools.work / "fit.out", stderr=tools.work / "fit.err")
    log.info("weights of the guiding tissues: %s", cost.rounded())
    return directory


def _places(genes: Sequence[Gene]) -> set[Place]:
    """Introns of the chromosome's transcripts."""
    return {
        (intron.start, intron.end, t.strand)
        for gene in genes
        if gene.seqid == THALIANA_SEQID
        for t in gene.transcripts
        for intron in t.introns
    }


def real_figures(path: Path, genome: Genome, tools: Tools, names: Sequence[str], *, cache: Path) -> dict[str, Any]:
    """Figures by tool, each with `new_introns`; of the tools that read windows."""
    by_tissue = read_tissues(path)
    guiding, judging = list(by_tissue)[:GUIDING], list(by_tissue)[GUIDING:]
    sheet = tools.work / "guiding.csv"
    lines = ["sample,path,kind,condition"]
    for tissue in guiding:
        part = tools.work / f"{tissue}.gff3"
        part.write_text("\n".join(by_tissue[tissue]) + "\n")
        lines.append(f"{tissue},{part},intron_gff,{tissue}")
    aliases = tools.work / "aliases.tsv"
    aliases.write_text(f"{THALIANA_SEQID}\tChr1\n")
    evidence = gather(sheet, lines, genome.fasta, "--aliases", aliases)
    reads = sum((introns_in(by_tissue[tissue]) for tissue in judging), Counter[Place]())
    known = _places(tools.reference.genes)
    found: dict[str, Any] = {"guiding": guiding, "judging": judging, "genes": len(tools.windows)}
    for name in names:
        fitted = name == "transgenic_evidence"
        using = replace(tools, model=fitted_model(tools, genome, evidence, cache)) if fitted else tools
        gff3 = using.predict(name, "real", None if name in WITHOUT else evidence)
        metrics: Mapping[str, Any] = tools.evaluate(gff3)
        predicted = _places(read_annotation(gff3).genes)
        found[name] = {**metrics, "new_introns": new_introns(tools.windows, known, predicted, reads)}
        log.info("real, %s: %s, %s", name, headline(metrics), found[name]["new_introns"])
    return found
