"""The HTML page: sections in order, one file, nothing fetched.

In: a `Report` of plain records. Out: HTML text.
A surprise: all text from files passes `_e`, so a gene named `<script>` is shown, not run; the page also carries a
content security policy that forbids any request.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from importlib import resources
from typing import Any
from urllib.parse import quote

from transgenic_tools import __version__
from transgenic_tools.genome.checks import RULE_BY_CODE
from transgenic_tools.report.charts import (
    calibration_chart,
    curves_chart,
    histogram,
    in_legend_order,
    meter,
    share_bar,
)
from transgenic_tools.report.compare import MATCH_WORDS, Match
from transgenic_tools.report.conditions import (
    DIFFERENCE_HEAD,
    Changes,
    difference_lines,
    differences_picture,
    lead,
)
from transgenic_tools.report.distance import Placed, distance_chart, placed
from transgenic_tools.report.drawing import GEOMETRY
from transgenic_tools.report.loci import STATUS_WORDS, Status
from transgenic_tools.report.numbers import SampleNumbers
from transgenic_tools.report.payload import Payload, pack
from transgenic_tools.report.scan import Scan, curve_chart, density_strips, place_of, score_chart
from transgenic_tools.report.signals import Signals
from transgenic_tools.report.sources import Training, flatten
from transgenic_tools.report.words import (
    CLASS_WORDS,
    DIFFERENCE_WORDS,
    EVENT_WORDS,
    LEVEL_WORDS,
    READS_WORDS,
    REASON_WORDS,
    SHARE_WORDS,
    STAGE_WORDS,
    STRATA_WORDS,
    TRAINING_WORDS,
)


@dataclass(frozen=True)
class Stage:
    """One tool's run, as its own result tells."""

    tool: str
    version: str
    settings: tuple[tuple[str, str], ...]


@dataclass(frozen=True, kw_only=True)
class SampleReport:
    """Everything about one sample; `augmented`: predicted isoforms are those added to the user's own."""

    numbers: SampleNumbers
    evaluation: Mapping[str, Any] = field(default_factory=dict)
    prep: Mapping[str, Any] = field(default_factory=dict)
    rejects: Mapping[str, int] = field(default_factory=dict)
    provenance: Mapping[str, Any] = field(default_factory=dict)
    stages: tuple[Stage, ...] = ()
    augmented: bool = False
    differences: Mapping[str, int] = field(default_factory=dict)
    scan: Scan | None = None


@dataclass(frozen=True, kw_only=True)
class Report:
    """Everything on the page.

    Attributes:
        with_reads: Some loci show what reads say.
        changes: Between conditions.
        signals: What scans say of every base.
        genomes: Lengths of sequences of samples in which any place can be opened.
    """

    title: str
    samples: Sequence[SampleReport]
    payload: Payload
    training: Sequence[Training] = ()
    run: Sequence[tuple[str, str]] = ()
    with_reads: bool = False
    changes: Sequence[Changes] = ()
    signals: Signals | None = None
    genomes: Mapping[str, Mapping[str, int]] = field(default_factory=dict)


def _e(value: object) -> str:
    return html.escape(str(value), quote=True)


def _asset(name: str) -> str:
    return resources.files("transgenic_tools.report").joinpath("assets", name).read_text(encoding="utf-8")


def _percent(value: float, digits: int = 1) -> str:
    return f"{value * 100:.{digits}f} %"


def _section(id: str, heading: str, body: str, *, lead: str = "") -> str:
    intro = f'<p class="lead">{lead}</p>' if lead else ""
    return f'<section id="{id}" aria-labelledby="{id}-h"><h2 id="{id}-h">{_e(heading)}</h2>{intro}{body}</section>'


def _table(head: Sequence[str], rows: Sequence[Sequence[str]], *, caption: str, numeric_from: int = 1) -> str:
    """A table whose cells are HTML already; columns from `numeric_from` are right-aligned."""
    titles = "".join(
        f'<th scope="col"{" class=num" if i >= numeric_from else ""}>{_e(text)}</th>' for i, text in enumerate(head)
    )
    lines = []
    for row in rows:
        cells = "".join(
            f"<td{' class=num' if i >= numeric_from else ''}>{cell}</td>" for i, cell in enumerate(row[1:], 1)
        )
        lines.append(f'<tr><th scope="row">{row[0]}</th>{cells}</tr>')
    return (
        f'<div class="scroll" tabindex="0" role="region" aria-label="{_e(caption)}"><table><caption class="sr">'
        f"{_e(caption)}</caption><thead><tr>{titles}</tr></thead><tbody>{''.join(lines)}</tbody></table></div>"
    )


