"""The whole training of a model: trunk, scoring, decoder, calibration.

In: gene shards and a preset. Out: a model directory; every stage lies finished in `<outdir>.training`, so a killed
run goes on with the first unfinished one, at its last checkpoint.
A surprise: scoring and calibration look at the validation split alone; the test split is never read.
"""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from transgenic_tools.errors import UsageError
from transgenic_tools.lattice.config import ScoringConfig
from transgenic_tools.lattice.paths import exact_sites, find_paths
from transgenic_tools.model.config import ModelConfig
from transgenic_tools.model.evidence import FILE as EVIDENCE
from transgenic_tools.model.files import load_model, model_hash
from transgenic_tools.model.transgenic import TransgenicConfig, TransgenicModel
from transgenic_tools.provenance import Provenance, write_aside
from transgenic_tools.search.reader import Reader
from transgenic_tools.train.calibration import calibrate
from transgenic_tools.train.config import Config, work_dir
from transgenic_tools.train.decoding import crop_transcripts
from transgenic_tools.train.examples import Example
from transgenic_tools.train.identity import changed, made_from, shard_digests
from transgenic_tools.train.metrics import jittered_items
from transgenic_tools.train.processes import make_accelerator, world_size
from transgenic_tools.train.run import run
from transgenic_tools.train.scoring import GoldGraph, fit_scoring, gold_graph
from transgenic_tools.train.start import load_examples

logger = logging.getLogger(__name__)
_DONE = "done.json"
#: Genes that the scoring weights of the initial model count for.
SCORING_PRIOR = 20.0


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """All stages of one training.

    Attributes:
        trunk, decoder: Settings of the two learned stages; their `shards` and `outdir` are set here.
        model: Parts of the model, as in a preset.
        init: Model directory to fine-tune instead of starting anew.
        fits: Scores of the graph and calibration are fitted on the validation split; else those of `init` stay.
        learns_trunk: False: the trunk of `init` stays, and what follows it is made anew, the decoder as `model` says.
    """

    shards: tuple[Path, ...]
    outdir: Path
    model: Mapping[str, dict[str, object]] = field(default_factory=dict)
    trunk: Config
    decoder: Config
    init: Path | None = None
    fits: bool = True
    learns_trunk: bool = True

    @property
    def tunes(self) -> bool:
        """A whole model is fine-tuned, so that what was fitted for it counts."""
        return self.init is not None and self.learns_trunk

    @property
    def trunk_dir(self) -> Path:
        """The model directory whose trunk the later stages stand on."""
        return self.trunk.outdir if self.learns_trunk or self.init is None else self.init


@dataclass(frozen=True)
class Result:
    """What the training left behind.

    Attributes:
        table: Of fine-tuning: figures before and after.
    """

    outdir: Path
    n_train: int
    n_validation: int
    metrics: dict[str, float]
    table: str | None = None


def recipe_from_preset(
    preset: Mapping[str, dict[str, Any]],
    *,
    shards: tuple[Path, ...],
    outdir: Path,
    overrides: Mapping[str, Any],
    stage_steps: Mapping[str, int | None],
    init: Path | None = None,
) -> Recipe:
    """A recipe from a preset's parts; `training.trunk` and `training.decoder` hold settings of the stages.

    Raises:
        UsageError: a setting that `Config` does not have.
    """
    parts = {key: dict(value) for key, value in preset.items()}
    training = parts.pop("training", {})
    if strangers := set(parts) - {f.name for f in fields(ModelConfig)}:
        raise UsageError(f"a model has no part {sorted(strangers)}", hint="see docs/stages/3_train.md")
    known = {f.name for f in fields(Config)}
    stages = {}
    for stage in ("trunk", "decoder"):
        wanted = {**overrides, "steps": stage_steps.get(stage)}
        settings = {**training.get(stage, {}), **{key: value for key, value in wanted.items() if value is not None}}
        if unknown := set(settings) - known:
            raise UsageError(f"training.{stage} has no setting {sorted(unknown)}", hint="see docs/stages/3_train.md")
        settings = {key: value for key, value in settings.items() if key not in ("shards", "outdir", "stage")}
        stages[stage] = Config(shards=shards, outdir=work_dir(outdir) / stage, stage=stage, **settings)
    return Recipe(
        shards=shards, outdir=outdir, model=parts, trunk=stages["trunk"], decoder=stages["decoder"], init=init
    )


