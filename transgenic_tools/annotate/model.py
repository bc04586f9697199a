"""The package from Python: a model that annotates sequences and FASTA files.

In: DNA as text, by name, or a FASTA file. Out: `Genes`.
A surprise: the stages run as in `tg-annotate`, through files in a temporary folder, so the answer is the same; only the
network of the isoforms stays loaded between calls.
"""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from transgenic_tools.annotate.config import Config
from transgenic_tools.annotate.genes import Gene, Genes
from transgenic_tools.annotate.run import annotate_alone
from transgenic_tools.choices import Device, Precision
from transgenic_tools.errors import UsageError
from transgenic_tools.generate.config import Config as GenerateConfig
from transgenic_tools.genome.gene import Gene as GeneRecord
from transgenic_tools.genome.gene import Transcript as TranscriptRecord
from transgenic_tools.io.fasta import Fasta
from transgenic_tools.io.gff3 import read_annotation
from transgenic_tools.report.loci import build_loci
from transgenic_tools.search.config import Decoding, DecodingConfig

if TYPE_CHECKING:
    from transgenic_tools.search.reader import Reader

_NO_BASE = re.compile(r"[^ACGTUNRYSWKMBDHV\s]", re.IGNORECASE)
_NAME = re.compile(r"\S+")
#: No file system has longer paths.
_LONGEST_PATH = 4096
_GENOMES = "give bases as text, {name: bases}, or a FASTA file"
#: seqid, start, end, and the strand where it is known; 0-based half-open.
Region = tuple[str, int, int] | tuple[str, int, int, str]


@dataclass(frozen=True, kw_only=True)
class Model:
    """A model with the settings of its search; `transgenic_tools.load` makes one.

    Attributes:
        reader: The network on its device.
        directory: Where it came from.
        settings: Of `tg-annotate`, but for what `annotate` is given.
    """

    reader: Reader
    directory: Path
    settings: Config

    def annotate(
        self,
        genome: str | Path | Mapping[str, str],
        *,
        annotation: str | Path | None = None,
        regions: str | Path | Iterable[Region] | None = None,
        evidence: str | Path | None = None,
        name: str = "sequence",
    ) -> Genes:
        """All isoforms of all genes.

        Args:
            genome: Bases as text, several by name, or a FASTA file (a path, or its text).
            annotation: Known genes, GFF3 or GTF: their loci are read, and each gene has them as `known`.
            regions: Loci alone: a BED file, or tuples of seqid, start, end (0-based half-open) and, if known, strand.
                With neither of the two the genome is scanned for loci.
            evidence: What reads show of splicing: a file of `tg-evidence`, its sheet, or a file of reads, junctions or
                transcripts.
            name: Of a sequence that is given as text.

        Raises:
            UsageError, BadInputError, MissingInputError: as the tools do; the message says what to do.
        """
        with tempfile.TemporaryDirectory(prefix="transgenic.") as folder:
            work = Path(folder)
            config = replace(
                self.settings,
                fasta=_as_fasta(genome, name, work),
                outdir=work / "out",
                annotation=None if annotation is None else Path(annotation),
                regions=_as_regions(regions, work),
                evidence=None if evidence is None else Path(evidence),
                sample="sequence",
            )
            written = annotate_alone(config, loaded=(self.reader, self.directory))
            lines = written.read_text(encoding="utf-8").splitlines()
            records = read_annotation(written).genes if any(not line.startswith("#") for line in lines) else ()
            known = _known(records, config.annotation)
            with Fasta(config.fasta, stage_dir=work) as fasta:
                genes = [
                    Gene(_as_written(one), fasta.fetch(one.seqid, *_ends(one)), known.get(one.id, ()))
                    for one in records
                ]
        return Genes(genes, header=[line for line in lines if line.startswith("#")])


def load(
    model: str | Path | None = None,
    *,
    scan_model: str | Path | None = None,
    device: Device = Config.device,
    precision: Precision = Config.precision,
    threads: int = Config.threads,
    decoding: Decoding = DecodingConfig.decoding,
    num_beams: int = DecodingConfig.num_beams,
    max_isoforms: int = DecodingConfig.max_isoforms,
    min_confidence: float | None = DecodingConfig.min_confidence,
    min_gene_confidence: float = Config.min_gene_confidence,
    seed: int = DecodingConfig.seed,
) -> Model:
    """See `transgenic_tools.load`."""
    from transgenic_tools.generate.run import load as load_reader

    for flag, value, allowed in (
        ("device", device, get_args(Device)),
        ("precision", precision, get_args(Precision)),
        ("decoding", decoding, get_args(Decoding)),
    ):
        if value not in allowed:
            raise UsageError(f"{flag} {value!r} is unknown", hint=f"give {', '.join(allowed)}")
    if threads < 1:
        raise UsageError(f"threads {threads} is out of range", hint="give a whole number from 1")
    search = DecodingConfig(
        decoding=decoding, num_beams=num_beams, max_isoforms=max_isoforms, min_confidence=min_confidence, seed=seed
    )
    named = None if model is None else Path(model)
    reader, directory = load_reader(
        GenerateConfig(shards=(), outdir=Path(), model=named, device=device, precision=precision)
    )
    settings = Config(
        fasta=Path("none.fa"), outdir=Path(), model=directory, device=device, precision=precision, threads=threads,
        scan_model=None if scan_model is None else Path(scan_model), search=search,
        min_gene_confidence=min_gene_confidence,
    )  # fmt: skip
    return Model(reader=reader, directory=directory, settings=settings)


