"""Evidence: this project with and without reads, beside AUGUSTUS with hints and StringTie with TransDecoder.

In: the public data package, Debian's hisat2, augustus, stringtie and transdecoder; junctions of real reads where
`--real` names a file of them. Out: figures as JSON, and in results.json with `--record`.
Usage: python -m benchmarks.evidence [--split validation] [--settings reads_10m ...] [--tools ...] > evidence.json
A surprise: reads are simulated and aligned once, at the largest amount, in random order; a smaller amount is the first
part of the same alignments.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.command import recording, run_figures
from benchmarks.data import prepare, thaliana
from benchmarks.evidence_inputs import AMOUNTS, Reads, introns_of, shuffled, wrong_strand
from benchmarks.evidence_real import genes_of_part, real_figures
from benchmarks.evidence_tools import ROWS, WITH, WITHOUT, Tools, headline, log, run_stringtie
from benchmarks.table import grid, rewrite
from benchmarks.windows import Windows, read_windows
from transgenic_tools.evaluate.sides import side_of
from transgenic_tools.genome.gene import Gene
from transgenic_tools.io.gff3 import read_annotation

ROOT = Path(__file__).resolve().parent.parent
OUT, CACHE = ROOT / "benchmarks" / "out" / "evidence", ROOT / ".cache" / "bench" / "evidence"
ASSEMBLY = "stringtie_transdecoder"
TOOLS = (*WITHOUT, *WITH, ASSEMBLY)
DOSES = {f"reads_{millions}m": millions for millions in AMOUNTS}
#: Amount of the controls, and of the figures that the project must reach.
MAIN = 10
SETTINGS = ("none", *DOSES, "one_tissue", "shuffled", "wrong_strand", "real")


@dataclass(frozen=True)
class Options:
    """What one run does; `model` and `more` as in `Tools`, `real` a file of junctions for the setting `real`."""

    split: str = "test"
    settings: tuple[str, ...] = SETTINGS
    tools: tuple[str, ...] = TOOLS
    model: Path | None = None
    more: tuple[str, ...] = ()
    real: Path | None = None


class Bench:
    """One split: its windows, its reference, its reads."""

    def __init__(self, options: Options) -> None:
        self.options, self.genome = options, thaliana()
        self.reference = side_of(read_annotation(self.genome.annotation))
        windows = read_windows(prepare(self.genome, "jittered", CACHE), split=options.split)
        ids = {row.gene_id for row in windows}
        self.genes: tuple[Gene, ...] = tuple(gene for gene in self.reference.genes if gene.id in ids)
        self.tools = self._tools(options.split, windows)
        self.reads = Reads(CACHE / options.split, self.genome, self.genes)

    def _tools(self, name: str, windows: Windows) -> Tools:
        return Tools(
            windows=windows, reference=self.reference, out=OUT / name, work=CACHE / name, model=self.options.model,
            more=self.options.more,
        )  # fmt: skip

    def evidence(self, setting: str) -> Path | None:
        """The file of tg-evidence that a setting gives."""
        if setting == "none":
            return None
        if setting == "one_tissue":
            return self.reads.evidence(MAIN, self.reads.library.conditions[:1])
        if setting == "shuffled":
            return shuffled(self.reads.evidence(MAIN), self.genome.fasta, self.reads.seed)
        return self.reads.evidence(DOSES[setting])

    def predict(self, name: str, setting: str) -> Path:
        if name != ASSEMBLY:
            return self.tools.predict(name, setting, self.evidence(setting))
        bam = self.reads.pooled_bam(DOSES[setting])
        return run_stringtie(bam, self.reads.plain_fasta(), self.reads.directory / f"stringtie.{setting}")

    def seen(self, setting: str) -> dict[str, int]:
        """What a setting shows: CDS introns of the genes, those with reads, junctions that are no intron of theirs."""
        evidence = self.evidence(setting)
        places = set() if evidence is None else {(i.place, i.strand) for i in introns_of(evidence)[1]}
        coding = {
            (intron, t.strand)
            for gene in self.genes
            for t in gene.coding_transcripts
            for intron in t.introns
            if t.cds[0].end <= intron.start and intron.end <= t.cds[-1].start
        }
        known = {(intron, t.strand) for gene in self.genes for t in gene.transcripts for intron in t.introns}
        return {
            "cds_introns": len(coding),
            "cds_introns_with_reads": len(coding & places),
            "junctions": len(places),
            "junctions_not_annotated": len(places - known),
        }

    def tools_of(self, setting: str) -> list[str]:
        """Those that have something to do: assembly reads alignments, which the controls lack."""
        fitting = WITHOUT if setting == "none" else (*WITH, ASSEMBLY) if setting in DOSES else WITH
        return [name for name in self.options.tools if name in fitting]

    def real(self) -> dict[str, Any]:
        assert self.options.real is not None
        tools = self._tools("real", genes_of_part(self.genome, CACHE, "test"))
        names = [name for name in self.options.tools if name != ASSEMBLY]
        return real_figures(self.options.real, self.genome, tools, names, cache=CACHE)


def measure(options: Options) -> dict[str, Any]:
    """Figures by setting and tool, in the shape of results.json's `evidence`."""
    bench = Bench(options)
    found: dict[str, Any] = {
        "split": options.split,
        "genes": len(bench.genes),
        "library": asdict(bench.reads.library),
        "reads": {name: bench.reads.reads_of(millions) for name, millions in DOSES.items()},
        "seen": {},
    }
    for setting in options.settings:
        if setting == "real":
            if options.real is not None:
                found[setting] = bench.real()
        elif setting == "wrong_strand":
            found[setting] = wrong_strand(bench.reads.evidence(MAIN), bench.genome.fasta)
        else:
            found["seen"][setting] = bench.seen(setting)
            found[setting] = {}
            for name in bench.tools_of(setting):
                metrics = found[setting][name] = bench.tools.evaluate(bench.predict(name, setting))
                log.info("%s, %s: %s", setting, name, headline(metrics))
    return found


