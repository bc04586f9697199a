"""Tools side by side, with evidence and without: this project, AUGUSTUS with hints, StringTie with TransDecoder.

In: windows, a reference, and a file of tg-evidence or sorted alignments. Out: GFF3 in genome coordinates, and figures.
A surprise: AUGUSTUS is given each window's own hints in the window's coordinates, those inside of it and on its strand.
"""

from __future__ import annotations

import hashlib
import logging
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.evidence_inputs import Intron, hint, introns_of
from benchmarks.measure import run_measured
from benchmarks.ours import backmap, generate
from benchmarks.peers import PEERS, Peer, run_peer, write_peer_gff3
from benchmarks.windows import window_name
from transgenic_tools.errors import TransgenicError
from transgenic_tools.evaluate.config import Config
from transgenic_tools.evaluate.output import evaluation_json
from transgenic_tools.evaluate.run import compare
from transgenic_tools.evaluate.sides import Side, side_of
from transgenic_tools.io.gff3 import read_annotation
from transgenic_tools.io.rows import GeneRow
from transgenic_tools.provenance import write_aside

log = logging.getLogger("benchmarks.evidence")
WITHOUT = ("transgenic", "augustus")
WITH = ("transgenic_evidence", "augustus_hints", "augustus_sampling_hints")
EXTRINSIC = Path("/usr/share/augustus/config/extrinsic/extrinsic.M.RM.E.W.cfg")
TRANSDECODER = Path("/usr/lib/transdecoder/util")


def window_hints(windows: Sequence[GeneRow], introns: Sequence[Intron]) -> str:
    """Hints of all windows, one line an intron and window that holds it."""
    ordered = sorted(introns, key=lambda intron: intron.place)
    starts = np.array([intron.place.start for intron in ordered])
    lines = []
    for number, row in enumerate(windows):
        first, last = np.searchsorted(starts, (row.window_start, row.window_end))
        for intron in ordered[first:last]:
            if intron.strand == row.strand and intron.place.end <= row.window_end:
                lines.append(hint(window_name(number), row.window.to_window(intron.place), "+", sum(intron.reads)))
    return "".join(lines)


def augustus_with_hints(windows: Sequence[GeneRow], evidence: Path, work: Path, *, sampling: bool = False) -> Peer:
    """The peer's command with a file of hints that is named after its content."""
    text = window_hints(windows, introns_of(evidence)[1])
    work.mkdir(parents=True, exist_ok=True)
    path = work / f"hints.{hashlib.sha256(text.encode()).hexdigest()[:12]}.gff"
    with write_aside(path) as aside:
        aside.write_text(text)
    plain = PEERS[1] if sampling else PEERS[0]
    return replace(
        plain,
        name=f"{plain.name}_hints",
        command=(
            *plain.command, f"--hintsfile={path}", f"--extrinsicCfgFile={EXTRINSIC}", "--softmasking=off",
            "--allow_hinted_splicesites=gcag,atac", "--alternatives-from-evidence=true",
        ),
    )  # fmt: skip


def _script(name: str, *arguments: Path, out: Path) -> None:
    run_measured((TRANSDECODER / name, *arguments), stdout=out, stderr=out.with_suffix(f"{out.suffix}.err"))


def _transdecoder(work: Path, *command: str) -> None:
    """It writes where it stands."""
    done = subprocess.run(command, cwd=work, capture_output=True, text=True)
    if done.returncode:
        raise TransgenicError(f"{command[0]} ended with code {done.returncode}: {done.stderr[-500:]}")