def _many() -> bool:
    return world_size() > 1


def _alone(work: Callable[[], dict[str, float]], directory: Path) -> dict[str, float]:
    """What one process does while the others wait; all get the numbers that it leaves in `directory`."""
    if not _many():
        return work()
    from accelerate import PartialState

    state = PartialState()
    if state.is_main_process:
        work()
    state.wait_for_everyone()
    return _finished(directory) or {}


def _finished(directory: Path, made: Mapping[str, Any] | None = None) -> dict[str, float] | None:
    """Numbers of a stage that is done; None where it is not, or was made from something else than `made`."""
    try:
        done = json.loads((directory / _DONE).read_text())
        metrics: dict[str, float] = done["metrics"]
        before = done["made_from"]
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return None
    if made is not None and (differing := changed(before, made)):
        logger.warning("%s was made from other %s; it is made anew", directory, ", ".join(differing))
        return None
    return metrics


def _mark(directory: Path, metrics: Mapping[str, float], made: Mapping[str, Any]) -> dict[str, float]:
    with write_aside(directory / _DONE) as aside:
        aside.write_text(json.dumps({"metrics": dict(metrics), "made_from": dict(made)}, sort_keys=True))
    return dict(metrics)


def gold_graphs(reader: Reader, examples: list[Example]) -> list[GoldGraph]:
    """Graphs of jittered windows with the path of each gene's first transcript."""
    graphs = []
    for item in jittered_items(examples):
        cropped = crop_transcripts(examples[item.index], item.crop)
        sites, _ = reader.read_window(cropped.window, forced=exact_sites(cropped.transcripts))
        paths = [] if sites is None else find_paths(sites.graph, cropped.transcripts)
        if sites is not None and paths:
            graphs.append(gold_graph(sites.graph, paths[0], utrs=cropped.holds.utrs))
    return graphs


def _fit_scoring(
    source: Path,
    target: Path,
    validation: list[Example] | None,
    *,
    tuned: bool,
    shards: list[str],
    decoder: Mapping[str, object] | None = None,
) -> dict[str, float]:
    """The trunk's model with fitted scoring weights; those of a fine-tuned model are held near the ones it had.

    Args:
        validation: None: the weights stay as they are.
        decoder: Settings of a new decoder in place of the source's; None leaves it.
    """
    made = {"model": model_hash(source), "shards": shards, "tuned": tuned, "fitted": validation is not None}
    made["decoder"] = None if decoder is None else dict(decoder)
    done = _finished(target, made)
    if done is not None:
        return done
    model, _ = load_model(source)
    if decoder is not None:
        model = _with_decoder(model, decoder)
    model.eval()
    metrics: dict[str, float] = {}
    if validation:
        start = model.settings.scoring if tuned else ScoringConfig()
        ridge = SCORING_PRIOR if tuned else 0.0
        scoring, before, after = fit_scoring(gold_graphs(Reader(model), validation), start, ridge=ridge)
        model.refit(scoring=scoring)
        metrics = {"scoring_loss_before": before, "scoring_loss_after": after}
    elif validation is not None:
        logger.warning("no gene of split 'validation': scoring and calibration stay as they are")
    model.save_pretrained(target)
    return _mark(target, metrics, made)


def _with_decoder(model: TransgenicModel, decoder: Mapping[str, object]) -> TransgenicModel:
    """The same trunk with a new, untrained decoder, and nothing fitted."""
    parts = model.config.to_dict()
    kept = {name: parts[name] for name in ("encoder", "mapping", "grammar", "scan")}
    new = TransgenicModel(TransgenicConfig(**kept, decoder=dict(decoder)))
    trunk = {name: value for name, value in model.state_dict().items() if not name.startswith("decoder.")}
    new.load_state_dict({**new.state_dict(), **trunk})
    return new


