"""Speed of tg-generate and tg-backmap by the instructions they may use, beside AUGUSTUS in the same turns.

In: the public data package, Debian's augustus. Out: kb a CPU second of each turn, and times of AUGUSTUS, as JSON.
Usage: python -m benchmarks.processors [--turns 2] > processors.json
A surprise: AVX2 is imitated by switches, of which AUGUSTUS knows none.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from pathlib import Path

from benchmarks.data import CACHE, prepare, thaliana
from benchmarks.measure import AVX2
from benchmarks.ours import run_ours
from benchmarks.peers import PEERS, run_peer
from benchmarks.windows import read_windows, sample_evenly, total_bases

#: Windows that AUGUSTUS reads; ours reads all of the test split.
SOME = 300
AUGUSTUS = next(peer for peer in PEERS if peer.name == "augustus")
#: Name, switches, further flags of tg-generate.
WAYS: tuple[tuple[str, Mapping[str, str] | None, tuple[str, ...]], ...] = (
    ("as it is", None, ()),
    ("as it is, fp32", None, ("--precision", "fp32")),
    ("AVX2, imitated", AVX2, ()),
)


def measure(turns: int, folder: Path) -> dict[str, list[float]]:
    """kb a CPU second of each turn, by name."""
    windows = read_windows(prepare(thaliana(), "jittered", CACHE), split="test")
    some = sample_evenly(windows, SOME)
    found: dict[str, list[float]] = {"AUGUSTUS": [], **{name: [] for name, _, _ in WAYS}}
    for _ in range(turns):
        _, cost = run_peer(AUGUSTUS, some, cache=folder, fresh=True)
        assert cost is not None
        found["AUGUSTUS"].append(total_bases(some) / cost.cpu_seconds / 1000)
        for name, switches, more in WAYS:
            cost = run_ours(
                windows, folder / "out.gff3", work=folder / "ours", model=None, more=more, switches=switches
            )
            found[name].append(total_bases(windows) / cost.cpu_seconds / 1000)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.processors", description=__doc__)
    parser.add_argument("--turns", type=int, default=2)
    given = parser.parse_args()
    folder = CACHE / "processors"
    folder.mkdir(parents=True, exist_ok=True)
    found = measure(given.turns, folder)
    best = max(found["AUGUSTUS"])
    figures = {
        name: {"kb_a_cpu_second": [round(one, 1) for one in kb], "times_augustus": round(max(kb) / best, 2)}
        for name, kb in found.items()
    }
    print(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