# --- samples ---------------------------------------------------------------------------------------------------------


def _tile(value: str, label: str, note: str = "") -> str:
    more = f'<span class="note">{_e(note)}</span>' if note else ""
    return f'<div class="tile"><span class="value">{_e(value)}</span><span class="label">{_e(label)}</span>{more}</div>'


def _added_tiles(sample: SampleReport) -> str:
    numbers = sample.numbers
    known = numbers.reference_transcripts
    tiles = [
        _tile(f"{numbers.transcripts:,}", "isoforms added", f"to {known:,} of yours"),
        _tile(f"{numbers.genes:,}", "genes with new isoforms", f"of {numbers.reference_genes:,}"),
        _tile(f"{sum(sample.rejects.values()):,}", "not added", "each with its reason below"),
    ]
    return f'<div class="tiles">{"".join(tiles)}</div>'


def _differences(sample: SampleReport) -> str:
    """What sets added isoforms apart from the nearest of the user's; one isoform may differ in several ways."""
    rows = [
        [f'{_e(DIFFERENCE_WORDS.get(kind, kind))}<span class="said"> <code>{_e(kind)}</code></span>', f"{count:,}"]
        for kind, count in sorted(sample.differences.items(), key=lambda item: (-item[1], item[0]))
    ]
    if not rows:
        return ""
    return "<h4>What the added isoforms differ in from the nearest of yours</h4>" + _table(
        ["Difference", "Events"], rows, caption="Events of added isoforms"
    )


def _tiles(sample: SampleReport) -> str:
    if sample.augmented:
        return _added_tiles(sample)
    numbers, evaluation = sample.numbers, sample.evaluation
    with_reference = numbers.reference_genes > 0
    tiles = [
        _tile(
            f"{numbers.genes:,}", "genes predicted", f"of {numbers.reference_genes:,} known" if with_reference else ""
        ),
        _tile(
            f"{numbers.transcripts:,}",
            "isoforms",
            f"{numbers.reference_transcripts:,} in the reference" if with_reference else "",
        ),
        _tile(
            f"{numbers.isoforms_per_gene:.2f}",
            "isoforms a gene",
            f"{numbers.reference_isoforms_per_gene:.2f} in the reference" if with_reference else "",
        ),
    ]
    if "gene_exact" in evaluation:
        tiles.append(_tile(_percent(evaluation["gene_exact"]), "genes with an exact CDS", "equal to the base"))
    exon = evaluation.get("cds", {}).get("exon", {})
    if "f1" in exon:
        tiles.append(_tile(f"{exon['f1']:.3f}", "coding exon F1", "both ends exact"))
    if numbers.mean_confidence is not None:
        tiles.append(_tile(_percent(numbers.mean_confidence), "mean confidence", "that the best CDS is exact"))
    if (genome := _placed(sample)) is not None:
        tiles.append(_tile(_percent(genome.expected), "genes expected to have an exact CDS", genome.note))
    left_out = sum(sample.rejects.values())
    if sample.rejects:
        tiles.append(_tile(f"{left_out:,}", "rejects", "each with its reason below"))
    return f'<div class="tiles">{"".join(tiles)}</div>'


_STATUS_CSS = {
    Status.ALL_EXACT: "s-all",
    Status.CDS_EXACT: "s-cds",
    Status.DIFFERENT: "s-diff",
    Status.NOT_PREDICTED: "s-none",
    Status.NO_REFERENCE: "s-new",
}


def _outcome(numbers: SampleNumbers) -> str:
    """What became of the loci, as a bar with a legend; nothing without a reference."""
    if not numbers.reference_genes:
        return ""
    parts = [(STATUS_WORDS[s], float(n), _STATUS_CSS[s]) for s, n in numbers.statuses.items()]
    legend = "".join(
        f'<li><span class="key {css}"></span>{_e(name)} <b>{value:,.0f}</b></li>' for name, value, css in parts if value
    )
    return f'<h4>Loci</h4>{share_bar(parts)}<ul class="legend">{legend}</ul>'


def _isoform_outcome(numbers: SampleNumbers) -> str:
    if not numbers.reference_genes:
        return ""
    css = {Match.EXACT: "s-all", Match.SAME_CDS: "s-cds", Match.SAME_INTRONS: "s-chain", Match.DIFFERENT: "s-diff",
           Match.ALONE: "s-new"}  # fmt: skip
    parts = [(MATCH_WORDS[m], float(n), css[m]) for m, n in numbers.matches.items()]
    legend = "".join(
        f'<li><span class="key {css}"></span>{_e(name)} <b>{value:,.0f}</b></li>' for name, value, css in parts if value
    )
    return f'<h4>Predicted isoforms</h4>{share_bar(parts)}<ul class="legend">{legend}</ul>'


