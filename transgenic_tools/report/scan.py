"""What a scan did, for the report: genes along the genome, scores of loci, recall against precision, what was left out.

In: `scan.json` of tg-scan, of one run or of the shares of a genome, rejects, and predicted loci. Out: a `Scan` of plain
records, SVG.
A surprise: genes a megabase are those of the annotation, so that they agree with the rest of the page; a locus in which
nothing was written counts nowhere but in the scores.
"""

from __future__ import annotations

import html
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from transgenic_tools.choices import LEAST_LOCUS
from transgenic_tools.errors import BadInputError
from transgenic_tools.io.json_text import read_object
from transgenic_tools.io.loci_curve import LociCurve, curve_of
from transgenic_tools.io.rejects import SCAN, Reject
from transgenic_tools.report.charts import BOTTOM, HEIGHT, RIGHT, TOP, WIDTH, Plot, nice_top

MEGABASE = 1_000_000
#: Sequences of which each has a row of its own, and loci of the table of those left out.
ROWS, LISTED = 24, 200
#: Width of a bin of scores, as tg-scan counts them.
_STEP = 0.05


@dataclass(frozen=True, kw_only=True)
class SequenceGenes:
    """Genes of one sequence by megabase; the last may be a part of one."""

    seqid: str
    length: int
    genes: tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class Scan:
    """Of one genome.

    Attributes:
        bases, loci: That were looked at, and that got a window.
        dropped: Loci left out, by reason.
        scores: Loci, those left out too, by the lower end of a step of 0.05.
        least: Score below which loci were left out.
        curve: Recall and precision by that; None where the model does not know.
        left_out: Some of the loci left out, in the order of the genome.
        sequences: The longest of them.
        others: Number, bases and genes of the rest.
    """

    bases: int
    loci: int
    dropped: Mapping[str, int]
    scores: Mapping[float, int]
    least: float
    curve: LociCurve | None
    left_out: Sequence[Reject]
    sequences: Sequence[SequenceGenes]
    others: tuple[int, int, int]


def read_scan(paths: Sequence[Path], rejects: Iterable[Reject], starts: Mapping[str, Sequence[int]],
              lengths: Mapping[str, int]) -> Scan:  # fmt: skip
    """A scan from its shares.

    Args:
        rejects: Of all stages.
        starts: First base of each predicted gene, by sequence.
        lengths: Of sequences; those without a length reach to their last gene.

    Raises:
        BadInputError: a file is not what tg-scan wrote.
    """
    dropped, scores = Counter[str](), Counter[float]()
    bases = loci = 0
    least, curve = 0.0, None
    for path in paths:
        saved = read_object(path)
        try:
            bases, loci = bases + int(saved["bases"]), loci + int(saved["loci"])
            dropped.update({reason: int(count) for reason, count in saved["dropped"].items()})
            scores.update({float(low): int(count) for low, count in saved["scores"].items()})
            least = float(saved["parameters"]["min_score"])
            curve = None if saved.get("curve") is None else curve_of(saved["curve"])
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise BadInputError(f"no summary of a scan: {error}", path=path, hint="give tg-scan's scan.json") from error
    left_out = [one for one in rejects if one.reason in SCAN][:LISTED]
    sequences = sorted(_by_megabase(starts, lengths), key=lambda one: (-one.length, one.seqid))
    rest = sequences[ROWS:]
    return Scan(
        bases=bases, loci=loci, dropped=dict(sorted(dropped.items())), scores=dict(sorted(scores.items())), least=least,
        curve=curve, left_out=left_out, sequences=sequences[:ROWS],
        others=(len(rest), sum(one.length for one in rest), sum(sum(one.genes) for one in rest)),
    )  # fmt: skip


