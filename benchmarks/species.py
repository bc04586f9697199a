"""Every plant: this project and AUGUSTUS with its best species parameters on windows of many species, in one run.

In: the public data package, sets `<stem>.fa.gz` with `<stem>.gff3.gz` in a directory, Debian's augustus. Out: figures
as JSON; with `--record` in results.json, docs/benchmarks.md and README.md.
Usage: python -m benchmarks.species [--data DIR] [--sets fraxinus ...] [--genes N] [--record] > species.json
A surprise: AUGUSTUS runs with several species parameters, and the set itself says which are the best: that flatters it.
Its output and cost are kept by the digest of command and windows, so after another model only ours runs anew.
"""

from __future__ import annotations

import argparse
import json
import logging
import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from benchmarks.command import recording, run_figures
from benchmarks.data import Genome, prepare, thaliana
from benchmarks.evidence_tools import Tools
from benchmarks.measure import Cost
from benchmarks.ours import run_ours
from benchmarks.peers import PEERS, Peer, run_peer, write_peer_gff3
from benchmarks.table import grid, readme_markdown, rewrite
from benchmarks.windows import Windows, read_windows, sample_evenly, total_bases
from transgenic_tools.evaluate.sides import side_of
from transgenic_tools.io.gff3 import read_annotation
from transgenic_tools.io.lists import read_ids
from transgenic_tools.model.files import model_dir, model_hash
from transgenic_tools.provenance import write_aside

log = logging.getLogger("benchmarks.species")
ROOT = Path(__file__).resolve().parent.parent
LISTS = ROOT / "benchmarks" / "lists"
OUT, CACHE = ROOT / "benchmarks" / "out" / "species", ROOT / ".cache" / "bench" / "species"
#: Where sets lie unless told; a set whose files are missing is left out.
DATA = ROOT.parent / "shared" / "data"
#: Flanks of their own, and none beyond the end of a sequence: some sets are single genes with 100 bases beside them.
_WINDOWS = ("--seed", "7", "--contig-end", "clip")


@dataclass(frozen=True, kw_only=True)
class Species:
    """A set of genes.

    Attributes:
        name: In results.json.
        title: In tables.
        parameters: Of AUGUSTUS, those that are tried.
        stem: Of its files; None is the test split of the public data package.
        split: Rule of tg-prep; genes of the split test are the set.
        copies: File in benchmarks/lists of those that have a near copy among the learned genes (`tg-prep leaks`).
    """

    name: str
    title: str
    parameters: tuple[str, ...]
    stem: str | None
    split: str = "all:test"
    copies: str | None = None

    def genome(self, directory: Path) -> Genome | None:
        """None where its files are missing."""
        if self.stem is None:
            return thaliana()
        fasta, annotation = (directory / f"{self.stem}{ending}" for ending in (".fa.gz", ".gff3.gz"))
        if not fasta.exists() or not annotation.exists():
            return None
        return Genome(self.name, fasta, annotation, self.split, _WINDOWS)


SETS: tuple[Species, ...] = (
    Species(
        name="athaliana", title="*A. thaliana*, test split", stem=None, parameters=("arabidopsis",),
        copies="athaliana_test_copies.txt",
    ),
    Species(
        name="brazil_nut", title="Brazil nut, test scaffold", stem="bertholletia_test", parameters=("tomato",)
    ),
    Species(name="ash", title="ash", stem="fraxinus", parameters=("tomato", "coyote_tobacco", "arabidopsis")),
    Species(
        name="kiwifruit", title="kiwifruit", stem="actinidia", parameters=("Vitis_vinifera", "tomato", "coyote_tobacco")
    ),
    Species(
        name="grape", title="grape", stem="vitis_genes",
        parameters=("Vitis_vinifera", "cacao", "Populus_trichocarpa", "arabidopsis"),
    ),
    Species(name="rice", title="rice", stem="rice_chr2_part", parameters=("rice", "maize", "wheat")),
    Species(
        name="capsella", title="*Capsella grandiflora*", stem="capsella_grandiflora_genes", parameters=("arabidopsis",)
    ),
)  # fmt: skip
#: For choosing, not for the table: the end of a scaffold of Brazil nut that no model has learned. (Scaffold_2, held out
#: as a whole, hardly has an intron and seems to be a bacterium's.)
VALIDATION = Species(
    name="brazil_nut_validation", title="Brazil nut, end of Scaffold_9", stem="bertholletia_train",
    split="block:Scaffold_9:35700000:35750000", parameters=("tomato",),
)  # fmt: skip
TOOLS = ("transgenic", "augustus")
#: What results.json keeps of a tool's figures.
_KEPT = ("cds", "transcript", "gene_exact", "gene_exact_primary", "isoform_recall_multi", "n", "calibration")


