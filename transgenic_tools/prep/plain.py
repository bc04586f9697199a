"""Windows, checks and gene sentences of many plain genes at once, in array operations.

In: a `GeneTable`, an open FASTA, genes of the table whose window is known. Out: for each gene the bases of its window
and its sentence; None for the sentence where `prepare` has anything to say about the gene (a flag, a filter), which
then prepares it alone.
A surprise: nothing is mended or judged here; whatever is not plainly in order is left to `prepare`, and a test holds
that both give the same rows.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from transgenic_tools.genome.checks import MIN_EXON, MIN_INTRON
from transgenic_tools.genome.code import STANDARD, where_codons
from transgenic_tools.genome.phase import GSF_PHASE
from transgenic_tools.genome.sequence import COMPLEMENT_BYTES, reverse_complement
from transgenic_tools.gsf.grammar import FEATURE_TYPES
from transgenic_tools.io.fasta import Fasta
from transgenic_tools.io.gff3.table import Coding, Entry

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
Bytes = npt.NDArray[np.uint8]

_CDS, _FIVE_PRIME, _THREE_PRIME = 0, 1, 2
_PHASES = [*(GSF_PHASE[phase] for phase in (0, 1, 2)), GSF_PHASE[None]]


def _code(text: str) -> int:
    return int.from_bytes(text.encode(), "little")


def _codes(*texts: str) -> Ints:
    return np.array([_code(text) for text in texts], np.int64)


def _on_both_strands(texts: Iterable[str]) -> dict[bool, Ints]:
    return {True: _codes(*texts), False: _codes(*map(reverse_complement, texts))}


_START, _STOPS = _on_both_strands(STANDARD.start_codons), _on_both_strands(STANDARD.stop_codons)
#: Four bases: the two at the left end of an intron and the two at its right end, on the plus strand of the seqid.
_INTRONS = _on_both_strands([donor + acceptor for donor, acceptor in STANDARD.all_pairs])


class Ready(NamedTuple):
    """Columns, one entry a gene: bases of the window 5' to 3' on the gene's strand, gene sentence, primary transcript.

    The last two are None where the gene has to be prepared alone.
    """

    bases: list[bytes | memoryview]
    sentence: list[str | None]
    primary: list[str | None]


@dataclass(frozen=True)
class _Batch:
    """Arrays of the coding transcripts of some genes; coordinates count in `bases`, their windows one after the other.

    Attributes:
        gene: Of each transcript. `plus`, `low`, `high`: strand and window of each gene.
        exon, cds: Transcript, start and end of each part, left to right.
        phase: Of each CDS part.
        odd: Transcripts about which `prepare` has something to say.
    """

    bases: Bytes
    gene: Ints
    plus: Bools
    low: Ints
    high: Ints
    exon: tuple[Ints, Ints, Ints]
    cds: tuple[Ints, Ints, Ints]
    phase: Ints
    odd: Bools


def _ragged(first: Ints, count: Ints) -> tuple[Ints, Ints]:
    """Rows of stretches of rows, and which stretch each belongs to."""
    owner = np.repeat(np.arange(len(count)), count)
    before = np.cumsum(count) - count
    return np.arange(len(owner)) - before[owner] + first[owner], owner


def _batch(coding: Coding, entries: Sequence[Entry], windows: Sequence[tuple[int, int]], fasta: Fasta) -> _Batch:
    pieces = [fasta.padded_bytes(entry.seqid, *window) for entry, window in zip(entries, windows, strict=True)]
    size = np.array([len(piece) for piece in pieces], np.int64)
    high = np.cumsum(size)
    low = high - size
    number = np.array([entry.plain for entry in entries], np.int64)
    first = coding.first[number]
    which, gene = _ragged(first, coding.first[number + 1] - first)
    shift = (low - np.array([start for start, _ in windows], np.int64))[gene]
    parts = []
    for begin, end in ((coding.exon, coding.cds), (coding.cds, coding.end)):
        rows, owner = _ragged(begin[which], (end - begin)[which])
        parts.append((owner, coding.start_of[rows] + shift[owner], coding.end_of[rows] + shift[owner]))
    return _Batch(
        bases=np.frombuffer(b"".join([*pieces, b"NNN"]), np.uint8),
        gene=gene,
        plus=np.array([entry.strand == "+" for entry in entries], bool),
        low=low,
        high=high,
        exon=parts[0],
        cds=parts[1],
        phase=coding.phase_of[rows],
        odd=coding.first_phase[which] != 0,
    )


def _letters(bases: Bytes, *places: Ints) -> Ints:
    """The letters at some places as one number, the first in the lowest byte."""
    found = bases[places[0]].astype(np.int64)
    for i, place in enumerate(places[1:], start=1):
        found |= bases[place].astype(np.int64) << (8 * i)
    return found


def _is_one_of(found: Ints, plus: Bools, wanted: dict[bool, Ints]) -> Bools:
    """Whether each number is one of those of its strand."""
    same = np.zeros(len(found), bool)
    for forward, backward in zip(wanted[True].tolist(), wanted[False].tolist(), strict=True):
        same |= found == np.where(plus, forward, backward)
    return same


def _check(batch: _Batch) -> None:
    """Adds to `odd` every transcript that breaks, or may break, a rule of `check_transcript`."""
    owner, start, end = batch.cds
    odd, length = batch.odd, end - start
    plus_of = batch.plus[batch.gene]
    begins = np.flatnonzero(np.r_[True, owner[1:] != owner[:-1]])
    ends = np.r_[begins[1:], len(owner)] - 1
    odd |= np.add.reduceat(length, begins) % 3 != 0
    head, tail = np.where(plus_of, begins, ends), np.where(plus_of, ends, begins)
    odd |= (length[head] < 3) | (length[tail] < 3)
    sound = ~odd
    for part, left, wanted in ((head, plus_of, _START), (tail, ~plus_of, _STOPS)):
        at = np.where(left, start[part], end[part] - 3)
        at = np.where(sound, at, 0)
        odd |= ~_is_one_of(_letters(batch.bases, at, at + 1, at + 2), plus_of, wanted)
    _check_introns(batch)
    _check_codons(batch, head, tail)


def _check_introns(batch: _Batch) -> None:
    owner, start, end = batch.exon
    same = owner[1:] == owner[:-1]
    batch.odd[owner[1:][same & (start[1:] - end[:-1] < MIN_INTRON)]] = True
    owner, start, end = batch.cds
    inner = np.flatnonzero(owner[1:] == owner[:-1])
    if not len(inner):
        return
    of, left, right = owner[inner], end[inner], start[inner + 1]
    plus = batch.plus[batch.gene[of]]
    found = _letters(batch.bases, left, left + 1, right - 2, right - 1)
    batch.odd[of[~_is_one_of(found, plus, _INTRONS)]] = True
    middle = inner[1:][inner[1:] == inner[:-1] + 1]
    batch.odd[owner[middle[end[middle] - start[middle] < MIN_EXON]]] = True
    # the codon that the intron splits: so many bases of it on the left, 0 where it splits none
    before = np.where(plus, (3 - batch.phase[inner + 1]) % 3, batch.phase[inner])
    split = np.flatnonzero(before)
    of, left, right, before, plus = of[split], left[split], right[split], before[split], plus[split]
    short = (end - start)[inner][split] < before
    short |= (end - start)[inner + 1][split] < 3 - before
    two = before == 2
    codon = _letters(batch.bases, np.where(two, left - 2, left - 1), np.where(two, left - 1, right), right + ~two)
    known = _KNOWN[codon & 0xFF] & _KNOWN[codon >> 8 & 0xFF] & _KNOWN[codon >> 16]
    batch.odd[of[short | _is_one_of(codon, plus, _STOPS) | ~known]] = True


_KNOWN = np.zeros(256, bool)
_KNOWN[list(b"ACGT")] = True


def _check_codons(batch: _Batch, head: Ints, tail: Ints) -> None:
    """Stop codons and unknown letters in the whole codons of each CDS part, the last codon of a CDS left out."""
    owner, start, end = batch.cds
    plus = batch.plus[batch.gene[owner]]
    last = np.zeros(len(owner), bool)
    last[tail] = True
    whole = np.maximum(end - start - batch.phase, 0) // 3 * 3
    begin = np.where(plus, start + batch.phase, end - batch.phase - whole)
    stop = np.where(plus & last, begin + whole - 3, begin + whole)
    begin = np.where(~plus & last, begin + 3, begin)
    begin = np.maximum(begin, 0)
    stop = np.maximum(stop, begin)
    regions, of_region = np.unique(begin << 33 | stop << 1 | plus, return_inverse=True)  # isoforms share most
    begin, stop, forward = regions >> 33, regions >> 1 & 0xFFFFFFFF, (regions & 1).astype(bool)
    bad = np.zeros(len(regions), bool)
    view = memoryview(batch.bases)  # type: ignore[arg-type]
    for strand in (True, False):
        mine = np.flatnonzero((forward == strand) & (stop > begin))
        places = zip(begin[mine].tolist(), stop[mine].tolist(), strict=True)
        codons = np.frombuffer(b"".join([view[a:b] for a, b in places]), np.uint8)
        hits = _stops_or_unknown(codons, forward=strand)
        if len(hits):
            sizes = np.cumsum((stop - begin)[mine]) // 3
            bad[mine[np.searchsorted(sizes, hits, "right")]] = True
    batch.odd[owner[bad[of_region]]] = True


def _stops_or_unknown(bases: Bytes, *, forward: bool) -> Ints:
    """Codons that are stop codons (of the other strand where not `forward`), or hold an unknown base."""
    if len(bases) < 3:
        return np.zeros(0, np.int64)
    # looked for at every base, not at every third: bytes that lie side by side are compared 64 at a time
    stands = {letter: bases == ord(letter if forward else reverse_complement(letter)) for letter in "ACGT"}
    parts = (slice(None, -2), slice(1, -1), slice(2, None))[:: 1 if forward else -1]
    found = where_codons(STANDARD.stop_codons, lambda index, letter: stands[letter][parts[index]])
    unknown = ~(stands["A"] | stands["C"] | stands["G"] | stands["T"])
    if unknown.any():
        found |= unknown[:-2] | unknown[1:-1] | unknown[2:]
    return np.flatnonzero(found[::3])


def _pieces(batch: _Batch) -> tuple[Ints, Ints, Ints, Ints, Ints, Ints]:
    """UTR and CDS features: transcript, start, end, kind, phase (3 for none), and the first of each transcript."""
    owner, start, end = batch.exon
    of_cds, cds_start, cds_end = batch.cds
    begins = np.flatnonzero(np.r_[True, of_cds[1:] != of_cds[:-1]])
    ends = np.r_[begins[1:], len(of_cds)] - 1
    coding_from, coding_to = cds_start[begins][owner], cds_end[ends][owner]
    left, right = np.flatnonzero(start < coding_from), np.flatnonzero(end > coding_to)
    count = [np.bincount(some, minlength=len(batch.gene)) for some in (owner[left], of_cds, owner[right])]
    total = count[0] + count[1] + count[2]
    first = np.cumsum(total) - total
    of = np.concatenate((owner[left], of_cds, owner[right]))
    low = np.concatenate((start[left], cds_start, np.maximum(start[right], coding_to[right])))
    high = np.concatenate((np.minimum(end[left], coding_from[left]), cds_end, end[right]))
    plus = batch.plus[batch.gene[of]]
    five, three = np.where(plus, _FIVE_PRIME, _THREE_PRIME), np.where(plus, _THREE_PRIME, _FIVE_PRIME)
    n, m = len(left), len(left) + len(of_cds)
    kind = np.concatenate((five[:n], np.full(m - n, _CDS), three[m:]))
    phase = np.concatenate((np.full(n, 3), batch.phase, np.full(len(right), 3)))
    within = np.concatenate([np.arange(len(some)) - (np.cumsum(c) - c)[some] for some, c in
                             zip((owner[left], of_cds, owner[right]), count, strict=True)])  # fmt: skip
    within += np.concatenate((np.zeros(n, np.int64), count[0][of_cds], (count[0] + count[1])[owner[right]]))
    place = first[of] + np.where(plus, within, total[of] - 1 - within)
    gene = batch.gene[of]
    edge = (batch.low[gene], batch.high[gene])
    begin, stop = np.where(plus, low - edge[0], edge[1] - high), np.where(plus, high - edge[0], edge[1] - low)
    placed = [np.empty_like(of) for _ in range(5)]
    for target, values in zip(placed, (of, begin, stop, kind, phase), strict=True):
        target[place] = values
    return placed[0], placed[1], placed[2], placed[3], placed[4], first


class _Text(NamedTuple):
    """Texts one after the other, and where each begins, with the length of all at the end."""

    text: str
    bounds: list[int]

    def some(self, first: int, last: int) -> str:
        """The texts `first` to `last`, less the separator at the end."""
        return self.text[self.bounds[first] : self.bounds[last] - 1]


def _text(columns: Sequence[Bytes]) -> _Text:
    """Rows of text from columns of letters; 0 is no letter."""
    letters = np.concatenate(columns, axis=1)
    bounds = np.r_[0, np.cumsum(np.count_nonzero(letters, axis=1))]
    return _Text(letters.tobytes().translate(None, b"\0").decode("ascii"), bounds.tolist())


def _digits(numbers: Ints) -> Bytes:
    """Numbers as columns of digits, 0 in front of the first."""
    places = len(str(int(numbers.max(initial=0))))
    found = np.empty((len(numbers), places), np.uint8)
    rest = numbers
    for place in range(places - 1, -1, -1):
        more = rest // 10
        found[:, place] = rest - 10 * more + ord("0")
        if place < places - 1:
            found[rest == 0, place] = 0
        rest = more
    return found


def _same(letter: str, rows: int) -> Bytes:
    return np.full((rows, 1), ord(letter), np.uint8)


_NAMES = np.array([name.encode() for name in FEATURE_TYPES])
_NAME_LETTERS = _NAMES.view(np.uint8).reshape(len(FEATURE_TYPES), -1)
_PHASE_LETTERS = np.frombuffer("".join(_PHASES).encode(), np.uint8)


class _Sentences(NamedTuple):
    """Both parts of the gene sentences of a batch.

    Attributes:
        features: Text of each distinct feature. `first`: of each gene, with their number at the end.
        chains: Names of the features of each transcript, one text a transcript.
    """

    features: _Text
    first: list[int]
    chains: _Text


def _sentences(batch: _Batch) -> _Sentences:
    of, start, end, kind, phase, first = _pieces(batch)
    place = batch.low[batch.gene[of]] + start
    packed, named = np.unique(place << 32 | (end - start) << 4 | kind << 2 | phase, return_inverse=True)
    place, length, kind, phase = packed >> 32, packed >> 4 & 0xFFFFFFF, packed >> 2 & 3, packed & 3
    gene = np.searchsorted(batch.high, place, "right")
    start = place - batch.low[gene]
    first_of_gene = np.searchsorted(gene, np.arange(len(batch.plus) + 1))
    number = np.empty(len(gene), np.int64)
    for code in (_CDS, _FIVE_PRIME, _THREE_PRIME):
        mine = kind == code
        so_far = np.cumsum(mine)
        number[mine] = (so_far - np.r_[0, so_far][first_of_gene[gene]])[mine]
    names = np.concatenate((_NAME_LETTERS[kind], _digits(number)), axis=1)
    bar, strand = _same("|", len(gene)), np.where(batch.plus[gene], ord("+"), ord("-")).astype(np.uint8)[:, None]
    features = _text(
        [_digits(start), bar, names, bar, _digits(start + length), bar, strand, bar, _PHASE_LETTERS[phase][:, None],
         _same(";", len(gene))]
    )  # fmt: skip
    between = _same("|", len(named))
    between[np.r_[first[1:], len(named)] - 1] = ord(";")
    chains = _text([names[named], between])
    bounds = [*(chains.bounds[i] for i in first.tolist()), chains.bounds[-1]]
    return _Sentences(features, first_of_gene.tolist(), _Text(chains.text, bounds))


def _primary(batch: _Batch) -> list[int]:
    """Of each gene its transcript with the longest CDS; of equal ones that with the longest exons, then the first."""
    count = len(batch.gene)
    coding, whole = (np.bincount(of, end - start, minlength=count) for of, start, end in (batch.cds, batch.exon))
    order = np.lexsort((-whole, -coding, batch.gene))
    return order[np.searchsorted(batch.gene, np.arange(len(batch.plus)))].tolist()


def ready(coding: Coding, entries: Sequence[Entry], windows: Sequence[tuple[int, int]], fasta: Fasta) -> Ready:
    """Window and sentence of each gene.

    Args:
        entries: Plain genes all of whose transcripts have a CDS.
        windows: Start and end of each gene's window on its seqid; may leave it.
    """
    batch = _batch(coding, entries, windows, fasta)
    _check(batch)
    features, listed, chains = _sentences(batch)
    primaries, names = _primary(batch), coding.names
    first = np.searchsorted(batch.gene, np.arange(len(entries) + 1))
    odd = np.logical_or.reduceat(batch.odd, first[:-1]).tolist()
    bases = memoryview(batch.bases)  # type: ignore[arg-type]
    edges = zip(batch.low.tolist(), batch.high.tolist(), strict=True)
    made = Ready([], [], [])
    for i, (entry, (a, b), (low, high)) in enumerate(
        zip(entries, itertools.pairwise(first.tolist()), edges, strict=True)
    ):
        sentence = primary = None
        if not odd[i] and (b - a == 1 or len({chains.some(k, k + 1) for k in range(a, b)}) == b - a):
            sentence = f"{features.some(listed[i], listed[i + 1])}>{chains.some(a, b)}"
            primary = names[int(coding.first[entry.plain]) + primaries[i] - a]
        piece = bases[low:high]
        made.bases.append(piece if entry.strand == "+" else bytes(piece).translate(COMPLEMENT_BYTES)[::-1])
        made.sentence.append(sentence)
        made.primary.append(primary)
    return made