def _stage(config: Config, init: Path | None, parts: Mapping[str, dict[str, object]]) -> dict[str, float]:
    config = replace(config, init=init, model_overrides=dict(parts))
    made = {**made_from(config), "steps": config.steps}
    done = _finished(config.outdir, made) if config.resume else None
    if done is not None:
        logger.info("stage %s is done already", config.stage)
        return done
    result = run(config)
    return _alone(lambda: _mark(config.outdir, result.metrics, made), config.outdir)


def _join_metrics(outdir: Path, stages: Mapping[str, Path]) -> None:
    """`metrics.jsonl` of the model: lines of both stages, each with its stage's name; a given trunk may have none."""
    lines = []
    for name, stage in stages.items():
        path = stage / "metrics.jsonl"
        for line in path.read_text().splitlines() if path.exists() else ():
            lines.append(json.dumps({"stage": name, **json.loads(line)}, sort_keys=True))
    (outdir / "metrics.jsonl").write_text("".join(line + "\n" for line in lines))


def run_recipe(recipe: Recipe) -> Result:
    """Train all stages; see the module docstring."""
    if _many():
        make_accelerator(recipe.trunk)  # before the first wait, so that device and backend are those of the run
    train, validation = load_examples(recipe.trunk)
    stages = work_dir(recipe.outdir)
    metrics = dict(_stage(recipe.trunk, recipe.init, recipe.model)) if recipe.learns_trunk else {}
    scored, shards = stages / "scoring", shard_digests(recipe.shards)
    metrics |= _alone(
        lambda: _fit_scoring(
            recipe.trunk_dir,
            scored,
            validation if recipe.fits else None,
            tuned=recipe.tunes,
            shards=shards,
            decoder=None if recipe.learns_trunk else recipe.model.get("decoder", {}),
        ),
        scored,
    )
    metrics |= _stage(recipe.decoder, stages / "scoring", {})
    final = stages / "calibration"
    metrics |= _alone(lambda: _finish(recipe, len(train), validation, metrics, final), final)
    return Result(recipe.outdir, len(train), len(validation), metrics)


def _initial_calibration(recipe: Recipe) -> Mapping[str, Sequence[float]]:
    """Of the model that was fine-tuned; nothing for a new one."""
    if recipe.init is None or not recipe.tunes:
        return {}
    model, _ = load_model(recipe.init)
    return model.settings.calibration


def _finish(
    recipe: Recipe, n_train: int, validation: list[Example], metrics: Mapping[str, float], directory: Path
) -> dict[str, float]:
    """Calibrate, and write the model directory."""
    model, _ = load_model(recipe.decoder.outdir)
    model.eval()
    errors: dict[str, float] = {}
    if validation and recipe.fits:
        calibration, errors = calibrate(Reader(model), validation, prior=_initial_calibration(recipe))
        model.refit(calibration=calibration)
    model.save_pretrained(recipe.outdir)
    if recipe.init is not None and recipe.tunes and (counts := recipe.init / EVIDENCE).is_file():
        with write_aside(recipe.outdir / EVIDENCE) as aside:
            shutil.copyfile(counts, aside)
    _join_metrics(recipe.outdir, {"trunk": recipe.trunk_dir, "decoder": recipe.decoder.outdir})
    summary = {"n_train": n_train, "n_validation": len(validation), "metrics": {**metrics, **errors}}
    sizes = {part: asdict(getattr(model.settings, part)) for part in ("encoder", "mapping", "decoder", "grammar")}
    parameters = {"model": sizes, "parameters": model.n_parameters, "init": recipe.init and recipe.init.name}
    stamp = json.loads(Provenance("tg-train", parameters).to_json())
    (recipe.outdir / "training.json").write_text(json.dumps({**summary, "provenance": stamp}, indent=1, sort_keys=True))
    return _mark(
        directory, errors, {"model": model_hash(recipe.decoder.outdir), "shards": shard_digests(recipe.shards)}
    )