def _placed(sample: SampleReport) -> Placed | None:
    return placed(sample.numbers.sample, sample.provenance, sample.evaluation)


def _distances(report: Report) -> str:
    """How far the genomes are from home; nothing where the model does not know."""
    genomes = [genome for sample in report.samples if (genome := _placed(sample)) is not None]
    if not genomes:
        return ""
    rows = [
        [_e(one.name), f"{one.distance:.2f}", _percent(one.expected), f"{_percent(one.low)} to {_percent(one.high)}",
         "" if one.measured is None else _percent(one.measured), "yes" if one.far else "no"]
        for one in genomes
    ]  # fmt: skip
    header = ["Genome", "Distance", "Expected", "95 % interval", "Measured", "Far"]
    table = _table(header, rows, caption="Written genes with an exact CDS", numeric_from=1)
    table += _looks(genomes)
    said = (
        "Share of the written genes with an exact CDS: expected, with its interval; a ring is what the reference says."
    )
    figure = f"<figure><figcaption><b>Accuracy</b> {said}</figcaption>{distance_chart(genomes)}</figure>"
    return _section(
        "distance", "How far from home", f'<div class="card"><div class="charts">{figure}</div>{table}</div>',
        lead="Read off the genome alone, its confidences and composition, without a reference. At 0 it is like the "
        "species learned.",
    )  # fmt: skip


def _looks(genomes: Sequence[Placed]) -> str:
    """What genes look like beside the species learned, aspect by aspect; nothing where that is not known."""
    known = [one for one in genomes if one.look]
    if not known:
        return ""
    aspects = list(dict.fromkeys(name for one in known for name in one.look))
    rows = [
        [_e(one.name), _e(one.nearest), *(f"{one.look[name]:.3f}" if name in one.look else "" for name in aspects)]
        for one in known
    ]
    header = ["Genome", "Most like", *(_e(name.replace("_", " ").capitalize()) for name in aspects)]
    return _table(header, rows, caption="Genes: distance from the nearest species learned", numeric_from=2)


def _overview(report: Report) -> str:
    blocks = []
    for sample in report.samples:
        name = f"<h3>{_e(sample.numbers.sample)}</h3>"
        bars = f"<div>{_outcome(sample.numbers)}</div><div>{_isoform_outcome(sample.numbers)}</div>"
        bars = f'<div class="split">{bars}</div>' if sample.numbers.reference_genes else ""
        bars = _differences(sample) if sample.augmented else bars
        blocks.append(f'<div class="card">{name}{_tiles(sample)}{bars}</div>')
    return _section("overview", "Overview", "".join(blocks))


# --- accuracy --------------------------------------------------------------------------------------------------------


def _score_cells(score: Mapping[str, float]) -> list[str]:
    if not score:
        return ["–", "–", "–"]
    return [
        f"{score['sensitivity']:.3f}",
        f"{score['precision']:.3f}",
        f"<b>{score['f1']:.3f}</b>{meter(score['f1'])}",
    ]


def _worded(head: Sequence[str], rows: Sequence[Sequence[str]], *, caption: str) -> str:
    """A table of a name, three figures and a sentence, which becomes a list of cards on a narrow screen."""
    table = _table([*head, "In plain words"], rows, caption=caption)
    for given, wanted in (
        ("<table>", '<table class="levels">'),
        ('<th scope="col" class=num>In plain words', '<th scope="col">In plain words'),
        ('<td class=num><span class="said">', '<td class="words"><span class="said">'),
    ):
        table = table.replace(given, wanted)
    return table


_COUNTS = ("reference", "reference_matched", "prediction", "prediction_matched")


def _score_rows(scores: Mapping[str, Any], words: Mapping[str, tuple[str, str]]) -> list[list[str]]:
    rows = []
    for key, (name, sentence) in words.items():
        score = scores.get(key)
        if score:
            figures = {"sn": round(score["sensitivity"] * 100), "pr": round(score["precision"] * 100)}
            counts = {key: f"{score[key]:,}" if key in score else "–" for key in _COUNTS}
            said = sentence.format(**figures, **counts)
            rows.append([_e(name), *_score_cells(score), f'<span class="said">{_e(said)}</span>'])
    return rows