def _as_written(gene: GeneRecord) -> GeneRecord:
    """With transcripts by falling probability, as they are numbered: lines of a file are in order of place. And without
    the biotype that the reader concludes from the CDS: the file does not say it."""
    transcripts = sorted(gene.transcripts, key=lambda one: int(one.id.rpartition(".t")[2]))
    return replace(gene, biotype=None, transcripts=tuple(transcripts))


def _ends(gene: GeneRecord) -> tuple[int, int]:
    return gene.interval.start, gene.interval.end


def _as_fasta(genome: str | Path | Mapping[str, str], name: str, work: Path) -> Path:
    if isinstance(genome, os.PathLike):
        return Path(genome)
    path = work / "sequence.fa"
    if isinstance(genome, str) and genome.lstrip().startswith(">"):
        path.write_text(genome.lstrip(), encoding="utf-8")
        return path
    if isinstance(genome, str) and _is_path(genome):
        return Path(genome)
    sequences = genome if isinstance(genome, Mapping) else {name: genome}
    if not sequences:
        raise UsageError("no sequence was given", hint=_GENOMES)
    with path.open("w", encoding="utf-8") as handle:
        for one, bases in sequences.items():
            if not isinstance(one, str) or not _NAME.fullmatch(one):
                raise UsageError(f"{one!r} cannot be the name of a sequence", hint="give one word")
            handle.write(f">{one}\n{_checked(one, bases)}\n")
    return path


def _is_path(text: str) -> bool:
    """Whether a text that is no FASTA names a file: a letter of it is no base, and it is no longer than a path is."""
    return len(text) < _LONGEST_PATH and "\n" not in text and _NO_BASE.search(text) is not None


def _checked(name: str, bases: object) -> str:
    if not isinstance(bases, str):
        raise UsageError(f"{name}: {type(bases).__name__} instead of text", hint=_GENOMES)
    if not bases.strip():
        raise UsageError(f"{name}: the text is empty", hint=_GENOMES)
    if wrong := _NO_BASE.search(bases):
        raise UsageError(f"{name}: the letter {wrong.group()!r} is not a base", hint=_GENOMES)
    return bases


def _as_regions(regions: str | Path | Iterable[Region] | None, work: Path) -> Path | None:
    if regions is None or isinstance(regions, str | os.PathLike):
        return None if regions is None else Path(regions)
    path = work / "regions.bed"
    lines = [_bed_line(number, region) for number, region in enumerate(regions, start=1)]
    if not lines:
        raise UsageError("no region was given", hint="leave regions out to have the genome scanned")
    path.write_text("".join(lines), encoding="utf-8")
    return path


def _bed_line(number: int, region: Region) -> str:
    try:
        seqid, start, end, *strand = region
        fine = 0 <= int(start) < int(end) and len(strand) < 2 and set(strand) <= {"+", "-", "."}
    except (TypeError, ValueError):
        fine = False
    if not fine:
        raise UsageError(
            f"region {number}, {region!r}, is no locus",
            hint="give (seqid, start, end) or (seqid, start, end, strand): 0-based, 0 <= start < end, strand + or -",
        )
    columns = (seqid, int(start), int(end), *((f"locus{number}", 0, strand[0]) if strand else ()))
    return "\t".join(map(str, columns)) + "\n"


def _known(records: tuple[GeneRecord, ...], annotation: Path | None) -> dict[str, tuple[TranscriptRecord, ...]]:
    """Known isoforms by the ID of the gene that was written for them."""
    if annotation is None or not records:
        return {}
    found = {}
    owners = {one.id: gene.id for gene in records for one in gene.transcripts}
    for locus in build_loci("", records, read_annotation(annotation).genes, paired_only=True):
        for one in locus.predicted:
            found[owners[one.id]] = locus.reference
    return found
