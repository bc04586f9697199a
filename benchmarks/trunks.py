"""Speed of the trunks alone: windows around genes, and tiles of a bare genome on both strands.

In: nothing (random bases, fresh weights: speed does not depend on them). Out: a table, kb a CPU second on one thread.
Usage: python -m benchmarks.trunks [--precision fp32 bf16] [--repeats 7]
A surprise: what a processor can do is switched off from outside, by ONEDNN_MAX_CPU_ISA=AVX2 ATEN_CPU_CAPABILITY=avx2
NUMBA_CPU_NAME=haswell, say. The preset `embedded` reads one strand, so a genome costs it two readings.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from transgenic_tools.lattice.window import WindowInput
from transgenic_tools.model.config import ModelConfig
from transgenic_tools.model.files import load_network
from transgenic_tools.model.network import Network
from transgenic_tools.model.presets import load_preset
from transgenic_tools.search.reader import Codes, Reader


def windows(number: int, low: int, high: int) -> list[Codes]:
    """Random bases of `low` to `high` bases each."""
    rng = np.random.default_rng(1)
    return [rng.integers(0, 4, int(size)).astype(np.uint8) for size in rng.integers(low, high + 1, number)]


def readers(precision: Any) -> dict[str, Reader]:
    """The preset `embedded`, the trunk of both strands as `conf/trunk.yaml` trains it, and the one that is shipped."""
    import torch

    shipped, _ = load_network()
    encoders: dict[str, Any] = {
        "one strand": load_preset("embedded")["encoder"],
        "both strands": {"name": "strands"},
        "shipped": asdict(shipped.settings.encoder),
    }
    torch.manual_seed(1)
    return {
        name: Reader(Network(ModelConfig.from_dict({"encoder": encoder})).eval(), precision=precision)
        for name, encoder in encoders.items()
    }


def tasks(
    reader: Reader, genes: Sequence[Codes], tiles: Sequence[Codes], *, both: bool
) -> Iterator[tuple[str, Any, int]]:
    """(name, what to run, bases) for windows around genes, and for tiles on as many strands as one reading gives."""
    yield (
        "windows",
        lambda: list(reader.score_windows([WindowInput(codes=codes) for codes in genes])),
        sum(map(len, genes)),
    )
    if both:
        yield "tiles, both strands", lambda: list(reader.scan(tiles)), sum(map(len, tiles))
    else:
        yield (
            "tiles, one strand",
            lambda: list(reader.score_windows([WindowInput(codes=codes) for codes in tiles])),
            sum(map(len, tiles)),
        )


def speed(run: Callable[[], object], bases: int, *, repeats: int) -> float:
    """The best of some repeats after one to warm up, in kb a CPU second."""
    run()
    seconds = []
    for _ in range(repeats):
        began = time.process_time()
        run()
        seconds.append(time.process_time() - began)
    return bases / min(seconds) / 1000


def main() -> None:
    import torch

    parser = argparse.ArgumentParser(prog="python -m benchmarks.trunks", description=__doc__)
    parser.add_argument("--precision", nargs="+", choices=["fp32", "bf16"], default=["fp32"])
    parser.add_argument("--repeats", type=int, default=7)
    given = parser.parse_args()
    torch.set_num_threads(1)
    genes, tiles = windows(24, 1_200, 5_500), windows(3, 24_012, 24_012)
    for precision in given.precision:
        for name, reader in readers(precision).items():
            for task, run, bases in tasks(reader, genes, tiles, both=name != "one strand"):
                print(f"{precision}\t{name}\t{task}\t{speed(run, bases, repeats=given.repeats):.0f} kb/s")


if __name__ == "__main__":
    main()