def _by_megabase(starts: Mapping[str, Sequence[int]], lengths: Mapping[str, int]) -> Iterable[SequenceGenes]:
    known = {**{seqid: max(places) + 1 for seqid, places in starts.items() if places}, **lengths}
    for seqid, length in known.items():
        counted = Counter(place // MEGABASE for place in starts.get(seqid, ()))
        yield SequenceGenes(
            seqid=seqid, length=length, genes=tuple(counted[i] for i in range(-(-max(length, 1) // MEGABASE)))
        )


def density_strips(scan: Scan) -> str:
    """HTML: a row a sequence, a bar a megabase; a part of one counts as if it were whole, so that densities compare."""
    rows = [one for one in scan.sequences if one.length]
    longest = max((len(one.genes) for one in rows), default=1)
    densities = [[_density(one, i) for i in range(len(one.genes))] for one in rows]
    top = nice_top(max((d for of in densities for d in of), default=1.0))
    parts = []
    for one, of in zip(rows, densities, strict=True):
        bars = []
        for i, density in enumerate(of):
            end = min((i + 1) * MEGABASE, one.length)
            bars.append(
                f'<rect class="bar" x="{i + 0.06:.2f}" y="{100 - 100 * density / top:.1f}" width="0.88" '
                f'height="{100 * density / top:.1f}"><title>{html.escape(one.seqid)}:{i * MEGABASE + 1:,}–{end:,}: '
                f"{one.genes[i]:,} genes, {density:.0f} a Mb</title></rect>"
            )
        said = f"{one.seqid} · {one.length / MEGABASE:,.2f} Mb · {sum(one.genes):,} genes"
        label = html.escape(f"Genes a megabase along {one.seqid}, up to {top:,.0f}", quote=True)
        parts.append(
            f'<div class="strip"><span>{html.escape(said)}</span><svg class="chart" viewBox="0 0 {longest} 100" '
            f'preserveAspectRatio="none" role="img" aria-label="{label}">{"".join(bars)}</svg></div>'
        )
    return f'<div class="strips">{"".join(parts)}</div><p class="said">A full bar is {top:,.0f} genes a Mb.</p>'


def _density(one: SequenceGenes, number: int) -> float:
    """Genes a megabase; of a last part below a fifth of one as if it were a fifth."""
    bases = min(MEGABASE, one.length - number * MEGABASE)
    return one.genes[number] * MEGABASE / max(bases, MEGABASE / 5)


def score_chart(scan: Scan) -> str:
    """Loci by score; those below the least score asked for are pale."""
    most = max(scan.scores.values(), default=0)
    top = nice_top(float(most))
    plot = Plot(right=1.0, top=top)
    for low, count in scan.scores.items():
        x, y = plot.x(low), plot.y(count / top)
        kept = "bar" if low + _STEP / 2 >= scan.least else "bar pale"
        plot.add(
            f'<rect class="{kept}" x="{x + 0.8:.1f}" y="{y:.1f}" width="{plot.x(low + _STEP) - x - 1.6:.1f}" '
            f'height="{plot.y(0) - y:.1f}"><title>{low:.2f} to {low + _STEP:.2f}: {count:,} loci</title></rect>'
        )
    plot.add(_mark(plot, scan.least, share=0.95))
    return plot.svg("probability of a locus", "Loci by their probability")


def curve_chart(curve: LociCurve, least: float) -> str:
    """Recall and precision by the least probability; that of this run is marked, and the default."""
    plot = Plot(right=1.0)
    for number, name in enumerate(("recall", "precision")):
        places = [(plot.x(one.threshold), plot.y(getattr(one, name)), one) for one in curve.points]
        line = " ".join(f"{x:.1f},{y:.1f}" for x, y, _ in places)
        plot.add(f'<polyline class="curve c{number * 2}" points="{line}"/>')
        for x, y, one in places:
            plot.add(
                f'<circle class="dot c{number * 2}" cx="{x:.1f}" cy="{y:.1f}" r="2.6"><title>at least '
                f"{one.threshold:g}: recall {one.recall * 100:.1f} %, precision {one.precision * 100:.1f} %, "
                f"{one.loci:,} loci</title></circle>"
            )
    plot.add(_mark(plot, least, share=0.6))
    if least != LEAST_LOCUS:
        plot.add(_mark(plot, LEAST_LOCUS, share=0.45))
    return plot.svg("--min-confidence", "Recall and precision of loci by the least probability asked for")


def _mark(plot: Plot, least: float, *, share: float) -> str:
    """A line at a least probability, its text at a height."""
    x = plot.x(least)
    said, left = "the default" if least == LEAST_LOCUS else "as run", min(x + 4, WIDTH - RIGHT - 60)
    return (
        f'<line class="ideal" x1="{x:.1f}" x2="{x:.1f}" y1="{TOP}" y2="{HEIGHT - BOTTOM}"/>'
        f'<text x="{left:.1f}" y="{plot.y(share):.1f}" text-anchor="start">{least:g}, {said}</text>'
    )


def place_of(reject: Reject) -> str | None:
    """`chr1:1,201-1,900` of a locus left out, as tg-scan's detail has it."""
    place = reject.detail.partition(",")[0]
    return place if ":" in place else None
