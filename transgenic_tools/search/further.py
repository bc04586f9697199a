"""Which alternatives of a gene are written: those that the model's scores of alternatives support.

In: a gene whose search is over, its bases and scores. Out: more of its `found`, and what its own further transcripts
are worth.
A surprise: by default a candidate is written because it is likely to be one *more* isoform, not because it is likely
to be right: what would replace a doubtful first transcript is right more often and says nothing new. What differs in
UTR introns alone has to be likely to be right, and so has everything where the user gives a threshold.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from transgenic_tools.genome.gene import Transcript
from transgenic_tools.genome.interval import Interval
from transgenic_tools.model.alternatives import AlternativeScoring
from transgenic_tools.search.alternatives import FEATURES, find_candidates
from transgenic_tools.search.config import DecodingConfig
from transgenic_tools.search.search import Found, GeneSearch

Floats = npt.NDArray[np.float64]
_SAME_CDS = FEATURES.index("same_cds")


def _is_written(
    features: Floats,
    right: Floats,
    further: Floats,
    scoring: AlternativeScoring,
    config: DecodingConfig,
    *,
    known: bool,
) -> npt.NDArray[np.bool_]:
    if config.min_confidence is not None:
        return right >= config.min_confidence
    if known:
        return right >= scoring.min_added
    own_cds = features[:, _SAME_CDS] == 0.0
    return (own_cds & (further >= scoring.min_further)) | (right >= scoring.min_right)


def write_further(
    gene: GeneSearch, codes: npt.NDArray[np.uint8], scoring: AlternativeScoring, config: DecodingConfig
) -> None:
    """Let stand in a gene's `found` its prompt, what it wrote first, and the alternatives that are probable enough.

    Args:
        codes: (L,) bases of the window.
    """
    candidates = find_candidates(gene, codes)
    prompt = [found for found in gene.found if found.prompt]
    kept = prompt or gene.found[:1]
    room = config.max_isoforms - (0 if prompt else 1)
    if candidates:
        features = np.array([candidate.features for candidate in candidates])
        right, further = scoring.right.probability(features), scoring.further.probability(features)
        chosen = _is_written(features, right, further, scoring, config, known=bool(prompt))
        order = np.argsort(-right, kind="stable")
        for index in order[chosen[order]][:room].tolist():
            candidate, probability = candidates[index], float(right[index])
            if candidate.ordinal is not None:
                kept.append(replace(gene.found[candidate.ordinal], probability=probability))
                continue
            path = candidate.path
            steps = tuple(gene.sites.graph.log_probability(path.states[:-1], path.edges).tolist())
            kept.append(
                Found(
                    path=path, log_probability=sum(steps), step_log_probability=steps, more=gene.more,
                    probability=probability,
                )
            )  # fmt: skip
    gene.found = kept


def with_ends_of(transcript: Transcript, known: Sequence[Transcript]) -> Transcript:
    """The transcript with the ends of the first known one that it shares its first or last splice site with.

    Where transcription begins and ends is seldom a matter of splicing, and what is known of it beats a guess. A
    transcript of one exon keeps its own ends, and so does one whose coding sequence reaches beyond the known end.
    """
    if not transcript.introns or not transcript.cds:
        return transcript
    exons, cds = list(transcript.exons), transcript.cds
    spliced = [other for other in known if other.introns]
    before = [t.exons[0].start for t in spliced if t.exons[0].end == exons[0].end]
    behind = [t.exons[-1].end for t in spliced if t.exons[-1].start == exons[-1].start]
    if before and before[0] <= cds[0].start:
        exons[0] = Interval(before[0], exons[0].end)
    if behind and behind[0] >= cds[-1].end:
        exons[-1] = Interval(exons[-1].start, behind[0])
    return replace(transcript, exons=tuple(exons))
