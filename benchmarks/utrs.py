"""`python -m benchmarks.utrs`: UTRs that --add-utrs gives to coding sequences, against those that were taken away.

In: the validation genes of the benchmark's genome, a model. Out: a table (Markdown).
A surprise: of each gene only the main isoform is looked at, where it has both UTRs; its introns may be those of another
isoform with that CDS, which is counted apart.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from benchmarks import data
from benchmarks.table import grid
from benchmarks.windows import read_windows
from transgenic_tools.evaluate.genes import primary_of
from transgenic_tools.io.rows import GeneRow
from transgenic_tools.lattice.paths import exact_sites
from transgenic_tools.lattice.window import WindowInput
from transgenic_tools.model.files import load_network
from transgenic_tools.search.config import DecodingConfig
from transgenic_tools.search.reader import Reader
from transgenic_tools.search.utrs import extend

#: Upper bounds of the probabilities that are looked at together.
BOUNDS = (0.5, 0.8, 0.95, 1.0)


@dataclass(frozen=True, kw_only=True)
class Given:
    """UTRs of one gene.

    Attributes:
        main, any_isoform: Their introns are those of the main isoform, or of some isoform with its CDS.
        tss, tts: Bases between the ends and those of the main isoform.
    """

    probability: float
    main: bool
    any_isoform: bool
    tss: int
    tts: int


def give_utrs(rows: Sequence[GeneRow], reader: Reader) -> list[Given | None]:
    """For each gene whose main isoform has both UTRs what it gets; None where the graph has no way."""
    found: list[Given | None] = []
    windows = [WindowInput.of(row.sequence) for row in rows]
    for row, window, scores in zip(rows, windows, reader.score_windows(windows), strict=True):
        known = [t for t in row.read_transcripts() if t.cds]
        main = primary_of(known)
        if main is None or main.lacks_utrs != (False, False):
            continue
        bare = replace(main, exons=main.cds)
        sites, _ = reader.graph_of(window, scores, 0, forced=exact_sites([bare]), floor=DecodingConfig().floor)
        extended = [] if sites is None else extend(sites.graph, [bare])
        if not extended:
            found.append(None)
            continue
        made = extended[0].transcript
        same = [t for t in known if t.cds == made.cds and t.introns == made.introns]
        found.append(
            Given(
                probability=extended[0].probability, main=made.introns == main.introns, any_isoform=bool(same),
                tss=abs(made.exons[0].start - main.exons[0].start), tts=abs(made.exons[-1].end - main.exons[-1].end),
            )
        )  # fmt: skip
    return found


def table(found: Iterable[Given]) -> str:
    """Markdown: by probability how often the introns are right, and how far off the ends are."""
    some, rows = sorted(found, key=lambda one: one.probability), []
    for low, high in [*zip((-1.0, *BOUNDS), BOUNDS, strict=False), (-1.0, 1.0)]:
        part = [one for one in some if low < one.probability <= high]
        if not part:
            continue
        name = "all" if (low, high) == (-1.0, 1.0) else f"to {high:g}"
        shares = [np.mean([getattr(one, key) for one in part]) for key in ("probability", "main", "any_isoform")]
        ends = [np.median([getattr(one, key) for one in part]) for key in ("tss", "tts")]
        rows.append([name, str(len(part)), *(f"{share:.3f}" for share in shares), *(f"{end:g}" for end in ends)])
    columns = ["probability", "genes", "mean", "introns right", "of some isoform", "TSS off by", "TTS off by"]
    return grid(columns, rows)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.utrs", description=__doc__)
    parser.add_argument("--model", type=Path, help="model directory; the embedded one by default")
    given = parser.parse_args()
    rows = read_windows(data.prepare(data.thaliana(), "jittered", data.CACHE), split="validation")
    network, _ = load_network(given.model)
    found = give_utrs([row for row in rows if row.gsf], Reader(network.eval()))
    print(table(one for one in found if one is not None))
    print(f"\nwithout a way: {sum(one is None for one in found)}")


if __name__ == "__main__":
    main()
