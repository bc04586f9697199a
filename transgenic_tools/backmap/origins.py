"""Were all shards of an annotation made alike?

In: prediction shards. Out: a sentence for each of model, precision and version in which they differ.
A surprise: a difference is no error. Tasks of one run may land on different processors, and half of a genome may have
been predicted before an update; but who compares two genes of such a file should know.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from transgenic_tools.io.shards import prediction_provenance

_ADVICE = {
    "model": "predict all with one --model",
    "precision": "predict all with --precision fp32, which is the same on every processor",
    "version": "predict all with one version",
}


def differences(shards: Sequence[Path]) -> list[str]:
    """One sentence for each of `_ADVICE` with more than one value; shards that do not say are passed over."""
    seen: dict[str, dict[str, list[str]]] = {name: defaultdict(list) for name in _ADVICE}
    for path in shards:
        stamp = json.loads(prediction_provenance(path))
        if stamp.get("tool") != "tg-generate":
            continue
        for name, value in {**stamp.get("parameters", {}), "version": stamp.get("version")}.items():
            if name in seen and value is not None:
                seen[name][str(value)].append(path.name)
    return [_sentence(name, values) for name, values in seen.items() if len(values) > 1]


def _sentence(name: str, values: dict[str, list[str]]) -> str:
    groups = []
    for value, files in sorted(values.items()):
        more = f" and {len(files) - 1} more" if len(files) > 1 else ""
        groups.append(f"{value} ({files[0]}{more})")
    return f"the predictions were made with more than one {name}: {', '.join(groups)}; {_ADVICE[name]}"