def _levels(evaluation: Mapping[str, Any], view: str, caption: str) -> str:
    rows = _score_rows(evaluation.get(view, {}), LEVEL_WORDS)
    return _worded(["Level", "Sensitivity", "Precision", "F1"], rows, caption=caption) if rows else ""


def _shares(evaluation: Mapping[str, Any]) -> str:
    items = []
    for key, (name, sentence) in SHARE_WORDS.items():
        if key in evaluation:
            said = sentence.format(n=round(evaluation[key] * 100))
            items.append(
                f"<div><dt>{_e(name)}</dt><dd><b>{_percent(evaluation[key])}</b>{meter(evaluation[key])}"
                f'<span class="said">{_e(said)}</span></dd></div>'
            )
    return f'<dl class="shares">{"".join(items)}</dl>' if items else ""


def _events(evaluation: Mapping[str, Any]) -> str:
    rows = _score_rows(evaluation.get("events", {}), EVENT_WORDS)
    if not rows:
        return ""
    caption = "Splice events found and written, coding parts"
    return "<h4>Alternative splicing</h4>" + _worded(["Event", "Sensitivity", "Precision", "F1"], rows, caption=caption)


def _classes(evaluation: Mapping[str, Any]) -> str:
    counts = evaluation.get("classes", {}).get("cds", {})
    total = sum(counts.values())
    rows = [
        [
            _e(CLASS_WORDS.get(name, name.replace("_", " "))),
            f"{count:,}",
            f"{count / total * 100:.1f} %{meter(count / total)}",
        ]
        for name, count in counts.items()
        if count
    ]
    if not rows:
        return ""
    return "<h4>How predicted coding structures relate to known ones</h4>" + _table(
        ["Class", "Structures", "Share"], rows, caption="Classes of predicted CDS structures"
    )


def _bin_name(key: str) -> str:
    """`<=1000` as `up to 1,000`, `>11` as `over 11`."""
    sign, number = re.fullmatch(r"(<=|>)?(.*)", key, re.DOTALL).groups()  # type: ignore[union-attr]
    shown = f"{int(number):,}" if number.isdigit() else number
    return {"<=": "up to ", ">": "over "}.get(sign or "", "") + shown


def _strata(evaluation: Mapping[str, Any]) -> str:
    tables = []
    for name, bins in evaluation.get("strata", {}).items():
        rows = [
            [
                _e(_bin_name(key)),
                f"{share.get('genes', share.get('n', 0)):,}",
                f"{_percent(share['gene_exact'])}{meter(share['gene_exact'])}",
            ]
            for key, share in bins.items()
            if "gene_exact" in share
        ]
        if rows:
            heading, said = STRATA_WORDS.get(name, (name.replace("_", " ").capitalize(), ""))
            table = _table(["", "Genes", "Exact CDS"], rows, caption=heading)
            tables.append(f'<div><h4>{_e(heading)}</h4><p class="said">{_e(said)}</p>{table}</div>')
    return f'<div class="split">{"".join(tables)}</div>' if tables else ""


def _calibration(evaluation: Mapping[str, Any]) -> str:
    charts = []
    words = {"transcript": "isoform probability", "exon": "exon probability", "gene": "gene confidence"}
    for name, curve in evaluation.get("calibration", {}).items():
        if not isinstance(curve, Mapping) or not curve.get("bins"):
            continue
        error = curve.get("expected_calibration_error", 0.0)
        charts.append(
            f"<figure><figcaption><b>{_e(words.get(name, name).capitalize())}</b> On the dashed line, a probability of "
            f"80 % comes true in 80 of 100 cases. Mean distance from it: {_percent(error)}; Brier score "
            f"{curve.get('brier', 0.0):.3f}; {curve.get('count', 0):,} cases, more of them in larger dots.</figcaption>"
            f"{calibration_chart(curve['bins'], label=words.get(name, name))}</figure>"
        )
    return f'<h4>Can the probabilities be trusted?</h4><div class="charts">{"".join(charts)}</div>' if charts else ""


def _reads(evaluation: Mapping[str, Any]) -> str:
    reads = evaluation.get("reads")
    if not isinstance(reads, Mapping):
        return ""
    rows = []
    for key, (name, sentence) in READS_WORDS.items():
        value = reads.get(key)
        if isinstance(value, int | float) and not isinstance(value, bool):
            shown = f"{value:,}" if isinstance(value, int) else _percent(value)
            rows.append([f'{_e(name)}<span class="said"> {_e(sentence)}</span>', shown])
    return "<h4>Long reads</h4>" + _table(["", "Value"], rows, caption="Support by long reads") if rows else ""


