"""Settings of the backmapping stage.

In: flags. Out: a frozen `Config`.
A surprise: nothing here changes the order or the IDs of genes; both follow from the predictions alone.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from transgenic_tools.backmap.numbers import check_pattern
from transgenic_tools.errors import UsageError
from transgenic_tools.provenance import check_outputs, file_sha256, is_stream

#: What NCBI and ENA register.
_LOCUS_TAG_PREFIX = re.compile(r"[A-Za-z][A-Za-z0-9]{2,11}")


def check_utrs(*, add_utrs: bool, utrs_in_place: bool) -> None:
    """Raises UsageError where no UTRs are added that could stand anywhere."""
    if utrs_in_place and not add_utrs:
        raise UsageError("--utrs-in-place, but no UTRs are added", hint="add --add-utrs")


@dataclass(frozen=True, kw_only=True)
class Config:
    """What to map back, and where to.

    Attributes:
        predictions: Prediction shards or directories of them, of one genome, in any order.
        out: GFF3 (gzip where the name ends in .gz).
        into: The user's GFF3; new isoforms are added to its genes, its own lines stay as they are. The other formats
            hold its genes with them, old and new.
        skip_genes: Text file of gene IDs; nothing is added to these.
        skip_attributes: `KEY` or `KEY=VALUE`; nothing is added to genes whose line has one of these.
        extend_genes: With `into`, gene lines grow where a new isoform reaches out of them; else UTR ends are cut there.
        add_utrs, utrs_in_place: With `into`, what becomes of UTRs that are predicted for known transcripts without any;
            see `augment.Rules`.
        fasta: Genome, for `##sequence-region`, the check of contig ends, and sequences.
        sites: bigWig of splice site probabilities.
        evidence: File of `tg-evidence`, for the support of transcripts and the table of introns beside `out`.
        rejects: Table of genes that were left out; beside `out` by default.
        earlier_rejects: Tables of the preparation, or of the shares of a scan; their genes come first in `rejects`.
        min_confidence: Genes below it are left out; with `into`, new isoforms.
        max_isoforms: Best transcripts kept for a gene; 0 keeps all.
        id_prefix: Put before every ID.
        id_pattern: Of IDs that are numbered along each sequence, see `numbers`; None: IDs of the loci.
        both_strands: Keep both genes of a locus without a strand, not the more probable one alone.
        index: An index of `tabix` beside each of GFF3, GTF and BED; their names end in .gz then.
        csq_attributes: IDs and biotypes as `bcftools csq` wants them.
        names: The annotation that the loci came from; names, products and references of its genes are carried over.
        submission: Prefix of locus tags as registered with the archive; what NCBI and ENA want is checked and written,
            and a feature table appears beside `out`.
        rows_in_memory: Predictions sorted at once; the result does not depend on it.
    """

    predictions: tuple[Path, ...]
    out: Path
    into: Path | None = None
    skip_genes: Path | None = None
    skip_attributes: tuple[str, ...] = ()
    extend_genes: bool = False
    add_utrs: bool = False
    utrs_in_place: bool = False
    fasta: Path | None = None
    gtf: Path | None = None
    bed: Path | None = None
    proteins: Path | None = None
    cds: Path | None = None
    cdna: Path | None = None
    sites: Path | None = None
    evidence: Path | None = None
    rejects: Path | None = None
    earlier_rejects: tuple[Path, ...] = ()
    min_confidence: float = 0.0
    max_isoforms: int = 0
    id_prefix: str = ""
    id_pattern: str | None = None
    both_strands: bool = False
    index: bool = False
    csq_attributes: bool = False
    names: Path | None = None
    submission: str | None = None
    rows_in_memory: int = 20_000

    def __post_init__(self) -> None:
        self._check_paths()
        if self.fasta is None:
            for flag, path in (
                ("--proteins", self.proteins),
                ("--cds", self.cds),
                ("--cdna", self.cdna),
                ("--sites", self.sites),
            ):
                if path is not None:
                    raise UsageError(f"{flag} needs the genome", hint="add --fasta GENOME.fa")
        if self.into is not None and (self.index or self.csq_attributes or self.submission):
            flags = "--index, --csq-attributes and --submission"
            raise UsageError("--into keeps your lines as they are", hint=f"leave {flags} out")
        if self.id_pattern is not None:
            check_pattern(self.id_pattern)
            if self.id_prefix or self.into is not None:
                raise UsageError("--id-pattern makes whole IDs", hint="leave --id-prefix and --into out")
        self._check_submission()
        if self.index:
            for path in (self.out, self.gtf, self.bed):
                if path is not None and path.suffix != ".gz":
                    raise UsageError(f"--index: {path} is not compressed", hint="give a name that ends in .gz")
        if self.into is None and (self.skip_genes or self.skip_attributes or self.extend_genes or self.add_utrs):
            flags = "--skip-genes, --skip-attribute, --extend-genes and --add-utrs"
            raise UsageError(f"{flags} need --into", hint="add --into USER.gff3")
        check_utrs(add_utrs=self.add_utrs, utrs_in_place=self.utrs_in_place)
        if not 0.0 <= self.min_confidence <= 1.0:
            raise UsageError(f"--min-gene-confidence {self.min_confidence} is not between 0 and 1")
        if self.max_isoforms < 0 or self.rows_in_memory < 1:
            raise UsageError(f"--max-isoforms {self.max_isoforms} is below 0", hint="0 keeps all isoforms")

    def _check_paths(self) -> None:
        check_outputs({"--out": self.out})  # others are named after it
        if is_stream(self.out) and (self.rejects is None or self.submission is not None or self.evidence is not None):
            raise UsageError(
                f"nothing can lie beside --out {self.out}",
                hint="add --rejects FILE; with --submission or evidence give a file",
            )
        check_outputs(
            {
                "--out": self.out, "--gtf": self.gtf, "--bed": self.bed, "--proteins": self.proteins,
                "--cds": self.cds, "--cdna": self.cdna, "--sites": self.sites, "--rejects": self.rejects_path,
                "--submission": self.feature_table, "--submission's checks": self.submission_checks,
                "--evidence's table": self.junctions,
            },
            inputs=(*self.predictions, self.fasta, self.evidence, self.names, self.skip_genes, *self.earlier_rejects),
        )  # fmt: skip

    def _check_submission(self) -> None:
        if self.submission is None:
            return
        if self.fasta is None:
            raise UsageError("--submission needs the genome", hint="add --fasta GENOME.fa")
        if self.csq_attributes:
            raise UsageError("--submission and --csq-attributes want different IDs", hint="run twice")
        if not _LOCUS_TAG_PREFIX.fullmatch(self.submission):
            raise UsageError(
                f"--submission {self.submission!r} is no prefix of locus tags",
                hint="3 to 12 letters and digits, a letter first, as registered with NCBI or ENA",
            )

    def _beside(self, ending: str) -> Path:
        name = self.out.name.removesuffix(".gz").removesuffix(".gff3").removesuffix(".gff")
        return self.out.with_name(name + ending)

    @property
    def rejects_path(self) -> Path:
        """`--rejects`, or `<out without suffix>.rejects.tsv`."""
        return self.rejects or self._beside(".rejects.tsv")

    @property
    def junctions(self) -> Path | None:
        """With `evidence`, `<out without suffix>.junctions.tsv`."""
        return self._beside(".junctions.tsv") if self.evidence else None

    @property
    def feature_table(self) -> Path | None:
        """With `submission`, `<out without suffix>.tbl`."""
        return self._beside(".tbl") if self.submission else None

    @property
    def submission_checks(self) -> Path | None:
        """With `submission`, `<out without suffix>.submission.tsv`."""
        return self._beside(".submission.tsv") if self.submission else None

    def parameters(self) -> dict[str, Any]:
        """What goes into the provenance: settings that change the content, no paths."""
        asked = {
            "both_strands": self.both_strands,
            "csq_attributes": self.csq_attributes,
            "skip_attributes": self.skip_attributes,
            "extend_genes": self.extend_genes,
            "add_utrs": self.add_utrs,
            "utrs_in_place": self.utrs_in_place,
            "names": self.names is not None,
            "submission": self.submission,
            "id_pattern": self.id_pattern,
            "evidence": None if self.evidence is None else file_sha256(self.evidence)[:16],
        }
        return {
            "min_confidence": self.min_confidence,
            "max_isoforms": self.max_isoforms,
            "id_prefix": self.id_prefix,
            **{name: value for name, value in asked.items() if value},
        }
