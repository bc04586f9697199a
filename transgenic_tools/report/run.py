"""Collect what the stages left and write the report.

In: `Config`. Out: one HTML file, and MultiQC files where asked for.
A surprise: no date and no path goes into the page, so the same inputs give the same bytes.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from transgenic_tools.errors import BadInputError, MissingInputError
from transgenic_tools.genome.site import Site
from transgenic_tools.io.fasta import Fasta
from transgenic_tools.io.gff3 import read_annotation
from transgenic_tools.io.json_text import read_object
from transgenic_tools.io.rejects import read_rejects as read_table
from transgenic_tools.io.shards import expand_shards, prediction_provenance, read_predictions
from transgenic_tools.provenance import write_aside
from transgenic_tools.report.conditions import read_changes
from transgenic_tools.report.config import SEQUENCE_LIMIT, Config, Source
from transgenic_tools.report.evidence import with_reads
from transgenic_tools.report.loci import Locus, build_loci, sites_of, split_added
from transgenic_tools.report.multiqc import write_multiqc
from transgenic_tools.report.numbers import sample_numbers
from transgenic_tools.report.page import Report, SampleReport, Stage, render
from transgenic_tools.report.payload import build_payload
from transgenic_tools.report.scan import Scan, read_scan
from transgenic_tools.report.signals import build_signals
from transgenic_tools.report.sources import flatten, read_provenance, read_rejects, read_training
from transgenic_tools.report.words import STAGE_WORDS

SitesBySample = Mapping[str, Mapping[str, tuple[Site, ...]]]


@dataclass(frozen=True)
class Result:
    """What was written."""

    out: Path
    samples: int
    loci: int
    bytes: int
    multiqc: tuple[Path, ...] = ()

    def summary(self) -> dict[str, Any]:
        """For `--json`."""
        return {
            "out": str(self.out),
            "samples": self.samples,
            "loci": self.loci,
            "bytes": self.bytes,
            "multiqc": [str(path) for path in self.multiqc],
        }


def _by_sample(sources: tuple[Source, ...]) -> dict[str, Path]:
    return {source.sample: source.path for source in sources}


def _all_by_sample(sources: tuple[Source, ...]) -> dict[str, list[Path]]:
    found: dict[str, list[Path]] = {}
    for source in sources:
        found.setdefault(source.sample, []).append(source.path)
    return found


def read_sites(paths: tuple[Path, ...]) -> dict[str, dict[str, tuple[Site, ...]]]:
    """Splice sites by sample and source gene ID."""
    found: dict[str, dict[str, tuple[Site, ...]]] = {}
    if paths:
        for row in read_predictions(paths):
            sites = sites_of(row)
            if sites:
                found.setdefault(row.sample, {})[row.gene_id] = sites
    return found


def _sites_for(sample: str, sites: SitesBySample, samples: int) -> Mapping[str, tuple[Site, ...]]:
    """The sample's sites; with a single sample on both sides the names need not agree."""
    if sample in sites:
        return sites[sample]
    return next(iter(sites.values())) if samples == 1 and len(sites) == 1 else {}


def load_loci(config: Config, *, progress: Callable[[str], None] = lambda _: None) -> dict[str, list[Locus]]:
    """Loci of every annotated sample."""
    references, sites = _by_sample(config.references), read_sites(config.predictions)
    loci = {}
    for source in config.annotations:
        predicted = _genes(source.path)
        if config.augmented:
            reference, predicted = split_added(predicted)
        else:
            reference = _genes(references[source.sample]) if source.sample in references else ()
        loci[source.sample] = build_loci(
            source.sample,
            predicted,
            reference,
            sites=_sites_for(source.sample, sites, len(config.annotations)),
            paired_only=config.paired_only,
            augmented=config.augmented,
        )
        progress(f"{source.sample}: {len(predicted)} predicted genes, {len(loci[source.sample])} loci")
    return with_sequences(loci, _by_sample(config.fasta), progress)


