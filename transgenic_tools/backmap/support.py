"""What reads show of the transcripts that are written: support of each, of each intron, and strong junctions left over.

In: the file of `tg-evidence`, prediction rows, placed genes. Out: genes with attributes, and a table of introns.
A surprise: reads are counted here as they are; `weight` is for scores alone. What joins a user's annotation stands
there under another name, if it was added at all: `supported` comes first there, and `use_all` at the end.
"""

from __future__ import annotations

import bisect
import itertools
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import IO, NamedTuple

from transgenic_tools.genome.gene import Gene, Transcript
from transgenic_tools.genome.interval import Interval, Strand, merge
from transgenic_tools.io.junctions import CHAIN, JUNCTION, NONCANONICAL, EvidenceFile
from transgenic_tools.io.rows import PredictionRow

#: A junction beside all loci, or without a splice motif, is told from so many reads on.
STRONG_READS = 10
OUTSIDE = "outside_loci"
#: Predicted transcripts have it, and none of them was added to the user's annotation.
NOT_ADDED = "not_added"
Introns = tuple[tuple[int, int], ...]


class Place(NamedTuple):
    """One intron of the genome."""

    seqid: str
    start: int
    end: int
    strand: Strand


@dataclass(frozen=True, slots=True, kw_only=True)
class Support:
    """Of one transcript with introns.

    Attributes:
        shown: Introns that some input shows, of `introns`.
        inputs: Inputs that show every intron.
        chained: True where one chain (a long read, an assembled transcript) has all introns one behind the other.
    """

    shown: int
    introns: int
    inputs: int
    chained: bool

    @property
    def kind(self) -> str:
        """`full` (one input shows all introns), `mixed` (several together), `partial` or `none`."""
        if self.inputs:
            return "full"
        return "none" if not self.shown else "partial" if self.shown < self.introns else "mixed"

    @property
    def level(self) -> int:
        """1 is best: a chain or two inputs with all introns; 2 one input; 3 mixed; 4 partial; 5 none."""
        if self.kind == "full":
            return 1 if self.chained or self.inputs > 1 else 2
        return {"mixed": 3, "partial": 4, "none": 5}[self.kind]

    def attributes(self) -> dict[str, tuple[str, ...]]:
        """For the mRNA's line."""
        return {
            "intron_support": (f"{self.shown}/{self.introns}",),
            "support_class": (self.kind,),
            "support_samples": (str(self.inputs),),
            "support_level": (str(self.level),),
        }


