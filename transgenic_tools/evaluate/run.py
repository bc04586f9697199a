"""tg-evaluate: predictions against references.

In: a `Config`. Out: one `Evaluation` per (reference, prediction) pair, and the files that the config names.
A surprise: the JSON of the first pair stands at the top level, as the contracts fix it; with more pairs, all of them
stand under `comparisons` too.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from transgenic_tools.errors import BadInputError
from transgenic_tools.evaluate.alternatives import find_alternatives, isoforms
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
from transgenic_tools.evaluate.selection import read_homologs, select_prediction, select_reference, takes_all
from transgenic_tools.evaluate.sides import Side, agree_on_stops, reasons, side_of
from transgenic_tools.evaluate.structures import VIEWS, Structure, distinct_structures, structure_of
from transgenic_tools.genome.gene import Gene, Transcript
from transgenic_tools.io.fasta import Fasta
from transgenic_tools.io.gff3 import read_annotation
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
    reference: Side,
    prediction: Side,
    config: Config,
    *,
    homologs: Mapping[str, bool] | None = None,
    alignments: ReadAlignments | None = None,
    echo: Side | None = None,
) -> Evaluation:
    """One pair.

    Args:
        echo: The prompt that the prediction completes, held against the same reference.

    Raises:
        BadInputError: nothing can be compared.
    """
    reference, prediction = agree_on_stops(reference, prediction)
    ours = select_reference(reference, config)
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
    baseline = None if echo is None else compare(reference, echo, replace(config, calibration=False))
    return Evaluation(
        reference_path=reference.path,
        prediction_path=prediction.path,
        left_out={
            "reference": _left_out(reference, all_transcripts=config.all_transcripts),
            "prediction": _left_out(prediction, all_transcripts=takes_all(prediction.genes, config)),
        },
        mended={"reference": reference.mended, "prediction": prediction.mended},
        stops={"reference": reference.stops, "prediction": prediction.stops},
        reference=ours,
        prediction=theirs,
        levels={view: score_levels(*structures[view]) for view in VIEWS},
        events={view: score_events(*structures[view]) for view in VIEWS},
        classes={view: classify(structures[view][1], named[view]) for view in VIEWS},
        alternatives={view: find_alternatives(ours, theirs, pairing, view) for view in VIEWS},
        echo=baseline,
        added=None
        if baseline is None
        else {
            view: find_alternatives(ours, theirs, pairing, view, given=isoforms(baseline.prediction, view))
            for view in VIEWS
        },
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


def _left_out(side: Side, *, all_transcripts: bool) -> dict[str, dict[str, int]]:
    """What does not take part, of the whole file: the reader's reasons, and transcripts without a CDS."""
    said = reasons(side.left_out)
    if said:
        log.warning("%s: left out of the comparison: %s", side.path.name, said)
    counts = {unit: dict(codes) for unit, codes in side.left_out.items()}
    without = 0 if all_transcripts else sum(not t.cds for t in _transcripts(side.genes))
    counts["transcripts"] |= {"no_cds": without} if without else {}
    return counts


def _read(config: Config) -> tuple[list[Side], list[Side], Side | None]:
    """References, predictions and the echo; the genome is opened where a file needs it."""
    paths = (config.references, config.predictions, () if config.echo is None else (config.echo,))
    files = [[read_annotation(path) for path in some] for some in paths]
    if config.fasta is None or all(annotation.dialect != "gtf" for some in files for annotation in some):
        references, predictions, echo = ([side_of(annotation) for annotation in some] for some in files)
    else:
        with Fasta(config.fasta) as fasta:
            references, predictions, echo = ([side_of(annotation, fasta) for annotation in some] for some in files)
    return references, predictions, echo[0] if echo else None


def run(config: Config) -> Result:
    """Evaluate every pair and write the outputs."""
    references, predictions, echo = _read(config)
    for side in predictions:
        if not side.genes:
            log.warning("%s: not one gene could be read; is it the right file?", side.path)
    homologs = None if config.homologs is None else read_homologs(config.homologs)
    alignments = None
    if config.reads is not None and config.fasta is not None:
        alignments = align_reads(config.reads, config.fasta)
        log.info("aligned %d of %d reads", alignments.aligned, alignments.reads)
    result = Result(
        evaluations=tuple(
            compare(reference, prediction, config, homologs=homologs, alignments=alignments, echo=echo)
            for reference in references
            for prediction in predictions
        )
    )
    write_outputs(result, config)
    return result
