"""From gene rows to prediction rows.

In: `GeneRow`s and a `Reader`. Out: one `PredictionRow` for each, in the same order.
A surprise: on a CPU a window's scores do not depend on what it is read with (`fast.fused_layers`) and threads share out
the genes, each computing on one core, so that a gene's answer is the same for any number of threads; on CUDA windows
are batched by bases.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from transgenic_tools.generate.config import Config
from transgenic_tools.generate.judge import RegionJudge
from transgenic_tools.genome.gene import Transcript
from transgenic_tools.gsf import write
from transgenic_tools.io.rows import NO_GENE, GeneRow, PredictionRow
from transgenic_tools.lattice.condition import Condition
from transgenic_tools.lattice.paths import exact_sites, find_paths
from transgenic_tools.lattice.window import WindowInput
from transgenic_tools.search.confidence import Scores, found_transcript, score, transcript_probability
from transgenic_tools.search.reader import Reader
from transgenic_tools.search.search import GeneSearch, Searcher, start_search

NO_TRANSCRIPT = "no_valid_transcript"
PROMPT_LOST = "prompt_outside_grammar"
#: Of completion: no further transcript is probable enough.
NOTHING_NEW = "nothing_new"


@dataclass(frozen=True)
class _Written:
    transcript: Transcript
    scores: Scores


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
    ) -> None:
        """`judge` tells which regions hold no gene; None where none are judged."""
        self.reader, self.config, self.model_hash, self.condition = reader, config, model_hash, condition
        self.judge = judge
        self.calibration = reader.network.settings.calibration
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
        predicted = iter(self._written_rows([row for i, row in enumerate(rows) if i not in empty]))
        return [
            self.without(row, NO_GENE, f"probability_{empty[i]:.4f}") if i in empty else next(predicted)
            for i, row in enumerate(rows)
        ]

    def _written_rows(self, rows: Sequence[GeneRow]) -> list[PredictionRow]:
        windows = [WindowInput.of(row.sequence, condition=self.condition) for row in rows]
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
        return [self._row(row, gene, known) for row, gene, known in zip(rows, searches, prompts, strict=True)]

    def _row(self, row: GeneRow, gene: GeneSearch | None, known: Sequence[Transcript]) -> PredictionRow:
        if gene is None:
            return self.without(row, NO_TRANSCRIPT)
        flags = [PROMPT_LOST] if sum(f.prompt for f in gene.found) < len(known) else []
        written = self._written(row, gene, keep_best=not known)
        if not written:
            flags.append(NOTHING_NEW)
        return self._filled(row, written, tuple(flags))

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
        )

    def _written(self, row: GeneRow, gene: GeneSearch, *, keep_best: bool) -> list[_Written]:
        """New transcripts, most probable first; `keep_best`: the best one stays whatever its confidence."""
        new = [
            (transcript_probability(found, gene, ordinal, self.calibration), ordinal, found)
            for ordinal, found in enumerate(gene.found)
            if not found.prompt
        ]
        new.sort(key=lambda one: -one[0])
        floor = self.config.decoding.min_confidence
        return [
            _Written(
                found_transcript(found, gene, f"{row.gene_id}.t{ordinal + 1}"),
                score(found, gene, probability, self.calibration),
            )
            for rank, (probability, ordinal, found) in enumerate(new)
            if (keep_best and rank == 0) or probability >= floor
        ]
