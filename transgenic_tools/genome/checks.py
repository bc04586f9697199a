"""The structural rules, one list: what is mended, rejected, filtered or flagged, and why.

In: transcripts and genes. Out: findings, each with the code of a rule.
A surprise: `docs/formats.md` holds the same list in the same order, and a test compares the two.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from transgenic_tools.genome.code import STANDARD, GeneticCode, where_codons
from transgenic_tools.genome.gene import Transcript
from transgenic_tools.genome.sequence import IUPAC

#: What follows from a rule, the gravest first.
ACTIONS = ("rejected", "filtered", "transcript_rejected", "transcript_filtered", "mended", "skipped", "flagged")
Action = Literal["skipped", "mended", "transcript_rejected", "rejected", "transcript_filtered", "filtered", "flagged"]

MIN_INTRON = 20
MIN_EXON = 3


@dataclass(frozen=True, slots=True)
class Rule:
    """A named structural rule.

    Attributes:
        code: Stands in `rejects.tsv`, `prep.json` and the `flags` of a shard.
        action: `skipped` a line; `mended` and kept; `transcript_rejected` while the gene may stay; `rejected` the
            gene; `transcript_filtered` or `filtered` by choice, nothing is wrong; `flagged` and kept as it is.
        text: What was found and what is done.
    """

    code: str
    action: Action
    text: str


RULES: tuple[Rule, ...] = (
    # lines
    Rule("bad_line", "skipped", "not nine tab-separated columns"),
    Rule("bad_coordinates", "skipped", "start or end is no whole number, start is below 1, or end lies before start"),
    Rule("orphan_part", "skipped", "an exon, CDS, UTR or stop codon line that names no transcript"),
    Rule("quotes_removed", "mended", "a line in a spreadsheet's quotes; they are taken off"),
    Rule("strand_number", "mended", "strand 1 or -1; read as + or -"),
    Rule("unknown_parent", "mended", "a part names parents that are not in the file beside others that are"),
    Rule("grouped_by_case", "mended", "ID and Parent in other letters (`id`, `parent`)"),
    Rule("grouped_by_tag", "mended", "lines without Parent, put together by a tag that they share"),
    Rule("grouped_by_order", "mended", "lines without Parent, put together by the order of lines on one strand"),
    Rule("lost_line", "transcript_rejected", "a line of the transcript could not be read, so it may be incomplete"),
    Rule("near_lost_line", "flagged", "a line beside one of the gene could not be read; it names no gene"),
    # structure
    Rule("gene_made", "mended", "a transcript without a gene line; the gene is made from it"),
    Rule("transcript_made", "mended", "exon or CDS lines without a transcript line; the transcript is made"),
    Rule("gene_parts", "skipped", "exon or CDS lines that name the gene although it has transcripts with their own"),
    Rule("parts_joined", "mended", "CDS lines that name the gene, joined to the one transcript that can hold them"),
    Rule("homeless_cds", "transcript_rejected", "CDS lines that name the gene, and no or several transcripts for them"),
    Rule("exons_made", "mended", "no exon lines; exons are the union of CDS and UTR lines"),
    Rule("exon_extended", "mended", "CDS or UTR bases outside the exons; the exons are extended"),
    Rule("exons_joined", "mended", "duplicate or touching exon or CDS lines; joined"),
    Rule("phase_recomputed", "mended", "CDS phases that break the GFF3 rule; recomputed"),
    Rule("phase_missing", "mended", "CDS lines without phase; computed"),
    Rule("gene_span", "mended", "a transcript reaches out of its gene line; the gene's span is extended"),
    Rule(
        "multi_part_gene",
        "mended",
        "several lines of one gene ID; their span is taken, but for a far one without transcripts",
    ),
    Rule(
        "id_renamed", "mended", "the ID is taken by another locus; `@seqid` and a number are added, or in BED a number"
    ),
    Rule("no_strand", "transcript_rejected", "neither + nor -"),
    Rule("mixed_strands", "transcript_rejected", "parts on both strands, or not on that of the gene: trans-splicing"),
    Rule("overlapping_parts", "transcript_rejected", "CDS lines of one transcript that overlap, unequal"),
    Rule("cds_gap_in_exon", "transcript_rejected", "exonic bases between two CDS parts that are not coding"),
    Rule("no_parts", "transcript_rejected", "a transcript line without exon, CDS or UTR lines in a coding gene"),
    # genome
    Rule("unknown_seqid", "rejected", "the FASTA has no sequence of this name"),
    Rule("past_contig_end", "rejected", "the gene reaches past the end of its sequence"),
    Rule("all_transcripts_rejected", "rejected", "no transcript of a coding gene is left"),
    Rule(
        "stop_added",
        "mended",
        "a GTF transcript without stop_codon line; the stop codon after its CDS is joined to it",
    ),
    Rule("clipped_at_contig_end", "mended", "the locus reaches past the end of its sequence; what lies beyond is cut"),
    Rule("strand_unknown", "flagged", "a locus without a strand; both are read, as NAME_plus and NAME_minus"),
    Rule("odd_region", "flagged", "a region longer than 100,000 bases, or a whole sequence; a region holds one gene"),
    # choice
    Rule("no_cds", "filtered", "a non-coding gene: no transcript has a CDS"),
    Rule("pseudogene", "filtered", "a pseudogene with a CDS"),
    Rule("biotype", "filtered", "the biotype is not among those asked for"),
    Rule("length", "filtered", "the locus is shorter or longer than asked for"),
    Rule("isoforms", "filtered", "fewer or more transcripts than asked for"),
    Rule("unclean", "filtered", "no transcript has a clean CDS, and clean ones were asked for"),
    Rule("noncoding_transcript", "transcript_filtered", "a transcript without CDS in a coding gene"),
    Rule("same_structure", "transcript_filtered", "exons and CDS equal those of another transcript of the gene"),
    Rule("unclean_transcript", "transcript_filtered", "not a clean CDS, and clean ones were asked for"),
    Rule("not_longest", "transcript_filtered", "not the longest CDS, and the longest alone was asked for"),
    # sequence; a CDS with none of these is clean
    Rule("no_start", "flagged", "the CDS does not begin with ATG"),
    Rule("no_stop", "flagged", "the CDS does not end with TAA, TAG or TGA"),
    Rule("partial_codon", "flagged", "the CDS, less its first phase, is no whole number of codons"),
    Rule("in_frame_stop", "flagged", "a stop codon before the last codon"),
    Rule("odd_intron", "flagged", "a CDS intron whose ends are not GT-AG, GC-AG or AT-AC"),
    Rule("short_intron", "flagged", f"an intron below {MIN_INTRON} bases"),
    Rule("short_exon", "flagged", f"a CDS part between two introns below {MIN_EXON} bases"),
    Rule("unknown_bases", "flagged", "a letter other than A, C, G, T in the CDS"),
)
RULE_BY_CODE: Mapping[str, Rule] = {rule.code: rule for rule in RULES}


@dataclass(frozen=True, slots=True)
class Finding:
    """One rule met by one line, transcript or gene.

    Attributes:
        code: Of a rule in `RULES`.
        gene: Gene ID, or "" for a line that belongs to none.
        detail: Transcript, value, position.
        line: 1-based line of the source, where known.
    """

    code: str
    gene: str
    detail: str = ""
    line: int | None = None

    @property
    def action(self) -> Action:
        return RULE_BY_CODE[self.code].action


def count_findings(findings: Iterable[Finding]) -> dict[str, int]:
    """Number of findings by code, in the order of `RULES`."""
    counts = Counter(finding.code for finding in findings)
    return {rule.code: counts[rule.code] for rule in RULES if counts[rule.code]}


_OTHER_LETTERS = tuple(letter for letter in IUPAC if letter not in "ACGT")
_LETTER_BITS = {letter: bytes(int(code == ord(letter)) for code in range(256)) for letter in "ACGT"}


def _has_in_frame_stop(coding: str, genetic_code: GeneticCode = STANDARD) -> bool:
    """A stop codon before the last whole codon; `coding` begins in frame.

    Codon positions 1, 2, 3 become three numbers with one byte a codon, so stop codons are found by bitwise and.
    """
    codons = len(coding) // 3 - 1
    columns = [coding[i : 3 * codons : 3].encode("ascii", "replace") for i in range(3)]

    def where(index: int, letter: str) -> int:
        return int.from_bytes(columns[index].translate(_LETTER_BITS[letter]), "big")

    return bool(where_codons(genetic_code.stop_codons, where))


def check_transcript(transcript: Transcript, sequence: str, *, genetic_code: GeneticCode = STANDARD) -> tuple[str, ...]:
    """Codes of the sequence rules that a coding transcript breaks, in the order of `RULES`; none for a clean CDS.

    Args:
        transcript: In window coordinates, strand `+` there.
        sequence: The window, upper case.
        genetic_code: What starts, stops and introns are.
    """
    cds = transcript.cds
    coding = "".join([sequence[p.start : p.end] for p in cds])[transcript.first_phase :]
    found: list[str] = []
    if transcript.first_phase or not coding.startswith(genetic_code.start_codons):
        found.append("no_start")
    if len(coding) % 3 or coding[-3:] not in genetic_code.stop_codons:
        found.append("no_stop")
    if len(coding) % 3:
        found.append("partial_codon")
    if _has_in_frame_stop(coding, genetic_code):
        found.append("in_frame_stop")
    pairs = {(sequence[a.end : a.end + 2], sequence[b.start - 2 : b.start]) for a, b in itertools.pairwise(cds)}
    if not pairs.issubset(genetic_code.all_pairs):
        found.append("odd_intron")
    if any(b.start - a.end < MIN_INTRON for a, b in itertools.pairwise(transcript.exons)):
        found.append("short_intron")
    if any(p.end - p.start < MIN_EXON for p in cds[1:-1]):
        found.append("short_exon")
    if any(letter in coding for letter in _OTHER_LETTERS):
        found.append("unknown_bases")
    return tuple(found)


def ordered_codes(codes: Iterable[str]) -> tuple[str, ...]:
    """Distinct codes in the order of `RULES`."""
    wanted = set(codes)
    return tuple(rule.code for rule in RULES if rule.code in wanted)


def told(findings: Sequence[Finding]) -> str:
    """What cost lines, transcripts and genes, the most frequent code first, with its first case; "" for nothing."""
    costly = [f for f in findings if f.action in ("skipped", "transcript_rejected", "rejected", "filtered")]
    if not costly:
        return ""
    (code, count), *others = Counter(f.code for f in costly).most_common()
    first = next(f for f in costly if f.code == code)
    where = ", ".join(part for part in (first.line and f"line {first.line}", first.gene) if part)
    detail = ": ".join(part for part in (where, first.detail) if part)
    more = "".join(f"; {n} {other}" for other, n in others)
    return f"{count} {code} ({RULE_BY_CODE[code].text}), first {detail or 'without detail'}{more}"


def blocking(findings: Sequence[Finding]) -> tuple[Finding, ...]:
    """The findings that `--strict` does not accept: whatever was skipped, mended or rejected."""
    return tuple(f for f in findings if f.action in ("skipped", "mended", "transcript_rejected", "rejected"))
