"""`python -m benchmarks.alternatives`: where the reference's alternative isoforms are lost, one by one.

In: the validation genes of the benchmark's genome, a model. Out: a table (Markdown), and JSON where asked.
A surprise: an alternative is looked for as a whole transcript and as its CDS alone, so one whose UTR introns lie
outside of the lattice still counts as inside; the search goes on far below the usual confidence, to see what is cut.
"""

from __future__ import annotations

import argparse
import itertools
import json
import logging
import math
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks import data
from benchmarks.table import grid
from benchmarks.windows import read_windows
from transgenic_tools.evaluate.genes import primary_of
from transgenic_tools.generate.config import Config
from transgenic_tools.generate.predict import Predictor
from transgenic_tools.generate.run import load, model_hash
from transgenic_tools.genome.checks import check_transcript
from transgenic_tools.genome.gene import Transcript
from transgenic_tools.genome.interval import Intervals
from transgenic_tools.genome.splicing import splice_differences
from transgenic_tools.gsf import parse
from transgenic_tools.io.rows import GeneRow, PredictionRow
from transgenic_tools.lattice.grammar import SITE_OF_KIND
from transgenic_tools.lattice.graph import Graph, best_path
from transgenic_tools.lattice.paths import exact_sites, find_path
from transgenic_tools.lattice.window import WindowInput
from transgenic_tools.model.alternatives import load_alternatives
from transgenic_tools.provenance import write_aside
from transgenic_tools.search.config import DecodingConfig
from transgenic_tools.search.departures import FEATURES
from transgenic_tools.search.reader import Reader

log = logging.getLogger("benchmarks")
#: What tg-generate leaves out by default.
FLOOR = DecodingConfig().least_confidence
#: Upper bounds of how much less probable than the window's best path an alternative is, in powers of ten.
DECADES = (1, 2, 4, 8)
#: Rows of the table in its order.
FATES = (
    "predicted as the best",
    "predicted as an extra",
    "found, cut by confidence",
    *(f"in the lattice, not found: to 1e-{d} of the best path" for d in DECADES),
    f"in the lattice, not found: below 1e-{DECADES[-1]} of the best path",
    "no site for it: start",
    "no site for it: donor",
    "no site for it: acceptor",
    "no site for it: several kinds",
    "all sites there, but no edge",
    "outside of the grammar: not a clean CDS",
    "outside of the grammar: clean CDS",
)


@dataclass(frozen=True, kw_only=True)
class Lost:
    """One alternative of one gene; `event` says what sets its CDS apart from the gene's primary one."""

    gene: str
    cds: Intervals
    fate: str
    event: str
    utr_alone: bool = False


def _drop(graph: Graph, transcripts: Iterable[Transcript]) -> float | None:
    """Powers of ten between the best path and the most probable of some transcripts; None where none is a path."""
    paths = [path for path in (find_path(graph, t) for t in transcripts) if path is not None]
    if not paths:
        return None
    states = best_path(graph.first, graph.target, graph.score).tolist()
    edges = [
        next(e for e in range(graph.first[a], graph.first[a + 1]) if graph.target[e] == b)
        for a, b in itertools.pairwise(states)
    ]
    best = float(graph.log_probability(states[:-1], edges).sum())
    ours = max(float(graph.log_probability(path.states[:-1], path.edges).sum()) for path in paths)
    return max(0.0, (best - ours) / math.log(10))


def _missing_sites(graph: Graph, transcript: Transcript) -> set[str]:
    have = {(SITE_OF_KIND[k], p) for k, p in zip(graph.kind.tolist(), graph.position.tolist(), strict=True)}
    return {site.name.lower() for site, position in exact_sites([transcript]) if (int(site), position) not in have}


def _outside(row: GeneRow, graph: Graph, forced: Graph | None, versions: Sequence[Transcript]) -> str:
    """Why none of the versions of an alternative is a path of the graph."""
    possible = [t for t in versions if forced is not None and find_path(forced, t) is not None]
    if not possible:
        clean = not check_transcript(versions[0], row.sequence)
        return f"outside of the grammar: {'clean CDS' if clean else 'not a clean CDS'}"
    missing = min((_missing_sites(graph, t) for t in possible), key=len)
    if not missing:
        return "all sites there, but no edge"
    return f"no site for it: {missing.pop() if len(missing) == 1 else 'several kinds'}"


def _in_lattice(drop: float) -> str:
    bound = next((d for d in DECADES if drop <= d), None)
    return f"in the lattice, not found: {f'to 1e-{bound}' if bound else f'below 1e-{DECADES[-1]}'} of the best path"


def event_of(cds: Intervals, main: Intervals) -> str:
    """What sets one CDS apart from another, in window coordinates: splicing, else start or stop codon, or several."""
    kinds = {d.kind for d in splice_differences(cds, main, "+")}
    if not kinds:
        ends = {"start": cds[0].start != main[0].start, "stop": cds[-1].end != main[-1].end}
        return " and ".join(name for name, differs in ends.items() if differs)
    return kinds.pop() if len(kinds) == 1 else "several"


