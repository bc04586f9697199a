"""tg-scan: from a bare genome to loci and their windows.

In: FASTA and a model that reads both strands. Out: `genes-*.parquet` (windows around loci, structure unknown),
`loci.bed` with scores, `rejects.tsv`, `scan.json`.
A surprise: a sequence is scanned in pieces on a fixed grid, each with overlaps, and a locus belongs to the piece that
holds its middle; so any share of pieces can be scanned apart, and the shares together give the bytes of one run.
"""

from __future__ import annotations

import json
import logging
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import TextIO

import numpy as np
import numpy.typing as npt

from transgenic_tools.errors import BadInputError, UsageError
from transgenic_tools.genome.interval import Interval
from transgenic_tools.genome.sequence import UNKNOWN_CODE, encode
from transgenic_tools.genome.window import Window
from transgenic_tools.io.distance import load_distance_scoring
from transgenic_tools.io.fasta import Fasta
from transgenic_tools.io.loci_curve import load_curve
from transgenic_tools.io.memory import keep_freed_memory
from transgenic_tools.io.progress import Progress
from transgenic_tools.io.rejects import HEADER, Reject
from transgenic_tools.io.rows import SCANNED, GeneRow
from transgenic_tools.io.shards import write_gene_shards
from transgenic_tools.io.tracks import ScanTracks
from transgenic_tools.lattice.config import ScoringConfig
from transgenic_tools.lattice.vocabulary import Content
from transgenic_tools.model.config import ModelConfig, StrandEncoderConfig
from transgenic_tools.model.files import default_scan_dir, load_network, model_hash
from transgenic_tools.provenance import Provenance, write_aside
from transgenic_tools.scan.carrier import Carrier, carrier_of, writes_genes
from transgenic_tools.scan.config import LEAST_WORTH, OVERLAP, PIECE, Config
from transgenic_tools.scan.looks import LociLooks
from transgenic_tools.search.loci import Judge, Locus
from transgenic_tools.search.reader import Reader
from transgenic_tools.search.tiles import TILE, BothStrands, TileReader, both_strands
from transgenic_tools.search.trials import Trials

