"""`python -m benchmarks.run`: this project beside AUGUSTUS and SNAP on the very same windows, in one run.

In: the public data package, a model, Debian's augustus and snap. Out: benchmarks/results.json, the tables in
docs/benchmarks.md, and each tool's predictions at benchmarks/out/<tool>.<windows>.gff3.
A surprise: peers are deterministic, so the output that is evaluated may come from .cache/bench; whatever is timed runs
anew in every run, on one core, one tool after the other.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import platform
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import data
from benchmarks.augment import run_augment
from benchmarks.command import run_command
from benchmarks.measure import Cost
from benchmarks.ours import generate, run_ours
from benchmarks.peers import PEERS, Peer, check_peers, run_peer, write_peer_gff3
from benchmarks.scaling import run_scaling
from benchmarks.table import readme_markdown, results_markdown, rewrite
from benchmarks.windows import Windows, read_windows, sample_evenly, total_bases
from transgenic_tools.errors import TransgenicError
from transgenic_tools.evaluate.config import Config
from transgenic_tools.evaluate.output import evaluation_json
from transgenic_tools.evaluate.run import compare
from transgenic_tools.evaluate.selection import read_homologs
from transgenic_tools.evaluate.sides import Side, side_of
from transgenic_tools.io.gff3 import read_annotation
from transgenic_tools.io.lists import read_ids
from transgenic_tools.kernels import features
from transgenic_tools.provenance import write_aside

log = logging.getLogger("benchmarks")
_INSTRUCTIONS = {"avx512bf16": "AVX-512 with bf16", "avx512f": "AVX-512", "avx2": "AVX2"}
ROOT = Path(__file__).resolve().parent.parent
OUT = ROOT / "benchmarks" / "out"
LISTS = ROOT / "benchmarks" / "lists"
OURS = "transgenic"
TOOLS = (OURS, *(peer.name for peer in PEERS))
QUICK_GENES, ARENOSA_GENES = 150, 500
#: Peers are timed on this many of the windows; each of them is far beyond its start-up by then.
SPEED_GENES = 300


@dataclass(frozen=True)
class Options:
    """What one run does.

    Attributes:
        tools: Of TOOLS, in their order.
        model: Model directory; None is the embedded one.
        quick: QUICK_GENES genes, no A. arenosa, no growth, no preparation; the committed files are not touched.
        fresh: Do not take peers' output from the cache.
        with_scaling, with_prep: False keeps that part of the last results.json, and says from which commit it is.
        prep_figures, scaling_figures: What `python -m benchmarks.prep_bench` and `benchmarks.scaling` printed, instead
            of running them again.
        scan_figures: What `python -m benchmarks.scan` printed; without it the last run's figures are kept.
    """

    tools: tuple[str, ...] = TOOLS
    model: Path | None = None
    quick: bool = False
    fresh: bool = False
    with_scaling: bool = True
    with_prep: bool = True
    prep_figures: Path | None = None
    scaling_figures: Path | None = None
    scan_figures: Path | None = None

    @property
    def peers(self) -> tuple[Peer, ...]:
        return tuple(peer for peer in PEERS if peer.name in self.tools)


def _predict(name: str, windows: Windows, which: str, options: Options) -> tuple[Path, Cost | None]:
    """One tool on one set of windows; its GFF3 stands at OUT. The cost is None where the cache answered."""
    gff3 = OUT / f"{name}.{which}.gff3"
    if name == OURS:
        return gff3, run_ours(windows, gff3, work=data.CACHE / "ours" / which, model=options.model)
    peer = _peer(name)
    cache = data.CACHE / "peers" / f"{which}{'.quick' if options.quick else ''}"
    output, cost = run_peer(peer, windows, cache=cache, fresh=options.fresh)
    return write_peer_gff3(peer, output, windows, gff3), cost


def _peer(name: str) -> Peer:
    return next(peer for peer in PEERS if peer.name == name)


def _speed(name: str, cost: Cost | None, windows: Windows, options: Options) -> dict[str, float]:
    """Ours from the run that was just made, on all windows; a peer's from a fresh run on SPEED_GENES of them."""
    if name == OURS and cost is not None:
        return _speed_row(cost, windows) | _after_start_up(cost, windows, options)
    some = sample_evenly(windows, SPEED_GENES)
    _, fresh = run_peer(_peer(name), some, cache=data.CACHE / "speed", fresh=True)
    if fresh is None:
        raise TransgenicError(f"{name} was not run anew, so there is no speed to report")
    return _speed_row(fresh, some)


def _speed_row(cost: Cost, windows: Windows) -> dict[str, float]:
    bases = total_bases(windows)
    return {
        "bases_per_second_per_core": round(bases / cost.cpu_seconds, 1),
        **cost.rounded(),
        "windows": len(windows),
        "bases": bases,
    }


