"""Side by side: sequence routines, encoders, mappings, decoders and generation methods, by cross-validation.

In: small subsets of A. thaliana chromosome 1. Out: one JSON line a run, and two Markdown tables in docs/comparison.md.
A surprise: routines, encoders and mappings are tiny and begin with random weights; decoders and ways of generation
begin with the trunk of the embedded model, on genes that it has not learned, since on a trunk that knows no site all
decoders are equally lost. Runs that are done already are kept.

    python -m benchmarks.compare --outdir results/compare
"""

from __future__ import annotations

import argparse
import hashlib
import json
import logging
import shutil
import statistics
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from benchmarks.data import THALIANA_SPLIT, thaliana, tool
from benchmarks.table import grid
from transgenic_tools import __version__
from transgenic_tools.errors import TransgenicError
from transgenic_tools.io.rows import GeneRow
from transgenic_tools.io.shards import read_shard, write_gene_shards
from transgenic_tools.provenance import Provenance, file_sha256, write_aside

logger = logging.getLogger(__name__)
DOCS = Path(__file__).resolve().parents[1] / "docs" / "comparison.md"
BEGIN, END = "<!-- benchmarks.compare: begin -->", "<!-- benchmarks.compare: end -->"

_TOKENS = {"dim": 48, "layers": 2, "heads": 4, "segment_tokens": 256, "overlap_tokens": 32}
ENCODERS: dict[str, dict[str, Any]] = {
    "embedded": {"name": "embedded", "stem": 24, "channels": 32, "dim": 48, "blocks": 2, "heads": 2, "band": 128},
    "esm": {"name": "esm", **_TOKENS, "intermediate": 96, "max_positions": 258},
    "nucleotide-transformer-v2": {"name": "nucleotide-transformer-v2", **_TOKENS, "intermediate": 96},
    "hyenadna": {
        "name": "hyenadna", "dim": 32, "layers": 2, "intermediate": 64, "max_length": 4098, "segment_tokens": 4096,
        "overlap_tokens": 512,
    },
    "auto": {
        "name": "auto", "segment_tokens": 512, "overlap_tokens": 64,
        "architecture": {
            "model_type": "bert", "vocab_size": 16, "hidden_size": 32, "num_hidden_layers": 2,
            "num_attention_heads": 2, "intermediate_size": 64, "max_position_embeddings": 512,
        },
    },
}  # fmt: skip
_SEQ2SEQ = {"dim": 64, "heads": 4, "layers": 2, "node_layers": 2, "intermediate": 128, "window": 16}
DECODERS: dict[str, dict[str, Any]] = {
    "pointer": {"name": "pointer", "dim": 64, "heads": 4, "layers": 2, "node_layers": 2},
    "led, global attention: none": {"name": "led", **_SEQ2SEQ, "global_attention": "none"},
    "led, global attention: sites": {"name": "led", **_SEQ2SEQ, "global_attention": "sites"},
    "longt5": {"name": "longt5", **_SEQ2SEQ},
    "t5": {"name": "t5", **_SEQ2SEQ},
}
METHODS: dict[str, dict[str, Any]] = {
    "viterbi": {"decoding": "viterbi"},
    "greedy": {"decoding": "greedy"},
    "beam of 2": {"decoding": "beam", "num_beams": 2},
    "beam of 4": {"decoding": "beam", "num_beams": 4},
    "sample": {"decoding": "sample"},
}


@dataclass(frozen=True)
class Choice:
    """One row of a table: what differs from the first row of its group.

    Attributes:
        trained: Only the decoder is learned, on the trunk of the embedded model.
    """

    group: str
    name: str
    routine: str = "whole"
    encoder: str = "embedded"
    mapping: str = "linear"
    decoder: str = "pointer"
    trained: bool = False
    methods: Mapping[str, Mapping[str, Any]] = field(default_factory=lambda: {"greedy": METHODS["greedy"]})

    @property
    def subset(self) -> str:
        """Which genes it learns."""
        return "unseen" if self.trained else self.routine