def with_sequences(
    loci: dict[str, list[Locus]], genomes: Mapping[str, Path], progress: Callable[[str], None]
) -> dict[str, list[Locus]]:
    """Loci with their bases where there is a genome, unless all together are too many for one page."""
    bases = sum(locus.end - locus.start for sample in genomes for locus in loci.get(sample, ()))
    if bases > SEQUENCE_LIMIT:
        progress(f"loci of {bases:,} bases: the page carries no sequences above {SEQUENCE_LIMIT:,}")
        return loci
    out = dict(loci)
    for sample, path in genomes.items():
        with Fasta(path) as fasta:
            out[sample] = [
                replace(one, sequence=fasta.fetch(one.seqid, one.start, one.end)) if one.seqid in fasta else one
                for one in loci.get(sample, ())
            ]
    return out


def _genes(path: Path) -> tuple[Any, ...]:
    """Genes of an annotation; an annotation without any feature is an empty tuple."""
    with open(path, "rb") as handle:
        head = handle.read(1 << 16)
    if head.startswith(b"##gff-version") and all(line.startswith(b"#") or not line for line in head.splitlines()):
        return ()
    return read_annotation(path).genes


def _samples(
    config: Config, loci: Mapping[str, list[Locus]], genomes: Mapping[str, Mapping[str, int]]
) -> list[SampleReport]:
    evaluations, preps, annotations = map(_by_sample, (config.evaluations, config.preps, config.annotations))
    samples = []
    for sample in config.samples:
        evaluation = read_object(evaluations[sample]) if sample in evaluations else {}
        _check_evaluation(evaluation, evaluations.get(sample))
        prep = read_object(preps[sample]) if sample in preps else {}
        if sample in preps and prep.keys().isdisjoint(("genes", "provenance")):
            raise BadInputError("neither 'genes' nor 'provenance'", path=preps[sample], hint="give tg-prep's prep.json")
        samples.append(
            SampleReport(
                numbers=sample_numbers(sample, loci.get(sample, [])),
                evaluation=evaluation,
                prep=prep,
                rejects=dict(read_rejects(s.path for s in config.rejects if s.sample == sample)),
                provenance=read_provenance(annotations[sample]) if sample in annotations else {},
                stages=_stages(config, sample),
                augmented=config.augmented,
                differences=_differences(loci.get(sample, ())) if config.augmented else {},
                scan=_scan(config, sample, loci.get(sample, ()), genomes.get(sample, {})),
            )
        )
    return samples


def _scan(config: Config, sample: str, loci: Iterable[Locus], lengths: Mapping[str, int]) -> Scan | None:
    """What the scan of a sample did; None for a sample that was not scanned."""
    paths = _all_by_sample(config.scans).get(sample)
    if not paths:
        return None
    starts: dict[str, list[int]] = {}
    for locus in loci:
        if locus.predicted:
            starts.setdefault(locus.seqid, []).append(locus.start)
    rejects = (row for path in _all_by_sample(config.rejects).get(sample, ()) for row in read_table(path))
    return read_scan(paths, rejects, starts, lengths)


def _lengths(config: Config) -> dict[str, dict[str, int]]:
    """Of the sequences of each scanned sample whose genome is there."""
    scanned, found = {source.sample for source in config.scans}, {}
    for source in config.fasta:
        if source.sample in scanned:
            with Fasta(source.path) as fasta:
                found[source.sample] = dict(fasta.lengths)
    return found


def _differences(loci: Iterable[Locus]) -> Counter[str]:
    """Kinds of events by which added isoforms differ from the user's, as `tg-backmap --into` wrote them."""
    told = (text for locus in loci for t in locus.predicted for text in t.attributes.get("differs_in", ()))
    return Counter(text.partition(":")[0] for text in told)


