"""tg-train: gene shards to a model directory.

In: shards of `tg-prep` with known gene sentences. Out: a model directory that `tg-generate --model` takes.
A surprise: the same command runs under torchrun and accelerate; every process reads the same plan and takes its share.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from transgenic_tools.choices import Device, Scale, TrainingPrecision
from transgenic_tools.cli._errors import entry_point
from transgenic_tools.cli._options import (
    JsonOption,
    OutdirOption,
    QuietOption,
    VerboseOption,
    VersionOption,
    new_app,
    say_json,
    set_up_logging,
)
from transgenic_tools.train.config import Freeze, Optimizer, Peft, Stages

if TYPE_CHECKING:
    from transgenic_tools.train.conditions import Result as ConditionResult
    from transgenic_tools.train.recipe import Result

app = new_app("Train a model from gene shards.")


@app.command()
def train(
    shards: Annotated[list[Path], typer.Argument(help="Gene shards (genes-*.parquet) or directories of them.")],
    outdir: OutdirOption,
    preset: Annotated[
        str | None, typer.Option(help="Model and settings: a name (finetune, mini, embedded, ...), or a YAML file.")
    ] = None,
    init: Annotated[
        Path | None,
        typer.Option(help="Start from this model directory; unless given, finetune takes the embedded one."),
    ] = None,
    set_: Annotated[list[str] | None, typer.Option("--set", help="Change the preset: part.setting=value.")] = None,
    stage: Annotated[Stages, typer.Option(help="One learned stage alone, or all but the trunk.")] = "all",
    weights: Annotated[
        str | None, typer.Option(help="Published weights of the encoder: a directory or a hub name.")
    ] = None,
    revision: Annotated[str | None, typer.Option(help="Commit of these weights on the hub.")] = None,
    allow_download: Annotated[
        bool, typer.Option("--allow-download", help="Fetch them where they are not here.")
    ] = False,
    trust_remote_code: Annotated[
        bool, typer.Option("--trust-remote-code", help="Run the code beside the weights (encoder 'auto').")
    ] = False,
    peft: Annotated[Peft | None, typer.Option(help="Learn adapters in the encoder instead of its weights.")] = None,
    rank: Annotated[int | None, typer.Option(min=1, help="Rank of LoRA.")] = None,
    freeze: Annotated[
        Freeze | None, typer.Option(help="Keep the encoder's pretrained part, or the lower blocks.")
    ] = None,
    steps: Annotated[int | None, typer.Option(min=1, help="Optimiser steps of the trunk, and of the decoder.")] = None,
    decoder_steps: Annotated[int | None, typer.Option(min=1, help="Optimiser steps of the decoder alone.")] = None,
    batch_bases: Annotated[int | None, typer.Option(min=1, help="Bases of one micro-batch, padding included.")] = None,
    accumulate: Annotated[int | None, typer.Option(min=1, help="Micro-batches of a step, over all processes.")] = None,
    max_bases: Annotated[int | None, typer.Option(min=1, help="Longest crop of a window.")] = None,
    learning_rate: Annotated[float | None, typer.Option(help="Highest learning rate.")] = None,
    optimizer: Annotated[Optimizer | None, typer.Option(help="adamw, or muon for hidden matrices.")] = None,
    precision: Annotated[
        TrainingPrecision | None, typer.Option(help="bf16 pays on GPUs made for it; fp32 on a CPU.")
    ] = None,
    ema: Annotated[float | None, typer.Option(help="Decay of averaged weights; 0 for none.")] = None,
    eval_every: Annotated[int | None, typer.Option(min=1, help="Steps between measurements.")] = None,
    save_every: Annotated[int | None, typer.Option(min=1, help="Steps between checkpoints.")] = None,
    augment: Annotated[
        list[Path] | None, typer.Option(help="Shards of tg-prep lift, learned by the trunk beside the others.")
    ] = None,
    encodings: Annotated[
        Path | None,
        typer.Option(help="Stored encodings of tg-encode; learns mapping, head and decoder on whole windows."),
    ] = None,
    stream: Annotated[
        bool, typer.Option("--stream", help="Read training windows from the shards as they are needed.")
    ] = False,
    workers: Annotated[int | None, typer.Option(min=0, help="Processes that read micro-batches ahead.")] = None,
    folds: Annotated[int | None, typer.Option(min=0, help="Cross-validation: folds in the shards; 0 for none.")] = None,
    fold: Annotated[int | None, typer.Option(min=0, help="The fold that is measured, from 0.")] = None,
    deepspeed: Annotated[
        Path | None, typer.Option(help="DeepSpeed configuration: conf/deepspeed/zero{1,2,3}.json.")
    ] = None,
    conditions: Annotated[
        Path | None,
        typer.Option(help="TSV of numbers by sample: learn what they do to splicing (with --usage), nothing else."),
    ] = None,
    usage: Annotated[
        Path | None, typer.Option(help="Junction counts of these samples: the file of tg-evidence.")
    ] = None,
    condition_inputs: Annotated[
        Path | None, typer.Option(help="Names of the table to learn from, one on a line (RNA-binding proteins).")
    ] = None,
    condition_scale: Annotated[
        Scale | None, typer.Option(help="log for TPM and counts (log2 of 1 + x), plain for other numbers.")
    ] = None,
    condition_rank: Annotated[int | None, typer.Option(min=1, help="Rank of what is learned.")] = None,
    condition_members: Annotated[
        int | None, typer.Option(min=1, help="Bootstrap samples of the genes, whose spread is the uncertainty.")
    ] = None,
    self_train: Annotated[
        bool,
        typer.Option("--self-train", help="Without annotation: predict, learn from what is confident."),
    ] = False,
    evidence: Annotated[
        Path | None, typer.Option(help="Of --self-train: file of tg-evidence that must show every intron learned.")
    ] = None,
    self_confidence: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="Of --self-train: least probability of transcript and sites.")
    ] = 0.9,
    rounds: Annotated[int, typer.Option(min=1, help="Of --self-train: how often it predicts and learns.")] = 1,
    epochs: Annotated[int | None, typer.Option(min=1, help="Of --conditions: passes over the genes.")] = None,
    trunk_rate: Annotated[
        float | None,
        typer.Option(min=0, help="Of --conditions: the trunk learns along at this rate, say 2e-5; 0, it stays."),
    ] = None,
    device: Annotated[Device | None, typer.Option(help="auto takes CUDA where there is one.")] = None,
    threads: Annotated[
        int | None, typer.Option("--threads", "-t", min=1, help="CPU threads; 1 gives the same bytes twice.")
    ] = None,
    seed: Annotated[
        int | None, typer.Option(help="Seed of every random choice; the same bytes with --threads 1.")
    ] = None,
    no_resume: Annotated[bool, typer.Option("--no-resume", help="Begin anew beside old checkpoints.")] = False,
    ignore_memory: Annotated[bool, typer.Option("--ignore-memory", help="Run even where it may not fit.")] = False,
    json_summary: JsonOption = None,
    verbose: VerboseOption = 0,
    quiet: QuietOption = False,
    version: VersionOption = False,
) -> None:
    """Train a model from gene shards.

    Example: tg-train shards/ --preset mini --outdir model/
    """
    set_up_logging(verbose, quiet)
    if conditions is not None or usage is not None:
        from transgenic_tools.train.conditions import asked, run

        learned = run(
            asked(
                shards=tuple(shards), outdir=outdir, init=init, conditions=conditions, usage=usage, preset=preset,
                inputs=condition_inputs, scale=condition_scale, rank=condition_rank, members=condition_members,
                epochs=epochs, rate=learning_rate, trunk_rate=trunk_rate, device=device, threads=threads, seed=seed,
                resume=False if no_resume else None,
            )
        )  # fmt: skip
        _say(learned, json_summary)
        return
    from transgenic_tools.train.pipeline import Request
    from transgenic_tools.train.pipeline import train as train_stages

    changed = {
        "weights": weights, "revision": revision, "allow_download": allow_download or None,
        "trust_remote_code": trust_remote_code or None, "peft": peft, "rank": rank,
        "freeze": freeze, "batch_bases": batch_bases, "accumulate": accumulate,
        "max_bases": max_bases, "learning_rate": learning_rate, "optimizer": optimizer,
        "precision": precision, "ema": ema, "eval_every": eval_every, "save_every": save_every,
        "encodings": encodings, "augment": tuple(augment) if augment else None,
        "stream": stream or None, "workers": workers, "folds": folds, "fold": fold, "deepspeed": deepspeed,
        "device": device, "threads": threads, "seed": seed, "resume": False if no_resume else None,
    }  # fmt: skip
    if self_train:
        from transgenic_tools.annotate import adapt
        from transgenic_tools.train.selftrain import Selection

        adapted = adapt.run(
            adapt.Config(
                shards=tuple(shards), outdir=outdir, init=init, rounds=rounds, preset=preset or "finetune",
                selection=Selection(min_confidence=self_confidence, evidence=evidence), overrides=tuple(set_ or ()),
                changed=changed, steps={"trunk": steps, "decoder": decoder_steps or steps}, threads=threads or 1,
                device=device or "auto",
            )
        )  # fmt: skip
        if not say_json(json_summary, json.dumps({"outdir": str(outdir), "taken": adapted.taken})):
            typer.echo(adapted.sentence())
        return
    request = Request(
        shards=tuple(shards), outdir=outdir, preset=preset, init=init, overrides=tuple(set_ or ()), stage=stage,
        changed=changed, steps={"trunk": steps, "decoder": decoder_steps or steps}, check_memory=not ignore_memory,
    )  # fmt: skip
    result = train_stages(request)
    if result.table and str(json_summary) != "-":
        typer.echo(result.table)
    _say(result, json_summary)


def _say(result: Result | ConditionResult, json_summary: Path | None) -> None:
    summary = {
        "outdir": str(result.outdir),
        "metrics": result.metrics,
        "train_genes": result.n_train,
        "validation_genes": result.n_validation,
    }
    say_json(json_summary, json.dumps(summary))


main = entry_point(app, "tg-train")

if __name__ == "__main__":
    main()