def choices() -> list[Choice]:
    """Every part of one kind beside the others of its kind."""
    rows = [Choice("routine", name, routine=name) for name in ("whole", "cds_overlap", "intron_overlap", "junctions")]
    rows += [Choice("encoder", name, encoder=name) for name in ENCODERS]
    rows += [
        Choice("mapping (of esm)", name, encoder="esm", mapping=name) for name in ("linear", "mlp", "conv", "pool")
    ]
    rows += [Choice("decoder", name, decoder=name, trained=True) for name in DECODERS]
    rows.append(Choice("generation", "", trained=True, methods=METHODS))
    return rows


@dataclass(frozen=True)
class Plan:
    """Sizes of the comparison."""

    outdir: Path
    genes: int = 200
    longest: int = 3000
    folds: int = 2
    steps: int = 150
    decoder_steps: int = 200


def _subset(
    rows: Iterator[GeneRow], plan: Plan, *, split: str = "train", names: Sequence[str] | None = None, longest: int = 0
) -> list[GeneRow]:
    """Genes with two introns or more and windows of at most `longest` bases (0: the plan's); or the named ones."""
    if names is not None:
        by_name = {row.gene_id: row for row in rows}
        picked = [by_name[name] for name in names if name in by_name]
    else:
        most = longest or plan.longest
        picked = [row for row in rows if row.split == split and row.bases <= most and (row.gsf or "").count("CDS3")]
    picked = picked[: plan.genes]
    return [replace(row, fold=number % plan.folds) for number, row in enumerate(picked)]


def _prepared(plan: Plan, routine: str) -> Path:
    """Shards of a whole genome, under a name that says what they were made from: version, flags and both files."""
    genome = thaliana()
    flags = ["--sample", "ath", "--split", THALIANA_SPLIT, "--routine", routine, "--jitter", "50", "600", "--quiet"]
    origin = [__version__, *flags, file_sha256(genome.fasta), file_sha256(genome.annotation)]
    outdir = plan.outdir / "prep" / f"{routine}-{hashlib.sha256(' '.join(origin).encode()).hexdigest()[:12]}"
    if not list(outdir.glob("*.parquet")):
        where = ["--fasta", genome.fasta, "--annotation", genome.annotation, "--outdir", outdir]
        command = list(map(str, [tool("tg-prep"), "genes", *where, *flags]))
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise TransgenicError(f"tg-prep ended with code {done.returncode}: {done.stderr[-500:]}")
    return outdir


def prepare(plan: Plan) -> dict[str, tuple[Path, ...]]:
    """Shards of the same genes by each routine; and `unseen`, whose folds hold genes that the embedded model never saw.

    One fold more than are measured holds genes that it knows: decoders learn from these and from the other folds.
    """
    shards = {}
    names: list[str] | None = None
    for routine in ("whole", "cds_overlap", "intron_overlap", "junctions"):
        small = plan.outdir / "shards" / routine
        rows = _subset(read_shard([_prepared(plan, routine)]), plan, names=names)
        names = names or [row.gene_id for row in rows]
        shards[routine] = write_gene_shards(rows, small, provenance=Provenance("benchmarks.compare"))
    whole = _prepared(plan, "whole")
    unseen = _subset(read_shard([whole]), plan, split="validation", longest=2 * plan.longest)
    known = [replace(row, fold=plan.folds) for row in _subset(read_shard([whole]), plan)]
    small = plan.outdir / "shards" / "unseen"
    shards["unseen"] = write_gene_shards([*unseen, *known], small, provenance=Provenance("benchmarks.compare"))
    return shards


