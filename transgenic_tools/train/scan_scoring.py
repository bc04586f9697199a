"""Fit the segment model that finds loci, and how probable its loci are, on held-out stretches of training genomes.

In: a model directory whose encoder reads both strands, and a sheet of genomes with validation stretches. Out: the same
model with a part `scan` and the calibrations `locus` and `region` in its config, and `loci.json`, the curve of loci
(`io.loci_curve`); curves as JSON.
Usage: python -m transgenic_tools.train.scan_scoring MODEL --sheet genomes.yaml --outdir MODEL > curves.json
A surprise: a gene's path is that of its transcript with the longest CDS; a gene that the segment model cannot write (an
intron inside a stop codon, AT-AG ...) is closed off together with its place.
"""

from __future__ import annotations

import argparse
import itertools
import json
import logging
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from transgenic_tools.genome.gene import Transcript
from transgenic_tools.genome.interval import STRANDS, Interval, Strand
from transgenic_tools.io.loci_curve import FILE, CurvePoint, LociCurve, write_curve
from transgenic_tools.lattice.config import ScoringConfig
from transgenic_tools.lattice.scoring import pack_weights, unpack_weights
from transgenic_tools.lattice.segments import (
    Posterior,
    State,
    States,
    Stretch,
    best_path,
    closed_runs,
    coding_places,
    gates_of,
    gene_runs,
    path_features,
)
from transgenic_tools.lattice.vocabulary import Site
from transgenic_tools.model.files import load_model, model_hash
from transgenic_tools.provenance import Provenance
from transgenic_tools.search.loci import LOCUS, REGION, Judge
from transgenic_tools.search.reader import Reader
from transgenic_tools.search.tiles import BothStrands, TileReader, both_strands
from transgenic_tools.train.calibration import expected_calibration_error, logistic_regression
from transgenic_tools.train.genomes import Territory, read_sheet, read_source
from transgenic_tools.train.scoring import descend

logger = logging.getLogger(__name__)
Floats = npt.NDArray[np.float64]
#: Where the fit begins: contents are over-confident sums, and a gene needs many sites.
START = ScoringConfig(site_bias=(-2.0, -1.0, -1.0, -1.0, -1.0, -2.0), content_weight=0.02)
#: What `sharpen` tries.
_CONTENTS, _SHARPNESSES, _BONUSES = (0.002, 0.005, 0.01, 0.02, 0.035), (1.0, 1.5, 2.0, 2.5, 3.0), (0.0, 2.0, 4.0, 6.0)
#: Runs of unknown bases that hold no gene, as in a scan.
GAP = 100
#: Bases beside the coding part of a gene, or of a place without a gene, in a region as somebody may give it.
_BESIDE = (150, 800)
#: Regions without a gene on their strand for each one with a gene.
_EMPTY = 2
#: Thresholds of the curves.
THRESHOLDS = (0.0, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95)


@dataclass(frozen=True)
class Gold:
    """A strand of a stretch, the path of its genes as features, and first and last coding base of every gene."""

    stretch: Stretch
    features: Floats
    coding: frozenset[tuple[int, int]]

    @property
    def genes(self) -> int:
        return len(self.coding)


def coding_ends(path: States) -> frozenset[tuple[int, int]]:
    """First and last coding base of every gene of a path."""
    found = set()
    for start, end in gene_runs(path):
        coding = start + coding_places(path[start:end])
        if len(coding):
            found.add((int(coding[0]), int(coding[-1])))
    return frozenset(found)


def gene_states(transcript: Transcript) -> States:
    """States of the bases from TSS to TTS of a coding transcript in window coordinates. Shape (its span,)."""
    span, coding = transcript.interval, Interval(transcript.cds[0].start, transcript.cds[-1].end)
    states = np.zeros(len(span), dtype=np.uint8)
    done = 0
    for exon in transcript.exons:
        for part, state in (
            (Interval(exon.start, coding.start) if exon.start < coding.start else None, State.FIVE),
            (Interval(coding.end, exon.end) if exon.end > coding.end else None, State.THREE),
        ):
            inside = part.intersect(exon) if part else None
            if inside:
                states[inside.start - span.start : inside.end - span.start] = state
        part = exon.intersect(coding)
        if part:
            position = (done + np.arange(len(part))) % 3
            states[part.start - span.start : part.end - span.start] = State.CODING_1 + position
            done += len(part)
    for intron in transcript.introns:
        place = slice(intron.start - span.start, intron.end - span.start)
        if intron.end <= coding.start:
            states[place] = State.FIVE_INTRON
        elif intron.start >= coding.end:
            states[place] = State.THREE_INTRON
        else:
            states[place] = states[place.start - 1] + (State.INTRON_1 - State.CODING_1)
    return states


