"""Loci as compressed blocks that the page unpacks one at a time.

In: `Locus` records. Out: a small index (for search, filter and paging) and blocks of loci, each base64 of zlib of JSON.
A surprise: positions inside a block are relative to the locus' start and lists are flat, which halves the page.
"""

from __future__ import annotations

import base64
import json
import math
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from transgenic_tools.genome.interval import Intervals
from transgenic_tools.report.compare import Row
from transgenic_tools.report.evidence import Conditions
from transgenic_tools.report.loci import Locus, Shares

LOCI_PER_BLOCK = 200


@dataclass(frozen=True)
class Payload:
    """What the locus browser reads.

    Attributes:
        index: Columns over all loci, packed.
        blocks: `LOCI_PER_BLOCK` loci each, packed.
        count: Number of loci.
    """

    index: str
    blocks: tuple[str, ...]
    count: int


def pack(value: Any) -> str:
    """base64(zlib(JSON))."""
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    return base64.b64encode(zlib.compress(text.encode(), 9)).decode("ascii")


def unpack(text: str) -> Any:
    """Inverse of `pack`."""
    return json.loads(zlib.decompress(base64.b64decode(text)))


def _flat(intervals: Intervals, origin: int) -> list[int]:
    return [value for part in intervals for value in (part.start - origin, len(part))]


def _probability(value: float | None) -> int | None:
    return None if value is None else round(value * 1000)


def row_values(row: Row, origin: int) -> list[Any]:
    """[id, score, match, nearest, boxes (kind, offset, length), introns (offset, length), exon scores]; per mille."""
    boxes = [value for box in row.boxes for value in (int(box.kind), box.start - origin, box.end - box.start)]
    scores = [round(score * 1000) for score in row.exon_scores]
    match = -1 if row.match is None else int(row.match)
    return [row.id, _probability(row.score), match, row.nearest, boxes, _flat(row.introns, origin), scores]


def locus_values(locus: Locus) -> list[Any]:
    """[reference rows, predicted rows, [offset, site kind, thousandths ...], bases or ""], and where there is evidence

    [offset, length, [reads a condition] ...] and, for each row, [[share a condition], determined] or null.
    """
    origin = locus.start
    sites = [v for s in locus.sites for v in (s.position - origin, int(s.kind), round(s.probability * 1000))]
    values: list[Any] = [
        [row_values(row, origin) for row in locus.reference_rows()],
        [row_values(row, origin) for row in locus.predicted_rows()],
        sites,
        locus.sequence,
    ]
    if locus.arcs is not None or locus.usage is not None:
        values.append([[arc.start - origin, arc.end - arc.start, list(arc.reads)] for arc in locus.arcs or ()])
        values.append([_shares((locus.usage or {}).get(t.id)) for t in (*locus.reference, *locus.predicted)])
    return values


def _shares(shares: Shares | None) -> list[Any] | None:
    """Per mille a condition, null for no read; and whether they are determined."""
    if shares is None:
        return None
    return [[None if math.isnan(v) else round(v * 1000) for v in shares.values], int(shares.determined)]


def _index(loci: Sequence[Locus], conditions: Conditions) -> dict[str, Any]:
    samples = list(dict.fromkeys(locus.sample for locus in loci))
    seqids = list(dict.fromkeys(locus.seqid for locus in loci))
    sample_number = {name: number for number, name in enumerate(samples)}
    seqid_number = {name: number for number, name in enumerate(seqids)}
    # without evidence the page is as it was
    reads = {
        name: [list(by_sample.get(sample, ())) for sample in samples]
        for name, by_sample in (("arcConditions", conditions.arcs), ("usageConditions", conditions.usage))
        if by_sample
    }
    return {
        **reads,
        "samples": samples,
        "seqids": seqids,
        "perBlock": LOCI_PER_BLOCK,
        "id": [locus.gene_id for locus in loci],
        "name": [locus.name for locus in loci],
        "isoforms": ["\n".join(t.id for t in (*locus.reference, *locus.predicted)) for locus in loci],
        "sample": [sample_number[locus.sample] for locus in loci],
        "seqid": [seqid_number[locus.seqid] for locus in loci],
        "start": [locus.start for locus in loci],
        "length": [locus.end - locus.start for locus in loci],
        "strand": "".join(locus.strand for locus in loci),
        "reference": [len(locus.reference) for locus in loci],
        "predicted": [len(locus.predicted) for locus in loci],
        "status": [int(locus.status) for locus in loci],
        "confidence": [_probability(locus.confidence) for locus in loci],
    }


def _blocks(loci: Sequence[Locus]) -> Iterable[str]:
    for first in range(0, len(loci), LOCI_PER_BLOCK):
        yield pack([locus_values(locus) for locus in loci[first : first + LOCI_PER_BLOCK]])


def build_payload(loci: Sequence[Locus], conditions: Conditions | None = None) -> Payload:
    """Index and blocks, in the order of `loci`."""
    return Payload(pack(_index(loci, conditions or Conditions())), tuple(_blocks(loci)), len(loci))
