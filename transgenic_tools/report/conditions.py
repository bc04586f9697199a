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
from transgenic_tools.report.picture import to_svg

#: Differences in the picture, lines of the table, and genes side by side, of each sample: the largest.
MOST_BARS, MOST_LINES, MOST_GENES = 24, 100, 6
_WIDTH, _LEFT, _ROW, _TOP = 700, 250, 22, 24
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


def differences_picture(rows: Sequence[DifferenceRow]) -> str:
    """Bars of the largest differences with two deviations on either side, as SVG in the page's colours."""
    shown = strongest(rows)[:MOST_BARS]
    middle, reach = _LEFT + (_WIDTH - _LEFT) / 2, (_WIDTH - _LEFT) / 2 - 12
    height = _TOP + _ROW * len(shown) + 8
    parts = []
    for value in (-1.0, -0.5, 0.0, 0.5, 1.0):
        x = middle + value * reach
        parts.append(f'<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="{_TOP}" y2="{height - 8}"/>')
        parts.append(f'<text x="{x:.1f}" y="{_TOP - 8}" text-anchor="middle">{value:+.1f}</text>')
    for number, row in enumerate(shown):
        y = _TOP + _ROW * number
        x = middle + row.delta * reach
        name = f"{row.gene} {row.start + 1:,}-{row.end:,}"
        width = max(1.0, abs(x - middle))
        title = f"{name}: {EVENT_WORDS.get(row.event, row.event)}, {row.delta:+.3f}"
        parts.append(f'<text x="{_LEFT - 8}" y="{y + 15}" text-anchor="end">{html.escape(name)}</text>')
        parts.append(
            f'<rect class="bar" x="{min(x, middle):.1f}" y="{y + 5}" width="{width:.1f}" height="12">'
            f"<title>{html.escape(title)}</title></rect>"
        )
        if row.deviation:
            low, high = (middle + max(-1.0, min(1.0, row.delta + s * 2 * row.deviation)) * reach for s in (-1, 1))
            parts.append(f'<line x1="{low:.1f}" x2="{high:.1f}" y1="{y + 11}" y2="{y + 11}" stroke="currentColor"/>')
    label = f"Change of usage from {shown[0].against} to {shown[0].condition}" if shown else "No change"
    return (
        f'<svg class="chart" style="max-width:{_WIDTH}px;width:100%" viewBox="0 0 {_WIDTH} {height}" role="img" '
        f'aria-label="{html.escape(label, quote=True)}">{"".join(parts)}</svg>'
    )


def _reads(row: DifferenceRow) -> str:
    if row.reads is None or row.reads_against is None:
        return "-"
    return f"{row.reads:,} / {row.reads_against:,}"


def difference_lines(rows: Sequence[DifferenceRow]) -> list[list[str]]:
    """Cells of the table, HTML already."""
    return [
        [
            html.escape(row.gene),
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
    return to_svg(draw(whole, width=900))


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


def read_changes(sources: Mapping[str, Path], loci: Mapping[str, Sequence[Locus]]) -> list[Changes]:
    """Of each sample with a table.

    Raises:
        BadInputError: a file that is no such table.
    """
    found = []
    for sample, path in sources.items():
        rows = list(read_differences(path))
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
