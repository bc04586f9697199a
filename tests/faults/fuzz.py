"""Run many cases and count: `python -m tests.faults.fuzz --cases 5000` (`make fuzz`).

In: a range of numbers. Out: a table of failures by kind, the first cases of each, and `--json FILE`.
A surprise: `--only N` runs one case in ./fault-N and leaves its folder there to be looked at.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterable
from pathlib import Path

from tests.faults import world
from tests.faults.cases import KINDS_OF_FAILURE, Judge, Outcome, case_of


def run_cases(numbers: Iterable[int], folder: Path) -> tuple[Counter[str], dict[str, list[tuple[int, Outcome]]]]:
    """Counts (with `cases` and `exit_<code>`), and the failures by kind."""
    (folder / "world").mkdir()
    world.build(folder / "world")
    judge = Judge(folder / "world", folder)
    counts: Counter[str] = Counter()
    failures: dict[str, list[tuple[int, Outcome]]] = defaultdict(list)
    for number in numbers:
        outcome, kinds = judge.run(case_of(number))
        counts["cases"] += 1
        counts[f"exit_{outcome.code}"] += 1
        for kind in kinds:
            counts[kind] += 1
            failures[kind].append((number, outcome))
    return counts, failures


def lines_of(counts: Counter[str], failures: dict[str, list[tuple[int, Outcome]]], *, most: int) -> list[str]:
    """What a reader needs to see and to run again."""
    lines = [f"{counts['cases']} cases"]
    for kind in KINDS_OF_FAILURE:
        lines.append(f"{kind:>22}: {counts[kind]}")
        for number, outcome in failures.get(kind, [])[:most]:
            lines.append(f"    {case_of(number)}\n      exit {outcome.code}: {outcome.said.strip()[-400:]}")
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=2000)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--only", type=int)
    parser.add_argument("--most", type=int, default=10, help="cases to list of each kind")
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    if given.only is not None:
        folder = Path(f"fault-{given.only}")
        folder.mkdir()
        print("\n".join(lines_of(*run_cases([given.only], folder), most=1)))
        return
    with tempfile.TemporaryDirectory() as scratch:
        counts, failures = run_cases(range(given.first, given.first + given.cases), Path(scratch))
    print("\n".join(lines_of(counts, failures, most=given.most)))
    if given.json:
        given.json.write_text(json.dumps(counts, indent=1, sort_keys=True) + "\n")
    sys.exit(any(counts[kind] for kind in KINDS_OF_FAILURE))


if __name__ == "__main__":
    main()