logger = logging.getLogger(__name__)
#: Sequences shorter than this hold no gene that could be told from chance.
SHORTEST = 200
#: Flag of rows: cut by the end of the sequence.
CUT = "cut_by_end"
#: Reason of loci of which the lattice says that there is hardly a gene.
IMPROBABLE = "improbable"
#: A sequence with this many loci, of which a smaller share has an intron, is hardly a plant's nucleus.
_MANY_LOCI, _FEW_INTRONS = 50, 0.15
#: Names that assemblies give to chloroplasts and mitochondria.
_ORGANELLE = re.compile(r"(?i)^(chr_?)?(c|m|cp|pt|mt|chloroplast|mitochondrion|mitochondria|plastid)$")
Read = Callable[[Sequence[npt.NDArray[np.uint8]]], Iterable[BothStrands]]


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a sequence whose loci are found together; `core` is what it owns, `whole` what is looked at."""

    seqid: str
    core: Interval
    whole: Interval
    length: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """Of a run.

    Attributes:
        loci: Written; `dropped` counts the others by reason.
        bases: Of the sequences that were scanned.
    """

    outdir: Path
    sequences: int
    bases: int
    loci: int
    dropped: dict[str, int]

    def to_json(self) -> str:
        """One line for scripts."""
        return json.dumps({**asdict(self), "outdir": str(self.outdir)}, sort_keys=True)


def pieces_of(seqid: str, length: int) -> Iterator[Piece]:
    """Pieces of a sequence, from left to right."""
    for start in range(0, length, PIECE):
        core = Interval(start, min(start + PIECE, length))
        yield Piece(seqid, core, Interval(max(0, start - OVERLAP), min(core.end + OVERLAP, length)), length)


def share(pieces: Sequence[Piece], number: int, of: int) -> list[Piece]:
    """The pieces of one of several tasks: neighbours, of about equal bases."""
    total = sum(len(piece.core) for piece in pieces)
    chosen, before = [], 0
    for piece in pieces:
        if before * of // max(total, 1) == number:
            chosen.append(piece)
        before += len(piece.core)
    return chosen


def _chosen_names(config: Config, fasta: Fasta) -> list[str]:
    """Sequences to scan. Raises BadInputError for a name that the FASTA lacks."""
    for name in (*config.seqids, *config.skip_seqids):
        if name not in fasta:
            raise BadInputError(
                f"no sequence is called {name!r}", path=config.fasta, hint="give names as they stand in the FASTA"
            )
    wanted = set(config.seqids) or set(fasta.names)
    return [name for name in fasta.names if name in wanted and name not in config.skip_seqids]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scanned:
    """Loci of one piece.

    Attributes:
        kept: Those that the piece owns, each with the row of its window.
        dropped: Others that it owns, each with the reason.
    """

    kept: list[tuple[Locus, GeneRow]]
    dropped: list[tuple[Locus, str]]


class Scanner:
    """Scans pieces of one genome.

    Args:
        read: From base codes of some stretches to their scores.
        patch: Bases that the network joins.
        judge: Finds loci in scores.
        tracks: Takes the scores of what each piece owns.
        carrier: Says what is carried of a window; None where nothing is.
        looks: Takes note of the loci that are kept.
    """

    def __init__(
        self,
        config: Config,
        fasta: Fasta,
        read: Read,
        *,
        patch: int,
        judge: Judge,
        tracks: ScanTracks | None = None,
        carrier: Carrier | None = None,
        looks: LociLooks | None = None,
    ) -> None:
        self.config, self.fasta, self.read, self.patch, self.judge = config, fasta, read, patch, judge
        self.tracks, self.carrier, self.looks = tracks, carrier, looks
        self._reader: tuple[str, TileReader] | None = None

    def _codes(self, seqid: str, part: Interval) -> npt.NDArray[np.uint8]:
        return encode(self.fasta.fetch(seqid, part.start, part.end))

    def _tiles(self, piece: Piece) -> TileReader:
        if self._reader is None or self._reader[0] != piece.seqid:
            reader = TileReader(
                piece.length,
                partial(self._codes, piece.seqid),
                lambda codes: next(iter(self.read([codes]))),
                patch=self.patch,
                channels=0 if self.carrier is None else self.carrier.channels,
            )
            self._reader = piece.seqid, reader
        return self._reader[1]

    def scan(self, pieces: Sequence[Piece]) -> Iterator[tuple[Piece, Scanned]]:
        """Loci of pieces that are read together: one, or short sequences whole."""
        bases = [self._codes(piece.seqid, piece.whole) for piece in pieces]
        readable = [len(codes) >= SHORTEST and bool((codes < UNKNOWN_CODE).any()) for codes in bases]
        if len(pieces) == 1:
            scores = iter([self._tiles(pieces[0]).stretch(pieces[0].whole)] if readable[0] else [])
        else:
            scores = iter(self.read([codes for codes, good in zip(bases, readable, strict=True) if good]))
        for piece, codes, good in zip(pieces, bases, readable, strict=True):
            yield piece, self._loci(piece, codes, next(scores)) if good else Scanned(kept=[], dropped=[])

    def _loci(self, piece: Piece, codes: npt.NDArray[np.uint8], scores: BothStrands) -> Scanned:
        """Loci of a piece; it owns those whose middle lies in its core."""
        if self.tracks is not None:
            own_bases = slice(piece.core.start - piece.whole.start, piece.core.end - piece.whole.start)
            self.tracks.add(piece.seqid, piece.core.start, *_probabilities(scores, own_bases))
        at_ends = (piece.whole.start == 0, piece.whole.end == piece.length)
        loci = self.judge.loci(codes, scores, offset=piece.whole.start, at_ends=at_ends)
        reasons = [self._reason(locus) for locus in loci]
        own = [piece.core.start <= (i.start + i.end) // 2 < piece.core.end for i in (locus.interval for locus in loci)]
        judged = list(zip(loci, reasons, own, strict=True))
        beside = [locus for locus, reason, _ in judged if reason is None]  # windows must not run into any of these
        kept = [locus for locus, reason, mine in judged if mine and reason is None]
        rows = [row_of(piece.seqid, locus, beside, self.fasta, self.config) for locus in kept]
        if self.looks is not None:
            for locus in kept:
                self.looks.see(locus, codes, scores, offset=piece.whole.start)
        if self.carrier is not None:
            rows = [self.carrier.loaded(row, piece.whole, scores) for row in rows]
        return Scanned(
            kept=list(zip(kept, rows, strict=True)),
            dropped=[(locus, reason) for locus, reason, mine in judged if mine and reason is not None],
        )

    def _reason(self, locus: Locus) -> str | None:
        if self.config.complete_only and locus.cut:
            return "cut_by_end"
        if locus.coding_bases < self.config.min_coding and not locus.cut:
            return "few_coding_bases"
        if locus.score < self.config.min_score:
            return "low_score"
        if locus.worth is not None and locus.worth < LEAST_WORTH and self.config.min_score > 0:
            return IMPROBABLE
        return None


def _probabilities(scores: BothStrands, bases: slice) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Of some bases (2, L): that a base is coding, and that a site of any kind is there."""
    coding = np.exp(scores.contents[:, Content.CODING_1 : Content.CODING_3 + 1, bases]).sum(1)
    return coding, 1.0 / (1.0 + np.exp(-scores.sites[..., bases].max(1)))