def _after_start_up(cost: Cost, windows: Windows, options: Options) -> dict[str, float]:
    """The figure without interpreter, libraries and weights, which one smallest window costs."""
    smallest = min(windows, key=lambda row: row.bases)
    start_up = generate([smallest], work=data.CACHE / "ours" / "start_up", model=options.model).cpu_seconds
    rest = max(cost.cpu_seconds - start_up, 1e-9)
    return {
        "start_up_cpu_seconds": round(start_up, 3),
        "bases_per_second_per_core_after_start_up": round(total_bases(windows) / rest, 1),
    }


def _evaluate(reference: Side, gff3: Path, gene_ids: Path, homologs: dict[str, bool] | None) -> dict[str, Any]:
    config = Config(
        references=(reference.path,), predictions=(gff3,), json_path=OUT / "unused.json", gene_list=gene_ids
    )
    return evaluation_json(compare(reference, side_of(read_annotation(gff3)), config, homologs=homologs))


def _write_ids(ids: Sequence[str], path: Path) -> Path:
    with write_aside(path) as aside:
        aside.write_text("".join(f"{name}\n" for name in ids))
    return path


def _thaliana(options: Options, results: dict[str, Any]) -> Windows:
    """Accuracy and speed on the test split; returns the jittered windows."""
    reference = side_of(read_annotation(data.thaliana().annotation))
    homologs = dict(read_homologs(LISTS / "athaliana_test_homologs.tsv"))
    jittered: Windows = ()
    for which in data.WINDOW_FLAGS:
        windows = read_windows(data.prepare(data.thaliana(), which, data.CACHE))
        if options.quick:
            windows = sample_evenly(windows, QUICK_GENES)
        jittered = jittered or windows
        results["windows"] = len(windows)
        ids = [row.gene_id for row in windows]
        everything = _write_ids(ids, data.CACHE / "genes.txt")
        alone = _write_ids([name for name in ids if homologs.get(name) is False], data.CACHE / "genes.no_homolog.txt")
        for name in options.tools:
            gff3, cost = _predict(name, windows, which, options)
            log.info("%s on %s windows: %s", name, which, "from the cache" if cost is None else cost.rounded())
            if which == "jittered":
                results["speed"][name] = _speed(name, cost, windows, options)
                log.info("%s: %s", name, results["speed"][name])
            metrics = _evaluate(reference, gff3, everything, homologs)
            results["accuracy"].setdefault(which, {})[name] = metrics
            if which == "jittered":
                subset = _evaluate(reference, gff3, alone, None)
                results["accuracy"].setdefault("jittered_no_homolog", {})[name] = subset
            log.info("%s: gene_exact %.3f, exon F1 %.3f", name, metrics["gene_exact"], metrics["cds"]["exon"]["f1"])
    return jittered


def _alternatives(metrics: dict[str, Any]) -> dict[str, Any]:
    """Budget -> tool -> alternatives alone, those in CDS at the top and whole transcripts below `transcript`."""
    return {
        budget: {
            tool: figures["alternatives"]["cds"][budget] | {"transcript": figures["alternatives"]["transcript"][budget]}
            for tool, figures in metrics.items()
        }
        for budget in next(iter(metrics.values()))["alternatives"]["cds"]
    }


def _arenosa(options: Options, results: dict[str, Any]) -> None:
    genome = data.arenosa()
    kept = read_ids(LISTS / "aarenosa_no_training_ortholog.txt")
    rows = tuple(row for row in read_windows(data.prepare(genome, "jittered", data.CACHE)) if row.gene_id in kept)
    windows = sample_evenly(rows, ARENOSA_GENES)
    ids = _write_ids([row.gene_id for row in windows], data.CACHE / "genes.arenosa.txt")
    reference = side_of(read_annotation(genome.annotation))
    for name in options.tools:
        gff3, _ = _predict(name, windows, "arenosa", options)
        results["accuracy"].setdefault("arenosa", {})[name] = _evaluate(reference, gff3, ids, None)


def _growth_and_preparation(windows: Windows, options: Options, results: dict[str, Any]) -> None:
    target = ROOT / "benchmarks" / "results.json"
    old = json.loads(target.read_text()) if target.exists() else {}
    if options.scaling_figures is not None:
        results["scaling"] = _printed(options.scaling_figures)["scaling"]
    elif options.with_scaling and OURS in options.tools:
        results["scaling"] = run_scaling(windows, data.CACHE / "scaling", model=options.model)
    else:
        _keep("scaling", old, results)
    if options.prep_figures is not None:
        results["prep"] = _printed(options.prep_figures)["prep"]
    elif options.with_prep:
        from benchmarks.prep_bench import run_prep_bench

        results["prep"] = run_prep_bench(data.CACHE / "prep")
    else:
        _keep("prep", old, results)
    if options.scan_figures is not None:
        results["scan"] = _printed(options.scan_figures)
    else:
        _keep("scan", old, results)
    # Each is of another benchmark, which records it.
    for part in ("evidence", "condition", "species", "finetune", "annotate"):
        _keep(part, old, results)