def strand_path(
    territory: Territory, seqid: str, strand: Strand, part: Interval
) -> tuple[States, npt.NDArray[np.bool_], list[tuple[int, int]]]:
    """States (L,) of a strand of a stretch 5' to 3', where nothing is known (L,), and the genes' places."""
    path = np.zeros(len(part), dtype=np.uint8)
    unknown = np.zeros(len(part), dtype=bool)
    places = []
    for gene in territory.on(seqid, strand, part.start, part.end):
        first = gene.start - part.start if strand == "+" else part.end - gene.end
        transcript = gene.example.transcripts[0]
        low, high = first + transcript.interval.start, first + transcript.interval.end
        if high <= 0 or low >= len(part):
            continue
        there = slice(max(low, 0), min(high, len(part)))
        if not gene.known or path[there].any():
            unknown[there] = True
            continue
        path[there] = gene_states(transcript)[there.start - low : there.stop - low]
        places.append((there.start, there.stop))
    known = [place for place in places if not unknown[slice(*place)].any()]
    for place in places:
        if place not in known:  # what sticks out of the gene that it overlaps would be a torn gene
            unknown[slice(*place)] = True
    path[unknown] = State.OUTSIDE
    return path, unknown, known


def _closed_off(path: States, stretch: Stretch, places: Sequence[tuple[int, int]]) -> Floats:
    """Features of the path; genes that it cannot write are closed off in place."""
    for low, high in places:
        around = slice(max(low - 1, 0), min(high + 1, len(path)))
        try:
            path_features(path[around], stretch.part(around))
        except ValueError:
            path[low:high] = State.OUTSIDE
            stretch.closed[low:high] = True
    return path_features(path, stretch)


def gold_stretches(territory: Territory, scores: BothStrands, seqid: str, part: Interval) -> Iterator[Gold]:
    """Both strands of a stretch with the paths of their genes."""
    strands: Sequence[Strand] = STRANDS  # type: ignore[assignment]
    for row, strand in enumerate(strands):
        codes = territory.read(seqid, strand, part.start, part.end)
        sites, contents = scores.sites[row], scores.contents[row]
        if strand == "-":
            sites, contents = sites[:, ::-1], contents[:, ::-1]
        path, unknown, places = strand_path(territory, seqid, strand, part)
        stretch = Stretch(
            sites=np.ascontiguousarray(sites),
            contents=np.ascontiguousarray(contents),
            gates=gates_of(codes),
            closed=closed_runs(codes, GAP) | unknown,
        )
        path[stretch.closed] = State.OUTSIDE
        features = _closed_off(path, stretch, places)
        yield Gold(stretch, features, coding_ends(path))


def fit_scan(
    golds: Sequence[Gold], start: ScoringConfig = START, *, iterations: int = 80
) -> tuple[ScoringConfig, float, float]:
    """The weights under which the genes' paths are most probable, and the loss (nats a gene) before and after."""
    genes = max(1, sum(gold.genes for gold in golds))

    def loss_of(weights: Floats) -> tuple[float, Floats]:
        loss, gradient = 0.0, np.zeros(len(weights))
        for gold in golds:
            posterior = Posterior(gold.stretch, unpack_weights(weights))
            loss += posterior.log_sum - float(gold.features @ weights)
            gradient += posterior.expected() - gold.features
        return loss / genes, gradient / genes

    rate = np.full(len(pack_weights(start)), 0.08)
    rate[len(start.site_scale) + len(start.site_bias)] = 0.0024  # of the content, a sum over thousands of bases
    best, before, after = descend(loss_of, pack_weights(start), iterations=iterations, rate=rate)
    return unpack_weights(np.round(best, 5)), before, after