class ShownGenes:
    """The evidence of a genome beside its annotation, gathered gene by gene."""

    def __init__(self, evidence: EvidenceFile) -> None:
        self.inputs = evidence.inputs
        self._reads: dict[Place, dict[int, int]] = {}
        self._noncanonical: set[Place] = set()
        self._chains: dict[tuple[str, Strand, tuple[int, int]], list[Introns]] = defaultdict(list)
        for row in itertools.chain(evidence.rows(JUNCTION), evidence.rows(NONCANONICAL)):
            place = Place(row.seqid, row.start, row.end, row.strand)
            self._reads[place] = dict(zip(row.inputs, row.counts, strict=True))
            if row.kind == NONCANONICAL:
                self._noncanonical.add(place)
        for row in evidence.rows(CHAIN):
            chain = tuple(zip(row.introns[::2], row.introns[1::2], strict=True))
            for intron in chain:
                self._chains[row.seqid, row.strand, intron].append(chain)
        self._predicted: set[Place] = set()
        self._used: dict[Place, list[str]] = defaultdict(list)
        self._unused: dict[Place, str] = {}
        self._loci: dict[tuple[str, Strand], list[Interval]] = defaultdict(list)

    def through(self, rows: Iterator[PredictionRow]) -> Iterator[PredictionRow]:
        """Rows as they come; takes note of loci, and of junctions that no transcript of theirs has."""
        for row in rows:
            self._loci[row.seqid, row.strand].append(Interval(row.start, row.end))
            ends, reasons = row.unused_junctions or (), row.unused_reasons or ()
            for start, end, reason in zip(ends[::2], ends[1::2], reasons, strict=True):
                self._unused.setdefault(Place(row.seqid, start, end, row.strand), reason)
            yield row

    def of(self, transcript: Transcript) -> Support | None:
        """What reads show of a transcript; None where it has no intron."""
        places = _places(transcript)
        if not places:
            return None
        shown = [set(self._reads.get(place, ())) for place in places]
        introns: Introns = tuple((place.start, place.end) for place in places)
        chains = self._chains.get((transcript.seqid, transcript.strand, introns[0]), ())
        return Support(
            shown=sum(map(bool, shown)),
            introns=len(places),
            inputs=len(set.intersection(*shown)),
            chained=any(_contains(chain, introns) for chain in chains),
        )

    def supported(self, gene: Gene) -> Gene:
        """The gene with the support of its transcripts."""
        transcripts = []
        for transcript in gene.transcripts:
            support = self.of(transcript)
            more = {} if support is None else support.attributes()
            transcripts.append(replace(transcript, attributes={**transcript.attributes, **more}))
            self._predicted.update(_places(transcript))
        return replace(gene, transcripts=tuple(transcripts))

    def use_all(self, genes: Iterable[Gene]) -> None:
        """Takes note of genes as they are written: their introns are used."""
        for transcript in (transcript for gene in genes for transcript in gene.transcripts):
            for place in _places(transcript):
                self._used[place].append(transcript.id)

    def annotated(self, gene: Gene) -> Gene:
        """The gene with the support of its transcripts, whose introns are now used."""
        self.use_all([gene])
        return self.supported(gene)

    def _left_over(self) -> dict[Place, str]:
        """Strong junctions that no transcript has, and why."""
        loci = {place: merge(intervals) for place, intervals in self._loci.items()}
        left = {place: reason for place, reason in self._unused.items() if place not in self._used}
        for place, reads in self._reads.items():
            if place in self._used or place in left or sum(reads.values()) < STRONG_READS:
                continue
            if not _touches(loci.get((place.seqid, place.strand), ()), place):
                left[place] = OUTSIDE
            elif place in self._predicted:
                left[place] = NOT_ADDED
            elif place in self._noncanonical:
                left[place] = NONCANONICAL
        return left

    def write(self, handle: IO[str]) -> None:
        """The table of introns: those of transcripts, and strong junctions that none has; sorted by place."""
        names = [f"reads:{source.name}" for source in self.inputs]
        columns = ["seqid", "start", "end", "strand", "reads", "samples", "transcripts", "reason", *names]
        handle.write("\t".join(columns) + "\n")
        left = self._left_over()
        for place in sorted({*self._used, *left}):
            reads = self._reads.get(place, {})
            by_input = [str(reads.get(number, 0)) for number in range(len(self.inputs))]
            used, reason = ",".join(self._used.get(place, ())) or ".", left.get(place, ".")
            total = (str(sum(reads.values())), str(sum(count > 0 for count in reads.values())))
            place_text = (place.seqid, str(place.start), str(place.end), place.strand)
            handle.write("\t".join((*place_text, *total, used, reason, *by_input)) + "\n")


def _places(transcript: Transcript) -> list[Place]:
    return [Place(transcript.seqid, i.start, i.end, transcript.strand) for i in transcript.introns]


def _contains(chain: Introns, introns: Introns) -> bool:
    """True where the introns stand in the chain one behind the other."""
    at = chain.index(introns[0])
    return chain[at : at + len(introns)] == introns


def _touches(intervals: Sequence[Interval], place: Place) -> bool:
    """True where one of some sorted, disjoint intervals shares a base with a junction."""
    at = bisect.bisect_left(intervals, place.end, key=lambda interval: interval.start)
    return at > 0 and intervals[at - 1].end > place.start
