"""Speed of tg-generate and tg-backmap by the instructions they may use, beside AUGUSTUS in the same turns.

In: the public data package, Debian's augustus. Out: kb a CPU second of each turn, and times of AUGUSTUS, as JSON.
Usage: python -m benchmarks.processors [--turns 2] > processors.json
A surprise: AVX2 is imitated by switches, and AUGUSTUS knows none of them; kernels must be compiled for both sets of
instructions before (python -m transgenic_tools.generate.kernels), or the first turn compiles them.
"""

from __future__ import annotations

import argparse
import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks import data
from benchmarks.data import tool
from benchmarks.measure import AVX2, run_measured
from benchmarks.peers import PEERS, run_peer
from benchmarks.windows import read_windows, sample_evenly, total_bases, write_shards

OUT = Path(__file__).parent / "out" / "processors"
CACHE = Path(__file__).resolve().parent.parent / ".cache" / "bench"
#: Windows that AUGUSTUS reads; ours reads all of the test split.
SOME = 300
AUGUSTUS = next(peer for peer in PEERS if peer.name == "augustus")
#: Name, switches, further flags of tg-generate.
WAYS: tuple[tuple[str, Mapping[str, str] | None, tuple[str, ...]], ...] = (
    ("as it is", None, ()),
    ("as it is, fp32", None, ("--precision", "fp32")),
    ("AVX2, imitated", AVX2, ()),
)


def seconds(
    shards: Sequence[Path], folder: Path, switches: Mapping[str, str] | None, more: Sequence[str]
) -> float:  # fmt: skip
    """CPU seconds of both tools on one thread, starts included."""
    predictions = folder / "predictions"
    shutil.rmtree(predictions, ignore_errors=True)
    generate: tuple[str | Path, ...] = (
        tool("tg-generate"), *shards, "--outdir", predictions, "--device", "cpu", "--threads", "1", "--min-region", "0",
        *more,
    )  # fmt: skip
    backmap = (tool("tg-backmap"), predictions, "--out", folder / "out.gff3", "--rejects", folder / "rejects.tsv")
    return sum(
        run_measured(command, stdout=folder / "out", stderr=folder / "err", switches=switches).cpu_seconds
        for command in (generate, backmap)
    )


def measure(turns: int, folder: Path) -> dict[str, list[float]]:
    """kb a CPU second of each turn, by name."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    windows = read_windows(data.prepare(data.thaliana(), "jittered", CACHE), split="test")
    shards, some = write_shards(windows, folder / "shards"), sample_evenly(windows, SOME)
    found: dict[str, list[float]] = {"AUGUSTUS": [], **{name: [] for name, _, _ in WAYS}}
    for _ in range(turns):
        _, cost = run_peer(AUGUSTUS, some, cache=folder, fresh=True)
        assert cost is not None
        found["AUGUSTUS"].append(total_bases(some) / cost.cpu_seconds / 1000)
        for name, switches, more in WAYS:
            found[name].append(total_bases(windows) / seconds(shards, folder, switches, more) / 1000)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.processors", description=__doc__)
    parser.add_argument("--turns", type=int, default=2)
    parser.add_argument("--outdir", type=Path, default=OUT)
    given = parser.parse_args()
    found = measure(given.turns, given.outdir)
    best = max(found["AUGUSTUS"])
    figures = {
        name: {"kb_a_cpu_second": [round(one, 1) for one in kb], "times_augustus": round(max(kb) / best, 2)}
        for name, kb in found.items()
    }
    print(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
