"""Where the CPU time of `tg-generate` goes: start, reading, trunk, graph, search by its parts, scores, writing.

In: gene shards. Out: a table, milliseconds and microseconds a base of each part, on one thread.
Usage: python -m benchmarks.stages SHARD [--decoding beam viterbi] [--precision fp32] [--repeats 3] [--model DIR]
A surprise: parts are measured by wrapping functions of the package, and a part's own time is without that of the parts
inside it; the smallest of some repeats counts, because others share the machine.
"""

from __future__ import annotations

import argparse
import functools
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

#: Part, module, and the function or method that is this part.
PARTS = (
    ("read shard", "transgenic_tools.generate.run", "read_shard"),
    ("trunk", "transgenic_tools.search.reader", "Reader.score_windows"),
    ("logits to arrays", "transgenic_tools.search.reader", "Reader.graph_of"),
    ("candidates", "transgenic_tools.search.reader", "choose_candidates"),
    ("graph", "transgenic_tools.search.reader", "build_graph"),
    ("site graph", "transgenic_tools.search.reader", "site_graph"),
    ("search: sites", "transgenic_tools.search.engine", "PackedEngine.embed"),
    ("search: bookkeeping", "transgenic_tools.search.search", "Searcher.run"),
    ("search: decoder steps", "transgenic_tools.fast.packed", "PackedState.step"),
    ("search: first steps of later transcripts", "transgenic_tools.fast.packed", "PackedState.admit"),
    ("search: beams", "transgenic_tools.search.search", "advance"),
    ("search: rows move", "transgenic_tools.fast.packed", "PackedState.go_on"),
    ("rows of predictions", "transgenic_tools.generate.predict", "Predictor._row"),
    ("write shard", "transgenic_tools.generate.run", "write_prediction_shard"),
    ("load model", "transgenic_tools.generate.run", "load"),
    ("the rest", "transgenic_tools.generate.run", "run"),
)


class Clock:
    """CPU seconds of nested parts, each without those inside it."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)
        self.open: list[str] = []
        self.last = time.process_time()

    def _pass(self) -> None:
        now = time.process_time()
        if self.open:
            self.seconds[self.open[-1]] += now - self.last
        self.last = now

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        self._pass()
        self.open.append(name)
        try:
            yield
        finally:
            self._pass()
            self.open.pop()

    def each(self, name: str, items: Iterator[Any]) -> Iterator[Any]:
        """The items; making each is part of `name`."""
        while True:
            with self.part(name):
                item = next(items, self)
            if item is self:
                return
            yield item


def wrap(clock: Clock, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """The same function, timed; of a generator each item is."""

    @functools.wraps(function)
    def timed(*args: Any, **options: Any) -> Any:
        with clock.part(name):
            made = function(*args, **options)
        return clock.each(name, made) if isinstance(made, Iterator) else made

    return timed


def watch(clock: Clock) -> None:
    """Wrap every function of `PARTS`."""
    for name, module, path in PARTS:
        place: Any = import_module(module)
        *owners, last = path.split(".")
        for owner in owners:
            place = getattr(place, owner)
        setattr(place, last, wrap(clock, name, getattr(place, last)))


def measure(shard: Path, clock: Clock, options: dict[str, Any], decoding: Any) -> tuple[dict[str, float], int]:
    """Seconds of each part of one run, and the bases it read."""
    run = import_module("transgenic_tools.generate.run")
    from transgenic_tools.generate.config import Config
    from transgenic_tools.search.config import DecodingConfig

    clock.seconds.clear()
    with tempfile.TemporaryDirectory() as outdir:
        search = DecodingConfig(decoding=decoding)
        result = run.run(Config(shards=(shard,), outdir=Path(outdir), decoding=search, device="cpu", **options))
    return dict(clock.seconds), result.bases


def table(parts: dict[str, float], bases: int) -> str:
    """Rows of a Markdown table."""
    lines = [
        f"| {name} | {1e3 * parts[name]:.0f} | {1e6 * parts[name] / bases:.3f} |" for name, *_ in PARTS if name in parts
    ]
    rest = sum(seconds for name, seconds in parts.items() if name not in ("trunk", "load model"))
    return "\n".join([*lines, f"| all but trunk and load model | {1e3 * rest:.0f} | {1e6 * rest / bases:.3f} |"])


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.stages", description=__doc__)
    parser.add_argument("shard", type=Path)
    parser.add_argument("--model", type=Path)
    parser.add_argument("--precision", default="fp32")
    parser.add_argument("--decoding", nargs="+", default=["beam", "viterbi"])
    parser.add_argument("--repeats", type=int, default=3)
    given = parser.parse_args()
    began = time.process_time()
    import_module("transgenic_tools.generate.run")
    print(f"imports after the start: {time.process_time() - began:.2f} CPU s", file=sys.stderr)
    clock = Clock()
    watch(clock)
    for decoding in given.decoding:
        runs = [
            measure(given.shard, clock, {"model": given.model, "precision": given.precision}, decoding)
            for _ in range(1 + given.repeats)
        ][1:]
        smallest = {name: min(parts.get(name, 0.0) for parts, _ in runs) for name in runs[0][0]}
        print(f"\n| {decoding} | ms | microseconds a base |\n|---|---|---|\n{table(smallest, runs[0][1])}", flush=True)


if __name__ == "__main__":
    main()