def locus_id(seqid: str, locus: Locus) -> str:
    """Of the place alone, so that a rerun or another share of the work gives the same."""
    return f"{seqid}.{locus.interval.start + 1}{'p' if locus.strand == '+' else 'm'}"


def window_of(seqid: str, locus: Locus, beside: Sequence[Locus], *, length: int, flank: int) -> Window:
    """The locus with its flanks, shorter where the sequence ends or a locus of the same strand begins."""
    others = [other.interval for other in beside if other.strand == locus.strand and other != locus]
    left = max((i.end for i in others if i.end <= locus.interval.start), default=0)
    right = min((i.start for i in others if i.start >= locus.interval.end), default=length)
    start, end = max(locus.interval.start - flank, left), min(locus.interval.end + flank, right)
    return Window(seqid, start, end, locus.strand)


def row_of(seqid: str, locus: Locus, beside: Sequence[Locus], fasta: Fasta, config: Config) -> GeneRow:
    """The window of a locus as `tg-generate` takes it."""
    window = window_of(seqid, locus, beside, length=fasta.lengths[seqid], flank=config.flank)
    return GeneRow(
        gene_id=locus_id(seqid, locus),
        sample=config.sample,
        seqid=seqid,
        start=locus.interval.start,
        end=locus.interval.end,
        strand=locus.strand,
        window_start=window.start,
        window_end=window.end,
        sequence=fasta.window(window),
        gsf=None,
        n_transcripts=0,
        primary_transcript=None,
        flags=(SCANNED, CUT) if locus.cut else (SCANNED,),
    )


