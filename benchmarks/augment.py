"""Completion against an echo: each test gene keeps its primary isoform alone, and tg-generate --complete adds to it.

In: windows of the test split with all their isoforms. Out: figures of the prompt alone, of the result, and of what was
added, as tg-evaluate --echo gives them.
A surprise: the reference is the windows' own transcripts, so result, prompt and reference hold the same genes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks.ours import backmap, generate
from benchmarks.windows import PROVENANCE
from transgenic_tools.evaluate.config import Config
from transgenic_tools.evaluate.genes import primary_of
from transgenic_tools.evaluate.output import evaluation_json
from transgenic_tools.evaluate.run import compare
from transgenic_tools.evaluate.sides import side_of
from transgenic_tools.genome.gene import Gene, Transcript
from transgenic_tools.genome.interval import Interval
from transgenic_tools.gsf import write
from transgenic_tools.io.gff3 import read_annotation, write_genes
from transgenic_tools.io.rows import GeneRow


def with_primary_alone(row: GeneRow) -> GeneRow:
    """The window with the gene's primary isoform as its only known one."""
    first = primary_of(row.read_transcripts())
    assert first is not None, f"gene {row.gene_id} of the shards has no CDS"
    return replace(row, gsf=write([first], strand=row.strand), n_transcripts=1)


def genes_of(rows: Sequence[GeneRow]) -> list[Gene]:
    """What the windows hold, as an annotation under the genes' own IDs and lines."""

    def named(row: GeneRow) -> tuple[Transcript, ...]:
        return tuple(replace(t, id=f"{row.gene_id}.{i}") for i, t in enumerate(row.transcripts(), start=1))

    return [Gene(row.gene_id, row.seqid, row.strand, Interval(row.start, row.end), named(row)) for row in rows]


def run_augment(windows: Sequence[GeneRow], work: Path, *, model: Path | None) -> dict[str, Any]:
    """`echo`, `transgenic` and `added`."""
    work.mkdir(parents=True, exist_ok=True)
    rows = [row for row in windows if row.gsf]
    prompts = [with_primary_alone(row) for row in rows]
    paths = {name: work / f"{name}.gff3" for name in ("reference", "prompt", "result")}
    write_genes(paths["reference"], genes_of(rows), provenance=PROVENANCE)
    write_genes(paths["prompt"], genes_of(prompts), provenance=PROVENANCE)
    generate(prompts, work=work / "run", model=model, more=("--complete",))
    backmap(paths["result"], work=work / "run", more=("--into", paths["prompt"]))
    config = Config(
        references=(paths["reference"],), predictions=(paths["result"],), json_path=work / "unused.json",
        echo=paths["prompt"],
    )  # fmt: skip
    sides = {name: side_of(read_annotation(path)) for name, path in paths.items()}
    found = evaluation_json(compare(sides["reference"], sides["result"], config, echo=sides["prompt"]))
    echo, added = found.pop("echo"), found.pop("added")
    return {"echo": echo, "transgenic": found, "added": added}
