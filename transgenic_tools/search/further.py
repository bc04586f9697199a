"""Which alternatives of a gene are written: those that the model's scores of alternatives support.

In: genes whose search is over, their bases and scores. Out: more of their `found`, and what their own further
transcripts are worth.
A surprise: two probabilities choose by default. What is likely to be right is often the main isoform where the first
transcript is wrong; what is likely to be one *more* isoform is less often right, and says more. Where the user gives a
threshold, being right alone counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from transgenic_tools.genome.gene import Transcript
from transgenic_tools.genome.interval import Interval
from transgenic_tools.model.alternatives import AlternativeScoring
from transgenic_tools.search.alternatives import Candidate, find_candidates
from transgenic_tools.search.config import DecodingConfig
from transgenic_tools.search.departures import AT, FEATURES
from transgenic_tools.search.search import Found, GeneSearch

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]


def judge(features: Floats, scoring: AlternativeScoring, config: DecodingConfig) -> tuple[Floats, Bools]:
    """Probabilities that candidates are right, and which are written.

    Args:
        features: (C, F) of candidates of one or several genes.
    """
    same_cds, known = features[:, AT.same_cds] != 0.0, features[:, AT.known] != 0.0
    right = np.where(same_cds | known, scoring.added.probability(features), scoring.right.probability(features))
    if config.min_confidence is not None:
        return right, right >= config.min_confidence
    further = scoring.further.probability(features)
    own = (right >= scoring.min_right) | (further >= scoring.min_further)
    least = np.where(known, scoring.min_added, scoring.min_beside)
    return right, np.where(same_cds | known, right >= least, own)


def write_further(
    genes: Sequence[tuple[GeneSearch, npt.NDArray[np.uint8]]], scoring: AlternativeScoring, config: DecodingConfig
) -> None:
    """Let stand in the `found` of genes their prompt, what each wrote first, and alternatives that are probable enough.

    Args:
        genes: With the bases (L,) of their windows.
    """
    candidates = [find_candidates(gene, codes) for gene, codes in genes]
    features = np.array([candidate.features for some in candidates for candidate in some]).reshape(-1, len(FEATURES))
    right, chosen = judge(features, scoring, config)
    begin = 0
    for (gene, _), some in zip(genes, candidates, strict=True):
        of_gene = slice(begin, begin := begin + len(some))
        _write(gene, some, right[of_gene], chosen[of_gene], config)


def _write(
    gene: GeneSearch, candidates: Sequence[Candidate], right: Floats, chosen: Bools, config: DecodingConfig
) -> None:
    prompt = [found for found in gene.found if found.prompt]
    kept = prompt or gene.found[:1]
    room = config.max_isoforms - (0 if prompt else 1)
    order = np.argsort(-right, kind="stable")
    for index in order[chosen[order]][:room].tolist():
        candidate, probability = candidates[index], float(right[index])
        if candidate.ordinal is not None:
            kept.append(replace(gene.found[candidate.ordinal], probability=probability))
            continue
        kept.append(Found.of(gene.sites.graph, candidate.path, more=gene.more, probability=probability))
    gene.found = kept


def with_ends_of(transcript: Transcript, known: Sequence[Transcript]) -> Transcript:
    """The transcript with the ends of a known one whose first or last exon overlaps its own.

    Where transcription begins and ends is seldom a matter of splicing, and what is known of it beats a guess. The first
    known transcript that shares the splice site counts, else the first that overlaps; an end inside of the coding
    sequence counts for nothing.
    """
    if not transcript.cds:
        return transcript
    exons, cds = list(transcript.exons), transcript.cds
    before = [t for t in known if t.exons[0].intersect(exons[0]) and t.exons[0].start <= cds[0].start]
    behind = [t for t in known if t.exons[-1].intersect(exons[-1]) and t.exons[-1].end >= cds[-1].end]
    before.sort(key=lambda t: t.exons[0].end != exons[0].end)
    behind.sort(key=lambda t: t.exons[-1].start != exons[-1].start)
    if before:
        exons[0] = Interval(before[0].exons[0].start, exons[0].end)
    if behind:
        exons[-1] = Interval(exons[-1].start, behind[0].exons[-1].end)
    return replace(transcript, exons=tuple(exons))