BEGIN, END = "<!-- benchmarks.evidence: begin -->", "<!-- benchmarks.evidence: end -->"
NAMES = {
    "transgenic": "transgenic_tools, no evidence",
    "augustus": "AUGUSTUS, no evidence",
    "transgenic_evidence": "transgenic_tools",
    "augustus_hints": "AUGUSTUS with hints",
    "augustus_sampling_hints": "AUGUSTUS with hints and sampling",
    ASSEMBLY: "StringTie, TransDecoder",
}
SAID = {
    "none": "no evidence",
    **{name: f"{millions} million reads" for name, millions in DOSES.items()},
    "one_tissue": f"one tissue of the {MAIN} million",
    "shuffled": f"{MAIN} million, counts shuffled",
    "real": "real junctions",
}


def markdown(figures: Mapping[str, Any]) -> str:
    """The tables of one split."""
    rows = [
        [SAID[setting], NAMES[name], *(value(figures[setting][name]) for _, value in ROWS)]
        for setting in SAID
        for name in TOOLS
        if setting != "real" and name in figures.get(setting, {})
    ]
    parts = [grid(["evidence", "tool", *(label for label, _ in ROWS)], rows)]
    seen = [
        [SAID[name], str(n["junctions"]), f"{n['cds_introns_with_reads'] / n['cds_introns']:.3f}",
         f"{n['junctions_not_annotated'] / max(n['junctions'], 1):.3f}"]
        for name in SAID if (n := figures.get("seen", {}).get(name)) and name != "none"
    ]  # fmt: skip
    if seen:
        head = ["evidence", "junctions", "share of the CDS introns with reads", "share of junctions that are no intron"]
        parts.append(grid(head, seen))
    if "real" in figures:
        real = figures["real"]
        head = ["tool", *(label for label, _ in ROWS), "new introns", "of these with reads", "strong junctions found"]
        rows = [
            [NAMES[name], *(value(real[name]) for _, value in ROWS), str(new["predicted"]),
             str(new["predicted_with_reads"]), f"{new['strong_found']} of {new['strong']}"]
            for name in TOOLS if name in real and (new := real[name]["new_introns"])
        ]  # fmt: skip
        parts.append(grid(head, rows))
    return "\n\n".join(parts)


#: Figures of a tool that results.json keeps.
_KEPT = ("cds", "transcript", "gene_exact", "gene_exact_primary", "isoform_recall_multi", "events", "n", "new_introns")


def _short(setting: Mapping[str, Any]) -> dict[str, Any]:
    """Without the strata, classes and curves of each tool."""

    def short(value: Any) -> Any:
        if not isinstance(value, dict) or "cds" not in value:
            return value
        return {key: value[key] for key in _KEPT if key in value}

    return {name: short(value) for name, value in setting.items()}


def record(figures: Mapping[str, Any]) -> None:
    """Into results.json and docs/benchmarks.md; settings and tools that were not run now keep their figures.

    Those of the test split stand in `evidence`, those of the validation split in its `validation`.
    """
    with recording(ROOT) as results:
        test = results.setdefault("evidence", {})
        kept = test if figures["split"] == "test" else test.setdefault("validation", {})
        for key, value in figures.items():
            kept[key] = {**kept.get(key, {}), **_short(value)} if isinstance(value, dict) else value
    parts = [
        f"**{name} split**, {of['genes']:,} genes:\n\n{markdown(of)}"
        for name, of in (("Test", test), ("Validation", test.get("validation", {})))
        if "genes" in of
    ]
    rewrite(ROOT / "docs" / "benchmarks.md", "\n\n".join(parts), begin=BEGIN, end=END)


def main(argv: Sequence[str] | None = None) -> int:
    """Exit code of the command."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.evidence", description=__doc__)
    parser.add_argument("--split", choices=("validation", "test"), default="test")
    parser.add_argument("--settings", nargs="+", choices=SETTINGS, default=list(SETTINGS))
    parser.add_argument("--tools", nargs="+", choices=TOOLS, default=list(TOOLS))
    parser.add_argument("--model", type=Path, help="model directory; the embedded model by default")
    parser.add_argument("--more", nargs="*", default=[], help="further flags of tg-generate with evidence")
    parser.add_argument("--real", type=Path, help="introns of real reads, GFF3 with tissue= (the setting real)")
    parser.add_argument(
        "--record", action="store_true", help="write the figures into results.json and docs/benchmarks.md"
    )
    given = parser.parse_args(argv)
    options = Options(
        split=given.split, settings=tuple(given.settings), tools=tuple(given.tools), model=given.model,
        more=tuple(given.more), real=given.real,
    )  # fmt: skip
    return run_figures("benchmarks.evidence", lambda: measure(options), record if given.record else None)


if __name__ == "__main__":
    sys.exit(main())
