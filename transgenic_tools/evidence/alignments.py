"""Spliced reads of BAM, CRAM and SAM files, counted by junction; and reads that go on unspliced through their ends.

In: alignments of RNA-seq reads, sorted and indexed or not. Out: reads by junction, and what was passed over and why.
A surprise: mates are counted as reads, not as fragments, since finding the mate costs more than it tells. Where the
file has an index it is read in stretches by several processes; a read belongs to the stretch that it begins in, so
their number changes nothing.
"""

from __future__ import annotations

import multiprocessing
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from transgenic_tools.errors import BadInputError
from transgenic_tools.evidence.config import Strandness
from transgenic_tools.genome.evidence import (
    MINUS,
    PLUS,
    UNKNOWN_STRAND,
    JunctionKey,
    ThroughCounts,
    aligned_blocks,
    aligned_introns,
)

Ints = npt.NDArray[np.int64]
#: Ends of junctions (P,), sorted, by sequence and sign; and reads through each of them in the same order.
Places = dict[tuple[str, int], Ints]
#: Bases of a stretch that one process reads at once; aligned blocks that are held before they are counted.
STRETCH, _BLOCKS = 20_000_000, 100_000
_UNMAPPED, _REVERSE, _SECOND = 0x4, 0x10, 0x80
_PASSED = {0x4: "unmapped", 0x100: "secondary", 0x200: "failed_quality", 0x400: "duplicate", 0x800: "supplementary"}
_PASSED_FLAGS = sum(_PASSED)
_Counted = TypeVar("_Counted")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """Which reads count; attributes as in `Config`. `strandness` is not `auto` here: that is settled afterwards."""

    strandness: Strandness
    min_anchor: int
    multimapped: bool
    min_intron: int
    max_intron: int


@dataclass(frozen=True, slots=True)
class Tally:
    """Reads by junction, and reads by what became of them (`spliced`, `unspliced`, `duplicate` ...)."""

    counts: dict[JunctionKey, int]
    reads: Counter[str]

    def add(self, other: Tally) -> None:
        for key, count in other.counts.items():
            self.counts[key] = self.counts.get(key, 0) + count
        self.reads.update(other.reads)


def _tag(read: Any, name: str) -> Any:
    return read.get_tag(name) if read.has_tag(name) else None


def _library_sign(read: Any, strandness: Strandness) -> int:
    if strandness not in (Strandness.FORWARD, Strandness.REVERSE):
        return UNKNOWN_STRAND
    against = bool(read.flag & _REVERSE) ^ bool(read.flag & _SECOND) ^ (strandness is Strandness.REVERSE)
    return MINUS if against else PLUS


def read_sign(read: Any, strandness: Strandness) -> int:
    """Strand of the transcript: `XS`, else `ts` (minimap2: relative to the read), else by the library's type."""
    stated = _tag(read, "XS")
    if stated in ("+", "-"):
        return PLUS if stated == "+" else MINUS
    stated = _tag(read, "ts")
    if stated in ("+", "-"):
        return PLUS if (stated == "+") != bool(read.flag & _REVERSE) else MINUS
    return _library_sign(read, strandness)


def _fate(read: Any, rules: Rules) -> str | None:
    """Why a read is passed over; None for those that count."""
    if read.flag & _PASSED_FLAGS:
        return next(name for bit, name in _PASSED.items() if read.flag & bit)
    if not rules.multimapped and ((_tag(read, "NH") or 1) > 1 or read.mapping_quality == 0):
        return "multimapped"
    return None


def count_reads(reads: Iterable[Any], rules: Rules) -> Tally:
    """Junctions of reads (pysam's `AlignedSegment`)."""
    tally = Tally({}, Counter())
    for read in reads:
        fate = _fate(read, rules)
        if fate is not None:
            tally.reads[fate] += 1
            continue
        introns = aligned_introns(read.reference_start, read.cigartuples or (), min_anchor=rules.min_anchor)
        introns = tuple(i for i in introns if rules.min_intron <= len(i) <= rules.max_intron)
        tally.reads["spliced" if introns else "unspliced"] += 1
        if introns:
            sign = read_sign(read, rules.strandness)
            for intron in introns:
                key = JunctionKey(read.reference_name, intron.start, intron.end, sign)
                tally.counts[key] = tally.counts.get(key, 0) + 1
    return tally


@dataclass(frozen=True, slots=True)
class _Stretch:
    path: str
    reference: str
    seqid: str
    start: int
    end: int
    rules: Rules


def _open(path: str | Path, reference: str | Path) -> Any:
    import pysam

    pysam.set_verbosity(0)
    try:
        return pysam.AlignmentFile(str(path), reference_filename=str(reference), check_sq=False)
    except (OSError, ValueError) as error:
        raise BadInputError(
            f"these are no alignments that can be read ({error})", path=path, hint="give BAM, CRAM or SAM; is it whole?"
        ) from error


def _read_error(error: Exception, path: str | Path) -> BadInputError:
    return BadInputError(
        f"the file is cut short or damaged ({error})",
        path=path,
        hint="copy it again, or check it with samtools quickcheck",
    )


