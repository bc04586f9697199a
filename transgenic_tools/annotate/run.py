"""tg-annotate: a genome to its annotation, all stages in one process, in the order of the pipeline.

In: `Config`. Out: the tree of the pipeline (docs/output.md), and `work/` with what goes between the stages.
A surprise: nothing is computed here; each stage gets the settings that the pipeline would give it, so the files are the
same to the byte, and a step whose inputs and settings have not changed is not done again.
"""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from transgenic_tools.annotate.config import ENDINGS, Config, Further
from transgenic_tools.annotate.journal import Journal, one_run_at_a_time
from transgenic_tools.backmap.config import Config as BackmapConfig
from transgenic_tools.errors import MissingInputError
from transgenic_tools.io.differences import join_differences
from transgenic_tools.io.tracks import join_scan_tracks
from transgenic_tools.provenance import write_aside
from transgenic_tools.scan.config import Config as ScanConfig

if TYPE_CHECKING:
    from transgenic_tools.search.reader import Reader

logger = logging.getLogger("tg-annotate")
#: Bases of a share of a scan, which is what a killed one loses at most; their number changes nothing in the result.
_SHARE, _MOST_SHARES = 10_000_000, 20


@dataclass(frozen=True, kw_only=True)
class Result:
    """Where things are.

    Attributes:
        evaluation: JSON of the evaluation, None without a reference.
    """

    sample: str
    annotation: Path
    report: Path
    evaluation: Path | None = None
    files: tuple[Path, ...] = ()

    def sentence(self) -> str:
        """Where to look first."""
        figures = "" if self.evaluation is None else f"\nfigures     {self.evaluation}"
        return f"annotation  {self.annotation}\nreport      {self.report}{figures}"

    def summary(self) -> dict[str, Any]:
        """For `--json`."""
        return {
            "sample": self.sample,
            "annotation": str(self.annotation),
            "evaluation": None if self.evaluation is None else str(self.evaluation),
            "report": str(self.report),
            "files": [str(path) for path in self.files],
        }


@dataclass(frozen=True, kw_only=True)
class _Loci:
    """What a scan or a preparation leaves for the stages after it; `scans`: scan.json of shares, `tracks`: bigWig."""

    shards: tuple[Path, ...]
    rejects: tuple[Path, ...]
    summary: Path | None = None
    scans: tuple[Path, ...] = ()
    tracks: tuple[Path, ...] = ()


@dataclass(frozen=True, kw_only=True)
class _Beside:
    """What the report shows beside the annotation, where there is any."""

    evaluation: Path | None = None
    evidence: Path | None = None
    usage: Path | None = None


@dataclass(frozen=True, kw_only=True)
class _Predictions:
    """Prediction shards; `ran` is JSON of how they were made, `changes` are tables of differences, for the report."""

    shards: tuple[Path, ...]
    ran: Path
    changes: tuple[Path, ...] = ()


