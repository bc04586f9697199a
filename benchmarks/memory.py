"""What every preset needs in memory: computed for its true size, and measured where this machine can hold it.

In: presets and window lengths. Out: the table of docs/stages/3_train.md, and for `--measure PRESET:BASES:train|predict`
the growth of a fresh process's resident memory beside the computed figure (fp32, random weights, one thread).
A surprise: computing builds nothing: parameters and activations are counted on the meta device.

    python -m benchmarks.memory --measure nt500m-led:6000:predict
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import time
from typing import Any

from benchmarks.table import grid
from transgenic_tools.model.presets import load_preset, model_preset_names

LENGTHS = (6_000, 12_000, 24_000, 49_000)


def parts_of(preset: str) -> dict[str, dict[str, Any]]:
    """The model's parts, without the settings of training."""
    return {key: value for key, value in load_preset(preset).items() if key != "training"}


def table() -> str:
    """GB of one micro-batch: all learned, frozen encoder, predicting."""
    import torch

    from transgenic_tools.model.preflight import estimate
    from transgenic_tools.model.transgenic import TransgenicConfig, TransgenicModel

    rows = []
    for preset in model_preset_names():
        config = TransgenicConfig(**parts_of(preset))
        with torch.device("meta"):
            model = TransgenicModel(config)
        network = getattr(model.encoder, "backbone", model.encoder)
        encoder = sum(p.numel() for p in network.parameters())
        cells = []
        for bases in LENGTHS:
            needs = [
                estimate(config.settings, bases=bases, train=True, half=True),
                estimate(config.settings, bases=bases, train=True, half=True, learned=1 - encoder / model.n_parameters),
                estimate(config.settings, bases=bases, train=False, half=True),
            ]
            cells.append(" / ".join(f"{one.total / 1e9:.2f}" for one in needs))
        rows.append([f"`{preset}`", f"{model.n_parameters / 1e6:.1f} ({encoder / 1e6:.1f})", *cells])
    return grid(["preset", "M parameters (of the encoder)", *(f"{n // 1000} kb" for n in LENGTHS)], rows)


def resident() -> float:
    """Largest resident memory of this process so far, in GB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9


def measure(preset: str, bases: int, *, train: bool) -> str:
    """One trunk pass (or training step) in this process."""
    import torch

    from transgenic_tools.model.preflight import estimate
    from transgenic_tools.model.transgenic import TransgenicConfig, TransgenicModel

    torch.set_num_threads(1)
    config = TransgenicConfig(**parts_of(preset))
    model = TransgenicModel(config)
    codes = torch.randint(0, 4, (1, bases))
    tiny = torch.nn.Linear(8, 8)
    tiny(torch.randn(1, 8)).sum().backward()
    torch.optim.AdamW(tiny.parameters()).step()
    weights = 4 * model.n_parameters / 1e9
    before = _now() - weights
    began = time.perf_counter()
    if train:
        model.train()
        model.decoder.requires_grad_(False)
        learned = [p for p in model.parameters() if p.requires_grad]
        optimizer = torch.optim.AdamW(learned)
        average = [p.detach().clone() for p in learned]
        scores = model.score_bases(codes)
        (scores.sites.square().mean() + scores.contents.square().mean()).backward()
        optimizer.step()
        share = sum(p.numel() for p in learned) / model.n_parameters
        del average
    else:
        share = 0.0
        with torch.no_grad():
            model.eval().score_bases(codes)
    seconds = time.perf_counter() - began
    need = estimate(config.settings, bases=bases, train=train, learned=share)
    return (
        f"{preset}, {bases} bases, {'one training step of the trunk' if train else 'prediction'}: "
        f"measured {resident() - before:.2f} GB, computed {need.total / 1e9:.2f} GB (weights {need.weights / 1e9:.2f}, "
        f"activations {need.activations / 1e9:.2f}, their gradients {need.passing / 1e9:.2f}); {seconds:.1f} s"
    )


def _now() -> float:
    import psutil

    return float(psutil.Process().memory_info().rss) / 1e9


def main() -> None:
    """The table, then the measurements, each in a process of its own."""
    parser = argparse.ArgumentParser(description="Memory of the presets.")
    parser.add_argument("--measure", action="append", default=[], metavar="PRESET:BASES:train|predict")
    parser.add_argument("--here", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.here:
        preset, bases, purpose = arguments.here.split(":")
        print(measure(preset, int(bases), train=purpose == "train"))
        return
    print(table())
    for one in arguments.measure:
        subprocess.run([sys.executable, "-m", "benchmarks.memory", "--here", one], check=True)


if __name__ == "__main__":
    main()
