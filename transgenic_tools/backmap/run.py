"""Prediction shards to an annotation: gather, place, write every format in one pass.

In: `Config`. Out: GFF3 and what else was asked for, `rejects.tsv`, and a `Result` with the counts.
A surprise: all files appear together at the end; a failed run leaves the old ones.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from transgenic_tools.backmap.augment import Rules, augment
from transgenic_tools.backmap.config import Config
from transgenic_tools.backmap.distances import Distances, scoring_of_shards
from transgenic_tools.backmap.gather import sorted_rows
from transgenic_tools.backmap.genes import Strands, place_all
from transgenic_tools.backmap.names import Names
from transgenic_tools.backmap.numbers import numbered
from transgenic_tools.backmap.origins import differences
from transgenic_tools.backmap.submission import Submission
from transgenic_tools.backmap.support import ShownGenes
from transgenic_tools.errors import BadInputError
from transgenic_tools.genome.gene import Gene
from transgenic_tools.io.distance import Distance
from transgenic_tools.io.exports import GeneWriter, SequenceKind, bed_writer, fasta_writer
from transgenic_tools.io.fasta import Fasta
from transgenic_tools.io.gff3.feature_table import table_writer
from transgenic_tools.io.gff3.writer import DEFAULT_SOURCE, NO_SOURCE, Index, create_text, gff3_writer, gtf_writer
from transgenic_tools.io.junctions import EvidenceFile
from transgenic_tools.io.lists import read_ids
from transgenic_tools.io.rejects import Reject, read_rejects, write_rejects
from transgenic_tools.io.rows import PredictionRow
from transgenic_tools.io.shards import expand_shards, read_predictions
from transgenic_tools.io.tracks import SiteTrack
from transgenic_tools.provenance import Provenance, is_stream

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Result:
    """Counts and paths of one run.

    Attributes:
        genes, transcripts: Written (with `--into`: genes that got a new transcript, and new transcripts).
        known: With `--into`, predicted transcripts that the user's annotation already has.
        extended: With `--add-utrs`, known transcripts that got UTRs; None without it.
        rejects: Number by reason code.
        distance: From the species that the model learned, where it knows.
    """

    out: Path
    rejects_path: Path
    predictions: int
    genes: int
    transcripts: int
    known: int = 0
    rejects: Mapping[str, int] = field(default_factory=dict)
    files: tuple[Path, ...] = ()
    distance: Distance | None = None
    extended: int | None = None

    def sentence(self) -> str:
        """One line for the log."""
        left_out = ", ".join(f"{count} {reason}" for reason, count in self.rejects.items())
        known = f", {self.known} known already" if self.known else ""
        if self.extended is not None:
            known += f", {self.extended} known ones got UTRs"
        return f"{self.out}: {self.genes} genes, {self.transcripts} transcripts{known}; left out: {left_out or 'none'}"

    def summary(self) -> dict[str, Any]:
        """For `--json`."""
        return {
            "out": str(self.out),
            "predictions": self.predictions,
            "genes": self.genes,
            "transcripts": self.transcripts,
            "known": self.known,
            **({} if self.extended is None else {"extended": self.extended}),
            "rejects": dict(self.rejects),
            "rejects_path": str(self.rejects_path),
            "files": [str(path) for path in self.files],
            **({} if self.distance is None else {"distance": self.distance.to_json()}),
        }


class _Watch:
    """Passes rows through; remembers how many, from which models, on which seqids, and which strands are probable."""

    def __init__(self, distances: Distances) -> None:
        self.distances = distances
        self.count = 0
        self.models: set[str] = set()
        self.seqids: set[str] = set()
        self.strands = Strands()

    def through(self, rows: Iterator[PredictionRow]) -> Iterator[PredictionRow]:
        for row in rows:
            self.count += 1
            self.models.add(row.model_hash)
            self.seqids.add(row.seqid)
            self.strands.see(row)
            self.distances.see(row)
            yield row


@contextmanager
def _genome(path: Path | None) -> Iterator[Fasta | None]:
    if path is None:
        yield None
        return
    with Fasta(path) as fasta:
        yield fasta


def _provenance(config: Config, watch: _Watch) -> Provenance:
    distance = watch.distances.distance
    told = {} if distance is None else {"distance": distance.to_json()}
    return Provenance("tg-backmap", {**config.parameters(), "model_hash": sorted(watch.models), **told})


class _CsqWriter:
    """Genes with IDs and biotypes as `bcftools csq` reads them: `gene:`, `transcript:`, `biotype=protein_coding`."""

    def __init__(self, writer: GeneWriter) -> None:
        self._writer = writer

    def write(self, gene: Gene) -> None:
        transcripts = tuple(
            replace(t, id=f"transcript:{t.id}", attributes={**t.attributes, "biotype": ("protein_coding",)})
            for t in gene.transcripts
        )
        self._writer.write(replace(gene, id=f"gene:{gene.id}", biotype="protein_coding", transcripts=transcripts))


def _open_writers(
    stack: ExitStack,
    together: ExitStack,
    config: Config,
    provenance: Provenance,
    regions: Mapping[str, int],
    fasta: Fasta | None,
) -> list[GeneWriter]:
    """Writers of all that was asked for, but the GFF3 of `--into`; their files appear when `together` is left."""
    # A seqid without a known length may be long: the index of the newer format has room for it.
    longest = max(regions.values(), default=0) if fasta is not None else 1 << 31
    gff: Index | None = ("gff", longest) if config.index else None
    writers: list[GeneWriter] = []
    if config.into is None:
        annotation = stack.enter_context(
            gff3_writer(config.out, provenance=provenance, sequence_regions=regions, together=together, index=gff)
        )
        writers.append(_CsqWriter(annotation) if config.csq_attributes else annotation)
    if config.feature_table is not None:
        writers.append(stack.enter_context(table_writer(config.feature_table, together=together)))
    if config.gtf is not None:
        writers.append(
            stack.enter_context(
                gtf_writer(
                    config.gtf,
                    provenance=provenance,
                    sequence_regions=regions,
                    together=together,
                    index=gff,
                    source=DEFAULT_SOURCE if config.into is None else NO_SOURCE,
                )
            )
        )
    if config.bed is not None:
        bed: Index | None = ("bed", longest) if config.index else None
        writers.append(stack.enter_context(bed_writer(config.bed, together=together, index=bed)))
    if fasta is not None:
        kinds: tuple[tuple[SequenceKind, Path | None], ...] = (
            ("protein", config.proteins), ("cds", config.cds), ("cdna", config.cdna),
        )  # fmt: skip
        for kind, path in kinds:
            if path is not None:
                writer = fasta_writer(path, kind=kind, fetch=fasta.fetch, together=together)
                writers.append(stack.enter_context(writer))
    return writers


def _on_sequences(genes: Iterable[Gene], lengths: Mapping[str, int] | None, rejects: list[Reject]) -> Iterator[Gene]:
    """The user's genes that lie on the genome; the others stand in the GFF3 alone, and the table says so."""
    for gene in genes:
        length = None if lengths is None else lengths.get(gene.seqid)
        if lengths is None or (length is not None and gene.interval.end <= length):
            yield gene
        elif length is None:
            rejects.append(Reject(gene.id, "unknown_seqid", f"{gene.seqid}; not in the other formats", "filtered"))
        else:
            detail = f"it ends at {gene.interval.end} of {length}; not in the other formats"
            rejects.append(Reject(gene.id, "past_contig_end", detail, "filtered"))