class _Run:
    """One run: the settings, where things go, and what is done."""

    def __init__(self, config: Config, loaded: tuple[Reader, Path] | None = None) -> None:
        self.config, self.loaded = config, loaded
        self.out, self.work = config.outdir, config.outdir / "work"
        self.journal = Journal(config.outdir, self.work / "finished.json")
        self._at = 0

    def begin(self, stage: str) -> None:
        """Say which stage comes now."""
        self._at += 1
        logger.info("[%d/%d] %s", self._at, len(self.config.stages), stage, extra={"stage": stage})

    # -- what reads say ------------------------------------------------------------------------------------------------

    def evidence(self) -> Path | None:
        """The file of tg-evidence: as given, or made of what was given."""
        from transgenic_tools.evidence.config import Config as EvidenceConfig
        from transgenic_tools.evidence.run import run
        from transgenic_tools.evidence.sheet import read_sheet

        config, folder = self.config, self.out / "evidence"
        if config.evidence is None or not config.gathers:
            return config.evidence
        self.begin("evidence")
        settings = EvidenceConfig(
            sheet=config.evidence, fasta=config.fasta, out=folder / f"{config.name}.evidence.parquet",
            aliases=config.aliases, threads=config.threads,
        )  # fmt: skip
        summary = folder / f"{config.name}.evidence.json"

        def work() -> list[Path]:
            result = run(settings)
            with write_aside(summary) as aside:
                aside.write_text(replace(result, out=Path(result.out.name)).to_json() + "\n", encoding="utf-8")
            return [settings.out, summary]

        sources = [source.path for source in read_sheet(config.evidence)]
        return self.journal.once("evidence", (settings, *sources), work)[0]

    # -- loci ----------------------------------------------------------------------------------------------------------

    def scan(self) -> _Loci:
        """Loci of a bare genome, share by share."""
        from transgenic_tools.model.files import default_scan_dir

        self.begin("scan")
        config, of = self.config, _shares(self.config.fasta)
        shards, rejects, beds, scans, parts = (list[Path]() for _ in range(5))
        for number in range(of):
            label = f"{number + 1:0{len(str(of))}}of{of}"
            settings = ScanConfig(
                fasta=config.fasta, outdir=self.work / "scan" / label, model=config.scan_model or default_scan_dir(),
                sample=config.name, skip_seqids=tuple(config.skip_seqids), part=(number, of),
                min_score=config.scan_min_score, complete_only=config.complete_only, shard_bases=config.shard_bases,
                precision=config.precision, tracks=config.tracks, threads=config.threads,
            )  # fmt: skip
            written = self.journal.once(f"scan {label}", settings, partial(_scan, settings))
            shards += [path for path in written if path.suffix == ".parquet"]
            rejects += [path for path in written if path.name == "rejects.tsv"]
            beds += [path for path in written if path.name == "loci.bed"]
            scans += [path for path in written if path.name == "scan.json"]
            parts += [path for path in written if path.suffix == ".bw"]
        target = self.out / "annotation" / f"{config.name}.loci.bed"

        def join() -> list[Path]:
            with write_aside(target) as aside, aside.open("wb") as whole:
                for bed in beds:
                    whole.write(bed.read_bytes())
            return [target]

        self.journal.once("loci", (*beds, target.name), join)
        tracks = list[Path]()
        if parts:
            tracks = self.journal.once(
                "tracks", (*parts, target.name), lambda: join_scan_tracks(parts, target.parent, config.name)
            )
        return _Loci(shards=tuple(shards), rejects=tuple(rejects), scans=tuple(scans), tracks=tuple(tracks))

    def prep(self) -> _Loci:
        """Loci of an annotation, or of regions."""
        from transgenic_tools.prep.config import Config as PrepConfig
        from transgenic_tools.prep.run import run

        self.begin("prep")
        config, folder = self.config, self.work / "shards"
        settings = PrepConfig(
            fasta=config.fasta, outdir=folder, annotation=config.annotation, regions=config.regions,
            sample=config.name, aliases=config.aliases, shard_bases=config.shard_bases, threads=config.threads,
        )  # fmt: skip
        written = self.journal.once(
            "prep", settings, lambda: [*run(settings).shards, folder / "prep.json", folder / "rejects.tsv"]
        )
        tables = {path.name: path for path in written if path.suffix != ".parquet"}
        copies = {name: self.out / "prep" / config.name / name for name in tables}

        def copy() -> list[Path]:
            for name, path in tables.items():
                _copy(path, copies[name])
            return list(copies.values())

        self.journal.once("tables", (*tables.values(), config.name), copy)
        shards = tuple(path for path in written if path.suffix == ".parquet")
        return _Loci(shards=shards, rejects=(tables["rejects.tsv"],), summary=tables["prep.json"])

    # -- what lies in them ---------------------------------------------------------------------------------------------

    def generate(self, loci: _Loci, evidence: Path | None) -> _Predictions:
        """Prediction shards, and on which device they were made."""
        from transgenic_tools.generate.config import Config as GenerateConfig
        from transgenic_tools.generate.run import run
        from transgenic_tools.model.files import default_model_dir

        self.begin("generate")
        config = self.config
        settings = GenerateConfig(
            shards=loci.shards, model=config.model or default_model_dir(), outdir=self.work / "predictions",
            decoding=config.search, device=config.device, precision=config.precision, batch_bases=config.batch_bases,
            evidence=evidence, complete=config.augment, add_utrs=config.add_utrs, max_length=config.max_window,
            threads=config.threads, condition=config.condition, conditions=config.conditions, against=config.against,
        )  # fmt: skip
        device = settings.outdir / "generate.json"

        def work() -> list[Path]:
            result = run(settings, loaded=self.loaded)
            with write_aside(device) as aside:
                aside.write_text(json.dumps({"device": result.device}), encoding="utf-8")
            return [*result.predictions, *result.differences, device]

        written = self.journal.once("generate", settings, work)
        shards = tuple(path for path in written if path.suffix == ".parquet")
        changes = tuple(path for path in written if path.suffix == ".tsv")
        if changes:
            self._join_changes(changes)
        return _Predictions(shards=shards, ran=device, changes=changes)

    def _join_changes(self, changes: Sequence[Path]) -> None:
        target = self.out / "annotation" / f"{self.config.name}.differences.tsv"

        def join() -> list[Path]:
            join_differences(changes, target)
            return [target]

        self.journal.once("differences", (*changes, target.name), join)

    def backmap_settings(
        self, loci: _Loci, predictions: tuple[Path, ...], evidence: Path | None = None
    ) -> BackmapConfig:
        """Settings of the backmapping; they are made before anything is done, too: a UsageError comes at once."""
        config, folder = self.config, self.out / "annotation"

        def beside(name: Further) -> Path | None:
            return folder / f"{config.name}.{ENDINGS[name]}" if name in config.further else None

        return BackmapConfig(
            predictions=predictions, out=folder / f"{config.name}.gff3", fasta=config.fasta,
            into=config.annotation if config.augment else None, rejects=folder / f"{config.name}.rejects.tsv",
            earlier_rejects=loci.rejects, min_confidence=config.min_gene_confidence, id_prefix=config.id_prefix,
            id_pattern=config.id_pattern, skip_genes=config.skip_genes, skip_attributes=tuple(config.skip_attributes),
            both_strands=config.both_strands, csq_attributes=config.csq_attributes, names=config.names,
            submission=config.submission, evidence=evidence, extend_genes=config.extend_genes,
            add_utrs=config.add_utrs, utrs_in_place=config.utrs_in_place,
            gtf=beside("gtf"), bed=beside("bed"),
            proteins=beside("proteins"), cds=beside("cds"), cdna=beside("cdna"), sites=beside("sites"),
        )  # fmt: skip

    def backmap(self, loci: _Loci, predictions: tuple[Path, ...], evidence: Path | None) -> list[Path]:
        """The annotation, its rejects, and what else was asked for."""
        from transgenic_tools.backmap.run import run

        self.begin("backmap")
        settings = self.backmap_settings(loci, predictions, evidence)

        def work() -> list[Path]:
            result = run(settings, progress=logger.info)
            logger.info("%s", result.sentence())
            return [settings.out, settings.rejects_path, *result.files[1:]]

        return self.journal.once("backmap", settings, work)

    def usage(self, annotation: Path, evidence: Path) -> list[Path]:
        """What each condition uses of the annotation: of transcripts, and of introns."""
        from transgenic_tools.evidence.usage import UsageConfig, run_usage

        self.begin("usage")
        stem = self.out / "annotation" / self.config.name
        settings = UsageConfig(
            annotation=annotation, evidence=evidence, out=Path(f"{stem}.usage.tsv"), introns=Path(f"{stem}.psi.tsv")
        )

        def work() -> list[Path]:
            result = run_usage(settings)
            logger.info("%d of %d genes with reads, %d conditions", result.seen, result.genes, len(result.conditions))
            return [path for path in (settings.out, settings.introns) if path is not None]

        return self.journal.once("usage", settings, work)

    # -- what it is worth ----------------------------------------------------------------------------------------------

    def evaluate(self, annotation: Path, reference: Path) -> Path:
        """Figures against a reference."""
        from transgenic_tools.evaluate.config import Config as EvaluateConfig
        from transgenic_tools.evaluate.run import run

        self.begin("evaluate")
        config, folder = self.config, self.out / "evaluation"

        def table(end: str, wanted: bool = True) -> Path | None:
            return folder / f"{config.name}.{end}" if wanted else None

        settings = EvaluateConfig(
            references=(reference,), predictions=(annotation,), json_path=folder / f"{config.name}.json",
            tsv_path=table("tsv"), genes_path=table("genes.tsv", config.evaluation_tables),
            transcripts_path=table("transcripts.tsv", config.evaluation_tables), reads=config.reads, fasta=config.fasta,
            echo=config.annotation if config.augment and config.reference is not None else None,
        )  # fmt: skip

        def work() -> list[Path]:
            run(settings)
            written = (settings.json_path, settings.tsv_path, settings.genes_path, settings.transcripts_path)
            return [path for path in written if path is not None]

        return self.journal.once("evaluate", settings, work)[0]

    def report(self, loci: _Loci, predictions: _Predictions, written: Sequence[Path], beside: _Beside) -> Path:
        """The page."""
        from transgenic_tools.report.config import Config as ReportConfig
        from transgenic_tools.report.config import Source
        from transgenic_tools.report.run import run

        self.begin("report")
        config, folder = self.config, self.out / "report"

        def of(path: Path | None) -> tuple[Source, ...]:
            return () if path is None else (Source(config.name, path),)

        settings = ReportConfig(
            annotations=of(written[0]), references=of(config.compared_with), evaluations=of(beside.evaluation),
            preps=of(loci.summary), rejects=of(written[1]), predictions=predictions.shards,
            generations=of(predictions.ran), fasta=of(config.fasta), evidence=of(beside.evidence),
            usage=of(beside.usage), augmented=config.augment,
            differences=tuple(Source(config.name, path) for path in predictions.changes),
            scans=tuple(Source(config.name, path) for path in loci.scans),
            signals=tuple(Source(config.name, path) for path in loci.tracks),
            title=config.title, out=folder / "report.html", multiqc=folder / "multiqc",
        )  # fmt: skip

        def work() -> list[Path]:
            result = run(settings, progress=logger.info)
            return [result.out, *result.multiqc]

        return self.journal.once("report", settings, work)[0]

    def jbrowse(self, written: Sequence[Path], scanned: Sequence[Path]) -> None:
        """The folder for genome browsers."""
        from transgenic_tools.report.config import Source
        from transgenic_tools.report.genome_browser import BrowserConfig, write_browser_folder

        self.begin("jbrowse")
        config = self.config

        def of(*paths: Path | None) -> tuple[Source, ...]:
            return tuple(Source(config.name, path) for path in paths if path is not None)

        settings = BrowserConfig(
            annotations=of(written[0]), fasta=of(config.fasta), references=of(config.compared_with),
            tracks=of(*scanned, *(path for path in written if path.suffix == ".bw")), out=self.out / "jbrowse",
        )  # fmt: skip
        self.journal.once("jbrowse", settings, lambda: write_browser_folder(settings).files)