class _Tables:
    """`loci.bed` and `rejects.tsv`, written line by line while rows pass."""

    def __init__(self, bed: TextIO, rejects: TextIO) -> None:
        self.bed, self.rejects = bed, rejects
        self.kept, self.dropped = 0, Counter[str]()
        self.scores, self.by_piece = Counter[str](), dict[str, list[int]]()
        self._loci, self._spliced = Counter[str](), Counter[str]()
        rejects.write(HEADER + "\n")

    def keep(self, seqid: str, locus: Locus) -> None:
        self.kept += 1
        self._count(locus)
        self._loci[seqid] += 1
        self._spliced[seqid] += locus.coding_bases < len(locus.coding)
        place = (seqid, locus.interval.start, locus.interval.end, locus_id(seqid, locus))
        self.bed.write("\t".join(map(str, (*place, round(1000 * locus.score), locus.strand))) + "\n")

    def drop(self, seqid: str, locus: Locus, reason: str) -> None:
        self.dropped[reason] += 1
        self._count(locus)
        i = locus.interval
        detail = f"{seqid}:{i.start + 1}-{i.end}, {locus.coding_bases} coding bases, score {locus.score:.4f}"
        if reason == IMPROBABLE:
            detail += f", {locus.worth:.2f} nats"
        self.rejects.write(Reject(locus_id(seqid, locus), reason, detail).line() + "\n")

    def _count(self, locus: Locus) -> None:
        self.scores[f"{min(int(locus.score * 20), 19) / 20:.2f}"] += 1

    def without_introns(self) -> list[str]:
        """Sequences with many loci of which hardly one has an intron in its CDS."""
        return [s for s, n in self._loci.items() if n >= _MANY_LOCI and self._spliced[s] < _FEW_INTRONS * n]

    def piece(self, piece: Piece, loci: int) -> None:
        """Take note of how many loci a piece has; sequences of less than a piece are too many to be listed."""
        if piece.length >= PIECE:
            self.by_piece.setdefault(piece.seqid, []).append(loci)


def _clear_others(config: Config) -> None:
    """Remove shards of an earlier run that shared the genome out in another way: beside these genes would be double."""
    for shard in config.outdir.glob("genes-*.parquet"):
        if config.is_of_another_division(shard.name):
            logger.warning("%s is of an earlier run with other shares and is removed", shard)
            shard.unlink()


@contextmanager
def _tables(outdir: Path) -> Iterator[_Tables]:
    """Tables that appear when all is done."""
    with ExitStack() as stack:
        asides = [stack.enter_context(write_aside(outdir / name)) for name in ("loci.bed", "rejects.tsv")]
        bed, rejects = (stack.enter_context(open(aside, "w", encoding="utf-8")) for aside in asides)
        yield _Tables(bed, rejects)


def together(pieces: Iterable[Piece], *, most: int) -> Iterator[list[Piece]]:
    """Pieces in their order: sequences shorter than `most` in groups of at most so many bases, others alone."""
    group: list[Piece] = []
    bases = 0
    for piece in pieces:
        if group and (piece.length > most or bases + piece.length > most):
            yield group
            group, bases = [], 0
        group.append(piece)
        bases += piece.length
        if piece.length > most:
            yield group
            group, bases = [], 0
    if group:
        yield group


def _rows(scanner: Scanner, pieces: Sequence[Piece], tables: _Tables) -> Iterator[GeneRow]:
    bases = sum(len(piece.core) for piece in pieces)
    progress = Progress(logger, total=len(pieces), all_bases=bases, unit="pieces")
    for group in together(pieces, most=TILE):
        for piece, scanned in scanner.scan(group):
            for locus, reason in scanned.dropped:
                tables.drop(piece.seqid, locus, reason)
            for locus, row in scanned.kept:
                tables.keep(piece.seqid, locus)
                yield row
            tables.piece(piece, len(scanned.kept))
            progress.add(1, len(piece.core))


def _judge(settings: ModelConfig, scoring: ScoringConfig, config: Config) -> Judge:
    """Who finds loci; the lattice helps where the network also writes genes."""
    trials = Trials(segments=scoring, grammar=settings.grammar, scoring=settings.scoring)
    return Judge(
        scoring=scoring,
        calibration=settings.calibration,
        longest_gap=config.longest_gap,
        trials=trials if writes_genes(settings) else None,
    )