def _accuracy(report: Report) -> str:
    blocks = []
    for sample in report.samples:
        evaluation = sample.evaluation
        if not evaluation or sample.augmented:  # the reference is the input itself there
            continue
        whole = _levels(evaluation, "transcript", "Accuracy of whole transcripts")
        more = f"<details><summary>Whole transcripts, UTRs included</summary>{whole}</details>" if whole else ""
        rest = _events(evaluation) + _classes(evaluation) + _strata(evaluation)
        rest = f"<details><summary>Splice events, classes, strata</summary>{rest}</details>" if rest else ""
        blocks.append(
            f'<div class="card"><h3>{_e(sample.numbers.sample)}</h3>{_shares(evaluation)}<h4>Coding structure</h4>'
            f"{_levels(evaluation, 'cds', 'Accuracy of coding structure')}{more}{_calibration(evaluation)}"
            f"{_reads(evaluation)}{rest}</div>"
        )
    if not blocks:
        return ""
    lead = (
        "Counted as gffcompare counts under <code>--strict-match -e 0</code>: an exon is right when both ends are. "
        "Sensitivity asks how much of the reference was found, precision how much of the prediction is right; "
        "F1 is their harmonic mean."
    )
    return _section("accuracy", "Accuracy against the reference", "".join(blocks), lead=lead)


# --- scan ------------------------------------------------------------------------------------------------------------


def _scans(report: Report) -> str:
    """Genes along the genome, scores, the curve, and what was left out, of each sample that was scanned."""
    blocks = []
    for sample in report.samples:
        if sample.scan is not None:
            name = sample.numbers.sample
            blocks.append(
                f'<div class="card"><h3>{_e(name)}</h3>{_scan_tiles(sample.scan)}{_scan_charts(sample.scan)}'
                f"{_density(sample.scan)}{_left_out(sample.scan, name, bool(report.payload.count))}</div>"
            )
    if not blocks:
        return ""
    said = (
        "The genome was bare: tg-scan looked for loci on both strands first. A locus has a probability; those below "
        "<code>--min-confidence</code> (<code>--scan_min_score</code>) are left out."
    )
    return _section("scan", "Scan of the genome", "".join(blocks), lead=said)


def _scan_tiles(scan: Scan) -> str:
    megabases = scan.bases / 1e6
    genes = sum(sum(one.genes) for one in scan.sequences) + scan.others[2]
    tiles = [
        _tile(f"{megabases:,.2f} Mb", "scanned", "both strands"),
        _tile(f"{scan.loci:,}", "loci written", "each with its window"),
        _tile(f"{genes / megabases:,.1f}" if megabases else "–", "genes a Mb", f"{genes:,} predicted"),
        _tile(f"{sum(scan.dropped.values()):,}", "loci left out", "each with its reason below"),
    ]
    return f'<div class="tiles">{"".join(tiles)}</div>'


def _scan_charts(scan: Scan) -> str:
    figures = [
        f"<figure><figcaption><b>Probabilities of loci</b> pale ones are below {scan.least:g} and left out"
        f"</figcaption>{score_chart(scan)}</figure>"
    ]
    if scan.curve is not None:
        legend = '<span class="key c0"></span>recall<span class="key c2"></span>precision'
        figures.append(
            "<figure><figcaption><b>Recall and precision by <code>--min-confidence</code></b> of loci, on stretches of "
            f"{scan.curve.genes:,} genes that the model was not trained on {legend}</figcaption>"
            f"{curve_chart(scan.curve, scan.least)}</figure>"
        )
    return f'<div class="charts">{"".join(figures)}</div>'


def _density(scan: Scan) -> str:
    if not scan.sequences:
        return ""
    count, bases, genes = scan.others
    more = f'<p class="said">{count:,} more sequences, {bases / 1e6:,.2f} Mb: {genes:,} genes.</p>' if count else ""
    return f"<h4>Genes a megabase along each sequence</h4>{density_strips(scan)}{more}"


def _left_out(scan: Scan, sample: str, browsable: bool) -> str:
    """Counts by reason, and, folded, the loci; a place is a link where the page has a browser."""
    total = sum(scan.dropped.values())
    if not total:
        return ""
    counts = [
        [_reason(code), f"{count:,}", f"{count / total * 100:.1f} %{meter(count / total)}"]
        for code, count in sorted(scan.dropped.items(), key=lambda item: (-item[1], item[0]))
    ]
    table = _table(["Reason", "Loci", "Share"], counts, caption="Loci left out by reason")
    rows = []
    for one in scan.left_out:
        place = place_of(one)
        shown = _e(place or one.gene)
        if place and browsable:
            target = f"#place/{quote(sample, safe='')}/{quote(place.replace(',', ''), safe='')}"
            shown = f'<a href="{_e(target)}">{shown}</a>'
        rows.append([shown, f"<code>{_e(one.reason)}</code>", _e(one.detail.partition(", ")[2])])
    said = f"The first {len(rows):,} of {total:,} loci" if len(rows) < total else f"All {total:,} loci"
    listed = _table(["Place", "Reason", "What it had"], rows, caption="Loci left out", numeric_from=9)
    return f"<h4>Loci left out</h4>{table}<details><summary>{said}</summary>{listed}</details>"