def _measure(model_dir: Path, config: Any, methods: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, float]]:
    """How much of the held-out fold each method of generation writes exactly."""
    from transgenic_tools.model.files import load_model
    from transgenic_tools.search.confidence import found_transcript
    from transgenic_tools.search.config import DecodingConfig
    from transgenic_tools.search.reader import Reader
    from transgenic_tools.search.search import search, start_search
    from transgenic_tools.train.start import load_examples

    model, _ = load_model(model_dir)
    model.eval()
    _, held_out = load_examples(config)
    reader = Reader(model, precision="fp32")
    graphs = [(example, reader.read_window(example.window)[0]) for example in held_out]
    results = {}
    warm = [start_search(example.gene_id, graph) for example, graph in graphs[:1] if graph is not None]
    search(model.decoder, DecodingConfig(), warm)  # compiled now, so that no method is charged for it
    for name, settings in methods.items():
        genes = [(example, start_search(example.gene_id, graph)) for example, graph in graphs if graph is not None]
        began = time.process_time()
        search(model.decoder, DecodingConfig(max_isoforms=2, **settings), [gene for _, gene in genes])
        spent = time.process_time() - began
        exact, introns, known, written = 0, 0, 0, 0
        for example, gene in genes:
            found = [found_transcript(one, gene, "t") for one in gene.found]
            reference = {t.cds for t in example.transcripts}
            exact += any(t.cds in reference for t in found)
            own = {i for t in example.transcripts for i in t.introns}
            introns += len(own & {i for t in found for i in t.introns})
            known += len(own)
            written += len(found)
        total = max(1, len(held_out))
        results[name] = {
            "gene_exact": exact / total, "intron_sensitivity": introns / max(1, known),
            "transcripts_per_gene": written / total, "search_ms_per_gene": 1000 * spent / total,
        }  # fmt: skip
    return results


def _new_decoder(name: str, directory: Path) -> Path:
    """The embedded model with another decoder, whose weights are random."""
    import torch

    from transgenic_tools.model.files import load_model
    from transgenic_tools.model.transgenic import TransgenicConfig, TransgenicModel

    known, _ = load_model(None)
    torch.manual_seed(1)
    model = TransgenicModel(TransgenicConfig(**(known.config.to_diff_dict() | {"decoder": DECODERS[name]})))
    model.encoder.load_state_dict(known.encoder.state_dict())
    model.head.load_state_dict(known.head.state_dict())
    model.save_pretrained(directory)
    return directory


def run_one(choice: Choice, fold: int, plan: Plan, shards: tuple[Path, ...]) -> dict[str, Any]:
    """Train one choice on all folds but one and measure it on that one."""
    from transgenic_tools.train.recipe import recipe_from_preset, run_recipe
    from transgenic_tools.train.run import run

    outdir = plan.outdir / "runs" / f"{choice.group}.{choice.name}.{fold}".replace(" ", "_").replace(":", "")
    shutil.rmtree(outdir, ignore_errors=True)  # a run that was cut short: its time would be too small
    parts = {
        "encoder": ENCODERS[choice.encoder],
        "mapping": {"name": choice.mapping, "channels": 32, "width": 32},
        "decoder": DECODERS[choice.decoder],
    }
    settings = {
        "folds": plan.folds + choice.trained, "fold": fold, "learning_rate": 1e-3 if choice.trained else 3e-3,
        "device": "cpu", "threads": 1, "seed": 1, "batch_bases": 9000, "crops": 1, "genes_per_batch": 8,
        "eval_every": 10_000, "save_every": 10_000, "ema": 0.9, "flank_max": 600,
    }  # fmt: skip
    recipe = recipe_from_preset(
        parts,
        shards=shards,
        outdir=outdir,
        overrides=settings,
        stage_steps={"trunk": plan.steps, "decoder": plan.decoder_steps},
    )
    began = time.process_time()
    if choice.trained:
        start = _new_decoder(choice.decoder, outdir / "start")
        outdir = recipe.decoder.outdir
        learned = run(replace(recipe.decoder, init=start)).metrics
    else:
        learned = run_recipe(recipe).metrics
    spent = time.process_time() - began
    methods = _measure(outdir, recipe.trunk, choice.methods)
    return {
        "group": choice.group, "name": choice.name, "fold": fold, "cpu_seconds": spent, "methods": methods,
        "metrics": learned,
    }  # fmt: skip


