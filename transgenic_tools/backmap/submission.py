"""Genes as archives (NCBI with table2asn, ENA) want them: checked, with locus tags, products and IDs of proteins.

In: genes in the order of the file, the genome. Out: the same genes with attributes for GFF3 and feature table, or
without what an archive would refuse; a row for each finding.
A surprise: an incomplete CDS is no fault. Its end is marked partial, on transcript and gene too where it is theirs;
archives ask to look where such an end is neither that of the sequence nor beside a gap.
"""

from __future__ import annotations

import heapq
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from transgenic_tools.genome.checks import check_transcript
from transgenic_tools.genome.gene import Gene, Transcript
from transgenic_tools.genome.interval import Interval, span
from transgenic_tools.genome.sequence import reverse_complement
from transgenic_tools.genome.window import Window
from transgenic_tools.io.fasta import Fasta
from transgenic_tools.io.gff3.writer import place_text, range_attributes, sort_key
from transgenic_tools.io.rejects import Reject

#: Shorter ones are errors of NCBI's validator and of ENA's.
MIN_ARCHIVE_INTRON = 10
#: What stands where nobody has named the protein; NCBI asks for these words.
PLACEHOLDER = "hypothetical protein"
#: Locus tags go up in tens, so that genes that are found later find a number between.
_STEP, _DIGITS = 10, 6
_VARIANT = re.compile(r", transcript variant \w+$")


@dataclass(frozen=True)
class _Open:
    """Ends of a CDS that are not complete, left to right along the sequence."""

    left: bool = False
    right: bool = False


class Submission:
    """Prepares the genes of one genome, one by one."""

    def __init__(self, prefix: str, fasta: Fasta) -> None:
        self._prefix = prefix
        self._fasta = fasta
        self._number = 0
        self._given: set[str] = set()
        self.findings: list[Reject] = []

    def through(self, genes: Iterable[Gene]) -> Iterator[Gene]:
        """Prepared genes, sorted as the writer wants them: one that loses a transcript may start further right."""
        waiting: list[tuple[tuple[str, int, int, str, str], Gene]] = []
        for gene in genes:
            while waiting and waiting[0][0][:2] < (gene.seqid, gene.interval.start):
                yield heapq.heappop(waiting)[1]
            prepared = self.prepare(gene)
            if prepared is not None:
                heapq.heappush(waiting, (sort_key(prepared), prepared))
        while waiting:
            yield heapq.heappop(waiting)[1]

    def prepare(self, gene: Gene) -> Gene | None:
        """The gene with what archives want; None where no transcript would be taken.

        `findings` grows by what was found: `transcript_rejected`, `rejected`, or `flagged` for open ends.
        """
        source = gene.attributes.get("source_gene", (gene.id,))[0]
        before = len(self.findings)
        kept = [(t, ends) for t in gene.transcripts if (ends := self._open_ends(t, source)) is not None]
        if not kept:
            refused = self.findings[before:]
            self.findings[before:] = [replace(reject, action="rejected") for reject in refused[:1]]
            return None
        tag = self._locus_tag(gene)
        whole = span([transcript.interval for transcript, _ in kept])
        transcripts = tuple(
            self._described(transcript, ends, f"{tag}.t{number}", gene)
            for number, (transcript, ends) in enumerate(kept, start=1)
        )
        open_ends = _Open(
            any(ends.left and t.cds[0].start == whole.start for t, ends in kept),
            any(ends.right and t.cds[-1].end == whole.end for t, ends in kept),
        )
        attributes = {**gene.attributes, "locus_tag": (tag,), **_partial(whole, open_ends)}
        return replace(gene, interval=whole, transcripts=transcripts, attributes=attributes)

    def _locus_tag(self, gene: Gene) -> str:
        """The gene's own tag where it has this prefix, else the next number."""
        for tag in gene.attributes.get("locus_tag", ()):
            if tag.startswith(f"{self._prefix}_") and tag not in self._given:
                self._given.add(tag)
                return tag
        tag = ""
        while not tag or tag in self._given:
            self._number += _STEP
            tag = f"{self._prefix}_{self._number:0{_DIGITS}d}"
        self._given.add(tag)
        return tag

    def _open_ends(self, transcript: Transcript, source: str) -> _Open | None:
        """Which ends are open; None where the transcript is refused."""
        place = place_text(transcript.interval)
        for intron in transcript.introns:
            if len(intron) < MIN_ARCHIVE_INTRON:
                detail = f"{transcript.id} {place}: intron {place_text(intron)} has {len(intron)} bases"
                self.findings.append(Reject(source, "refused_intron", detail, "transcript_rejected"))
                return None
        whole = transcript.interval
        window = Window(transcript.seqid, whole.start, whole.end, transcript.strand)
        bases = self._fasta.fetch(transcript.seqid, whole.start, whole.end)
        codes = check_transcript(
            window.transcript_to_window(transcript), bases if transcript.strand == "+" else reverse_complement(bases)
        )
        if "in_frame_stop" in codes:
            self.findings.append(Reject(source, "refused_stop", f"{transcript.id} {place}", "transcript_rejected"))
            return None
        five, three = "no_start" in codes, "no_stop" in codes
        ends = _Open(five, three) if transcript.strand == "+" else _Open(three, five)
        for is_open, code in ((five, "open_start"), (three, "open_stop")):
            if is_open:
                self.findings.append(Reject(source, code, f"{transcript.id} {place}", "flagged"))
        self.findings += self._inside(transcript, ends, source)
        return ends

    def _inside(self, transcript: Transcript, ends: _Open, source: str) -> Iterator[Reject]:
        """A row for each open end at which the sequence goes on."""
        length = self._fasta.lengths[transcript.seqid]
        left, right = transcript.cds[0].start, transcript.cds[-1].end
        for is_open, position, beyond in ((ends.left, left, left - 1), (ends.right, right, right)):
            if is_open and 0 <= beyond < length and self._fasta.fetch(transcript.seqid, beyond, beyond + 1) != "N":
                yield Reject(source, "open_inside", f"{transcript.id}: base {position}", "flagged")

    def _described(self, transcript: Transcript, ends: _Open, name: str, gene: Gene) -> Transcript:
        given = transcript.attributes.get("product") or gene.attributes.get("product") or (PLACEHOLDER,)
        product = given[:1]
        ids = {
            "transcript_id": (f"gnl|{self._prefix}|{name}.mrna",),
            "protein_id": (f"gnl|{self._prefix}|{name}",),
        }
        whole, coding = transcript.interval, Interval(transcript.cds[0].start, transcript.cds[-1].end)
        own = _Open(ends.left and coding.start == whole.start, ends.right and coding.end == whole.end)
        return replace(
            transcript,
            attributes={**transcript.attributes, "product": product, **ids, **_partial(whole, own)},
            cds_attributes={"product": (_VARIANT.sub("", product[0]),), **ids, **_partial(coding, ends)},
        )


def _partial(interval: Interval, ends: _Open) -> dict[str, tuple[str, ...]]:
    return range_attributes(interval, left=ends.left, right=ends.right)
