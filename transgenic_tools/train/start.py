"""What a training run begins with: examples by split or fold, and the model.

In: a `Config`. Out: train and validation examples; a model from a preset, from published weights or from a directory,
with its encoder learned, frozen or adapted.
A surprise: nothing is computed under `no_grad`. A frozen encoder still passes gradients on to the adapters inside it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

from transgenic_tools.errors import BadInputError, UsageError
from transgenic_tools.io.rows import PARTIAL, GeneRow
from transgenic_tools.io.shards import expand_shards, read_columns, read_shard
from transgenic_tools.model.config import build_part
from transgenic_tools.model.encoders.embedded import EmbeddedEncoder
from transgenic_tools.model.encoders.strands import StrandEncoder
from transgenic_tools.model.files import model_dir
from transgenic_tools.model.transgenic import TransgenicConfig, TransgenicModel
from transgenic_tools.train.config import Config
from transgenic_tools.train.examples import Example, Holds, example_from_row, holds_of
from transgenic_tools.train.stream import StreamedExamples

logger = logging.getLogger(__name__)


Wanted = Callable[[GeneRow], bool]


def _by_split() -> tuple[Wanted, Wanted]:
    return lambda row: row.split == "train", lambda row: row.split == "validation"


def _by_fold(config: Config) -> tuple[Wanted, Wanted]:
    folds: set[int] = set()
    for path in expand_shards(config.shards):
        folds |= set(read_columns(path, ["fold"])["fold"].to_pylist()) - {None}
    if len(folds) != config.folds or config.fold not in folds:
        raise BadInputError(
            f"fold {config.fold} of {config.folds} was asked for, the shards hold folds {sorted(folds)}",
            path=config.shards[0],
            hint=f"make the shards with tg-prep genes --folds {config.folds}; folds count from 0",
        )

    def usable(row: GeneRow) -> bool:
        return row.fold is not None and row.split != "test"

    return lambda row: usable(row) and row.fold != config.fold, lambda row: usable(row) and row.fold == config.fold


def held_by(shards: Sequence[Path]) -> dict[str, Holds]:
    """What the annotation of each sample in the shards holds, by all its genes, whatever their split."""
    names = ("sample", "gsf", "n_transcripts")

    def genes() -> Iterator[tuple[str, str | None, int]]:  # file by file: streamed shards are more than memory holds
        for path in expand_shards(shards):
            columns = read_columns(path, names)
            yield from zip(*(columns[name].to_pylist() for name in names), strict=True)

    return holds_of(genes())


def samples_of(shards: Sequence[Path]) -> list[str]:
    """Names of the samples in the shards, sorted."""
    return sorted(
        {name for path in expand_shards(shards) for name in read_columns(path, ["sample"])["sample"].to_pylist()}
    )


def load_examples(config: Config) -> tuple[Sequence[Example] | StreamedExamples, list[Example]]:
    """Train and validation examples: by the shards' split, or all but one fold and that fold.

    Streamed ones are read when they are asked for; those of validation always lie in memory.

    Raises:
        BadInputError: no gene of split `train` has a gene sentence, or the shards hold other folds.
    """
    learn, measure = _by_fold(config) if config.folds else _by_split()
    holds = held_by(config.shards)

    def example(row: GeneRow) -> Example:
        return example_from_row(row, holds[row.sample])

    train: Sequence[Example] | StreamedExamples
    if config.stream:
        train = StreamedExamples(
            config.shards,
            learn,
            holds=holds,
            section_genes=config.stream_genes,
            sections_at_once=config.stream_sections,
            lanes=config.accumulate,
        )
        validation = [example(row) for row in read_shard(config.shards) if row.gsf and measure(row)]
    else:
        rows = [row for row in read_shard(config.shards) if row.gsf]
        train = [example(row) for row in rows if learn(row)]
        validation = [example(row) for row in rows if measure(row)]
    if not len(train):
        raise BadInputError(
            "no gene of split 'train' with a gene sentence",
            path=config.shards[0] if config.shards else None,
            hint="make the shards with tg-prep genes --annotation ... --split ...",
        )
    return train, validation


def load_augmentation(config: Config) -> list[Example]:
    """Examples of split `train` in the augmentation's shards whose every transcript was lifted.

    Raises:
        UsageError: augmentation of streamed examples, or beside folds.
    """
    if not config.augment:
        return []
    if config.folds:
        raise UsageError(
            "--augment and --folds: copies of the measured fold's genes would be learned",
            hint="lift knows splits, not folds; leave one of them out",
        )
    if config.stream:
        raise UsageError("--augment lies in memory, --stream does not", hint="leave one of them out")
    rows = (row for row in read_shard(config.augment) if row.gsf and row.split == "train")
    return [example_from_row(row) for row in rows if PARTIAL not in row.flags]


def build_model(config: Config) -> TransgenicModel:
    """From `init`; else new, with published weights in the encoder where `weights` names them."""
    if config.init is not None:
        model = TransgenicModel.from_pretrained(model_dir(config.init), local_files_only=True)
    else:
        model = _new_model(config)
    return _set_learned(model, config)


def _new_model(config: Config) -> TransgenicModel:
    parts = {name: dict(values) for name, values in config.model_overrides.items()}
    encoder = build_part("encoder", parts.get("encoder"))
    weights = config.weights or getattr(encoder, "weights", None)
    if weights is None:
        if hasattr(encoder, "weights"):
            logger.warning(
                "the encoder (%s) begins with random numbers, not with published weights: give --weights DIR, or the "
                "name of a hub's model with --allow-download", encoder.name,
            )  # fmt: skip
        return TransgenicModel(TransgenicConfig(**parts))
    from transgenic_tools.model.encoders.factory import find_weights, load_published, sizes_from_directory

    directory = find_weights(
        weights, revision=config.revision or encoder.revision, allow_download=config.allow_download
    )
    sized = sizes_from_directory(encoder, directory)
    values = asdict(sized) | {"weights": str(weights)}
    if "trust_remote_code" in values:
        values["trust_remote_code"] = config.trust_remote_code
    model = TransgenicModel(TransgenicConfig(**(parts | {"encoder": values})))
    count = load_published(model.encoder, directory, trust_remote_code=config.trust_remote_code)
    logger.info("%d published tensors from %s", count, directory)
    return model


def _set_learned(model: TransgenicModel, config: Config) -> TransgenicModel:
    """Freeze the encoder, or put adapters into it."""
    from transgenic_tools.model.adapters import add_adapters, backbone_of

    if config.stage == "decoder":
        return model  # its trunk is kept as it is
    if config.encodings is not None:
        if config.peft != "none":
            raise UsageError("adapters cannot learn from stored encodings", hint="leave --encodings or --peft out")
        from transgenic_tools.model.stored import use_stored

        use_stored(model, config.encodings)
    if config.freeze == "encoder" or config.encodings is not None:
        backbone_of(model).requires_grad_(False)
    if config.freeze == "lower":
        _freeze_lower(model)
    if config.peft != "none":
        held = add_adapters(model, config.peft, rank=config.rank)
        logger.info("%s adapters with %d numbers in the encoder", config.peft, held)
    return model


#: Of this project's own encoders: what a window passes before its last block.
_LOWER = ("stem_in", "stem_mix", "patch", "one_gene")


def _freeze_lower(model: TransgenicModel) -> None:
    """Keep an own trunk but for its last block and what follows; of other encoders the pretrained part."""
    from transgenic_tools.model.adapters import backbone_of

    encoder = model.encoder
    if not isinstance(encoder, EmbeddedEncoder | StrandEncoder):
        backbone_of(model).requires_grad_(False)
        return
    last = f"blocks.{len(encoder.blocks) - 1}."
    for name, parameter in encoder.named_parameters():
        below = name.startswith("blocks.") and not name.startswith(last)
        if below or name.split(".")[0] in _LOWER:
            parameter.requires_grad_(False)