def _done(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def _spread(values: Sequence[float], digits: int = 3) -> str:
    mean = statistics.fmean(values)
    return f"{mean:.{digits}f} ± {statistics.pstdev(values):.{digits}f}"


def _rows(records: Sequence[Mapping[str, Any]], learned: Mapping[str, str]) -> list[list[str]]:
    """Means over folds and their standard deviation, one row a choice; `learned` names columns of the training."""
    by_row: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for record in records:
        for method in record["methods"]:
            name = record["name"] or method
            by_row.setdefault((record["group"], name), []).append(record | record["methods"][method])
    rows = []
    for (group, name), own in by_row.items():
        rows.append([
            group, name, *(_spread([r["metrics"][key] for r in own]) for key in learned.values()),
            _spread([r["gene_exact"] for r in own]), _spread([r["intron_sensitivity"] for r in own]),
            f"{statistics.fmean([r['transcripts_per_gene'] for r in own]):.2f}",
            f"{statistics.fmean([r['search_ms_per_gene'] for r in own]):.1f}",
            f"{statistics.fmean([r['cpu_seconds'] for r in own]):.0f}",
        ])  # fmt: skip
    return rows


def table(records: Sequence[Mapping[str, Any]]) -> str:
    """What begins with random weights, and below it what begins with the trunk of the embedded model."""
    trained = {choice.group for choice in choices() if choice.trained}
    decoder = {"decoder, nats a step": "step_loss", "graph alone": "graph_step_loss"}
    texts = []
    for title, own, learned in (
        ("Random weights", [r for r in records if r["group"] not in trained],
         {"AP donor": "ap_donor", "AP acceptor": "ap_acceptor", **decoder}),
        ("On the trunk of the embedded model", [r for r in records if r["group"] in trained], decoder),
    ):  # fmt: skip
        header = ["", "choice", *learned, "gene_exact", "introns found", "transcripts a gene", "search, ms a gene",
                  "training, CPU s"]  # fmt: skip
        texts.append(f"## {title}\n\n{grid(header, _rows(own, learned))}")
    return "\n\n".join(texts)


def write_docs(text: str) -> None:
    """Put the table between the markers of docs/comparison.md."""
    before, _, rest = DOCS.read_text(encoding="utf-8").partition(BEGIN)
    _, _, after = rest.partition(END)
    with write_aside(DOCS) as aside:
        Path(aside).write_text(f"{before}{BEGIN}\n{text}\n{END}{after}", encoding="utf-8")


def main() -> None:
    """All choices in all folds; the table at the end."""
    parser = argparse.ArgumentParser(description="Compare the parts of the model on a small subset.")
    parser.add_argument("--outdir", type=Path, default=Path("results/compare"))
    parser.add_argument("--genes", type=int, default=Plan.genes)
    parser.add_argument("--folds", type=int, default=Plan.folds)
    parser.add_argument("--steps", type=int, default=Plan.steps)
    parser.add_argument("--decoder-steps", type=int, default=Plan.decoder_steps)
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    plan = Plan(arguments.outdir, genes=arguments.genes, folds=arguments.folds, steps=arguments.steps,
                decoder_steps=arguments.decoder_steps)  # fmt: skip
    shards, log = prepare(plan), plan.outdir / "runs.jsonl"
    for choice in choices():
        for fold in range(plan.folds):
            if any((r["group"], r["name"], r["fold"]) == (choice.group, choice.name, fold) for r in _done(log)):
                continue
            record = run_one(choice, fold, plan, shards[choice.subset])
            with log.open("a") as handle:
                handle.write(json.dumps(record, sort_keys=True) + "\n")
            print(f"{choice.group} {choice.name} fold {fold}: {record['cpu_seconds']:.0f} s", flush=True)
    text = table(_done(log))
    print(text)
    write_docs(text)


if __name__ == "__main__":
    main()
