"""Learning curve of fine-tuning: how many genes of a new species bring how much.

In: gene shards of tg-prep with the genes to learn (split train), others to judge by (validation), and for a final table
the species' test genes. Out: for each number of genes the figures before and after `tg-train --preset finetune`, as
JSON; with `--record` in results.json and docs/train.md.
Usage: python -m benchmarks.finetune NAME --learned DIR --judged DIR [--test DIR] --sizes 100 300 1000 > curve.json
A surprise: the genes of a smaller number are among those of a larger one, and one in eight of each number is held out
to stop by, as a user would have to do, so nothing that judges is seen. With `--folds` the learned genes judge in turn.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import logging
import resource
import shlex
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.command import recording, run_figures
from benchmarks.data import tool
from benchmarks.table import grid, rewrite
from transgenic_tools.errors import BadInputError, TransgenicError
from transgenic_tools.genome.hashing import uniform_hash
from transgenic_tools.io.rows import GeneRow
from transgenic_tools.io.shards import read_shard, write_gene_shards
from transgenic_tools.model.files import load_network, model_dir, model_hash
from transgenic_tools.provenance import Provenance, write_aside
from transgenic_tools.search.reader import Reader
from transgenic_tools.train.examples import example_from_row
from transgenic_tools.train.judged import GeneFigures, judge_genes

log = logging.getLogger("benchmarks.finetune")
ROOT = Path(__file__).resolve().parent.parent
BEGIN, END = "<!-- benchmarks.finetune: begin -->", "<!-- benchmarks.finetune: end -->"
#: One of so many own genes is held out to stop by.
HELD_OUT = 8


@dataclass(frozen=True, kw_only=True)
class Options:
    """One learning curve.

    Attributes:
        learned, judged, test: Directories of gene shards; `judged` and `test` None with folds, or not asked for.
        exclude: File of gene IDs that are not learned (near copies of genes that judge), one a line.
        folds: The learned genes judge each other in so many parts; 0 for none.
        more: Further flags of tg-train.
    """

    name: str
    learned: Path
    judged: Path | None
    test: Path | None
    exclude: Path | None
    sizes: tuple[int, ...]
    folds: int
    init: Path
    workdir: Path
    more: tuple[str, ...] = ()


def own_genes(rows: Sequence[GeneRow], number: int) -> list[GeneRow]:
    """The first `number` in an order by gene ID alone, one in `HELD_OUT` of them as split validation.

    Raises:
        BadInputError: there are fewer.
    """
    order = sorted(rows, key=lambda row: uniform_hash("finetune", row.gene_id))
    if len(order) < number:
        raise BadInputError(f"{number} genes were asked for, there are {len(order)}", hint="give smaller --sizes")
    return [
        replace(row, split="validation" if place % HELD_OUT == HELD_OUT - 1 else "train", fold=None)
        for place, row in enumerate(order[:number])
    ]


def tune(rows: Sequence[GeneRow], options: Options, outdir: Path) -> float:
    """A model tuned on some genes; CPU seconds of the command. A model that is there already is kept."""
    note = outdir.with_suffix(".cost.json")
    if note.exists():
        return float(json.loads(note.read_text())["cpu_seconds"])
    shards = outdir.with_suffix(".shards")
    write_gene_shards(rows, shards, provenance=Provenance("benchmarks.finetune"))
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [
        str(tool("tg-train")), str(shards), "--init", str(options.init), "--preset", "finetune", "--threads", "1",
        "--outdir", str(outdir), *options.more,
    ]  # fmt: skip
    done = subprocess.run(command, stdout=subprocess.DEVNULL)
    if done.returncode:
        raise TransgenicError(f"tg-train ended with code {done.returncode}", hint="its messages stand above")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    with write_aside(note) as aside:
        aside.write_text(json.dumps({"cpu_seconds": seconds}))
    return seconds


def judge(model: Path, rows: Sequence[GeneRow], workdir: Path) -> GeneFigures:
    """What a model writes for genes that it has not seen, jittered windows; kept by the digest of both."""
    windows = hashlib.sha256("".join(f"{row.gene_id}{row.sequence}{row.gsf}" for row in rows).encode()).hexdigest()
    note = workdir / f"judged-{model_hash(model)}-{windows[:16]}.json"
    if note.exists():
        return GeneFigures(**json.loads(note.read_text()))
    network, _ = load_network(model)
    figures = judge_genes(Reader(network.eval()), [example_from_row(row) for row in rows])
    with write_aside(note) as aside:
        aside.write_text(json.dumps(asdict(figures)))
    return figures


def together(parts: Sequence[GeneFigures]) -> GeneFigures:
    """Counts of folds added up; the calibration error is their mean, by transcripts."""
    counts = {f.name: sum(getattr(part, f.name) for part in parts) for f in fields(GeneFigures)}
    error = sum(part.confidence_error * part.structures for part in parts) / max(1, counts["structures"])
    return GeneFigures(**{**counts, "confidence_error": error})


def _curve(options: Options, learned: Sequence[GeneRow]) -> dict[str, Any]:
    """Figures by number of genes, `0` for the initial model."""
    sets = {
        name: [row for row in read_shard(directory) if row.gsf and row.split == split]
        for name, directory, split in (("judged", options.judged, "validation"), ("test", options.test, "test"))
        if directory is not None
    }
    curve: dict[str, Any] = {}
    for size in (0, *options.sizes):
        model, row = options.init, {}
        if size:
            model = options.workdir / f"{options.name}-{size}"
            row["cpu_seconds"] = round(tune(own_genes(learned, size), options, model), 1)
            row["own"] = json.loads((model / "finetune.json").read_text())["after"]
        for name, rows in sets.items():
            row[name] = judge(model, rows, options.workdir).figures()
            log.info("%s, %d genes: %s %s", options.name, size, name, row[name])
        curve[str(size)] = row
    return curve


def _folds(options: Options, learned: Sequence[GeneRow]) -> dict[str, Any]:
    """Every gene is judged by a model that has not seen its fold."""
    parts: list[list[GeneRow]] = [[] for _ in range(options.folds)]
    for place, row in enumerate(sorted(learned, key=lambda row: uniform_hash("fold", row.gene_id))):
        parts[place % options.folds].append(row)
    before, after, seconds = [], [], 0.0
    for number, part in enumerate(parts):
        others = [row for other, rows in enumerate(parts) if other != number for row in rows]
        model = options.workdir / f"{options.name}-fold{number}"
        seconds += tune(own_genes(others, len(others)), options, model)
        before.append(judge(options.init, part, options.workdir))
        after.append(judge(model, part, options.workdir))
    size = str(len(learned) - len(learned) // options.folds)
    return {
        "0": {"judged": together(before).figures()},
        size: {"judged": together(after).figures(), "cpu_seconds": round(seconds / options.folds, 1)},
    }


def measure(options: Options) -> dict[str, Any]:
    """The learning curve of one species."""
    excluded = set(options.exclude.read_text().split()) if options.exclude else set()
    learned = [
        row for row in read_shard(options.learned) if row.gsf and row.split == "train" and row.gene_id not in excluded
    ]
    options.workdir.mkdir(parents=True, exist_ok=True)
    curve = _folds(options, learned) if options.folds else _curve(options, learned)
    return {"init": model_hash(model_dir(options.init)), "folds": options.folds, "curve": curve}


def markdown(by_name: Mapping[str, Any]) -> str:
    """One table of all species."""
    head = ["species", "own genes", "judged on", "gene_exact", "exon F1", "transcript Sn / Pr", "ECE", "CPU s"]
    rows = []
    for name, of in sorted(by_name.items()):
        titles = {"judged": "in folds" if of["folds"] else "held out", "test": "test"}
        for size, row in sorted(of["curve"].items(), key=lambda item: int(item[0])):
            for f, title in ((row[key], title) for key, title in titles.items() if key in row):
                rows.append([
                    name.replace("_", " "), size, f"{f['genes']:,} {title}", f"{f['gene_exact']:.3f}",
                    f"{f['exon_f1']:.3f}", f"{f['transcript_sensitivity']:.3f} / {f['transcript_precision']:.3f}",
                    f"{f['confidence_error']:.3f}", f"{row['cpu_seconds']:.0f}" if "cpu_seconds" in row else "",
                ])  # fmt: skip
    return grid(head, rows)


def record(name: str, figures: Mapping[str, Any]) -> None:
    """Into results.json and docs/train.md; other species keep their figures."""
    with recording(ROOT) as results:
        results.setdefault("finetune", {})[name] = dict(figures)
    rewrite(ROOT / "docs" / "train.md", markdown(results["finetune"]), begin=BEGIN, end=END)


def main(argv: Sequence[str] | None = None) -> int:
    """Exit code of the command."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.finetune", description=__doc__)
    parser.add_argument("name", help="of the species, in the results")
    parser.add_argument("--learned", type=Path, required=True, help="gene shards whose split train is learned from")
    parser.add_argument("--judged", type=Path, help="gene shards whose split validation judges")
    parser.add_argument("--test", type=Path, help="gene shards whose split test judges (final tables)")
    parser.add_argument("--exclude", type=Path, help="IDs of genes that are not learned")
    parser.add_argument("--sizes", type=int, nargs="+", default=[100, 300, 1000])
    parser.add_argument("--folds", type=int, default=0, help="the learned genes judge in so many parts")
    parser.add_argument("--init", type=Path, help="model directory; the embedded model by default")
    parser.add_argument("--workdir", type=Path, default=ROOT / ".cache" / "bench" / "finetune")
    parser.add_argument("--more", default="", help='further flags of tg-train, as in --more="--freeze lower"')
    parser.add_argument("--record", action="store_true", help="write the figures into results.json and docs/train.md")
    given = parser.parse_args(argv)
    options = Options(
        name=given.name, learned=given.learned, judged=given.judged, test=given.test, exclude=given.exclude,
        sizes=tuple(sorted(given.sizes)), folds=given.folds, init=model_dir(given.init), workdir=given.workdir,
        more=tuple(shlex.split(given.more)),
    )  # fmt: skip
    kept = partial(record, options.name) if given.record else None
    return run_figures("benchmarks.finetune", lambda: measure(options), kept)


if __name__ == "__main__":
    sys.exit(main())
