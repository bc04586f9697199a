"""What a training run is made from, so that no checkpoint or stage outlives it.

In: a `Config`. Out: names and values, as JSON: settings that change the weights, and digests of shards and models.
A surprise: the number of steps is not in it. A run may be continued to more steps; a stage that is done compares it
besides.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from transgenic_tools.io.shards import expand_shards
from transgenic_tools.model.files import model_hash
from transgenic_tools.provenance import file_sha256, write_aside
from transgenic_tools.train.config import Config

logger = logging.getLogger(__name__)
#: Settings that say where, how long and how fast, not what is learned.
_FREE = frozenset({
    "outdir", "checkpoints", "resume", "steps", "threads", "workers", "device", "eval_every", "save_every", "log_every",
    "allow_download", "trust_remote_code", "deepspeed",
})  # fmt: skip
_FILE = "made_from.json"


def made_from(config: Config) -> dict[str, Any]:
    """JSON-able; equal for runs that learn the same."""
    values = {name: value for name, value in asdict(config).items() if name not in _FREE}
    for name in ("shards", "augment"):
        values[name] = shard_digests(values[name])
    if config.patience is not None:  # which weights are kept hangs on when they are measured
        values["eval_every"] = config.eval_every
    if config.init is not None:
        values["init"] = model_hash(config.init)
    if config.encodings is not None:
        values["encodings"] = [file_sha256(path)[:16] for path in sorted(config.encodings.glob("encodings-*.parquet"))]
    plain: dict[str, Any] = json.loads(json.dumps(values, default=str, sort_keys=True))
    return plain


def shard_digests(shards: tuple[Path, ...]) -> list[str]:
    """One for each shard, in their order."""
    return [file_sha256(path)[:16] for path in expand_shards(shards)] if shards else []


def changed(before: Mapping[str, Any] | None, now: Mapping[str, Any]) -> list[str]:
    """Names whose values differ; all of them where nothing is known of before."""
    known = {} if before is None else before
    return sorted(name for name in {*known, *now} if known.get(name) != now.get(name))


def set_aside_stale(checkpoints: Path, now: Mapping[str, Any]) -> None:
    """Move checkpoints that were made from something else out of the way, and note what this run is made from."""
    note = checkpoints / _FILE
    if any(checkpoints.glob("*")):
        differing = changed(_read(note), now)
        if differing:
            stale = checkpoints.with_name(f"{checkpoints.name}.stale")
            logger.warning(
                "the checkpoints in %s were made from other %s; training starts anew, they are now in %s",
                checkpoints, ", ".join(differing), stale,
            )  # fmt: skip
            shutil.rmtree(stale, ignore_errors=True)
            os.replace(checkpoints, stale)
    checkpoints.mkdir(parents=True, exist_ok=True)
    with write_aside(note) as aside:
        aside.write_text(json.dumps(now, indent=1, sort_keys=True) + "\n")


def _read(note: Path) -> dict[str, Any] | None:
    try:
        value = json.loads(note.read_text())
    except (OSError, ValueError):
        return None
    return value if isinstance(value, dict) else None
