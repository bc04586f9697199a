"""Read a gene sentence back into transcripts in window coordinates.

In: any text. Out: strand and transcripts, or BadInputError; nothing else is ever raised.
A surprise: phases in the text are checked against the GFF3 rule for the first CDS only; the others are computed.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

from transgenic_tools.errors import BadInputError
from transgenic_tools.genome.gene import Transcript
from transgenic_tools.genome.interval import Interval, Strand, merge
from transgenic_tools.genome.phase import GSF_PHASE_VALUE
from transgenic_tools.gsf.grammar import FEATURE

MAX_COORDINATE = 1 << 40


@dataclass(frozen=True)
class GeneSentence:
    """Parsed gene sentence: the gene's strand on the seqid and its transcripts in window coordinates (strand `+`)."""

    strand: Strand
    transcripts: tuple[Transcript, ...]


def _parse_features(text: str) -> dict[str, tuple[Interval, str, int | None, str]]:
    features: dict[str, tuple[Interval, str, int | None, str]] = {}
    for part in text.split(";"):
        match = FEATURE.fullmatch(part)
        if match is None:
            raise BadInputError(
                f"{part[:80]!r} is not a gene sentence feature", hint="features read start|TYPEn|end|strand|phase"
            )
        start, kind, number, end, strand, phase = match.groups()
        name = f"{kind}{number}"
        if name in features:
            raise BadInputError(f"feature {name} stands twice in the gene sentence")
        if len(start) > 12 or len(end) > 12 or int(end) <= int(start):
            raise BadInputError(f"feature {name} spans [{start[:14]}, {end[:14]}), which is empty or too large")
        if (kind == "CDS") == (phase == "."):
            raise BadInputError(f"feature {name} has phase {phase!r}; CDS takes A, B or C and UTRs take '.'")
        features[name] = (Interval(int(start), int(end)), kind, GSF_PHASE_VALUE[phase], strand)
    return features


def parse(text: str, *, seqid: str = "window", gene_id: str = "gene") -> GeneSentence:
    """Parse one gene sentence.

    Args:
        text: The sentence, see `grammar`.
        seqid, gene_id: Written into the transcripts; transcript IDs are `<gene_id>.t1`, `.t2`, ...

    Raises:
        BadInputError: the text does not follow the grammar, or names a feature that is not there.
    """
    head, arrow, tail = text.strip().partition(">")
    if not arrow or not head or not tail:
        raise BadInputError(f"{text[:80]!r} is not a gene sentence: it needs features, '>' and transcripts")
    features = _parse_features(head)
    strands = {strand for *_, strand in features.values()}
    if len(strands) != 1:
        raise BadInputError("the features of one gene sentence lie on both strands")
    strand: Strand = "+" if "+" in strands else "-"
    transcripts = []
    for number, chain in enumerate(tail.split(";"), start=1):
        parts: list[Interval] = []
        cds: list[Interval] = []
        first_phase = 0
        for name in chain.split("|"):
            if name not in features:
                raise BadInputError(f"transcript {number} names the feature {name[:40]!r}, which is not listed")
            interval, kind, phase, _ = features[name]
            parts.append(interval)
            if kind == "CDS":
                if not cds or interval.start < cds[0].start:
                    first_phase = phase or 0
                cds.append(interval)
        if not cds:
            raise BadInputError(f"transcript {number} has no CDS")
        ordered = sorted(parts)
        if any(right.start < left.end for left, right in itertools.pairwise(ordered)):
            raise BadInputError(f"the features of transcript {number} overlap")
        try:
            transcripts.append(
                Transcript(
                    id=f"{gene_id}.t{number}",
                    seqid=seqid,
                    strand="+",
                    exons=merge(parts),
                    cds=tuple(sorted(cds)),
                    first_phase=first_phase,
                )
            )
        except ValueError as error:
            raise BadInputError(str(error)) from error
    return GeneSentence(strand=strand, transcripts=tuple(transcripts))