class _Through:
    """Reads of one file through the ends of junctions; blocks are counted as soon as many are held."""

    def __init__(self, places: Places, anchor: int) -> None:
        self._counts = {key: ThroughCounts(ends, anchor) for key, ends in places.items()}
        self._held: dict[tuple[str, int], list[tuple[int, int]]] = defaultdict(list)
        self._number = 0

    def add(self, seqid: str, sign: int, blocks: list[tuple[int, int]]) -> None:
        """A read whose strand is unknown speaks on both."""
        for key in ((seqid, PLUS), (seqid, MINUS)) if sign == UNKNOWN_STRAND else ((seqid, sign),):
            if key in self._counts:
                self._held[key] += blocks
                self._number += len(blocks)
        if self._number >= _BLOCKS:
            self._flush()

    def _flush(self) -> None:
        for key, blocks in self._held.items():
            starts, ends = np.array(blocks, dtype=np.int64).T
            self._counts[key].add(starts, ends)
        self._held.clear()
        self._number = 0

    def counts(self) -> Places:
        self._flush()
        return {key: counts.counts() for key, counts in self._counts.items()}


def count_unspliced(reads: Iterable[Any], rules: Rules, places: Places) -> Places:
    """Reads (pysam's `AlignedSegment`) that count and go on through each place."""
    through = _Through(places, rules.min_anchor)
    seqids = {seqid for seqid, _ in places}
    for read in reads:
        if _fate(read, rules) is None and read.reference_name in seqids:
            blocks = aligned_blocks(read.reference_start, read.cigartuples or ())
            through.add(read.reference_name, read_sign(read, rules.strandness), blocks)
    return through.counts()


def _of_stretch(stretch: _Stretch, count: Callable[[Iterable[Any]], _Counted]) -> _Counted:
    with _open(stretch.path, stretch.reference) as handle:
        reads = handle.fetch(stretch.seqid, stretch.start, stretch.end)
        try:
            return count(read for read in reads if read.reference_start >= stretch.start)
        except (OSError, ValueError) as error:
            raise _read_error(error, stretch.path) from error


def _count_stretch(stretch: _Stretch) -> Tally:
    return _of_stretch(stretch, lambda reads: count_reads(reads, stretch.rules))


def _unspliced_of_stretch(stretch: _Stretch, places: Places) -> Places:
    return _of_stretch(stretch, lambda reads: count_unspliced(reads, stretch.rules, places))


def _stretches(path: Path, fasta: Path, lengths: Mapping[str, int], rules: Rules) -> Iterator[_Stretch]:
    for seqid, length in lengths.items():
        for start in range(0, length, STRETCH):
            yield _Stretch(str(path), str(fasta), seqid, start, min(start + STRETCH, length), rules)


def check_header(path: Path, stated: Mapping[str, int], lengths: Mapping[str, int]) -> None:
    """Raises BadInputError where a sequence of the alignments has another length in the FASTA."""
    for seqid, length in stated.items():
        if lengths.get(seqid, length) != length:
            raise BadInputError(
                f"{seqid} has {length:,} bases in the alignments, {lengths[seqid]:,} in the FASTA",
                path=path,
                hint="the reads were aligned to another assembly: align them to this FASTA",
            )


def count_alignments(path: Path, *, fasta: Path, lengths: Mapping[str, int], rules: Rules, threads: int = 1) -> Tally:
    """Reads by junction of one file.

    Args:
        lengths: Bases of each sequence of the FASTA, by the names of the alignments.

    Raises:
        BadInputError: damaged, cut short, aligned to another assembly, or without any spliced read.
    """
    with _open(path, fasta) as handle:
        stated = dict(zip(handle.references, handle.lengths, strict=True))
        check_header(path, stated, lengths)
        indexed = threads > 1 and not handle.is_sam and handle.has_index()
        if not indexed:
            try:
                tally = count_reads(handle.fetch(until_eof=True), rules)
            except (OSError, ValueError) as error:
                raise _read_error(error, path) from error
    if indexed:
        tally = Tally({}, Counter())
        with _pool(threads) as pool:
            for part in pool.map(_count_stretch, _stretches(path, fasta, stated, rules)):
                tally.add(part)
    if not tally.reads["spliced"]:
        raise BadInputError(
            f"no spliced read among {sum(tally.reads.values()):,} ({_listed(tally.reads)})",
            path=path,
            hint="give RNA-seq reads aligned by a spliced aligner (STAR, HISAT2, minimap2 -x splice)",
        )
    return tally


def _pool(threads: int) -> ProcessPoolExecutor:
    return ProcessPoolExecutor(threads, mp_context=multiprocessing.get_context("spawn"))


def through_places(path: Path, *, fasta: Path, places: Places, rules: Rules, threads: int = 1) -> Places:
    """Reads of one file, which `count_alignments` has read before, through each place.

    Args:
        places: By the names of the alignments.
    """
    with _open(path, fasta) as handle:
        if not (threads > 1 and not handle.is_sam and handle.has_index()):
            try:
                return count_unspliced(handle.fetch(until_eof=True), rules, places)
            except (OSError, ValueError) as error:
                raise _read_error(error, path) from error
        lengths = dict(zip(handle.references, handle.lengths, strict=True))
    stretches = list(_stretches(path, fasta, lengths, rules))
    theirs = [{key: ends for key, ends in places.items() if key[0] == stretch.seqid} for stretch in stretches]
    sums = {key: np.zeros(len(ends), dtype=np.int64) for key, ends in places.items()}
    with _pool(threads) as pool:
        for part in pool.map(_unspliced_of_stretch, stretches, theirs):
            for key, counts in part.items():
                sums[key] += counts
    return sums


def _listed(reads: Counter[str]) -> str:
    return ", ".join(f"{name} {count:,}" for name, count in sorted(reads.items())) or "the file is empty"
