"""What changes between conditions, and the isoforms of these genes side by side.

In: tables of `tg-generate --against` by sample, loci of all samples. Out: a part of the page.
A surprise: isoforms stand side by side where samples have loci at the same place, whatever the samples are called;
their pictures are those of `tg-report gene`, with the sample before each isoform's name.
"""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

from transgenic_tools.io.differences import DifferenceRow, read_differences
from transgenic_tools.report.drawing import draw
from transgenic_tools.report.loci import Locus
from transgenic_tools.report.picture import OF_PAGE, to_svg

#: Differences in the picture, lines of the table, and genes side by side, of each sample: the largest.
MOST_BARS, MOST_LINES, MOST_GENES = 24, 100, 6
#: Pixels of a bar with its words, and above all bars; percent of the width that a difference of 1 takes.
_ROW, _TOP, _REACH = 36, 24, 45.0
_MOST_LETTERS = 28
EVENT_WORDS = {
    "exon_skipping": "exon skipped",
    "alternative_5ss": "other donor",
    "alternative_3ss": "other acceptor",
    "intron_retention": "intron kept",
    "several": "several",
}


def strongest(rows: Sequence[DifferenceRow]) -> list[DifferenceRow]:
    """Largest differences first; ties by place."""
    return sorted(rows, key=lambda row: (-abs(row.delta), row.seqid, row.start, row.end))


def shortened(name: str) -> str:
    """A long ID without its middle, since IDs of one assembly differ at their end."""
    return name if len(name) <= _MOST_LETTERS else f"{name[:9]}…{name[10 - _MOST_LETTERS :]}"


def differences_picture(rows: Sequence[DifferenceRow]) -> str:
    """Bars of the largest differences with two deviations on either side, as SVG in the page's colours.

    Places along it are percentages and letters have their size, so that it is read at any width.
    """
    shown = strongest(rows)[:MOST_BARS]
    height = _TOP + _ROW * len(shown)
    parts = []
    for value in (-1.0, -0.5, 0.0, 0.5, 1.0):
        x = _percent(value)
        parts.append(f'<line class="grid" x1="{x}" x2="{x}" y1="{_TOP}" y2="{height}"/>')
        parts.append(f'<text x="{x}" y="{_TOP - 8}" text-anchor="middle">{f"{value:+.1f}" if value else "0"}</text>')
    for number, row in enumerate(shown):
        y = _TOP + _ROW * number
        name, place = f"{row.gene} {row.start + 1:,}-{row.end:,}", f"{row.start + 1:,}-{row.end:,}"
        event = EVENT_WORDS.get(row.event, row.event)
        left, right = sorted((0.0, row.delta))
        title = f"{name}: {event}, {row.delta:+.3f}"
        words = f"{shortened(row.gene)} {place}, {event}"
        parts.append(f'<text class="label" x="0" y="{y + 14}">{html.escape(words)}</text>')
        parts.append(
            f'<rect class="bar" x="{_percent(left)}" y="{y + 19}" width="{max(0.2, (right - left) * _REACH):.2f}%" '
            f'height="11"><title>{html.escape(title)}</title></rect>'
        )
        if row.deviation:
            low, high = (_percent(max(-1.0, min(1.0, row.delta + side * 2 * row.deviation))) for side in (-1, 1))
            parts.append(f'<line x1="{low}" x2="{high}" y1="{y + 24.5}" y2="{y + 24.5}" stroke="currentColor"/>')
    label = f"Change of usage from {shown[0].against} to {shown[0].condition}" if shown else "No change"
    return (
        f'<svg class="chart" style="max-width:700px;height:{height}px" role="img" '
        f'aria-label="{html.escape(label, quote=True)}">{"".join(parts)}</svg>'
    )


def _percent(value: float) -> str:
    """Where a difference stands along the picture."""
    return f"{50.0 + _REACH * value:.2f}%"


def _reads(row: DifferenceRow) -> str:
    if row.reads is None or row.reads_against is None:
        return "-"
    return f"{row.reads:,} / {row.reads_against:,}"


def difference_lines(rows: Sequence[DifferenceRow]) -> list[list[str]]:
    """Cells of the table, HTML already."""
    return [
        [
            f'<span title="{html.escape(row.gene, quote=True)}">{html.escape(shortened(row.gene))}</span>',
            html.escape(EVENT_WORDS.get(row.event, row.event)),
            html.escape(f"{row.seqid}:{row.start + 1:,}-{row.end:,} ({row.strand})"),
            f"{row.usage:.3f}",
            f"{row.usage_against:.3f}",
            f"{row.delta:+.3f}",
            "-" if row.deviation is None else f"{row.deviation:.3f}",
            _reads(row),
        ]
        for row in strongest(rows)[:MOST_LINES]
    ]


DIFFERENCE_HEAD = ("Gene", "Event", "Intron", "Usage", "Against", "Change", "Deviation", "Reads / against")


def side_by_side(gene: str, rows: Sequence[DifferenceRow], loci: Mapping[str, Sequence[Locus]]) -> str | None:
    """Isoforms of one gene in all samples that have a locus there, as SVG; None where fewer than two have one."""
    place = next(row for row in rows if row.gene == gene)
    found = [
        locus
        for sample in loci
        for locus in loci[sample]
        if locus.seqid == place.seqid
        and locus.strand == place.strand
        and locus.start < place.end
        and place.start < locus.end
        and locus.predicted
    ]
    if len({locus.sample for locus in found}) < 2:
        return None
    predicted = tuple(
        replace(transcript, id=f"{locus.sample}: {transcript.id}") for locus in found for transcript in locus.predicted
    )
    whole = replace(
        found[0],
        gene_id=gene,
        start=min(locus.start for locus in found),
        end=max(locus.end for locus in found),
        predicted=predicted,
        sites=(),
        arcs=None,
        usage=None,
    )
    return to_svg(draw(whole, width=900), OF_PAGE)


def changed_genes(rows: Sequence[DifferenceRow]) -> list[str]:
    """Genes by their largest difference."""
    return list(dict.fromkeys(row.gene for row in strongest(rows)))


@dataclass(frozen=True, kw_only=True)
class Changes:
    """What the page says of one sample's condition.

    Attributes:
        pictures: SVG of genes side by side.
    """

    sample: str
    rows: Sequence[DifferenceRow]
    pictures: Sequence[str]


def read_changes(sources: Mapping[str, Sequence[Path]], loci: Mapping[str, Sequence[Locus]]) -> list[Changes]:
    """Of each sample with tables, such as one a shard.

    Raises:
        BadInputError: a file that is no such table.
    """
    found = []
    for sample, paths in sources.items():
        rows = [row for path in paths for row in read_differences(path)]
        drawn = (side_by_side(gene, rows, loci) for gene in changed_genes(rows))
        pictures = list(islice((svg for svg in drawn if svg is not None), MOST_GENES))
        found.append(Changes(sample=sample, rows=rows, pictures=pictures))
    return found


def lead(rows: Sequence[DifferenceRow]) -> str:
    """One sentence on a table."""
    genes = len({row.gene for row in rows})
    certain = sum(row.deviation is not None and abs(row.delta) > 2 * row.deviation for row in rows)
    return (
        f"From {rows[0].against} to {rows[0].condition}: {len(rows):,} introns of {genes:,} genes change; "
        f"{certain:,} of them by more than twice the deviation of the layer's members."
    )
