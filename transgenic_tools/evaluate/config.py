"""What tg-evaluate is asked to do.

In: paths and switches from the command line. Out: a frozen `Config`.
A surprise: the region is 0-based half-open and a gene belongs to it by its start, as the splits of tg-prep do.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from transgenic_tools.errors import UsageError
from transgenic_tools.provenance import check_outputs


@dataclass(frozen=True)
class Region:
    """Genes of `seqid` (any where None) whose start lies in `[start, end)`."""

    seqid: str | None = None
    start: int | None = None
    end: int | None = None

    @property
    def is_whole(self) -> bool:
        return self.seqid is None and self.start is None and self.end is None

    def holds(self, seqid: str, start: int) -> bool:
        return (
            (self.seqid is None or seqid == self.seqid)
            and (self.start is None or start >= self.start)
            and (self.end is None or start < self.end)
        )


@dataclass(frozen=True, kw_only=True)
class Config:
    """Parameters of one evaluation.

    Attributes:
        references, predictions: GFF3 or GTF, plain or gzipped; every prediction is held against every reference, and
            the first pair is the one at the top of the JSON.
        json_path, tsv_path, genes_path, transcripts_path: Outputs; None leaves one out. The last two are for the
            first pair.
        region: Restricts both sides.
        shards: Gene shards (files or directories) whose genes, of `split` where given, restrict the reference.
        gene_list: A text file of gene IDs, first column, that restricts the reference further.
        homologs: TSV with columns `gene_id` and `has_homolog` (yes/no), for the strata.
        all_transcripts: Count transcripts without CDS too.
        echo: The prompt that the predictions complete (augment); it is evaluated beside them.
        fasta: The genome, for reads and for the stop codons of GTF without stop_codon lines.
        reads: Long reads; `min_reads` supports a chain that counts as missing.
        missing_chains_path: TSV of supported chains that no prediction has.
        calibration: Refuse to go on where the predictions carry no scores in [0, 1].
    """

    references: tuple[Path, ...]
    predictions: tuple[Path, ...]
    json_path: Path | None
    tsv_path: Path | None = None
    genes_path: Path | None = None
    transcripts_path: Path | None = None
    region: Region = Region()
    shards: tuple[Path, ...] = ()
    split: str | None = None
    gene_list: Path | None = None
    homologs: Path | None = None
    all_transcripts: bool = False
    echo: Path | None = None
    reads: Path | None = None
    fasta: Path | None = None
    min_reads: int = 1
    missing_chains_path: Path | None = None
    calibration: bool = False

    def __post_init__(self) -> None:
        check_outputs(
            {
                "--json": self.json_path, "--tsv": self.tsv_path, "--genes": self.genes_path,
                "--transcripts": self.transcripts_path, "--missing-chains": self.missing_chains_path,
            },
            inputs=(
                *self.references, *self.predictions, *self.shards, self.gene_list, self.homologs, self.echo,
                self.reads, self.fasta,
            ),
        )  # fmt: skip
        if not self.references or not self.predictions:
            raise UsageError("a reference and a prediction are needed", hint="give --reference and --prediction")
        if self.reads is not None and self.fasta is None:
            raise UsageError("--reads needs --fasta", hint="give the genome that the reads come from")
        if self.split is not None and not self.shards:
            raise UsageError(f"--split {self.split} needs --shards", hint="give the shards that tg-prep wrote")