@dataclass(frozen=True, kw_only=True)
class Options:
    """What one run does.

    Attributes:
        genes: At most so many of each set, at even steps.
        fresh: AUGUSTUS again, not from the cache.
    """

    sets: tuple[Species, ...] = SETS
    tools: tuple[str, ...] = TOOLS
    data: Path = DATA
    model: Path | None = None
    genes: int | None = None
    fresh: bool = False


def peer_of(parameters: str) -> Peer:
    """AUGUSTUS as in the other benchmarks, with other species parameters."""
    plain = PEERS[0]
    command = tuple(f"--species={parameters}" if part.startswith("--species=") else part for part in plain.command)
    return replace(plain, name=f"{plain.name}.{parameters}", command=command)


def run_kept(peer: Peer, windows: Windows, *, cache: Path, fresh: bool = False) -> tuple[Path, Cost]:
    """`run_peer`, whose cost is kept beside the output."""
    output, cost = run_peer(peer, windows, cache=cache, fresh=fresh)
    kept = output.with_suffix(".cost.json")
    if cost is None and not kept.exists():
        output, cost = run_peer(peer, windows, cache=cache, fresh=True)
    if cost is None:
        return output, Cost(**json.loads(kept.read_text()))
    with write_aside(kept) as aside:
        aside.write_text(json.dumps(asdict(cost)))
    return output, cost


def _kept_of(metrics: Mapping[str, Any]) -> dict[str, Any]:
    return {key: metrics[key] for key in _KEPT if key in metrics}


def _figures(species: Species, tools: Tools, gff3: Path, cost: Cost) -> dict[str, Any]:
    """Of one tool; where the set has genes with near copies among the learned ones, those of the others beside."""
    found = _kept_of(tools.evaluate(gff3)) | {"cost": cost.rounded()}
    if species.copies is not None:
        copies = read_ids(LISTS / species.copies)
        others = [row.gene_id for row in tools.windows if row.gene_id not in copies]
        with write_aside(tools.work / "without_copies.txt") as aside:
            aside.write_text("".join(f"{name}\n" for name in others))
        alone = tools.evaluate(gff3, tools.work / "without_copies.txt")
        found["without_copies"] = _kept_of(alone) | {"genes": len(others)}
    return found


def _augustus(species: Species, tools: Tools, *, fresh: bool) -> dict[str, Any]:
    """Figures with the parameters that fit the set best."""
    by_parameters = {}
    for parameters in species.parameters:
        peer = peer_of(parameters)
        output, cost = run_kept(peer, tuple(tools.windows), cache=tools.work / "peers", fresh=fresh)
        gff3 = write_peer_gff3(peer, output, tools.windows, tools.out / f"{peer.name}.gff3")
        by_parameters[parameters] = _figures(species, tools, gff3, cost)
    best = max(species.parameters, key=lambda name: by_parameters[name]["gene_exact"])
    tried = {name: found["gene_exact"] for name, found in by_parameters.items()}
    return by_parameters[best] | {"parameters": best, "tried": tried}


def measure_set(species: Species, genome: Genome, options: Options) -> dict[str, Any]:
    """Figures of one set by tool."""
    windows = read_windows(prepare(genome, "jittered", CACHE))
    if options.genes is not None:
        windows = sample_evenly(windows, options.genes)
    reference = side_of(read_annotation(genome.annotation))
    work = CACHE / species.name
    tools = Tools(windows=windows, reference=reference, out=OUT / species.name, work=work, model=options.model)
    found: dict[str, Any] = {"title": species.title, "genes": len(windows), "bases": total_bases(windows)}
    for name in options.tools:
        if name == "augustus":
            found[name] = _augustus(species, tools, fresh=options.fresh)
        else:
            gff3 = tools.out / f"{name}.gff3"
            cost = run_ours(windows, gff3, work=work / "ours", model=options.model, fasta=genome.fasta)
            found[name] = _figures(species, tools, gff3, cost) | {"model": model_hash(model_dir(options.model))}
        log.info("%s, %s: %s", species.name, name, ", ".join(f"{k} {v}" for k, v in _cells(found, name).items()))
    return found


def measure(options: Options) -> dict[str, Any]:
    """Figures by set and tool, in the shape of results.json's `species`."""
    found = {}
    for species in options.sets:
        genome = species.genome(options.data)
        if genome is None:
            log.warning("%s is left out: no %s.fa.gz and .gff3.gz in %s", species.name, species.stem, options.data)
            continue
        found[species.name] = measure_set(species, genome, options)
    return found


def _cells(found: Mapping[str, Any], tool: str) -> dict[str, str]:
    """A set's figures of one tool, by column."""
    metrics = found.get(tool)
    if metrics is None:
        return {}
    megabases = found["bases"] / 1e6
    return {
        **_accuracy(metrics, found["genes"]),
        "calibration error (by chance)": _calibration_error(metrics),
        "CPU s": f"{metrics['cost']['cpu_seconds']:.1f}",
        "CPU s a Mb": f"{metrics['cost']['cpu_seconds'] / megabases:.1f}",
    }