def _stages(config: Config, sample: str) -> tuple[Stage, ...]:
    """What was really run for a sample: of each stage the settings that it wrote into its own result."""
    found: list[Mapping[str, Any]] = []
    for sources in (config.preps, config.evaluations):
        found += [read_object(one.path).get("provenance") or {} for one in sources if one.sample == sample]
    found += [read_provenance(one.path) for one in config.annotations if one.sample == sample]
    # Shards are not tied to a sample by name here; those of several samples were made by one command line.
    shards = expand_shards(config.predictions, made_by="tg-generate") if config.predictions else ()
    found += [json.loads(text) for text in sorted({_without_shard(prediction_provenance(shard)) for shard in shards})]
    stages = [
        Stage(str(one["tool"]), str(one.get("version", "")), tuple(flatten(one.get("parameters") or {})))
        for one in found
        if one.get("tool")
    ]
    ran = as_it_ran([read_object(one.path) for one in config.generations if one.sample == sample])
    stages += [Stage("tg-generate, as it ran", "", ran)] if ran else []
    order = [stage for stage, _ in STAGE_WORDS]
    place = {name: i for i, name in enumerate(order)}
    return tuple(sorted(dict.fromkeys(stages), key=lambda s: place.get(s.tool.partition(",")[0], len(order))))


def _without_shard(provenance: str) -> str:
    """Provenance of a prediction shard without what names the shard, so that those of one command line are one."""
    one = json.loads(provenance)
    parameters = {key: value for key, value in (one.get("parameters") or {}).items() if key != "shard"}
    return json.dumps({**one, "parameters": parameters}, sort_keys=True)


def as_it_ran(results: Sequence[Mapping[str, Any]]) -> tuple[tuple[str, str], ...]:
    """What the tasks of a stage said of themselves, the device most of all; counts and seconds are those of shards."""
    told: dict[str, set[str]] = {}
    for result in results:
        for key, value in result.items():
            if isinstance(value, str):
                told.setdefault(key, set()).add(value)
    return tuple((key, ", ".join(sorted(told[key]))) for key in sorted(told))


def _check_evaluation(evaluation: Mapping[str, Any], path: Path | None) -> None:
    if evaluation and not isinstance(evaluation.get("cds"), Mapping):
        raise BadInputError("no 'cds' figures in it", path=path, hint="give the JSON that tg-evaluate --json wrote")


def _run_settings(config: Config) -> list[tuple[str, str]]:
    rows: list[tuple[str, str]] = []
    if config.model is not None:
        settings = config.model / "config.json" if config.model.is_dir() else config.model
        rows.append(("model", config.model.resolve().name))
        if not settings.exists():
            raise MissingInputError("no model there: no config.json", path=config.model, hint="give a model directory")
        rows += [(f"model: {key}", value) for key, value in flatten(read_object(settings)) if len(value) < 200]
    if config.params is not None:
        rows += list(flatten(read_object(config.params)))
    return rows


def run(config: Config, *, progress: Callable[[str], None] = lambda _: None) -> Result:
    """Write the report.

    Raises:
        MissingInputError, BadInputError: a file is missing or is not what it should be.
    """
    loci, conditions = with_reads(
        load_loci(config, progress=progress), _by_sample(config.evidence), _by_sample(config.usage)
    )
    genomes = _lengths(config)
    samples = _samples(config, loci, genomes)
    everything = [locus for one in loci.values() for locus in one]
    page = render(
        Report(
            title=config.title,
            samples=samples,
            payload=build_payload(everything, conditions),
            signals=build_signals(_all_by_sample(config.signals)),
            genomes=genomes,
            training=[read_training(path) for path in config.training],
            run=_run_settings(config),
            with_reads=bool(config.evidence or config.usage),
            changes=read_changes(_all_by_sample(config.differences), loci),
        )
    )
    with write_aside(config.out) as aside:
        aside.write_text(page, encoding="utf-8")
    written = write_multiqc(samples, config.multiqc) if config.multiqc is not None else ()
    return Result(config.out, len(samples), len(everything), len(page.encode()), written)