# --- distributions, rejects, training, run ---------------------------------------------------------------------------


def _median(value: float | None) -> str:
    return "–" if value is None else f"{value:,.0f}"


def _distributions(report: Report) -> str:
    blocks = []
    for sample in report.samples:
        figures = []
        for one in sample.numbers.distributions:
            known = f", reference {_median(one.medians[1])}" if one.reference else ""
            figures.append(
                f"<figure><figcaption><b>{_e(one.title)}</b> median {_median(one.medians[0])}{known}</figcaption>"
                f"{histogram(one)}</figure>"
            )
        if figures:
            has_reference = any(one.reference for one in sample.numbers.distributions)
            legend = '<li><span class="key bar"></span>predicted</li>' + (
                '<li><span class="key refline"></span>reference</li>' if has_reference else ""
            )
            blocks.append(
                f'<div class="card"><h3>{_e(sample.numbers.sample)}</h3><ul class="legend">{legend}</ul>'
                f'<div class="charts">{"".join(figures)}</div></div>'
            )
    if not blocks:
        return ""
    lead = "Shares of all predicted values, and of the reference's where there is one. Where they part, look closer."
    return _section("distributions", "Shape of the annotation", "".join(blocks), lead=lead)


_PREP_TABLES = ("skipped", "mended", "transcript_rejected", "rejected", "transcript_filtered", "filtered", "flagged")


def _reason(code: str) -> str:
    """A code and what it means."""
    said = RULE_BY_CODE[code].text if code in RULE_BY_CODE else REASON_WORDS.get(code, "")
    return f'<code>{_e(code)}</code><span class="said">{_e(said)}</span>'


def _rejects(report: Report) -> str:
    blocks = []
    for sample in report.samples:
        parts = []
        if sample.rejects:
            total = sum(sample.rejects.values())
            rows = [
                [_reason(code), f"{count:,}", f"{count / total * 100:.1f} %{meter(count / total)}"]
                for code, count in sorted(sample.rejects.items(), key=lambda item: (-item[1], item[0]))
            ]
            parts.append(_table(["Reason", "Rows", "Share"], rows, caption="Rejects by reason"))
        found = [
            [_e(action.replace("_", " ")), _reason(code), f"{count:,}"]
            for action in _PREP_TABLES
            for code, count in sorted(dict(sample.prep.get(action) or {}).items(), key=lambda item: -item[1])
        ]
        if found:
            parts.append("<h4>Findings in the input annotation</h4>")
            parts.append(_table(["Action", "Rule", "Cases"], found, caption="Findings of tg-prep", numeric_from=2))
        if parts:
            blocks.append(f'<div class="card"><h3>{_e(sample.numbers.sample)}</h3>{"".join(parts)}</div>')
    if not blocks:
        return ""
    lead = "Nothing is dropped in silence. The files <code>rejects.tsv</code> name each gene; the docs list the codes."
    return _section("rejects", "What was left out, and why", "".join(blocks), lead=lead)


def _place_of_curve(name: str, known: Sequence[str]) -> tuple[int, str]:
    figure = name.partition("@")[0]
    return (known.index(figure) if figure in known else len(known), name)


def _training(report: Report) -> str:
    blocks, known = [], list(TRAINING_WORDS)
    for training in report.training:
        figures = []
        for name in sorted(training.curves, key=lambda n: _place_of_curve(n, known)):
            chart = curves_chart(training.curves[name], label="step")
            if chart:
                figure, _, stage = name.partition("@")
                title, said = TRAINING_WORDS.get(figure, (figure.replace("_", " "), ""))
                title += f" ({stage})" if stage else ""
                legend = "".join(
                    f'<span class="key c{number}"></span>{_e(curve.name)} '
                    for number, curve in enumerate(in_legend_order(training.curves[name]))
                )
                figures.append(
                    f"<figure><figcaption><b>{_e(title)}</b> {_e(said)} {legend}</figcaption>{chart}</figure>"
                )
        if figures:
            blocks.append(
                f'<div class="card"><h3>{_e(training.label)}</h3><div class="charts">{"".join(figures)}</div></div>'
            )
    if not blocks:
        return ""
    return _section(
        "training", "Training", "".join(blocks), lead="Over training steps; validation is never trained on."
    )