def _shares(fasta: Path) -> int:
    """By the size of the file, so that nothing is read for it."""
    bases = fasta.stat().st_size * (4 if fasta.suffix in (".gz", ".bgz") else 1)
    return max(1, min(_MOST_SHARES, bases // _SHARE))


def _scan(settings: ScanConfig) -> list[Path]:
    import torch

    from transgenic_tools.scan.run import run

    torch.set_num_threads(settings.threads)
    run(settings)
    return [
        *sorted(settings.outdir.glob("genes*.parquet")),
        settings.outdir / "rejects.tsv",
        settings.outdir / "loci.bed",
        settings.outdir / "scan.json",
        *sorted(settings.outdir.glob("*.bw")),
    ]


def _copy(source: Path, target: Path) -> None:
    with write_aside(target) as aside:
        shutil.copyfile(source, aside)


def _check(config: Config) -> None:
    """Raises before anything is done that a missing file, or a condition that nobody knows, would waste."""
    loci = (config.annotation, config.regions, config.aliases, config.skip_genes)
    shown = (config.reference, config.reads, config.evidence, config.conditions)
    for path in (config.fasta, *loci, *shown):
        if path is not None and not path.exists():
            raise MissingInputError("no such file", path=path, hint="check the path")
    _check_machine(config)
    if config.evidence is not None and config.gathers:
        from transgenic_tools.evidence.sheet import read_sheet

        read_sheet(config.evidence)
    if config.condition is not None:
        from transgenic_tools.model.condition import find_values, load_conditions
        from transgenic_tools.model.files import model_dir

        model = load_conditions(model_dir(config.model))
        for name in filter(None, (config.condition, config.against)):
            find_values(model, name, config.conditions)


def _check_machine(config: Config) -> None:
    """The same for a model directory without a model and a GPU that is not there; torch is loaded only to ask these."""
    given = [path for path in (config.model, config.scan_model) if path is not None]
    if given or config.device == "cuda":
        from transgenic_tools.model.files import model_dir
        from transgenic_tools.model.network import pick_device

        for path in given:
            model_dir(path)
        pick_device(config.device)


def annotate_alone(config: Config, *, loaded: tuple[Reader, Path]) -> Path:
    """The GFF3 without evaluation and report, with a model that is loaded already (and its directory)."""
    _check(config)
    here = _Run(config, loaded)
    evidence = here.evidence()
    loci = here.scan() if config.scans else here.prep()
    return here.backmap(loci, here.generate(loci, evidence).shards, evidence)[0]


def run(config: Config) -> Result:
    """Annotate a genome; what is done already from the same inputs and settings is kept.

    Raises:
        MissingInputError, BadInputError, OutOfMemoryError: as the stages do.
        TryAgainError: another run writes there.
    """
    _check(config)
    _Run(config).backmap_settings(_Loci(shards=(), rejects=()), ())
    with one_run_at_a_time(config.outdir / "work"):
        here = _Run(config)
        evidence = here.evidence()
        loci = here.scan() if config.scans else here.prep()
        predictions = here.generate(loci, evidence)
        written = here.backmap(loci, predictions.shards, evidence)
        usage = [] if evidence is None else here.usage(written[0], evidence)
        reference = config.compared_with
        evaluation = None if reference is None else here.evaluate(written[0], reference)
        beside = _Beside(evaluation=evaluation, evidence=evidence, usage=next(iter(usage), None))
        report = here.report(loci, predictions, written, beside)
        if config.jbrowse:
            here.jbrowse(written, loci.tracks)
        here.journal.clear_others()
    files = (*written, *usage, *loci.tracks)
    return Result(sample=config.name, annotation=written[0], report=report, evaluation=evaluation, files=files)
