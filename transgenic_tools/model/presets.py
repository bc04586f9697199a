"""Named configurations of the model: `assets/presets/*.yaml` of the package.

In: a name or a path, and overrides such as `decoder.layers=4`. Out: keyword arguments of `TransgenicConfig`.
`default` is `embedded`.
A surprise: values are YAML, so `encoder.checkpointing=true` is a truth value and `null` is nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from transgenic_tools.errors import BadInputError, UsageError
from transgenic_tools.io.files import whole_text

PRESETS = Path(__file__).resolve().parents[1] / "assets" / "presets"


def preset_names() -> tuple[str, ...]:
    """Names of the presets that come with the program."""
    return tuple(sorted(path.stem for path in PRESETS.glob("*.yaml")))


def model_preset_names() -> tuple[str, ...]:
    """Those that name the parts of a model; the others train one that exists."""
    return tuple(name for name in preset_names() if "encoder" in load_preset(name))


def load_preset(name: str, overrides: Sequence[str] = ()) -> dict[str, dict[str, Any]]:
    """Parts of the model by name.

    Raises:
        UsageError: no such preset, or an override that is not `part.setting=value`.
        BadInputError: the file is no YAML mapping of mappings.
    """
    name = {"default": "embedded"}.get(name, name)
    path = Path(name) if name.endswith((".yaml", ".yml")) else PRESETS / f"{name}.yaml"
    if not path.is_file():
        raise UsageError(f"no preset {name!r}", hint=f"choose one of {', '.join(preset_names())}, or give a YAML file")
    try:
        parts = yaml.safe_load(whole_text(path)) or {}
    except (yaml.YAMLError, RecursionError) as error:
        raise BadInputError(f"not YAML: {error}", path=path, hint=f"compare with {PRESETS / 'mini.yaml'}") from error
    if not isinstance(parts, dict) or not all(isinstance(part, dict) for part in parts.values()):
        raise BadInputError(
            "a preset holds parts with settings", path=path, hint=f"compare with {PRESETS / 'mini.yaml'}"
        )
    for override in overrides:
        key, equals, value = override.partition("=")
        part, dot, setting = key.partition(".")
        if not (equals and dot and setting):
            raise UsageError(f"override {override!r}", hint="write part.setting=value, as in decoder.layers=4")
        parts.setdefault(part, {})[setting] = yaml.safe_load(value)
    return parts