def _accuracy(metrics: Mapping[str, Any], genes: int) -> dict[str, str]:
    exact = metrics["gene_exact"]
    return {
        "gene_exact": f"{exact:.3f}",
        "standard error": f"{math.sqrt(exact * (1 - exact) / genes):.3f}",
        "exon F1": f"{metrics['cds']['exon']['f1']:.3f}",
        "transcript F1": f"{metrics['cds']['transcript']['f1']:.3f}",
        "isoform recall": f"{metrics['isoform_recall_multi']:.3f}" if metrics["n"]["multi_isoform_genes"] else "",
    }


def _calibration_error(metrics: Mapping[str, Any]) -> str:
    """Of transcripts, and what honest confidences would have; AUGUSTUS without sampling gives no probabilities."""
    curve = metrics.get("calibration", {}).get("transcript")
    if curve is None or "parameters" in metrics:
        return ""
    return f"{curve['expected_calibration_error']:.3f} ({_by_chance(curve['bins']):.3f})"


def _by_chance(bins: Sequence[Mapping[str, float]]) -> float:
    """Expected calibration error where every confidence is true: mean deviation of each bin's share (normal)."""
    counts = [(b["count"], b["mean_score"]) for b in bins if b["count"]]
    total = sum(n for n, _ in counts)
    return sum(math.sqrt(2 / math.pi * n * mean * (1 - mean)) for n, mean in counts) / total


def _tool_name(metrics: Mapping[str, Any]) -> str:
    return f"AUGUSTUS, {metrics['parameters']}" if "parameters" in metrics else "transgenic_tools"


def markdown(figures: Mapping[str, Any]) -> str:
    """The table: a row for each set and tool, and below without genes that have near copies among the learned ones."""
    rows: list[list[str]] = []
    for found in figures.values():
        tools = [tool for tool in TOOLS if tool in found]
        for tool in tools:
            first = f"{found['title']} ({found['genes']:,})" if tool == tools[0] else ""
            rows.append([first, _tool_name(found[tool]), *_cells(found, tool).values()])
        for tool in (tool for tool in tools if "without_copies" in found[tool]):
            alone = found[tool]["without_copies"]
            first = f"the same without {found['genes'] - alone['genes']} near copies ({alone['genes']:,})"
            cells = [*_accuracy(alone, alone["genes"]).values(), _calibration_error({**found[tool], **alone}), "", ""]
            rows.append([first if tool == tools[0] else "", _tool_name(found[tool]), *cells])
    head = next((_cells(found, tool) for found in figures.values() for tool in TOOLS if tool in found), {})
    return grid(["set (genes)", "tool", *head], rows)


BEGIN, END = "<!-- benchmarks.species: begin -->", "<!-- benchmarks.species: end -->"


def record(figures: Mapping[str, Any]) -> None:
    """Into results.json, docs/benchmarks.md and README.md; sets and tools that were not run now keep their figures."""
    with recording(ROOT) as results:
        kept = results.get("species", {})
        results["species"] = {
            species.name: {**kept.get(species.name, {}), **figures.get(species.name, {})}
            for species in SETS
            if species.name in kept or species.name in figures
        }
    rewrite(ROOT / "docs" / "benchmarks.md", markdown(results["species"]), begin=BEGIN, end=END)
    rewrite(ROOT / "README.md", readme_markdown(results))


def main(argv: Sequence[str] | None = None) -> int:
    """Exit code of the command."""
    by_name = {species.name: species for species in (*SETS, VALIDATION)}
    parser = argparse.ArgumentParser(prog="python -m benchmarks.species", description=__doc__)
    parser.add_argument("--data", type=Path, default=DATA, help="directory of the sets; ../shared/data by default")
    parser.add_argument("--sets", nargs="+", choices=list(by_name), default=[species.name for species in SETS])
    parser.add_argument("--tools", nargs="+", choices=TOOLS, default=list(TOOLS))
    parser.add_argument("--model", type=Path, help="model directory; the embedded model by default")
    parser.add_argument("--genes", type=int, help="at most so many of each set, for a quick look")
    parser.add_argument("--fresh", action="store_true", help="run AUGUSTUS again, not from the cache")
    parser.add_argument(
        "--record", action="store_true", help="write the figures into results.json, docs/benchmarks.md and README.md"
    )
    given = parser.parse_args(argv)
    if given.record and (given.genes is not None or given.model is not None):
        parser.error("--record is for whole sets and the embedded model")
    options = Options(
        sets=tuple(by_name[name] for name in given.sets), tools=tuple(given.tools), data=given.data, model=given.model,
        genes=given.genes, fresh=given.fresh,
    )  # fmt: skip
    return run_figures("benchmarks.species", lambda: measure(options), record if given.record else None)


if __name__ == "__main__":
    sys.exit(main())
