"""A model adapts to a genome without annotation: predict, learn from what is confident, keep the better model.

In: gene shards of loci (tg-scan, or tg-prep with regions) and a model. Out: a model directory: the tuned model, or the
initial one where it says more for genes that were held out.
A surprise: it stands here because it takes two stages that know nothing of each other, tg-generate and tg-train.
"""

from __future__ import annotations

import logging
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from transgenic_tools.choices import Device
from transgenic_tools.errors import UsageError
from transgenic_tools.generate.config import Config as GenerateConfig
from transgenic_tools.generate.run import run as generate
from transgenic_tools.model.files import model_dir, model_hash
from transgenic_tools.provenance import Provenance, write_aside
from transgenic_tools.train.card import Making, write_making
from transgenic_tools.train.config import work_dir
from transgenic_tools.train.pipeline import Request
from transgenic_tools.train.pipeline import train as train_stages
from transgenic_tools.train.selftrain import Guard, Selection, guard, write_confident
from transgenic_tools.train.start import samples_of

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Config:
    """One adaptation.

    Attributes:
        init: Model to begin with; None is the embedded one.
        rounds: How often it predicts and learns.
        preset: Of the learning.
        changed, steps: As `train.pipeline.Request` has them.
    """

    shards: tuple[Path, ...]
    outdir: Path
    init: Path | None = None
    selection: Selection = field(default_factory=Selection)
    rounds: int = 1
    preset: str = "finetune"
    overrides: tuple[str, ...] = ()
    changed: Mapping[str, Any]
    steps: Mapping[str, int | None]
    threads: int = 1
    device: Device = "auto"


@dataclass(frozen=True)
class Result:
    """What came of it.

    Attributes:
        rounds: The guard's numbers of each round.
        taken: How many tuned models followed each other; 0: the initial one was kept.
        learned: Genes that the last of these learned.
    """

    outdir: Path
    rounds: tuple[Guard, ...]
    taken: int
    learned: int = 0

    def sentence(self) -> str:
        """For the terminal."""
        lines = [
            f"round {number}: {one.genes} held-out genes, {one.before:.3f} nats a gene before, {one.after:.3f} after"
            for number, one in enumerate(self.rounds, start=1)
        ]
        kept = f"the model of round {self.taken}" if self.taken else "the initial model, for nothing better was found"
        return "\n".join([*lines, f"{self.outdir} holds {kept}"])


@dataclass(frozen=True, kw_only=True)
class _Turn:
    """One round: the guard's numbers, the tuned model, and how many genes it learned."""

    guard: Guard
    model: Path
    learned: int


def _round(config: Config, model: Path, work: Path) -> _Turn | None:
    """One turn; None where too few predictions are confident."""
    predicted = generate(
        GenerateConfig(
            shards=config.shards, model=model, outdir=work / "predictions", evidence=config.selection.evidence,
            threads=config.threads, device=config.device,
        )
    )  # fmt: skip
    shards, held_out = write_confident(predicted.predictions, config.shards, config.selection, work / "confident")
    if not shards:
        logger.warning("too few predictions are confident in every part to learn from; a lower --self-confidence?")
        return None
    tuned = work / "model"
    trained = train_stages(
        Request(
            shards=shards, outdir=tuned, preset=config.preset, init=model, overrides=config.overrides,
            changed=config.changed, steps=config.steps, fits=False,
        )
    )  # fmt: skip
    judged = guard(model, tuned, held_out, device=config.device)
    return _Turn(guard=judged, model=tuned, learned=trained.n_train)


def run(config: Config) -> Result:
    """Adapt; see the module docstring.

    Raises:
        UsageError: a model to be learned from nothing.
    """
    if config.rounds < 1:
        raise UsageError(f"--rounds {config.rounds}", hint="give a whole number from 1")
    initial = model = model_dir(config.init)
    guards: list[Guard] = []
    taken = learned = 0
    for number in range(1, config.rounds + 1):
        turn = _round(config, model, work_dir(config.outdir) / f"round-{number}")
        if turn is None:
            break
        judged = turn.guard
        guards.append(judged)
        logger.info("round %d: %.3f nats a held-out gene before, %.3f after", number, judged.before, judged.after)
        if not judged.is_better:
            break
        model, taken, learned = turn.model, number, turn.learned
    result = Result(config.outdir, tuple(guards), taken, learned)
    _write(result, config, initial, model)
    return result


def _write(result: Result, config: Config, initial: Path, model: Path) -> None:
    """The chosen model's files with `adaptation.json`."""
    parameters = {
        "init": model_hash(initial), "min_confidence": config.selection.min_confidence, "taken": result.taken,
        "evidence": config.selection.evidence is not None, "rounds": [asdict(one) for one in result.rounds],
    }  # fmt: skip
    config.outdir.mkdir(parents=True, exist_ok=True)
    for file in sorted(path for path in model.iterdir() if path.is_file()):
        with write_aside(config.outdir / file.name) as aside:
            shutil.copyfile(file, aside)
    if result.taken:
        last = result.rounds[result.taken - 1]
        making = Making(
            way="`tg-train --self-train`",
            genes=result.learned, samples=samples_of(config.shards),
            judges=f"{last.genes:,} held-out predictions", figures=[("nats a gene", last.before, last.after)],
            caution="Learned from and judged by were confident predictions alone: shared mistakes do not show.",
        )  # fmt: skip
        write_making(config.outdir, initial, making)
    with write_aside(config.outdir / "adaptation.json") as aside:
        aside.write_text(Provenance("tg-train", parameters).to_json() + "\n", encoding="utf-8")