def _rules(config: Config) -> Rules:
    listed = () if config.skip_genes is None else read_ids(config.skip_genes)
    return Rules(
        min_confidence=config.min_confidence,
        skip_genes=frozenset(listed),
        skip_attributes=config.skip_attributes,
        extend_genes=config.extend_genes,
        add_utrs=config.add_utrs,
        utrs_in_place=config.utrs_in_place,
    )


def run(config: Config, *, progress: Callable[[str], None] = lambda _: None) -> Result:
    """Run the stage.

    Raises:
        MissingInputError, BadInputError: a file is missing or is not what it should be. A gene that fails is a row
            in `rejects.tsv` instead.
    """
    shards = expand_shards(config.predictions, made_by="tg-generate")
    earlier = [reject for table in config.earlier_rejects for reject in read_rejects(table)]
    for difference in differences(shards):
        logger.warning("%s", difference)
    scoring, rejects, sites = scoring_of_shards(shards), list[Reject](), SiteTrack()
    genes = transcripts = known = 0
    extended: int | None = None
    # The inner stack closes the files, whole; the outer one then gives them their names.
    with _genome(config.fasta) as fasta, ExitStack() as together, ExitStack() as stack:
        lengths = None if fasta is None else fasta.lengths
        watch = _Watch(Distances(scoring, fasta))
        # The first row comes only when all shards have been read, so the header can name models and seqids.
        shown = None if config.evidence is None else ShownGenes(EvidenceFile(config.evidence))
        predicted = watch.through(read_predictions(shards))
        rows = sorted_rows(
            predicted if shown is None else shown.through(predicted),
            rows_in_memory=config.rows_in_memory,
            spill_beside=config.rejects_path if is_stream(config.out) else config.out,
        )
        ordered = place_all(
            watch.distances.through(rows),
            rejects,
            lengths=lengths,
            min_confidence=0.0 if config.into else config.min_confidence,
            max_isoforms=config.max_isoforms,
            id_prefix=config.id_prefix,
            strands=None if config.both_strands else watch.strands,
            on_placed=None if config.sites is None else sites.add,
        )
        first = next(ordered, None)
        progress(f"{watch.count} predictions in {len(shards)} shards")
        if lengths is not None and watch.seqids and watch.seqids.isdisjoint(lengths):
            raise BadInputError(
                f"it holds none of the sequences of the predictions ({', '.join(sorted(watch.seqids)[:3])})",
                path=config.fasta, hint="give the genome that the gene shards were made from",
            )  # fmt: skip
        provenance = _provenance(config, watch)
        placed = _chained(first, ordered)
        if config.id_pattern is not None:
            order = {seqid: place for place, seqid in enumerate(lengths or {}, start=1)}
            placed = numbered(placed, config.id_pattern, order)
        if config.names is not None:
            placed = map(Names(config.names).named, placed)
        if shown is not None:
            placed = map(shown.annotated if config.into is None else shown.supported, placed)
        checks = None if config.submission is None or fasta is None else Submission(config.submission, fasta)
        if config.into is not None:
            added = augment(
                config.into,
                config.out,
                placed,
                rejects,
                provenance=provenance,
                rules=_rules(config),
                together=together,
            )
            genes, transcripts, known = added.genes, added.transcripts, added.known
            extended = added.extended if config.add_utrs else None
            if shown is not None:
                shown.use_all(added.annotation)
            written: Iterable[Gene] = _on_sequences(added.annotation, lengths, rejects)
        else:
            written = placed if checks is None else checks.through(placed)
        regions = {s: n for s, n in (lengths or {}).items() if s in watch.seqids}
        writers = _open_writers(stack, together, config, provenance, regions, fasta)
        for gene in written if writers else ():
            if config.into is None:
                genes, transcripts = genes + 1, transcripts + len(gene.transcripts)
            for writer in writers:
                writer.write(gene)
        if checks is not None and config.submission_checks is not None:
            rejects += (finding for finding in checks.findings if finding.action != "flagged")
            with create_text(config.submission_checks, together=together) as table:
                write_rejects(checks.findings, table)
        if config.sites is not None:
            sites.write(config.sites, lengths or {}, together)
        if shown is not None and config.junctions is not None:
            with create_text(config.junctions, together=together) as table:
                shown.write(table)
        write_rejects((*earlier, *rejects), stack.enter_context(create_text(config.rejects_path, together=together)))
    optional = (
        config.gtf, config.bed, config.proteins, config.cds, config.cdna, config.sites, config.feature_table,
        config.submission_checks, config.junctions,
    )  # fmt: skip
    return Result(
        out=config.out,
        rejects_path=config.rejects_path,
        predictions=watch.count,
        genes=genes,
        transcripts=transcripts,
        known=known,
        rejects=dict(sorted(Counter(reject.reason for reject in rejects).items())),
        files=tuple(path for path in (config.out, *optional) if path is not None),
        distance=watch.distances.distance,
        extended=extended,
    )


def _chained(first: Any, rest: Iterator[Any]) -> Iterator[Any]:
    if first is not None:
        yield first
    yield from rest
