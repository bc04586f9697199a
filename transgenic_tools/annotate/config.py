"""What `tg-annotate` is asked to do.

In: flags. Out: frozen settings of a run through all stages.
A surprise: defaults are those of the stages' own configs, read from them, so that a stage alone, the pipeline and this
command do the same.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from transgenic_tools.backmap.config import check_utrs
from transgenic_tools.choices import SHARD_BASES, Device, Precision
from transgenic_tools.errors import UsageError
from transgenic_tools.generate.config import Config as GenerateConfig
from transgenic_tools.generate.config import check_samples
from transgenic_tools.io.samplesheet import is_sample_name
from transgenic_tools.scan.config import Config as ScanConfig
from transgenic_tools.search.config import DecodingConfig

#: Files beside the GFF3 that may be asked for, with the end of their names.
Further = Literal["gtf", "bed", "proteins", "cds", "cdna", "sites"]
ENDINGS: dict[Further, str] = {
    "gtf": "gtf", "bed": "bed", "proteins": "pep.fa", "cds": "cds.fa", "cdna": "cdna.fa", "sites": "sites.bw",
}  # fmt: skip
_SUFFIXES = re.compile(r"(\.(fa|fasta|fna|gz|bgz))+$", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class Config:
    """One genome through all stages.

    Attributes:
        annotation: Known genes: they give the loci, and the reference where no other is named.
        regions: Loci alone. With neither of the two the genome is scanned.
        reference: Annotation that the result is held against.
        reads: Long reads, for the evaluation.
        evidence: File of `tg-evidence`, or what it takes: a sheet, or a file of reads, junctions or transcripts.
            For generation, support, usage and report.
        condition: Sample that is predicted for, of `conditions` or among those that the model was trained on.
        conditions: Table of numbers by sample.
        against: Another sample; what changes from it to `condition` is a table, and a part of the report.
        aliases: Table of names, where FASTA and annotation call a sequence differently.
        sample: Name of the genome in all results; by default the FASTA's name without its endings.
        model, scan_model: Model directories; None for the embedded ones.
        augment: Known transcripts are the prompt, and new ones join the annotation.
        extend_genes, add_utrs, utrs_in_place, skip_genes, skip_attributes: See the settings of the backmapping.
        id_pattern: Of IDs that are numbered along each sequence; None: IDs of the loci.
        further: Files beside the GFF3.
        tracks: Write what the scan says of every base, and show it in report and jbrowse.
        jbrowse: Write the folder that JBrowse 2 and IGV open.
        keep_names: Names, products and references of the annotation's genes (else the reference's) are carried over.
        submission: As registered with NCBI or ENA; what they want is checked and written.
        threads: Of each stage; results do not depend on them.
    """

    fasta: Path
    outdir: Path
    annotation: Path | None = None
    regions: Path | None = None
    reference: Path | None = None
    reads: Path | None = None
    evidence: Path | None = None
    condition: str | None = None
    conditions: Path | None = None
    against: str | None = None
    aliases: Path | None = None
    sample: str = ""
    model: Path | None = None
    scan_model: Path | None = None
    augment: bool = False
    extend_genes: bool = False
    add_utrs: bool = False
    utrs_in_place: bool = False
    skip_genes: Path | None = None
    skip_attributes: Sequence[str] = ()
    skip_seqids: Sequence[str] = ()
    scan_min_score: float = ScanConfig.min_score
    complete_only: bool = ScanConfig.complete_only
    shard_bases: int = SHARD_BASES
    search: DecodingConfig = field(default_factory=DecodingConfig)
    device: Device = GenerateConfig.device
    precision: Precision = GenerateConfig.precision
    batch_bases: int = GenerateConfig.batch_bases
    max_window: int | None = None
    min_gene_confidence: float = 0.0
    id_prefix: str = ""
    id_pattern: str | None = None
    both_strands: bool = False
    csq_attributes: bool = False
    keep_names: bool = False
    submission: str | None = None
    further: frozenset[Further] = frozenset()
    evaluation_tables: bool = False
    tracks: bool = False
    jbrowse: bool = False
    title: str = "transgenic_tools report"
    threads: int = 1

    def __post_init__(self) -> None:
        if self.annotation is not None and self.regions is not None:
            raise UsageError(
                "--annotation and --regions both say where the loci are",
                hint="give --regions for the loci and the annotation as --reference",
            )
        if self.augment and self.annotation is None:
            raise UsageError("--augment adds to an annotation", hint="add --annotation GENES.gff3")
        if self.augment and (self.csq_attributes or self.submission or self.id_pattern):
            raise UsageError(
                "--augment keeps your lines as they are",
                hint="leave --csq-attributes, --submission and --id-pattern out",
            )
        if not self.augment and (self.extend_genes or self.add_utrs or self.skip_genes or self.skip_attributes):
            raise UsageError(
                "--extend-genes, --add-utrs, --skip-genes and --skip-attribute are of --augment",
                hint="add --augment, or leave them out",
            )
        check_utrs(add_utrs=self.add_utrs, utrs_in_place=self.utrs_in_place)
        if self.tracks and not self.scans:
            raise UsageError("--tracks are of a scan", hint="leave --annotation and --regions out, or --tracks")
        if self.keep_names and self.annotation is None and self.reference is None:
            raise UsageError("--keep-names of which annotation?", hint="add --annotation or --reference GENES.gff3")
        if not 0.0 <= self.min_gene_confidence <= 1.0:
            raise UsageError(f"--min-gene-confidence {self.min_gene_confidence} is not between 0 and 1")
        check_samples(self.condition, {"--conditions": self.conditions, "--against": self.against})
        if self.reads is not None and self.compared_with is None:
            raise UsageError(
                "--reads support an evaluation, which needs a reference", hint="add --reference GENES.gff3"
            )
        if not is_sample_name(self.name):
            raise UsageError(
                f"{self.name!r} cannot be the name of a genome", hint="give --sample with letters, digits, _ . - alone"
            )

    @property
    def name(self) -> str:
        """`sample`, or the FASTA's name without its endings."""
        return self.sample or _SUFFIXES.sub("", self.fasta.name)

    @property
    def scans(self) -> bool:
        """Whether loci are looked for first."""
        return self.annotation is None and self.regions is None

    @property
    def gathers(self) -> bool:
        """Whether the file of `tg-evidence` is to be made first."""
        from transgenic_tools.io.junctions import is_evidence_file

        return self.evidence is not None and not is_evidence_file(self.evidence)

    @property
    def names(self) -> Path | None:
        """Where names come from."""
        return (self.annotation or self.reference) if self.keep_names else None

    @property
    def compared_with(self) -> Path | None:
        """The reference of the evaluation."""
        return self.reference or self.annotation

    @property
    def stages(self) -> tuple[str, ...]:
        """In their order."""
        asked = {
            "evidence": self.gathers, "scan": self.scans, "prep": not self.scans, "generate": True, "backmap": True,
            "usage": self.evidence is not None, "evaluate": self.compared_with is not None, "report": True,
            "jbrowse": self.jbrowse,
        }  # fmt: skip
        return tuple(stage for stage, wanted in asked.items() if wanted)
