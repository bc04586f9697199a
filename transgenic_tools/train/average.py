"""Average the weights of models that were trained one from another (Wortsman et al. 2022, model soups).

In: model directories of the same sizes. Out: a model directory. `python -m transgenic_tools.train.average --help`.
A surprise: what was fitted afterwards (scores of the graph, calibration) is taken from the first one; fit it anew.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from transgenic_tools.errors import UsageError
from transgenic_tools.model.files import load_model


def average_models(models: Sequence[Path], shares: Sequence[float], outdir: Path) -> None:
    """Write the weighted mean of some models.

    Args:
        shares: One for each model; they sum to 1.

    Raises:
        UsageError: not as many shares as models, another sum than 1, or models of different sizes.
    """
    if len(models) != len(shares) or abs(sum(shares) - 1) > 1e-6:
        raise UsageError(f"{len(models)} models with shares {list(shares)}", hint="give one share each, 1 in all")
    mean, _ = load_model(models[0])
    weights = {name: shares[0] * value for name, value in mean.state_dict().items()}
    for path, share in zip(models[1:], shares[1:], strict=True):
        other = load_model(path)[0].state_dict()
        if {name: value.shape for name, value in other.items()} != {n: v.shape for n, v in weights.items()}:
            raise UsageError(f"{path} has other sizes than {models[0]}", hint="average models of one preset")
        for name, value in other.items():
            weights[name] = weights[name] + share * value
    mean.load_state_dict(weights)
    mean.save_pretrained(outdir)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m transgenic_tools.train.average", description=__doc__)
    parser.add_argument("models", type=Path, nargs="+", help="model directories")
    parser.add_argument("--shares", type=float, nargs="+", required=True, help="share of each")
    parser.add_argument("--outdir", type=Path, required=True)
    given = parser.parse_args()
    average_models(given.models, given.shares, given.outdir)


if __name__ == "__main__":
    main()