def exact_ends(golds: Sequence[Gold], scoring: ScoringConfig) -> float:
    """F2 of genes whose first and last coding base are both found: recall counts twice as much as precision.

    A locus that is missed here is lost, a false one can still be told by the confidence of what is written in it.
    """
    found = right = known = 0
    for gold in golds:
        ends = coding_ends(best_path(gold.stretch, scoring))
        found, right, known = found + len(ends), right + len(ends & gold.coding), known + len(gold.coding)
    return 5 * right / max(found + 4 * known, 1)


def sharpen(golds: Sequence[Gold], fitted: ScoringConfig) -> tuple[ScoringConfig, float]:
    """The fitted weights made sharper, chosen by `exact_ends`, and that figure.

    Weights under which all paths together are right still make the best single one too shy: a gene's probability is
    shared by thousands of paths that differ in a TSS or an intron of a UTR, that of no gene is one path's. So sites
    count more, and so does beginning a gene.
    """
    best, best_ends = fitted, exact_ends(golds, fitted)
    for content, sharpness, bonus in itertools.product(_CONTENTS, _SHARPNESSES, _BONUSES):
        bias = list(fitted.site_bias)
        bias[Site.TSS] += bonus / 2
        bias[Site.START] += bonus / 2
        scoring = replace(
            fitted,
            content_weight=content,
            site_scale=tuple(round(sharpness * scale, 5) for scale in fitted.site_scale),
            site_bias=tuple(bias),
        )
        ends = exact_ends(golds, scoring)
        if ends > best_ends:
            best, best_ends = scoring, ends
    return best, best_ends


@dataclass(frozen=True)
class Judged:
    """Some places that were looked at.

    Attributes:
        features: (N, F), see `search.loci.FEATURES`.
        right: (N,) whether a gene of the strand is there.
        fold: (N,) the piece of the genome that a place was taken from.
        genes: How many there are to be found in all, so that recall can be told.
    """

    features: Floats
    right: npt.NDArray[np.bool_]
    fold: npt.NDArray[np.int64]
    genes: int