def _warn(fasta: Fasta, names: Sequence[str]) -> None:
    """What a user should know of this FASTA before its result is used."""
    organelles = [name for name in names if _ORGANELLE.match(name)]
    if organelles:
        logger.warning(
            "%s: by name a plastid or mitochondrion, whose genes this model does not know; leave it out with "
            "--skip-seqid",
            ", ".join(organelles),
        )
    short = sum(fasta.lengths[name] < SHORTEST for name in names)
    if short > len(names) / 2:
        logger.warning(
            "%d of %d sequences are shorter than %d bases and are passed over: reads instead of an assembly?",
            short, len(names), SHORTEST,
        )  # fmt: skip


def run(config: Config) -> Result:
    """Scan a genome, or a share of it.

    Raises:
        MissingInputError: no such file, or no model there.
        BadInputError: no FASTA, or a name that it lacks.
        UsageError: the model reads one strand only, or was not fitted for scans.
    """
    keep_freed_memory()
    network, directory = load_network(config.model or default_scan_dir())
    scoring = network.settings.scan
    if scoring is None or not isinstance(network.settings.encoder, StrandEncoderConfig):
        raise UsageError(
            f"the model {directory} cannot scan: it was trained on windows around genes alone",
            hint="give a model that reads both strands, or loci (--regions of tg-prep)",
        )
    curve = load_curve(directory)
    reader = Reader(network, precision=config.precision)
    carrier = carrier_of(reader) if config.carry else None

    def read(stretches: Sequence[npt.NDArray[np.uint8]]) -> Iterator[BothStrands]:
        return (both_strands(*scores, features=carrier is not None) for scores in reader.scan(stretches))

    parameters = {
        "fasta": config.fasta.name,
        "seqids": list(config.seqids),
        "skip_seqids": list(config.skip_seqids),
        "flank": config.flank,
        "min_score": config.min_score,
        "min_coding": config.min_coding,
        "longest_gap": config.longest_gap,
        "complete_only": config.complete_only,
        "precision": reader.precision,
        "model_hash": model_hash(directory),
    }
    with Fasta(config.fasta) as fasta:
        names = _chosen_names(config, fasta)
        _warn(fasta, names)
        pieces = [piece for name in names for piece in pieces_of(name, fasta.lengths[name])]
        chosen = share(pieces, *config.part)
        judge = _judge(network.settings, scoring, config)
        # a bigWig wants a sequence, and a share may have no piece; the first one's is the first share's in any case
        lengths = {piece.seqid: piece.length for piece in chosen or pieces[:1]}
        with _tables(config.outdir) as tables, ExitStack() as files:
            tracks = ScanTracks(config.outdir, lengths, files) if config.tracks and lengths else None
            looks = LociLooks(load_distance_scoring(directory))
            scanner = Scanner(
                config, fasta, read, patch=network.settings.encoder.patch, judge=judge, tracks=tracks, carrier=carrier,
                looks=looks,
            )  # fmt: skip
            write_gene_shards(
                _rows(scanner, chosen, tables),
                config.outdir,
                provenance=Provenance("tg-scan", parameters),
                shard_bases=config.shard_bases,
                stem=config.stem,
                carried=carrier is not None,
            )
            _clear_others(config)
        if strange := tables.without_introns():
            logger.warning(
                "%s: hardly a gene has an intron there; a bacterium, or another genome that this model does not know? "
                "leave it out with --skip-seqid",
                ", ".join(strange[:5]) + (" ..." if len(strange) > 5 else ""),
            )
        result = Result(
            outdir=config.outdir,
            sequences=len(dict.fromkeys(piece.seqid for piece in chosen)),
            bases=sum(len(piece.core) for piece in chosen),
            loci=tables.kept,
            dropped=dict(sorted(tables.dropped.items())),
        )
        look = looks.tell()
        with write_aside(config.outdir / "scan.json") as aside:
            report = {
                "loci": result.loci, "dropped": result.dropped, "bases": result.bases, "parameters": parameters,
                "loci_by_megabase": tables.by_piece, "scores": dict(sorted(tables.scores.items())),
                "curve": None if curve is None else curve.to_json(),
                **({"look": look} if look else {}),
            }  # fmt: skip
            aside.write_text(json.dumps(report, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    return result
