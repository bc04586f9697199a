"""Fine-tuning on a user's own genes: how much is learned from how many, and what it brought.

In: the preset `finetune` and the genes of the shards. Out: settings of the two learned stages; afterwards the same
figures of the initial and of the tuned model on the held-out genes, as a table.
A surprise: the held-out genes of the table are those that training stopped by and that scores and calibration were
fitted on; a split `test` in the shards, which nothing here reads, is what `tg-evaluate` should judge by.
"""

from __future__ import annotations

import csv
import io
import json
import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, get_args

from transgenic_tools.errors import UsageError
from transgenic_tools.model.files import load_network, model_dir, model_hash
from transgenic_tools.model.network import pick_device
from transgenic_tools.provenance import Provenance, write_aside
from transgenic_tools.search.reader import Reader, bf16_on_cpu
from transgenic_tools.train.batches import outline
from transgenic_tools.train.config import Config, Freeze
from transgenic_tools.train.examples import Example, Examples
from transgenic_tools.train.judged import GeneFigures, judge_genes

logger = logging.getLogger(__name__)
PART = "finetune"
_HINT = "compare with transgenic_tools/assets/presets/finetune.yaml"
#: Fewer steps than this teach nothing, whatever the number of passes.
_LEAST_STEPS = 12
#: Fewer training genes, and fewer held-out ones, are worth a warning.
_FEW, _FEW_HELD_OUT = 100, 50
#: Rows of the table: name of the figure, and in how many digits it is shown.
FIGURES = {
    "gene_exact": 3, "exon_f1": 3, "transcript_sensitivity": 3, "transcript_precision": 3, "confidence_error": 3,
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Regime:
    """What so many genes are good for.

    Attributes:
        genes: The most genes that it is meant for.
        freeze: See `Config`.
        passes, decoder_passes: Over the training genes, at most.
        learning_rate: Of the trunk, at its highest.
    """

    genes: float
    freeze: Freeze
    passes: float
    learning_rate: float
    decoder_passes: float


@dataclass(frozen=True)
class Amount:
    """What there is to learn from.

    Attributes:
        genes: Training genes.
        bases: Of one crop of each.
    """

    genes: int
    bases: int


def amount_of(train: Examples, config: Config) -> Amount:
    """Counted with the mean flanks of a crop."""
    flanks = config.flank_min + config.flank_max
    lengths = (outline(train, index) for index in range(len(train)))
    bases = sum(min(gene.length, len(gene.locus) + flanks, config.max_bases) for gene in lengths)
    return Amount(len(train), bases)


def warn_of_few(train: int, held_out: int) -> None:
    """Say, before anything is learned, what so few genes cannot tell."""
    if train < _FEW:
        logger.warning(
            "%d training genes: so few are better spent on testing a model than on tuning one (docs/train.md)", train
        )
    if not held_out:
        logger.warning(
            "no gene of split 'validation': training does not end early, and nothing tells whether it helped; "
            "hold some out with tg-prep genes --split fraction"
        )
    elif held_out < _FEW_HELD_OUT:
        logger.warning(
            "%d held-out genes stop the training and judge it: one standard error of gene_exact is up to %.2f",
            held_out, math.sqrt(0.25 / held_out),
        )  # fmt: skip


def _regimes(part: Mapping[str, Any]) -> list[Regime]:
    known = {f.name for f in fields(Regime)}
    try:
        rows = [Regime(**row) for row in part["rows"]]
    except (KeyError, TypeError) as error:
        raise UsageError(f"finetune.rows: each needs {', '.join(sorted(known))} ({error})", hint=_HINT) from error
    if not rows or any(row.freeze not in get_args(Freeze) for row in rows):
        raise UsageError(f"finetune.rows: freeze is one of {', '.join(get_args(Freeze))}", hint=_HINT)
    return sorted(rows, key=lambda row: row.genes)


def fitted(preset: Mapping[str, dict[str, Any]], amount: Amount, config: Config) -> dict[str, dict[str, Any]]:
    """The preset with settings of both stages for so many genes, without its part `finetune`.

    Raises:
        UsageError: the part lacks a setting, or the preset names parts of a model as well.
    """
    part = preset[PART]
    if strangers := set(preset) - {PART, "training"}:
        raise UsageError(f"a preset with {PART} starts from a model, so {sorted(strangers)} say nothing", hint=_HINT)
    regimes = _regimes(part)
    regime = next((row for row in regimes if amount.genes <= row.genes), regimes[-1])
    settings = {stage: dict(preset.get("training", {}).get(stage, {})) for stage in ("trunk", "decoder")}
    batch_bases = settings["trunk"].get("batch_bases", config.batch_bases)
    genes_per_batch = settings["decoder"].get("genes_per_batch", config.genes_per_batch)
    most = int(part.get("most_steps", 8000))
    steps = {
        "trunk": math.ceil(regime.passes * amount.bases / batch_bases),
        "decoder": math.ceil(regime.decoder_passes * amount.genes / genes_per_batch),
    }
    settings["trunk"] |= {"freeze": regime.freeze, "learning_rate": regime.learning_rate}
    native = pick_device(config.device).type == "cpu" and bf16_on_cpu() == "native"
    for stage, values in settings.items():
        values["steps"] = min(most, max(_LEAST_STEPS, steps[stage]))
        values["eval_every"] = values["save_every"] = math.ceil(values["steps"] / int(part.get("measurements", 6)))
        values.setdefault("precision", "bf16" if native and stage == "trunk" else "fp32")
    logger.info(
        "fine-tuning on %d genes (%.1f Mb): %s, at most %d steps of the trunk at rate %g and %d of the decoder",
        amount.genes, amount.bases / 1e6,
        {"none": "all weights learn", "lower": "the last block and the heads learn"}.get(regime.freeze, "heads learn"),
        settings["trunk"]["steps"], regime.learning_rate, settings["decoder"]["steps"],
    )  # fmt: skip
    return {"training": settings}


@dataclass(frozen=True)
class Comparison:
    """The initial and the tuned model on the same genes."""

    before: GeneFigures
    after: GeneFigures

    def rows(self) -> list[tuple[str, float, float]]:
        """(figure, before, after)."""
        before, after = self.before.figures(), self.after.figures()
        return [(name, before[name], after[name]) for name in FIGURES]

    def text(self) -> str:
        """A table for the terminal."""
        lines = [f"{f'{self.before.genes} held-out genes':24} {'before':>8} {'after':>8}"]
        for name, before, after in self.rows():
            lines.append(f"{name:24} {before:8.{FIGURES[name]}f} {after:8.{FIGURES[name]}f}")
        return "\n".join(lines)


def compare(initial: Path, tuned: Path, examples: Sequence[Example], *, device: str = "auto") -> Comparison:
    """Both models on jittered windows of the same genes, flanks drawn anew."""

    def judged(directory: Path) -> GeneFigures:
        network, _ = load_network(directory)
        return judge_genes(Reader(network.eval().to(pick_device(device))), examples)

    return Comparison(judged(initial), judged(tuned))


def write_comparison(comparison: Comparison, outdir: Path, *, initial: Path, regime: Mapping[str, Any]) -> None:
    """`finetune.json` and `finetune.tsv` beside the model."""
    parameters = {"init": model_hash(model_dir(initial)), "settings": dict(regime)}
    stamp = json.loads(Provenance("tg-train", parameters).to_json())
    saved = {"before": comparison.before.figures(), "after": comparison.after.figures(), "provenance": stamp}
    with write_aside(outdir / "finetune.json") as aside:
        aside.write_text(json.dumps(saved, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    table = io.StringIO()
    writer = csv.writer(table, delimiter="\t", lineterminator="\n")
    writer.writerow(["figure", "before", "after"])
    writer.writerows([name, f"{before:.4f}", f"{after:.4f}"] for name, before, after in comparison.rows())
    with write_aside(outdir / "finetune.tsv") as aside:
        aside.write_text(table.getvalue(), encoding="utf-8")
