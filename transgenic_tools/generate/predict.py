"""From gene rows to prediction rows.

In: `GeneRow`s and a `Reader`; evidence, where there is some. Out: one `PredictionRow` for each, in the same order.
A surprise: on a CPU a window's scores do not depend on what it is read with (`fast.fused_layers`) and threads share out
the genes, each computing on one core, so that a gene's answer is the same for any number of threads; on CUDA windows
are batched by bases.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

from transgenic_tools.errors import BadInputError
from transgenic_tools.generate.config import Config
from transgenic_tools.generate.judge import RegionJudge
from transgenic_tools.genome.gene import Transcript
from transgenic_tools.genome.interval import Interval
from transgenic_tools.gsf import write
from transgenic_tools.io.junctions import NONCANONICAL
from transgenic_tools.io.rows import NO_GENE, GeneRow, PredictionRow
from transgenic_tools.lattice.carried import CarriedScores
from transgenic_tools.lattice.condition import Condition
from transgenic_tools.lattice.evidence import WindowEvidence
from transgenic_tools.lattice.paths import exact_sites, find_paths
from transgenic_tools.lattice.window import WindowInput
from transgenic_tools.model.alternatives import AlternativeScoring
from transgenic_tools.model.evidence import EvidenceScoring
from transgenic_tools.search.confidence import (
    FLOOR,
    Scores,
    choose,
    dna_probability,
    found_transcript,
    score,
)
from transgenic_tools.search.further import with_ends_of, write_further
from transgenic_tools.search.reader import Reader
from transgenic_tools.search.search import Found, GeneSearch, Searcher, start_search
from transgenic_tools.search.supported import MIN_READS, NO_FRAME, Unused, unused_junctions, write_supported
from transgenic_tools.search.utrs import Extended, extend

NO_TRANSCRIPT = "no_valid_transcript"
PROMPT_LOST = "prompt_outside_grammar"
#: Of completion: no further transcript is probable enough.
NOTHING_NEW = "nothing_new"
#: With evidence: reads contradict each other, so the gene is written without them.
UNEVEN_READS = "uneven_reads"


@dataclass(frozen=True)
class _Written:
    found: Found
    transcript: Transcript
    scores: Scores
    dna: float | None


@dataclass(frozen=True, kw_only=True)
class Shown:
    """Evidence of a genome, and the confidence of what is written with it.

    Attributes:
        of: What reads show of a gene; None where they show nothing.
        scoring: As fitted for the model.
    """

    of: Callable[[GeneRow], WindowEvidence | None]
    scoring: EvidenceScoring


class Predictor:
    """A loaded model and the settings of one run."""

    def __init__(
        self,
        reader: Reader,
        config: Config,
        *,
        model_hash: str,
        condition: Condition | None = None,
        judge: RegionJudge | None = None,
        shown: Shown | None = None,
        alternatives: AlternativeScoring | None = None,
    ) -> None:
        """Lay the decoder out.

        Args:
            judge: Which regions hold no gene; None where none are judged.
            shown: What reads show, if any.
            alternatives: How probable alternatives are; None: what the decoder writes and its calibration says.
        """
        self.reader, self.config, self.model_hash, self.condition = reader, config, model_hash, condition
        self.judge, self.shown, self.alternatives = judge, shown, alternatives
        self.searcher = Searcher(reader.network.decoder, config.decoding, dtype=reader.dtype)

    def predict(self, rows: Sequence[GeneRow]) -> list[PredictionRow]:
        """Prediction rows of some genes, in their order."""
        threads = self.config.threads if self.reader.device.type == "cpu" else 1
        if threads == 1 or len(rows) < 2:
            return self._predict(rows)
        parts = [rows[i::threads] for i in range(min(threads, len(rows)))]
        with ThreadPoolExecutor(len(parts)) as pool:
            done = list(pool.map(self._predict, parts))
        return [done[i % len(parts)][i // len(parts)] for i in range(len(rows))]

    def _predict(self, rows: Sequence[GeneRow]) -> list[PredictionRow]:
        empty = {} if self.judge is None else self.judge.without_gene(rows)
        empty = {i: p for i, p in empty.items() if not self._shows_gene(rows[i])}
        predicted = iter(self._written_rows([row for i, row in enumerate(rows) if i not in empty]))
        return [
            self.without(row, NO_GENE, f"probability_{empty[i]:.4f}") if i in empty else next(predicted)
            for i, row in enumerate(rows)
        ]

    def _shows_gene(self, row: GeneRow) -> bool:
        """Whether reads show splicing in a region: what the network thinks of it does not count then."""
        evidence = None if self.shown is None else self.shown.of(row)
        return evidence is not None and bool(evidence.reads.max() >= MIN_READS)

    def _written_rows(self, rows: Sequence[GeneRow]) -> list[PredictionRow]:
        windows = [
            WindowInput.of(
                row.sequence,
                condition=self.condition,
                evidence=None if self.shown is None else self.shown.of(row),
                carried=_carried(row),
            )
            for row in rows
        ]
        prompts = [row.read_transcripts() if self.config.complete else () for row in rows]
        forced = [exact_sites(known) for known in prompts]
        sites = self.reader.read_windows(
            windows, forced=forced, batch_bases=self.config.batch_bases, floor=self.config.decoding.floor
        )
        searches: list[GeneSearch | None] = []
        for row, graph, known in zip(rows, sites, prompts, strict=True):
            paths = find_paths(graph.graph, known) if graph is not None else []
            searches.append(None if graph is None else start_search(row.gene_id, graph, paths))
        self.searcher.run([one for one in searches if one is not None])
        if self.alternatives is not None and self.config.decoding.is_best_first:
            plain = [
                (gene, window.codes)
                for gene, window in zip(searches, windows, strict=True)
                if gene is not None and gene.sites.support is None
            ]
            write_further(plain, self.alternatives, self.config.decoding)
        return [self._row(row, gene, known) for row, gene, known in zip(rows, searches, prompts, strict=True)]

    def _row(self, row: GeneRow, gene: GeneSearch | None, known: Sequence[Transcript]) -> PredictionRow:
        if gene is None:
            return self.without(row, NO_TRANSCRIPT)
        flags = [PROMPT_LOST] if sum(f.prompt for f in gene.found) < len(known) else []
        left = {}
        if self.shown is not None and self.config.decoding.decoding != "viterbi":
            left = write_supported(gene, most=self.config.decoding.max_isoforms)
        written, cut = self._written(row, gene, known)
        if self.config.add_utrs:
            written = self._with_utrs(row, gene, known, written)
        if not written:
            flags.append(NOTHING_NEW)
        if gene.sites.support is None and self.shown is not None and self.shown.of(row) is not None:
            flags.append(UNEVEN_READS)
        filled = self._filled(row, written, tuple(flags))
        if self.shown is None:
            return filled
        prompt = [found for found in gene.found if found.prompt]
        unused = unused_junctions(gene, [*prompt, *(one.found for one in written)], left, cut=cut)
        return _with_unused(filled, row, [self._explained(row, junction) for junction in unused])

    def _explained(self, row: GeneRow, unused: Unused) -> Unused:
        """A junction without a way through it lacks a splice motif, or a frame."""
        pair = (row.sequence[unused.start : unused.start + 2], row.sequence[unused.end - 2 : unused.end])
        plain = unused.reason == NO_FRAME and pair not in self.reader.genetic_code.all_pairs
        return replace(unused, reason=NONCANONICAL) if plain else unused

    def without(self, row: GeneRow, *flags: str) -> PredictionRow:
        """The row of a gene for which nothing is written, and why."""
        return self._filled(row, [], flags)

    def _filled(self, row: GeneRow, written: Sequence[_Written], flags: tuple[str, ...]) -> PredictionRow:
        scores = [one.scores for one in written]
        placed = [row.reading.to_window(one.transcript) for one in written]
        return PredictionRow(
            gene_id=row.gene_id,
            sample=row.sample,
            seqid=row.seqid,
            start=row.start,
            end=row.end,
            strand=row.strand,
            window_start=row.window_start,
            window_end=row.window_end,
            gsf=write(placed, strand=row.strand) if placed else None,
            scores=tuple(round(s.transcript, 4) for s in scores),
            exon_scores=tuple(tuple(round(v, 4) for v in s.exons) for s in scores),
            donor_scores=tuple(tuple(round(v, 4) for v in s.donors) for s in scores),
            acceptor_scores=tuple(tuple(round(v, 4) for v in s.acceptors) for s in scores),
            confidence=round(max(s.transcript for s in scores), 4) if scores else None,
            flags=(*row.flags, *flags),
            model_hash=self.model_hash,
            dna_scores=None
            if self.shown is None
            else tuple(round(one.dna, 4) for one in written if one.dna is not None),
        )

    def _transcript(self, found: Found, gene: GeneSearch, name: str, known: Sequence[Transcript]) -> Transcript:
        transcript = found_transcript(found, gene, name)
        return transcript if self.alternatives is None else with_ends_of(transcript, known)

    def _written(
        self, row: GeneRow, gene: GeneSearch, known: Sequence[Transcript]
    ) -> tuple[list[_Written], list[Found]]:
        """New transcripts, most probable first, and those that are probable enough but more than a gene may have.

        Where nothing is known, the best one stays whatever its confidence.
        """
        calibration, further = self.reader.network.settings.calibration, None
        least, most = self.config.decoding.least_confidence, self.config.decoding.max_isoforms
        unshown: float | None = None
        if self.shown is not None and gene.sites.support is not None:
            calibration, further = self.shown.scoring.calibration, self.shown.scoring.further
            if self.config.decoding.min_confidence is None:  # what no read shows stays as sure as without reads
                unshown, least = least, self.shown.scoring.min_confidence
        chosen = choose(gene, calibration, further, min_confidence=least, min_unshown=unshown, keep_best=not known)
        if known:
            chosen = [one for one in chosen if one.probability >= self._min_added(gene)]
        written = [
            _Written(
                one.found,
                self._transcript(one.found, gene, f"{row.gene_id}.t{one.ordinal + 1}", known),
                score(one.found, gene, one.probability, calibration),
                dna_probability(one.found, gene, calibration),
            )
            for one in chosen[:most]
        ]
        return written, [one.found for one in chosen[most:]]

    def _min_added(self, gene: GeneSearch) -> float:
        """Least probability of what scores of alternatives add to known transcripts.

        It holds where none of these is a path of the graph, too, and candidates were judged as if nothing were known.
        """
        scored = self.config.decoding.is_best_first and gene.sites.support is None
        if self.alternatives is None or not scored or self.config.decoding.min_confidence is not None:
            return 0.0
        return self.alternatives.min_added

    def _with_utrs(
        self, row: GeneRow, gene: GeneSearch, known: Sequence[Transcript], written: Sequence[_Written]
    ) -> list[_Written]:
        """What is written, and the known transcripts without UTRs with some; none of them twice."""
        least = self.config.decoding.min_confidence or 0.0
        extended = [one for one in extend(gene.sites.graph, known) if one.probability >= least]
        same = {(one.transcript.cds, one.transcript.introns) for one in extended}
        more = [self._extended(row, gene, number, one) for number, one in enumerate(extended, start=1)]
        kept = [one for one in written if (one.transcript.cds, one.transcript.introns) not in same]
        return sorted([*more, *kept], key=lambda one: -one.scores.transcript)

    def _extended(self, row: GeneRow, gene: GeneSearch, number: int, one: Extended) -> _Written:
        found = Found.of(gene.sites.graph, one.path, more=1.0)
        calibration = self.reader.network.settings.calibration
        return _Written(
            found,
            replace(one.transcript, id=f"{row.gene_id}.u{number}"),
            score(found, gene, min(one.probability, 1.0 - FLOOR), calibration),
            dna_probability(found, gene, calibration),
        )


def _carried(row: GeneRow) -> CarriedScores | None:
    """What a scan has carried over. Raises BadInputError where it is damaged."""
    if row.carried is None:
        return None
    try:
        return CarriedScores.from_bytes(row.carried)
    except ValueError as error:
        raise BadInputError(
            f"the scores that a scan has carried over cannot be read: {error}",
            feature=row.gene_id,
            hint="scan the genome again with this release",
        ) from error


def _with_unused(predicted: PredictionRow, row: GeneRow, unused: Sequence[Unused]) -> PredictionRow:
    """The row with junctions that no transcript has, on the genome."""
    places = [(row.reading.place(Interval(one.start, one.end)), one.reason) for one in unused]
    places.sort()
    return replace(
        predicted,
        unused_junctions=tuple(end for place, _ in places for end in (place.start, place.end)),
        unused_reasons=tuple(reason for _, reason in places),
    )