def _run(report: Report) -> str:
    rows = [[_e(key), _e(value)] for key, value in report.run if not key.startswith("model: ")]
    stages = "".join(_stages(sample) for sample in report.samples)
    model = [[_e(key.removeprefix("model: ")), _e(value)] for key, value in report.run if key.startswith("model: ")]
    for sample in report.samples:
        for key, value in (("tool", sample.provenance.get("tool")), ("version", sample.provenance.get("version"))):
            if value:
                rows.append([_e(f"{sample.numbers.sample}: {key}"), _e(value)])
        for key, value in sorted((sample.provenance.get("parameters") or {}).items()):
            for name, shown in flatten({key: value}) if isinstance(value, Mapping) else [(key, value)]:
                text = ", ".join(map(str, shown)) if isinstance(shown, list) else shown
                rows.append([_e(f"{sample.numbers.sample}: {name}"), _e(text)])
    rows.append(["report", _e(f"transgenic_tools {__version__}")])
    table = _table(["Setting", "Value"], rows, caption="What was run", numeric_from=9)
    if model:
        settings = _table(["Setting", "Value"], model, caption="Settings of the model", numeric_from=9)
        table += f"<details><summary>Settings of the model</summary>{settings}</details>"
    return _section("run", "What was run", f'{stages}<div class="card">{table}</div>')


def _stages(sample: SampleReport) -> str:
    """Of each tool what it wrote about itself into its result."""
    words = dict(STAGE_WORDS)
    rows = [
        [_e(f"{stage.tool} {stage.version}".strip()), _e(words.get(stage.tool, "")), _e(key), _e(value)]
        for stage in sample.stages
        for key, value in (stage.settings or (("", ""),))
    ]
    if not rows:
        return ""
    first = [i == 0 or row[0] != rows[i - 1][0] for i, row in enumerate(rows)]
    shown = [row if new else ["", "", *row[2:]] for row, new in zip(rows, first, strict=True)]
    table = _table(["Tool", "Does", "Setting", "Value"], shown, caption="Settings of each stage", numeric_from=9)
    return f'<div class="card"><h3>{_e(sample.numbers.sample)}: stage by stage</h3>{table}</div>'


# --- browser ---------------------------------------------------------------------------------------------------------


def _browser(report: Report) -> str:
    words = {s: text for s, text in _status_words(report).items() if not report.samples[0].augmented or s in (2, 3)}
    options = "".join(f'<option value="{int(s)}">{_e(text)}</option>' for s, text in words.items())
    samples = "".join(
        f'<option value="{_e(sample.numbers.sample)}">{_e(sample.numbers.sample)}</option>' for sample in report.samples
    )
    hidden = "" if len(report.samples) > 1 else " hidden"
    body = _asset("browser.html").replace("@STATUS_OPTIONS@", options).replace("@SAMPLE_OPTIONS@", samples)
    body = body.replace("@SAMPLE_HIDDEN@", hidden).replace("@COUNT@", f"{report.payload.count:,}")
    sides = _sides(report)
    column = "Ref / pred" if sides[0] == "Reference" else "Own / new"
    for mark, text in (("@REFERENCE@", sides[0].lower()), ("@PREDICTED@", sides[1].lower()), ("@COLUMN@", column)):
        body = body.replace(mark, text)
    for mark, text in (("@ARC_LEGEND@", _ARC_LEGEND), ("@READS_SAID@", _READS_SAID)):
        body = body.replace(mark, text if report.with_reads else "")
    body = body.replace("@SIGNAL_LEGEND@", _SIGNAL_LEGEND if report.signals is not None else "")
    lead = (
        "Search for a gene, an isoform or a place, choose a row, and compare your isoforms with those added. "
        "Drawn to scale; differences from the nearest of yours stand out."
        if sides[0] == "Yours"
        else "Search for a gene, an isoform or a place, choose a row, and compare reference and prediction. "
        "Drawn to scale; differences from the nearest reference isoform stand out."
    )
    if report.genomes:
        lead += " Any place opens, genes there or not: write it as Chr1:120,000-140,000."
    return _section("loci", "Loci", body, lead=lead)


_SIGNAL_LEGEND = (
    '<li><span class="key signal coding"></span>coding probability, + strand above, − below</li>'
    '<li><span class="key signal sites"></span>site probability, the highest of all kinds</li>'
)

