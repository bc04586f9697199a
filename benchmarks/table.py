"""Tables of results.json as Markdown, and their places in docs/benchmarks.md and README.md.

In: the results. Out: text between two markers.
A surprise: everything between the markers is rewritten by each full run; prose lives outside of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from transgenic_tools.errors import BadInputError
from transgenic_tools.provenance import write_aside

BEGIN, END = "<!-- benchmarks.run: begin -->", "<!-- benchmarks.run: end -->"
NAMES = {
    "transgenic": "transgenic_tools",
    "augustus": "AUGUSTUS, exactlyone",
    "augustus_sampling": "AUGUSTUS, sampling",
    "snap": "SNAP",
}
Metrics = Mapping[str, Any]


def _f1(view: str, level: str) -> Callable[[Metrics], str]:
    return lambda m: f"{m[view][level]['f1']:.3f}"


def _both(view: str, level: str) -> Callable[[Metrics], str]:
    return lambda m: f"{m[view][level]['sensitivity']:.3f} / {m[view][level]['precision']:.3f}"


ROWS: tuple[tuple[str, Callable[[Metrics], str]], ...] = (
    ("gene_exact", lambda m: f"{m['gene_exact']:.3f}"),
    ("equal to the longest isoform", lambda m: f"{m['gene_exact_primary']:.3f}"),
    ("CDS base F1", _f1("cds", "base")),
    ("CDS exon F1", _f1("cds", "exon")),
    ("CDS intron F1", _f1("cds", "intron")),
    ("CDS intron chain F1", _f1("cds", "intron_chain")),
    ("CDS transcript F1", _f1("cds", "transcript")),
    ("CDS transcript Sn / Pr", _both("cds", "transcript")),
    ("CDS locus F1", _f1("cds", "locus")),
    ("isoform recall, genes with two or more", lambda m: f"{m['isoform_recall_multi']:.3f}"),
    ("predicted CDS a gene", lambda m: f"{m['n']['predicted_cds_per_gene']:.2f}"),
    ("splice events (CDS) F1: SE", lambda m: f"{m['events']['SE']['f1']:.3f}"),
    ("splice events (CDS) F1: A5SS", lambda m: f"{m['events']['A5SS']['f1']:.3f}"),
    ("splice events (CDS) F1: A3SS", lambda m: f"{m['events']['A3SS']['f1']:.3f}"),
    ("splice events (CDS) F1: RI", lambda m: f"{m['events']['RI']['f1']:.3f}"),
    ("whole transcript: base F1", _f1("transcript", "base")),
    ("whole transcript: exon F1", _f1("transcript", "exon")),
    ("whole transcript: intron F1", _f1("transcript", "intron")),
    ("whole transcript: intron chain F1", _f1("transcript", "intron_chain")),
)


def grid(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = ["| " + " | ".join(header) + " |", "|" + "---|" * len(header)]
    return "\n".join([*lines, *("| " + " | ".join(row) + " |" for row in rows)])


def accuracy_table(by_tool: Mapping[str, Metrics]) -> str:
    """One column a tool."""
    rows = [[label, *(value(m) for m in by_tool.values())] for label, value in ROWS]
    return grid(["", *(NAMES[name] for name in by_tool)], rows)


def speed_table(speed: Mapping[str, Mapping[str, float]]) -> str:
    """Bases a second and core, how many times those of AUGUSTUS `--sample=0` in the same run, and memory."""
    rows = []
    peer = speed.get("augustus", {}).get("bases_per_second_per_core")
    for name, row in speed.items():
        after = row.get("bases_per_second_per_core_after_start_up")
        rows.append(
            [
                NAMES[name],
                f"{row['bases_per_second_per_core']:,.0f}",
                "" if peer is None else f"{row['bases_per_second_per_core'] / peer:.2f}",
                "" if after is None else f"{after:,.0f} ({row['start_up_cpu_seconds']:.1f} s)",
                f"{row['cpu_seconds']:.1f}",
                f"{row['peak_rss_mb']:,.0f}",
                f"{row['windows']:,.0f} ({row['bases']:,.0f} bases)",
            ]
        )
    header = ["tool", "bases a second and core", "times `--sample=0`", "after start-up (its CPU seconds)"]
    return grid([*header, "CPU seconds", "peak memory (MB)", "measured on windows"], rows)


def scaling_table(scaling: Mapping[str, Any]) -> str:
    """Growth with length and with number."""
    rows = []
    for key, label in (("by_length", "windows of {:,} bases"), ("by_number_of_genes", "{:,} test genes")):
        for size, row in scaling[key].items():
            head = [label.format(int(size)), f"{row['windows']:,}", f"{row['bases']:,}"]
            if "error" in row:
                rows.append([*head, row["error"][:80], "", ""])
                continue
            cost = (row["cpu_seconds"], row["microseconds_per_base"])
            rows.append([*head, *(f"{value:.1f}" for value in cost), f"{row['peak_rss_mb']:,.0f}"])
    return grid(["input", "windows", "bases", "CPU seconds", "microseconds a base", "peak memory (MB)"], rows)


def _calibration(results: Mapping[str, Any]) -> str:
    found = results["accuracy"]["jittered"].get("transgenic", {}).get("calibration")
    if not found:
        return ""
    curve = found["transcript"]
    rows = [
        [f"{b['lower']:.1f}-{b['upper']:.1f}", str(b["count"]), f"{b['mean_score']:.3f}", f"{b['observed']:.3f}"]
        for b in curve["bins"] if b["count"]
    ]  # fmt: skip
    text = (
        f"Expected calibration error {curve['expected_calibration_error']:.3f} on {curve['count']:,} transcripts.\n\n"
    )
    return "### Calibration of transcript scores, jittered windows\n\n" + text + grid(
        ["score", "transcripts", "mean score", "share with exact CDS"], rows
    )  # fmt: skip


_SUBSETS = {
    "jittered": "### Accuracy, jittered windows (each flank 50-600 bases, seed 1): the table that counts",
    "exact": "### Accuracy, exact windows (200 bases on each side)",
    "jittered_no_homolog": "### Test genes without a homolog in the training split, jittered windows",
    "arenosa": "### A. arenosa genes that are no orthologs of training genes, jittered windows (reference by AUGUSTUS)",
}


def _alternatives(results: Mapping[str, Any]) -> list[str]:
    found = results.get("alternatives", {})
    parts = []
    if any(budget in found for budget in _BUDGETS):
        tools = [tool for tool in ("transgenic", "augustus_sampling") if tool in found["all"]]
        parts += [
            "### Isoforms beyond each gene's main one (precision / recall), jittered windows",
            alternatives_table(found, tools),
        ]
    if "augment" in found:
        parts += ["### Completion of the primary isoform, jittered windows", augment_table(found["augment"])]
    return parts


def results_markdown(results: Mapping[str, Any]) -> str:
    """All tables of one run."""
    machine = results["machine"]
    parts = [
        f"Commit `{results['commit']}`; {machine['cpu']}, {machine.get('instructions', 'instructions not noted')}, "
        f"{machine['cores']} cores, load at the start "
        f"{machine['load_at_start']:.2f}; {results['windows']} test genes."
    ]
    for key, title in _SUBSETS.items():
        metrics = results["accuracy"].get(key)
        if metrics:
            genes = next(iter(metrics.values()))["n"]["reference_genes"]
            parts += [f"{title}: {genes:,} genes", accuracy_table(metrics)]
    parts += [*_alternatives(results), _calibration(results)]
    if results["speed"]:
        parts += ["### Speed and memory, one core", speed_table(results["speed"])]
    if results["scaling"]:
        title = "### Growth of `tg-generate` with length and number (start-up taken off)"
        parts += [title, scaling_table(results["scaling"])]
    if results["prep"]:
        parts += ["### Preparation", _prep_table(results["prep"])]
    for part, commit in results.get("kept", {}).items():
        parts.append(f"The part `{part}` was measured at commit `{commit}`.")
    return "\n\n".join(part for part in parts if part)


_BUDGETS = ("budget_0.1", "budget_0.25", "budget_0.5", "budget_1", "all")
_EVENTS = ("SE", "A5SS", "A3SS", "RI")


def alternatives_table(alternatives: Mapping[str, Any], tools: Sequence[str]) -> str:
    """Isoforms beyond the main one: a row for each budget and tool; precision / recall."""
    rows = []
    for budget in _BUDGETS:
        for tool in tools:
            row = alternatives.get(budget, {}).get(tool)
            if row is not None:
                rows.append([budget.removeprefix("budget_"), NAMES[tool], *_alternative_cells(row)])
    return grid(["extras a gene", "tool", *_ALTERNATIVE_COLUMNS], rows)


_ALTERNATIVE_COLUMNS = (
    "extras made", "CDS", "primary counted too", "CDS, main one by length", "whole transcripts",
    "whole, main one by length", *(f"{e} F1" for e in _EVENTS), *(f"{e} F1, whole" for e in _EVENTS),
)  # fmt: skip


def _alternative_cells(row: Mapping[str, Any]) -> list[str]:
    whole = row["transcript"]

    def shares(found: Mapping[str, Any]) -> str:
        return f"{found['precision']:.3f} / {found['recall']:.3f}"

    return [
        f"{row['extras_per_gene']:.3f}", shares(row), f"{row['precision_with_primary']:.3f}", shares(row["by_length"]),
        shares(whole), shares(whole["by_length"]),
        *(f"{view['events'][event]['f1']:.3f}" for view in (row, whole) for event in _EVENTS),
    ]  # fmt: skip


def augment_table(augment: Mapping[str, Any]) -> str:
    """The prompt alone beside the result."""
    sides = {"the prompt alone (echo)": augment["echo"], "completed": augment["transgenic"]}
    rows = [
        [name, *(f"{m[view]['transcript'][key]:.3f}" for view in ("cds", "transcript") for key in ("f1", "precision"))]
        for name, m in sides.items()
    ]
    text = grid(["", "CDS transcript F1", "precision", "whole transcript F1", "precision"], rows)
    added = augment["added"]["cds"]["all"]
    return text + (
        f"\n\nWithheld {added['alternatives']:,} CDS structures, added {added['extras']:,}, of them right "
        f"{added['right']:,} (precision {added['precision']:.3f}, recall {added['recall']:.3f})."
    )


def _prep_table(prep: Mapping[str, Any]) -> str:
    plain = {key: value for key, value in prep.items() if isinstance(value, int | float | str)}
    rows = [[key, f"{value:,.4g}" if isinstance(value, float) else str(value)] for key, value in plain.items()]
    return grid(["figure", "value"], rows)


#: Bases of a genome of which the README tells how long it takes, in Mb.
README_MB = 100
_README_SCAN: tuple[tuple[str, Callable[[Metrics], str]], ...] = (
    ("loci right to the base: found / of those written", _both("cds", "locus")),
    ("exons: F1 against the longest isoform", lambda m: f"{m['exon_f1_vs_longest']:.3f}"),
    ("isoforms found, genes with two or more", lambda m: f"{m['isoform_recall_multi']:.3f}"),
    ("CPU seconds a Mb", lambda m: f"{m['cpu_seconds_per_mb']:.1f}"),
)
_README_LOCI: tuple[tuple[str, Callable[[Metrics], str]], ...] = (
    ("genes with an isoform right to the base", lambda m: f"{m['gene_exact']:.3f}"),
    ("isoforms: found / of those written", _both("cds", "transcript")),
)


def _beside(given: str, rows: Sequence[tuple[str, Callable[[Metrics], str]]], tools: Metrics) -> list[list[str]]:
    ours, theirs = tools["transgenic"], tools["augustus"]
    return [
        [given if number == 0 else "", name, value(ours), value(theirs)] for number, (name, value) in enumerate(rows)
    ]


def readme_markdown(results: Metrics) -> str:
    """How good and how fast, for README.md: measured figures, and one that is derived and says so."""
    rows = _beside("a bare genome", _README_SCAN, results["scan"])
    rows += _beside("loci", _README_LOCI, results["accuracy"]["jittered"])
    text = grid(["given", "*A. thaliana*, genes that no model here has seen", "this project", "AUGUSTUS"], rows)
    return text + _whole_command(results.get("annotate")) + _other_species(results.get("species", {}))


def _whole_command(measured: Metrics | None) -> str:
    """How long a genome takes, where `tg-annotate` was measured: derived from a smaller one, and says so."""
    if measured is None:
        return ""
    minutes = measured["cpu_seconds"] / measured["bases"] * README_MB * 1e6 / 60
    return (
        f"\n\n{README_MB} Mb take about {minutes:.0f} CPU minutes, so some {minutes / 2:.0f} minutes where two cores "
        f"are free: derived from {measured['bases'] / 1e6:.0f} Mb, for which `tg-annotate` used "
        f"{measured['cpu_seconds']:.0f} CPU seconds, starts and report included; no genome of that size was measured."
    )


#: What the embedded model has learned of a set of other species; of those that are not here nothing.
_LEARNED = {"athaliana": "other genes", "brazil_nut": "other genes", "capsella": "these genes"}


def _other_species(species: Metrics) -> str:
    """Sets of other species, where they were measured."""
    rows = [
        [
            found["title"],
            _LEARNED.get(name, "nothing"),
            f"{found['transgenic']['gene_exact']:.3f}",
            f"{found['augustus']['gene_exact']:.3f}" if "augustus" in found else "",
        ]
        for name, found in species.items()
        if "transgenic" in found
    ]
    if not rows:
        return ""
    head = ["species, loci given", "learned of it", "genes with an isoform right to the base", "AUGUSTUS"]
    return "\n\n" + grid(head, rows)


def rewrite(document: Path, text: str, *, begin: str = BEGIN, end: str = END) -> None:
    """Replace what stands between the markers. Raises BadInputError where one is missing."""
    old = document.read_text()
    if begin not in old or end not in old:
        raise BadInputError(f"the markers {begin} and {end} are not in this file", path=document)
    head, tail = old.split(begin)[0], old.split(end)[1]
    with write_aside(document) as aside:
        aside.write_text(f"{head}{begin}\n\n{text}\n\n{end}{tail}")