def proposed_loci(golds: Sequence[Gold], scoring: ScoringConfig) -> Judged:
    """Loci that a scan proposes; one is right where its coding part overlaps that of a gene."""
    judge = Judge(scoring=scoring, calibration={})
    features, right, fold = [], [], []
    for number, gold in enumerate(golds):
        for locus in judge.loci_of_strand(gold.stretch, "+"):
            features.append(locus.features)
            right.append(any(first < locus.coding.end and locus.coding.start <= last for first, last in gold.coding))
            fold.append(number // 2)  # both strands of a piece
    return Judged(np.array(features), np.array(right), np.array(fold), sum(gold.genes for gold in golds))


def _regions_of(gold: Gold, rng: random.Random) -> Iterator[tuple[slice, bool]]:
    """Regions around each gene, and as large ones that hold no part of a gene of this strand."""
    length = len(gold.stretch.gates)
    taken = gold.stretch.closed.copy()
    for first, last in gold.coding:
        taken[first : last + 1] = True
    for first, last in sorted(gold.coding):
        region = slice(max(0, first - rng.randint(*_BESIDE)), min(length, last + 1 + rng.randint(*_BESIDE)))
        yield region, True
        size = region.stop - region.start
        for _ in range(_EMPTY):
            for _ in range(50):
                start = rng.randrange(max(1, length - size))
                if not taken[max(0, start - _BESIDE[0]) : start + size + _BESIDE[0]].any():
                    yield slice(start, start + size), False
                    break


def given_regions(golds: Sequence[Gold], scoring: ScoringConfig, *, seed: int = 1) -> Judged:
    """Regions as somebody may give them, with and without a gene; the best gene that each could hold."""
    rng, judge = random.Random(seed), Judge(scoring=scoring, calibration={})
    features, right, fold = [], [], []
    for number, gold in enumerate(golds):
        for region, holds in _regions_of(gold, rng):
            features.append(judge.best_of_region(gold.stretch.part(region)))
            right.append(holds)
            fold.append(number // 2)
    return Judged(np.array(features), np.array(right), np.array(fold), sum(right))


def calibrate_loci(judged: Judged) -> tuple[list[float], dict[str, Any]]:
    """Weights of the regression, and what they do: recall and precision by threshold, calibration error.

    Each piece of the genome is judged by weights that were fitted on the others; the weights given are of all.
    """
    p = np.empty(len(judged.right))
    for fold in np.unique(judged.fold):
        own = judged.fold == fold
        p[own] = _probability(
            judged.features[own], logistic_regression(judged.features[~own], judged.right[~own], ridge=1.0)
        )
    rows = []
    for threshold in THRESHOLDS:
        kept = p >= threshold
        right = int((kept & judged.right).sum())
        rows.append(
            {
                "threshold": threshold,
                "kept": int(kept.sum()),
                "recall": round(right / max(judged.genes, 1), 4),
                "precision": round(right / max(int(kept.sum()), 1), 4),
                "false_kept": round(float((kept & ~judged.right).sum() / max((~judged.right).sum(), 1)), 4),
            }
        )
    error = expected_calibration_error(p, judged.right)
    curve = {"looked_at": len(p), "genes": judged.genes, "calibration_error": round(error, 4), "curve": rows}
    return logistic_regression(judged.features, judged.right, ridge=1.0), curve


def loci_curve(curve: Mapping[str, Any]) -> LociCurve:
    """That of `calibrate_loci` as it is kept beside the model."""
    points = (
        CurvePoint(threshold=row["threshold"], loci=row["kept"], recall=row["recall"], precision=row["precision"])
        for row in curve["curve"]
    )
    return LociCurve(genes=curve["genes"], calibration_error=curve["calibration_error"], points=tuple(points))


def _probability(features: Floats, weights: Sequence[float]) -> Floats:
    return np.asarray(1 / (1 + np.exp(-np.clip(features @ weights[:-1] + weights[-1], -30, 30))))


def held_out(reader: Reader, sheet: Path, *, patch: int, bases: int, piece: int = 250_000) -> list[Gold]:
    """Validation stretches of all genomes of a sheet, `bases` of each genome at most, in pieces."""

    def read(codes: npt.NDArray[np.uint8]) -> BothStrands:
        return both_strands(*next(reader.scan([codes])))

    golds: list[Gold] = []
    for entry in read_sheet(sheet):
        territory = read_source(replace(entry, exclude=None)).territory if entry.stretches else None
        left = bases
        for seqid, part in (territory.parts.get("validation", {}) if territory else {}).items():
            assert territory is not None
            whole = territory.codes[seqid]
            tiles = TileReader(len(whole), lambda i, w=whole: w[i.start : i.end], read, patch=patch)  # type: ignore[misc]
            for start in range(part.start, min(part.end, part.start + left), piece):
                stretch = Interval(start, min(start + piece, part.end))
                golds += gold_stretches(territory, tiles.stretch(stretch), seqid, stretch)
                left -= len(stretch)
    return golds


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m transgenic_tools.train.scan_scoring", description=__doc__)
    parser.add_argument("model", type=Path)
    parser.add_argument("--sheet", type=Path, required=True)
    parser.add_argument("--outdir", type=Path, required=True)
    parser.add_argument("--bases", type=int, default=1_000_000)
    parser.add_argument("--iterations", type=int, default=80)
    parser.add_argument("--keep-weights", action="store_true", help="fit the calibrations alone")
    given = parser.parse_args()
    logging.basicConfig(level=logging.INFO)
    model, _ = load_model(given.model)
    model.eval()
    encoder = model.settings.encoder
    golds = held_out(Reader(model), given.sheet, patch=getattr(encoder, "patch", 1), bases=given.bases)
    scan = model.settings.scan
    if scan is None or not given.keep_weights:
        scan, before, after = fit_scan(golds, iterations=given.iterations)
        logger.info("scan fitted on %d genes: %.3f -> %.3f nats a gene", sum(g.genes for g in golds), before, after)
        scan, ends = sharpen(golds, scan)
        logger.info("sharpened: F2 of genes with both ends of the CDS exact %.3f, %s", ends, scan)
    calibration, curves = dict(model.settings.calibration), {}
    for name, judged in ((LOCUS, proposed_loci(golds, scan)), (REGION, given_regions(golds, scan))):
        calibration[name], curves[name] = calibrate_loci(judged)
    print(json.dumps(curves, indent=1))
    model.refit(scan=scan, calibration=calibration)
    model.save_pretrained(given.outdir)
    parameters = {"bases": given.bases, "pieces": int(len(golds) / 2), "model_hash": model_hash(given.outdir)}
    write_curve(
        given.outdir / FILE,
        loci_curve(curves[LOCUS]),
        provenance=Provenance("transgenic_tools.train.scan_scoring", parameters),
    )


if __name__ == "__main__":
    main()