_ARC_LEGEND = (
    '<li><span class="key arc"></span>reads across an intron</li>'
    '<li><span class="key arc unused"></span>an intron of no isoform</li>'
)
_READS_SAID = (
    "<p>An <b>arc</b> is an intron that reads show, its number the reads across it: wider with more of them, dashed "
    "where no isoform here splices so. The <b>share</b> of an isoform in a condition is its part of the gene's reads "
    "across introns, as tg-evidence usage found it; with a question mark, reads cannot tell it from others.</p>"
)


def _sides(report: Report) -> tuple[str, str]:
    """Names of the two sets of isoforms."""
    return ("Yours", "Added") if any(sample.augmented for sample in report.samples) else ("Reference", "Predicted")


def _status_words(report: Report) -> Mapping[Status, str]:
    if any(sample.augmented for sample in report.samples):
        return {s: "nothing added" if s == Status.NOT_PREDICTED else "isoforms added" for s in Status}
    return STATUS_WORDS


def _data(report: Report) -> str:
    words = {
        "status": [_status_words(report)[s] for s in Status],
        "sides": _sides(report),
        "match": [MATCH_WORDS[m] for m in Match],
        "geometry": asdict(GEOMETRY),
    }
    parts = [
        f'<script type="application/json" id="words">{json.dumps(words).replace("<", chr(92) + "u003c")}</script>',
        f'<script type="text/plain" id="index">{report.payload.index}</script>',
    ]
    parts += [
        f'<script type="text/plain" id="block-{number}">{block}</script>'
        for number, block in enumerate(report.payload.blocks)
    ]
    if report.genomes:
        lengths = {sample: [list(one), list(one.values())] for sample, one in report.genomes.items()}
        parts.append(f'<script type="text/plain" id="genomes">{pack(lengths)}</script>')
    if report.signals is not None:
        parts.append(f'<script type="text/plain" id="signals">{report.signals.index}</script>')
        parts += [
            f'<script type="text/plain" id="signal-{number}">{block}</script>'
            for number, block in enumerate(report.signals.blocks)
        ]
    return "\n".join(parts)


def _changes(report: Report) -> str:
    """Between conditions, sample by sample: picture, table, isoforms side by side."""
    body = []
    for one in report.changes:
        if not one.rows:
            body.append(f"<h3>{_e(one.sample)}</h3><p>No intron changes.</p>")
            continue
        table = _table(
            DIFFERENCE_HEAD, difference_lines(one.rows), caption=f"Introns that change, {one.sample}", numeric_from=3
        )
        body.append(f"<h3>{_e(one.sample)}</h3><p>{_e(lead(one.rows))}</p>{differences_picture(one.rows)}{table}")
        body += [f'<div class="scroll side" tabindex="0" role="region" aria-label="Isoforms side by side">{svg}</div>'
                 for svg in one.pictures]  # fmt: skip
    words = (
        "Usage is the share of the lattice's probability that has the intron; the deviation is that of the layer's "
        "members, which says how firmly it is known, not how right it is. Isoforms of the genes that change most stand "
        "side by side."
    )
    return _section("conditions", "Conditions", "".join(body), lead=words) if body else ""


def render(report: Report) -> str:
    """The page."""
    sections = {
        "Overview": ("overview", _overview(report)),
        "Scan": ("scan", _scans(report)),
        "Loci": ("loci", _browser(report) if report.payload.count else ""),
        "Conditions": ("conditions", _changes(report)),
        "Distance": ("distance", _distances(report)),
        "Accuracy": ("accuracy", _accuracy(report)),
        "Shape": ("distributions", _distributions(report)),
        "Rejects": ("rejects", _rejects(report)),
        "Training": ("training", _training(report)),
        "Run": ("run", _run(report)),
    }
    links = "".join(f'<a href="#{id}">{name}</a>' for name, (id, text) in sections.items() if text)
    body = "\n".join(text for _, text in sections.values())
    policy = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data: blob:"
    texts = {
        "@TITLE@": _e(report.title),
        "@POLICY@": policy,
        "@STYLE@": _asset("report.css"),
        "@LINKS@": links,
        "@VERSION@": _e(__version__),
        "@SECTIONS@": body,
        "@DATA@": _data(report),
        "@SCRIPT@": _asset("browser.js") if report.payload.count else "",
        "@THEME@": _asset("theme.js"),
    }
    # One pass, so that text from files is never searched for marks.
    return re.sub("|".join(texts), lambda match: texts[match.group()], _asset("page.html"))