def _printed(path: Path) -> Any:
    """The JSON object that a part of the benchmark printed, after its log lines."""
    text = path.read_text()
    return json.loads(text[text.index("{\n") :])


def _keep(part: str, old: dict[str, Any], results: dict[str, Any]) -> None:
    """Take a part over from the last run, with the commit that it was measured at."""
    if old.get(part):
        results[part] = old[part]
        results["kept"][part] = old.get("kept", {}).get(part, old["commit"])


def instructions(names: str) -> str:
    """The newest instructions of ours among a processor's features, `+avx2,-avx512f,...`, and whether newer are off."""
    have = {name[1:] for name in names.split(",") if name.startswith("+")}
    newest = next((text for name, text in _INSTRUCTIONS.items() if name in have), "no AVX2")
    return f"{newest} (newer ones switched off)" if "ONEDNN_MAX_CPU_ISA" in os.environ else newest


def _machine() -> dict[str, Any]:
    info = Path("/proc/cpuinfo")
    names = [
        line.split(":", 1)[1].strip()
        for line in (info.read_text().splitlines() if info.exists() else ())
        if line.startswith("model name")
    ]
    return {
        "cpu": names[0] if names else platform.processor() or platform.machine(),
        "instructions": instructions(features()),
        "cores": os.cpu_count(),
        "system": platform.system(),
        "python": platform.python_version(),
        "load_at_start": round(os.getloadavg()[0], 2),
    }


def _commit() -> str:
    done = subprocess.run(["git", "rev-parse", "--short=12", "HEAD"], cwd=ROOT, capture_output=True, text=True)
    return done.stdout.strip() or "unknown"


def run(options: Options) -> dict[str, Any]:
    """The whole benchmark; writes its files and returns the results."""
    check_peers(options.peers)
    for path in (OUT, data.CACHE):
        path.mkdir(parents=True, exist_ok=True)
    results: dict[str, Any] = {
        "accuracy": {}, "speed": {}, "prep": {}, "scaling": {}, "machine": _machine(), "commit": _commit(),
        "model": "embedded" if options.model is None else options.model.name, "quick": options.quick,
        "kept": {},
    }  # fmt: skip
    windows = _thaliana(options, results)
    results["alternatives"] = _alternatives(results["accuracy"]["jittered"])
    if OURS in options.tools:
        results["alternatives"]["augment"] = run_augment(windows, data.CACHE / "augment", model=options.model)
    if not options.quick:
        _arenosa(options, results)
        _growth_and_preparation(windows, options, results)
    target = OUT / "results-quick.json" if options.quick else ROOT / "benchmarks" / "results.json"
    with write_aside(target) as aside:
        aside.write_text(json.dumps(results, indent=1) + "\n")
    text = results_markdown(results)
    if not options.quick:
        rewrite(ROOT / "docs" / "benchmarks.md", text)
        rewrite(ROOT / "README.md", readme_markdown(results))
    print(text)
    log.info("wrote %s", target.relative_to(ROOT))
    return results


def _options(argv: Sequence[str] | None) -> Options:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.run", description=__doc__)
    parser.add_argument("--quick", action="store_true", help=f"{QUICK_GENES} genes; leaves results.json and docs alone")
    parser.add_argument("--model", type=Path, help="model directory; the embedded model by default")
    parser.add_argument("--tools", nargs="+", choices=TOOLS, default=list(TOOLS), help="only these")
    parser.add_argument("--fresh", action="store_true", help="run the peers again, not from the cache")
    parser.add_argument("--no-scaling", action="store_true", help="keep the last run's growth with length and number")
    parser.add_argument("--no-prep", action="store_true", help="keep the last run's preparation benchmark")
    parser.add_argument("--prep-figures", type=Path, help="what python -m benchmarks.prep_bench printed, as a file")
    parser.add_argument("--scan-figures", type=Path, help="what python -m benchmarks.scan printed, as a file")
    parser.add_argument("--scaling-figures", type=Path, help="what python -m benchmarks.scaling printed, as a file")
    given = parser.parse_args(argv)
    return Options(
        tools=tuple(name for name in TOOLS if name in given.tools), model=given.model, quick=given.quick,
        fresh=given.fresh, with_scaling=not given.no_scaling, with_prep=not given.no_prep,
        prep_figures=given.prep_figures, scaling_figures=given.scaling_figures,
        scan_figures=given.scan_figures,
    )  # fmt: skip


def main(argv: Sequence[str] | None = None) -> int:
    """Exit code of the command."""
    options = _options(argv)
    return run_command("benchmarks.run", lambda: run(options))


if __name__ == "__main__":
    sys.exit(main())