def run_stringtie(bam: Path, fasta: Path, work: Path) -> Path:
    """StringTie on one file of alignments, the best ORF of each of its transcripts; the GFF3, kept where it stands."""
    result = work / "transcripts.genome.gff3"
    if result.exists():
        return result
    work.mkdir(parents=True, exist_ok=True)
    gtf, cdna, aligned = work / "stringtie.gtf", work / "cdna.fa", work / "aligned.gff3"
    run_measured(("stringtie", bam, "--rf", "-p", "1", "-o", gtf), stdout=work / "out", stderr=work / "stringtie.err")
    _script("cufflinks_gtf_genome_to_cdna_fasta.pl", gtf, fasta, out=cdna)
    _script("cufflinks_gtf_to_alignment_gff3.pl", gtf, out=aligned)
    _transdecoder(work, "TransDecoder.LongOrfs", "-t", cdna.name, "-S", "-m", "50")
    _transdecoder(work, "TransDecoder.Predict", "-t", cdna.name, "--single_best_only")
    with write_aside(result) as aside:
        _script("cdna_alignment_orf_to_genome_orf.pl", work / "cdna.fa.transdecoder.gff3", aligned, cdna, out=aside)
    return result


@dataclass(frozen=True, kw_only=True)
class Tools:
    """The tools that read windows, on one set of them.

    Attributes:
        reference: The whole annotation; of it, the windows' genes count.
        out: Predictions stay there, named `<tool>.<setting>.gff3`.
        model: Model directory; None is the embedded one.
        more: Further flags of tg-generate with evidence.
    """

    windows: Sequence[GeneRow]
    reference: Side
    out: Path
    work: Path
    model: Path | None = None
    more: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for path in (self.out, self.work):
            path.mkdir(parents=True, exist_ok=True)
        with write_aside(self._ids) as aside:
            aside.write_text("".join(f"{row.gene_id}\n" for row in self.windows))

    @property
    def _ids(self) -> Path:
        return self.work / "genes.txt"

    def evaluate(self, gff3: Path, genes: Path | None = None) -> dict[str, Any]:
        """Figures of tg-evaluate; of some genes alone where a list of IDs is given."""
        config = Config(
            references=(self.reference.path,), predictions=(gff3,), json_path=self.out / "unused",
            gene_list=genes or self._ids,
        )  # fmt: skip
        return evaluation_json(compare(self.reference, side_of(read_annotation(gff3)), config))

    def predict(self, name: str, setting: str, evidence: Path | None) -> Path:
        """GFF3 of one tool; `evidence` is None for those of `WITHOUT`."""
        gff3 = self.out / f"{name}.{setting}.gff3"
        if name in ("transgenic", "transgenic_evidence"):
            more = () if evidence is None else ("--evidence", str(evidence), *self.more)
            work = self.work / f"{name}.{setting}"
            cost = generate(self.windows, work=work, model=self.model, more=more).plus(backmap(gff3, work=work))
            log.info("%s, %s: %s", setting, name, cost.rounded())
            return gff3
        peer = PEERS[0]
        if evidence is not None:
            sampling = name == "augustus_sampling_hints"
            peer = augustus_with_hints(self.windows, evidence, self.work / "peers", sampling=sampling)
        output, cost_now = run_peer(peer, self.windows, cache=self.work / "peers")
        log.info("%s, %s: %s", setting, name, "from the cache" if cost_now is None else cost_now.rounded())
        return write_peer_gff3(peer, output, self.windows, gff3)


ROWS: tuple[tuple[str, Callable[[Mapping[str, Any]], str]], ...] = (
    ("CDS intron F1", lambda m: f"{m['cds']['intron']['f1']:.3f}"),
    ("gene_exact", lambda m: f"{m['gene_exact']:.3f}"),
    ("isoform recall, genes with two or more", lambda m: f"{m['isoform_recall_multi']:.3f}"),
    ("CDS transcript precision", lambda m: f"{m['cds']['transcript']['precision']:.3f}"),
    ("CDS transcript F1", lambda m: f"{m['cds']['transcript']['f1']:.3f}"),
    ("whole transcript: intron F1", lambda m: f"{m['transcript']['intron']['f1']:.3f}"),
)


def headline(metrics: Mapping[str, Any]) -> str:
    """The figures that this benchmark is about, on one line."""
    return ", ".join(f"{label} {value(metrics)}" for label, value in ROWS)