def fates(row: GeneRow, graph: Graph | None, forced: Graph | None, prediction: PredictionRow) -> list[Lost]:
    """The alternatives of one gene, each with what became of it.

    Args:
        graph: As generation has it; None where the window has no valid transcript.
        forced: The same with the sites of all reference transcripts.
        prediction: With everything that the search wrote, whatever its confidence.
    """
    known = [t for t in row.read_transcripts() if t.cds]
    main = primary_of(known)
    if main is None:
        return []
    written: list[tuple[float, Transcript]] = []
    if prediction.gsf:
        genes = parse(prediction.gsf, seqid=row.seqid, gene_id=row.gene_id).transcripts
        written = sorted(zip(prediction.scores, genes, strict=True), key=lambda pair: -pair[0])
    out = []
    for cds in dict.fromkeys(t.cds for t in known if t.cds != main.cds):
        whole = [t for t in known if t.cds == cds]
        versions = [*whole, replace(whole[0], exons=cds)]
        rank = next((i for i, (_, t) in enumerate(written) if t.cds == cds), None)
        if rank == 0:
            fate = "predicted as the best"
        elif rank is not None:
            fate = "predicted as an extra" if written[rank][0] >= FLOOR else "found, cut by confidence"
        elif graph is None:
            fate = "all sites there, but no edge"
        else:
            drop = _drop(graph, versions)
            fate = _outside(row, graph, forced, versions) if drop is None else _in_lattice(drop)
        out.append(Lost(gene=row.gene_id, cds=cds, fate=fate, event=event_of(cds, main.cds)))
    return out + _utr_alone(row, known, main, written)


def _utr_alone(
    row: GeneRow, known: Sequence[Transcript], main: Transcript, written: Sequence[tuple[float, Transcript]]
) -> list[Lost]:
    """Isoforms whose CDS another one has too: all but one of each CDS."""
    out = []
    for cds in dict.fromkeys(t.cds for t in known):
        chains = list(dict.fromkeys(t.introns for t in [main, *known] if t.cds == cds))
        for chain in chains[1:]:
            score = next((s for s, t in written if t.cds == cds and t.introns == chain), None)
            fate = "not found" if score is None else "predicted" if score >= FLOOR else "found, cut by confidence"
            out.append(Lost(gene=row.gene_id, cds=cds, fate=fate, event="UTR introns", utr_alone=True))
    return out


def trace(rows: Sequence[GeneRow], reader: Reader, predictor: Predictor) -> list[Lost]:
    """The alternatives of all genes."""
    windows = [WindowInput.of(row.sequence) for row in rows]
    lost: list[Lost] = []
    for row, window, scores in zip(rows, windows, reader.score_windows(windows), strict=True):
        usual = reader.graph_of(window, scores, 0)[0]
        sites = exact_sites([t for t in row.read_transcripts() if t.cds])
        forced = reader.graph_of(window, scores, 0, forced=sites)[0]
        (prediction,) = predictor.predict([row])
        lost += fates(row, usual and usual.graph, forced and forced.graph, prediction)
    return lost


def table(lost: Sequence[Lost]) -> str:
    """Markdown: what became of alternative CDS, by what sets them apart; then isoforms that differ in UTR introns."""
    cds = [one for one in lost if not one.utr_alone]
    events = sorted({one.event for one in cds})
    counts = Counter((one.fate, one.event) for one in cds)
    totals = Counter(one.fate for one in cds)
    rows = [
        [fate, str(totals[fate]), f"{totals[fate] / max(len(cds), 1):.1%}", *(str(counts[fate, e]) for e in events)]
        for fate in FATES
        if totals[fate]
    ]
    columns = [str(sum(counts[fate, e] for fate in FATES)) for e in events]
    rows.append(["all", str(len(cds)), "", *columns])
    utr = Counter(one.fate for one in lost if one.utr_alone)
    text = grid(["alternative CDS", "number", "share", *events], rows)
    return text + "\n\n" + grid(
        ["isoforms that differ in UTR introns alone", "number"],
        [*([fate, str(count)] for fate, count in sorted(utr.items())), ["all", str(sum(utr.values()))]],
    )  # fmt: skip


def main(argv: Sequence[str] | None = None) -> int:
    """Exit code of the command."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.alternatives", description=__doc__)
    parser.add_argument("--model", type=Path, help="model directory; the embedded model by default")
    parser.add_argument("--split", default="validation", help="genes of this split")
    parser.add_argument("--json", type=Path, help="write every alternative with its fate")
    given = parser.parse_args(argv)
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(levelname)s %(message)s")
    data.CACHE.mkdir(parents=True, exist_ok=True)
    rows = read_windows(data.prepare(data.thaliana(), "jittered", data.CACHE), split=given.split)
    config = Config(
        shards=(), model=given.model, outdir=data.CACHE, device="cpu", decoding=DecodingConfig(min_confidence=0.0)
    )
    reader, directory = load(config)
    alternatives = load_alternatives(directory, features=FEATURES)
    predictor = Predictor(reader, config, model_hash=model_hash(directory), alternatives=alternatives)
    lost = trace(rows, reader, predictor)
    genes = len({one.gene for one in lost})
    print(f"{len(rows)} genes of the split {given.split}, {genes} with alternatives\n\n{table(lost)}")
    if given.json is not None:
        with write_aside(given.json) as aside:
            aside.write_text(
                json.dumps(
                    [
                        {
                            "gene": one.gene, "fate": one.fate, "event": one.event, "utr_alone": one.utr_alone,
                            "cds": [[p.start, p.end] for p in one.cds],
                        }
                        for one in lost
                    ],
                    indent=1,
                ) + "\n"
            )  # fmt: skip
    return 0


if __name__ == "__main__":
    sys.exit(main())
