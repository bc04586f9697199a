"""tg-evaluate: predictions against references.

In: a `Config`. Out: one `Evaluation` per (reference, prediction) pair, and the files that the config names.
A surprise: the JSON of the first pair stands at the top level, as the contracts fix it; with more pairs, all of them
stand under `comparisons` too.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from transgenic_tools.errors import BadInputError
from transgenic_tools.evaluate.calibration import Calibration, calibrate
from transgenic_tools.evaluate.classify import classify
from transgenic_tools.evaluate.config import Config
from transgenic_tools.evaluate.events import score_events
from transgenic_tools.evaluate.genes import gene_results, gene_shares, strata
from transgenic_tools.evaluate.metrics import score_levels
from transgenic_tools.evaluate.output import write_outputs
from transgenic_tools.evaluate.pairing import pair
from transgenic_tools.evaluate.reads import compare_with_reads
from transgenic_tools.evaluate.result import Evaluation, Result
from transgenic_tools.evaluate.selection import read_homologs, select_prediction, select_reference
from transgenic_tools.evaluate.structures import VIEWS, Structure, distinct_structures, structure_of
from transgenic_tools.genome.gene import Gene, Transcript
from transgenic_tools.io.gff3 import Annotation, read_annotation
from transgenic_tools.io.long_reads import ReadAlignments, align_reads

log = logging.getLogger(__name__)


def _transcripts(genes: Sequence[Gene]) -> Iterator[Transcript]:
    for gene in genes:
        yield from gene.transcripts


def _transcript_calibration(prediction: Sequence[Gene], exact: set[Structure]) -> Calibration | None:
    scores, right = [], []
    for transcript in _transcripts(prediction):
        structure = structure_of(transcript, "cds")
        if transcript.score is None or structure is None:
            continue
        if not 0 <= transcript.score <= 1:
            log.warning("transcript %s has score %s: no calibration", transcript.id, transcript.score)
            return None
        scores.append(transcript.score)
        right.append(structure in exact)
    return calibrate(scores, right)


def _exon_calibration(prediction: Sequence[Gene], reference: Sequence[Structure]) -> Calibration | None:
    known = {(s.seqid, s.strand, p) for s in reference for p in s.parts}
    scores: list[float] = []
    right: list[bool] = []
    for transcript in _transcripts(prediction):
        values = transcript.exon_scores
        if len(values) != len(transcript.exons) or any(not 0 <= v <= 1 for v in values):
            continue
        scores += values
        right += [(transcript.seqid, transcript.strand, exon) in known for exon in transcript.exons]
    return calibrate(scores, right)


def _check_seqids(reference: Sequence[Gene], prediction: Sequence[Gene], path: Path) -> None:
    left, right = {g.seqid for g in reference}, {g.seqid for g in prediction}
    if right and not left & right:
        raise BadInputError(
            f"reference and prediction share no seqid (reference: {sorted(left)[:3]}, prediction: {sorted(right)[:3]})",
            path=path,
            hint="both must be annotations of the same assembly, with the same names in column 1",
        )


def compare(
    reference: Annotation,
    prediction: Annotation,
    config: Config,
    *,
    homologs: Mapping[str, bool] | None = None,
    alignments: ReadAlignments | None = None,
) -> Evaluation:
    """One pair. Raises BadInputError where nothing can be compared."""
    ours = select_reference(reference.genes, config, reference.path)
    _check_seqids(ours, prediction.genes, prediction.path)
    theirs = select_prediction(prediction.genes, ours, config)
    structures = {view: (distinct_structures(ours, view), distinct_structures(theirs, view)) for view in VIEWS}
    named = {
        view: [(s, gene.id) for gene in ours for t in gene.transcripts if (s := structure_of(t, view)) is not None]
        for view in VIEWS
    }
    pairing = pair(ours, theirs)
    rows = gene_results(ours, pairing.by_gene)
    calibration = _transcript_calibration(theirs, set(structures["cds"][0]))
    if config.calibration and calibration is None:
        raise BadInputError(
            "no transcript carries a score in [0, 1]", path=prediction.path,
            hint="scores are read from column 6 of the mRNA lines; leave --calibration out for tools without scores",
        )  # fmt: skip
    return Evaluation(
        reference_path=reference.path,
        prediction_path=prediction.path,
        reference=ours,
        prediction=theirs,
        levels={view: score_levels(*structures[view]) for view in VIEWS},
        events={view: score_events(*structures[view]) for view in VIEWS},
        classes={view: classify(structures[view][1], named[view]) for view in VIEWS},
        pairing=pairing,
        genes=rows,
        shares=gene_shares(rows),
        strata=strata(rows, homologs),
        calibration=calibration,
        exon_calibration=_exon_calibration(theirs, structures["transcript"][0]),
        structures=structures,
        reads=(
            None
            if alignments is None
            else compare_with_reads(structures["transcript"][1], alignments, min_reads=config.min_reads)
        ),
    )


def run(config: Config) -> Result:
    """Evaluate every pair and write the outputs."""
    references = [read_annotation(path) for path in config.references]
    predictions = [read_annotation(path) for path in config.predictions]
    homologs = None if config.homologs is None else read_homologs(config.homologs)
    alignments = None
    if config.reads is not None and config.fasta is not None:
        alignments = align_reads(config.reads, config.fasta)
        log.info("aligned %d of %d reads", alignments.aligned, alignments.reads)
    result = Result(
        evaluations=tuple(
            compare(reference, prediction, config, homologs=homologs, alignments=alignments)
            for reference in references
            for prediction in predictions
        )
    )
    write_outputs(result, config)
    return result
