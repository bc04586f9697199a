"""A model directory from a trunk of both strands, for the later stages of the recipe and for tg-generate.

In: a directory of `transgenic_tools.train.trunk`. Out: a model directory: the trained trunk, everything else untrained.
Usage: python -m transgenic_tools.train.trunk_model TRUNK OUTDIR
A surprise: of the two ways in which the trunk reads, the model has the one for windows around genes; a scan asks the
same encoder for both strands (`StrandEncoder.read`).
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors.torch import load_file

from transgenic_tools.model.transgenic import TransgenicConfig, TransgenicModel


def model_of_trunk(directory: Path, *, decoder: Mapping[str, Any] | None = None) -> TransgenicModel:
    """The network of a trunk's directory; `decoder` are settings of its part, untrained."""
    saved = json.loads((directory / "config.json").read_text())
    model = TransgenicModel(
        TransgenicConfig(encoder={**saved["encoder"], "name": "strands"}, decoder=dict(decoder or {}))
    )
    missing, unexpected = model.load_state_dict(load_file(directory / "trunk.safetensors"), strict=False)
    learned = [name for name in missing if not name.startswith("decoder.")]
    if learned or unexpected:
        raise ValueError(f"{directory}: tensors are missing or unknown: {[*learned, *unexpected][:3]}")
    return model.eval()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m transgenic_tools.train.trunk_model", description=__doc__)
    parser.add_argument("trunk", type=Path)
    parser.add_argument("outdir", type=Path)
    given = parser.parse_args()
    model_of_trunk(given.trunk).save_pretrained(given.outdir)


if __name__ == "__main__":
    main()
