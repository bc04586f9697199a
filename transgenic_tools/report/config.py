"""Settings of the report.

In: flags. Out: frozen `Config` and `Source`.
A surprise: files are tied to samples by `SAMPLE=PATH`; a bare path takes its sample from the file's name.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from transgenic_tools.errors import MissingInputError, UsageError
from transgenic_tools.io.files import refuse_pipe
from transgenic_tools.provenance import check_outputs

_SUFFIXES = re.compile(
    r"(\.(gff3?|gtf|gz|bgz|json|tsv|parquet|rejects|prep|evaluation|metrics|jsonl|predictions|evidence|usage|differences|scan))+$",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Source:
    """A file that belongs to a sample."""

    sample: str
    path: Path


def parse_source(text: str) -> Source:
    """`SAMPLE=PATH`, or a path whose name up to the known suffixes is the sample.

    Raises:
        MissingInputError: no such file.
        BadInputError: a pipe.
        UsageError: nothing stands before the `=`.
    """
    sample, equals, rest = text.partition("=")
    if not equals or "/" in sample or (Path(text).exists() and not Path(rest).exists()):
        path = Path(text)
        sample = _SUFFIXES.sub("", path.name) or path.name
    else:
        path = Path(rest)
    if not sample:
        raise UsageError(f"{text!r} names no sample", hint="write SAMPLE=PATH")
    if not path.exists():
        raise MissingInputError("the file does not exist", path=path, hint="give SAMPLE=PATH of a file that exists")
    refuse_pipe(path)
    return Source(sample, path)


def parse_sources(texts: Sequence[str] | None) -> tuple[Source, ...]:
    """All of one flag's values, in their order."""
    return tuple(parse_source(text) for text in texts or ())


#: Bases of all loci that the page carries; a page beyond it would be slow to open.
SEQUENCE_LIMIT = 30_000_000


@dataclass(frozen=True, kw_only=True)
class Config:
    """What the report is made of.

    Attributes:
        annotations: Predicted annotation of each sample.
        references: Reference annotations, by sample.
        evaluations: JSON of tg-evaluate, by sample.
        rejects: `rejects.tsv` of any stage, by sample; several a sample are added up.
        preps: `prep.json`, by sample.
        training: `metrics.jsonl` of tg-train.
        predictions: Prediction shards or directories of them, for the site probabilities and what was run.
        generations: What `tg-generate --json` printed, by sample, for the device.
        fasta: Genome of a sample; its loci carry their bases then, up to `SEQUENCE_LIMIT` in all.
        evidence: Parquet of tg-evidence, by sample; loci then show the reads across introns.
        usage: `usage.tsv` of tg-evidence usage, by sample; isoforms then show their shares by condition.
        differences: `differences.tsv` of tg-generate --against, by sample; several a sample are one table.
        scans: scan.json of tg-scan, by sample; shares of a genome are added up, and its place can be opened anywhere.
        signals: bigWig of tg-scan --tracks, by sample, drawn beneath the loci.
        augmented: The annotations hold the user's own isoforms and added ones, which are told apart and compared.
        params: JSON of the pipeline's parameters.
        model: Model directory, for its `config.json`.
        out: The HTML file.
        multiqc: Directory for the `*_mqc.json` files; none are written without it.
        paired_only: Leave out reference genes without a prediction, e.g. where only a test split was predicted.
        title: Heading of the page.
    """

    annotations: tuple[Source, ...]
    out: Path
    references: tuple[Source, ...] = ()
    evaluations: tuple[Source, ...] = ()
    rejects: tuple[Source, ...] = ()
    preps: tuple[Source, ...] = ()
    training: tuple[Path, ...] = ()
    predictions: tuple[Path, ...] = ()
    generations: tuple[Source, ...] = ()
    fasta: tuple[Source, ...] = ()
    evidence: tuple[Source, ...] = ()
    usage: tuple[Source, ...] = ()
    differences: tuple[Source, ...] = ()
    scans: tuple[Source, ...] = ()
    signals: tuple[Source, ...] = ()
    augmented: bool = False
    params: Path | None = None
    model: Path | None = None
    multiqc: Path | None = None
    paired_only: bool = False
    title: str = "transgenic_tools report"

    def __post_init__(self) -> None:
        groups = (
            self.annotations, self.references, self.evaluations, self.rejects, self.preps, self.generations, self.fasta
        )  # fmt: skip
        named = [source.path for group in groups for source in group]
        check_outputs({"--out": self.out}, inputs=(*named, *self.training, *self.predictions, self.params))
        samples = [source.sample for source in self.annotations]
        twice = sorted({sample for sample in samples if samples.count(sample) > 1})
        if twice:
            raise UsageError(f"two --annotation files for sample {twice[0]!r}", hint="write SAMPLE=PATH for each")
        # one a shard, a share, or a strand
        several = (("--differences", self.differences), ("--scan", self.scans), ("--signal", self.signals))
        for flag, sources in (
            ("--reference", self.references),
            ("--evaluation", self.evaluations),
            ("--evidence", self.evidence),
            ("--usage", self.usage),
            *several,
        ):
            names = [source.sample for source in sources]
            if len(set(names)) < len(names) and (flag, sources) not in several:
                raise UsageError(f"two {flag} files for one sample", hint="write SAMPLE=PATH for each")
            strangers = sorted(set(names) - set(samples))
            if strangers and samples:
                raise UsageError(
                    f"{flag} names sample {strangers[0]!r}, but the --annotation samples are {', '.join(samples)}",
                    hint=f"write {flag} SAMPLE=PATH with the sample of an --annotation",
                )
        for path in (*self.training, *self.predictions, *(p for p in (self.params, self.model) if p is not None)):
            if not path.exists():
                raise MissingInputError("the file does not exist", path=path, hint="check the path")

    @property
    def samples(self) -> tuple[str, ...]:
        """In the order of the flags."""
        found = dict.fromkeys(source.sample for source in (*self.annotations, *self.preps, *self.evaluations))
        return tuple(found)
